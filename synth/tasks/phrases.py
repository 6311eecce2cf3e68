"""The wordings of the program tasks, by family: at least 40 questions, 12 answers and one hint of each.

The lines themselves stand in `synth.phrases`, one table per kind of question. Which one a record gets is a seeded hash
of its key and the question's call (`synth.tasks.common.pick`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import areas, choices, counts, flat, places, points, requests, sizes

_ALL = {**sizes.SIZES, **counts.COUNTS, **places.PLACES, **points.POINTS, **areas.AREAS, **flat.FLAT}

QUESTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({name: one.questions for name, one in _ALL.items()})
ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType({name: one.answers for name, one in _ALL.items()})
HINTS: Mapping[str, str] = MappingProxyType({name: one.hint for name, one in _ALL.items()})
# Of a choice among given options; "largest" and "place" are asked otherwise there than without options.
STEMS: Mapping[str, tuple[str, ...]] = MappingProxyType({**QUESTIONS, **choices.STEMS})
REQUESTS: tuple[str, ...] = requests.REQUESTS
