"""Regions: from a name to its box, from a box to its name, comparisons, and captions with boxes (MedRegInstruct's and
MedMO's tasks), from masks and box facts; of volumes on single slices, shown as pictures.

Boxes are `[x0, y0, x1, y1]` in pixels of the picture, half-open; an export writes them in a model's dialect. Every
box, name, place and comparison is proven. Wrong options of a box question are boxes of other structures, or the right
size in a wrong place; those of a name question are names of other structures in the sample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Answer, Draft, Proof, Turn
from synth.boxes import overlap
from synth.calls import call_text
from synth.facts import structure_words
from synth.media_words import ANSWERS, QUESTIONS
from synth.picture_programs import THIRDS, Box, box_text
from synth.proofs import MediaView, mask_labels, prove
from synth.tasks.common import finish, for_gold, joined, pick, seeded, shuffled
from synth.tasks.scenes import Scene, apart, scenes
from synth.verify import no_leak

LETTERS = "ABCD"
FAMILIES = ("box", "what", "which", "larger", "place", "grounded")
_OTHER = 0.3  # the overlap below which a box is a wrong one
_GROUNDED = 6  # structures of a caption
_TRIES = 64


class Region(Config):
    """`pictures`: images, or slices of a volume, per record; `min_side`: pixels of the smallest box asked for;
    `box_overlap`: intersection over union that an answer needs; with `metric: giou` its generalised form, which also
    tells boxes apart that do not touch."""

    task: Literal["region"] = "region"
    pictures: int = Field(default=2, ge=1, le=16)
    max_questions: int = Field(default=6, ge=1, le=32)
    min_side: int = Field(default=8, ge=2)
    box_overlap: float = Field(default=0.5, gt=0, le=1)
    metric: Literal["iou", "giou"] = "iou"


class Said(NamedTuple):
    """One question with its answer: `hint` is what an RLVR prompt adds; no gold, no prompt."""

    question: str
    answer: str
    proofs: tuple[Proof, ...]
    gold: Answer | None
    hint: str = ""
    options: str = ""
    leak: str = ""


def drafts(record: Record, view: MediaView, config: Region, seed: int) -> list[Draft]:
    """Per picture one conversation (sft), a caption with boxes (pretrain), and one prompt per question (rlvr)."""
    out: list[Draft] = []
    for scene in scenes(record, view, seed, config.pictures, config.min_side):
        said = [one for one in _asked(scene, record, config, seed) if one is not None][: config.max_questions]
        turns: list[Turn] = []
        proofs: list[Proof] = []
        for one in said:
            asked = "\n".join(part for part in (one.question, one.options) if part)
            proofs += [Proof(len(turns) + 1, p.call, p.value, p.unit) for p in one.proofs]
            turns += [Turn("user", asked), Turn("assistant", one.answer)]
        if turns:
            talk = Draft(record.key, "sft", "region", _part(out, "sft"), tuple(turns), proofs=tuple(proofs))
            out.append(finish(with_scene(talk, scene)))
        caption = next((one for one in said if one.gold is None), None)
        if caption:
            told = tuple(for_gold(proof) for proof in caption.proofs)
            text = Draft(record.key, "pretrain", "region", _part(out, "pretrain"), text=caption.answer, proofs=told)
            out.append(finish(with_scene(text, scene)))
        out += [_prompt(record, scene, one, _part(out, "rlvr") + k) for k, one in enumerate(o for o in said if o.gold)]
    return out


def _part(out: list[Draft], stage: str) -> int:
    return sum(1 for draft in out if draft.stage == stage)


def with_scene(draft: Draft, scene: Scene) -> Draft:
    """The draft with the scene's picture, and the masks that its proofs look at."""
    return dataclasses.replace(draft, shows=scene.shows, made=scene.made)


def _prompt(record: Record, scene: Scene, one: Said, part: int) -> Draft:
    asked = "\n".join(piece for piece in (one.question, one.options, one.hint) if piece)
    leak = (no_leak(one.question, one.leak, -1),) if one.leak else ()
    proofs = tuple(for_gold(proof) for proof in one.proofs)
    draft = Draft(record.key, "rlvr", "region", part, (Turn("user", asked),), "", one.gold, proofs, leak)
    return finish(with_scene(draft, scene))


def _asked(scene: Scene, record: Record, config: Region, seed: int) -> Iterator[Said | None]:
    """Questions, families by turns; None where a question has no one answer."""
    names = shuffled(tuple(scene.boxes), seed, record.key, scene.member)
    families = shuffled(FAMILIES, seed, record.key, scene.member, "families")
    makers = {"box": _box, "what": _what, "which": _which, "larger": _larger, "place": _place}
    yield _grounded(scene, names, record, seed) if config.max_questions > 1 else None
    for turn in range(len(names)):
        for k, family in enumerate(families):
            if family == "grounded":
                continue
            name = names[(turn + k) % len(names)]
            try:
                yield makers[family](scene, name, record, config, seed)
            except VerificationError:
                yield None


def _words(family: str, record: Record, scene: Scene, seed: int, *parts: str) -> tuple[str, str]:
    """A question and an answer of a family, unfilled."""
    key = (record.key, scene.member, family, *parts)
    return pick(QUESTIONS[family], seed, *key, "question"), pick(ANSWERS.get(family, ("",)), seed, *key, "answer")


def shown_box(box: Box) -> str:
    return f"[{box_text(box).replace(',', ', ')}]"


def _box(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said:
    proof = prove(scene.box_call(name), scene.view, 1)
    question, answer = _words("box", record, scene, seed, name)
    words = {"a": scene.spoken[name], "v": shown_box(scene.boxes[name])}
    form = "Write it as [x0, y0, x1, y1] in pixels of the picture."
    frame = f"pixels {scene.size[1]}x{scene.size[0]}"
    metric = "giou" if config.metric == "giou" else ""
    tolerance = round(1.0 - config.box_overlap, 6)
    gold = Answer("box", proof.value, "box", tolerance=tolerance, frame=frame, metric=metric)
    hint = "Answer with the box only."
    return Said(f"{question.format(**words)} {form}", answer.format(**words), (proof,), gold, hint)


def lettered(gold: str, wrong: Sequence[str], seed: int, *parts: str) -> tuple[str, Answer]:
    """The options one a line, and the gold."""
    options = list(wrong[: len(LETTERS) - 1])
    at = seeded(seed, *parts, "letter") % (len(options) + 1)
    options.insert(at, gold)
    shown = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))
    return shown, Answer("mcq", LETTERS[at], "mcq", options="|".join(options))


def _what(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said | None:
    call = call_text("in_box", {"box": box_text(scene.boxes[name]), "member": scene.member})
    proof = prove(call, scene.view, 1)
    if proof.value != name:
        return None
    question, answer = _words("what", record, scene, seed, name)
    words = {"box": shown_box(scene.boxes[name]), "v": scene.spoken[name]}
    asked = question.format(**words)
    others = dict.fromkeys(structure_words(other) for other in (*mask_labels(scene.view), *scene.boxes))
    wrong = [other for other in shuffled(tuple(others), seed, record.key, name) if other != words["v"]]
    if len(wrong) < len(LETTERS) - 1:
        gold = Answer("label", "|".join(dict.fromkeys((words["v"], name))), "label")
        return Said(asked, answer.format(**words), (proof,), gold, "Answer with its name only.", leak=words["v"])
    options, right = lettered(words["v"], wrong, seed, record.key, scene.member, name, "what")
    hint = "Answer with the letter of the right option."
    return Said(asked, f"{right.gold}. {words['v']}", (proof,), right, hint, options, words["v"])


def _which(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said | None:
    if not apart(scene, name):
        return None
    proof = prove(scene.box_call(name), scene.view, 1)
    wrong = [shown_box(box) for box in _wrong_boxes(scene, name, record, seed)]
    if len(wrong) < len(LETTERS) - 1:
        return None
    question, _ = _words("which", record, scene, seed, name)
    gold = shown_box(scene.boxes[name])
    options, right = lettered(gold, wrong, seed, record.key, scene.member, name, "which")
    asked = f"{question.format(a=scene.spoken[name])} Boxes are [x0, y0, x1, y1] in pixels of the picture."
    hint = "Answer with the letter of the right option."
    return Said(asked, f"{right.gold}. {gold}", (proof,), right, hint, options)


def _wrong_boxes(scene: Scene, name: str, record: Record, seed: int) -> list[Box]:
    """Other structures' boxes, then the own one moved elsewhere; none overlaps the own one, or another, much."""
    own = scene.boxes[name]
    height, width = scene.size
    others = [box for other, box in sorted(scene.boxes.items()) if other != name]
    others = sorted(others, key=lambda box: seeded(seed, record.key, name, box_text(box)))[: len(LETTERS) - 2]
    w, h = own[2] - own[0], own[3] - own[1]
    for k in range(_TRIES):
        x = seeded(seed, record.key, name, "x", str(k)) % (width - w + 1)
        y = seeded(seed, record.key, name, "y", str(k)) % (height - h + 1)
        others.append((x, y, x + w, y + h))
    kept: list[Box] = []
    for box in others:
        if all(overlap(box, taken) < _OTHER for taken in (own, *kept)):
            kept.append(box)
    return kept


def _larger(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said | None:
    others = [other for other in scene.boxes if other != name and other in scene.masks]
    if name not in scene.masks or not others:
        return None
    other = pick(sorted(others), seed, record.key, scene.member, name, "against")
    proof = prove(call_text("larger_in", {"a": name, "b": other, "member": scene.member}), scene.view, 1)
    question, answer = _words("larger", record, scene, seed, name)
    words = {"a": scene.spoken[name], "b": scene.spoken[other], "v": scene.spoken[proof.value]}
    gold = Answer("label", "|".join(dict.fromkeys((words["v"], proof.value))), "label")
    return Said(
        question.format(**words), answer.format(**words), (proof,), gold, "Answer with the name of one of the two."
    )


def _place(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said:
    proof = prove(call_text("place_in", {"name": name, "member": scene.member}), scene.view, 1)
    question, answer = _words("place", record, scene, seed, name)
    words = {"a": scene.spoken[name], "v": proof.value}
    parts = "The parts are: " + joined([part for row in THIRDS for part in row]) + "."
    asked = f"{question.format(**words)} {parts}"
    return Said(asked, answer.format(**words), (proof,), Answer("label", proof.value, "label"), "Answer with the part.")


def _grounded(scene: Scene, names: list[str], record: Record, seed: int) -> Said | None:
    """A caption that names structures with their boxes and the part of the picture where each has its middle."""
    proofs: list[Proof] = []
    clauses: list[str] = []
    for name in names[:_GROUNDED]:
        box = prove(scene.box_call(name), scene.view, 1)
        place = prove(call_text("place_in", {"name": name, "member": scene.member}), scene.view, 1)
        where = "in the centre" if place.value == "centre" else f"in the {place.value} part"
        clauses.append(f"the {scene.spoken[name]} {shown_box(scene.boxes[name])} {where}")
        proofs += [box, place]
    if not clauses:
        return None
    opening = pick(OPENINGS, seed, record.key, scene.member, "opening")
    question, _ = _words("grounded", record, scene, seed)
    form = "Boxes are [x0, y0, x1, y1] in pixels."
    return Said(f"{question} {form}", opening.format(list=joined(clauses)), tuple(proofs), None)


OPENINGS: tuple[str, ...] = (
    "The picture shows {list}.",
    "In this picture one sees {list}.",
    "Segmented in the picture: {list}.",
    "Visible and marked are {list}.",
    "Among what the picture shows are {list}.",
)
