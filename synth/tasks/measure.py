"""Quantitative questions that a program answers from masks, geometry or time stamps, each with its proof.

For fine-tuning a record gives one conversation with all its questions; for verifiable rewards one prompt per question.
Which questions are asked, and how they are worded, follows from the seed and the record's key. Left and right are only
asked where the two centroids are more than `min_offset_mm` apart, so a midline organ is never a matter of a voxel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Answer, Draft, Proof, Turn
from synth.facts import structure_words
from synth.proofs import MediaView, call_text, centroid_ras, mask_labels, parse_call, prove
from synth.tasks.common import finish, for_gold, pick, seeded
from synth.tasks.phrases import ANSWERS, HINTS, QUESTIONS
from synth.verify import no_leak


class Measure(Config):
    """`intensity`: the target keeps HU, so mean attenuation may be asked. `tolerance` is relative, for mL and mm."""

    task: Literal["measure"] = "measure"
    intensity: bool = False
    max_questions: int = Field(default=6, ge=1, le=64)
    tolerance: float = Field(default=0.05, ge=0, lt=1)
    min_offset_mm: float = Field(default=10.0, ge=0)


@dataclass(frozen=True, slots=True)
class _Ask:
    family: str
    call: str
    a: str = ""  # the structure asked about, in plain words
    b: str = ""


_ONE_MASK = ("volume_ml", "longest_axis_mm", "count", "slice_range")
_ANSWER_TYPE: Mapping[str, str] = MappingProxyType(
    {"slice_range": "label", "largest": "label", "is_left_of": "yes_no"},
)
_TRIES = 8  # how many candidates per question wanted are computed before a record of empty masks is given up
_EXACT = frozenset({"count", "frame_count"})


def _asks(view: MediaView, config: Measure) -> list[_Ask]:
    """Every question that the media may answer, in a fixed order."""
    kinds = {m.kind for m in view.media}
    asks: list[_Ask] = []
    labels = sorted(mask_labels(view))
    families = (*_ONE_MASK, *(("mean_hu",) if config.intensity else ())) if "volume" in kinds else ("count",)
    for name in labels:
        asks += [_Ask(family, call_text(family, {"mask": name}), structure_words(name)) for family in families]
    if len(labels) > 1 and "volume" in kinds:
        asks.append(_Ask("largest", call_text("largest")))
        asks += [
            _Ask("is_left_of", call_text("is_left_of", {"a": a, "b": b}), structure_words(a), structure_words(b))
            for a in labels
            for b in labels
            if a != b
        ]
    if "volume" in kinds or "image" in kinds:
        axes = ("x", "y", "z") if "volume" in kinds else ("x", "y")
        asks += [_Ask("extent_mm", call_text("extent_mm", {"axis": axis}), axis) for axis in axes]
    if "video" in kinds:
        asks += [_Ask("frame_count", call_text("frame_count")), _Ask("duration_s", call_text("duration_s"))]
    return asks


def _order(asks: list[_Ask], seed: int, key: str) -> list[_Ask]:
    """Families take turns; inside a family, and among the families, the order is a seeded hash."""
    by_hash = sorted(asks, key=lambda ask: (seeded(seed, key, ask.call), ask.call))
    nth: dict[str, int] = {}
    ranked = []
    for ask in by_hash:
        nth[ask.family] = nth.get(ask.family, 0) + 1
        ranked.append((nth[ask.family], seeded(seed, key, ask.family), ask.family, ask))
    return [ask for *_, ask in sorted(ranked, key=lambda item: item[:3])]


def _proof(ask: _Ask, view: MediaView, config: Measure, turn: int) -> Proof | None:
    """The proof of a question's answer, or None where the media do not decide it (no affine, an empty mask, a tie)."""
    try:
        if ask.family == "is_left_of":
            args = dict(parse_call(ask.call).args)
            offset = abs(centroid_ras(view, args["a"])[0] - centroid_ras(view, args["b"])[0])
            if offset < config.min_offset_mm:
                return None
        return prove(ask.call, view, turn)
    except VerificationError:
        return None


def _words(proof: Proof, ask: _Ask) -> dict[str, str]:
    first, _, last = proof.value.partition("-")
    lies = "lies" if proof.value == "yes" else "does not lie"
    value = structure_words(proof.value) if ask.family == "largest" else proof.value
    plural = "" if proof.value == "1" else "s"
    yes = proof.value.capitalize()
    return {"a": ask.a, "b": ask.b, "v": value, "s": plural, "first": first, "last": last, "lies": lies, "yes": yes}


def _gold(proof: Proof, ask: _Ask, config: Measure) -> Answer:
    kind = _ANSWER_TYPE.get(ask.family, "number")
    gold = proof.value
    if ask.family == "slice_range":
        first, _, last = proof.value.partition("-")
        gold = f"{first}-{last}|{first} to {last}|slices {first} to {last}|slices {first}-{last}"
    if ask.family == "largest" and structure_words(gold) != gold:
        gold = f"{structure_words(gold)}|{gold}"
    tolerance = config.tolerance if kind == "number" and ask.family not in _EXACT else 0.0
    return Answer(type=kind, gold=gold, verifier=kind, unit=proof.unit, tolerance=tolerance)


def drafts(record: Record, view: MediaView, config: Measure, seed: int) -> list[Draft]:
    """One conversation (sft, part 0), one prompt per question (rlvr, parts 0..n-1); none where nothing is measurable.

    A proof's turn is the assistant turn that states its value; in a prompt it is -1, for the gold.
    """
    turns: list[Turn] = []
    proofs: list[Proof] = []
    prompts: list[Draft] = []
    for ask in _order(_asks(view, config), seed, record.key)[: _TRIES * config.max_questions]:
        proof = _proof(ask, view, config, len(turns) + 1)
        if proof is None:
            continue
        words = _words(proof, ask)
        question = pick(QUESTIONS[ask.family], seed, record.key, ask.call, "question").format(**words)
        answer = pick(ANSWERS[ask.family], seed, record.key, ask.call, "answer").format(**words)
        turns += [Turn("user", question), Turn("assistant", answer)]
        proofs.append(proof)
        prompts.append(_prompt(record, config, (ask, proof, question), len(prompts)))
        if len(proofs) == config.max_questions:
            break
    if not turns:
        return []
    talk = Draft(record.key, "sft", "measure", 0, turns=tuple(turns), proofs=tuple(proofs))
    return [finish(talk), *prompts]


def _prompt(record: Record, config: Measure, asked: tuple[_Ask, Proof, str], part: int) -> Draft:
    ask, proof, question = asked
    gold = _gold(proof, ask, config)
    draft = Draft(
        key=record.key,
        stage="rlvr",
        task="measure",
        part=part,
        turns=(Turn("user", f"{question} {HINTS[ask.family]}"),),
        answer=gold,
        proofs=(for_gold(proof),),
        verdicts=(no_leak(question, gold.gold.partition("|")[0], -1),),
    )
    return finish(draft)
