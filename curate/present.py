"""Present: the kept records' canonical media become what the recipe's render targets ask for. One unit of work.

Members that a target leaves as they are (canonical volumes, masks) are not copied: the row points at their bytes in the
prepared tar. Editing a render target runs this stage and what follows, never the reading of sources.

A record that cannot be shown as asked (a frame that does not decode, a window of HU on an MR) is named in the summary
as lost; `curate.run` selects anew without it, and the ledger says how it ended.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.archive import Members
from curate.arrays import Image, Volume, affine_of, decode_npy_gz
from curate.code import code_version
from curate.pack import Range
from curate.prepare import PrepareSpec, add_member, read_rows, record_of
from curate.render import CANONICAL, RenderConfig, brings_masks, needs_masks, render_clip, render_image, render_volume
from curate.select import Lost
from curate.store import read_summary, unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecordError, Reject
from manifests.record import Media, Record, canonical_json, media_from, words_of

if TYPE_CHECKING:
    from curate.recipe import Recipe

Kept = tuple[tuple[str, str], ...]  # (record key, split)
Shown = list[tuple[Media, bytes | None]]
PRESENTED = pa.schema(
    [
        ("key", pa.string()),
        ("split", pa.string()),
        ("record", pa.string()),
        ("media", pa.string()),  # JSON list of Media
        ("members", pa.string()),  # JSON: member -> Range
    ]
)


@dataclass(frozen=True, slots=True)
class PresentSpec:
    prepared: str
    kept: Kept
    render: RenderConfig
    origin: PrepareSpec  # what `prepared` was made by, for the sweep of what is made of it


@dataclass(frozen=True, slots=True)
class Presented:
    """A kept record as samples will show it: its media entries, and where the bytes of each member lie."""

    record: Record
    split: str
    media: tuple[Media, ...]
    members: dict[str, Range]


def units_of(recipe: Recipe, prepared: Sequence[tuple[str, Unit]], kept: Sequence[Kept]) -> list[Unit]:
    """One unit per prepared unit that has kept records."""
    code = code_version("curate.present")
    units = []
    for (name, unit), keys in zip(prepared, kept, strict=True):
        if keys:
            identity = {"prepared": unit.key, "kept": keys, "render": recipe.render.model_dump(mode="json")}
            spec = PresentSpec(unit.key, keys, recipe.render, unit.spec)
            key = unit_key("present", code, identity)
            units.append(Unit("present", key, spec, name, len(keys), unit.size_bytes))
    return units


def work(spec: PresentSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `media.tar` (rendered members only) and `rows.parquet`."""
    source = unit_folder(work_folder, "prepare", spec.prepared)
    splits = dict(spec.kept)
    rows: list[dict[str, Any]] = []
    lost: list[dict[str, str]] = []
    scratch = folder / "scratch"
    scratch.mkdir()
    with (source / "media.tar").open("rb") as stream, tarfile.open(folder / "media.tar", "w") as tar:
        tar.format = tarfile.USTAR_FORMAT
        for row in read_rows(source, ("key", "record", "offsets")):
            if row["key"] not in splits:
                continue
            offsets: dict[str, list[int]] = json.loads(row["offsets"])

            record = record_of(row)
            rendered = present_or_lose(record, Members(stream, offsets), spec.render, scratch)
            if isinstance(rendered, Lost):
                lost.append(dataclasses.asdict(rendered))
                continue
            shown: list[Media] = []
            members: dict[str, list[Any]] = {}
            for media, data in rendered:
                shown.append(media)
                if media.member in members:  # masks of one label map
                    continue
                if data is None:
                    where = ["prepare", spec.prepared, "media.tar", *offsets[media.member]]
                else:
                    where = ["present", "", "media.tar", *add_member(tar, f"{record.key}.{media.member}", data)]
                members[media.member] = where
            rows.append(
                {
                    "key": record.key,
                    "split": splits[record.key],
                    "record": row["record"],
                    "media": canonical_json([dataclasses.asdict(m) for m in shown]),
                    "members": canonical_json(members),
                }
            )
    shutil.rmtree(scratch)
    pq.write_table(pa.Table.from_pylist(rows, schema=PRESENTED), folder / "rows.parquet")
    return {"records": len(rows), "lost": lost, "failed": sum(one["status"] == "failed" for one in lost)}


def present_or_lose(record: Record, members: Members, render: RenderConfig, scratch: Path) -> Shown | Lost:
    """`present`, or how the record ends where it cannot be shown."""
    try:
        return present(record, members, render, scratch)
    except Reject as reject:
        return Lost(record.key, "dropped", reject.reason, reject.found, reject.remedy)
    except RecordError as error:
        return Lost(record.key, "failed", error.reason, error.found, error.remedy)
    except (MemoryError, OSError):  # the machine's fault, not the record's
        raise
    except Exception as error:
        found = f"{type(error).__name__} while rendering"
        remedy = "report it with the record's key, or choose another render target"
        return Lost(record.key, "failed", "unexpected_error", found, remedy)


def lost_of(work_folder: Path, units: Sequence[Unit]) -> list[Lost]:
    """The records that finished present units could not show, in plan order."""
    return [Lost(**one) for unit in units for one in read_summary(work_folder, "present", unit.key).get("lost", ())]


def present(record: Record, members: Members, render: RenderConfig, scratch: Path) -> Shown:
    """The record's media under the render targets; None instead of bytes where a member stays as it is stored."""
    shown: Shown = []
    masks_made = False
    for media in record.media:
        if media.kind == "image":
            data, rendered = render_image(image_of(media, members.read(media.member)), render.image)
            name = media.member.removesuffix(".npy.gz")  # `image`, or `image2` of several
            member = rendered.member if name == "image" else f"{name}.{rendered.member}"
            shown.append((dataclasses.replace(_with_crop(rendered, media, render), member=member), data))
        elif media.kind == "volume" and render.volume != CANONICAL:
            made = present_volume(record, media, members, render, scratch)
            masks_made = brings_masks(render.volume)
            shown += made
        elif media.kind == "video":
            path = scratch / "canonical.mp4"
            members.copy(media.member, path)
            try:
                data, rendered = render_clip(path, media.times_s or (), render.video, scratch, _plane_spacing(media))
            finally:
                path.unlink()
            shown.append((rendered, data))
        elif not (media.kind == "mask" and masks_made):
            shown.append((media, None))
    return shown


def _with_crop(rendered: Media, media: Media, render: RenderConfig) -> Media:
    """Under `crop_border` an image of which nothing is cut off has its whole box, so that all have JSON of one type."""
    if rendered.crop is not None or not render.image.crop_border:
        return rendered
    return dataclasses.replace(rendered, crop=(0, 0, media.shape[0], media.shape[1]))


def present_volume(record: Record, media: Media, members: Members, render: RenderConfig, scratch: Path) -> Shown:
    """A volume under its target, with masks of its own where the target moves them to another grid."""
    volume = volume_of(media, members.read(media.member))
    if needs_masks(render.volume):
        volume = dataclasses.replace(volume, masks=_masks_of(record, members))
    said = words_of(record.text, record.asked)
    return [(entry, data) for entry, data in render_volume(volume, render.volume, said, scratch)]


def _masks_of(record: Record, members: Members) -> dict[str, NDArray[np.uint8]]:
    """The record's masks of 0 and 1; each label map is decoded once."""
    decoded = {name: decode_npy_gz(members.read(name)) for name in {m.member for m in record.media if m.kind == "mask"}}
    return {m.label: (decoded[m.member] == m.value).astype(np.uint8) for m in record.media if m.kind == "mask"}


def read_presented(work_folder: Path, unit: str) -> list[Presented]:
    """The rows of a presented unit."""
    table = pq.read_table(unit_folder(work_folder, "present", unit) / "rows.parquet")
    return [
        Presented(
            record=record_of(row),
            split=row["split"],
            media=tuple(media_from(m) for m in json.loads(row["media"])),
            members={name: Range(w[0], w[1] or unit, *w[2:]) for name, w in json.loads(row["members"]).items()},
        )
        for row in table.to_pylist()
    ]


def image_of(media: Media, data: bytes) -> Image:
    """A stored canonical image."""
    spacing = media.spacing_mm
    plane = (spacing[0], spacing[1]) if spacing else None
    units: Any = media.units
    voi: Any = media.voi
    return Image(decode_npy_gz(data), units, plane, media.window, media.inverted, voi, media.padding)


def volume_of(media: Media, data: bytes) -> Volume:
    """A stored canonical volume, without its masks; one without affine is not placed."""
    units: Any = media.units
    placed = media.affine is not None
    return Volume(decode_npy_gz(data), affine_of(media.affine), units, media.window, placed=placed)


def _plane_spacing(media: Media) -> tuple[float, float] | None:
    return (media.spacing_mm[0], media.spacing_mm[1]) if media.spacing_mm else None
