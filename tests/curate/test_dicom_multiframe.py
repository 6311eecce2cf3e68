"""Volumes in one DICOM file: they equal the series path, dcm2niix and the authors' NIfTI; bad files fail by name."""

from __future__ import annotations

import copy
import functools
import gzip
import importlib
import importlib.util
import shutil
import struct
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
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items

from curate.arrays import Volume
from curate.dicom.header import classify, read_header
from curate.dicom.mosaic import parse_csa
from curate.dicom.multiframe import is_multiframe_volume, read_volume_part, read_volumes
from curate.dicom.series import read_series
from manifests.errors import RecordError, Reject
from sources.dicom_frames import holds_volumes, volumes_of

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
FILES = Path(str(importlib.util.find_spec("pydicom").origin)).parent / "data/test_files"  # type: ignore[union-attr]
CT_SERIES = sorted((FILES / "dicomdirtests/98892001/CT5N").iterdir())
nibabel: Any = importlib.import_module("nibabel")  # not annotated
NICOM = Path(nibabel.__file__).parent / "nicom/tests/data"
DCM2NIIX = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or shutil.which("dcm2niix")
needs_dcm2niix = pytest.mark.skipif(DCM2NIIX is None, reason="needs the dcm2niix program")
QA = SHARED / "dicom-dcm_qa_nih"
PHILIPS = SHARED / "dicom-dicom2nifti/philips_enhanced/anatomical"

Grid = tuple[NDArray[np.float64], NDArray[np.float64]]
Change = Callable[[Dataset], None]


def _canonical(voxels: Any, affine: Any) -> Grid:
    """Both grids in one voxel order: nibabel's closest RAS."""
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(voxels, np.float64), affine))
    return np.asarray(image.dataobj, np.float64), np.asarray(image.affine)


def _corner_distance_mm(a: Grid, b: Grid) -> float:
    x, y, z = (n - 1 for n in a[0].shape)
    corners = np.array([[i, j, k, 1] for i in (0, x) for j in (0, y) for k in (0, z)], float).T
    return float(np.linalg.norm((a[1] @ corners - b[1] @ corners)[:3], axis=0).max())


def _assert_equal(volume: Volume, voxels: Any, affine: Any, rtol: float = 0) -> None:
    mine, theirs = _canonical(volume.voxels.transpose(2, 1, 0), volume.affine), _canonical(voxels, affine)
    assert mine[0].shape == theirs[0].shape
    assert _corner_distance_mm(mine, theirs) < 1e-3
    np.testing.assert_allclose(mine[0], theirs[0], rtol=rtol, atol=0)
    assert np.ptp(theirs[0]) > 0, "an image of one value proves nothing"


def _same(a: Volume, b: Volume) -> None:
    np.testing.assert_array_equal(a.voxels, b.voxels)
    np.testing.assert_allclose(a.affine, b.affine, atol=1e-9)
    assert (a.voxels.dtype, a.units) == (b.voxels.dtype, b.units)


def _dcm2niix(source: Path, out: Path) -> list[Any]:
    out.mkdir(exist_ok=True)
    options = ["-z", "n", "-b", "n", "-s", "y", "-f", "%s_%d_%e", "-o", str(out)]
    done = subprocess.run([str(DCM2NIIX), *options, str(source)], capture_output=True, text=True, check=False)
    made = [nibabel.load(f) for f in sorted(out.glob("*.nii"))]
    assert made, done.stdout
    return made


# --- an enhanced file made of a real series' slices ---------------------------------------------------------------


def _item(**values: Any) -> Items:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Items([item])


def _frame(ct: Dataset, place: int, extra: Change | None = None, factor: int = 1) -> tuple[Dataset, bytes]:
    """One frame: its functional groups and its pixels, which are the slice's times `factor`."""
    groups = Dataset()
    groups.PlanePositionSequence = _item(ImagePositionPatient=list(ct.ImagePositionPatient))
    groups.FrameContentSequence = _item(StackID="1", InStackPositionNumber=place + 1)
    if extra:
        extra(groups)
    return groups, (ct.pixel_array * factor).astype("<i2").tobytes()


def _enhanced(frames: Sequence[tuple[Dataset, bytes]], mr: bool = False) -> Dataset:
    ct = pydicom.dcmread(CT_SERIES[0])
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    made.SOPClassUID = uid.EnhancedMRImageStorage if mr else uid.EnhancedCTImageStorage
    made.SOPInstanceUID = made.SeriesInstanceUID = made.StudyInstanceUID = made.FrameOfReferenceUID = uid.UID("2.25.7")
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = (
        made.SOPClassUID,
        uid.UID("2.25.7"),
    )
    made.Modality, made.ImageType = "MR" if mr else "CT", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    made.Manufacturer, made.SeriesNumber, made.InstanceNumber = "SIEMENS", 1, 1
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns, made.NumberOfFrames = ct.Rows, ct.Columns, len(frames)
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
    shared = Dataset()
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=list(ct.ImageOrientationPatient))
    shared.PixelMeasuresSequence = _item(PixelSpacing=list(ct.PixelSpacing), SliceThickness=ct.SliceThickness)
    rescale = {} if mr else {"RescaleSlope": ct.RescaleSlope, "RescaleIntercept": ct.RescaleIntercept}
    rescale |= {} if mr else {"RescaleType": "HU"}
    shared.PixelValueTransformationSequence = _item(**(rescale or {"RescaleSlope": 1, "RescaleIntercept": 0}))
    made.SharedFunctionalGroupsSequence = Items([shared])
    made.PerFrameFunctionalGroupsSequence = Items([groups for groups, _ in frames])
    made.PixelData = b"".join(pixels for _, pixels in frames)
    made["PixelData"].VR = "OW"
    return made


@functools.cache
def _slices() -> list[Dataset]:
    slices = [pydicom.dcmread(f) for f in CT_SERIES]
    return sorted(slices, key=lambda s: float(s.ImagePositionPatient[2]))


def _shuffled(frames: Sequence[Any], seed: int = 5) -> list[Any]:
    return [frames[i] for i in np.random.default_rng(seed).permutation(len(frames))]


def _single() -> Dataset:
    return _enhanced(_shuffled([_frame(s, i) for i, s in enumerate(_slices())]))


def _double(tell: Callable[[Dataset, int, int], None], mr: bool = True, factor: int = 3) -> Dataset:
    """Two volumes of the same places, the second `factor` times as bright, their frames shuffled together."""
    frames = []
    for time in (0, 1):
        for place, one in enumerate(_slices()):
            mark = _marker(tell, time, place)
            frames.append(_frame(one, place, mark, 1 if time == 0 else factor))
    return _enhanced(_shuffled(frames), mr)


def _marker(tell: Callable[[Dataset, int, int], None], time: int, place: int) -> Change:
    return lambda groups: tell(groups, time, place)


def _saved(made: Dataset, folder: Path, syntax: uid.UID | None = None) -> Path:
    if syntax is not None:
        made.compress(syntax) if syntax.is_encapsulated else setattr(made.file_meta, "TransferSyntaxUID", syntax)
    path = folder / "made.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


_ENCODINGS = {
    "explicit": uid.ExplicitVRLittleEndian,
    "implicit": uid.ImplicitVRLittleEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "rle": uid.RLELossless,
    "jpeg-ls": uid.JPEGLSLossless,
}


@pytest.mark.parametrize("syntax", _ENCODINGS.values(), ids=_ENCODINGS)
def test_shuffled_frames_in_any_encoding_give_the_volume_of_the_series(syntax: uid.UID, tmp_path: Path) -> None:
    path = _saved(_single(), tmp_path, syntax)
    series = read_series(CT_SERIES)
    assert is_multiframe_volume(read_header(path))
    (volume,) = read_volumes(path)
    _same(volume, series)
    _same(read_volume_part(path, 0), series)
    assert (volume.facts, volume.notes) == ((), ())
    assert volume.units == "HU"


@needs_dcm2niix
def test_an_enhanced_file_lies_where_dcm2niix_puts_it(tmp_path: Path) -> None:
    path = _saved(_single(), tmp_path)
    (image,) = _dcm2niix(path, tmp_path / "out")
    _assert_equal(read_volumes(path)[0], image.dataobj, image.affine)


def _time(groups: Dataset, time: int, place: int) -> None:
    groups.FrameContentSequence[0].TemporalPositionIndex = time + 1


def _echo(groups: Dataset, time: int, place: int) -> None:
    groups.MREchoSequence = _item(EffectiveEchoTime=(4.6, 9.2)[time])


def _b_value(groups: Dataset, time: int, place: int) -> None:
    groups.MRDiffusionSequence = _item(DiffusionBValue=(0.0, 1000.0)[time], DiffusionDirectionality="DIRECTIONAL")
    if time:
        direction = _item(DiffusionGradientOrientation=[0.0, 0.6, -0.8])
        groups.MRDiffusionSequence[0].DiffusionGradientDirectionSequence = direction


def _component(groups: Dataset, time: int, place: int) -> None:
    kind = ("MAGNITUDE", "PHASE")[time]
    groups.MRImageFrameTypeSequence = _item(FrameType=["ORIGINAL", "PRIMARY"], ComplexImageComponent=kind)


def _trigger(groups: Dataset, time: int, place: int) -> None:
    groups.CardiacSynchronizationSequence = _item(NominalCardiacTriggerDelayTime=(0.0, 412.5)[time])


def _clock(groups: Dataset, time: int, place: int) -> None:
    """Every frame at its own second, interleaved: only the order within a place says which volume it is of."""
    seconds = 20 * time + (place * 7) % 5
    groups.FrameContentSequence[0].FrameReferenceDateTime = f"202001011200{seconds:02d}.5"


_TIME_FACTS = ((("time_point", "1", ""), ("time_points", "2", "")), (("time_point", "2", ""), ("time_points", "2", "")))
_TELLING = {
    "temporal position": (_time, *_TIME_FACTS),
    "echo time": (_echo, (("echo_time_ms", "4.6", "ms"),), (("echo_time_ms", "9.2", "ms"),)),
    "b-value": (
        _b_value,
        (("b_value_s_mm2", "0", "s/mm**2"),),
        (("b_value_s_mm2", "1000", "s/mm**2"), ("gradient_direction", "0,0.6,-0.8", "")),
    ),
    "component": (_component, (("image_type", "MAGNITUDE", ""),), (("image_type", "PHASE", ""),)),
    "trigger": (_trigger, (("trigger_time_ms", "0", "ms"),), (("trigger_time_ms", "412.5", "ms"),)),
    "clock": (_clock, *_TIME_FACTS),
}


@pytest.mark.parametrize(("tell", "first", "second"), _TELLING.values(), ids=_TELLING)
def test_volumes_of_one_place_are_told_apart_and_named(tell: Any, first: Any, second: Any) -> None:
    made = _double(tell)
    assert [group.facts for group in volumes_of(made)] == [first, second]
    one, two = read_volumes(made)
    stored = np.stack([s.pixel_array for s in _slices()])
    np.testing.assert_array_equal(one.voxels, stored)
    np.testing.assert_array_equal(two.voxels, stored * 3)
    np.testing.assert_allclose(one.affine, read_series(CT_SERIES).affine, atol=1e-9)
    assert tuple((f.name, f.value, f.unit) for f in two.facts) == second
    _same(read_volume_part(made, 1), two)


def _with_dimensions(made: Dataset, pointer: int) -> Dataset:
    """Dimensions (stack, place, `pointer`); the index of the last is 1 for half of the frames of each place."""
    tags = (0x00209056, 0x00209057, pointer)
    made.DimensionIndexSequence = Items([_item(DimensionIndexPointer=tag)[0] for tag in tags])
    for groups in made.PerFrameFunctionalGroupsSequence:
        content = groups.FrameContentSequence[0]
        bright = int(content.FrameAcquisitionNumber)
        content.DimensionIndexValues = [1, content.InStackPositionNumber, bright]
    return made


def _both(one: Any, other: Any) -> Any:
    def tell(groups: Dataset, time: int, place: int) -> None:
        one(groups, time, place)
        other(groups, time, place)

    return tell


def _number(groups: Dataset, time: int, place: int) -> None:
    groups.FrameContentSequence[0].FrameAcquisitionNumber = time + 1


def test_a_dimension_without_a_known_attribute_still_splits() -> None:
    made = _with_dimensions(_double(_number), 0x00189344)  # ContrastBolusAgentPhase
    first, second = volumes_of(made)
    assert first.facts == (("dimension", "ContrastBolusAgentPhase=1", ""),)
    assert second.facts == (("dimension", "ContrastBolusAgentPhase=2", ""),)
    assert int(read_volumes(made)[1].voxels.max()) == 3 * int(read_volumes(made)[0].voxels.max())


@needs_dcm2niix
@pytest.mark.parametrize("tell", [_time, _b_value, _echo], ids=["time", "b-value", "echo"])
def test_the_volumes_of_a_4d_file_are_those_of_dcm2niix(tell: Any, tmp_path: Path) -> None:
    made = _with_dimensions(_double(_both(tell, _number)), 0x00209128)
    made.Manufacturer = "Philips Medical Systems"  # dcm2niix splits enhanced files of this maker by their dimensions
    path = _saved(made, tmp_path)
    images = _dcm2niix(path, tmp_path / "out")
    theirs = np.concatenate([np.asarray(i.dataobj).reshape(*i.shape[:3], -1) for i in images], axis=3)
    volumes = read_volumes(path)
    assert theirs.shape[3] == len(volumes) == 2
    for part, volume in enumerate(volumes):
        _assert_equal(volume, theirs[..., part], images[0].affine)


def test_stacks_of_other_orientation_are_volumes_of_their_own() -> None:
    frames = [_frame(s, i) for i, s in enumerate(_slices())]
    turned = []
    for place, one in enumerate(_slices()[:3]):
        groups, pixels = _frame(one, place)
        groups.FrameContentSequence[0].StackID = "2"
        groups.PlanePositionSequence = _item(ImagePositionPatient=[4.0 * place, 0.0, 0.0])
        groups.PlaneOrientationSequence = _item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
        turned.append((groups, pixels))
    made = _enhanced([*frames, *turned])
    axial, sagittal = read_volumes(made)
    assert [v.facts[0].value for v in (axial, sagittal)] == ["1", "2"]
    assert (len(axial.voxels), len(sagittal.voxels)) == (5, 3)
    assert [axial.orientation, sagittal.orientation] == ["LPS", "PIR"]  # sorted along the normal, which points to -x


def test_each_frame_is_rescaled_by_its_own_slope() -> None:
    made = _single()
    slopes = {}
    for number, groups in enumerate(made.PerFrameFunctionalGroupsSequence):
        slope = 1 + number / 4
        slopes[groups.FrameContentSequence[0].InStackPositionNumber] = slope
        groups.PixelValueTransformationSequence = _item(RescaleSlope=slope, RescaleIntercept=-7, RescaleType="US")
    (volume,) = read_volumes(made)
    expected = [s.pixel_array * slopes[i + 1] - 7 for i, s in enumerate(_slices())]
    np.testing.assert_array_equal(volume.voxels, np.stack(expected).astype(np.float32))
    assert volume.notes == ("rescale_per_slice",)


def test_a_part_is_read_although_the_frames_of_others_are_broken(tmp_path: Path) -> None:
    made = _double(_time)
    made.compress(uid.RLELossless)
    whole = read_volumes(made)
    first, _ = volumes_of(made)
    data = list(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=len(first.frames) * 2))
    broken = [b"\xff" * 64 if i in first.frames else frame for i, frame in enumerate(data)]
    made.PixelData = pydicom.encaps.encapsulate(broken)
    path = _saved(made, tmp_path)
    _same(read_volume_part(path, 1), whole[1])
    with pytest.raises(RecordError):
        read_volume_part(path, 0)


def _large(times: int) -> Dataset:
    """Volumes of 6 slices of 256 x 256 noise, one for each time."""
    noise = np.random.default_rng(1).integers(-900, 3000, (times, 6, 256, 256), dtype="<i2")
    frames = []
    for time in range(times):
        for place in range(6):
            groups, _ = _frame(_slices()[0], place, _marker(_time, time, place))
            groups.PlanePositionSequence = _item(ImagePositionPatient=[0.0, 0.0, 2.5 * place])
            frames.append((groups, noise[time, place].tobytes()))
    made = _enhanced(frames, mr=True)
    made.Rows = made.Columns = 256
    return made


@pytest.mark.slow
@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.JPEGLSLossless], ids=["native", "encapsulated"])
def test_reading_a_part_takes_three_times_its_own_memory_at_most(syntax: uid.UID, tmp_path: Path) -> None:
    path = _saved(_large(6), tmp_path, syntax)
    read_volume_part(path, 0)  # what imports and caches take once
    tracemalloc.start()
    volumes_of(read_header(path))
    base = tracemalloc.get_traced_memory()[1]  # of the header alone, which has 36 frames
    tracemalloc.reset_peak()
    volume = read_volume_part(path, 4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - base < 3 * volume.voxels.nbytes
    assert path.stat().st_size > 4 * volume.voxels.nbytes


@pytest.mark.slow
def test_jpeg_2000_frames_are_those_that_went_in(tmp_path: Path) -> None:
    made = _large(2)
    expected = np.frombuffer(made.PixelData, "<i2").reshape(2, 6, 256, 256)
    path = _saved(made, tmp_path, uid.JPEG2000Lossless)
    np.testing.assert_array_equal(read_volume_part(path, 1).voxels, expected[1])


def _nm(step: float) -> Dataset:
    """A reconstructed gated tomography: five slices in each of two time slots."""
    ct = _slices()
    made = _enhanced([_frame(s, i) for _ in (0, 1) for i, s in enumerate(ct)])
    del made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence
    made.SOPClassUID, made.Modality = uid.NuclearMedicineImageStorage, "NM"
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.ImageType = ["DERIVED", "PRIMARY", "RECON GATED TOMO", "EMISSION"]
    made.SliceVector, made.TimeSlotVector = [1, 2, 3, 4, 5] * 2, [1] * 5 + [2] * 5
    made.FrameIncrementPointer = [0x00540070, 0x00540080]
    made.PixelSpacing, made.SpacingBetweenSlices = [2.0, 3.0], step
    made.SliceThickness = abs(step)
    cosines = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    made.DetectorInformationSequence = _item(ImagePositionPatient=[5.0, 6.0, 7.0], ImageOrientationPatient=cosines)
    return made


@pytest.mark.parametrize("step", [4.0, -4.0])
def test_reconstructed_nuclear_slices_follow_the_signed_step(step: float) -> None:
    first, second = read_volumes(_nm(step))
    normal = np.array([-1.0, 0.0, 0.0])  # LPS+: rows x columns
    for volume in (first, second):
        places = volume.affine @ np.array([[0, 0, z, 1] for z in range(5)]).T
        mine = places[:3].T * [-1, -1, 1]
        expected = np.array([5.0, 6.0, 7.0]) + normal * step * np.arange(5)[:, None]
        np.testing.assert_allclose(mine, expected if step > 0 else expected[::-1])
    stored = np.stack([s.pixel_array for s in _slices()])
    np.testing.assert_array_equal(first.voxels, stored if step > 0 else stored[::-1])
    assert [f.value for f in second.facts] == ["2", "2"]


# --- real files ---------------------------------------------------------------------------------------------------


@needs_shared
@pytest.mark.shared_data
@pytest.mark.parametrize(("folder", "way"), [("mr_0003", "AP_3"), ("mr_0004", "PA_4")])
def test_mosaics_equal_the_authors_nifti(folder: str, way: str) -> None:
    truth = nibabel.load(QA / f"Ref/EPI_PE={way}.nii")
    files = sorted((QA / "In/20180918Si" / folder).glob("*.dcm"))
    for time, file in enumerate(files):
        (volume,) = read_volumes(file)
        _assert_equal(volume, np.asarray(truth.dataobj)[..., time], truth.affine)
    assert volume.facts[0].name == "slice_times_ms"
    assert len(volume.facts[0].value.split("; ")) == len(volume.voxels)


@needs_shared
@pytest.mark.shared_data
def test_philips_values_are_dcm2niixs_and_the_standard_ones_are_the_authors(tmp_path: Path) -> None:
    file = next((PHILIPS / "001").glob("*.dcm"))
    truth = nibabel.load(PHILIPS / "001_ground_truth.nii.gz")
    (standard,) = read_volumes(file, scaling="standard")
    _assert_equal(standard, np.asarray(truth.dataobj)[..., 0], truth.affine, rtol=2e-7)
    (precise,) = read_volumes(file)
    assert precise.notes == ("philips_precise_scaling",)
    assert precise.window is not None
    assert standard.window == (326.0, 567.0)
    ratio = float(precise.voxels.max()) / float(standard.voxels.max())
    assert precise.window[1] / 567.0 == pytest.approx(ratio, rel=1e-6)
    if DCM2NIIX:
        (image,) = _dcm2niix(file, tmp_path / "out")
        _assert_equal(precise, image.dataobj, image.affine, rtol=2e-7)


@needs_shared
@pytest.mark.shared_data
def test_a_legacy_converted_file_is_its_own_series() -> None:
    folder = SHARED / "dicom-seg-dcmqi/segmentations/24x38x3"
    (volume,) = read_volumes(folder / "multiframe/mf.dcm")
    series = read_series(sorted((folder / "image").iterdir()))
    np.testing.assert_array_equal(volume.voxels, series.voxels)
    np.testing.assert_allclose(volume.affine, series.affine, atol=1e-3)


def _mosaic(name: str) -> Dataset:
    """A real Siemens header of nibabel's with pixels that differ everywhere."""
    data = gzip.decompress((NICOM / name).read_bytes()) if name.endswith(".gz") else (NICOM / name).read_bytes()
    header = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data), stop_before_pixels=True)
    pixels = np.random.default_rng(3).integers(1, 4000, (header.Rows, header.Columns), dtype="<u2")
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OW"
    return header


_MOSAICS = ("siemens_dwi_0.dcm.gz", "siemens_dwi_1000.dcm.gz", "csa_slice_norm.dcm")


@needs_dcm2niix
@pytest.mark.parametrize("name", _MOSAICS)
def test_mosaics_of_either_slice_direction_lie_where_dcm2niix_puts_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mosaic.dcm"
    _mosaic(name).save_as(path)
    (volume,) = read_volumes(path)
    (image,) = _dcm2niix(path, tmp_path / "out")
    _assert_equal(volume, image.dataobj, image.affine)


@pytest.mark.parametrize("name", _MOSAICS[:2])
def test_the_slice_array_says_the_direction_where_the_image_header_is_gone(name: str) -> None:
    header = _mosaic(name)
    (expected,) = read_volumes(header)
    del header[0x00291010]
    (volume,) = read_volumes(header)
    _same(volume, expected)


@pytest.mark.parametrize("name", ["csa2_b0.bin", "csa2_b1000.bin", "csa_str_valid.bin", "csa2_zero_len.bin.gz"])
def test_csa_headers_hold_what_nibabel_reads(name: str) -> None:
    data = (NICOM / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    mine = parse_csa(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nibabel says on import that its readers are experimental
        theirs = importlib.import_module("nibabel.nicom.csareader").read(data)["tags"]
    assert set(mine) == set(theirs)
    for tag, values in mine.items():
        expected = [str(v) for v in theirs[tag]["items"] if v not in ("", None)]
        if theirs[tag]["vr"] in ("FL", "FD", "DS", "IS", "SL", "SS", "UL", "US"):
            assert [float(v) for v in values] == [float(v) for v in expected]
        else:
            assert list(values) == [text.strip() for text in expected]


def _tried(call: Callable[[], Any]) -> Any:
    """What a call gives, or the typed error that it ends in; any other exception fails the test."""
    try:
        return call()
    except RecordError as error:
        return error


_CSA = (NICOM / "csa2_b1000.bin").read_bytes()


def _older(data: bytes) -> bytes:
    """The same header in the layout without a magic, whose lengths are larger by the first tag's item count."""
    out, at = bytearray(data[8:16]), 16
    first = struct.unpack_from("<i", data, at + 76)[0]
    for _ in range(struct.unpack_from("<I", data, 8)[0]):
        items = struct.unpack_from("<i", data, at + 76)[0]
        out += data[at : at + 84]
        at += 84
        for _ in range(items):
            length = struct.unpack_from("<4i", data, at)[1]
            padded = (length + 3) // 4 * 4
            out += struct.pack("<4i", length + first, length + first, 77, length + first)
            out += data[at + 16 : at + 16 + padded]
            at += 16 + padded
    return bytes(out)


def test_both_csa_layouts_hold_the_same() -> None:
    assert parse_csa(_older(_CSA)) == parse_csa(_CSA)
    assert parse_csa(_CSA)["NumberOfImagesInMosaic"] == ("48",)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    older=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, len(_CSA) - 1), st.integers(0, 255)), max_size=8),
    head=st.lists(st.tuples(st.integers(0, 400), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])), max_size=8),
    cut=st.integers(0, len(_CSA)),
)
def test_a_mutated_csa_header_parses_or_fails_typed(older: bool, changes: Any, head: Any, cut: int) -> None:
    data = bytearray(_older(_CSA) if older else _CSA)
    for at, value in [*changes, *head]:
        data[min(at, len(data) - 1)] = value
    tags = _tried(lambda: parse_csa(bytes(data[: len(data) - cut // 3])))
    if isinstance(tags, RecordError):
        assert tags.reason == "bad_csa"
        assert tags.remedy
    else:
        assert sum(len(v) for values in tags.values() for v in values) <= len(data)


# --- bad input ----------------------------------------------------------------------------------------------------


def _first(made: Dataset) -> Dataset:
    groups: Dataset = made.PerFrameFunctionalGroupsSequence[0]
    return groups


def _tilted(made: Dataset, tangent: float = 1.1) -> None:
    for groups in made.PerFrameFunctionalGroupsSequence:
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        position[1] = float(position[1]) + tangent * float(position[2])


def test_a_tilted_file_is_straightened_as_its_series_is(tmp_path: Path) -> None:
    made = _single()
    _tilted(made, 0.3)
    slices = _slices()
    for number, one in enumerate(slices):
        one = copy.deepcopy(one)
        one.ImagePositionPatient[1] += 0.3 * one.ImagePositionPatient[2]
        one.save_as(tmp_path / f"{number}.dcm")
    series = read_series(sorted(tmp_path.iterdir()))
    (volume,) = read_volumes(made)
    _same(volume, series)
    assert volume.notes == ("gantry_tilt_corrected:16.70deg",)
    assert volume.notes[0] in series.notes


def _without(keyword: str) -> Change:
    return lambda made: made.__delattr__(keyword)


def _moved(mm: float) -> Change:
    def change(made: Dataset) -> None:
        position = _first(made).PlanePositionSequence[0].ImagePositionPatient
        position[2] = float(position[2]) + mm

    return change


def _set(keyword: str, value: Any) -> Change:
    return lambda made: setattr(made, keyword, value)


def _without_place(made: Dataset) -> None:
    del _first(made).PlanePositionSequence


def _volume_frame(made: Dataset) -> None:
    for groups in made.PerFrameFunctionalGroupsSequence:
        del groups.PlanePositionSequence
        groups.PlanePositionVolumeSequence = _item(ImagePositionVolume=[0, 0, 0])


def _same_number(made: Dataset) -> None:
    for groups in made.PerFrameFunctionalGroupsSequence:
        groups.FrameContentSequence[0].InStackPositionNumber = 1


def _short_index(made: Dataset) -> None:
    made.DimensionIndexSequence = Items([_item(DimensionIndexPointer=0x00209057)[0]])
    for groups in made.PerFrameFunctionalGroupsSequence:
        groups.FrameContentSequence[0].DimensionIndexValues = [1, 2]


def _one_time_elsewhere(made: Dataset) -> None:
    for number, groups in enumerate(made.PerFrameFunctionalGroupsSequence):
        groups.FrameContentSequence[0].TemporalPositionIndex = 1 + number % 2


def _doubled(made: Dataset) -> None:
    places = {float(g.PlanePositionSequence[0].ImagePositionPatient[2]) for g in made.PerFrameFunctionalGroupsSequence}
    low = sorted(places)[0]
    for groups in made.PerFrameFunctionalGroupsSequence:
        groups.PlanePositionSequence[0].ImagePositionPatient[2] = low
        del groups.FrameContentSequence[0].InStackPositionNumber


def _colour(made: Dataset) -> None:
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0


def _other_spacing(made: Dataset) -> None:
    _first(made).PixelMeasuresSequence = _item(PixelSpacing=[0.5, 0.5])


def _crooked(made: Dataset) -> None:
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=[1, 0, 0, 0.1, 1, 0])


def _bomb(made: Dataset) -> None:
    made.Rows = made.Columns = 60000


def _missing_slice(made: Dataset) -> None:
    numbers = [g.FrameContentSequence[0].InStackPositionNumber for g in made.PerFrameFunctionalGroupsSequence]
    drop = numbers.index(3)
    size = made.Rows * made.Columns * 2
    made.PixelData = made.PixelData[: drop * size] + made.PixelData[(drop + 1) * size :]
    del made.PerFrameFunctionalGroupsSequence[drop]
    made.NumberOfFrames = 4


_BAD: dict[str, tuple[Change, str, str]] = {
    "no functional groups": (_without("PerFrameFunctionalGroupsSequence"), "no_functional_groups", "5 frames"),
    "the count lies": (_set("NumberOfFrames", 500), "frame_count_mismatch", "5 per-frame items for 500 frames"),
    "a frame without a place": (_without_place, "no_position", "frame 1 of 5"),
    "no shared groups": (_without("SharedFunctionalGroupsSequence"), "no_orientation", "frame 1 of 5"),
    "the transducer's frame": (_volume_frame, "volume_frame_of_reference", "own frame of reference"),
    "in-stack numbers lie": (_same_number, "dimension_contradicts_position", "1 in-stack position numbers for 5"),
    "index values too many": (_short_index, "bad_dimension_index", "2 index values for 1 dimensions"),
    "times of other places": (_one_time_elsewhere, "incomplete_volumes", "TemporalPositionIndex"),
    "all in one place": (_doubled, "duplicate_positions", "5 frames in each of 1 places"),
    "tilt": (_tilted, "gantry_tilt", "47.73 degrees"),
    "a slice out of line": (_moved(0.7), "nonuniform_spacing", "mm from its place"),
    "a missing slice": (_missing_slice, "missing_slices", "1 missing of 5"),
    "crooked axes": (_crooked, "bad_orientation", "dot product 0.1000"),
    "two pixel sizes": (_other_spacing, "mixed_spacing", "from [0.488281, 0.488281] to [0.5, 0.5] mm"),
    "colour": (_colour, "not_monochrome", "RGB"),
    "short pixels": (_set("PixelData", bytes(1000)), "truncated_pixels", "1000 of "),
    "no pixels": (_without("PixelData"), "no_pixel_data", "without integer pixels"),
    "a bomb": (_bomb, "too_large", "(5, 60000, 60000) voxels"),
}


@pytest.mark.parametrize(("change", "reason", "found"), _BAD.values(), ids=_BAD)
def test_a_bad_file_fails_with_what_was_found_and_what_to_do(change: Change, reason: str, found: str) -> None:
    made = _single()
    change(made)
    with pytest.raises(RecordError) as caught:
        read_volumes(made)
    assert caught.value.reason == reason
    assert found in caught.value.found
    assert len(caught.value.remedy) > 10


def test_frames_with_places_are_a_volume_whatever_their_class() -> None:
    made = _single()
    made.SOPClassUID = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    _same(read_volumes(made)[0], read_series(CT_SERIES))


def _cut_csa(made: Dataset) -> None:
    made[0x00291010].value = made[0x00291010].value[:5000]


def _directionless(made: Dataset) -> None:
    del made[0x00291010], made[0x00291020]


_BAD_MOSAICS: dict[str, tuple[Change, str, str]] = {
    "count that does not fit": (_set("Rows", 890), "mosaic_count", "48 images in a mosaic of (890, 896)"),
    "counts that disagree": (lambda m: setattr(m[0x0019100A], "value", 47), "mosaic_count", "'(0019,100A)': 47"),
    "CSA cut off": (_cut_csa, "bad_csa", "bytes"),
    "no direction": (_directionless, "mosaic_direction", "neither a slice normal nor a slice array"),
    "no place": (_without("ImagePositionPatient"), "mosaic_plane", "0 values of ImagePositionPatient"),
    "turned plane": (_set("ImageOrientationPatient", [1, 0, 0, 0, 0, -1]), "mosaic_direction", "a slice normal at"),
    "short pixels": (_set("PixelData", bytes(10)), "truncated_pixels", "10 of "),
}


@pytest.mark.parametrize(("change", "reason", "found"), _BAD_MOSAICS.values(), ids=_BAD_MOSAICS)
def test_a_bad_mosaic_fails_with_what_was_found_and_what_to_do(change: Change, reason: str, found: str) -> None:
    made = _mosaic(_MOSAICS[1])
    change(made)
    with pytest.raises(RecordError) as caught:
        read_volumes(made)
    assert caught.value.reason == reason
    assert found in caught.value.found
    assert len(caught.value.remedy) > 10


def test_a_part_that_is_not_there_and_a_file_that_is_none_are_refused() -> None:
    with pytest.raises(RecordError, match="no_such_part: found part 1 of 1"):
        read_volume_part(_single(), 1)
    with pytest.raises(RecordError, match="not_multiframe"):
        read_volumes(CT_SERIES[0])


def test_nuclear_slices_without_a_place_in_the_patient_are_no_volume() -> None:
    made = _nm(4.0)
    del made.DetectorInformationSequence[0].ImagePositionPatient
    with pytest.raises(RecordError, match="no_position"):
        read_volumes(made)
    del made.DetectorInformationSequence
    assert not holds_volumes(made)
    with pytest.raises(RecordError, match="not_multiframe: found a NM file of 10 frames"):
        read_volumes(made)


def test_a_truncated_file_fails_typed_wherever_it_ends(tmp_path: Path) -> None:
    path = _saved(_double(_time), tmp_path, uid.RLELossless)
    data = path.read_bytes()
    for end in (140, 700, 3000, 5200, len(data) // 2, len(data) - 2000):
        path.write_bytes(data[:end])
        with pytest.raises((RecordError, Reject)):
            read_volumes(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(picks=st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["drop", "blank", "zero"])), max_size=4))
@pytest.mark.slow
def test_a_header_with_broken_elements_gives_volumes_or_a_typed_error(picks: Any) -> None:
    made = _double(_b_value)
    for number, how in picks:
        owners = [made, made.SharedFunctionalGroupsSequence[0], *made.PerFrameFunctionalGroupsSequence]
        owners += [item for owner in owners[1:] for e in list(owner) for item in e.value if e.VR == "SQ"]
        owner = owners[number % len(owners)]
        tags = [e.tag for e in owner if e.keyword not in _KEPT]
        if not tags:
            continue
        tag = tags[number // 7 % len(tags)]
        if how == "drop":
            del owner[tag]
        elif owner[tag].VR != "SQ":
            owner[tag].value = None if how == "blank" else _zero(owner[tag])
    groups = _tried(lambda: volumes_of(made))
    if isinstance(groups, RecordError):
        assert groups.found
        assert groups.remedy
    else:
        assert sorted(f for g in groups for f in g.frames) == list(range(made.NumberOfFrames))


_KEPT = ("PixelData", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames")


def _zero(element: Any) -> Any:
    numbers = element.VR in ("DS", "FD", "FL", "IS", "UL", "US")
    several = element.VM > 1
    return ([0] * element.VM if several else 0) if numbers else element.value


def test_the_source_and_the_reader_agree_on_what_a_volume_is() -> None:
    for file in sorted(FILES.glob("[A-Jc-z]*.dcm")):
        try:
            header = read_header(file)
            kind = classify(header)
        except RecordError:
            continue
        assert holds_volumes(header) == (kind == "volume"), file.name
    assert holds_volumes(_single())
    assert holds_volumes(_nm(4.0))
    assert holds_volumes(_mosaic(_MOSAICS[0]))
    assert not holds_volumes(read_header(FILES / "liver_1frame.dcm"))
