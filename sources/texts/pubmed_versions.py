"""Which citations of PubMed's files count: the last of each PMID, unless a later file deletes it.

A citation is (PMID, version). What one file holds is told as text, so that an inventory can keep it: hexadecimal
differences from PMID to PMID, `1*5e` for 94 times the difference 1, `.2` behind those of another version than 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Citation = tuple[int, int]
Reason = Literal["superseded", "deleted_upstream"]
Numbers = NDArray[np.int64]
LIVES, DELETED = 1, 2


def written(citations: Sequence[Citation]) -> str:
    """Citations as text, in their order."""
    steps = [(after - before, version) for (before, _), (after, version) in pairwise([(0, 1), *citations])]
    told = []
    for (step, version), alike in groupby(steps):
        count = sum(1 for _ in alike)
        told.append(f"{step:x}" + (f"*{count:x}" if count > 1 else "") + (f".{version}" if version != 1 else ""))
    return " ".join(told)


def read(text: str) -> tuple[Numbers, Numbers]:
    """The PMIDs and the versions of a text of `written`."""
    steps, counts, versions = [0], [0], [1]
    for token in text.split():
        step, _, version = token.partition(".")
        step, _, count = step.partition("*")
        steps.append(int(step, 16))
        counts.append(int(count or "1", 16))
        versions.append(int(version or "1"))
    return np.cumsum(np.repeat(np.array(steps), counts)), np.repeat(np.array(versions), counts)


def ended_of(files: Sequence[tuple[str, str]]) -> list[list[str]]:
    """For each file (its runs of citations, parted by `;`, and those that it deletes) what ends of each run, as text
    for `reasons`. Held are a byte for each number up to the highest PMID, and the highest of several versions."""
    top = _versions(files)
    highest = max(
        (int(read(run)[0].max(initial=0)) for runs, gone in files for run in (*runs.split(";"), gone)), default=0
    )
    state = np.zeros(highest + 1, np.uint8)
    ended: list[list[str]] = []
    for runs, gone in reversed(files):
        pmids, versions = read(gone)
        counts = versions >= _top(pmids, top)
        taken_back = pmids[counts & (state[pmids] == 0)]
        state[taken_back] = DELETED
        ended.append([_ended(*read(run), state, top) for run in reversed(runs.split(";"))][::-1])
    return ended[::-1]


def reasons(text: str) -> dict[int, Reason]:
    """Which citations of a run end, by their number in it from 0, and why."""
    told: dict[int, Reason] = {}
    kinds: tuple[Reason, Reason] = ("superseded", "deleted_upstream")
    for reason, numbers in zip(kinds, text.split(";"), strict=False):
        told |= dict.fromkeys((int(n) for n in numbers.split()), reason)
    return told


def _versions(files: Sequence[tuple[str, str]]) -> dict[int, int]:
    """The highest version of each PMID that has another than the first."""
    top: dict[int, int] = {}
    for runs, _ in files:
        for pmids, versions in map(read, (run for run in runs.split(";") if "." in run)):
            for at in np.flatnonzero(versions > 1):
                top[int(pmids[at])] = max(top.get(int(pmids[at]), 1), int(versions[at]))
    return top


def _top(pmids: Numbers, top: dict[int, int]) -> Numbers:
    highest = np.ones(len(pmids), np.int64)
    for at in np.flatnonzero(np.isin(pmids, np.fromiter(top, np.int64, len(top)))):
        highest[at] = top[int(pmids[at])]
    return highest


def _ended(pmids: Numbers, versions: Numbers, state: NDArray[np.uint8], top: dict[int, int]) -> str:
    """What ends of a run, given what lives or is deleted behind it; and what lives of it from now on."""
    before = state[pmids]
    live = np.flatnonzero((before == 0) & (versions >= _top(pmids, top)) & (pmids > 0))
    _, back = np.unique(pmids[live][::-1], return_index=True)
    last = live[len(live) - 1 - back]
    state[pmids[last]] = LIVES
    superseded = (pmids > 0) & (before != DELETED)
    superseded[last] = False
    numbers = [" ".join(map(str, np.flatnonzero(ended))) for ended in (superseded, before == DELETED)]
    return ";".join(numbers) if any(numbers) else ""
