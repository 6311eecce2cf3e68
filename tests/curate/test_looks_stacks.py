"""Looks of volumes and clips: the same scan whatever its form, a figure's slice, a frame's time."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curate.arrays import Array, Frames, Volume
from curate.looks.config import LooksConfig
from curate.looks.confirm import Match
from curate.looks.hashes import turned
from curate.looks.line import lines
from curate.looks.pairs import Media, candidates, confirm_pair
from curate.looks.planes import reduced_planes
from curate.looks.rows import Looks, from_bytes, image_looks, to_bytes
from curate.looks.video import chosen_frames, video_looks
from curate.looks.volume import canonical, grey_bounds, plane_of, volume_looks
from curate.volume import read_volume
from curate.volume.grids import placed, reorient
from tests.curate.test_looks import jpeg

CONFIG = LooksConfig()


def packaged(name: str, path: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / path


@pytest.fixture(scope="module")
def brains() -> list[Volume]:
    """A T1 of 2 mm (33 x 41 x 25) and another subject's head (46 x 63 x 53 at 3 mm)."""
    paths = [packaged("nibabel", "tests/data/anatomical.nii"), packaged("nilearn", "datasets/data/image_10426.nii.gz")]
    return [read_volume(path) for path in paths]


def matched(looks: list[Looks], media: list[Media]) -> dict[tuple[int, int], Match]:
    stored = [from_bytes(to_bytes(rows)) for rows in looks]
    pairs = candidates(stored, CONFIG)
    return {(c.i, c.j): m for c in pairs if (m := confirm_pair(c, media[c.i], media[c.j], CONFIG))}


def resampled(volume: Volume) -> Volume:
    from scipy import ndimage

    voxels = ndimage.zoom(volume.voxels.astype(np.float32), (1.3, 0.8, 1.1), order=1)
    steps = [a / b for a, b in zip(volume.voxels.shape[::-1], voxels.shape[::-1], strict=True)]
    return Volume(voxels, placed(volume.affine, steps, [(s - 1) / 2 for s in steps]))


def requantised(volume: Volume) -> Volume:
    low, high = np.percentile(volume.voxels, [1, 99])
    voxels = np.clip((volume.voxels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return dataclasses.replace(volume, voxels=voxels)


def cropped(volume: Volume) -> Volume:
    z, y, x = (n // 20 for n in volume.voxels.shape)
    return dataclasses.replace(
        volume, voxels=volume.voxels[z:-z, y:-y, x:-x], affine=placed(volume.affine, (1, 1, 1), (x, y, z))
    )


def half(volume: Volume) -> Volume:
    return dataclasses.replace(volume, voxels=volume.voxels[: len(volume.voxels) // 2])


FORMS: dict[str, Callable[[Volume], Volume]] = {
    "turned": lambda volume: reorient(volume, "PIR"),
    "resampled": resampled,
    "requantised": requantised,
    "cropped": cropped,
    "half": half,
}


@pytest.mark.slow
@pytest.mark.parametrize("form", list(FORMS))
def test_a_scan_in_another_form_is_the_same_and_another_head_is_not(form: str, brains: list[Volume]) -> None:
    media: list[Media] = [*brains, *map(FORMS[form], brains)]
    looks = [volume_looks(volume) for volume in media if isinstance(volume, Volume)]
    assert set(matched(looks, media)) == {(0, 2), (1, 3)}


@pytest.mark.slow
def test_a_figure_is_linked_to_its_volume_and_slice_whichever_comes_first(brains: list[Volume]) -> None:
    volume = canonical(brains[1])
    looks = [volume_looks(brain) for brain in brains]
    for axis, index, turn in ((2, 22, 3), (1, 30, 1), (0, 20, 6)):
        plane = plane_of(volume, axis, index, grey_bounds(volume, 0))
        large = np.repeat(np.repeat((plane >> 8).astype(np.uint8), 5, axis=0), 4, axis=1)
        figure = jpeg(turned(large, turn), 60)
        found = matched([*looks, image_looks(figure)], [*brains, figure])
        assert set(found) == {(1, 2)}
        match = found[1, 2]
        assert (match.method, match.axis) == ("slice", axis)
        assert abs(match.pairs[0][0] - index) <= 1
        first = matched([image_looks(figure), looks[1]], [figure, brains[1]])
        assert first[0, 1] == match


def clip() -> Frames:
    """30 frames of an ultrasound in a cine loop, 10 a second."""
    import pydicom

    path = packaged("pydicom", "data/test_files/examples_ybr_color.dcm")
    frames = np.asarray(pydicom.dcmread(path).pixel_array, np.uint8)
    return Frames(frames, tuple(n / 10 for n in range(len(frames))))


@pytest.mark.slow
def test_a_frame_and_an_excerpt_are_linked_to_their_clip_and_time() -> None:
    whole = clip()
    kept = range(9, 27)
    part = Frames(
        np.stack([jpeg(whole.frames[k], 60)[::2, ::2] for k in kept]), tuple(n / 10 for n in range(len(kept)))
    )
    frame: Array = jpeg(whole.frames[17], 50)
    media: list[Media] = [whole, part, frame]
    found = matched([video_looks(whole), video_looks(part), image_looks(frame)], media)
    assert set(found) == {(0, 1), (0, 2), (1, 2)}
    assert found[0, 2].method == "frame"
    assert all(abs(a - b - 900) <= 200 for a, b in found[0, 1].pairs)


def test_frames_are_chosen_by_time_not_by_number() -> None:
    assert chosen_frames((0.0, 0.1, 0.249, 0.26, 0.5, 3.0), 0.25) == [0, 3, 5]
    assert chosen_frames((0.0, 0.1, 0.2501, 0.5, 3.0), 0.25) == [0, 2, 3, 4]


def test_a_line_holds_matches_in_order_and_leaves_out_the_rest() -> None:
    on_it = [(2, n, 2 * n + 7, f"{n}") for n in (3, 9, 5, 14)]
    beside = [(2, 4, 40, "x"), (2, 8, 3, "y"), (1, 1, 1, "z")]
    assert lines([*beside, *on_it], 3) == [["3", "5", "9", "14"]]
    assert lines([(0, n, 5, "one slice for all") for n in range(9)], 3) == []
    assert lines([(0, n, 9 - n, "against the patient's axes") for n in range(9)], 3) == []


def test_planes_reduced_in_one_reading_are_those_that_are_cut_out(brains: list[Volume]) -> None:
    for volume in (brains[1], dataclasses.replace(brains[0], voxels=np.rint(brains[0].voxels).astype(np.int16))):
        turned_volume = canonical(volume)
        bounds = grey_bounds(turned_volume, 0)
        chosen = [range(1, n, 9) for n in turned_volume.voxels.shape[::-1]]
        for axis, planes in enumerate(reduced_planes(turned_volume.voxels, bounds, chosen)):
            for index, cells in zip(chosen[axis], planes, strict=True):
                whole = plane_of(turned_volume, axis, index, bounds).astype(np.int64)
                for side in range(2):
                    whole = np.repeat(whole, 128, axis=side)
                    shape = (*whole.shape[:side], 128, whole.shape[side] // 128, *whole.shape[side + 1 :])
                    whole = whole.reshape(shape).sum(axis=side + 1)
                sizes = [n for k, n in enumerate(turned_volume.voxels.shape) if k != 2 - axis]
                assert np.abs(cells - whole / (sizes[0] * sizes[1])).max() <= 0.51
