"""Layouts that many upstreams share: any folder, any hub repository, any set of shards."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.generic.geometry import Geometry
from sources.generic.hf_dataset import HfDataset
from sources.generic.nnunet import NnUnet
from sources.generic.vqa_json import VqaJson
from sources.generic.webdataset_tars import WebdatasetTars

SOURCES: tuple[type[SourceConfig], ...] = (Geometry, HfDataset, NnUnet, VqaJson, WebdatasetTars)
