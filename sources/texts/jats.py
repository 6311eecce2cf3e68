"""Articles in JATS (ANSI/NISO Z39.96) as plain text: title, abstract, sections, captions of figures and tables.

Left out: tables' cells, formulas in TeX (their MathML is read), references, footnotes, acknowledgements, supplements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from sources.xml_files import words_of

XLINK = "{http://www.w3.org/1999/xlink}href"
ALI = "{http://www.niso.org/schemas/ali/1.0/}license_ref"
FLOATS = ("fig", "table-wrap", "fig-group", "table-wrap-group", "boxed-text", "supplementary-material", "media")
LEAVE = frozenset({*FLOATS, "tex-math", "fn", "table", "object-id", "inline-supplementary-material"})
PARAGRAPHS = ("title", "p", "list", "def-list", "disp-quote")
CREATIVE = re.compile(r"creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)", re.IGNORECASE)
MAX_SECTIONS = 16  # nested


def article_text(article: Element) -> str:
    """Paragraphs with a blank line between them; a section's title is a paragraph of its own."""
    meta = article.find("front/article-meta")
    title = words_of(article.find("front/article-meta/title-group/article-title"))
    found = [title]
    for abstract in [] if meta is None else meta.findall("abstract"):
        if abstract.get("abstract-type") in (None, "structured"):
            found += ["Abstract", *_section(abstract, 0)]
    body = article.find("body")
    if body is not None:
        found += _section(body, 0)
    return "\n\n".join(p for p in (*found, *captions(article)) if p)


def _section(section: Element, depth: int) -> Iterator[str]:
    for child in section:
        if child.tag in PARAGRAPHS:
            yield words_of(child, LEAVE)
        elif child.tag == "sec" and depth < MAX_SECTIONS:
            yield from _section(child, depth + 1)


def captions(article: Element) -> Iterator[str]:
    """`Figure 2. What it shows.`, for figures and tables in their order, of all the article."""
    for found in article.iter():
        if found.tag in ("fig", "table-wrap"):
            label, caption = words_of(found.find("label")), words_of(found.find("caption"), frozenset({"tex-math"}))
            if caption:
                yield f"{label.rstrip('.')}. {caption}" if label else caption


def licence_of(article: Element) -> str:
    """The article's licence as SPDX where it names one of Creative Commons, else the kind that it states, else ""."""
    for licence in article.findall("front/article-meta/permissions/license"):
        told = [licence.get(XLINK) or "", *(words_of(e) for e in licence.iter(ALI))]
        told += [e.get(XLINK) or "" for e in licence.iter("ext-link")] + [words_of(licence)]
        for text in told:
            found = CREATIVE.search(text)
            if found:
                kind, version = found[1].lower(), found[2]
                return f"CC0-{version}" if kind == "zero" else f"CC-{kind.upper()}-{version}"
        if kind := (licence.get("license-type") or "").strip():
            return kind
    return ""


def ids_of(article: Element) -> dict[str, str]:
    """The article's ids by kind: `pmc` with the letters PMC before its digits, `pmid`, `doi`."""
    ids = article.findall("front/article-meta/article-id")
    found = {str(e.get("pub-id-type")): words_of(e) for e in ids}
    pmc = next((found[k] for k in ("pmcid", "pmc", "pmcaid") if found.get(k)), "")
    number = pmc.upper().removeprefix("PMC").split(".")[0]
    return {**found, "pmc": f"PMC{number}" if number.isdecimal() else ""}
