"""Faces: which CT, MR and PET show a head, by what the header says and by what the voxels look like.

Nothing here removes a face. Who defaces data with an external program (pydeface, mri_reface, fsl_deface, ...) before
they are read says so: RecognizableVisualFeatures NO or method code 113102 in DICOM, the fact `defaced: yes` of a source
of volumes; or keeps them with a reason. After common defacers a third of faces is still matched to photographs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from curate.arrays import Array, Volume
from curate.deidentify.config import DeidentifyConfig, quarantined
from curate.deidentify.gates import upper_of
from curate.deidentify.header import items_of

_HEAD = re.compile(
    r"HEAD|BRAIN|SKULL|CRANI|CEREBR|FACIAL|NECK|ORBIT|SINUS|MANDIB|MAXILL|PITUIT|NASAL|CERVICAL|CAROTID|MPRAGE|FLAIR"
    r"|WHOLE[ _-]?BODY|TOTAL[ _-]?BODY|C[ _-]?SPINE"
    r"|(?<![A-Z])(FACE|EARS?|EYES?|IAC|TMJ|JAW|NOSE|TEETH|DENTAL)(?![A-Z])"
    r"|[头頭颅顱脑腦颈頸鼻眼耳颌]|面[部颅]|颜面"
)
_NOT_A_HEAD = re.compile(
    r"(FEMORAL|FEMUR|HUMERAL|RADIAL|FIBULAR|METATARSAL|PANCREAS|PANCREATIC|BLADDER|CORONARY)[ _-]*(HEAD|NECK|SINUS)"
    r"|HEAD OF (THE )?(FEMUR|HUMERUS|RADIUS|PANCREAS)|(HEAD|FEET)[ _-]*FIRST|SINUS RHYTHM"
    r"|(股骨|胰|桡骨|肱骨|膀胱|子?宫)[头颈]"
)
_DEFACED_CODE = "113102"  # PS3.16 CID 7050: Clean Recognizable Visual Features Option
_3D = frozenset({"", "CT", "MR", "PT"})
_ELSEWHERE = re.compile(
    r"CHEST|THORA|LUNG|HEART|CARDI|BREAST|ABDOM|LIVER|HEPAT|SPLEEN|PANCREA|KIDNEY|RENAL|COLON|BOWEL|PELVI|PROSTAT"
    r"|UTER|OVAR|BLADDER|RECT(UM|AL)|LUMBAR|[LT][ _-]?SPINE|SACR|FEMUR|FEMORAL|THIGH|KNEE|TIBIA|ANKLE|SHOULDER|HUMER"
    r"|ELBOW|FOREARM|WRIST|EXTREMIT|PHANTOM|(?<![A-Z])(HIPS?|LEGS?|CALF|FOOT|FEET|HANDS?)(?![A-Z])"
    r"|胸|肺|心|乳|腹|肝|脾|胰|肾|盆|前列腺|子宫|腰|髋|膝|踝|足|肩|肘|腕|手"
)

# What a head measures in mm: adults' are 13 to 17 wide and 17 to 22 cm long; ears, hair and a turned head add to it.
_WIDTH_MM, _LENGTH_MM = (110.0, 215.0), (130.0, 260.0)
_VAULT_MM = (75.0, 230.0)  # inside the skull, the newborn's too
_AIR_HU = -500.0  # a CT without any value below it is not in HU, whatever it says
_STEP_MM = 3.0  # voxels are looked at this far apart
_BONE_HU, _BRAIN_HU = 200.0, (-10.0, 110.0)  # blood and contrast count as brain
_BRAIN_SHARE = 0.75  # of what the bone encloses
_VAULT_LENGTH_MM = 8.0  # of slices on each other in which bone encloses brain
_BREACH_MM = 6.0  # sutures and holes of the skull up to twice this are closed


@dataclass(frozen=True, slots=True)
class FaceFacts:
    """What decides about a face: DICOM modality ("" is unknown), body part, descriptions, a defaced statement."""

    modality: str = ""
    body_part: str = ""
    descriptions: str = ""
    defaced: bool = False
    recognizable: bool = False  # RecognizableVisualFeatures YES


def face_facts(ds: Dataset) -> FaceFacts:
    """From the original header, for `clean_dataset` removes the descriptions. Defaced is believed only where the header
    says so in a coded way: RecognizableVisualFeatures NO or method code 113102."""
    methods = items_of(ds, "DeidentificationMethodCodeSequence")
    visual = upper_of(ds, "RecognizableVisualFeatures")
    words = ("StudyDescription", "SeriesDescription", "ProtocolName", "PerformedProcedureStepDescription")
    coded = (i for k in ("AnatomicRegionSequence", "ProcedureCodeSequence") for i in items_of(ds, k))
    meanings = [upper_of(item, "CodeMeaning") for item in coded]
    texts = [upper_of(ds, k) for k in (*words, "RequestedProcedureDescription", "ReceiveCoilName")]
    return FaceFacts(
        modality=upper_of(ds, "Modality"),
        body_part=upper_of(ds, "BodyPartExamined"),
        descriptions=" | ".join(t for t in (*texts, *meanings) if t),
        defaced=visual == "NO" or any(upper_of(item, "CodeValue") == _DEFACED_CODE for item in methods),
        recognizable=visual == "YES",
    )


def gate_face(subject: Dataset | FaceFacts, config: DeidentifyConfig) -> str:
    """Refuse what shows a face: `Reject("face_suspected")`.

    Suspected: RecognizableVisualFeatures YES; a CT, MR or PET (or unknown modality: NIfTI) whose body part, description
    or coil name the head, neck or whole body, unless it is stated to be defaced. A file that says nothing about its
    body part is not suspected here: `gate_head` looks at its voxels. Returns "" or
    the recipe's reason where it keeps.
    """
    facts = face_facts(subject) if isinstance(subject, Dataset) else subject
    return quarantined("face_suspected", _face_suspected(facts), config.faces)


def _face_suspected(facts: FaceFacts) -> str:
    if facts.recognizable:
        return "RecognizableVisualFeatures YES"
    if facts.defaced or facts.modality.upper() not in _3D:
        return ""
    words = _NOT_A_HEAD.sub(" ", f"{facts.body_part} | {facts.descriptions}".upper())
    hit = _HEAD.search(words)
    return f"a {facts.modality.upper() or 'volume'} of the {hit[0]} without a defaced statement" if hit else ""


# ------------------------------------------------------------------------------------------------ what it looks like


@dataclass(frozen=True, slots=True)
class HeadEvidence:
    """What a volume looks like: `head` and why, in words without numbers of the patient beyond sizes in mm."""

    head: bool
    found: str
    extents_mm: tuple[float, float] = (0.0, 0.0)  # left to right, front to back
    vault_mm: float = 0.0  # CT: how much of the body's length shows bone around brain


def gate_head(grid: Volume, facts: FaceFacts, config: DeidentifyConfig) -> str:
    """`gate_face` for what the header leaves open: refuse what looks like a head, `Reject("face_suspected")`.

    CT in HU is judged by its skull whatever the header says. Anything else is judged by its size, only where no body
    part is given and the descriptions name no other region; so knees, which have the size of heads, need a body part.
    Volumes stated to be defaced pass. Returns "" or the recipe's reason where it keeps.
    """
    if facts.defaced or facts.modality.upper() not in _3D:
        return ""
    words = f"{facts.body_part} | {facts.descriptions}".upper()
    named = bool(facts.body_part.strip() or _ELSEWHERE.search(words))
    if named and grid.units != "HU":
        return ""
    evidence = looks_like_head(grid)
    suspected = evidence.head and (evidence.vault_mm > 0 or not named)
    return quarantined("face_suspected", evidence.found if suspected else "", config.faces)


def looks_like_head(grid: Volume) -> HeadEvidence:
    """Does a volume look like a head? Bone around brain in HU; in other units an object of a head's width and length
    with air around it. Cheap: voxels 3 mm apart.

    A CT without air is not in HU and judged by size. PET, whose edges are soft, is judged as MR is. Not covered: in CT
    the face without the brain's vault; in MR a head that fills the field of view, or a slab less than 11 cm across.

    A size is a weak sign, so this is a guess and no protection: of seven real heads that say nothing of themselves
    (templates and scans in packages and public test data; six MR, one CT) six were told, and the seventh, an
    echo-planar scan, fills its field of view. Who has volumes without names says in the recipe what they show.
    """
    voxels, steps = _coarse(grid)
    if min(voxels.shape) < 2 or max(voxels.shape) > 1024:
        return HeadEvidence(False, "too few slices to judge" if min(voxels.shape) < 2 else "too large to judge")
    in_hu = grid.units == "HU" and float(voxels.min()) < _AIR_HU
    return _skull(voxels, steps) if in_hu else _head_sized(voxels, steps)


def _coarse(grid: Volume) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """Every n-th voxel, about `_STEP_MM` apart, as (head-feet, front-back, left-right), and their distances in mm."""
    from nibabel import orientations

    codes: Any = orientations  # its functions are not annotated
    axes = [int(axis) for axis in codes.io_orientation(grid.affine)[:, 0]]  # of x, y, z: 0 is left-right
    spacing = grid.spacing_mm
    sides = grid.voxels.shape
    strides = [max(1, min(int(_STEP_MM / s), n // 3)) for s, n in zip(spacing, sides, strict=True)]
    sampled = grid.voxels[:: strides[0], :: strides[1], :: strides[2]]
    order = [2 - axes.index(world) for world in (2, 1, 0)]  # array axis of each world axis, head-feet first
    turned = np.nan_to_num(np.asarray(sampled.transpose(order), dtype=np.float32))
    steps = tuple(spacing[k] * strides[k] for k in order)
    return turned, (steps[0], steps[1], steps[2])


def _skull(voxels: NDArray[np.float32], steps: tuple[float, float, float]) -> HeadEvidence:
    """Slices in which bone encloses brain, of a vault's size, one on another."""
    vaults = [_vault(plane, steps[1:]) for plane in voxels]
    run, best, extents = 0.0, 0.0, (0.0, 0.0)
    for vault in vaults:
        run = run + steps[0] if vault else 0.0
        best = max(best, run)
        if vault:
            extents = max(extents, vault)
    head = best >= min(_VAULT_LENGTH_MM, 0.8 * steps[0] * len(voxels))
    found = "a CT volume with a skull around a brain, without a defaced statement" if head else "no skull"
    return HeadEvidence(head, found, extents, round(best, 1))


def _vault(plane: NDArray[np.float32], steps: tuple[float, ...]) -> tuple[float, float] | None:
    """Width and length in mm of what bone encloses, where that is a brain's size and density."""
    from scipy import ndimage

    bone = plane > _BONE_HU
    if bone.mean() < 0.005:
        return None
    reach = [max(1, round(_BREACH_MM / step)) for step in steps]
    grown = ndimage.binary_dilation(np.pad(bone, [(r, r) for r in reach]), np.ones([2 * r + 1 for r in reach], bool))
    inside, count = ndimage.label(ndimage.binary_fill_holes(grown) & ~grown)
    if not count:
        return None
    largest = int(np.argmax(np.bincount(inside.ravel())[1:])) + 1
    hole = (inside == largest)[reach[0] : -reach[0], reach[1] : -reach[1]]
    length, width = (_extent(hole.any(axis=other), step) for other, step in ((1, steps[0]), (0, steps[1])))
    length, width = length + 2 * _BREACH_MM, width + 2 * _BREACH_MM  # which the closing took away
    if not all(_VAULT_MM[0] <= side <= _VAULT_MM[1] for side in (length, width)):
        return None
    values = plane[hole]
    brain = ((values >= _BRAIN_HU[0]) & (values <= _BRAIN_HU[1])).mean()
    return (width, length) if brain >= _BRAIN_SHARE else None


def _head_sized(voxels: NDArray[np.float32], steps: tuple[float, float, float]) -> HeadEvidence:
    """An object as wide and as long as a head, with air on three of its four sides at least."""
    from scipy import ndimage

    labels, count = ndimage.label(ndimage.binary_opening(voxels > _tissue_from(voxels)))
    if not count:
        return HeadEvidence(False, "nothing but air")
    body = labels == int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    spans = [body.any(axis=(0, 2)), body.any(axis=(0, 1))]  # front to back, left to right
    extents = (_extent(spans[1], steps[2]), _extent(spans[0], steps[1]))
    sides = (body[:, 0], body[:, -1], body[:, :, 0], body[:, :, -1])
    closed = sum(1 for side in sides if side.mean() > 0.25)  # the object runs out of the field of view there
    sized = _WIDTH_MM[0] <= extents[0] <= _WIDTH_MM[1] and _LENGTH_MM[0] <= extents[1] <= _LENGTH_MM[1]
    head = sized and closed <= 1
    found = (
        f"an unnamed body part of a head's size ({extents[0]:.0f} x {extents[1]:.0f} mm)" if head else "no head's size"
    )
    return HeadEvidence(head, found, extents)


def _tissue_from(voxels: NDArray[np.float32]) -> float:
    """What is brighter than air: half way from the dark to Otsu's threshold (IEEE SMC-9, 1979)."""
    low, high = (float(v) for v in np.percentile(voxels, (1, 99)))
    if high <= low:
        return high
    counts, edges = np.histogram(np.clip(voxels, low, high), bins=64)
    weight = np.cumsum(counts[:-1]) / counts.sum()
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts * middle)[:-1] / counts.sum()
    mean = float((counts * middle).sum() / counts.sum())
    spread = weight * (1 - weight)
    between = np.divide((mean * weight - below) ** 2, spread, out=np.zeros(63), where=spread > 0)
    return low + 0.5 * (float(edges[1:-1][int(np.argmax(between))]) - low)


def _extent(along: Array, step: float) -> float:
    """From the first to the last true element, in mm."""
    where = np.flatnonzero(along)
    return float((where[-1] - where[0] + 1) * step) if where.size else 0.0
