"""Images with burned-in text and without: fictitious names, dates and numbers on real images, with the inked pixels.

Each case is a DICOM instance as a scanner or workstation would write it (native, JPEG, YBR_FULL_422, MONOCHROME1, 16
bits, a cine), so that the whole way from stored bytes to canonical pixels is tested. Everything follows from the case's
number; fonts are Pillow's own and, where the system has them, DejaVu and Liberation.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pydicom.data
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from curate import dicom, image
from manifests.errors import MedcurateError

Pixels = NDArray[np.uint8]
Form = Literal["grey", "monochrome1", "rgb", "jpeg", "ybr_422", "sixteen", "cine"]

SHARED = Path(__file__).resolve().parents[1] / "../shared/data"
PACKAGED = Path(str(pydicom.data.__file__)).parent / "test_files"
NAMES = (
    "HOFFMANN ANNA", "DOE, JANE", "Smith^Mary Jane", "Garcia Lopez, Juan", "MUELLER, KARL-HEINZ", "Li Xiaoming",
    "OKAFOR CHINWE", "Petrova Elena", "NAKAMURA H.", "Brown, William",
)  # fmt: skip
DATES = ("1961-04-17", "08/29/1951", "17.04.1961", "03 MAR 1978", "2019-11-02 14:31")
NUMBERS = ("ID 4471902", "MRN00123456", "ACC 20193377", "DOB 12/05/1949")
SIZES = (12, 14, 16, 18, 20, 24, 28, 32, 40)
FORMS: tuple[Form, ...] = ("grey", "monochrome1", "rgb", "jpeg", "ybr_422", "sixteen", "cine")
ANGLES = (0, 0, 0, 0, 90, 15, -15)
COLOURS = {"white": (255, 255, 255), "yellow": (255, 235, 40), "grey": (170, 170, 170), "black": (0, 0, 0)}
FONTS = (
    "", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf", "LiberationSans-Bold.ttf",
    "LiberationMono-Regular.ttf", "LiberationSerif-Regular.ttf", "LiberationSansNarrow-Regular.ttf",
)  # fmt: skip
FRAMES = 30
_SHARED_GROUNDS = (
    "cxr-covid-hannover/**/*.png", "mammography-monai/**/*.jpg", "dermoscopy-isic/**/*.jpg",
    "fundus-chasedb1/**/*.jpg", "vqa-rad-subset/**/*.jpg", "us-lung-video-pocovid/**/*.png",
    "us-lung-video-pocovid/**/*.jpg",
)  # fmt: skip
_DICOM_GROUNDS = (
    "dicom-ct-head-slicer/**/*.dcm", "dicom-cine-dcm4che/**/*", "dicom-dicom2nifti/**/*",
    "dicom-transfer-syntaxes-cornerstone3d/**/*.dcm", "dicom-seg-dcmqi/**/*.dcm",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One instance; `truth` (y, x) marks the pixels that text inked, `words` what was written."""

    name: str
    ds: Dataset
    words: tuple[str, ...]
    truth: NDArray[np.bool_]
    size_px: int
    form: Form
    font: str
    colour: str
    angle: int


# ------------------------------------------------------------------------------------------------ real backgrounds


@cache
def grounds(use_shared: bool = True) -> tuple[tuple[str, Pixels], ...]:
    """(name, displayed pixels) of real images in a fixed order, at most 800 pixels a side, those of packages first."""
    found = [(p.name, _shown_dicom(p)) for p in sorted(PACKAGED.glob("*.dcm"))]
    if use_shared and SHARED.is_dir():
        found += [(f"{p.parent.name}/{p.name}", _shown_picture(p)) for g in _SHARED_GROUNDS for p in _some(g, 24)]
        found += [(f"{p.parent.name}/{p.name}", _shown_dicom(p)) for g in _DICOM_GROUNDS for p in _some(g, 12)]
    usable = [(name, _bounded(p)) for name, p in found if p is not None and min(p.shape[:2]) >= 128 and _is_picture(p)]
    distinct = {hashlib.sha256(p.tobytes()).digest(): (name, p) for name, p in reversed(usable)}
    return tuple(reversed(distinct.values()))


def _is_picture(pixels: Pixels) -> bool:
    """Neither one flat shade nor noise that somebody put in the place of an image: neighbours resemble each other."""
    values = pixels.astype(np.float64)
    return bool(values.std() > 8 and np.abs(np.diff(values, axis=1)).mean() < 0.8 * values.std())


def _some(pattern: str, most: int) -> list[Path]:
    paths = [p for p in sorted(SHARED.glob(pattern)) if p.is_file() and p.suffix not in (".json", ".txt", ".md")]
    return paths[:: max(1, len(paths) // most)][:most]


def _shown_dicom(path: Path) -> Pixels | None:
    try:
        return image.to_display(dicom.read_image(path))
    except MedcurateError:  # headers without pixels, broken files, no decoder: none of them is a background
        return None


def _shown_picture(path: Path) -> Pixels:
    return image.to_display(image.read_image(path))


def _bounded(pixels: Pixels) -> Pixels:
    return image.fit(pixels, 800)[0]


# ------------------------------------------------------------------------------------------------ text


def fonts() -> tuple[str, ...]:
    """Those of `FONTS` that this system has; "" is Pillow's own."""
    return tuple(name for name in FONTS if not name or _has_font(name))


@cache
def _has_font(name: str) -> bool:
    try:
        PIL.ImageFont.truetype(name, 12)
    except OSError:
        return False
    return True


def _font(name: str, size: int) -> Any:
    return PIL.ImageFont.truetype(name, size) if name else PIL.ImageFont.load_default(size)


def _stencil(lines: tuple[str, ...], font: str, size: int, angle: int) -> Pixels:
    """The ink of some lines, 0 to 255, on a tight ground."""
    drawn = PIL.ImageDraw.Draw(PIL.Image.new("L", (1, 1)))
    box = drawn.multiline_textbbox((0, 0), "\n".join(lines), font=_font(font, size))
    canvas = PIL.Image.new("L", (int(box[2]) + 4, int(box[3]) + 4), 0)
    PIL.ImageDraw.Draw(canvas).multiline_text((1, 1), "\n".join(lines), fill=255, font=_font(font, size))
    turned = canvas.rotate(angle, resample=PIL.Image.Resampling.BICUBIC, expand=True)
    return np.asarray(turned, dtype=np.uint8)


def _place(shape: tuple[int, int], ink: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """The upper left corner: one of the image's corners, or anywhere."""
    room = (shape[0] - ink[0] - 4, shape[1] - ink[1] - 4)
    if rng.random() < 0.5:
        return int(rng.choice((4, max(room[0], 0)))), int(rng.choice((4, max(room[1], 0))))
    return int(rng.integers(0, max(room[0], 1))), int(rng.integers(0, max(room[1], 1)))


def _burn(ground: Pixels, ink: Pixels, at: tuple[int, int], colour: tuple[int, int, int]) -> tuple[Pixels, Any]:
    y, x = at
    height, width = (min(ink.shape[0], ground.shape[0] - y), min(ink.shape[1], ground.shape[1] - x))
    truth = np.zeros(ground.shape[:2], dtype=bool)
    truth[y : y + height, x : x + width] = ink[:height, :width] >= 96
    alpha = ink[:height, :width, np.newaxis].astype(np.float64) / 255
    burned = np.atleast_3d(ground).astype(np.float64)
    shade = np.array(colour if burned.shape[2] == 3 else (round(sum(colour) / 3),), dtype=np.float64)
    part = burned[y : y + height, x : x + width]
    burned[y : y + height, x : x + width] = part * (1 - alpha) + shade * alpha
    return np.rint(burned).astype(np.uint8).reshape(ground.shape), truth


# ------------------------------------------------------------------------------------------------ cases


def cases(count: int, use_shared: bool = True) -> Iterator[Case]:
    """`count` instances with planted text; every size, form, colour and rotation occurs in turn."""
    return (case(number, use_shared) for number in range(count))


def case(number: int, use_shared: bool = True) -> Case:
    pool = grounds(use_shared)
    rng = np.random.default_rng([7, number])
    return _case(number, pool[int(rng.integers(len(pool)))], rng)


def clean(number: int, use_shared: bool = True) -> tuple[str, Dataset]:
    """The name and an instance without planted text: a real image, from the pool's size on mirrored, cut, rescaled."""
    pool = grounds(use_shared)
    name, ground = pool[number % len(pool)]
    form = FORMS[number % (len(FORMS) - 1)]
    changed = ground if number < len(pool) else _augmented(ground, np.random.default_rng([8, number]))
    return f"{number:03d} {name} {form}", instance(changed, form)


def _augmented(ground: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut by up to a tenth a side, rescaled by 0.8 to 1.2, brightened or darkened; mirrored where rng says so."""
    y, x = (int(rng.integers(0, max(1, side // 10))) for side in ground.shape[:2])
    cut = ground[y:, x:][:, :: int(rng.choice((1, -1)))]
    scale = float(rng.uniform(0.8, 1.2))
    size = (max(128, round(cut.shape[1] * scale)), max(128, round(cut.shape[0] * scale)))
    sized = np.asarray(PIL.Image.fromarray(np.ascontiguousarray(cut)).resize(size), dtype=np.float64)
    return np.rint(np.clip(sized * rng.uniform(0.8, 1.15), 0, 255)).astype(np.uint8)


def _case(number: int, ground: tuple[str, Pixels], rng: np.random.Generator) -> Case:
    form, size = FORMS[number % len(FORMS)], SIZES[number % len(SIZES)]
    font, angle = fonts()[(number // 2) % len(fonts())], ANGLES[int(rng.integers(len(ANGLES)))]
    lines = (str(rng.choice(NAMES)), str(rng.choice(DATES)), str(rng.choice(NUMBERS)))[: int(rng.integers(1, 4))]
    pixels = ground[1]
    if form in ("rgb", "ybr_422") and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
    if form in ("grey", "monochrome1", "sixteen", "jpeg") and pixels.ndim == 3:
        pixels = np.asarray(PIL.Image.fromarray(pixels).convert("L"), dtype=np.uint8)
    ink = _stencil(lines, font, size, angle)
    at = _place(pixels.shape[:2], ink.shape[:2], rng)
    colour = _colour(pixels, ink, at, rng)
    burned, truth = _burn(pixels, ink, at, COLOURS[colour])
    moving = (_burn(frame, ink, at, COLOURS[colour])[0] for frame in _moving(pixels))
    ds = _cine(np.stack(list(moving))) if form == "cine" else instance(burned, form)
    name = f"{number:03d} {ground[0]} {form} {size}px {font or 'Pillow'} {colour} {angle}"
    return Case(name, ds, lines, truth, size, form, font, colour, angle)


def _colour(pixels: Pixels, ink: Pixels, at: tuple[int, int], rng: np.random.Generator) -> str:
    """A colour that a person can read there: its grey differs by 70 or more from nearly all that it covers."""
    under = pixels[at[0] : at[0] + ink.shape[0], at[1] : at[1] + ink.shape[1]].astype(np.float64)
    grey = under.mean(axis=2) if under.ndim == 3 else under
    legible = [c for c, rgb in COLOURS.items() if (np.abs(grey - sum(rgb) / 3) >= 70).mean() >= 0.9]
    if legible:
        return str(rng.choice(legible))
    return max(COLOURS, key=lambda c: float(np.abs(grey - sum(COLOURS[c]) / 3).mean()))


# ------------------------------------------------------------------------------------------------ instances


def instance(pixels: Pixels, form: Form) -> Dataset:
    """Displayed pixels as an instance of secondary capture that stores them in this form."""
    if form == "cine":
        return _cine(np.stack(list(_moving(pixels))))
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


def _moving(pixels: Pixels) -> Iterator[Pixels]:
    """`FRAMES` frames in which the anatomy moves a pixel a frame to and fro and its brightness changes by a tenth."""
    for t in range(FRAMES):
        gain = 0.9 + 0.1 * np.cos(t / 3)
        yield np.rint(np.roll(pixels, min(t % 16, 16 - t % 16), axis=1) * gain).astype(np.uint8)


def _cine(frames: Pixels) -> Dataset:
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


# ------------------------------------------------------------------------------------------------ an independent reader


def reader() -> Callable[[Pixels], str] | None:
    """RapidOCR's own pipeline, detection and recognition, as a function to all the text it reads; None where absent."""
    if importlib.util.find_spec("rapidocr") is None or importlib.util.find_spec("onnxruntime") is None:
        return None
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "critical"})

    def read(pixels: Pixels) -> str:
        result = engine(pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, np.newaxis], 3, axis=2))
        return " ".join(getattr(result, "txts", None) or ())

    return read
