"""The decisions of select over generated corpora: no leak, no dependence on order, strangers change nothing."""

from __future__ import annotations

import json
import random
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from curate.matching.confirm import Agreed
from curate.select import Known, PreparedUnit, Seen, SelectConfig, SelectSpec, decide
from manifests.record import Record

KINDS = ("image", "volume", "video", "text")
RELATIONS = {
    ("image", "image"): "image", ("volume", "volume"): "volume", ("video", "video"): "video",
    ("image", "volume"): "slice", ("volume", "image"): "slice",
    ("image", "video"): "frame", ("video", "image"): "frame",
}  # fmt: skip


def row(rng: random.Random, unit: int, number: int) -> dict[str, Any]:
    kind = rng.choice(KINDS)
    return {
        "key": f"{unit:02d}-{number:04d}", "status": "ready", "kind": kind, "modality": rng.choice(["CT", "MR"]),
        "group": rng.choice(["", *(f"patient {rng.randrange(12)}" for _ in range(3))]),
        "sha256": f"bytes {unit} {rng.randrange(40)}",
        "pixel_sha256": "" if kind == "text" else f"pixels {rng.randrange(40)}",
        "text_sha256": rng.choice(["", f"text {rng.randrange(20)}"]), "marks": "",
        "template": f"template {rng.randrange(6)}",
    }  # fmt: skip


def corpus(seed: int, units: int = 3, each: int = 40) -> tuple[list[list[dict[str, Any]]], list[Any]]:
    """Rows by unit, and pairs of rows whose pixels agree as (key, key, score, shares, turn)."""
    rng = random.Random(seed)
    rows = [[row(rng, unit, number) for number in range(each)] for unit in range(units)]
    shown = [r for held in rows for r in held if r["kind"] != "text"]
    agreed = []
    for _ in range(each):
        one, other = rng.sample(shown, 2)
        if (one["kind"], other["kind"]) in RELATIONS:
            shares = (rng.choice([1.0, 0.7, 0.3]), rng.choice([1.0, 0.7, 0.3]))
            agreed.append((one["key"], other["key"], rng.choice([0.8, 0.9]), shares, rng.choice([0, 0, 1])))
    return rows, agreed


def decided(
    rows: Sequence[list[dict[str, Any]]],
    agreed: Sequence[Any],
    config: SelectConfig,
    repeated: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Any]:
    """The decisions by key; every unit is a source of its own."""
    units = tuple(PreparedUnit(f"unit of {held[0]['key'][:2]}", held[0]["key"][:2], 0, "CC0-1.0") for held in rows)
    seen = [Seen(n, place, units[n].source, values) for n, held in enumerate(rows) for place, values in enumerate(held)]
    place = {s.values["key"]: s for s in seen}
    pairs = []
    for one, other, score, shares, turn in agreed:
        if one in place and other in place:
            a, b = place[one], place[other]
            relation: Any = RELATIONS[a.values["kind"], b.values["kind"]]
            first = a.values["kind"] == "image"
            names = units[a.unit].key, a.row, units[b.unit].key, b.row
            pairs.append(Agreed(*names, relation, score, 0.7, turn, "", -1, first, shares))
    return {
        d["key"]: d for d in decide(seen, SelectSpec(units, config, 7), _nobody, Known(tuple(pairs), repeated=repeated))
    }


def _nobody(seen: Seen) -> Record:
    raise AssertionError(f"{seen.values['key']} is no record that failed or stands twice")


SPLIT = SelectConfig.model_validate({"split": {"val": 0.2, "test": 0.3}})
STRATIFIED = SelectConfig.model_validate({"split": {"val": 0.2, "test": 0.3, "stratify": ["source", "modality"]}})


def components(rows: Sequence[list[dict[str, Any]]], agreed: Sequence[Any]) -> list[set[str]]:
    """Records that one may not tell apart, by a search of our own: a patient, equal media, equal texts, links."""
    near: dict[Any, set[Any]] = defaultdict(set)

    def join(one: Any, other: Any) -> None:
        near[one].add(other)
        near[other].add(one)

    keys = [r["key"] for held in rows for r in held]
    for values in (r for held in rows for r in held):
        join(values["key"], values["key"])
        for token in _tokens(values):
            join(values["key"], token)
    for one, other, *_ in agreed:
        join(one, other)
    found, left = [], set(keys)
    while left:
        queue, component = deque([min(left)]), {min(left)}
        while queue:
            for node in near[queue.popleft()] - component:
                component.add(node)
                queue.append(node)
        found.append(component & set(keys))
        left -= component
    return found


def _tokens(values: dict[str, Any]) -> list[tuple[str, ...]]:
    tokens = [("patient", values["group"])] if values["group"] else []
    if values["kind"] == "text":
        said = ("text", values["text_sha256"]) if values["text_sha256"] else ("bytes", values["sha256"])
        return [*tokens, said]
    return [*tokens, (values["kind"], "bytes", values["sha256"]), (values["kind"], "pixels", values["pixel_sha256"])]


@pytest.mark.parametrize("config", [SPLIT, STRATIFIED], ids=["plain", "stratified"])
def test_no_component_crosses_splits_in_fifty_generated_corpora(config: SelectConfig) -> None:
    crossing, several = 0, 0
    for seed in range(50):
        rows, agreed = corpus(seed)
        decisions = decided(rows, agreed, config)
        for component in components(rows, agreed):
            splits = {decisions[key]["split"] for key in component}
            crossing += len(splits) > 1
        several += len({d["split"] for d in decisions.values()})
    assert crossing == 0
    assert several > 50


def test_strata_of_a_recipe_get_their_exact_shares() -> None:
    rng = random.Random(0)
    rows = [
        [row(rng, unit, n) | {"group": "", "kind": "text", "modality": "text"} for n in range(40)] for unit in (0, 1)
    ]
    for values in (r for held in rows for r in held):
        values |= {"text_sha256": values["key"], "sha256": values["key"]}
    decisions = decided(rows, [], SelectConfig.model_validate({"split": {"test": 0.25, "stratify": ["source"]}}))
    for unit in ("00", "01"):
        assert sum(d["split"] == "test" for key, d in decisions.items() if key.startswith(unit)) == 10


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_units_and_pairs_decides_nothing(seed: int) -> None:
    rows, agreed = corpus(seed)
    before = decided(rows, agreed, SPLIT)
    random.Random(seed).shuffle(rows)
    random.Random(seed).shuffle(agreed)
    assert decided(rows, agreed, SPLIT) == before


@pytest.mark.parametrize("seed", range(5))
def test_a_source_that_shares_nothing_changes_no_decision(seed: int) -> None:
    rows, agreed = corpus(seed)
    before = decided(rows, agreed, SPLIT)
    rng = random.Random(seed + 1000)
    strangers = [row(rng, 9, n) for n in range(40)]
    for values in strangers:
        values |= {name: f"other {values[name]}" for name in ("group", "sha256", "pixel_sha256", "text_sha256")}
    after = decided([*rows, strangers], agreed, SPLIT)
    assert {key: after[key] for key in before} == before


def test_of_a_template_that_floods_the_best_stay_and_their_duplicates_with_them() -> None:
    rows, agreed = corpus(3)
    flooding = SelectConfig.model_validate({"max_per_template": 4})
    decisions = decided(rows, agreed, flooding)
    templates = {r["key"]: r["template"] for held in rows for r in held}
    kept = defaultdict(list)
    for key, decision in decisions.items():
        if decision["status"] == "kept":
            kept[templates[key]].append(key)
        if decision["status"] == "duplicate":
            assert decisions[decision["duplicate_of"]]["status"] == "kept"
    assert {len(held) for held in kept.values()} == {4}
    reasons = {d["reason"] for d in decisions.values() if d["status"] == "dropped"}
    assert reasons == {"template_flood"}
    unlimited = decided(rows, agreed, SelectConfig())
    assert sum(d["status"] == "kept" for d in unlimited.values()) > sum(len(held) for held in kept.values())


def test_a_text_that_says_what_many_say_goes_where_the_recipe_says_so() -> None:
    rows, agreed = corpus(4)
    texts = [r["key"] for held in rows for r in held if r["kind"] == "text"]
    decisions = decided(rows, agreed, SPLIT, repeated={texts[0]: 0.8})
    assert decisions[texts[0]]["reason"] == "repeated_text"
    assert "80% of its words" in decisions[texts[0]]["found"]


def test_links_name_records_of_the_corpus_and_stand_once() -> None:
    rows, agreed = corpus(5)
    decisions = decided(rows, agreed, SPLIT)
    stood = [frozenset((key, one["to"])) for key, d in decisions.items() for one in json.loads(d["links"] or "[]")
             if one["relation"] != "same_media"]  # fmt: skip
    assert len(stood) == len(set(stood)) == len({frozenset(pair[:2]) for pair in agreed})
