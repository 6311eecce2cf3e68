"""What is asked and told follows what a render target shows: crops, picked slices, clips of frames."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from manifests.record import Affine, Fact, Media, Record
from synth.proofs import MediaView, evaluate
from synth.tasks import caption, mcq, measure
from synth.tasks.caption import Caption
from synth.tasks.mcq import Mcq
from synth.tasks.measure import Measure
from synth.tasks.seen import as_shown, decided, place_in, sampling, sight

SIZE = (40, 50, 60)  # z, y, x
CANONICAL: Affine = ((-2.0, 0.0, 0.0, 50.0), (0.0, -2.0, 0.0, 40.0), (0.0, 0.0, 3.0, -60.0), (0.0, 0.0, 0.0, 1.0))
BALLS = {"liver": (20, 25, 15), "spleen": (20, 25, 45), "cyst": (3, 25, 30)}  # centres z, y, x
RADIUS = {"liver": 9, "spleen": 6, "cyst": 2}


def ball(name: str) -> Any:
    distance = sum((axis - c) ** 2 for axis, c in zip(np.indices(SIZE), BALLS[name], strict=True))
    return (distance <= RADIUS[name] ** 2).astype(np.uint8)


MASKS = {name: ball(name) for name in BALLS}


def media(member: str, kind: Any, shape: tuple[int, ...], affine: Affine | None, **more: Any) -> Media:
    return Media(member, kind, shape, "uint8", "0" * 64, 1, affine=affine, **more)


def view(shown: Media, *facts: Fact) -> MediaView:
    masks = tuple(media(name, "mask", SIZE, CANONICAL, label=name) for name in BALLS)
    return MediaView((shown, *masks), MASKS.__getitem__, (Fact("modality", "CT", "t"), *facts))


def record(shown: MediaView, kind: str = "volume") -> Record:
    return Record("0" * 32, "t", "t", "t", "0" * 64, kind, "g", "MIT", "open", media=shown.media, facts=shown.facts)


def asked(shown: MediaView) -> set[str]:
    """The calls of every question."""
    drafts = measure.drafts(record(shown), shown, Measure(max_questions=64), 1)
    return {proof.call for draft in drafts for proof in draft.proofs}


def moved(affine: Affine, start: tuple[int, int, int], step: float = 1.0) -> Affine:
    """The affine of a crop from `start` (x, y, z), or of a coarser grid."""
    rows = [(*(v * step for v in row[:3]), row[3] + sum(row[k] * start[k] for k in range(3))) for row in affine[:3]]
    return (*((r[0], r[1], r[2], r[3]) for r in rows), (0.0, 0.0, 0.0, 1.0))


WHOLE = media("v", "volume", SIZE, CANONICAL, target="m3d_32x256x256")
CROPPED = media("v", "volume", (40, 50, 30), moved(CANONICAL, (0, 0, 0)), target="ct_clip_480x480x240")
KEYS = media("v", "volume", (3, 50, 60), CANONICAL, slices=(12, 20, 33), target="key_slices_3_auto")
EVEN = media("v", "volume", (10, 50, 60), CANONICAL, slices=tuple(range(0, 40, 4)), target="fleming_11x448")
CLIP = media("v", "video", (40, 50, 60, 3), CANONICAL, slices=tuple(range(40)), times_s=(0.0,) * 40, target="deeptumor")


def test_a_structure_is_whole_cut_or_unseen_by_what_is_shown() -> None:
    found = {name: [sight(view(m), name) for m in (WHOLE, CROPPED, KEYS, EVEN)] for name in BALLS}
    assert found == {
        "liver": ["whole", "whole", "whole", "whole"],
        "spleen": ["whole", "none", "whole", "whole"],
        "cyst": ["whole", "part", "none", "whole"],
    }
    assert [sampling(view(m)) for m in (WHOLE, KEYS, EVEN, CLIP)] == ["all", "some", "even", "all"]
    turned: Affine = ((0.0, 0.0, -3.0, 50.0), (2.0, 0.0, 0.0, -60.0), (0.0, 2.0, 0.0, -60.0), (0.0, 0.0, 0.0, 1.0))
    other = media("v", "volume", (40, 60, 50), turned)
    assert {sight(view(other), name) for name in BALLS} == {"whole"}  # axes exchanged, the same field


def test_an_index_is_the_inverse_of_its_place() -> None:
    oblique: Affine = ((1.9, 0.3, 0.1, 5.0), (-0.2, 1.8, 0.4, -7.0), (0.1, -0.5, 2.9, 11.0), (0.0, 0.0, 0.0, 1.0))
    inverse = np.linalg.inv(np.array(oblique)) @ (12.0, -3.0, 40.0, 1.0)
    assert place_in(oblique, (12.0, -3.0, 40.0)) == pytest.approx(inverse[:3])


def test_nothing_is_asked_of_what_was_cropped_away() -> None:
    calls = asked(view(CROPPED))
    assert {"volume_ml(mask=liver)", "box(mask=liver)", "size_mm(mask=liver)"} <= calls
    assert not [call for call in calls if "spleen" in call]
    assert {call for call in calls if "cyst" in call} == {"box(mask=cyst)", "slice_range(mask=cyst)"}
    assert not [call for call in calls if call.startswith(("largest", "extent_mm"))]  # of three; of a padded field
    assert "largest()" in asked(view(WHOLE))


def test_sizes_and_counts_need_every_slice_and_volumes_evenly_spread_ones() -> None:
    sized = ("longest_axis_mm", "recist_mm", "size_mm", "count", "perpendicular_axis_mm")
    assert {call.partition("(")[0] for call in asked(view(WHOLE))} >= {*sized}
    assert "count(mask=liver)" not in asked(view(WHOLE))  # an organ is one
    some, even = asked(view(KEYS)), asked(view(EVEN))
    assert not [call for call in some | even if call.startswith(sized)]
    assert not [call for call in some if call.startswith(("volume_ml", "largest"))]
    assert {call for call in even if call.startswith("volume_ml")} == {"volume_ml(mask=liver)"}  # 5 of 10 slices cut it
    assert {"box(mask=liver)", "slice_range(mask=spleen)", "is_left_of(a=spleen, b=liver)"} <= some
    assert evaluate("slice_range(mask=liver)", view(KEYS)).value == "0-1"


@pytest.mark.slow
def test_the_largest_is_asked_among_structures_that_the_question_names() -> None:
    _, *prompts = measure.drafts(record(view(WHOLE)), view(WHOLE), Measure(max_questions=64), 1)
    (prompt,) = [p for p in prompts if p.proofs[0].call == "largest()"]
    assert all(name in prompt.turns[0].content for name in BALLS)
    assert prompt.accepted
    many = view(WHOLE)
    masks = tuple(dataclasses.replace(many.media[1], label=f"part {n}") for n in range(9))
    assert not decided(view(CROPPED), "largest()")
    assert "largest()" not in asked(dataclasses.replace(many, media=(WHOLE, *masks)))
    assert not [d for d in mcq.drafts(record(view(KEYS)), view(KEYS), Mcq(), 1) if d.proofs[0].call == "largest()"]


def test_a_volume_shown_as_a_clip_has_slices_and_no_duration() -> None:
    calls = asked(view(CLIP))
    assert "slice_range(mask=liver)" in calls
    assert not [call for call in calls if call.startswith(("frame_count", "duration_s"))]
    (text, _) = caption.drafts(record(view(CLIP)), view(CLIP), Caption(), 1)
    assert "frames" not in text.text
    assert "liver" in text.text


def test_a_caption_gives_volumes_where_the_slices_show_them_and_the_plane_that_is_shown() -> None:
    sagittal = Fact("plane", "sagittal", "dicom:ImageOrientationPatient")
    for shown, volumes, plane in ((WHOLE, 3, "axial"), (CROPPED, 1, "axial"), (KEYS, 0, "axial"), (CLIP, 3, "")):
        (text, _) = caption.drafts(record(view(shown, sagittal)), view(shown, sagittal), Caption(), 1)
        assert text.text.count(" mL") == volumes
        assert "sagittal" not in text.text
        assert (plane or "is a computed") in text.text


def test_a_teacher_is_told_facts_of_what_is_shown() -> None:
    def about(name: str) -> list[Fact]:
        values = {"slice_range": "3-9", "box": "1,2,3,4,5,6", "volume_ml": "9.5", "structure": name}
        return [Fact(key, value, f"mask:{name}", about=name) for key, value in values.items()]

    header = [Fact("slice_count", "40", "dicom:x"), Fact("plane", "axial", "dicom:y")]
    facts = (*header, *(fact for name in BALLS for fact in about(name)))
    whole = record(view(dataclasses.replace(WHOLE, target="canonical"), *facts))
    assert as_shown(whole, view(whole.media[0], *facts)) == whole
    told = {(f.name, f.about) for f in as_shown(record(view(KEYS, *facts)), view(KEYS, *facts)).facts}
    kept = {("volume_ml", "liver"), ("structure", "liver"), ("volume_ml", "spleen"), ("structure", "spleen")}
    assert told == {("modality", ""), ("plane", "")} | kept
    cut = {(f.name, f.about) for f in as_shown(record(view(CROPPED, *facts)), view(CROPPED, *facts)).facts}
    assert {pair for pair in cut if pair[1]} == {("volume_ml", "liver"), ("structure", "liver"), ("structure", "cyst")}


@pytest.mark.parametrize(
    ("times", "stated", "said"),
    [
        ((0.5, 1.5, 2.5, 3.5), "4.1", True),  # one a second
        ((0.5, 1.5, 2.5), "3.58", False),  # three of three and a half seconds
        ((0.0, 7.8), "10", False),  # two keyframes
        ((0.0, 1.0, 8.0), "12", False),  # uneven
        ((0.0, 1.0, 2.0), "", True),
    ],
)
def test_a_duration_is_stated_where_the_shown_frames_last_as_long_as_the_clip(
    times: tuple[float, ...], stated: str, said: bool
) -> None:
    facts = (Fact("duration_s", stated, "times"),) if stated else ()
    shown = MediaView((media("mp4", "video", (len(times), 8, 8, 3), None, times_s=times),), MASKS.__getitem__, facts)
    assert ("duration_s()" in asked(shown)) is said
    (text, _) = caption.drafts(record(shown, "video"), shown, Caption(), 1)
    assert ("lasts" in text.text) is said
    assert f"{len(times)} frames" in text.text


def test_a_landmark_is_asked_where_it_is_on_a_slice_that_is_shown() -> None:
    points = {"nasion": (5, 25, 20), "sella": (20, 25, 20), "basion": (50, 25, 20), "inion": (15, 25, 21)}
    places = {n: (50 - 2 * x, 40 - 2 * y, -60 + 3 * z) for n, (x, y, z) in points.items()}
    facts = tuple(Fact("landmark", ",".join(map(str, p)), "t", "mm", name) for name, p in places.items())
    assert decided(view(KEYS, *facts), "distance_mm(p=nasion, q=sella)")
    assert not decided(view(KEYS, *facts), "distance_mm(p=sella, q=inion)")  # slice 21 is not shown
    assert decided(view(WHOLE, *facts), "distance_mm(p=sella, q=inion)")
    assert not decided(view(CROPPED, *facts), "distance_mm(p=sella, q=basion)")
