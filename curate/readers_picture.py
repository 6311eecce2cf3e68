"""Pictures: one 2D image or the several of a study, with the masks that files beside it mark structures by.

A picture is PNG, JPEG, TIFF, BMP, GIF or WebP (`curate.image`), or one slice in a volume's format, whose spacing and
units are kept (`curate.volume.flat`: CAMUS). The masks of `Item.masks` are (label, file, value):

    value 0   every pixel above half of the file's largest value: a mask of its own, also a lossy (JPEG) one
    value v   the pixels of exactly that grey value; of a colour file the pixels of the colour 0xRRGGBB
    OBJECTS   each grey value but 0 an object of its own: as many masks of one label; those that touch stay apart

A palette counts as the colours that it shows, and as grey where all those are grey; what one label names in several
files or values is one structure. Masks belong to the first picture and have its size as it is stored. A picture that
EXIF turns by a quarter, and is not square, has masks of its unturned size turned with it and takes those of its upright
size as they are; otherwise nothing tells which way up the masks were drawn, and it is refused (`mask_orientation`).
What EXIF says of the mask file itself is applied first.

Left and right of a mask are those of the picture, never the patient's.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import image
from curate.arrays import Array, Image
from curate.carried import given_files
from curate.dedup import media_sha256, phash, pixel_sha256
from curate.deidentify import clean_pixels
from curate.guard import typed
from curate.loaded import Loaded, Reading, merged, said, shown, step
from curate.looks.rows import joined
from curate.looks.sketch import image_sketch
from curate.members import FlatStructures, flat_mask_members, image_member
from curate.volume.flat import is_flat, read_flat
from manifests.errors import RecordError
from manifests.record import Fact, Step
from sources.base import OBJECTS, Item

_ORIENTATION = 274  # EXIF and TIFF
_UPRIGHT, _QUARTERS = 1, frozenset({5, 6, 7, 8})
_MAX_SPACING_MM = 1000.0
_RGB = 3
_LOSSY = (b"\xff\xd8\xff",)


def read_picture(item: Item, reading: Reading) -> Loaded:
    """One picture, or the several of a study in their order; masks are the first one's."""
    known = {f.name: f.value for f in item.facts}
    paths = given_files(item, reading)
    if not paths:
        raise RecordError("media_missing", "a record without a picture", "report it: the source names no file")
    decoded: list[Image] = []
    notes: list[str] = []
    cleaned: list[Step] = []
    for number, path in enumerate(paths, start=1):
        one = _spaced(_decoded(path, known.get("modality", "")), item.facts, number)
        one = _shown_bright(one, item.facts, number)
        notes += one.notes
        one, steps = clean_pixels(one, None, reading.deidentify)
        image.quality(one)
        decoded.append(one)
        cleaned += steps
    several = len(paths) > 1
    marked = FlatStructures(decoded[0], "1" if several else "")
    for label, mask, objects in _masks(item, reading, paths[0], decoded[0].pixels.shape[:2]):
        if mask.any():  # a class may not occur in a picture
            marked.add(label, mask, objects)
    texts, scrubbed = said(item, ())
    told = (
        step("read", f"{len(paths)} 2D image files" if several else "2D image file", notes=" ".join(notes)),
        step("deidentify", "decoded and re-encoded: no EXIF, XMP, ICC, comments or thumbnail is taken over"),
        *cleaned,
        *(step("standardise", shown(one.pixels), units=one.units) for one in decoded),
        *((step("masks", f"{len(marked.labels)} of {len(item.masks)} marked"),) if item.masks else ()),
        *scrubbed,
    )
    members = tuple(image_member(one, n if several else 0) for n, one in enumerate(decoded, start=1))
    return Loaded(
        kind="image",
        modality=known.get("modality", ""),
        members=(*members, *flat_mask_members(members[0][0], marked.placed)),
        facts=merged(item.facts, marked.facts),
        steps=told,
        pixel_sha256=media_sha256([*(pixel_sha256(one.pixels) for one in decoded), *marked.digests]),
        phash=f"{phash(image.to_display(decoded[0])):016x}",
        looks=joined([image_sketch(one, n) for n, one in enumerate(decoded)]),
        **texts,
    )


def _decoded(path: Path, modality: str) -> Image:
    if is_flat(path):
        return read_flat(path, "HU" if modality == "CT" else "scanner")
    return image.read_image(path)


def _shown_bright(picture: Image, facts: Sequence[Fact], number: int) -> Image:
    """Low values bright where the source says MONOCHROME1 of this picture: some export a radiograph's stored values as
    they are (PadChest)."""
    says = {f.value for f in facts if f.name == "photometric" and f.at in ("", str(number))}
    if "MONOCHROME1" not in says or picture.pixels.ndim != 2:
        return picture
    return dataclasses.replace(picture, inverted=not picture.inverted)


def _spaced(picture: Image, facts: Sequence[Fact], number: int) -> Image:
    """With the spacing that the source states, for x and y of this picture, where its file has none of its own."""
    stated = {f.about: f.value for f in facts if f.name == "spacing_mm" and f.at in ("", str(number))}
    if picture.spacing_mm is not None or not {"x", "y"} <= stated.keys():
        return picture
    try:
        y, x = float(stated["y"]), float(stated["x"])
    except ValueError:
        raise RecordError("bad_spacing", "a fact spacing_mm that is no number", "state mm, or leave it out") from None
    if not (0 < x <= _MAX_SPACING_MM and 0 < y <= _MAX_SPACING_MM):
        raise RecordError("bad_spacing", f"a spacing of {x:g} x {y:g} mm", "state mm, or leave it out")
    return dataclasses.replace(picture, spacing_mm=(y, x), notes=(*picture.notes, "stated_spacing"))


# ---------------------------------------------------------------------------------------------------------------- masks
def _masks(
    item: Item, reading: Reading, picture: Path, size: tuple[int, ...]
) -> Iterator[tuple[str, NDArray[np.uint8], Array | None]]:
    """The masks of the first picture by label, in the order of the labels, uint8 0 and 1 (y, x), and a map of their
    objects where the file tells these apart. One is held, beside the last file.

    Raises RecordError `mask_size`, `mask_orientation`, `mask_values` (an exact value of a lossy file, or of fractions;
    objects of a colour file or of several files), and what reading a picture raises."""
    turned = _turn_of(picture) if item.masks else _UPRIGHT
    last: tuple[str, Array] = ("", np.zeros((0, 0), np.uint8))
    for label in dict.fromkeys(label for label, *_ in item.masks):
        mask = np.zeros(size, np.bool_)
        named = [(path, value) for name, path, value in item.masks if name == label]
        for path, value in named:
            file = reading.place.file(path)
            if last[0] != path:
                last = (path, _placed(_levels(file), size, turned, _turn_of(file)))
            if value and _is_lossy(file):
                raise RecordError("mask_values", "an exact value of a JPEG file", "take the mask from a lossless file")
            mask |= _chosen(last[1], value)
        apart = any(value == OBJECTS for _, value in named)
        yield label, mask.view(np.uint8), _objects(last[1], len(named)) if apart else None


def _turn_of(path: Path) -> int:
    """The EXIF orientation of a file, 1 to 8; 1 where it says none."""
    import PIL.Image

    if is_flat(path):
        return _UPRIGHT
    with typed("corrupt_image", "fetch the file again"), PIL.Image.open(path, formats=image.FORMATS) as opened:
        told = opened.getexif().get(_ORIENTATION, _UPRIGHT)
    return told if told in range(1, 9) else _UPRIGHT


def _levels(path: Path) -> Array:
    """Grey values (y, x) or colours (y, x, 3), those of a palette of greys as grey; EXIF of the file is applied."""
    if is_flat(path):
        return read_flat(path).pixels
    pixels = image.read_image(path).pixels
    if pixels.ndim == _RGB - 1:
        return pixels
    if _has_palette(path) and bool((pixels == pixels[..., :1]).all()):
        return np.ascontiguousarray(pixels[..., 0])
    return pixels


def _has_palette(path: Path) -> bool:
    import PIL.Image

    with contextlib.suppress(OSError), PIL.Image.open(path, formats=image.FORMATS) as opened:
        return opened.mode in ("P", "PA")
    return False


def _is_lossy(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(3) in _LOSSY


def _placed(levels: Array, size: tuple[int, ...], turned: int, own: int) -> Array:
    """The mask file upright, as the picture is shown."""
    found = levels.shape[:2]
    if turned == _UPRIGHT or own != _UPRIGHT:
        if found == size:
            return levels
        raise _other_size(found, size)
    if turned not in _QUARTERS or size[0] == size[1]:
        told = f"EXIF orientation {turned} of a picture, and masks that do not say whether they are turned"
        raise RecordError("mask_orientation", told, "turn the picture's pixels, and store it without EXIF")
    if found == size:
        return levels
    if found == (size[1], size[0]):
        return _as_exif_says(levels, turned)
    raise _other_size(found, size)


def _other_size(found: tuple[int, ...], size: tuple[int, ...]) -> RecordError:
    told = f"a mask of {found[1]} x {found[0]} pixels on a picture of {size[1]} x {size[0]}"
    return RecordError("mask_size", told, "give masks of the picture's own size")


def _as_exif_says(levels: Array, orientation: int) -> Array:
    """Turned as `PIL.ImageOps.exif_transpose` turns a picture by a quarter (EXIF 2.32, 4.6.4 A, Orientation)."""
    flipped = np.swapaxes(levels, 0, 1)  # 5: rows become columns
    rows, columns = {5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[orientation]
    return np.ascontiguousarray(flipped[::rows, ::columns])


def _objects(levels: Array, files: int) -> Array:
    """A map in which each value but 0 is an object of its own."""
    if files > 1 or levels.ndim == _RGB or levels.dtype.kind not in "ui" or int(levels.min()) < 0:
        found = f"{files} files" if files > 1 else f"{levels.ndim} dimensions of {levels.dtype}"
        raise RecordError("mask_values", found, "mark objects by whole numbers in one grey file for each label")
    return levels


def _chosen(levels: Array, value: int) -> NDArray[np.bool_]:
    if value == OBJECTS:
        return np.not_equal(levels if levels.ndim < _RGB else levels.max(axis=2), 0)
    if value == 0:
        brightest = levels.max(axis=2) if levels.ndim == _RGB else levels
        top = float(np.nanmax(brightest)) if np.isfinite(brightest).any() else 0.0
        chosen: NDArray[np.bool_] = brightest > top / 2 if top > 0 else np.zeros(brightest.shape, np.bool_)
        return chosen
    if levels.dtype.kind == "f":
        raise RecordError("mask_values", "values that are not whole numbers", "mark one structure per file, as value 0")
    if levels.ndim == _RGB:
        wanted = ((value >> 16) & 255, (value >> 8) & 255, value & 255)
        hit: NDArray[np.bool_] = (levels == np.array(wanted, np.uint8)).all(axis=2)
        return hit & (value < 1 << 24)
    return np.equal(levels, value)
