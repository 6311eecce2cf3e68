"""How a recipe asks for volumes: the names of the published formats, and the settings of the parametrised ones.

    volume: hulu_180
    volume: {target: hulu_180, orientation: LPS}
    volume: {target: key_slices, count: 5, window: lung}

What each is stands in `curate.volume.targets` and `curate.volume.views`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from curate.volume.grids import is_orientation
from curate.volume.key_slices import Numbering
from curate.volume.resample import Interpolation
from curate.volume.resample_mask import MaskMethod
from curate.volume.windows import AnyWindow, Window, label
from manifests.config import Config, unknown

PublishedName = Literal[
    "canonical",
    "m3d_32x256x256",
    "fleming_11x448",
    "ct_clip_480x480x240",
    "merlin_224x224x160",
    "hulu_180",
    "medm_vl_32x256x256",
    "deeptumor_mp4",
]


def _orientation(codes: str) -> str:
    if codes != "display" and not is_orientation(codes):
        raise ValueError(f"orientation '{codes}' is not 'display' or one of L/R, A/P and S/I each, as in 'LPS'")
    return codes


Millimetres = Annotated[float, Field(gt=0, le=1000)]
Voxels = Annotated[int, Field(ge=1, le=4096)]
Orientation = Annotated[str, AfterValidator(_orientation)]


class Published(Config):
    """A published format, of the volume turned to `orientation` first (`display`: as a viewer shows its plane)."""

    target: PublishedName
    orientation: Orientation | None = Field(
        default=None, description="such as LPS; null: axes as the loader takes them"
    )


class KeySlices(Config):
    """The slices that a record is about, as uint8 (n, y, x)."""

    target: Literal["key_slices"] = "key_slices"
    count: int = Field(default=8, ge=1, le=512)
    window: AnyWindow = Field(default="auto", description="a name, {centre, width} in HU, or auto")
    min_gap_mm: float = Field(default=5.0, ge=0, description="between shown slices, as long as others are left")
    numbering: Numbering = Field(default="ascending", description="whether a text's slice 1 is at z = 0")


class Grid(Config):
    """A grid of one's own. Spacing alone: the whole field; shape alone: the whole field in so many voxels; both: so
    many voxels of that spacing about the middle of the field, cropped or padded."""

    target: Literal["grid"] = "grid"
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres] | None = Field(
        default=(1.5, 1.5, 1.5), description="(z, y, x)"
    )
    shape: tuple[Voxels, Voxels, Voxels] | None = Field(default=None, description="(z, y, x)")
    orientation: Orientation | None = None
    window: Window | None = Field(default=None, description="null: the values stay in their units")
    interpolation: Interpolation = "linear"
    antialias: bool = True
    masks: MaskMethod = Field(default="label_gaussian", description="label_gaussian keeps volumes, nearest voxels")


PARAMETRISED = ("key_slices", "grid")
NAMES = (*get_args(PublishedName), *PARAMETRISED)


def _named(value: Any) -> Any:
    """Names checked with the house's words; a parametrised target's plain name means its defaults."""
    name = value.get("target") if isinstance(value, dict) else value
    if isinstance(value, dict) and name is None:
        raise ValueError(f"has no target; known: {', '.join(sorted(NAMES))}")
    if isinstance(name, str) and name not in NAMES:
        raise ValueError(unknown("volume target", name, list(NAMES)))
    return {"target": value} if value in PARAMETRISED else value


def _tag(value: Any) -> str:
    if isinstance(value, str):
        return "name"
    name = value.get("target") if isinstance(value, dict) else getattr(value, "target", "")
    return str(name) if name in PARAMETRISED else "published"


VolumeTarget = Annotated[
    Annotated[PublishedName, Tag("name")]
    | Annotated[Published, Tag("published")]
    | Annotated[KeySlices, Tag("key_slices")]
    | Annotated[Grid, Tag("grid")],
    Discriminator(_tag),
    BeforeValidator(_named),
]


def needs_masks(target: VolumeTarget) -> bool:
    """Whether the target looks at the record's masks: `key_slices` to choose, `grid` to bring them along."""
    return isinstance(target, KeySlices | Grid)


def brings_masks(target: VolumeTarget) -> bool:
    """Whether the target gives the masks a grid of its own; else they stay as they are stored."""
    return isinstance(target, Grid)


def described(target: VolumeTarget) -> str:
    """What `Media.target` says: `hulu_180`, `hulu_180@LPS`, `key_slices_8_lung`, `grid_1.5x1.5x1.5mm`."""
    if isinstance(target, str):
        return target
    turned = f"@{target.orientation}" if isinstance(target, Published | Grid) and target.orientation else ""
    if isinstance(target, Published):
        return target.target + turned
    if isinstance(target, KeySlices):
        return f"key_slices_{target.count}_{label(target.window)}"
    parts = ["grid"]
    parts += ["x".join(f"{mm:g}" for mm in target.spacing_mm) + "mm"] if target.spacing_mm else []
    parts += ["x".join(str(n) for n in target.shape)] if target.shape else []
    parts += [label(target.window)] if target.window else []
    return "_".join(parts) + turned
