"""Random series against what is known of them, against dcm2niix and SimpleITK: same voxels, same places.

Where the three disagree, the written series is the truth and ours agrees with it; so these are not compared:

- dcm2niix takes slices of a SIEMENS series whose InstanceNumber order is not spatial for several volumes, and drops
  some (`numbered_in_space`). PS3.3 C.7.6.2 gives positions, not numbers, the say.
- dcm2niix takes the gap of a multi-frame file from its first and last frame, and one frame's slope for all, so only
  files stored in spatial order with one slope are compared. PS3.3 C.7.6.16.2.3 and C.7.6.16.2.9 are per frame.
- dcm2niix takes the first gap of a series for all; where positions are rounded so that gaps differ, ours is their mean.
"""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.arrays import Volume
from curate.dicom.multiframe import read_volumes
from curate.dicom.series import read_series
from curate.volume import corner_distance_mm
from tests.dicomgen import FACTS, SPLITS, Case, series_case, write_enhanced, write_four_d, write_series
from tests.sources.test_dicom_tree import facts_of, items_of

nibabel: Any = importlib.import_module("nibabel")  # its functions are not annotated
sitk: Any = importlib.import_module("SimpleITK")
dcm2niix: Any = importlib.import_module("dcm2niix")


def _canonical(voxels: NDArray[Any], affine: NDArray[Any]) -> Any:
    return nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels.T.astype(np.float64), affine))


def _assert_same(ours: Any, theirs: Any, exact: bool) -> None:
    assert ours.shape == theirs.shape
    assert corner_distance_mm(ours.affine, theirs.affine, ours.shape) <= 1e-3
    allowed = 0.0 if exact else 2e-6 * float(np.abs(theirs.get_fdata()).max())
    assert float(np.abs(ours.get_fdata() - theirs.get_fdata()).max()) <= allowed


def _is_whole(case: Case) -> bool:
    return bool((case.values == np.rint(case.values)).all())


def _assert_true(volume: Volume, case: Case) -> Any:
    """The volume is what was written; in RAS+ order."""
    ours = _canonical(volume.voxels, volume.affine)
    _assert_same(ours, _canonical(case.values, case.affine), _is_whole(case))
    assert not _is_whole(case) or volume.voxels.dtype.kind in "iu"
    return ours


def _by_dcm2niix(folder: Path, rotate: bool) -> Any:
    out = folder.parent / "out"
    out.mkdir()
    options = ["-z", "n", "-b", "n", "-m", "n", "-x", "n" if rotate else "i", "-o", str(out)]
    subprocess.run([dcm2niix.bin, *options, str(folder)], check=True, capture_output=True)
    (made,) = out.glob("*.nii")
    return nibabel.as_closest_canonical(nibabel.load(made))


def _by_simpleitk(folder: Path) -> Any:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return _canonical(sitk.GetArrayFromImage(image), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def _numbered_in_space(case: Case) -> bool:
    return list(case.order) in (sorted(case.order), sorted(case.order, reverse=True))


@pytest.mark.slow
def test_random_series_are_what_was_written_and_what_dcm2niix_and_simpleitk_make(tmp_path: Path) -> None:
    compared = 0
    for seed in range(14):
        case = series_case(seed)
        volume = read_series(write_series(case, tmp_path / str(seed) / "in"))
        ours = _assert_true(volume, case)
        _assert_same(ours, _by_simpleitk(tmp_path / str(seed) / "in"), _is_whole(case))
        if case.vendor != "SIEMENS" or _numbered_in_space(case):
            _assert_same(ours, _by_dcm2niix(tmp_path / str(seed) / "in", rotate=seed % 2 == 1), _is_whole(case))
            compared += 1
    assert compared > 10


@pytest.mark.slow
def test_random_multi_frame_files_are_what_was_written_and_what_dcm2niix_makes(tmp_path: Path) -> None:
    compared = 0
    for seed in range(12):
        case = series_case(seed)
        (volume,) = read_volumes(write_enhanced(case, tmp_path / str(seed) / "in"))
        ours = _assert_true(volume, case)
        if _numbered_in_space(case) and len(set(case.slopes.tolist())) == 1:
            _assert_same(ours, _by_dcm2niix(tmp_path / str(seed) / "in", rotate=False), _is_whole(case))
            compared += 1
    assert compared > 4


@pytest.mark.slow
@pytest.mark.parametrize("split", sorted(SPLITS))
def test_a_random_series_of_several_volumes_is_split_into_them_whatever_tells_them_apart(
    tmp_path: Path, split: str
) -> None:
    case = series_case(100 + sorted(SPLITS).index(split))
    truth = write_four_d(case, tmp_path, split, volumes=4)
    found = items_of(tmp_path)
    assert [(i.form, len(i.files)) for i in found] == [("dicom_series", len(case.stored))] * 4
    for number, (one, stored) in enumerate(zip(found, truth, strict=True)):
        volume = read_series([tmp_path / f.path for f in one.files])
        values = stored * case.slopes[:, None, None] + case.intercepts[:, None, None]
        exact = volume.voxels.dtype.kind in "iu"
        np.testing.assert_allclose(volume.voxels, values, rtol=0 if exact else 1e-6)
        np.testing.assert_allclose(volume.affine, case.affine, atol=1e-9)
        name, stated = FACTS.get(split, ("time_point", lambda v: str(v + 1)))
        assert facts_of(one)[name] == stated(number)
