"""Facts in canonical terms: the source's word is kept, nothing else changes, and sources speak one language."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.audit import verify
from curate.canonical import canonical_facts, canonical_names, in_canonical_terms
from curate.loaded import Loaded
from manifests.record import Fact, Media
from manifests.terms import TABLES
from sources import BY_NAME
from sources.upstream import Upstream
from synth.measured import flat_mask_facts
from tests.corpus import run_recipe
from tests.forge import samples_of
from tests.sources.listing import GOLDEN

CHEST = (Fact("modality", "DX", "card"), Fact("body_part", "chest", "card"))
_TOLD = re.compile(r"(\w+)\[(.*?)\]@(\d*) = (.*)  \((.*)\)", re.DOTALL)
_WORDS = st.sampled_from(sorted({form for table in TABLES for form in (*table.words, *table.terms)})) | st.text(
    max_size=9
)
_NAMES = st.sampled_from(sorted({name for table in TABLES for name in table.facts} | {"age_years", "left_of"}))
_FACTS = st.builds(
    Fact, _NAMES, _WORDS, st.sampled_from(["card", "column:x", "mask:LV"]), about=_WORDS, at=st.sampled_from(["", "2"])
)


def test_a_synonym_becomes_the_term_and_the_origin_keeps_the_source_s_word() -> None:
    told = (
        *CHEST,
        Fact("finding", "present", "column:Finding Labels", about="Effusion", at="2"),
        Fact("box", "70,60,100,105", "table:boxes", "px", "Effusion"),
        Fact("finding", "Yes", "column:a", about="Pleural_Thickening"),
        Fact("label", "No Finding", "column:b"),
        Fact("view_position", "LL", "column:c"),
        Fact("finding", "present", "column:d", about="westermark sign"),
    )
    assert canonical_facts(told)[2:] == (
        Fact("finding", "present", "column:Finding Labels=Effusion", about="pleural effusion", at="2"),
        Fact("box", "70,60,100,105", "table:boxes=Effusion", "px", "pleural effusion"),
        Fact("finding", "present", "column:a=Pleural_Thickening: Yes", about="pleural thickening"),
        Fact("label", "no finding", "column:b=No Finding"),
        Fact("view_position", "lateral", "column:c=LL"),
        Fact("finding", "present", "column:d", about="westermark sign"),
    )
    skin = (Fact("modality", "dermoscopy", "recipe"), Fact("label", "nv", "column:dx", about="dx"))
    assert canonical_facts(skin) == (
        Fact("modality", "DMS", "recipe=dermoscopy"),
        Fact("label", "nevus", "column:dx=nv", about="dx"),
    )


@settings(max_examples=40)
@given(st.lists(_FACTS, max_size=6))
def test_canonical_facts_are_so_again_and_change_nothing_but_words_and_origin(facts: list[Fact]) -> None:
    once = canonical_facts(facts)
    assert canonical_facts(once) == once
    assert len(once) == len(facts)
    for old, new in zip(facts, once, strict=True):
        assert (new.name, new.unit, new.at) == (old.name, old.unit, old.at)
        if (new.value, new.about) == (old.value, old.about):
            assert new is old
        else:
            words = new.origin.removeprefix(f"{old.origin}=")
            assert words in (old.about, old.value, f"{old.about}: {old.value}")


def _marked(*labels: str) -> Loaded:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 3:6] = 1
    facts = tuple(f for label in labels for f in flat_mask_facts(label, mask, None))
    media = tuple(
        (Media("masks.npy.gz", "mask", (8, 8), "uint8", "0", 1, label=label, value=n), b"")
        for n, label in enumerate(labels, 1)
    )
    return Loaded("image", "ct", media, (Fact("left_of", "liver", "x", about="kidney_left"), *facts), ())


def test_a_mask_is_renamed_with_all_that_is_said_of_it() -> None:
    loaded = _marked("kidney_left", "Liver", "my own structure")
    done = in_canonical_terms(loaded)
    names = [media.label for media, _ in done.members]
    assert names == ["left kidney", "liver", "my own structure"]
    assert {f.about for f in done.facts} == set(names)
    assert {f.origin for f in done.facts if f.about == "liver"} == {"mask:liver=Liver"}
    assert [f.value for f in done.facts if f.name == "structure"] == names
    assert done.modality == "CT"
    assert in_canonical_terms(done) == done
    assert dataclasses.replace(done, members=(), facts=(), modality="") == dataclasses.replace(
        loaded, members=(), facts=(), modality=""
    )


@pytest.mark.parametrize(
    "labels", [("kidney_left", "left kidney"), ("kidney_left", "left_kidney"), ("IVC", "postcava")]
)
def test_masks_that_would_get_one_name_keep_their_own(labels: tuple[str, ...]) -> None:
    assert canonical_names(labels, ()) == dict(zip(labels, labels, strict=True))


def test_sources_have_fewer_words_for_the_same_things_and_every_changed_fact_keeps_its_own() -> None:
    before: set[tuple[str, str]] = set()
    after: set[tuple[str, str]] = set()
    for path in sorted(GOLDEN.glob("*.json")):
        for item in json.loads(path.read_text()):
            met = [m.groups() for line in item.get("facts", ()) if (m := _TOLD.fullmatch(line))]
            facts = tuple(Fact(name, value, origin, about=about, at=at) for name, about, at, value, origin in met)
            done = canonical_facts(facts)
            assert canonical_facts(done) == done
            for old, new in zip(facts, done, strict=True):
                assert (old == new) == (old.origin == new.origin)
                if old.name in ("finding", "label", "diagnosis"):
                    before |= {("about", old.about), ("value", old.value)}
                    after |= {("about", new.about), ("value", new.value)}
    folded = {(part, word.lower()) for part, word in before}
    assert len(after) < len(folded) < len(before), "not by case alone"


@pytest.mark.slow
def test_chest_radiographs_chosen_by_their_cards_are_asked_about_in_one_language(tmp_path: Path) -> None:
    for seed, name in enumerate(("nih_cxr14", "chexpert", "vindr_cxr")):
        source = BY_NAME[name]
        assert issubclass(source, Upstream)
        (tmp_path / name).mkdir()
        source.miniature(tmp_path / name, np.random.default_rng(seed))
    recipe = {
        "absent": "leave_out",
        "sources": [{"every": {"modality": "DX", "body_part": "chest"}, "splits": []}],
        "deidentify": {"burned_in": {"keep": "invented"}},
        "tasks": ["caption", "region"],
        "limits": {"failed": 1.0},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    out = tmp_path / "out"
    run_recipe(tmp_path / "recipe.yaml", out)
    known: dict[str, set[str]] = {}
    asked: dict[str, str] = {}
    for shard in sorted(out.glob("shards/*.tar")):
        for _, fields in samples_of(shard):
            sample = json.loads(fields["json"])
            calls = [proof["call"] for proof in sample["proofs"]]
            abouts = {m[1] for call in calls if (m := re.search(r"about=([^,)]+)", call))}
            known.setdefault(sample["source"], set()).update(abouts)
            said = sample.get("text", "") + "\n".join(turn["content"] for turn in sample.get("conversations", ()))
            asked[sample["source"]] = asked.get(sample["source"], "") + said
    assert set(known) == {"nih_cxr14", "chexpert", "vindr_cxr"}
    assert {"pleural effusion", "cardiomegaly"} <= set.intersection(*known.values())
    assert all(about == about.lower() for abouts in known.values() for about in abouts)
    assert all("pleural effusion" in said.lower() for said in asked.values())
    assert re.search(r"box\w* .*\bpleural effusion|pleural effusion.* box", asked["nih_cxr14"])
    assert not any(re.search(r"nfiltration|(?<!eural )[Ee]ffusion|odule/[Mm]ass", said) for said in asked.values())
    assert verify(out).ok
