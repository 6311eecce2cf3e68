"""Tables are foreign bytes: they are read in a process of their own, once, and one that cannot be read costs itself."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from curate import inventory, listing, sandbox
from curate.inventory import KeyHint
from curate.keyring import Keyring
from curate.listing import read_items, unit_of
from curate.sandbox import Limits
from curate.units import run_unit
from manifests.errors import RecipeError, RecordError
from manifests.manifest import read_manifest
from sources.base import Entry, Item, Place, SourceConfig, ref
from sources.image_table import ImageTable
from tests.corpus import run_recipe
from tests.deadly import DeadlyTable

SMALL = Limits(memory_bytes=512 << 20, seconds=30)
HEADER = "image,note,patient\n"


def hint() -> KeyHint:
    return KeyHint("listing", 0, "", Keyring.load("listing", 0).key_id)


def pictures(root: Path, count: int, table: str = "") -> None:
    root.mkdir(parents=True)
    for n in range(count):
        Image.linear_gradient("L").rotate(30 * n).save(root / f"{n}.png")
    if table:
        (root / "table.csv").write_text(table)


def rows_of(count: int) -> str:
    return HEADER + "".join(f"{n}.png,note {n},p{n}\n" for n in range(count))


def listed(source: SourceConfig, root: Path, work: Path, limits: Limits | None = SMALL) -> list[Item]:
    """The items of a source, by its units."""
    place = Place(root, root.parent)
    units = inventory.units_of(source, place, hint(), limits)
    for unit in units:
        run_unit(unit, work)
    unit = unit_of(source, place, hint(), units, inventory.read_entries(work, units), limits)
    run_unit(unit, work)
    return list(read_items(work, unit))


def source(kind: type[ImageTable] = ImageTable, **more: Any) -> ImageTable:
    values = {"source": "image_table", "root": "in", "licence": "MIT", "table": "table.csv", "text": "note"}
    return kind.model_validate({**values, "group": "patient", **more})


@pytest.mark.slow
def test_items_listed_in_a_process_of_their_own_are_those_listed_here(tmp_path: Path) -> None:
    pictures(tmp_path / "in", 5, rows_of(6))
    there = listed(source(), tmp_path / "in", tmp_path / "a")
    here = listed(source(), tmp_path / "in", tmp_path / "b", None)
    assert there == here == list(source().items(*_given(tmp_path / "in")))
    assert {i.form for i in here} == {"picture", "none"}
    assert sum(i.reason == "media_missing" for i in here) == 1


def _given(root: Path) -> Any:
    ring = Keyring.load("listing", 0)
    place = Place(root, root.parent)
    paths = sorted(p.name for p in root.iterdir())
    entries = [inventory.entry_of(source(), place, path, ring.pseudonym) for path in paths]
    return place, entries, ring.pseudonym


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ("segfault", "signal 11 (SIGSEGV)"),
        ("foreign", "an answer that is none"),
        pytest.param("swell", "more than 0.5 GiB of memory", marks=pytest.mark.slow),
    ],
)
def test_a_table_that_kills_its_parser_is_one_failed_row_and_its_files_are_told(
    tmp_path: Path, way: str, found: str
) -> None:
    pictures(tmp_path / "in", 3, rows_of(3))
    items = listed(source(DeadlyTable, way=way), tmp_path / "in", tmp_path / "work")
    told = {i.upstream_id: (i.status, i.reason) for i in items}
    assert told == {"table.csv": ("failed", "parser_died")} | {f"{n}.png": ("failed", "not_listed") for n in range(3)}
    (table,) = (i for i in items if i.reason == "parser_died")
    assert (table.found, table.files[0].role) == (found, "table")


BROKEN: dict[str, bytes] = {
    "a field without end": rows_of(2).encode() + b'1.png,"' + b"x" * 200_000,
    "bytes that are no UTF-8 far from the beginning": HEADER.encode()
    + (b"1.png," + b"ok " * 1000 + b",p\n") * 400
    + b"1.png,\xff,p\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_table_that_breaks_while_it_is_read_fails_with_its_row(tmp_path: Path, name: str) -> None:
    pictures(tmp_path / "in", 2)
    (tmp_path / "in" / "table.csv").write_bytes(BROKEN[name])
    reasons = {i.upstream_id: i.reason for i in listed(source(), tmp_path / "in", tmp_path / "work")}
    assert reasons == {"table.csv": "bad_table", "0.png": "not_listed", "1.png": "not_listed"}


def recipe(tmp_path: Path, *sources: dict[str, Any]) -> Path:
    path = tmp_path / "recipe.yaml"
    keep = {"faces": {"keep": "drawn by a test"}, "burned_in": {"keep": "drawn by a test"}}
    path.write_text(yaml.safe_dump({"sources": list(sources), "deidentify": keep, "limits": {"failed": 1.0}}))
    return path


def statuses(out: Path) -> dict[str, str]:
    rows = [row for part in read_manifest(out).ledger for row in pq.read_table(out / part.path).to_pylist()]
    return {row["source_uri"]: row["reason"] or row["status"] for row in rows}


@pytest.mark.slow
def test_a_broken_table_leaves_the_other_sources_of_a_run_and_a_finished_run_lists_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("a table is read on the driver")

    monkeypatch.setattr(ImageTable, "items", refuse)  # a parser's process imports its own
    monkeypatch.setattr(ImageTable, "look", refuse)
    pictures(tmp_path / "bad", 2, rows_of(2) + '1.png,"' + "x" * 200_000)
    pictures(tmp_path / "good", 2)
    (tmp_path / "beside.csv").write_text(rows_of(2))
    common = {"source": "image_table", "licence": "MIT", "text": "note"}
    bad = {**common, "name": "bad", "root": "bad", "table": "table.csv"}
    good = {**common, "name": "good", "root": "good", "table": "beside.csv"}
    made, out = recipe(tmp_path, bad, good), tmp_path / "out"
    run_recipe(made, out)
    found = statuses(out)
    assert found["bad/table.csv"] == "bad_table"
    assert {found[f"bad/{n}.png"] for n in range(2)} == {"not_listed"}
    assert {found[f"good/{n}.png"] for n in range(2)} <= {"kept", "duplicate", "no_detail"}
    assert (out / ".work").stat().st_mode & 0o077 == 0
    assert run_recipe(made, out).executed == 0
    (tmp_path / "beside.csv").write_text(rows_of(1))
    assert run_recipe(made, out).executed > 0
    assert statuses(out)["good/1.png"] == "not_a_record"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("image,text\n0.png,x\n", "has no column 'note'"),
        ("", "is empty"),
        (b"image,note,patient\n0.png,\xff,p\n", "is not UTF-8"),
        (None, "neither below the root nor beside the recipe"),
    ],
    ids=["a column", "empty", "encoding", "absent"],
)
def test_a_mistake_of_the_recipe_is_told_before_anything_is_written(
    tmp_path: Path, table: str | bytes | None, said: str
) -> None:
    pictures(tmp_path / "in", 1)
    if table is not None:
        (tmp_path / "in" / "table.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    made = recipe(tmp_path, source().model_dump(mode="json", exclude={"priority", "facts"}))
    with pytest.raises(RecipeError, match=said):
        run_recipe(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_behind_a_link_below_the_root_is_not_followed(tmp_path: Path) -> None:
    pictures(tmp_path / "in", 1)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.csv").write_text(rows_of(1))
    (tmp_path / "in" / "table.csv").symlink_to(tmp_path / "elsewhere" / "secret.csv")
    with pytest.raises(RecipeError, match="as a regular file"):
        source().check(Place(tmp_path / "in", tmp_path))


def test_a_table_that_changes_while_it_is_listed_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "in", 1, rows_of(1))
    original = listing._check_unchanged

    def after_a_change(spec: listing.ListSpec) -> None:
        (tmp_path / "in" / "table.csv").write_text(rows_of(1) + "0.png,again,p9\n")
        original(spec)

    monkeypatch.setattr(listing, "_check_unchanged", after_a_change)
    items = listed(source(), tmp_path / "in", tmp_path / "work", None)
    assert {i.reason for i in items if i.upstream_id == "table.csv"} == {"changed_since_plan"}


def test_what_a_listing_hands_back_is_believed_in_nothing(tmp_path: Path) -> None:
    entry = Entry("a.png", 3, "0" * 64, {})
    item = Item("a.png", "picture", (ref(entry),), masks=(("m", "a.png", 0),))
    known = {"a.png": "0" * 64}
    assert listing._read(listing._said([item]), known) == [item]
    error = listing._read(listing._said(RecordError("bad_table", "x\ny", "z")), known)
    assert isinstance(error, RecordError)
    assert (error.reason, error.found) == ("bad_table", "x?y")
    other = dataclasses.replace(item.files[0], sha256="1" * 64)
    bad: list[Any] = [
        None, [], ["items"], ["items", "[{}]"], ["items", "["],
        ["record", "Bad Reason", "x", "y"], ["record", "a", "b"],
        ["recipe", "two\nlines"], ["recipe", 7], ["recipe", "x" * 3000], ["more", []],
        *(listing._said([dataclasses.replace(item, **change)]) for change in (
            {"files": ()}, {"files": (other,)}, {"landmarks": "b"}, {"contours": ("b",)}, {"masks": (("m", "b", 0),)},
        )),
    ]  # fmt: skip
    for value in bad:
        with pytest.raises((ValueError, TypeError)):
            listing._read(value, known)


@pytest.mark.slow
def test_items_of_a_large_table_stream_through_a_file(tmp_path: Path) -> None:
    """20,000 rows, whose files are not there, go over in many messages and lie in the unit's folder a line each."""
    pictures(tmp_path / "in", 1, HEADER + "".join(f"{n}.png,{'word ' * 20}{n},p\n" for n in range(20_000)))
    items = listed(source(), tmp_path / "in", tmp_path / "work")
    (file,) = (tmp_path / "work" / "units" / "list").rglob("items.jsonl")
    with file.open() as stream:
        lines = sum(1 for line in stream if json.loads(line))
    assert lines == len(items) == 20_001
    assert len({i.upstream_id for i in items}) == 20_001
    assert file.stat().st_size > listing.ITEMS_PER_MESSAGE * 20 * 100
    sandbox.close_all()
