"""Sixteen bits to eight: VOI windows, functions, look-up tables and padding are what the standard and pydicom say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_voi, apply_windowing

from curate import dicom
from curate.arrays import Image, VoiFunction
from curate.dicom.voi import stored_padding, voi_of
from curate.image import apply_window, percentile_range, to_display
from manifests.errors import RecordError

FILES = Path(str(importlib.util.find_spec("pydicom").origin)).parent / "data/test_files"  # type: ignore[union-attr]
EVERY = np.arange(-32768, 32768, dtype=np.int16).reshape(256, 256)
FUNCTIONS: dict[VoiFunction, str] = {"linear": "LINEAR", "linear_exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}


def _ct(**values: Any) -> Dataset:
    """CT_small: 128 x 128, 16 bits signed, slope 1, intercept -1024; -2000 is put into its first rows."""
    instance = pydicom.dcmread(FILES / "CT_small.dcm")
    stored = np.frombuffer(instance.PixelData, "<i2").copy()
    stored[:300] = -2000
    instance.PixelData = stored.tobytes()
    for keyword, value in values.items():
        if value is None:
            del instance[keyword]
        else:
            setattr(instance, keyword, value)
    return instance


def _lut(entries: np.ndarray, first: int, bits: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) & 0xFFFF, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return item


@pytest.mark.parametrize("function", ["linear", "linear_exact", "sigmoid"])
@pytest.mark.parametrize(("centre", "width"), [(40.0, 400.0), (2048.0, 4096.0), (-600.5, 1500.25), (0.0, 1.0)])
def test_each_voi_function_is_pydicoms(function: VoiFunction, centre: float, width: float) -> None:
    header = Dataset()
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = centre, width, FUNCTIONS[function]
    header.PhotometricInterpretation, header.BitsStored, header.PixelRepresentation = "MONOCHROME2", 16, 1
    assert voi_of(header) == ((centre, width), function)
    with np.errstate(over="ignore"):
        expected = (apply_windowing(EVERY, header).astype(np.float64) + 32768) / 65535 * 255
    shown = to_display(Image(EVERY, "HU", None, (centre, width), voi=function))
    assert np.abs(shown - expected).max() <= 0.5 + 1e-3
    as_floats = to_display(Image(EVERY.astype(np.float32), "HU", None, (centre, width), voi=function))
    np.testing.assert_array_equal(as_floats, shown)


def test_a_sigmoid_never_reaches_zero_slope_and_is_half_at_its_centre() -> None:
    shown = apply_window(np.array([-np.inf, -1000, 0, 1000, np.inf, np.nan]), (0.0, 400.0), "sigmoid")
    assert shown.tolist()[0::4] == [0, 255]
    assert shown[2] in (127, 128)
    assert shown[5] == 0


def test_the_first_of_several_windows_counts_and_unknown_functions_are_refused() -> None:
    image = dicom.read_image(_ct(WindowCenter=[40, 600], WindowWidth=[400, 1500], VOILUTFunction="SIGMOID"))
    assert (image.window, image.voi) == ((40.0, 400.0), "sigmoid")
    assert dicom.read_image(_ct(WindowCenter=40, WindowWidth=0.5)).window is None
    exact = dicom.read_image(_ct(WindowCenter=40, WindowWidth=0.5, VOILUTFunction="LINEAR_EXACT"))
    assert exact.window == (40.0, 0.5)
    with pytest.raises(RecordError, match="bad_header: found an unusable VOILUTFunction"):
        dicom.read_image(_ct(WindowCenter=40, WindowWidth=400, VOILUTFunction="CUBIC"))


@pytest.mark.parametrize(("bits", "first", "entries"), [(12, 100, 2000), (16, 0, 4096), (10, 0, 65536)])
def test_a_voi_table_is_applied_as_pydicom_applies_it(bits: int, first: int, entries: int) -> None:
    curve = (np.sin(np.linspace(0, np.pi / 2, entries)) * ((1 << bits) - 1)).astype(np.uint16)
    instance = _ct(Modality="DX", RescaleSlope=None, RescaleIntercept=None, PixelPaddingValue=None)
    instance.PixelRepresentation = 0
    instance.VOILUTSequence = [_lut(curve, first, bits)]
    image = dicom.read_image(instance)
    expected = apply_voi(np.frombuffer(instance.PixelData, "<u2").reshape(128, 128), instance)
    np.testing.assert_array_equal(image.pixels, expected)
    assert (image.units, image.notes, image.window) == ("display", ("voi_lut_applied",), (2 ** (bits - 1), 2**bits))
    assert np.abs(to_display(image) - expected / ((1 << bits) - 1) * 255).max() <= 0.5


def test_eight_bit_tables_are_read_from_words_and_from_packed_bytes() -> None:
    curve = np.arange(255, -1, -1)
    instance = _ct(Modality="DX", RescaleSlope=None, RescaleIntercept=None, VOILUTSequence=[_lut(curve, 100, 8)])
    words = dicom.read_image(instance).pixels
    instance.VOILUTSequence[0].LUTData = curve.astype(np.uint8).tobytes()
    np.testing.assert_array_equal(dicom.read_image(instance).pixels, words)
    stored = np.frombuffer(instance.PixelData, "<i2").reshape(128, 128)
    np.testing.assert_array_equal(words[4:], 255 - np.clip(stored - 100, 0, 255)[4:])


def test_a_table_of_negative_values_starts_where_it_says() -> None:
    curve = np.arange(4096)
    instance = _ct(Modality="MR", VOILUTSequence=[_lut(curve, -1024, 12)], RescaleType="US")
    stored = np.frombuffer(instance.PixelData, "<i2").reshape(128, 128)
    shown = dicom.read_image(instance).pixels
    inside = stored != instance.PixelPaddingValue
    np.testing.assert_array_equal(shown[inside], np.clip(stored, 0, 4095)[inside])


def test_hounsfield_units_keep_their_values_where_window_and_table_stand_together() -> None:
    table = [_lut(np.arange(4096), -1024, 12)]
    kept = dicom.read_image(_ct(WindowCenter=40, WindowWidth=400, VOILUTSequence=table))
    assert (kept.units, kept.window, kept.notes) == ("HU", (40.0, 400.0), ())
    assert dicom.read_image(_ct(VOILUTSequence=table)).units == "display"


@pytest.mark.parametrize("bad", [(0, 0, 16), (4096, 0, 17), (4096, 0, 8)])
def test_broken_tables_are_refused(bad: tuple[int, int, int]) -> None:
    item = _lut(np.arange(4095), 0, 12)
    item.LUTDescriptor = list(bad)
    with pytest.raises(RecordError, match="bad_voi_lut"):
        dicom.read_image(_ct(VOILUTSequence=[item]))


# --- padding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inverted", [False, True])
def test_padding_is_black_and_counts_in_no_percentile(inverted: bool) -> None:
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    image = dicom.read_image(_ct(PixelPaddingValue=-2000, PhotometricInterpretation=photometric))
    stored = np.frombuffer(_ct().PixelData, "<i2").reshape(128, 128)
    padded = stored == -2000
    assert image.padding == (-3024.0, -3024.0)
    assert padded.any()
    shown = to_display(image)
    assert shown[padded].max() == 0
    low, high = np.percentile(image.pixels[~padded], (0.5, 99.5))
    assert percentile_range(image.pixels, image.padding) == pytest.approx((low, high))
    real = np.rint(np.clip((image.pixels[~padded] - low) / (high - low), 0, 1) * 255)
    assert np.abs(shown[~padded] - (255 - real if inverted else real)).max() <= 1


def test_a_padding_range_goes_either_way_and_either_signedness() -> None:
    assert stored_padding(_ct(PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1990)) == (-2000.0, -1990.0)
    assert stored_padding(_ct(PixelPaddingValue=-1990, PixelPaddingRangeLimit=-2000)) == (-2000.0, -1990.0)
    header = Dataset()
    header.PixelRepresentation, header.BitsStored = 1, 16
    header.add_new("PixelPaddingValue", "US", 63536)
    assert stored_padding(header) == (-2000.0, -2000.0)
    assert stored_padding(Dataset()) is None


def test_padding_survives_a_voi_table_as_black() -> None:
    instance = _ct(Modality="DX", VOILUTSequence=[_lut(np.arange(500, 4596), -1024, 16)], PixelPaddingValue=-2000)
    padded = np.frombuffer(instance.PixelData, "<i2").reshape(128, 128) == -2000
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        instance.PhotometricInterpretation = photometric
        assert to_display(dicom.read_image(instance))[padded].max() == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["int16", "uint16", "uint8"]), st.booleans())
def test_counted_percentiles_are_numpys(seed: int, dtype: str, with_padding: bool) -> None:
    rng = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max + 1, (70, 70)).astype(dtype)
    values[rng.integers(0, 70) :] = limits.min
    padding = (float(limits.min), float(limits.min)) if with_padding else None
    kept = values[values != limits.min] if with_padding else values
    expected = np.percentile(kept, (0.5, 99.5)) if kept.size else np.zeros(2)
    if expected[0] == expected[1] and kept.size:
        expected = np.array([kept.min(), kept.max()])
    assert percentile_range(values, padding) == pytest.approx(tuple(expected))


def test_narrow_values_fill_the_display_range() -> None:
    instance = pydicom.dcmread(FILES / "image_dfl.dcm")
    instance.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    instance.BitsStored, instance.HighBit = 4, 3
    instance.PixelData = (np.arange(512 * 512) % 16).astype(np.uint8).tobytes()
    for keyword in ("WindowCenter", "WindowWidth"):
        if keyword in instance:
            del instance[keyword]
    np.testing.assert_array_equal(to_display(dicom.read_image(instance))[0, :16], np.arange(16) * 17)
