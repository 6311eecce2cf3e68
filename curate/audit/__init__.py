"""Audit: a finished output is read again from its first byte to its last, and everything that does not hold is named.

In this order: the manifest in itself; every file, listed and unlisted; the ledger (`curate.audit.ledger`); every shard
and sample (`curate.audit.shards`, `curate.audit.samples`) with its proofs and what states them
(`curate.audit.stated`); the counts; as asked, what media of different splits show (`curate.audit.media`). An audit goes
on after a finding. Memory holds ids and one sample.

What it proves: the output is whole, agrees with itself, and its answers follow from its own media, facts and source
words. What it does not prove: that an output whose every digest, root and proof was made anew by somebody is the one
that you trust. For that keep `roots` and `fingerprint` of manifest.json elsewhere, and compare.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate import __version__
from curate.audit.findings import MISSING, Finding, Findings, Report, changed
from curate.audit.ledger import SHA256, Index, check_ledger
from curate.audit.media import MediaAudit
from curate.audit.samples import SampleAudit
from curate.audit.shards import check_shard
from curate.audit.sweep import REASON, check_withheld
from curate.code import code_version
from curate.documents import croissant, readme
from curate.store import file_sha256
from manifests.errors import VerificationError
from manifests.manifest import NAME, SCHEMA, Manifest, merkle_root, read_manifest

__all__ = ["Finding", "Report", "verify"]

SHARD_NAME = re.compile(r"shards/(pretrain|sft|rlvr)-[0-9]{6}\.tar")
PART_NAME = re.compile(r"ledger/part-[0-9]{5}\.parquet")
RUN_AGAIN, CARD_CHANGED = changed(NAME), changed("croissant.json")
DOCUMENTS = ("README.md", "croissant.json")
NO_COUNTS = {"read": 0, "kept": 0, "dropped": {}, "duplicate": 0, "failed": {}}


def verify(out: Path, progress: Callable[[str], None] | None = None, media: bool = False) -> Report:
    """Everything re-checked; `progress` is told what is looked at. With `media`, held-out media are compared with all
    others (`curate.audit.media`). Raises `RecipeError` where `out` has no manifest."""
    tell = progress or (lambda line: None)
    findings = Findings()
    tell("manifest and files")
    manifest, counts = _manifest(out, findings)
    if manifest is None:
        return findings.report()
    manifest = _with_safe_names(manifest, findings)
    _check_manifest(manifest, findings)
    _check_files(out, manifest, findings)
    _check_documents(out, manifest, findings)
    tell("ledger")
    index = check_ledger(out, manifest, findings)
    if index.whole:
        _check_counts(counts, manifest, index, findings)
    check_withheld(index.reasons["failed"][REASON], findings)
    audit = SampleAudit(index, findings, MediaAudit(out) if media else None)
    for number, entry in enumerate(manifest.shards, start=1):
        tell(f"shard {number} of {len(manifest.shards)}: {entry.path}")
        check_shard(out, entry, index, audit, findings)
    if audit.media is not None:
        tell("media of different splits")
        audit.media.leaks(findings)
    for shard, samples in sorted(index.samples.items()):
        record = next(iter(samples.values())).record
        where = f"ledger seq {index.records[record].seq} record {record}"
        found = f"{len(samples)} samples lie in {shard}, which the manifest does not list"
        findings.add("missing_sample", where, found, changed(NAME, "the ledger"))
    _tell_other_code(manifest, findings)
    return findings.report()


def _tell_other_code(manifest: Manifest, findings: Findings) -> None:
    """Programs that compute otherwise than those of the run leave proofs that fail in a sound output."""
    made = manifest.environment.get("audit")
    if findings.report().ok or made is None or made == code_version("curate.audit"):
        return
    version = manifest.environment.get("medcurate")
    found = f"the output is from other code (medcurate {version}) than looks at it (medcurate {__version__})"
    remedy = "proofs may fail for that alone: verify it with the code that made it, or run the recipe again"
    findings.add("other_code", f"{NAME} environment.audit", found, remedy)


# --- the manifest ----------------------------------------------------------------------------------------------------


def _manifest(out: Path, findings: Findings) -> tuple[Manifest | None, dict[str, Any]]:
    """The manifest and its counts as they stand; wrong counts do not keep the rest from being read."""
    findings.count("manifest")
    try:
        manifest = read_manifest(out)
        return manifest, manifest.counts.model_dump()
    except VerificationError as error:
        findings.add("manifest", NAME, str(error).removeprefix(f"{NAME}: "), RUN_AGAIN)
    try:
        raw = json.loads((out / NAME).read_bytes())
        counts = raw["counts"]
        return Manifest.model_validate({**raw, "counts": NO_COUNTS}), counts if isinstance(counts, dict) else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, {}


def _with_safe_names(manifest: Manifest, findings: Findings) -> Manifest:
    """The manifest without files whose names are not ours: such a name may point anywhere, so it is not opened."""
    strange = [e.path for e in manifest.shards if not SHARD_NAME.fullmatch(e.path)]
    strange += [e.path for e in manifest.ledger if not PART_NAME.fullmatch(e.path)]
    for path in strange:
        findings.add(
            "file_name", f"{NAME} {path[:80]!r}", "not shards/STAGE-NNNNNN.tar or ledger/part-NNNNN.parquet", RUN_AGAIN
        )
    names = Counter([*(e.path for e in manifest.shards), *(e.path for e in manifest.ledger)])
    for path in sorted(p for p, n in names.items() if n > 1):
        findings.add("file_name", f"{NAME} {path}", f"listed {names[path]} times", RUN_AGAIN)
    return manifest.model_copy(
        update={
            "shards": tuple({e.path: e for e in manifest.shards if e.path not in strange}.values()),
            "ledger": tuple({e.path: e for e in manifest.ledger if e.path not in strange}.values()),
        }
    )


def _check_manifest(manifest: Manifest, findings: Findings) -> None:
    if manifest.schema_ != SCHEMA:
        findings.add("schema", NAME, f"schema {manifest.schema_!r}", f"this version reads {SCHEMA}")
    if not SHA256.fullmatch(manifest.fingerprint):
        findings.add("fingerprint", NAME, f"{manifest.fingerprint[:80]!r} is not 64 hexadecimal digits", RUN_AGAIN)
    digests = [*(s.sha256 for s in manifest.shards), *(p.sha256 for p in manifest.ledger)]
    if not all(SHA256.fullmatch(d) for d in digests):
        findings.add("sha256", NAME, "a sha256 that is not 64 hexadecimal digits", RUN_AGAIN)
        return
    root = merkle_root(s.sha256 for s in manifest.shards)
    if root != manifest.roots.shards:
        findings.add(
            "merkle_root", f"{NAME} roots.shards", f"{manifest.roots.shards}, the shards give {root}", RUN_AGAIN
        )
    for entry in manifest.shards:
        if not entry.path.startswith(f"shards/{entry.stage}-"):
            findings.add("stage", f"{NAME} {entry.path}", f"stage {entry.stage!r}", RUN_AGAIN)


def _check_counts(counts: dict[str, Any], manifest: Manifest, index: Index, findings: Findings) -> None:
    """The counts of the manifest are those of the ledger; the funnel begins and ends with them."""
    ledger = {
        "read": len(index.order),
        "kept": index.statuses["kept"],
        "dropped": dict(sorted(index.reasons["dropped"].items())),
        "duplicate": index.statuses["duplicate"],
        "failed": dict(sorted(index.reasons["failed"].items())),
    }
    for name, number in ledger.items():
        said = counts.get(name)
        if isinstance(number, dict) and isinstance(said, dict):
            for reason in sorted(number.keys() | said.keys()):
                _count(f"counts.{name}.{reason}", said.get(reason, 0), number.get(reason, 0), findings)
        else:
            _count(f"counts.{name}", said, number, findings)
    funnel = {stage.name: stage for stage in manifest.stages}
    if "prepare" in funnel:
        _count("stages.prepare.records_in", funnel["prepare"].records_in, ledger["read"], findings)
    if "select" in funnel:
        _count("stages.select.records_out", funnel["select"].records_out, ledger["kept"], findings)
    if "pack" in funnel:
        drawn = sum(len(samples) for samples in index.samples.values())
        _count("stages.pack.records_out", funnel["pack"].records_out, drawn, findings)


def _count(name: str, said: object, number: object, findings: Findings) -> None:
    if said != number:
        findings.add("counts", f"{NAME} {name}", f"{said!r}, the ledger says {number!r}", changed(NAME, "the ledger"))


# --- files -----------------------------------------------------------------------------------------------------------


def _check_files(out: Path, manifest: Manifest, findings: Findings) -> None:
    """The ledger's files by size and digest (shards are digested while they are read), and no stranger beside them."""
    for part in manifest.ledger:
        path = out / part.path
        findings.count("ledger parts")
        if not path.is_file():
            findings.add("missing_file", part.path, "no such file", MISSING)
        elif (sha256 := file_sha256(path)) != part.sha256:
            found = f"sha256 {sha256}, the manifest says {part.sha256}"
            findings.add("file_sha256", part.path, found, changed(part.path))
    listed = {*(e.path for e in manifest.shards), *(e.path for e in manifest.ledger)}
    for folder in ("shards", "ledger"):
        below = sorted((out / folder).rglob("*")) if (out / folder).is_dir() else []
        for path in below:
            name = path.relative_to(out).as_posix()
            if name not in listed:
                findings.add("foreign_file", name, "not in the manifest", "move it elsewhere")


def _check_documents(out: Path, manifest: Manifest, findings: Findings) -> None:
    """README.md names the fingerprint, croissant.json lists the shards with their digests; where this version wrote
    the output, both are, byte for byte, what follows from the manifest."""
    for name in DOCUMENTS:
        findings.count("documents")
        if not (out / name).is_file():
            findings.add("missing_file", name, "no such file", MISSING)
    path = out / "README.md"
    if path.is_file() and manifest.fingerprint.encode() not in path.read_bytes():
        findings.add("document", "README.md", "it names another fingerprint", changed("README.md"))
    if manifest.environment.get("medcurate") == __version__:
        wanted = {"README.md": readme(manifest), "croissant.json": json.dumps(croissant(manifest), indent=1) + "\n"}
        for name, content in wanted.items():
            if (out / name).is_file() and (out / name).read_bytes() != content.encode():
                findings.add("document", name, "not what the manifest gives", changed(name))
    if not (out / "croissant.json").is_file():
        return
    try:
        document = json.loads((out / "croissant.json").read_bytes())
        files = [d for d in document["distribution"] if d["@type"] == "cr:FileObject"]
        stated = {d["contentUrl"]: (d["sha256"], d["contentSize"]) for d in files}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        findings.add("document", "croissant.json", f"not a Croissant document ({type(error).__name__})", CARD_CHANGED)
        return
    listed = {s.path: (s.sha256, f"{s.bytes} B") for s in manifest.shards}
    for shard in sorted(p for p in stated.keys() | listed.keys() if stated.get(p) != listed.get(p)):
        found = f"{shard}: {stated.get(shard, 'not listed')}, the manifest says {listed.get(shard, 'nothing')}"
        findings.add("document", "croissant.json", found, CARD_CHANGED)
