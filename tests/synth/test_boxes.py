"""Box dialects: there and back within one quantum, the upstreams' own examples, hostile text, overlap as a reward."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import VerificationError
from manifests.sample import Answer
from synth.boxes import (
    DIALECTS_2D,
    Box2D,
    Box3D,
    Dialect2D,
    box_of,
    box_text,
    from_m3d,
    m3d_text,
    overlap,
    parse_box,
    parse_m3d,
    parse_tagged,
    quantum_px,
    scaled,
    to_dialect,
    to_m3d,
)
from synth.verify import verify_answer

sides = st.integers(1, 4000)


@st.composite
def images(draw: st.DrawFn) -> tuple[int, int, Box2D]:
    height, width = draw(sides), draw(sides)
    x = sorted(draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    y = sorted(draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    return height, width, Box2D(x[0], y[0], x[1], y[1])


@settings(deadline=None)
@given(images(), st.sampled_from(DIALECTS_2D))
@pytest.mark.slow
def test_a_box_survives_each_dialect_within_one_quantum(image: tuple[int, int, Box2D], dialect: Dialect2D) -> None:
    height, width, box = image
    back = parse_box(f"It is here: {box_text(box, dialect, height, width, 'mass')}.", dialect, height, width)
    for value, truth, side in zip(back, box, (width, height, width, height), strict=True):
        assert abs(value - truth) <= quantum_px(dialect, side) * 0.5000001 + 1e-9
    assert to_dialect(back, dialect, height, width) == to_dialect(box, dialect, height, width)


@settings(deadline=None)
@given(st.tuples(*[st.integers(1, 600)] * 3), st.integers(0, 2**32 - 1))
@pytest.mark.slow
def test_a_3d_box_survives_m3d_within_one_quantum(shape: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = [int(rng.integers(0, n)) for n in shape]
    high = [int(rng.integers(a, n)) + 1 for a, n in zip(low, shape, strict=True)]
    box = Box3D(low[2], low[1], low[0], high[2], high[1], high[0])
    back = parse_m3d(m3d_text(box, shape), shape)
    for value, truth, side in zip(back, box, shape[::-1] * 2, strict=True):
        assert abs(value - truth) <= side / 1000 + 1e-9


def test_each_dialect_writes_as_its_model_reads() -> None:
    box = Box2D(100, 50, 300, 150)  # 400 x 200 pixels
    texts = {d: box_text(box, d, 200, 400, "left lung") for d in DIALECTS_2D}
    assert texts == {
        "pixels": "[100, 50, 300, 150]",
        "thousand": "[250, 250, 750, 750]",
        "internvl": "<ref>left lung</ref><box>[[250, 250, 750, 750]]</box>",
        "medrega": "<ref>left lung</ref><box>[[250, 250, 749, 749]]</box>",
        "medvision": "[0.250, 0.250, 0.750, 0.750]",
    }
    upper = Box2D(0, 0, 40, 20)  # the upper left tenth: in MedVision's frame it lies high
    assert box_text(upper, "medvision", 200, 400) == "[0.000, 0.900, 0.100, 1.000]"
    mask = np.zeros((32, 256, 256), bool)
    mask[4:12, 30:100, 60:200] = True
    at = np.argwhere(mask)
    upstream = [round(v / n, 3) for v, n in zip([*at.min(0), *at.max(0)], mask.shape * 2, strict=True)]
    assert list(to_m3d(Box3D(60, 30, 4, 200, 100, 12), mask.shape)) == upstream
    assert parse_tagged("<ref>a</ref><box>[[1,2,3,4],[5,6,7,8]]</box>", "medrega", 999, 999)[1].box == (5, 6, 7, 8)


@settings(deadline=None)
@given(images(), st.floats(0.1, 8), st.floats(0.1, 8))
@pytest.mark.slow
def test_resizing_there_and_back_is_no_change(image: tuple[int, int, Box2D], y: float, x: float) -> None:
    box = image[2]
    assert scaled(scaled(box, y, x), 1 / y, 1 / x) == pytest.approx(box)
    assert overlap(box, scaled(box, 1, 1)) in (0.0, 1.0)


def test_overlap_equals_counted_pixels_also_in_3d() -> None:
    rng = np.random.default_rng(1)
    for half in (2, 3):
        for _ in range(50):
            pair = []
            for _ in range(2):
                corners = np.sort(rng.integers(0, 9, (2, half)), axis=0)
                pair.append([*corners[0], *(corners[1] + 1)])
            grids = []
            for b in pair:
                grid = np.zeros((10,) * half, bool)
                grid[tuple(slice(b[k], b[half + k]) for k in range(half))] = True
                grids.append(grid)
            truth = (grids[0] & grids[1]).sum() / (grids[0] | grids[1]).sum()
            assert overlap(pair[0], pair[1]) == pytest.approx(truth)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet="[]<>ref/box0123456789.,- e", max_size=80)))
@pytest.mark.slow
def test_any_text_is_a_box_inside_the_image_or_is_refused(text: str) -> None:
    for dialect in DIALECTS_2D:
        try:
            box = parse_box(text, dialect, 100, 200)
        except VerificationError:
            continue
        assert 0 <= box.x0 <= box.x1 <= 200
        assert 0 <= box.y0 <= box.y1 <= 100
    with contextlib.suppress(VerificationError):
        parse_m3d(text, (3, 4, 5))
    with contextlib.suppress(VerificationError):
        box_of(text)


@pytest.mark.parametrize("text", ["[1, 2, 3]", "[300, 2, 100, 4]", "[1, 2, 3, 4] or [5, 6, 7, 8]", "[1, 2, 3, 999999]",
                                  "[nan, 1, 2, 3]", "[-1, 0, 2, 3]", "", "[" * 9000])  # fmt: skip
def test_what_is_not_one_box_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        parse_box(text, "pixels", 500, 500)
    with pytest.raises(VerificationError):
        from_m3d([0.5, 0, 0, 0.1, 1, 1], (10, 10, 10))


@pytest.mark.slow
def test_a_box_earns_its_reward_by_overlap() -> None:
    gold = Answer("box", "10,10,0,20,20,10", "box", tolerance=0.5)
    said = {"[10, 10, 0, 20, 20, 10]": True, "<think>x</think><answer>[11,10,0,20,20,10]</answer>": True,
            "[10, 10, 5, 20, 20, 15]": False, "[10, 10, 20, 20]": False, "no box": False}  # fmt: skip
    assert {text: verify_answer(text, gold).passed for text in said} == said
    sizes = Answer("numbers", "44.3 x 21.0", "numbers", "mm", 0.05)
    said = {
        "44.3 x 21.0 mm": True,
        "4.4 cm by 2.1 cm": True,
        "21.0 x 44.3 mm": False,
        "44.3": False,
        "44 x 21 HU": False,
    }
    assert {text: verify_answer(text, sizes).passed for text in said} == said
