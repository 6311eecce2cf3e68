"""Publish: finished shards, the ledger, the generated documents and, last, the manifest.

The old manifest goes first: a folder without one is unfinished. A shard that already lies there with the right bytes
stays; whether it does is known by size and modification time, as recorded when it was put there, and by its digest
where those differ. Shards are hard links into the work folder where the file system can, copies where not.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import __version__, ledger
from curate.code import DECIDING_LIBRARIES, code_version, library_version
from curate.costs import checks_of, prompts_of
from curate.documents import write_documents
from curate.inventory import inputs_digest
from curate.mix import PlannedShard, ShardPlan
from curate.near.paragraphs import read_top
from curate.near.passages import STAGE as PASSAGES
from curate.recipe import Recipe, fingerprint
from curate.retrieve.stages import MODULES as RETRIEVE
from curate.screen.stage import Screening, summary
from curate.select import SELECT_REASONS, Compared
from curate.store import file_sha256, fsync, read_summary, unit_folder, write_atomic
from curate.synthesize import TeacherState
from curate.units import Unit
from manifests.manifest import (
    NAME,
    SCHEMA,
    Benchmark,
    Counts,
    Judge,
    Manifest,
    Mixing,
    Repeated,
    Roots,
    ShardEntry,
    StageCount,
    Teacher,
    merkle_root,
)
from manifests.record import digest
from sources.base import PACKAGE, Entry

TOLD = (  # of an offer, in the ledger's samples
    "task", "part", "text_tokens", "visual_tokens", "pass_rate", "verifier", "question", "answer", "letter", "passages",
)  # fmt: skip
MOST_REPEATED = 20  # paragraphs, and passages, that a manifest names


@dataclass(frozen=True, slots=True)
class Made:
    """Everything that a run made, in plan order."""

    recipe: Recipe
    key_state: str
    screening: Screening
    compared: Compared
    inputs: tuple[tuple[str, tuple[Entry, ...]], ...]
    prepared: tuple[Unit, ...]
    decisions: list[dict[str, Any]]
    spoken: tuple[Unit, ...]
    plan: ShardPlan
    packed: tuple[Unit, ...]
    teacher: TeacherState
    limit: int | None
    absent: tuple[str, ...] = ()


def publish(made: Made, out: Path, work: Path, timings: dict[str, Any]) -> Manifest:
    """Put everything in its place; the manifest."""
    (out / NAME).unlink(missing_ok=True)
    shards, samples = publish_shards(made.plan, out, work)
    staging = out / "ledger.new"
    shutil.rmtree(staging, ignore_errors=True)
    parts, ledger_root = ledger.write(staging, ledger.rows(work, made.prepared, made.decisions, samples))
    shutil.rmtree(out / "ledger", ignore_errors=True)
    (staging / "ledger").rename(out / "ledger")
    staging.rmdir()
    fsync(out)
    counts = count(made.decisions)
    manifest = Manifest(
        schema=SCHEMA,
        recipe=recorded(made.recipe),
        fingerprint=fingerprint(made.recipe, _inputs(made), _code(made)),
        key=made.key_state,
        limit=made.limit,
        absent=made.absent,
        counts=counts,
        stages=stage_counts(made, counts, shards),
        shards=shards,
        ledger=parts,
        roots=Roots(shards=merkle_root(s.sha256 for s in shards), ledger=ledger_root),
        teacher=teacher_of(made, work),
        rejected=rejected(made.plan.drafts),
        mixture=Mixing(table=made.plan.table, priors=made.plan.priors, shortfall=made.plan.shortfall),
        benchmarks=tuple(Benchmark(**one) for one in summary(made.screening, work, made.compared.screened)),
        repeated=_repeated(made, work),
        environment=environment(timings),
    )
    write_documents(out, manifest)
    write_atomic(out / NAME, manifest.to_json().encode())
    return manifest


def recorded(recipe: Recipe) -> dict[str, Any]:
    """The resolved recipe as the manifest has it: without roots and folders of packs, which say where the data of one
    machine lie, and may name its user. Those inside a package stay; they are the same everywhere."""
    whole = recipe.model_dump(mode="json")
    for use in whole["select"]["benchmarks"]:
        use["pack"] = Path(use["pack"]).name
    for source in whole["sources"]:
        if not source["root"].startswith(PACKAGE):
            del source["root"]
    return whole


def _repeated(made: Made, work: Path) -> tuple[Repeated, ...]:
    return tuple(
        Repeated(
            kind="passage" if counted.stage == PASSAGES else "paragraph", hash=r.hash, count=r.count, words=r.words
        )
        for counted in made.compared.repeated
        for r in read_top(work, counted)[:MOST_REPEATED]
    )


def publish_shards(plan: ShardPlan, out: Path, work: Path) -> tuple[tuple[ShardEntry, ...], ledger.Samples]:
    """Shards under their names, foreign files in `shards/` removed; where each record's samples are."""
    entries: list[ShardEntry] = []
    told = {name: plan.offers[name].to_pylist() for name in TOLD}
    samples: ledger.Samples = {}
    (out / "shards").mkdir(parents=True, exist_ok=True)
    for shard in plan.shards:
        folder = unit_folder(work, "pack", shard.unit.key)
        summary = read_summary(work, "pack", shard.unit.key)
        place(folder / "shard.tar", out / shard.name, summary["sha256"])
        rows = json.loads((folder / "samples.json").read_bytes())
        for row, offer, repeat in zip(rows, shard.rows.tolist(), shard.repeats.tolist(), strict=True):
            sample = {"stage": shard.stage, "shard": shard.name, **{k: v for k, v in row.items() if k != "record"}}
            sample |= {**{name: column[offer] for name, column in told.items()}, "repeat": repeat}
            samples.setdefault(row["record"], []).append(sample)
        entries.append(
            ShardEntry(
                path=shard.name,
                sha256=summary["sha256"],
                bytes=summary["bytes"],
                samples=len(rows),
                stage=shard.stage,
                split=shard.split,
                layout=shard.layout,
            )
        )
    names = {Path(e.path).name for e in entries}
    for stale in (out / "shards").iterdir():
        if stale.name not in names:
            stale.unlink()
    fsync(out / "shards")
    return tuple(entries), samples


def discard_damaged(planned: Sequence[PlannedShard], work: Path) -> int:
    """Forget packed shards whose bytes were changed since (an output may share them by hard link), so that they are
    packed anew; how many. A shard older than its unit's last file is believed, a younger one is digested."""
    discarded = 0
    for shard in planned:
        folder = unit_folder(work, "pack", shard.unit.key)
        built, done = folder / "shard.tar", folder / "done.json"
        if not done.exists() or (built.exists() and built.stat().st_mtime_ns <= done.stat().st_mtime_ns):
            continue
        if not built.exists() or file_sha256(built) != read_summary(work, "pack", shard.unit.key)["sha256"]:
            shutil.rmtree(folder)
            discarded += 1
    return discarded


def place(built: Path, final: Path, sha256: str) -> None:
    """The built shard under its final name, by link or copy, unless it lies there already."""
    if final.exists() and (final.samefile(built) or file_sha256(final) == sha256):
        return
    temporary = final.with_name(f".{final.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(built)
    except OSError:
        shutil.copyfile(built, temporary)
        fsync(temporary)
    temporary.replace(final)


def count(decisions: Sequence[dict[str, Any]]) -> Counts:
    dropped: dict[str, int] = {}
    failed: dict[str, int] = {}
    kept = duplicate = 0
    for decision in decisions:
        status, reason = decision["status"], decision["reason"]
        kept += status == "kept"
        duplicate += status == "duplicate"
        if status in ("dropped", "failed"):
            reasons = dropped if status == "dropped" else failed
            reasons[reason] = reasons.get(reason, 0) + 1
    return Counts(
        read=len(decisions),
        kept=kept,
        dropped=dict(sorted(dropped.items())),
        duplicate=duplicate,
        failed=dict(sorted(failed.items())),
    )


def stage_counts(made: Made, counts: Counts, shards: Sequence[ShardEntry]) -> tuple[StageCount, ...]:
    """The funnel: what each verb was given and left."""
    chosen = {reason: n for reason, n in counts.dropped.items() if reason in SELECT_REASONS}
    ready = counts.kept + counts.duplicate + sum(chosen.values())
    drawn = sum(s.samples for s in shards)
    drafts = {task: sum(outcomes.values()) for task, outcomes in made.plan.drafts.items()}
    accepted = sum(outcomes.get("accepted", 0) for outcomes in made.plan.drafts.values())
    lost = {f"dropped: {reason}": n for reason, n in counts.dropped.items() if reason not in chosen}
    left = {"duplicate": counts.duplicate} | {f"dropped: {reason}": n for reason, n in chosen.items()}
    lost |= {f"failed: {reason}": n for reason, n in counts.failed.items()}
    mixed = {"shortfall": made.plan.shortfall, "balance": sum(prior.left_out for prior in made.plan.priors)}
    per_stage: dict[str, int] = {
        stage: sum(s.samples for s in shards if s.stage == stage) for stage in made.recipe.stages
    }
    return (
        StageCount(name="prepare", records_in=counts.read, records_out=ready, detail=lost),
        StageCount(name="select", records_in=ready, records_out=counts.kept, detail=left),
        StageCount(name="synthesize", records_in=counts.kept, records_out=accepted, detail=drafts),
        StageCount(name="mix", records_in=accepted, records_out=drawn, detail=mixed),
        StageCount(name="pack", records_in=drawn, records_out=drawn, detail=per_stage),
    )


def rejected(drafts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Drafts that a check rejected, by task and check; tasks without any are left out."""
    ends = {task: {end: n for end, n in ends.items() if end != "accepted"} for task, ends in drafts.items()}
    return {task: checks for task, checks in ends.items() if checks}


def teacher_of(made: Made, work: Path) -> Teacher:
    outcomes = made.plan.teacher
    rejected = {reason: n for reason, n in outcomes.items() if reason != "accepted"}
    asked = [read_summary(work, "synthesize", unit.key) for unit in made.spoken] if made.teacher.teachers else []
    return Teacher(
        model=made.teacher.model,
        revision=made.teacher.revision,
        state=made.teacher.state,
        others=tuple(Judge(role=r, model=m, revision=v) for r, m, v in made.teacher.others),
        drafts=sum(outcomes.values()),
        accepted=outcomes.get("accepted", 0),
        samples=made.plan.written,
        rejected=rejected,
        checks=checks_of(asked),
        judging=dict(made.teacher.judging),
        prompts=prompts_of(asked),
    )


def environment(timings: dict[str, Any]) -> dict[str, Any]:
    """Versions and timings: outside of everything that is hashed."""
    versions = {name: library_version(name) for name in (*DECIDING_LIBRARIES, "ray")}
    own = {"medcurate": __version__, "audit": code_version("curate.audit"), "python": platform.python_version()}
    return {**own, "libraries": versions, **timings}


def _inputs(made: Made) -> str:
    sources = [[name, inputs_digest(entries)] for name, entries in made.inputs]
    return digest([*sources, made.limit, made.screening.identity])


def _code(made: Made) -> str:
    modules = {type(s).__module__ for s in made.recipe.sources}
    tasks = {f"synth.tasks.{t.task}" for t in made.teacher.tasks}
    stages = (
        "curate.prepare",
        "curate.comparisons",
        "curate.select",
        "curate.present",
        "curate.synthesize",
        "curate.mix",
        "curate.pack",
    )
    retrieve = RETRIEVE if made.recipe.retrieve is not None else ()
    return code_version(*stages, *retrieve, *sorted(modules | tasks))
