"""The compiled part of `curate.retrieve.search`: one shard's passages scored for many questions. Imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.near.hashing import jit

SCALE = 1 << 20  # of a weight, and of what a term adds to a passage before its weight


@jit
def _put(scores: Any, keys: Any, places: Any, score: Any, key: Any, place: Any) -> None:
    """Into a question's best: by score, of equal ones by the passage's key."""
    at = len(scores) - 1
    if score < scores[at] or (score == scores[at] and key >= keys[at]):
        return
    while at > 0 and (score > scores[at - 1] or (score == scores[at - 1] and key < keys[at - 1])):
        scores[at], keys[at], places[at] = scores[at - 1], keys[at - 1], places[at - 1]
        at -= 1
    scores[at], keys[at], places[at] = score, key, place


@jit
def score(terms: Any, asked: Any, shard: Any, own: Any, room: Any, best: Any, base: Any) -> None:
    """Take the passages of a shard into each question's best.

    terms: (first term of each question and the end, place of each term in the shard or -1, weight of each term);
    asked: (record, group, whether its own passages are taken) of each question; shard: (starts, passage and times of
    each posting, k1 (1 - b + b length / mean length) of each passage); own: (record, group, key) of each passage;
    room: (scores, passages touched) to work in, scores all 0 before and after; best: (scores, keys, places) of each
    question, all (questions, candidates); base: the place of the shard's first passage.
    """
    bounds, found, weights = terms
    starts, passages, times, norms = shard
    scores, touched = room
    for question in range(len(bounds) - 1):
        count = 0
        for k in range(bounds[question], bounds[question + 1]):
            if found[k] < 0:
                continue
            for at in range(starts[found[k]], starts[found[k] + 1]):
                passage, often = passages[at], np.float64(times[at])
                if scores[passage] == 0:
                    touched[count] = passage
                    count += 1
                part = np.int64(np.rint(often / (often + norms[passage]) * SCALE))
                scores[passage] += weights[k] * max(part, np.int64(1))
        for n in range(count):
            passage = touched[n]
            value, scores[passage] = scores[passage], 0
            mine = own[0][passage] == asked[0][question]
            if (mine and not asked[2][question]) or (not mine and own[1][passage] == asked[1][question]):
                continue
            _put(best[0][question], best[1][question], best[2][question], value, own[2][passage], base + passage)
