"""Trainers' dialects: what a finished output is written as for those who read no WebDataset. One file each.

A new dialect is one file with a class that has the members of `curate.formats.base.Dialect`, and one line here.
"""

from __future__ import annotations

from curate.formats.base import Dialect
from curate.formats.energon import Energon
from curate.formats.hf_datasets import HfDatasets
from curate.formats.internvl import InternVL
from curate.formats.llama_factory import LlamaFactory
from curate.formats.llava import Llava
from curate.formats.m3d_csv import M3dCsv
from curate.formats.medm_vl import MedmVL
from curate.formats.ms_swift import MsSwift
from curate.formats.qwen_vl import QwenVL
from curate.formats.verl import Verl
from curate.formats.vlmevalkit import VlmEvalKit

DIALECTS: tuple[type[Dialect], ...] = (
    Energon,
    HfDatasets,
    InternVL,
    LlamaFactory,
    Llava,
    M3dCsv,
    MedmVL,
    MsSwift,
    QwenVL,
    Verl,
    VlmEvalKit,
)
BY_NAME = {dialect.NAME: dialect for dialect in DIALECTS}
