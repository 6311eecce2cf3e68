"""Multiple choice: the gold is the source's or a program's, the options near it are wrong (`synth.tasks.mcq_asks`).

The letter of the gold is a seeded hash, so letters are balanced over many records. A question earns a reward only with
three options or more, and where a right letter shows that the media were looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.record import Record
from manifests.sample import Answer, Draft, Turn
from synth.proofs import MediaView
from synth.tasks import asks, mcq_asks
from synth.tasks.common import finish, for_gold, pick, seeded
from synth.tasks.mcq_asks import Choice
from synth.tasks.phrases import STEMS
from synth.tasks.spacing import spacing_words
from synth.verify import no_leak
from synth.views import shows_several

LETTERS = "ABCDE"
_TRIES = 6  # how many measured questions per one wanted are computed before a record is given up


class Mcq(Config):
    """`options` per question (fewer where there are not as many); `labels`: all class names that the source uses.
    `intensity`, `min_offset_mm` and `state_spacing` are those of `measure`."""

    task: Literal["mcq"] = "mcq"
    options: int = Field(default=4, ge=2, le=5)
    labels: tuple[str, ...] = ()
    max_questions: int = Field(default=6, ge=1, le=64)
    intensity: bool = False
    min_offset_mm: float = Field(default=10.0, ge=0)
    state_spacing: bool = True


def _choices(record: Record, view: MediaView, config: Mcq, seed: int) -> Iterator[Choice]:
    """What the record can be asked: its facts first, then what a program measures, families in turns."""
    count, key = config.options, record.key
    yield from mcq_asks.of_modality(view, record.kind, count, seed, key)
    yield from mcq_asks.of_label(view, record.kind, config.labels, count, seed, key)
    yield from mcq_asks.of_plane(view, record.kind)
    yield from mcq_asks.of_codes(view, count, seed, key)
    yield from mcq_asks.of_largest(view, count, seed, key)
    known = bool(spacing_words(view)) or not config.state_spacing
    asked = asks.askable(view, [*asks.asks(view, config.intensity), *asks.places(view)], known)
    asked = [ask for ask in asked if ask.family in mcq_asks.MEASURED]
    for ask in asks.in_turns(asked, seed, key)[: _TRIES * config.max_questions]:
        choice = mcq_asks.of_measure(ask, view, count, config.min_offset_mm, seed, key)
        if choice is not None:
            yield choice


def _lay_out(choice: Choice, seed: int, key: str) -> tuple[str, str, str]:
    """(stem, options one a line, gold letter)."""
    about = (key, choice.family, choice.proof.call)
    stem = pick(STEMS[choice.family], seed, *about, "stem").format(**choice.words)
    options = sorted(choice.others, key=lambda option: (seeded(seed, *about, option), option))
    at = seeded(seed, *about, "letter") % (len(options) + 1)
    options.insert(at, choice.gold)
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return stem, lines, LETTERS[at]


def drafts(record: Record, view: MediaView, config: Mcq, seed: int) -> list[Draft]:
    """Per question one conversation (sft) and, where it is rewarded, one prompt (rlvr) of the same part, 0..n-1; the
    proof is on the value shown. None where several pictures are shown: "this image" would not say which."""
    out: list[Draft] = []
    if shows_several(view):
        return out
    spacing = spacing_words(view) if config.state_spacing else ""
    for part, choice in enumerate(_first(_choices(record, view, config, seed), config.max_questions)):
        stem, lines, letter = _lay_out(choice, seed, record.key)
        asked = " ".join(part for part in (stem, choice.terms, spacing if choice.sized else "") if part)
        leak = (no_leak(stem, choice.gold, -1),)
        talk = (Turn("user", f"{asked}\n{lines}"), Turn("assistant", f"{letter}. {choice.gold}"))
        proofs = (choice.proof,)
        out.append(finish(Draft(record.key, "sft", "mcq", part, turns=talk, proofs=proofs, verdicts=leak)))
        if choice.rewarded and len(choice.others) > 1:
            prompt = (Turn("user", f"{asked}\n{lines}\nAnswer with the letter of the right option."),)
            gold = Answer(type="mcq", gold=letter, verifier="mcq")
            proofs = (for_gold(choice.proof),)
            draft = Draft(record.key, "rlvr", "mcq", part, prompt, answer=gold, proofs=proofs, verdicts=leak)
            out.append(finish(draft))
    return out


def _first(choices: Iterator[Choice], most: int) -> Iterator[Choice]:
    """The first ones that have a wrong option; no further one is computed."""
    found = 0
    for choice in choices:
        if choice.others:
            yield choice
            found += 1
        if found == most:
            return
