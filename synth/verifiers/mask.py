"""A mask: `gold` `h w: c0 c1 ...`, COCO's uncompressed run lengths (column by column, the first run is outside).

A response may write the same, with commas or brackets, or COCO's JSON `{"size": [h, w], "counts": [...]}`.
`tolerance` is 1 minus the least Dice. A gold `mask:NAME` refers to a mask of the record, and the response must name
the same one. Not covered: compressed run lengths, polygons, volumes.
"""

from __future__ import annotations

import itertools
import re

from manifests.sample import Answer
from synth.verifiers.base import Finding, json_pairs, normal_form

MAX_TEXT = 100_000  # characters: 20,000 runs
_RUNS = re.compile(
    r"\s*\[?\s*(\d{1,5})[\s,x]{1,4}(\d{1,5})\s*\]?\s*:\s*\[?\s*(\d{1,9}(?:[\s,]{1,3}\d{1,9})*)\s*\]?\s*\.?\s*"
)
_REFERENCE = re.compile(r"\s*mask\s*:\s*([\w.-]{1,100}?)\s*\.?\s*", re.IGNORECASE)


def check(text: str, answer: Answer) -> Finding:
    """Whether the Dice of the said mask with the gold's reaches 1 - `tolerance`; two empty masks have 1."""
    wanted = _REFERENCE.fullmatch(answer.gold)
    bare = re.sub(r"\A[-*•]\s+|\*\*|`|\$|\\text", "", text).strip().strip("{}") if "{" not in text[:1] else text
    if wanted:
        said = _REFERENCE.fullmatch(bare)
        same = said is not None and normal_form(said[1]) == normal_form(wanted[1])
        return Finding(same, f"said {bare[:60]!r}, gold {answer.gold}")
    gold, mask = _mask(answer.gold), _mask(bare)
    if gold is None or mask is None:
        return Finding(False, "the gold is no mask" if gold is None else "not one mask")
    if gold[0] != mask[0]:
        return Finding(False, f"a mask of {mask[0][0]} x {mask[0][1]}, gold {gold[0][0]} x {gold[0][1]}")
    share = dice(mask[1], gold[1])
    return Finding(share >= 1 - answer.tolerance - 1e-9, f"Dice {share:.3f}")


def _mask(text: str) -> tuple[tuple[int, int], list[int]] | None:
    """(height, width) and the runs of a text that is one mask, whose runs fill it."""
    bare = text.strip()
    if bare.startswith("{"):
        found = _from_json(bare)
    else:
        match = _RUNS.fullmatch(bare)
        found = match and ((int(match[1]), int(match[2])), [int(n) for n in re.findall(r"\d+", match[3])])
    if not found or sum(found[1]) != found[0][0] * found[0][1] or not sum(found[1]):
        return None
    return found


def _from_json(text: str) -> tuple[tuple[int, int], list[int]] | None:
    pairs = json_pairs(text) or []
    values = dict(pairs)
    size, counts = values.get("size"), values.get("counts")
    if (
        sorted(key for key, _ in pairs) != ["counts", "size"]
        or not isinstance(size, list)
        or not isinstance(counts, list)
    ):
        return None
    if len(size) != 2 or not all(type(n) is int and 0 <= n < 10**9 for n in (*size, *counts)):
        return None
    return (size[0], size[1]), counts


def dice(a: list[int], b: list[int]) -> float:
    """Dice of two masks of one size, given as run lengths of which every second one is inside."""
    ends_a, ends_b = list(itertools.accumulate(a)), list(itertools.accumulate(b))
    shared = at = i = j = 0
    while i < len(a) and j < len(b):
        until = min(ends_a[i], ends_b[j])
        shared += until - at if i % 2 and j % 2 else 0
        at = until
        i, j = i + (ends_a[i] == until), j + (ends_b[j] == until)
    total = sum(a[1::2]) + sum(b[1::2])
    return 2 * shared / total if total else 1.0
