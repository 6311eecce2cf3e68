"""Synthesize: what each kept record offers to each stage. Programs first, then the teacher; every proof is recomputed
and every verdict stored before a draft may be drawn. One unit of work.

Program tasks see the media as the shard will hold them, so a proof that holds here holds in the shard. A record's
program drafts for SFT become one conversation. A teacher's answers go through the request ledger: an interrupted unit
pays for nothing twice. Drafts that failed a check are kept with the reason; they are reported and never packed.

Before the unit is committed all of it is searched for identifiers of the records' sources (`curate.sweep.stage`): a
teacher may read a name from pixels, or know one. A record with a hit is taken out, its requests are forgotten, and the
summary names it as lost; `curate.run` selects anew without it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from curate.code import code_version
from curate.pack import Range
from curate.prepare import PrepareSpec, read_rows
from curate.present import Presented, PresentSpec, read_presented
from curate.screen.drafts import screened
from curate.screen.stage import NONE, Screening
from curate.select import Lost
from curate.shard import layout, sample_bytes, sample_json
from curate.store import read_summary, unit_folder
from curate.sweep import REASON
from curate.sweep import stage as sweep
from curate.sweep.record import REMEDY
from curate.units import Summary, Unit, unit_key
from curate.view import view_of
from manifests.errors import TeacherError
from manifests.record import Media, canonical_json
from manifests.sample import Draft, Proof, StageName, Turn, Verdict
from synth import proofs
from synth.chat import TRANSIENT, Request
from synth.proofs import MediaView
from synth.requests import Answered, Ask, Ledger
from synth.requests import ask as ask_teacher
from synth.tasks import PROGRAM_TASKS, TEACHER_TASKS, Task, prompt_ids
from synth.tasks.measure import Measure
from synth.teacher import available, open_teacher
from synth.teacher_config import TeacherConfig

if TYPE_CHECKING:
    from curate.recipe import Recipe

QUOTING = re.compile(r"^(span|digest)\(")  # programs that look into the source's words
MASKED = re.compile(r"[(, ](mask|a|b)=|^largest\(")  # programs that look at masks
OFFERS = pa.schema(
    [
        ("key", pa.string()),
        ("source", pa.string()),
        ("stage", pa.string()),
        ("part", pa.int32()),
        ("task", pa.string()),
        ("split", pa.string()),
        ("accepted", pa.bool_()),
        ("reason", pa.string()),
        ("by_teacher", pa.bool_()),
        ("layout", pa.string()),
        ("json_offset", pa.int64()),
        ("json_size", pa.int64()),
        ("size_bytes", pa.int64()),
        ("members", pa.string()),  # JSON: [[member, stage, unit, file, offset, size], ...]
    ]
)


@dataclass(frozen=True, slots=True)
class TeacherState:
    """Which teacher writes in this run, or in words why none does."""

    config: TeacherConfig | None
    model: str
    revision: str
    state: str
    tasks: tuple[Task, ...]  # the tasks that run


@dataclass(frozen=True, slots=True)
class SynthesizeSpec:
    presented: str
    prepared: str
    origin: PrepareSpec
    tasks: tuple[Task, ...]
    stages: tuple[StageName, ...]
    teacher: TeacherConfig | None
    seed: int
    screening: Screening = NONE


def teacher_state(recipe: Recipe) -> TeacherState:
    """Open the recipe's teacher, if it asks for one and this machine can; else the program-grounded tasks run alone."""
    programs = tuple(t for t in recipe.tasks if t.task in PROGRAM_TASKS)
    asked = tuple(t.task for t in recipe.tasks if t.task in TEACHER_TASKS)
    if not asked or recipe.teacher is None:
        return TeacherState(None, "", "", "no task of the recipe asks a teacher", programs)
    missing = available(recipe.teacher)
    if missing:
        state = f"only program-grounded tasks ran, not {', '.join(asked)}: {missing}"
        return TeacherState(None, "", "", state, programs)
    teacher = open_teacher(recipe.teacher)
    return TeacherState(recipe.teacher, teacher.model, teacher.revision, "asked", recipe.tasks)


def units_of(
    recipe: Recipe, presented: Sequence[Unit], teacher: TeacherState, screening: Screening = NONE
) -> list[Unit]:
    """One unit per presented unit; an edited prompt changes the keys of the units that ask it, and so do benchmarks,
    where a teacher is asked."""
    modules = (f"synth.tasks.{task.task}" for task in teacher.tasks)
    code = code_version("curate.synthesize", *modules)
    asked = teacher.config is not None
    units = []
    for unit in presented:
        identity = {
            "presented": unit.key,
            "tasks": [t.model_dump(mode="json") for t in teacher.tasks],
            "prompts": [p for t in teacher.tasks for p in prompt_ids(t)],
            "stages": recipe.stages,
            "teacher": [teacher.model, teacher.revision],
            "seed": recipe.seed,
        }
        if asked and screening.packs:
            identity["benchmarks"] = [screening.identity, screening.policies]
        made: PresentSpec = unit.spec
        spec = SynthesizeSpec(
            unit.key, made.prepared, made.origin, teacher.tasks, recipe.stages, teacher.config, recipe.seed,
            screening if asked else NONE,
        )  # fmt: skip
        key = unit_key("synthesize", code, identity)
        needs = (("GPU", 1.0),) if asked and teacher.config is not None and teacher.config.backend == "vllm" else ()
        units.append(Unit("synthesize", key, spec, unit.label, unit.records, resources=needs))
    return units


def work(spec: SynthesizeSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `samples.jsonl` (the JSON of every draft as a sample) and `offers.parquet` (one row per draft)."""
    asking = Asking(spec.teacher, work_folder / "requests")
    rows: list[dict[str, Any]] = []
    asked: dict[str, tuple[str, ...]] = {}
    with (folder / "samples.jsonl").open("wb") as stream:
        for presented in read_presented(work_folder, spec.presented):
            read = member_reader(presented, work_folder)
            rows += [_store(presented, d, stream) for d in record_drafts(presented, read, spec, asking, work_folder)]
            asked[presented.record.key] = asking.taken()
    if asking.transient:
        raise TeacherError(
            "teacher_unreachable",
            f"{asking.transient} of {asking.requests} requests without an answer; run again: what was answered is kept",
        )
    lost = swept(spec, rows, asked, folder, work_folder)
    if lost:
        rows = _without({one.key for one in lost}, rows, folder)
        for request in (r for one in lost for r in asked[one.key]):
            Ledger(asking.folder).path(request).unlink(missing_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=OFFERS), folder / "offers.parquet")
    accepted = sum(1 for r in rows if r["accepted"])
    told = {"lost": [dataclasses.asdict(one) for one in lost], "failed": len(lost)} if lost else {}
    return {"records": len({r["key"] for r in rows}), "drafts": len(rows), "accepted": accepted, **told}


def swept(
    spec: SynthesizeSpec,
    rows: Sequence[dict[str, Any]],
    asked: Mapping[str, Sequence[str]],
    folder: Path,
    work_folder: Path,
) -> list[Lost]:
    """The records of whose samples, requests or rendered members one holds an identifier of its source."""
    samples, ledger = str(folder / "samples.jsonl"), Ledger(work_folder / "requests")
    made = {key: sweep.Made(requests=[str(p) for p in map(ledger.path, r) if p.exists()]) for key, r in asked.items()}
    for row in rows:
        made[row["key"]].samples.append((samples, row["json_offset"], row["json_size"]))
        for name, stage, unit, file, offset, size in json.loads(row["members"]):
            if stage == "present":  # prepared members were searched when they were made
                path = unit_folder(work_folder, stage, unit) / file
                made[row["key"]].members[name] = (str(path), offset, size)
    prepared = read_rows(unit_folder(work_folder, "prepare", spec.prepared), ("key", "item"))
    items: dict[str, int] = {}
    for row in prepared:
        items.setdefault(row["key"], row["item"])
    found = sweep.search(spec.origin, items, made)
    return [Lost(key, "failed", REASON, found[key], REMEDY) for key in made if key in found]


def _without(keys: set[str], rows: Sequence[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The rows of other records, their samples written anew so that nothing of these stays."""
    path, left = folder / "samples.jsonl", []
    data = path.read_bytes()
    with path.open("wb") as stream:
        for row in (r for r in rows if r["key"] not in keys):
            left.append({**row, "json_offset": stream.tell()})
            stream.write(data[row["json_offset"] : row["json_offset"] + row["json_size"]] + b"\n")
    return left


def lost_of(work_folder: Path, units: Sequence[Unit]) -> list[Lost]:
    """The records that finished synthesize units took out, in plan order."""
    return [Lost(**one) for unit in units for one in read_summary(work_folder, "synthesize", unit.key).get("lost", ())]


@dataclass
class Asking:
    """Asks the unit's teacher through the request ledger, and counts."""

    config: TeacherConfig | None
    folder: Path
    requests: int = 0
    transient: int = 0
    keys: list[str] = field(default_factory=list)

    def ask(self, request: Request) -> Answered:
        assert self.config is not None
        answered = ask_teacher(open_teacher(self.config), request, Ledger(self.folder))
        self.requests += 1
        self.keys.append(answered.key)
        self.transient += answered.error is not None and answered.error.reason in TRANSIENT
        return answered

    def taken(self) -> tuple[str, ...]:
        """The keys of what was asked since the last call."""
        keys, self.keys = tuple(dict.fromkeys(self.keys)), []
        return keys


def member_reader(presented: Presented, work_folder: Path) -> Callable[[str], bytes]:
    """Bytes of a presented record's members."""

    def read(member: str) -> bytes:
        where = presented.members[member]
        with (unit_folder(work_folder, where.stage, where.unit) / where.file).open("rb") as stream:
            stream.seek(where.offset)
            return stream.read(where.size_bytes)

    return read


def record_drafts(
    presented: Presented, read: Callable[[str], bytes], spec: SynthesizeSpec, asking: Asking, work_folder: Path
) -> Iterator[Draft]:
    """All drafts of one record for the stages asked, numbered within each stage; what a teacher wrote is compared with
    the benchmarks' packs in the work folder."""
    record = presented.record
    view = view_of(presented.media, read, record.facts, (record.text, record.question, record.answer))
    made: list[Draft] = []
    for task in spec.tasks:
        if task.task in PROGRAM_TASKS:
            made += PROGRAM_TASKS[task.task](record, view, _with_intensity(task, presented.media), spec.seed)
    proven = [_proven(draft, view) for draft in made]
    told = list(proven)
    for task in spec.tasks:
        if task.task in TEACHER_TASKS and is_asked(task, record.key):
            ask: Ask = asking.ask
            told += TEACHER_TASKS[task.task](record, view, task, spec.seed, ask, proven)
    told = screened(spec.screening, work_folder, told)
    yield from _numbered([d for d in _one_conversation(told) if d.stage in spec.stages])


def _with_intensity(task: Task, media: Sequence[Media]) -> Task:
    """Mean attenuation may be asked where the volume that travels is in Hounsfield units."""
    if isinstance(task, Measure) and any(m.kind == "volume" and m.units == "HU" for m in media):
        return task.model_copy(update={"intensity": True})
    return task


def is_asked(task: Task, key: str) -> bool:
    """Whether a teacher task with a `share` below 1 asks about this record: by the key's own hash, so that adding
    data changes no choice and a larger share holds the smaller one."""
    place = int.from_bytes(hashlib.sha256(f"{task.task} {key}".encode()).digest()[:8], "big") / 2**64
    return place < getattr(task, "share", 1.0)


def _proven(draft: Draft, view: MediaView) -> Draft:
    """A draft is accepted only if each of its proofs gives its value again from what the shard will hold."""
    failed = [v for v in (proofs.check(p, view) for p in draft.proofs) if not v.passed]
    if not failed:
        return draft
    return dataclasses.replace(
        draft, verdicts=(*draft.verdicts, *failed), accepted=False, reason=draft.reason or failed[0].check
    )


def _one_conversation(drafts: Sequence[Draft]) -> list[Draft]:
    """A record's accepted program drafts for SFT as one conversation; all others as they are."""
    merged = [d for d in drafts if d.stage == "sft" and d.accepted and not d.teacher.model]
    others = [d for d in drafts if d not in merged]
    if len(merged) < 2:
        return [*merged, *others]
    turns: list[Turn] = []
    proofs_: list[Proof] = []
    verdicts: list[Verdict] = []
    for draft in merged:
        shift = len(turns)
        proofs_ += [dataclasses.replace(p, turn=p.turn + shift) for p in draft.proofs]
        verdicts += [dataclasses.replace(v, turn=v.turn + shift) for v in draft.verdicts]
        turns += draft.turns
    tasks = "+".join(dict.fromkeys(d.task for d in merged))
    joined = dataclasses.replace(
        merged[0], task=tasks, turns=tuple(turns), proofs=tuple(proofs_), verdicts=tuple(verdicts)
    )
    return [joined, *others]


def _numbered(drafts: Sequence[Draft]) -> Iterator[Draft]:
    """Parts count the accepted drafts of each stage from 0; rejected ones are numbered from where those end."""
    counts: dict[str, int] = {}
    for draft in sorted(drafts, key=lambda d: not d.accepted):
        yield dataclasses.replace(draft, part=counts.get(draft.stage, 0))
        counts[draft.stage] = counts.get(draft.stage, 0) + 1


def _store(presented: Presented, draft: Draft, stream: BinaryIO) -> dict[str, Any]:
    """Append the draft's sample JSON; its offer row."""
    media = _media_for(presented.media, draft)
    members = {m.member: presented.members[m.member] for m in media}
    quoted = any(QUOTING.match(p.call) for p in draft.proofs)
    sample = sample_json(presented.record, media, draft, presented.split, quoted)
    data = canonical_json(sample).encode()
    offset = stream.tell()
    stream.write(data + b"\n")
    return {
        "key": draft.key,
        "source": presented.record.source,
        "stage": draft.stage,
        "part": draft.part,
        "task": draft.task,
        "split": presented.split,
        "accepted": draft.accepted,
        "reason": draft.reason,
        "by_teacher": bool(draft.teacher.model),
        "layout": layout(sample, members),
        "json_offset": offset,
        "json_size": len(data),
        "size_bytes": sample_bytes([len(data), *(w.size_bytes for w in members.values())]),
        "members": canonical_json([[name, *_fields(where)] for name, where in sorted(members.items())]),
    }


def _media_for(media: Sequence[Media], draft: Draft) -> list[Media]:
    """The media that the sample needs: masks travel only where a proof looks at one."""
    masks = any(MASKED.search(p.call) for p in draft.proofs)
    return [m for m in media if masks or m.kind != "mask"]


def _fields(where: Range) -> list[str | int]:
    return [where.stage, where.unit, where.file, where.offset, where.size_bytes]
