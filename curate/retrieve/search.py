"""Search: for each question of a prepared unit's kept training records the passages that say most of its words.

Scores are BM25 (Robertson and Zaragoza 2009, doi:10.1561/1500000019) in the variant of Lucene 8 and later: the sum over
a question's different terms of ln(1 + (N - n + 0.5) / (n + 0.5)) times tf / (tf + k1 (1 - b + b length / mean length)),
N passages of which n hold the term. The search is exact: every passage that holds a term is scored, and the best of
all shards are kept. A weight is a whole number of 2**-20 from a correctly rounded logarithm (`decimal`), what a term
adds another from elementwise float64 arithmetic, and sums are of whole numbers, so that neither the machine nor the
order of shards decides a bit; equal scores are ordered by the passages' keys.

Never found are passages of another record of the same group (patient, article), and passages whose access is stricter
than the record's own (credentialed text never enters a sample of an open source); other splits are not in the index.
Of passages that say the same only the first is kept; passages that the record's own text holds count as its own.

**What it takes**: a question reads the postings of its terms, one shard after the other. Memory: the questions of some
thousand records with their best candidates, 8 bytes for each passage of the largest shard and that shard's mapped
pages, whatever the corpus. Speed: some 180 questions of ten words, most of them frequent, to 100,000 passages of 100 in
a second of one core; `bm25s`, whose scores lie ready in memory, takes a sixth of the time and six times the memory
(`python -m benchmarks.retrieval`). A unit opens every shard once for each 4,096 questions. Time grows with questions x
postings, so with the square of a corpus that asks of itself; `retrieve.sources` narrows what is searched.
"""

from __future__ import annotations

import decimal
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.code import code_version
from curate.near.folding import forms
from curate.near.tokens import ngram_hashes, packed_token_hashes
from curate.retrieve.config import Retrieve
from curate.retrieve.found import STAGE, write_found
from curate.retrieve.index import STAGE as INDEX
from curate.retrieve.index import Shard, flat, group_hash, open_shard, prepared_rows, terms_of
from curate.retrieve.terms import Terms, open_terms
from curate.store import unit_folder
from curate.text import SHINGLE_WORDS
from curate.units import Summary, Unit, unit_key
from manifests.record import Record, record_from_json
from synth.passage_programs import asked_words

SCALE = 1 << 20
SPARE = 2  # times as many as are kept are looked at, because some of them say the same
ACCESS = ("open", "registered", "credentialed")
QUESTIONS = 4096  # searched at once
_NOTHING = -1


@dataclass(frozen=True, slots=True)
class SearchSpec:
    """`kept`: keys of the training records of a prepared unit; `terms`: the unit that merged all shards'."""

    prepared: str
    kept: tuple[str, ...]
    terms: str
    config: Retrieve


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for: `asks` is the number of the record's question, 0 for what it shows."""

    record: Record
    asks: int
    words: str


@dataclass(frozen=True, slots=True)
class Hits:
    """For each question its best passages, (questions, kept): scores descending (0: none) and places, the number of the
    shard × 2**32 + the passage's."""

    scores: NDArray[np.int64]
    places: NDArray[np.int64]


def unit_of(prepared: str, kept: tuple[str, ...], terms: str, config: Retrieve, label: str) -> Unit:
    said = config.model_dump(mode="json", exclude={"sources", "words"})  # known by the terms' key
    key = unit_key(STAGE, code_version("curate.retrieve.search"), [prepared, list(kept), terms, said])
    return Unit(STAGE, key, SearchSpec(prepared, kept, terms, config), label, len(kept))


def work(spec: SearchSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `found.parquet`."""
    terms = open_terms(work_folder, spec.terms)
    shards = [open_shard(unit_folder(work_folder, INDEX, key)) for key in terms.shards]
    asked = 0

    def rows() -> Iterator[list[dict[str, Any]]]:
        nonlocal asked
        for questions in _batches(spec, work_folder):
            asked += len(questions)
            hits = search(questions, shards, terms, spec.config)
            yield _chosen(questions, hits, shards, spec.config)

    found = write_found(folder, rows())
    return {"records": len(spec.kept), "questions": asked, "found": found}


def _batches(spec: SearchSpec, work_folder: Path) -> Iterator[list[Question]]:
    kept, waiting = set(spec.kept), list[Question]()
    for batch in prepared_rows(unit_folder(work_folder, "prepare", spec.prepared)):
        for key, stored in batch:
            if key in kept:
                kept.remove(key)
                record = record_from_json(stored)
                waiting += [Question(record, asks, words) for asks, words in asked_words(record)]
        if len(waiting) >= QUESTIONS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


# ------------------------------------------------------------------------------------------------------------- search
def search(questions: Sequence[Question], shards: Sequence[Shard], terms: Terms, config: Retrieve) -> Hits:
    """The best passages of all shards, one shard at a time."""
    from curate.retrieve import kernel

    wanted, bounds = _terms_of(questions)
    weights = weights_of(terms.counts_of(wanted), terms.passages)
    asked = (
        np.array([int(q.record.key[:16], 16) for q in questions], np.uint64),
        np.array([group_hash(q.record.group) for q in questions], np.uint64),
        np.full(len(questions), config.oracle == "keep"),
    )
    most = config.candidates * SPARE
    best = (
        np.zeros((len(questions), most), np.int64),
        np.full((len(questions), most), 2**64 - 1, np.uint64),
        np.full((len(questions), most), _NOTHING, np.int64),
    )
    access = np.array([ACCESS.index(q.record.access) for q in questions])
    for number, shard in enumerate(shards):
        allowed = access >= ACCESS.index(shard.about["access"])
        if not len(shard.passages) or not allowed.any():
            continue
        places = _places(shard, wanted)
        places[np.repeat(~allowed, np.diff(bounds))] = _NOTHING
        size = len(shard.passages)
        kernel.score(
            (bounds, places, weights),
            asked,
            (shard.starts, shard.holders, shard.times, norms_of(shard.passages["length"], terms, config)),
            _owners(shard),
            (np.zeros(size, np.int64), np.empty(size, np.int64)),
            best,
            np.int64(number << 32),
        )
    return Hits(best[0], best[2])


def _terms_of(questions: Sequence[Question]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The different terms of each question, and where they begin: (n + 1,)."""
    found, offsets = terms_of([q.words for q in questions])
    several = [np.unique(found[a:b]) for a, b in itertools.pairwise(offsets.tolist())]
    bounds = np.cumsum([0, *map(len, several)]).astype(np.int64)
    return np.concatenate([np.zeros(0, np.uint64), *several]), bounds


def _places(shard: Shard, wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    if not len(shard.terms):
        return np.full(len(wanted), _NOTHING, np.int64)
    places = np.minimum(np.searchsorted(shard.terms, wanted), len(shard.terms) - 1)
    return np.where(shard.terms[places] == wanted, places, _NOTHING).astype(np.int64)


def _owners(shard: Shard) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """The record, group and key of each passage, each as a number."""
    names = ("record", "key")
    records, keys = (np.ascontiguousarray(shard.passages[n]).view(">u8")[::2].astype(np.uint64) for n in names)
    return records, np.ascontiguousarray(shard.passages["group"]), keys


def norms_of(lengths: NDArray[np.int32], terms: Terms, config: Retrieve) -> NDArray[np.float64]:
    """k1 (1 - b + b length / mean length), by elementwise arithmetic in one order."""
    relative = lengths.astype(np.float64) / (terms.tokens / max(terms.passages, 1))
    return config.k1 * ((1.0 - config.b) + config.b * relative)


def weights_of(counts: NDArray[np.int64], passages: int) -> NDArray[np.int64]:
    """ln(1 + (N - n + 0.5) / (n + 0.5)) of each count n, times 2**20."""
    different, inverse = np.unique(counts, return_inverse=True)
    return np.array([_weight(n, passages) for n in different.tolist()], np.int64)[inverse]


@functools.lru_cache(maxsize=1 << 16)
def _weight(count: int, passages: int) -> int:
    with decimal.localcontext(decimal.Context(prec=28)):
        logarithm = decimal.Decimal(2 * passages + 2).ln() - decimal.Decimal(2 * count + 1).ln()
        return int((logarithm * SCALE).to_integral_value(decimal.ROUND_HALF_EVEN))


# ------------------------------------------------------------------------------------------------ what is kept of it
def _chosen(
    questions: Sequence[Question], hits: Hits, shards: Sequence[Shard], config: Retrieve
) -> list[dict[str, Any]]:
    """The rows of the candidates, those that say the same as an earlier one left out."""
    places = np.unique(hits.places[hits.places != _NOTHING])
    words = [shards[place >> 32].words(place & 0xFFFFFFFF) for place in places.tolist()]
    said, data = dict(zip(places.tolist(), words, strict=True)), _shingles(words)
    shingled = dict(zip(places.tolist(), data, strict=True))
    texts = {q.record.key: q.record.text for q in questions}
    own = dict(zip(texts, map(np.unique, _shingles([flat(t) for t in texts.values()])), strict=True))
    rows = []
    for n, question in enumerate(questions):
        met: set[bytes] = set()
        kept = 0
        for place, score in zip(hits.places[n].tolist(), hits.scores[n].tolist(), strict=True):
            if place == _NOTHING or kept == config.candidates:
                break
            row = _row(question, shards[place >> 32], place & 0xFFFFFFFF, score, said[place])
            row["own"] = row["record"] == question.record.key or _holds(
                own[question.record.key], shingled[place], config.same_text
            )
            form = shingled[place].tobytes()
            if form in met or (row["own"] and config.oracle == "drop"):
                continue
            met.add(form)
            kept += 1
            rows.append({**row, "number": kept})
    return rows


def _row(question: Question, shard: Shard, passage: int, score: int, text: str) -> dict[str, Any]:
    row = shard.passages[passage]
    return {
        "asking": question.record.key,
        "asks": question.asks,
        "key": row["key"].tobytes().hex(),
        "record": row["record"].tobytes().hex(),
        **shard.about,
        "start": int(row["start"]),
        "end": int(row["end"]),
        "score": round(score / SCALE**2, 4),
        "text": text,
    }


def _shingles(texts: Sequence[str]) -> list[NDArray[np.uint64]]:
    """The hashes of the runs of words of each text, in order."""
    if not texts:
        return []
    hashes, offsets = ngram_hashes(*packed_token_hashes(*forms(texts)), SHINGLE_WORDS)
    return [hashes[a:b] for a, b in itertools.pairwise(offsets.tolist())]


def _holds(own: NDArray[np.uint64], passage: NDArray[np.uint64], share: float) -> bool:
    """Whether so large a share of a passage's runs of words stands in a record's own text."""
    if not len(own) or not len(passage):
        return False
    places = np.minimum(np.searchsorted(own, passage), len(own) - 1)
    return int((own[places] == passage).sum()) >= share * len(passage)
