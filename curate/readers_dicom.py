"""DICOM forms of items: one function per form, each de-identifying before anything else looks at the data.

Facts come from the cleaned header alone. A volume may carry the structures that SEG and RTSTRUCT files of its series
mark; their names are free text, so they are scrubbed like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate import dicom, dicom_facts, dicom_header, dicom_series, image, video, volume
from curate.arrays import Image
from curate.dedup import phash, pixel_sha256
from curate.deidentify import gate_face, gate_pixels, has_regions, mask_outside_regions
from curate.deidentify_header import clean_dataset
from curate.deidentify_text import identifiers
from curate.loaded import Loaded, Reading, pair, said, shown, step
from curate.members import clip_media, image_member, volume_members
from manifests.record import Fact, Step
from sources.base import Item

if TYPE_CHECKING:
    from pydicom import Dataset


def read_dicom_image(item: Item, reading: Reading) -> Loaded:
    ds = dicom_header.read_whole(reading.place.file(item.files[0].path))
    steps = [_syntax_step(ds)]
    kept = gate_pixels(ds, reading.deidentify)
    facts, deidentified = _clean_facts(ds, item, reading)
    steps += [deidentified, step("gate_pixels", kept or "nothing suspected")]
    decoded = dicom.read_image(ds)
    decoded, masked = _mask_ultrasound(decoded, ds)
    image.quality(decoded)
    texts, scrubbed = said(item, identifiers(ds))
    steps += [
        *masked,
        step("decode", shown(decoded.pixels), units=decoded.units, window=pair(decoded.window)),
        *scrubbed,
    ]
    return Loaded(
        kind="image",
        modality=dicom_header.modality(ds),
        members=(image_member(decoded),),
        facts=facts,
        steps=tuple(steps),
        pixel_sha256=pixel_sha256(decoded.pixels),
        phash=f"{phash(image.to_display(decoded)):016x}",
        **texts,
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
        step("encode", shown(frames), codec="h264", crf=video.CANONICAL_CRF, times_known=cine.times_known),
    ]
    texts, scrubbed = said(item, identifiers(ds))
    return Loaded(
        kind="video",
        modality=dicom_header.modality(ds),
        members=((clip_media(data, frames.shape, cine.times_s, cine.spacing_mm), data),),
        facts=facts,
        steps=(*steps, *scrubbed),
        pixel_sha256=pixel_sha256(frames),
        **texts,
    )


def read_dicom_series(item: Item, reading: Reading) -> Loaded:
    paths = [reading.place.file(f.path) for f in item.files]
    ds = dicom_header.read_header(paths[0])
    kept_pixels = gate_pixels(ds, reading.deidentify)
    kept_face = gate_face(ds, reading.deidentify)
    facts, deidentified = _clean_facts(ds, item, reading)
    grid = dicom_series.read_series(paths)
    volume.quality(grid)
    texts, scrubbed = said(item, identifiers(ds))
    steps = (
        _syntax_step(ds),
        deidentified,
        step("gate_pixels", kept_pixels or "nothing suspected"),
        step("gate_face", kept_face or "nothing suspected"),
        step("stack", shown(grid.voxels), slices=len(paths), units=grid.units, notes=" ".join(grid.notes)),
        *scrubbed,
    )
    return Loaded(
        kind="volume",
        modality=dicom_header.modality(ds),
        members=volume_members(grid),
        facts=(*facts, *grid.facts),
        steps=steps,
        pixel_sha256=pixel_sha256(grid.voxels),
        **texts,
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
