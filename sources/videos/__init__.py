"""Video: surgery, endoscopy, ultrasound, teaching."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.videos.autolaparo import AutoLaparo
from sources.videos.cholec80 import Cholec80
from sources.videos.cholect50 import CholecT50
from sources.videos.echonet_dynamic import EchoNetDynamic
from sources.videos.endovis18_vqa import EndoVis18Vqa
from sources.videos.hyperkvasir_videos import HyperKvasirVideos
from sources.videos.kvasir_capsule import KvasirCapsule
from sources.videos.llava_video import LlavaVideo
from sources.videos.medvidbench import MedVidBench
from sources.videos.medvidqa import MedVidQa
from sources.videos.pocus_lung import PocusLung
from sources.videos.surgpub_video import SurgPubVideo

SOURCES: tuple[type[SourceConfig], ...] = (
    AutoLaparo, Cholec80, CholecT50, EchoNetDynamic, EndoVis18Vqa, HyperKvasirVideos, KvasirCapsule, LlavaVideo,
    MedVidBench, MedVidQa, PocusLung, SurgPubVideo,
)  # fmt: skip
