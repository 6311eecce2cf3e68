"""DICOM forms of items: one function per form, each de-identifying before anything else looks at the data.

Facts come from the cleaned header alone. A volume may carry the structures that SEG and RTSTRUCT files of its series
mark; their names are free text, so they are scrubbed like any other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate import dicom, image, video, volume
from curate.arrays import Frames, Volume
from curate.dedup import media_sha256, phash, pixel_sha256
from curate.deidentify import (
    DeidentifyConfig,
    clean_frames,
    clean_pixels,
    face_facts,
    gate_face,
    gate_head,
    gate_pixels,
    has_regions,
)
from curate.deidentify.header import clean_dataset
from curate.deidentify.text import identifiers, scrub_text
from curate.dicom import header as dicom_header
from curate.dicom import header_facts as dicom_facts
from curate.dicom import lidc as dicom_lidc
from curate.dicom import multiframe as dicom_multiframe
from curate.dicom import rtstruct as dicom_rtstruct
from curate.dicom import seg as dicom_seg
from curate.dicom import series as dicom_series
from curate.dicom import stream as dicom_video
from curate.dicom.marks import Marked, Subject, subject_of
from curate.loaded import Loaded, Reading, merged, pair, said, shown, step
from curate.looks.sketch import clip_sketch, image_sketch, volume_sketch
from curate.members import Structures, clip_media, image_member, volume_members
from curate.store import file_sha256
from manifests.errors import RecordError
from manifests.record import Fact, Step
from sources.base import Item

if TYPE_CHECKING:
    from pydicom import Dataset

SPLIT_BY = frozenset(
    ("time_point", "trigger_time_ms", "echo_time_ms", "b_value_s_mm2", "image_type", "stack", "dimension")
)


def read_dicom_image(item: Item, reading: Reading) -> Loaded:
    ds = dicom_header.read_whole(reading.place.file(item.files[0].path))
    reading.sweep.header(ds)
    gate_pixels(ds, reading.deidentify, looks=True)
    facts, deidentified = _clean_facts(ds, item, reading, of_spacing=True)
    decoded, cleaned = clean_pixels(dicom.read_image(ds), ds, reading.deidentify)
    image.quality(decoded)
    texts, scrubbed = said(item, identifiers(ds))
    window, notes = pair(decoded.window), " ".join(decoded.notes)
    steps = (
        _syntax_step(ds),
        deidentified,
        *cleaned,
        step("decode", shown(decoded.pixels), units=decoded.units, window=window, voi=decoded.voi, notes=notes),
        *scrubbed,
    )
    return Loaded(
        kind="image",
        modality=dicom_header.modality(ds),
        members=(image_member(decoded),),
        facts=facts,
        steps=steps,
        pixel_sha256=pixel_sha256(decoded.pixels),
        phash=f"{phash(image.to_display(decoded)):016x}",
        looks=image_sketch(decoded),
        **texts,
    )


def read_dicom_cine(item: Item, reading: Reading) -> Loaded:
    ds = dicom_header.read_whole(reading.place.file(item.files[0].path))
    reading.sweep.header(ds)
    gate_pixels(ds, reading.deidentify, looks=True)
    facts, deidentified = _clean_facts(ds, item, reading, of_spacing=True)
    path = reading.scratch / "cine.mp4"
    made = (_streamed_cine if dicom_video.is_encapsulated_video(ds) else _decoded_cine)(ds, reading.deidentify, path)
    texts, scrubbed = said(item, identifiers(ds))
    steps = (
        _syntax_step(ds),
        deidentified,
        *made.story,
        *scrubbed,
    )
    return Loaded(
        kind="video",
        modality=dicom_header.modality(ds),
        members=((clip_media(path, made.shape, made.times_s, made.spacing_mm), path),),
        facts=facts,
        steps=steps,
        pixel_sha256=made.pixel_sha256,
        looks=clip_sketch(path, made.times_s),
        **texts,
    )


@dataclass(frozen=True, slots=True)
class _Cine:
    """What was written as the canonical clip of an instance."""

    shape: tuple[int, ...]
    times_s: tuple[float, ...]
    spacing_mm: tuple[float, float] | None
    pixel_sha256: str
    story: tuple[Step, ...]


def _decoded_cine(ds: Dataset, config: DeidentifyConfig, path: Path) -> _Cine:
    return _encoded(dicom.read_cine(ds), ds, config, path)


def _encoded(seen: Frames, ds: Dataset, config: DeidentifyConfig, path: Path) -> _Cine:
    cine, cleaned = clean_frames(seen, ds, config)
    video.clip_quality(cine.frames)
    video.encode_frames(cine.frames, cine.times_s, path, crf=video.CANONICAL_CRF)
    crf, known = video.CANONICAL_CRF, cine.times_known
    story = step("encode", shown(cine.frames), codec="h264", crf=crf, times_known=known)
    return _Cine(cine.frames.shape, cine.times_s, cine.spacing_mm, pixel_sha256(cine.frames), (*cleaned, story))


def _streamed_cine(ds: Dataset, config: DeidentifyConfig, path: Path) -> _Cine:
    """An encoded stream stays as it is coded, unless pixels outside the ultrasound regions must be blacked or text
    looked for: then it is decoded and encoded anew."""
    info, times_s = dicom_video.encapsulated_clip(ds, path)
    spacing = dicom_facts.image_spacing(ds)
    if has_regions(ds) or config.burned_in == "detect":
        frames = video.read_frames(path, list(range(len(times_s))), times_s)
        return _encoded(Frames(frames, times_s, spacing), ds, config, path)
    kept = step("gate_pixels", gate_pixels(ds, config, looks=True) or "nothing suspected")
    probe = video.read_frames(path, video.sample_times(times_s, None, 8), times_s)
    video.clip_quality(probe)
    shape = (len(times_s), *probe.shape[1:3], 3)
    story = step("take_stream", f"uint8 {shape}", codec=info.codec)
    return _Cine(shape, times_s, spacing, file_sha256(path), (kept, story))


def read_dicom_series(item: Item, reading: Reading) -> Loaded:
    """The slices of one stack; files that mark structures in it (`contours`) come after them."""
    paths = [reading.place.file(f.path) for f in item.files if f.role == "data"]
    ds = dicom_header.read_header(paths[0])
    reading.sweep.header(ds)
    reading.sweep.slices(paths)
    return _volume(item, reading, ds, lambda: dicom_series.read_series(paths))


def read_dicom_volume(item: Item, reading: Reading) -> Loaded:
    """One volume of a multi-frame file."""
    path = reading.place.file(item.files[0].path)
    ds = dicom_header.read_header(path)
    reading.sweep.header(ds)
    return _volume(item, reading, ds, lambda: dicom_multiframe.read_volume_part(path, item.part))


def _volume(item: Item, reading: Reading, ds: Dataset, read: Callable[[], Volume]) -> Loaded:
    kept_pixels = gate_pixels(ds, reading.deidentify)
    kept_face = gate_face(ds, reading.deidentify)
    facts, deidentified = _clean_facts(ds, item, reading)
    grid = read()
    volume.quality(grid)
    kept_face = gate_head(grid, face_facts(ds), reading.deidentify) or kept_face
    known = identifiers(ds)
    marked, told = _marked(item, reading, grid, subject_of([ds]), known)
    texts, scrubbed = said(item, known)
    steps = (
        _syntax_step(ds),
        deidentified,
        step("gate_pixels", kept_pixels or "nothing suspected"),
        step("gate_face", kept_face or "nothing suspected"),
        *_split_step(item),
        step("stack", shown(grid.voxels), slices=len(grid.voxels), units=grid.units, notes=" ".join(grid.notes)),
        *told,
        *scrubbed,
    )
    return Loaded(
        kind="volume",
        modality=dicom_header.modality(ds),
        members=volume_members(grid, marked.placed),
        facts=merged(facts, grid.facts, marked.facts),
        steps=steps,
        pixel_sha256=media_sha256([pixel_sha256(grid.voxels), *marked.digests]),
        looks=volume_sketch(grid),
        **texts,
    )


def _split_step(item: Item) -> tuple[Step, ...]:
    """Which of several volumes this one is, where a series or a file was split."""
    told = "; ".join(f"{f.name}={f.value}" for f in item.facts if f.name in SPLIT_BY)
    return (step("split", "one of several volumes", by=told),) if told else ()


def _marked(
    item: Item, reading: Reading, grid: Volume, subject: Subject, known: Sequence[str]
) -> tuple[Structures, list[Step]]:
    """The structures that SEG and RTSTRUCT files and the LIDC's XML mark, under names without identifiers."""
    marked = Structures(grid)
    steps: list[Step] = []
    for name in item.contours:
        path = reading.place.file(name)
        try:
            found = _marks(path, reading, grid, subject)
        except RecordError as error:  # the image is sound: it stays, and its story says what became of the marks
            steps.append(step("mark", f"refused: {error.reason}", found=error.found))
            continue
        for label, mask in found.masks.items():
            plain = scrub_text(label.replace("_", " "), known)[0].replace(" ", "_")
            marked.add(_free_name(plain, marked.labels), mask)
        steps.append(step("mark", f"{len(found.masks)} structures", notes=" ".join(found.notes)))
    return marked, steps


def _marks(path: Path, reading: Reading, grid: Volume, subject: Subject) -> Marked:
    if path.suffix.lower() == ".xml":
        return dicom_lidc.read_lidc(path, grid)
    header = dicom_header.read_header(path)
    reading.sweep.header(header)
    if dicom_header.modality(header) == "RTSTRUCT":
        return dicom_rtstruct.read_rtstruct(path, grid, subject)
    return dicom_seg.read_seg(path, grid, subject)


def _free_name(label: str, taken: Container[str]) -> str:
    """The label, or with `_2`, `_3`, ... where another file marks one of that name."""
    numbered = (f"{label}_{n}" for n in itertools.count(2))
    return next(name for name in itertools.chain((label,), numbered) if name not in taken)


def _syntax_step(ds: Dataset) -> Step:
    return step("read", "DICOM Part 10", transfer_syntax=str(dicom_header.transfer_syntax(ds).name))


def _clean_facts(ds: Dataset, item: Item, reading: Reading, of_spacing: bool = False) -> tuple[tuple[Fact, ...], Step]:
    """Facts come from the cleaned header alone; what the recipe declares overrides what the header lacks."""
    options = reading.deidentify.options
    cleaned = clean_dataset(ds, reading.keyring, item.group or item.files[0].sha256, options)
    done = step("deidentify", "PS3.15 Basic Profile with options", codes=options.stated(), **cleaned.actions)
    known = dicom_facts.facts(cleaned.dataset)
    if of_spacing:
        known = (*known, *dicom_facts.cine_facts(cleaned.dataset), *dicom_facts.spacing_facts(cleaned.dataset))
    return merged(known, item.facts), done
