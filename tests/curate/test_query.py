"""Auditors may ask anything of a finished output, and nothing that they ask can write or look elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from curate.cli import main
from curate.query import NAMED, as_table, query
from manifests.errors import RecipeError
from manifests.manifest import read_manifest
from tests.forge import rows_of, shards_of

pytestmark = pytest.mark.slow

ARGUMENTS = {"source-of": "source-of {key}", "made-of": "made-of CT_small"}


@pytest.mark.parametrize("name", NAMED)
def test_every_named_query_answers_with_its_columns(small_output: Path, name: str) -> None:
    asked = ARGUMENTS.get(name, name).format(key=rows_of(small_output)[0]["key"])
    columns, rows = query(small_output, asked)
    assert columns
    assert all(len(row) == len(columns) for row in rows)
    assert NAMED[name][0]


def test_the_funnel_and_the_counts_are_the_manifests(small_output: Path) -> None:
    manifest = read_manifest(small_output)
    _, rows = query(small_output, "SELECT status, count(*) FROM ledger GROUP BY status")
    found = {str(status): int(n) for status, n in rows}
    assert found["kept"] == manifest.counts.kept
    assert sum(found.values()) == manifest.counts.read
    _, funnel = query(small_output, "funnel")
    assert [row[:3] for row in funnel] == [(s.name, s.records_in, s.records_out) for s in manifest.stages]


def test_views_unnest_lineage_and_samples_completely(small_output: Path) -> None:
    rows = rows_of(small_output)
    _, files = query(small_output, "SELECT key, path, sha256 FROM lineage ORDER BY ALL")
    assert files == sorted((r["key"], f["path"], f["sha256"]) for r in rows for f in r["lineage"])
    _, samples = query(small_output, "SELECT record, key, shard, byte_offset FROM samples ORDER BY ALL")
    assert samples == sorted((r["key"], s["key"], s["shard"], s["offset"]) for r in rows for s in r["samples"])
    _, shards = query(small_output, "SELECT path FROM shards")
    assert [path for (path,) in shards] == shards_of(small_output)


def test_what_an_auditor_asks_first_has_an_answer(small_output: Path) -> None:
    assert query(small_output, "leaks")[1] == []
    assert query(small_output, "unlicensed")[1] == []
    columns, duplicates = query(small_output, "duplicates")
    rows = {r["key"]: r for r in rows_of(small_output) if r["status"] == "duplicate"}
    assert {row[columns.index("key")] for row in duplicates} == set(rows)
    assert all(row[columns.index("score")] >= row[columns.index("threshold")] for row in duplicates)
    reasons = {row[3] for row in query(small_output, "failures")[1]}
    assert reasons == {"truncated_pixels", "bad_json"}


def test_a_named_query_takes_its_argument_as_a_word_of_the_command_line(small_output: Path) -> None:
    key = rows_of(small_output)[0]["key"]
    done = CliRunner().invoke(main, ["query", str(small_output), "source-of", key])
    assert done.exit_code == 0, done.output
    assert key in done.output


def test_the_source_of_a_sample_is_found_by_the_samples_key(small_output: Path) -> None:
    row = next(r for r in rows_of(small_output) if len(r["lineage"]) == 2)
    sample = next(s["key"] for s in row["samples"] if "-" in s["key"])
    columns, files = query(small_output, f"source-of {sample}")
    assert {f[columns.index("path")] for f in files} == {f["path"] for f in row["lineage"]}


FORBIDDEN = (
    "COPY (SELECT 1) TO '{folder}/stolen.csv'",
    "COPY ledger TO '{folder}/stolen.parquet'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_parquet('{out}/ledger/part-00000.parquet')",
    "ATTACH '{folder}/other.db'",
    "ATTACH ':memory:' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "CREATE TABLE mine AS SELECT 1",
    "INSERT INTO shards SELECT * FROM shards",
    "DELETE FROM ledger",
    "DROP VIEW samples",
    "EXPORT DATABASE '{folder}/all'",
    "SELECT 1; COPY (SELECT 1) TO '{folder}/stolen.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/stolen.csv'",
    "SELECT getenv('HOME')",
)


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_sql_cannot_write_or_read_elsewhere(small_output: Path, tmp_path: Path, sql: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in small_output.rglob("*")}
    with pytest.raises(RecipeError) as error:
        query(small_output, sql.format(folder=tmp_path, out=small_output))
    assert "\n" not in str(error.value)
    assert "root:" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    assert {p: p.stat().st_mtime_ns for p in small_output.rglob("*")} == before


def test_variables_of_the_caller_are_not_tables(small_output: Path) -> None:
    import pyarrow as pa

    private = pa.table({"secret": [1]})
    assert private.num_rows == 1
    with pytest.raises(RecipeError, match="private"):
        query(small_output, "SELECT * FROM private")


def test_mistakes_are_one_line_with_the_candidates(small_output: Path) -> None:
    with pytest.raises(RecipeError, match=r"licens.*licence") as error:
        query(small_output, "SELECT licens FROM ledger")
    assert "\n" not in str(error.value)
    assert "^" not in str(error.value)
    with pytest.raises(RecipeError, match="did you mean 'leaks'"):
        query(small_output, "lekas")
    with pytest.raises(RecipeError, match="takes one argument"):
        query(small_output, "source-of")
    with pytest.raises(RecipeError, match="takes no argument"):
        query(small_output, "funnel please")
    with pytest.raises(RecipeError, match="empty query"):
        query(small_output, "  ")


def test_an_argument_is_a_value_and_not_sql(small_output: Path) -> None:
    assert query(small_output, "made-of ')--")[1] == []
    assert query(small_output, "source-of '||key||'")[1] == []


def test_a_missing_or_broken_ledger_is_a_usage_error(copied: Path, tmp_path: Path) -> None:
    (copied / "ledger" / "part-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RecipeError, match="curate verify"):
        query(copied, "funnel")
    (copied / "ledger" / "part-00000.parquet").unlink()
    with pytest.raises(RecipeError, match="curate verify"):
        query(copied, "funnel")
    with pytest.raises(RecipeError, match=r"manifest\.json"):
        query(tmp_path / "nowhere", "funnel")


def test_columns_are_those_of_every_view_and_rejected_drafts_those_that_were_not_accepted(small_output: Path) -> None:
    _, listed = query(small_output, "columns")
    views = {str(view) for view, *_ in listed}
    assert {"ledger", "lineage", "samples", "shards", "funnel", "rejected", "teacher", "prompts"} == views
    assert {"seq", "key", "status", "evidence"} <= {str(column) for view, column, _ in listed if view == "ledger"}
    funnel = next(s for s in read_manifest(small_output).stages if s.name == "synthesize")
    rejected = sum(int(n) for *_, n in query(small_output, "rejected")[1])
    assert rejected == sum(funnel.detail.values()) - funnel.records_out


def test_rows_wider_than_the_terminal_are_one_column_a_line() -> None:
    table = ["status", "n"], [("kept", 5), ("dropped", None)]
    assert as_table(*table, width=10).splitlines()[0] == "status   n"
    assert as_table(*table, width=9) == "status  kept\nn       5\n\nstatus  dropped\nn\n\n(2 rows)"


def test_a_table_is_aligned_and_counts_its_rows() -> None:
    text = as_table(["name", "n"], [("a\nb", 5), ("long name", 12)])
    assert text.splitlines() == ["name        n", "---------  --", "a b         5", "long name  12", "(2 rows)"]
    assert as_table(["x"], []) == "x\n-\n(0 rows)"
    assert as_table(["x"], [(None,)]).splitlines()[2:] == ["", "(1 row)"]
