"""How well free text is scrubbed: planted identifiers of ten kinds, and medical texts that hold none.

The planted texts are this project's own, so the recall says what the shapes cover, not what any hospital's texts hold.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from curate.deidentify.tables.ps3_15 import descriptor_words
from curate.deidentify.text import clean_words, scrub_text
from tests.midi.texts import MAKERS, survives, texts

ABSTRACTS = Path(__file__).resolve().parents[2] / "../shared/data/text-medical-abstracts"


def test_planted_identifiers_of_every_kind_are_found_without_the_header() -> None:
    total, left = Counter[str](), Counter[str]()
    for kind, planted, text in texts(seed=20, per_kind=60):
        total[kind] += 1
        left[kind] += survives(kind, planted, scrub_text(text)[0])
    assert set(total) == set(MAKERS)
    assert {kind: n / total[kind] for kind, n in left.items() if n / total[kind] > 0.02} == {}


def test_cleaned_descriptions_hold_no_planted_identifier_of_any_kind() -> None:
    words = descriptor_words()
    kept = [(planted, clean_words(text, words)) for _, planted, text in texts(seed=21, per_kind=60)]
    assert [pair for pair in kept if pair[0] in pair[1] or any(c.isdigit() for c in pair[1].replace("5 mm", ""))] == []
    assert clean_words("CT CHEST, ABDOMEN and PELVIS with contrast 5mm 2 views", words) == (
        "CT CHEST ABDOMEN and PELVIS with contrast 5mm 2 views"
    )


@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.skipif(not ABSTRACTS.is_dir(), reason="no medical abstracts beside the checkout")
def test_of_ten_thousand_words_of_medical_abstracts_at_most_two_are_taken_for_identifiers() -> None:
    words = hits = 0
    for path in sorted(ABSTRACTS.rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                text = " ".join(row)
                words += len(text.split())
                hits += scrub_text(text)[1]
    assert words > 50_000
    assert hits / words < 2e-4
