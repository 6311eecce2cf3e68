"""Sources of texts on real files in upstream's layout, and what their readers of large files must hold to."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import RecordError
from sources import BY_NAME, mini, xml_files
from sources.base import PICTURE, Entry, Item, Place, ref
from sources.generic.fields import exchanges, options_of, placed, question, without
from sources.texts import shared
from sources.texts.shared import KEY, json_runs, text_peek, text_rows
from sources.upstream import Line, Upstream
from sources.xml_files import elements, parsed_xml, words_of
from tests.sources.listing import entries_of, items_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = [
    pytest.mark.slow,
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent"),
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab"\\[]{},:\né\u2028', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k"\\{', max_size=3), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text('abc"\\', max_size=3), JSON_VALUES, max_size=3)


def listed(name: str, root: Path, splits: tuple[str, ...] = ()) -> list[Item]:
    source = BY_NAME[name]
    assert issubclass(source, Upstream)
    given_splits = {"splits": splits} if splits else {}
    return items_of(source.model_validate({"source": name, **given_splits}), Place(root, root))


def values_of(path: Path) -> list[dict[str, Any]]:
    """All rows of a JSON file by its runs, as the source reads them."""
    found: list[dict[str, Any]] = []
    for block in text_peek(path)["blocks"].split(";"):
        if block:
            at, size, first = (int(n) for n in block.split(","))
            item = Item("x", "rows", (ref(Entry(path.name, size, "", {})),), block=(at, size, first))
            for row in text_rows(item, Place(path.parent, path.parent)):
                assert isinstance(row, Line)
                assert row.number == len(found) + 1
                found.append(row.values)
    return found


# ---------------------------------------------------------------------------------------------------------- real files
class TestRealFiles:
    pytestmark = needs_shared

    def test_pubmedqa_keeps_the_half_that_is_no_test_with_its_decisions(self) -> None:
        root = SHARED / "text-pubmedqa"
        items = listed("pubmedqa", root)
        rows = json.loads((root / "ori_pqal.json").read_text())
        tests = set(json.loads((root / "test_ground_truth.json").read_text()))
        texts = {i.upstream_id.removeprefix("pmid="): i for i in items if i.form == "text"}
        assert set(texts) == set(rows) - tests
        assert len(texts) == 500
        for pmid, item in texts.items():
            assert item.asked[0].answer == rows[pmid]["final_decision"]
            assert all(part in item.text for part in rows[pmid]["CONTEXTS"])
        assert Counter(i.reason for i in items if i.form == "none")["other_split"] == 500

    def test_medmcqa_counts_options_from_one(self, tmp_path: Path) -> None:
        shutil.copy(SHARED / "text-benchmarks-mirage/medmcqa/dev.first1000.json", tmp_path / "dev.json")
        items = listed("medmcqa", tmp_path, ("dev",))
        rows = [json.loads(line) for line in (tmp_path / "dev.json").read_text().splitlines()]
        by_id = {row["id"]: row for row in rows}
        taken = [i for i in items if i.form == "text"]
        assert len(taken) + sum(i.reason == "bad_choice" for i in items) == 1000
        assert len(taken) > 990
        for item in taken:
            row = by_id[item.upstream_id]
            assert item.asked[0].answer == row["op" + "abcd"[row["cop"] - 1]].strip()

    def test_mmlu_reads_every_question_of_its_subjects(self) -> None:
        root = SHARED / "text-benchmarks-mirage/mmlu"
        items = [i for i in listed("mmlu_medical", root, ("test",)) if i.form == "text"]
        wanted = 0
        for path in sorted(root.glob("data/test/*.csv")):
            wanted += sum(1 for _ in csv.reader(io.StringIO(path.read_text(), newline="")))
        assert len(items) == wanted == 135 + 265 + 100

    def test_mts_dialog_has_the_doctor_answer(self) -> None:
        items = listed("mts_dialog", SHARED / "text-mts-dialog", ("validation", "test1"))
        found = Counter(i.reason or i.form for i in items)
        assert found["text"] == 300 - found["no_exchange"]
        assert found["no_exchange"] == 41
        assert not found["bad_conversation"]
        assert all(i.dialogue and a.question and a.answer for i in items if i.form == "text" for a in i.asked)
        assert not any(
            ":" in a.question[:20] and a.question.startswith(("Doctor", "Patient")) for i in items for a in i.asked
        )

    def test_medquad_gives_every_answered_question_once(self) -> None:
        root = SHARED / "text-medquad"
        items = listed("medquad", root)
        answered: list[int] = []
        for path in sorted(root.glob("*_QA/*.xml")):
            pairs = ElementTree.parse(path).getroot().iter("QAPair")
            answered.append(sum(bool((p.findtext("Answer") or "").strip()) for p in pairs))
        assert sorted(len(i.asked) for i in items if i.form == "text") == sorted(n for n in answered if n)
        assert sum(i.reason == "no_answers" for i in items) == answered.count(0)

    def test_huatuo_reads_all_its_lines(self) -> None:
        items = listed("huatuo", SHARED / "text-chinese-huatuo")
        assert sum(i.form == "text" for i in items) == 1500

    def test_files_of_trainers_are_read_or_say_what_they_miss(self, tmp_path: Path) -> None:
        shutil.copytree(SHARED / "format-medm-vl", tmp_path, dirs_exist_ok=True)
        (tmp_path / "SOURCE.json").unlink()
        shutil.copy(SHARED / "format-ms-swift/chatml.jsonl", tmp_path / "chatml.jsonl")
        shutil.copy(SHARED / "format-ms-swift/alpaca.jsonl", tmp_path / "alpaca.jsonl")
        rng = np.random.default_rng(1)
        rows = json.loads((tmp_path / "finetune_2d.json").read_text())
        for name in {n for row in rows for n in row["image"]}:
            mini.picture(tmp_path / "media" / Path(name).name, mini.pixels(rng))
        items = listed("vqa_json", tmp_path)
        pictures = [i for i in items if i.form == "picture"]
        assert {i.upstream_id for i in pictures} == {row["id"] for row in rows}
        assert sum(len(i.asked) for i in pictures) == sum(len(row["conversations"]) // 2 for row in rows)
        assert [len(i.asked) for i in items if i.form == "text" and "chatml" in i.files[0].path] == [1, 2, 2]
        assert sum(i.form == "text" and "alpaca" in i.files[0].path for i in items) == 3
        assert {i.reason for i in items if i.status == "failed"} <= {"media_missing"}


# ------------------------------------------------------------------------------------------------------- large files
@settings(max_examples=12, deadline=None)
@given(st.lists(OBJECTS, max_size=8), st.integers(1, 40), st.booleans(), st.sampled_from([None, 1]))
def test_runs_of_a_json_file_are_its_rows_whatever_their_size(
    rows: list[dict[str, Any]], block: int, keyed: bool, indent: int | None
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "BLOCK_BYTES", block)
        patch.setattr(shared, "HEAD_BYTES", 1 << 20)
        path = Path(folder) / "rows.json"
        value: Any = {f"k{n}": row for n, row in enumerate(rows)} if keyed else rows
        path.write_text(json.dumps(value, indent=indent, ensure_ascii=False))
        if keyed and not rows:
            return  # `{}` alone may as well be one empty row
        wanted = [{KEY: f"k{n}", **row} for n, row in enumerate(rows)] if keyed else rows
        assert values_of(path) == wanted


@pytest.mark.parametrize("bad", ['[{"a": 1}', '[{"a": "x]', '[{"a": 1}] [2]', "[" * 90 + "]" * 90, '{"a": {}}}'])
def test_a_json_file_that_is_none_is_refused(bad: str, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(bad)
    with pytest.raises(RecordError, match="bad_json"):
        list(json_runs(tmp_path / "rows.json"))


def test_a_text_longer_than_what_is_read_at_once_is_passed_over_whole(tmp_path: Path) -> None:
    long = 'a "quoted" [text], \\' * 60_000
    (tmp_path / "rows.json").write_text(json.dumps([{"t": long}, {"t": "b"}]))
    assert values_of(tmp_path / "rows.json") == [{"t": long}, {"t": "b"}]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.text("ab<&>é\n", max_size=30), min_size=1, max_size=6), st.integers(3, 90))
def test_elements_of_a_large_file_are_those_of_a_whole_parse(texts: list[str], chunk: int) -> None:
    root = ElementTree.Element("ASet")
    for text in texts:
        ElementTree.SubElement(ElementTree.SubElement(root, "A", v="1"), "T").text = text
    data = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_files, "CHUNK_BYTES", chunk)
        found = list(elements(io.BytesIO(data), "A"))
    assert [parsed_xml(part).findtext("T") or "" for _, part in found] == texts
    assert all(data[at : at + len(part)] == part for at, part in found)
    at, last = found[-1]
    assert list(elements(io.BytesIO(data), "A", at, len(last))) == [(at, last)]


def test_entities_and_other_encodings_before_an_element_are_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><s><A>&b;</A></s>'
    with pytest.raises(RecordError, match="xml_entities"):
        list(elements(io.BytesIO(bomb), "A"))
    with pytest.raises(RecordError, match="bad_xml"):
        list(elements(io.BytesIO(b'<?xml version="1.0" encoding="utf-7"?><s><A/></s>'), "A"))
    for data in (b"<s></s>", b"<s><A>open", "<s><A>x</A></s>".encode("utf-16")):
        with pytest.raises(RecordError, match="bad_xml"):
            list(elements(io.BytesIO(data), "A"))


def test_words_of_an_element_leave_out_what_is_named() -> None:
    parsed = parsed_xml(b"<p>FEV<sub>1</sub> fell <fig>not <b>this</b></fig>\n by half</p>")
    assert words_of(parsed, frozenset({"fig"})) == "FEV1 fell by half"


# ------------------------------------------------------------------------------------------------------ generic fields
def test_placeholders_stay_only_where_they_tell_pictures_apart() -> None:
    asked = exchanges([{"from": "human", "value": "<image>\nA, <image>\nB?"}, {"from": "gpt", "value": "A."}])
    assert placed("", asked, 2)[1][0].question == f"{PICTURE}\nA, {PICTURE}\nB?"
    assert placed("", asked, 1)[1][0].question == "A, \nB?"
    swapped = tuple(dataclasses.replace(a, question="<image 2> or <image 1>?") for a in asked)
    assert placed("", swapped, 2)[1][0].question == "or ?"
    assert without("<|vision_start|><|image_pad|><|vision_end|>What is it?") == "What is it?"
    assert without("p < 0.05 and <b>bold</b>") == "p < 0.05 and <b>bold</b>"


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        [{"human": "q", "assistant": "a"}],
        '[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]',
        [{"role": "user", "content": [{"type": "text", "text": "q"}]}, {"role": "assistant", "content": "a"}],
    ],
)
def test_turns_of_every_dialect_are_one_exchange(turns: Any) -> None:
    assert [(a.question, a.answer) for a in exchanges(turns)] == [("q", "a")]


@pytest.mark.parametrize(
    "turns", [[], "text", [{"from": "human", "value": "a"}], [{"role": "tool", "content": "x"}] * 2]
)
def test_turns_that_are_no_conversation_are_refused(turns: Any) -> None:
    with pytest.raises(RecordError, match="bad_conversation"):
        exchanges(turns)


@pytest.mark.parametrize(
    ("field", "answer", "first"),
    [
        (['{"A": "liver", "B": "spleen"}'], "B", 0),
        ([["liver", "spleen"]], "1", 0),
        ([["liver", "spleen"]], "2", 1),
        (["liver", "spleen"], "(b)", 0),
        (["liver", "spleen"], "spleen", 0),
    ],
)
def test_an_answer_is_found_among_its_options_however_it_is_written(field: list[Any], answer: str, first: int) -> None:
    assert question("q", answer, options_of(field), first).answer == "spleen"


def test_an_answer_that_is_no_option_is_refused() -> None:
    with pytest.raises(RecordError, match="bad_choice"):
        question("q", "7", options_of([["liver", "spleen"]]))


@pytest.mark.slow
def test_a_folder_that_the_datasets_library_saved_is_read_with_its_classes_and_pictures(tmp_path: Path) -> None:
    """The oracle is the library itself: what it loads is what the source reads."""
    datasets = pytest.importorskip("datasets")
    rng = np.random.default_rng(3)
    pictures = [mini.encoded(mini.pixels(rng, 32, 32)) for _ in range(5)]
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["cyst", "stone"]),
            "note": datasets.Value("string"),
        }
    )
    rows = {"image": [{"bytes": p, "path": None} for p in pictures], "label": [0, 1, 1, 0, 1]}
    table = datasets.Dataset.from_dict({**rows, "note": [f"Reading {n}." for n in range(5)]}, features=features)
    table.save_to_disk(str(tmp_path / "arrow"))
    (tmp_path / "parquet").mkdir()
    table.to_parquet(str(tmp_path / "parquet/train-00000-of-00001.parquet"))
    source = BY_NAME["hf_dataset"].model_validate({"source": "hf_dataset", "text": "note", "labels": ["label"]})
    for folder in ("arrow", "parquet"):
        place = Place(tmp_path / folder, tmp_path)
        items = [i for i in items_of(source, place) if i.form != "none"]
        assert [i.carried[0] for i in items] == pictures
        assert [i.text for i in items] == list(table["note"])
        told = [next(f.value for f in i.facts if f.name == "label") for i in items]
        assert told == [features["label"].int2str(n) for n in table["label"]]
        assert {e.path for e in entries_of(source, place)} >= {f.path for i in items for f in i.files}
