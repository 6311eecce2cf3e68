"""PMC's open access articles in JATS: full text with sections, captions of figures and tables, and each one's licence.

Upstream's layouts: bulk archives (`oa_comm_xml.PMC000xxxxxx.baseline.DATE.tar.gz` and the like, of
`PMC000xxxxxx/PMC12345.xml`), packages of one article (`PMC12345.tar.gz` with a `.nxml`, its figures and supplements),
and single files (`PMC12345.xml`, `PMC12345.1/PMC12345.1.xml`, `*.nxml`). Quirks: the licence is each article's own,
and articles of the `noncomm` part may not be used commercially; a document type without entities stands before each;
ids come with and without the letters PMC; a retracted article is told by its title (`RETRACTED: ...`), a notice of
retraction by its type; some articles are scans without a body.

Archives are read member by member, of which those that are no XML are passed over. A run of an archive that is
compressed is reached by reading what is before it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal
from xml.etree.ElementTree import Element

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import FileRef
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import block_items
from sources.figures.shared import each
from sources.texts.jats import article_text, captions, ids_of, licence_of
from sources.texts.shared import documents
from sources.upstream import REMEDY, Shelf, Upstream, broken, told
from sources.xml_files import parsed_xml, words_of

if TYPE_CHECKING:
    import numpy as np

SINGLE, ARCHIVES = ("*.xml", "*.nxml"), ("*.tar.gz", "*.tgz", "*.tar")
RUN_BYTES = 64 << 20
MAX_ARTICLE_BYTES = 64 << 20
BROKEN = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error)
NOTICES = ("retraction", "correction", "expression-of-concern")


class PmcArticles(Upstream):
    """One record per article. `licences` are those that are taken, as SPDX (all, if empty): CC-BY-4.0, CC0-1.0, ..."""

    source: Literal["pmc_articles"]
    licences: tuple[str, ...] = ()
    card: ClassVar[Card] = Card(
        name="pmc_articles",
        what="full texts of open access articles with captions",
        url="https://pmc.ncbi.nlm.nih.gov/tools/openftlist/",
        revision="layout of 2025; bucket pmc-oa-opendata",
        licence="LicenseRef-PMC-open-access-per-article",
        citation="National Library of Medicine. PMC Open Access Subset. Bethesda (MD), 2003-.",
        phi_risk="low: published; case reports tell of patients who consented. Authors' names are not taken over",
        modalities=("text",),
        tasks=("text",),
        size="about 7 million articles",
        layout="*.tar.gz of PMCNNN.xml, or PMCNNN.xml and *.nxml in any folders",
        known="recalled",
        remotes=(Remote(kind="s3", at="pmc-oa-opendata", files=("*.xml",)),),
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        """The runs of an archive's articles as `first article,bytes,articles`."""
        if not path.name.endswith((".tar.gz", ".tgz", ".tar")):
            return {}
        blocks: list[str] = []
        first = size = count = 0
        for _, data in _members(path):
            if count and size + len(data) > RUN_BYTES:
                blocks.append(f"{first},{size},{count}")
                first, size, count = first + count, 0, 0
            size, count = size + len(data), count + 1
        return {"blocks": ";".join([*blocks, f"{first},{size},{count}"] if count else blocks)}

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        single = shelf.matching(*SINGLE)
        for entry in single:
            shelf.take(entry)
            if entry.size_bytes > MAX_ARTICLE_BYTES:
                yield broken(entry, RecordError("too_large", f"{entry.size_bytes} bytes of one article", REMEDY))
        yield from documents([e for e in single if e.size_bytes <= MAX_ARTICLE_BYTES])
        for entry in shelf.matching(*ARCHIVES):
            shelf.take(entry)
            yield from block_items(entry)
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        for file, data in _articles(item, place):
            try:
                yield self._article(file, parsed_xml(data), pseudonym)
            except RecordError as error:
                yield _ended(file, "failed", error.reason, error.found, error.remedy)

    def _article(self, file: FileRef, root: Element, pseudonym: Pseudonym) -> Item:
        article = root if root.tag == "article" else root.find(".//article")
        if article is None:
            raise RecordError("bad_xml", "a document that is no article", REMEDY)
        kind, licence, ids = article.get("article-type") or "", licence_of(article), ids_of(article)
        title = words_of(article.find("front/article-meta/title-group/article-title"))
        if kind in NOTICES or title.upper().startswith("RETRACTED"):
            return _ended(file, "dropped", "retracted", f"a {kind[:20] or 'retracted article'}", "none needed")
        if self.licences and licence not in self.licences:
            found = f"an article under '{licence[:40] or 'no stated licence'}'"
            return _ended(file, "dropped", "other_licence", found, "name it in `licences` to take it")
        text = article_text(article)
        if article.find("body") is None and article.find("front/article-meta/abstract") is None:
            return _ended(file, "dropped", "no_text", "an article without abstract and body", "none needed")
        name = ids["pmc"] or ids.get("doi") or ids.get("pmid") or file.path
        meta = "front/article-meta"
        return Item(
            upstream_id=name,
            form="text",
            files=(file,),
            group=pseudonym("article", name),
            facts=(
                *self.declared_facts(),
                *told("title", title, "xml:article-title"),
                *told("label", licence or "not stated", "xml:license", about="licence"),
                *told("label", kind, "xml:article", about="article type"),
                *each("label", [words_of(article.find("front/journal-meta//journal-title"))], "xml:journal", "journal"),
                *each("keyword", (words_of(e) for e in article.findall(f"{meta}/kwd-group/kwd")), "xml:kwd", "author"),
                *each("caption", captions(article), "xml:caption"),
            ),
            text=text,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        written = [_written(number, *row) for number, row in enumerate(ARTICLES)]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for number, data in enumerate(written[:3]):
                _add(tar, f"PMC010xxxxxx/PMC1000000{number}.xml", data.encode())
            _add(tar, "PMC010xxxxxx/figure.jpg", b"\xff\xd8\xff")
        bulk = root / "oa_comm_xml.PMC010xxxxxx.baseline.2025-06-26.tar.gz"
        bulk.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
        mini.text(root / "PMC10000003.1/PMC10000003.1.xml", written[3])
        mini.text(root / "case.nxml", written[4].replace("</body>", ""))  # cut short


def _articles(item: Item, place: Place) -> Iterator[tuple[FileRef, bytes]]:
    """The articles of a run of files, or of an archive. Raises `RecordError` `bad_archive`."""
    if item.block is None:
        for file in item.files:
            yield file, place.file(file.path).read_bytes()
        return
    first, _, count = item.block
    path = item.files[0].path
    for number, (name, data) in enumerate(_members(place.file(path))):
        if number >= first + count:
            return
        if number >= first:
            sha256 = hashlib.sha256(data).hexdigest()
            yield FileRef(path, sha256, len(data), fragment=f"member={name}"), data


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The XML members of an archive in their order, one in memory at a time; links and large ones are left out."""
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # else every header is kept
                if member.isreg() and member.name.endswith((".xml", ".nxml")) and member.size <= MAX_ARTICLE_BYTES:
                    stream = archive.extractfile(member)
                    yield member.name, stream.read() if stream else b""
    except BROKEN as error:
        raise RecordError("bad_archive", f"a tar that breaks ({type(error).__name__})", REMEDY) from None


def _ended(file: FileRef, status: Literal["dropped", "failed"], reason: str, found: str, remedy: str) -> Item:
    name = f"{file.path}#{file.fragment}" if file.fragment else file.path
    return Item(name, "none", (file,), status=status, reason=reason, found=found, remedy=remedy)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _written(number: int, licence: str, title: str, abstract: str, heading: str, text: str, caption: str) -> str:
    figure = f'<fig id="f1"><label>Figure 1.</label><caption><p>{caption}</p></caption></fig>' if caption else ""
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving v1.2//EN" '
        '"JATS-archivearticle1.dtd">\n<article xmlns:xlink="http://www.w3.org/1999/xlink" '
        'article-type="research-article"><front><journal-meta><journal-title-group><journal-title>Invented Medicine'
        "</journal-title></journal-title-group></journal-meta><article-meta>"
        f'<article-id pub-id-type="pmc">{10000000 + number}</article-id><title-group><article-title>{title}'
        "</article-title></title-group><permissions><license "
        f'xlink:href="https://creativecommons.org/licenses/{licence}/4.0/"/></permissions>'
        f"<abstract><p>{abstract}</p></abstract></article-meta></front><body><sec><title>{heading}</title>"
        f"<p>{text} <xref>[1]</xref></p>{figure}</sec></body></article>"
    )


ARTICLES = (
    ("by", "Handgrip strength before elective hernia repair", "Grip strength was measured in 212 adults.", "Results",
     "Weak grip doubled the odds of a stay beyond two nights, after adjustment for age and smoking.",
     "Odds of a long stay by quintile of grip strength."),
    ("by-nc", "Sleep of shift-working nurses under bright light", "Light boxes were tried in a crossover design.",
     "Methods", "Each nurse spent four weeks with and four weeks without forty minutes of bright light.", ""),
    ("by", "RETRACTED: A vaccine against the common cold", "This article was retracted.", "Results", "None.", ""),
    ("by", "Point-of-care ultrasound of the optic nerve sheath", "Raised intracranial pressure widens the sheath.",
     "Discussion", "A width above 5.7 mm told raised pressure with good sensitivity and fair specificity.",
     "Transorbital view; the markers stand three millimetres behind the globe."),
    ("by", "Copper deficiency after bariatric surgery", "Two cases.", "Case 1", "A woman could not walk.", ""),
)  # fmt: skip
