"""The number of a structure's name decides the verb behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.plural import agreeing, is_plural

PLURAL = """
nuclei|cell nuclei|lungs|kidneys|vessels|blood_vessels|teeth|ventricles|lateral ventricles|vertebrae|costal_cartilages
polyps|left and right kidney|lymph nodes|arteries|hard exudates|soft exudates|haemorrhages|microaneurysms|metastases
nuclei of the cortex|lesions (all)|bronchi|ribs|carcinomata|portal vein and splenic vein|iliac arteries|neoplastic cells
glands|red blood cells|adrenal glands|optic nerves|ground-glass opacities|masses|eyes|feet
"""
SINGULAR = """
liver|left kidney|pancreas|pelvis|aorta|meniscus|thymus|uterus|hippocampus|lens|mass|abscess|nucleus|sinus|plexus
corpus callosum|rib_left_10|L1 vertebra|urinary bladder|optic disc|retina|pneumothorax|axis|virus|lesion 2|
thrombus|colitis|stenosis|head of the ribs|wall of vessels|iliopsoas|trachea|sclera|cornea|necrosis|gallbladder
area of the nuclei|atelectasis|esophagus|oesophagus|humerus|skin|biceps|nevus|melanoma|anus|cardiac silhouette|iris
portal_vein_and_splenic_vein_2 of it
"""


@pytest.mark.parametrize("name", [n.strip() for n in PLURAL.replace("\n", "|").split("|") if n.strip()])
def test_plural_names_take_are(name: str) -> None:
    assert is_plural(name)


def test_singular_names_take_is() -> None:
    names = [n.strip() for n in SINGULAR.replace("\n", "|").split("|")[:-2] if n.strip()]
    assert [n for n in names if is_plural(n)] == []


def test_structures_of_a_whole_body_segmentation_have_their_number() -> None:
    shared = Path(__file__).resolve().parents[2] / "../shared/data/ct-totalsegmentator/example_seg_fast"
    if not shared.is_dir():
        pytest.skip("the shared data is not here")
    names = sorted(path.name.split(".")[0] for path in shared.glob("*.nii.gz"))
    from synth.facts import structure_words

    assert {n for n in names if is_plural(structure_words(n))} == {"costal_cartilages", "portal_vein_and_splenic_vein"}


def test_a_verb_agrees_with_the_name_before_it() -> None:
    assert [agreeing(name, "lies", "lie") for name in ("lungs", "liver")] == ["lie", "lies"]
