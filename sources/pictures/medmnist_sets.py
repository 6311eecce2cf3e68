"""The twelve 2D sets of MedMNIST: what they show, and the words of their labels, as upstream numbers them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from manifests.record import Fact


@dataclass(frozen=True, slots=True)
class MnistSet:
    """`kind` says how a label is read: a class, findings that are each 0 or 1, or an ordered grade."""

    modality: str
    body_part: str
    about: str
    words: tuple[str, ...]
    kind: Literal["class", "findings", "grade"] = "class"
    plane: str = ""


_CHEST = (
    "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
    "consolidation", "edema", "emphysema", "fibrosis", "pleural thickening", "hernia",
)  # fmt: skip
_ORGANS = (
    "bladder", "left femur", "right femur", "heart", "left kidney", "right kidney", "liver", "left lung", "right lung",
    "pancreas", "spleen",
)  # fmt: skip
_TISSUE = (
    "adipose tissue", "background", "debris", "lymphocytes", "mucus", "smooth muscle", "normal colon mucosa",
    "cancer-associated stroma", "colorectal adenocarcinoma epithelium",
)  # fmt: skip
_SKIN = (
    "actinic keratosis or intraepithelial carcinoma", "basal cell carcinoma", "benign keratosis-like lesion",
    "dermatofibroma", "melanoma", "melanocytic nevus", "vascular lesion",
)  # fmt: skip
_BLOOD = (
    "basophil", "eosinophil", "erythroblast", "immature granulocyte", "lymphocyte", "monocyte", "neutrophil",
    "platelet",
)  # fmt: skip
_KIDNEY = (
    "collecting duct or connecting tubule", "distal convoluted tubule", "glomerular endothelial cell",
    "interstitial endothelial cell", "leukocyte", "podocyte", "proximal tubule segment", "thick ascending limb",
)  # fmt: skip
_OCT = ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal")
_GRADES = ("none", "mild", "moderate", "severe", "proliferative")

SETS: dict[str, MnistSet] = {
    "bloodmnist": MnistSet("GM", "blood", "blood cell", _BLOOD),
    "breastmnist": MnistSet("US", "breast", "breast tumour", ("malignant", "normal or benign")),
    "chestmnist": MnistSet("DX", "chest", "chest radiograph", _CHEST, "findings"),
    "dermamnist": MnistSet("DMS", "skin", "skin lesion", _SKIN),
    "octmnist": MnistSet("OPT", "retina", "retina", _OCT),
    "organamnist": MnistSet("CT", "abdomen", "organ", _ORGANS, plane="axial"),
    "organcmnist": MnistSet("CT", "abdomen", "organ", _ORGANS, plane="coronal"),
    "organsmnist": MnistSet("CT", "abdomen", "organ", _ORGANS, plane="sagittal"),
    "pathmnist": MnistSet("SM", "colon", "tissue", _TISSUE),
    "pneumoniamnist": MnistSet("DX", "chest", "chest radiograph", ("normal", "pneumonia")),
    "retinamnist": MnistSet("OP", "retina", "diabetic retinopathy", _GRADES, "grade"),
    "tissuemnist": MnistSet("GM", "kidney", "kidney cortex cell", _KIDNEY),
}


def said(about: MnistSet, label: Sequence[int], origin: str) -> Iterator[Fact]:
    """What a row's label says; a number that has no word says nothing."""
    yield Fact("modality", about.modality, "set")
    yield Fact("body_part", about.body_part, "set")
    if about.plane:
        yield Fact("plane", about.plane, "set")
    if about.kind == "findings":
        for word, value in zip(about.words, label, strict=False):
            yield Fact("finding", "present" if value else "absent", origin, about=word)
    elif label and 0 <= label[0] < len(about.words):
        name = "label" if about.kind == "class" else "severity"
        yield Fact(name, about.words[label[0]], origin, about=about.about)
