"""WebDataset: tars of samples, the members of one key together (`KEY.jpg`, `KEY.txt`, `KEY.json`).

    source: webdataset_tars
    root: shards
    text: txt                      # a member by the end of its name; of JSON a path into it: json.caption
    question: json.question        # and answer, why, options, conversations, labels, group, id
    media: [jpg]                   # the members that are media, in order; all that are known as such, if empty

Members are PNG, JPEG, TIFF, BMP, GIF, WebP (pictures), MP4, MOV, WebM, AVI, MKV, MPEG (clips), NIfTI, NRRD (volumes),
`txt`, `text`, `cls` and `json`. A sample is the members of one key that follow one another, as the format has it; the
key ends at the first dot of a name. Quirks: ending in capitals; several pictures as `KEY.0.jpg`, `KEY.1.jpg`; links and
folders in tars, which fail and are passed over. The split is what a shard's path says (`train-000000.tar`).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import records, run_items
from sources.generic.fields import PICTURES, Fields, ending_of, form_of, medium_of, split_in
from sources.tars import Sample, samples, tar_peek
from sources.upstream import REMEDY, plain

if TYPE_CHECKING:
    import numpy as np

WORDS = ("txt", "text", "cls", "caption")


class WebdatasetTars(Fields):
    """One record per key."""

    source: Literal["webdataset_tars"]
    media: tuple[str, ...] = ()
    text: str = "txt"
    needs: ClassVar[tuple[str, ...]] = ("**/*.tar",)
    card: ClassVar[Card] = Card(
        name="webdataset_tars",
        what="WebDataset tars of pictures, clips or volumes with texts and JSON",
        layout="**/*.tar of KEY.SUFFIX members",
        phi_risk="what is in the pixels, texts and JSON; metadata of encoded media is dropped on re-encoding",
        known="published",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return tar_peek(path)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        return run_items(self, inventory, ".tar", split_in)

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        return records(samples(item, place), lambda sample: sample_record(self, sample, self.media, pseudonym))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for shard, rows in enumerate((ROWS[:3], ROWS[3:])):
            with tarfile.open(root / f"train-{shard:06d}.tar", "w") as archive:
                for number, (caption, label) in enumerate(rows):
                    key = f"{shard}/{number:04d}"
                    _add(archive, f"{key}.jpg", mini.encoded(mini.pixels(rng), "JPEG"))
                    if number == 1:
                        _add(archive, f"{key}.1.PNG", mini.encoded(mini.pixels(rng)))
                    _add(archive, f"{key}.txt", caption.encode())
                    _add(archive, f"{key}.json", json.dumps({"label": label, "patient": f"P{number}"}).encode())
                if shard:
                    _add(archive, "1/0009.json", b"{}")  # neither a medium nor words
                    link = tarfile.TarInfo("1/0010.jpg")
                    link.type, link.linkname = tarfile.SYMTYPE, "../../outside.jpg"
                    archive.addfile(link)


def sample_record(fields: Fields, sample: Sample, media: Sequence[str], pseudonym: Pseudonym) -> Item:
    """A sample as an item. Raises `RecordError`."""
    if sample.problem:
        raise RecordError("bad_member", sample.problem, REMEDY)
    names = [m for m in media if m in sample.members] or sorted(s for s in sample.members if not media and ending_of(s))
    endings = [medium_of(sample.members[name], name) for name in names]
    form = form_of(endings)
    values = {s: _value(s, data) for s, data in sample.members.items() if s not in names}
    text, asked, dialogue = fields.told(values, sum(e in PICTURES for e in endings))
    if form == "text" and not (text or asked):
        raise RecordError("empty_fields", f"a sample of {', '.join(sorted(sample.members))}", "name the fields it has")
    sides = tuple(sample.ref(s, "data" if not names else "table") for s in sorted(values))
    split = split_in(sample.path)
    return Item(
        upstream_id=plain(values.get(fields.id)) or f"{sample.path}#key={sample.key}",
        form=form,
        files=(*(_part(sample, n, e) for n, e in zip(names, endings, strict=True)), *sides),
        group=fields.group_of(values, pseudonym),
        facts=(*fields.facts_of(values, {}), *((Fact("split", split, "file"),) if split else ())),
        text=text,
        asked=asked,
        dialogue=dialogue,
        carried=tuple(sample.members[name] for name in names),
    )


def _part(sample: Sample, name: str, ending: str) -> FileRef:
    data = sample.members[name]
    stem = name.removesuffix(ending).rstrip(".")
    fragment = ".".join(part for part in (f"member={sample.key}", stem if stem != name else "", ending) if part)
    return FileRef(sample.path, hashlib.sha256(data).hexdigest(), len(data), fragment=fragment)


def _value(suffix: str, data: bytes) -> Any:
    last = suffix.rpartition(".")[2]
    try:
        if last == "json":
            return json.loads(data)
        return data.decode("utf-8-sig") if last in WORDS else data
    except (ValueError, RecursionError):
        raise RecordError("bad_member", f"a member '{last}' that is none", REMEDY) from None


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


ROWS = (
    ("Lateral radiograph of an elbow with a raised anterior fat pad.", "effusion"),
    ("Two views of a wrist with a torus fracture of the distal radius.", "fracture"),
    ("Normal frontal view of the pelvis of an adolescent.", "normal"),
    ("Axial slice of a sinus CT with a mucous retention cyst.", "cyst"),
    ("Fundus photograph with drusen around the fovea.", "drusen"),
)
