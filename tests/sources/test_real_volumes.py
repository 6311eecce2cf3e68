"""Named sources of volumes on real files, laid out as upstream publishes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from manifests.record import Fact
from sources.base import Place
from sources.volumes.lidc_marks import marks_of, nodules_of
from sources.volumes.m3d_cap import findings
from sources.volumes.shared import chosen, m3d_facts, years
from sources.volumes.totalsegmentator import Totalsegmentator
from tests.corpus import run_recipe
from tests.sources.listing import items_of

REAL = Path(__file__).resolve().parents[2] / "../shared/data/ct-totalsegmentator"


@pytest.mark.slow
@pytest.mark.shared_data
def test_a_real_subject_of_totalsegmentator_is_read_with_its_masks(tmp_path: Path) -> None:
    """Of 117 mask files of a real CT those that mark something become structures, and their sizes are measured."""
    if not REAL.is_dir():
        pytest.skip("no ct-totalsegmentator among the shared data")
    root = tmp_path / "set"
    (root / "s0001").mkdir(parents=True)
    shutil.copy(REAL / "example_ct_sm.nii.gz", root / "s0001/ct.nii.gz")
    shutil.copytree(REAL / "example_seg_fast", root / "s0001/segmentations")
    (root / "meta.csv").write_text(
        "\ufeffimage_id;age;gender;institute;study_type;split;manufacturer\n"
        "s0001;63.0;m;a;ct abdomen-pelvis;train;siemens\ns0002;;f;a;ct thorax;test;ge\n"
    )
    source = Totalsegmentator.model_validate({"source": "totalsegmentator"})
    whole, missing, *rest = items_of(source, Place(root, root))
    assert len(whole.masks) == 117
    assert Fact("age_years", "63", "column:age") in whole.facts
    assert Fact("body_part", "abdomen, pelvis", "column:study_type") in whole.facts
    assert missing.reason == "media_missing"
    recipe = tmp_path / "recipe.yaml"
    sources = [{"source": "totalsegmentator", "root": str(root)}]
    recipe.write_text(yaml.safe_dump({"sources": sources, "limits": {"failed": 1.0}}))
    manifest = run_recipe(recipe, tmp_path / "out").manifest
    assert manifest.counts.kept == 1
    assert {i.reason for i in rest} == {"not_a_record"}  # meta.csv, statistics.json


def test_ages_are_whole_years_and_none_is_above_ninety() -> None:
    told = {"063Y": "63", "45.0": "45", "18M": "1", "097Y": "90", "n/a": "", "": "", "-3": "", "1e2": ""}
    assert {text: years(text) for text in told} == told


def test_an_answer_is_one_of_its_options_or_the_question_is_asked_without_them() -> None:
    options = {"A": "Liver", "B": "Spleen"}
    by_letter, alike, none = (chosen("Q?", a, c, options, "") for a, c in (("x", "b"), ("liver", ""), ("Lung", "")))
    assert by_letter is not None
    assert (by_letter.answer, by_letter.options) == ("Spleen", ("Liver", "Spleen"))
    assert alike is not None
    assert alike.answer == "Liver"
    assert none is not None
    assert (none.answer, none.options) == ("Lung", ())
    assert chosen("Q?", "", "", options, "") is None
    twice = chosen("Q?", "Liver", "A", {"A": "Liver", "B": "Liver"}, "")
    assert twice is not None
    assert twice.options == ()


def test_the_findings_of_a_case_end_where_its_discussion_begins() -> None:
    assert findings("title: x\nstudy_findings:\nA cyst.\ndiscussion: rare") == "A cyst."
    assert findings("study_findings: .\ndiscussion: A hernia.") == "A hernia."
    assert findings("A mass\nof 3 cm.") == "A mass of 3 cm."


def test_a_name_of_m3d_tells_plane_and_phase() -> None:
    told = {f.name: f.value for f in m3d_facts("M3D_Cap_npy/ct_case/000008/Coronal_C__arterial_phase.npy")}
    assert told == {"plane": "coronal", "contrast": "C+ arterial phase"}
    assert {f.name for f in m3d_facts("a/b/Curved_RCA.npy")} == {"procedure"}


def test_marks_that_meet_through_a_third_are_of_one_nodule() -> None:
    """A and C do not overlap; B overlaps both; D lies on another slice; points are no nodules of 3 mm."""

    def nodule(uid: str, x0: int, x1: int) -> str:
        edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in ((x0, 1), (x1, 9)))
        roi = f"<roi><imageSOP_UID>{uid}</imageSOP_UID>{edges}</roi>"
        grades = "<characteristics><malignancy>4</malignancy></characteristics>"
        return f"<unblindedReadNodule>{grades}{roi}</unblindedReadNodule>"

    point = "<edgeMap><xCoord>1</xCoord><yCoord>1</yCoord></edgeMap>"
    small = f"<unblindedReadNodule><roi><imageSOP_UID>1.2</imageSOP_UID>{point}</roi></unblindedReadNodule>"
    sessions = (nodule("1.2", 0, 4) + small, nodule("1.2", 8, 12), nodule("1.2", 3, 9) + nodule("1.3", 0, 4))
    body = "".join(f"<readingSession>{s}</readingSession>" for s in sessions)
    readers = marks_of(f'<LidcReadMessage xmlns="http://www.nih.gov">{body}</LidcReadMessage>'.encode())
    assert readers is not None
    assert [len(r) for r in readers] == [1, 1, 2]
    assert sorted(len(n) for n in nodules_of(readers)) == [1, 3]
    assert marks_of(b'<IdriReadMessage xmlns="http://www.nih.gov"/>') is None
