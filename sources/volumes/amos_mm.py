"""AMOS-MM: 1,687 abdominal CTs with reports and multiple-choice questions.

Upstream's layout: `{imagesTr,imagesVa}/amos_NNNN.nii.gz`, `report_generation_train_val.json` and `vqa_train_val.json`,
each an object of lists (`training`, `validation`, `test`) of {"image": "./imagesTr/amos_NNNN.nii.gz", "meta",
"labels": {"report": {"findings": {part: text}, "impression": text}} or {"qa": [{"type", "question", "options": {"A":
...}, "answer": "A"}]}}. Quirks: the training archive holds copies of three volumes of validation (7008, 7312, 7333),
which end as files that no record names; findings of a part may be empty; an impression may be missing; numbers are
AMOS 2022's, so its unlabelled CT are partly the same volumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.record import Asked, Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, plain, rows_below
from sources.volumes.shared import Gathered, chosen, stem

if TYPE_CHECKING:
    import numpy as np

SPLITS = {"training": "train", "train": "train", "validation": "validation", "test": "test", "testing": "test"}


class AmosMm(Upstream):
    """One record per volume, with its report and all its questions."""

    source: Literal["amos_mm"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("*.json",)
    card: ClassVar[Card] = Card(
        name="amos_mm",
        what="abdominal CT with reports and multiple-choice questions",
        url="https://era-ai-biomed.github.io/amos/dataset.html",
        revision="2024, report_generation_train_val.json and vqa_train_val.json",
        licence="LicenseRef-AMOS-MM-terms",
        access="registered",
        steps="follow the download link of AMOS-MM on upstream's page, unpack imagesTr and imagesVa below amos_mm/ and "
        "lay the two JSON files beside them",
        citation="AMOS-MM: Abdominal Multimodal Analysis Challenge, MICCAI (2024).",
        phi_risk="low: NIfTI without headers; reports are translated",
        modalities=("CT",),
        body_parts=("abdomen", "chest", "pelvis"),
        tasks=("report", "vqa", "multiple-choice"),
        size="1,287 volumes for training, 400 for validation",
        layout="{imagesTr,imagesVa}/amos_NNNN.nii.gz, report_generation_train_val.json, vqa_train_val.json",
        known="recalled",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The records of both files, some 20 MB, are held."""
        shelf = Shelf(inventory, self.exclude)
        gathered, splits = Gathered(), dict[str, str]()
        for table, _ in self.tables(place):
            for split, row in _records(table, place):
                path = row.get("image").removeprefix("./")
                splits.setdefault(path, split)
                gathered.add(path, row)
        for path in gathered:
            entry = shelf.get(path)
            if entry is None:
                yield gathered.missing(path, stem(path))
            else:
                yield self._item(shelf, entry, splits[path], gathered, pseudonym)
        yield from shelf.rest(("*.json",))

    def _item(self, shelf: Shelf, entry: Entry, split: str, gathered: Gathered, pseudonym: Pseudonym) -> Item:
        files = (shelf.take(entry), *gathered.refs(entry.path))
        labels = [label for row in gathered.rows(entry.path) if isinstance(label := row.value("labels"), dict)]
        return self.other_split(split, files, stem(entry.path)) or Item(
            upstream_id=stem(entry.path),
            form="volume",
            files=files,
            group=pseudonym("case", stem(entry.path)),
            facts=(*self.declared_facts(), Fact("split", split, "list")),
            text="\n".join(dict.fromkeys(line for one in labels for line in _report(one.get("report")))),
            asked=tuple(dict.fromkeys(a for one in labels for a in _questions(one.get("qa")))),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        reports: dict[str, list[Any]] = {"training": [], "validation": []}
        questions: dict[str, list[Any]] = {"training": [], "validation": []}
        for number, split, abdomen, impression in _MINIATURE:
            image = f"./images{'Tr' if split == 'training' else 'Va'}/amos_{number}.nii.gz"
            if number != 8000:
                mini.volume(root / image, voxels(rng)[0])
            report = {"findings": {"chest": "", "abdomen": abdomen, "pelvis": ""}, "impression": impression}
            reports[split].append({"image": image, "meta": None, "labels": {"report": report}})
            qa = {"type": "perception", "question": "Which organ shows the main abnormality?", "answer": "B",
                  "options": {"A": "Spleen", "B": "Liver", "C": "Colon", "D": "Bladder"}}  # fmt: skip
            questions[split].append({"image": image, "meta": None, "labels": {"qa": [qa, dict(qa)]}})
        mini.volume(root / "imagesTr/amos_7008.nii.gz", voxels(rng)[0])  # a copy of a volume of validation
        mini.json_file(root / "report_generation_train_val.json", {"licence": "see the website", **reports})
        mini.json_file(root / "vqa_train_val.json", questions)


def _records(table: str, place: Place) -> Iterator[tuple[str, Line]]:
    number = 0
    for whole in rows_below(table, place):
        for name in sorted(set(whole.values) & set(SPLITS)):
            rows = whole.values[name]
            for row in rows if isinstance(rows, list) else ():
                number += 1
                if isinstance(row, dict):
                    yield SPLITS[name], Line(table, number, row)


def _report(report: Any) -> Iterator[str]:
    if not isinstance(report, dict):
        return
    parts = report.get("findings")
    for part, text in sorted(parts.items()) if isinstance(parts, dict) else [("findings", parts)]:
        if plain(text):
            yield f"{str(part).capitalize()}: {plain(text)}"
    if plain(report.get("impression")):
        yield f"Impression: {plain(report.get('impression'))}"


def _questions(asked: Any) -> Iterator[Asked]:
    for qa in asked if isinstance(asked, list) else ():
        given: Any = qa.get("options") if isinstance(qa, dict) else None
        options: Mapping[str, str] = {str(k): plain(v) for k, v in given.items()} if isinstance(given, dict) else {}
        if isinstance(qa, dict):
            answer = plain(qa.get("answer"))
            letter = answer if answer in options else ""
            one = chosen(plain(qa.get("question")), "" if letter else answer, letter, options, plain(qa.get("type")))
            yield from (one,) if one else ()


_MINIATURE = (
    (5001, "training", "The liver is of normal shape; a low-density focus lies in the right lobe.", "Hepatic cyst."),
    (5002, "training", "Several stones are seen in the gallbladder, whose wall is not thickened.", ""),
    (5003, "training", "The liver's surface is nodular, and the spleen is enlarged.", "Cirrhosis with splenomegaly."),
    (8000, "training", "A cyst of the left kidney.", "Renal cyst."),
    (7008, "validation", "The density of the liver is lower than that of the spleen.", "Fatty liver."),
)
