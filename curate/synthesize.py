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
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.arrays import decode_picture
from curate.code import code_version
from curate.costs import Told, counted
from curate.image.target import image_tokens
from curate.pack import Range
from curate.prepare import PrepareSpec, add_member, read_rows
from curate.present import Presented, PresentSpec, read_presented
from curate.retrieve.found import read_found
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
from manifests.record import Media, Record, canonical_json
from manifests.sample import Draft, Proof, StageName, Turn, Verdict
from synth import priors, proofs
from synth.asking import Asking, Desk, converse, in_turn, persistent
from synth.chat import Role
from synth.evidence import evidence
from synth.judging.chain import judged, planned
from synth.judging.chain import prompt_ids as judging_prompts
from synth.judging.config import Judging
from synth.proofs import MediaView
from synth.requests import Ledger
from synth.tasks import PROGRAM_TASKS, TEACHER_TASKS, Task, prompt_ids
from synth.tasks.mcq import Mcq
from synth.tasks.measure import Measure
from synth.tasks.subject import Subject
from synth.teacher import Teacher, available, open_teacher
from synth.teacher_config import TeacherConfig
from synth.tokens import sample_tokens
from synth.views import Retrieved

if TYPE_CHECKING:
    from curate.recipe import Recipe

MADE_FILE = "media.tar"
MASKED = re.compile(
    r"[(, ](mask|a|b)=|^(largest|smallest|label_count|in_box|place_in|covers_most)\("
)  # they look at masks
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
        ("kind", pa.string()),
        ("modality", pa.string()),
        ("group", pa.string()),
        ("text_tokens", pa.int64()),  # an upper estimate (`synth.tokens.estimate`)
        ("visual_tokens", pa.int64()),  # of what is shown, as its render target counts them
        ("pass_rate", pa.float64()),  # a teacher's share of right answers; -1 where nobody tried
        ("verifier", pa.string()),  # of the answer; "" where there is none (`synth.priors`)
        ("question", pa.string()),  # digest of its wording
        ("answer", pa.string()),  # digest
        ("letter", pa.string()),  # of the right option
        ("layout", pa.string()),
        ("json_offset", pa.int64()),
        ("json_size", pa.int64()),
        ("size_bytes", pa.int64()),
        ("passages", pa.list_(pa.string())),  # the records whose words its prompt shows
        ("members", pa.string()),  # JSON: [[member, stage, unit, file, offset, size], ...]
    ]
)


Named = tuple[tuple[Role, TeacherConfig], ...]  # the teachers of a recipe by role, sorted


@dataclass(frozen=True, slots=True)
class TeacherState:
    """Which teachers write and judge in this run, or in words why none does; `model` and `revision` are those of the
    one that writes, `others` (role, model, revision) of each other one."""

    teachers: Named
    model: str
    revision: str
    state: str
    tasks: tuple[Task, ...]  # the tasks that run
    others: tuple[tuple[Role, str, str], ...] = ()
    judging: tuple[tuple[str, str], ...] = ()  # check, and whether it runs or why not


@dataclass(frozen=True, slots=True)
class SynthesizeSpec:
    presented: str
    prepared: str
    origin: PrepareSpec
    tasks: tuple[Task, ...]
    stages: tuple[StageName, ...]
    teachers: Named
    seed: int
    screening: Screening
    judging: Judging
    found: str = ""  # the unit that found passages for its records


def teacher_state(recipe: Recipe) -> TeacherState:
    """Open the recipe's teachers, if it asks for any and this machine can; else the program-grounded tasks run
    alone."""
    programs = tuple(t for t in recipe.tasks if t.task in PROGRAM_TASKS)
    asked = tuple(t.task for t in recipe.tasks if t.task in TEACHER_TASKS)
    if not asked or recipe.teacher is None:
        return TeacherState((), "", "", "no task of the recipe asks a teacher", programs, judging=_planned(recipe, {}))
    given: list[tuple[Role, TeacherConfig]] = [("teacher", recipe.teacher), *recipe.teachers.items()]
    named: Named = tuple(sorted(given, key=lambda pair: pair[0]))
    missing = next(filter(None, (available(config) for _, config in named)), "")
    if missing:
        state = f"only program-grounded tasks ran, not {', '.join(asked)}: {missing}"
        return TeacherState((), "", "", state, programs, judging=_planned(recipe, {}))
    opened = {role: open_teacher(config) for role, config in named}
    others = tuple((role, t.model, t.revision) for role, t in opened.items() if role != "teacher")
    writer = opened["teacher"]
    plan = _planned(recipe, opened)
    return TeacherState(named, writer.model, writer.revision, "asked", recipe.tasks, others, plan)


def _planned(recipe: Recipe, opened: Mapping[Role, Teacher]) -> tuple[tuple[str, str], ...]:
    sees = frozenset(role for role, teacher in opened.items() if teacher.sees)
    return tuple(planned(recipe.judging, frozenset(opened), sees).items())


def units_of(
    recipe: Recipe,
    presented: Sequence[Unit],
    teacher: TeacherState,
    screening: Screening = NONE,
    found: Mapping[str, str] = MappingProxyType({}),
) -> list[Unit]:
    """One unit per presented unit; an edited prompt changes the keys of the units that ask it, and so do benchmarks,
    where a teacher is asked. `found`: the units that found passages for prepared ones, by key."""
    modules = (f"synth.tasks.{task.task}" for task in teacher.tasks)
    code = code_version("curate.synthesize", "synth.judging.chain", *modules)
    asked = bool(teacher.teachers)
    units = []
    for unit in presented:
        identity = {
            "presented": unit.key,
            "tasks": [t.model_dump(mode="json") for t in teacher.tasks],
            "prompts": [p for t in teacher.tasks for p in prompt_ids(t)],
            "stages": recipe.stages,
            "teacher": [teacher.model, teacher.revision, *teacher.others],
            "seed": recipe.seed,
            "judging": [recipe.judging.model_dump(mode="json"), judging_prompts(recipe.judging) if asked else ()],
        }
        if asked and screening.packs:
            identity["benchmarks"] = [screening.identity, screening.policies]
        made: PresentSpec = unit.spec
        if made.prepared in found:
            identity["found"] = found[made.prepared]
        spec = SynthesizeSpec(
            unit.key, made.prepared, made.origin, teacher.tasks, recipe.stages, teacher.teachers, recipe.seed,
            screening if asked else NONE, recipe.judging, found.get(made.prepared, ""),
        )  # fmt: skip
        key = unit_key("synthesize", code, identity)
        units.append(Unit("synthesize", key, spec, unit.label, unit.records))
    return units


def work(spec: SynthesizeSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `samples.jsonl` (the JSON of every draft as a sample) and `offers.parquet` (one row per draft)."""
    rows: list[dict[str, Any]] = []
    asked: dict[str, tuple[str, ...]] = {}
    ledger = Ledger(work_folder / "requests")
    desk = Desk({role: open_teacher(config) for role, config in spec.teachers}, ledger)
    waiting: deque[Presented] = deque()
    told: list[Told] = []
    found = read_found(work_folder, spec.found)

    def talks() -> Iterator[Asking]:
        for presented in read_presented(work_folder, spec.presented):
            waiting.append(presented)
            passages = found.of(presented.record.key)
            yield record_drafts(presented, member_reader(presented, work_folder), spec, desk, work_folder, passages)

    with Out(folder) as out, desk:
        for made, keys in converse(talks(), desk):
            presented = waiting.popleft()
            rows += [_store(presented, draft, out) for draft in made]
            told += [Told.of(draft) for draft in made if draft.teacher.model]
            asked[presented.record.key] = keys
    if desk.unanswered:
        raise TeacherError(
            "teacher_unreachable",
            f"{desk.unanswered} requests without an answer, and none to a probe; run again: what was answered is kept",
        )
    lost = swept(spec, rows, asked, folder, work_folder)
    if lost:
        rows = _without({one.key for one in lost}, rows, folder)
        for request in (r for one in lost for r in asked[one.key]):
            ledger.path(request).unlink(missing_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=OFFERS), folder / "offers.parquet")
    accepted = sum(1 for r in rows if r["accepted"])
    spent = counted(desk.spent, told) if desk.teachers else {}
    gone = {"lost": [dataclasses.asdict(one) for one in lost], "failed": len(lost)} if lost else {}
    return {"records": len({r["key"] for r in rows}), "drafts": len(rows), "accepted": accepted, **spent, **gone}


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


def member_reader(presented: Presented, work_folder: Path) -> Callable[[str], bytes]:
    """Bytes of a presented record's members."""

    def read(member: str) -> bytes:
        where = presented.members[member]
        with (unit_folder(work_folder, where.stage, where.unit) / where.file).open("rb") as stream:
            stream.seek(where.offset)
            return stream.read(where.size_bytes)

    return read


def record_drafts(
    presented: Presented,
    read: Callable[[str], bytes],
    spec: SynthesizeSpec,
    desk: Desk,
    work_folder: Path,
    found: tuple[Retrieved, ...] = (),
) -> Asking:
    """All drafts of one record for the stages asked, numbered within each stage; what a teacher wrote is compared with
    the benchmarks' packs in the work folder. `found` are passages that its tasks may show."""
    record = presented.record
    view = view_of(presented.media, read, record.facts, record.text, record.asked)
    view = dataclasses.replace(view, retrieved=found) if found else view
    made: list[Draft] = []
    for task in spec.tasks:
        if task.task in PROGRAM_TASKS:
            made += PROGRAM_TASKS[task.task](record, view, _with_intensity(task, presented.media), spec.seed)
    proven = [_proven(draft, _seen_by(draft, presented, view)) for draft in made]
    view.seen.clear()  # many records may wait for a teacher at once
    subject = Subject(record, view, frozenset(desk.teachers), desk.seeing())
    told = list(proven)
    if desk.teachers:
        told += yield from _written(subject, spec, proven)
        told = screened(spec.screening, work_folder, told)
    wanted = [draft for draft in told if draft.stage in spec.stages]  # nobody is paid to judge others
    told = yield from judged(subject, wanted, spec.judging, spec.seed)
    return list(_numbered(_one_conversation([with_evidence(draft, record) for draft in told])))


def with_evidence(draft: Draft, record: Record) -> Draft:
    """The draft with where each checked word of a teacher's text is known from, if it was accepted."""
    if not draft.accepted or not draft.teacher.model:
        return draft
    spoken = [(n, t.content) for n, t in enumerate(draft.turns) if t.role == "assistant"]
    sources = {"text": record.text}
    for number, one in enumerate(record.asked, start=1):
        sources |= {f"question {number}": one.question, f"answer {number}": one.answer}
    sources = {name: words for name, words in sources.items() if words.strip()}
    said = [*spoken, *([(-1, draft.text)] if draft.text else [])]
    known = tuple(e for n, content in said for e in evidence(content, record.facts, sources, n))
    return dataclasses.replace(draft, evidence=known)


def _written(subject: Subject, spec: SynthesizeSpec, proven: Sequence[Draft]) -> Asking:
    """What the teacher tasks make of a record, all of them asking at the same time."""
    tasks = [t for t in spec.tasks if t.task in TEACHER_TASKS and is_asked(t, subject.record.key)]
    talks = [persistent(TEACHER_TASKS[task.task](subject, task, spec.seed, proven)) for task in tasks]
    made = yield from in_turn(talks)
    return [draft for drafts in made for draft in drafts]


def _with_intensity(task: Task, media: Sequence[Media]) -> Task:
    """Mean attenuation may be asked where the volume that travels is in Hounsfield units."""
    if isinstance(task, (Measure, Mcq)) and any(m.kind == "volume" and m.units == "HU" for m in media):
        return task.model_copy(update={"intensity": True})
    return task


def is_asked(task: Task, key: str) -> bool:
    """Whether a teacher task with a `share` below 1 asks about this record: by the key's own hash, so that adding
    data changes no choice and a larger share holds the smaller one."""
    place = int.from_bytes(hashlib.sha256(f"{task.task} {key}".encode()).digest()[:8], "big") / 2**64
    return place < getattr(task, "share", 1.0)


def _seen_by(draft: Draft, presented: Presented, view: MediaView) -> MediaView:
    """What a draft's proofs may look at: what its sample will carry, over the record's view, decoded once."""
    if draft.passages:
        view = dataclasses.replace(view, passages=draft.passages)
    if draft.shows is None and not draft.made:
        return view
    kept = {m.member for m in _media_for(presented.media, draft)}
    own = {m.media.member: decode_picture(m.data) for m in draft.made}
    media = tuple(m for m in view.media if m.member.partition("#")[0] in kept)
    return dataclasses.replace(
        view,
        media=(*media, *(m.media for m in draft.made)),
        load=lambda name: own[name] if name in own else view.load(name),
    )


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
    plain = (d for d in drafts if d.stage == "sft" and d.accepted and not d.teacher.model)
    merged = [d for d in plain if d.shows is None and not d.made]
    others = [d for d in drafts if d not in merged]
    if len(merged) < 2:
        return [*merged, *others]
    turns: list[Turn] = []
    proofs_: list[Proof] = []
    verdicts: list[Verdict] = []
    for draft in merged:
        shift, last = len(turns), len(draft.turns) - 1  # what is said of a whole draft (-1) stands at its last turn
        proofs_ += [dataclasses.replace(p, turn=shift + (p.turn if p.turn >= 0 else last)) for p in draft.proofs]
        verdicts += [dataclasses.replace(v, turn=shift + (v.turn if v.turn >= 0 else last)) for v in draft.verdicts]
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


class Out:
    """What a unit writes: the samples' JSON, and the media that drafts bring themselves."""

    def __init__(self, folder: Path) -> None:
        self.samples = (folder / "samples.jsonl").open("wb")
        self.media = tarfile.open(folder / MADE_FILE, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - `__exit__`

    def __enter__(self) -> Out:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.media.close()
        self.samples.close()


def _store(presented: Presented, draft: Draft, out: Out) -> dict[str, Any]:
    """Append the draft's sample JSON and its own media; its offer row."""
    media = [*_media_for(presented.media, draft), *(_counted(m.media) for m in draft.made)]
    members = {m.member: presented.members[m.member] for m in media if m.member in presented.members}
    sample = sample_json(presented.record, media, draft, presented.split)
    data = canonical_json(sample).encode()
    text_tokens, visual_tokens = sample_tokens(sample)
    offset = out.samples.tell()
    out.samples.write(data + b"\n")
    for made in draft.made:
        name = f"{draft.key}-{draft.stage}-{draft.part}.{made.media.member}"
        members[made.media.member] = Range("synthesize", "", MADE_FILE, *add_member(out.media, name, made.data))
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
        "kind": presented.record.kind,
        "modality": presented.record.modality,
        "group": presented.record.group,
        "text_tokens": text_tokens,
        "visual_tokens": visual_tokens,
        "pass_rate": next((v.score for v in draft.verdicts if v.check == "pass_rate"), -1.0),
        **priors.asked(draft)._asdict(),
        "layout": layout(sample, members),
        "json_offset": offset,
        "json_size": len(data),
        "size_bytes": sample_bytes([len(data), *(w.size_bytes for w in members.values())]),
        "passages": list(dict.fromkeys(p.record for p in draft.passages)),
        "members": canonical_json([[name, *_fields(where)] for name, where in sorted(members.items())]),
    }


def _counted(media: Media) -> Media:
    """A picture that a task made, with what showing it costs."""
    counted = media.kind == "image" and not media.visual_tokens
    return dataclasses.replace(media, visual_tokens=image_tokens(media.shape)) if counted else media


def _media_for(media: Sequence[Media], draft: Draft) -> list[Media]:
    """The record's media that the sample needs: those that it names, and masks where a proof looks at one."""
    masks = any(MASKED.search(p.call) for p in draft.proofs)
    shown = [m for m in media if m.kind != "mask" and (draft.shows is None or m.member in draft.shows)]
    return [*shown, *(m for m in media if masks and m.kind == "mask")]


def _fields(where: Range) -> list[str | int]:
    return [where.stage, where.unit, where.file, where.offset, where.size_bytes]
