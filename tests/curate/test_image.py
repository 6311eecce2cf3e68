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
