"""Whether a JPEG-LS frame ends is seen before CharLS is asked, which takes ten seconds over some that do not."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from curate import dicom
from curate.dicom.codestream import has_end
from curate.dicom.header import read_whole
from manifests.errors import RecordError
from tests.corpus import packaged

FILES = ("MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm")
charls: Any = importlib.import_module("jpeg_ls")  # not annotated


def frame_of(path: Path) -> bytes:
    return next(iter(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)))


def frames() -> Iterator[bytes]:
    yield from (frame_of(packaged(name)) for name in FILES)
    for size in (16, 2048):
        for value in (0, 7):
            for kind in (np.uint8, np.uint16):
                yield bytes(charls.encode_array(np.full((size, size), value, kind)))


@pytest.mark.slow
def test_no_sound_frame_lacks_its_end_and_charls_decodes_none_that_does() -> None:
    """Constant pictures among them, of which a frame holds tens of thousands of pixels in a byte: no bound on size."""
    sizes = []
    for frame in frames():
        charls.decode_from_buffer(frame)
        cut = frame[: frame.rindex(b"\xff\xd9")]
        assert (has_end(frame), has_end(frame + b"\0"), has_end(cut)) == (True, True, False)
        with pytest.raises(RuntimeError):
            charls.decode_from_buffer(cut)
        sizes.append(len(frame))
    assert 2048 * 2048 / min(sizes[-4:]) > 10_000


@pytest.mark.parametrize("name", FILES)
def test_a_frame_without_its_end_is_named_as_what_it_is(name: str, tmp_path: Path) -> None:
    ds = pydicom.dcmread(packaged(name))
    frame = frame_of(packaged(name))
    ds.PixelData = encapsulate([frame[: frame.rindex(b"\xff\xd9")]])
    ds.save_as(tmp_path / "cut.dcm")
    with pytest.raises(RecordError, match="truncated_pixels: found a JPEG-LS frame without its end marker"):
        dicom.read_image(read_whole(tmp_path / "cut.dcm"))
