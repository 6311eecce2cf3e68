"""Quilt-1M: a million pairs of texts and pictures of histopathology, from videos, tweets, articles and the web.

Upstream's layout (Zenodo 8239942, on request): `quilt_1M_lookup.csv` with a nameless number, caption, image_path,
subset (quilt, openpath, pubmed, laion), split (train, val), pathology (a Python list of subspecialities), roi_text,
noisy_text, corrected_text, med_umls_ids (a Python list of lists of {entity, …}), magnification (classes 0, 1, 2 from
low to high), height, width[, not_histology, single_wsi]; images in `quilt_1m/` or as the parts unpack,
`images_part_N/quilt_1m/`. Quirks: one picture has several texts, which are joined here; captions are transcribed
speech, mended by a model; a picture's name begins with its video's id in the subset quilt; cells with lone quotes
occur. Transcripts (noisy, corrected, region) are not taken over: the caption is made of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import by_medium, each, named_by, words
from sources.upstream import REMEDY, Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLE = "quilt_1M_lookup.csv"
MAGNIFICATIONS = {"0": "low", "1": "medium", "2": "high"}
MAX_LITERAL_CHARS = 1 << 16


class Quilt(Upstream):
    """One record per picture, with all its texts."""

    source: Literal["quilt"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="quilt",
        what="histopathology pictures with texts from videos, tweets, articles and the web",
        url="https://quilt1m.github.io",
        revision="quilt_1M_lookup of 2023",
        licence="LicenseRef-Quilt-1M-academic",
        access="registered",
        steps="fill in the form on the project's page, request the record on Zenodo, unpack all parts below quilt/",
        citation="Ikezogwo et al. Quilt-1M: One Million Image-Text Pairs for Histopathology. NeurIPS 2023 Datasets and "
        "Benchmarks.",
        phi_risk="low: slides; frames of videos may show presenters and text of the viewer",
        modalities=("SM",),
        tasks=("caption", "classification"),
        size="1.02 million texts with their pictures, 802,148 of them from videos",
        layout="quilt_1M_lookup.csv, quilt_1m/*.jpg",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for image, rows in by_medium(lambda: rows_below(TABLE, place), named_by("image_path")):
            entry = shelf.first(f"quilt_1m/{image}", image) or shelf.named(PurePosixPath(image).name)
            texts = dict.fromkeys(t for t in (words(row.value("caption")) for row in rows) if t)
            split = rows[0].get("split")
            if entry is None:
                yield from (row.missing() for row in rows)
                continue
            files = (shelf.take(entry), *(row.ref for row in rows))
            other = self.other_split(split, files, image) if split else None
            if other is not None:
                yield other
            elif not texts:
                yield rows[0].failed("no_caption", "a picture without a text", REMEDY, *files)
            else:
                group = _group(image, rows[0], pseudonym)
                facts = (*self.declared_facts(), *_facts(rows))
                yield Item(image, "picture", files, group=group, facts=facts, text="\n".join(texts))
        yield from shelf.rest(self.needs)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (image, subset, caption) in enumerate(ROWS):
            row = {"": number, "caption": caption, "image_path": image, "subset": subset}
            row |= {"split": "val" if number == 5 else "train", "pathology": "['Gastrointestinal', 'Dermatopathology']"}
            row |= {"roi_text": "['here']", "noisy_text": "so um here", "corrected_text": "So here", "med_umls_ids":
                    "[[{'entity': 'Glands', 'cui': 'C1285092'}], [{'entity': 'Mucosa'}]]"}  # fmt: skip
            rows.append({**row, "magnification": float(number % 3), "height": 128.0, "width": 128.0})
            if number != 4:
                mini.picture(root / "quilt_1m" / image, mini.pixels(rng, colour=True))
        mini.table(root / TABLE, rows)


def _group(image: str, row: Line, pseudonym: Pseudonym) -> str:
    """The video of a frame, the article of a figure; "" where a picture stands alone."""
    name = PurePosixPath(image).name
    video = re.match(r"(.{11})_image_", name) if row.get("subset") == "quilt" else None
    article = re.match(r"PMC\d+", name)
    if video:
        return pseudonym("video", video[1])
    return pseudonym("article", article[0]) if article else ""


def _facts(rows: Sequence[Line]) -> Iterator[Fact]:
    first = rows[0]
    yield from told("label", first.get("subset"), "column:subset", about="origin")
    fields = _literal(first.get("pathology"))
    yield from each("keyword", fields if isinstance(fields, list) else [], "column:pathology", about="subspeciality")
    yield from each("keyword", (e for row in rows for e in _entities(row)), "column:med_umls_ids")
    level = MAGNIFICATIONS.get(first.get("magnification").removesuffix(".0"), "")
    yield from told("label", level, "column:magnification", about="magnification")
    yield from told("split", first.get("split"), "column:split")


def _entities(row: Line) -> Iterator[str]:
    value = _literal(row.get("med_umls_ids"))
    for several in value if isinstance(value, list) else []:
        for one in several if isinstance(several, list) else []:
            if isinstance(one, dict):
                yield str(one.get("entity") or "")


def _literal(text: str) -> Any:
    """A Python literal of a cell; None for what is none. Literals build values and run nothing."""
    try:
        return ast.literal_eval(text) if 0 < len(text) < MAX_LITERAL_CHARS else None
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


ROWS = (
    ("9pRsVcUPs6c_image_fb0c4d6f.jpg", "quilt", "Crypts branch at their base here, with goblet cells down to it."),
    ("9pRsVcUPs6c_image_fb0c4d6f.jpg", "quilt", "There is a serrated architecture at the surface of the polyp."),
    ("9pRsVcUPs6c_image_0a177c22.jpg", "quilt", "On low power you see a dome shaped lesion with a collarette."),
    ("PMC4512873_fig2.jpg", "pubmed", "Renal biopsy: crescents in three of eight glomeruli, silver stain."),
    ("1302345678901_b.jpg", "openpath", "Guess the diagnosis: spindle cells, staghorn vessels, STAT6 positive."),
    ("gastric_laion_77.jpg", "laion", "Signet ring cell carcinoma infiltrating the gastric wall."),
    ("tzanck_laion_12.jpg", "laion", "Multinucleated giant cells of a herpetic blister in a Tzanck smear."),
)  # fmt: skip
