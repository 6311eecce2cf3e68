"""The ledger under audit: every row by itself, its place in the sequence, and what rows say of one another.

Rows are streamed; what stays in memory is ids: of each record what its samples must repeat, of each sample where it
must lie. A record's key is recomputed from its source, its upstream id and its content digest, and the content digest
from the lineage, so that neither can be edited alone. Not covered: whether the source files still hold these digests
(they are not part of an output).
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curate.audit.findings import Findings, changed
from curate.audit.sweep import check_row_shapes
from curate.split import SPLITS, leaks
from manifests.manifest import Manifest, merkle_root
from manifests.record import FileRef, content_sha256, record_key
from manifests.sample import STAGES
from manifests.schema import LEDGER, row_digest

STATUSES = ("kept", "dropped", "duplicate", "failed")
KEY = re.compile(r"[0-9a-f]{32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
SEALED = r"~[0-9a-f]{24}(?:/|$)"  # a part of a path that named somebody: `curate.sweep.sealed`
ABSOLUTE = re.compile(rf"^(?!{SEALED})(?:/|~|\\|[A-Za-z]:[\\/]|file:)|(?:^|/)\.\.(?:/|$)")
MENTIONED = re.compile(r"(?:^|[\s\"'(=:,])(?:/[\w.-]+/[\w.-]+|[A-Za-z]:\\\w|~/\w)")  # a path inside a sentence
PHASH = re.compile(r"(?:[0-9a-f]{16})?")
NEEDED = tuple(name for name in LEDGER.names if name != "phash")
RUN_AGAIN = changed("the ledger")
TOGETHER = "counts, order, duplicates, links, benchmarks, and samples that the ledger must name"  # need all rows


class Known(NamedTuple):
    """What the ledger says of a record and its samples must repeat."""

    seq: int
    status: str
    source: str
    licence: str
    access: str
    group: str
    kind: str
    modality: str
    split: str


class Placed(NamedTuple):
    """Where the ledger says that a sample lies."""

    record: str
    stage: str
    offset: int
    size_bytes: int
    sha256: str
    told: tuple[str, int, int]  # task, tokens of the text and of what is shown
    passages: tuple[str, ...]  # the records whose words it shows besides


@dataclass
class Index:
    """The ids of a ledger; `whole` where every part of it was read, else what needs all rows is not checked."""

    whole: bool = True
    records: dict[str, Known] = field(default_factory=dict)
    samples: dict[str, dict[str, Placed]] = field(default_factory=lambda: defaultdict(dict))  # shard -> key -> place
    order: list[tuple[int, str]] = field(default_factory=list)  # (seq, key) as the rows stand
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)  # slices, frames, parts, equal media
    met: Counter[str] = field(default_factory=Counter)  # benchmark packs, by the rows that hold something of them
    reciting: list[tuple[str, str]] = field(default_factory=list)  # (key, pack) of kept records
    media: list[tuple[str, str, str]] = field(default_factory=list)  # (kind, source sha256, key)
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=lambda: {"dropped": Counter(), "failed": Counter()})


def check_ledger(out: Path, manifest: Manifest, findings: Findings) -> Index:
    """All rows of all parts; the index of what was read."""
    index = Index()
    licences = _licences(manifest)

    def digests() -> Iterator[str]:
        for where, row in _rows(out, manifest, index, findings):
            findings.count("ledger rows")
            place = f"{where} seq {row['seq']} record {row['key']}"
            _check_row(place, row, index, findings)
            check_row_shapes(place, row, findings)
            if licences.get(row["source"]) != row["licence"]:
                findings.add(
                    "licence",
                    place,
                    f"licence {row['licence']!r}, the recipe's source says {licences.get(row['source'])!r}",
                    RUN_AGAIN,
                )
            _take(place, row, index, findings)
            yield row_digest(row)

    root = merkle_root(digests())
    if not index.whole:
        found = f"not checked because a part of the ledger cannot be read: {TOGETHER}"
        findings.add("not_checked", "ledger", found, "mend what is named above first")
    else:
        if root != manifest.roots.ledger:
            found = f"{manifest.roots.ledger}, the rows give {root}"
            findings.add("merkle_root", "manifest.json roots.ledger", found, changed("the ledger", "manifest.json"))
        _check_order(index, manifest, findings)
        _check_duplicates(index, findings)
        _check_links(index, findings)
        _check_benchmarks(index, manifest, findings)
    _check_splits(index, findings)
    return index


def _licences(manifest: Manifest) -> dict[str, str]:
    """The licence of every source, as the recipe calls it."""
    sources = manifest.recipe.get("sources")
    known = [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    return {str(s.get("name") or s.get("source")): str(s.get("licence")) for s in known}


def _rows(out: Path, manifest: Manifest, index: Index, findings: Findings) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in manifest.ledger:
        path = out / part.path
        if not path.is_file():
            index.whole = False  # named by the check of files
            continue
        number = 0
        try:
            table = pq.ParquetFile(path)
            differing = _differing_columns(table.schema_arrow)
            if differing:
                findings.add("ledger_schema", part.path, f"columns that are not the ledger's: {differing}", RUN_AGAIN)
            if not _readable(table.schema_arrow):
                index.whole = False
                continue
            for batch in table.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield part.path, row
        except (pa.ArrowException, OSError, ValueError) as error:
            index.whole = False
            found = f"not parquet behind row {number} ({type(error).__name__})"
            findings.add("ledger_unreadable", part.path, found, changed(part.path))
            continue
        if number != part.rows:
            findings.add("ledger_rows", part.path, f"{number} rows, the manifest says {part.rows}", RUN_AGAIN)


def _differing_columns(schema: pa.Schema) -> str:
    """Columns that are missing, too many or of another type, as `phash: missing`; "" where there are none."""
    told = [f"{f.name}: missing" for f in LEDGER if f.name not in schema.names]
    told += [f"{name}: unknown" for name in schema.names if name not in LEDGER.names]
    both = [f for f in LEDGER if schema.names.count(f.name) == 1]
    told += [f"{f.name}: {schema.field(f.name).type}" for f in both if schema.field(f.name).type != f.type]
    return ", ".join(told) or ("" if schema.names == LEDGER.names else "another order, or a column twice")


def _readable(schema: pa.Schema) -> bool:
    """Whether what the audit looks at is there, in its type; columns that a later version added may be absent."""
    return all(schema.names.count(n) == 1 and schema.field(n).type == LEDGER.field(n).type for n in NEEDED)


# --- one row ---------------------------------------------------------------------------------------------------------


def _check_row(place: str, row: dict[str, Any], index: Index, findings: Findings) -> None:
    nulls = [name for name, value in row.items() if value is None or _holds_null(value)]
    if nulls:
        findings.add("null_value", place, f"no value in {', '.join(nulls)}", RUN_AGAIN)
        for name in nulls:
            row[name] = [] if name in ("lineage", "steps", "samples") else -1 if name == "seq" else ""
    for check, found in (*_wrong_identity(row), *_wrong_decision(row), *_wrong_paths(row)):
        findings.add(check, place, found, RUN_AGAIN)


def _holds_null(value: Any) -> bool:
    return isinstance(value, list) and any(one is None or None in one.values() for one in value)


def _wrong_identity(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Key, lineage, licence."""
    if not KEY.fullmatch(row["key"]):
        yield "record_key", f"key {row['key']!r} is not 32 hexadecimal digits"
    if not row["licence"]:
        yield "licence", "no licence"
    if not PHASH.fullmatch(row.get("phash", "")):
        yield "phash", f"phash {row['phash'][:20]!r} is not 16 hexadecimal digits"
    if not row["lineage"]:
        yield "lineage", "no file in lineage"
        return
    strange = [f["path"] for f in row["lineage"] if not SHA256.fullmatch(f["sha256"] or "")]
    if strange:
        yield "lineage", f"no sha256 for {strange[0]!r}"
        return
    content = content_sha256(tuple(FileRef(**f) for f in row["lineage"]))
    if content != row["source_sha256"]:
        yield "source_sha256", f"{row['source_sha256']}, the lineage gives {content}"
    if row["key"] not in _keys_of(row):
        yield "record_key", f"key {row['key']}, source, upstream id and content give {next(_keys_of(row))}"


def _keys_of(row: dict[str, Any]) -> Iterator[str]:
    """The key of a record; of one that stands again, the keys of its first thousands of copies."""
    yield record_key(row["source"], row["upstream_id"], row["source_sha256"])
    copies = 2 if row["status"] == "kept" else 10_000
    for number in range(2, copies):
        yield record_key(row["source"], f"{row['upstream_id']}#copy={number}", row["source_sha256"])


def _wrong_decision(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Status and what must go with it."""
    status = row["status"]
    if status not in STATUSES:
        yield "status", f"status {status!r}; one of {', '.join(STATUSES)}"
    if (status in ("dropped", "failed")) != bool(row["reason"]):
        yield "reason", f"status {status} with reason {row['reason']!r}"
    if (status == "duplicate") != bool(row["duplicate_of"]):
        yield "duplicate_of", f"status {status} with duplicate_of {row['duplicate_of']!r}"
    if status == "duplicate":
        yield from _wrong_evidence(row["evidence"])
    if status == "kept" and row["split"] not in SPLITS:
        yield "split", f"kept with split {row['split']!r}; one of {', '.join(SPLITS)}"
    if status != "kept" and row["samples"]:
        yield "samples", f"status {status} with {len(row['samples'])} samples"
    first = row["samples"][0]["shard"] if row["samples"] else ""
    if row["shard"] != first:
        yield "samples", f"shard {row['shard']!r}, the first sample lies in {first!r}"


def _wrong_evidence(text: str) -> Iterator[tuple[str, str]]:
    try:
        evidence = json.loads(text)
        if evidence["score"] < evidence["threshold"] or not evidence["method"] or not evidence["matched"]:
            yield "evidence", f"duplicate by {text[:120]}"
    except (ValueError, KeyError, TypeError, RecursionError):
        yield "evidence", f"duplicate without method, score, threshold and matched: {text[:80]!r}"


def _wrong_paths(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in (
        ("source_uri", row["source_uri"]),
        ("upstream_id", row["upstream_id"]),
        *(("lineage", f["path"] or "") for f in row["lineage"]),
    ):
        if ABSOLUTE.search(value):
            yield "absolute_path", f"{name} {value[:60]!r}"
    said = (row["found"], row["remedy"], *(s[part] or "" for s in row["steps"] for part in ("params", "result")))
    yield from (
        ("absolute_path", f"a step or a reason mentions a path: {t[:60]!r}") for t in said if MENTIONED.search(t)
    )


def _take(place: str, row: dict[str, Any], index: Index, findings: Findings) -> None:
    """Put the row's ids into the index."""
    key = row["key"]
    index.order.append((row["seq"], key))
    if key in index.records:
        findings.add("repeated_key", place, f"the key stands at seq {index.records[key].seq} too", RUN_AGAIN)
        return
    index.records[key] = Known(row["seq"], *(row[name] for name in Known._fields[1:]))
    index.statuses[row["status"]] += 1
    if row["status"] in index.reasons:
        index.reasons[row["status"]][row["reason"]] += 1
    if row["duplicate_of"]:
        index.duplicates.append((key, row["duplicate_of"]))
    try:
        index.links += [(key, str(link["to"])) for link in json.loads(row["links"] or "[]")]
    except (ValueError, KeyError, TypeError, RecursionError):
        findings.add("links", place, f"no list of links: {row['links'][:80]!r}", RUN_AGAIN)
    try:
        packs = {str(hit["pack"]) for hit in json.loads(row["benchmarks"] or "[]")}
    except (ValueError, KeyError, TypeError, RecursionError):
        findings.add("benchmarks", place, f"no list of hits: {row['benchmarks'][:80]!r}", RUN_AGAIN)
    else:
        index.met.update(packs)
        index.reciting += [(key, pack) for pack in sorted(packs) if row["status"] == "kept"]
    if row["kind"] not in ("", "text") and row["split"]:
        index.media.append((row["kind"], row["source_sha256"], key))
    for sample in row["samples"]:
        known = index.samples[sample["shard"]]
        wrong = "twice" if sample["key"] in known else "" if sample["stage"] in STAGES else f"stage {sample['stage']!r}"
        if wrong:
            findings.add("samples", place, f"sample {sample['key']} in {sample['shard']}: {wrong}", RUN_AGAIN)
        told = (sample["task"], sample["text_tokens"], sample["visual_tokens"])
        place_ = (sample["stage"], sample["offset"], sample["size_bytes"], sample["sha256"])
        known[sample["key"]] = Placed(key, *place_, told, tuple(sample["passages"] or ()))


# --- rows together ---------------------------------------------------------------------------------------------------


def _check_order(index: Index, manifest: Manifest, findings: Findings) -> None:
    """`seq` counts 0, 1, 2, ... as the rows stand."""
    seen = Counter(seq for seq, _ in index.order)
    for seq, times in sorted(seen.items()):
        if times > 1:
            keys = ", ".join(key for number, key in index.order if number == seq)
            findings.add("seq_repeated", f"ledger seq {seq}", f"{times} rows: {keys}", RUN_AGAIN)
    for (before, key), (after, other) in itertools.pairwise(index.order):
        if after < before:
            found = f"stands after seq {before} (record {key})"
            findings.add("seq_order", f"ledger seq {after} record {other}", found, RUN_AGAIN)
    by_seq = sorted((seq, key) for seq, key in set(index.order) if seq >= 0)
    end = max(manifest.counts.read, by_seq[-1][0] + 1 if by_seq else 0)
    bounds = [(-1, ""), *by_seq, (end, "")]
    for (before, key), (after, other) in itertools.pairwise(bounds):
        if after - before > 1:
            span = f"seq {before + 1}" + (f" to {after - 1}" if after - before > 2 else "")
            neighbours = f"after record {key or '(the beginning)'}, before record {other or '(the end)'}"
            findings.add("seq_missing", f"ledger {span}", f"no row {neighbours}", RUN_AGAIN)


def _check_duplicates(index: Index, findings: Findings) -> None:
    for key, keeper in index.duplicates:
        known = index.records.get(keeper)
        if known is None or known.status != "kept" or keeper == key:
            state = "is not in the ledger" if known is None else f"is {known.status}" if keeper != key else "is itself"
            where = f"ledger seq {index.records[key].seq} record {key}"
            findings.add("duplicate_of", where, f"duplicate of {keeper}, which {state}", RUN_AGAIN)


def _check_links(index: Index, findings: Findings) -> None:
    for key, to in index.links:
        if to not in index.records or to == key:
            where = f"ledger seq {index.records[key].seq} record {key}"
            findings.add("links", where, f"linked to {to[:40]!r}, which is no other record", RUN_AGAIN)


def _check_benchmarks(index: Index, manifest: Manifest, findings: Findings) -> None:
    """The packs' counts are those of the rows, and nothing is kept that holds something of a pack to be kept out."""
    listed = {one.pack: one for one in manifest.benchmarks}
    for pack in sorted(index.met.keys() | listed.keys()):
        said = listed[pack].records if pack in listed else "nothing"
        if said != index.met[pack]:
            found = f"{said} records, the ledger says {index.met[pack]}"
            findings.add("benchmarks", f"manifest.json benchmarks {pack[:80]!r}", found, RUN_AGAIN)
    for key, pack in index.reciting:
        if pack in listed and listed[pack].policy == "drop":
            where = f"ledger seq {index.records[key].seq} record {key}"
            findings.add("benchmark_leak", where, f"kept, and holds something of {pack[:80]!r}, policy drop", RUN_AGAIN)


def _check_splits(index: Index, findings: Findings) -> None:
    """No patient, and no medium or anything that shows a part of it, in two splits."""
    first: dict[tuple[str, str], str] = {}
    links = [*index.duplicates, *index.links]
    for kind, sha256, key in index.media:
        links.append((key, first.setdefault((kind, sha256), key)))
    rows = ((key, known.group, known.split) for key, known in index.records.items())
    findings.count("groups", len({k.group for k in index.records.values() if k.group}))
    for leak in leaks(rows, links):
        records = ", ".join(f"{k} (seq {index.records[k].seq}, {index.records[k].split})" for k in leak.keys[:6])
        more = f" and {len(leak.keys) - 6} more" if len(leak.keys) > 6 else ""
        where = f"ledger group {', '.join(leak.groups[:3]) or '(none)'}"
        findings.add("split_leak", where, f"in {' and '.join(leak.splits)}: {records}{more}", RUN_AGAIN)
