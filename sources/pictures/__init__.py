"""2D images that are no radiographs: skin, eye, ultrasound, slides, endoscopy, and collections of many kinds."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.pictures.aptos2019 import Aptos2019
from sources.pictures.busi import Busi
from sources.pictures.camus import Camus
from sources.pictures.chase_db1 import ChaseDb1
from sources.pictures.fetal_planes import FetalPlanes
from sources.pictures.ham10000 import Ham10000
from sources.pictures.hc18 import Hc18
from sources.pictures.hyperkvasir import HyperKvasir
from sources.pictures.isic import Isic
from sources.pictures.kvasir import Kvasir
from sources.pictures.kvasir_seg import KvasirSeg
from sources.pictures.medmnist import MedMnist
from sources.pictures.nct_crc_he import NctCrcHe
from sources.pictures.nuinsseg import NuInsSeg
from sources.pictures.oct2017 import Oct2017
from sources.pictures.pcam import Pcam
from sources.pictures.rfmid import Rfmid
from sources.pictures.sa_med2d import SaMed2d
from sources.pictures.tn3k import Tn3k

SOURCES: tuple[type[SourceConfig], ...] = (
    Aptos2019,
    Busi,
    Camus,
    ChaseDb1,
    FetalPlanes,
    Ham10000,
    Hc18,
    HyperKvasir,
    Isic,
    Kvasir,
    KvasirSeg,
    MedMnist,
    NctCrcHe,
    NuInsSeg,
    Oct2017,
    Pcam,
    Rfmid,
    SaMed2d,
    Tn3k,
)
