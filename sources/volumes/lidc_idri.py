"""LIDC-IDRI: 1,018 chest CTs in DICOM, each with the marks of four readers in XML.

Upstream's layout (TCIA, or any download that keeps series in folders): `LIDC-IDRI-0001/STUDY/SERIES/*.dcm`, and beside
a CT's slices one XML file (`069.xml`, namespace http://www.nih.gov) of four `readingSession`s with
`unblindedReadNodule`s: characteristics from 1 to 5 or 6 and `roi`s of `imageSOP_UID` and `edgeMap` points, a nodule of
3 mm and more having more than one point. Quirks: readers number their nodules each in their own way, so which marks are
of one nodule is told by where they are: on a slice in common, with boxes that overlap; nodules below 3 mm have one
point and no characteristics; DX and CR series have an XML of another kind; 8 patients have two CTs; internalStructure
and calcification are kinds, not grades; for about a hundred cases the scales of spiculation and lobulation were used
inconsistently between the sites (upstream's note; 1 is none, 5 marked). A contour is the border just outside of a
nodule, and one with `inclusion` FALSE takes out what is inside it; `curate.dicom.lidc` makes masks of them, each
reader's and the consensus of half of those who marked a nodule. Where TCIA's SEG objects (DICOM-LIDC-IDRI-Nodules) lie
in the tree, they become the masks instead, as in any DICOM tree.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record, ref
from sources.upstream import Upstream, broken, sidecar
from sources.volumes.dicom_mini import tree_of
from sources.volumes.lidc_marks import KINDS, SCALES, Mark, marks_of, nodules_of

if TYPE_CHECKING:
    import numpy as np

ORIGIN = "xml:unblindedReadNodule"


class LidcIdri(Upstream):
    """One record per CT series (and per radiograph), a CT with what its readers say of each nodule and drew of it."""

    source: Literal["lidc_idri"]
    card: ClassVar[Card] = Card(
        name="lidc_idri",
        what="chest CT with lung nodules marked and graded by four radiologists",
        url="https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX",
        revision="version 4",
        licence="CC-BY-3.0",
        citation="Armato et al. The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative "
        "(IDRI). Medical Physics 38(2), 915-931 (2011).",
        phi_risk="low: de-identified by TCIA; headers are rebuilt anyway",
        modalities=("CT", "DX"),
        body_parts=("chest", "lung"),
        tasks=("grading", "counting", "lesion-segmentation"),
        size="1,018 CT and 290 radiographs of 1,010 patients; 124 GB",
        layout="LIDC-IDRI-0001/STUDY/SERIES/{*.dcm,*.xml}",
        known="published",
        steps="download the collection with TCIA's NBIA Data Retriever, which keeps series in folders, and lay the XML "
        "files (LIDC-XML-only.zip) into the folders of their series where they are not there yet",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return {} if path.suffix.lower() == ".xml" else tree_of(self).peek(path, pseudonym)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """Marks are read one file at a time, when its series is met."""
        marks: dict[str, Entry] = {}
        others: list[Entry] = []
        for entry in inventory:
            folder = str(PurePosixPath(entry.path).parent)
            if not entry.path.lower().endswith(".xml") or entry.problem or folder in marks:
                others.append(entry)
            else:
                marks[folder] = entry
        for item in tree_of(self).items(place, others, pseudonym):
            beside = marks.pop(str(PurePosixPath(item.files[0].path).parent), None) if item.form != "none" else None
            yield self._item(place, item, beside)
        for entry in marks.values():
            yield not_a_record(entry, "marks without a series beside them", "table")

    def _item(self, place: Place, item: Item, beside: Entry | None) -> Item:
        if item.form == "none" or beside is None:
            return item
        try:
            readers = marks_of(sidecar(place, beside))
        except RecordError as error:
            return dataclasses.replace(broken(beside, error), files=(*item.files, ref(beside, "table")))
        facts = _facts(readers) if readers is not None else ()
        files = (*item.files, ref(beside, "table"))
        drawn = (beside.path,) if readers is not None and item.form == "dicom_series" else ()
        return dataclasses.replace(
            item,
            files=files,
            facts=(*item.facts, Fact("body_part", "chest", "card"), *facts),
            contours=item.contours or drawn,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.dicom_mini import instance_uid, series
        from sources.volumes.mini_volumes import voxels

        for number in (1, 2, 3):
            folder = root / f"LIDC-IDRI-{number:04d}/01-01-2000-{number}/3000566.000000-{number}"
            grid = voxels(rng, (40, 40, 12))[0]
            series(folder, grid, f"LIDC-IDRI-{number:04d}", number, 1, (1.5, 2.5))
            uids = [instance_uid(number, 1, slice_number) for slice_number in (5, 6)]
            read = [_mini_reader(uids, reader, number) for reader in range(4)]
            whole = f'<LidcReadMessage xmlns="http://www.nih.gov">{"".join(read)}</LidcReadMessage>'
            mini.text(folder / f"{60 + number:03d}.xml", whole if number < 3 else whole[:-40])


def _facts(readers: Sequence[Sequence[Mark]]) -> Iterator[Fact]:
    """Nodules of 3 mm and more with how many readers saw them, and the median of each grade, the lower of two; of
    kinds the most common one."""
    nodules = nodules_of(readers)
    yield Fact("measurement", str(len(nodules)), ORIGIN, about="number of lung nodules of 3 mm and more")
    for number, nodule in enumerate(nodules, start=1):
        name = f"lung nodule {number}"
        yield Fact("finding", "present", ORIGIN, about=name)
        seen = len({mark.reader for mark in nodule})
        yield Fact("measurement", str(seen), ORIGIN, about=f"number of readers of {len(readers)} who marked {name}")
        for scale, words in SCALES.items():
            grades = [mark.grades[scale] for mark in nodule if mark.grades.get(scale, 0) in range(1, len(words) + 1)]
            if grades:
                agreed = statistics.mode(grades) if scale in KINDS else statistics.median_low(grades)
                about = f"{KINDS.get(scale, scale)} of {name}"
                yield Fact(
                    "finding" if scale in KINDS else "severity", words[agreed - 1], f"{ORIGIN}:{scale}", "", about
                )


def _mini_reader(uids: Sequence[str], reader: int, patient: int) -> str:
    """A reading session that marks one nodule, in its own numbering, and another below 3 mm."""
    points = [(10 + reader, 12), (16 + reader, 12), (16 + reader, 18), (10 + reader, 18), (10 + reader, 12)]
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    rois = "".join(
        f"<roi><imageZposition>{z}</imageZposition><imageSOP_UID>{uid}</imageSOP_UID><inclusion>TRUE</inclusion>{edges}"
        "</roi>" for uid, z in zip(uids, (10.0, 12.5), strict=True)
    )  # fmt: skip
    if not reader:  # the first reader leaves out a part on the first slice
        hole = [(12, 14), (13, 13), (14, 14), (13, 15), (12, 14)]
        edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in hole)
        rois += f"<roi><imageZposition>10.0</imageZposition><imageSOP_UID>{uids[0]}</imageSOP_UID>"
        rois += f"<inclusion>FALSE</inclusion>{edges}</roi>"
    grades = "".join(f"<{scale}>{1 + (reader + patient) % 5}</{scale}>" for scale in SCALES)
    large = f"<unblindedReadNodule><noduleID>Nodule {reader + 7}</noduleID><characteristics>{grades}</characteristics>"
    point = "<edgeMap><xCoord>30</xCoord><yCoord>30</yCoord></edgeMap>"
    small = f"<roi><imageSOP_UID>{uids[0]}</imageSOP_UID><inclusion>TRUE</inclusion>{point}</roi>"
    small = f"<unblindedReadNodule><noduleID>{reader}</noduleID>{small}</unblindedReadNodule>"
    return f"<readingSession>{large}{rois}</unblindedReadNodule>{small}</readingSession>"
