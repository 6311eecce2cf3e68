"""PubMed's annual baseline and its update files: titles, abstracts and subject headings of the biomedical literature.

Upstream's layout (ftp.ncbi.nlm.nih.gov/pubmed/baseline and .../updatefiles): `pubmed25n0001.xml.gz` and so on, each a
`PubmedArticleSet` of up to 30,000 `PubmedArticle`, also unpacked; update files go on with the numbers of the baseline,
and end with a `DeleteCitation` that lists PMIDs. Taken over: PMID, ArticleTitle, Abstract/AbstractText with Label,
Language, MeshHeading, Keyword, PublicationType, the journal. Quirks: a third of the citations have no abstract; the
title of an article that is not in English stands in brackets; markup (<i>, <sup>) stands inside of texts; retracted
articles are told by a PublicationType; `OtherAbstract` (another language, plain language) is not taken.

Of the citations of one PMID the last counts, in the order of the files' names: an earlier one ends as `superseded`, one
that a later (or its own) file deletes as `deleted_upstream`. Of an article published in versions (PMID's `Version`) the
highest counts. An output of the baseline alone says nothing of this: give both folders. What a new update file changes
is prepared anew, run by run; the rest stays as it is.

Files are read article by article; nothing is held but one. `items` holds the PMIDs: in the inventory as differences in
text (a few bytes each, fewer where they follow each other), and a byte for each number up to the highest PMID.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal, cast
from xml.etree.ElementTree import Element

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import block_items
from sources.figures.shared import each
from sources.texts.pubmed_versions import Citation, Reason, ended_of, reasons, written
from sources.upstream import REMEDY, Shelf, Upstream, told
from sources.xml_files import elements, parsed_xml, words_of

if TYPE_CHECKING:
    import numpy as np

FILES = ("*pubmed[0-9]*n[0-9]*.xml", "*pubmed[0-9]*n[0-9]*.xml.gz")
RUN_BYTES = 32 << 20
RETRACTED = "Retracted Publication"
PMID = re.compile(rb"<PMID(?:\s+Version\s*=\s*[\"'](\d{1,3})[\"'])?\s*>\s*(\d{1,8})\s*</PMID>")


class PubMedAbstracts(Upstream):
    """One record per citation with an abstract. `languages` are MEDLINE's codes (all, if empty); `retracted` takes
    retracted articles too."""

    source: Literal["pubmed_abstracts"]
    languages: tuple[str, ...] = ("eng",)
    retracted: bool = False
    needs: ClassVar[tuple[str, ...]] = ()
    card: ClassVar[Card] = Card(
        name="pubmed_abstracts",
        what="titles and abstracts of PubMed with their subject headings",
        url="https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/",
        revision="2025 baseline and its update files, DTD of 2025-01-01",
        licence="LicenseRef-NLM-PubMed-terms",
        citation="National Library of Medicine. PubMed, MEDLINE/PubMed citation records.",
        phi_risk="none beyond the published abstracts; authors' names and addresses are not taken over",
        modalities=("text",),
        tasks=("text",),
        size="about 38 million citations, 1,274 files",
        layout="pubmed25nNNNN.xml.gz, or the same unpacked",
        known="published",
        steps="accept NLM's terms of the baseline (README.txt beside it), then fetch the files by FTP or HTTPS",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        """The runs of a file's articles, in bytes of the XML, the PMIDs of each, and those that the file deletes."""
        if not path.name.startswith("pubmed") or not path.name.endswith((".xml", ".xml.gz")):
            return {}
        runs: list[tuple[int, int, list[Citation]]] = []
        deleted: list[Citation] = []
        start, end, cited = 0, 0, list[Citation]()
        with _opened(path) as stream:
            for at, data in elements(stream, "PubmedArticle|DeleteCitation"):
                if data.startswith(b"<DeleteCitation"):
                    deleted += map(_cited, PMID.finditer(data))
                    continue
                if cited and at + len(data) - start > RUN_BYTES:
                    runs.append((start, end - start, cited))
                    cited = []
                start, end = at if not cited else start, at + len(data)
                cited.append(_cited(PMID.search(data)))
        runs += [(start, end - start, cited)] if cited else []
        return {
            "blocks": ";".join(f"{at},{size},{len(ids)}" for at, size, ids in runs),
            "ids": ";".join(written(ids) for _, _, ids in runs),
            "deleted": written(deleted),
        }

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        entries = sorted(shelf.matching(*FILES), key=lambda e: (Path(e.path).name, e.path))
        ended = ended_of([(e.peek.get("ids", ""), e.peek.get("deleted", "")) for e in entries])
        for entry, of_file in zip(entries, ended, strict=True):
            shelf.take(entry)
            for item, of_run in zip(block_items(entry), of_file, strict=True):
                yield dataclasses.replace(item, text=of_run)
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        first, length, _ = item.block or (0, 0, 0)
        path, ended = item.files[0].path, reasons(item.text)
        with _opened(place.file(path)) as stream:
            for number, (at, data) in enumerate(elements(stream, "PubmedArticle", first, length)):
                file = FileRef(path, hashlib.sha256(data).hexdigest(), len(data), fragment=f"byte={at}")
                if reason := ended.get(number):
                    yield _replaced(dataclasses.replace(file, fragment=f"pmid={_cited(PMID.search(data))[0]}"), reason)
                    continue
                try:
                    yield self._citation(file, parsed_xml(data), pseudonym)
                except RecordError as error:
                    yield _ended(file, "failed", error.reason, error.found, error.remedy)

    def _citation(self, file: FileRef, whole: Element, pseudonym: Pseudonym) -> Item:
        citation, article = whole.find("MedlineCitation"), whole.find("MedlineCitation/Article")
        pmid = words_of(whole.find("MedlineCitation/PMID"))
        if citation is None or article is None or not pmid:
            raise RecordError("bad_xml", "a citation without PMID or Article", REMEDY)
        file = dataclasses.replace(file, fragment=f"pmid={pmid}")
        languages = [words_of(e) for e in article.findall("Language")]
        kinds = [words_of(e) for e in article.iter("PublicationType")]
        if self.languages and not set(languages) & set(self.languages):
            found = f"an article in '{', '.join(languages)[:40]}'"
            return _ended(file, "dropped", "other_language", found, "name it in `languages` to take it")
        if RETRACTED in kinds and not self.retracted:
            return _ended(file, "dropped", "retracted", "a retracted publication", "set `retracted` to take it")
        parts = [(e.get("Label") or "", words_of(e)) for e in article.findall("Abstract/AbstractText")]
        abstract = "\n\n".join(f"{label}: {text}" if label else text for label, text in parts if text)
        if not abstract:
            return _ended(file, "dropped", "no_abstract", "a citation without an abstract", "none needed")
        title = words_of(article.find("ArticleTitle"))
        return Item(
            upstream_id=f"pmid={pmid}",
            form="text",
            files=(file,),
            group=pseudonym("article", pmid),
            facts=(
                *self.declared_facts(),
                *told("title", title, "xml:ArticleTitle"),
                *each("keyword", (words_of(e) for e in citation.iter("DescriptorName")), "xml:MeshHeading", "MeSH"),
                *each("keyword", (words_of(e) for e in citation.iter("Keyword")), "xml:Keyword", "author"),
                *each("label", languages, "xml:Language", "language"),
                *each("label", kinds, "xml:PublicationType", "publication type"),
                *each("label", [words_of(article.find("Journal/Title"))], "xml:Journal", "journal"),
                *_year(article),
            ),
            text="\n\n".join(t for t in (title, abstract) if t),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        articles = [_written(number, *row) for number, row in enumerate(ARTICLES)]
        later = _written(0, ARTICLES[0][0], "eng", "Journal Article", *ARTICLES[0][3:], LATER)
        dropped = '<DeleteCitation><PMID Version="1">38000006</PMID></DeleteCitation>\n'
        head = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, '
        head += (
            '1st January 2025//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n<PubmedArticleSet>\n'
        )
        first = "".join([head, *articles[:4], "</PubmedArticleSet>\n"])
        (root / "baseline").mkdir()
        (root / "baseline/pubmed25n0001.xml.gz").write_bytes(gzip.compress(first.encode(), mtime=0))
        mini.text(root / "baseline/pubmed25n0002.xml", "".join([head, *articles[4:], "</PubmedArticleSet>\n"]))
        mini.text(root / "updatefiles/pubmed25n1275.xml", "".join([head, later, dropped, "</PubmedArticleSet>\n"]))


def _cited(found: re.Match[bytes] | None) -> Citation:
    """PMID and version; of a citation without a number 0, and it fails when it is read."""
    return (0, 1) if found is None else (int(found[2]), int(found[1] or 1))


def _ended(file: FileRef, status: Literal["dropped", "failed"], reason: str, found: str, remedy: str) -> Item:
    name = f"{file.path}#{file.fragment}"
    return Item(name, "none", (file,), status=status, reason=reason, found=found, remedy=remedy)


def _replaced(file: FileRef, reason: Reason) -> Item:
    if reason == "deleted_upstream":
        return _ended(file, "dropped", "deleted_upstream", "a citation that a later file deletes", "none needed")
    found = "a citation that a later one of its PMID replaces"
    return _ended(file, "dropped", "superseded", found, "none needed: the later one is read")


def _year(article: Element) -> tuple[Fact, ...]:
    year = words_of(article.find("Journal/JournalIssue/PubDate/Year"))
    return told("label", year, "xml:PubDate", about="year of publication")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The XML of a file, unpacked as it is read. Raises `RecordError` `bad_archive`."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            yield cast(BinaryIO, stream)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError("bad_archive", f"a file that cannot be unpacked ({type(error).__name__})", REMEDY) from None


def _written(number: int, title: str, language: str, kind: str, *parts: str) -> str:
    texts = "".join(f"<AbstractText{text}</AbstractText>" for text in parts)
    mesh = "<MeshHeadingList><MeshHeading><DescriptorName>Humans</DescriptorName></MeshHeading></MeshHeadingList>"
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{38000000 + number}</PMID>'
        f"<Article><Journal><JournalIssue><PubDate><Year>{2020 + number}</Year></PubDate></JournalIssue>"
        f"<Title>Journal of Invented Medicine</Title></Journal><ArticleTitle>{title}</ArticleTitle>"
        + (f"<Abstract>{texts}</Abstract>" if parts else "")
        + f"<Language>{language}</Language><PublicationTypeList><PublicationType>{kind}</PublicationType>"
        f"</PublicationTypeList></Article>{mesh}</MedlineCitation></PubmedArticle>\n"
    )


LATER = ' Label="CONCLUSIONS">Home spirometry is to be offered to all recipients in their first year.'
ARTICLES = (
    ("Home spirometry after lung transplantation.", "eng", "Journal Article",
     ' Label="BACKGROUND">A fall of FEV<sub>1</sub> is an early sign of rejection.',
     ' Label="RESULTS">Weekly home spirometry found 14 of 17 episodes a median of nine days sooner.'),
    ("[Wound care after caesarean section].", "ger", "Journal Article", ">Wounds were closed with clips in 112 women."),
    ("Serum tau and outcome after cardiac arrest.", "eng", "Retracted Publication",
     ">Serum tau at 72 hours separated good from poor outcome in this cohort of survivors."),
    ("A letter without an abstract.", "eng", "Letter"),
    ("Vaccination of dialysis patients against hepatitis B: a trial of two doses.", "eng",
     "Randomized Controlled Trial",
     ">Double doses raised the share of patients with protective antibodies from 58% to 74% after one year."),
    ("Peripheral oedema under amlodipine and its relief by <i>ramipril</i>.", "eng", "Journal Article",
     ">Adding an inhibitor of the converting enzyme halved the volume of the ankle, measured by water displacement."),
    ("Cold agglutinins after infusion of immunoglobulin: a case that was published twice.", "eng", "Case Reports",
     ">Haemolysis began on the second day of the infusion and ended after it was stopped."),
)  # fmt: skip
