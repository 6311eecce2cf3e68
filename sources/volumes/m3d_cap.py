"""M3D-Cap: 120,092 CT renderings of Radiopaedia cases with the case's report.

Upstream's layout (after its own preparation script): `M3D_Cap_npy/{ct_case,ct_quizze}/NNNNNN/NAME.npy`, float32
(1, 32, 256, 256) in 0 to 1 as (channel, z, y, x), `text.txt` beside them, and `M3D_Cap.json`: an object of lists
(`train`, `validation`, `test...`) of {"image", "text"} with paths below the root. Quirks: a name is the series' title
with odd characters replaced (`Axial_C__portal_venous_phase` was `Axial C+ portal venous phase`); `text.txt` of the
unprepared set begins with fields of the case, of which upstream keeps what follows `study_findings:`, else
`discussion:`; HU, spacing and orientation are lost for good, which is why nothing can be measured in these volumes; one
case has several volumes and one text; the test lists overlap. The unprepared folders of PNG slices are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.upstream import Line, Shelf, Upstream, broken, rows_below, sidecar_text, told
from sources.volumes.shared import m3d_case, m3d_facts

if TYPE_CHECKING:
    import numpy as np

TABLE = "M3D_Cap.json"
TEXT = "text.txt"
MARKS = ("study_findings:", "discussion:")
LEAST = 5  # letters that a section must have to be one, as upstream has it


class M3dCap(Upstream):
    """One record per volume that `M3D_Cap.json` lists, of all where there is no such file; its text is the case's."""

    source: Literal["m3d_cap"]
    splits: tuple[str, ...] = ("train",)
    may: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="m3d_cap",
        what="CT volumes of published cases, 32 slices each, with reports",
        url="https://huggingface.co/datasets/GoodBaiBai88/M3D-Cap",
        revision="2024-06, prepared by BAAI-DCAI/M3D's m3d_cap_data_prepare.py",
        licence="LicenseRef-Radiopaedia-terms",
        access="credentialed",
        steps="upstream's hub repository is disabled after a takedown notice of Radiopaedia, whose cases it held under "
        "the licence Apache-2.0; use a copy only under terms that you have cleared with Radiopaedia",
        citation="Bai et al. M3D: Advancing 3D Medical Image Analysis with Multi-Modal Large Language Models. "
        "arXiv:2404.00578 (2024).",
        phi_risk="low: published teaching cases; some volumes show heads",
        modalities=("CT",),
        tasks=("report", "caption"),
        size="120,092 volumes with 42,496 texts",
        layout="M3D_Cap_npy/{ct_case,ct_quizze}/NNNNNN/{NAME.npy,text.txt}, M3D_Cap.json",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The lists of M3D_Cap.json are held as paths."""
        shelf = Shelf(inventory, self.exclude)
        listed = {name: row for table, _ in self.tables(place) for name, row in _listed(table, place).items()}
        for entry in shelf.matching("*.npy"):
            row = listed.pop(entry.path, None) if listed else None
            yield self._item(place, shelf, entry, row, pseudonym)
        for name, (_, missing) in listed.items():
            yield missing.missing(PurePosixPath(name).name)
        yield from shelf.rest((TABLE,))

    def _item(
        self, place: Place, shelf: Shelf, entry: Entry, listed: tuple[str, Line] | None, pseudonym: Pseudonym
    ) -> Item:
        split, row = listed or ("", None)
        data = shelf.take(entry)
        beside = shelf.get(str(PurePosixPath(entry.path).parent / TEXT))
        if beside is None:
            return not_a_record(entry, "a volume without its case's text")
        files = (data, shelf.take(beside, "table"), *((row.ref,) if row else ()))
        if split and (other := self.other_split(split, files, entry.path)):
            return other
        try:
            text = findings(sidecar_text(place, beside))
        except RecordError as error:
            return broken(beside, error)
        return Item(
            upstream_id=entry.path,
            form="volume",
            files=files,
            group=pseudonym("case", m3d_case(entry.path)),
            facts=(*self.declared_facts(), *m3d_facts(entry.path), *told("split", split, TABLE)),
            text=text,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels
        from sources.volumes.shared import npy

        lists: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test1k": []}
        for split, folder, name, text in _MINIATURE:
            case = f"M3D_Cap_npy/{folder}"
            npy(root / case / f"{name}.npy", voxels(rng, (64, 64, 32))[0])
            mini.text(root / case / TEXT, text)
            lists[split].append({"image": f"{case}/{name}.npy", "text": f"{case}/{TEXT}"})
        lists["train"].append({"image": "M3D_Cap_npy/ct_case/000099/Axial_bone_window.npy", "text": "gone"})
        mini.json_file(root / TABLE, lists)


def findings(text: str) -> str:
    """What upstream keeps of a case's text: what follows `study_findings:`, else `discussion:`, else all; on a line.
    Unlike upstream's, the findings end where a discussion begins."""
    for mark in MARKS:
        section = text.partition(mark)[2].partition(MARKS[1])[0]
        if len("".join(section.split())) >= LEAST:
            return " ".join(section.split())
    return " ".join(text.split())


def _listed(table: str, place: Place) -> dict[str, tuple[str, Line]]:
    """Split and row of each volume; one that is in several lists belongs to the one that is held out furthest."""
    found: dict[str, tuple[str, Line]] = {}
    for whole in rows_below(table, place):
        number = 0
        for name in sorted(whole.values, key=_held_out):
            rows = whole.values[name]
            for row in rows if isinstance(rows, list) else ():
                number += 1
                image = row.get("image") if isinstance(row, dict) else None
                if isinstance(image, str):
                    split = ("train", "validation", "test")[_held_out(name)]
                    found[image] = (split, Line(table, number, row))
    return found


def _held_out(name: str) -> int:
    return 2 if "test" in name else 1 if name.startswith("val") else 0


_STONE = "title: a stone\nstudy_findings:\nA calculus of 7 mm obstructs the left ureter.\ndiscussion: common"
_FIBROSIS = "study_findings: \ndiscussion: Honeycombing in both bases, in keeping with usual interstitial pneumonia."
_MINIATURE = (
    ("train", "ct_case/000008", "Axial_C__portal_venous_phase", "A hypodense lesion of 3 cm lies in segment VI."),
    ("train", "ct_case/000008", "Coronal_C__portal_venous_phase", "A hypodense lesion of 3 cm lies in segment VI."),
    ("train", "ct_quizze/000006", "Axial_non_contrast", _STONE),
    ("train", "ct_quizze/000007", "Axial_lung_window", _FIBROSIS),
    ("validation", "ct_case/000020", "Sagittal_bone_window", "Burst fracture of L1 with retropulsion."),
    ("test1k", "ct_case/000021", "Axial_Delayed", "Enhancing mass of the right kidney without venous invasion."),
)
