"""Duplicates: which records say the same as another one, which one of them stays, and the evidence for it.

**When two records are duplicates.** A record is its media together with what is said about them; kinds never mix.

- image, volume, video: the media are equal (same source bytes, or same decoded pixels) or show the same (`Alike`: their
  pixels were compared, `curate.matching`) **and** what is said of them is equal: the texts, and the names of marked
  structures. One radiograph with ten questions is ten records. Where exactly one of the two says nothing, the media
  suffice: the silent one adds nothing. It is then a duplicate of a record that speaks, never the other way round, and
  it never joins two records that say different things to each other.
- text: the texts are equal (`curate.text.text_sha256`), or near: the Jaccard similarity of their shingle sets is at
  least `near_duplicates.text`.

**Who stays.** Near duplicates are clustered by single linkage (union-find); of a cluster one record stays, the one with
the highest (priority, licence rank) and among equals the smallest key. The result depends on the set of sketches alone,
not on their order.

**Alike media** are not joined in chains: neighbours of one scan resemble each other, its ends do not. Classes of equal
media are taken from the best record down; one stays unless a better one that stays was compared with it and holds it.
Pictures and clips must hold each other (`SAME_SHARE` of each lies in the other; a panel of a figure, a clip of a video
and a turned picture are linked for the splits and stay); a volume also goes to one that holds it whole (`WHOLE_SHARE`:
a crop, a subset of slices), whichever ranks better. What a source keeps apart stays apart: two records of one patient
in one source (phases of a contrast study, time points, neighbouring slices) are linked, never merged, and where a
source does not name its patients, two of its volumes are merged from a score of 0.98 on. (Measured: a series and what
dcm2niix makes of it reach 0.99 to 1.00, resampled copies 0.89 to 1.00, but two time points of one scan 0.70 to 0.998
and the same head with the phase encoded the other way round 0.93 to 0.95.)

**Near duplicates** are found by MinHash with locality-sensitive hashing (Broder 1997; Leskovec et al., Mining of
Massive Datasets, chapter 3): candidates share a band, bands and rows are datasketch's choice for the threshold. A
candidate pair is confirmed by the exact Jaccard similarity where the texts are at hand, else by the signatures'
estimate, whose standard error is at most 1 / (2 sqrt(num_perm)): 0.044 at 128. Banding misses pairs close to the
threshold by design: with the default weight at 0.8 (9 bands of 13) it proposes 40 % of pairs at 0.80, 93 % at 0.90,
99.8 % at 0.95; raise `false_negative_weight` for more (0.9: 87 % at 0.80).

A pair is judged in the first band that it shares; how buckets of more than 64 records are kept linear, and which pairs
that can miss, is told in `curate.near.pairs`, whose functions do the same for a corpus that does not fit in memory.

**What it holds per record**: the sketch. A run gives `near`, found out of core, and no signatures: select as a whole
then takes 1.9 kB a record. Without `near` the signatures are compared here, in memory: 512 bytes each, up to 1 kB more
while it runs, and while pairs are confirmed at most 16,384 texts and the hashes of their shingles.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from curate import text as texts_module
from curate.dedup_media import media_duplicates
from curate.looks.config import LooksConfig
from curate.near import pairs
from curate.sketch import Alike, Duplicate, Sketch, classes, rank
from manifests.config import Config
from manifests.errors import RecipeError, RecordError

Texts = Callable[[str], str]  # from a record's key to the text that its signature was made of


class NearDuplicates(Config):
    """What near duplication is. `text` is a Jaccard similarity in 0..1; null switches it off. `media: drop` makes one
    record of those that show the same, `link` only keeps them in one split, null compares no media.

    `looks` are the thresholds for media. `false_negative_weight` is the weight of a missed pair over a needless
    candidate when bands and rows are chosen.
    """

    text: float | None = Field(default=0.8, gt=0, le=1)
    media: Literal["drop", "link"] | None = "drop"
    looks: LooksConfig = LooksConfig()
    false_negative_weight: float = Field(default=0.5, ge=0.5, lt=1)


class DedupConfig(Config):
    """`exact`: equal bytes, pixels or texts; `near_duplicates`: similar texts, media that show the same."""

    exact: bool = True
    near_duplicates: NearDuplicates = NearDuplicates()


# ---------------------------------------------------------------------------------------------------------- sketches
def pixel_sha256(array: NDArray[Any]) -> str:
    """sha256 over dtype, shape and values in C order: equal for equal decoded pixels, however encoded or laid out.

    Byte order and memory layout do not count; dtype and shape do. Raises `RecordError("not_pixels")` for an array that
    is not of booleans or numbers.
    """
    if array.dtype.kind not in "biufc":
        raise RecordError("not_pixels", f"an array of {array.dtype}", "decode the media to numbers first")
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    head = f"{little.dtype.str}{little.shape}".encode()
    digest = hashlib.sha256(head)
    digest.update(np.ascontiguousarray(little).data if little.size else b"")
    return digest.hexdigest()


def media_sha256(digests: Sequence[str]) -> str:
    """One digest over the pixel digests of a record's media in their order; of one medium it is that medium's own."""
    if len(digests) < 2:
        return "".join(digests)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def phash(pixels: NDArray[np.uint8]) -> int:
    """The 64-bit perceptual hash of `imagehash.phash`, the first bit highest; near images differ in few bits.

    `pixels` is uint8, (y, x) or (y, x, 3). Raises `RecordError("not_an_image")` for anything else.
    """
    import imagehash
    from PIL import Image

    grey_or_rgb = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not grey_or_rgb or pixels.size == 0:
        raise RecordError("not_an_image", f"{pixels.dtype} {pixels.shape}", "render to 8-bit grey or RGB first")
    return int(str(imagehash.phash(Image.fromarray(np.ascontiguousarray(pixels)))), 16)


# -------------------------------------------------------------------------------------------------------- the answer
def find_duplicates(
    sketches: Sequence[Sketch],
    config: DedupConfig,
    texts: Texts | None = None,
    alike: Sequence[Alike] = (),
    near: Mapping[str, Duplicate] | None = None,
) -> dict[str, Duplicate]:
    """The records that go, by key in sorted order, each with its evidence; every other record stays. `alike` are pairs
    of media whose pixels agree, `near` the near duplicates of texts where they are known (`curate.near_stages`).

    With `texts`, near duplicates are confirmed by exact Jaccard similarity. Raises `RecipeError` where a key stands
    twice or signatures differ in length.
    """
    ranked = sorted(sketches, key=rank)  # from here on a smaller index is a better record
    _check(ranked)
    found: dict[str, Duplicate] = {}
    shown = [s for s in ranked if s.kind != "text"]
    if config.exact or alike:
        found |= media_duplicates(shown, alike, exact=config.exact)
    found |= _text_duplicates([s for s in ranked if s.kind == "text"], config, texts, near)
    return dict(sorted(found.items()))


def _check(ranked: list[Sketch]) -> None:
    if len({s.key for s in ranked}) != len(ranked):
        raise RecipeError("two sketches have one key; a record is compared once")
    sizes = sorted({len(s.minhash) for s in ranked if s.minhash is not None})
    if len(sizes) > 1:
        raise RecipeError(f"signatures of {sizes} values cannot be compared; prepare all sources with one version")


# -------------------------------------------------------------------------------------------------------------- text
def _text_duplicates(
    ranked: list[Sketch], config: DedupConfig, texts: Texts | None, known: Mapping[str, Duplicate] | None
) -> dict[str, Duplicate]:
    """Equal texts go to the best of their class; the classes' best are then compared for nearness.

    Where equal texts are not asked for (`exact: false`), they are near duplicates with similarity 1 like any other.
    """
    found: dict[str, Duplicate] = {}
    best = ranked
    if config.exact:
        best = []
        for members in classes(ranked, _text_tokens):
            keeper = members[0]
            best.append(keeper)
            for item in members[1:]:
                same = item.content_sha256 and item.content_sha256 == keeper.content_sha256
                found[item.key] = Duplicate(keeper.key, keeper.key, "bytes" if same else "text", 1.0, 1.0)
    if config.near_duplicates.text is None:
        return found
    near = _near_duplicates(best, config.near_duplicates, texts) if known is None else known
    moved = {key: _moved(duplicate, near) for key, duplicate in found.items()}
    return moved | dict(near)


def _text_tokens(item: Sketch) -> tuple[tuple[str, ...], ...]:
    """The text's digest; of a text without any word, the bytes."""
    return (("t", item.text_sha256) if item.text_sha256 else ("b", item.content_sha256),)


def _moved(duplicate: Duplicate, near: Mapping[str, Duplicate]) -> Duplicate:
    """The same evidence, where the record that it was compared with goes itself: to the keeper of the cluster."""
    of = near[duplicate.matched].of if duplicate.matched in near else duplicate.of
    return Duplicate(of, duplicate.matched, duplicate.method, duplicate.score, duplicate.threshold)


def _near_duplicates(ranked: list[Sketch], config: NearDuplicates, texts: Texts | None) -> dict[str, Duplicate]:
    """Single-linkage clusters of texts whose similarity reaches the threshold."""
    assert config.text is not None
    signed = [s for s in ranked if s.minhash is not None and not texts_module.is_empty_signature(s.minhash)]
    if not signed:
        return {}
    matrix = np.stack([s.minhash for s in signed if s.minhash is not None])
    count, rows = bands(config.text, matrix.shape[1], config.false_negative_weight)
    scheme = pairs.Scheme(count, rows, config.text, exact=texts is not None)
    keys = pairs.band_keys(matrix, count, rows)
    ids = np.repeat(np.arange(len(signed)), count)
    read = None if texts is None else _text_reader([s.key for s in signed], texts)
    proposed = pairs.pairs_of_partition(keys.reshape(-1), ids, matrix.__getitem__, scheme)
    near = pairs.joined([part if read is None else pairs.confirm(part, read, config.text) for part in proposed])
    keepers = pairs.clusters(len(signed), [near])
    members = np.flatnonzero(keepers != np.arange(len(signed)))
    match, score = pairs.best_matches(near, len(signed))
    direct = pairs.similarities(keepers[members].astype(np.int64), members, matrix.__getitem__, scheme, near, read)
    found: dict[str, Duplicate] = {}
    for member, own in zip(members.tolist(), direct.tolist(), strict=True):
        keeper = int(keepers[member])
        matched, value = (keeper, own) if own >= config.text else (int(match[member]), float(score[member]))
        evidence = Duplicate(signed[keeper].key, signed[matched].key, "minhash", value, config.text)
        found[signed[member].key] = evidence
    return found


def _text_reader(keys: list[str], texts: Texts) -> pairs.TextsOf:
    return lambda ids: [texts(keys[k]) for k in ids.tolist()]


@functools.lru_cache(maxsize=64)
def bands(threshold: float, num_perm: int, false_negative_weight: float = 0.5) -> tuple[int, int]:
    """(bands, rows) as `datasketch.MinHashLSH` chooses them for a threshold and a weight of misses over false alarms.

    Near 1 it finds one band best and refuses it; the answer is then two bands of half the permutations each.
    """
    from datasketch import MinHashLSH

    try:
        lsh = MinHashLSH(threshold, num_perm, (1 - false_negative_weight, false_negative_weight))
    except ValueError:
        return 2, num_perm // 2
    return int(lsh.b), int(lsh.r)
