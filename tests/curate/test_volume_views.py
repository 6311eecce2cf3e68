"""Key slices, windows, and how a recipe asks for volumes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from curate.arrays import Array
from curate.volume.config import NAMES, KeySlices, Published, VolumeTarget, described, needs_masks
from curate.volume.grids import reorient
from curate.volume.key_slices import Mention, chosen, indices_of, mentions
from curate.volume.views import show_key_slices
from curate.volume.windows import WINDOWS, WindowLevel, bounds, to_uint8
from manifests.config import recipe_error
from tests.curate.test_volume_targets import VOLUMES

# Key slices


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A nodule on slice 45.", [(45, 0, 0)]),
        ("slices 45-47 and image 60", [(45, 0, 0), (46, 0, 0), (47, 0, 0), (60, 0, 0)]),
        ("best seen on images 12, 14 and 20", [(12, 0, 0), (14, 0, 0), (20, 0, 0)]),
        ("image 12/30", [(12, 30, 0)]),
        ("Image 12 of 30", [(12, 30, 0)]),
        ("(se 3 im 45)", [(45, 0, 3)]),
        ("series 3, image 45; Series 4/image 7", [(45, 0, 3), (7, 0, 4)]),
        ("IMG #7, im. 8", [(7, 0, 0), (8, 0, 0)]),
        ("见第45层", [(45, 0, 0)]),
        ("5 mm nodule, slice 5, slice thickness 5 mm, slices 2.5 mm, slice 3 cm", [(5, 0, 0)]),
        ("image 1/2/2020, imaging 2020, image 0, images 3-400", [(3, 0, 0)]),
    ],
)
def test_a_text_names_slices(text: str, found: list[tuple[int, int, int]]) -> None:
    assert [tuple(one) for one in mentions(text)] == found


@given(st.text(alphabet="slice image seri 第层0123456789-/,.of and#mm\n", max_size=60))
def test_no_text_breaks_the_reader_of_slices(text: str) -> None:
    found = mentions(text)
    assert len(set(found)) == len(found)
    assert all(one.number > 0 and one.of >= 0 for one in found)
    assert all(0 <= z < 40 for z in indices_of(found, 40))


def test_numbers_become_indices_of_this_stack_only() -> None:
    found = [Mention(1), Mention(30), Mention(31), Mention(5, 30), Mention(5, 99), Mention(2, series=4)]
    assert indices_of(found, 30) == [0, 29, 4, 1]
    assert indices_of(found, 30, "descending") == [29, 0, 25, 28]


def slabs(depth: int, **spans: tuple[int, int, int]) -> dict[str, NDArray[np.uint8]]:
    """Masks whose area is largest at `peak`: (first, peak, last)."""
    out = {}
    for name, (first, peak, last) in spans.items():
        mask = np.zeros((depth, 8, 8), np.uint8)
        mask[first : last + 1, 0, :2] = 1
        mask[peak] = 1
        out[name] = mask
    return out


def test_slices_of_structures_are_spread_over_them_at_their_largest() -> None:
    masks = slabs(40, liver=(5, 12, 20), spleen=(8, 25, 30), lesion=(33, 34, 35))
    assert chosen(40, 3, 1, [], masks) == [12, 25, 34]
    assert chosen(40, 1, 1, [], slabs(40, a=(3, 9, 20), b=(9, 9, 9), c=(30, 33, 35))) == [9]
    assert chosen(40, 2, 1, [7], masks) == sorted({7, chosen(40, 2, 1, [7], masks)[1]})
    assert chosen(40, 4, 1, [39, 0], masks)[0] == 0
    near = chosen(40, 4, 6, [], masks)
    assert min(np.diff(near)) >= 6


def test_without_masks_or_words_slices_are_spread_evenly_and_never_repeat() -> None:
    assert chosen(40, 4, 1, [], {}) == [5, 15, 25, 35]
    assert chosen(3, 8, 5, [], {}) == [0, 1, 2]
    assert chosen(40, 3, 1, [], slabs(40)) == chosen(40, 3, 1, [], {"empty": np.zeros((40, 8, 8), np.uint8)})
    for depth, count, gap in ((7, 5, 3), (30, 30, 9), (12, 4, 50)):
        got = chosen(depth, count, gap, [2], slabs(depth, a=(1, 3, 5)))
        assert len(got) == len(set(got)) == count
        assert got == sorted(got)
        assert set(got) <= set(range(depth))


def test_the_shown_slices_are_those_of_the_text_and_the_mask() -> None:
    volume = VOLUMES["flipped"]
    shown = show_key_slices(volume, KeySlices(count=3, window="bone"), "The lesion is on image 7/40, not on slice 99.")
    assert shown.slices is not None
    assert 6 in shown.slices
    holds = [volume.masks["ball"][z].any() for z in shown.slices]
    assert sum(holds) >= 1
    assert (shown.voxels.shape, shown.tokens) == ((3, 70, 78), 768)
    turned = reorient(volume, "LPS")
    for picture, z in zip(shown.voxels, shown.slices, strict=True):
        assert np.array_equal(picture, to_uint8(turned.voxels[z], "bone"))


# Windows


def test_a_window_maps_its_centre_to_grey_and_its_ends_to_black_and_white() -> None:
    for name, (centre, width) in WINDOWS.items():
        hu = np.array([[centre - width, centre - width / 2, centre, centre + width / 2, centre + width]], np.float32)
        shown = to_uint8(hu, name)[0]
        assert shown[0] == 0
        assert shown[1] <= 255 / (width - 1)
        assert abs(int(shown[2]) - 128) <= 255 / (width - 1) + 1
        assert shown[3:].tolist() == [255, 255]
    assert bounds(WindowLevel(centre=1, width=2)) == (1.0, 2.0)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32])
def test_a_stack_is_windowed_like_its_slices(dtype: Any) -> None:
    values: Array = (
        np.random.default_rng(2).integers(0 if dtype == np.uint16 else -2000, 3000, (9, 150, 150)).astype(dtype)
    )
    assert np.array_equal(to_uint8(values, "soft_tissue")[4], to_uint8(values[4], "soft_tissue"))
    assert np.array_equal(to_uint8(values, WindowLevel(centre=0, width=1)) == 255, values > -0.5)


# Recipes


ADAPTER: TypeAdapter[Any] = TypeAdapter(VolumeTarget)


def test_a_target_is_a_name_or_a_mapping_and_survives_json() -> None:
    for value in (
        *NAMES,
        {"target": "hulu_180", "orientation": "LPS"},
        {"target": "key_slices", "count": 5, "window": "lung"},
        {"target": "key_slices", "window": {"centre": 40, "width": 80}},
        {"target": "grid", "shape": [64, 64, 64], "masks": "label_gaussian"},
    ):
        target = ADAPTER.validate_python(value)
        again = ADAPTER.validate_python(json.loads(ADAPTER.dump_json(target)))
        assert again == target
    assert ADAPTER.validate_python("hulu_180") == "hulu_180"
    assert ADAPTER.validate_python("key_slices") == KeySlices()
    assert ADAPTER.validate_python({"target": "m3d_32x256x256"}) == Published(target="m3d_32x256x256")
    assert [needs_masks(ADAPTER.validate_python(name)) for name in NAMES] == [False] * 8 + [True, True]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("m3d", "unknown volume target 'm3d'"),
        ("hulu_18", "did you mean 'hulu_180'?"),
        ({"target": "grids"}, "did you mean 'grid'?"),
        ({"count": 5}, "has no target; known: canonical"),
        ({"target": "key_slices", "cuont": 5}, "unknown key 'cuont' (did you mean 'count'?)"),
        ({"target": "key_slices", "count": 0}, "greater than or equal to 1"),
        ({"target": "grid", "window": "lungs"}, "window"),
        ({"target": "grid", "spacing_mm": [1, 1, -1]}, "greater than 0"),
        ({"target": "hulu_180", "orientation": "LLL"}, "orientation 'LLL' is not"),
        (7, "found 7"),
    ],
)
def test_a_wrong_target_is_told_in_the_houses_words(value: Any, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(value)
    assert told in str(recipe_error(caught.value, "render"))


def test_a_sample_says_which_target_it_was_made_for() -> None:
    told = [
        described(ADAPTER.validate_python(value))
        for value in (
            "canonical",
            {"target": "hulu_180", "orientation": "LPS"},
            {"target": "key_slices", "count": 5, "window": {"centre": 40, "width": 80}},
            {"target": "grid", "shape": [8, 9, 10], "window": "lung", "orientation": "RAS"},
            {"target": "grid", "spacing_mm": None, "shape": [8, 9, 10]},
        )
    ]
    assert told == [
        "canonical",
        "hulu_180@LPS",
        "key_slices_5_40_80",
        "grid_1.5x1.5x1.5mm_8x9x10_lung@RAS",
        "grid_8x9x10",
    ]
