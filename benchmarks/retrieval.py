"""What finding passages takes beside bm25s: `curate.retrieve` on 100,000 passages, and 2,000 questions to them.

    python -m benchmarks.retrieval            measure and print
    python -m benchmarks.retrieval --write    and put the table into benchmarks/README.md

The texts are invented: words of a vocabulary of 20,000 in Zipf's proportions, 100 to a passage, ten to a question. Both
get the same terms, which our index makes; ours are written to ten shards of files and mapped, those of bm25s lie in
memory, where they were made. Each way searches in a process of its own on one core, best of three, after its index is
made; the twelve best scores of every question are compared. `pip install bm25s` for the peer; without it its row is
left out.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.report import machine, on_one_core, write
from curate.retrieve import index, search, terms
from curate.retrieve.config import Retrieve
from curate.store import building, publish, unit_folder
from curate.units import Unit
from manifests.record import Record, to_json

PASSAGES, SHARDS, WORDS = 100_000, 10, 100
QUESTIONS, ASKED = 2_000, 10
VOCABULARY, RUNS = 20_000, 3
CONFIG = Retrieve(candidates=6, words=400)  # the search looks at twice as many
BEST = CONFIG.candidates * search.SPARE
WAYS = ("medcurate", "bm25s")


def texts(rng: np.random.Generator, count: int, words: int) -> list[str]:
    vocabulary = np.array([f"w{n:05d}" for n in range(VOCABULARY)])
    zipf = 1 / (np.arange(VOCABULARY) + 3)
    drawn = rng.choice(vocabulary, (count, words), p=zipf / zipf.sum())
    return [" ".join(row) + "." for row in drawn.tolist()]


def record_of(name: str, text: str) -> Record:
    """Each of a group of its own."""
    key = hashlib.sha256(name.encode()).hexdigest()[:32]
    return Record(key, "invented", "invented/x", name, "0" * 64, "text", name, "CC0-1.0", "open", text=text)


def asked() -> list[search.Question]:
    said = texts(np.random.default_rng(1), QUESTIONS, ASKED)
    return [search.Question(record_of(f"q{n}", ""), 1, one) for n, one in enumerate(said)]


def done(work: Path, unit: Unit, make: Callable[..., Any]) -> str:
    with building(work, unit.stage, unit.key) as folder:
        publish(work, unit.stage, unit.key, folder, make(unit.spec, folder, work))
    return unit.key


def make_index(work: Path) -> None:
    """Ten prepared units, their shards, and what is merged of these."""
    said, shards = texts(np.random.default_rng(0), PASSAGES, WORDS), []
    started, size = 0.0, PASSAGES // SHARDS
    for n in range(SHARDS):
        records = [record_of(f"p{k}", said[k]) for k in range(n * size, (n + 1) * size)]
        rows = [{"key": r.key, "status": "ready", "record": to_json(r)} for r in records]
        with building(work, "prepare", str(n)) as folder:
            pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
            publish(work, "prepare", str(n), folder, {})
        kept = tuple(r.key for r in records)
        unit = index.unit_of(str(n), kept, CONFIG.words, ("invented", "CC0-1.0", "open"), str(n))
        before = time.perf_counter()
        shards.append(done(work, unit, index.work))
        started += time.perf_counter() - before
    before = time.perf_counter()
    merged = done(work, terms.unit_of(tuple(shards)), terms.work)
    told = {"index_s": started + time.perf_counter() - before, "terms": merged, "shards": shards}
    (work / "told.json").write_text(json.dumps(told))


def ours(work: Path) -> tuple[float, NDArray[np.float64]]:
    told = json.loads((work / "told.json").read_text())
    shards = [index.open_shard(unit_folder(work, index.STAGE, key)) for key in told["shards"]]
    merged, questions = terms.open_terms(work, told["terms"]), asked()
    search.search(questions[:2], shards, merged, CONFIG)  # compiled code is loaded when it is first called
    seconds, found = best_of(lambda: search.search(questions, shards, merged, CONFIG))
    return seconds, found.scores / search.SCALE**2


def peers(work: Path) -> tuple[float, NDArray[np.float64]]:
    bm25s = importlib.import_module("bm25s")  # not installed with us, and not annotated
    tokenized = importlib.import_module("bm25s.tokenization").Tokenized

    ids: dict[int, int] = {}

    def numbered(said: Sequence[str], once: bool) -> list[list[int]]:
        hashes, bounds = index.terms_of(said)
        rows = (hashes[a:b].tolist() for a, b in itertools.pairwise(bounds.tolist()))
        return [[ids.setdefault(h, len(ids)) for h in (dict.fromkeys(row) if once else row)] for row in rows]

    corpus = numbered(texts(np.random.default_rng(0), PASSAGES, WORDS), once=False)
    questions = numbered([one.words for one in asked()], once=True)
    vocabulary = {str(n): n for n in range(len(ids))}
    engine = bm25s.BM25(method="lucene", k1=CONFIG.k1, b=CONFIG.b, dtype="float64")
    started = time.perf_counter()
    engine.index(tokenized(ids=corpus, vocab=vocabulary), show_progress=False)
    (work / "peer.json").write_text(json.dumps(time.perf_counter() - started))
    wanted = tokenized(ids=questions, vocab=vocabulary)
    seconds, found = best_of(lambda: engine.retrieve(wanted, k=BEST, show_progress=False))
    return seconds, np.asarray(found[1], np.float64)


def best_of(way: Callable[[], Any]) -> tuple[float, Any]:
    best, found = float("inf"), None
    for _ in range(RUNS):
        started = time.perf_counter()
        found = way()
        best = min(best, time.perf_counter() - started)
    return best, found


def measured(way: str, work: Path) -> None:
    seconds, scores = ours(work) if way == "medcurate" else peers(work)
    np.save(work / f"{way}.npy", scores)
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def child(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.retrieval", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def table(work: Path) -> str:
    child("--index", str(work))
    ways = [way for way in WAYS if way == "medcurate" or importlib.util.find_spec("bm25s")]
    figures = {way: json.loads(child("--way", way, str(work)).splitlines()[-1]) for way in ways}
    made = {"medcurate": json.loads((work / "told.json").read_text())["index_s"]}
    if "bm25s" in ways:
        made["bm25s"] = json.loads((work / "peer.json").read_text())
    lines = ["| way | index, s | questions a second | peak, MiB |", "|---|---|---|---|"]
    lines += [f"| {w} | {made[w]:.1f} | {QUESTIONS / s:,.0f} | {peak:,.0f} |" for w, (s, peak) in figures.items()]
    if "bm25s" in ways:
        one, other = (np.load(work / f"{way}.npy") for way in WAYS)
        lines += ["", f"The {BEST} best scores of all questions differ by at most {np.abs(one - other).max():.1e}."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--index", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", nargs=2, help=argparse.SUPPRESS)
    asked_for = parser.parse_args()
    on_one_core()
    if asked_for.index:
        make_index(asked_for.index)
    elif asked_for.way:
        measured(asked_for.way[0], Path(asked_for.way[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            text = table(Path(folder))
        text += f"\n\n`python -m benchmarks.retrieval --write`: {machine(('numpy', 'numba', 'bm25s'))}"
        print(text)
        if asked_for.write:
            write("retrieval", text)


if __name__ == "__main__":
    main()
