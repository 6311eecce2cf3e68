"""Wordings: how the questions and answers of the program tasks are put, one table per kind of question.

A family's wordings are plain lines, one wording a line, so that one is added or mended by editing a line. They are
Python tables rather than data files because a unit's code version then sees an edited wording by itself
(`curate.code`). What a wording must keep (its slots, its unit, no word of the answer) tests/synth/test_phrases.py says.

`{a}` and `{b}` are structures in plain words, behind "the" or after a colon, and never a subject whose number a verb
must follow: "the costal cartilages" and "the grey matter" must both fit. Of landmarks, `{a}` to `{d}` are the names, of
an image's axes `{a}` is the letter. `{c}` of `hu` is the statistic, in lower case. In answers `{v}` is the value as the
proof prints it, with its unit right behind it; no other digit may stand there but "counting from 0".
"""

from __future__ import annotations

from typing import NamedTuple


class Wordings(NamedTuple):
    """At least 40 questions and 12 answers of a family, and what an RLVR prompt adds about the form of the answer."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]
    hint: str


def lines(block: str) -> tuple[str, ...]:
    """The lines of a block that hold something."""
    return tuple(line.strip() for line in block.splitlines() if line.strip())


def wordings(questions: str, answers: str, hint: str) -> Wordings:
    return Wordings(lines(questions), lines(answers), hint)
