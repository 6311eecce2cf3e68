"""MedQuAD: questions and answers of twelve websites of the U.S. National Institutes of Health.

Upstream's layout (github.com/abachaa/MedQuAD): a folder per website, a file per page: `Document` (id, source, url) with
`Focus`, `FocusAnnotations` (UMLS/CUIs/CUI, UMLS/SemanticGroup, Category, Synonyms/Synonym) and `QAPairs/QAPair` of
`Question` (qid, qtype) and `Answer`. Quirks: the answers of three MedlinePlus folders (10 to 12) were taken out for
copyright, so that their pages have none; one page may ask the same question several times, each with another answer;
questions were made by rules (`What is (are) X ?`); words run together where a page had a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal
from xml.etree.ElementTree import Element

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Asked, Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import each
from sources.texts.shared import documents
from sources.upstream import REMEDY, Shelf, Upstream, told
from sources.xml_files import parsed_xml, words_of

if TYPE_CHECKING:
    import numpy as np


class MedQuad(Upstream):
    """One record per page, with all its questions."""

    source: Literal["medquad"]
    card: ClassVar[Card] = Card(
        name="medquad",
        what="questions and answers on diseases, drugs and tests from websites of the NIH",
        url="https://github.com/abachaa/MedQuAD",
        revision="577bd37b96c02d1833b2c9eed2de9f96964e96cb",
        licence="CC-BY-4.0",
        citation="Ben Abacha, Demner-Fushman. A Question-Entailment Approach to Question Answering. BMC Bioinformatics "
        "20, 511 (2019).",
        phi_risk="none: pages for the public",
        modalities=("text",),
        tasks=("qa",),
        size="47,457 questions on 11,274 pages",
        layout="N_SOURCE_QA/NNNNNNN.xml",
        known="measured",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        pages = shelf.matching("*.xml")
        for entry in pages:
            shelf.take(entry)
        yield from documents(pages)
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        for file in item.files:
            try:
                yield self._page(file, parsed_xml(place.file(file.path).read_bytes()), pseudonym)
            except RecordError as error:
                yield Item(
                    file.path, "none", (file,), status="failed", reason=error.reason, found=error.found,
                    remedy=error.remedy,
                )  # fmt: skip

    def _page(self, file: FileRef, page: Element, pseudonym: Pseudonym) -> Item:
        if page.tag != "Document":
            raise RecordError("bad_xml", "a file that is no Document", REMEDY)
        pairs = [(pair.find("Question"), words_of(pair.find("Answer"))) for pair in page.iter("QAPair")]
        asked = tuple(
            Asked(question, answer, about=(node.get("qtype") or "") if node is not None else "")
            for node, answer in pairs
            if answer and (question := words_of(node))
        )
        address = f"{page.get('source') or ''}/{page.get('id') or file.path}"
        if not asked:
            found = f"a page of {len(pairs)} questions without answers"
            remedy = "none needed: its answers were taken out upstream"
            return Item(address, "none", (file,), status="dropped", reason="no_answers", found=found, remedy=remedy)
        return Item(
            upstream_id=address,
            form="text",
            files=(file,),
            group=pseudonym("page", address),
            facts=(*self.declared_facts(), *_facts(page)),
            asked=asked,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for number, (focus, code, pairs) in enumerate(PAGES):
            asked = "".join(
                f'<QAPair pid="{n}"><Question qid="{number}-{n}" qtype="{kind}">{question}</Question>'
                f"<Answer>{answer}</Answer></QAPair>"
                for n, (kind, question, answer) in enumerate(pairs, start=1)
            )
            umls = f"<UMLS><CUIs><CUI>{code}</CUI></CUIs><SemanticGroup>Disorders</SemanticGroup></UMLS>"
            page = f"<Focus>{focus}</Focus><FocusAnnotations>{umls}</FocusAnnotations><QAPairs>{asked}</QAPairs>"
            xml = (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<Document id="{number:07d}" source="NIDDK">{page}</Document>'
            )
            mini.text(root / f"5_NIDDK_QA/{number:07d}.xml", xml)
        mini.text(root / "5_NIDDK_QA/0000009.xml", '<!DOCTYPE a [<!ENTITY b "c">]><Document>&b;</Document>')


def _facts(page: Element) -> Iterator[Fact]:
    yield from told("title", words_of(page.find("Focus")), "xml:Focus")
    yield from each("code", (words_of(e) for e in page.iter("CUI")), "xml:CUI", about="UMLS")
    yield from each("keyword", (words_of(e) for e in page.iter("Synonym")), "xml:Synonym", about="synonym")
    kinds = (words_of(e) for tag in ("SemanticGroup", "Category") for e in page.iter(tag))
    yield from each("label", kinds, "xml:SemanticGroup", about="semantic group")
    yield from each("label", (page.get("source"),), "xml:Document", about="website")


PAGES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("Celiac Disease", "C0007570", (
        ("information", "What is (are) Celiac Disease ?", "An immune reaction to gluten in the small intestine."),
        ("treatment", "What are the treatments for Celiac Disease ?", "A diet without gluten for life."))),
    ("Kidney Stones", "C0022650", (
        ("causes", "What causes Kidney Stones ?", "Minerals in concentrated urine form crystals."),)),
    ("Gastroparesis", "C0152020", (
        ("symptoms", "What are the symptoms of Gastroparesis ?", "Early fullness, nausea and vomiting after meals."),)),
    ("Hemochromatosis", "C0018995", (("information", "What is (are) Hemochromatosis ?", ""),)),
)  # fmt: skip
