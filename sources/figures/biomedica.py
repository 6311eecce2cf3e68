"""BIOMEDICA: 24 million figures of open-access articles with captions, labels of clusters and facts of the article.

Upstream's layout (Hugging Face, BIOMEDICA/biomedica_webdataset_24M): tars in `commercial/`, `noncommercial/` and
`other/`, which group licences; each sample is KEY.jpg, KEY.txt (the caption) and KEY.json with image_cluster_id,
image_set (a list of {image_id, caption}), image_context ({image_id: paragraphs that mention the figure}),
image_primary_label and image_secondary_label (lists of a cluster's labels, not of the single figure),
image_panel_type, article_accession_id (PMC…), article_title, article_journal, article_keywords, article_mesh_terms,
article_license and more. Quirks: `No caption found` stands for none; the secondary labels tell the modality in words.
"""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import carried_ref, records, run_items
from sources.figures.shared import each, listed, words
from sources.tars import Sample, samples, tar_peek
from sources.upstream import REMEDY, Upstream, told

if TYPE_CHECKING:
    import numpy as np

MODALITIES = {
    "x-ray radiography": "DX", "optical coherence tomography": "OPT", "endoscopy": "ES", "intraoral imaging": "IO",
    "angiography": "XA", "magnetic resonance": "MR", "functional magnetic resonance": "MR", "mammography": "MG",
    "skin lesion": "DMS", "ultrasound": "US", "computerized tomography": "CT", "light microscopy": "SM",
}  # fmt: skip


class Biomedica(Upstream):
    """One record per figure. `licences` names those of articles that are taken, as article_license writes them;
    `mentions` adds the article's paragraphs that speak of the figure to its caption."""

    source: Literal["biomedica"]
    licences: tuple[str, ...] = ()
    mentions: bool = False
    needs: ClassVar[tuple[str, ...]] = ("**/*.tar",)
    card: ClassVar[Card] = Card(
        name="biomedica",
        what="figures of open-access articles with captions, labels of clusters and facts of the article",
        url="https://huggingface.co/datasets/BIOMEDICA/biomedica_webdataset_24M",
        revision="d828258",
        licence="LicenseRef-PMC-Open-Access-per-article",
        access="registered",
        steps="accept the conditions on the dataset's page with an account of the hub, then fetch with a token",
        citation="Lozano et al. BIOMEDICA: An Open Biomedical Image-Caption Archive. CVPR 2025 (arXiv 2501.07171).",
        phi_risk="low: published figures; captions and paragraphs may tell ages and dates of single patients",
        modalities=("figure", "CT", "MR", "DX", "US", "ES", "SM", "OPT", "MG", "XA", "DMS", "IO"),
        tasks=("caption", "classification", "text"),
        size="24 million figures of 6 million articles",
        layout="{commercial,noncommercial,other}/NNNNN.tar of KEY.jpg, KEY.txt, KEY.json",
        known="published",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return tar_peek(path)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        return run_items(self, inventory, ".tar")

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        return records(samples(item, place), lambda sample: self._record(sample, pseudonym))

    def _record(self, sample: Sample, pseudonym: Pseudonym) -> Item:
        if sample.problem:
            raise RecordError("bad_member", sample.problem, REMEDY)
        if "jpg" not in sample.members or "json" not in sample.members:
            raise RecordError("incomplete_sample", f"a sample of {', '.join(sorted(sample.members))}", REMEDY)
        about = _json(sample.members["json"])
        caption = words(sample.members.get("txt", b"").decode("utf-8", "replace"))
        if not caption or caption.lower() == "no caption found":
            return self._dropped(sample, "no_caption", "a figure without a caption", "none needed: upstream found none")
        licence, article = words(about.get("article_license")), words(about.get("article_accession_id"))
        picture = carried_ref(sample.path, sample.members["jpg"], f"member={sample.key}")
        sides = tuple(sample.ref(suffix, "table") for suffix in ("json", "txt") if suffix in sample.members)
        if self.licences and licence not in self.licences:
            found = f"a figure under '{licence[:40] or 'no stated licence'}'"
            remedy = "name it in `licences` to take it"
            return self._dropped(sample, "other_licence", found, remedy)
        return Item(
            upstream_id=sample.key,
            form="picture",
            files=(picture, *sides),
            group=pseudonym("article", article) if article else "",
            facts=(*self.declared_facts(), *_facts(about, licence)),
            text="\n\n".join((caption, *(_mentions(about) if self.mentions else ()))),
            carried=(sample.members["jpg"],),
        )

    @staticmethod
    def _dropped(sample: Sample, reason: str, found: str, remedy: str) -> Item:
        return dataclasses.replace(sample.failed(reason, found, remedy), status="dropped")

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for shard, folder in enumerate(("commercial", "noncommercial")):
            path = root / folder / f"{shard:05d}.tar"
            path.parent.mkdir()
            with tarfile.open(path, "w") as archive:
                for number, (label, caption) in enumerate(FIGURES[shard::2]):
                    image, article = f"{shard}_{number}_fig{number + 1}", f"PMC70010{number // 2}"
                    about = {
                        "image_cluster_id": image, "image_panel_type": "Single Panel", "image_size": [128, 128],
                        "image_primary_label": ["Clinical Imaging"], "image_secondary_label": [label],
                        "image_set": [{"image_id": image, "caption": caption}],
                        "image_context": {image: [f"Figure {number + 1} was read by two observers."]},
                        "article_accession_id": article, "article_title": f"Case series of {label}",
                        "article_keywords": ["case report", label], "article_mesh_terms": ["Humans"],
                        "article_license": "CC BY" if shard == 0 else "CC BY-NC",
                    }  # fmt: skip
                    parts = {
                        "jpg": mini.encoded(mini.pixels(rng), "JPEG"),
                        "json": json.dumps(about).encode(),
                        "txt": caption.encode(),
                    }
                    for suffix, data in parts.items():
                        member = tarfile.TarInfo(f"{image}.{suffix}")
                        member.size = len(data)
                        archive.addfile(member, io.BytesIO(data))


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RecordError("bad_json", "a sample whose JSON is no object", REMEDY)
    return value


def _mentions(about: dict[str, Any]) -> tuple[str, ...]:
    context = about.get("image_context")
    own = context.get(str(about.get("image_cluster_id"))) if isinstance(context, dict) else None
    return tuple(dict.fromkeys(t for t in map(words, listed(own)) if t))


def _facts(about: dict[str, Any], licence: str) -> Iterator[Fact]:
    second = [words(v) for v in listed(about.get("image_secondary_label"))]
    known = {MODALITIES[v.lower()] for v in second if v.lower() in MODALITIES}
    yield from told("modality", known.pop() if len(known) == 1 else "figure", "json:image_secondary_label")
    primary = listed(about.get("image_primary_label"))
    yield from each("label", primary, "json:image_primary_label", about="kind of figures of the cluster")
    yield from each("label", second, "json:image_secondary_label", about="content of the cluster")
    yield from each("label", listed(about.get("image_panel_type")), "json:image_panel_type", about="panels")
    yield from told("label", licence, "json:article_license", about="licence")
    yield from told("title", words(about.get("article_title")), "json:article_title")
    terms = [*listed(about.get("article_mesh_terms")), *listed(about.get("article_keywords"))]
    yield from each("keyword", terms, "json:article_keywords")


FIGURES = (
    ("computerized tomography", "Axial CT showing a hyperdense middle cerebral artery sign on the left."),
    ("ultrasound", "Ultrasound of the thyroid: a hypoechoic nodule with microcalcifications, 14 mm in length."),
    ("magnetic resonance", "Sagittal STIR image with bone marrow oedema of the second sacral segment."),
    ("light microscopy", "Haematoxylin and eosin stain, granulomas with central caseous necrosis, x200."),
    ("endoscopy", "No caption found"),
    ("x-ray radiography", "Anteroposterior pelvis radiograph one year after cementless total hip replacement."),
)
