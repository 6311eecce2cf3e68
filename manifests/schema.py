"""The Arrow schema of a ledger row: what an auditor can ask of one input record, kept or not.

Invariants, which `curate verify` proves:
- one row per input record; `seq` counts 0, 1, 2, … without a gap over all parts, in plan order;
- `status` is exactly one of kept, dropped, duplicate, failed; `reason` is set for dropped and failed,
  `duplicate_of` (the keeper's key) for duplicate;
- `samples` lists where a kept record was drawn to; empty means kept but not drawn by the mixture; `shard` is the first;
- no row holds a time, a host, an absolute path, an original identifier or a random number.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from manifests.record import digest

SAMPLE = pa.struct(
    [
        ("stage", pa.string()),
        ("shard", pa.string()),
        ("key", pa.string()),
        ("offset", pa.int64()),
        ("size_bytes", pa.int64()),
        ("sha256", pa.string()),
        ("task", pa.string()),
        ("part", pa.int32()),
        ("repeat", pa.int32()),
        ("text_tokens", pa.int64()),  # an upper estimate
        ("visual_tokens", pa.int64()),
        ("pass_rate", pa.float64()),  # a teacher's share of right answers; -1 where nobody tried
        ("verifier", pa.string()),  # of the answer; "" where there is none
        ("question", pa.string()),  # 64-bit digest of its wording
        ("answer", pa.string()),  # 64-bit digest of the answer as its verifier takes it
        ("letter", pa.string()),  # of the right option
        ("passages", pa.list_(pa.string())),  # keys of the records whose words its prompt shows besides
    ]
)
LINEAGE = pa.struct(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("size_bytes", pa.int64()),
        ("role", pa.string()),
        ("fragment", pa.string()),
    ]
)
STEP = pa.struct([("name", pa.string()), ("params", pa.string()), ("result", pa.string())])

LEDGER = pa.schema(
    [
        ("seq", pa.int64()),
        ("key", pa.string()),
        ("source", pa.string()),
        ("source_uri", pa.string()),
        ("source_sha256", pa.string()),
        ("group", pa.string()),
        ("kind", pa.string()),
        ("modality", pa.string()),
        ("phash", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("found", pa.string()),
        ("remedy", pa.string()),
        ("duplicate_of", pa.string()),
        ("evidence", pa.string()),  # JSON of the decision: method, score, threshold, matched record
        ("links", pa.string()),  # JSON: what else it shows, a list of {relation, to, ...}; "" of a record without links
        ("benchmarks", pa.string()),  # JSON: what it holds of benchmarks, a list of hits; "" where nothing was found
        ("shard", pa.string()),
        ("licence", pa.string()),
        ("access", pa.string()),
        ("split", pa.string()),
        ("upstream_id", pa.string()),
        ("lineage", pa.list_(LINEAGE)),
        ("steps", pa.list_(STEP)),
        ("samples", pa.list_(SAMPLE)),
    ]
)


def row_digest(row: dict[str, Any]) -> str:
    """sha256 of a row's canonical JSON: independent of parquet's version and compression."""
    return digest(row)
