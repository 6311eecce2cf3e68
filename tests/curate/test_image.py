"""2D images: every mode has one stated meaning, size is known before decoding, windows follow the standard."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.arrays import Image
from curate.image import fit, quality, read_image, to_display
from manifests.errors import RecordError, Reject

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (40, 50)).astype(np.uint8)
RGB = RNG.integers(0, 256, (40, 50, 3)).astype(np.uint8)
DEEP = RNG.integers(0, 65536, (40, 50)).astype(np.uint16)


def _saved(folder: Path, name: str, image: PIL.Image.Image, **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
@pytest.mark.parametrize("pixels", [GREY, RGB], ids=["grey", "rgb"])
def test_lossless_formats_give_the_pixels_back(tmp_path: Path, name: str, pixels: np.ndarray) -> None:
    image = read_image(_saved(tmp_path, name, PIL.Image.fromarray(pixels)))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert (image.units, image.spacing_mm, image.window) == ("display", None, None)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, name: str) -> None:
    image = read_image(_saved(tmp_path, name, PIL.Image.fromarray(DEEP)))
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, DEEP)


def test_float_tiff_is_kept(tmp_path: Path) -> None:
    values = RNG.normal(size=(30, 30)).astype(np.float32)
    np.testing.assert_array_equal(read_image(_saved(tmp_path, "f.tif", PIL.Image.fromarray(values))).pixels, values)


def test_palette_bilevel_and_cmyk_have_one_meaning(tmp_path: Path) -> None:
    bilevel = PIL.Image.fromarray(GREY > 128)
    assert set(np.unique(read_image(_saved(tmp_path, "b.png", bilevel)).pixels)) == {0, 255}
    palette = PIL.Image.fromarray(RGB).quantize(16)
    np.testing.assert_array_equal(
        read_image(_saved(tmp_path, "p.gif", palette)).pixels, np.array(palette.convert("RGB"))
    )
    cmyk = PIL.Image.fromarray(RGB).convert("CMYK")
    assert read_image(_saved(tmp_path, "c.tif", cmyk)).pixels.shape == (40, 50, 3)


def test_alpha_is_composited_over_black_and_changes_nothing_where_opaque(tmp_path: Path) -> None:
    alpha = np.full((40, 50, 1), 255, np.uint8)
    alpha[:10] = 0
    image = read_image(_saved(tmp_path, "a.png", PIL.Image.fromarray(np.concatenate([RGB, alpha], axis=2))))
    np.testing.assert_array_equal(image.pixels[10:], RGB[10:])
    assert image.pixels[:10].max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_exactly(tmp_path: Path, orientation: int) -> None:
    upright = [
        GREY, GREY[:, ::-1], GREY[::-1, ::-1], GREY[::-1], GREY.T, GREY.T[:, ::-1], GREY.T[::-1, ::-1], GREY.T[::-1],
    ]  # fmt: skip
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = read_image(_saved(tmp_path, "o.png", PIL.Image.fromarray(GREY), exif=exif.tobytes()))
    np.testing.assert_array_equal(image.pixels, upright[orientation - 1])


def _png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [12_000, 50_000])
def test_a_pixel_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(_png_claiming(side, side))
    with pytest.raises(RecordError, match="too_large"):
        read_image(tmp_path / "bomb.png")


@settings(deadline=None, max_examples=120)
@given(st.data())
@pytest.mark.slow
def test_mutated_files_read_or_fail_typed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"]))
    stream = io.BytesIO()
    PIL.Image.fromarray(RGB[:16, :16]).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    reason, size = "read", 0
    try:
        size = read_image(path, max_pixels=1_000_000).pixels.size
    except RecordError as error:
        reason = error.reason
    assert reason in {"read", "corrupt_image", "too_large", "multi_page", "lossy_dtype"}
    assert size <= 3_000_000


@pytest.mark.parametrize(
    "content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"GIF"]
)
def test_other_formats_are_refused_whatever_their_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(RecordError, match="corrupt_image"):
        read_image(tmp_path / "x.png")


def test_stacks_folders_and_truncated_files_are_refused(tmp_path: Path) -> None:
    pages = [PIL.Image.fromarray(GREY)] * 2
    path = _saved(tmp_path, "s.tif", pages[0], save_all=True, append_images=pages[1:])
    with pytest.raises(RecordError, match="multi_page"):
        read_image(path)
    with pytest.raises(RecordError, match="unreadable_file"):
        read_image(tmp_path)
    whole = _saved(tmp_path, "t.png", PIL.Image.fromarray(RGB))
    whole.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(RecordError, match="corrupt_image"):
        read_image(whole)


@pytest.mark.parametrize(("centre", "width"), [(40.0, 400.0), (2048.0, 4096.0), (0.0, 100.0), (50.5, 1.0)])
def test_windows_follow_pydicoms_reading_of_the_standard(centre: float, width: float) -> None:
    from pydicom.dataset import Dataset
    from pydicom.pixels.processing import apply_windowing

    values = np.arange(-1200, 4200, dtype=np.int16).reshape(54, 100)
    header = Dataset()
    header.WindowCenter, header.WindowWidth = centre, width
    header.PhotometricInterpretation, header.BitsStored, header.PixelRepresentation = "MONOCHROME2", 16, 1
    signed = apply_windowing(values, header).astype(np.float64)  # to -32768..32767
    expected = (signed + 32768) / 65535 * 255
    shown = to_display(Image(values, "HU", None, (centre, width)))
    assert np.abs(shown - expected).max() <= 0.5 + 1e-6
    inverted = to_display(Image(values, "HU", None, (centre, width), inverted=True))
    np.testing.assert_array_equal(inverted, 255 - shown)


def test_without_a_window_eight_bits_stay_and_deeper_values_are_stretched() -> None:
    np.testing.assert_array_equal(to_display(Image(GREY, "display")), GREY)
    np.testing.assert_array_equal(to_display(Image(RGB, "display")), RGB)
    shown = to_display(Image(DEEP, "scanner"))
    assert (shown.min(), shown.max()) == (0, 255)
    with_nan = np.array([[np.nan, 0.0], [1.0, np.inf]], np.float32)
    assert to_display(Image(with_nan, "scanner")).tolist() == [[0, 0], [255, 255]]


def test_fit_shrinks_without_aliasing_and_never_enlarges() -> None:
    stripes = np.tile(np.array([[0, 255]], np.uint8), (200, 200))
    small, scale = fit(stripes, 100)
    assert (small.shape, scale) == ((50, 100), 0.25)
    assert np.abs(small[:, 2:-2].astype(int) - 127).max() <= 2  # one-pixel stripes average out
    same, unit = fit(stripes, 1000)
    assert same is stripes
    assert unit == 1.0


def test_blank_and_small_images_are_rejected_and_real_ones_pass() -> None:
    quality(Image(GREY, "display"))
    quality(Image(RGB, "display"))
    for pixels in (np.full((64, 64), 200, np.uint8), np.full((64, 64, 3), (9, 80, 200), np.uint8), np.zeros((64, 64))):
        with pytest.raises(Reject, match="blank"):
            quality(Image(pixels, "display"))
    with pytest.raises(Reject, match="too_small"):
        quality(Image(GREY[:27], "display"))
    quality(Image(GREY[:27], "display"), min_side=27)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_jpeg_turns_the_whole_picture(tmp_path: Path, orientation: int) -> None:
    ramp = np.add.outer(np.arange(48) * 4, np.arange(64)).astype(np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    shown = read_image(_saved(tmp_path, "o.jpg", PIL.Image.fromarray(ramp), exif=exif.tobytes(), quality=100)).pixels
    upright = [
        ramp, ramp[:, ::-1], ramp[::-1, ::-1], ramp[::-1], ramp.T, ramp.T[:, ::-1], ramp.T[::-1, ::-1], ramp.T[::-1],
    ]  # fmt: skip
    assert shown.shape == upright[orientation - 1].shape
    assert np.abs(shown.astype(int) - upright[orientation - 1]).max() <= 3


def test_an_inverted_adobe_cmyk_jpeg_shows_its_colours(tmp_path: Path) -> None:
    patches = np.zeros((48, 64, 3), np.uint8)
    patches[:, :32], patches[:, 32:] = (200, 30, 40), (20, 60, 220)
    path = _saved(tmp_path, "c.jpg", PIL.Image.fromarray(patches).convert("CMYK"), quality=98)
    assert b"Adobe" in path.read_bytes()
    assert np.abs(read_image(path).pixels.astype(int) - patches).max() <= 12


def test_the_first_frame_of_an_animation_is_read_and_noted(tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(GREY), PIL.Image.fromarray(255 - GREY), PIL.Image.fromarray(GREY.T.copy().T)]
    image = read_image(_saved(tmp_path, "a.gif", frames[0], save_all=True, append_images=frames[1:]))
    assert image.notes == ("first_of_3_frames",)
    assert np.abs(image.pixels.reshape(40, 50, -1)[..., 0].astype(int) - GREY).max() <= 8
    assert read_image(_saved(tmp_path, "b.png", frames[0])).notes == ()


def test_a_palette_with_transparency_is_black_where_nothing_is_seen(tmp_path: Path) -> None:
    stripes = PIL.Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (40, 10)), "P")
    stripes.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250, 90, 90, 90])
    shown = read_image(_saved(tmp_path, "t.png", stripes, transparency=1)).pixels
    assert shown[0, :4].tolist() == [[250, 0, 0], [0, 0, 0], [0, 0, 250], [90, 90, 90]]


def _tiled_tiff(path: Path, sizes: list[int], description: str = "") -> Path:
    """A grey TIFF of one 16 x 16 tiled page per size, uncompressed; each page's level is its number + 1."""
    body, places = b"", []
    for number, size in enumerate(sizes):
        count = (-(-size // 16)) ** 2
        text = description.encode() + b"\0"
        data = bytes([number + 1]) * 256 * count
        places.append((8 + len(body), count, size, text))
        body += data + text
    out, at = b"II*\0" + struct.pack("<I", 8 + len(body)) + body, 8 + len(body)
    for number, (start, count, size, text) in enumerate(places):
        extra = at + 2 + 11 * 12 + 4
        offsets = struct.pack(f"<{count}I", *(start + 256 * k for k in range(count)))
        counts = struct.pack(f"<{count}I", *[256] * count)
        single = (offsets, counts) if count == 1 else (None, None)
        tags = [(256, 3, 1, size), (257, 3, 1, size), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
        tags += [(270, 2, len(text), start + 256 * count), (277, 3, 1, 1), (322, 3, 1, 16), (323, 3, 1, 16)]
        tags += [
            (324, 4, count, start if single[0] else extra),
            (325, 4, count, 256 if single[1] else extra + 4 * count),
        ]
        ifd = struct.pack("<H", 11) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        at = extra + (0 if single[0] else 8 * count)
        ifd += struct.pack("<I", at if number + 1 < len(places) else 0)
        out += ifd + (b"" if single[0] else offsets + counts)
    path.write_bytes(out)
    return path


def test_the_largest_level_of_a_slide_that_fits_is_read_with_its_spacing(tmp_path: Path) -> None:
    slide = _tiled_tiff(tmp_path / "s.svs", [256, 128, 64], "Aperio Image Library|AppMag = 20|MPP = 0.5000|")
    whole = read_image(slide)
    assert (whole.pixels.shape, whole.spacing_mm, whole.notes) == ((256, 256), (0.0005, 0.0005), ("slide_level_0",))
    level = read_image(slide, max_pixels=20_000)
    assert (level.pixels.shape, level.spacing_mm, level.notes) == ((128, 128), (0.001, 0.001), ("slide_level_1",))
    assert set(np.unique(level.pixels)) == {2}
    with pytest.raises(RecordError, match="whole_slide: found a slide whose smallest level has 64 x 64"):
        read_image(slide, max_pixels=1000)
    with pytest.raises(RecordError, match="multi_page"):
        read_image(_tiled_tiff(tmp_path / "stack.tif", [64, 64, 64]))


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_photographs_and_radiographs_read_as_pillow_decodes_them() -> None:
    files = sorted(f for f in SHARED.glob("*/**/*") if f.suffix.lower() in (".jpg", ".png"))[::6]
    assert len(files) > 10
    for file in files:
        if file.name == "corrupt.png":
            continue
        image = read_image(file)
        with PIL.Image.open(file) as oracle:
            assert sorted(image.pixels.shape[:2]) == sorted(oracle.size)
    with pytest.raises(RecordError, match="corrupt_image"):
        read_image(SHARED / "formats-odd-panimg/corrupt.png")


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_a_real_slide_region_is_read_without_its_label_and_macro() -> None:
    image = read_image(SHARED / "histology-cmu-svs/cmu_small_region.svs")
    assert (image.pixels.shape, image.notes) == ((2967, 2220, 3), ("slide_level_0",))
    assert image.spacing_mm == pytest.approx((0.000499, 0.000499))
