"""Explain: one record's whole story, kept or not, from its source files to the words in the shards.

Everything is read from the output itself: the ledger's row, the manifest, and the record's own bytes in the shards
(found by the ledger's offsets, so a large shard is not read through). Not derivable from an output: the text of drafts
that were rejected or not drawn; of those that were not drawn the numbering shows how many there are at least.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import ledger
from curate.audit import SHARD_NAME
from manifests.errors import RecipeError, VerificationError
from manifests.manifest import Manifest, read_manifest
from manifests.sample import STAGES

MIN_PREFIX = 6
EXCERPT = 600
MAX_SAMPLES = 40
MAX_LINKS = 20
KEY = re.compile(r"([0-9a-f]{6,32})((?:-[0-9]+){0,2})")


def explain(out: Path, key: str) -> str:
    """The story of a record, by its key, a sample's key or a unique prefix of at least 6 characters.

    Raises `RecipeError` for an unknown or ambiguous key and for a folder that is no finished output."""
    try:
        manifest = read_manifest(out)
    except VerificationError as error:
        raise RecipeError(f"{error}; see `curate verify`") from None
    row, sample = _find(out, manifest, key.strip().lower())
    lines = [*_origin(row), *_steps(row), *_decision(row, out, manifest), *_shown_by(row, out, manifest)]
    if sample:
        lines += _samples(out, [s for s in row["samples"] if s["key"] == sample])
        others = [s for s in row["samples"] if s["key"] != sample]
        lines += [f"{len(others)} other samples of this record: give {row['key']} to see them"] if others else []
    else:
        lines += _samples(out, row["samples"])
    return "\n".join([*lines, *_not_drawn(row, manifest)])


def _find(out: Path, manifest: Manifest, key: str) -> tuple[dict[str, Any], str]:
    """The row, and the sample's key where one was asked for."""
    match = KEY.fullmatch(key)
    if not match:
        raise RecipeError(
            f"'{key[:80]}' is no key; give a record's or a sample's key, or its first {MIN_PREFIX} digits"
        )
    prefix, suffix = match[1], match[2]
    found = [r for r in _rows(out, manifest) if r["key"].startswith(prefix)]
    if suffix:
        found = [r for r in found if any(s["key"] == r["key"] + suffix for s in r["samples"])]
    if not found:
        raise RecipeError(
            f"no record or sample '{key}' in the ledger; `curate query OUT by-source` shows what there is"
        )
    if len(found) > 1:
        names = ", ".join(r["key"] for r in found[:4])
        raise RecipeError(f"'{key}' is the beginning of {len(found)} keys ({names}); give more of it")
    return found[0], found[0]["key"] + suffix if suffix else ""


def _rows(out: Path, manifest: Manifest) -> Iterator[dict[str, Any]]:
    try:
        yield from ledger.read(out, (part.path for part in manifest.ledger))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecipeError(f"the ledger cannot be read ({type(error).__name__}); see `curate verify`") from None


# --- the record ------------------------------------------------------------------------------------------------------


def _origin(row: dict[str, Any]) -> Iterator[str]:
    yield f"record {row['key']} (ledger seq {row['seq']}): {row['status']}"
    yield ""
    yield f"source       {row['source']}"
    yield f"uri          {row['source_uri']}"
    yield f"upstream id  {row['upstream_id']}"
    yield f"sha256       {row['source_sha256']}"
    yield f"licence      {row['licence']} ({row['access']})"
    yield f"group        {row['group'] or '(none)'}"
    yield f"kind         {row['kind'] or '(never became a record)'}{', ' + row['modality'] if row['modality'] else ''}"
    yield f"made of {len(row['lineage'])} file{'' if len(row['lineage']) == 1 else 's'}:"
    for file in row["lineage"]:
        part = f" {file['fragment']}" if file["fragment"] else ""
        yield f"  {file['path']}{part} ({file['role']}, {file['size_bytes']} bytes, sha256 {file['sha256']})"


def _steps(row: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield "what was done:" if row["steps"] else "what was done: nothing; it was refused before the first step"
    for number, step in enumerate(row["steps"], start=1):
        params = "" if step["params"] in ("", "{}") else f" {step['params']}"
        yield f"  {number}. {step['name']}{params}{' -> ' + step['result'] if step['result'] else ''}"


def _decision(row: dict[str, Any], out: Path, manifest: Manifest) -> Iterator[str]:
    yield ""
    if row["status"] in ("dropped", "failed"):
        yield f"{row['status']}: {row['reason']}"
        yield f"  found:  {row['found']}"
        yield f"  remedy: {row['remedy']}"
    elif row["status"] == "duplicate":
        yield from _duplicate(row, out, manifest)
    else:
        yield f"kept, split {row['split']}, {len(row['samples'])} samples"
    if row["status"] == "duplicate" and row["split"]:
        yield f"its copies stand in split {row['split']}"
    yield from _links(row, out, manifest)
    yield from _benchmarks(row)


def _duplicate(row: dict[str, Any], out: Path, manifest: Manifest) -> Iterator[str]:
    keeper = next((r for r in _rows(out, manifest) if r["key"] == row["duplicate_of"]), None)
    where = f"{keeper['source_uri']}, {keeper['licence']}, {keeper['status']}" if keeper else "not in the ledger"
    yield f"duplicate of {row['duplicate_of']} ({where})"
    try:
        evidence = json.loads(row["evidence"])
        score, threshold = evidence["score"], evidence["threshold"]
        yield f"  by {evidence['method']}: score {score:g}, threshold {threshold:g}, matched {evidence['matched']}"
    except (ValueError, KeyError, TypeError):
        yield f"  evidence: {row['evidence'][:200]}"


def _links(row: dict[str, Any], out: Path, manifest: Manifest) -> Iterator[str]:
    """What else shows the same, from either side."""
    own = [(link, link["to"]) for link in _listed(row["links"])]
    if own:
        uris = {r["key"]: r["source_uri"] for r in _rows(out, manifest) if r["key"] in {to for _, to in own}}
        for link, to in own[:MAX_LINKS]:
            where = f", {link.get('axis', '')} {link['index']}" if "index" in link else ""
            score = f", score {link['score']:g}" if "score" in link else ""
            yield f"{link['relation']} {to} ({uris.get(to, 'not in the ledger')}{where}{score})"
        if len(own) > MAX_LINKS:
            yield f"... and {len(own) - MAX_LINKS} links more"


def _shown_by(row: dict[str, Any], out: Path, manifest: Manifest) -> Iterator[str]:
    """The samples of other records that show words of this one: they must go where it is taken out."""
    if row["status"] != "kept" or not manifest.recipe.get("retrieve"):
        return
    others = (r for r in _rows(out, manifest) if r["key"] != row["key"])
    found = [(s["key"], s["shard"]) for r in others for s in r["samples"] if row["key"] in (s["passages"] or ())]
    if found:
        named = ", ".join(f"{key} ({shard})" for key, shard in found[:MAX_LINKS])
        more = f" and {len(found) - MAX_LINKS} more" if len(found) > MAX_LINKS else ""
        yield f"its words stand as passages in {len(found)} samples of others: {named}{more}"


def _benchmarks(row: dict[str, Any]) -> Iterator[str]:
    for hit in _listed(row["benchmarks"])[:MAX_LINKS]:
        yield f"in benchmark {hit['pack']}, item {hit['item']}: {hit['said']}"


def _listed(text: str) -> list[dict[str, Any]]:
    try:
        values = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []


# --- its samples -----------------------------------------------------------------------------------------------------


def _samples(out: Path, samples: list[dict[str, Any]]) -> Iterator[str]:
    for sample in samples[:MAX_SAMPLES]:
        yield ""
        place = f"{sample['shard']} at byte {sample['offset']}, {sample['size_bytes']} bytes"
        yield f"sample {sample['key']} ({sample['stage']}): {place}"
        content = _content(out, sample)
        if content is None:
            yield "  its bytes are not where the ledger says; see `curate verify`"
        else:
            yield from (f"  {line}" for line in _told(content))
    if len(samples) > MAX_SAMPLES:
        yield f"... and {len(samples) - MAX_SAMPLES} samples more; give a sample's key to see it"


def _content(out: Path, sample: dict[str, Any]) -> dict[str, Any] | None:
    """The sample's JSON, read at its place in the shard; None where it is not there."""
    if not SHARD_NAME.fullmatch(sample["shard"]):
        return None
    try:
        with (out / sample["shard"]).open("rb") as stream:
            stream.seek(sample["offset"])
            tar = tarfile.open(fileobj=stream, mode="r|", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - not closed: it is not ours
            for member in tar:
                if member.name == f"{sample['key']}.json":
                    data = tar.extractfile(member)
                    value = json.loads(data.read()) if data else None
                    return value if isinstance(value, dict) else None
                if not member.name.startswith(f"{sample['key']}."):
                    return None
    except (OSError, tarfile.TarError, ValueError):
        return None
    return None


def _seen(media: dict[str, Any]) -> str:
    """Which slices of a grid are shown, and what showing them costs."""
    slices, tokens = media.get("slices"), media.get("visual_tokens")
    which = f", slices {slices[0]} to {slices[-1]} ({len(slices)})" if slices else ""
    return which + (f", {tokens} visual tokens" if tokens else "")


def _told(content: dict[str, Any]) -> Iterator[str]:
    """Words, answer, proofs, verdicts, teacher."""
    yield f"task {content.get('task', '?')}"
    for media in content.get("media", []):
        label = f" {media['label']}" if media["label"] else ""
        shape = " x ".join(str(n) for n in media["shape"])
        told = f"{media['kind']}{label}: {media['member']}, {shape} {media['dtype']}, target {media['target']}"
        yield told + _seen(media)
    if content.get("text"):
        yield f"text: {_excerpt(content['text'])}"
    for turn in content.get("conversations", []):
        yield f"{turn['role']}: {_excerpt(turn['content'])}"
    answer = content.get("answer")
    if answer:
        how = f"{answer['type']}, verifier {answer['verifier']}, tolerance {answer['tolerance']:g}"
        yield f"gold ({how}): {answer['gold']} {answer['unit']}".rstrip()
    for proof in content.get("proofs", []):
        value = f"{_excerpt(proof['value'])} {proof['unit']}".rstrip()
        yield f"proof, turn {proof['turn']}: {_excerpt(proof['call'])} = {value}"
    for verdict in content.get("verdicts", []):
        state = f"{'passed' if verdict['passed'] else 'FAILED'} ({verdict['score']:g}; {verdict['evidence']})"
        yield f"verdict, turn {verdict['turn']}: {verdict['check']} {state}"
    for p in content.get("passages", []):
        own = ", of this record" if p["own"] else ""
        where = f"characters {p['start']} to {p['end']} of record {p['record']}"
        whose = f"{p['source']}, {p['licence']}, {p['access']}{own}"
        yield f"passage [{p['number']}]: {where} ({whose}; score {p['score']:g})"
    teacher = content.get("teacher", {})
    if teacher.get("model"):
        yield f"written by {teacher['model']} ({teacher['revision']})"
        yield f"  prompt {teacher['prompt_id']}, request {teacher['request_key']}"
    else:
        yield "written by a program"


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= EXCERPT else f"{flat[:EXCERPT]} ... ({len(flat)} characters)"


def _not_drawn(row: dict[str, Any], manifest: Manifest) -> Iterator[str]:
    """What the numbering of the samples, and the stages, tell of drafts that are in no shard."""
    if row["status"] != "kept":
        return
    told = []
    stages = manifest.recipe.get("stages") or STAGES
    for stage in stages:
        drawn = {_part(s["key"]) for s in row["samples"] if s["stage"] == stage}
        missing = [str(n) for n in range(max(drawn, default=0)) if n not in drawn]
        if not drawn:
            told.append(f"{stage}: nothing drawn; no task offered anything that passed, or the mixture left it out")
        elif missing:
            told.append(f"{stage}: offered and not drawn by the mixture: part {', '.join(missing)}")
    if told:
        yield ""
        yield from told
    rejected = sum(manifest.teacher.rejected.values())
    if rejected:
        reasons = ", ".join(f"{reason} {n}" for reason, n in manifest.teacher.rejected.items())
        yield f"(of all records together, {rejected} drafts of the teacher were rejected: {reasons})"


def _part(key: str) -> int:
    pieces = key.split("-")
    return int(pieces[1]) if len(pieces) == 3 else 0
