"""Forgery for tests: change an output, then refresh every digest, so that only what is said can give it away."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.documents import croissant, readme
from curate.pack import sample_sha256
from curate.shard import layout, sample_bytes, write_tar
from manifests.manifest import NAME, merkle_root, read_manifest
from manifests.record import canonical_json
from manifests.schema import LEDGER, row_digest

PART = "ledger/part-00000.parquet"
Fields = dict[str, bytes]


def rows_of(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / PART).to_pylist()
    return rows


def samples_of(shard: Path) -> Iterator[tuple[str, Fields]]:
    """(key, {field: bytes}) of adjacent members."""
    key, fields = "", Fields()
    with tarfile.open(shard) as tar:
        for member in tar:
            name, _, suffix = member.name.partition(".")
            if name != key and fields:
                yield key, fields
                fields = {}
            stream = tar.extractfile(member)
            assert stream is not None
            key, fields[suffix] = name, stream.read()
    if fields:
        yield key, fields


def shards_of(out: Path) -> list[str]:
    return [s.path for s in read_manifest(out).shards]


def find_sample(out: Path, wanted: Callable[[dict[str, Any]], bool]) -> tuple[str, str, dict[str, Any]]:
    """(shard, key, JSON) of the first sample that is wanted."""
    for shard in shards_of(out):
        for key, fields in samples_of(out / shard):
            sample = json.loads(fields["json"])
            if wanted(sample):
                return shard, key, sample
    raise AssertionError("the small output has no such sample")


def write_rows(out: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=LEDGER), out / PART, compression="zstd")


def rewrite(out: Path, shard: str, key: str, change: Callable[[Fields], None]) -> None:
    """Change the fields of one sample of a shard."""
    samples = list(samples_of(out / shard))
    for name, fields in samples:
        if name == key:
            change(fields)
    write_tar(out / shard, samples)


def edit_json(out: Path, shard: str, key: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON of one sample, canonically written, with all digests refreshed."""

    def edit(fields: Fields) -> None:
        sample = json.loads(fields["json"])
        change(sample)
        fields["json"] = canonical_json(sample).encode()

    rewrite(out, shard, key, edit)
    reseal(out)


def edit_manifest(out: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((out / NAME).read_bytes())
    change(manifest)
    (out / NAME).write_text(json.dumps(manifest))


def reseal(out: Path) -> None:
    """Refresh sizes, digests, places, layouts and roots in ledger, manifest and documents, from what lies there."""
    rows = rows_of(out)
    manifest = json.loads((out / NAME).read_bytes())
    for entry in manifest["shards"]:
        _reseal_shard(out, entry, rows)
    write_rows(out, rows)
    data = (out / PART).read_bytes()
    manifest["ledger"] = [{"path": PART, "sha256": hashlib.sha256(data).hexdigest(), "rows": len(rows)}]
    manifest["roots"] = {
        "shards": merkle_root(s["sha256"] for s in manifest["shards"]),
        "ledger": merkle_root(row_digest(row) for row in rows),
    }
    (out / NAME).write_text(json.dumps(manifest))
    made = read_manifest(out)
    (out / "README.md").write_text(readme(made))
    (out / "croissant.json").write_text(json.dumps(croissant(made), indent=1) + "\n")


def _reseal_shard(out: Path, entry: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    data = (out / entry["path"]).read_bytes()
    entry |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    placed = {s["key"]: s for row in rows for s in row["samples"] if s["shard"] == entry["path"]}
    offset = 0
    for key, fields in samples_of(out / entry["path"]):
        size = sample_bytes(len(value) for value in fields.values())
        if key in placed:
            placed[key].update(offset=offset, size_bytes=size, sha256=sample_sha256(fields))
        if offset == 0:
            entry["layout"] = layout(json.loads(fields["json"]), [name for name in fields if name != "json"])
        offset += size
