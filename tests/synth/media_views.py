"""Views of real and drawn pictures and volumes, for the tests of the tasks about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import PIL.Image

from manifests.record import Fact, Media, Record
from manifests.sample import Draft
from synth.proofs import MediaView

Array = npt.NDArray[Any]
SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
ORGANS = ("liver", "spleen", "kidney_left", "kidney_right", "vertebrae_L1", "pancreas", "stomach")


def entry(member: str, kind: Any, array: Array, affine: Any = None, **more: Any) -> Media:
    return Media(member, kind, array.shape, str(array.dtype), "0" * 64, array.nbytes, affine=affine, **more)


def view_of(arrays: dict[str, tuple[Media, Array]], *facts: Fact) -> MediaView:
    stored = {name: array for name, (_, array) in arrays.items()}
    return MediaView(tuple(m for m, _ in arrays.values()), stored.__getitem__, facts)


def record(view: MediaView, kind: str = "image", key: str = "0" * 32) -> Record:
    return Record(
        key=key, source="test", uri="test", upstream_id=key, sha256="0" * 64, kind=kind, group="g", licence="MIT",
        access="open", media=view.media, facts=view.facts,
    )  # fmt: skip


def _nifti(path: Path) -> tuple[Array, Any]:
    image: Any = nib.load(path)
    rows = tuple(tuple(float(v) for v in row) for row in image.affine)
    return np.ascontiguousarray(np.asarray(image.dataobj).transpose(2, 1, 0)), rows


def abdomen() -> MediaView:
    folder = SHARED / "ct-totalsegmentator"
    array, affine = _nifti(folder / "example_ct_sm.nii.gz")
    arrays = {"volume.npy.gz": (entry("volume.npy.gz", "volume", array, affine, units="HU"), array)}
    for name in ORGANS:
        mask, grid = _nifti(folder / "example_seg_fast" / f"{name}.nii.gz")
        arrays[name] = (entry(name, "mask", mask, grid, label=name), mask)
    return view_of(arrays, Fact("modality", "CT", "t"), Fact("body_part", "ABDOMEN", "t"))


def picture(path: str, *facts: Fact) -> MediaView:
    pixels = np.asarray(PIL.Image.open(SHARED / path))
    return view_of({"png": (entry("png", "image", pixels), pixels)}, *facts)


def drawn(height: int = 96, width: int = 128) -> MediaView:
    """A grey picture with three labelled rectangles, the spacing of its pixels, and a stated box."""
    y, x = np.mgrid[:height, :width]
    pixels = ((3 * x + 5 * y) % 251).astype(np.uint8)
    arrays = {"png": (entry("png", "image", pixels, spacing_mm=(0.5, 0.25)), pixels)}
    for name, (x0, y0, x1, y1) in {
        "lesion": (10, 12, 40, 42),
        "lens": (60, 50, 76, 90),
        "cup_left": (90, 8, 120, 20),
    }.items():
        mask = np.zeros((height, width), np.uint8)
        mask[y0:y1, x0:x1] = 1
        arrays[name] = (entry(name, "mask", mask, label=name), mask)
    return view_of(arrays, Fact("modality", "OP", "t"), Fact("box", "80,60,110,85", "column:box", about="scar"))


def sample_view(draft: Draft, view: MediaView) -> MediaView:
    """What of a record, and of its own, a finished sample carries: its made pictures decoded from their bytes."""
    import dataclasses
    import io

    own = {one.media.member: np.asarray(PIL.Image.open(io.BytesIO(one.data))) for one in draft.made}
    kept = tuple(m for m in view.media if draft.shows is None or m.member.partition("#")[0] in draft.shows)

    def load(member: str) -> Array:
        return own[member] if member in own else view.load(member)

    return dataclasses.replace(view, media=(*kept, *(one.media for one in draft.made)), load=load)
