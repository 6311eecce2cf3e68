"""Bits and colours of DICOM: masked, shifted, converted and mapped as the standard and the other decoders do."""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from curate import dicom
from manifests.errors import RecordError

FILES = Path(str(importlib.util.find_spec("pydicom").origin)).parent / "data/test_files"  # type: ignore[union-attr]


def _header(**values: object) -> Dataset:
    instance = pydicom.dcmread(FILES / "CT_small.dcm")
    for keyword, value in values.items():
        setattr(instance, keyword, value)
    return instance


@pytest.mark.parametrize("signed", [0, 1])
def test_overlays_in_unused_bits_are_masked_off_and_high_bits_shifted_down(signed: int) -> None:
    rng = np.random.default_rng(3)
    low, high = (-2048, 2048) if signed else (0, 4096)
    values = rng.integers(low, high, (128, 128))
    overlay = rng.integers(0, 16, values.shape)
    at_bottom = (values & 0xFFF) | overlay << 12
    at_top = (values & 0xFFF) << 4 | overlay
    for stored, high_bit in ((at_bottom, 11), (at_top, 15)):
        instance = _header(BitsStored=12, HighBit=high_bit, PixelRepresentation=signed, RescaleIntercept=0)
        instance.PixelData = stored.astype("<u2").tobytes()
        np.testing.assert_array_equal(dicom.read_image(instance).pixels, values)


def _colour(values: np.ndarray, **changed: object) -> Dataset:
    instance = pydicom.dcmread(FILES / "SC_ybr_full_422_uncompressed.dcm")
    instance.Rows, instance.Columns = values.shape[:2]
    instance.PhotometricInterpretation = "YBR_FULL"
    instance.PixelData = values.astype(np.uint8).tobytes()
    for keyword, value in changed.items():
        setattr(instance, keyword, value)
    return instance


def test_ybr_is_converted_by_the_formulas_of_the_standard() -> None:
    ybr = np.random.default_rng(5).integers(0, 256, (20, 30, 3))
    full = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    expected = np.clip((ybr - [0, 128, 128]) @ np.linalg.inv(full).T, 0, 255)
    assert np.abs(dicom.read_image(_colour(ybr)).pixels - expected).max() <= 0.51
    planar = _colour(np.moveaxis(ybr, 2, 0).reshape(20, 30, 3), PlanarConfiguration=1)
    np.testing.assert_array_equal(dicom.read_image(planar).pixels, dicom.read_image(_colour(ybr)).pixels)


def test_partial_range_ybr_is_converted_and_420_refused() -> None:
    rng = np.random.default_rng(6)
    y, cb, cr = rng.integers(16, 236, (20, 30)), rng.integers(16, 241, (20, 15)), rng.integers(16, 241, (20, 15))
    words = np.stack([y[:, 0::2], y[:, 1::2], cb, cr], axis=-1)
    instance = _colour(words, PhotometricInterpretation="YBR_PARTIAL_422")
    instance.Rows, instance.Columns = 20, 30
    # PS3.3 C.7.6.3.1.2
    matrix = np.array([[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]])
    ybr = np.stack([y, np.repeat(cb, 2, axis=1), np.repeat(cr, 2, axis=1)], axis=-1)
    expected = np.clip((ybr - [16, 128, 128]) @ np.linalg.inv(matrix).T, 0, 255)
    assert np.abs(dicom.read_image(instance).pixels - expected).max() <= 1
    instance.PhotometricInterpretation = "YBR_PARTIAL_420"
    with pytest.raises(RecordError, match=r"unsupported_photometric|truncated_pixels"):
        dicom.read_image(instance)


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL_422", "YBR_FULL", "YBR_ICT"])
@pytest.mark.parametrize(
    "name",
    ["SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_jpeg_no_color_transform_2.dcm", "GDCMJ2K_TextGBR.dcm"],
)
def test_a_wrong_photometric_label_does_not_change_what_a_stream_says_itself(name: str, label: str) -> None:
    """RGB component ids; JFIF; APP14 without a transform; J2K with the multiple component transform."""
    instance = pydicom.dcmread(FILES / name)
    instance.PhotometricInterpretation = label
    np.testing.assert_array_equal(dicom.read_image(instance).pixels, dicom.read_image(FILES / name).pixels)


def test_where_a_stream_says_nothing_the_label_decides() -> None:
    rgb = pydicom.dcmread(FILES / "SC_jpeg_no_color_transform.dcm")
    as_rgb = dicom.read_image(rgb).pixels
    rgb.PhotometricInterpretation = "YBR_FULL_422"
    assert np.abs(dicom.read_image(rgb).pixels.astype(int) - as_rgb).max() > 50


@pytest.mark.filterwarnings("ignore")  # the file has implicit VR in its explicit VR data set
def test_an_app14_marker_too_short_to_say_anything_says_nothing() -> None:
    instance = pydicom.dcmread(FILES / "SC_rgb_jpeg.dcm")
    np.testing.assert_array_equal(dicom.read_image(instance).pixels, instance.pixel_array)


@pytest.mark.parametrize(("samples", "photometric"), [(1, "RGB"), (3, "MONOCHROME2"), (3, "PALETTE COLOR")])
def test_samples_that_contradict_the_photometric_interpretation_are_refused(samples: int, photometric: str) -> None:
    with pytest.raises(RecordError, match="bad_header: found 1 x 40 x 40 x"):
        dicom.read_image(_header(Rows=40, Columns=40, SamplesPerPixel=samples, PhotometricInterpretation=photometric))


HTJ2K = (
    "/0//UQApQAAAAAAgAAAAGAAAAAAAAAAAAAAAIAAAABgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQ"
    "kJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAK0AAf+TwAAmD/sFB3QAwAATQAASgJD4Awd0AFYBh3QAwAATwAASAEgg8QKC"
    "dAC7EjMAwAAVUAAFUCJEiPiggjICdgBarVb7wBCBvrYAwAAVsAAFoAwMDAwMDOeKenGCdwAsY4wxxv76AAB79gAB7LoAwAAtSAAFsLZt27Zt27Zt"
    "2/n+Cnp6enpwgnsAUkRERERERET+/3GHJ798nv3ye/fJ7L8A/9k="
)


@pytest.mark.parametrize("syntax", ["201", "202", "203"])
def test_high_throughput_jpeg_2000_is_read_losslessly(syntax: str) -> None:
    """A frame that another encoder (OpenJPH) made of 60 x + 10 y."""
    y, x = np.mgrid[:24, :32]
    instance = _header(Rows=24, Columns=32, PixelRepresentation=0, RescaleIntercept=0)
    instance.PixelData = pydicom.encaps.encapsulate([base64.b64decode(HTJ2K)])
    instance["PixelData"].is_undefined_length = True
    instance.file_meta.TransferSyntaxUID = pydicom.uid.UID(f"1.2.840.10008.1.2.4.{syntax}")
    np.testing.assert_array_equal(dicom.read_image(instance).pixels, 60 * x + 10 * y)


def _palette(stored: np.ndarray, first: int, **tables: object) -> Dataset:
    instance = pydicom.dcmread(FILES / "examples_palette.dcm")
    for name in ("Red", "Green", "Blue"):
        del instance[f"{name}PaletteColorLookupTableData"]
        vr = "SS" if stored.dtype.kind == "i" else "US"
        instance.add_new(f"{name}PaletteColorLookupTableDescriptor", vr, [256, first, 16])
    instance.Rows, instance.Columns = stored.shape
    instance.PixelRepresentation = int(stored.dtype.kind == "i")
    instance.BitsAllocated = instance.BitsStored = 8 * stored.dtype.itemsize
    instance.HighBit = instance.BitsStored - 1
    instance.PixelData = stored.tobytes()
    for keyword, value in tables.items():
        instance.add_new(keyword, "OW", np.asarray(value, "<u2").tobytes())
    return instance


def test_signed_palette_indices_start_at_the_signed_first_value() -> None:
    stored = np.arange(-200, 56, dtype=np.int16).reshape(16, 16)
    tables = {f"{n}PaletteColorLookupTableData": np.arange(256) * 257 for n in ("Red", "Green", "Blue")}
    shown = dicom.read_image(_palette(stored, -128, **tables)).pixels
    np.testing.assert_array_equal(shown[..., 0], np.clip(stored.astype(int) + 128, 0, 255))


def test_segmented_palettes_are_expanded_as_pydicom_expands_them() -> None:
    """Discrete and linear segments; then an indirect one, whose offset the standard counts in bytes."""
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    segments = [0, 2, 100, 60000, 1, 120, 3, 0, 1, 500, 1, 133, 65535]
    names = [f"Segmented{n}PaletteColorLookupTableData" for n in ("Red", "Green", "Blue")]
    instance = _palette(stored, 0, **dict.fromkeys(names, segments))
    oracle = pydicom.pixels.processing.apply_color_lut(stored, instance) >> 8
    assert np.abs(dicom.read_image(instance).pixels.astype(int) - oracle).max() <= 1
    twice = [0, 2, 0, 65535, 1, 126, 0, 2, 2, 0, 0]
    shown = dicom.read_image(_palette(stored, 0, **dict.fromkeys(names, twice))).pixels[..., 0].reshape(-1)
    np.testing.assert_array_equal(shown[:128], shown[128:])
    for bad in ([1, 256, 5], [0, 2, 1, 2, 2, 1, 6, 0], [2, 1, 0, 0], [0, 300, *range(300)], [0, 10, *range(10)]):
        with pytest.raises(RecordError, match="bad_palette"):
            dicom.read_image(_palette(stored, 0, **dict.fromkeys(names, bad)))


def test_a_supplemental_palette_is_refused() -> None:
    with pytest.raises(RecordError, match="unsupported_photometric: found a supplemental palette"):
        dicom.read_image(_header(PixelPresentation="MIXED"))


def test_a_later_frame_of_another_size_is_refused() -> None:
    instance = pydicom.dcmread(FILES / "examples_ybr_color.dcm")
    frames = list(pydicom.encaps.generate_frames(instance.PixelData, number_of_frames=30))
    at = frames[3].index(b"\xff\xc0")
    frames[3] = frames[3][: at + 5] + b"\xff\xff\xff\xff" + frames[3][at + 9 :]
    instance.PixelData = pydicom.encaps.encapsulate(frames)
    with pytest.raises(RecordError, match="codestream_mismatch: found"):
        dicom.read_cine(instance)
