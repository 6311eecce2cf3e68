"""How long a finished output takes to be mixed anew, and how that grows: `curate mix` on a ledger of N samples.

    python -m benchmarks.remix            measure and print
    python -m benchmarks.remix --write    and put the table into benchmarks/README.md

The ledgers are invented (the schema that a run writes, keys at random, 20 sources, 3 stages, 2 samples for each
record; each prompt for rewards has one of 5,000 wordings, half of them letters, and seven in ten of the others are
answered yes), because a mixture sees ids and numbers alone. The mixture has a budget of tokens, weights, repeats, a
cap, a curriculum, and answers balanced. Each size is measured in a process of its own, best of three, with everything
that the command does: reading the ledger, choosing, ordering, writing the list and its note. No library beside us makes
such a list from a finished corpus; what datatrove and Data-Juicer mix, they write out whole.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import machine, write
from curate.remix import Asked
from curate.remix import write as remix
from curate.store import file_sha256
from manifests.balance import Balance
from manifests.curriculum import Phase
from manifests.manifest import NAME, SCHEMA, Counts, LedgerPart, Manifest, Roots, Teacher
from manifests.mixture import Caps, Mixture, Share
from manifests.sample import STAGES
from manifests.schema import LEDGER, SAMPLE

SIZES = (100_000, 1_000_000)
RUNS = 3
SOURCES = 20


def invented(folder: Path, samples: int) -> None:
    """An output of that many samples: its ledger and its manifest, without shards."""
    rng = np.random.default_rng(0)
    records = samples // 2
    keys = [rng.bytes(16).hex() for _ in range(records)]
    numbers = np.arange(samples)
    text = pa.array([""] * samples, pa.string())
    rewarded = numbers % 3 == STAGES.index("rlvr")
    lettered = rewarded & (numbers % 2 == 0)
    wordings = np.array([f"{n:016x}" for n in range(1, 5001)])[rng.integers(0, 5000, samples)]
    yes_no = np.array(["1" * 16, "2" * 16])[(rng.random(samples) < 0.3).astype(np.int64)]
    answers = np.array([f"{n:016x}" for n in range(1, 101)])[rng.integers(0, 100, samples)]
    values = {
        "stage": pa.array(np.array(STAGES)[numbers % 3]),
        "shard": pa.array(np.char.add("shards/sft-", (numbers // 1000).astype(str))),
        "key": pa.array([keys[n // 2] if n % 2 == 0 else f"{keys[n // 2]}-1-0" for n in range(samples)]),
        "offset": pa.array(numbers * 512), "size_bytes": pa.array(rng.integers(1000, 10**6, samples)), "sha256": text,
        "task": pa.array(np.array(["qa", "mcq", "cot", "caption"])[rng.integers(0, 4, samples)]),
        "part": pa.array(numbers % 2, pa.int32()), "repeat": pa.array(np.zeros(samples), pa.int32()),
        "text_tokens": pa.array(rng.integers(20, 2000, samples)),
        "visual_tokens": pa.array(rng.integers(0, 3000, samples)),
        "pass_rate": pa.array(rng.integers(-1, 9, samples) / 8),
        "verifier": pa.array(np.where(lettered, "mcq", np.where(rewarded, "yes_no", ""))),
        "question": pa.array(np.where(rewarded, wordings, "")),
        "answer": pa.array(np.where(lettered, answers, np.where(rewarded, yes_no, ""))),
        "letter": pa.array(np.where(lettered, np.array(list("ABCD"))[rng.integers(0, 4, samples)], "")),
    }  # fmt: skip
    told = [values[f.name].cast(f.type) if f.name in values else pa.nulls(samples, f.type) for f in SAMPLE]
    drawn = pa.table(told, names=[f.name for f in SAMPLE]).to_struct_array()
    drawn = drawn.combine_chunks() if isinstance(drawn, pa.ChunkedArray) else drawn
    lists = pa.ListArray.from_arrays(pa.array(np.arange(records + 1) * 2, pa.int32()), drawn)
    known = {
        "key": pa.array(keys), "samples": lists, "seq": pa.array(np.arange(records)),
        "source": pa.array(np.char.add("source", (rng.integers(0, SOURCES, records)).astype(str))),
        "kind": pa.array(np.array(["image", "volume", "video", "text"])[rng.integers(0, 4, records)]),
        "modality": pa.array(np.array(["CT", "MR", "US", "DX"])[rng.integers(0, 4, records)]),
        "group": pa.array(keys), "split": pa.array(np.where(rng.random(records) < 0.98, "train", "val")),
    }  # fmt: skip
    columns = [known.get(f.name, pa.nulls(records, f.type)) for f in LEDGER]
    (folder / "ledger").mkdir()
    pq.write_table(pa.table(columns, names=LEDGER.names), folder / "ledger/part-00000.parquet")
    part = LedgerPart(
        path="ledger/part-00000.parquet", sha256=file_sha256(folder / "ledger/part-00000.parquet"), rows=records
    )
    manifest = Manifest(
        schema=SCHEMA, recipe={}, fingerprint="", key="public", stages=(), shards=(), ledger=(part,), environment={},
        counts=Counts(read=records, kept=records, dropped={}, duplicate=0, failed={}), teacher=Teacher(),
        roots=Roots(shards="", ledger=""),
    )  # fmt: skip
    (folder / NAME).write_text(manifest.to_json())


def measure(samples: int) -> None:
    """Print seconds and MiB of one size: the child's part."""
    shares = {f"source{n}": Share(weight=n + 1, max_repeat=2) for n in range(SOURCES)}
    easy_first = (Phase(min_pass_rate=0.6), Phase(min_pass_rate=0.3), Phase(min_pass_rate=0.0))
    even = Balance(at_most=0.5)
    mixture = Mixture(tokens=samples * 900, caps=Caps(per_record=2), balance=even, curriculum=easy_first)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "out").mkdir()
        invented(folder / "out", samples)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        best = float("inf")
        for _ in range(RUNS):
            started = time.perf_counter()
            made = remix(folder / "out", folder / "mix", Asked(mixture, shares, 7))
            best = min(best, time.perf_counter() - started)
    peak = max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
    print(f"{len(made.draws)} {best} {peak}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(asked.one)
        return
    lines = ["| samples in the ledger | draws | seconds | peak MiB (with inventing it) |", "|---|---|---|---|"]
    for size in SIZES:
        child = [sys.executable, "-m", "benchmarks.remix", "--one", str(size)]
        done = subprocess.run(child, check=True, capture_output=True, text=True)
        draws, seconds, peak = done.stdout.split()
        lines.append(f"| {size:,} | {int(draws):,} | {float(seconds):.1f} | {float(peak):.0f} |")
    lines += ["", f"`python -m benchmarks.remix --write`: {machine(['numpy', 'pyarrow'])}"]
    text = "\n".join(lines)
    print(text)
    if asked.write:
        write("remix", text)


if __name__ == "__main__":
    main()
