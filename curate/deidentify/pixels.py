"""Pixels without text: black outside ultrasound regions and over text that is found, then a second look.

What is changed are the canonical values, decoded: stored black is whatever the image shows as black (the highest value
of MONOCHROME1, the padding value where there is one). Every pixel outside the masks stays as it is, to the bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from curate.arrays import Array, Frames, Image
from curate.deidentify.burned_in import MODEL, MODEL_SHA256, Pixels, TextBox, find_text, is_legible
from curate.deidentify.config import DeidentifyConfig
from curate.deidentify.gates import gate_pixels, has_regions, number_of, regions_of, shown_by_regions, text_suspected
from manifests.errors import RecordError, Reject
from manifests.record import Step, canonical_json

_ROUNDS = 2  # of masking; what is found after them is no slip of the first look
_MOST = 0.5  # of an image: where text covers more, it is a page, not a picture
_MOST_FRAMES = 128  # that are looked at one by one: a second or two each, in each of two rounds
_ASKED = 32  # boxes, of which it is asked whether they stand still
_PARTS = 8  # of a cine: a frame is looked at where two of them meet
_UNMASKED = 0.2  # of a box found in a later round: so much of it must be unmasked to hold a letter

_Look = tuple[Pixels, bool]  # what is looked at, and whether a quick look is enough
_Looks = Callable[[Array, int, Sequence[TextBox]], list[_Look]]


def clean_pixels(image: Image, ds: Dataset | None, config: DeidentifyConfig) -> tuple[Image, tuple[Step, ...]]:
    """An image without what its pixels may say of a person, and the lines of its story.

    `ds` is the original header, None for pictures that have none. In turn: the gate (`gate_pixels`); black outside
    ultrasound regions; with burned_in: detect, text is looked for (`find_text`) in the image as it is displayed and,
    beyond 8 bits, also in all its values from lowest to highest. Found text is blacked; then it is looked again, and
    what can still be read is blacked too, at most twice in all. A picture without a header is not looked at unless the
    recipe says detect.

    Raises Reject: `burned_in_suspected`; `burned_in_text` (text can still be read, or it covers half the image).
    RecordError: `ocr_missing` where detect is asked for and the extra `ocr` is absent; `bad_frame_shape`.
    """
    steps = _gated(ds, config)
    if ds is not None and has_regions(ds):
        image = dataclasses.replace(image, pixels=mask_outside_regions(image.pixels, ds, black_of(image)))
        steps.append(_masked_step(ds))
    if config.burned_in != "detect":
        return image, tuple(steps)

    def looks(pixels: Array, _number: int, _found: Sequence[TextBox]) -> list[_Look]:
        return [(shown, False) for shown in displays_of(dataclasses.replace(image, pixels=pixels))]

    pixels, done = _without_text(image.pixels, black_of(image), looks)
    return dataclasses.replace(image, pixels=pixels), (*steps, done)


def clean_frames(cine: Frames, ds: Dataset | None, config: DeidentifyConfig) -> tuple[Frames, tuple[Step, ...]]:
    """`clean_pixels` of a cine: a mask covers all frames.

    Text is looked for in the first, middle and last frame, in the brightest and the darkest value of each pixel over
    time, and, in fewer views, in six frames between. Where what can be read in one of these frames cannot be read at
    the same place of another, text moves or comes and goes: then every frame is looked at. Not covered: text that is
    shown for less than an eighth of the cine and is nowhere the brightest or darkest of its place.

    Raises as `clean_pixels`; `burned_in_text` also where text moves through more than 128 frames.
    """
    steps = _gated(ds, config)
    if ds is not None and has_regions(ds):
        cine = dataclasses.replace(cine, frames=mask_outside_regions(cine.frames, ds))
        steps.append(_masked_step(ds))
    if config.burned_in != "detect":
        return cine, tuple(steps)

    def looks(frames: Array, number: int, found: Sequence[TextBox]) -> list[_Look]:
        if number and _comes_and_goes(cine.frames, found):
            if len(frames) > _MOST_FRAMES:
                raise _unclean(f"text that moves through {len(frames)} frames")
            return [(frame, True) for frame in frames]
        return _frames_to_look_at(frames)

    frames, done = _without_text(cine.frames, 0, looks)
    return dataclasses.replace(cine, frames=frames), (*steps, done)


def find_text_over_time(frames: npt.NDArray[np.uint8]) -> tuple[TextBox, ...]:
    """Text in (t, y, x[, c]) uint8 frames, as `clean_frames` looks first: for clips that are kept as they are coded
    unless something is found. Raises as `find_text`."""
    return tuple(sorted({box for look, quick in _frames_to_look_at(frames) for box in find_text(look, quick)}))


def _comes_and_goes(frames: Array, found: Sequence[TextBox]) -> bool:
    """Can something be read in a box in one frame and not in another?"""
    sampled = [frames[k] for k in _spread(len(frames))]
    for box in sorted(found, key=lambda b: -b.score)[:_ASKED]:
        if len({is_legible(frame, box) for frame in sampled}) > 1:
            return True
    return False


def _gated(ds: Dataset | None, config: DeidentifyConfig) -> list[Step]:
    if ds is None:
        return []
    kept = gate_pixels(ds, config, looks=True)
    found = text_suspected(ds)
    return [_step("gate_pixels", kept or (f"suspected: {found}" if found else "nothing suspected"), {})]


def _masked_step(ds: Dataset) -> Step:
    share = round(float(1 - shown_by_regions(ds).mean()), 4)
    return _step("mask_outside_regions", "black outside the ultrasound regions", {"masked": share})


def _step(name: str, result: str, params: dict[str, str | int | float]) -> Step:
    return Step(name=name, params=canonical_json(params), result=result)


# ------------------------------------------------------------------------------------------------ text


def _without_text(pixels: Array, black: float, looks: _Looks) -> tuple[Array, Step]:
    """The pixels with black over text, and what to say of it; `looks` gives what is looked at in each round, of the
    pixels, the round's number and what was found before."""
    first = looks(pixels, 0, ())
    hidden = np.zeros(first[0][0].shape[:2], dtype=bool)
    found: list[TextBox] = []
    for number in range(_ROUNDS + 1):
        shown = looks(pixels, number, found) if number else first
        boxes = list(_left(shown, hidden) if number else (b for look, quick in shown for b in find_text(look, quick)))
        if not boxes:
            break
        if number == _ROUNDS:
            raise _unclean(f"text in {len(boxes)} places after {_ROUNDS} rounds of masking")
        found += boxes
        for box in boxes:
            hidden[box.y0 : box.y1, box.x0 : box.x1] = True
        if hidden.mean() > _MOST:
            raise _unclean(f"text over {100 * hidden.mean():.0f} % of the image")
        pixels = cover(pixels, boxes, black)
    result = f"black over {len(found)} boxes" if found else "no text found"
    masked = round(float(hidden.mean()), 4)
    said: dict[str, str | int | float] = {
        "boxes": len(found),
        "masked": masked,
        "model": MODEL,
        "model_sha256": MODEL_SHA256,
    }
    return pixels, _step("find_text", result, said)


def _left(shown: Sequence[_Look], hidden: npt.NDArray[np.bool_]) -> Iterator[TextBox]:
    """Text that the masks left. The network also takes black boxes on bright ground for letters, so it is read, once
    where several looks show it."""
    read = np.zeros_like(hidden)
    for look, quick in shown:
        for box in find_text(look, quick):
            at = (slice(box.y0, box.y1), slice(box.x0, box.x1))
            if (~hidden[at]).mean() > _UNMASKED and (read[at].mean() > 1 - _UNMASKED or is_legible(look, box)):
                read[at] = True
                yield box


def _unclean(found: str) -> Reject:
    return Reject("burned_in_text", found, 'keep with a reason in the recipe: {keep: "..."} under deidentify')


def cover(pixels: Array, boxes: Sequence[TextBox], black: float) -> Array:
    """A copy of (y, x), (y, x, 3), (t, y, x) or (t, y, x, 3) pixels with `black` in the boxes, on all frames.

    Three axes are an image where the last one is 3.
    """
    covered = pixels.copy()
    colour = pixels.ndim == 4 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    planes = covered if colour else covered[..., np.newaxis]  # a view: what is set in it is set in `covered`
    for box in boxes:
        planes[..., box.y0 : box.y1, box.x0 : box.x1, :] = black
    return covered


def displays_of(image: Image) -> list[Pixels]:
    """What a person may see of an image: as its window shows it, and all its values from lowest to highest."""
    from curate.image import apply_window, to_display

    shown = to_display(image)
    if image.pixels.ndim == 3:
        return [shown]
    low, high = _ends(image.pixels)
    if image.pixels.dtype == np.uint8:
        whole = 255 - image.pixels if image.inverted else image.pixels
    else:
        window = ((low + high) / 2, high - low)
        whole = apply_window(image.pixels, window, "linear_exact", image.padding, image.inverted)
    return [shown] if np.array_equal(shown, whole) else [shown, whole]


def _frames_to_look_at(frames: Array) -> list[_Look]:
    last = len(frames) - 1
    whole = {0, last // 2, last}
    brightest, darkest = frames[0].copy(), frames[0].copy()
    for frame in frames[1:]:
        np.maximum(brightest, frame, out=brightest)
        np.minimum(darkest, frame, out=darkest)
    looks = [(frames[k], k not in whole) for k in _spread(len(frames))]
    looks += [(look, False) for look in (brightest, darkest)]
    return [look for n, look in enumerate(looks) if not _seen(look, looks[:n])]


def _seen(look: _Look, before: Sequence[_Look]) -> bool:
    return any(np.array_equal(look[0], other) for other, _ in before)


def _spread(count: int) -> list[int]:
    """The first, the last and the frames between the parts of a cine."""
    return sorted({(count - 1) * k // _PARTS for k in range(_PARTS + 1)})


def black_of(image: Image) -> float:
    """The canonical value that the image shows as black, within its dtype: padding, else the window's dark end or the
    darkest pixel, whichever is darker; 0 for colour."""
    pixels = image.pixels
    if pixels.ndim == 3:
        return 0
    if image.padding is not None and _fits(image.padding[0], pixels.dtype):
        return image.padding[0]
    if image.window is None and pixels.dtype == np.uint8:
        return 255 if image.inverted else 0
    low, high = _ends(pixels)
    if image.window is not None:
        centre, width = image.window
        reach = 2 * width if image.voi == "sigmoid" else width / 2 + 1
        low, high = min(low, centre - reach), max(high, centre + reach)
    dark = high if image.inverted else low
    if pixels.dtype.kind == "f":
        return dark
    limits = np.iinfo(pixels.dtype)
    return int(min(max(np.ceil(dark) if image.inverted else np.floor(dark), limits.min), limits.max))


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f" or (float(value).is_integer() and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)


def _ends(pixels: Array) -> tuple[float, float]:
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


# ------------------------------------------------------------------------------------------------ ultrasound regions


def mask_outside_regions(frames: npt.NDArray[Any], ds: Dataset, black: float = 0) -> npt.NDArray[Any]:
    """A copy of the frames that is `black` outside all ultrasound regions, on every frame and channel.

    `frames` is (y, x), (y, x, c), (t, y, x) or (t, y, x, c) of any dtype with the header's Rows and Columns, decoded to
    grey or RGB: 0 is black in MONOCHROME2 and RGB (in YBR it would be green); of an `Image`, `black_of` knows it.
    Pixels inside are unchanged to the bit; what text stands there stays. Raises RecordError: `no_us_regions`,
    `bad_frame_shape`.
    """
    regions = list(regions_of(ds))
    if not regions:
        raise RecordError("no_us_regions", "no usable SequenceOfUltrasoundRegions", "leave the file out")
    size = (number_of(ds, "Rows"), number_of(ds, "Columns"))
    colour = frames.ndim == 4 or (frames.ndim == 3 and frames.shape[:2] == size and frames.shape[2] in (3, 4))
    planes = frames if colour else frames[..., np.newaxis]
    if not 2 <= frames.ndim <= 4 or planes.shape[-3:-1] != size:
        raise RecordError("bad_frame_shape", f"frames of {frames.shape}", f"frames of {size[0]} x {size[1]}")
    out = np.full_like(planes, black)
    for rows, columns in regions:
        out[..., rows, columns, :] = planes[..., rows, columns, :]
    return out if colour else out[..., 0]
