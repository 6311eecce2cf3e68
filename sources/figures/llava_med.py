"""LLaVA-Med: 60 thousand conversations on figures of PubMed Central, written by GPT-4 from captions and mentions.

Upstream's layout (links in github.com/microsoft/LLaVA-Med): `llava_med_instruct_60k.json` (or its variants
`…_60k_inline_mention.json`, `…_10k.json`), a list of {id, image (PMID_FIGURE.jpg), domain {chest_xray, mri, histology,
gross, ct_scan: true or false}, conversations: [{from: human | gpt, value}]}; `images/`, which upstream's script fills
from the articles' archives by `llava_med_image_urls.jsonl`. Quirks: `<image>` stands at either end of the first turn;
the key is misspelt `conversatons` in the alignment file, which is not read (its texts are captions); the questions
speak of what GPT-4 read, not saw; some articles have left PubMed Central, so images are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecipeError, RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import exchanges
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLE = "llava_med_instruct_60k.json"
STORE = "https://hanoverprod.z21.web.core.windows.net/med_llava"
DOMAINS = {"chest_xray": "DX", "mri": "MR", "histology": "SM", "gross": "XC", "ct_scan": "CT"}


class LlavaMed(Upstream):
    """One record per conversation. `table` chooses a variant; it lies below the root or in `instruct/`."""

    source: Literal["llava_med"]
    needs: ClassVar[tuple[str, ...]] = ("**/llava_med_instruct_*.json",)
    table: str = TABLE
    card: ClassVar[Card] = Card(
        name="llava_med",
        what="conversations on figures of articles, written by GPT-4 from captions and mentions",
        url="https://github.com/microsoft/LLaVA-Med",
        revision="release of June 2023",
        licence="CC-BY-NC-4.0",
        citation="Li et al. LLaVA-Med: Training a Large Language-and-Vision Assistant for Biomedicine in One Day. "
        "NeurIPS 2023 Datasets and Benchmarks.",
        phi_risk="low: published figures; answers may repeat ages and dates of single patients",
        modalities=("DX", "MR", "SM", "XC", "CT"),
        tasks=("dialogue", "instruction"),
        size="about 60 thousand conversations of several turns",
        layout="llava_med_instruct_60k.json, images/PMID_FIGURE.jpg",
        remotes=(Remote(kind="http", at=f"{STORE}/instruct/{TABLE}"),),
        known="published",
    )

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        found = super().tables(place)
        if not any(name.rpartition("/")[2] == self.table for name, _ in found):
            has = ", ".join(name for name, _ in found)
            raise RecipeError(f"source '{self.called}': no '{self.table}' below its root; `table` may be: {has}")
        return found

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for name, _ in self.tables(place):
            if name.rpartition("/")[2] == self.table:
                for row in rows_below(name, place):
                    yield self._record(row, shelf, pseudonym)
        yield from shelf.rest((*self.needs, "*.json", "*.jsonl"))

    def _record(self, row: Line, shelf: Shelf, pseudonym: Pseudonym) -> Item:
        image = row["image"] if row.number == 1 else row.get("image")
        entry = shelf.first(f"images/{image}", image)
        if entry is None:
            return row.missing()
        picture = shelf.take(entry)
        try:
            asked = exchanges(row.value("conversations"))
        except RecordError as error:
            return row.failed(error.reason, error.found, error.remedy, picture)
        article = image.partition("_")[0]
        return Item(
            upstream_id=row.get("id") or image,
            form="picture",
            files=(picture, row.ref),
            group=pseudonym("article", f"pmid:{article}") if article.isdigit() else "",
            facts=(*self.declared_facts(), *_facts(row)),
            asked=asked,
            dialogue=len(asked) > 1,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (domain, *turns) in enumerate(TALKS):
            name = f"1800{number:04d}_F{number + 1}"
            values = [f"{turns[0]}\n<image>" if number % 2 else f"<image>\n{turns[0]}", *turns[1:]]
            spoken = [{"from": ("human", "gpt")[k % 2], "value": value} for k, value in enumerate(values)]
            domains = {d: d == domain for d in DOMAINS}
            talk = spoken[1:] if number == 3 else spoken  # one begins with the answer
            rows.append({"id": name, "image": f"{name}.jpg", "domain": domains, "conversations": talk})
            mini.picture(root / f"images/{name}.jpg", mini.pixels(rng))
        mini.json_file(root / TABLE, [*rows, {**rows[0], "id": "19000000_F1", "image": "19000000_F1.jpg"}])


def _facts(row: Line) -> Iterator[Fact]:
    domain = row.value("domain")
    true = [DOMAINS[name] for name in DOMAINS if isinstance(domain, dict) and domain.get(name) is True]
    if len(true) == 1:
        yield from told("modality", true[0], "field:domain")
        yield from told("body_part", "chest" if true[0] == "DX" else "", "field:domain")


TALKS = (
    ("ct_scan", "What is the kidney stone's place in this scan?", "It lies at the left ureterovesical junction.",
     "Is the ureter above it widened?", "Yes, there is mild hydroureter up to the renal pelvis."),
    ("chest_xray", "Can you describe the heart in this radiograph?", "The heart is enlarged, most of all to the left.",
     "What may cause that?", "Dilatation of the left ventricle is a common cause, among others."),
    ("histology", "Which cells dominate the field?", "Plasma cells with eccentric nuclei dominate it.",
     "Do they form sheets?", "They do, between bands of fibrous tissue."),
    ("gross", "What is seen on the cut surface?", "A well defined yellow nodule in the adrenal gland."),
    ("mri", "Which ligament is torn on this image?", "The anterior cruciate ligament is discontinuous.",
     "Are the menisci intact?", "The medial meniscus has a bucket-handle tear."),
)  # fmt: skip
