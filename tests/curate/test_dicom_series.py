"""DICOM series: voxels and places are those of dcm2niix, the fast way equals pydicom's, what is mended is said."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset

from curate.arrays import Volume
from curate.dicom import scan as dicom_scan
from curate.dicom import series as dicom_series
from curate.dicom import voxels as dicom_voxels
from curate.dicom.series import read_series
from curate.dicom.tilt import Drift, straightened
from curate.volume import corner_distance_mm
from manifests.errors import RecordError, Reject
from sources import dicom_walk

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
PACKAGED = Path(str(importlib.util.find_spec("pydicom").origin)).parent / "data"  # type: ignore[union-attr]
FILES = PACKAGED / "test_files"
CT_SERIES = sorted((FILES / "dicomdirtests/98892001/CT5N").iterdir())
DCM2NIIX = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or shutil.which("dcm2niix")
nibabel: Any = importlib.import_module("nibabel")  # not annotated
sitk: Any = importlib.import_module("SimpleITK")

FOLDERS = (
    "ct-totalsegmentator/example_ct_dicom",
    "dicom-ct-head-slicer/CTHeadAxialDicom",
    "dicom-dicom2nifti/generic/compressed_rle/001",
    "dicom-dicom2nifti/generic/anatomical/002_non_isotropic",
    "dicom-dicom2nifti/hitachi/anatomical/001",
    "dicom-dicom2nifti/failing/gantrytilting/001",
    "dicom-seg-dcmqi/segmentations/ct-3slice",
    "dicom-seg-dcmqi/segmentations/24x38x3/image",
    "dicom-rtstruct-rt-utils/oriented_data",
)

GE_FMRI = "dicom-dcm_qa_nih/In/20180918GE/mr_0004"


def _files(folder: str) -> list[Path]:
    endings = (".txt", ".json", ".gz")
    return sorted(f for f in (SHARED / folder).iterdir() if f.is_file() and f.suffix not in endings)


def _dcm2niix(files: list[Path], folder: Path) -> list[Any]:
    """What dcm2niix makes of the files, its straightened volume last."""
    for name in ("in", "out"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    for number, file in enumerate(files):
        shutil.copy(file, folder / "in" / f"{number}.dcm")
    assert DCM2NIIX, "the dev extra brings dcm2niix"
    command = [DCM2NIIX, "-z", "n", "-b", "n", "-o", str(folder / "out"), str(folder / "in")]
    subprocess.run(command, check=True, capture_output=True)
    return [nibabel.load(made) for made in sorted((folder / "out").glob("*.nii"))]


def _ras(volume: Volume) -> Any:
    return nibabel.as_closest_canonical(nibabel.Nifti1Image(volume.voxels.T.astype(np.float64), volume.affine))


def _assert_same(volume: Volume, oracle: Any, relative: float = 1e-6) -> None:
    """In RAS+ order both hold the same voxels (integers exactly) in the same places, to 0.001 mm at every corner."""
    ours, theirs = _ras(volume), nibabel.as_closest_canonical(oracle)
    assert ours.shape == theirs.shape
    assert corner_distance_mm(ours.affine, theirs.affine, ours.shape) <= 1e-3
    exact = volume.voxels.dtype.kind in "iu"
    allowed = 0.0 if exact else relative * float(np.abs(theirs.get_fdata()).max())
    assert float(np.abs(ours.get_fdata() - theirs.get_fdata()).max()) <= allowed


def _slice_file(path: Path, pixels: np.ndarray, place: tuple[float, ...], **values: object) -> Path:
    """One small CT slice, explicit VR little endian."""
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    instance.file_meta.MediaStorageSOPClassUID = instance.SOPClassUID = pydicom.uid.CTImageStorage
    name = pydicom.uid.generate_uid(entropy_srcs=[path.name, str(place)])
    instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID = name
    instance.ImageType, instance.Modality = ["ORIGINAL", "PRIMARY", "AXIAL"], "CT"
    instance.SeriesInstanceUID, instance.FrameOfReferenceUID = "2.25.1", "2.25.2"
    instance.ImageOrientationPatient, instance.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.75, 0.5]
    instance.ImagePositionPatient = [f"{v:.9f}"[:16] for v in place]
    instance.Rows, instance.Columns = pixels.shape
    instance.SamplesPerPixel, instance.PhotometricInterpretation = 1, "MONOCHROME2"
    instance.BitsAllocated = instance.BitsStored = 8 * pixels.dtype.itemsize
    instance.HighBit, instance.PixelRepresentation = instance.BitsAllocated - 1, int(pixels.dtype.kind == "i")
    instance.RescaleSlope, instance.RescaleIntercept = "1", "-1024"
    instance.PixelData = pixels.tobytes()
    instance["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    for keyword, value in values.items():
        setattr(instance, keyword, value)
    instance.save_as(path, enforce_file_format=True)
    return path


def _stack(folder: Path, places: Sequence[float | tuple[float, ...]], **values: object) -> list[Path]:
    """Slices of random stored values at these z positions, or at these positions."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    files = []
    for number, place in enumerate(places):
        position = place if isinstance(place, tuple) else (-10.0, 20.0, place)
        pixels = rng.integers(0, 4096, (10, 12), np.uint16)
        files.append(_slice_file(folder / f"{number:03d}.dcm", pixels, position, **dict(values)))
    return files


def _edit(file: Path, **values: object) -> None:
    instance = pydicom.dcmread(file)
    for keyword, value in values.items():
        setattr(instance, keyword, value)
    instance.save_as(file)


def _by_pydicom(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> Volume:
    """`read_series` with every header and every pixel read by pydicom."""
    with monkeypatch.context() as patched:
        patched.setattr(dicom_series, "scan", lambda paths: [dicom_scan.scan_with_pydicom(p) for p in paths])
        return read_series(files)


def _assert_equal(one: Volume, other: Volume) -> None:
    np.testing.assert_array_equal(one.voxels, other.voxels)
    np.testing.assert_array_equal(one.affine, other.affine)
    assert (one.voxels.dtype, one.units, one.window, one.notes) == (
        other.voxels.dtype,
        other.units,
        other.window,
        other.notes,
    )


# --- truth ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shared_data
@needs_shared
def test_every_shared_series_is_what_dcm2niix_makes_of_it(tmp_path: Path) -> None:
    for folder in FOLDERS:
        if "gantrytilting" not in folder:
            (made,) = _dcm2niix(_files(folder), tmp_path / "oracle")
            _assert_same(read_series(_files(folder)), made)


@pytest.mark.slow
@pytest.mark.shared_data
@needs_shared
def test_each_time_of_a_functional_series_is_the_references_volume() -> None:
    by_place: dict[str, list[Path]] = {}
    tags: list[Any] = ["InstanceNumber", "ImagePositionPatient"]
    headers = [(pydicom.dcmread(f, specific_tags=tags), f) for f in _files(GE_FMRI)]
    for header, file in sorted(headers, key=lambda pair: int(pair[0].InstanceNumber)):
        by_place.setdefault(str(header.ImagePositionPatient), []).append(file)
    reference = nibabel.load(next((SHARED / "dicom-dcm_qa_nih/Ref").glob("*_4.nii")))
    times = list(zip(*by_place.values(), strict=True))
    assert (len(times), len(by_place)) == (10, 15)
    for number, files in enumerate(times):
        _assert_same(read_series(list(files)), reference.slicer[..., number])


@pytest.mark.shared_data
@needs_shared
def test_a_tilted_series_is_straightened_as_dcm2niix_does(tmp_path: Path) -> None:
    files = _files("dicom-dicom2nifti/failing/gantrytilting/001")
    volume = read_series(files)
    assert volume.notes == ("gantry_tilt_corrected:-14.00deg",)
    *_, oracle = _dcm2niix(files, tmp_path)
    ours, theirs = _ras(volume), nibabel.as_closest_canonical(oracle)
    assert ours.shape == theirs.shape == (512, 521, 4)
    assert corner_distance_mm(ours.affine, theirs.affine, ours.shape) <= 1e-3
    # dcm2niix fills the one row that lies partly outside a slice by repeating its edge; ours leaves it background.
    inside = np.abs(ours.get_fdata() - theirs.get_fdata()).max(axis=0)[10:-10]
    assert inside.max() == 0


@pytest.mark.parametrize("values", [(2.5, 0, 0.013), (2.5, -100, 0.013), (1, 0, 0.5), (None, None, 0.5), (2, 0, None)])
def test_philips_values_are_the_precise_ones_of_dcm2niix(tmp_path: Path, values: tuple[float | None, ...]) -> None:
    slope, intercept, scale = values
    files = _stack(
        tmp_path / "a", [0, 2, 4, 6], Modality="MR", SOPClassUID=pydicom.uid.MRImageStorage, SeriesNumber=3,
        Manufacturer="Philips Medical Systems", MRAcquisitionType="2D", StudyInstanceUID="2.25.5",
    )  # fmt: skip
    for file in files:
        instance = pydicom.dcmread(file)
        instance.RescaleSlope, instance.RescaleIntercept = slope, intercept
        if slope is None:
            del instance.RescaleSlope, instance.RescaleIntercept
        if scale is not None:
            instance.private_block(0x2005, dicom_scan.PHILIPS_CREATOR, create=True).add_new(0x0E, "FL", scale)
        instance.save_as(file)
    volume = read_series(files)
    assert volume.notes == (("philips_precise_scaling",) if scale is not None else ())
    (made,) = _dcm2niix(files, tmp_path)
    _assert_same(volume, made)


@pytest.mark.slow
def test_a_straight_rod_stays_straight_and_a_sphere_keeps_its_centre(tmp_path: Path) -> None:
    """An analytic phantom, scanned by slices that are tilted by -12.5 degrees."""
    angle, gap, spacing, shape = np.radians(-12.5), 2.0, (0.75, 0.5), (96, 80)
    axes = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)]])
    first, centre = np.array([-20.0, -36.0, -30.0]), np.array([1.5, 2.0, 4.0])
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    files = []
    for number in range(31):
        start = first + np.array([0, 0, number * gap])
        points = start + columns[..., None] * spacing[1] * axes[0] + rows[..., None] * spacing[0] * axes[1]
        sphere = 1000 / (1 + np.exp((np.linalg.norm(points - centre, axis=-1) - 10) / 0.8))
        rod = 1500 / (1 + np.exp((np.hypot(points[..., 0] + 12, points[..., 1] + 20) - 3) / 0.6))
        pixels = np.rint(24 + sphere + rod).astype(np.uint16)
        orientation = [f"{v:.12f}" for v in axes.ravel()]
        name = tmp_path / f"{number:02d}.dcm"
        files.append(_slice_file(name, pixels, tuple(start), ImageOrientationPatient=orientation))
    volume = read_series(files)
    assert volume.notes == ("gantry_tilt_corrected:-12.50deg",)
    directions = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-9)
    points = _points(volume)
    middle = centre * [-1, -1, 1]
    found = _centre_of(volume, points, np.linalg.norm(points - middle, axis=-1) < 14)
    assert found == pytest.approx(tuple(middle), abs=0.05)
    around = np.hypot(points[..., 0] - 12, points[..., 1] - 20) < 6
    for low in (-24, -8, 8, 20):
        x, y, _ = _centre_of(volume, points, around & (abs(points[..., 2] - low) < 3))
        assert (x, y) == pytest.approx((12, 20), abs=0.1)


def _points(volume: Volume) -> np.ndarray:
    """Every voxel's centre in RAS+ mm, (z, y, x, 3)."""
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in volume.voxels.shape), indexing="ij"), axis=-1)[..., ::-1]
    return np.asarray(indices @ volume.affine[:3, :3].T + volume.affine[:3, 3])


def _centre_of(volume: Volume, points: np.ndarray, where: np.ndarray) -> tuple[float, ...]:
    """The centre of mass of what is denser than air and lies `where`."""
    weight = np.where(where, volume.voxels + 1000.0, 0)
    return tuple((points * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum())


def test_straightening_equals_a_simpleitk_resample_of_the_sheared_image() -> None:
    z, y, x = np.meshgrid(np.arange(9), np.arange(40), np.arange(30), indexing="ij")
    voxels = (300 * np.sin(x / 5) + 200 * np.cos(y / 4) + 40 * z).astype(np.int16)
    for drift in (Drift(1.37, 0.0, 0.0), Drift(-0.6, 0.0, 0.0), Drift(0.4, -0.7, 0.0)):
        ours, top, left = straightened(voxels, drift)
        transform = sitk.AffineTransform(3)
        transform.SetMatrix([1, 0, -drift.columns, 0, 1, -drift.rows, 0, 0, 1])
        transform.SetTranslation([-left, -top, 0])
        image = sitk.GetImageFromArray(voxels.astype(np.float64))
        size = [ours.shape[2], ours.shape[1], ours.shape[0]]
        resample = sitk.Resample(
            image, size, transform, sitk.sitkLinear, [0] * 3, [1] * 3, np.eye(3).ravel().tolist(), -9999
        )
        theirs = sitk.GetArrayFromImage(resample)
        inside = (ours != voxels.min()) & (theirs != -9999)
        assert inside.mean() > 0.5
        assert np.abs(ours - theirs)[inside].max() <= 0.5 + 1e-9
        assert np.abs(ours - theirs)[inside].mean() < 0.3


# --- the fast way and pydicom's ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shared_data
@needs_shared
def test_the_fast_way_gives_what_pydicom_gives_for_every_shared_series(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in FOLDERS:
        pieces = dicom_scan.scan(_files(folder))
        assert all(piece.pixels is not None for piece in pieces), folder
        _assert_equal(read_series(_files(folder)), _by_pydicom(_files(folder), monkeypatch))


@pytest.mark.slow
def test_every_packaged_file_has_one_header_on_both_ways() -> None:
    fast = 0
    for file in sorted(f for f in PACKAGED.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")):
        one, other = _outcome(_scanned, file), _outcome(dicom_scan.scan_with_pydicom, file)
        if isinstance(one, str) or isinstance(other, str):
            assert one == other, file.name
            continue
        assert (one.position, one.uid) == (other.position, other.uid), file.name
        fast += one.pixels is not None
        if one.pixels is not None:
            _assert_same_elements(one, other)
            meaning = _outcome(dicom_voxels.values_of, one)
            assert meaning == _outcome(dicom_voxels.values_of, other), file.name
            _assert_same_pixels(one, other, meaning)
    assert fast > 75


def _assert_same_elements(one: dicom_scan.Slice, other: dicom_scan.Slice) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's on invalid values
        for element in one.header:
            if element.keyword != "ImagePositionPatient":
                assert element.value == other.header[element.tag].value, (one.path.name, element.keyword)


def _assert_same_pixels(one: dicom_scan.Slice, other: dicom_scan.Slice, meaning: Any) -> None:
    if isinstance(meaning, str) or int(one.header.get("SamplesPerPixel", 1)) != 1 or one.header.get("NumberOfFrames"):
        return
    ours, theirs = (_outcome(dicom_voxels.stored_values, piece, meaning) for piece in (one, other))
    if isinstance(ours, str) or isinstance(theirs, str):
        assert ours == theirs, one.path.name
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=one.path.name)
        assert ours.dtype == theirs.dtype, one.path.name


def _scanned(file: Path) -> dicom_scan.Slice:
    return dicom_scan.scan([file])[0]


def _outcome(read: Callable[..., Any], *given: Any) -> Any:
    try:
        return read(*given)
    except (RecordError, Reject) as error:
        return error.reason


SYNTAXES = [
    pydicom.uid.ImplicitVRLittleEndian,
    pydicom.uid.ExplicitVRBigEndian,
    pydicom.uid.DeflatedExplicitVRLittleEndian,
    pydicom.uid.RLELossless,
    pydicom.uid.JPEGLSLossless,
    pydicom.uid.JPEG2000Lossless,
]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [7, 8, 12, 16])
@pytest.mark.slow
def test_a_series_is_the_same_in_every_encoding(tmp_path: Path, bits: int, signed: bool) -> None:
    kind = "i" if signed else "u"
    rng = np.random.default_rng(bits)
    low = -(1 << (bits - 1)) if signed else 0
    stack = rng.integers(low, low + (1 << bits), (3, 40, 33)).astype(f"<{kind}{1 if bits <= 8 else 2}")
    same = {"BitsStored": bits, "HighBit": bits - 1, "RescaleIntercept": "-3"}
    plain = [_slice_file(tmp_path / f"{n}.dcm", p, (0, 0, n), **same) for n, p in enumerate(stack)]
    expected = read_series(plain)
    np.testing.assert_array_equal(expected.voxels, stack.astype(np.int32) - 3)
    for syntax in SYNTAXES:
        files = []
        for number, file in enumerate(plain):
            instance = pydicom.dcmread(file)
            if syntax.is_encapsulated:
                instance.compress(syntax, generate_instance_uid=False)
            files.append(tmp_path / f"{number}.{syntax}")
            instance.file_meta.TransferSyntaxUID = syntax
            if syntax == pydicom.uid.ExplicitVRBigEndian and stack.itemsize == 2:
                instance.PixelData = stack[number].astype(f">{kind}2").tobytes()
            pydicom.dcmwrite(
                files[-1], instance, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian
            )
        _assert_equal(read_series(files), expected)


def test_bits_outside_the_stored_ones_mean_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    true = rng.integers(-2048, 2048, (3, 6, 8)).astype(np.int16)
    for signed, high in itertools.product((True, False), (11, 13, 15)):
        held = (true & 0x0FFF).view(np.uint16) << (high - 11)
        noise = rng.integers(0, 1 << 16, true.shape).astype(np.uint16) & np.uint16(0xFFFF ^ (0x0FFF << (high - 11)))
        stored = (held | noise).view(np.int16 if signed else np.uint16)
        folder = tmp_path / f"{signed}{high}"
        folder.mkdir()
        values: dict[str, object] = {"BitsStored": 12, "HighBit": high}
        files = [_slice_file(folder / f"{n}.dcm", p, (0, 0, n), **values) for n, p in enumerate(stored)]
        expected = true if signed else true & 0x0FFF
        np.testing.assert_array_equal(read_series(files).voxels, expected.astype(np.int32) - 1024)
    _edit(files[0], HighBit=3)
    _edit(files[1], HighBit=3)
    _edit(files[2], HighBit=3)
    assert read_series(files).notes == ("high_bit_ignored",)


@pytest.mark.parametrize(
    ("dtype", "ends", "intercept", "expected"),
    [
        ("<i2", (-32000, 100), "0", "int16"),
        ("<i2", (-32000, 100), "-1024", "int32"),
        ("<u2", (0, 65535), "0", "uint16"),
        ("<u2", (0, 32767), "0", "int16"),
        ("<u2", (40000, 65535), "-32768", "int16"),
        ("<u2", (0, 65535), "-32768", "int16"),
        ("<u2", (0, 65535), "1", "int32"),
        ("<u1", (0, 255), "0", "uint8"),
        ("<u1", (0, 255), "-1", "int16"),
        ("<i4", (-70000, 70000), "5", "int32"),
        ("<u2", (0, 100), "0.5", "float32"),
    ],
)
def test_the_dtype_is_the_smallest_that_holds_all(
    tmp_path: Path, dtype: str, ends: tuple[int, int], intercept: str, expected: str
) -> None:
    stack = np.full((4, 5, 6), ends[0], dtype)
    stack[2, 3, 4] = ends[1]
    files = [_slice_file(tmp_path / f"{n}.dcm", p, (0, 0, n), RescaleIntercept=intercept) for n, p in enumerate(stack)]
    volume = read_series(files)
    assert str(volume.voxels.dtype) == expected
    np.testing.assert_array_equal(volume.voxels, stack.astype(np.float64) + float(intercept))


def test_each_slice_has_its_own_rescale_and_padding_stays(tmp_path: Path) -> None:
    files = _stack(tmp_path / "pet", [0, 2, 4], Modality="PT", Units="BQML", PixelPaddingValue=0, RescaleType=None)
    stored = [pydicom.dcmread(f).pixel_array for f in files]
    for number, file in enumerate(files):
        _edit(file, RescaleSlope=f"{0.25 * (number + 1)}", RescaleIntercept="0")
    volume = read_series(files)
    assert volume.notes == ("padding", "rescale_per_slice")
    np.testing.assert_allclose(volume.voxels, [0.25 * (n + 1) * s for n, s in enumerate(stored)], rtol=1e-6)
    _edit(files[1], Units="CNTS")
    with pytest.raises(RecordError, match="mixed_units"):
        read_series(files)


# --- what is mended, what is refused ----------------------------------------------------------------------------------


def test_repeated_files_are_dropped_and_said_but_differing_pixels_are_refused(tmp_path: Path) -> None:
    files = _stack(tmp_path / "a", [0, 2, 4, 6])
    plain = read_series(files)
    copies = [tmp_path / "one.dcm", tmp_path / "two.dcm"]
    shutil.copy(files[1], copies[0])
    shutil.copy(files[3], copies[1])
    _edit(copies[1], SOPInstanceUID="2.25.77")
    volume = read_series([*copies, *files])
    assert volume.notes == ("duplicate_slices_dropped:2",)
    np.testing.assert_array_equal(volume.voxels, plain.voxels)
    np.testing.assert_array_equal(volume.affine, plain.affine)
    assert read_series([*files, *files]).notes == ("duplicate_slices_dropped:4",)
    _edit(copies[0], RescaleIntercept="-1000")
    with pytest.raises(RecordError, match="duplicate_positions: found 5 slices in 4 places"):
        read_series([copies[0], *files])
    _edit(copies[1], PixelData=bytes(240))
    with pytest.raises(RecordError, match="duplicate_positions"):
        read_series([copies[1], *files])
    with pytest.raises(RecordError, match="too_few_slices: found 2 slices, the others repeat them"):
        read_series([files[0], files[0], files[1]])


def test_a_stack_that_only_rounding_tilts_is_not_resampled(tmp_path: Path) -> None:
    rounded = [(0.0, 0.0, 0.0), (0.0, 0.0, 1.1), (0.1, 0.0, 2.2), (0.1, 0.0, 3.3)]
    volume = read_series(_stack(tmp_path / "a", rounded))
    assert volume.notes == ("positions_rounded",)
    np.testing.assert_allclose(volume.affine[:3, 2], (0, 0, 1.1), atol=1e-6)
    exact = [(x + 0.00001, y, z) for x, y, z in [(0.04 * n, 0.0, 1.1 * n) for n in range(4)]]
    (note,) = read_series(_stack(tmp_path / "b", exact)).notes
    assert note.startswith("gantry_tilt_corrected")


def test_positions_rounded_to_a_tenth_are_taken_as_the_line_that_they_lie_on(tmp_path: Path) -> None:
    true = [0.6249 * n for n in range(24)]
    volume = read_series(_stack(tmp_path / "thin", [round(v, 1) for v in true]))
    assert volume.notes == ("positions_rounded",)
    assert volume.spacing_mm[0] == pytest.approx(0.6249, abs=4e-3)
    assert abs(volume.affine[2, 3]) < 0.06
    assert read_series(_stack(tmp_path / "exact", [round(v, 4) for v in true])).notes == ()
    without = [round(v, 1) for n, v in enumerate(true) if n not in (9, 10, 17)]
    with pytest.raises(RecordError, match="missing_slices: found 3 missing of 24"):
        read_series(_stack(tmp_path / "gap", without))
    with pytest.raises(RecordError, match="nonuniform_spacing"):
        read_series(_stack(tmp_path / "off", [0, 0.6, 1.2, 2.0, 2.5]))


@pytest.mark.parametrize("gap", [0.1, 0.2, 0.3, 0.625, 1.0, 5.0])
@pytest.mark.parametrize("missing", [(1,), (4,), (3, 4, 5), (6,), (2, 5)])
def test_a_missing_slice_is_never_taken_for_rounding(tmp_path: Path, gap: float, missing: tuple[int, ...]) -> None:
    places = [gap * n for n in range(8) if n not in missing]
    with pytest.raises(RecordError, match=f"missing_slices: found {len(missing)} missing of 8"):
        read_series(_stack(tmp_path / "a", places))


def test_a_stack_that_drifts_along_rows_and_columns_is_straightened_and_a_slanted_one_refused(tmp_path: Path) -> None:
    skewed = [(-10 + 0.25 * n, 20 - 0.3 * n, 2.0 * n) for n in range(6)]
    volume = read_series(_stack(tmp_path / "skewed", skewed))
    assert volume.notes == ("gantry_tilt_corrected:-8.53deg",)
    assert volume.voxels.shape == (6, 10 + 2, 12 + 3)
    np.testing.assert_allclose(volume.affine[:3, 2], (0, 0, 2), atol=1e-9)
    np.testing.assert_allclose(volume.affine[:3, 3], (10, -(20 - 2 * 0.75), 0), atol=1e-9)
    with pytest.raises(RecordError, match=r"gantry_tilt: found 56\.31 degrees"):
        read_series(_stack(tmp_path / "slanted", [(-10.0, 20 + 3.0 * n, 2.0 * n) for n in range(6)]))


def test_a_localizer_among_slices_is_named(tmp_path: Path) -> None:
    files = _stack(tmp_path / "a", [0, 2, 4, 6])
    _edit(files[2], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(RecordError, match="not_slices: found a CT localizer"):
        read_series(files)


# --- hostile headers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CT_small.dcm", "nested_priv_SQ.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm"])
@settings(deadline=2000, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mutated_header_is_read_or_refused_typed(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray((FILES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(128, min(len(content), 4000) - 5))
        lie = data.draw(
            st.sampled_from([b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\0", b"SQ\0\0", b"\xfe\xff\x00\xe0"])
        )
        new = data.draw(st.one_of(st.just(lie), st.binary(min_size=1, max_size=4)))
        content[at : at + len(new)] = new
    file = tmp_path / "mutated.dcm"
    file.write_bytes(bytes(content[: data.draw(st.integers(140, len(content)))]))
    piece = _outcome(_scanned, file)
    if not isinstance(piece, str):
        meaning = _outcome(dicom_voxels.values_of, piece)
        if not isinstance(meaning, str) and meaning.rows * meaning.columns < 1 << 20:
            _outcome(dicom_voxels.stored_values, piece, meaning)


def _explicit(tag: int, vr: bytes, length: int) -> bytes:
    return tag.to_bytes(4, "little")[2:] + tag.to_bytes(4, "little")[:2] + vr + b"\0\0" + length.to_bytes(4, "little")


def test_a_length_that_lies_allocates_nothing_and_what_is_endless_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(path: Path, _: int) -> dicom_scan.Slice:
        raise RecordError("left_to_pydicom", path.suffix, "")

    monkeypatch.setattr(dicom_scan, "scan_with_pydicom", left)
    monkeypatch.setattr(dicom_walk, "MAX_ELEMENTS", 2000)
    (good,) = _stack(tmp_path / "a", [0])
    content = good.read_bytes()
    at = content.index(b"\x20\x00\x0e\x00")  # the series; everything below goes before it
    item = b"\xfe\xff\x00\xe0"
    lies = {
        "long value": _explicit(0x00100010, b"OB", 0xFFFFFFFE),
        "long wanted value": _explicit(0x00180001, b"UT", 0xFFFFFF00),
        "wanted value of some length": _explicit(0x00200002, b"UT", 1 << 20) + bytes(1 << 20),
        "sequence without end": _explicit(0x00100010, b"SQ", 0xFFFFFFFF),
        "item without end": _explicit(0x00100010, b"SQ", 0xFFFFFFFF) + item + b"\xff" * 4,
        "long item": _explicit(0x00100010, b"SQ", 0xFFFFFFFF) + item + b"\xff\xff\xff\x7f",
        "deep": (_explicit(0x00100010, b"SQ", 0xFFFFFFFF) + item + b"\xff" * 4) * 1000,
        "many": b"".join(_explicit(0x00110000 + n, b"OB", 0) for n in range(dicom_walk.MAX_ELEMENTS + 1)),
        "many items": _explicit(0x00100010, b"SQ", 0xFFFFFFFF) + (item + bytes(4)) * (dicom_walk.MAX_ELEMENTS + 1),
        "unordered": _explicit(0x00300010, b"OB", 0),
        "unknown VR": _explicit(0x00110010, b"ZZ", 0),
    }
    for name, lie in lies.items():
        (tmp_path / "lie.dcm").write_bytes(
            content[:at] + lie + (b"" if name in ("deep", "many items") else content[at:])
        )
        tracemalloc.start()
        told = _outcome(_scanned, tmp_path / "lie.dcm")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        expected_fine = name == "wanted value of some length"
        assert told == "left_to_pydicom" or expected_fine, name
        assert peak < 1 << 19, name


# --- cost -------------------------------------------------------------------------------------------------------------

_CHILD = """
import json, sys
from pathlib import Path
from curate.dicom.series import read_series
limit = 2 << 30
volume = read_series(sorted(Path(sys.argv[1]).iterdir()))
told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(told["VmHWM"].split()[0]) * 1024  # ru_maxrss would be the parent's, where that was larger
print(json.dumps({"shape": volume.voxels.shape, "dtype": str(volume.voxels.dtype), "peak": peak,
                  "ends": [int(volume.voxels[0, 0, 0]), int(volume.voxels[-1, -1, -1])]}))
"""


@pytest.mark.slow
def test_two_thousand_slices_pass_in_about_their_own_memory(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    pixels = np.zeros((512, 512), np.uint16)
    first = _slice_file(tmp_path / "first.dcm", pixels, (0, 0, 1000.0), BitsStored=12, HighBit=11).read_bytes()
    start = first.index(b"\\1000.000") + 1
    for number in range(2000):
        head = bytearray(first[: -pixels.nbytes])
        head[start : start + 8] = f"{1000 + number:08.3f}".encode()
        with (folder / f"{number:04d}.dcm").open("wb") as stream:
            stream.write(head)
            stream.write((number % 4096).to_bytes(2, "little"))
            stream.seek(len(first) - 2)
            stream.write((number % 4096).to_bytes(2, "little"))  # a hole between: the disk holds little
    root = str(Path(__file__).resolve().parents[2])
    made = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder)], cwd=root, check=True, capture_output=True, text=True
    )
    told = json.loads(made.stdout)
    assert (told["shape"], told["dtype"]) == ([2000, 512, 512], "int16")
    assert told["ends"] == [-1024, 1999 - 1024]
    assert told["peak"] < 1.25 * 2000 * 512 * 512 * 2 + (256 << 20) < 2 << 30
