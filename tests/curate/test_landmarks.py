"""Named points: one place in every form, left and right kept, and nothing but typed errors for what is no list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.volume.landmarks import Landmark, landmark_facts, read_landmarks
from manifests.errors import RecordError, VerificationError
from manifests.record import Fact
from sources.base import Entry, Place
from sources.nifti_masks import NiftiMasks
from synth.facts import validate
from synth.proofs import MediaView, evaluate
from synth.verify import faithfulness

POINTS = {"nasion": (1.5, 80.25, -3.0), "left porion": (-60.0, 10.0, 0.125)}  # RAS+


def nothing(member: str) -> Any:
    raise KeyError(member)


def fcsv(system: str, sign: float) -> str:
    rows = [f"{i},{sign * x},{sign * y},{z},0,0,0,1,1,1,0,{n},,\n" for i, (n, (x, y, z)) in enumerate(POINTS.items())]
    columns = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
    head = f"# Markups fiducial file version = 4.13\n# CoordinateSystem = {system}\n# columns = {columns}\n"
    return head + "".join(rows)


def markups(system: str, sign: float, **more: Any) -> str:
    points = [{"label": n, "position": [sign * x, sign * y, z], **more} for n, (x, y, z) in POINTS.items()]
    never = {"label": "F-3", "position": [0, 0, 0], "positionStatus": "undefined"}
    units = ["mm", "UCUM", "millimeter"]
    lists = [
        {"type": "Fiducial", "coordinateSystem": system, "coordinateUnits": units, "controlPoints": [*points, never]}
    ]
    return json.dumps({"markups": lists})


def plain_csv(system: str, sign: float) -> str:
    rows = [f'"{n}",{sign * x},{sign * y},{z},{system}\n' for n, (x, y, z) in POINTS.items()]
    return "name,x,y,z,coordinate_system\n" + "".join(rows)


def plain_json(system: str, sign: float) -> str:
    points = {n: [sign * x, sign * y, z] for n, (x, y, z) in POINTS.items()}
    return json.dumps({"coordinate_system": system, "points": points})


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.fcsv", fcsv("RAS", 1)), ("a.fcsv", fcsv("0", 1)), ("a.fcsv", fcsv("LPS", -1)), ("a.fcsv", fcsv("1", -1)),
     ("a.mrk.json", markups("LPS", -1)), ("a.mrk.json", markups("RAS", 1)), ("a.csv", plain_csv("LPS", -1)),
     ("a.csv", plain_csv("ras", 1)), ("a.json", plain_json("LPS", -1)), ("a.json", plain_json("RAS", 1))],
)  # fmt: skip
def test_every_form_gives_the_same_places_in_the_patient(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read_landmarks(tmp_path / name)
    assert found == tuple(Landmark(n, p, "mm") for n, p in POINTS.items())


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [("a.fcsv", fcsv("2", 1), "landmark_frame"), ("a.fcsv", "0,1,2,3,0,0,0,1,1,1,0,F,,\n", "landmark_frame"),
     ("a.csv", "name,x,y,z\nn,1,2,3\n", "landmark_frame"), ("a.csv", "x,y\n1,2\n", "bad_landmarks"),
     ("a.csv", "name,x,y\nn,1,one\n", "bad_landmarks"), ("a.csv", "name,x,y\nn,1\n", "bad_landmarks"),
     ("a.json", '{"points": {"n": [1, 2, 1e99]}, "coordinate_system": "RAS"}', "bad_landmarks"),
     ("a.json", '{"points": {"n": [1, 2, NaN]}, "coordinate_system": "RAS"}', "bad_landmarks"),
     ("a.json", '{"points": {"n": [1, 2]}, "coordinate_system": "RAS"}', "bad_landmarks"),
     ("a.json", '{"points": {"": [1, 2]}}', "landmark_name"), ("a.json", "[" * 100000, "bad_landmarks"),
     ("a.csv", "name,x,y\nn,1,2\nn,1,3\n", "landmark_name"), ("a.json", "[]", "bad_landmarks"),
     ("a.mrk.json", '{"markups": [{"coordinateUnits": "cm", "controlPoints": []}]}', "landmark_frame"),
     ("a.mrk.json", '{"markups": [{"controlPoints": [{"label": "a"}]}]}', "bad_landmarks"),
     ("a.csv", "name,x,y\n" + "".join(f"n{i},1,2\n" for i in range(5000)), "bad_landmarks")],
)  # fmt: skip
def test_what_is_no_list_of_points_is_refused_by_name(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordError) as refused:
        read_landmarks(tmp_path / name)
    assert refused.value.reason == reason


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["a.fcsv", "a.csv", "a.json", "a.mrk.json"]), st.integers(0, 3))
def test_damaged_files_give_points_or_a_typed_error(tmp_path: Path, noise: bytes, name: str, where: int) -> None:
    good = (fcsv("LPS", 1), plain_csv("LPS", 1), markups("LPS", 1), "{}")[where].encode()
    (tmp_path / name).write_bytes(good[: len(good) // 2] + noise + good[len(good) // 2 :])
    try:
        found = read_landmarks(tmp_path / name)
    except RecordError:
        return
    assert all(np.isfinite(mark.point).all() for mark in found)


def test_points_become_facts_from_which_distances_are_proven_and_faithfulness_knows_them(tmp_path: Path) -> None:
    (tmp_path / "case.mrk.json").write_text(markups("LPS", -1))
    facts = landmark_facts(read_landmarks(tmp_path / "case.mrk.json"), "x/case.mrk.json")
    validate(facts)
    assert facts[0] == Fact("landmark", "1.500,80.250,-3.000", "landmarks:case.mrk.json", "mm", "nasion")
    view = MediaView((), nothing, facts)
    distance = np.linalg.norm(np.subtract(POINTS["nasion"], POINTS["left porion"]))
    assert float(evaluate("distance_mm(p=nasion, q=left porion)", view).value) == pytest.approx(distance, abs=0.051)
    verdicts = faithfulness("The nasion lies 80.25 mm from the origin.", facts, 0)
    assert all(v.passed for v in verdicts)
    assert not all(v.passed for v in faithfulness("The nasion lies 81.5 mm from the origin.", facts, 0))
    with pytest.raises(VerificationError, match="0 times"):
        evaluate("distance_mm(p=nasion, q=inion)", view)
    with pytest.raises(VerificationError, match="one place"):
        evaluate("angle_deg(p=nasion, q=nasion, r=left porion)", view)


def test_points_of_an_image_are_in_millimetres_only_where_its_spacing_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,x,y\np,0,0\nq,30,0\nr,30,40\n")
    marks = read_landmarks(tmp_path / "a.csv")
    known = MediaView((), nothing, landmark_facts(marks, "a.csv", (0.5, 0.25)))
    unknown = MediaView((), nothing, landmark_facts(marks, "a.csv"))
    assert evaluate("distance_mm(p=q, q=r)", known) == ("20.0", "mm")
    assert evaluate("angle_deg(p=p, q=q, r=r)", unknown) == ("90.0", "degree")
    with pytest.raises(VerificationError, match="pixels"):
        evaluate("distance_mm(p=q, q=r)", unknown)


def test_the_angle_is_exact_near_its_ends_and_lines_have_no_direction() -> None:
    def view(*points: str) -> MediaView:
        return MediaView(
            (), nothing, tuple(Fact("landmark", v, "t", "mm", n) for n, v in zip("pqrs", points, strict=False))
        )

    assert evaluate("angle_deg(p=p, q=q, r=r)", view("1,0,0", "0,0,0", "-1,0.001,0")).value == "179.9"
    lines = "angle_between_lines_deg(p=p, q=q, r=r, s=s)"
    assert evaluate(lines, view("0,0,0", "1,0,0", "5,5,5", "4,6,5")).value == "45.0"
    assert evaluate(lines, view("0,0,0", "1,0,0", "4,6,5", "5,5,5")).value == "45.0"


def test_a_volume_has_the_points_that_lie_beside_it(tmp_path: Path) -> None:
    source = NiftiMasks(
        source="nifti_masks", root=".", licence="MIT", images=("*.nii.gz",), landmarks="{folder}/{stem}.mrk.json"
    )
    entries = [Entry(path, 1, "0" * 64, {}) for path in ("s/a.mrk.json", "s/a.nii.gz", "s/b.nii.gz")]
    with_points, without = source.items(Place(tmp_path, tmp_path), entries, lambda kind, value: value)
    assert with_points.landmarks == "s/a.mrk.json"
    assert [(f.path, f.role) for f in with_points.files] == [("s/a.nii.gz", "data"), ("s/a.mrk.json", "landmarks")]
    assert (without.landmarks, len(without.files)) == ("", 1)
