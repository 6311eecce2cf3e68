"""From a benchmark's items to its pack.

**Which texts are distinctive enough.** A unit is one distinct text of the benchmark: a question, a question with its
options, a context, a long answer. It is searched for

- as runs of 8 and 13 tokens, if it has at least `RUNS[8]` runs of eight that count (`curate.packs.words`): from about
  twelve words on;
- as runs of 4 tokens, which survive edits, if it has at least `RUNS[4]` of them; and up to `PAIRED_TOKENS` tokens as
  pairs of neighbouring words, of those that say something, if it has at least `RUNS[2]`: half of a short text's pairs
  are left where hardly a run of four is;
- as a bag, question and options together in any order, if it has at least `BAG_TOKENS` tokens of which three say
  something, and the benchmark has these words once: for short questions of text-only exams;
- as a whole text, if one of the above holds.

An item that shows an image, a volume or a video asks the same short question as thousands of others (is there a
pneumothorax?). Its text alone says nothing, so it is not searched for unless it is `MEDIA_FACTOR` times as distinctive
as the text of other items; it is found by its media and ids. `Pack.counts` says how many items can be found how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.looks.rows import Looks
from curate.near.signatures import sign
from curate.near.tokens import ngram_hashes, token_hashes
from curate.packs.looks import mark, no_looks, stored
from curate.packs.naming import IDS, MEDIA, SALT, salted64, salted256, telling
from curate.packs.pack import ARRAYS, BITS, PARTS, SIZES, Pack, mixed, seed_of
from curate.packs.runs import pairs, runs_of
from curate.packs.words import LABELS, MAX_ITEMS, NEEDED, WORD, points
from curate.text import comparison
from sources.benchmarks.base import BenchmarkItem

RUNS = {2: 6, 4: 12, 8: 4, 13: 20}  # runs that count, which a unit must have to be searched by them
MEDIA_FACTOR = 3
BAG_TOKENS, BAG_POINTS = 8, 3 * WORD
SIGNED_TOKENS = 20
PAIRED_TOKENS = 100

MediaHash = tuple[str, str]  # what was hashed (`MEDIA`), hexadecimal SHA-256


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of one medium: the items that show it, hashes of its bytes and pixels, and what it looks like."""

    items: tuple[int, ...]
    hashes: tuple[MediaHash, ...] = ()
    looks: Looks = field(default_factory=no_looks)


Media = Callable[[Sequence[BenchmarkItem]], Iterable[Seen]]


@dataclass(slots=True)
class _Units:
    """Distinct texts: forms of their segments, no run of tokens crosses from one to the next."""

    item: list[int] = field(default_factory=list)
    part: list[int] = field(default_factory=list)
    segments: list[tuple[str, ...]] = field(default_factory=list)
    known: dict[tuple[int, tuple[str, ...]], int] = field(default_factory=dict)
    sharing: list[int] = field(default_factory=list)  # how many items have it

    def add(self, item: int, part: int, segments: tuple[str, ...]) -> int:
        at = self.known.setdefault((part, segments), len(self.item))
        if at == len(self.item):
            self.item.append(item)
            self.part.append(part)
            self.segments.append(segments)
            self.sharing.append(0)
        self.sharing[at] += 1
        return at


def build(
    items: Iterable[BenchmarkItem],
    name: str,
    salt: bytes = SALT,
    *,
    split: str = "test",
    source: str = "",
    licence: str = "",
    media: Media | None = None,
) -> Pack:
    """The pack of a benchmark's items, in their order.

    `media` gives what is known of the files that could be read; without it the pack holds texts and ids.
    """
    listed = list(items)
    units = _Units()
    own = [_units_of(i, item, units) for i, item in enumerate(listed)]
    has_media: NDArray[np.bool_] = np.array([_shows(listed[i]) for i in units.item], np.bool_)
    seed = seed_of(salt)
    arrays: dict[str, NDArray[Any]] = {
        "items": np.array([salted64(salt, i.item_id) for i in listed], np.uint64),
        "unit_item": np.array(units.item, np.int32),
        "unit_part": np.array(units.part, np.uint8),
    }
    arrays |= _runs(units, has_media, seed)
    bags = _bags(units, has_media, seed)
    searched: NDArray[np.bool_] = np.asarray((arrays["unit_runs"] > 0).any(axis=1))
    bagged = np.zeros(len(searched), np.bool_)
    bagged[bags["bag_unit"]] = True
    arrays |= bags
    arrays |= _wholes(listed, own, units, searched | bagged, salt)
    arrays |= _signatures(units, arrays)
    seen = list(media(listed)) if media else []
    arrays |= _media(seen, salt)
    arrays |= stored([(min(one.items), one.looks) for one in seen if one.items])
    arrays |= _ids(listed, salt)
    typed = {key: np.ascontiguousarray(arrays[key], dtype) for key, (dtype, _) in ARRAYS.items()}
    counts = _counts(listed, own, typed, bagged, {i for one in seen if len(one.looks) for i in one.items})
    return Pack(name, split, source, licence, salt, counts, typed, mark() if len(typed["looks_item"]) else "")


def item_hash(salt: bytes, item_id: str) -> str:
    """How a hit names an item: 16 hexadecimal digits."""
    return f"{salted64(salt, item_id):016x}"


def _shows(item: BenchmarkItem) -> bool:
    return bool(item.images or item.volumes or item.videos or item.embedded or item.video)


# --------------------------------------------------------------------------------------------------------------- texts
def _units_of(index: int, item: BenchmarkItem, units: _Units) -> list[int]:
    question, answer = comparison(item.question), comparison(item.answer)
    options = tuple(sorted(filter(None, map(comparison, item.options))))
    context = " ".join(filter(None, map(comparison, item.context.split("\n"))))
    found = []
    if question:
        found.append(units.add(index, PARTS.index("question"), (question,)))
    if options:
        found.append(units.add(index, PARTS.index("item"), (question, *options) if question else options))
    if context:
        found.append(units.add(index, PARTS.index("context"), (context,)))
    if answer and answer not in options:
        found.append(units.add(index, PARTS.index("answer"), (answer,)))
    if explanation := comparison(item.explanation):
        found.append(units.add(index, PARTS.index("explanation"), (explanation,)))
    return found


def _runs(units: _Units, has_media: NDArray[np.bool_], seed: int) -> dict[str, NDArray[Any]]:
    """The rare runs of all units by length, and how many each unit has."""
    forms = [segment for several in units.segments for segment in several]
    owner = np.repeat(np.arange(len(units.item)), [len(s) for s in units.segments])
    hashes, offsets = token_hashes(forms)
    known: dict[str, int] = {}
    says = np.fromiter(
        (known.setdefault(t, points(t)) for f in forms for t in f.split(" ") if t), np.int64, len(hashes)
    )
    tokens = np.bincount(owner, np.diff(offsets), len(units.item)).astype(np.int32)
    made: dict[str, NDArray[Any]] = {"unit_tokens": tokens}
    totals = np.zeros((len(units.item), len(SIZES)), np.int32)
    items = np.array(units.item, np.int64)
    for column, n in enumerate(SIZES):
        key, unit = _counting_runs(hashes, offsets, says, n, owner)
        key = mixed(key, seed) >> np.uint64(64 - BITS[n])
        pairs = np.unique(np.stack((key, unit.astype(np.uint64))), axis=1)
        rare = _rare(pairs, items)
        pairs = pairs[:, rare]
        count = np.bincount(pairs[1].astype(np.int64), minlength=len(items))
        needed = np.where(has_media, MEDIA_FACTOR, 1) * RUNS[n]
        count[count < needed] = 0
        if n == 2:
            count[tokens > PAIRED_TOKENS] = 0
        totals[:, column] = count
        pairs = pairs[:, count[pairs[1].astype(np.int64)] > 0]
        keys, first = np.unique(pairs[0], return_index=True)
        made |= {
            f"run{n}_hash": keys.astype(np.uint64 if BITS[n] > 32 else np.uint32),
            f"run{n}_first": np.append(first, pairs.shape[1]),
            f"run{n}_unit": pairs[1].astype(np.int32),
        }
    return {**made, "unit_runs": totals}


def _counting_runs(
    hashes: NDArray[np.uint64], offsets: NDArray[np.int64], says: NDArray[np.int64], n: int, owner: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes of the runs of `n` tokens that hold enough that says something, and the units that they are of."""
    if n == 2:
        said = says > 0
        hashes, says, offsets = hashes[said], says[said], np.concatenate(([0], np.cumsum(said)))[offsets]
        runs, made, first, second = pairs(hashes, offsets)
        enough = says[first] + says[second] >= NEEDED[n]
    else:
        runs, made, whole = runs_of(hashes, offsets, n)
        start = np.arange(len(runs)) + np.repeat(offsets[:-1] - made[:-1], np.diff(made))
        summed = np.concatenate(([0], np.cumsum(says)))
        enough = whole & (summed[np.minimum(start + n, len(says))] - summed[start] >= NEEDED[n])
    return runs[enough], np.repeat(owner, np.diff(made))[enough]


def _rare(pairs: NDArray[np.uint64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which (hash, unit) pairs are of a hash that stands in few items."""
    if not pairs.shape[1]:
        return np.zeros(0, np.bool_)
    of = items[pairs[1].astype(np.int64)]
    order = np.lexsort((of, pairs[0]))
    key, item = pairs[0][order], of[order]
    fresh = np.ones(len(key), np.bool_)
    fresh[1:] = (key[1:] != key[:-1]) | (item[1:] != item[:-1])
    _, inverse = np.unique(pairs[0], return_inverse=True)
    distinct = np.bincount(inverse[order][fresh])
    return np.asarray(distinct[inverse] <= MAX_ITEMS)


def _bags(units: _Units, has_media: NDArray[np.bool_], seed: int) -> dict[str, NDArray[Any]]:
    """Questions with their options as unordered words, anchored at the question's first three."""
    rows: list[tuple[int, int, int, int]] = []
    for at, (part, segments) in enumerate(zip(units.part, units.segments, strict=True)):
        if PARTS[part] != "item" or has_media[at] or units.sharing[at] > 1:
            continue
        words = [[t for t in s.split(" ") if t and t not in LABELS] for s in segments]
        flat = [t for several in words for t in several]
        if len(words[0]) < 3 or len(flat) < BAG_TOKENS or sum(map(points, flat)) < BAG_POINTS:
            continue
        hashes, _ = token_hashes([" ".join(flat)])
        anchor = int(mixed(ngram_hashes(hashes[:3], np.array([0, 3], np.int64), 3)[0], seed)[0])
        rows.append((anchor, int(mixed(hashes, seed).sum(dtype=np.uint64)), len(flat), at))
    rows.sort()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 4
    return {
        "bag_anchor": np.array(columns[0], np.uint64),
        "bag_sum": np.array(columns[1], np.uint64),
        "bag_tokens": np.array(columns[2], np.int32),
        "bag_unit": np.array(columns[3], np.int32),
    }


def _wholes(
    items: Sequence[BenchmarkItem], own: list[list[int]], units: _Units, searched: NDArray[np.bool_], salt: bytes
) -> dict[str, NDArray[Any]]:
    """Whole texts as published and in comparison form, of distinctive units; and a context's paragraphs."""
    raw: dict[int, int] = {}
    forms: dict[int, int] = {}
    for item, found in zip(items, own, strict=True):
        said = {p: getattr(item, p) for p in PARTS if p != "item"}
        for at in found:
            part = PARTS[units.part[at]]
            if not searched[at] or part == "item":
                continue
            for piece in [said[part], *(said[part].split("\n") if part == "context" else [])]:
                form = comparison(piece)
                if len(form.split()) >= BAG_TOKENS and sum(map(points, form.split())) >= BAG_POINTS:
                    raw.setdefault(salted64(salt, piece.strip()), at)
                    forms.setdefault(salted64(salt, form), at)
    return {
        "whole_hash": np.array(sorted(raw), np.uint64),
        "whole_unit": np.array([raw[k] for k in sorted(raw)], np.int32),
        "form_hash": np.array(sorted(forms), np.uint64),
        "form_unit": np.array([forms[k] for k in sorted(forms)], np.int32),
    }


def _signatures(units: _Units, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    chosen = np.flatnonzero((arrays["unit_runs"][:, SIZES.index(8)] > 0) & (arrays["unit_tokens"] >= SIGNED_TOKENS))
    return {"sign": sign([" ".join(units.segments[at]) for at in chosen]), "sign_unit": chosen}


# ------------------------------------------------------------------------------------------------------- media and ids
def _media(seen: Sequence[Seen], salt: bytes) -> dict[str, NDArray[Any]]:
    named = {(salted256(salt, k, h), MEDIA.index(k), i) for one in seen for k, h in one.hashes for i in one.items}
    return _hashed(sorted(named), "media")


def _ids(items: Sequence[BenchmarkItem], salt: bytes) -> dict[str, NDArray[Any]]:
    found: set[tuple[bytes, int, int]] = set()
    for index, item in enumerate(items):
        for kind, value in (("patient", item.patient), ("study", item.study), ("video", item.video)):
            if telling(value):
                found.add((salted256(salt, kind, value), IDS.index(kind), index))
        for kind, value in ((k, a) for a in item.aliases if telling(a) for k in IDS):
            found.add((salted256(salt, kind, value), IDS.index(kind), index))
    return _hashed(sorted(found), "id")


def _hashed(found: list[tuple[bytes, int, int]], name: str) -> dict[str, NDArray[Any]]:
    hashes = np.frombuffer(b"".join(f[0] for f in found), np.uint8).reshape(-1, 32)
    return {
        f"{name}_hash": hashes,
        f"{name}_kind": np.array([f[1] for f in found], np.uint8),
        f"{name}_item": np.array([f[2] for f in found], np.int32),
    }


def _counts(
    items: Sequence[BenchmarkItem],
    own: list[list[int]],
    arrays: dict[str, NDArray[Any]],
    bagged: NDArray[np.bool_],
    looked: set[int],
) -> dict[str, int]:
    runs = arrays["unit_runs"]
    asked = arrays["unit_part"] <= PARTS.index("context")
    exact, edited = ((runs > 0).any(axis=1) | bagged) & asked, (runs[:, :2] > 0).any(axis=1) & asked
    by_text = [bool(exact[found].any()) for found in own]
    by_edited = [bool(edited[found].any()) for found in own]
    media, ids = set(arrays["media_item"].tolist()), set(arrays["id_item"].tolist())
    return {
        "items": len(items),
        "with_text": sum(bool(found) for found in own),
        "by_text": sum(by_text),
        "by_edited_text": sum(by_edited),
        "by_media": len(media),
        "by_looks": len(looked),
        "by_id": len(ids),
        "unchecked": sum(not by_text[i] and i not in media and i not in ids for i in range(len(items))),
    }
