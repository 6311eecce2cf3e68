"""DICOM pixel data to arrays: decoding under limits, modality values, RGB. What images, cines and series share.

Decoding is pydicom's (native, RLE, deflate, JPEG by Pillow, JPEG-LS by pyjpegls, JPEG 2000 by OpenJPEG); lossless JPEG
(processes 14 and 14 SV1) and 12-bit JPEG through the GDCM inside SimpleITK. Not covered, and refused as `no_decoder`:
retired JPEG processes, JPIP, MPEG and HEVC
streams. ICC profiles and overlays are not applied.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, convert_color_space

from curate.arrays import Array, Units, narrow
from curate.dicom_header import bad_header, frame_count, integer_of, number_of, text_of, transfer_syntax, value_of
from curate.guard import typed
from manifests.errors import RecordError

MAX_VALUES = 1 << 29  # rows x columns x samples x frames of one instance

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_LOSSLESS_JPEG = (uid.JPEGLossless, uid.JPEGLosslessSV1)


def decode(instance: Dataset, max_values: int = MAX_VALUES) -> tuple[Array, str]:
    """Stored values (t, y, x[, c]), always with the frame axis, and their photometric interpretation after decoding.

    YBR_FULL and YBR_FULL_422 come back as RGB; unused high bits are cleared. Raises RecordError: `too_large` (known
    from the header and the codestream before anything is allocated), `no_transfer_syntax`, `no_decoder`,
    `no_pixel_data`, `truncated_pixels`, `codestream_mismatch`, `bad_pixels`, `bad_header`.
    """
    syntax = transfer_syntax(instance)
    shape = _declared_shape(instance, max_values)
    if not any(keyword in instance for keyword in _PIXEL_KEYWORDS):
        raise RecordError("no_pixel_data", "an image header without pixels", "fetch the file again")
    decoder = None if syntax in _LOSSLESS_JPEG else _decoder(syntax)
    precision = 0
    if syntax.is_encapsulated:
        precision = _check_codestream(instance, syntax)
    else:
        _check_length(instance, shape)
    with typed("bad_pixels", "fetch the file again; its pixel data contradict its header"):
        if decoder is None or (syntax == uid.JPEGExtended12Bit and precision > 8):
            values, photometric = _decode_with_gdcm(instance)
        else:
            values, properties = decoder.as_array(instance, raw=False)
            photometric = str(properties["photometric_interpretation"])
        return values.reshape(shape if shape[-1] != 1 else shape[:-1]), photometric


def _decoder(syntax: uid.UID) -> Any:
    remedy = "transcode the file to an uncompressed or JPEG 2000 transfer syntax"
    with typed("no_decoder", remedy):
        decoder = get_decoder(syntax)
    if not decoder.is_available:
        raise RecordError("no_decoder", syntax.name, remedy)
    return decoder


def _declared_shape(instance: Dataset, max_values: int) -> tuple[int, int, int, int]:
    """(frames, rows, columns, samples) from the header."""
    rows, columns = integer_of(instance, "Rows", 0), integer_of(instance, "Columns", 0)
    samples, frames = integer_of(instance, "SamplesPerPixel", 1), frame_count(instance)
    found = f"{frames} x {rows} x {columns} x {samples} values"
    if rows * columns == 0 or samples not in (1, 3):
        raise RecordError("bad_header", found, "rows and columns must be positive and samples 1 or 3")
    if rows * columns * samples * frames > max_values:
        raise RecordError("too_large", found, f"at most {max_values} values are decoded from one instance")
    return frames, rows, columns, samples


def _check_length(instance: Dataset, shape: tuple[int, int, int, int]) -> None:
    """Native pixel data must hold all frames (PS3.5 8.1.1); padding after them is allowed."""
    keyword = next(k for k in _PIXEL_KEYWORDS if k in instance)
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword, integer_of(instance, "BitsAllocated", 0))
    expected = math.ceil(math.prod(shape) * bits / 8)
    if text_of(instance, "PhotometricInterpretation") == "YBR_FULL_422":
        expected = expected // 3 * 2
    length = len(value_of(instance, keyword) or b"")
    if length < expected:
        raise RecordError("truncated_pixels", f"{length} of {expected} bytes", "fetch the file again")


def _check_codestream(instance: Dataset, syntax: uid.UID) -> int:
    """A codec allocates what the codestream says, so its size must be what the header says (JPEG, JPEG-LS, J2K).
    Returns the bits per sample of a JPEG, 0 where unknown."""
    remedy = "fetch the file again; its pixel data contradict its header"
    with typed("bad_pixels", remedy):
        frames = generate_frames(instance.PixelData, number_of_frames=frame_count(instance))
        first = next(frames, b"")
        declared = (integer_of(instance, "Rows", 0), integer_of(instance, "Columns", 0))
        found = _j2k_size(first) if syntax in uid.JPEG2000TransferSyntaxes else _jpeg_size(first)
    if not first:
        raise RecordError("truncated_pixels", "no encoded frame", "fetch the file again")
    if found and found[:2] != declared:
        raise RecordError("codestream_mismatch", f"{found[:2]} in the codestream, {declared} in the header", remedy)
    # A JPEG of fewer bits than the header says holds other values than were measured (wrapped or clipped).
    stored = integer_of(instance, "BitsStored", 0)
    if found and 0 < found[2] < stored and syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        raise RecordError("codestream_mismatch", f"{found[2]} bits in the codestream, {stored} in the header", remedy)
    return found[2] if found else 0


def _j2k_size(frame: bytes) -> tuple[int, int, int] | None:
    """(rows, columns, 0) of a JPEG 2000 codestream's SIZ marker, ISO/IEC 15444-1 A.5.1."""
    start = frame.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(frame) < start + 24:
        return None
    x_size, y_size, x_offset, y_offset = np.frombuffer(frame, ">u4", 4, start + 8).tolist()
    return y_size - y_offset, x_size - x_offset, 0


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    """(rows, columns, precision) of the first start-of-frame marker of a JPEG or JPEG-LS stream (T.81 B.2)."""
    if not frame.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4])
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return int.from_bytes(frame[at + 5 : at + 7]), int.from_bytes(frame[at + 7 : at + 9]), frame[at + 4]
        else:
            at += 2 + length
    return None


def _decode_with_gdcm(instance: Dataset) -> tuple[Array, str]:
    """JPEG that Pillow cannot decode, by SimpleITK's GDCM, which gets the bare image pixel module only, so that it
    rescales and converts nothing."""
    import SimpleITK as sitk  # noqa: N813 - its own convention

    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = transfer_syntax(instance)
    bare.SOPClassUID = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    bare.SOPInstanceUID = bare.file_meta.MediaStorageSOPInstanceUID = uid.UID("2.25.1")
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit"):
        setattr(bare, keyword, instance[keyword].value)
    bare.PixelRepresentation = integer_of(instance, "PixelRepresentation", 0)
    bare.NumberOfFrames = frame_count(instance)
    colour = bare.SamplesPerPixel == 3
    bare.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        bare.PlanarConfiguration = integer_of(instance, "PlanarConfiguration", 0)
    bare.add(instance["PixelData"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bare.dcm"
        bare.save_as(file, enforce_file_format=True)
        values: Array = sitk.GetArrayFromImage(sitk.ReadImage(str(file), imageIO="GDCMImageIO"))
    photometric = text_of(instance, "PhotometricInterpretation")
    if photometric == "YBR_FULL":
        return convert_color_space(values, "YBR_FULL", "RGB"), "RGB"
    return values, photometric


def modality_values(instance: Dataset, stored: Array, modality: str) -> tuple[Array, Units]:
    """Stored monochrome values after the modality LUT (PS3.3 C.11.1), in `narrow`'s dtypes, and their units.

    HU where RescaleType says so, or for CT that rescales without a type; display for 8-bit values without a rescale;
    scanner otherwise. Integers stay exact where slope and intercept are whole. Pixel padding stays as stored, rescaled
    like any value. Raises RecordError `bad_header` for a slope of 0.
    """
    if "ModalityLUTSequence" in instance:
        with typed("bad_header", "repair ModalityLUTSequence or leave the file out"):
            return narrow(apply_modality_lut(stored, instance)), "scanner"
    slope, intercept = number_of(instance, "RescaleSlope"), number_of(instance, "RescaleIntercept")
    if slope is None and intercept is None:
        return narrow(stored), "display" if stored.dtype == np.uint8 else "scanner"
    slope, intercept = 1.0 if slope is None else slope, 0.0 if intercept is None else intercept
    if slope == 0:
        raise bad_header("RescaleSlope")
    kind = text_of(instance, "RescaleType").upper() or ("HU" if modality == "CT" else "")
    units: Units = "HU" if kind == "HU" else "scanner"
    if (slope, intercept) == (1.0, 0.0):
        return narrow(stored), units
    if stored.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer():
        return narrow(stored.astype(np.int64) * int(slope) + int(intercept)), units
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32), units


def rgb_values(instance: Dataset, stored: Array, photometric: str) -> Array:
    """Decoded colour as uint8 (..., 3) RGB. More than 8 bits lose their low bits: value >> (bits - 8).

    Raises RecordError `unsupported_photometric` (YBR_PARTIAL, CMYK, HSV, supplemental palettes, ...), `bad_palette`.
    """
    if photometric == "PALETTE COLOR":
        with typed("bad_palette", "repair the palette colour look-up tables or leave the file out"):
            return _palette_values(instance, stored)
    if photometric not in ("RGB", "YBR_RCT", "YBR_ICT") or stored.dtype.kind != "u":
        found = f"{photometric or 'none'} as {stored.dtype}"
        raise RecordError("unsupported_photometric", found, "convert the image to 8-bit RGB")
    shift = max(0, integer_of(instance, "BitsStored", 8) - 8)
    return np.ascontiguousarray(stored >> shift, np.uint8)


def _palette_values(instance: Dataset, stored: Array) -> Array:
    """PS3.3 C.7.6.3.1.5 and 6: values below the first mapped one take the first entry, values above the last the last.

    16-bit tables give their high bytes. Tables whose entries all fit 8 bits although 16 are declared are taken as 8-bit
    tables, as old ultrasound machines wrote them. Alpha tables are ignored.
    """
    if "RedPaletteColorLookupTableData" not in instance:
        if int(value_of(instance, "RedPaletteColorLookupTableDescriptor")[0]) > 256:
            raise RecordError("bad_palette", "a segmented table of more than 256 entries", "expand it")
        colour: Array = apply_color_lut(stored, instance)[..., :3]
        return np.ascontiguousarray(colour if colour.dtype == np.uint8 else colour >> 8, np.uint8)
    tables = np.stack([_palette_table(instance, name) for name in ("Red", "Green", "Blue")], axis=-1)
    if tables.max() > 255:
        tables = tables >> 8
    first = np.int64(value_of(instance, "RedPaletteColorLookupTableDescriptor")[1])
    index = np.clip(stored.astype(np.int64) - first, 0, len(tables) - 1)
    rgb: Array = tables.astype(np.uint8)[index]
    return rgb


def _palette_table(instance: Dataset, name: str) -> Array:
    """One table as uint16 (entries,). Words are in the file's byte order: pydicom leaves them as stored."""
    entries = int(value_of(instance, f"{name}PaletteColorLookupTableDescriptor")[0]) or 1 << 16
    data = bytes(value_of(instance, f"{name}PaletteColorLookupTableData"))
    little = transfer_syntax(instance).is_little_endian
    if len(data) == 2 * entries:
        return np.frombuffer(data, "<u2" if little else ">u2").astype(np.uint16)
    if len(data) in (entries, entries + 1) and little:
        return np.frombuffer(data, np.uint8, entries).astype(np.uint16)
    found = f"{len(data)} bytes for {entries} entries"
    raise RecordError("bad_palette", found, "repair the palette colour look-up tables or leave the file out")
