"""MINT-1T (PDF): documents of interleaved text and pictures from PDF files of the web, with their pictures.

Upstream's layout (Hugging Face, mlfoundations/MINT-1T-PDF-CC-YYYY-WW): tars in `CC-MAIN-…-shard-N/`; each sample is
KEY.json with texts (a list of text or null) and images (a list of `page_P_image_X` or null; at each position one of
the two speaks), image_metadata (a list of {page, xref, sha256, width, height}), url, pdf_name and language scores, and
KEY.tiff, whose pages are the pictures in the order of image_metadata. Quirks: upstream corrected shards in which pages
and metadata disagreed, so a document whose counts differ fails here; documents without pictures have no TIFF and are
text. Each page is carried as a TIFF of its own, not decoded.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from sources.base import PICTURE, Entry, Item, Place, Pseudonym
from sources.containers import carried_ref, records, run_items
from sources.figures.shared import listed, words
from sources.figures.tiff_pages import page, page_offsets
from sources.tars import Sample, samples, tar_peek
from sources.upstream import REMEDY, Upstream, told

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"page_(\d+)_image_(\d+)")


class Mint1t(Upstream):
    """One record per document."""

    source: Literal["mint1t"]
    needs: ClassVar[tuple[str, ...]] = ("**/*.tar",)
    card: ClassVar[Card] = Card(
        name="mint1t",
        what="documents of interleaved text and pictures from PDF files of the web",
        url="https://huggingface.co/datasets/mlfoundations/MINT-1T-PDF-CC-2024-18",
        revision="089d3c500aced3a66f84d2ba05bddfd58e5ac8cc",
        licence="CC-BY-4.0",
        citation="Awadalla et al. MINT-1T: Scaling Open-Source Multimodal Data by 10x: A Multimodal Dataset with One "
        "Trillion Tokens. NeurIPS 2024 Datasets and Benchmarks.",
        phi_risk="high: documents of the open web with names and photographs of persons; no patients' records",
        modalities=("natural",),
        tasks=("interleaved", "text"),
        size="one trillion text tokens and 3.4 billion pictures in all parts; PDF parts by crawl of 2023 and 2024",
        layout="CC-MAIN-…-shard-N/*.tar of KEY.json, KEY.tiff",
        remotes=(
            Remote(
                kind="hub",
                at="mlfoundations/MINT-1T-PDF-CC-2024-18",
                files=("*.tar",),
                revision="089d3c500aced3a66f84d2ba05bddfd58e5ac8cc",
            ),
        ),
        known="published",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return tar_peek(path)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        return run_items(self, inventory, ".tar")

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        return records(samples(item, place), lambda sample: self._document(sample, pseudonym))

    def _document(self, sample: Sample, pseudonym: Pseudonym) -> Item:
        if sample.problem or "json" not in sample.members:
            raise RecordError("incomplete_sample", sample.problem or "a sample without its JSON", REMEDY)
        document = _json(sample.members["json"])
        parts, wanted = _parts(document)
        pictures = _pictures(sample.members.get("tiff", b""), document, wanted)
        if not any(p != PICTURE for p in parts):
            raise RecordError("no_text", "a document without text", "none needed")
        refs = tuple(
            carried_ref(sample.path, data, f"member={sample.key}.image={number}")
            for number, data in enumerate(pictures, start=1)
        )
        address = words(document.get("url")) or words(document.get("pdf_name"))
        return Item(
            upstream_id=sample.key,
            form="picture" if pictures else "text",
            files=(*refs, sample.ref("json", "table")),
            group=pseudonym("document", address) if address else "",
            facts=(*self.declared_facts(), *told("label", _language(document), "json:language_id", about="language")),
            text="\n\n".join(parts),
            carried=pictures,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        path = root / "CC-MAIN-2024-18-shard-0/CC-MAIN-00000.tar"
        path.parent.mkdir()
        with tarfile.open(path, "w") as archive:
            for number, (title, *blocks) in enumerate(DOCUMENTS):
                count = 0 if number == 3 else len(blocks)
                named = [f"page_{k}_image_{40 + k}" for k in range(count)]
                images = [None, *(x for name in named for x in (name, None))] if count else [None] * (1 + len(blocks))
                texts = [title, *(x for b in blocks for x in ([None] if count else []) + [b])]
                about: dict[str, Any] = {"texts": texts, "images": images, "url": f"https://example.org/{number}.pdf"}
                about["image_metadata"] = [{"page": k, "xref": 40 + k} for k in range(count)]
                about["language_id_whole_page_fasttext"] = {"en": 0.97, "de": 0.01}
                _add(archive, f"{number:06d}.json", json.dumps(about).encode())
                pages = [mini.pixels(rng, colour=True) for _ in range(1 if number == 2 else count)]
                if pages:
                    _add(archive, f"{number:06d}.tiff", _tiff(pages))


def _parts(document: dict[str, Any]) -> tuple[list[str], list[tuple[int, int]]]:
    """The document's blocks in order, and (page, xref) of each of its pictures."""
    texts, images = listed(document.get("texts")), listed(document.get("images"))
    if len(texts) != len(images):
        raise RecordError("bad_document", f"{len(images)} pictures beside {len(texts)} texts", REMEDY)
    parts: list[str] = []
    wanted: list[tuple[int, int]] = []
    for image, text in zip(images, texts, strict=True):
        name = NAME.fullmatch(image) if isinstance(image, str) else None
        if name:
            wanted.append((int(name[1]), int(name[2])))
            parts.append(PICTURE)
        elif written := words(text):
            parts.append(written)
    return parts, wanted


def _pictures(tiff: bytes, document: dict[str, Any], wanted: list[tuple[int, int]]) -> tuple[bytes, ...]:
    if not wanted:
        return ()
    known = [(m.get("page"), m.get("xref")) for m in listed(document.get("image_metadata")) if isinstance(m, dict)]
    offsets = page_offsets(tiff) if tiff else []
    if len(offsets) != len(known) or not set(wanted) <= set(known):
        found = f"{len(offsets)} pages of a TIFF beside {len(known)} pictures of the JSON"
        raise RecordError("pictures_mismatch", found, "fetch the shard anew: upstream has corrected such")
    return tuple(page(tiff, offsets[known.index(one)]) for one in wanted)


def _language(document: dict[str, Any]) -> str:
    scores = document.get("language_id_whole_page_fasttext")
    told_of = {k: v for k, v in scores.items() if isinstance(v, int | float)} if isinstance(scores, dict) else {}
    return max(sorted(told_of), key=lambda k: told_of[k]) if told_of else ""


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RecordError("bad_json", "a sample whose JSON is no object", REMEDY)
    return value


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _tiff(pages: Sequence[Any]) -> bytes:
    from PIL import Image

    first, *more = [Image.fromarray(p) for p in pages]
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=more, compression="tiff_lzw")
    return buffer.getvalue()


DOCUMENTS = (
    ("Annual report of the river authority: water levels, dredging and repairs of the eastern dyke.",
     "Figure 1 plots monthly levels at three gauges; the spring flood stayed below the second warning mark.",
     "Figure 2 maps the stretches where the dyke was raised by forty centimetres of clay."),
    ("Assembly guide for the wooden bookcase with five shelves and an optional glass door.",
     "Step one: lay both side panels flat and press the dowels into the marked holes.",
     "Step two: slide the back board into its groove before the last shelf is fastened."),
    ("Survey of village bakeries: ovens, flours and opening hours in the northern valleys.",
     "Wood-fired ovens remain in a third of all places, mostly for rye.",
     "Most shops open before six, and few stay open after noon."),
    ("Minutes of the spring meeting of the chess club, held in the reading room.",
     "The treasurer reported a small surplus and proposed to buy two new clocks."),
)  # fmt: skip
