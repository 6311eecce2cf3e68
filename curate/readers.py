"""How each form of item is read: one function per form, each de-identifying before anything else looks at the data.

    dicom_image   one instance                        → image       curate.readers_dicom
    dicom_cine    one multi-frame instance            → video
    dicom_series  the slices of one stack             → volume
    dicom_volume  one volume of a multi-frame file    → volume
    volume        NIfTI, NRRD, MetaImage (+ masks)    → volume
    picture       PNG, JPEG, TIFF, ..., one or more   → image
    clip          MP4, MOV, WebM, AVI, GIF, ...       → video
    text          what the source's row says          → text

What comes back is canonical: HU or scanner units with affine and spacing, true frame times, no header, no metadata of
the container, free text scrubbed. Every function raises `RecordError` or `Reject`; `curate.prepare` catches them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import image, text, video, volume
from curate.arrays import Array, Frames, Image, Volume
from curate.dedup import media_sha256, phash, pixel_sha256
from curate.deidentify import FaceFacts, clean_frames, clean_pixels, find_text_over_time, gate_face, gate_head
from curate.deidentify.text import scrub_text
from curate.loaded import Loaded, Reading, merged, said, shown, step
from curate.looks.rows import joined
from curate.looks.sketch import clip_sketch, image_sketch, volume_sketch
from curate.members import Structures, clip_media, image_member, volume_members
from curate.readers_dicom import read_dicom_cine, read_dicom_image, read_dicom_series, read_dicom_volume
from curate.video import scenes
from curate.volume import landmarks
from manifests.errors import RecordError
from manifests.record import Fact, Step
from sources.base import Item

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
    kept = gate_head(grid, gate, reading.deidentify) or kept
    marked = Structures(grid)
    for label, mask in _masks(item, reading, grid):
        if mask.any():  # a structure may be out of the field of view
            marked.add(label, mask)
    points = _points(item, reading)
    texts, scrubbed = said(item, ())
    what: dict[str, str | int] = {
        "units": grid.units,
        "orientation": grid.orientation,
        "masks": len(marked.labels),
        "landmarks": len(points),
    }
    steps = (
        step("read", "volume file", notes=" ".join(grid.notes)),
        step("deidentify", "header rebuilt: only grid, affine and spacing are taken over"),
        step("gate_face", kept or "nothing suspected"),
        step("standardise", shown(grid.voxels), **what),
        *scrubbed,
    )
    return Loaded(
        kind="volume",
        modality=modality,
        members=volume_members(grid, marked.placed),
        facts=merged(item.facts, grid.facts, marked.facts, points),
        steps=steps,
        pixel_sha256=media_sha256([pixel_sha256(grid.voxels), *marked.digests]),
        looks=volume_sketch(grid),
        **texts,
    )


def _points(item: Item, reading: Reading) -> tuple[Fact, ...]:
    """The landmarks of an item; a name that looks like an identifier is scrubbed as any text is."""
    if not item.landmarks:
        return ()
    found = landmarks.landmark_facts(landmarks.read_landmarks(reading.place.file(item.landmarks)), item.landmarks)
    return tuple(dataclasses.replace(f, about=scrub_text(f.about, ())[0]) for f in found)


def read_picture(item: Item, reading: Reading) -> Loaded:
    """One picture, or the several of a study in their order."""
    paths = [reading.place.file(file.path) for file in item.files if file.role == "data"]
    decoded: list[Image] = []
    notes: list[str] = []
    cleaned: list[Step] = []
    for path in paths:
        one = image.read_image(path)
        notes += one.notes
        one, steps = clean_pixels(one, None, reading.deidentify)
        image.quality(one)
        decoded.append(one)
        cleaned += steps
    texts, scrubbed = said(item, ())
    told = (
        step("read", "2D image file" if len(paths) == 1 else f"{len(paths)} 2D image files", notes=" ".join(notes)),
        step("deidentify", "decoded and re-encoded: no EXIF, XMP, ICC, comments or thumbnail is taken over"),
        *cleaned,
        *(step("standardise", shown(one.pixels), units=one.units) for one in decoded),
        *scrubbed,
    )
    return Loaded(
        kind="image",
        modality={f.name: f.value for f in item.facts}.get("modality", ""),
        members=tuple(image_member(one, n if len(paths) > 1 else 0) for n, one in enumerate(decoded, start=1)),
        facts=item.facts,
        steps=told,
        pixel_sha256=media_sha256([pixel_sha256(one.pixels) for one in decoded]),
        phash=f"{phash(image.to_display(decoded[0])):016x}",
        looks=joined([image_sketch(one, n) for n, one in enumerate(decoded)]),
        **texts,
    )


def read_clip(item: Item, reading: Reading) -> Loaded:
    path = reading.scratch / "clip.mp4"
    info, times_s = video.canonical_clip(reading.place.file(item.files[0].path), path, item.clip)
    probe = video.read_frames(path, video.sample_times(times_s, None, 8), times_s)
    video.clip_quality(probe)
    cleaned = _clean_clip(path, times_s, probe, reading)
    cuts = scenes.cuts_of(path, times_s)
    texts, scrubbed = said(item, ())
    shape = (len(times_s), probe.shape[1], probe.shape[2], 3)
    media = clip_media(path, shape, times_s, None)
    steps = (
        step("read", f"{info.container} {info.codec}", fps=info.fps, duration_s=info.duration_s),
        step("deidentify", "video stream alone: no sound, subtitles, data, attachments, chapters or metadata"),
        *cleaned,
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
        looks=clip_sketch(path, times_s),
        **texts,
    )


def _clean_clip(path: Path, times_s: tuple[float, ...], probe: NDArray[np.uint8], reading: Reading) -> tuple[Step, ...]:
    """Under `burned_in: detect`, text in a clip is blacked on every frame, and the clip encoded anew; a clip in whose
    probe there is none stays as it is coded."""
    if reading.deidentify.burned_in != "detect":
        return ()
    if not find_text_over_time(probe):
        return (step("find_text", f"none in {len(probe)} frames"),)
    frames = video.read_frames(path, list(range(len(times_s))), times_s)
    cine, cleaned = clean_frames(Frames(frames, times_s), None, reading.deidentify)
    video.encode_frames(cine.frames, times_s, path, crf=video.CANONICAL_CRF)
    return cleaned


def read_text(item: Item, reading: Reading) -> Loaded:
    texts, scrubbed = said(item, ())
    text.quality("\n".join(t for t in texts.values() if t))
    return Loaded(
        kind="text",
        modality="text",
        members=(),
        facts=item.facts,
        steps=(step("read", "text"), *scrubbed, step("standardise", "Unicode NFKC, control characters removed")),
        looks=b"",
        **texts,
    )


def _masks(item: Item, reading: Reading, grid: Volume) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The item's masks by label, in the order of its labels; a label map is read once, whatever it marks."""
    for path, several in itertools.groupby(item.masks, key=lambda mask: mask[1]):
        file = reading.place.file(path)
        named = [(label, value) for label, _, value in several]
        for label, _ in (n for n in named if not n[1]):
            yield from volume.read_mask(file, {1: label}, grid, threshold=item.threshold).items()
        if valued := [n for n in named if n[1]]:
            yield from _labelled(volume.read_on_grid(file, grid).voxels, valued)


def _labelled(voxels: Array, named: Sequence[tuple[str, int]]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """One mask after the other of a label map; values of one name are one structure."""
    if voxels.dtype.kind == "f":
        raise RecordError("mask_values", "values that are not whole numbers", "give a threshold")
    for label in dict.fromkeys(label for label, _ in named):
        mask = np.zeros(voxels.shape, np.bool_)
        for value in (value for name, value in named if name == label):
            for plane, marked in zip(voxels, mask, strict=True):
                marked |= plane == value
        yield label, mask.view(np.uint8)


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
