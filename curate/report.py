"""The report: one self-contained page, OUT/report/index.html, that shows a person what a run made and what it lost.

Every number comes from the manifest, the ledger or the shards; sums are checked by `manifests.manifest.Counts` when the
manifest is read. The page fetches nothing and runs no script: its Content-Security-Policy allows its own style (by
digest) and data URIs, nothing else. All text is escaped, and control characters are taken out. It holds no time and no
path, so equal outputs give equal bytes (for one version of the libraries that encode its pictures).

The ledger is aggregated by DuckDB and lists are cut at `MOST_ROWS`, so memory does not grow with it. Samples are read
by their offsets; no shard is read as a whole. Not covered: whether digests and proofs hold, which `curate verify` says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.documents import NOT_ANONYMOUS, licences
from curate.guard import typed
from curate.store import write_atomic
from curate.thumbnail import Picture, members_at, picture_of
from manifests.errors import RecordError, VerificationError
from manifests.manifest import Manifest, StageCount, read_manifest
from manifests.sample import STAGES

if TYPE_CHECKING:
    import duckdb
    import jinja2

PAGE = Path("report/index.html")
MOST_ROWS = 200  # of any list
MOST_CARDS = 24
MOST_TEXT_CARDS = 6  # beside samples with media
EXCERPT = 420  # characters of a turn
TURNS, PROOFS, EXAMPLES = 4, 4, 3  # shown of one sample, or of one reason
KINDS = ("image", "volume", "video", "text")
SPLITS = ("train", "val", "test")
KEPT_CONTROLS = "\n\u200c\u200d"  # line ends, and the joiners that some scripts are written with

SOURCES = """
SELECT source, count(*) AS read,
  count(*) FILTER (status = 'kept') AS kept, count(*) FILTER (status = 'dropped') AS dropped,
  count(*) FILTER (status = 'duplicate') AS duplicate, count(*) FILTER (status = 'failed') AS failed,
  list(DISTINCT licence ORDER BY licence) FILTER (licence <> '') AS licence,
  list(DISTINCT access ORDER BY access) FILTER (access <> '') AS access,
  list(DISTINCT modality ORDER BY modality) FILTER (modality <> '') AS modalities
FROM ledger GROUP BY source ORDER BY source"""
DRAWN = """
SELECT source, kind, sample.stage AS stage, count(*) AS n
FROM (SELECT source, kind, unnest(samples) AS sample FROM ledger) GROUP BY ALL ORDER BY ALL"""
FAILED = f"""
SELECT source_uri AS uri, reason, found, remedy FROM ledger WHERE status = 'failed'
ORDER BY seq LIMIT {MOST_ROWS}"""  # noqa: S608 - a number of ours
REASONS = f"""
SELECT reason, count(*) AS n, arg_min(source_uri, seq, {EXAMPLES}) AS uris, arg_min(found, seq, {EXAMPLES}) AS found
FROM ledger WHERE status = 'dropped' GROUP BY reason ORDER BY n DESC, reason LIMIT {MOST_ROWS}"""  # noqa: S608
DUPLICATES = f"""
SELECT source_uri AS uri, duplicate_of AS keeper, evidence FROM ledger WHERE status = 'duplicate'
ORDER BY seq LIMIT {MOST_ROWS}"""  # noqa: S608
LINKS = f"""
SELECT l.source_uri AS uri, one->>'relation' AS relation, one->>'axis' AS axis, (one->>'index')::BIGINT AS index,
  (one->>'score')::DOUBLE AS score, coalesce(other.source_uri, one->>'to') AS to_uri, l.split
FROM (SELECT *, unnest(CAST(links AS JSON[])) AS one FROM ledger WHERE links <> '') l
LEFT JOIN ledger other ON other.key = one->>'to'
WHERE one->>'relation' <> 'same_media' ORDER BY l.seq, to_uri LIMIT {MOST_ROWS}"""  # noqa: S608
RELATIONS = """
SELECT one->>'relation' AS relation, count(*) AS n
FROM (SELECT unnest(CAST(links AS JSON[])) AS one FROM ledger WHERE links <> '')
GROUP BY ALL ORDER BY n DESC, relation"""
METHODS = """
SELECT regexp_extract(evidence, '"method":"([^"]*)"', 1) AS method, count(*) AS n
FROM ledger WHERE status = 'duplicate' GROUP BY ALL ORDER BY n DESC, method"""
CANDIDATES = f"""
SELECT kind, min(key, {MOST_CARDS}) AS keys FROM ledger WHERE status = 'kept' AND len(samples) > 0
GROUP BY kind, source, modality ORDER BY kind, source, modality"""  # noqa: S608
RECORDS = "SELECT key, source_uri AS uri, samples FROM ledger WHERE list_contains(?, key)"


@dataclass(frozen=True, slots=True)
class Card:
    """One sample as the page shows it; `note` says why there is no picture where there should be one."""

    kind: str
    uri: str
    record: str
    sample: dict[str, Any]
    picture: Picture | None = None
    note: str = ""
    turns: tuple[tuple[str, str], ...] = ()  # (who, words)
    more_turns: int = 0
    proofs: tuple[dict[str, Any], ...] = ()
    more_proofs: int = 0


def write_report(out: Path) -> Path:
    """Write OUT/report/index.html of a finished output; its path.

    Raises RecipeError where `out` holds no manifest, VerificationError where the manifest or ledger does not hold.
    """
    path = out / PAGE
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, page(out).encode())
    return path


def page(out: Path) -> str:
    """The whole page as text."""
    manifest = read_manifest(out)
    ledger = Ledger(out, manifest)
    try:
        context = {
            "manifest": manifest,
            "lost": {"dropped": sum(manifest.counts.dropped.values()), "failed": sum(manifest.counts.failed.values())},
            "funnel": funnel(manifest),
            "reasons": reasons(manifest),
            "sources": sources(manifest, ledger),
            **drawn(manifest, ledger),
            "tasks": tasks(manifest),
            "failures": ledger.rows(FAILED),
            "dropped": ledger.rows(REASONS),
            "duplicates": duplicates(ledger),
            "methods": ledger.rows(METHODS),
            "links": ledger.rows(LINKS),
            "relations": ledger.rows(RELATIONS),
            "cards": cards(out, manifest, ledger),
            "most_rows": MOST_ROWS,
            "stages": STAGES,
            "limits": limits(manifest),
        }
    finally:
        ledger.close()
    return _environment().get_template("report.html.j2").render(context)


class Ledger:
    """The ledger's parquet files behind DuckDB; rows are dictionaries."""

    def __init__(self, out: Path, manifest: Manifest) -> None:
        import duckdb

        paths = [out / part.path for part in manifest.ledger]
        missing = [part.path for part, path in zip(manifest.ledger, paths, strict=True) if not path.is_file()]
        if missing:
            raise VerificationError(f"{missing[0]}: missing; run the recipe again")
        self._error: type[Exception] = duckdb.Error
        self._database: duckdb.DuckDBPyConnection = duckdb.connect()
        try:
            self._database.read_parquet([str(path) for path in paths]).create_view("ledger")
        except duckdb.Error:
            raise VerificationError("ledger: not readable as parquet; run the recipe again") from None

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        try:
            result = self._database.execute(query, parameters)
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        except self._error:
            raise VerificationError("ledger: columns are missing or damaged; run the recipe again") from None

    def close(self) -> None:
        self._database.close()


# --- numbers ---------------------------------------------------------------------------------------------------------


def funnel(manifest: Manifest) -> list[dict[str, Any]]:
    """Six bars in two units: records (read, ready, kept), then drafts and samples, each group with its own scale."""
    stages = {stage.name: stage for stage in manifest.stages}
    prepare, select, synthesize, mix = (stages.get(n) for n in ("prepare", "select", "synthesize", "mix"))
    counts = manifest.counts
    ready = prepare.records_out if prepare else counts.kept + counts.duplicate
    made = sum(synthesize.detail.values()) if synthesize else 0
    accepted = synthesize.records_out if synthesize else 0
    samples = mix.records_out if mix else sum(s.samples for s in manifest.shards)
    rows = [
        ("read", "records", counts.read, "input records"),
        ("ready", "records", ready, _minus(counts.read - ready, "dropped or failed")),
        ("kept", "records", counts.kept, _minus(ready - counts.kept, _why_left(select))),
        ("drafts", "samples", made, "offered by the tasks"),
        ("accepted", "samples", accepted, _minus(made - accepted, "failed a check")),
        ("drawn", "samples", samples, _change(samples - accepted)),
    ]
    most = {unit: max([1, *(n for _, u, n, _ in rows if u == unit)]) for unit in ("records", "samples")}
    return [{"name": name, "unit": u, "n": n, "note": note, "share": n / most[u]} for name, u, n, note in rows]


def _why_left(select: StageCount | None) -> str:
    left = [
        name.removeprefix("dropped: ").replace("_", " ") for name, n in (select.detail if select else {}).items() if n
    ]
    return " or ".join(left) or "duplicate"


def _minus(n: int, what: str) -> str:
    return f"−{n:,} {what}" if n else f"none {what}"


def _change(n: int) -> str:
    if n == 0:
        return "all of them, once"
    return f"−{-n:,} left out by the mixture" if n < 0 else f"+{n:,} repeats by the mixture"


def reasons(manifest: Manifest) -> list[dict[str, Any]]:
    """Everything that was not kept, largest first within each status."""
    counts = manifest.counts
    lost = [("dropped", r, n) for r, n in counts.dropped.items()] + [("failed", r, n) for r, n in counts.failed.items()]
    if counts.duplicate:
        lost.append(("duplicate", "same as a kept record", counts.duplicate))
    most = max([1, *(n for _, _, n in lost)])
    order = {"dropped": 0, "duplicate": 1, "failed": 2}
    lost.sort(key=lambda row: (order[row[0]], -row[2], row[1]))
    return [{"status": status, "reason": reason, "n": n, "share": n / most} for status, reason, n in lost]


def sources(manifest: Manifest, ledger: Ledger) -> list[dict[str, Any]]:
    """One row per source in the recipe's order, also for one that gave nothing."""
    found = {row["source"]: row for row in ledger.rows(SOURCES)}
    samples: dict[tuple[str, str], int] = {}
    for row in ledger.rows(DRAWN):
        samples[row["source"], row["stage"]] = samples.get((row["source"], row["stage"]), 0) + row["n"]
    declared = dict(licences(manifest))
    rows = []
    for name in [*declared, *(n for n in found if n not in declared)]:
        row = found.get(name, {"source": name, **dict.fromkeys(("read", "kept", "dropped", "duplicate", "failed"), 0)})
        words = {key: ", ".join(row.get(key) or ()) for key in ("access", "modalities")}
        licence = ", ".join(row.get("licence") or ()) or declared.get(name, "")
        per_stage = {stage: samples.get((name, stage), 0) for stage in STAGES}
        rows.append({**row, **words, "licence": licence, "samples": per_stage})
    return rows


def drawn(manifest: Manifest, ledger: Ledger) -> dict[str, Any]:
    """Samples by stage and kind (from the ledger) and by stage and split (from the manifest)."""
    by_kind: dict[str, dict[str, int]] = {stage: dict.fromkeys(KINDS, 0) for stage in STAGES}
    for row in ledger.rows(DRAWN):
        of_stage = by_kind.setdefault(row["stage"], dict.fromkeys(KINDS, 0))
        of_stage[row["kind"]] = of_stage.get(row["kind"], 0) + row["n"]
    table = []
    for stage, kinds in by_kind.items():
        shards = [s for s in manifest.shards if s.stage == stage]
        splits = {split: sum(s.samples for s in shards if s.split == split) for split in SPLITS}
        size = sum(s.bytes for s in shards)
        row = {"stage": stage, "kinds": kinds, "splits": splits, "shards": len(shards), "bytes": size}
        table.append({**row, "samples": sum(s.samples for s in shards)})
    return {"stage_table": table, "kinds": KINDS, "splits": SPLITS}


def tasks(manifest: Manifest) -> dict[str, Any]:
    """Drafts by task. The manifest tells what was accepted for all tasks together."""
    stage = next((s for s in manifest.stages if s.name == "synthesize"), None)
    detail = sorted(stage.detail.items(), key=lambda item: (-item[1], item[0])) if stage else []
    most = max([1, *(n for _, n in detail)])
    made, accepted = sum(n for _, n in detail), stage.records_out if stage else 0
    rows = [{"name": name, "n": n, "share": n / most} for name, n in detail]
    ends = [(n, task, check) for task, checks in manifest.rejected.items() for check, n in checks.items()]
    by_check = [
        {"task": task, "check": check, "n": n} for n, task, check in sorted(ends, key=lambda e: (-e[0], *e[1:]))
    ]
    return {"rows": rows, "made": made, "accepted": accepted, "rejected": made - accepted, "by_check": by_check}


def duplicates(ledger: Ledger) -> list[dict[str, Any]]:
    """Duplicates with what decided: the keeper, the method, its score and the threshold."""
    rows = ledger.rows(DUPLICATES)
    keepers = {r["key"]: r["uri"] for r in ledger.rows(RECORDS, [sorted({row["keeper"] for row in rows})])}
    told = []
    for row in rows:
        with typed("bad_evidence", "run `curate verify`"):
            evidence = json.loads(row["evidence"] or "{}")
            why = {name: evidence.get(name) for name in ("method", "score", "threshold")}
        told.append({**row, **why, "keeper_uri": keepers.get(row["keeper"], "")})
    return told


def limits(manifest: Manifest) -> list[str]:
    """What this output and this page do not promise; the recipe's own reasons for keeping faces and writing."""
    lines = [NOT_ANONYMOUS]
    if manifest.key == "public":
        lines.append("Pseudonyms were made with a public key: anybody who has the recipe can recompute them.")
    for what, choice in sorted((manifest.recipe.get("deidentify") or {}).items()):
        if isinstance(choice, dict):
            said = [(verb, why) for verb, why in sorted(choice.items()) if why is not False]
            lines += [f"{what.replace('_', ' ').capitalize()}: {verb.replace('_', ' ')} ({why})." for verb, why in said]
    if manifest.limit is not None:
        lines.append(f"This run was limited to {manifest.limit} records of each source.")
    lines += [
        "A teacher's text that was accepted has passed the checks listed here. Passing them does not make it true.",
        "Licences are those that the recipe declares; nobody has checked them against the upstream.",
        "The pictures are a few samples chosen by rule, resampled to 8 bits. They are not for diagnosis.",
        "This page counts; it does not re-check: “curate verify” recomputes every digest, count, link and proof.",
    ]
    return lines


# --- samples ---------------------------------------------------------------------------------------------------------


def cards(out: Path, manifest: Manifest, ledger: Ledger) -> list[Card]:
    """Up to `MOST_CARDS` samples: kinds, and within a kind sources and modalities, take turns in the order of keys."""
    turns: dict[str, list[list[str]]] = {}
    for row in ledger.rows(CANDIDATES):
        turns.setdefault(row["kind"], []).append(row["keys"])
    by_kind = {kind: list(_in_turns(keys)) for kind, keys in sorted(turns.items())}
    if len(by_kind) > 1 and "text" in by_kind:
        by_kind["text"] = by_kind["text"][:MOST_TEXT_CARDS]
    chosen = set(list(_in_turns(list(by_kind.values())))[:MOST_CARDS])
    records = {row["key"]: row for row in ledger.rows(RECORDS, [sorted(chosen)])}
    known = {shard.path for shard in manifest.shards}
    order = [(kind, key) for kind in KINDS for key in by_kind.get(kind, ()) if key in chosen]
    return [card(out, known, kind, records[key], number) for number, (kind, key) in enumerate(order)]


def _in_turns(lists: list[list[str]]) -> Iterator[str]:
    """The first of each list, then the second of each, and so on."""
    for row in zip_longest(*lists):
        yield from (item for item in row if item is not None)


def card(out: Path, shards: set[str], kind: str, record: dict[str, Any], number: int) -> Card:
    """One record's card: its stages take turns from card to card, and of a stage the sample with most bytes is shown,
    because masks travel only with samples whose proofs need them."""
    samples = record["samples"]
    stages = [stage for stage in STAGES if any(s["stage"] == stage for s in samples)]
    stage = stages[number % len(stages)]
    drawn_to = max((s for s in samples if s["stage"] == stage), key=lambda s: (s["size_bytes"], s["key"]))
    try:
        with typed("bad_sample", "run `curate verify`"):
            if drawn_to["shard"] not in shards:
                raise RecordError("unknown_shard", "a shard that the manifest does not name", "run `curate verify`")
            members = members_at(out / drawn_to["shard"], drawn_to["offset"], drawn_to["size_bytes"])
            sample = json.loads(members["json"])
            words, proofs = conversation(sample), sample["proofs"]
    except RecordError as error:
        bare = {"stage": stage, "task": "", "split": "", "modality": "", "licence": "", "teacher": None, "verdicts": ()}
        return Card(kind, record["uri"], record["key"], bare, note=f"not readable: {error.reason}; {error.remedy}")
    picture, note = None, ""
    try:
        with typed("bad_sample", "run `curate verify`"):
            picture = picture_of(sample["media"], members)
    except RecordError as error:
        note = f"no picture: {error.reason.replace('_', ' ')}; {error.remedy}"
    return Card(
        kind,
        record["uri"],
        record["key"],
        sample,
        picture,
        note,
        turns=tuple(words[:TURNS]),
        more_turns=max(0, len(words) - TURNS),
        proofs=tuple(proofs[:PROOFS]),
        more_proofs=max(0, len(proofs) - PROOFS),
    )


def conversation(sample: dict[str, Any]) -> list[tuple[str, str]]:
    """What training reads of a sample, as (who, words)."""
    if sample["stage"] == "pretrain":
        return [("text", excerpt(sample["text"]))]
    names = {"user": "Q", "assistant": "A"}
    turns = [(names.get(t["role"], t["role"]), excerpt(t["content"])) for t in sample["conversations"]]
    answer = sample.get("answer")
    if answer:
        within = leeway(answer)
        unit = f" {answer['unit']}" if answer["unit"] else ""
        turns.append(("gold", f"{excerpt(answer['gold'])}{unit}{within}"))
    return turns


def leeway(answer: dict[str, Any]) -> str:
    """How near to the gold an answer must be; "" where it must be exact."""
    tolerance = answer["tolerance"]
    if answer["type"] == "box":
        name = "generalised IoU" if answer.get("metric") == "giou" else "IoU"
        return f" ({name} at least {1 - tolerance:g})"
    if not tolerance:
        return ""
    return f" ± {tolerance:g}°" if answer["type"] == "angle" else f" ± {tolerance:.0%}"


def excerpt(text: str) -> str:
    """The beginning of a text, cut at a word."""
    if len(text) <= EXCERPT:
        return text
    return text[:EXCERPT].rsplit(maxsplit=1)[0] + " …"


# --- template --------------------------------------------------------------------------------------------------------


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters |= {"csp": _csp, "number": "{:,}".format, "megabytes": lambda n: f"{n / 1e6:,.2f}"}
    return environment


def _printable(value: Any) -> Any:
    """Text without control, format, surrogate and unassigned characters: bidi overrides would reorder the page."""
    if type(value) is not str:  # not Markup, which is the template's own
        return value
    return "".join(c for c in value if c in KEPT_CONTROLS or not unicodedata.category(c).startswith("C"))


def _csp(style: str) -> str:
    """A style's source expression for a Content-Security-Policy (CSP level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
