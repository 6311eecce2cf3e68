"""Stage `near_keepers`: clusters of near texts by single linkage, and for every record that goes its evidence. One
unit.

Memory: 4 bytes a compared record (8 from 2**31 on), and about 150 bytes a confirmed pair; signatures and shingles that
must still be compared, a cluster's best record with one that it shares no band with, within `memory_bytes`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.code import code_version
from curate.near.confirmed import confirm_bounded
from curate.near.pairs import Ids, Pairs, Scheme, best_matches, clusters, joined, known_scores
from curate.near.stored import Index, load_pairs, open_index
from curate.near.texts import Sets
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key

STAGE = "near_keepers"
FILE = "duplicates.parquet"


@dataclass(frozen=True, slots=True)
class KeepersSpec:
    """`pairs`: keys of the near_pairs units; `texts`: (key of the near_texts unit, place of its first row)."""

    index: str
    pairs: tuple[str, ...]
    texts: tuple[tuple[str, int], ...]
    scheme: Scheme
    memory_bytes: int


def unit_of(spec: KeepersSpec) -> Unit:
    identity = {"index": spec.index, "pairs": spec.pairs, "texts": spec.texts, "scheme": asdict(spec.scheme)}
    return Unit(STAGE, unit_key(STAGE, code_version("curate.near.keepers"), identity), spec, "near texts")


def work(spec: KeepersSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `duplicates.parquet`, one row per record that goes, ordered by key: `key`, `of` (who stays in its place),
    `matched` (whom it was compared with: who stays where they are near, else its nearest) and their `score`."""
    index = open_index(work_folder, spec.index)
    folders = [unit_folder(work_folder, "near_pairs", key) for key in spec.pairs]
    near = joined([load_pairs(one / "pairs.npy") for one in folders])
    labels = clusters(len(index.places), [near])
    involved = np.unique(np.concatenate([near.one, near.other]))
    keepers = labels[involved].astype(np.int64)
    going = keepers != involved
    members, keepers = involved[going], keepers[going]
    local = Pairs(np.searchsorted(involved, near.one), np.searchsorted(involved, near.other), near.score)
    match, score = (values[going] for values in best_matches(local, len(involved)))
    direct = _direct(keepers, members, near, spec, index, work_folder)
    straight = direct >= spec.scheme.threshold
    matched = np.where(straight, keepers, involved[match] if len(involved) else keepers)
    _write(folder, index, (members, keepers, matched), np.where(straight, direct, score))
    return {"records": len(index.places), "duplicates": len(members)}


def _direct(
    keepers: Ids, members: Ids, near: Pairs, spec: KeepersSpec, index: Index, work_folder: Path
) -> NDArray[np.float64]:
    """The similarity of each keeper and member where it reaches the threshold, else 0."""
    made = known_scores(keepers, members, near)
    unknown = np.flatnonzero(made < 0)
    made[unknown] = 0.0
    unknown = unknown[np.lexsort((members[unknown], keepers[unknown]))]
    step = max(1, spec.memory_bytes // 8 // 512)
    sets = Sets(work_folder, index, spec.texts)
    for start in range(0, len(unknown), step):
        some = unknown[start : start + step]
        one, other = index.signatures(keepers[some]), index.signatures(members[some])
        equal, num_perm = (one == other).sum(axis=1), one.shape[1]
        some, equal = (values[equal >= spec.scheme.counts(num_perm)[0]] for values in (some, equal))
        judged = Pairs(keepers[some], members[some], equal / num_perm)
        if spec.scheme.exact:
            judged = confirm_bounded(judged, sets, spec.scheme.threshold, spec.memory_bytes)
        made[some] = np.maximum(known_scores(keepers[some], members[some], judged), 0.0)
    return made


def _write(folder: Path, index: Index, ranks: tuple[Ids, Ids, Ids], scores: NDArray[np.float64]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys = [np.ascontiguousarray(index.keys[column]) for column in ranks]
    order = np.lexsort([keys[0][:, k] for k in reversed(range(keys[0].shape[1]))])
    columns = [_hexadecimal(column[order]) for column in keys]
    table = pa.table([*columns, pa.array(scores[order], pa.float64())], names=["key", "of", "matched", "score"])
    pq.write_table(table, folder / FILE)


_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


def _hexadecimal(values: NDArray[np.uint8]) -> Any:
    """Rows of bytes as a column of hexadecimal strings."""
    import pyarrow as pa

    text = np.stack([_DIGITS[values >> 4], _DIGITS[values & 15]], axis=2).tobytes()
    ends = np.arange(len(values) + 1, dtype=np.int64) * values.shape[1] * 2
    return pa.LargeStringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(text))
