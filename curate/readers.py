"""How each form of item is read: one function per form, each de-identifying before anything else looks at the data.

    dicom_image   one instance                        → image
    dicom_cine    one multi-frame instance            → video
    dicom_series  the slices of one stack             → volume
    volume        NIfTI, NRRD, MetaImage (+ masks)    → volume
    picture       PNG, JPEG, TIFF, ...                → image
    clip          MP4, MOV, WebM, AVI, GIF, ...       → video
    text          what the source's row says          → text

What comes back is canonical: HU or scanner units with affine and spacing, true frame times, no header, no metadata of
the container, free text scrubbed. Every function raises `RecordError` or `Reject`; `curate.prepare` catches them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curate import dicom, dicom_facts, dicom_header, dicom_series, image, text, video, volume
from curate.arrays import Image, Volume, encode_npy_gz
from curate.dedup import media_sha256, phash, pixel_sha256
from curate.deidentify import (
    DeidentifyConfig,
    FaceFacts,
    gate_face,
    gate_pixels,
    has_regions,
    mask_outside_regions,
)
from curate.deidentify_header import clean_dataset
from curate.deidentify_text import identifiers, scrub_text
from curate.keyring import Keyring
from manifests.record import Affine, Fact, Media, Step, canonical_json
from sources.base import Item, Place

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_LABELS = 255  # of one label map, uint8


@dataclass(frozen=True, slots=True)
class Reading:
    """What every reader needs besides the item. `scratch` is a folder of the unit; what is left there is discarded."""

    place: Place
    deidentify: DeidentifyConfig
    keyring: Keyring
    scratch: Path


@dataclass(frozen=True, slots=True)
class Loaded:
    """One record as read: canonical members with their bytes (masks share members), what is known, what was done."""

    kind: str
    modality: str
    members: tuple[tuple[Media, bytes], ...]
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]
    pixel_sha256: str = ""
    phash: str = ""
    text: str = ""
    question: str = ""
    answer: str = ""


Reader = Callable[[Item, Reading], Loaded]


def load(item: Item, reading: Reading) -> Loaded:
    """Read an item by its form."""
    return READERS[item.form](item, reading)


def step(name: str, result: str = "", **params: str | int | float | bool | None) -> Step:
    """One line of a record's story; parameters are plain values."""
    return Step(name=name, params=canonical_json(params), result=result)


# --------------------------------------------------------------------------------------------------------------- DICOM
def read_dicom_image(item: Item, reading: Reading) -> Loaded:
    ds = dicom_header.read_whole(reading.place.file(item.files[0].path))
    steps = [_syntax_step(ds)]
    kept = gate_pixels(ds, reading.deidentify)
    facts, deidentified = _clean_facts(ds, item, reading)
    steps += [deidentified, step("gate_pixels", kept or "nothing suspected")]
    decoded = dicom.read_image(ds)
    decoded, masked = _mask_ultrasound(decoded, ds)
    image.quality(decoded)
    said, scrubbed = _said(item, identifiers(ds))
    steps += [
        *masked,
        step("decode", _shown(decoded.pixels), units=decoded.units, window=_pair(decoded.window)),
        *scrubbed,
    ]
    return Loaded(
        kind="image",
        modality=dicom_header.modality(ds),
        members=(_image_member(decoded),),
        facts=facts,
        steps=tuple(steps),
        pixel_sha256=pixel_sha256(decoded.pixels),
        phash=f"{phash(image.to_display(decoded)):016x}",
        **said,
    )


def read_dicom_cine(item: Item, reading: Reading) -> Loaded:
    ds = dicom_header.read_whole(reading.place.file(item.files[0].path))
    steps = [_syntax_step(ds)]
    kept = gate_pixels(ds, reading.deidentify)
    facts, deidentified = _clean_facts(ds, item, reading)
    cine = dicom.read_cine(ds)
    frames = mask_outside_regions(cine.frames, ds) if has_regions(ds) else cine.frames
    video.clip_quality(frames)
    path = reading.scratch / "cine.mp4"
    video.encode_frames(frames, cine.times_s, path, crf=video.CANONICAL_CRF)
    data = path.read_bytes()
    path.unlink()
    steps += [
        deidentified,
        step("gate_pixels", kept or "nothing suspected"),
        step("mask_outside_regions", "applied" if has_regions(ds) else "no ultrasound regions"),
        step("encode", _shown(frames), codec="h264", crf=video.CANONICAL_CRF, times_known=cine.times_known),
    ]
    said, scrubbed = _said(item, identifiers(ds))
    return Loaded(
        kind="video",
        modality=dicom_header.modality(ds),
        members=((_clip_media(data, frames.shape, cine.times_s, cine.spacing_mm), data),),
        facts=facts,
        steps=(*steps, *scrubbed),
        pixel_sha256=pixel_sha256(frames),
        **said,
    )


def read_dicom_series(item: Item, reading: Reading) -> Loaded:
    paths = [reading.place.file(f.path) for f in item.files]
    ds = dicom_header.read_header(paths[0])
    kept_pixels = gate_pixels(ds, reading.deidentify)
    kept_face = gate_face(ds, reading.deidentify)
    facts, deidentified = _clean_facts(ds, item, reading)
    grid = dicom_series.read_series(paths)
    volume.quality(grid)
    said, scrubbed = _said(item, identifiers(ds))
    steps = (
        _syntax_step(ds),
        deidentified,
        step("gate_pixels", kept_pixels or "nothing suspected"),
        step("gate_face", kept_face or "nothing suspected"),
        step("stack", _shown(grid.voxels), slices=len(paths), units=grid.units, notes=" ".join(grid.notes)),
        *scrubbed,
    )
    return Loaded(
        kind="volume",
        modality=dicom_header.modality(ds),
        members=_volume_members(grid),
        facts=(*facts, *grid.facts),
        steps=steps,
        pixel_sha256=pixel_sha256(grid.voxels),
        **said,
    )


def _syntax_step(ds: Dataset) -> Step:
    return step("read", "DICOM Part 10", transfer_syntax=str(dicom_header.transfer_syntax(ds).name))


def _clean_facts(ds: Dataset, item: Item, reading: Reading) -> tuple[tuple[Fact, ...], Step]:
    """Facts come from the cleaned header alone; what the recipe declares overrides what the header lacks."""
    cleaned = clean_dataset(ds, reading.keyring, item.group or item.files[0].sha256)
    profile = "PS3.15 Basic Profile, retain longitudinal (shifted dates)"
    done = step("deidentify", profile, **cleaned.actions)
    known = dicom_facts.facts(cleaned.dataset)
    names = {f.name for f in known}
    return (*known, *(f for f in item.facts if f.name not in names)), done


def _mask_ultrasound(decoded: Image, ds: Dataset) -> tuple[Image, list[Step]]:
    if not has_regions(ds):
        return decoded, []
    pixels = mask_outside_regions(decoded.pixels, ds)
    masked = Image(pixels, decoded.units, decoded.spacing_mm, decoded.window, decoded.inverted)
    return masked, [step("mask_outside_regions", "black outside the ultrasound regions")]


# ------------------------------------------------------------------------------------------------------- other formats
def read_volume_file(item: Item, reading: Reading) -> Loaded:
    known = {f.name: f.value for f in item.facts}
    modality = known.get("modality", "")
    gate = FaceFacts(modality=modality, body_part=known.get("body_part", ""), defaced=known.get("defaced") == "yes")
    kept = gate_face(gate, reading.deidentify)
    grid = volume.read_volume(reading.place.file(item.files[0].path), "HU" if modality == "CT" else "scanner")
    volume.quality(grid)
    masks = _masks(item, reading, grid)
    said, scrubbed = _said(item, ())
    steps = (
        step("read", "volume file", notes=" ".join(grid.notes)),
        step("deidentify", "header rebuilt: only grid, affine and spacing are taken over"),
        step("gate_face", kept or "nothing suspected"),
        step("standardise", _shown(grid.voxels), units=grid.units, orientation=grid.orientation, masks=len(masks)),
        *scrubbed,
    )
    return Loaded(
        kind="volume",
        modality=modality,
        members=_volume_members(Volume(grid.voxels, grid.affine, grid.units, grid.window, masks)),
        facts=(*item.facts, *grid.facts),
        steps=steps,
        pixel_sha256=media_sha256([pixel_sha256(grid.voxels), *(pixel_sha256(m) for m in masks.values())]),
        **said,
    )


def read_picture(item: Item, reading: Reading) -> Loaded:
    decoded = image.read_image(reading.place.file(item.files[0].path))
    image.quality(decoded)
    said, scrubbed = _said(item, ())
    steps = (
        step("read", "2D image file"),
        step("deidentify", "decoded and re-encoded: no EXIF, XMP, ICC, comments or thumbnail is taken over"),
        step("standardise", _shown(decoded.pixels), units=decoded.units),
        *scrubbed,
    )
    return Loaded(
        kind="image",
        modality={f.name: f.value for f in item.facts}.get("modality", ""),
        members=(_image_member(decoded),),
        facts=item.facts,
        steps=steps,
        pixel_sha256=pixel_sha256(decoded.pixels),
        phash=f"{phash(image.to_display(decoded)):016x}",
        **said,
    )


def read_clip(item: Item, reading: Reading) -> Loaded:
    path = reading.scratch / "clip.mp4"
    info, times_s = video.canonical_clip(reading.place.file(item.files[0].path), path)
    probe = video.read_frames(path, video.sample_times(times_s, None, 8), times_s)
    video.clip_quality(probe)
    data = path.read_bytes()
    path.unlink()
    said, scrubbed = _said(item, ())
    shape = (len(times_s), probe.shape[1], probe.shape[2], 3)
    steps = (
        step("read", f"{info.container} {info.codec}", fps=info.fps, duration_s=info.duration_s),
        step("deidentify", "video stream alone: no sound, subtitles, data, attachments, chapters or metadata"),
        step("standardise", f"uint8 {shape}", variable_rate=info.variable_rate),
        *scrubbed,
    )
    return Loaded(
        kind="video",
        modality={f.name: f.value for f in item.facts}.get("modality", ""),
        members=((_clip_media(data, shape, times_s, None), data),),
        facts=item.facts,
        steps=steps,
        pixel_sha256=hashlib.sha256(data).hexdigest(),
        **said,
    )


def read_text(item: Item, reading: Reading) -> Loaded:
    said, scrubbed = _said(item, ())
    text.quality("\n".join(t for t in said.values() if t))
    return Loaded(
        kind="text",
        modality="text",
        members=(),
        facts=item.facts,
        steps=(step("read", "text"), *scrubbed, step("standardise", "Unicode NFKC, control characters removed")),
        **said,
    )


READERS: dict[str, Reader] = {
    "dicom_image": read_dicom_image,
    "dicom_cine": read_dicom_cine,
    "dicom_series": read_dicom_series,
    "volume": read_volume_file,
    "picture": read_picture,
    "clip": read_clip,
    "text": read_text,
}


# -------------------------------------------------------------------------------------------------------------- shared
def _said(item: Item, known: Sequence[str]) -> tuple[dict[str, str], list[Step]]:
    """The record's texts, normalised and scrubbed, and the step that says how much was replaced."""
    cleaned: dict[str, str] = {}
    replaced = 0
    for name in ("text", "question", "answer"):
        scrubbed, count = scrub_text(text.normalise(getattr(item, name)), known)
        cleaned[name] = scrubbed
        replaced += count
    if not any(cleaned.values()):
        return cleaned, []
    return cleaned, [step("scrub_text", f"{replaced} identifiers replaced")]


def _masks(item: Item, reading: Reading, grid: Volume) -> dict[str, NDArray[np.uint8]]:
    """The item's masks by label; a structure that is empty in this volume marks nothing and is left out."""
    found: dict[str, NDArray[np.uint8]] = {}
    for label, path, value in item.masks:
        file = reading.place.file(path)
        if value:
            found |= volume.read_mask(file, {value: label}, grid)
        else:
            found |= volume.read_mask(file, {1: label}, grid, threshold=item.threshold)
    return {label: mask for label, mask in found.items() if mask.any()}


def _image_member(decoded: Image) -> tuple[Media, bytes]:
    data = encode_npy_gz(decoded.pixels)
    return Media(
        member="image.npy.gz",
        kind="image",
        shape=decoded.pixels.shape,
        dtype=str(decoded.pixels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        units=decoded.units,
        spacing_mm=decoded.spacing_mm,
        window=decoded.window,
        inverted=decoded.inverted,
    ), data


def _volume_members(grid: Volume) -> tuple[tuple[Media, bytes], ...]:
    """The voxels, and the masks in as few label maps as hold them: masks that share a voxel go to different ones."""
    data = encode_npy_gz(grid.voxels)
    main = Media(
        member="volume.npy.gz",
        kind="volume",
        shape=grid.voxels.shape,
        dtype=str(grid.voxels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        units=grid.units,
        spacing_mm=grid.spacing_mm,
        affine=_rows(grid.affine),
        window=grid.window,
    )
    members = [(main, data)]
    for number, (label_map, labels) in enumerate(_label_maps(grid.masks)):
        stored = encode_npy_gz(label_map)
        shared = dataclasses.replace(
            main,
            member=mask_member(number),
            kind="mask",
            dtype="uint8",
            sha256=hashlib.sha256(stored).hexdigest(),
            size_bytes=len(stored),
            units="label",
            window=None,
        )
        members += [(dataclasses.replace(shared, label=label, value=value), stored) for label, value in labels]
    return tuple(members)


def mask_member(number: int) -> str:
    """`masks.npy.gz` for the first label map, `masks-1.npy.gz` for the next."""
    return "masks.npy.gz" if number == 0 else f"masks-{number}.npy.gz"


def _label_maps(masks: dict[str, NDArray[np.uint8]]) -> list[tuple[NDArray[np.uint8], list[tuple[str, int]]]]:
    """Label maps of uint8 and the (label, voxel value) pairs of each, first fit in the order of the masks."""
    maps: list[tuple[NDArray[np.uint8], list[tuple[str, int]]]] = []
    for label, mask in masks.items():
        inside = mask > 0
        for label_map, labels in maps:
            if len(labels) < MAX_LABELS and not label_map[inside].any():
                break
        else:
            label_map, labels = np.zeros(mask.shape, np.uint8), []
            maps.append((label_map, labels))
        labels.append((label, len(labels) + 1))
        label_map[inside] = len(labels)
    return maps


def _clip_media(
    data: bytes, shape: Sequence[int], times_s: tuple[float, ...], spacing_mm: tuple[float, float] | None
) -> Media:
    count, height, width = shape[:3]
    return Media(
        member="mp4",
        kind="video",
        shape=(count, height + height % 2, width + width % 2, 3),
        dtype="uint8",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        units="display",
        spacing_mm=spacing_mm,
        times_s=times_s,
    )


def _rows(affine: NDArray[np.float64]) -> Affine:
    rows = affine.astype(float).tolist()
    return tuple((row[0], row[1], row[2], row[3]) for row in rows)


def _shown(array: NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"


def _pair(window: tuple[float, float] | None) -> str | None:
    return None if window is None else f"{window[0]:g}/{window[1]:g}"
