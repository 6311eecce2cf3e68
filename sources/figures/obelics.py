"""OBELICS: 141 million web pages as documents of interleaved text and pictures; the pictures stay on the web.

Upstream's layout (Hugging Face, HuggingFaceM4/OBELICS): parquet files in `data/` (or the part without opted-out pages)
with images (a list of URL or null), texts (a list of text or null; at each position one of the two speaks), metadata
and general_metadata (JSON as text; `url` of the page). The pictures that a user has fetched lie in `media/`, in any
folders below it, each named by the hexadecimal SHA-256 (or MD5) of its URL, and any ending. Quirks: some pages hold
null at both positions; addresses die, so pictures are missing: a document keeps its text and the pictures that are at
hand, and a fact says how many are missing; one that has lost all its pictures fails, unless `without_pictures`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import PICTURE, Entry, Item, Place, Pseudonym
from sources.figures.shared import listed, words
from sources.upstream import REMEDY, Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

MEDIA = "media/"


class Obelics(Upstream):
    """One record per page. `without_pictures` takes pages of whose pictures none is at hand, as text."""

    source: Literal["obelics"]
    without_pictures: bool = False
    needs: ClassVar[tuple[str, ...]] = ("**/*.parquet",)
    card: ClassVar[Card] = Card(
        name="obelics",
        what="web pages as documents of interleaved text and pictures",
        url="https://huggingface.co/datasets/HuggingFaceM4/OBELICS",
        revision="a73938c998640807c866ca01f8c8fff87b0965e8",
        licence="CC-BY-4.0",
        citation="Laurençon et al. OBELICS: An Open Web-Scale Filtered Dataset of Interleaved Image-Text Documents. "
        "NeurIPS 2023 Datasets and Benchmarks.",
        phi_risk="high: pages of the open web with names and photographs of persons; no patients' records",
        modalities=("natural",),
        tasks=("interleaved", "text"),
        size="141 million documents with 353 million pictures and 115 billion tokens",
        layout="data/train-NNNNN-of-NNNNN-….parquet, media/**/SHA256-OF-URL.jpg",
        remotes=(Remote(kind="hub", at="HuggingFaceM4/OBELICS", files=("data/*.parquet",)),),
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        media = {PurePosixPath(p).stem: e for p, e in shelf.by_path.items() if p.startswith(MEDIA)}
        for name, _ in self.tables(place):
            for row in rows_below(name, place):
                yield self._document(row, shelf, media, pseudonym)
        yield from shelf.rest(self.needs)

    def _document(self, row: Line, shelf: Shelf, media: dict[str, Entry], pseudonym: Pseudonym) -> Item:
        row["images"], row["texts"]  # a table without them is refused
        urls, texts = listed(row.value("images")), listed(row.value("texts"))
        if len(urls) != len(texts):
            return row.failed("bad_document", f"{len(urls)} pictures beside {len(texts)} texts", REMEDY)
        parts: list[str] = []
        found: list[Entry] = []
        for url, text in zip(urls, texts, strict=True):
            entry = _picture(url, media) if isinstance(url, str) and url else None
            if entry is not None:
                found.append(entry)
                parts.append(PICTURE)
            elif written := words(text):
                parts.append(written)
        named = sum(isinstance(url, str) and bool(url) for url in urls)
        page = _page(row)
        if not any(p != PICTURE for p in parts):
            return row.failed("no_text", "a document without text", REMEDY)
        if named and not found and not self.without_pictures:
            return row.missing()
        return Item(
            upstream_id=f"{row.table}#line={row.number}",
            form="picture" if found else "text",
            files=(*(shelf.take(e) for e in found), row.ref),
            group=pseudonym("page", page) if page else "",
            facts=(*self.declared_facts(), *lost(named, len(found))),
            text="\n\n".join(parts),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (heading, *blocks) in enumerate(PAGES):
            images: list[str | None] = [None]
            texts: list[str | None] = [heading]
            for place, block in enumerate(blocks):
                url = f"https://example.org/{number}/{place}.jpg"
                images, texts = [*images, url, None], [*texts, None, block]
                if number != 3 and (number, place) != (1, 1):
                    name = hashlib.sha256(url.encode()).hexdigest()
                    mini.picture(root / f"media/{name[:2]}/{name}.jpg", mini.pixels(rng, colour=True))
            about = json.dumps({"url": f"https://example.org/{number}", "warc_record_length": 5000 + number})
            rows.append({"images": images, "metadata": "[]", "general_metadata": about, "texts": texts})
        rows.append({**rows[0], "texts": rows[0]["texts"][1:]})  # the lists are not in step
        mini.parquet(root / "data/train-00000-of-00001-a1b2.parquet", rows)


def _picture(url: str, media: dict[str, Entry]) -> Entry | None:
    data = url.encode("utf-8", "surrogatepass")
    names = (hashlib.sha256(data).hexdigest(), hashlib.md5(data, usedforsecurity=False).hexdigest())
    return next((media[name] for name in names if name in media), None)


def _page(row: Line) -> str:
    try:
        about = json.loads(row.get("general_metadata") or "{}")
    except (ValueError, RecursionError):
        return ""
    return str(about.get("url") or "") if isinstance(about, dict) else ""


def lost(named: int, found: int) -> tuple[Fact, ...]:
    """What is to be known of a document that has lost pictures."""
    missing = f"{named - found} of {named} are missing" if found < named else ""
    return told("quality", missing, "field:images", about="pictures of the document")


PAGES = (
    ("How to prune an apple tree in late winter, when the buds still sleep and the frame of the tree is plain to see.",
     "Begin with dead wood. Cut back to a healthy collar and leave no stub, since stubs invite rot in spring.",
     "Then open the middle of the crown, so that light and air reach every branch and fruit ripens evenly."),
    ("A walk along the old harbour wall, from the fish market to the lighthouse, takes about an hour at low tide.",
     "The market closes at noon. Crates of herring are stacked by the door and gulls wait on every post.",
     "From the lighthouse the whole bay lies before you, and on clear days the islands in the west."),
    ("We rebuilt the gearbox of a 1962 tractor over one long weekend, with more patience than spare parts.",
     "The shafts came out easily after a night in penetrating oil; the bearings had seen better decades."),
    ("Notes from the kite festival: forty teams, steady wind from the sea, and only one tangle of lines all day.",
     "The largest kite, a whale of thirty metres, needed six people to launch and eight to bring it down."),
)  # fmt: skip
