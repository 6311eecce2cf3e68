"""Any folder of DICOM files, in any layout, with or without a DICOMDIR.

Quirks of such trees: file names say nothing; one folder mixes series; one slice may be stored in several encodings;
one series may hold several volumes; one file may hold several too; reports, plans and DICOMDIRs lie between the images;
some files lost their preamble and File Meta Information.

Grouping (PS3.3 C.7.3.1 and C.7.6.2): instances of one series, frame of reference, image size and orientation belong
together; `sources.dicom_stacks` tells the volumes among them apart. Three or more positions are one volume. Instances
that share one position (encodings of one slice), pairs (of which dcm2niix makes volumes), localizers, colour slices,
and instances without a position are images of their own. A multi-frame file is one volume, several, or a cine
(`sources.dicom_frames`). Each Siemens mosaic is one volume; those of one series are told apart like the volumes of a
split series. Nothing is decided silently here: a stack that has gaps or doubled positions is still handed on as one
series, and `curate.dicom.series` refuses it with the positions it found.

SEG and RTSTRUCT files go with the volumes of the series that they name, as their masks. Where a series has several
volumes, a file goes with each whose frame of reference and instances it names, else with the first of them. One whose
series makes no volume in this tree ends as a row of its own, dropped as `dangling_reference`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, not_a_record, outcome, ref, usable
from sources.dicom_peek import peek_header
from sources.dicom_stacks import Stack, moments, stacks

MAGIC_OFFSET = 128
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
COMPRESSED_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
FRAMES_ORIGIN = "dicom:5200,9230"  # per-frame functional groups
STACKABLE = {"CT", "MR", "PT", "NM"}  # single frames of these modalities may form a volume


class DicomTree(SourceConfig):
    """`root` is walked; `group` is the attribute that names the patient."""

    source: Literal["dicom_tree"]
    group: str = "PatientID"

    card: ClassVar[Card] = Card(
        name="dicom_tree",
        what="any folder of DICOM files: images, cines, CT/MR/PT series",
        layout="any; files are told by content, not by name",
        phi_risk="high: headers, burned-in text, faces",
        modalities=("CT", "MR", "US", "CR", "DX", "MG", "NM", "PT", "XA"),
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        """What grouping needs from one header. A file that neither is DICOM nor claims to be by its name gives {}; one
        that is or claims to be, and cannot be read, raises `RecordError`."""
        with path.open("rb") as stream:
            head = stream.read(MAGIC_OFFSET + 4)
        if head[MAGIC_OFFSET:] != b"DICM":
            if _looks_like_dicom_without_meta(head):
                raise RecordError(
                    "no_file_meta",
                    "a DICOM data set without preamble and File Meta Information",
                    "restore the Part 10 header, e.g. with dcmtk's dcmconv, then run again",
                )
            _refuse_claimed(path.name.lower())
            return {}
        return peek_header(path, self.group, pseudonym)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        entries, refused = usable(inventory, self.exclude)
        yield from refused
        slices: list[Entry] = []
        marks: list[Entry] = []
        multiframe: list[Entry] = []
        for entry in entries:
            if not entry.peek:
                yield not_a_record(entry, "a file that is no DICOM")
            elif "marks" in entry.peek:
                marks.append(entry)
            elif "rows" not in entry.peek:
                yield _no_pixels(entry)
            elif "volumes" in entry.peek:
                multiframe.append(entry)
            elif _may_stack(entry.peek):
                slices.append(entry)
            else:
                yield self._single(entry)
        stacked, singles = stacks(slices)
        yield from (self._single(e) for e in singles)
        told = moments([e for e in multiframe if "MOSAIC" in e.peek["ImageType"].upper()])
        volumes = [carrier for e in multiframe for carrier in self._parts(e, told.get(e.path, ()))]
        volumes += [self._stack(stack) for stack in stacked]
        yield from attached(volumes, marks)

    def _stack(self, stack: Stack) -> Carrier:
        item = Item(
            upstream_id=f"series:{stack.name}",
            form="dicom_series",
            files=tuple(ref(e) for e in stack.entries),
            group=stack.entries[0].peek["group"],
            facts=(*stack.facts, *self.declared_facts()),
        )
        return Carrier(item, stack.entries)

    def _parts(self, entry: Entry, moment: tuple[Fact, ...]) -> Iterator[Carrier]:
        """One item per volume of a multi-frame file; where there are several, each is a fragment of the file.
        `moment` tells the file from others of its series."""
        count = int(entry.peek["volumes"])
        for part, told in enumerate(json.loads(entry.peek["volume_facts"])):
            fragment = f"volume={part}" if count > 1 else ""
            facts = tuple(Fact(name, value, FRAMES_ORIGIN, unit) for name, value, unit in told)
            item = Item(
                upstream_id=f"{entry.path}#{fragment}" if fragment else entry.path,
                form="dicom_volume",
                files=(dataclasses.replace(ref(entry), fragment=fragment),),
                group=entry.peek["group"],
                facts=(*moment, *facts, *self.declared_facts()),
                part=part,
            )
            yield Carrier(item, (entry,))

    def _single(self, entry: Entry) -> Item:
        multiframe = int(entry.peek["frames"]) > 1
        return Item(
            upstream_id=entry.path,
            form="dicom_cine" if multiframe else "dicom_image",
            files=(ref(entry),),
            group=entry.peek["group"],
            facts=self.declared_facts(),
        )


def _may_stack(peek: dict[str, str]) -> bool:
    single = peek["modality"] in STACKABLE and peek["frames"] == peek["samples"] == "1" and "position" in peek
    return single and "LOCALIZER" not in peek["ImageType"].upper().split("\\")


# ---------------------------------------------------------------------------------------------------------------- masks
@dataclass(frozen=True, slots=True)
class Carrier:
    """A volume's item and the files it is made of."""

    item: Item
    entries: tuple[Entry, ...]

    def has(self, peek: str, wanted: set[str]) -> bool:
        return any(e.peek[peek] in wanted for e in self.entries)


def attached(volumes: Sequence[Carrier], marks: Sequence[Entry]) -> Iterator[Item]:
    """The volumes with the SEG and RTSTRUCT files that mark structures in them, then the files that mark none."""
    given: list[list[FileRef]] = [[] for _ in volumes]
    lost: list[Entry] = []
    for mark in marks:
        chosen = _chosen(volumes, mark.peek)
        for part, index in enumerate(chosen):
            fragment = f"volume={part}" if len(chosen) > 1 else ""  # a file is in one item, or in parts
            given[index].append(dataclasses.replace(ref(mark, "mask"), fragment=fragment))
        lost += [] if chosen else [mark]
    for carrier, files in zip(volumes, given, strict=True):
        contours = tuple(f.path for f in files)
        yield dataclasses.replace(carrier.item, files=(*carrier.item.files, *files), contours=contours)
    for mark in lost:
        found = f"{mark.peek['marks']} of a series that makes no volume here"
        remedy = "put it beside the series that it was drawn on"
        yield outcome(mark, "dropped", "dangling_reference", found, remedy, "mask")


def _chosen(volumes: Sequence[Carrier], mark: dict[str, str]) -> list[int]:
    """Which volumes a file marks. A file that names no series is known by its frame of reference or its instances."""
    series, frames, instances = (
        set(mark[k].split()) for k in ("references", "reference_frames", "reference_instances")
    )
    numbered = list(enumerate(volumes))
    if series:
        candidates = [n for n, c in numbered if c.has("series", series)]
    else:
        candidates = [n for n, c in numbered if c.has("frame", frames) or c.has("instance", instances)]
    framed = [n for n in candidates if volumes[n].has("frame", frames)]
    named = [n for n in candidates if volumes[n].has("instance", instances)]
    return [n for n in framed if n in named] or (named or framed or candidates)[:1]


def _no_pixels(entry: Entry) -> Item:
    kind = entry.peek.get("class") or "no SOP class"
    return outcome(entry, "dropped", "no_pixels", kind, "none needed: no image in this object", "data")


def _refuse_claimed(name: str) -> None:
    """A file that its name calls DICOM must not vanish among the files that are none."""
    if name.endswith(tuple(f"{e}{c}" for e in DICOM_ENDINGS for c in COMPRESSED_ENDINGS)):
        raise RecordError("compressed_file", "a compressed DICOM file", "decompress it, then run again")
    if name.endswith(DICOM_ENDINGS):
        raise RecordError(
            "not_dicom",
            "a file named as DICOM that starts with neither a preamble nor a data set",
            "fetch the file again, or exclude it",
        )


def _looks_like_dicom_without_meta(head: bytes) -> bool:
    """The first element of a headless data set is of group 0002 or 0008, in little or big endian."""
    return head[:2] in (b"\x08\x00", b"\x00\x08", b"\x02\x00", b"\x00\x02") and len(head) > 8 and head[3] < 0x10
