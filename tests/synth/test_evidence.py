"""Evidence spans: each sound word of a text points to the words, or the fact, that bear it out."""

from __future__ import annotations

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Fact, canonical_json
from manifests.sample import Evidence
from synth.evidence import evidence
from synth.verify import CHECKS, MAX_TEXT, faithfulness

FACTS = (
    Fact("modality", "CT", "dicom:0008,0060"),
    Fact("volume_ml", "1062.45", "mask:liver", "mL", "liver"),
    Fact("finding", "absent", "column:fracture", about="fracture"),
    Fact("laterality", "L", "dicom:0020,0060"),
)
SOURCE = {"text": "A mass of 32 mm lies in the left kidney; the ribs are intact. No effusion."}
SAID = "CT shows a 3.2 cm mass in the left kidney. The liver has 1062.45 mL. No rib fracture, and no effusion."


def spans(found: tuple[Evidence, ...], said: str = SAID) -> dict[tuple[str, str], Evidence]:
    return {(said[e.start : e.end], e.check): e for e in found}


def test_each_checked_word_points_to_the_words_that_bear_it_out() -> None:
    by_word = spans(evidence(SAID, FACTS, SOURCE))
    for word, check, there in (
        ("3.2 cm", "numbers", "32 mm"),
        ("mass", "findings", "mass"),
        ("left", "sides", "left"),
        ("kidney", "anatomy", "kidney"),
        ("effusion", "negation", "effusion"),
    ):
        one = by_word[word, check]
        assert (one.source, one.fact) == ("text", "")
        assert SOURCE["text"][one.source_start : one.source_end] == there
    volume = by_word["1062.45 mL", "numbers"]
    assert (volume.fact, volume.about, volume.origin, volume.source) == ("volume_ml", "liver", "mask:liver", "")
    assert FACTS[1].value[volume.source_start : volume.source_end] == "1062.45"
    assert by_word["CT", "modality"].origin == "dicom:0008,0060"
    assert by_word["rib fracture", "negation"].origin == "column:fracture"
    assert {e.check for e in by_word.values()} <= set(CHECKS)


def test_a_wrong_word_has_no_evidence_and_every_sound_one_has() -> None:
    """The verdict and the evidence come from one judgement: the wrong side is the one word without a span."""
    sound = spans(evidence(SAID, FACTS, SOURCE))
    spoiled = SAID.replace("left", "right")
    said = spans(evidence(spoiled, FACTS, SOURCE), spoiled)
    assert ("right", "sides") not in said
    assert {key for key in sound if key[0] != "left"} == set(said)
    facts = (*FACTS, Fact("caption", SOURCE["text"], "text"))
    assert [v.check for v in faithfulness(spoiled, facts, 0) if not v.passed] == ["sides"]


def test_of_several_places_the_sentence_most_like_the_text_is_the_evidence() -> None:
    source = {"text": "A cyst in the liver. A cyst of the left kidney is seen."}
    one = spans(evidence("The kidney has a cyst.", (), source), "The kidney has a cyst.")["cyst", "findings"]
    assert one.source_start == source["text"].rindex("cyst")


def test_evidence_is_flat_and_canonical_json() -> None:
    rows = [dataclasses.asdict(one) for one in evidence(SAID, FACTS, SOURCE, 1)]
    assert {type(value) for row in rows for value in row.values()} == {str, int}
    assert [Evidence(**row) for row in json.loads(canonical_json(rows))] == list(evidence(SAID, FACTS, SOURCE, 1))
    assert {row["turn"] for row in rows} == {1}


@given(st.text(alphabet="left righo kidney mass 3.2cm, no.\n-1", max_size=60), st.text(max_size=40))
def test_offsets_lie_in_the_texts_whatever_they_hold(text: str, source: str) -> None:
    texts = {"a": source, "b": text}
    for one in evidence(text, FACTS, texts):
        assert 0 <= one.start < one.end <= len(text)
        told = texts[one.source] if one.source else next(f.value for f in FACTS if f.origin == one.origin)
        assert (one.source_start, one.source_end) == (-1, -1) or 0 <= one.source_start <= one.source_end <= len(told)


def test_a_text_beyond_the_bound_has_none() -> None:
    assert evidence("liver " * MAX_TEXT, FACTS, SOURCE) == ()
