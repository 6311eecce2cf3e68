"""The canonical terms of cards: modalities, body parts and tasks by which a recipe may choose sources.

Modalities are codes of DICOM PS3.3 C.7.3.1.1.1 where there is one (`CR` and `DX` are one here: `DX`), else a plain
word.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MODALITIES: Mapping[str, str] = MappingProxyType(
    {
        "DX": "projection radiography", "MG": "mammography", "IO": "intra-oral radiography",
        "PX": "panoramic radiography", "RF": "fluoroscopy", "XA": "angiography", "CT": "computed tomography",
        "MR": "magnetic resonance", "PT": "positron emission tomography", "NM": "nuclear medicine",
        "US": "ultrasound", "DMS": "dermoscopy", "XC": "clinical photography", "OP": "fundus photography",
        "OPT": "optical coherence tomography", "SM": "slide microscopy", "GM": "general microscopy",
        "ES": "endoscopy", "figure": "figures of articles", "text": "text", "natural": "natural images and video",
    }
)  # fmt: skip

BODY_PARTS: frozenset[str] = frozenset(
    {
        "abdomen", "adrenal gland", "ankle", "aorta", "bladder", "blood", "bone", "brain", "breast", "cervix", "chest",
        "colon", "elbow", "esophagus", "eye", "fetus", "foot", "gallbladder", "hand", "head and neck", "heart", "hip",
        "kidney", "knee", "leg", "liver", "lung", "lymph node", "mouth", "muscle", "neck", "ovary", "pancreas",
        "pelvis", "prostate", "retina", "shoulder", "skin", "small bowel", "spine", "spleen", "stomach", "teeth",
        "thyroid", "uterus", "vessels", "whole body", "wrist",
    }
)  # fmt: skip

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "classification": "one class of the whole medium",
        "multi-label": "several findings, each present, absent or uncertain",
        "grading": "an ordered grade or stage",
        "detection": "boxes of what is there",
        "organ-segmentation": "masks of organs and structures",
        "lesion-segmentation": "masks of lesions or tumours",
        "instrument-segmentation": "masks of instruments",
        "lesion-size": "lesion masks with a physical spacing, or stated sizes",
        "organ-size": "organ masks with a physical spacing",
        "landmarks": "named points",
        "counting": "how many there are",
        "ejection-fraction": "volumes of the heart and their ratio",
        "report": "a radiologist's or pathologist's report",
        "caption": "a caption of what is shown",
        "grounding": "phrases tied to boxes or masks",
        "vqa": "open and closed questions about media",
        "multiple-choice": "questions with options",
        "progression": "several visits of one patient",
        "temporal-events": "what happens when in a video",
        "tracking": "objects followed over frames",
        "dialogue": "conversations of several turns",
        "qa": "questions and answers in text",
        "reasoning": "answers with their reasoning",
        "text": "text to read",
        "interleaved": "documents of text and pictures",
        "instruction": "instructions and answers about media",
    }
)
