"""3D volumes: CT and MR, with masks, reports and questions."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.volumes.acdc import Acdc
from sources.volumes.amos import Amos
from sources.volumes.amos_mm import AmosMm
from sources.volumes.bids import Bids
from sources.volumes.brats import Brats
from sources.volumes.ct_rate import CtRate
from sources.volumes.idc_collection import IdcCollection
from sources.volumes.kits import Kits
from sources.volumes.lidc_idri import LidcIdri
from sources.volumes.m3d_cap import M3dCap
from sources.volumes.m3d_vqa import M3dVqa
from sources.volumes.merlin import Merlin
from sources.volumes.msd import Msd
from sources.volumes.sa_med3d import SaMed3d
from sources.volumes.three_d_rad import ThreeDRad
from sources.volumes.totalsegmentator import Totalsegmentator

SOURCES: tuple[type[SourceConfig], ...] = (
    Acdc,
    Amos,
    AmosMm,
    Bids,
    Brats,
    CtRate,
    IdcCollection,
    Kits,
    LidcIdri,
    M3dCap,
    M3dVqa,
    Merlin,
    Msd,
    SaMed3d,
    ThreeDRad,
    Totalsegmentator,
)
