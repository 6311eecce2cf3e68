"""PMC-OA: 1.65 million subfigures of open-access articles, each with the part of the caption that speaks of it.

Upstream's layout (Hugging Face, axiong/pmc_oa): `pmc_oa.jsonl` with image (PMC212319_Fig3_4.jpg), caption,
alignment_type and alignment_score (absent in older files, which have pmcid and url_name instead), and `images.zip`,
which unpacks to `caption_T060_filtered_top4_sep_v0_subfigures/`, often below `images/`. Quirks: ChatGPT divided the
captions; `pmc_oa_beta.jsonl` and its train, valid and test parts hold the same images with undivided captions, and are
not read. Captions are those of figures, so a divided one may still speak of other panels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import by_medium, named_by, words
from sources.upstream import REMEDY, Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLE = "pmc_oa.jsonl"
FOLDER = "caption_T060_filtered_top4_sep_v0_subfigures"


class PmcOa(Upstream):
    """One record per subfigure."""

    source: Literal["pmc_oa"]
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="pmc_oa",
        what="subfigures of open-access articles with the part of the caption that speaks of them",
        url="https://huggingface.co/datasets/axiong/pmc_oa",
        revision="4e4c017",
        licence="LicenseRef-PMC-Open-Access-per-article",
        citation="Lin et al. PMC-CLIP: Contrastive Language-Image Pre-training using Biomedical Documents. MICCAI "
        "2023.",
        phi_risk="low: published figures; captions may tell ages and dates of single patients",
        modalities=("figure",),
        tasks=("caption",),
        size="1.65 million subfigures with captions",
        layout=f"pmc_oa.jsonl, images/{FOLDER}/PMC…_FigN_M.jpg",
        remotes=(
            Remote(kind="hub", at="axiong/pmc_oa", files=(TABLE,)),
            Remote(kind="hub", at="axiong/pmc_oa", files=("images.zip",), into="images", unpack=True),
        ),
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for image, rows in by_medium(lambda: rows_below(TABLE, place), named_by("image")):
            entry = shelf.first(f"images/{FOLDER}/{image}", f"{FOLDER}/{image}", f"images/{image}") or shelf.named(
                image
            )
            texts = dict.fromkeys(t for t in (words(row.value("caption")) for row in rows) if t)
            if entry is None:
                yield from (row.missing() for row in rows)
            elif not texts:
                yield rows[0].failed("no_caption", "a figure without a caption", REMEDY, shelf.take(entry))
            else:
                article = re.match(r"PMC\d+", image)
                yield Item(
                    upstream_id=image,
                    form="picture",
                    files=(shelf.take(entry), *(row.ref for row in rows)),
                    group=pseudonym("article", article[0]) if article else "",
                    facts=(*self.declared_facts(), *_facts(rows[0])),
                    text="\n".join(texts),
                )
        yield from shelf.rest((*self.needs, "*.jsonl"))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, caption in enumerate(CAPTIONS):
            image = f"PMC21{number // 2:04d}_Fig3_{number}.jpg"
            mini.picture(root / "images" / FOLDER / image, mini.pixels(rng, colour=number % 2 == 0))
            row = {"image": image, "caption": caption, "alignment_type": "ocr", "alignment_score": 0.83 + number / 100}
            rows.append(row)
        rows.append({**rows[0], "caption": "The arrow marks the same nodule on a coronal reformation."})
        rows.append({**rows[1], "image": "PMC9999999_Fig1_0.jpg"})
        mini.json_lines(root / TABLE, rows)


def _facts(row: Line) -> Iterator[Fact]:
    yield from told("label", row.get("alignment_type"), "field:alignment_type", about="alignment of caption")
    yield from told("quality", row.get("alignment_score"), "field:alignment_score", about="alignment of caption")


CAPTIONS = (
    "A. Axial chest CT with a spiculated nodule in the right upper lobe.",
    "B. Immunohistochemistry for TTF-1 shows diffuse nuclear staining of the tumour cells.",
    "Fundus photograph of the left eye with cotton wool spots and flame-shaped haemorrhages.",
    "C. Kaplan-Meier curves of overall survival by treatment arm.",
    "Colonoscopy: a sessile polyp of 8 mm in the sigmoid before resection.",
)
