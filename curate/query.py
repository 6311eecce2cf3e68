"""Query: the ledger of an output in DuckDB, for auditors.

Views: `ledger` (one row per input record), `lineage` (one per source file of a record), `samples` (one per sample of
a record), `shards`, `funnel`, `rejected`, `teacher` and `prompts` (from the manifest). The ledger is streamed from
parquet, not copied.

Nothing can be written and no other file can be read: one SELECT is allowed, and DuckDB's access to files, the network
and extensions is switched off and locked before it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from curate.audit import PART_NAME
from manifests.config import unknown
from manifests.errors import RecipeError
from manifests.manifest import Manifest, read_manifest

VIEWS = (
    """CREATE VIEW lineage AS SELECT seq, key, source, status, licence, file.path AS path, file.sha256 AS sha256,
    file.size_bytes AS size_bytes, file.role AS role, file.fragment AS fragment
    FROM (SELECT seq, key, source, status, licence, unnest(lineage) AS file FROM ledger)""",
    """CREATE VIEW samples AS SELECT seq, record, source, licence, access, "group", kind, modality, split,
    one.stage AS stage, one.shard AS shard, one.key AS key, one.offset AS byte_offset, one.size_bytes AS size_bytes,
    one.sha256 AS sha256
    FROM (SELECT seq, key AS record, source, licence, access, "group", kind, modality, split,
    unnest(samples) AS one FROM ledger)""",
)

NAMED: MappingProxyType[str, tuple[str, str]] = MappingProxyType(
    {
        "funnel": ("what each verb was given and left", "SELECT * FROM funnel"),
        "by-source": (
            "records of each source by status, and the samples made of them",
            """SELECT source, count(*) AS read, count(*) FILTER (status = 'kept') AS kept,
            count(*) FILTER (status = 'dropped') AS dropped, count(*) FILTER (status = 'duplicate') AS duplicate,
            count(*) FILTER (status = 'failed') AS failed, sum(len(samples))::BIGINT AS samples
            FROM ledger GROUP BY source ORDER BY source""",
        ),
        "licences": (
            "records and samples under each licence and access",
            """SELECT licence, access, count(*) AS records, count(*) FILTER (status = 'kept') AS kept,
            sum(len(samples))::BIGINT AS samples FROM ledger GROUP BY ALL ORDER BY ALL""",
        ),
        "unlicensed": (
            "samples whose record has no known licence",
            """SELECT source, count(DISTINCT record) AS records, count(*) AS samples FROM samples
            WHERE licence IN ('', 'unknown') GROUP BY source ORDER BY source""",
        ),
        "duplicates": (
            "every duplicate with its keeper and the evidence",
            """SELECT seq, key, source_uri, duplicate_of, evidence->>'method' AS method,
            (evidence->>'score')::DOUBLE AS score, (evidence->>'threshold')::DOUBLE AS threshold,
            evidence->>'matched' AS matched FROM ledger WHERE status = 'duplicate' ORDER BY seq""",
        ),
        "links": (
            "which records show a slice, a frame, a part or the same as another",
            """SELECT l.seq, l.key, l.source_uri, one->>'relation' AS relation, one->>'to' AS "to",
            other.source_uri AS to_uri, one->>'axis' AS axis, (one->>'index')::BIGINT AS index,
            (one->>'score')::DOUBLE AS score, l.split FROM (SELECT *, unnest(CAST(links AS JSON[])) AS one
            FROM ledger WHERE links <> '') l LEFT JOIN ledger other ON other.key = one->>'to' ORDER BY l.seq, "to" """,
        ),
        "benchmarks": (
            "what was found of each benchmark, by the method that found it and by what became of the records",
            """SELECT one->>'pack' AS pack, one->>'method' AS method, status, count(DISTINCT key) AS records,
            count(DISTINCT one->>'item') AS items, min((one->>'score')::DOUBLE) AS least_score,
            any_value(source_uri ORDER BY seq) AS example FROM (SELECT *, unnest(CAST(benchmarks AS JSON[])) AS one
            FROM ledger WHERE benchmarks <> '') GROUP BY ALL ORDER BY pack, method, status""",
        ),
        "failures": (
            "every failed record with what was found and what would mend it",
            """SELECT seq, key, source_uri, reason, found, remedy FROM ledger WHERE status = 'failed'
            ORDER BY reason, seq""",
        ),
        "dropped": (
            "why records were dropped, by source",
            """SELECT reason, source, count(*) AS records, any_value(found ORDER BY seq) AS example FROM ledger
            WHERE status = 'dropped' GROUP BY reason, source ORDER BY records DESC, reason, source""",
        ),
        "rejected": (
            "what tasks and teachers wrote that a check rejected, by task and check",
            "SELECT * FROM rejected ORDER BY drafts DESC, task, by_check",
        ),
        "columns": (
            "the columns of every view, for a SELECT of your own",
            """SELECT table_name AS view, column_name AS "column", left(data_type, 60) AS type FROM duckdb_columns()
            WHERE NOT internal ORDER BY view, column_index""",
        ),
        "splits": (
            "records, groups and samples in each split",
            """SELECT split, count(*) AS kept, count(DISTINCT "group") AS groups, sum(len(samples))::BIGINT AS samples
            FROM ledger WHERE status = 'kept' GROUP BY split ORDER BY split""",
        ),
        "leaks": (
            "groups that stand in more than one split; none is what you want",
            """SELECT "group", list_sort(list(DISTINCT split)) AS splits, count(*) AS records FROM ledger
            WHERE "group" <> '' AND split <> '' GROUP BY "group" HAVING count(DISTINCT split) > 1 ORDER BY "group" """,
        ),
        "groups": (
            "the groups (patients, articles, videos) with the most samples",
            """SELECT "group", source, split, count(*) AS records, sum(len(samples))::BIGINT AS samples FROM ledger
            WHERE status = 'kept' AND "group" <> '' GROUP BY ALL ORDER BY samples DESC, "group" LIMIT 50""",
        ),
        "stages": (
            "samples and bytes of each stage by source",
            """SELECT stage, source, count(DISTINCT record) AS records, count(*) AS samples,
            sum(size_bytes)::BIGINT AS bytes FROM samples GROUP BY ALL ORDER BY ALL""",
        ),
        "modalities": (
            "kept records by kind and modality",
            """SELECT kind, modality, count(*) AS records, sum(len(samples))::BIGINT AS samples FROM ledger
            WHERE status = 'kept' GROUP BY ALL ORDER BY ALL""",
        ),
        "similar-images": (
            "pairs of kept images whose perceptual hashes differ in at most 4 of 64 bits: candidates, not verdicts",
            """SELECT bit_count(xor(('0x' || a.phash)::UBIGINT, ('0x' || b.phash)::UBIGINT)) AS bits, a.key, b.key,
            a.source_uri, b.source_uri FROM ledger a JOIN ledger b ON a.seq < b.seq
            AND a.status = 'kept' AND b.status = 'kept' AND a.phash <> '' AND b.phash <> ''
            AND bit_count(xor(('0x' || a.phash)::UBIGINT, ('0x' || b.phash)::UBIGINT)) <= 4
            ORDER BY bits, a.seq, b.seq LIMIT 200""",
        ),
        "undrawn": (
            "kept records that the mixture drew nowhere",
            """SELECT seq, key, source_uri, kind, split FROM ledger
            WHERE status = 'kept' AND len(samples) = 0 ORDER BY seq""",
        ),
        "repeats": (
            "records that are drawn most often",
            """SELECT record, source, stage, count(*) AS samples FROM samples GROUP BY ALL
            ORDER BY samples DESC, record, stage LIMIT 50""",
        ),
        "shards": ("every shard as the manifest lists it", "SELECT * FROM shards ORDER BY path"),
        "teacher": ("which teacher wrote, and how its answers were judged", "SELECT * FROM teacher"),
        "prompts": ("what each prompt cost and how many of its drafts were accepted", "SELECT * FROM prompts"),
        "source-of": (
            "source-of KEY: the source files behind a record or a sample (a prefix will do)",
            """SELECT key, path, fragment, role, size_bytes, sha256, licence FROM lineage
            WHERE starts_with(key, split_part($1, '-', 1)) ORDER BY seq, path, fragment""",
        ),
        "made-of": (
            "made-of TEXT: the samples made of source files whose path holds TEXT",
            """SELECT DISTINCT s.key, s.stage, s.shard, l.path FROM lineage l JOIN samples s ON s.record = l.key
            WHERE contains(l.path, $1) ORDER BY l.path, s.stage, s.key""",
        ),
    }
)


def query(out: Path, sql_or_name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """(columns, rows) of a SELECT, or of a named query with its argument (`source-of 37a457`).

    Raises `RecipeError` in one line: an unknown name, table or column, a statement that is not one SELECT."""
    manifest = read_manifest(out)
    sql, arguments = _statement(sql_or_name.strip())
    with duckdb.connect(":memory:") as connection:
        _open(connection, out, manifest)
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise RecipeError("a query is one SELECT; nothing in an output is written")
            found = connection.execute(sql, arguments)
            columns = [str(column[0]) for column in found.description or ()]
            return columns, found.fetchall()
        except duckdb.Error as error:
            raise RecipeError(f"query: {_one_line(str(error))}") from None
        except (pa.ArrowException, OSError) as error:
            raise RecipeError(f"the ledger cannot be read ({type(error).__name__}); see `curate verify`") from None


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int = 0) -> str:
    """Columns and rows as aligned text, numbers to the right; the last line counts the rows. Where rows are wider than
    `width`, one column a line and a blank line between rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    count = f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
    if rows and width and sum(widths) + 2 * len(widths) - 2 > width:
        name_width = max(map(len, columns))
        blocks = [
            "\n".join(f"{name:<{name_width}}  {cell}".rstrip() for name, cell in zip(columns, row, strict=True))
            for row in cells
        ]
        return "\n\n".join([*blocks, count])
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    lines = [
        "  ".join(
            c.rjust(w) if right else c.ljust(w) for c, w, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in ([*columns], ["-" * w for w in widths], *cells)
    ]
    return "\n".join([*lines, count])


def _statement(text: str) -> tuple[str, list[str]]:
    """SQL and its parameters: a text of one or two words without a keyword of SQL is a name."""
    words = text.split()
    if not words:
        raise RecipeError(f"an empty query; write a SELECT or one of: {', '.join(NAMED)}")
    if words[0] not in NAMED:
        if len(words) == 1:
            raise RecipeError(unknown("query", text, list(NAMED)))
        return text, []
    sql = NAMED[words[0]][1]
    if len(words) - 1 != sql.count("$1"):
        raise RecipeError(
            f"'{words[0]}' takes {'one argument' if '$1' in sql else 'no argument'}: {NAMED[words[0]][0]}"
        )
    return sql, words[1:]


def _open(connection: duckdb.DuckDBPyConnection, out: Path, manifest: Manifest) -> None:
    """The views; then no files, no network, no extensions, and no way to change that."""
    for part in manifest.ledger:
        if not PART_NAME.fullmatch(part.path) or not (out / part.path).is_file():
            raise RecipeError(f"no {part.path} in '{out}'; see `curate verify`")
    try:
        connection.register("ledger", ds.dataset([str(out / part.path) for part in manifest.ledger], format="parquet"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecipeError(f"the ledger cannot be read ({type(error).__name__}); see `curate verify`") from None
    for name, table in _manifest_tables(manifest):
        connection.register(name, table)
    for view in VIEWS:
        connection.execute(view)
    for setting in ("python_enable_replacements", "autoload_known_extensions", "autoinstall_known_extensions"):
        connection.execute(f"SET {setting} = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _manifest_tables(manifest: Manifest) -> Iterator[tuple[str, pa.Table]]:
    shards = [s.model_dump() for s in manifest.shards]
    names = ("path", "stage", "split", "layout", "samples", "bytes", "sha256")
    kinds = (pa.string(), pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string())
    yield "shards", pa.Table.from_pylist(shards, schema=pa.schema(list(zip(names, kinds, strict=True))))
    funnel = [{**s.model_dump(), "detail": json.dumps(s.detail)} for s in manifest.stages]
    yield "funnel", pa.Table.from_pylist(funnel)
    ends = [
        {"task": task, "by_check": check, "drafts": n}
        for task, checks in manifest.rejected.items()
        for check, n in checks.items()
    ]
    kinds_of = (("task", pa.string()), ("by_check", pa.string()), ("drafts", pa.int64()))
    yield "rejected", pa.Table.from_pylist(ends, schema=pa.schema(list(kinds_of)))
    teacher = manifest.teacher
    told = teacher.model_dump(exclude={"prompts", "others"})
    yield (
        "teacher",
        pa.Table.from_pylist([{**told, **{n: json.dumps(told[n]) for n in ("rejected", "checks", "judging")}}]),
    )
    texts, numbers = (
        ("role", "prompt_id"),
        ("requests", "prompt_tokens", "completion_tokens", "errors", "drafts", "accepted"),
    )
    fields = [*((name, pa.string()) for name in texts), *((name, pa.int64()) for name in numbers)]
    yield "prompts", pa.Table.from_pylist([p.model_dump() for p in teacher.prompts], schema=pa.schema(fields))


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())


def _one_line(text: str) -> str:
    """DuckDB's message without the quoted statement and its caret; its candidates stay."""
    kept = [line for line in text.splitlines() if line.strip(" ^") and not line.startswith("LINE ")]
    return " ".join(" ".join(kept).split())
