"""Frames to MP4: what comes back is what went in, nearly; the bytes repeat and name no program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.video import clip_quality, encode_frames, frame_times_of_rate, probe, read_frames
from manifests.errors import RecordError, Reject

pytestmark = pytest.mark.slow

pytest.importorskip("av", reason="the extra 'video' is not installed")
pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")

NAMES = (b"x264 - core", b"Lavf", b"Lavc", b"libx264")


def moving(height: int, width: int, count: int = 12) -> NDArray[np.uint8]:
    """A soft bright spot on a grey ground that moves one pixel per frame."""
    y, x = np.mgrid[0:height, 0:width]
    at = [np.exp(-((y - height / 2) ** 2 + (x - 4 - index) ** 2) / 40) for index in range(count)]
    return np.asarray(40 + 180 * np.stack(at), np.uint8)


@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_encoded_frames_come_back_padded_to_even_and_nearly_equal(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = moving(*size)
    times = frame_times_of_rate(len(frames), 30000 / 1001)
    encode_frames(frames, times, tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    seen = read_frames(tmp_path / "out.mp4", range(len(frames)), times)
    odd = [(0, side % 2) for side in size]
    padded = np.pad(frames, ((0, 0), *odd), mode="edge")
    assert seen.shape == (*padded.shape, 3)
    assert info.fps == pytest.approx(30000 / 1001, abs=1e-4)
    assert np.abs(seen.astype(int) - padded[..., None]).mean() < 1.5


def test_colours_survive_encoding(tmp_path: Path) -> None:
    colours = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [180, 140, 100]], np.uint8)
    frames = np.broadcast_to(colours.repeat(16, axis=0), (3, 48, 64, 3)).copy()
    encode_frames(frames, (0.0, 1.0, 2.0), tmp_path / "out.mp4", crf=4)
    seen = read_frames(tmp_path / "out.mp4", [0, 1, 2], (0.0, 1.0, 2.0))
    assert np.abs(seen[:, :, 8::16].astype(int) - frames[:, :, 8::16]).max() <= 4


def test_encoding_repeats_byte_for_byte_and_names_no_program(tmp_path: Path) -> None:
    frames = np.random.default_rng(7).integers(0, 255, (20, 40, 50, 3), np.uint8)
    times = frame_times_of_rate(20, 10)
    for name in ("a.mp4", "b.mp4"):
        encode_frames(frames, times, tmp_path / name)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data == (tmp_path / "b.mp4").read_bytes()
    assert not [name for name in NAMES if name in data]
    with pytest.raises(RecordError, match="bad_frames"):
        encode_frames(frames, times[1:], tmp_path / "c.mp4")


def test_a_clip_of_flat_frames_is_blank_and_any_structure_is_not() -> None:
    flat = np.repeat(np.arange(0, 250, 50, dtype=np.uint8), 64).reshape(5, 8, 8)
    with pytest.raises(Reject) as caught:
        clip_quality(flat)
    assert caught.value.reason == "blank"
    with pytest.raises(Reject):
        clip_quality(np.stack([flat, flat // 2, flat // 3], axis=-1))
    clip_quality(moving(16, 16))
