"""Passages that stand word for word in more than one place, inside a text or across texts: found and reported.

A **repeat** is a run of at least `window` tokens (50) of the comparison form that stands at an earlier place too: in a
text of a smaller number, or earlier in the same text without overlapping itself. What is guaranteed: every run of
`window` tokens that stands in two places is part of a reported span, but for its first place, which is the source; and
every reported span equals its source token for token. A span is as long as the runs in it have neighbouring sources;
the same place may stand in two spans where its runs come from two sources.

How: of every text a few **anchors** are kept, runs of about half a window chosen by their own content (winnowing,
Schleimer, Wilkerson and Aiken 2003): one in 13 tokens at 50, and of every run of `window` tokens at least one, the same
wherever it stands. Anchors that stand twice say where to look; there every window is hashed and grouped. Both steps
are entries (hash, place) that `curate.near.pairs.write_partitions` spreads by hash, so a corpus need not fit in memory:
16 bytes per anchor, 16 per window near a repeated anchor. A thousand copies of one passage are a thousand spans, each
with the first as its source. What to do about a repeat is the recipe's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.near.pairs import Ids, Keys, groups
from curate.near.tokens import Hashes, Offsets, token_hashes
from curate.text import comparison, normalise
from manifests.errors import RecordError

WINDOW = 50
PARAGRAPH_TOKENS = 8  # a shorter paragraph is a heading or a label
_PLACE_BITS = 24
MAX_TOKENS = 1 << _PLACE_BITS


@dataclass(frozen=True, slots=True)
class Repeats:
    """Spans of tokens that stand earlier too; columns (m,) int64, ordered by (text, start).

    Tokens `start` to `end` (exclusive) of `text` are those from `of_start` on of `of_text`.
    """

    text: Ids
    start: Ids
    end: Ids
    of_text: Ids
    of_start: Ids

    def __len__(self) -> int:
        return len(self.text)

    def share(self, tokens: Ids) -> NDArray[np.float64]:
        """The part of each text's tokens that stands in a span, 0..1; `tokens` (n,) how many each has."""
        covered = np.zeros(len(tokens), np.int64)
        for text in np.unique(self.text).tolist():
            here = self.text == text
            until = 0
            for start, end in zip(self.start[here].tolist(), self.end[here].tolist(), strict=True):
                covered[text] += max(0, end - max(start, until))
                until = max(until, end)
        return covered / np.maximum(tokens, 1)


# ---------------------------------------------------------------------------------------------------------- passages
def anchors(tokens: Hashes, offsets: Offsets, first: int = 0, window: int = WINDOW) -> tuple[Keys, Ids]:
    """The anchors of some texts, whose numbers begin at `first`: their hashes, and their places (text × 2**24 + token).

    `tokens` and `offsets` are `curate.near.tokens.token_hashes`. Texts of fewer than `window` tokens have none. Raises
    `RecordError`: `bad_shingle_size`, `text_too_long`.
    """
    from curate.near import repeating

    size = (window + 1) // 2
    span = window - size + 1
    keys, places = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for text, part in _long_texts(tokens, offsets, window):
        hashes = np.empty(len(part) - size + 1, np.uint64)
        repeating.run_hashes(part, size, hashes)
        chosen = np.empty(len(hashes), np.int64)
        chosen = chosen[: repeating.winnow(hashes, span, chosen)]
        keys.append(hashes[chosen])
        places.append(((first + text) << _PLACE_BITS) + chosen)
    return np.concatenate(keys), np.concatenate(places)


def _long_texts(tokens: Hashes, offsets: Offsets, window: int) -> list[tuple[int, Hashes]]:
    if window < 2:
        raise RecordError("bad_shingle_size", str(window), "ask for passages of at least two tokens")
    sizes = np.diff(offsets)
    if sizes.max(initial=0) > MAX_TOKENS:
        raise RecordError("text_too_long", f"{sizes.max()} tokens", f"cut texts to {MAX_TOKENS} tokens at most")
    return [(k, tokens[offsets[k] : offsets[k + 1]]) for k in np.flatnonzero(sizes >= window).tolist()]


def windows(tokens: Hashes, offsets: Offsets, repeated: Ids, first: int = 0, window: int = WINDOW) -> tuple[Keys, Ids]:
    """Hashes and places of every window that holds one of the anchors at `repeated` (ascending places)."""
    from curate.near import repeating

    size = (window + 1) // 2
    keys, places = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    texts = repeated >> _PLACE_BITS
    for text, part in _long_texts(tokens, offsets, window):
        low, high = np.searchsorted(texts, [first + text, first + text + 1])
        if low == high:
            continue
        at = repeated[low:high] & (MAX_TOKENS - 1)
        last = len(part) - window
        starts = np.zeros(last + 2, np.int64)
        np.add.at(starts, np.maximum(at + size - window, 0), 1)
        np.add.at(starts, np.minimum(at, last) + 1, -1)
        chosen = np.flatnonzero(np.cumsum(starts[:-1]) > 0)
        hashes = np.empty(last + 1, np.uint64)
        repeating.run_hashes(part, window, hashes)
        keys.append(hashes[chosen])
        places.append(((first + text) << _PLACE_BITS) + chosen)
    return np.concatenate(keys), np.concatenate(places)


def repeated_places(keys: Keys, places: Ids) -> Ids:
    """The places, ascending, whose hash stands more than once: what `windows` asks for, of one partition or all."""
    return np.sort(groups(keys, places)[1])


def spans(keys: Keys, places: Ids, tokens_of: Callable[[int], Hashes], window: int = WINDOW) -> Repeats:
    """Repeats among windows: each linked to the first with its hash, verified token by token, and merged.

    `tokens_of` gives the token hashes of a text by its number. A window that overlaps its source is none.
    """
    from curate.near import repeating

    _, members, bounds = groups(keys, places)
    sources = np.repeat(members[bounds[:-1]], np.diff(bounds))
    later = members != sources
    members, sources = members[later], sources[later]
    order = np.argsort(members)
    found = _split(members[order], sources[order])
    apart = (found[:, 0] != found[:, 2]) | (found[:, 1] - found[:, 3] >= window)
    found = found[apart]
    out = np.empty((len(found), 5), np.int64)
    out = out[: repeating.merge(found, window, out)]
    return _verified(out, tokens_of)


def _split(members: Ids, sources: Ids) -> Ids:
    low = MAX_TOKENS - 1
    columns = [members >> _PLACE_BITS, members & low, sources >> _PLACE_BITS, sources & low]
    return np.stack(columns, axis=1)


def _verified(found: Ids, tokens_of: Callable[[int], Hashes]) -> Repeats:
    keep = np.ones(len(found), bool)
    for k, (text, start, end, source, at) in enumerate(found.tolist()):
        keep[k] = np.array_equal(tokens_of(text)[start:end], tokens_of(source)[at : at + end - start])
    columns = found[keep].T
    return Repeats(*(column.copy() for column in columns))


def find_repeats(forms: Sequence[str], window: int = WINDOW) -> Repeats:
    """The repeats among comparison forms that fit in memory; see the module for larger corpora."""
    tokens, offsets = token_hashes(forms)
    repeated = repeated_places(*anchors(tokens, offsets, 0, window))
    keys, places = windows(tokens, offsets, repeated, 0, window)
    return spans(keys, places, lambda text: tokens[offsets[text] : offsets[text + 1]], window)


def passage(form: str, start: int, end: int) -> str:
    """Tokens `start` to `end` (exclusive) of a comparison form."""
    return " ".join(form.split(" ")[start:end])


# -------------------------------------------------------------------------------------------------------- paragraphs
@dataclass(frozen=True, slots=True)
class Paragraph:
    """Paragraph `number` of `text` says the same as paragraph `of_number` of `of_text`, an earlier one."""

    text: int
    number: int
    of_text: int
    of_number: int


def find_paragraphs(texts: Sequence[str], tokens: int = PARAGRAPH_TOKENS) -> list[Paragraph]:
    """Paragraphs whose comparison form stands earlier too, inside a text or across texts, ordered by (text, number).

    A paragraph is a line of the stored form (`curate.text.normalise`) that is not blank; those of fewer than `tokens`
    tokens are not looked at. Numbers count from 0. The forms themselves are compared.
    """
    first: dict[str, tuple[int, int]] = {}
    found = []
    for text, said in enumerate(texts):
        lines = [line for line in normalise(said).split("\n") if line]
        for number, line in enumerate(lines):
            form = comparison(line)
            if form.count(" ") + 1 < tokens:
                continue
            source = first.setdefault(form, (text, number))
            if source != (text, number):
                found.append(Paragraph(text, number, *source))
    return found
