"""What is refused as unusable and what a model is shown: thresholds hold on real images, crops and scales are told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pytest

from curate.arrays import Image
from curate.image import quality, read_image
from curate.image.target import ImageTarget, border_box, image_tokens, render_image, shown_as
from curate.image.usable import detail, judge, text_glyphs
from manifests.errors import Reject

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (40, 50)).astype(np.uint8)

# --- quality ----------------------------------------------------------------------------------------------------------

WORDS = [
    "The",
    "chest",
    "radiograph",
    "shows",
    "no",
    "effusion,",
    "12",
    "mm",
    "nodule",
    "in",
    "the",
    "left",
    "upper",
    "lobe;",
]


def _page(height: int, width: int, size: int, ink: int, paper: int, noise: float = 0.0) -> np.ndarray:
    page = PIL.Image.new("L", (width, height), paper)
    pen, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(size)
    for number, y in enumerate(range(size, height - 2 * size, int(1.5 * size))):
        line = " ".join(WORDS[(number + k) % len(WORDS)] for k in range(width * 2 // size // 7))
        pen.text((size, y), line, fill=ink, font=font)
    rng = np.random.default_rng(0)
    noisy = np.asarray(page, np.float64) + rng.normal(0, noise, (height, width)) if noise else np.asarray(page)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "page",
    [
        _page(1000, 800, 16, 0, 255),
        _page(1754, 1240, 24, 30, 235, noise=8),
        _page(600, 800, 18, 255, 0),
        _page(300, 400, 14, 0, 255),
        np.repeat(_page(480, 640, 20, 20, 200)[..., None], 3, axis=2),
    ],
    ids=["print", "scan", "screen", "small", "colour"],
)
def test_pages_of_text_are_rejected(page: np.ndarray) -> None:
    with pytest.raises(Reject, match="text_only"):
        judge(page)


def test_text_beside_a_picture_is_no_page_of_text() -> None:
    page = _page(1000, 800, 16, 0, 255)
    y, x = np.mgrid[:400, :400]
    page[300:700, 200:600] = (np.hypot(y - 200, x - 200) % 250).astype(np.uint8)
    judge(page)
    assert text_glyphs(GREY) == 0


def test_blur_and_smears_have_no_detail_and_noise_and_edges_do() -> None:
    ramp = np.add.outer(np.linspace(0, 100, 300), np.linspace(0, 150, 400)).astype(np.uint8)
    with pytest.raises(Reject, match="no_detail"):
        judge(ramp)
    assert detail(np.full((100, 100), 7, np.uint8)) == 0
    assert detail(np.kron(np.eye(8, dtype=np.uint8) * 200, np.ones((40, 40), np.uint8))) > 1
    judge(RNG.integers(0, 256, (200, 300)).astype(np.uint8))


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_all_ruined_images_are_rejected_and_no_real_one() -> None:
    ruined = sorted((SHARED / "quality-bad-images").glob("*.jpg"))
    assert len(ruined) == 6
    for file in ruined:
        with pytest.raises(Reject, match="no_detail"):
            quality(read_image(file))
    folders = ("cxr-covid-hannover", "dermoscopy-isic", "fundus-chasedb1", "us-lung-video-pocovid", "vqa-rad-subset")
    real = [f for d in folders for f in sorted((SHARED / d).rglob("*")) if f.suffix.lower() in (".jpg", ".png")]
    real = [*(f for f in real[::4] if "mask" not in f.name.lower()), SHARED / "dermoscopy-isic/ISIC_0000000.jpg"]
    assert len(real) > 15
    for file in real:
        quality(read_image(file))


# --- render -----------------------------------------------------------------------------------------------------------


def test_uniform_margins_are_cut_only_when_asked_for_and_the_box_is_told() -> None:
    framed = np.full((300, 400), 3, np.uint8)
    framed[:, 380:] = 255
    framed[50:250, 30:330] = RNG.integers(20, 230, (200, 300))
    image = Image(framed, "display", (0.5, 0.5))
    assert shown_as(image, ImageTarget()).crop is None
    shown = shown_as(image, ImageTarget(crop_border=True, max_side=150))
    assert (shown.crop, shown.pixels.shape, shown.scale) == ((50, 30, 250, 330), (100, 150), (0.5, 0.5))
    _, media = render_image(image, ImageTarget(crop_border=True, max_side=150))
    assert (media.spacing_mm, media.target) == ((1.0, 1.0), "max_side_150_cropped")
    for nothing in (np.zeros((60, 60), np.uint8), framed[50:250, 30:330], framed[240:260, :]):
        assert border_box(nothing) is None


def test_jpeg_is_near_png_and_both_repeat_themselves() -> None:
    smooth = np.add.outer(np.arange(100), np.arange(120)).astype(np.uint8)
    image = Image(np.stack([smooth, smooth[::-1], smooth], axis=2), "display")
    data, media = render_image(image, ImageTarget(format="jpeg"))
    assert (media.member, media.target, media.size_bytes) == ("jpg", "max_side_1024_jpeg", len(data))
    assert data == render_image(image, ImageTarget(format="jpeg"))[0]
    with PIL.Image.open(io.BytesIO(data)) as decoded:
        assert np.abs(np.asarray(decoded).astype(int) - image.pixels).max() <= 8
        assert not decoded.getexif()
    assert render_image(image, ImageTarget())[1].member == "png"


@pytest.mark.parametrize(("shape", "tokens"), [((448, 448), 256), ((449, 448, 3), 512), ((1024, 768), 1536)])
def test_an_image_costs_256_tokens_for_each_tile_that_covers_it(shape: tuple[int, ...], tokens: int) -> None:
    assert image_tokens(shape) == tokens
    assert render_image(Image(np.zeros(shape, np.uint8), "display"), ImageTarget())[1].visual_tokens == tokens
