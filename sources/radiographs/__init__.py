"""Projection radiographs: chest, breast, teeth."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.radiographs.cbis_ddsm import CbisDdsm
from sources.radiographs.chexpert import Chexpert
from sources.radiographs.dentex import Dentex
from sources.radiographs.iu_xray import IuXray
from sources.radiographs.mimic_cxr_jpg import MimicCxrJpg
from sources.radiographs.mura import Mura
from sources.radiographs.nih_cxr14 import NihCxr14
from sources.radiographs.padchest import Padchest
from sources.radiographs.vindr_cxr import VindrCxr
from sources.radiographs.vindr_mammo import VindrMammo

SOURCES: tuple[type[SourceConfig], ...] = (
    CbisDdsm, Chexpert, Dentex, IuXray, MimicCxrJpg, Mura, NihCxr14, Padchest, VindrCxr, VindrMammo
)  # fmt: skip
