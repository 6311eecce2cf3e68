"""Text in pixels: where it stands, found by neural networks on this machine alone.

They are PP-OCRv6 "small" (Apache-2.0): a detector (differentiable binarisation, Liao et al., AAAI 2020) and a
recogniser (CTC). The wheel of rapidocr carries them; only these two files are taken from it, checked by their sha256,
and run by ONNX Runtime on one thread. Nothing of rapidocr's own code is imported, so nothing is ever downloaded. Both
packages are the optional extra `ocr`.

Covered: printed text of Latin and Chinese letters and digits, dark or bright, from about 10 pixels in height, at angles
of up to 15 degrees around 0 and 90. The image is looked at in several scales, turned by 90 degrees, and smoothed with
its brightness inverted.

Not covered: writing by hand, logos, barcodes, text that a person can hardly read or that is drawn over equally bright
anatomy, and what stands in frames that are not looked at. A box says that there is text, never what it says, so that
no text can get into a log.

The network's sums are rounded differently by different processors. Boxes are therefore widened to a coarse grid, which
makes a different mask on another kind of processor rare, but does not rule it out.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from curate.guard import typed
from manifests.errors import RecordError

Pixels = NDArray[np.uint8]

MODEL = "PP-OCRv6_det_small.onnx"
MODEL_SHA256 = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
READER = "PP-OCRv6_rec_small.onnx"
READER_SHA256 = "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
INSTALL = "pip install 'medcurate[ocr]', or leave burned_in at quarantine"

_LIKELY = 0.3  # of a pixel: it belongs to text
_SURE = 0.5  # mean of a component's pixels: it is text
_MIN_SIDE = 3  # of a component, in pixels of the view: smaller ones are specks
_THICKEST = (40, 0.06)  # pixels of the image, part of its shorter side: what is thicker than both is a shape, no line
_GROWTH = 0.6  # the network marks the core of a line; its letters reach beyond by this part of the core's height
_PAD = 3  # pixels beyond that: the soft edges of letters, and JPEG's ringing
_GRID = 4  # boxes are widened to multiples of it
_SHORT_SIDE = 720  # a view has at least this many pixels across, where no more than 3-fold enlargement reaches that
_LONG_SIDE = 1200  # and no image is enlarged beyond that
_TILE, _OVERLAP = 1280, 160  # larger views are looked at in parts; no word of 160 pixels' length is cut in both
_READER_HEIGHT, _READER_WIDEST = 48, 960
_LEGIBLE, _LETTERS = 0.5, 2  # mean certainty of letters and digits that were read, and how many at least
_STRIDE = 32  # of the network: sides are filled up to multiples


@dataclass(frozen=True, slots=True, order=True)
class TextBox:
    """Rows y0 to y1 and columns x0 to x1 (half-open) that hold text, widened; `score`, 0 to 1, is how sure that is."""

    y0: int
    x0: int
    y1: int
    x1: int
    score: float


def ocr_missing() -> str:
    """Why text cannot be looked for on this machine; "" where it can."""
    for name in ("onnxruntime", "rapidocr"):
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed"
    for name, sha256 in ((MODEL, MODEL_SHA256), (READER, READER_SHA256)):
        path = _model_path(name)
        if not path.is_file():
            return f"this rapidocr has no {name}"
        if _digest(path) != sha256:
            return f"another {name} than the tested one"
    return ""


@functools.cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_text(pixels: Pixels, quick: bool = False) -> tuple[TextBox, ...]:
    """Where text stands in displayed pixels, uint8 (y, x) or (y, x, 3) RGB with black 0; sorted, possibly overlapping.

    A `quick` look takes two of the views: enlarged, upright and turned.

    Raises RecordError: `ocr_missing` without the extra; `bad_array` for another dtype or shape.
    """
    grey_or_rgb = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not grey_or_rgb or 0 in pixels.shape:
        raise RecordError("bad_array", f"{pixels.dtype} {pixels.shape}", "give uint8 (y, x) or (y, x, 3)")
    found = [box for view in _views(pixels, quick) for box in _boxes(view, pixels.shape[:2])]
    return _without_contained(found)


def is_legible(pixels: Pixels, box: TextBox) -> bool:
    """Can two letters or digits be read in the box, of displayed pixels as `find_text` takes them?

    What is read is thrown away; only whether it could be is told. Upright and upside down, or turned by 90 and 270
    degrees where the box is higher than wide.
    Raises as `find_text`.
    """
    part = pixels[box.y0 : box.y1, box.x0 : box.x1]
    turns = (1, 3) if part.shape[0] > 1.5 * part.shape[1] else (0, 2)
    return any(_letters(np.rot90(part, turn)) >= _LETTERS for turn in turns)


def _letters(part: Pixels) -> int:
    """How many letters and digits the recogniser reads, none where it is uncertain of them (greedy CTC decoding)."""
    width = min(_READER_WIDEST, max(_READER_HEIGHT, round(part.shape[1] * _READER_HEIGHT / part.shape[0])))
    grey = PIL.Image.fromarray(np.ascontiguousarray(part)).convert("RGB")
    sized = np.array(grey.resize((width, _READER_HEIGHT), PIL.Image.Resampling.BICUBIC), dtype=np.uint8)
    chances = _inferred(READER, sized)[0]
    best, sure = chances.argmax(axis=1), chances.max(axis=1)
    first = np.concatenate([[True], best[1:] != best[:-1]])  # a letter seen in several steps is one
    read = [k for k in np.flatnonzero(first & (best > 0)) if _is_letter(int(best[k]))]
    return len(read) if read and float(sure[read].mean()) >= _LEGIBLE else 0


def _is_letter(index: int) -> bool:
    """The network's outputs are: nothing, its alphabet, a blank."""
    alphabet = _alphabet()
    return 1 <= index <= len(alphabet) and alphabet[index - 1].isalnum()


@functools.cache
def _alphabet() -> tuple[str, ...]:
    return tuple(str(_session(READER).get_modelmeta().custom_metadata_map["character"]).splitlines())


# ------------------------------------------------------------------------------------------------ views


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The image as it is looked at: turned by 90 degrees `turns` times (as np.rot90), then scaled."""

    pixels: Pixels
    turns: int = 0


def _views(pixels: Pixels, quick: bool) -> Iterator[_View]:
    for scale, turns, inverted in _plan(pixels.shape[:2])[: 2 if quick else None]:
        looked_at = _smooth(255 - pixels) if inverted else pixels
        yield _View(_scaled(np.rot90(looked_at, turns), scale), turns)


def _plan(shape: tuple[int, ...]) -> tuple[tuple[float, int, bool], ...]:
    """(scale, turns, inverted): small images are enlarged for small letters, large ones shrunk for large ones."""
    large = max(1.0, min(3.0, _SHORT_SIDE / min(shape), _LONG_SIDE / max(shape)))
    plan = [(large, 0, False), (large, 1, False), (large, 0, True)]
    if large > 1.5:
        plan.append((1.0, 0, False))
    if max(shape) * large > 1000:
        plan.append((large / 2, 0, False))
    return tuple(plan)


def _smooth(pixels: Pixels) -> Pixels:
    """Means of 3 x 3 pixels: letters in speckle and noise stand out."""
    from scipy import ndimage

    size = (3, 3, 1) if pixels.ndim == 3 else 3
    return np.asarray(ndimage.uniform_filter(pixels, size, mode="nearest"), dtype=np.uint8)


def _scaled(pixels: Pixels, scale: float) -> Pixels:
    if scale == 1.0:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    resized = PIL.Image.fromarray(np.ascontiguousarray(pixels)).resize(size, PIL.Image.Resampling.BICUBIC)
    return np.array(resized, dtype=np.uint8)


# ------------------------------------------------------------------------------------------------ from a view to boxes


def _boxes(view: _View, shape: tuple[int, ...]) -> Iterator[TextBox]:
    """The boxes of a view in the pixels of the image of `shape`."""
    from scipy import ndimage

    chance = _probabilities(view.pixels)
    labels, _ = ndimage.label(chance > _LIKELY, structure=np.ones((3, 3), int))
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, columns] == number
        score = float(np.round(chance[rows, columns][inside].mean(), 3))
        height, width = inside.shape
        if score < _SURE or min(height, width) < _MIN_SIDE:
            continue
        yield from _pieces(inside, (rows.start, columns.start), score, view, shape)


def _pieces(
    inside: NDArray[np.bool_], at: tuple[int, int], score: float, view: _View, shape: tuple[int, ...]
) -> Iterator[TextBox]:
    """A component as boxes: a slanted line is cut across, so that its boxes do not cover what lies beside it."""
    across = inside if inside.shape[1] >= inside.shape[0] else inside.T
    thickness = int(np.median(across.sum(axis=0)))
    if thickness * min(shape) > max(_THICKEST[0], _THICKEST[1] * min(shape)) * min(view.pixels.shape[:2]):
        return  # a skull in cross-section is an O to the network
    grown = round(_GROWTH * thickness) + _PAD
    step = max(4 * thickness, 16)
    for start in range(0, across.shape[1], step):
        part = across[:, start : start + step]
        rows = np.flatnonzero(part.any(axis=1))
        columns = np.flatnonzero(part.any(axis=0)) + start
        box = (rows[0] - grown, columns[0] - grown, rows[-1] + 1 + grown, columns[-1] + 1 + grown)
        if across is not inside:
            box = (box[1], box[0], box[3], box[2])
        yield _in_image((box[0] + at[0], box[1] + at[1], box[2] + at[0], box[3] + at[1]), score, view, shape)


def _in_image(box: Sequence[int], score: float, view: _View, shape: tuple[int, ...]) -> TextBox:
    """Back from the view: unscaled, turned back, widened to the grid, cut at the image."""
    height, width = shape if view.turns == 0 else (shape[1], shape[0])
    down, right = height / view.pixels.shape[0], width / view.pixels.shape[1]
    y0, x0, y1, x1 = box[0] * down, box[1] * right, box[2] * down, box[3] * right
    if view.turns:  # np.rot90 once: the image's right edge is the view's upper one
        y0, x0, y1, x1 = x0, shape[1] - y1, x1, shape[1] - y0
    return TextBox(
        max(0, int(np.floor(y0 / _GRID)) * _GRID),
        max(0, int(np.floor(x0 / _GRID)) * _GRID),
        min(shape[0], int(np.ceil(y1 / _GRID)) * _GRID),
        min(shape[1], int(np.ceil(x1 / _GRID)) * _GRID),
        score,
    )


def _without_contained(boxes: Sequence[TextBox]) -> tuple[TextBox, ...]:
    """Without those that lie in another one."""
    kept: list[TextBox] = []
    for box in sorted(boxes, key=lambda b: (-(b.y1 - b.y0) * (b.x1 - b.x0), b)):
        if not any(k.y0 <= box.y0 and k.x0 <= box.x0 and k.y1 >= box.y1 and k.x1 >= box.x1 for k in kept):
            kept.append(box)
    return tuple(sorted(kept))


# ------------------------------------------------------------------------------------------------ the network


def _probabilities(pixels: Pixels) -> NDArray[np.float32]:
    """(y, x) in 0..1: how likely each pixel belongs to text; tile by tile where the view is large."""
    height, width = pixels.shape[:2]
    chance = np.zeros((height, width), np.float32)
    for top in _starts(height):
        for left in _starts(width):
            part = (slice(top, top + _TILE), slice(left, left + _TILE))
            np.maximum(chance[part], _run(pixels[part]), out=chance[part])
    return chance


def _starts(side: int) -> range:
    return range(0, max(1, side - _OVERLAP), _TILE - _OVERLAP)


def _run(pixels: Pixels) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    filled = np.zeros((-(-height // _STRIDE) * _STRIDE, -(-width // _STRIDE) * _STRIDE, 3), np.uint8)
    filled[:height, :width] = pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
    return _inferred(MODEL, filled)[0, 0, :height, :width]


def _inferred(name: str, pixels: Pixels) -> NDArray[np.float32]:
    """(y, x, 3) RGB through a network, as blue, green, red from -1 to 1, which both were trained on."""
    values = pixels[:, :, ::-1].transpose(2, 0, 1)[np.newaxis].astype(np.float32) / np.float32(127.5) - np.float32(1)
    with typed("ocr_failed", "report it with the size of the image"):
        found: NDArray[np.float32] = _session(name).run(None, {"x": values})[0]
    return found


@functools.cache
def _session(name: str) -> Any:
    """A network, loaded once a process. Raises RecordError `ocr_missing`."""
    missing = ocr_missing()
    if missing:
        raise RecordError("ocr_missing", missing, INSTALL)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.enable_cpu_mem_arena = False  # an arena would keep the largest image's memory for ever
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(_model_path(name).read_bytes(), options, providers=["CPUExecutionProvider"])


def _model_path(name: str) -> Path:
    """Where the wheel of rapidocr has a network; the package is found, not imported."""
    spec = importlib.util.find_spec("rapidocr")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0], "models", name) if places else Path(name)
