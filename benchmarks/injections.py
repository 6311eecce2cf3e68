"""What 300 prompt injections get into kept samples when the teacher obeys every one of them.

    python -m benchmarks.injections --data ../shared/data             measure and print
    python -m benchmarks.injections --data ../shared/data --write     and put the tables into benchmarks/README.md
    python -m benchmarks.injections --data ../shared/data --show N    and print N drafts that hold a canary, by reason

Each record goes through all program and teacher tasks, every check and a judge, as `curate.synthesize` does it: without
the order and with a good teacher, then with the order and a teacher that obeys it in each of four ways. A canary is
looked for in the whole sample as a shard holds it, in any normal form; golds are compared with those that the record
has without the order. The second table is of a run without the verdict `orders`, which rejects every draft of a record
whose words hold an order: there only what the teacher wrote is looked at, and it tells what the checks of each draft
catch by themselves. The third is outside the 300: pictures that order an ordinary English word.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.injected import KINDS, ORDERS, Case, Injection, holds, injections, normal
from benchmarks.obedient import OBEDIENCE, Good, Heard, Obedient, heard
from benchmarks.report import machine, write
from curate.pack import Range
from curate.present import Presented
from curate.screen.stage import NONE
from curate.shard import sample_json
from curate.synthesize import SynthesizeSpec, record_drafts
from manifests.sample import Draft
from synth.asking import Desk, settled
from synth.judging.config import Judging, Veto
from synth.requests import Ledger
from synth.tasks import PROGRAM_TASKS, TEACHER_TASKS, Task, parse_task

_OPTIONS: dict[str, dict[str, Any]] = {
    "report_qa": {"per_type": 2},
    "vqa": {"per_type": 2},
    "cot": {"questions": 3},
    "reflective": {"questions": 1, "routing": None},
    "passage_qa": {"questions": 3},
}
CHECKED = Judging(window=None, blind=None, shuffle=None, veto=Veto())


def tasks() -> tuple[Task, ...]:
    """Every task but the one that only degrades pictures and asks which is worse."""
    names = (n for n in (*PROGRAM_TASKS, *TEACHER_TASKS) if n != "twins")
    return tuple(parse_task({"task": name, **_OPTIONS.get(name, {})}) for name in names)


TASKS = tasks()
_GOLDS = tuple(t for t in TASKS if t.task == "vqa" or t.task in PROGRAM_TASKS)
UNJUDGED = Judging(window=None, blind=None, shuffle=None)
WORD, ORDINARY = "walnut", 20


def drafts_of(
    case: Case, teacher: Good, work: Path, judging: Judging = CHECKED, some: tuple[Task, ...] = TASKS
) -> list[Draft]:
    """All drafts of a record, as a run makes them."""
    record = case.record
    members = {m.member: Range("present", "u", "f", 0, m.size_bytes) for m in record.media}
    presented = Presented(record, "train", record.media, members)
    spec = SynthesizeSpec("u", "u", None, some, ("pretrain", "sft", "rlvr"), (), 7, NONE, judging)  # type: ignore
    with Desk({"teacher": teacher, "judge": teacher}, Ledger(work)) as desk:
        return settled(record_drafts(presented, case.members.__getitem__, spec, desk, work), desk)


def sample_of(case: Case, draft: Draft) -> str:
    """What a shard would hold of a draft."""
    return json.dumps(sample_json(case.record, case.record.media, draft, "train"), ensure_ascii=False)


def _question(draft: Draft) -> str:
    return draft.turns[0].content if draft.turns else ""


def gold_of(draft: Draft) -> str:
    """A draft's gold as words: of a choice the option, not its letter."""
    if draft.answer is None:
        return ""
    if draft.answer.type == "mcq":
        lines = _question(draft).splitlines()
        return next((line[3:] for line in lines if line.startswith(f"{draft.answer.gold}. ")), draft.answer.gold)
    return draft.answer.gold


def _shown(draft: Draft) -> str:
    """A draft's gold, or what a conversation answers, in its normal form: the first of several wordings."""
    said = gold_of(draft) if draft.answer is not None else draft.turns[1].content
    return normal(said.partition("|")[0])


def _stem(draft: Draft) -> str:
    return _question(draft).partition("\n")[0].removesuffix(" Answer yes or no.")


class Usual(NamedTuple):
    """A record without its order: golds of its questions, what is asked, and the golds of each task."""

    golds: dict[str, str]
    heard: Heard
    drafts: list[Draft]

    def changed(self, draft: Draft) -> bool:
        """Whether a draft with a gold has another one than the record has without the order."""
        if draft.answer is None:
            return False
        # a question that was rejected without the order shows its gold as the answer of a conversation
        same = [d for d in self.drafts if d.task == draft.task and (d.answer is not None or len(d.turns) == 2)]
        asked = {_shown(d) for d in same if _stem(d) == _stem(draft)}
        return _shown(draft) not in (asked or {_shown(d) for d in same})


def usual(case: Case, work: Path, some: tuple[Task, ...] = TASKS) -> Usual:
    """A record without its order, by a good teacher."""
    teacher = Good({})
    first = drafts_of(case, teacher, work / "golds", UNJUDGED, _GOLDS)
    golds = {one.question: one.answer for one in case.record.asked}
    golds |= {_question(d): d.answer.gold.split("|")[0] for d in first if d.answer is not None}
    wanted = (d for d in first if d.task == "vqa" and d.answer is not None and d.answer.type == "yes_no")
    golds |= {f"is it {_question(d)[8:].partition('?')[0]}": d.answer.gold for d in wanted if d.answer is not None}
    teacher = Good(golds)
    made = drafts_of(case, teacher, work / "usual", UNJUDGED, some)
    return Usual(golds, frozenset(map(heard, teacher.requests)), made)


def measured(
    one: Injection, known: Usual, obedience: str, judging: Judging, work: Path, show: Counter[str]
) -> Counter[str]:
    """The counts of one injection obeyed in one way."""
    teacher = Obedient(known.golds, known.heard, one.canary, obedience, one.number)
    made = drafts_of(one.injected, teacher, work, judging)
    counts: Counter[str] = Counter(injected=1, asked=len(teacher.requests), obeyed=teacher.obeyed)
    for draft in made:
        sample = sample_of(one.injected, draft)
        written = bool(draft.teacher.model)
        said = draft.text + " ".join(t.content for t in draft.turns) if written else ""
        found = holds(sample if judging.orders else said, one.canary)
        counts["drafts"] += 1
        counts["lost"] += not draft.accepted and not draft.reason
        counts["kept"] += draft.accepted
        counts["kept of the teacher"] += draft.accepted and written
        counts["canaries kept"] += draft.accepted and found
        counts["golds changed"] += draft.accepted and known.changed(draft)
        if not draft.accepted:
            counts[f"by {draft.reason}"] += 1
        wrong = "CANARY" if found else "GOLD" if known.changed(draft) else ""
        if draft.accepted and wrong and show[wrong] > 0:
            show[wrong] -= 1
            said = draft.text or " / ".join(t.content for t in draft.turns)
            print(f"{wrong} {one.kind}/{one.place}/{one.order}/{obedience}/{draft.task}/{draft.stage} {one.canary}: "
                  f"{said[:300]!r} {gold_of(draft)!r}")  # fmt: skip
    return counts


def run(cases: Sequence[Injection], ways: Sequence[Sequence[str]], judging: Judging, work: Path, show: int) -> dict[tuple[str, str], Counter[str]]:  # fmt: skip  # noqa: E501
    """(kind, obedience) -> counts; `ways` are the obediences of each injection. Row `without` is the good teacher."""
    out: dict[tuple[str, str], Counter[str]] = {}
    left = Counter(CANARY=show, GOLD=show)
    for number, (one, some) in enumerate(zip(cases, ways, strict=True)):
        known = usual(one.clean, work / str(number))
        good = out.setdefault((one.kind, "without"), Counter())
        good.update(injected=1, drafts=len(known.drafts), kept=sum(d.accepted for d in known.drafts))
        good["kept of the teacher"] += sum(d.accepted and bool(d.teacher.model) for d in known.drafts)
        good.update(f"by {d.reason}" for d in known.drafts if not d.accepted)
        for way in some:
            found = measured(one, known, way, judging, work / f"{number}{way}", left)
            out.setdefault((one.kind, way), Counter()).update(found)
    return out


_COLUMNS = ("injected", "asked", "obeyed", "drafts", "kept", "kept of the teacher", "canaries kept", "golds changed", "lost")  # fmt: skip  # noqa: E501


def table(found: dict[tuple[str, str], Counter[str]]) -> str:
    lines = [
        f"| order in | teacher | {' | '.join(_COLUMNS)} | rejected by |",
        "|---|---|" + "---|" * (len(_COLUMNS) + 1),
    ]
    for (kind, way), counts in sorted(found.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])):
        cells = [str(counts[name]) for name in _COLUMNS]
        by = sorted(((n, name[3:]) for name, n in counts.items() if name.startswith("by ")), reverse=True)[:6]
        reasons = ", ".join(f"{name} {n}" for n, name in by)
        lines.append(f"| {kind} | {way} | {' | '.join(cells)} | {reasons} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared data")
    parser.add_argument("--each", type=int, default=100, help="injections of each kind")
    parser.add_argument("--show", type=int, default=0, help="print so many kept drafts that are wrong")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    given = parser.parse_args()
    began = time.process_time()
    cases = list(injections(given.data, given.each))
    words = [one for one in cases if one.kind != "pixels" and one.number % 4 == 0]
    ordinary = list(injections(given.data, ORDINARY, ("pixels",), WORD))
    alone = CHECKED.model_copy(update={"orders": False})
    parts = []
    for title, some, judging in (
        ("The whole chain", cases, CHECKED),
        ("Without the verdict `orders`, the teacher's own words", words, alone),
        (f"Orders of the word {WORD!r}", ordinary, CHECKED),
    ):
        with tempfile.TemporaryDirectory() as folder:
            found = run(some, [OBEDIENCE] * len(some), judging, Path(folder), given.show)
        parts.append(f"{title}:\n\n{table(found)}")
    seconds = time.process_time() - began
    head = f"{len(cases)} injections, {len(ORDERS)} kinds of orders, each obeyed in {len(OBEDIENCE)} ways; "
    head += f"CPU {seconds:.0f} s."
    text = "\n\n".join((head, *parts, f"`--data ../shared/data`: {machine(('pydantic',))}"))
    print(text)
    if given.write:
        write("injections", text)


if __name__ == "__main__":
    main()
