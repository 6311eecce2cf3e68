"""ROCO: 88 thousand figures of open-access articles, radiology and not, with caption, keywords and UMLS concepts.

Upstream's layout (github.com/razorx89/roco-dataset): `data/{train,validation,test}/{radiology,non-radiology}/` with
`captions.txt` (ROCO_ID, tab, blank, caption), `licences.txt` (ROCO_ID,PMC…_FIGURE.jpg,CC BY), `keywords.txt` and
`cuis.txt` (ROCO_ID, two tabs, values by tabs), and `images/`, filled by upstream's `scripts/fetch.py`: PMC…_FIGURE.jpg;
older copies name them ROCO_ID.jpg. Quirks: no file has a header; licences are per article, many of them non-commercial
(`licences` chooses); many images can no longer be fetched, so rows without a file are many. Semantic types and download
links are not taken over. Held in memory: licences, keywords and concepts of one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import each, other_licence, words
from sources.upstream import REMEDY, Line, Shelf, Upstream, told

if TYPE_CHECKING:
    import numpy as np

CAPTIONS = "data/*/*/captions.txt"
MAX_LINE_CHARS = 1 << 20
BESIDE = ("licences.txt", "keywords.txt", "cuis.txt")


class Roco(Upstream):
    """One record per figure. `licences` names those of articles that are taken, e.g. [CC BY, CC0]; all where empty."""

    source: Literal["roco"]
    splits: tuple[str, ...] = ("train",)
    licences: tuple[str, ...] = ()
    needs: ClassVar[tuple[str, ...]] = (CAPTIONS,)
    may: ClassVar[tuple[str, ...]] = tuple(f"data/*/*/{name}" for name in BESIDE)
    card: ClassVar[Card] = Card(
        name="roco",
        what="figures of open-access articles with captions, keywords and UMLS concepts",
        url="https://github.com/razorx89/roco-dataset",
        revision="a1f0ad6c578ca8801e5a6eccc90af051aee1c326",
        licence="LicenseRef-PMC-Open-Access-per-article",
        citation="Pelka et al. Radiology Objects in COntext (ROCO). MICCAI LABELS, LNCS 11043, 180-189 (2018).",
        phi_risk="low: published figures; captions may tell ages and dates of single patients",
        modalities=("figure",),
        tasks=("caption", "multi-label"),
        size="about 88,000 figures: 81,825 of radiology (65,460 to train) and 6,127 others",
        layout="data/{train,validation,test}/{radiology,non-radiology}/{captions,licences,keywords,cuis}.txt, images/",
        steps="clone the repository and run its scripts/fetch.py, which fills images/ from the articles",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for table, _ in self.tables(place):
            if table.endswith("/captions.txt"):
                yield from self._folder(PurePosixPath(table).parent.as_posix(), place, shelf, pseudonym)
        yield from shelf.rest((*self.needs, *self.may, "*.txt", "*.csv"))

    def _folder(self, folder: str, place: Place, shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        beside = {name: dict(_lines(f"{folder}/{name}", place)) for name in BESIDE}
        split, kind = folder.split("/")[-2:]
        for number, (roco, cells) in enumerate(_lines(f"{folder}/captions.txt", place), start=1):
            file, licence = (*beside["licences.txt"].get(roco, ()), "", "")[:2]
            caption = words(" ".join(cells))
            row = Line(f"{folder}/captions.txt", number, {"id": roco, "caption": caption, "licence": licence})
            entry = shelf.first(*(f"{folder}/images/{n}" for n in (file, f"{roco}.jpg") if n))
            files = (*((shelf.take(entry),) if entry else ()), row.ref)
            ended = self.other_split(split, files, roco) or other_licence(licence, self.licences, row)
            if ended is not None:
                yield ended
            elif entry is None:
                yield row.missing()
            elif not caption:
                yield row.failed("no_caption", "a figure without a caption", REMEDY, shelf.take(entry))
            else:
                article = re.match(r"PMC\d+", file)
                group = pseudonym("article", article[0]) if article else ""
                known = (split, kind, licence, beside["keywords.txt"].get(roco, []), beside["cuis.txt"].get(roco, []))
                facts = (*self.declared_facts(), *_facts(*known))
                yield Item(roco, "picture", files, group=group, facts=facts, text=caption)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for split, start in (("train", 0), ("validation", 5)):
            folder = root / f"data/{split}/radiology"
            rows = CAPTIONED[start : start + 5]
            mini.text(folder / "captions.txt", "".join(f"ROCO_{n:05d}\t {c}\n" for n, c, *_ in rows))
            licences = "".join(f"ROCO_{n:05d},PMC{p}_fig-{n}.jpg,{terms}\n" for n, _, p, terms, _ in rows)
            mini.text(folder / "licences.txt", licences)
            mini.text(folder / "keywords.txt", "".join(f"ROCO_{n:05d}\t\t{k}\n" for n, *_, k in rows))
            mini.text(folder / "cuis.txt", "".join(f"ROCO_{n:05d}\t\tC0{n + 40405}\tC0{n + 24109}\n" for n, *_ in rows))
            for n, _, p, *_ in rows[: 4 if split == "train" else 1]:  # the last row's figure can no longer be fetched
                name = f"ROCO_{n:05d}.jpg" if n == 12 else f"PMC{p}_fig-{n}.jpg"
                mini.picture(folder / "images" / name, mini.pixels(rng))


def _lines(name: str, place: Place) -> Iterator[tuple[str, list[str]]]:
    """ROCO_ID and what follows it, of lines by tabs, or by commas as licences are; an absent table has none."""
    path = place.file(name)
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            while line := stream.readline(MAX_LINE_CHARS):
                roco, *cells = re.split(r"\t" if "\t" in line else ",", line.rstrip("\n"))
                if roco.startswith("ROCO_"):
                    yield roco, [c.strip() for c in cells if c.strip()]
    except OSError as error:
        raise RecordError("bad_table", f"'{name}' cannot be read ({type(error).__name__})", REMEDY) from None


def _facts(split: str, kind: str, licence: str, keywords: list[str], concepts: list[str]) -> Iterator[Fact]:
    yield from told("label", kind, "folder", about="kind of figure")
    yield from told("label", licence, "licences.txt", about="licence")
    yield from each("keyword", keywords, "keywords.txt")
    yield from each("code", concepts, "cuis.txt", about="UMLS")
    yield from told("split", split, "folder")


CAPTIONED = (
    (2, "Axial contrast-enhanced CT of the abdomen shows a 3 cm hypodense lesion in the left hepatic lobe (arrow).",
     4173021, "CC BY", "ct\tabdomen\tlesion\tlobe"),
    (7, "Sagittal T2-weighted MRI demonstrating disc herniation at L4-L5 with compression of the thecal sac.",
     4173021, "CC BY", "mri\tdisc\therniation"),
    (12, "Panoramic radiograph of an impacted third molar close to the mandibular canal before extraction.",
     3300417, "CC BY-NC", "radiograph\tmolar\tcanal"),
    (19, "Transvaginal ultrasound with an anechoic ovarian cyst; no solid component or septation is seen.",
     2900118, "CC0", "ultrasound\tcyst"),
    (23, "Chest radiograph after drain placement: the right pneumothorax has resolved.",
     2900777, "CC BY", "chest\tdrain"),
    (31, "Coronary angiogram of a right dominant system with severe mid-vessel stenosis.",
     5100001, "CC BY", "angiogram"),
    (37, "Whole-body bone scan with multiple foci of uptake along the spine.", 5100002, "CC BY", "scan\tspine"),
)  # fmt: skip
