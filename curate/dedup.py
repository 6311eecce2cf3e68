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

**Near duplicates** are found before, out of core, by the stages of `curate.near_stages`: MinHash with
locality-sensitive hashing (Broder 1997; Leskovec et al., Mining of Massive Datasets, chapter 3). Candidates share a
band, bands and rows are datasketch's choice for the threshold, and every candidate is confirmed by the exact Jaccard
similarity of the texts. Banding misses pairs close to the threshold by design: with the default weight at 0.8 (9 bands
of 13) it proposes 40 % of pairs at 0.80, 93 % at 0.90, 99.8 % at 0.95; raise `false_negative_weight` for more (0.9: 87
% at 0.80). A pair is judged in the first band that it shares; how buckets of more than 64 records are kept linear, and
which pairs that can miss, is told in `curate.near.pairs`.

What it holds per record: the sketch, and no signature; select as a whole takes 1.9 kB a record.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from curate.dedup_media import media_duplicates
from curate.looks.config import LooksConfig
from curate.sketch import Alike, Duplicate, Sketch, classes, rank
from manifests.config import Config
from manifests.errors import RecipeError, RecordError


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
    alike: Sequence[Alike] = (),
    near: Mapping[str, Duplicate] | None = None,
) -> dict[str, Duplicate]:
    """The records that go, by key in sorted order, each with its evidence; every other record stays. `alike` are pairs
    of media whose pixels agree, `near` the near duplicates of the texts that no equal one goes before
    (`curate.near_stages.near_duplicates`).

    Raises `RecipeError` where a key stands twice.
    """
    ranked = sorted(sketches, key=rank)
    if len({s.key for s in ranked}) != len(ranked):
        raise RecipeError("two sketches have one key; a record is compared once")
    found: dict[str, Duplicate] = {}
    if config.exact or alike:
        found |= media_duplicates([s for s in ranked if s.kind != "text"], alike, exact=config.exact)
    equal = _equal_texts([s for s in ranked if s.kind == "text"]) if config.exact else {}
    near = near or {}
    found |= {key: _moved(duplicate, near) for key, duplicate in equal.items()}
    return dict(sorted((found | dict(near)).items()))


# -------------------------------------------------------------------------------------------------------------- text
def _equal_texts(ranked: list[Sketch]) -> dict[str, Duplicate]:
    """Equal texts go to the best of their class.

    Where they are not asked for (`exact: false`), they are near duplicates with similarity 1 like any other.
    """
    found: dict[str, Duplicate] = {}
    for keeper, *others in classes(ranked, _text_tokens):
        for item in others:
            same = item.content_sha256 and item.content_sha256 == keeper.content_sha256
            found[item.key] = Duplicate(keeper.key, keeper.key, "bytes" if same else "text", 1.0, 1.0)
    return found


def _text_tokens(item: Sketch) -> tuple[tuple[str, ...], ...]:
    """The text's digest; of a text without any word, the bytes."""
    return (("t", item.text_sha256) if item.text_sha256 else ("b", item.content_sha256),)


def _moved(duplicate: Duplicate, near: Mapping[str, Duplicate]) -> Duplicate:
    """The same evidence, where the record that it was compared with goes itself: to the keeper of the cluster."""
    of = near[duplicate.matched].of if duplicate.matched in near else duplicate.of
    return Duplicate(of, duplicate.matched, duplicate.method, duplicate.score, duplicate.threshold)


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
