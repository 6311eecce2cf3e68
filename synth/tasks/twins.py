"""Degraded twins (MedQ-Deg): a picture as it would be with an artifact, motion, noise, or less light or sharpness.

    kind       picture 1 and its twin: which degradation is it, of four of different looks
    which      both in either order: which one is the twin
    order      picture 1 and twins of three levels in any order: which order of severity
    same       a multiple choice about the record, with the twin alone and the gold unchanged

Kinds are those that occur with the record's modality (`synth.degrade.MEANINGFUL`), levels and places follow the seed.
Twins are proven by making them again from the original that travels with them; a twin that travels alone has its own
digest as a proof, and its entry's `target` says of what, how and by which seed it was made. "same" asks only what facts
of the whole record answer (modality, label): no places, sides or measures, of which a twin need not tell the truth.
Pictures are the record's first image, or a slice of its volume; of pictures longer than 1024 pixels there are no twins.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Answer, Draft, Made, Proof, Turn
from synth import degrade
from synth.calls import call_text
from synth.facts import modality_codes, value_of
from synth.media_words import QUESTIONS
from synth.pictures import made_picture, picture, pixels_of, pixels_sha256, with_pictures
from synth.proofs import MediaView, prove
from synth.shapes import Array
from synth.tasks.common import finish, for_gold, pick, seeded, shuffled
from synth.tasks.mcq import Mcq
from synth.tasks.mcq import drafts as mcq_drafts
from synth.tasks.region import lettered
from synth.tasks.scenes import slice_pictures
from synth.verify import no_leak

Family = Literal["kind", "which", "order", "same"]
SEEN = 1.0  # mean difference in grey levels below which a degradation is not seen,
_MARKED, _SHARE = 40, 500  # unless one pixel of so many differs by so many levels
_SEEDS = 2**31
_HINT = "Answer with the letter of the right option."
_LONGEST = 1024  # pixels of the longer side; larger pictures get no twins


class Twins(Config):
    """`families` in turn, at most `max_questions` per record; `labels` as in `mcq`, for "same"."""

    task: Literal["twins"] = "twins"
    families: tuple[Family, ...] = ("kind", "which", "order", "same")
    max_questions: int = Field(default=2, ge=1, le=8)
    levels: tuple[Literal[1, 2, 3], ...] = Field(default=(1, 2, 3), min_length=1)
    labels: tuple[str, ...] = ()


class Original(NamedTuple):
    """The picture that twins are made of: its member, its pixels, and the draft's own medium where it is made."""

    member: str
    pixels: Array
    made: tuple[Made, ...]


class _Asked(NamedTuple):
    record: Record
    view: MediaView
    original: Original
    kinds: tuple[str, ...]
    config: Twins
    seed: int

    def chosen(self, *parts: str) -> int:
        return seeded(self.seed, self.record.key, "twins", *parts)


def drafts(record: Record, view: MediaView, config: Twins, seed: int) -> list[Draft]:
    """Per question one conversation (sft) and, but for a "same" that `mcq` does not reward either, one prompt (rlvr);
    none for modalities without a known degradation."""
    codes = sorted(modality_codes(value_of(view.facts, "modality")))
    kinds = tuple(kind for kind in degrade.KINDS if any(kind in degrade.kinds_for(code) for code in codes))
    original = _original(record, view, seed)
    if not kinds or original is None or max(original.pixels.shape[:2]) > _LONGEST:
        return []
    asked = _Asked(record, view, original, kinds, config, seed)
    out: list[Draft] = []
    for family in sorted(config.families, key=lambda name: seeded(seed, record.key, "families", name)):
        part = sum(1 for draft in out if draft.stage == "sft")
        if part == config.max_questions:
            break
        try:
            out += [dataclasses.replace(d, part=part) for d in _FAMILIES[family](asked)]
        except VerificationError:
            continue
    return out


def _original(record: Record, view: MediaView, seed: int) -> Original | None:
    try:
        for media in view.media:
            if media.kind == "image":
                return Original(media.member, pixels_of(view, media.member), ())
        for made, pixels in slice_pictures(record, view, seed, 1):
            return Original(made.media.member, pixels, (made,))
    except VerificationError:
        pass
    return None


def _kind(asked: _Asked, family: str) -> str:
    return asked.kinds[asked.chosen(family, "kind") % len(asked.kinds)]


def _level(asked: _Asked, family: str) -> int:
    return asked.config.levels[asked.chosen(family, "level") % len(asked.config.levels)]


def twin_of(asked: _Asked, kind: str, level: int, seed: int, member: str) -> tuple[Made, Array]:
    """The degraded copy as a medium; raises `VerificationError` where it differs too little to be seen."""
    source = asked.original.pixels
    try:
        pixels = degrade.degraded(source, kind, level, seed)
    except ValueError as error:
        raise VerificationError(str(error)) from error
    apart = np.abs(pixels.astype(np.int64) - source.astype(np.int64))
    marked = int(np.count_nonzero(apart >= _MARKED)) * _SHARE >= source.size
    if int(apart.sum(dtype=np.int64)) < SEEN * source.size and not marked:
        raise VerificationError(f"{kind} at level {level} does not show in this picture")
    target = f"degraded:{kind}:{level}:{seed}:{pixels_sha256(source)[:32]}"
    return made_picture(member, pixels, target=target), pixels


def _seen(asked: _Asked, made: Sequence[tuple[Made, Array]], original: bool = True) -> MediaView:
    """The view of a sample with these pictures behind the original, or alone."""
    own = [(one, asked.original.pixels) for one in asked.original.made] if original else []
    shows = (asked.original.member,) if original and not asked.original.made else ()
    return with_pictures(asked.view, shows, (*own, *made))


def _question(asked: _Asked, family: str) -> str:
    return pick(QUESTIONS[family], asked.seed, asked.record.key, family, "question")


class _Mcq(NamedTuple):
    """A question with lettered options: `said` is the right one, `stem` is what must not tell it."""

    stem: str
    options: str
    gold: Answer
    said: str
    proofs: tuple[Proof, ...]


def _both(asked: _Asked, one: _Mcq, made: tuple[Made, ...], original: bool = True) -> list[Draft]:
    """The conversation and the prompt. A sample of several pictures has a place for each of them."""
    shows = (asked.original.member,) if original and not asked.original.made else ()
    made = ((*asked.original.made, *made)) if original else made
    pictures = len(shows) + len(made)
    head = "\n".join(f"Picture {n + 1}: <image>" for n in range(pictures)) if pictures > 1 else ""
    said = "\n".join(part for part in (head, one.stem, one.options) if part)
    turns = (Turn("user", said), Turn("assistant", f"{one.gold.gold}. {one.said}"))
    leak = (no_leak(one.stem, one.said, -1),)
    key = asked.record.key
    talk = Draft(key, "sft", "twins", 0, turns, proofs=one.proofs, verdicts=leak, shows=shows, made=made)
    prompt = Draft(
        key, "rlvr", "twins", 0, (Turn("user", f"{said}\n{_HINT}"),), "", one.gold,
        tuple(for_gold(p) for p in one.proofs), leak, shows=shows, made=made,
    )  # fmt: skip
    return [finish(talk), finish(prompt)]


# --- families --------------------------------------------------------------------------------------------------------


def _which_kind(asked: _Asked) -> list[Draft]:
    offered = _four_kinds(asked)
    kind = pick([k for k in offered if k in asked.kinds], asked.seed, asked.record.key, "twins", "kind")
    level, seed = _level(asked, "kind"), asked.chosen("kind", "seed") % _SEEDS
    made, pixels = twin_of(asked, kind, level, seed, "twin.png")
    args = {"of": asked.original.member, "twin": "twin.png", "kind": kind, "level": str(level), "seed": str(seed)}
    proof = prove(call_text("degradation", args), _seen(asked, ((made, pixels),)), 1)
    wrong = [degrade.WORDS[other] for other in offered if other != kind]
    options, gold = lettered(proof.value, wrong, asked.seed, asked.record.key, "kind")
    one = _Mcq(_question(asked, "twin_kind"), options, gold, proof.value, (proof,))
    return _both(asked, one, (made,))


def _four_kinds(asked: _Asked) -> list[str]:
    """Kinds of four groups, those of the modality first. The right one is drawn among them afterwards, so that neither
    its length nor its group tells it."""
    order = {kind: (kind not in asked.kinds, asked.chosen("offered", kind)) for kind in degrade.KINDS}
    found: dict[str, str] = {}
    for kind in sorted(order, key=order.__getitem__):
        found.setdefault(degrade.GROUPS[kind], kind)
    return list(found.values())[:4]


def _which_one(asked: _Asked) -> list[Draft]:
    kind, level = _kind(asked, "which"), _level(asked, "which")
    if degrade.GROUPS[kind] in ("rotation", "intensity"):  # nothing tells which of the two was the first
        raise VerificationError(f"{kind} makes neither picture the worse one")
    seed = asked.chosen("which", "seed") % _SEEDS
    twin = twin_of(asked, kind, level, seed, "twin.png")
    source = asked.original
    like = source.made[0].media if source.made else picture(asked.view, source.member)
    own = (made_picture("original.png", source.pixels, like, target=like.target), source.pixels)
    pair = (own, twin) if asked.chosen("which", "first") % 2 else (twin, own)
    args = {"of": "original.png", "twin": "twin.png", "kind": kind, "level": str(level), "seed": str(seed)}
    proof = prove(call_text("degraded_one", args), _seen(asked, pair, original=False), 1)
    texts = ("picture 1", "picture 2")
    options = "\n".join(f"{letter}. {text}" for letter, text in zip("AB", texts, strict=True))
    gold = Answer("mcq", "AB"[texts.index(proof.value)], "mcq", options="|".join(texts))
    one = _Mcq(_question(asked, "twin_which"), options, gold, proof.value, (proof,))
    return _both(asked, one, tuple(made for made, _ in pair), original=False)


def _order(asked: _Asked) -> list[Draft]:
    kind, seed = _kind(asked, "order"), asked.chosen("order", "seed") % _SEEDS
    levels = [int(n) for n in shuffled(("1", "2", "3"), asked.seed, asked.record.key, "order")]
    members = [f"twin{n + 1}.png" for n in range(3)]
    twins = [twin_of(asked, kind, level, seed, member) for level, member in zip(levels, members, strict=True)]
    args = {
        "of": asked.original.member, "twins": " ".join(members), "levels": " ".join(map(str, levels)), "kind": kind,
        "seed": str(seed),
    }  # fmt: skip
    proof = prove(call_text("severity_order", args), _seen(asked, twins), 1)
    every = [", ".join(str(n) for n in order) for order in itertools.permutations((2, 3, 4))]
    wrong = shuffled([text for text in every if text != proof.value], asked.seed, asked.record.key, "orders")
    options, gold = lettered(proof.value, wrong, asked.seed, asked.record.key, "order", "letter")
    one = _Mcq(_question(asked, "twin_order"), options, gold, proof.value, (proof,))
    return _both(asked, one, tuple(made for made, _ in twins))


def _same(asked: _Asked) -> list[Draft]:
    """A multiple choice of the record, with the twin instead of its picture."""
    kind, level = _kind(asked, "same"), _level(asked, "same")
    twin = twin_of(asked, kind, level, asked.chosen("same", "seed") % _SEEDS, "twin.png")
    alone = _seen(asked, (twin,), original=False)
    record = dataclasses.replace(asked.record, kind="image")
    config = Mcq(labels=asked.config.labels, max_questions=16)
    drawn = [d for d in mcq_drafts(record, alone, config, asked.seed) if d.accepted and _stays(d)]
    talks = [d for d in drawn if d.stage == "sft"]
    if not talks:
        raise VerificationError("no question about the record stays the same")
    part = talks[asked.chosen("same", "question") % len(talks)].part
    digest = prove(call_text("pixels", {"member": "twin.png"}), alone, 1)
    out = []
    for draft in (d for d in drawn if d.part == part):
        proofs = (*draft.proofs, digest if draft.stage == "sft" else for_gold(digest))
        verdicts = tuple(v for v in draft.verdicts if v.check not in ("proof", "not_empty"))
        own = dataclasses.replace(draft, task="twins", proofs=proofs, verdicts=verdicts, shows=(), made=(twin[0],))
        out.append(finish(own))
    return out


def _stays(draft: Draft) -> bool:
    """Whether the facts of the whole record answer it, whatever a picture of it looks like."""
    return bool(draft.proofs) and all(
        p.call.startswith("label(") and "fact=laterality" not in p.call for p in draft.proofs
    )


_FAMILIES: Mapping[Family, Callable[[_Asked], list[Draft]]] = MappingProxyType(
    {"kind": _which_kind, "which": _which_one, "order": _order, "same": _same}
)
