"""2D images in the files of volumes: NIfTI, NRRD and MetaImage of one slice, (x, y) or (x, y, 1), as an `Image`.

The array is (y, x) in the file's own order: its first axis runs along the rows, as viewers of flat files show it. Where
the patient's left is such a file does not say in a way that can be trusted, so nothing but the spacing of rows and
columns is taken over of its geometry. Colour, vectors, several slices and time points are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from curate.arrays import Image, Units
from curate.guard import MAX_BYTES
from curate.volume import settled
from curate.volume.containers import read_metaimage, read_nrrd
from curate.volume.nifti import MAX_AFFINE, MIN_SPACING_MM, read_frames
from manifests.errors import RecordError

ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
NIFTI = tuple(ending for ending in ENDINGS if ending.endswith((".nii", ".hdr", ".img", ".gz")))
_DROPPED = ("no_space",)


def is_flat(path: Path) -> bool:
    """Whether a picture's file is one of a volume's formats, by its ending."""
    return path.name.lower().endswith(ENDINGS)


def read_flat(path: Path, units: Units = "scanner", max_bytes: int = MAX_BYTES) -> Image:
    """The one slice of a file; `spacing_mm` is (y, x), None where the header says none (note `no_spacing`).

    Raises RecordError as `curate.volume.read_volume` does, `unsupported_volume` too for several slices or time points.
    """
    name = path.name.lower()
    if name.endswith(NIFTI):
        header, frames = read_frames(path, 0, None, max_bytes, flat=True)
        stack, affine, notes = frames.reshape(-1, *frames.shape[2:]), header.affine, header.notes
    else:
        grid = (read_nrrd if name.endswith((".nrrd", ".nhdr")) else read_metaimage)(path, max_bytes, flat=True)
        stack, affine, notes = grid.voxels, grid.affine, grid.notes
    if len(stack) != 1:
        raise RecordError("unsupported_volume", f"{len(stack)} slices in a picture", "give it as a volume")
    x, y = (float(np.sqrt((affine[:3, k] ** 2).sum())) for k in (0, 1))
    known = "no_spacing" not in notes and all(MIN_SPACING_MM <= step <= MAX_AFFINE for step in (x, y))
    return Image(
        settled(stack[0]), units, (y, x) if known else None, notes=tuple(n for n in notes if n not in _DROPPED)
    )
