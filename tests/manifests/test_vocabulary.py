"""The tables of synonyms: one term for each word, terms that stand for themselves, and no false friends."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.terms import TABLES, Table, flat
from manifests.terms.table import ANY, words
from manifests.terms.uses import SEEN
from manifests.vocabulary import BODY_PARTS, MODALITIES, canonical, canonical_terms
from synth.lexicon import FINDINGS
from tests.vocabulary import PAGE, page

# Written as they are everywhere: codes, acronyms and names.
_NOT_LOWER = {"COPD", "COVID-19", "Barrett's esophagus", "ampulla of Vater"}
# What the lexicon knows of any organ is the lung's on a chest radiograph; the disease has a name.
_NARROWER = {"edema", "effusion", "fibrosis", "covid"}

Kind = tuple[frozenset[str], frozenset[str]]  # modalities, body parts


@functools.cache
def kinds() -> tuple[Kind, ...]:
    """One record of each kind that some table tells from others."""
    found: dict[tuple[str, ...], Kind] = {}
    for modality, part in itertools.product((*MODALITIES, ""), (*sorted(BODY_PARTS), "head", "")):
        one = frozenset({modality} - {""}), frozenset({part} - {""})
        found.setdefault(tuple(t.name for t in TABLES if t.holds(*one)), one)
    return tuple(found.values())


def kind_of(table: Table) -> Kind:
    return frozenset(sorted(table.modalities)[:1]), frozenset(sorted(table.body_parts)[:1])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_word_of_a_table_means_its_term_where_the_table_holds(table: Table) -> None:
    about = next(iter(sorted(table.abouts)), "").replace(ANY, "cyst")
    for fact, field in itertools.product(sorted(table.facts), sorted(table.fields)):
        for word, term in table.words.items():
            assert canonical(fact, word, *kind_of(table), about, field) == term
            assert canonical(fact, word.upper().replace(" ", "_"), *kind_of(table), about, field) == term
            assert canonical(fact, term, *kind_of(table), about, field) == term
            assert term in canonical_terms(fact, field)


def test_a_canonical_term_is_left_as_it_is_in_every_kind_of_record() -> None:
    for kind in kinds():
        for table in (t for t in TABLES if t.holds(*kind)):
            about = next(iter(sorted(table.abouts)), "").replace(ANY, "cyst")
            for fact, field in itertools.product(sorted(table.facts), sorted(table.fields)):
                for term in table.terms:
                    assert canonical(fact, term, *kind, about, field) == term


def test_no_two_tables_that_hold_together_disagree_about_a_word() -> None:
    for kind in kinds():
        known: dict[tuple[str, str, str, str], tuple[str, str]] = {}
        for table in (t for t in TABLES if t.holds(*kind)):
            abouts = sorted(table.abouts) or [""]
            for fact, field, about in itertools.product(sorted(table.facts), sorted(table.fields), abouts):
                for word, term in table.words.items():
                    first, where = known.setdefault((fact, field, about, word), (term, table.name))
                    assert first == term, f"{word}: {first} by {where}, {term} by {table.name}"


@settings(max_examples=30)
@given(st.text(max_size=20), st.text("qxw_ -\n", max_size=9), st.sampled_from(sorted(canonical_terms("finding"))))
def test_what_no_table_knows_stays_and_what_is_canonical_once_is_so_twice(raw: str, odd: str, term: str) -> None:
    for fact, kind in itertools.product(("finding", "structure", "box"), kinds()[:4]):
        assert canonical(fact, odd, *kind, "x", "about") == odd
        for text in (raw, f"subtlety of {term}", f"{term}_2", f"left {term}", f"{term}{raw}"):
            once = canonical(fact, text, *kind, "x", "about")
            assert canonical(fact, once, *kind, "x", "about") == once


@pytest.mark.parametrize(
    ("fact", "word", "modality", "part", "term"),
    [
        ("finding", "Effusion", "DX", "chest", "pleural effusion"),
        ("finding", "Effusion", "MR", "knee", "Effusion"),
        ("finding", "Effusion", "US", "heart", "Effusion"),
        ("finding", "Effusion", "CT", "chest, abdomen and pelvis", "Effusion"),
        ("finding", "Edema", "DX", "chest", "pulmonary edema"),
        ("finding", "Edema", "MR", "brain", "Edema"),
        ("finding", "MH", "OP", "retina", "media haze"),
        ("finding", "MH", "OPT", "retina", "macular hole"),
        ("finding", "MR", "US", "heart", "mitral regurgitation"),
        ("finding", "MS", "US", "heart", "mitral stenosis"),
        ("finding", "MS", "OP", "retina", "macular scar"),
        ("finding", "MS", "MR", "brain", "MS"),
        ("finding", "DF", "DMS", "", "dermatofibroma"),
        ("finding", "DF", "DX", "teeth", "DF"),
        ("structure", "LV", "US", "heart", "left ventricle"),
        ("structure", "LV", "US", "liver", "LV"),
        ("structure", "LV", "CT", "abdomen", "LV"),
        ("structure", "kidney_left", "CT", "abdomen", "left kidney"),
        ("structure", "vertebrae_L1", "CT", "", "L1 vertebra"),
        ("structure", "adrenal_gland_right", "MR", "abdomen", "right adrenal gland"),
        ("structure", "breast tumour 2", "US", "breast", "breast tumor 2"),
    ],
)
def test_a_word_means_what_it_means_for_such_a_record(
    fact: str, word: str, modality: str, part: str, term: str
) -> None:
    parts = (part,) if part else ()
    assert canonical(fact, word, (modality,), parts, field="about") == term


def test_what_is_not_known_of_a_record_meets_no_condition_and_what_a_modality_shows_does() -> None:
    assert canonical("finding", "Effusion", field="about") == "Effusion"
    assert canonical("label", "nv", ("DMS",)) == "nevus"
    assert canonical("label", "nv", ("DMS", "XC")) == "nevus"
    assert canonical("label", "nv", ("DMS", "CT")) == "nv"
    assert canonical("label", f"Normal{' ' * 200}", ("DX",)) == f"Normal{' ' * 200}", "too long for a term"


def test_the_modalities_and_body_parts_of_cards_are_those_of_facts() -> None:
    assert canonical_terms("modality") == set(MODALITIES)
    assert canonical_terms("body_part") >= BODY_PARTS


def test_terms_of_what_is_seen_are_plain_lower_case_english_as_the_lexicon_writes_them() -> None:
    for table in (t for t in TABLES if t.facts == frozenset(SEEN.split(", "))):
        for word, term in table.words.items():
            assert term.lower() == term or term in _NOT_LOWER
            if word in FINDINGS and word not in _NARROWER:
                assert flat(term) == word, f"{word} is a term of the lexicon"


def test_a_block_in_which_a_word_means_two_things_is_refused() -> None:
    with pytest.raises(ValueError, match="stands for"):
        words("nevus: mole\nwart: mole")


def test_the_page_of_the_vocabulary_is_what_the_tables_say() -> None:
    """`python -m tests.vocabulary` writes it anew after a change that is meant."""
    assert Path(PAGE).read_text() == page()
