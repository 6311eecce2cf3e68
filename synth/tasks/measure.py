"""Quantitative questions that a program answers from masks, geometry, landmarks or time stamps, each with its proof.

For fine-tuning a record gives one conversation with all its questions; for verifiable rewards one prompt per question,
which states the unit and the tolerance. Which questions are asked, and how they are worded, follows from the seed and
the record's key. Left and right, front and back, head and feet are only asked where the two centroids are more than
`min_offset_mm` apart, so a midline organ is never a matter of a voxel; nothing is asked that what is shown does not
decide (`synth.tasks.seen`), and nothing in mm, mm2 or mL where the spacing of what is shown is not known. Of masks of a
picture `synth.tasks.area_asks` tells what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.record import Record
from manifests.sample import Answer, Draft, Proof, Turn
from synth.facts import structure_words
from synth.proofs import MediaView
from synth.tasks.asks import SIZED, Ask, askable, asks, decide, in_turns, rewarding, terms
from synth.tasks.common import finish, for_gold, pick
from synth.tasks.phrases import ANSWERS, HINTS, QUESTIONS
from synth.tasks.spacing import spacing_words
from synth.verify import no_leak
from synth.views import shows_several


class Measure(Config):
    """`intensity`: the target keeps HU, so attenuation may be asked. `tolerance` is relative, for mL, mm and HU;
    `angle_tolerance_deg` is in degrees; a box must overlap its gold by `box_overlap` (intersection over union).
    `state_spacing`: questions in mm or mL state the spacing of what is shown, and are not asked where it is unknown."""

    task: Literal["measure"] = "measure"
    intensity: bool = False
    max_questions: int = Field(default=6, ge=1, le=64)
    tolerance: float = Field(default=0.05, ge=0, lt=1)
    angle_tolerance_deg: float = Field(default=5.0, ge=0, le=90)
    box_overlap: float = Field(default=0.5, gt=0, le=1)
    min_offset_mm: float = Field(default=10.0, ge=0)
    state_spacing: bool = True


_ANSWER_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "slice_range": "label",
        "largest": "label",
        "is_left_of": "yes_no",
        "relation_left_right": "label",
        "relation_front_back": "label",
        "relation_head_feet": "label",
        "side_of": "label",
        "covers_most": "label",
        "recist_mm": "numbers",
        "diameters_mm": "numbers",
        "size_mm": "numbers",
        "box": "box",
        "angle_deg": "angle",
        "angle_between_lines_deg": "angle",
    },
)
_TRIES = 8  # how many candidates per question wanted are computed before a record of empty masks is given up
_EXACT = frozenset({"count", "regions", "frame_count"})
_NAMED = frozenset({"largest", "covers_most"})
_FORMS: Mapping[int, str] = MappingProxyType({4: "[x0, y0, x1, y1]", 6: "[x0, y0, z0, x1, y1, z1]"})


def _words(proof: Proof, ask: Ask) -> dict[str, str]:
    first, _, last = proof.value.partition("-")
    value = structure_words(proof.value) if ask.family in _NAMED else proof.value
    return {
        "a": ask.a,
        "b": ask.b,
        "c": ask.c,
        "d": ask.d,
        "v": value.replace(",", ", ") if ask.family == "box" else value,
        "v_cap": value.capitalize(),
        "s": "" if proof.value == "1" else "s",
        "first": first,
        "last": last,
        "lies": "lies" if proof.value == "yes" else "does not lie",
        "is": "is" if proof.value == "yes" else "is not",
        "yes": proof.value.capitalize(),
        "form": _FORMS.get(len(proof.value.split(",")), ""),
    }


def _gold(proof: Proof, ask: Ask, config: Measure, frame: str) -> Answer:
    kind = _ANSWER_TYPE.get(ask.family, "number")
    gold = proof.value
    if ask.family == "slice_range":
        first, _, last = proof.value.partition("-")
        gold = f"{first}-{last}|{first} to {last}|slices {first} to {last}|slices {first}-{last}"
    if ask.family in _NAMED and structure_words(gold) != gold:
        gold = f"{structure_words(gold)}|{gold}"
    tolerance = {
        "number": 0.0 if ask.family in _EXACT else config.tolerance,
        "numbers": config.tolerance,
        "angle": config.angle_tolerance_deg,
        "box": 1.0 - config.box_overlap,
    }.get(kind, 0.0)
    framed = frame if kind == "box" else ""
    return Answer(type=kind, gold=gold, verifier=kind, unit=proof.unit, tolerance=tolerance, frame=framed)


def _frame(view: MediaView) -> str:
    """What the numbers of a box in the one shown picture count; "" of a volume, whose boxes are in voxels."""
    sizes = [m.shape[:2] for m in view.media if m.kind == "image"]
    return f"pixels {sizes[0][1]}x{sizes[0][0]}" if len(sizes) == 1 else ""


def drafts(record: Record, view: MediaView, config: Measure, seed: int) -> list[Draft]:
    """One conversation (sft, part 0), one prompt per question that is worth a reward (`asks.rewarding`; rlvr, parts
    0..n-1); none where nothing is measurable, or several pictures are shown.

    A proof's turn is the assistant turn that states its value; in a prompt it is -1, for the gold. The spacing stands
    in each prompt that needs it, in the conversation behind the first question that does.
    """
    if shows_several(view):
        return []
    turns: list[Turn] = []
    proofs: list[Proof] = []
    prompts: list[Draft] = []
    spacing = spacing_words(view) if config.state_spacing else ""
    unsaid = spacing
    asked_of = askable(view, asks(view, config.intensity), bool(spacing) or not config.state_spacing)
    for ask in in_turns(asked_of, seed, record.key)[: _TRIES * config.max_questions]:
        proof = decide(ask, view, config.min_offset_mm, len(turns) + 1)
        if proof is None:
            continue
        words = _words(proof, ask)
        question = pick(QUESTIONS[ask.family], seed, record.key, ask.call, "question").format(**words)
        answer = pick(ANSWERS[ask.family], seed, record.key, ask.call, "answer").format(**words)
        sized = ask.family in SIZED
        named = terms(ask, view, seed, record.key)
        form = f"Write it as {words['form']}." if words["form"] and ask.family == "box" else ""
        asked = " ".join(part for part in (question, named, form, unsaid if sized else "") if part)
        unsaid = "" if sized else unsaid
        turns += [Turn("user", asked), Turn("assistant", answer)]
        proofs.append(proof)
        hint = " ".join(p for p in (named, spacing if sized else "", HINTS[ask.family].format(**words)) if p)
        if rewarding(ask, proof, seed, record.key):
            prompts.append(
                _prompt(record, _gold(proof, ask, config, _frame(view)), (proof, question, hint), len(prompts))
            )
        if len(proofs) == config.max_questions:
            break
    if not turns:
        return []
    talk = Draft(record.key, "sft", "measure", 0, turns=tuple(turns), proofs=tuple(proofs))
    return [finish(talk), *prompts]


def _leeway(gold: Answer) -> str:
    """How near to the gold an answer must be, as its verifier has it; "" where it must be exact."""
    if gold.tolerance <= 0 or gold.type not in ("number", "numbers", "angle"):
        return ""
    if gold.type == "angle":
        return f"An error of up to {gold.tolerance:g} degrees counts as right."
    each = " in each number" if gold.type == "numbers" else ""
    return f"A relative error of up to {100 * gold.tolerance:g}%{each} counts as right."


def _prompt(record: Record, gold: Answer, asked: tuple[Proof, str, str], part: int) -> Draft:
    proof, question, hint = asked
    asked_for = " ".join(part for part in (question, hint, _leeway(gold)) if part)
    draft = Draft(
        key=record.key,
        stage="rlvr",
        task="measure",
        part=part,
        turns=(Turn("user", asked_for),),
        answer=gold,
        proofs=(for_gold(proof),),
        verdicts=(no_leak(question, gold.gold.partition("|")[0], -1),),
    )
    return finish(draft)
