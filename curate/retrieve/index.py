"""Index: the kept training texts of a prepared unit as passages, and which of them hold which terms. One unit of work.

A **passage** is a run of whole sentences of a record's text, as it is stored after de-identification; a sentence that
is longer than a passage may be is cut at words. A **term** is the XXH64 of a token of the comparison form
(`curate.text`) without the `s` of an English plural; words that only join others are none. Passages without a term are
left out.

Files: `passages.npy` (one row each), `words.bin` (their words as UTF-8, white space folded), `terms.npy` (uint64,
ascending), `starts.npy` (n + 1: where the postings of each begin), `holders.npy` and `times.npy` (a posting's passage,
and how often it holds the term), and `about.json`, what the source says of all of them. Arrays are mapped and read
where a question looks, which Parquet's pages do not allow. Memory: a prepared unit's postings while they are sorted,
some 40 bytes a word: 0.5 GB for the 64 MB of text that a unit of rows has at most. Disk: the words once more, and six
bytes for each different term of a passage.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.code import code_version
from curate.near.folding import forms
from curate.near.tokens import packed, packed_token_hashes
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.record import PICTURE
from synth.tasks.spans import sentences

STAGE = "retrieve_index"
# The words of Lucene's English analyser, and those of questions: they say nothing of what is asked for.
_STOP_WORDS = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was
will with does do did has have had which what who when where how from were been can could
"""
STOP_WORDS = tuple(_STOP_WORDS.split())
PASSAGE = np.dtype(
    [("key", "V16"), ("record", "V16"), ("group", "<u8"), ("start", "<i4"), ("end", "<i4"), ("length", "<i4"),
     ("at", "<i8"), ("size", "<i4")]
)  # fmt: skip
ARRAYS = ("terms", "starts", "holders", "times")
_BATCH = 1024  # records read at once
_REFERENCE = re.compile(r"\s?\[\d{1,3}(?:\s?[,;–-]\s?\d{1,3}){0,20}\]")
_LEAST = 4  # a rest of less than a fourth of a passage stays with the one before

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class IndexSpec:
    prepared: str
    kept: tuple[str, ...]  # keys of the records whose texts are searched
    words: int
    source: str
    licence: str
    access: str


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished index: arrays are memory maps."""

    passages: NDArray[Any]
    terms: Hashes
    starts: Places
    holders: NDArray[np.int32]  # the passages of the postings
    times: NDArray[np.uint16]  # how often each holds its term
    text: NDArray[np.uint8]
    about: dict[str, str]

    def words(self, passage: int) -> str:
        row = self.passages[passage]
        at = int(row["at"])
        return self.text[at : at + int(row["size"])].tobytes().decode()


def unit_of(prepared: str, kept: tuple[str, ...], words: int, said: tuple[str, str, str], label: str) -> Unit:
    """`said`: what the source of the unit is called, its licence and its access."""
    spec = IndexSpec(prepared, kept, words, *said)
    identity = [prepared, list(kept), words, list(said)]
    return Unit(STAGE, unit_key(STAGE, code_version("curate.retrieve.index"), identity), spec, label, len(kept))


def work(spec: IndexSpec, folder: Path, work_folder: Path) -> Summary:
    rows: list[Any] = []
    hashes: list[Hashes] = [np.zeros(0, np.uint64)]
    owners: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    at = 0
    with (folder / "words.bin").open("wb") as out:
        for record, said, (start, end), terms in _told(spec, work_folder):
            data = said.encode()
            key = hashlib.sha256(f"{record['key']}\x1f{start}\x1f{end}".encode()).digest()[:16]
            own = bytes.fromhex(record["key"])
            rows.append((key, own, group_hash(record["group"]), start, end, len(terms), at, len(data)))
            hashes.append(terms)
            owners.append(np.full(len(terms), len(rows) - 1, np.int32))
            out.write(data)
            at += len(data)
    np.save(folder / "passages.npy", np.array(rows, PASSAGE))
    made = inverted(np.concatenate(hashes), np.concatenate(owners))
    for name, array in zip(ARRAYS, made, strict=True):
        np.save(folder / f"{name}.npy", np.asarray(array))
    about = {"source": spec.source, "licence": spec.licence, "access": spec.access}
    (folder / "about.json").write_text(json.dumps(about))
    return {"records": len(spec.kept), "passages": len(rows), "terms": len(made[0])}


def _told(spec: IndexSpec, work_folder: Path) -> Iterator[tuple[dict[str, Any], str, tuple[int, int], Hashes]]:
    """Each passage: its record, its words, where it stands, its terms."""
    for records in _records(spec, work_folder):
        found = [(r, place) for r in records for place in cut(r["text"], spec.words)]
        said = [flat(r["text"][start:end]) for r, (start, end) in found]
        terms, bounds = terms_of(said)
        for n, (record, place) in enumerate(found):
            if bounds[n + 1] > bounds[n]:
                yield record, said[n], place, terms[bounds[n] : bounds[n + 1]]


def _records(spec: IndexSpec, work_folder: Path) -> Iterator[list[dict[str, Any]]]:
    """The kept records with a text, in the order of the rows, some at a time."""
    kept = set(spec.kept)
    for batch in prepared_rows(unit_folder(work_folder, "prepare", spec.prepared)):
        read = [json.loads(record) for key, record in batch if key in kept]
        kept -= {record["key"] for record in read}  # of one that stands twice the first is kept
        yield [record for record in read if record["text"].strip()]


def prepared_rows(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """Key and stored record of the ready rows of a prepared unit, some at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "rows.parquet") as file:
        for batch in file.iter_batches(_BATCH, columns=["key", "status", "record"], use_threads=False):
            rows = batch.to_pylist()
            yield [(row["key"], row["record"]) for row in rows if row["status"] == "ready"]


def open_shard(folder: Path) -> Shard:
    arrays: list[Any] = [_load(folder / f"{name}.npy") for name in ("passages", *ARRAYS)]
    path = folder / "words.bin"
    text: Any = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    passages, terms, starts, holders, times = arrays
    about = json.loads((folder / "about.json").read_bytes())
    return Shard(passages, terms, starts, holders, times, text, about)


def _load(path: Path) -> Any:
    """A stored array, mapped; one without rows cannot be."""
    try:
        return np.load(path, mmap_mode="r")
    except ValueError:
        return np.load(path)


# --------------------------------------------------------------------------------------------------- passages, terms
def cut(text: str, words: int) -> list[tuple[int, int]]:
    """Where the passages of a text stand: whole sentences of at most so many words together, in characters."""
    found: list[tuple[int, int, int]] = []
    for start, end, count in _pieces(text, words):
        if found and found[-1][2] + count <= words:
            found[-1] = (found[-1][0], end, found[-1][2] + count)
        else:
            found.append((start, end, count))
    if len(found) > 1 and found[-1][2] * _LEAST < words:
        last = found.pop()
        found[-1] = (found[-1][0], last[1], found[-1][2] + last[2])
    return [(start, end) for start, end, _ in found]


def _pieces(text: str, words: int) -> Iterator[tuple[int, int, int]]:
    """Sentences with the number of their words; of a longer one runs of so many words."""
    for start, end in sentences(text):
        parts = text[start:end].split()
        if len(parts) <= words:
            yield start, end, len(parts)
            continue
        at = start
        for first in range(0, len(parts), words):
            run = parts[first : first + words]
            begin = at = text.index(run[0], at)
            for part in run:
                at = text.index(part, at) + len(part)
            yield begin, at, len(run)


def flat(text: str) -> str:
    """The words of a passage as a prompt shows them: one line, without places of pictures, and without numbers of
    references in brackets, which would read as those of passages."""
    return " ".join(_REFERENCE.sub("", text.replace(PICTURE, " ")).split())


def group_hash(group: str) -> int:
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big")


def terms_of(texts: Sequence[str]) -> tuple[Hashes, Places]:
    """The terms of texts, in order and with repeats, and where each text's begin: (n + 1,)."""
    hashes, offsets = packed_token_hashes(*_singular(*forms(texts)))
    kept = ~np.isin(hashes, _stop_hashes())
    counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return hashes[kept], counts[offsets]


def _stop_hashes() -> Hashes:
    stops: Hashes = packed_token_hashes(*_singular(*packed(STOP_WORDS)))[0]
    return stops


def _singular(data: NDArray[np.uint8], bounds: Places) -> tuple[NDArray[np.uint8], Places]:
    """Packed comparison forms without the last letter of words of four letters or more that end in a plain `s`: not
    behind another s, u or i (mass, virus, diagnosis), nor behind what is no ASCII letter."""
    size = len(data)
    if size < 4:
        return data, bounds
    ends = np.zeros(size + 1, bool)
    ends[:-1] = data == ord(" ")
    ends[bounds] = True
    gone = np.zeros(size, bool)
    before, two = data[2:-1], data[1:-2]
    plain = (before >= ord("a")) & (before <= ord("z")) & ~np.isin(before, list(b"sui"))
    gone[3:] = (data[3:] == ord("s")) & ends[4:] & plain & (two != ord(" ")) & (data[:-3] != ord(" "))
    gone[3:] &= ~(ends[1:-3] | ends[2:-2] | ends[3:-1])  # a word of four letters at least, in one text
    shift = np.concatenate([np.zeros(1, np.int64), np.cumsum(gone)])
    return data[~gone], bounds - shift[bounds]


def inverted(hashes: Hashes, owners: NDArray[np.int32]) -> tuple[Hashes, Places, NDArray[np.int32], NDArray[np.uint16]]:
    """Terms ascending, where the postings of each begin, and of each posting the passage and how often it holds it."""
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    fresh = np.ones(len(hashes), bool)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    firsts = np.flatnonzero(fresh)
    times = np.minimum(np.diff(np.append(firsts, len(hashes))), 65535).astype(np.uint16)
    of_term = hashes[firsts]
    begins = np.ones(len(of_term), bool)
    begins[1:] = of_term[1:] != of_term[:-1]
    starts = np.append(np.flatnonzero(begins), len(of_term)).astype(np.int64)
    return of_term[begins], starts, owners[firsts], times
