"""Benchmark packs: small files that tell whether a text, an image or an id belongs to a benchmark, and hold none of it.

    pack.py    the file: what it holds, how it is written and read
    words.py   which tokens say something, and which runs of tokens count
    runs.py    how runs and pairs of tokens are hashed
    build.py   items of a benchmark to a pack
    media.py   hashes of an item's files; decoding is done by a parser's process
    make.py    what `curate pack-benchmark` does
    search.py  packs made ready, and the search of many texts
    scan.py    its compiled part (imports numba)

`curate.decontaminate` asks packs questions.
"""

from curate.packs.build import build
from curate.packs.pack import Pack, load, write

__all__ = ["Pack", "build", "load", "write"]
