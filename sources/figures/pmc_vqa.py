"""PMC-VQA: multiple-choice questions on figures of PubMed Central articles, generated from captions.

Upstream's layout (Hugging Face, xmcmic/PMC-VQA, now RadGenome/PMC-VQA): version 1 is `train.csv`, `test.csv` and
`test_clean.csv` with Figure_path (PMC1064097_F1.jpg), Question, Answer (text), Choice A to Choice D and Answer_label (a
letter), images in `images/`; version 2, of figures that are no compounds, is `train_2.csv` and `test_2.csv` with index,
Figure_path, Caption, Question, Choice A to Choice D, Answer (a letter) and split, images in `images_2/` or `figures/`
as the second zip unpacks. Quirks: choices begin with their letter (" A:Red "); answers are not spread evenly over the
letters (in `test_2` B and C have 74 %); the two versions share questions; the whole caption is there in version 2 only;
no licence is stated for the questions, and the figures have those of their articles (`oa_comm_use_file_list.csv`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Asked
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import CHOICE, by_medium, named_by, words
from sources.upstream import REMEDY, Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

FOLDERS = ("images", "images_2", "figures")
LETTERS = "ABCD"


class PmcVqa(Upstream):
    """One record per figure, with its questions of the splits that are taken, of every version that is there."""

    source: Literal["pmc_vqa"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("train*.csv",)
    may: ClassVar[tuple[str, ...]] = ("test*.csv",)
    card: ClassVar[Card] = Card(
        name="pmc_vqa",
        what="multiple-choice questions on figures of PubMed Central articles, generated from captions",
        url="https://huggingface.co/datasets/RadGenome/PMC-VQA",
        revision="versions 1 and 2",
        licence="LicenseRef-PMC-Open-Access-per-article",
        citation="Zhang et al. Development of a large-scale medical visual question-answering dataset. Communications "
        "Medicine 4, 277 (2024).",
        phi_risk="low: published figures; captions may tell ages and dates of single patients",
        modalities=("figure",),
        tasks=("vqa", "multiple-choice"),
        size="version 1: 227 thousand questions on 149 thousand figures; version 2: 152,603 to train, 33,430 to test",
        layout="train.csv, test.csv, train_2.csv, test_2.csv, images/, images_2/ or figures/",
        remotes=(
            Remote(kind="hub", at="RadGenome/PMC-VQA", files=("*.csv",)),
            Remote(kind="hub", at="RadGenome/PMC-VQA", files=("images.zip", "images_2.zip"), unpack=True),
        ),
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]

        def read() -> Iterator[Line]:
            return chain.from_iterable(rows_below(name, place) for name in names)

        for figure, rows in by_medium(read, named_by("Figure_path")):
            yield from self._figure(figure, rows, shelf, pseudonym)
        yield from shelf.rest((*self.needs, *self.may))

    def _figure(self, figure: str, rows: tuple[Line, ...], shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        entry = shelf.first(*(f"{folder}/{figure}" for folder in FOLDERS), figure) or shelf.named(figure)
        pictures = (shelf.take(entry),) if entry is not None else ()
        taken: list[tuple[Line, Asked]] = []
        for row in rows:
            other = self.other_split(_split(row), (row.ref, *pictures), f"{row.table}#line={row.number}")
            if other is not None:
                yield other
            elif not pictures:
                yield row.missing()
            else:
                try:
                    taken.append((row, _asked(row)))
                except RecordError as error:
                    yield row.failed(error.reason, error.found, error.remedy, *pictures)
        if not taken:
            return
        article = re.match(r"PMC\d+", figure)
        captions = (words(row.value("Caption")) for row, _ in taken)
        yield Item(
            upstream_id=figure,
            form="picture",
            files=(*pictures, *(row.ref for row, _ in taken)),
            group=pseudonym("article", article[0]) if article else "",
            facts=(*self.declared_facts(), *told("split", _split(taken[0][0]), "file")),
            text="\n".join(dict.fromkeys(c for c in captions if c)),
            asked=tuple(asked for _, asked in taken),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        first, second = [], []
        for number, (caption, question, choices, right) in enumerate(ROWS):
            figure = f"PMC10640{90 + number // 2}_F{number + 1}.jpg"
            row = {"Figure_path": figure, "Question": f"{question} "}
            lettered = {f"Choice {k}": f" {k}:{c} " for k, c in zip(LETTERS, choices, strict=True)}
            answer = choices[LETTERS.index(right)]
            first.append({**row, "Answer": answer, **lettered, "Answer_label": right})
            second.append({"index": number, **row, "Caption": caption, **lettered, "Answer": right, "split": "train"})
            mini.picture(root / f"images/{figure}", mini.pixels(rng))
        second[1] |= {
            "Question": "Is the finding on the left?",
            "Choice A": "A: Yes",
            "Choice B": "B:No",
            "Answer": "A",
        }
        second[1] |= {"Choice C": "-", "Choice D": ""}
        second[2]["Answer"] = "E"  # a letter that no choice has
        mini.table(root / "train.csv", first[:3])
        mini.table(root / "train_2.csv", [*second[1:], {**second[0], "Figure_path": "PMC1_F9.jpg"}])
        mini.table(root / "test_2.csv", second[:1])


def _split(row: Line) -> str:
    return "train" if row.table.startswith("train") else "test"


def _asked(row: Line) -> Asked:
    """Raises `RecordError` `bad_choice` where the answer is none of the choices."""
    choices = {letter: CHOICE.sub("", words(row.value(f"Choice {letter}"))).strip() for letter in LETTERS}
    options = tuple(dict.fromkeys(c for c in choices.values() if c not in ("", "-")))
    written = words(row.value("Answer_label")) or words(row.value("Answer"))
    answer = choices.get(written.strip("().:").upper(), written)
    if answer not in options or len(options) < 2:
        raise RecordError("bad_choice", "an answer that is none of the choices", REMEDY)
    return Asked(words(row.value("Question")), answer, options)


ROWS = (
    ("Barium swallow with a corkscrew pattern.", "Which organ is filled with contrast?",
     ("Stomach", "Oesophagus", "Duodenum", "Colon"), "B"),
    ("Ultrasound of the left testis with a heterogeneous mass.", "What does the ultrasound picture show?",
     ("A hydrocele", "A varicocele", "A mass", "A normal testis"), "C"),
    ("Radiograph of a scaphoid fracture.", "Which bone is broken?",
     ("The lunate", "The capitate", "The radius", "The scaphoid"), "D"),
    ("PET/CT with uptake in the left axilla.", "Where is the uptake of the tracer?",
     ("Left axilla", "Right axilla", "Neck", "None"), "A"),
)  # fmt: skip
