"""SLAKE: 14,028 questions in English and Chinese on 642 radiology images, with boxes and masks of organs and diseases.

Upstream's layout (med-vqa.com/slake; Hugging Face, BoKelvin/SLAKE): `train.json`, `validate.json` (there:
`validation.json`) and `test.json`, lists of {img_id, img_name (xmlab0/source.jpg), question, answer, q_lang (en, zh),
location, modality (CT, MRI, X-Ray), answer_type, base_type, content_type, triple, qid}; `imgs/xmlabN/` with source.jpg,
mask.png (grey values), detection.json (a list of {label: [x, y, width, height]} in pixels) and question.json (the same
questions again); `mask.txt` with `value:label` lines. Quirks: splits go by image; a triple of `vhead` and `_` says
nothing, the knowledge graph behind the others is not read; masks are told of labels that detection.json names, since
mask.txt lists those of all images. The scan is the group: patients are not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import asked, by_medium, named_by, passed_over
from sources.upstream import REMEDY, Line, Shelf, Upstream, box, broken, rows_below, sidecar_json, sidecar_text, told

if TYPE_CHECKING:
    import numpy as np

MODALITIES = {"CT": "CT", "MRI": "MR", "X-Ray": "DX"}
SPLITS = {"train.json": "train", "validate.json": "validation", "validation.json": "validation", "test.json": "test"}
COLOURS = "mask.txt"
Taken = tuple[Line, Asked]


class Slake(Upstream):
    """One record per image, with its questions in `languages`, its boxes and its masks."""

    source: Literal["slake"]
    splits: tuple[str, ...] = ("train",)
    languages: tuple[str, ...] = ("en", "zh")
    needs: ClassVar[tuple[str, ...]] = ("train.json",)
    may: ClassVar[tuple[str, ...]] = ("validate.json", "validation.json", "test.json")
    card: ClassVar[Card] = Card(
        name="slake",
        what="questions in English and Chinese on radiology images, with boxes and masks of organs and diseases",
        url="https://www.med-vqa.com/slake/",
        revision="Slake1.0",
        licence="CC-BY-4.0",
        citation="Liu et al. SLAKE: A Semantically-Labeled Knowledge-Enhanced Dataset for Medical Visual Question "
        "Answering. ISBI 2021.",
        phi_risk="low: single slices and radiographs of public data sets",
        modalities=("CT", "MR", "DX"),
        body_parts=("head and neck", "neck", "chest", "abdomen", "pelvis"),
        tasks=("vqa", "detection", "organ-segmentation", "lesion-segmentation", "grounding"),
        size="14,028 questions on 642 images; in English 4,919 to train, 1,053 to validate, 1,061 to test",
        layout="{train,validate,test}.json (hub: validation.json), mask.txt, "
        "imgs/xmlabN/{source.jpg,mask.png,detection.json,question.json}",
        remotes=(
            Remote(kind="hub", at="BoKelvin/SLAKE", files=("*.json", "mask.txt")),
            Remote(kind="hub", at="BoKelvin/SLAKE", files=("imgs.zip",), unpack=True),
        ),
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]
        listed = shelf.get(COLOURS)
        try:
            values = _values(sidecar_text(place, listed)) if listed else {}
        except RecordError as error:
            values = {}
            if listed is not None:
                shelf.take(listed)
                yield broken(listed, error)

        def read() -> Iterator[Line]:
            return chain.from_iterable(rows_below(name, place) for name in names)

        for image, rows in by_medium(read, named_by("img_name")):
            taken: list[Taken] = []
            yield from self._passed_over(image, rows, shelf, taken)
            if taken:
                yield self._image(image, taken, shelf, place, values, pseudonym)
        yield from shelf.rest((*self.needs, *self.may, COLOURS))

    def _passed_over(self, image: str, rows: Sequence[Line], shelf: Shelf, taken: list[Taken]) -> Iterator[Item]:
        """How rows end that are not taken; the others are put into `taken`, with what they ask."""
        entry = shelf.get(f"imgs/{image}")
        for row in rows:
            pictures = (shelf.take(entry),) if entry is not None else ()
            other = self.other_split(SPLITS[row.table], (row.ref, *pictures), f"qid={row.get('qid')}")
            if other is not None:
                yield other
            elif row.get("q_lang") not in self.languages:
                found = f"a question in '{row.get('q_lang')[:8]}'"
                yield passed_over(row, "other_language", found, "name it in `languages` to take it")
            elif entry is None:
                yield row.missing()
            else:
                try:
                    taken.append((row, asked(row, "question", "answer", "content_type")))
                except RecordError as error:
                    yield row.failed(error.reason, error.found, error.remedy, *pictures)

    def _image(
        self, image: str, rows: list[Taken], shelf: Shelf, place: Place, values: dict[str, int], pseudonym: Pseudonym
    ) -> Item:
        folder = f"imgs/{PurePosixPath(image).parent}"
        entry, marked, found = (shelf.get(f"{folder}/{n}") for n in ("source.jpg", "mask.png", "detection.json"))
        picture = shelf.take(entry or shelf.by_path[f"imgs/{image}"])
        try:
            boxes = _boxes(sidecar_json(place, found)) if found else []
        except RecordError as error:
            return rows[0][0].failed(error.reason, error.found, error.remedy, picture)
        labels = dict.fromkeys(label for label, *_ in boxes if _plain(label) in values)
        masks = tuple((label, marked.path, values[_plain(label)]) for label in labels) if marked else ()
        beside = [shelf.take(marked, "mask")] if masks and marked else []
        beside += [shelf.take(found, "table")] if found else []
        located = (box(x, y, x + w, y + h, label, "file:detection.json") for label, x, y, w, h in boxes)
        return Item(
            upstream_id=image,
            form="picture",
            files=(picture, *beside, *(row.ref for row, _ in rows)),
            group=pseudonym("scan", PurePosixPath(image).parts[0]),
            facts=(*self.declared_facts(), *_facts(rows[0][0]), *chain.from_iterable(located)),
            masks=masks,
            asked=tuple(told for _, told in rows),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (scan, place, modality, language, kind, question, answer) in enumerate(ROWS):
            row = {"img_id": scan, "img_name": f"xmlab{scan}/source.jpg", "question": question, "answer": answer}
            row |= {"q_lang": language, "location": place, "modality": modality, "answer_type": "OPEN"}
            rows.append({**row, "base_type": "vqa", "content_type": kind, "triple": ["vhead", "_", "_"], "qid": number})
        for scan in (1, 2, 3, 5):
            folder = root / f"imgs/xmlab{scan}"
            mini.picture(folder / "source.jpg", mini.pixels(rng))
            mini.picture(folder / "mask.png", mini.disc(128, 128, 60, 70, 30, value=scan))
            mini.json_file(folder / "detection.json", [{LABELS[scan - 1]: [40.0, 30.0, 61.0, 61.0]}])
        mini.text(root / COLOURS, "\n".join(f"{n}:{label}" for n, label in enumerate(LABELS, start=1)))
        mini.json_file(root / "train.json", rows[:6])
        mini.json_file(root / "test.json", rows[6:])


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").lower().split())


def _values(text: str) -> dict[str, int]:
    """The grey value of each label of `mask.txt`. Raises `RecordError` `bad_table`."""
    values: dict[str, int] = {}
    for line in text.splitlines():
        number, _, label = line.partition(":")
        if line.strip() and not (number.strip().isdecimal() and label.strip()):
            raise RecordError("bad_table", "a line that is no 'value:label'", REMEDY)
        if line.strip():
            values[_plain(label)] = int(number)
    return values


def _boxes(value: object) -> list[tuple[str, float, float, float, float]]:
    """Raises `RecordError` `bad_boxes`."""
    try:
        pairs = [(str(k), v) for one in value for k, v in one.items()]  # type: ignore[attr-defined]
        return [(label, float(x), float(y), float(w), float(h)) for label, (x, y, w, h) in pairs]
    except (TypeError, ValueError, AttributeError):
        what = "a detection.json that is no list of {label: [x, y, width, height]}"
        raise RecordError("bad_boxes", what, REMEDY) from None


def _facts(row: Line) -> Iterator[Fact]:
    modality = row.get("modality")
    yield from told("modality", MODALITIES.get(modality, modality), "field:modality")
    yield from told("body_part", row.get("location").replace("_", " "), "field:location")
    yield from told("split", SPLITS[row.table], "file")


LABELS = ("Liver", "Left Lung", "Brain Edema", "Heart", "Spleen")
ROWS = (
    (1, "Abdomen", "CT", "en", "Organ", "Which organ is the largest one in this slice?", "Liver"),
    (1, "Abdomen", "CT", "zh", "Modality", "这张图片用的是什么成像方式?", "CT"),
    (2, "Chest_lung", "X-Ray", "en", "Abnormality", "Does the left lung of this person look healthy?", "No"),
    (2, "Chest_lung", "X-Ray", "en", "Position", "On which side is the infiltrate?", "Left"),
    (3, "Brain_Tissue", "MRI", "en", "Plane", "In which plane was the scan taken?", "Transverse plane"),
    (4, "Neck", "CT", "en", "Quantity", "How many vertebrae can be counted?", "2"),
    (5, "Abdomen", "MRI", "en", "KG", "What does the bright organ at the left do?", "Filters the blood"),
)  # fmt: skip
