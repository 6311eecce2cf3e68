"""Radiographs: studies, visits, agreement of readers, compressed and re-hosted tables, reports and lists as written."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import RecipeError, RecordError
from sources import BY_NAME, mini
from sources.base import Item, Place, SourceConfig
from sources.radiographs.mimic_cxr_jpg import report
from sources.radiographs.shared import day, listed, years
from sources.radiographs.vindr_cxr import merged, overlap, votes
from sources.upstream import Line
from tests.sources.listing import items_of, miniature


def made(name: str, root: Path, options: dict[str, Any]) -> tuple[SourceConfig, Place]:
    _, place = miniature(name, root)
    return BY_NAME[name].model_validate({"source": name, **options}), place


def records(items: list[Item]) -> dict[str, Item]:
    return {i.upstream_id: i for i in items if i.form != "none"}


def value(item: Item, name: str, about: str = "", at: str = "") -> str:
    return next((f.value for f in item.facts if (f.name, f.about, f.at) == (name, about, at)), "")


def test_consecutive_visits_are_pairs_of_frontal_views_with_their_interval(tmp_path: Path) -> None:
    found = records(items_of(*made("mimic_cxr_jpg", tmp_path, {"visits": True})))
    pairs = {k: v for k, v in found.items() if ">" in k}
    assert list(pairs) == ["s50414267>s53189527", "s53189527>s53911762"]
    later = pairs["s53189527>s53911762"]
    assert [f.path.split("/")[3] for f in later.files if f.role == "data"] == ["s53189527", "s53911762"]
    assert value(later, "interval_days") == "27"
    assert (value(later, "view_position", at="1"), value(later, "view_position", at="2")) == ("PA", "AP")
    assert value(later, "finding", "Pneumonia", "2") == "uncertain"
    assert value(later, "finding", "Pneumonia", "1") == ""
    assert value(later, "split") == "train"
    assert later.text == found["s53911762"].text
    assert later.group == found["s53911762"].group
    assert set(found) - set(pairs) == set(records(items_of(*made("mimic_cxr_jpg", tmp_path / "b", {}))))


def test_by_picture_each_view_is_a_record_with_its_studys_report(tmp_path: Path) -> None:
    found = records(items_of(*made("mimic_cxr_jpg", tmp_path, {"by": "picture"})))
    assert len(found) == 5
    assert all(sum(f.role == "data" for f in i.files) == 1 and not any(f.at for f in i.facts) for i in found.values())
    assert {i.text for i in found.values()} == {i.text for i in records(
        items_of(*made("mimic_cxr_jpg", tmp_path / "b", {}))).values()}  # fmt: skip


def test_compressed_tables_give_the_same_records_as_plain_ones(tmp_path: Path) -> None:
    source, place = made("mimic_cxr_jpg", tmp_path, {})
    plain = [(i.upstream_id, i.facts, i.text) for i in records(items_of(source, place)).values()]
    for path in tmp_path.glob("*.csv"):
        path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert [(i.upstream_id, i.facts, i.text) for i in records(items_of(source, place)).values()] == plain


@pytest.mark.parametrize("spoil", [lambda data: data[: len(data) // 2], lambda data: b"x" + data, lambda _: b""])
def test_a_spoiled_archive_of_a_table_is_refused_or_empty(tmp_path: Path, spoil: Any) -> None:
    source, place = made("mimic_cxr_jpg", tmp_path, {})
    table = tmp_path / "mimic-cxr-2.0.0-metadata.csv"
    data = spoil(gzip.compress(table.read_bytes()))
    table.unlink()
    (tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz").write_bytes(data)
    if not data:
        assert not records(items_of(source, place))
        return
    with pytest.raises(RecordError, match=r"mimic-cxr-2\.0\.0-metadata\.csv\.gz") as caught:
        items_of(source, place)
    assert caught.value.reason == "bad_table"


def test_a_table_in_which_a_patient_comes_back_is_refused(tmp_path: Path) -> None:
    source, place = made("mimic_cxr_jpg", tmp_path, {})
    table = tmp_path / "mimic-cxr-2.0.0-metadata.csv"
    rows = list(csv.DictReader(table.open()))
    mini.table(table, [*rows, rows[0]])
    with pytest.raises(RecordError, match="do not stand together"):
        items_of(source, place)


def test_labels_of_the_other_program_are_taken_where_asked(tmp_path: Path) -> None:
    source, place = made("mimic_cxr_jpg", tmp_path, {"labels": "negbio"})
    mini.table(tmp_path / "mimic-cxr-2.0.0-negbio.csv",
               [{"subject_id": 10000032, "study_id": 50414267, "Edema": -1.0, "Fracture": 0.0}])  # fmt: skip
    first, second, *_ = records(items_of(source, place)).values()
    assert [(f.about, f.value) for f in first.facts if f.name == "finding" and f.about in ("Edema", "Fracture")] == [
        ("Edema", "uncertain"), ("Fracture", "absent")
    ]  # fmt: skip
    assert not any(f.name == "finding" and f.value in ("present", "absent") for f in second.facts)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("REPORT\n FINDINGS:\n Clear\n lungs.\n\n IMPRESSION: No.\n", "Findings: Clear lungs.\nImpression: No."),
        ("INDICATION: cough.\n\nNo change since ___.\n \n", "No change since ___."),
        ("IMPRESSION:\n\nEffusion: small.\n", "Impression: Effusion: small."),
        ("FINDINGS:\n\n", "FINDINGS:"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_report_is_its_findings_and_impression_else_its_last_paragraph(text: str, told: str) -> None:
    assert report(text) == told


def test_full_size_batches_of_chexpert_are_found_by_patient_study_and_view(tmp_path: Path) -> None:
    source, place = made("chexpert", tmp_path, {})
    whole = list(records(items_of(source, place)))
    (tmp_path / "CheXpert-v1.0-small/train").rename(tmp_path / "CheXpert-v1.0 batch 2 (train 1)")
    assert list(records(items_of(source, place))) == whole


def test_without_any_of_its_tables_a_source_says_what_it_looks_for(tmp_path: Path) -> None:
    for name in ("chexpert", "iu_xray", "dentex", "mura"):
        with pytest.raises(RecipeError, match=f"curate sources {name}"):
            BY_NAME[name].model_validate({"source": name}).check(Place(tmp_path, tmp_path))


def test_the_rehost_of_iu_xray_gives_views_and_reports(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    mini.picture(tmp_path / "images/images_normalized/1_IM-0001-3001.dcm.png", mini.pixels(rng))
    mini.picture(tmp_path / "images/images_normalized/1_IM-0001-4001.dcm.png", mini.pixels(rng))
    report_row = {"uid": 1, "MeSH": "Opacity/lung/base/left;Cardiomegaly", "Problems": "Opacity;Cardiomegaly",
                  "image": "Xray Chest PA and Lateral", "indication": "", "comparison": "",
                  "findings": "Opacity, left.", "impression": "Cardiomegaly."}  # fmt: skip
    mini.table(tmp_path / "indiana_reports.csv", [report_row, {**report_row, "uid": 2}])
    shots = (("1_IM-0001-4001", "Frontal"), ("1_IM-0001-3001", "Lateral"), ("1_IM-0001-5001", "Lateral"))
    mini.table(tmp_path / "indiana_projections.csv",
               [{"uid": 1, "filename": f"{n}.dcm.png", "projection": p} for n, p in shots])  # fmt: skip
    items = items_of(BY_NAME["iu_xray"].model_validate({"source": "iu_xray"}), Place(tmp_path, tmp_path))
    (item,) = records(items).values()
    assert (value(item, "view_position", at="1"), value(item, "view_position", at="2")) == ("Frontal", "Lateral")
    assert item.text == "Findings: Opacity, left.\nImpression: Cardiomegaly."
    assert {f.about for f in item.facts if f.name == "finding"} == {"Opacity", "Cardiomegaly"}
    assert sorted(i.reason for i in items if i.status == "failed" and i.form == "none") == ["media_missing"] * 2


few = settings(max_examples=40)
Box = tuple[float, float, float, float]
BOXES = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50)).map(
    lambda b: (float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3]))
)


def drawn(marks: list[tuple[str, str, Box]]) -> list[Line]:
    edges = ("x_min", "y_min", "x_max", "y_max")
    rows = [{"rad_id": r, "class_name": c, **dict(zip(edges, map(str, b), strict=True))} for r, c, b in marks]
    return [Line("t", n, row) for n, row in enumerate(rows, 1)]


@few
@given(st.lists(st.tuples(st.sampled_from(["R1", "R2", "R3"]), st.sampled_from(["Mass", "ILD"]), BOXES), max_size=8))
def test_merging_keeps_every_reader_and_mixes_neither_classes_nor_one_readers_boxes(
    marks: list[tuple[str, str, Box]],
) -> None:
    facts = list(merged(drawn(marks)))
    readers = [(f.about, f.origin.rpartition("rad:")[2].split(",")) for f in facts]
    assert all(len(set(some)) == len(some) for _, some in readers)
    assert sorted((c, r) for c, some in readers for r in some) == sorted((c, r) for r, c, _ in marks)
    for fact in facts:
        x0, y0, x1, y1 = map(float, fact.value.split(","))
        assert 0 <= x0 < x1
        assert 0 <= y0 < y1


@few
@given(BOXES, BOXES)
def test_overlap_is_what_counting_pixels_gives(a: Box, b: Box) -> None:
    seen = []
    for x0, y0, x1, y1 in (a, b):
        grid = np.zeros((101, 101), bool)
        grid[int(y0) : int(y1), int(x0) : int(x1)] = True
        seen.append(grid)
    assert overlap(a, b) == pytest.approx((seen[0] & seen[1]).sum() / (seen[0] | seen[1]).sum())


@pytest.mark.parametrize(
    ("cells", "told"),
    [("111", "present"), ("110", "present"), ("100", "uncertain"), ("000", "absent"), ("1", "present")],
)
def test_a_finding_is_what_most_readers_say(cells: str, told: str) -> None:
    rows = [Line("t", n, {"image_id": "i", "rad_id": f"R{n}", "Mass": c}) for n, c in enumerate(cells, 1)]
    (fact,) = votes(rows)
    assert fact.value == told
    assert [f"R{n}" for n, c in enumerate(cells, 1) if c == "1"] == (
        fact.origin.rpartition("rad:")[2].split(",") if "rad:" in fact.origin else []
    )


@few
@given(st.recursive(st.none() | st.text(max_size=6), lambda c: st.lists(c, max_size=4), max_leaves=10))
def test_a_list_written_by_python_is_read_back(written: Any) -> None:
    assert listed(str(written)) == (written if isinstance(written, list) else [])


@few
@given(st.text(max_size=30))
def test_no_text_stops_the_readers_of_cells(text: str) -> None:
    assert isinstance(listed(text), list)
    assert years(text) == "" or int(years(text)) <= 90
    assert day(text) is None or len(text.removesuffix(".0")) == 8


def test_nan_in_a_list_is_nothing_and_in_a_word_a_part_of_it() -> None:
    assert listed("['nan', nan, 'banana', [nan]]") == ["nan", None, "banana", [None]]
