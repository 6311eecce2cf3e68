"""PubMedQA (Jin et al. 2019): yes/no/maybe questions on abstracts, 1,000 of them labelled by experts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manifests.errors import RecipeError
from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, find, json_value, need, said

NAME = "pubmedqa"
KNOWN: Known = "measured"
SPLITS = ("test", "all")
LAYOUT = """\
data/ori_pqal.json, {PMID: {QUESTION, CONTEXTS [paragraphs], LABELS, MESHES, YEAR, final_decision, LONG_ANSWER}}, and
data/test_ground_truth.json, {PMID: decision}, which names the 500 of the test split (measured). `all` is all 1,000."""


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    """The article is the item's study, `pmid:NNN`: its abstract is the context, so the article itself is the leak."""
    check_split(split, SPLITS, NAME)
    path = find(folder, ("ori_pqal.json", "data/ori_pqal.json"), NAME)[0]
    articles = json_value(path)
    if not isinstance(articles, dict):
        raise RecipeError(f"'{path.name}' is no object of articles; is it this benchmark's file?")
    wanted = articles
    if split == "test":
        wanted = json_value(find(path.parent, ("test_ground_truth.json",), NAME)[0])
    for pmid, row in articles.items():
        if pmid not in wanted:
            continue
        need(row, ("QUESTION", "CONTEXTS", "LONG_ANSWER"), path)
        yield BenchmarkItem(
            item_id=pmid,
            question=said(row, "QUESTION"),
            answer=said(row, "LONG_ANSWER"),
            context="\n".join(str(paragraph) for paragraph in row["CONTEXTS"]),
            study=f"pmid:{pmid}",
        )
