"""What text detection finds, what a mask changes, and what is refused because it can still be read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from benchmarks.burned_in import DETECT, _letters_left, cleaned, decoded, judged
from curate import dicom
from curate.arrays import Frames, Image
from curate.deidentify import (
    DeidentifyConfig,
    TextBox,
    black_of,
    clean_frames,
    clean_pixels,
    find_text,
    find_text_over_time,
    ocr_missing,
)
from curate.deidentify import burned_in as burned_in_module
from curate.deidentify.pixels import cover
from curate.image import to_display
from manifests.errors import RecordError, Reject
from tests import burned

needs_ocr = pytest.mark.skipif(bool(ocr_missing()), reason=f"the extra ocr: {ocr_missing()}")
NAME = ("HOFFMANN ANNA", "1961-04-17")


def ground(height: int = 200, width: int = 240) -> NDArray[np.uint8]:
    """A real CT slice of pydicom's, cut to a size."""
    pixels = to_display(dicom.read_image(burned.PACKAGED / "693_J2KI.dcm"))
    # halved, so that white letters differ from bone too
    return np.array(PIL.Image.fromarray(pixels // 2).resize((width, height)), dtype=np.uint8)


def burnt(pixels: NDArray[np.uint8], at: tuple[int, int] = (10, 12), size: int = 16, angle: int = 0) -> Any:
    ink = burned._stencil(NAME, "", size, angle)
    return burned._burn(pixels, ink, at, burned.COLOURS["white"])


def hidden_by(boxes: tuple[TextBox, ...], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    hidden = np.zeros(shape[:2], dtype=bool)
    for box in boxes:
        hidden[box.y0 : box.y1, box.x0 : box.x1] = True
    return hidden


# ------------------------------------------------------------------------------------------------ the detector


@needs_ocr
@pytest.mark.slow
@pytest.mark.parametrize("angle", [0, 90, 15, -15])
def test_planted_text_lies_in_the_boxes_and_little_else_does(angle: int) -> None:
    pixels, truth = burnt(ground(), angle=angle)
    boxes = find_text(pixels)
    hidden = hidden_by(boxes, pixels.shape)
    assert (hidden & truth).sum() >= 0.995 * truth.sum()
    assert hidden.mean() < 4 * hidden_by((_hull(truth),), pixels.shape).mean()
    assert find_text(pixels) == boxes


def _hull(truth: NDArray[np.bool_]) -> TextBox:
    rows, columns = (np.flatnonzero(truth.any(axis=axis)) for axis in (1, 0))
    return TextBox(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1, 1.0)


@needs_ocr
@pytest.mark.slow
def test_an_image_without_text_keeps_every_pixel_and_says_so() -> None:
    image = Image(ground(160, 160), "display")
    after, steps = clean_pixels(image, None, DETECT)
    assert np.array_equal(after.pixels, image.pixels)
    assert [(s.name, s.result) for s in steps] == [("find_text", "no text found")]


def test_what_is_no_displayed_image_is_refused_before_any_network_runs() -> None:
    wrongs: list[Any] = [np.zeros((0, 5), np.uint8), np.zeros((9, 9), np.uint16), np.zeros((9, 9, 4), np.uint8)]
    for wrong in wrongs:
        with pytest.raises(RecordError, match="bad_array"):
            find_text(wrong)


def test_without_the_tested_networks_a_recipe_that_asks_for_looking_fails_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(burned_in_module, "MODEL_SHA256", "0" * 64)
    burned_in_module._session.cache_clear()
    try:
        with pytest.raises(RecordError, match="ocr_missing"):
            clean_pixels(Image(np.zeros((40, 40), np.uint8), "display"), None, DETECT)
    finally:
        burned_in_module._session.cache_clear()
    same, steps = clean_pixels(Image(np.zeros((40, 40), np.uint8), "display"), None, DeidentifyConfig())
    assert (same.pixels.max(), steps) == (0, ())


@needs_ocr
@pytest.mark.slow
def test_no_code_of_rapidocr_is_imported_and_no_socket_is_opened() -> None:
    program = (
        "import sys, socket\n"
        "def refused(*_): raise SystemExit('a socket')\n"
        "socket.socket.connect = refused\n"
        "import numpy as np\n"
        "from curate.deidentify import find_text\n"
        "find_text(np.zeros((64, 64), np.uint8))\n"
        "print([m for m in ('rapidocr', 'cv2') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------------------------------ masks


@pytest.mark.parametrize(
    "image",
    [
        Image(np.arange(256, dtype=np.uint8).reshape(16, 16), "display"),
        Image(np.arange(256, dtype=np.uint8).reshape(16, 16), "display", inverted=True),
        Image(np.arange(256, dtype=np.uint8).reshape(16, 16), "display", window=(100.0, 60.0)),
        Image(np.arange(256, dtype=np.int16).reshape(16, 16) * 8 - 1024, "HU", window=(40.0, 400.0)),
        Image(np.arange(256, dtype=np.uint16).reshape(16, 16) + 900, "scanner", window=(1000.0, 500.0), inverted=True),
        Image(np.arange(256, dtype=np.int16).reshape(16, 16), "scanner"),
        Image(np.arange(256, dtype=np.int16).reshape(16, 16), "scanner", window=(90.0, 40.0), voi="sigmoid"),
        Image(np.arange(256, dtype=np.float32).reshape(16, 16) / 7, "scanner", window=(10.0, 5.0), inverted=True),
        Image(np.arange(256, dtype=np.int16).reshape(16, 16), "scanner", inverted=True, padding=(-2000.0, -2000.0)),
        Image(np.full((16, 16, 3), 77, np.uint8), "display"),
    ],
)
def test_what_is_covered_is_shown_black_and_the_rest_is_as_it_was(image: Image) -> None:
    box = TextBox(2, 3, 9, 14, 1.0)
    covered = cover(image.pixels, (box,), black_of(image))
    masked = Image(covered, image.units, None, image.window, image.inverted, image.voi, image.padding)
    inside = hidden_by((box,), image.pixels.shape)
    assert not to_display(masked)[inside].any()
    assert np.array_equal(covered[~inside], image.pixels[~inside])
    assert covered.dtype == image.pixels.dtype


@needs_ocr
@pytest.mark.slow
def test_text_that_some_frames_show_is_covered_in_all_and_the_story_does_not_tell_it() -> None:
    still = ground()
    written, truth = burnt(still)
    frames = np.stack([still] * 11 + [written] * 9)
    after, steps = clean_frames(Frames(frames, tuple(n / 25 for n in range(20))), None, DETECT)
    assert not after.frames[:, truth].any()
    changed = (after.frames != frames).any(axis=0)
    assert changed.mean() < 0.2
    story = json.loads(steps[-1].params)
    assert story["boxes"] > 0
    assert not re.search("hoffmann|1961", f"{steps}", re.IGNORECASE)
    assert find_text_over_time(frames)


@needs_ocr
@pytest.mark.slow
def test_text_beyond_the_window_is_found_in_the_values() -> None:
    """Bright letters on bright ground: the window shows both white, another window would not."""
    shown, truth = burnt(np.zeros((160, 200), np.uint8))
    values = (2000 + 8 * shown.astype(np.int16)).astype(np.int16)
    image = Image(values, "HU", window=(40.0, 400.0))
    assert to_display(image).min() == 255
    after, _ = clean_pixels(image, None, DETECT)
    assert (after.pixels[truth] < 2000).mean() >= 0.995


@needs_ocr
@pytest.mark.slow
def test_a_page_of_text_is_refused() -> None:
    page = np.zeros((300, 420), np.uint8)
    for top in range(4, 280, 20):
        page, _ = burned._burn(
            page, burned._stencil(("Dose report HOFFMANN ANNA 1961-04-17",), "", 18, 0), (top, 4), (255,) * 3
        )
    with pytest.raises(Reject, match="burned_in_text"):
        clean_pixels(Image(page, "display"), None, DETECT)


# ------------------------------------------------------------------------------------------------ the whole way


@needs_ocr
@pytest.mark.slow
def test_no_planted_letter_is_left_and_no_other_pixel_changed_in_any_stored_form() -> None:
    """One still case of each form; `python -m benchmarks.burned_in` runs 200, with cines, and as many clean ones."""
    stills = (n for n, form in enumerate(burned.FORMS) if form not in burned.CINES)
    readers = burned.readers().values()
    outcomes = [judged(burned.case(n, use_shared=burned.SHARED.is_dir()), readers) for n in stills]
    accepted = [o for o in outcomes if o.accepted]
    assert len(accepted) >= len(outcomes) - 2
    assert not [o.case for o in accepted if o.read or o.left or not o.others_same]
    assert sum(o.letters for o in accepted) > 100
    assert sum(o.legible for o in outcomes) > len(outcomes) / 2
    assert min(o.covered for o in accepted) > 0.9


@needs_ocr
@pytest.mark.slow
def test_what_is_not_masked_is_seen_to_be_left() -> None:
    """The negative control: of a case that was not cleaned every letter stands, and it can be read."""
    case = burned.case(burned.FORMS.index("rle"), use_shared=False)
    shown = decoded(case).shown
    letters, left = _letters_left(case, shown)
    assert left > 0.8 * letters > 4


@needs_ocr
@pytest.mark.slow
def test_text_that_walks_through_a_cine_is_covered_in_every_frame() -> None:
    still = ground(120, 200)
    ink = burned._stencil(("HOFFMANN",), "", 14, 0)
    frames, inks = [], []
    for t in range(10):
        at = (8 + 6 * t, 8 + 8 * t)
        frames.append(burned._burn(still, ink, at, burned.COLOURS["white"])[0])
        inks.append(burned.laid(still.shape, ink, at) >= 96)
    cine = Frames(np.stack(frames), tuple(n / 10 for n in range(10)))
    after, _ = clean_frames(cine, None, DETECT)
    for t in range(10):
        assert not after.frames[t][inks[t]].any()
    assert (after.frames != cine.frames).any(axis=0).mean() < 0.5


@needs_ocr
@pytest.mark.slow
def test_few_clean_images_are_refused() -> None:
    refused = 0
    for number in range(1, 13):
        ds = burned.clean(number, use_shared=False)[1]
        decoded = dicom.read_image(ds)
        try:
            clean_pixels(decoded, ds, DETECT)
        except Reject:
            refused += 1
    assert refused <= 1


@needs_ocr
@pytest.mark.slow
def test_outside_the_boxes_canonical_values_are_the_decoded_ones() -> None:
    case = burned.case(burned.FORMS.index("sixteen"), use_shared=False)
    assert case.form == "sixteen"
    before, after = decoded(case).pixels, cleaned(case)[0].pixels
    changed = before != after
    assert changed[case.truth].mean() > 0.95
    assert len(np.unique(after[changed])) == 1
