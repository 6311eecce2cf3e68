"""Images with burned-in text and without: fictitious names, dates and numbers on real images, with the inked pixels.

Each case is a DICOM instance as a scanner or workstation would write it (native, JPEG, YBR_FULL_422, MONOCHROME1, 16
bits, a cine), so that the whole way from stored bytes to canonical pixels is tested. Everything follows from the case's
number; fonts are Pillow's own and, where the system has them, DejaVu and Liberation.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pydicom.data
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from curate import dicom, image
from manifests.errors import MedcurateError
from tests.burned_forms import CINES, FORMS, FRAMES, Form, Pixels, cine, fan, instance, moving

__all__ = ["CINES", "FORMS", "FRAMES", "Case", "Form", "Pixels", "case", "cases", "clean", "grounds", "readers"]

SHARED = Path(__file__).resolve().parents[1] / "../shared/data"
PACKAGED = Path(str(pydicom.data.__file__)).parent / "test_files"
NAMES = (
    "HOFFMANN ANNA", "DOE, JANE", "Smith^Mary Jane", "Garcia Lopez, Juan", "MUELLER, KARL-HEINZ", "Li Xiaoming",
    "OKAFOR CHINWE", "Petrova Elena", "NAKAMURA H.", "Brown, William",
)  # fmt: skip
DATES = ("1961-04-17", "08/29/1951", "17.04.1961", "03 MAR 1978", "2019-11-02 14:31")
NUMBERS = ("ID 4471902", "MRN00123456", "ACC 20193377", "DOB 12/05/1949")
SIZES = (12, 14, 16, 18, 20, 24, 28, 32, 40)
ANGLES = (0, 0, 0, 0, 90, 180, 270, 15, -15)
STYLES = ("plain", "plain", "plain", "faint", "box")
COLOURS = {"white": (255, 255, 255), "yellow": (255, 235, 40), "grey": (170, 170, 170), "black": (0, 0, 0)}
FONTS = (
    "", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf", "LiberationSans-Bold.ttf",
    "LiberationMono-Regular.ttf", "LiberationSerif-Regular.ttf", "LiberationSansNarrow-Regular.ttf",
)  # fmt: skip
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
    """One instance with text. `ink` (t, y, x) uint8 is how much of each pixel it inked, 255 wholly; t is 1 where all
    frames are inked alike. `words` is what was written; `style` plain, faint (little contrast) or box (on a ground of
    its own); `place` corner, fan or anywhere."""

    name: str
    ds: Dataset
    words: tuple[str, ...]
    ink: Pixels
    size_px: int
    form: Form
    font: str
    colour: str
    angle: int
    style: str
    place: str

    @property
    def truth(self) -> NDArray[np.bool_]:
        """(y, x): what text inked in any frame."""
        return np.asarray((self.ink >= 96).any(axis=0), dtype=bool)


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


def _burn(
    ground: Pixels, ink: Pixels, at: tuple[int, int], colour: tuple[int, int, int], box: bool = False
) -> tuple[Pixels, Any]:
    """The burned image and its inked pixels (y, x); with `box` on a dark or bright ground of its own."""
    whole = laid(ground.shape[:2], ink, at)
    burned = np.atleast_3d(ground).astype(np.float64)
    channels = burned.shape[2]
    if box:
        back = (20, 20, 60) if sum(colour) > 384 else (235, 235, 220)
        y, x = max(0, at[0] - 3), max(0, at[1] - 3)
        shade = back if channels == 3 else (round(sum(back) / 3),)
        burned[y : at[0] + ink.shape[0] + 3, x : at[1] + ink.shape[1] + 3] = shade
    shade = colour if channels == 3 else (round(sum(colour) / 3),)
    alpha = whole[:, :, np.newaxis].astype(np.float64) / 255
    burned = burned * (1 - alpha) + np.array(shade, dtype=np.float64) * alpha
    return np.rint(burned).astype(np.uint8).reshape(ground.shape), whole >= 96


def laid(shape: tuple[int, ...], ink: Pixels, at: tuple[int, int]) -> Pixels:
    """The stencil on an image of (y, x), with its upper left corner at `at`; what lies beyond the image is cut."""
    whole = np.zeros(shape[:2], dtype=np.uint8)
    part = whole[max(0, at[0]) : max(0, at[0] + ink.shape[0]), max(0, at[1]) : max(0, at[1] + ink.shape[1])]
    top, left = max(0, -at[0]), max(0, -at[1])
    part[:] = ink[top : top + part.shape[0], left : left + part.shape[1]]
    return whole


def _places(shape: tuple[int, ...], ink: tuple[int, ...], form: Form, rng: np.random.Generator) -> tuple[str, Any]:
    """What kind of place, and candidates for the upper left corner."""
    kind = str(rng.choice(("corner", "fan") if form == "ultrasound" else ("corner", "anywhere")))
    rows, columns = fan(shape) if kind == "fan" else (slice(0, shape[0]), slice(0, shape[1]))
    room = tuple(max(1, s.stop - s.start - side - 4) for s, side in zip((rows, columns), ink, strict=True))
    if kind == "corner":
        return kind, [(y, x) for y in (4, max(4, room[0])) for x in (4, max(4, room[1]))]
    spots = zip(rng.integers(0, room[0], 12), rng.integers(0, room[1], 12), strict=True)
    return kind, [(rows.start + int(y), columns.start + int(x)) for y, x in spots]


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
    still = [form for form in FORMS if form not in CINES]
    form = still[number % len(still)] if number % 20 else "cine"
    changed = ground if number < len(pool) else _augmented(ground, np.random.default_rng([8, number]))
    if form == "cine":
        changed = image.fit(changed, 480)[0]
    if form == "jpeg_lossless":
        changed = changed[: len(changed) // 2 * 2, : changed.shape[1] // 2 * 2]
    return f"{number:03d} {name} {form}", instance(_channels(changed, form), form)


def _channels(pixels: Pixels, form: Form) -> Pixels:
    """Grey or colour, as the form needs it."""
    if form in ("rgb", "ybr_422") and pixels.ndim == 2:
        return np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
    if form in ("grey", "monochrome1", "sixteen", "jpeg", "jpeg_lossless") and pixels.ndim == 3:
        return np.asarray(PIL.Image.fromarray(pixels).convert("L"), dtype=np.uint8)
    return pixels


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
    font, angle = fonts()[(number // 2) % len(fonts())], int(rng.choice(ANGLES))
    lines = (str(rng.choice(NAMES)), str(rng.choice(DATES)), str(rng.choice(NUMBERS)))[: int(rng.integers(1, 4))]
    pixels, style = _channels(ground[1], form), str(rng.choice(STYLES))
    if form in CINES:
        pixels = image.fit(pixels, 480)[0]
    ink = _stencil(lines, font, size, angle)
    place, spots = _places(pixels.shape, ink.shape, form, rng)
    at = (
        min(spots, key=lambda s: _under(pixels, ink, s).std())
        if style == "faint"
        else spots[int(rng.integers(len(spots)))]
    )
    colour, rgb = _colour(pixels, ink, at, style, rng)
    ds, whole = _written(pixels, form, ink, at, rgb, style == "box", rng)
    name = f"{number:03d} {ground[0]} {form} {size}px {font or 'Pillow'} {colour} {angle} {style} {place}"
    return Case(name, ds, lines, whole, size, form, font, colour, angle, style, place)


def _written(
    pixels: Pixels, form: Form, ink: Pixels, at: tuple[int, int], rgb: tuple[int, int, int], box: bool, rng: Any
) -> tuple[Dataset, Pixels]:
    """The instance with the text on it, and its ink (t, y, x): in a cine it stands still, walks, or comes and goes."""
    if form not in CINES:
        return instance(_burn(pixels, ink, at, rgb, box)[0], form), laid(pixels.shape, ink, at)[np.newaxis]
    ways = [3 if corner < side // 2 else -3 for corner, side in zip(at, pixels.shape, strict=False)]  # inwards
    first, length = int(rng.integers(0, FRAMES - 12)), int(rng.integers(5, 13))
    frames, inks = [], []
    for t, frame in enumerate(moving(pixels)):
        here = (at[0] + t * ways[0], at[1] + t * ways[1]) if form == "moving" else at
        shown = form != "passing" or first <= t < first + length
        frames.append(_burn(frame, ink, here, rgb, box)[0] if shown else frame)
        inks.append(laid(pixels.shape, ink, here) if shown else np.zeros(pixels.shape[:2], np.uint8))
    return cine(np.stack(frames)), np.stack(inks if form != "cine" else inks[:1])


def _under(pixels: Pixels, ink: Pixels, at: tuple[int, int]) -> NDArray[np.float64]:
    """The grey values that a stencil covers."""
    under = pixels[at[0] : at[0] + ink.shape[0], at[1] : at[1] + ink.shape[1]].astype(np.float64)
    return under.mean(axis=2) if under.ndim == 3 else under


def _colour(
    pixels: Pixels, ink: Pixels, at: tuple[int, int], style: str, rng: np.random.Generator
) -> tuple[str, tuple[int, int, int]]:
    """A colour that a person can read there: its grey differs by 70 or more from nearly all that it covers. A faint
    text is a grey that differs from what lies below it by 36, or as much as three deviations of that."""
    grey = _under(pixels, ink, at)
    if style == "faint":
        middle = float(np.median(grey))
        apart = max(36.0, 3 * float(grey.std()))
        level = round(min(255.0, max(0.0, middle + (apart if middle < 128 else -apart))))
        return f"grey {level}", (level, level, level)
    legible = [c for c, rgb in COLOURS.items() if (np.abs(grey - sum(rgb) / 3) >= 70).mean() >= 0.9]
    if style == "box":
        legible = list(COLOURS)
    if legible:
        colour = str(rng.choice(legible))
    else:
        colour = max(COLOURS, key=lambda c: float(np.abs(grey - sum(COLOURS[c]) / 3).mean()))
    return colour, COLOURS[colour]


# ------------------------------------------------------------------------------------------------ independent readers


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """`page`: all the text that detection and recognition find in an image; `line`: what recognition reads in it,
    taken as one line of upright text."""

    page: Callable[[Pixels], str]
    line: Callable[[Pixels], str]


def readers() -> dict[str, Reader]:
    """Those that are installed, by name.

    rapidocr's own pipeline has the networks that `curate.deidentify` has (PP-OCRv6); rapidocr_onnxruntime's are an
    older generation, trained apart (PP-OCRv4).
    """
    found: dict[str, Reader] = {}
    if importlib.util.find_spec("onnxruntime") is None:
        return found
    if importlib.util.find_spec("rapidocr") is not None:
        from rapidocr import RapidOCR

        one = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
        limits = {"Det.limit_type": "max", "Det.limit_side_len": 960}
        engine = RapidOCR(params={"Global.log_level": "critical", **one, **limits})
        found["PP-OCRv6"] = Reader(functools.partial(_v6, engine, True), functools.partial(_v6, engine, False))
        logging.getLogger("RapidOCR").disabled = True
    if importlib.util.find_spec("rapidocr_onnxruntime") is not None:
        from rapidocr_onnxruntime import RapidOCR as Older  # type: ignore[import-not-found,unused-ignore]

        older = Older(intra_op_num_threads=1, inter_op_num_threads=1, det_limit_type="max", det_limit_side_len=960)
        found["PP-OCRv4"] = Reader(functools.partial(_v4, older, True), functools.partial(_v4, older, False))
    return found


def _v6(engine: Any, page: bool, pixels: Pixels) -> str:
    result = engine(_rgb(pixels)) if page else engine(_rgb(pixels), use_det=False, use_cls=False, use_rec=True)
    return " ".join(getattr(result, "txts", None) or ())


def _v4(engine: Any, page: bool, pixels: Pixels) -> str:
    if page:
        return " ".join(text for _, text, _ in engine(_rgb(pixels))[0] or ())
    return " ".join(text for text, *_ in engine(_rgb(pixels), use_det=False, use_cls=False, use_rec=True)[0] or ())


def _rgb(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, np.newaxis], 3, axis=2))
