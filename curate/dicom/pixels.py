"""DICOM pixel data to arrays: decoding under limits, modality values, RGB. What images, cines and series share.

    native, RLE, deflate                         pydicom
    JPEG-LS                                      pyjpegls (CharLS)
    JPEG 2000, high-throughput JPEG 2000         pylibjpeg-openjpeg (OpenJPEG)
    JPEG of 8 bits: sequential, progressive      Pillow (libjpeg-turbo), every transfer syntax, the retired ones too
    JPEG of 12 bits, lossless JPEG               the GDCM inside SimpleITK

Which JPEG process a frame uses is read from its own start-of-frame marker, not believed from the transfer syntax. Not
covered, and refused as `no_decoder`: hierarchical and arithmetic-coded JPEG beyond 8 bits, JPIP; MPEG and HEVC streams
are `curate.dicom.stream`'s. ICC profiles are ignored; overlays in unused high bits are cleared (PS3.5 8.1.1), overlay
planes not drawn.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut

from curate.arrays import Array, Units, narrow
from curate.dicom.codestream import has_end, j2k_header, require_sound
from curate.dicom.colour import rgb_values as rgb_values
from curate.dicom.colour import ybr_to_rgb
from curate.dicom.header import bad_header, frame_count, integer_of, number_of, text_of, transfer_syntax, value_of
from curate.dicom.rescale import to_float32, whole_ends
from curate.guard import typed
from manifests.errors import RecordError

MAX_VALUES = 1 << 29  # rows x columns x samples x frames of one instance

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PIXEL_MODULE = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PlanarConfiguration", "PhotometricInterpretation", "NumberOfFrames", "PixelData"),
)
_PHOTOMETRICS = (
    "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "XYB", "YBR_FULL", "YBR_FULL_422",
    "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT",
)  # fmt: skip
_JPEG_ROOT = "1.2.840.10008.1.2.4."
_JPEG = frozenset(f"{_JPEG_ROOT}{n}" for n in (*range(50, 67), 70))
_LS = frozenset({uid.JPEGLSLossless, uid.JPEGLSNearLossless})
_LOSSLESS_SOF, _TWELVE_BIT_SOFS, _EIGHT_BIT_SOFS = 0xC3, (0xC0, 0xC1, 0xC2), (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
_TRANSCODE = "transcode the file to an uncompressed or JPEG 2000 transfer syntax"
_REFETCH = "fetch the file again"
_FETCH = "fetch the file again; its pixel data contradict its header"
_MOST_SWOLLEN, _MAX_SWELLING = 1 << 24, 1000  # values of a frame; beyond so many, for each byte that codes them
_SCAN, _MAX_SCANS = b"\xff\xda", 256  # ten scans at most are in use, and each passes over the whole frame
_BLOCK = 1 << 18  # values rescaled at a time


def decode(instance: Dataset, max_values: int = MAX_VALUES) -> tuple[Array, str]:
    """Stored values (t, y, x[, c]), always with the frame axis, and their photometric interpretation after decoding.

    All YBR encodings come back as RGB; what colour a JPEG or JPEG 2000 stream codes is read from the stream where it
    says so (component ids, JFIF, Adobe APP14, the multiple component transform), else from the header. Unused bits
    above and below the stored ones are cleared. Raises RecordError: `too_large` (known from the header and the
    codestream before anything is allocated), `no_transfer_syntax`, `no_decoder`, `no_pixel_data`, `truncated_pixels`,
    `codestream_mismatch`, `bad_pixels`, `bad_header`, `unsupported_photometric`.
    """
    syntax = transfer_syntax(instance)
    shape = _declared_shape(instance, max_values)
    if not any(keyword in instance for keyword in _PIXEL_KEYWORDS):
        raise RecordError("no_pixel_data", "an image header without pixels", _REFETCH)
    decoder = None if syntax in _JPEG else _decoder(syntax)
    stream = None
    if syntax.is_encapsulated:
        stream = _check_codestreams(instance, syntax)
    else:
        _check_length(instance, shape)
    with typed("bad_pixels", _FETCH, "pixel data on which the decoder stopped"):
        if decoder is None:
            values, photometric = _decode_jpeg(instance, stream, shape)
        else:
            values, photometric = _decode_by_pydicom(decoder, instance, stream)
        values = values.reshape(shape if shape[-1] != 1 else shape[:-1])
    return _as_rgb(instance, values, photometric)


def named(syntax: uid.UID) -> str:
    """A transfer syntax in words that are the standard's: the file's own may be anything."""
    return "a transfer syntax that the standard does not know" if syntax.name == str(syntax) else syntax.name


def _shown(photometric: str) -> str:
    return photometric if photometric in _PHOTOMETRICS else "an unknown photometric interpretation"


def _decoder(syntax: uid.UID) -> Any:
    with typed("no_decoder", _TRANSCODE):
        decoder = get_decoder(syntax)
    if not decoder.is_available:
        raise RecordError("no_decoder", named(syntax), _TRANSCODE)
    return decoder


def _decode_by_pydicom(decoder: Any, instance: Dataset, stream: _Stream | None) -> tuple[Array, str]:
    """Values without any colour conversion of pydicom's, whose matrix product rounds as the processor pleases."""
    photometric = text_of(instance, "PhotometricInterpretation")
    source, shift = instance, 0
    stored, allocated = integer_of(instance, "BitsStored", 0), integer_of(instance, "BitsAllocated", 0)
    native = not transfer_syntax(instance).is_encapsulated
    if native or transfer_syntax(instance) == uid.RLELossless:
        shift = max(0, integer_of(instance, "HighBit", stored - 1) + 1 - stored)
    if shift and shift + stored <= allocated and "PixelData" in instance:
        source = _bare(instance, {"BitsStored": allocated, "HighBit": allocated - 1})
    if native and photometric == "YBR_PARTIAL_422":
        source = _bare(source, {"PhotometricInterpretation": "YBR_FULL_422"})
    values, properties = decoder.as_array(source, raw=True)
    if source is not instance and shift:
        values = _kept_bits(values, shift, stored, allocated)
    if native:
        return values, photometric
    if transfer_syntax(instance) in uid.JPEG2000TransferSyntaxes and stream and stream.coded == "ybr":
        return values, "RGB" if values.shape[-1] == 3 and photometric.startswith("YBR") else photometric
    return values, str(properties["photometric_interpretation"])


def _bare(instance: Dataset, changed: dict[str, str | int]) -> Dataset:
    """The image pixel module alone, with some values changed; the pixels are shared, not copied."""
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = transfer_syntax(instance)
    for keyword in _PIXEL_MODULE:
        if keyword in instance:
            bare.add(instance[keyword])
    for keyword, value in changed.items():
        bare.add_new(keyword, bare[keyword].VR, value)
    return bare


def _kept_bits(values: Array, shift: int, stored: int, allocated: int) -> Array:
    """Only the stored bits, when they do not start at the lowest: up to the top, and down with the sign."""
    np.left_shift(values, allocated - stored - shift, out=values)
    np.right_shift(values, allocated - stored, out=values)
    return values


def _as_rgb(instance: Dataset, values: Array, photometric: str) -> tuple[Array, str]:
    if values.ndim != 4 or not photometric.startswith("YBR") or photometric in ("YBR_RCT", "YBR_ICT"):
        return values, "RGB" if photometric in ("YBR_RCT", "YBR_ICT") else photometric
    span = {"YBR_FULL": "full", "YBR_FULL_422": "full", "YBR_PARTIAL_422": "partial"}.get(photometric)
    if span is None or values.dtype.kind != "u":
        found = f"{_shown(photometric)} as {values.dtype}"
        raise RecordError("unsupported_photometric", found, "convert the image to 8-bit RGB")
    values = values if values.flags.writeable else values.copy()
    ybr_to_rgb(values, integer_of(instance, "BitsStored", 8), "full" if span == "full" else "partial")
    return values, "RGB"


def _declared_shape(instance: Dataset, max_values: int) -> tuple[int, int, int, int]:
    """(frames, rows, columns, samples) from the header."""
    rows, columns = integer_of(instance, "Rows", 0), integer_of(instance, "Columns", 0)
    samples, frames = integer_of(instance, "SamplesPerPixel", 1), frame_count(instance)
    found = f"{frames} x {rows} x {columns} x {samples} values"
    if rows * columns == 0 or samples not in (1, 3):
        raise RecordError("bad_header", found, "rows and columns must be positive and samples 1 or 3")
    photometric = text_of(instance, "PhotometricInterpretation")
    if photometric and (samples == 1) != photometric.startswith(("MONOCHROME", "PALETTE")):
        raise RecordError(
            "bad_header", f"{found} of {_shown(photometric)}", "grey and palette have one sample, colour three"
        )
    if rows * columns * samples * frames > max_values:
        raise RecordError("too_large", found, f"at most {max_values} values are decoded from one instance")
    return frames, rows, columns, samples


def _check_length(instance: Dataset, shape: tuple[int, int, int, int]) -> None:
    """Native pixel data must hold all frames (PS3.5 8.1.1); padding after them is allowed."""
    keyword = next(k for k in _PIXEL_KEYWORDS if k in instance)
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword, integer_of(instance, "BitsAllocated", 0))
    expected = math.ceil(math.prod(shape) * bits / 8)
    if text_of(instance, "PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        expected = expected // 3 * 2
    length = len(value_of(instance, keyword) or b"")
    if length < expected:
        raise RecordError("truncated_pixels", f"{length} of {expected} bytes", _REFETCH)


@dataclass(frozen=True, slots=True)
class _Stream:
    """What an encoded frame says of itself; `coded` is ybr or rgb where a JPEG stream says it, else ""."""

    rows: int
    columns: int
    precision: int = 0  # 0: not looked up
    sof: int = 0
    components: int = 0
    coded: str = ""


def _frames(instance: Dataset) -> Iterator[bytes]:
    return generate_frames(instance.PixelData, number_of_frames=frame_count(instance))


def _check_codestreams(instance: Dataset, syntax: uid.UID) -> _Stream | None:
    """A codec allocates what the codestream says, so the size of every frame must be what the header says; None where
    frames have no header of their own."""
    if syntax not in _JPEG | _LS | set(uid.JPEG2000TransferSyntaxes):
        return None
    first: _Stream | None = None
    with typed("bad_pixels", _FETCH, "encapsulated pixel data that break"):
        for number, frame in enumerate(_frames(instance)):
            stream = _checked_codestream(instance, syntax, frame) if frame else None
            if stream is None:
                raise RecordError("truncated_pixels", f"frame {number + 1} without bytes", _REFETCH)
            first = first or stream
            if (stream.sof, stream.precision, stream.components) != (first.sof, first.precision, first.components):
                raise RecordError("codestream_mismatch", "frames that are coded in different ways", _FETCH)
    if first is None:
        raise RecordError("truncated_pixels", "no encoded frame", _REFETCH)
    return first


def _checked_codestream(instance: Dataset, syntax: uid.UID, frame: bytes) -> _Stream:
    jpeg2000 = syntax in uid.JPEG2000TransferSyntaxes
    told = j2k_header(frame) if jpeg2000 else None
    stream = _jpeg_stream(frame)
    if told is not None:  # `coded` is ybr where the components were transformed, which the decoder undoes
        coded = "ybr" if told.transformed else ""
        stream = _Stream(told.rows, told.columns, components=told.components, coded=coded)
    if stream is None:
        found = f"a frame that is no {'JPEG 2000 codestream' if jpeg2000 else 'JPEG stream'}"
        raise RecordError("bad_pixels", found, _FETCH)
    size, declared = (
        (stream.rows, stream.columns),
        (integer_of(instance, "Rows", 0), integer_of(instance, "Columns", 0)),
    )
    if size != declared:
        raise RecordError("codestream_mismatch", f"{size} in the codestream, {declared} in the header", _FETCH)
    samples = integer_of(instance, "SamplesPerPixel", 1)
    if stream.components != samples:
        found = f"{stream.components} components in the codestream, {samples} in the header"
        raise RecordError("codestream_mismatch", found, _FETCH)
    # A JPEG of fewer bits than the header says holds other values than were measured (wrapped or clipped).
    stored = integer_of(instance, "BitsStored", 0)
    if syntax in _JPEG and stream.sof != _LOSSLESS_SOF and 0 < stream.precision < stored:
        found = f"{stream.precision} bits in the codestream, {stored} in the header"
        raise RecordError("codestream_mismatch", found, _FETCH)
    if told is not None:
        require_sound(frame, told)
    elif syntax in _LS and not has_end(frame):
        raise RecordError("truncated_pixels", "a JPEG-LS frame without its end marker", _REFETCH)
    values = stream.rows * stream.columns * samples
    if values > max(_MOST_SWOLLEN, _MAX_SWELLING * len(frame)):
        raise RecordError("too_large", f"{values} values in a frame of {len(frame)} bytes", _FETCH)
    if syntax in _JPEG and frame.count(_SCAN) > _MAX_SCANS:
        raise RecordError("bad_pixels", f"{frame.count(_SCAN)} JPEG scans", _FETCH)
    return stream


def _jpeg_stream(frame: bytes) -> _Stream | None:
    """The first start-of-frame marker of a JPEG or JPEG-LS stream (T.81 B.2), and how its colour is coded.

    Component ids R, G, B say RGB; then JFIF says YCbCr; then Adobe's APP14 transform flag (0 RGB, 1 YCbCr).
    """
    jfif, adobe = False, ""
    for marker, start, end in _segments(frame):
        body = frame[start + 4 : end]
        if marker == 0xE0 and body.startswith(b"JFIF"):
            jfif = True
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = {0: "rgb", 1: "ybr"}.get(body[11], "")
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            ids = bytes(body[6::3][: body[5]])
            coded = "rgb" if ids in (b"RGB", b"rgb") else "ybr" if jfif else adobe
            rows, columns = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
            return _Stream(rows, columns, body[0], marker, body[5], coded)
    return None


def _segments(frame: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each marker segment before the first scan."""
    at = 2
    while frame.startswith(b"\xff\xd8") and at + 9 <= len(frame) and frame[at] == 0xFF:
        if frame[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        if frame[at + 1] == 0xDA:
            return
        end = at + 2 + int.from_bytes(frame[at + 2 : at + 4])
        yield frame[at + 1], at, end
        at = end


def _decode_jpeg(instance: Dataset, stream: _Stream | None, shape: tuple[int, int, int, int]) -> tuple[Array, str]:
    sof, precision = (stream.sof, stream.precision) if stream else (0, 0)
    photometric = text_of(instance, "PhotometricInterpretation")
    if sof == _LOSSLESS_SOF or (sof in _TWELVE_BIT_SOFS and precision == 12 and shape[-1] == 1):
        return _decode_with_gdcm(instance), photometric
    if sof not in _EIGHT_BIT_SOFS or precision != 8:
        raise RecordError("no_decoder", f"JPEG frames of type {sof:#x} with {precision} bits", _TRANSCODE)
    values = np.empty(shape, np.uint8)
    frames = _frames(instance)
    for number in range(shape[0]):
        frame = next(frames, b"")
        if not frame:
            raise RecordError("truncated_pixels", f"{number} of {shape[0]} encoded frames", _REFETCH)
        values[number] = _decode_with_pillow(frame, shape[1:], photometric).reshape(shape[1:])
    if shape[-1] == 3:
        return values, "RGB"
    return (values.view(np.int8) if integer_of(instance, "PixelRepresentation", 0) else values), photometric


def _decode_with_pillow(frame: bytes, shape: tuple[int, int, int], photometric: str) -> Array:
    """One 8-bit JPEG frame, grey or RGB. Where the header decides what colours are coded, the frame is told so by an
    APP14 marker: libjpeg would guess."""
    stream = _jpeg_stream(frame)
    if stream is None or (stream.rows, stream.columns, stream.components) != shape:
        raise RecordError("codestream_mismatch", "frames of different sizes", _FETCH)
    if shape[-1] == 3:
        coded = stream.coded or ("rgb" if photometric == "RGB" else "ybr")
        others = [frame[a:b] for marker, a, b in _segments(frame) if marker not in (0xE0, 0xEE)]
        scan = max(b for _, _, b in _segments(frame))
        adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + (b"\x01" if coded == "ybr" else b"\x00")
        frame = b"".join([b"\xff\xd8", adobe, *others, frame[scan:]])
    with PIL.Image.open(io.BytesIO(frame), formats=["JPEG"]) as image:
        return np.asarray(image)


def _decode_with_gdcm(instance: Dataset) -> Array:
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
    return values


def modality_values(instance: Dataset, stored: Array, modality: str) -> tuple[Array, Units]:
    """Stored monochrome values after the modality LUT (PS3.3 C.11.1), in `narrow`'s dtypes, and their units.

    HU where RescaleType says so, or for CT that rescales without a type; display for 8-bit values without a rescale;
    scanner otherwise. Integers stay exact where slope and intercept are whole. Pixel padding stays as stored, rescaled
    like any value. No more memory is used than the result and a few MiB. Raises RecordError `bad_header` for a slope
    of 0.
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
        return _rescaled_exactly(stored, int(slope), int(intercept)), units
    return _blockwise(stored, np.dtype(np.float32), lambda v: to_float32(v, slope, intercept)), units


def _rescaled_exactly(stored: Array, slope: int, intercept: int) -> Array:
    ends = np.array([whole_ends(stored, slope, intercept)], np.int64)
    return _blockwise(stored, narrow(ends).dtype, lambda v: v.astype(np.int64) * slope + intercept)


def _blockwise(stored: Array, dtype: np.dtype[Any], rescale: Callable[[Array], Array]) -> Array:
    out = np.empty(stored.shape, dtype)
    source, target = np.ascontiguousarray(stored).reshape(-1), out.reshape(-1)
    for start in range(0, source.size, _BLOCK):
        target[start : start + _BLOCK] = rescale(source[start : start + _BLOCK])
    return out
