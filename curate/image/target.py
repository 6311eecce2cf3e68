"""The render target of 2D images: 8-bit, as a viewer shows it, shrunk to `max_side`; PNG, or JPEG where asked for.

What happens, in this order: window, inversion (`curate.image.to_display`); margins cut off (`crop_border`, off by
default); shrinking to `max_side`, or stretching to `size`. `shown_as` tells both changes of geometry, so that a box in
canonical pixels can follow: rendered = (canonical - crop's corner) * scale, for each axis.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from pydantic import Field

from curate.arrays import Image, encode_png
from curate.image import fit, to_display
from curate.image.usable import MIN_SIDE as MIN_SIDE
from manifests.config import Config
from manifests.record import Media

CANONICAL = "canonical"
TILE = 448  # pixels
TILE_TOKENS = 256
JPEG_QUALITY = 95
MARGIN_TOLERANCE = 8  # levels from black or white, which is what JPEG leaves of either

Side = Annotated[int, Field(ge=MIN_SIDE, le=4096)]
Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels; bottom and right are the first ones outside


class ImageTarget(Config):
    """How large a 2D image may be, and how it is written; enlarged by `size` alone, which goes before `max_side`."""

    max_side: int | None = Field(default=1024, ge=MIN_SIDE, description="pixels of the longer side; null: as it is")
    size: tuple[Side, Side] | None = Field(default=None, description="[height, width]: stretched, aspect not kept")
    crop_border: bool = Field(default=False, description="cut off uniformly black or white margins")
    format: Literal["png", "jpeg"] = Field(default="png", description="jpeg: quality 95, colour not subsampled")


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """uint8 (y, x) or (y, x, 3); `crop` is the part of the canonical image that it shows, None for all of it; `scale`
    is rendered pixels per canonical pixel along y and x."""

    pixels: NDArray[np.uint8]
    crop: Box | None
    scale: tuple[float, float]


def shown_as(image: Image, target: ImageTarget) -> Shown:
    """An image's pixels under a target, and how they lie in the canonical image."""
    shown = to_display(image)
    crop = border_box(shown) if target.crop_border else None
    part = shown if crop is None else np.ascontiguousarray(shown[crop[0] : crop[2], crop[1] : crop[3]])
    pixels = _stretched(part, *target.size) if target.size is not None else fit(part, target.max_side)[0]
    return Shown(pixels, crop, (pixels.shape[0] / part.shape[0], pixels.shape[1] / part.shape[1]))


def _stretched(part: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Pillow's bicubic, as loaders have it that call `Image.resize((448, 448))`."""
    resized = PIL.Image.fromarray(part).resize((width, height), PIL.Image.Resampling.BICUBIC)
    return np.array(resized, dtype=np.uint8)


def border_box(shown: NDArray[np.uint8]) -> Box | None:
    """What is left of a displayed image without its uniform margins: rows and columns at an edge whose every value is
    within 8 levels of black, or every value within 8 of white. None where there are none, or where less than `MIN_SIDE`
    pixels would be left."""
    values = shown if shown.ndim == 3 else shown[..., np.newaxis]
    dark: NDArray[np.bool_] = np.all(values <= MARGIN_TOLERANCE, axis=2)
    bright: NDArray[np.bool_] = np.all(values >= 255 - MARGIN_TOLERANCE, axis=2)
    box, before = (0, 0, *shown.shape[:2]), None
    while box != before:  # a black margin inside a white one shows only when the white one is gone
        before = box
        for axis in (0, 1):
            box = _peeled(box, dark, bright, axis)
    top, left, bottom, right = box
    if min(bottom - top, right - left) < MIN_SIDE or box == (0, 0, *shown.shape[:2]):
        return None
    return box


def _peeled(box: Box, dark: NDArray[np.bool_], bright: NDArray[np.bool_], axis: int) -> Box:
    """The box without its uniform rows (axis 0) or columns (axis 1) at either edge."""
    inside = slice(box[0], box[2]), slice(box[1], box[3])
    kept = np.flatnonzero(~(dark[inside].all(axis=1 - axis) | bright[inside].all(axis=1 - axis)))
    first, last = (int(kept[0]), int(kept[-1]) + 1) if kept.size else (0, 0)
    if axis == 0:
        return box[0] + first, box[1], box[0] + last, box[3]
    return box[0], box[1] + first, box[2], box[1] + last


def render_image(image: Image, target: ImageTarget) -> tuple[bytes, Media]:
    """An image as PNG or JPEG, uint8 (y, x) or (y, x, 3), windowed and turned round to how it is shown (black is 0).

    `spacing_mm` grows as the image shrinks, by the exact ratio of each axis. The window is used up, so Media has none.
    """
    shown = shown_as(image, target)
    spacing = None
    if image.spacing_mm is not None:
        spacing = (image.spacing_mm[0] / shown.scale[0], image.spacing_mm[1] / shown.scale[1])
    data = encode_png(shown.pixels) if target.format == "png" else encode_jpeg(shown.pixels)
    return data, Media(
        member="png" if target.format == "png" else "jpg",
        kind="image",
        shape=shown.pixels.shape,
        dtype=str(shown.pixels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        crop=shown.crop,
        scale=shown.scale,
        target=target_name(target),
        units="display",
        spacing_mm=spacing,
        visual_tokens=image_tokens(shown.pixels.shape),
    )


def target_name(target: ImageTarget) -> str:
    """`canonical`, or what is done: `max_side_1024`, `448x448_stretch`, with `_cropped` and `_jpeg` where asked for."""
    size = "" if target.max_side is None else f"max_side_{target.max_side}"
    if target.size is not None:
        size = f"{target.size[0]}x{target.size[1]}_stretch"
    name = size + ("_cropped" if target.crop_border else "") + ("_jpeg" if target.format == "jpeg" else "")
    return name.removeprefix("_") or CANONICAL


def image_tokens(shape: tuple[int, ...]) -> int:
    """What an image (y, x[, c]) costs a model that cuts it into tiles of 448 x 448 pixels of 256 tokens each, as many
    as cover it (InternVL's and Fleming-VL's loaders). Not covered: limits on tiles, and thumbnails."""
    return math.ceil(shape[0] / TILE) * math.ceil(shape[1] / TILE) * TILE_TOKENS


def encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Baseline JPEG without metadata, quality 95, 4:4:4. The same bytes for one version of libjpeg-turbo."""
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return stream.getvalue()
