"""Benchmarks are read in the layouts that they are published in, or refused with what is missing."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import RecipeError, RecordError
from sources.benchmarks import BENCHMARKS, benchmark
from sources.benchmarks.rows import chosen, embedded, options, rows
from sources.benchmarks.table import read_table
from tests.sources.benchmarks_mini import MINIS, OPTIONS, QUESTION, Mini, media_of, png

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
REAL = (  # name, folder, split, items, with options
    ("vqa-rad", "vqa-rad-subset", "test", 451, False),
    ("vqa-rad", "vqa-rad-subset", "all", 2248, False),
    ("slake", "text-vqa-slake", "validation", 2099, False),
    ("pubmedqa", "text-pubmedqa", "test", 500, False),
    ("pubmedqa", "text-pubmedqa", "all", 1000, False),
    ("medmcqa", "text-benchmarks-mirage/medmcqa", "validation", 1000, True),
    ("mmlu-medical", "text-benchmarks-mirage/mmlu", "test", 500, True),
    ("vqa-med-2019", "text-vqa-benchmarks", "test", 500, False),
)


def test_every_benchmark_has_a_layout_a_miniature_and_stands_under_its_name() -> None:
    assert {mini.name for mini in MINIS} == set(BENCHMARKS)
    for name, reader in BENCHMARKS.items():
        assert name == reader.NAME
        assert reader.KNOWN in ("measured", "published", "recalled")
        assert len(reader.LAYOUT) > 80
        assert reader.SPLITS


@pytest.mark.parametrize("mini", MINIS, ids=lambda m: f"{m.name}-{m.split}")
def test_an_item_comes_back_as_its_layout_holds_it(mini: Mini, tmp_path: Path) -> None:
    mini.make(tmp_path)
    items = list(benchmark(mini.name).read(tmp_path, mini.split))
    assert len(items) == mini.count
    item = items[-1]
    assert item.item_id
    assert item.answer == mini.answer
    if mini.name == "ct-rate":
        assert (item.question, item.context) == ("", "A cavity.\nHydatid cyst.")
    else:
        assert item.question.removeprefix("<image 1> ") == QUESTION
    assert item.options == (OPTIONS if mini.options else ())
    assert (item.patient, item.study, item.video) == mini.ids
    assert media_of(item) == mini.media


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(("name", "folder", "split", "count", "choice"), REAL)
def test_real_benchmarks_are_read_whole(name: str, folder: str, split: str, count: int, choice: bool) -> None:
    items = list(benchmark(name).read(SHARED / folder, split))
    assert len(items) == count
    assert all(i.item_id and i.question for i in items)
    assert len({i.item_id for i in items}) == count
    if choice:
        assert all(len(i.options) >= 2 for i in items)
        assert sum(i.answer in i.options for i in items) >= count - 2
    if name == "vqa-rad":
        there = {path for i in items for path in i.images if path.is_file()}
        assert len(there) == (len(list((SHARED / folder / "images").iterdir())) if split == "all" else 26)


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_folder_without_the_benchmark_and_an_unknown_split_are_refused_by_name(name: str, tmp_path: Path) -> None:
    reader = benchmark(name)
    with pytest.raises(RecipeError, match=name):
        list(reader.read(tmp_path, reader.SPLITS[0]))
    with pytest.raises(RecipeError, match="no split 'vaild'"):
        list(reader.read(tmp_path, "vaild"))


@pytest.mark.parametrize("mini", MINIS, ids=lambda m: f"{m.name}-{m.split}")
def test_a_damaged_table_is_refused_with_its_file_and_without_its_content(mini: Mini, tmp_path: Path) -> None:
    mini.make(tmp_path)
    for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
        path.write_bytes(b"\xff\xfe{[ secret \x00" + path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises((RecipeError, RecordError)) as caught:
        list(benchmark(mini.name).read(tmp_path, mini.split))
    assert "secret" not in str(caught.value)


def test_an_unknown_benchmark_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match="did you mean 'pubmedqa'"):
        benchmark("pubmeqa")


def test_a_table_with_other_columns_is_refused_with_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "M3D_VQA_test.csv").write_text("Image,Frage\na,b\n")
    with pytest.raises(RecipeError, match="has no Image Path, Question, Answer, Choice A; it has: Frage, Image"):
        list(benchmark("m3d-vqa").read(tmp_path, "test"))


def test_a_table_that_names_a_file_outside_its_folder_is_refused(tmp_path: Path) -> None:
    row = {"qid": 1, "img_name": "../../etc/passwd", "question": "q", "answer": "a"}
    (tmp_path / "test.json").write_text(json.dumps([row]))
    with pytest.raises(RecipeError, match="outside"):
        list(benchmark("slake").read(tmp_path, "test"))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_any_table_is_read_by_the_columns_that_are_named(ending: str, tmp_path: Path) -> None:
    row = {"nr": "7", "frage": QUESTION, "a": OPTIONS[0], "b": OPTIONS[1], "gold": "B", "bild": "x.png"}
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        path.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    else:
        path.write_text(json.dumps([row] if ending == "json" else row))
    columns = {"id": "nr", "question": "frage", "options": "a+b", "answer": "gold", "image": "bild"}
    (item,) = read_table(path, columns)
    assert (item.item_id, item.question, item.options, item.answer) == ("7", QUESTION, OPTIONS[:2], OPTIONS[1])
    assert item.images == (tmp_path / "x.png",)
    with pytest.raises(RecipeError, match="has no preguntas"):
        list(read_table(path, {"question": "preguntas"}))
    with pytest.raises(RecipeError, match="did you mean 'question'"):
        list(read_table(path, {"qestion": "frage"}))


@pytest.mark.parametrize(
    "value",
    [list(OPTIONS), dict(zip("ABCD", OPTIONS, strict=True)), repr(list(OPTIONS)), json.dumps(OPTIONS),
     [{"letter": "A", "content": o} for o in OPTIONS], "\n".join(OPTIONS)],
)  # fmt: skip
def test_options_are_the_same_however_they_are_written(value: object) -> None:
    assert options(value) == OPTIONS


def test_an_answer_that_is_an_option_is_itself_and_a_letter_names_one() -> None:
    assert chosen("2", ("1", "2", "3")) == "2"
    assert chosen("(c)", OPTIONS) == OPTIONS[2]
    assert chosen("maybe", OPTIONS) == "maybe"


def test_images_inside_tables_come_out_whole() -> None:
    data = png()
    text = base64.b64encode(data).decode()
    for value in (
        {"bytes": data, "path": None},
        data,
        text,
        f"data:image/png;base64,{text}",
        json.dumps([text]),
        [data],
    ):
        assert embedded(value) == (data,)
    assert embedded("12") == embedded(None) == embedded("x" * 99) == ()


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), ending=st.sampled_from(["json", "jsonl", "csv", "tsv", "parquet"]))
def test_no_bytes_make_a_table_raise_anything_else(
    data: bytes, ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("t") / f"t.{ending}"
    path.write_bytes(data)
    with contextlib.suppress(RecipeError, RecordError):
        assert all(isinstance(row, dict) for row in rows(path))
