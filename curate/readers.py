"""How each form of item is read: one function per form, each de-identifying before anything else looks at the data.

    dicom_image   one instance                        → image       curate.readers_dicom
    dicom_cine    one multi-frame instance            → video
    dicom_series  the slices of one stack             → volume
    dicom_volume  one volume of a multi-frame file    → volume
    volume        NIfTI, NRRD, MetaImage (+ masks)    → volume
    picture       PNG, JPEG, TIFF, ...                → image
    clip          MP4, MOV, WebM, AVI, GIF, ...       → video
    text          what the source's row says          → text

What comes back is canonical: HU or scanner units with affine and spacing, true frame times, no header, no metadata of
the container, free text scrubbed. Every function raises `RecordError` or `Reject`; `curate.prepare` catches them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from curate import image, text, video, volume
from curate.arrays import Volume
from curate.dedup import media_sha256, phash, pixel_sha256
from curate.deidentify import FaceFacts, gate_face
from curate.deidentify.text import scrub_text
from curate.loaded import Loaded, Reading, merged, said, shown, step
from curate.members import clip_media, image_member, rows_of, volume_members
from curate.readers_dicom import read_dicom_cine, read_dicom_image, read_dicom_series, read_dicom_volume
from curate.video import scenes
from curate.volume import landmarks
from manifests.record import Fact
from sources.base import Item
from synth.measured import mask_facts

Reader = Callable[[Item, Reading], Loaded]


def load(item: Item, reading: Reading) -> Loaded:
    """Read an item by its form."""
    return READERS[item.form](item, reading)


def read_volume_file(item: Item, reading: Reading) -> Loaded:
    known = {f.name: f.value for f in item.facts}
    modality = known.get("modality", "")
    gate = FaceFacts(modality=modality, body_part=known.get("body_part", ""), defaced=known.get("defaced") == "yes")
    kept = gate_face(gate, reading.deidentify)
    grid = volume.read_volume(reading.place.file(item.files[0].path), "HU" if modality == "CT" else "scanner")
    volume.quality(grid)
    masks = _masks(item, reading, grid)
    grid = dataclasses.replace(grid, masks=masks)
    points = _points(item, reading)
    texts, scrubbed = said(item, ())
    what: dict[str, str | int] = {
        "units": grid.units,
        "orientation": grid.orientation,
        "masks": len(masks),
        "landmarks": len(points),
    }
    steps = (
        step("read", "volume file", notes=" ".join(grid.notes)),
        step("deidentify", "header rebuilt: only grid, affine and spacing are taken over"),
        step("gate_face", kept or "nothing suspected"),
        step("standardise", shown(grid.voxels), **what),
        *scrubbed,
    )
    measured = mask_facts(masks, rows_of(grid.affine), grid.voxels, grid.units)
    return Loaded(
        kind="volume",
        modality=modality,
        members=volume_members(grid),
        facts=merged(item.facts, grid.facts, measured, points),
        steps=steps,
        pixel_sha256=media_sha256([pixel_sha256(grid.voxels), *(pixel_sha256(m) for m in masks.values())]),
        **texts,
    )


def _points(item: Item, reading: Reading) -> tuple[Fact, ...]:
    """The landmarks of an item; a name that looks like an identifier is scrubbed as any text is."""
    if not item.landmarks:
        return ()
    found = landmarks.landmark_facts(landmarks.read_landmarks(reading.place.file(item.landmarks)), item.landmarks)
    return tuple(dataclasses.replace(f, about=scrub_text(f.about, ())[0]) for f in found)


def read_picture(item: Item, reading: Reading) -> Loaded:
    decoded = image.read_image(reading.place.file(item.files[0].path))
    image.quality(decoded)
    texts, scrubbed = said(item, ())
    steps = (
        step("read", "2D image file", notes=" ".join(decoded.notes)),
        step("deidentify", "decoded and re-encoded: no EXIF, XMP, ICC, comments or thumbnail is taken over"),
        step("standardise", shown(decoded.pixels), units=decoded.units),
        *scrubbed,
    )
    return Loaded(
        kind="image",
        modality={f.name: f.value for f in item.facts}.get("modality", ""),
        members=(image_member(decoded),),
        facts=item.facts,
        steps=steps,
        pixel_sha256=pixel_sha256(decoded.pixels),
        phash=f"{phash(image.to_display(decoded)):016x}",
        **texts,
    )


def read_clip(item: Item, reading: Reading) -> Loaded:
    path = reading.scratch / "clip.mp4"
    info, times_s = video.canonical_clip(reading.place.file(item.files[0].path), path, item.clip)
    probe = video.read_frames(path, video.sample_times(times_s, None, 8), times_s)
    video.clip_quality(probe)
    cuts = scenes.cuts_of(path, times_s)
    texts, scrubbed = said(item, ())
    shape = (len(times_s), probe.shape[1], probe.shape[2], 3)
    media = clip_media(path, shape, times_s, None)
    steps = (
        step("read", f"{info.container} {info.codec}", fps=info.fps, duration_s=info.duration_s),
        step("deidentify", "video stream alone: no sound, subtitles, data, attachments, chapters or metadata"),
        step("standardise", f"uint8 {shape}", variable_rate=info.variable_rate, lost_frames=info.lost_frames),
        *scrubbed,
    )
    return Loaded(
        kind="video",
        modality={f.name: f.value for f in item.facts}.get("modality", ""),
        members=((media, path),),
        facts=merged(item.facts, scenes.clip_facts(info, times_s, cuts)),
        steps=steps,
        pixel_sha256=media.sha256,
        **texts,
    )


def read_text(item: Item, reading: Reading) -> Loaded:
    texts, scrubbed = said(item, ())
    text.quality("\n".join(t for t in texts.values() if t))
    return Loaded(
        kind="text",
        modality="text",
        members=(),
        facts=item.facts,
        steps=(step("read", "text"), *scrubbed, step("standardise", "Unicode NFKC, control characters removed")),
        **texts,
    )


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


READERS: dict[str, Reader] = {
    "dicom_image": read_dicom_image,
    "dicom_cine": read_dicom_cine,
    "dicom_series": read_dicom_series,
    "dicom_volume": read_dicom_volume,
    "volume": read_volume_file,
    "picture": read_picture,
    "clip": read_clip,
    "text": read_text,
}
