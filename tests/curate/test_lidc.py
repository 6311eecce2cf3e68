"""Contours of the LIDC's readers become the masks that the LIDC's rule and the readers' majority say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from curate.arrays import Volume
from curate.dicom.lidc import read_lidc
from manifests.errors import RecordError

SHAPE = (6, 40, 48)


def grid(affine: Any = None, notes: tuple[str, ...] = ()) -> Volume:
    """Axial slices of 2.5 mm from z = -100 mm."""
    placed = np.diag([-0.7, -0.7, 2.5, 1.0]) if affine is None else affine
    placed[2, 3] = -100.0
    return Volume(np.zeros(SHAPE, np.int16), placed, "HU", notes=notes)


def ring(x: float, y: float, radius: float, seed: int) -> list[tuple[int, int]]:
    """The pixels just outside of a blob, in order round it: a closed chain of neighbours."""
    rng = np.random.default_rng(seed)
    turns = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    wave = radius * (1 + 0.2 * np.sin(3 * turns + rng.uniform(0, 6)))
    at = np.rint(np.stack([x + wave * np.cos(turns), y + wave * np.sin(turns)], axis=1)).astype(int)
    return list(dict.fromkeys(map(tuple, at.tolist())))


def roi(points: list[tuple[int, int]], index: int, inclusion: str = "TRUE") -> str:
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    place = f"<imageZposition>{-100 + 2.5 * index}</imageZposition><imageSOP_UID>1.{index}</imageSOP_UID>"
    return f"<roi>{place}<inclusion>{inclusion}</inclusion>{edges}</roi>"


def written(path: Path, *readers: str) -> Path:
    told = "".join(f"<readingSession><unblindedReadNodule>{r}</unblindedReadNodule></readingSession>" for r in readers)
    path.write_text(f'<LidcReadMessage xmlns="http://www.nih.gov">{told}</LidcReadMessage>')
    return path


def filled(points: list[tuple[int, int]]) -> Any:
    """The oracle: what a closed chain of pixels encloses, the chain itself left out."""
    chain = np.zeros(SHAPE[1:], bool)
    chain[tuple(np.array(points).T[::-1])] = True
    return ndimage.binary_fill_holes(chain) & ~chain


def test_a_border_is_outside_of_its_nodule_and_half_of_the_readers_decide(tmp_path: Path) -> None:
    rings = [ring(20 + k, 18, 9, k) for k in range(3)]
    hole = ring(20, 18, 3, 7)
    first = roi(rings[0], 2) + roi(hole, 2, "FALSE") + roi(rings[0], 3)
    found = read_lidc(written(tmp_path / "a.xml", first, roi(rings[1], 2), roi(rings[2], 2) + roi(rings[2], 9)), grid())
    one, two, three = (filled(r) for r in rings)
    chain = np.zeros(SHAPE[1:], bool)
    chain[tuple(np.array(hole).T[::-1])] = True
    assert list(found.masks) == ["lung_nodule_1", *(f"lung_nodule_1_reader_{k}" for k in (1, 2, 3))]
    assert one.sum() > 150
    assert np.array_equal(found.masks["lung_nodule_1_reader_1"][2], one & ~filled(hole) & ~chain)
    assert np.array_equal(found.masks["lung_nodule_1_reader_1"][3], one)
    assert np.array_equal(found.masks["lung_nodule_1_reader_2"][2], two)
    votes = (one & ~filled(hole) & ~chain).astype(int) + two + three
    assert np.array_equal(found.masks["lung_nodule_1"][2], votes >= 2)
    assert not found.masks["lung_nodule_1"][3].any()  # one of three
    assert found.notes == ("lidc_off_grid=1",)


def test_sparse_corners_that_reach_out_of_the_slice_are_cut_and_their_edges_are_borders(tmp_path: Path) -> None:
    square = [(44, 10), (52, 10), (52, 20), (44, 20)]
    found = read_lidc(written(tmp_path / "a.xml", roi(square, 0), roi([(1, 1), (2, 2)], 1)), grid())
    inside = np.zeros(SHAPE[1:], bool)
    inside[11:20, 45:] = True
    assert np.array_equal(found.masks["lung_nodule_1"][0], inside)
    assert found.notes == ("lidc_empty=2",)


def test_contours_are_not_laid_on_a_grid_that_they_were_not_drawn_on(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xml", roi(ring(20, 18, 9, 0), 2))
    tilted = np.diag([-0.7, -0.7, 2.5, 1.0])
    tilted[1, 2] = 0.4
    for like in (grid(tilted), grid(notes=("gantry_tilt_corrected:3.00deg",))):
        with pytest.raises(RecordError) as refused:
            read_lidc(path, like)
        assert refused.value.reason == "mask_grid"
