"""ICD-10-CM, the tabular list of the U.S. clinical modification of ICD-10, as the National Center for Health
Statistics publishes it in XML: codes, descriptions, inclusion terms, exclusion notes.

Upstream's layout: chapter > section > diag (nested as deep as codes are). A record is one category, the first level
(`A00 Cholera`) with everything below it: about 1,900 documents of real terminology. Quirks: chapters are numbered 1–22,
notes stand at every level, some sections are placeholders without a category. The list is a work of the U.S.
Government and in the public domain in the United States; the Python package that carries it is MIT.
"""

from __future__ import annotations

import functools
import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, not_a_record, ref, usable
from sources.xml_files import parsed_xml

NOTES = {"inclusionTerm": "Includes", "includes": "Includes", "excludes1": "Excludes", "excludes2": "Not included here"}
MAX_NOTES = 12


class Icd10Cm(SourceConfig):
    """`chapters` picks chapters by number; without it all 22 are read."""

    source: Literal["icd10cm"]
    root: str = "package:simple_icd_10_cm/data"
    licence: str = "CC0-1.0"
    chapters: tuple[str, ...] = ()

    card: ClassVar[Card] = Card(
        name="icd10cm",
        what="ICD-10-CM tabular list: one document per category, with codes, terms and notes",
        url="https://www.cdc.gov/nchs/icd/icd-10-cm/",
        revision="April 1, 2026 (in simple-icd-10-cm 1.5.0)",
        licence="CC0-1.0",
        citation="National Center for Health Statistics, ICD-10-CM, 2026.",
        phi_risk="none",
        modalities=("text",),
        layout="icd10c-tabular-*.xml",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        entries, refused = usable(inventory, self.exclude)
        yield from refused
        for entry in entries:
            name = entry.path.lower()
            if not (name.endswith(".xml") and "tabular" in name):
                yield not_a_record(entry, "a file that is no tabular list")
                continue
            for chapter in self.chapters or tuple(str(n) for n in range(1, 23)):
                yield Item(upstream_id=f"chapter={chapter}", form="rows", files=(ref(entry),))

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        wanted = item.upstream_id.removeprefix("chapter=")
        path = item.files[0].path
        for chapter in _tabular(place.file(path)).iter("chapter"):
            if chapter.findtext("name", "").strip() == wanted:
                title = chapter.findtext("desc", "").strip()
                for section in chapter.iter("section"):
                    yield from (self._category(path, title, section, diag) for diag in section.findall("diag"))

    def _category(self, path: str, chapter: str, section: ET.Element, diag: ET.Element) -> Item:
        code = diag.findtext("name", "").strip()
        title = diag.findtext("desc", "").strip()
        text = document(diag, section.findtext("desc", "").strip(), chapter)
        data = text.encode()
        known = (("code", code), ("title", title), ("chapter", chapter))
        return Item(
            upstream_id=f"code={code}",
            form="text",
            files=(
                FileRef(
                    path=path,
                    sha256=hashlib.sha256(data).hexdigest(),
                    size_bytes=len(data),
                    role="container",
                    fragment=f"code={code}",
                ),
            ),
            facts=(*self.declared_facts(), *(Fact(name=n, value=v, origin=f"icd10cm:{n}") for n, v in known if v)),
            text=text,
        )


def document(diag: ET.Element, section: str, chapter: str) -> str:
    """A category as a readable page: title, place in the classification, notes, and its codes with descriptions."""
    code, title = diag.findtext("name", "").strip(), diag.findtext("desc", "").strip()
    lines = [f"{code} {title}", f"Chapter: {chapter}", f"Block: {section}"]
    for tag, word in NOTES.items():
        notes = [n.text.strip() for n in diag.findall(f"{tag}/note") if n.text][:MAX_NOTES]
        if notes:
            lines.append(f"{word}: {'; '.join(notes)}.")
    codes = [
        (d.findtext("name", "").strip(), d.findtext("desc", "").strip()) for d in diag.iter("diag") if d is not diag
    ]
    return "\n".join(lines + [f"{c}: {d}" for c, d in codes])


@functools.lru_cache(maxsize=2)
def _tabular(path: Path) -> ET.Element:
    """The parsed list (about 9 MB of XML, once per process)."""
    return parsed_xml(path.read_bytes())
