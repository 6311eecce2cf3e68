"""Export: a finished output in a trainer's dialect, every row checked before it is written.

The folder appears whole or not at all: it is written beside its place and renamed. `export.json` says of which output
(fingerprint, roots) and how many rows it is, `left_out.jsonl` which samples did not fit and why.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from curate.formats import BY_NAME
from curate.formats.base import Asked, MediaFiles, Sample, UnfitError, samples
from curate.formats.rows import JsonLines
from manifests.config import unknown
from manifests.errors import RecipeError
from manifests.manifest import read_manifest
from synth.tokens import sample_tokens

NOTE = "export.json"
LEFT_OUT = "left_out.jsonl"


@dataclass(frozen=True, slots=True)
class Exported:
    rows: int
    left_out: dict[str, int]
    told: tuple[str, ...]


def export(out: Path, name: str, asked: Asked, draws: Path | None = None) -> Exported:
    """Write the samples of a stage and split as the dialect `name`. Raises `RecipeError` for an unknown dialect, a
    stage that it does not hold, a folder that is there, and a selection without samples."""
    if name not in BY_NAME:
        raise RecipeError(unknown("format", name, list(BY_NAME)))
    kind = BY_NAME[name]
    if asked.stage not in kind.STAGES:
        raise RecipeError(f"format '{name}' holds no '{asked.stage}'; it holds: {', '.join(kind.STAGES)}")
    if asked.to.exists():
        raise RecipeError(f"'{asked.to}' is there already; give a folder that is not")
    manifest = read_manifest(out)
    unfinished = asked.to.with_name(f".{asked.to.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    at = Asked(unfinished, asked.stage, asked.split, asked.max_tokens, asked.system, asked.pack_tokens)
    dialect = kind(at, MediaFiles(unfinished))
    lost, rows, read = JsonLines(unfinished / LEFT_OUT), 0, 0
    reasons: Counter[str] = Counter()
    for sample in samples(out, manifest, at, draws):
        read += 1
        try:
            _check_length(sample, at)
            dialect.add(sample)
            rows += 1
        except UnfitError as error:
            reasons[error.reason] += 1
            lost.add({"key": sample.key, "reason": error.reason, "found": error.found})
    told = dialect.finish()
    lost.close()
    if not read:
        shutil.rmtree(unfinished)
        has = ", ".join(sorted({f"{s.stage}/{s.split}" for s in manifest.shards})) or "none"
        raise RecipeError(f"no sample of {asked.stage}/{asked.split}; the output has: {has}")
    note = {
        "schema": "medcurate-export/1", "format": name, "stage": asked.stage, "split": asked.split, "read": read,
        "rows": rows, "left_out": dict(sorted(reasons.items())), "fingerprint": manifest.fingerprint,
        "roots": manifest.roots.model_dump(), "use": told,
    }  # fmt: skip
    (unfinished / NOTE).write_text(json.dumps(note, indent=1, ensure_ascii=False) + "\n")
    unfinished.rename(asked.to)
    return Exported(rows, dict(sorted(reasons.items())), tuple(told))


def _check_length(sample: Sample, asked: Asked) -> None:
    tokens = sum(sample_tokens(sample.values))
    if asked.max_tokens and tokens > asked.max_tokens:
        raise UnfitError("too_long", f"{tokens} tokens (text by an upper estimate), {asked.max_tokens} allowed")
