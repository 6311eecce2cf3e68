"""Compare: what differs between two outputs, from the cause to the effect.

Recipe keys, inputs by their digests, decisions per record, shards by their bytes, and, where any of these differ, the
versions that may be why. Timings are never compared: two outputs with equal bytes differ in nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate import ledger
from manifests.errors import RecipeError, VerificationError
from manifests.manifest import Manifest, differing, read_manifest

SHOWN = 20
Row = tuple[str, str, str, str, str]  # status, reason, duplicate_of, split, group
COMPARED = ("status", "reason", "duplicate_of", "split", "group")
Side = tuple[dict[str, tuple[str, Row]], dict[str, str]]  # key -> (uri, row), file -> sha256


def differences(out_a: Path, out_b: Path) -> list[str]:
    """One line per difference, causes first; none where the outputs are equal.

    Memory holds the ids, digests and decisions of both ledgers. Raises `RecipeError` where one is no finished output.
    """
    first, second = _manifest(out_a), _manifest(out_b)
    lines = [*_recipe("recipe", first.recipe, second.recipe)]
    if (first.limit, first.key) != (second.limit, second.key):
        lines.append(f"options: limit {first.limit}, {first.key} key -> limit {second.limit}, {second.key} key")
    if (first.teacher.model, first.teacher.revision) != (second.teacher.model, second.teacher.revision):
        lines.append(f"teacher: {_teacher(first)} -> {_teacher(second)}")
    if first.roots.ledger != second.roots.ledger:
        (rows_a, files_a), (rows_b, files_b) = _read(out_a, first), _read(out_b, second)
        lines += [*_inputs(files_a, files_b), *_records(rows_a, rows_b)]
    lines += _shards(first, second)
    if not lines and first.fingerprint != second.fingerprint:
        lines.append("fingerprint: other code or other inputs, and equal bytes all the same")
    return [*lines, *_versions(first, second)] if lines else []


def _manifest(out: Path) -> Manifest:
    try:
        return read_manifest(out)
    except VerificationError as error:
        raise RecipeError(f"{out}: {error}; see `curate verify`") from None


def _teacher(manifest: Manifest) -> str:
    return f"{manifest.teacher.model} {manifest.teacher.revision}".strip() or manifest.teacher.state or "none"


def _recipe(path: str, one: Any, other: Any) -> Iterator[str]:
    """The keys whose values differ, by path; sources and tasks are told apart by their names."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted(one.keys() | other.keys(), key=str):
            yield from _recipe(f"{path}.{key}", one.get(key, "(not set)"), other.get(key, "(not set)"))
    elif isinstance(one, list) and isinstance(other, list) and all(isinstance(v, Mapping) for v in [*one, *other]):
        named_one, named_other = _by_name(one), _by_name(other)
        for name in dict.fromkeys([*named_one, *named_other]):
            yield from _recipe(f"{path}[{name}]", named_one.get(name, "(absent)"), named_other.get(name, "(absent)"))
        if one != other and sorted(named_one) == sorted(named_other) and list(named_one) != list(named_other):
            yield f"{path}: another order: {', '.join(named_one)} -> {', '.join(named_other)}"
    elif one != other:
        yield f"{path}: {_short(one)} -> {_short(other)}"


def _by_name(values: list[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for value in values:
        name = str(value.get("name") or value.get("source") or value.get("task") or "?")
        named[f"{name} {len(named)}" if name in named else name] = value
    return named


def _short(value: Any) -> str:
    text = "set" if isinstance(value, Mapping) else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _read(out: Path, manifest: Manifest) -> Side:
    rows: dict[str, tuple[str, Row]] = {}
    files: dict[str, str] = {}
    for row in ledger.read(out, (part.path for part in manifest.ledger)):
        status, reason, duplicate_of, split, group = (row[name] for name in COMPARED)
        rows[row["key"]] = (row["source_uri"], (status, reason, duplicate_of, split, group))
        for file in row["lineage"]:
            files[f"{row['source']}/{file['path']}" + (f"#{file['fragment']}" if file["fragment"] else "")] = file[
                "sha256"
            ]
    return rows, files


def _inputs(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    for what, names in (
        ("removed", one.keys() - other.keys()),
        ("added", other.keys() - one.keys()),
        ("changed", {n for n in one.keys() & other.keys() if one[n] != other[n]}),
    ):
        yield from _listed(f"inputs {what}", sorted(names))


def _records(one: Mapping[str, tuple[str, Row]], other: Mapping[str, tuple[str, Row]]) -> Iterator[str]:
    for at, name in enumerate(COMPARED):
        changed = [key for key in one.keys() & other.keys() if one[key][1][at] != other[key][1][at]]
        kinds = Counter((one[key][1][at], other[key][1][at]) for key in changed)
        moves = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
        if name in ("status", "reason", "split"):
            yield from (f"records: {name} {a or '(none)'} -> {b or '(none)'}: {n}" for (a, b), n in moves[:SHOWN])
        shown = sorted(f"{key} ({one[key][0]}): {one[key][1][at]} -> {other[key][1][at]}" for key in changed)
        yield from _listed(f"records with another {name}", shown)


def _listed(what: str, names: list[str]) -> Iterator[str]:
    """A count, then the first names."""
    if names:
        yield f"{what}: {len(names)}"
        yield from (f"  {name}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            yield f"  ... and {len(names) - SHOWN} more"


def _shards(first: Manifest, second: Manifest) -> Iterator[str]:
    one, other = ({s.path: s for s in m.shards} for m in (first, second))
    names = differing(first.shards, second.shards)
    told = []
    for path in names:
        a, b = one.get(path), other.get(path)
        if a is None or b is None:
            told.append(f"{path}: only in the {'second' if a is None else 'first'}")
        else:
            what = [f"{n} {getattr(a, n)} -> {getattr(b, n)}" for n in ("samples", "bytes", "split", "layout")
                    if getattr(a, n) != getattr(b, n)]  # fmt: skip
            told.append(f"{path}: {', '.join(what) or 'other bytes, equal size'}")
    yield from _listed("shards that differ", told)


def _versions(first: Manifest, second: Manifest) -> Iterator[str]:
    one, other = (_flat_versions(m.environment) for m in (first, second))
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            yield f"environment: {name} {one.get(name, '(absent)')} -> {other.get(name, '(absent)')}"


def _flat_versions(environment: Mapping[str, Any]) -> dict[str, str]:
    libraries = environment.get("libraries")
    named = libraries if isinstance(libraries, Mapping) else {}
    own = {name: environment[name] for name in ("medcurate", "python") if name in environment}
    return {str(name): str(version) for name, version in {**own, **named}.items()}
