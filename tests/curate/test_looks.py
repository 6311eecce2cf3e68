"""Looks of pictures: the same picture is found whatever was done to it, another is not, and the search misses none."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.arrays import Array
from curate.looks.config import LooksConfig
from curate.looks.confirm import compare_images
from curate.looks.hashes import bit_order, distance, inverse_turn, picture_hashes, reduced, turned, turned_hashes
from curate.looks.index import bands, near_pairs
from curate.looks.pairs import candidates, confirm_pair
from curate.looks.rows import from_bytes, image_looks, to_bytes
from manifests.errors import RecordError

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
CONFIG = LooksConfig()
FRAMES = 6


def real_pictures() -> list[Array]:
    """Ultrasound, MR and CT of pydicom, as stored."""
    import pydicom

    spec = importlib.util.find_spec("pydicom")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "data/test_files"
    names = ("examples_rgb_color.dcm", "examples_overlay.dcm", "CT_small.dcm", "examples_palette.dcm")
    return [np.asarray(pydicom.dcmread(folder / name).pixel_array) for name in names]


PICTURES = real_pictures()


def jpeg(pixels: Array, quality: int) -> Array:
    stream = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(stream))


def to8(pixels: Array) -> Array:
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.percentile(pixels, [0.5, 99.5])
    shown: Array = np.clip((pixels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return shown


def cropped(pixels: Array) -> Array:
    height, width = (round(0.9 * n) for n in pixels.shape[:2])
    return pixels[-height:, 4 : 4 + width]


def resized(pixels: Array) -> Array:
    size = round(pixels.shape[1] * 0.7), round(pixels.shape[0] * 0.8)
    return np.asarray(PIL.Image.fromarray(pixels).resize(size))


def windowed(pixels: Array) -> Array:
    low, high = np.percentile(pixels, [10, 95])
    shown: Array = np.clip((pixels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return shown


def bordered(pixels: Array) -> Array:
    sides = ((9, 30), (20, 3)) + ((0, 0),) * (pixels.ndim - 2)
    return jpeg(np.pad(pixels, sides, constant_values=255), 85)


DISTORTIONS = {
    "resized": resized,
    "cropped": cropped,
    "jpeg": lambda pixels: jpeg(pixels, 30),
    "windowed": windowed,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "turned": lambda pixels: np.rot90(pixels),
    "deepened": lambda pixels: (pixels if pixels.ndim == 2 else pixels[..., 1]).astype(np.uint16) * 256 + 100,
}

FORMS = {**DISTORTIONS, "bordered": bordered}


@pytest.mark.parametrize("name", ["bordered", *(pytest.param(n, marks=pytest.mark.slow) for n in DISTORTIONS)])
def test_a_distorted_picture_is_found_and_only_its_own_original(name: str) -> None:
    made = [np.ascontiguousarray(FORMS[name](to8(pixels))) for pixels in PICTURES]
    looks = [from_bytes(to_bytes(image_looks(pixels))) for pixels in [*PICTURES, *made]]
    media = [*PICTURES, *made]
    found = {
        (pair.i, pair.j): match
        for pair in candidates(looks, CONFIG)
        if (match := confirm_pair(pair, media[pair.i], media[pair.j], CONFIG))
    }
    assert set(found) == {(n, n + len(PICTURES)) for n in range(len(PICTURES))}


def test_what_a_match_says_of_its_place_is_where_the_crop_was_taken() -> None:
    pixels = to8(PICTURES[0])
    match = compare_images(pixels, pixels[20:230, 10:300], 0, (0, 0))
    height, width = pixels.shape[:2]
    expected = (210 / height, 20 / height, 290 / width, 10 / width)
    assert match.score > 0.9
    assert np.allclose(match.place, expected, atol=0.005)


@pytest.mark.parametrize("turn", range(8))
def test_the_hash_of_a_turned_picture_is_the_turned_hash(turn: int) -> None:
    pixels = to8(PICTURES[1])
    windows, hashes, doubtful = picture_hashes(pixels, parts=False)
    _, direct, _ = picture_hashes(np.ascontiguousarray(turned(pixels, turn)), parts=False)
    assert windows[0] == 0
    assert distance(turned_hashes(hashes, doubtful, turn)[0], direct[0]) == 0
    assert np.array_equal(turned(turned(pixels, turn), inverse_turn(turn)), pixels)


def test_area_means_are_those_of_a_plain_calculation() -> None:
    draw = np.random.default_rng(3)
    pixels = draw.integers(0, 256, (256, 384)).astype(np.uint8)
    expected = pixels.reshape(128, 2, 128, 3).mean(axis=(1, 3)) / 255 * 65535
    assert np.abs(reduced(pixels) - expected).max() <= 0.51
    colour = draw.integers(0, 256, (200, 131, 3)).astype(np.uint8)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    weights = [np.clip(np.minimum.outer(np.arange(1, 129) * n / 128, np.arange(1, n + 1)), 0, None) for n in (200, 131)]
    weights = [
        np.clip(w - np.maximum.outer(np.arange(128) * n / 128, np.arange(n)), 0, None) * 128 / n
        for w, n in zip(weights, (200, 131), strict=True)
    ]
    assert np.abs(reduced(colour) - weights[0] @ luma @ weights[1].T * 257).max() < 2


def test_a_picture_of_one_value_has_no_looks_and_matches_nothing() -> None:
    flat = image_looks(np.full((64, 64), 7, np.uint8))
    assert len(flat) == 0
    assert to_bytes(flat) == b""
    assert candidates([flat, flat, image_looks(PICTURES[0])], CONFIG) == []


def test_hashes_are_those_that_are_stored_elsewhere() -> None:
    """Benchmark packs and prepared columns hold hashes: a change of a bit is a change of their form."""
    y, x = np.mgrid[:96, :120]
    pixels = ((y * y * 3 + x * 7 + (x * y) // 5) % 251).astype(np.uint16) * 40
    _, hashes, _ = picture_hashes(pixels, parts=False)
    assert [f"{int(word):016x}" for word in hashes[0]] == ["08c1013100000b04", "9a030d1155a1906a"]
    assert len({tuple(pair) for pair in bit_order().tolist()}) == 128


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 4), np.uint8), np.zeros((0, 3)), np.zeros((3, 3), "U1")])
def test_what_is_no_picture_is_refused(pixels: Array) -> None:
    with pytest.raises(RecordError, match="not_an_image"):
        reduced(pixels)


@given(st.binary(max_size=120))
@settings(max_examples=60, deadline=None)
def test_foreign_bytes_are_refused_or_read(stored: bytes) -> None:
    for data in (stored, b"look1p" + stored, b"look1s" + stored):
        whole = data[:5] == b"look1" and (len(data) - 6) % {b"p": 40, b"s": 24}.get(data[5:6], len(data)) == 0
        if data and (len(data) == 6 or not whole):
            with pytest.raises(RecordError, match="bad_looks"):
                from_bytes(data)
        elif data:
            assert len(from_bytes(data)) == (len(data) - 6) // {b"p": 40, b"s": 24}[data[5:6]]


@pytest.mark.parametrize(("low", "whole"), [(14, 36), (12, 32), (3, 9), (0, 5), (2, 128)])
def test_the_search_finds_every_pair_and_no_other_in_any_order(low: int, whole: int) -> None:
    draw = np.random.default_rng(1)
    hashes = draw.integers(0, 2**64, (600, 2), dtype=np.uint64)
    hashes[300:] = hashes[:300]
    for row in range(300, 600):
        for bit in draw.integers(0, 128, draw.integers(0, 44)):
            hashes[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).astype(int)
    expected = np.argwhere((apart[..., 0] <= low) & (apart.sum(axis=2) <= whole))
    found = near_pairs(hashes, hashes, low, whole)
    assert np.array_equal(found[:, :2], expected)
    assert np.array_equal(found[:, 2], apart.sum(axis=2)[tuple(expected.T)])
    order = draw.permutation(600)
    other = near_pairs(hashes[order], hashes, low, whole)
    assert {(int(order[a]), int(b)) for a, b, _ in other} == {(int(a), int(b)) for a, b in expected}


@pytest.mark.parametrize("radius", range(21))
@pytest.mark.parametrize("count", [1, 10**4, 10**7])
def test_the_bands_of_a_search_leave_no_pair_out(radius: int, count: int) -> None:
    """Pigeonhole: the radii plus one add up to more than the radius, and no bit is in two bands."""
    cut = bands(radius, count)
    assert sum(band.radius + 1 for band in cut) == radius + 1
    bits = [bit for band in cut for bit in range(band.shift, band.shift + band.width)]
    assert len(set(bits)) == len(bits)
    assert max(bits) < 64


@pytest.mark.slow
def test_adding_a_record_changes_no_pair_of_the_others() -> None:
    looks = [image_looks(p) for p in (*PICTURES, *(cropped(to8(p)) for p in PICTURES))]
    every = candidates(looks, CONFIG)
    assert [c for c in every if c.j < len(looks) - 1] == candidates(looks[:-1], CONFIG)


@pytest.mark.slow
def test_nothing_of_it_is_imported_until_a_picture_is_met() -> None:
    code = "import sys, curate.looks.pairs, curate.looks.video; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])


@pytest.mark.shared_data
@pytest.mark.slow
def test_radiographs_of_different_patients_are_kept_apart() -> None:
    folder = DATA / "cxr-covid-hannover"
    if not folder.exists():
        pytest.skip("the licensed data are not beside the checkout")
    lines = (folder / "data.subset.csv").read_text().splitlines()[1:]
    patients = {line.split(",")[1]: line.split(",")[0] for line in lines}
    paths = [p for p in sorted(folder.rglob("*.png")) if p.stem in patients][:14]
    pixels = [np.asarray(PIL.Image.open(p).convert("L")) for p in paths]
    for i, one in enumerate(pixels):
        for j in range(i):
            if patients[paths[i].stem] != patients[paths[j].stem]:
                assert compare_images(one, pixels[j]).score < CONFIG.image_score, (paths[i].stem, paths[j].stem)
