"""DICOM: every file reads or fails typed, every encoding gives the same pixels, series lie where dcm2niix puts them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from curate import dicom
from curate.arrays import Frames, Image, Volume
from curate.dicom.header import frame_times_s
from curate.volume import corner_distance_mm
from manifests.errors import RecordError, Reject

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
PACKAGED = Path(str(importlib.util.find_spec("pydicom").origin)).parent / "data"  # type: ignore[union-attr]
nibabel: Any = importlib.import_module("nibabel")  # not annotated
FILES = PACKAGED / "test_files"
CT_SERIES = sorted((FILES / "dicomdirtests/98892001/CT5N").iterdir())
DCM2NIIX = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or shutil.which("dcm2niix")


def _read(path: Path) -> Image | Frames:
    header = dicom.read_header(path)
    dicom.facts(header)
    return dicom.read_cine(path) if dicom.classify(header) == "cine" else dicom.read_image(path)


def _outcome(path: Path) -> str:
    try:
        read = _read(path)
    except (RecordError, Reject) as error:
        return error.reason
    return "cine" if isinstance(read, Frames) else "image"


@pytest.mark.slow
def test_every_packaged_file_reads_or_fails_with_a_named_reason() -> None:
    files = [f for f in sorted(PACKAGED.rglob("*")) if f.is_file() and f.suffix not in (".py", ".pyc")]
    outcomes = {f.relative_to(PACKAGED).as_posix(): _outcome(f) for f in files}
    assert len(outcomes) > 150
    assert sum(o in ("image", "cine") for o in outcomes.values()) > 90
    expected = {
        "test_files/MR_truncated.dcm": "truncated_pixels",
        "test_files/no_meta.dcm": "not_dicom",
        "test_files/zipMR.gz": "not_dicom",
        "test_files/badVR.dcm": "bad_header",
        "test_files/rtplan.dcm": "no_pixels",
        "test_files/test-SR.dcm": "no_pixels",
        "test_files/waveform_ecg.dcm": "no_pixels",
        "test_files/dicomdirtests/DICOMDIR": "no_pixels",
        "test_files/liver_1frame.dcm": "derived_object",
        "test_files/rtdose.dcm": "derived_object",
        "test_files/JPEG2000-embedded-sequence-delimiter.dcm": "codestream_mismatch",
        "test_files/image_dfl.dcm": "image",
        "test_files/JPGExtended.dcm": "image",
        "test_files/SC_rgb_jpeg_gdcm.dcm": "image",
        "test_files/examples_ybr_color.dcm": "cine",
    }
    assert {name: outcomes[name] for name in expected} == expected
    assert "bad_pixels" not in outcomes.values()


def test_encodings_of_one_slice_give_equal_pixels() -> None:
    reference = dicom.read_image(FILES / "MR_small.dcm")
    encodings = sorted(FILES.glob("MR_small_*.dcm"))
    assert len(encodings) == 7
    for file in encodings:
        image = dicom.read_image(file)
        np.testing.assert_array_equal(image.pixels, reference.pixels, err_msg=file.name)
        assert (image.units, image.spacing_mm, image.window) == ("scanner", (0.3125, 0.3125), (600.0, 1600.0))


@pytest.mark.shared_data
@needs_shared
def test_lossless_transfer_syntaxes_give_equal_pixels_and_lossy_ones_are_near() -> None:
    folder = SHARED / "dicom-transfer-syntaxes-cornerstone3d"
    reference = dicom.read_image(folder / "CTImage.dcm").pixels.astype(int)
    worst = {}
    for file in sorted(folder.glob("CTImage.dcm_*.dcm")):
        syntax = file.name.removesuffix(".dcm").rpartition("_")[2].removeprefix("1.2.840.10008.1.2.")
        worst[syntax] = float(np.abs(dicom.read_image(file).pixels - reference).max())
    lossless = {"2": 0, "1.99": 0, "4.57": 0, "4.70": 0, "4.80": 0, "4.90": 0, "5": 0}
    assert {k: worst.pop(k) for k in lossless} == lossless
    assert worst.pop("4.91") <= 5
    assert worst.pop("4.81") <= 1
    # one 12-bit image, coded sequentially and by two retired progressive processes
    assert worst.pop("4.51") == worst.pop("4.53") == worst.pop("4.55") <= 70
    assert worst.pop("4.50") <= 70  # 8 bits
    assert not worst


@pytest.mark.shared_data
@needs_shared
@pytest.mark.parametrize("process", ["JPEGProcess1T", "JPEGProcess2_4", "JPEGProcess6_8", "JPEGProcess10_12"])
def test_lossy_jpeg_is_what_gdcm_decodes(process: str) -> None:
    sitk: Any = importlib.import_module("SimpleITK")
    (file,) = (SHARED / "dicom-transfer-syntaxes-cornerstone3d").glob(f"*{process}*")
    oracle = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))[0]
    assert np.abs(dicom.read_image(file).pixels - oracle).max() < 1e-4  # float32 rescaling


COLOUR = [
    "ExplVR_BigEnd.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_jpeg_no_color_transform.dcm",
    "SC_jpeg_no_color_transform_2.dcm",
    "SC_rgb_jpeg_lossy_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "examples_jpeg2k.dcm",
]


@pytest.mark.parametrize("name", COLOUR)
def test_colour_is_what_simpleitk_decodes(name: str) -> None:
    sitk: Any = importlib.import_module("SimpleITK")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    image = dicom.read_image(FILES / name)
    assert (str(image.pixels.dtype), image.pixels.shape[2], image.units) == ("uint8", 3, "display")
    oracle = sitk.GetArrayFromImage(sitk.ReadImage(str(FILES / name)))[0]
    np.testing.assert_array_equal(image.pixels, oracle)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "JPGExtended.dcm", "693_J2KI.dcm"])
def test_monochrome_values_are_what_simpleitk_rescales(name: str) -> None:
    sitk: Any = importlib.import_module("SimpleITK")

    oracle = sitk.GetArrayFromImage(sitk.ReadImage(str(FILES / name)))[0]
    np.testing.assert_array_equal(dicom.read_image(FILES / name).pixels, oracle)


def test_sixteen_and_thirty_two_bit_colour_keeps_its_high_bits() -> None:
    eight = dicom.read_image(FILES / "SC_rgb_rle.dcm").pixels.astype(int)
    for name in ("SC_rgb_rle_16bit.dcm", "SC_rgb_rle_32bit.dcm"):
        assert np.abs(dicom.read_image(FILES / name).pixels.astype(int) - eight).max() <= 1


def _header(**values: object) -> Dataset:
    instance = pydicom.dcmread(FILES / "CT_small.dcm")
    for keyword, value in values.items():
        if value is None:
            del instance[keyword]
        else:
            setattr(instance, keyword, value)
    return instance


def test_rescaling_keeps_integers_and_names_units() -> None:
    stored = pydicom.dcmread(FILES / "CT_small.dcm").pixel_array.astype(int)
    whole = dicom.read_image(_header(RescaleSlope=2, RescaleIntercept=-1024))
    assert (str(whole.pixels.dtype), whole.units) == ("int16", "HU")
    np.testing.assert_array_equal(whole.pixels, stored * 2 - 1024)
    fraction = dicom.read_image(_header(RescaleSlope="0.5", RescaleType="US"))
    assert (str(fraction.pixels.dtype), fraction.units) == ("float32", "scanner")
    bare = dicom.read_image(_header(RescaleSlope=None, RescaleIntercept=None))
    assert bare.units == "scanner"
    np.testing.assert_array_equal(bare.pixels, stored)
    with pytest.raises(RecordError, match="bad_header: found an unusable RescaleSlope"):
        dicom.read_image(_header(RescaleSlope=0))


def test_spacing_window_and_inversion_come_from_the_header() -> None:
    image = dicom.read_image(_header(WindowCenter=[40, 600], WindowWidth=[400, 1500], PixelSpacing=[0.5, 0.25]))
    assert (image.window, image.spacing_mm, image.inverted) == ((40.0, 400.0), (0.5, 0.25), False)
    detector = dicom.read_image(_header(PixelSpacing=None, ImagerPixelSpacing=[0.1, 0.2]))
    assert detector.spacing_mm == (0.1, 0.2)
    assert dicom.read_image(_header(PhotometricInterpretation="MONOCHROME1")).inverted
    assert dicom.read_image(_header(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")).inverted
    with pytest.raises(RecordError, match="bad_header"):
        dicom.read_image(_header(PixelSpacing=[0.5, 0]))


def test_huge_and_contradicting_sizes_are_refused_before_decoding() -> None:
    for size in ({"Rows": 65535, "Columns": 65535}, {"NumberOfFrames": 2**31 - 1}):
        with pytest.raises(RecordError, match=r"too_large|multi_frame"):
            dicom.read_image(_header(**size))
    with pytest.raises(RecordError, match="too_large"):
        dicom.read_cine(_header(NumberOfFrames=2**31 - 1))
    with pytest.raises(RecordError, match="truncated_pixels"):
        dicom.read_image(_header(Rows=129))
    encoded = pydicom.dcmread(FILES / "MR_small_jp2klossless.dcm")
    encoded.Rows = 65
    with pytest.raises(RecordError, match="codestream_mismatch"):
        dicom.read_image(encoded)


def test_missing_and_unknown_transfer_syntaxes_are_named() -> None:
    instance = _header()
    del instance.file_meta.TransferSyntaxUID
    with pytest.raises(RecordError, match="no_transfer_syntax"):
        dicom.read_image(instance)
    instance.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    with pytest.raises(RecordError, match="no_decoder"):
        dicom.read_image(instance)


def test_a_deflate_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    bomb = _header(EncapsulatedDocument=b"\0" * 3_000_000)
    bomb.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    bomb.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    assert (tmp_path / "bomb.dcm").stat().st_size < 100_000
    assert dicom.read_header(tmp_path / "bomb.dcm").Rows == 128
    with pytest.raises(RecordError, match="too_large"):
        dicom.read_header(tmp_path / "bomb.dcm", max_bytes=1_000_000)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_files_read_or_fail_typed(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["MR_small.dcm", "MR_small_RLE.dcm", "SC_rgb_small_odd_jpeg.dcm", "badVR.dcm"]))
    content = bytearray((FILES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(128, min(len(content), 3000) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated.dcm"
    path.write_bytes(bytes(content[: data.draw(st.integers(200, len(content)))]))
    assert _outcome(path)


# --- cine -------------------------------------------------------------------------------------------------------------


def test_cine_frames_match_pydicom_and_times_come_from_the_header() -> None:
    cine = dicom.read_cine(FILES / "examples_ybr_color.dcm")
    header = dicom.read_header(FILES / "examples_ybr_color.dcm")
    assert (cine.frames.shape, str(cine.frames.dtype)) == ((30, 240, 320, 3), "uint8")
    assert cine.times_known
    np.testing.assert_allclose(cine.times_s, np.arange(30) * float(header.FrameTime) / 1000, atol=1e-6)
    np.testing.assert_array_equal(cine.frames, pydicom.dcmread(FILES / "examples_ybr_color.dcm").pixel_array)
    untimed = dicom.read_cine(FILES / "SC_rgb_rle_2frame.dcm")
    assert (untimed.times_known, untimed.times_s) == (False, (0.0, 1.0))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"FrameTime": 40, "HeartRate": 72}, {"fps": "25", "frame_time_ms": "40", "heart_rate_bpm": "72"}),
        ({"FrameTimeVector": [0, 40, 60]}, {"fps": "20"}),
        ({"CineRate": 30, "ActualFrameDuration": 12}, {"fps": "30", "frame_duration_ms": "12"}),
        ({"RecommendedDisplayFrameRate": 15, "NominalInterval": 830}, {"fps": "15", "rr_interval_ms": "830"}),
        ({"FrameTime": 0, "HeartRate": 0}, {}),
    ],
)
def test_cine_facts_say_what_the_header_says_of_time(values: dict[str, object], expected: dict[str, str]) -> None:
    header = Dataset()
    header.NumberOfFrames = 3
    for keyword, value in values.items():
        setattr(header, keyword, value)
    assert {f.name: f.value for f in dicom.cine_facts(header)} == expected


def _region(step: float, spatial: int = 1, kind: int = 1, unit: int = 3) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = spatial, kind
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = unit
    region.PhysicalDeltaX, region.PhysicalDeltaY = step, step * 2
    return region


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([_region(0.05)], (1.0, 0.5)),
        ([_region(0.05), _region(0.05, kind=2), _region(1.0, spatial=5, unit=0)], (1.0, 0.5)),
        ([_region(0.05), _region(0.04)], None),
        ([_region(0.05), _region(0.05, spatial=3, kind=4, unit=4)], None),
        ([_region(0.05, unit=0)], None),
        ([], None),
    ],
)
def test_ultrasound_spacing_comes_from_regions_of_one_scale(
    regions: list[Dataset], spacing: tuple[float, float] | None
) -> None:
    instance = _header(Modality="US", PixelSpacing=None, SequenceOfUltrasoundRegions=regions)
    assert dicom.read_image(instance).spacing_mm == spacing
    facts = {f.name: f.value for f in dicom.spacing_facts(instance)}
    assert facts == ({"spacing_source": "ultrasound_region"} if spacing else {})


def test_a_spacing_at_the_detector_is_named_with_its_magnification() -> None:
    instance = _header(PixelSpacing=None, ImagerPixelSpacing=[0.1, 0.1], EstimatedRadiographicMagnificationFactor=1.1)
    facts = {f.name: f.value for f in dicom.spacing_facts(instance)}
    assert facts == {"spacing_source": "detector", "magnification": "1.1"}


def test_a_cine_takes_at_most_three_times_its_decoded_size() -> None:
    instance = _header(Modality="XA", Rows=512, Columns=512, NumberOfFrames=24, BitsStored=12, HighBit=11)
    instance.PixelRepresentation = 0
    instance.PixelData = np.random.default_rng(1).integers(0, 4096, 24 << 18).astype("<u2").tobytes()
    tracemalloc.start()
    cine = dicom.read_cine(instance)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cine.frames.shape == (24, 512, 512)
    assert peak <= 3.2 * len(instance.PixelData)


def test_every_way_to_state_frame_times_is_read() -> None:
    def times(**values: object) -> tuple[float, ...] | None:
        header = Dataset()
        header.NumberOfFrames = 3
        for keyword, value in values.items():
            setattr(header, keyword, value)
        return frame_times_s(header)

    assert times(FrameTime=40) == (0.0, 0.04, 0.08)
    assert times(FrameTimeVector=[0, 40, 60]) == (0.0, 0.04, 0.1)
    assert times(CineRate=25) == (0.0, 0.04, 0.08)
    assert times(RecommendedDisplayFrameRate=50) == (0.0, 0.02, 0.04)
    assert times() is None
    with pytest.raises(RecordError, match="bad_header"):
        times(FrameTimeVector=[0, 40, -1])


@pytest.mark.shared_data
@needs_shared
def test_a_palette_cine_is_equal_in_rle_and_jpeg_ls() -> None:
    folder = SHARED / "dicom-cine-dcm4che"
    rle, jpeg_ls = (dicom.read_cine(folder / n) for n in ("US-PAL-8-10x-echo", "jpeg-ls-Palette.dcm"))
    np.testing.assert_array_equal(rle.frames, jpeg_ls.frames)
    heart = dicom.read_cine(folder / "NM-MONO2-16-13x-heart")
    assert heart.frames.shape == (13, 64, 64)
    assert np.ptp(heart.frames) >= 254  # one window for the whole clip
    with pytest.raises(RecordError, match="multi_frame"):
        dicom.read_image(folder / "US-PAL-8-10x-echo")


# --- series -----------------------------------------------------------------------------------------------------------


def _assert_same_grid_and_voxels(volume: Volume, oracle: Any, voxel_tolerance: float = 0.0) -> None:
    """In RAS+ order both must hold the same voxels in the same places."""
    ours = nibabel.as_closest_canonical(nibabel.Nifti1Image(volume.voxels.T.astype(np.float64), volume.affine))
    theirs = nibabel.as_closest_canonical(oracle)
    assert ours.shape == theirs.shape
    assert corner_distance_mm(ours.affine, theirs.affine, ours.shape) <= 1e-3
    assert np.abs(ours.get_fdata() - theirs.get_fdata()).max() <= voxel_tolerance


def _dcm2niix(files: list[Path], folder: Path) -> Any:
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    for number, file in enumerate(files):
        shutil.copy(file, folder / "in" / f"{number}.dcm")
    command = [str(DCM2NIIX), "-z", "n", "-b", "n", "-o", str(folder / "out"), str(folder / "in")]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = (folder / "out").glob("*.nii")
    return nibabel.load(made)


def test_a_series_lies_where_dcm2niix_puts_it(tmp_path: Path) -> None:
    assert DCM2NIIX, "the dev extra brings dcm2niix"
    volume = dicom.read_series(list(reversed(CT_SERIES)))
    assert (volume.voxels.shape, str(volume.voxels.dtype), volume.units) == ((5, 16, 16), "int16", "HU")
    assert (volume.orientation, volume.window) == ("LPS", (40.0, 400.0))
    _assert_same_grid_and_voxels(volume, _dcm2niix(CT_SERIES, tmp_path))


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (10, -35, 15), (90, 0, 0), (0, 90, 5)])
def test_oblique_series_lie_where_dcm2niix_puts_them(tmp_path: Path, angles: tuple[int, int, int]) -> None:
    assert DCM2NIIX
    a, b, c = np.radians(angles)
    turn = (
        np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        @ np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    )
    files = _series(tmp_path, turn=turn, spacing=(0.7, 0.9), gap=2.5, count=6)
    (tmp_path / "oracle").mkdir()
    _assert_same_grid_and_voxels(dicom.read_series(files), _dcm2niix(files, tmp_path / "oracle"))


def _series(
    folder: Path,
    turn: np.ndarray | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    gap: float = 2.0,
    count: int = 4,
    places: list[float] | None = None,
) -> list[Path]:
    """A synthetic CT series; `places` are the slices' distances along the normal."""
    axes = np.eye(3) if turn is None else turn
    files = []
    for number, place in enumerate(places if places is not None else [n * gap for n in range(count)]):
        instance = pydicom.dcmread(FILES / "CT_small.dcm")
        instance.ImageOrientationPatient = [f"{v:.10f}"[:16] for v in (*axes[:, 0], *axes[:, 1])]
        instance.ImagePositionPatient = [f"{v:.8f}"[:16] for v in np.array([10, -20, 30]) + axes[:, 2] * place]
        instance.PixelSpacing, instance.SliceThickness = list(spacing), gap
        instance.InstanceNumber = number + 1
        instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"2.25.{number + 1}")
        instance.Rows, instance.Columns = 10, 12
        instance.PixelData = (np.arange(120, dtype="<i2") + 1000 + number).tobytes()
        for keyword in ("DataSetTrailingPadding", "GantryDetectorTilt"):
            if keyword in instance:
                del instance[keyword]
        files.append(folder / f"{number:03d}.dcm")
        instance.save_as(files[-1])
    return files


def _edit(file: Path, **values: object) -> None:
    instance = pydicom.dcmread(file)
    for keyword, value in values.items():
        setattr(instance, keyword, value)
    instance.save_as(file)


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    files = _series(tmp_path)
    one, other = dicom.read_series(files), dicom.read_series([files[2], files[0], files[3], files[1]])
    np.testing.assert_array_equal(one.voxels, other.voxels)
    np.testing.assert_array_equal(one.affine, other.affine)


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ([0, 2], "too_few_slices"),
        ([0, 2, 2, 4], "duplicate_positions"),
        ([0, 0, 2, 2, 4, 4], "temporal_series"),
        ([0, 2, 4, 8, 10], "missing_slices"),
        ([0, 2, 4, 7, 9], "nonuniform_spacing"),
        ([0, 2, 4, 6.2, 8], "nonuniform_spacing"),
    ],
)
def test_broken_stacks_are_refused_with_what_was_found(tmp_path: Path, places: list[float], reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        dicom.read_series(_series(tmp_path, places=places))
    assert caught.value.reason == reason
    assert any(c.isdigit() for c in caught.value.found)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, "mixed_orientation"),
        ({"PixelSpacing": [1.0, 1.1]}, "mixed_spacing"),
        ({"Rows": 9}, "mixed_shape"),
        ({"FrameOfReferenceUID": "2.25.99"}, "mixed_frame_of_reference"),
        ({"SeriesInstanceUID": "2.25.99"}, "mixed_series"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "mixed_photometric"),
        ({"NumberOfFrames": 2}, "multiframe_in_series"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "not_slices"),
        ({"ImageType": ["DERIVED", "PRIMARY", "M", "MOSAIC"]}, "mosaic"),
        ({"ImagePositionPatient": [10, -20]}, "bad_header"),
        ({"RescaleType": "US"}, "mixed_units"),
    ],
)
def test_one_slice_that_differs_is_refused_by_name(tmp_path: Path, values: dict[str, object], reason: str) -> None:
    files = _series(tmp_path)
    _edit(files[2], **values)
    with pytest.raises(RecordError) as caught:
        dicom.read_series(files)
    assert caught.value.reason == reason


def test_skewed_stacks_are_refused(tmp_path: Path) -> None:
    files = _series(tmp_path)
    for number, file in enumerate(files):
        _edit(file, ImagePositionPatient=[10, -20 + 0.3 * (number % 2), 30 + 2 * number])
    with pytest.raises(RecordError, match="nonuniform_spacing"):
        dicom.read_series(files)
    for file in files:
        _edit(file, ImageOrientationPatient=[1, 0, 0, 0.2, 0.98, 0])
    with pytest.raises(RecordError, match="bad_orientation"):
        dicom.read_series(files)


def test_every_slice_is_rescaled_by_its_own_slope(tmp_path: Path) -> None:
    files = _series(tmp_path, count=3)
    for number, file in enumerate(files):
        _edit(file, RescaleSlope=number + 1, RescaleIntercept=0)
    voxels = dicom.read_series(files).voxels
    assert voxels.dtype == np.int16
    assert voxels[:, 0, 0].tolist() == [1000, 2 * 1001, 3 * 1002]
    _edit(files[0], RescaleSlope="0.5")
    assert dicom.read_series(files).voxels.dtype == np.float32


@pytest.mark.slow
@pytest.mark.shared_data
@needs_shared
def test_shared_series_agree_with_their_recorded_truth() -> None:
    head = dicom.read_series(sorted((SHARED / "dicom-ct-head-slicer/CTHeadAxialDicom").iterdir()))
    truth = SHARED / "dicom-ct-head-slicer/expected/ct_head_dcm2niix.nii.gz"
    _assert_same_grid_and_voxels(head, nibabel.load(truth))

    anatomical = SHARED / "dicom-dicom2nifti/generic/anatomical"
    volume = dicom.read_series(sorted((anatomical / "002_non_isotropic").iterdir()))
    _assert_same_grid_and_voxels(volume, nibabel.load(anatomical / "002_non_isotropic_ground_truth.nii.gz"), 1e-5)
    compressed = SHARED / "dicom-dicom2nifti/generic/compressed_rle"
    volume = dicom.read_series(sorted((compressed / "001").iterdir()))
    _assert_same_grid_and_voxels(volume, nibabel.load(compressed / "001_ground_truth.nii.gz"))


@pytest.mark.slow
@pytest.mark.shared_data
@needs_shared
def test_a_jpeg_2000_series_has_the_recorded_voxel_digest() -> None:
    folder = SHARED / "ct-totalsegmentator"
    truth = json.loads((folder / "expected/dicom_dcm2niix.summary.json").read_text())
    volume = dicom.read_series(sorted((folder / "example_ct_dicom").iterdir()))
    flipped = volume.voxels[:, ::-1]  # dcm2niix turns the rows round
    flip = np.eye(4)
    flip[1, 1], flip[1, 3] = -1, volume.voxels.shape[1] - 1
    assert list(volume.voxels.shape[::-1]) == truth["shape"]
    assert corner_distance_mm(volume.affine @ flip, np.array(truth["affine"]), tuple(truth["shape"])) <= 1e-3
    digests = {hashlib.sha256(flipped.astype(t).tobytes()).hexdigest() for t in ("<i2", "<f4", "<f8")}
    assert truth["voxel_sha256_little_endian_F_order"] in digests


@pytest.mark.shared_data
@needs_shared
@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("dicom-dicom2nifti/failing/slicecount/001", "too_few_slices"),
        ("dicom-dicom2nifti/failing/sliceorientation/001", "mixed_spacing"),
        ("dicom-dicom2nifti/generic/rgb/001", "not_slices"),
        ("dicom-dcm_qa_nih/In/20180918GE/mr_0004", "temporal_series"),
    ],
)
@pytest.mark.slow
def test_shared_series_that_are_no_volume_are_refused(folder: str, reason: str) -> None:
    files = sorted(f for f in (SHARED / folder).iterdir() if f.suffix == ".dcm")
    with pytest.raises(RecordError) as caught:
        dicom.read_series(files)
    assert caught.value.reason == reason


# --- headers ----------------------------------------------------------------------------------------------------------


def test_facts_state_what_the_header_says_with_its_tag() -> None:
    header = _header(PatientAge="006M", PatientSex="F", Laterality="L", ContrastBolusAgent="None", KVP="120.50")
    facts = {f.name: (f.value, f.unit, f.origin) for f in dicom.facts(header)}
    assert facts["modality"] == ("CT", "", "dicom:0008,0060")
    assert facts["plane"] == ("axial", "", "dicom:0020,0037")
    assert facts["age_years"] == ("0.5", "year", "dicom:0010,1010")
    assert facts["sex"][0] == "female"
    assert facts["laterality"] == ("left", "", "dicom:0020,0060")
    assert facts["contrast"][0] == "no"
    assert facts["kvp"] == ("120.5", "kV", "dicom:0018,0060")
    assert facts["slice_thickness_mm"][:2] == ("5", "mm")
    assert not {"manufacturer", "patient_id"} & set(facts)


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        ((1, 0, 0, 0, 1, 0), "axial"),
        ((1, 0, 0, 0, 0, -1), "coronal"),
        ((0, 1, 0, 0, 0, -1), "sagittal"),
        ((1, 0, 0, 0, 0.8, 0.6), "oblique"),
        ((), ""),
        ((1, 0, 0, 1, 0, 0), "oblique"),
    ],
)
def test_the_plane_follows_the_slice_normal(orientation: tuple[float, ...], plane: str) -> None:
    assert dicom.plane_of(orientation) == plane


def test_classify_tells_instances_apart() -> None:
    def kind(**values: object) -> str:
        return dicom.classify(_header(**values))

    assert kind() == "slice"
    assert kind(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]) == "image"
    assert kind(Modality="DX") == "image"
    assert kind(NumberOfFrames=5) == "cine"
    assert kind(SOPClassUID=pydicom.uid.EnhancedCTImageStorage) == "volume"
    assert kind(ImageType=["DERIVED", "PRIMARY", "M", "MOSAIC"]) == "volume"
    assert kind(SOPClassUID=pydicom.uid.VLWholeSlideMicroscopyImageStorage) == "unsupported"
    assert dicom.modality(_header(Modality="")) == "CT"


def test_errors_never_quote_header_values(tmp_path: Path) -> None:
    files = _series(tmp_path)
    for file in files:
        _edit(file, PatientName="SECRET^NAME", PatientID="SECRET", ImagePositionPatient=[1, 2])
    with pytest.raises(RecordError) as caught:
        dicom.read_series(files)
    assert "SECRET" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
