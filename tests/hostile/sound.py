"""Sound records of every source, which lie among the hostile ones and must not notice them."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image

from curate.dicom import read_cine
from curate.video import encode_frames
from tests.badfiles import CINE, put, slices
from tests.badmedia import _nifti, _picture
from tests.corpus import SENTENCES, packaged

DICOM = ("examples_overlay.dcm", "examples_palette.dcm", "693_J2KI.dcm")


def write_sound(root: Path) -> None:
    """One or more of each below ROOT/SOURCE."""
    for name in DICOM:
        (root / "dicom").mkdir(parents=True, exist_ok=True)
        shutil.copy(packaged(name), root / "dicom" / name)
    slices(root / "dicom" / "series", lambda ds, n: setattr(ds, "PixelData", _rolled(ds.PixelData, n)))
    voxels = np.frombuffer(_nifti()[352:], ">i2").reshape(25, 41, 33)[::-1]
    put(root / "volumes/sound.nii.gz", gzip.compress(_nifti()[:352] + voxels.tobytes(), mtime=0))
    put(root / "labelled/sound/x.nii", _nifti()[:352] + voxels[:, ::-1].tobytes())
    put(
        root / "labelled/sound/mask.nii.gz",
        gzip.compress(_nifti()[:352] + (voxels > 60).astype(">i2").tobytes(), mtime=0),
    )
    stream = io.BytesIO()
    PIL.Image.open(io.BytesIO(_picture("PNG"))).crop((60, 50, 260, 190)).save(stream, "PNG")
    put(root / "pictures/sound.png", stream.getvalue())
    frames = read_cine(packaged(CINE)).frames[12:24, ::-1]
    (root / "clips").mkdir(exist_ok=True)
    encode_frames(np.ascontiguousarray(frames), tuple(n / 12 for n in range(len(frames))), root / "clips/sound.mp4")
    rows = [json.dumps({"text": text}) for text in SENTENCES[1:]]
    put(root / "texts/sound.jsonl", "\n".join(rows).encode())


def _rolled(pixels: bytes, number: int) -> bytes:
    """Each slice another, and none of them a slice that a hostile file holds."""
    return np.roll(np.frombuffer(pixels, np.uint16), 128 * 20 + 7 * number).tobytes()
