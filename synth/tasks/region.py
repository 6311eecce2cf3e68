"""Regions: from a name to its box, from a box to its name, comparisons, and captions with boxes (MedRegInstruct's and
MedMO's tasks), from masks and box facts; of volumes on single slices, shown as pictures.

Boxes are counted and proven in pixels of the picture, half-open, and written in the dialect that the recipe names
(`synth.boxes`); a proof `frame` says which, and so does the gold's frame. What a dialect's steps would change by more
than a quarter is not asked about. Every box, name, place and comparison is proven. Of several structures of a kind one
is asked about in words that hold for it alone (`synth.instances`), and a box is said to hold one of the kind. Wrong
options of a box question are boxes of other structures, or the right size in a wrong place; those of a name question
are names of other structures in the sample, so that nothing is asked of its name where there is only one.
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
from synth.boxes import TAGGED, UNNAMED, Box2D, Dialect2D, form_text, frame_text, kept_overlap, numbers_text, overlap
from synth.boxes import box_text as dialect_text
from synth.calls import call_text
from synth.facts import structure_words
from synth.instances import drawn_again, kinds
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
_KEPT = 0.75  # the overlap with its box that a dialect must leave


class Region(Config):
    """`pictures`: images, or slices of a volume, per record; `min_side`: pixels of the smallest box asked for;
    `box_overlap`: intersection over union that an answer needs; with `metric: giou` its generalised form, which also
    tells boxes apart that do not touch. `dialect`: how boxes are written."""

    task: Literal["region"] = "region"
    dialect: Dialect2D = "pixels"
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
    for whole in scenes(record, view, seed, config.pictures, config.min_side, instances=True):
        scene = _writable(whole, config.dialect)
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


def _writable(scene: Scene, dialect: Dialect2D) -> Scene:
    """The scene with what a dialect can write."""
    boxes = {n: box for n, box in scene.boxes.items() if kept_overlap(Box2D(*box), dialect, *scene.size) >= _KEPT}
    return dataclasses.replace(scene, boxes=boxes)


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
    yield _grounded(scene, names, record, config, seed) if config.max_questions > 1 else None
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


def _shown(scene: Scene, box: Box, config: Region, words: str) -> str:
    """A box as the dialect writes it, with the name before it where it does so."""
    return dialect_text(Box2D(*box), config.dialect, *scene.size, words)


def _named(scene: Scene, name: str) -> tuple[Proof, ...]:
    """What proves that the words for a structure are its own: nothing where its label says them."""
    if name not in scene.kinds:
        return ()
    return (prove(call_text("called", {"mask": name, "member": scene.member}), scene.view, 1),)


def _framed(scene: Scene, config: Region) -> Proof:
    return prove(call_text("frame", {"dialect": config.dialect, "member": scene.member}), scene.view, 1)


def _box(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said:
    proof = prove(scene.box_call(name), scene.view, 1)
    tagged = config.dialect in TAGGED
    question, plain = _words("box", record, scene, seed, name)
    answer = pick(ANSWERS["box_tagged"], seed, record.key, scene.member, name) if tagged else plain
    words = {"a": scene.spoken[name], "v": _shown(scene, scene.boxes[name], config, scene.spoken[name])}
    gold = Answer(
        "box",
        numbers_text(Box2D(*scene.boxes[name]), config.dialect, *scene.size),
        "box",
        tolerance=round(1.0 - config.box_overlap, 6),
        frame=frame_text(config.dialect, *scene.size),
        metric="giou" if config.metric == "giou" else "",
    )
    asked = f"{question.format(**words)} Write it as {form_text(config.dialect)}."
    proofs = (proof, _framed(scene, config), *_named(scene, name))
    return Said(asked, answer.format(**words), proofs, gold, "Answer with the box only.")


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
    kind = (prove(call_text("kind_of", {"mask": name}), scene.view, 1),) if name in scene.kinds else ()
    proofs = (proof, _framed(scene, config), *kind)
    question, answer = _words("what", record, scene, seed, name)
    words = {"box": _shown(scene, scene.boxes[name], config, UNNAMED), "v": _kind_words(scene, name)}
    asked = f"{question.format(**words)} Boxes are {form_text(config.dialect)}."
    others = dict.fromkeys(_kind_words(scene, other) for other in (*_labels(scene), *scene.boxes))
    if len(others) < 2:
        return None  # of a collection that marks one structure the answer is always the same
    wrong = [other for other in shuffled(tuple(others), seed, record.key, name) if other != words["v"]]
    if len(wrong) < len(LETTERS) - 1:
        label = scene.kinds.get(name, name)
        gold = Answer("label", "|".join(dict.fromkeys((words["v"], label))), "label")
        return Said(asked, answer.format(**words), proofs, gold, "Answer with its name only.", leak=words["v"])
    options, right = lettered(words["v"], wrong, seed, record.key, scene.member, name, "what")
    hint = "Answer with the letter of the right option."
    return Said(asked, f"{right.gold}. {words['v']}", proofs, right, hint, options, words["v"])


def _labels(scene: Scene) -> tuple[str, ...]:
    """The labels of its masks, each structure's once."""
    return tuple(label for label in mask_labels(scene.view) if not drawn_again(label))


def _kind_words(scene: Scene, name: str) -> str:
    return structure_words(kinds(mask_labels(scene.view)).get(name, name))


def _which(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said | None:
    if not apart(scene, name):
        return None
    proof = prove(scene.box_call(name), scene.view, 1)
    words = scene.spoken[name]
    wrong = [_shown(scene, box, config, words) for box in _wrong_boxes(scene, name, record, config, seed)]
    if len(wrong) < len(LETTERS) - 1:
        return None
    question, _ = _words("which", record, scene, seed, name)
    gold = _shown(scene, scene.boxes[name], config, words)
    options, right = lettered(gold, wrong, seed, record.key, scene.member, name, "which")
    asked = f"{question.format(a=words)} Boxes are {form_text(config.dialect)}."
    hint = "Answer with the letter of the right option."
    proofs = (proof, _framed(scene, config), *_named(scene, name))
    return Said(asked, f"{right.gold}. {gold}", proofs, right, hint, options)


def _wrong_boxes(scene: Scene, name: str, record: Record, config: Region, seed: int) -> list[Box]:
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
        writable = kept_overlap(Box2D(*box), config.dialect, height, width) >= _KEPT
        if writable and all(overlap(box, taken) < _OTHER for taken in (own, *kept)):
            kept.append(box)
    return kept


def _larger(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said | None:
    single = scene.masks - scene.kinds.keys()
    others = [other for other in scene.boxes if other != name and other in single]
    if name not in single or not others:
        return None
    other = pick(sorted(others), seed, record.key, scene.member, name, "against")
    proof = prove(call_text("larger_in", {"a": name, "b": other, "member": scene.member}), scene.view, 1)
    question, answer = _words("larger", record, scene, seed, name)
    words = {"a": scene.spoken[name], "b": scene.spoken[other], "v": scene.spoken[proof.value]}
    gold = Answer("label", "|".join(dict.fromkeys((words["v"], proof.value))), "label")
    return Said(
        question.format(**words), answer.format(**words), (proof,), gold, "Answer with the name of one of the two."
    )


def _place(scene: Scene, name: str, record: Record, config: Region, seed: int) -> Said | None:
    if name in scene.kinds:
        return None  # words such as `upper lesion in the picture` say a part of the answer
    proof = prove(call_text("place_in", {"name": name, "member": scene.member}), scene.view, 1)
    question, answer = _words("place", record, scene, seed, name)
    words = {"a": scene.spoken[name], "v": proof.value}
    parts = "The parts are: " + joined([part for row in THIRDS for part in row]) + "."
    asked = f"{question.format(**words)} {parts}"
    return Said(asked, answer.format(**words), (proof,), Answer("label", proof.value, "label"), "Answer with the part.")


def _grounded(scene: Scene, names: list[str], record: Record, config: Region, seed: int) -> Said | None:
    """A caption that names structures with their boxes and the part of the picture where each has its middle."""
    proofs: list[Proof] = []
    clauses: list[str] = []
    for name in names[:_GROUNDED]:
        box = prove(scene.box_call(name), scene.view, 1)
        place = prove(call_text("place_in", {"name": name, "member": scene.member}), scene.view, 1)
        where = "in the centre" if place.value == "centre" else f"in the {place.value} part"
        words, shown = scene.spoken[name], _shown(scene, scene.boxes[name], config, scene.spoken[name])
        clauses.append(f"the {shown if config.dialect in TAGGED else f'{words} {shown}'} {where}")
        proofs += [box, place, *_named(scene, name)]
    if not clauses:
        return None
    opening = pick(OPENINGS, seed, record.key, scene.member, "opening")
    question, _ = _words("grounded", record, scene, seed)
    told = (*proofs, _framed(scene, config))
    return Said(f"{question} Boxes are {form_text(config.dialect)}.", opening.format(list=joined(clauses)), told, None)


OPENINGS: tuple[str, ...] = (
    "The picture shows {list}.",
    "In this picture one sees {list}.",
    "Segmented in the picture: {list}.",
    "Visible and marked are {list}.",
    "Among what the picture shows are {list}.",
)
