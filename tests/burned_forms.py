"""Displayed pixels as DICOM instances in the forms that scanners and workstations store: native, compressed, cines,
ultrasound with regions. Everything that is stored without loss decodes to the same pixels."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

Pixels = NDArray[np.uint8]
Form = Literal[
    "grey", "monochrome1", "rgb", "jpeg", "ybr_422", "sixteen", "cine", "jpeg_lossless", "j2k", "rle", "ultrasound",
    "moving", "passing",
]  # fmt: skip
FORMS: tuple[Form, ...] = (
    "grey", "monochrome1", "rgb", "jpeg", "ybr_422", "sixteen", "cine", "jpeg_lossless", "j2k", "rle", "ultrasound",
    "moving", "passing",
)  # fmt: skip
CINES = ("cine", "moving", "passing")
FRAMES = 30


def instance(pixels: Pixels, form: Form) -> Dataset:
    """Displayed pixels as an instance of secondary capture that stores them in this form."""
    if form in CINES:
        return cine(np.stack(list(moving(pixels))))
    if form == "jpeg_lossless":
        return _jpeg_lossless(pixels)
    if form in ("j2k", "rle"):
        ds = _native(pixels, "RGB" if pixels.ndim == 3 else "MONOCHROME2")
        ds.compress(uid.JPEG2000Lossless if form == "j2k" else uid.RLELossless, generate_instance_uid=False)
        return ds
    if form == "ultrasound":
        return _ultrasound(pixels)
    if form == "sixteen" and pixels.ndim == 2:
        # as a 12-bit detector has it, shown by a window that is narrower than the values
        return _native(np.rint(pixels.astype(np.float64) * 11.0 + 300).astype(np.uint16), "MONOCHROME2", window=True)
    if form == "monochrome1" and pixels.ndim == 2:
        return _native(255 - pixels, "MONOCHROME1")
    if form in ("jpeg", "ybr_422"):
        return _jpeg(pixels)
    return _native(pixels, "RGB" if pixels.ndim == 3 else "MONOCHROME2")


def _header(
    shape: tuple[int, ...], photometric: str, bits: int, syntax: uid.UID = uid.ExplicitVRLittleEndian
) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = uid.SecondaryCaptureImageStorage
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    ds.Modality = "OT"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = shape[0], shape[1], 3 if len(shape) == 3 else 1
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits, bits - 1, 0
    if len(shape) == 3:
        ds.PlanarConfiguration = 0
    return ds


def _native(values: NDArray[Any], photometric: str, window: bool = False) -> Dataset:
    ds = _header(values.shape, photometric, values.dtype.itemsize * 8)
    if window:
        ds.WindowCenter, ds.WindowWidth = 1500, 2000
    data = values.tobytes()
    ds.add_new("PixelData", "OW" if values.dtype.itemsize == 2 else "OB", data + b"\0" * (len(data) % 2))
    return ds


def _jpeg(pixels: Pixels) -> Dataset:
    """Baseline JPEG of quality 90; colour as YBR_FULL_422."""
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "JPEG", quality=90, subsampling="4:2:2")
    ds = _header(pixels.shape, "YBR_FULL_422" if pixels.ndim == 3 else "MONOCHROME2", 8, uid.JPEGBaseline8Bit)
    ds.add_new("PixelData", "OB", encapsulate([stream.getvalue()]))
    ds["PixelData"].is_undefined_length = True
    return ds


def _jpeg_lossless(pixels: Pixels) -> Dataset:
    """Process 14, selection value 1, as GDCM writes it; grey alone. Of some odd sides GDCM refuses."""
    import SimpleITK

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.dcm")
        writer: Any = SimpleITK.ImageFileWriter()  # type: ignore[no-untyped-call]
        writer.SetFileName(str(path))
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.Execute(SimpleITK.GetImageFromArray(np.ascontiguousarray(pixels)))
        written = pydicom.dcmread(path)
    ds = _header(pixels.shape, "MONOCHROME2", 8, uid.JPEGLosslessSV1)
    ds.add_new("PixelData", "OB", written.PixelData)
    ds["PixelData"].is_undefined_length = True
    return ds


def fan(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """(rows, columns) of the region that an ultrasound instance declares."""
    return slice(shape[0] // 8, shape[0] - shape[0] // 16), slice(shape[1] // 10, shape[1] - shape[1] // 10)


def _ultrasound(pixels: Pixels) -> Dataset:
    ds = _native(pixels, "RGB" if pixels.ndim == 3 else "MONOCHROME2")
    ds.SOPClassUID, ds.Modality = uid.UltrasoundImageStorage, "US"
    rows, columns = fan(pixels.shape)
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = columns.start, rows.start
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = columns.stop - 1, rows.stop - 1
    ds.SequenceOfUltrasoundRegions = Sequence([region])
    return ds


def moving(pixels: Pixels) -> Iterator[Pixels]:
    """`FRAMES` frames in which the anatomy moves a pixel a frame to and fro and its brightness changes by a tenth."""
    for t in range(FRAMES):
        gain = 0.9 + 0.1 * np.cos(t / 3)
        yield np.rint(np.roll(pixels, min(t % 16, 16 - t % 16), axis=1) * gain).astype(np.uint8)


def cine(frames: Pixels) -> Dataset:
    ds = _header(frames.shape[1:], "RGB" if frames.ndim == 4 else "MONOCHROME2", 8)
    ds.SOPClassUID = (
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage
        if frames.ndim == 4
        else uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    )
    ds.NumberOfFrames, ds.FrameTime = FRAMES, "40"
    data = frames.tobytes()
    ds.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))
    return ds
