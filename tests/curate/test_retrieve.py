"""Passages are found exactly as BM25 says, whatever the shards, and never those that a sample may not show."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curate.audit import verify
from curate.cluster import run_here
from curate.explain import explain
from curate.plan import plan
from curate.recipe import load
from curate.retrieve import index, search, terms
from curate.retrieve.config import Retrieve
from curate.run import Options
from curate.store import building, publish, unit_folder
from curate.text import comparison
from manifests.errors import RecipeError
from manifests.record import Asked, Record, to_json
from tests.corpus import run_recipe
from tests.forge import rows_of, samples_of, shards_of

WORDS = [a + b for a in "bcdfgklmnprt" for b in ("ano", "eri", "ilo", "otu", "uma", "ave")]


def text_of(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, [1 / n for n in range(1, len(WORDS) + 1)], k=words)).capitalize() + "."


def record_of(number: int, text: str, group: str, question: str = "") -> Record:
    key = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    asked = (Asked(question, "yes"),) if question else ()
    return Record(key, "s", "s/x", str(number), "0" * 64, "text", group, "MIT", "open", text=text, asked=asked)


def shard_of(work: Path, name: str, records: list[Record], access: str = "open", words: int = 20) -> str:
    """The key of a finished index over these records."""
    rows = [{"key": r.key, "status": "ready", "record": to_json(r)} for r in records]
    with building(work, "prepare", name) as folder:
        pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
        publish(work, "prepare", name, folder, {})
    unit = index.unit_of(name, tuple(r.key for r in records), words, ("s", "MIT", access), name)
    return done(work, unit)


def done(work: Path, unit: Any) -> str:
    module = {"retrieve_index": index, "retrieve_terms": terms, "retrieve": search}[unit.stage]
    with building(work, unit.stage, unit.key) as folder:
        publish(work, unit.stage, unit.key, folder, module.work(unit.spec, folder, work))
    return str(unit.key)


def found(work: Path, asking: list[Record], shards: list[str], config: Retrieve) -> list[list[tuple[str, int]]]:
    """For each record (first half of its passage's key, score)."""
    merged = terms.open_terms(work, done(work, terms.unit_of(tuple(shards))))
    opened = [index.open_shard(unit_folder(work, index.STAGE, key)) for key in shards]
    questions = [search.Question(r, 1, r.asked[0].question) for r in asking]
    hits = search.search(questions, opened, merged, config)
    out = []
    for places, scores in zip(hits.places.tolist(), hits.scores.tolist(), strict=True):
        pairs = [(p, s) for p, s in zip(places, scores, strict=True) if p >= 0]
        out.append([(opened[p >> 32].passages[p & 0xFFFFFFFF]["key"].tobytes().hex(), s) for p, s in pairs])
    return out


def said(text: str) -> list[str]:
    """The terms of a text, in the plainest way."""
    words = (w[:-1] if len(w) > 3 and w[-1] == "s" and w[-2] not in "sui" else w for w in comparison(text).split())
    return [w for w in words if w not in index.STOP_WORDS]


@functools.cache
def bag_of(text: str) -> Counter[str]:
    return Counter(said(text))


def brute(asking: Record, passages: list[tuple[str, Record, str]], config: Retrieve) -> list[tuple[str, float]]:
    """BM25 as the paper writes it, over every passage."""
    bags = [bag_of(text) for _, _, text in passages]
    lengths = [sum(bag.values()) for bag in bags]
    mean = sum(lengths) / len(lengths)
    scored = []
    for (key, owner, _), bag, length in zip(passages, bags, lengths, strict=True):
        score = 0.0
        for term in set(said(asking.asked[0].question)) & bag.keys():
            many = sum(term in other for other in bags)
            idf = math.log(1 + (len(bags) - many + 0.5) / (many + 0.5))
            score += idf * bag[term] / (bag[term] + config.k1 * (1 - config.b + config.b * length / mean))
        if score and (owner.key == asking.key or owner.group != asking.group):
            scored.append((key, score))
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


@pytest.mark.slow
def test_the_best_passages_are_those_of_a_search_of_every_passage_whatever_the_shards(tmp_path: Path) -> None:
    draw = random.Random(5)
    made = [
        record_of(n, " ".join(text_of(draw, draw.randint(5, 15)) for _ in range(4)), f"g{n % 25}", text_of(draw, 7))
        for n in range(60)
    ]
    config = Retrieve(words=20, candidates=6)
    passages = [
        (hashlib.sha256(f"{r.key}\x1f{a}\x1f{b}".encode()).hexdigest()[:32], r, index.flat(r.text[a:b]))
        for r in made
        for a, b in index.cut(r.text, 20)
    ]
    assert len(passages) > 2 * len(made)
    several = [shard_of(tmp_path, str(n), made[n * 20 : n * 20 + 20]) for n in range(3)]
    hits = found(tmp_path, made, several, config)
    for record, best in zip(made, hits, strict=True):
        wanted = brute(record, passages, config)[: 2 * config.candidates]
        assert len(best) == len(wanted)
        for (key, score), (_, exact) in zip(best, wanted, strict=True):
            assert abs(score / search.SCALE**2 - exact) < 1e-4
            assert abs(dict(wanted).get(key, exact) - exact) < 1e-4, "another only where two are equal"
    assert found(tmp_path, made, several[::-1], config) == hits
    assert found(tmp_path, made, [shard_of(tmp_path, "all", made[::-1])], config) == hits


@pytest.mark.slow
def test_groups_own_text_and_stricter_access_are_kept_apart(tmp_path: Path) -> None:
    one = record_of(1, "Bano beri bilo potu kuma.", "g1", "bano beri?")
    other = record_of(2, "Bano beri dano deri tave.", "g1")
    alien = record_of(3, "Bano fano feri filo futu.", "g3")
    held = record_of(4, "Beri bano beri.", "g4")
    shards = [shard_of(tmp_path, "open", [one, other, alien]), shard_of(tmp_path, "held", [held], "credentialed")]
    key = {
        r.key: hashlib.sha256(f"{r.key}\x1f0\x1f{len(r.text)}".encode()).hexdigest()[:32] for r in (one, alien, held)
    }

    def keys(asking: Record, config: Retrieve) -> list[str]:
        return [k for k, _ in found(tmp_path, [asking], shards, config)[0]]

    assert keys(one, Retrieve()) == [key[one.key], key[alien.key]]
    assert keys(one, Retrieve(oracle="drop")) == [key[alien.key]]
    assert keys(dataclasses.replace(one, access="credentialed"), Retrieve())[0] == key[held.key]


@pytest.mark.slow
@given(st.lists(st.sampled_from(["Lungs are clear.", "No effusion", "a b", "\n", "x" * 9, "Mass of 3.5 cm seen."])))
def test_passages_hold_every_word_of_a_text_once_in_order_and_are_no_longer_than_asked(parts: list[str]) -> None:
    text = " ".join(parts)
    places = index.cut(text, 20)
    assert " ".join(" ".join(text[a:b].split()) for a, b in places) == " ".join(text.split())
    assert all(len(text[a:b].split()) <= 25 for a, b in places)


def test_a_long_sentence_is_cut_at_words_and_numbers_of_references_are_left_out() -> None:
    text = "word " * 70 + "end."
    assert [len(text[a:b].split()) for a, b in index.cut(text, 20)] == [20, 20, 20, 11]
    assert index.flat("Light helps [3].\nSo does sleep [4, 5-7] \ufffc now.") == "Light helps. So does sleep now."


@pytest.mark.slow
def test_a_plural_is_its_singular_and_words_that_say_nothing_are_no_terms() -> None:
    def same(one: str, other: str) -> bool:
        return [h.tolist() for h in index.terms_of([one])] == [h.tolist() for h in index.terms_of([other])]

    assert same("Pleural effusions and nodules of the lungs", "pleural effusion nodule lung")
    assert not same("mass", "mas")
    assert not same("virus", "viru")
    assert not same("gas", "ga")
    assert same("", "it is the")


# ------------------------------------------------------------------------------------------------------------ a run
def corpus(root: Path) -> Path:
    draw = random.Random(3)
    drugs = ("aspirin", "heparin", "warfarin", "digoxin", "insulin", "morphine")
    lines = []
    for n in range(48):
        drug = drugs[n % 6]
        body = " ".join(text_of(draw, 9) for _ in range(3))
        text = f"{body} Treatment with {drug} was {'' if n % 3 else 'not '}followed by recovery on ward{n}."
        question = f"What did the team of ward{n} try, {draw.choice(WORDS[:9])}?"
        lines.append({"q": question, "a": drug, "t": text, "g": f"p{n}"})
    (root / "qa.jsonl").write_text("\n".join(map(json.dumps, lines)))
    recipe = {
        "name": "found", "seed": 3, "stages": ["sft", "rlvr"], "retrieve": {"words": 40, "candidates": 8},
        "select": {"near_duplicates": {"text": None}, "split": {"val": 0.2, "test": 0.1}},
        "sources": [{"source": "jsonl_text", "root": "qa.jsonl", "question": "q", "answer": "a", "text": "t",
                     "group": "g", "licence": "MIT"}],
        "tasks": ["qa", {"task": "rag", "without": 0.4}],
    }  # fmt: skip
    path = root / "found.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def digests(out: Path) -> dict[str, str]:
    names = [*shards_of(out), *(str(p.relative_to(out)) for p in sorted((out / "ledger").iterdir()))]
    return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names}


@pytest.mark.slow
def test_samples_name_whose_words_they_show_and_an_edit_searches_again_but_indexes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, work = corpus(tmp_path), tmp_path / "work"
    loaded, folder = load(str(recipe))
    run_recipe(recipe, tmp_path / "out", work=work)
    report = verify(tmp_path / "out")
    assert report.ok, report.text()
    rows = {row["key"]: row for row in rows_of(tmp_path / "out")}
    shown = [json.loads(f["json"]) for s in shards_of(tmp_path / "out") for _, f in samples_of(tmp_path / "out" / s)]
    shown = [sample for sample in shown if sample["task"] == "rag"]
    kinds = {v["evidence"].split(":")[0] for s in shown for v in s["verdicts"] if v["check"] == "support"}
    assert kinds == {"supported", "silent"}
    for sample in shown:
        told = next(s for s in rows[sample["record"]]["samples"] if s["key"] == sample["key"])
        assert told["passages"] == list(dict.fromkeys(p["record"] for p in sample["passages"]))
        assert {rows[p["record"]]["split"] for p in sample["passages"]} == {"train"} == {sample["split"]}
    lent = next(p for sample in shown for p in sample["passages"] if not p["own"])
    assert "its words stand as passages in" in explain(tmp_path / "out", lent["record"])
    with monkeypatch.context() as patch:
        patch.setattr("curate.run.run_here", lambda units, place: run_here(units[::-1], place))
        run_recipe(recipe, tmp_path / "again", work=tmp_path / "other")
    assert digests(tmp_path / "again") == digests(tmp_path / "out")
    before = executed(work)
    run_recipe(recipe, tmp_path / "out", "retrieve.k1=2.0", work=work)
    grown = {stage: n - before[stage] for stage, n in executed(work).items() if n != before[stage]}
    assert grown.keys() <= {"retrieve", "synthesize", "pack"}
    assert grown["retrieve"]
    stages = {s.name: s for s in plan(loaded, Options(tmp_path / "out", work, folder, workers=0, quiet=True)).stages}
    assert stages["retrieve"].done == stages["retrieve"].units > 0


def executed(work: Path) -> Counter[str]:
    return Counter(path.parents[2].name for path in (work / "units").glob("*/*/*/done.json"))


@pytest.mark.parametrize(
    ("override", "told"),
    [("retrieve=null", "add `retrieve"), ("tasks=[qa]", "no task shows"), ("retrieve.sources=[qa]", "unknown source")],
)
def test_a_recipe_that_cannot_be_meant_is_refused(override: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=told):
        load(str(corpus(tmp_path)), (override,))
