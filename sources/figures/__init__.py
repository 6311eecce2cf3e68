"""Figures of articles with their captions, questions on figures, and documents of text and pictures."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.figures.biomedica import Biomedica
from sources.figures.llava_med import LlavaMed
from sources.figures.medtrinity import MedTrinity
from sources.figures.mint1t import Mint1t
from sources.figures.obelics import Obelics
from sources.figures.path_vqa import PathVqa
from sources.figures.pmc_oa import PmcOa
from sources.figures.pmc_vqa import PmcVqa
from sources.figures.pubmedvision import PubMedVision
from sources.figures.quilt import Quilt
from sources.figures.roco import Roco
from sources.figures.rocov2 import Rocov2
from sources.figures.slake import Slake
from sources.figures.vqa_rad import VqaRad

SOURCES: tuple[type[SourceConfig], ...] = (
    Biomedica,
    LlavaMed,
    MedTrinity,
    Mint1t,
    Obelics,
    PathVqa,
    PmcOa,
    PmcVqa,
    PubMedVision,
    Quilt,
    Roco,
    Rocov2,
    Slake,
    VqaRad,
)
