"""PubMed's files over each other: the last citation of a PMID counts, and what a later file deletes does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.base import Place
from sources.texts.pubmed_abstracts import PubMedAbstracts
from sources.texts.pubmed_versions import Citation, ended_of, read, reasons, written
from tests.sources.listing import entries_of, items_of, pseudonym

CITATIONS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from([1, 1, 1, 2])), max_size=5)
FILES = st.lists(st.tuples(st.lists(CITATIONS, min_size=1, max_size=3), CITATIONS), max_size=4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99_999_999), st.integers(1, 300))))
def test_citations_are_told_whole_by_their_text(citations: list[Citation]) -> None:
    pmids, versions = read(written(citations))
    assert list(zip(pmids.tolist(), versions.tolist(), strict=True)) == citations


def test_citations_that_follow_each_other_need_no_room() -> None:
    assert len(written([(n, 1) for n in range(1, 30_001)])) < 10


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(FILES)
def test_what_lives_is_what_is_left_when_files_are_taken_in_turn(
    files: list[tuple[list[list[Citation]], list[Citation]]],
) -> None:
    top: dict[int, int] = {}
    for pmid, version in (c for runs, _ in files for run in runs for c in run):
        top[pmid] = max(top.get(pmid, 1), version)
    lives: dict[int, tuple[int, int, int]] = {}
    for at, (runs, gone) in enumerate(files):
        for which, run in enumerate(runs):
            lives |= {p: (at, which, number) for number, (p, v) in enumerate(run) if v == top[p]}
        for pmid, version in gone:
            if version >= top.get(pmid, 1):
                lives.pop(pmid, None)
    ended = ended_of([(";".join(map(written, runs)), written(gone)) for runs, gone in files])
    kept = {
        (at, which, number)
        for at, (runs, _) in enumerate(files)
        for which, run in enumerate(runs)
        for number in range(len(run))
        if number not in reasons(ended[at][which])
    }
    assert kept == set(lives.values())


def test_an_update_changes_only_the_runs_that_it_speaks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.texts.pubmed_abstracts.RUN_BYTES", 700)
    source = PubMedAbstracts.model_validate({"source": "pubmed_abstracts"})
    cite = "<PubmedArticle><MedlineCitation><PMID Version='1'>{}</PMID><Article><ArticleTitle>T {}</ArticleTitle>"
    cite += "<Abstract><AbstractText>A{}</AbstractText></Abstract><Language>eng</Language></Article>"
    cite += "</MedlineCitation></PubmedArticle>"
    articles = [cite.format(n, n, " word" * 20) for n in range(1, 7)]
    place = Place(tmp_path, tmp_path)

    def listed(name: str, text: str) -> list[tuple[str, str]]:
        (tmp_path / name).write_text(f"<PubmedArticleSet>{text}</PubmedArticleSet>")
        items = source.items(place, entries_of(source, place), pseudonym)
        return [(i.upstream_id, i.text) for i in items if i.form == "rows"]

    before = listed("pubmed25n0001.xml", "".join(articles))
    gone = "<DeleteCitation><PMID Version='1'>5</PMID><PMID>77</PMID></DeleteCitation>"
    after = dict(listed("pubmed25n0002.xml", articles[0] + gone))
    changed = [name for name, text in before if after[name] != text]
    assert len(before) >= 3
    assert changed == ["pubmed25n0001.xml#block=0", "pubmed25n0001.xml#block=2"]
    items = items_of(source, place)
    assert {i.upstream_id: i.reason for i in items if i.reason} == {
        "pubmed25n0001.xml#pmid=1": "superseded",
        "pubmed25n0001.xml#pmid=5": "deleted_upstream",
    }
    assert [i.upstream_id for i in items if not i.reason] == [f"pmid={n}" for n in (2, 3, 4, 6, 1)]
    listed("pubmed25n0003.xml", "<DeleteCitation><PMID>2</PMID></DeleteCitation>")
    assert {"pubmed25n0001.xml#pmid=2", "pubmed25n0003.xml"} <= {
        i.upstream_id for i in items_of(source, place) if i.reason
    }
