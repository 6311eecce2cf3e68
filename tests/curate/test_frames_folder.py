"""Pictures that are a video's frames, as a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.video import read_frames
from curate.video.frames_folder import clip_of_frames, rate_of
from manifests.errors import RecordError
from manifests.record import Fact
from sources import mini


def _folder(root: Path, sides: tuple[int, ...] = (64, 64, 64)) -> list[Path]:
    rng = np.random.default_rng(1)
    paths = [root / f"{n:06d}.png" for n in range(len(sides))]
    for path, side in zip(paths, sides, strict=True):
        mini.picture(path, mini.pixels(rng, side, side, colour=True))
    return paths


def test_a_clip_shows_the_pictures_in_their_order_at_their_rate(tmp_path: Path) -> None:
    paths = _folder(tmp_path)
    info, times_s = clip_of_frames(paths, 0.5, tmp_path / "clip.mp4")
    assert times_s == pytest.approx((0.0, 2.0, 4.0))
    assert (info.container, info.frame_count) == ("frames", 3)
    assert info.fps == pytest.approx(0.5)
    for picture, frame in zip(paths, read_frames(tmp_path / "clip.mp4", [0, 1, 2], times_s), strict=True):
        assert np.abs(np.asarray(Image.open(picture), np.int16) - frame).mean() < 6  # lossy, chroma at half size


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    paths = _folder(tmp_path)
    for name in ("a.mp4", "b.mp4"):
        clip_of_frames(paths, 1, tmp_path / name)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("sides", "fps", "reason"),
    [((64,), 1.0, "bad_frames"), ((64, 64), 0.0, "bad_frames"), ((64, 64), float("nan"), "bad_frames"),
     ((64, 48), 1.0, "frame_sizes")],
)  # fmt: skip
def test_what_is_no_video_is_refused(tmp_path: Path, sides: tuple[int, ...], fps: float, reason: str) -> None:
    with pytest.raises(RecordError) as error:
        clip_of_frames(_folder(tmp_path, sides), fps, tmp_path / "clip.mp4")
    assert error.value.reason == reason
    assert not (tmp_path / "clip.mp4").exists()


def test_a_rate_that_is_no_number_is_refused() -> None:
    assert rate_of((Fact("fps", "12.5", "recipe"),)) == 12.5
    with pytest.raises(RecordError):
        rate_of((Fact("fps", "many", "recipe"),))
