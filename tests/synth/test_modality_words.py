"""What is shown is named as clinicians name it, in words by which a check finds the modality again."""

from __future__ import annotations

import pytest

from manifests.vocabulary import BODY_PARTS, MODALITIES
from synth.lexicon import MODALITY, modalities_in
from synth.modality_words import place_words, projection_words, shown_as
from synth.tasks.common import with_article

ACQUIRED = sorted(MODALITY.keys() - {"SEG", "SR", "OT"})


@pytest.mark.parametrize("kind", ["image", "volume", "video"])
def test_every_modality_is_found_in_what_it_is_called(kind: str) -> None:
    assert set(MODALITIES) - {"figure", "text", "natural"} <= set(ACQUIRED)
    for code in ACQUIRED:
        for part in sorted(BODY_PARTS):
            sentence = f"This is {with_article(shown_as(code, kind))} of {place_words(part)}."
            assert all(code in codes for _, codes in modalities_in(sentence)), sentence
            assert modalities_in(sentence), sentence
            assert "imaging image" not in sentence
            assert "photography image" not in sentence
            assert f" {code} " not in sentence


@pytest.mark.parametrize(
    ("code", "kind", "part", "side", "said"),
    [
        ("DX", "image", "chest", "", "a radiograph of the chest"),
        ("DX", "image", "knee", "left", "a radiograph of the left knee"),
        ("OP", "image", "retina", "right", "a fundus photograph of the right retina"),
        ("ES", "video", "colon", "", "an endoscopic video of the colon"),
        ("SM", "image", "lymph node", "", "a photomicrograph of a lymph node"),
        ("GM", "image", "blood", "", "a photomicrograph of blood"),
        ("IO", "image", "teeth", "", "an intra-oral radiograph of the teeth"),
        ("CT", "volume", "ABDOMENPELVIS", "", "a computed tomography volume of the abdomen and pelvis"),
        ("thermography", "image", "foot", "", "a thermography image of the foot"),
        ("", "image", "foot", "", "an image of the foot"),
    ],
)
def test_sentences_read_as_they_are_spoken(code: str, kind: str, part: str, side: str, said: str) -> None:
    assert f"{with_article(shown_as(code, kind))} of {place_words(part, side)}" == said


@pytest.mark.parametrize(
    ("position", "said"),
    [
        ("pa", "PA projection"),
        ("MLO", "MLO projection"),
        ("lateral", "lateral projection"),
        ("LATERAL", "lateral projection"),
        ("apical four-chamber", "the apical four-chamber view"),
        ("parasternal long-axis", "the parasternal long-axis view"),
        ("frontal view", "frontal view"),
    ],
)
def test_views_are_spoken_as_projections_or_views(position: str, said: str) -> None:
    assert projection_words(position) == said
