"""How each form of item is read: one function per form, each de-identifying before anything else looks at the data.

    dicom_image   one instance                        → image       curate.readers_dicom
    dicom_cine    one multi-frame instance            → video
    dicom_series  the slices of one stack             → volume
    dicom_volume  one volume of a multi-frame file    → volume
    volume        NIfTI, NRRD, MetaImage (+ masks)    → volume
    picture       PNG, JPEG, ..., one or more (+ masks) → image     curate.readers_picture
    clip          MP4, MOV, ..., a folder of frames   → video
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

from curate import text, video, volume
from curate.arrays import Array, Frames, Units, Volume
from curate.carried import given_files
from curate.dedup import media_sha256, pixel_sha256
from curate.deidentify import FaceFacts, clean_frames, find_text_over_time, gate_face, gate_head
from curate.deidentify.text import scrub_text
from curate.loaded import Loaded, Reading, merged, said, shown, step
from curate.looks.sketch import clip_sketch, volume_sketch
from curate.members import Structures, clip_media, volume_members
from curate.readers_dicom import read_dicom_cine, read_dicom_image, read_dicom_series, read_dicom_volume
from curate.readers_picture import read_picture
from curate.video import frames_folder, scenes
from curate.volume import landmarks
from curate.volume.nifti import require_affine, rescale
from manifests.errors import RecordError
from manifests.record import Fact, Step, words_of
from sources.base import Item

_WORDED = ("procedure", "contrast", "title", "caption", "label", "finding", "structure")

Reader = Callable[[Item, Reading], Loaded]


def load(item: Item, reading: Reading) -> Loaded:
    """Read an item by its form; what its container's row carries lies in the scratch folder meanwhile."""
    try:
        return READERS[item.form](item, reading)
    finally:
        for path in reading.scratch.glob("carried-*") if item.carried else ():
            path.unlink()


def read_volume_file(item: Item, reading: Reading) -> Loaded:
    known = {f.name: f.value for f in item.facts}
    modality = known.get("modality", "")
    gate = FaceFacts(modality=modality, body_part=known.get("body_part", ""), defaced=known.get("defaced") == "yes")
    kept = gate_face(gate, reading.deidentify)
    units: Units = "HU" if modality == "CT" else "scanner"
    grid = _as_told(volume.read_volume(given_files(item, reading)[0], units, part=item.part), item)
    volume.quality(grid)
    kept = _gated(grid, gate, item, reading) or kept
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


def _gated(grid: Volume, gate: FaceFacts, item: Item, reading: Reading) -> str:
    """`gate_head`; of a volume without spacing, whose size says nothing, all that is said of it decides instead."""
    if grid.placed:
        return gate_head(grid, gate, reading.deidentify)
    words = (*(f.value for f in item.facts if f.name in _WORDED), item.text)
    return gate_face(dataclasses.replace(gate, descriptions=" | ".join(words)), reading.deidentify)


def _as_told(grid: Volume, item: Item) -> Volume:
    """The volume with what the source's tables say and its header does not. Where the source takes the volumes of a
    file apart, they are no time points (sequences mostly), whatever NIfTI calls them."""
    if item.rescale is not None:
        slope, intercept = item.rescale
        grid = dataclasses.replace(grid, voxels=volume.settled(rescale(grid.voxels, slope, intercept)))
    if item.affine is not None:
        require_affine(affine := np.array(item.affine, np.float64))
        grid = dataclasses.replace(grid, affine=affine, placed=True)
    return dataclasses.replace(grid, facts=()) if item.files[0].fragment.startswith("volume=") else grid


def _points(item: Item, reading: Reading) -> tuple[Fact, ...]:
    """The landmarks of an item; a name that looks like an identifier is scrubbed as any text is."""
    if not item.landmarks:
        return ()
    found = landmarks.landmark_facts(landmarks.read_landmarks(reading.place.file(item.landmarks)), item.landmarks)
    return tuple(dataclasses.replace(f, about=scrub_text(f.about, ())[0]) for f in found)


def read_clip(item: Item, reading: Reading) -> Loaded:
    path = reading.scratch / "clip.mp4"
    info, times_s = _clip_of(item, given_files(item, reading), path)
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


def _clip_of(item: Item, files: Sequence[Path], path: Path) -> tuple[video.VideoInfo, tuple[float, ...]]:
    """The canonical clip of a video file, or of several files that are its frames, at the rate of the fact `fps`."""
    if len(files) == 1:
        return video.canonical_clip(files[0], path, item.clip)
    return frames_folder.clip_of_frames(files, frames_folder.rate_of(item.facts), path)


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
    text.quality(words_of(texts["text"], texts["asked"]))
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
    if any(value < 0 for _, value in named):
        raise RecordError("mask_values", "objects of a volume", "name each value: objects are told apart in pictures")
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
