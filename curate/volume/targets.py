"""What models want of a volume: one function per published format.

    canonical              the voxels as they are
    m3d_32x256x256         M3D's tensor: min-max, box of the foreground, linear resize
    fleming_11x448         11 of M3D's 32 slices, each stretched to its own minimum and maximum
    ct_clip_480x480x240    0.75 x 0.75 x 1.5 mm, HU / 1000 in -1 to 1
    merlin_224x224x160     RAS, 1.5 x 1.5 x 3 mm, -1000 to 1000 HU in 0 to 1
    hulu_180               180 slices, each stretched to its own minimum and maximum
    medm_vl_32x256x256     -1000 to 1000 HU in 0 to 255, box of the foreground, linear resize
    deeptumor_mp4          axial slices through the abdomen window as a clip

Arrays are (z, y, x) everywhere, also where a loader wants another order (each function says how it reads ours). The
affine of a `Shown` maps its indices (x, y, z) to RAS+ mm, after crop, resize and padding; with `slices`, shown slice i
lies at z = slices[i] of the grid that the affine describes. Published chains take the axes as the file has them, but
for Merlin's; `Published.orientation` turns the volume first, so that left is left in every picture. Stretching slice by
slice, which loses HU, is done only where a model's own loader does it. Not covered: augmentation, normalisation with a
model's mean and deviation, and grey to RGB: loaders do that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from curate.arrays import Array, Units, Volume
from curate.volume.grids import Matrix, Size, display_codes, placed, reorient
from curate.volume.sampling import Floats, Prepare, planes, positions, taps
from curate.volume.windows import WINDOWS, require_hu, shown
from manifests.errors import Reject

TILE_TOKENS = 256  # InternVL: one 448 x 448 tile
CROP_HU = (-1000.0, 1000.0)
FLEMING_SLICES, FLEMING_SIDE = 11, 448
HULU_SLICES = 180
DEEPTUMOR_FRAMES, DEEPTUMOR_FPS = 150, 8


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a target makes of a volume. `tokens`: what it costs the model that it is made for; 0: not known."""

    voxels: Array
    affine: Matrix
    units: Units
    slices: tuple[int, ...] | None = None
    tokens: int = 0


def oriented(volume: Volume, orientation: str | None) -> Volume:
    """The volume turned to an orientation, or to how a viewer shows its plane; None: as it is."""
    if orientation is None:
        return volume
    return reorient(volume, display_codes(volume) if orientation == "display" else orientation)


# Published formats


def m3d_32x256x256(volume: Volume) -> Shown:
    """float32 (32, 256, 256) in 0 to 1: `curate.volume.m3d`. Loader: `array[None]`.

    BAAI-DCAI/M3D@63e7200, Data/process/m3d_cap_data_prepare.py. 256 tokens: 2,048 patches of 4 x 16 x 16,
    pooled 2 x 2 x 2 (LaMed's spatial pooling projector). Raises Reject `blank`.
    """
    from curate.volume.m3d import M3D_SHAPE, measure, to_m3d

    box = measure(volume.voxels).box
    voxels = to_m3d(volume)
    return Shown(voxels, _box_affine(volume.affine, box, M3D_SHAPE), "display", tokens=256)


def fleming_11x448(volume: Volume) -> Shown:
    """uint8 (11, 448, 448): slices linspace(0, 31, 11) of M3D's tensor, each from its minimum to its maximum, cut off
    to whole grey levels, then Pillow's bicubic resize, which is CLIPImageProcessor's. Loader: one RGB image per slice.

    UbiquantAI/Fleming-VL@e1f55b3, demo/demo_all.py, convert_npy_to_images. A flat slice is black. 11 x 256 tokens.
    """
    tensor = m3d_32x256x256(volume)
    slices = [int(z) for z in np.linspace(0, len(tensor.voxels) - 1, FLEMING_SLICES, dtype=int)]
    side, old = FLEMING_SIDE, tensor.voxels.shape[1]
    out = np.empty((FLEMING_SLICES, side, side), np.uint8)
    for k, z in enumerate(slices):
        picture = PIL.Image.fromarray(_stretched(tensor.voxels[z]))
        out[k] = np.asarray(picture.resize((side, side), PIL.Image.Resampling.BICUBIC))
    step = old / side
    affine = placed(tensor.affine, (step, step, 1), ((step - 1) / 2, (step - 1) / 2, 0))
    return Shown(out, affine, "display", tuple(slices), FLEMING_SLICES * TILE_TOKENS)


def ct_clip_480x480x240(volume: Volume) -> Shown:
    """float32 (z, y, x) = (240, 480, 480): HU cut to -1000 to 1000, linear resize to int(n x spacing / wanted) voxels
    of about 1.5 x 0.75 x 0.75 mm (corner alignment, no antialiasing), / 1000, middle cropped or padded with -1.

    ibrahimethemhamamci/CT-CLIP@13d84fb, scripts/data_inference_nii.py (the training loader, scripts/data.py@a2a155c,
    reads such arrays and narrows them to -1000 to 200 HU itself). Loader: its tensor is (1, z, x, y) in the file's own
    axes: `array.transpose(0, 2, 1)[None]`. 13,824 tokens: patches of 10 x 20 x 20 (CT-ViT).
    Raises Reject `not_hu`, `blank`.
    """
    require_hu(volume.units, "ct_clip_480x480x240")
    require_signal(volume)
    size = (240, 480, 480)
    counts = [
        max(1, int(n * (mm / wanted)))
        for n, mm, wanted in zip(volume.voxels.shape, volume.spacing_mm, (1.5, 0.75, 0.75), strict=True)
    ]
    steps = [n / count for n, count in zip(volume.voxels.shape, counts, strict=True)]
    lines = [
        Line(count, step, (step - 1) / 2, _start(count, n, (count - n) // 2))
        for count, step, n in zip(counts, steps, size, strict=True)
    ]
    voxels, affine = _framed(volume, lines, size, (_cut_hu, _thousandth), -1.0)
    return Shown(voxels, affine, "display", tokens=24**3)


def merlin_224x224x160(volume: Volume) -> Shown:
    """float32 (z, y, x) = (160, 224, 224): turned to RAS exactly, linear at 3 x 1.5 x 1.5 mm (centre alignment, no
    antialiasing, as MONAI's Spacing), -1000 to 1000 HU cut to 0 to 1, middle cropped or padded with 0.

    StanfordMIMI/Merlin@2489a96, merlin/data/monai_transforms.py. Loader: MONAI's arrays are (1, x, y, z):
    `array.transpose(2, 1, 0)[None]`. 490 tokens: 10 x 7 x 7 features (merlin/models/radiology_report_generation.py).
    Raises Reject `not_hu`, `blank`.
    """
    require_hu(volume.units, "merlin_224x224x160")
    require_signal(volume)
    turned = reorient(volume, "RAS")
    size = (160, 224, 224)
    steps = [wanted / mm for wanted, mm in zip((3.0, 1.5, 1.5), turned.spacing_mm, strict=True)]
    counts = [round((n - 1) / step + 1) for n, step in zip(turned.voxels.shape, steps, strict=True)]
    lines = [
        Line(count, step, 0.0, _start(count, n, count // 2 - n // 2))
        for count, step, n in zip(counts, steps, size, strict=True)
    ]
    voxels, affine = _framed(turned, lines, size, (_plain, _unit_hu), 0.0)
    return Shown(voxels, affine, "display", tokens=490)


def hulu_180(volume: Volume) -> Shown:
    """uint8 (180, y, x): slices linspace(0, n - 1, 180) along z, each from its minimum to its maximum, cut off to whole
    grey levels; a shorter stack repeats slices.

    ZJUI-AI4H/Hulu-Med@a0060ad, src/hulumed/mm_utils.py, slice_nifti_to_images. Loader: its pictures have rows along the
    file's first axis: `array.transpose(0, 2, 1)`. A flat slice is black here (there: its values cut to 8 bits). Tokens
    depend on its processor's pixel budget, which its repository does not state: 0. Raises Reject `blank`.
    """
    require_signal(volume)
    slices = [int(z) for z in np.linspace(0, len(volume.voxels) - 1, HULU_SLICES, dtype=int)]
    out = np.empty((HULU_SLICES, *volume.voxels.shape[1:]), np.uint8)
    for k, z in enumerate(slices):
        out[k] = out[k - 1] if k and slices[k - 1] == z else _stretched(volume.voxels[z])
    return Shown(out, volume.affine, "display", tuple(slices))


def medm_vl_32x256x256(volume: Volume) -> Shown:
    """uint8 (32, 256, 256): HU cut to -1000 to 1000 and stretched to 0 to 255, cropped to the box above -1000 HU,
    linear resize without antialiasing, cut off to whole grey levels.

    MSIIP/MedM-VL@225fc0f, lvlm/dataset/dataset.py and lvlm/model/encoder/siglip.py. Loader: `array[None]`. 256 tokens:
    the queries of lvlm/model/connector/attn_pooling.py. Raises Reject `not_hu`, `blank` (nothing above -1000 HU).
    """
    require_hu(volume.units, "medm_vl_32x256x256")
    require_signal(volume)
    above = _above(volume.voxels, CROP_HU[0])
    if above is None:
        raise Reject("blank", "no voxel above -1000 HU")
    size = (32, 256, 256)
    part = dataclasses.replace(volume, voxels=volume.voxels[above], masks={})
    z, y, x = (
        taps(n, positions(m, n / m, (n / m - 1) / 2), n / m, "linear")
        for n, m in zip(part.voxels.shape, size, strict=True)
    )
    out = np.empty(size, np.uint8)
    for k, plane in enumerate(planes(part.voxels, (z, y, x), None, _grey)):
        out[k] = plane.astype(np.uint8)
    return Shown(out, _box_affine(volume.affine, above, size), "display", tokens=256)


def deeptumor_frames(volume: Volume) -> Shown:
    """uint8 (t, y, x): the axial slices, feet first, patient's left on the right, through W 400 L 50; at most 150,
    linspace(0, n - 1, 150), for a clip of 8 frames per second.

    Schuture/DeepTumorVQA@7c15c50, src/deeptumorvqa/scripts/extract_train_videos.py. Its extractor of slices is not
    published: direction and order of the slices are ours (LPS), which the affine states.
    Raises Reject `not_hu`, `blank`.
    """
    require_hu(volume.units, "deeptumor_mp4")
    turned = reorient(volume, "LPS")
    depth = len(turned.voxels)
    slices = list(range(depth))
    if depth > DEEPTUMOR_FRAMES:
        slices = [int(z) for z in np.linspace(0, depth - 1, DEEPTUMOR_FRAMES, dtype=int)]
    frames = shown(turned.voxels[slices], WINDOWS["abdomen"])
    return Shown(contrasted(frames), turned.affine, "display", tuple(slices))


# Parts


def require_signal(volume: Volume) -> None:
    """Raises Reject `blank` where all finite voxels are equal."""
    ends = [(float(plane.min()), float(plane.max())) for plane in volume.voxels]
    if not np.isfinite(ends).all():
        finite = volume.voxels[np.isfinite(volume.voxels)]
        ends = [(float(finite.min()), float(finite.max()))] if finite.size else [(0.0, 0.0)]
    if min(low for low, _ in ends) >= max(high for _, high in ends):
        raise Reject("blank", "one value in all voxels")


def contrasted(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures; raises Reject `blank` where they are of one grey level."""
    if pictures.min() == pictures.max():
        raise Reject("blank", "one grey level in all that the window shows")
    return pictures


def _stretched(plane: Array) -> NDArray[np.uint8]:
    """(value - min) / (max - min) x 255 cut off to uint8, as the loaders do; flat: 0. NaN counts as the minimum."""
    if plane.dtype.kind == "f" and not np.isfinite(plane).all():
        finite = plane[np.isfinite(plane)]
        low = finite.min() if finite.size else plane.dtype.type(0)
        plane = np.nan_to_num(plane, nan=low, posinf=finite.max() if finite.size else low, neginf=low)
    low, high = plane.min(), plane.max()
    if low == high:
        return np.zeros(plane.shape, np.uint8)
    if plane.dtype.kind == "f":
        return np.asarray((plane - low) / (high - low) * 255, np.float64).astype(np.uint8)
    span = int(high) - int(low)
    if span >= 1 << 20:
        return np.asarray((plane.astype(np.float64) - low) / span * 255).astype(np.uint8)
    table = (np.arange(span + 1, dtype=np.float64) / span * 255).astype(np.uint8)
    return table.take(plane.astype(np.int64) - int(low))


def _plain(hu: Array) -> Floats:
    """float32, with what is not finite as air."""
    values = np.asarray(hu, np.float32)
    return values if hu.dtype.kind != "f" else np.nan_to_num(values, nan=-1000.0, posinf=1000.0, neginf=-1000.0)


def _cut_hu(hu: Array) -> Floats:
    return np.asarray(np.clip(_plain(hu), np.float32(CROP_HU[0]), np.float32(CROP_HU[1])))


def _unit_hu(hu: Floats) -> Floats:
    return (np.clip(hu, np.float32(CROP_HU[0]), np.float32(CROP_HU[1])) - np.float32(CROP_HU[0])) / np.float32(2000)


def _grey(hu: Array) -> Floats:
    return _unit_hu(_plain(hu)) * np.float32(255)


def _thousandth(hu: Floats) -> Floats:
    # weights may add up to a hair above 1
    return np.asarray(np.clip(hu / np.float32(1000), np.float32(-1), np.float32(1)))


def _above(voxels: Array, low: float) -> tuple[slice, slice, slice] | None:
    """The box of the values above `low`; None where there is none."""
    shade, along = np.zeros(voxels.shape[1:], np.bool_), np.zeros(len(voxels), np.bool_)
    for z, plane in enumerate(voxels):
        marks = plane > low
        along[z] = marks.any()
        shade |= marks
    if not along.any():
        return None
    first, second, third = (np.flatnonzero(line) for line in (along, shade.any(axis=1), shade.any(axis=0)))
    return _span(first), _span(second), _span(third)


def _span(places: NDArray[np.int64]) -> slice:
    return slice(int(places[0]), int(places[-1]) + 1)


def _box_affine(affine: Matrix, box: tuple[slice, slice, slice], size: Size) -> Matrix:
    """Where a box, resized to `size` with corner alignment, lies."""
    steps = [(one.stop - one.start) / n for one, n in zip(box, size, strict=True)]
    offsets = [one.start + (step - 1) / 2 for one, step in zip(box, steps, strict=True)]
    return placed(affine, steps[::-1], offsets[::-1])


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One axis of a resampled grid: `count` voxels at source indices step x i + offset, of which the kept part begins
    at i = `start` (negative: so much padding)."""

    count: int
    step: float
    offset: float
    start: int


def _start(count: int, size: int, cropped: int) -> int:
    """Where the kept part begins: `cropped` where the grid is larger, else the smaller half of the padding before."""
    return cropped if count > size else -((size - count) // 2)


def _framed(
    volume: Volume, lines: list[Line], size: Size, shade: tuple[Prepare, Callable[[Floats], Floats]], padding: float
) -> tuple[Floats, Matrix]:
    """The part of a resampled grid, `lines` along (z, y, x), that has `size` voxels, padded where the grid ends.

    `shade` maps voxels before they are interpolated, and after. Only what is kept is computed."""
    kept = [(max(one.start, 0), min(one.start + n, one.count)) for one, n in zip(lines, size, strict=True)]
    z, y, x = (
        taps(n, positions(one.count, one.step, one.offset), one.step, "linear").part(*part)
        for n, one, part in zip(volume.voxels.shape, lines, kept, strict=True)
    )
    places = [slice(part[0] - one.start, part[1] - one.start) for part, one in zip(kept, lines, strict=True)]
    out = np.full(size, padding, np.float32)
    inner = out[places[0], places[1], places[2]]
    for k, plane in enumerate(planes(volume.voxels, (z, y, x), None, shade[0])):
        inner[k] = shade[1](plane)
    offsets = [one.offset + one.step * one.start for one in lines]
    return out, placed(volume.affine, [one.step for one in reversed(lines)], offsets[::-1])
