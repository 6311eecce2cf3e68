"""Degraded twins: their bytes, against scipy and NumPy's FFT; and the questions about them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from manifests.record import Fact
from synth import degrade, degrade_acquisition, degrade_numbers, degrade_optics
from synth.proofs import MediaView, check
from synth.tasks import twins
from synth.tasks.twins import Twins
from synth.verify import verify_answer
from tests.synth.media_views import SHARED, Array, abdomen, drawn, picture, record, sample_view

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


def phantom(side: int = 96) -> Array:
    """An ellipse with a bright and a dark inset on black, smooth at its rims, as a slice of a body."""
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) / side
    body = 120.0 * ((x / 0.38) ** 2 + (y / 0.3) ** 2 < 1)
    body += 90.0 * ((x - 0.12) ** 2 + y**2 < 0.08**2) - 60.0 * ((x + 0.15) ** 2 + (y - 0.05) ** 2 < 0.06**2)
    return np.asarray(np.rint(ndimage.gaussian_filter(body, 1.0)).astype(np.uint8))


def plain(height: int, width: int) -> Array:
    """A disc on a coarse pattern, of whole numbers alone."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    disc = (2 * y - height) ** 2 * 9 + (2 * x - width) ** 2 * 6 < 4 * height * width
    return np.asarray((disc * 140 + (7 * (x // 6) + 11 * (y // 5)) % 90).astype(np.uint8))


def coloured() -> Array:
    grey = plain(40, 56).astype(np.int64)
    return np.stack([grey, 255 - grey, grey // 2 + 40], axis=-1).astype(np.uint8)


# --- the degradations ------------------------------------------------------------------------------------------------

GOLDEN = "4be0f5e50d127b11ee1dccfef5f52a85f382a80577b0f44db9c5f929e56c0680"


@pytest.mark.slow
def test_each_kind_gives_its_golden_bytes_and_keeps_the_shape() -> None:
    """One digest over all kinds, levels and two pictures: equal on every machine."""
    digest = hashlib.sha256()
    for kind, level, source in itertools.product(degrade.KINDS, degrade.LEVELS, (plain(48, 48), coloured())):
        before = source.copy()
        made = degrade.degraded(source, kind, level, 11)
        assert made.shape == source.shape
        assert made.dtype == np.uint8
        assert np.array_equal(source, before)
        assert not np.array_equal(made, source)
        digest.update(made.tobytes())
    assert digest.hexdigest() == GOLDEN


@pytest.mark.slow
def test_the_seed_decides_where_and_higher_levels_degrade_more() -> None:
    source = phantom(64)
    fixed = {"downsample", "gaussian_blur", "reduced_contrast"}  # nothing in them is random
    for kind in degrade.KINDS:
        several = {degrade.degraded(source, kind, 2, seed).tobytes() for seed in range(5)}
        assert (len(several) == 1) == (kind in fixed), kind
        off = [
            float(np.abs(degrade.degraded(source, kind, level, 3).astype(int) - source).mean()) for level in (1, 2, 3)
        ]
        assert off[0] < off[1] < off[2], (kind, off)


@pytest.mark.parametrize("bad", [("smear", 1), ("rotation", 0), ("rotation", 4)])
def test_what_is_no_degradation_is_refused(bad: tuple[str, int]) -> None:
    with pytest.raises(ValueError, match="no degradation"):
        degrade.degraded(phantom(), *bad, 1)
    odd: list[Any] = [phantom().astype(np.float64), phantom()[:4], np.zeros((9, 9, 4), np.uint8)]
    for pixels in odd:
        with pytest.raises(ValueError, match="degrad"):
            degrade.degraded(pixels, "rotation", 1, 1)


def test_blur_rotation_and_downsampling_equal_scipys() -> None:
    source = phantom(130)[:, :110]
    for level in (1, 2, 3):
        sigma = max(0.9 * level, 130 * level / 260)
        truth = ndimage.gaussian_filter(
            source.astype(np.float64), sigma, mode="nearest", truncate=np.ceil(3 * sigma) / sigma
        )
        assert np.abs(degrade.degraded(source, "gaussian_blur", level, 1) - truth).max() < 0.6
        turned = degrade.degraded(source, "rotation", level, 1).astype(np.float64)
        angles = [sign * degrade_optics._TURN[level - 1] for sign in (1, -1)]
        oracles = [ndimage.rotate(source.astype(np.float64), a, reshape=False, order=1) for a in angles]
        assert min(float(np.abs(turned - o)[8:-8, 8:-8].max()) for o in oracles) < 2.0
    blocks = source[:128, :108].reshape(32, 4, 27, 4).mean(axis=(1, 3))
    assert np.abs(degrade_numbers.box_means(source[:128, :108], 4) - blocks).max() <= 0.5
    smooth = degrade_numbers.drawn_over(degrade_numbers.box_means(source[:128, :108], 4), 4, (128, 108))
    truth = ndimage.zoom(blocks, 4, order=1, grid_mode=True, mode="nearest")
    assert np.abs(smooth - truth).max() <= 2.0


def test_undersampling_is_zero_filled_k_space() -> None:
    source = phantom(96).astype(np.int64)
    for axis, level in itertools.product((0, 1), (1, 2, 3)):
        faster, centre = degrade_acquisition._FASTER[level - 1], degrade_acquisition._CENTRE[level - 1]
        k = np.fft.fftfreq(96, 1 / 96).astype(int)
        kept = (np.abs(k) <= 96 // centre // 2) | (k % faster == 0)
        kept &= k > -48  # the Nyquist line has no partner and is left out
        spectrum = np.fft.fft(source, axis=axis) * (kept[:, None] if axis == 0 else kept[None, :])
        truth = np.abs(np.fft.ifft(spectrum, axis=axis).real)
        spread = degrade_acquisition.spread_function(96, faster, centre)
        ours = np.abs(sum(np.roll(source, n, axis) * w for n, w in enumerate(spread)) / 2**20)
        assert np.abs(ours - truth).max() < 0.05


def test_projections_are_those_of_the_turned_picture_and_backproject_to_it() -> None:
    source = phantom(96)
    scan = degrade_acquisition.Scan((96, 96))
    lines = scan.projections(source.astype(np.int64))
    assert np.abs(lines.sum(axis=1) - int(source.sum()) * 256).max() < scan.bins  # no ray is lost, at any angle
    first = scan.bins // 2 - 48
    for angle in (0, 30, 77, 90, 135):
        turned = ndimage.rotate(source.astype(np.float64), angle, reshape=False, order=1).sum(axis=0)
        ours = (lines[angle, first : first + 96] + lines[angle, first + 1 : first + 97]) / 512
        off = [float(np.abs(ours - t).max()) for t in (turned, turned[::-1])]
        assert min(off) < 0.04 * float(turned.max()), angle
    whole = scan.backprojected(scan.filtered(lines), [1] * degrade_acquisition.ANGLES)
    assert np.abs(whole - source).mean() < 2.5
    assert float(np.corrcoef(whole.ravel(), source.ravel())[0, 1]) > 0.995


def test_noise_is_gaussian_and_of_the_stated_deviation() -> None:
    noise = degrade_numbers.normal(5, "x", (400, 400)) / degrade_numbers.ONE
    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert ((np.abs(noise) < 1).mean(), (np.abs(noise) < 2).mean()) == pytest.approx((0.683, 0.954), abs=0.006)
    flat = np.full((200, 200), 128, np.uint8)
    for level, deviation in enumerate(degrade_optics._NOISE, 1):
        assert degrade.degraded(flat, "gaussian_noise", level, 1).std() == pytest.approx(deviation, rel=0.03)


def test_no_rounded_table_lies_near_a_tie_that_another_library_could_break_otherwise() -> None:
    values = [255 * (v / 255) ** p for p in (*degrade_optics._OVER, *degrade_optics._UNDER) for v in range(256)]
    sines = [degrade_numbers.ONE * f(np.radians(a)) for a in range(360) for f in (np.sin, np.cos)]
    taps = [degrade_numbers.ONE * np.exp(-k * k / (2 * s * s)) for s in (0.9, 1.8, 2.7, 3.94) for k in range(12)]
    far = [abs((float(v) % 1) - 0.5) for v in (*values, *sines, *taps)]
    exact = [v for v in far if v == 0.0]
    assert min(v for v in far if v > 0) > 1e-9
    assert not exact


# --- the task --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mole() -> MediaView:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data/dermoscopy-isic")
    facts = (Fact("modality", "DMS", "t"), Fact("label", "nevus", "t"))
    return picture("dermoscopy-isic/ISIC_0000000_thumbnail_256.jpg", *facts)


def proven(view: MediaView, kind: str, config: Twins, seeds: int, again: bool = True) -> list[Any]:
    out = []
    for n in range(seeds):
        made = twins.drafts(record(view, kind, f"{n:032x}"), view, config, n)
        assert not again or made == twins.drafts(record(view, kind, f"{n:032x}"), view, config, n)
        for draft in made:
            sample = sample_view(draft, view)
            assert draft.accepted, draft
            assert all(check(p, sample).passed for p in draft.proofs), draft.proofs
            pictures = sum(1 for m in sample.media if m.kind == "image")
            assert draft.turns[0].content.count("<image>") == (pictures if pictures > 1 else 0)
            if draft.answer:
                assert verify_answer(draft.answer.gold, draft.answer).passed
        assert [d.part for d in made if d.stage == "sft"] == list(range(sum(d.stage == "sft" for d in made)))
        out += made
    return out


def edited(sample: MediaView, member: str, pixels: Array) -> MediaView:
    return dataclasses.replace(sample, load=lambda name: pixels if name == member else sample.load(name))


def test_twins_are_remade_from_the_original_in_the_sample_and_no_edit_survives() -> None:
    view = drawn()
    made = proven(view, "image", Twins(max_questions=4), 2)
    calls = {d.proofs[0].call.partition("(")[0] for d in made}
    assert calls == {"degradation", "degraded_one", "severity_order", "label"}
    for draft in made:
        if draft.proofs[0].call.startswith("label"):
            continue
        sample = sample_view(draft, view)
        member = next(m.member for m in sample.media if m.member.startswith("twin"))
        changed = sample.load(member).copy()
        changed[3, 3] ^= 1
        assert not check(draft.proofs[0], edited(sample, member, changed)).passed


def test_wrong_kinds_look_otherwise_and_the_letters_are_balanced() -> None:
    view = drawn()
    letters = []
    for n in range(24):
        for draft in twins.drafts(record(view, key=f"{n:032x}"), view, Twins(families=("kind",)), n):
            if draft.answer:
                named = {words: kind for kind, words in degrade.WORDS.items()}
                kinds = [named[words] for words in draft.answer.options.split("|")]
                assert len({degrade.GROUPS[kind] for kind in kinds}) == 4
                assert "OP" in degrade.MEANINGFUL[kinds["ABCD".index(draft.answer.gold)]]
                letters.append(draft.answer.gold)
    assert len(letters) >= 20
    assert max(letters.count(letter) for letter in "ABCD") <= len(letters) / 2


@pytest.mark.shared_data
@pytest.mark.slow
@needs_shared
def test_real_moles_and_real_ct_slices_get_the_kinds_of_their_modality(mole: MediaView) -> None:
    labels = ("nevus", "melanoma", "dermatofibroma", "vascular lesion")
    ct = abdomen()
    kinds = {"DMS": set(), "CT": set()}  # type: dict[str, set[str]]
    for code, view, kind in (("DMS", mole, "image"), ("CT", ct, "volume")):
        for draft in proven(view, kind, Twins(max_questions=4, labels=labels), 2, again=False):
            kinds[code] |= {m.media.target.split(":")[1] for m in draft.made if m.media.target.startswith("degraded")}
            if code == "DMS" and draft.proofs[0].call == "label(fact=label)":
                assert "nevus" in draft.turns[0].content
    assert kinds["CT"] <= {k for k in degrade.KINDS if "CT" in degrade.MEANINGFUL[k]}
    assert kinds["DMS"] <= {k for k in degrade.KINDS if "DMS" in degrade.MEANINGFUL[k]}
    assert all(len(found) >= 3 for found in kinds.values())


def test_pictures_of_unknown_modality_get_no_twins() -> None:
    view = dataclasses.replace(drawn(), facts=())
    assert twins.drafts(record(view), view, Twins(), 1) == []
