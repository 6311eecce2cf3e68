"""How a DICOM header wants its values shown: VOI windows, functions and look-up tables, and which values are padding.

Standards: DICOM PS3.3 C.11.2 (VOI LUT), C.11.1 (Modality LUT), C.7.5.1.1.2 (Pixel Padding). Applying a window is
`curate.image.apply_window`. Not covered: presentation states, blending, per-frame VOI of functional groups.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from curate.arrays import Array, Image, VoiFunction, Window
from curate.dicom.header import bad_header, integer_of, number_of, text_of, transfer_syntax, value_of
from curate.guard import typed
from manifests.errors import RecordError

VOI_LUT = "voi_lut_applied"  # the note of an image whose values went through a VOI look-up table

_REMEDY = "repair VOILUTSequence or remove it"
_BLOCK = 1 << 18  # values looked up at a time
_FUNCTIONS: dict[str, VoiFunction] = {
    "": "linear",
    "LINEAR": "linear",
    "LINEAR_EXACT": "linear_exact",
    "SIGMOID": "sigmoid",
}
_PADDING = (
    ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
)


def voi_of(header: Dataset) -> tuple[Window | None, VoiFunction]:
    """The first (centre, width) in output units and its function; (None, "linear") where there is no usable window.

    A width below 1 is unusable for LINEAR, of 0 and less for the others (C.11.2.1.2.1, C.11.2.1.3). Raises RecordError
    `bad_header` for a VOILUTFunction that the standard does not know.
    """
    centre, width = number_of(header, "WindowCenter"), number_of(header, "WindowWidth")
    function = _FUNCTIONS.get(text_of(header, "VOILUTFunction").upper())
    if function is None:
        raise bad_header("VOILUTFunction")
    if centre is None or width is None or width <= 0 or (function == "linear" and width < 1):
        return None, "linear"
    return (centre, width), function


def stored_padding(header: Dataset) -> tuple[float, float] | None:
    """Lowest and highest stored value that stand for no measurement, None where the header names none.

    An integer padding value written as the other signedness is brought into the pixels' own range. A range limit goes
    either way (C.7.5.1.1.2).
    """
    for value_keyword, limit_keyword in _PADDING:
        value = number_of(header, value_keyword)
        if value is None:
            continue
        limit = number_of(header, limit_keyword)
        both = (value, value if limit is None else limit)
        if value_keyword == "PixelPaddingValue":
            both = (_as_stored(header, both[0]), _as_stored(header, both[1]))
        return min(both), max(both)
    return None


def _as_stored(header: Dataset, value: float) -> float:
    bits = integer_of(header, "BitsStored", 16)
    unsigned = int(value) % (1 << bits)
    signed = integer_of(header, "PixelRepresentation", 0) == 1
    return float(unsigned - (1 << bits) if signed and unsigned >= 1 << (bits - 1) else unsigned)


def full_range(bits: int) -> Window:
    """The LINEAR window that shows 0 as black and 2^bits - 1 as white."""
    return float(1 << (bits - 1)), float(1 << bits)


def voi_table(header: Dataset) -> tuple[Array, int, int] | None:
    """The first VOI look-up table: (entries as uint8 or uint16, first mapped value, bits per entry), None without one.

    Values before the first mapped one take the first entry, values after the last the last (C.11.2.1.1). Raises
    RecordError `bad_voi_lut`.
    """
    items = value_of(header, "VOILUTSequence")
    if not items:
        return None
    with typed("bad_voi_lut", _REMEDY):
        return _table(header, items[0])


def through_table(values: Array, voi: tuple[Array, int, int]) -> Array:
    """Values of any shape through `voi_table`'s table; non-integers are rounded first, NaN counts as 0."""
    table, first, _ = voi
    whole = values if values.dtype.kind in "iu" else np.rint(np.nan_to_num(values.astype(np.float64)))
    shown = np.empty(whole.shape, table.dtype)
    flat, out = np.ascontiguousarray(whole).reshape(-1), shown.reshape(-1)
    for start in range(0, flat.size, _BLOCK):  # an index costs eight times its entry
        index = np.clip(flat[start : start + _BLOCK].astype(np.int64) - first, 0, len(table) - 1)
        np.take(table, index, out=out[start : start + _BLOCK])
    return shown


def with_voi_lut(image: Image, header: Dataset) -> Image:
    """A monochrome `image` through the first VOI look-up table, where the header has one that decides how it is shown.

    A table cannot be kept as a window, so it is applied: the pixels become uint8 or uint16 in display units, the window
    is the table's full range, padding becomes what is shown black, and `notes` says `voi_lut_applied`. Where window and
    table stand side by side they are alternative views: HU keep their window and their values, all other images take
    the table, which is the curve that the maker tuned. Raises RecordError `bad_voi_lut`.
    """
    voi = None if image.units == "HU" and image.window is not None else voi_table(header)
    if voi is None:
        return image
    shown, bits = through_table(image.pixels, voi), voi[2]
    if image.padding is not None:
        shown[is_padding(image.pixels, image.padding)] = (1 << bits) - 1 if image.inverted else 0
    notes = (*image.notes, VOI_LUT)
    return Image(shown, "display", image.spacing_mm, full_range(bits), image.inverted, notes=notes)


def is_padding(values: Array, padding: tuple[float, float]) -> Array:
    """Where values lie in the padding range, both ends included."""
    inside: Array = (values >= padding[0]) & (values <= padding[1])
    return inside


def _table(header: Dataset, item: Dataset) -> tuple[Array, int, int]:
    """(entries as uint8 or uint16, first mapped value, bits per entry).

    Entries are words in the file's byte order or, where the bytes say so, packed bytes. `first` is signed where the
    values that enter the table are: after a rescale they may be (C.11.2.1.1), and 16-bit unsigned otherwise.
    """
    count, first, bits = (int(v) for v in value_of(item, "LUTDescriptor"))
    count = count % (1 << 16) or 1 << 16
    if not 1 <= bits <= 16:
        raise RecordError("bad_voi_lut", f"{bits} bits per entry", _REMEDY)
    if first > 0x7FFF and _signed_input(header):
        first -= 1 << 16
    entries = _entries(item["LUTData"].value, count, transfer_syntax(header).is_little_endian)
    if entries.max() >= 1 << bits:
        raise RecordError("bad_voi_lut", f"entries of more than {bits} bits", _REMEDY)
    return entries.astype(np.uint8 if bits <= 8 else np.uint16), first, bits


def _signed_input(header: Dataset) -> bool:
    rescaled_down = (number_of(header, "RescaleIntercept") or 0) < 0
    return integer_of(header, "PixelRepresentation", 0) == 1 or rescaled_down


def _entries(data: object, count: int, little_endian: bool) -> Array:
    if isinstance(data, bytes):
        if len(data) >= 2 * count:
            return np.frombuffer(data, "<u2" if little_endian else ">u2", count).astype(np.uint16)
        if len(data) in (count, count + 1):
            return np.frombuffer(data, np.uint8, count).astype(np.uint16)
        raise RecordError("bad_voi_lut", f"{len(data)} bytes for {count} entries", _REMEDY)
    words = np.atleast_1d(np.asarray(data, np.int64)) & 0xFFFF
    if len(words) < count:
        raise RecordError("bad_voi_lut", f"{len(words)} of {count} entries", _REMEDY)
    return words[:count].astype(np.uint16)
