"""Benchmark packs: small files that tell whether a text, an image or an id belongs to a benchmark, and hold none of it.

    pack.py    the file: what it holds, how it is written and read
    words.py   which tokens say something, and which runs of tokens count
    runs.py    how runs and pairs of tokens are hashed
    naming.py  salted hashes, and which ids are somebody's own
    build.py   items of a benchmark to a pack
    media.py   digests and looks of an item's files; decoding is done by a parser's process
    looks.py   which looks of them are kept
    make.py    what `curate pack-benchmark` does
    search.py  packs made ready, and the search of many texts
    scan.py    its compiled part (imports numba)

`curate.decontaminate` asks packs questions, `curate.screen` asks them about a run's records.
"""

from curate.packs.build import build
from curate.packs.pack import Pack, load, write

__all__ = ["Pack", "build", "load", "write"]
