"""Questions about a clip's times and orders: when an event starts and ends, which of two is first, how many, in which
order, what goes on at a time, and where its cuts are; gold from the `event` and cut facts of its source.

Times are seconds from the clip's first frame. An event is asked about only where a shown frame lies in it, a cut only
where the frames shown are near enough to each other to tell it; a time may be off by the longest gap between them.
`event` facts have what happens in `about` and `12.5` or `12.5-18.0` as their value (`synth.fact_programs`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Media, Record
from manifests.sample import Answer, Draft, Proof, Turn
from synth.calls import call_text, format_number
from synth.fact_programs import Event, event_facts
from synth.media_words import ANSWERS, QUESTIONS
from synth.proofs import MediaView, prove
from synth.tasks.common import finish, for_gold, pick, seeded, shuffled
from synth.tasks.region import lettered
from synth.tasks.seen import is_clip
from synth.verify import no_leak

ORDINALS = ("first", "second", "third", "fourth", "fifth")
_ORDERED = range(3, 6)  # how many events an order is asked of
_MOST_EVENTS = 64
_NEAR = 0.5  # s between shown frames beyond which a cut is not told from motion
_LETTER = "Answer with the letter of the right option."


class VideoQa(Config):
    """`tolerance_s`: by how much a time may be off, or the longest gap between shown frames where that is more."""

    task: Literal["video_qa"] = "video_qa"
    max_questions: int = Field(default=6, ge=1, le=32)
    tolerance_s: float = Field(default=0.5, gt=0, le=60)


class _Said(NamedTuple):
    question: str
    answer: str
    proof: Proof
    gold: Answer
    hint: str
    options: str = ""
    leak: str = ""


class _Clip(NamedTuple):
    record: Record
    view: MediaView
    media: Media
    times: tuple[float, ...]
    tolerance: float
    seed: int

    def words(self, family: str, *parts: str) -> tuple[str, str]:
        key = (self.record.key, family, *parts)
        question = pick(QUESTIONS[family], self.seed, *key, "question")
        return question, pick(ANSWERS.get(family, ("",)), self.seed, *key, "answer")

    @property
    def gap(self) -> float:
        """The longest time from one shown frame to the next."""
        return max((b - a for a, b in itertools.pairwise(self.times)), default=0.0)


def drafts(record: Record, view: MediaView, config: VideoQa, seed: int) -> list[Draft]:
    """One conversation (sft) and one prompt per question (rlvr); none for what is no clip, or has no times."""
    media = next((m for m in view.media if m.kind == "video"), None)
    if media is None or not is_clip(view) or len(media.times_s or ()) < 2:
        return []
    times = media.times_s or ()
    gap = max(b - a for a, b in itertools.pairwise(times))
    if not 0 <= times[0] <= gap:  # what is shown begins elsewhere, so nobody can count from the first frame
        return []
    clip = _Clip(record, view, media, times, max(config.tolerance_s, round(gap, 2)), seed)
    turns: list[Turn] = []
    proofs: list[Proof] = []
    prompts: list[Draft] = []
    for one in itertools.islice(_asked(clip), config.max_questions):
        asked = "\n".join(part for part in (one.question, one.options) if part)
        proofs.append(Proof(len(turns) + 1, one.proof.call, one.proof.value, one.proof.unit))
        turns += [Turn("user", asked), Turn("assistant", one.answer)]
        leak = (no_leak(one.question, one.leak, -1),) if one.leak else ()
        prompt = Draft(
            record.key, "rlvr", "video_qa", len(prompts), (Turn("user", f"{asked}\n{one.hint}"),), "", one.gold,
            (for_gold(one.proof),), leak,
        )  # fmt: skip
        prompts.append(finish(prompt))
    if not turns:
        return []
    return [finish(Draft(record.key, "sft", "video_qa", 0, tuple(turns), proofs=tuple(proofs))), *prompts]


def plain(name: str) -> str:
    """An event's name as it is spoken."""
    return name.replace("_", " ").strip()


def _seen(clip: _Clip) -> list[Event]:
    """The events in which a shown frame lies; a moment has one at most half a gap away."""
    slack = clip.gap / 2
    events = event_facts(clip.view.facts)[:_MOST_EVENTS]
    return [e for e in events if any(e.start - slack <= t <= e.end + slack for t in clip.times)]


def _asked(clip: _Clip) -> Iterator[_Said]:
    """Questions in a seeded order, families by turns."""
    events = _seen(clip)
    every = event_facts(clip.view.facts)
    once = [e for e in events if sum(1 for other in every if other.name == e.name) == 1]
    makers = (
        *((_time, (e, edge)) for e in once for edge in ("event_start", "event_end", "event_span", "event_duration")),
        *((_first, pair) for pair in itertools.combinations(once[:16], 2)),
        *((_count, (name,)) for name in dict.fromkeys(e.name for e in events) if set(events) == set(every)),
        *((_at, (e,)) for e in events),
        *(((_order, (once,)),) if len(once) == len(every) in _ORDERED else ()),
        *((_cut, (number,)) for number in range(len(ORDINALS) + 1)),
    )
    ranked = []
    nth: dict[str, int] = {}
    for maker, args in sorted(makers, key=lambda m: seeded(clip.seed, clip.record.key, m[0].__name__, repr(m[1]))):
        family = f"{maker.__name__} {args[1] if maker is _time else ''}"
        nth[family] = nth.get(family, 0) + 1
        ranked.append((nth[family], seeded(clip.seed, clip.record.key, family), maker, args))
    for _, _, maker, args in sorted(ranked, key=lambda item: item[:2]):
        try:
            said = maker(clip, *args)
        except VerificationError:
            continue
        if said is not None:
            yield said


def _time(clip: _Clip, event: Event, family: str) -> _Said | None:
    moment = event.start == event.end
    if moment and family != "event_start":
        return None
    args = {"event": event.name}
    if family in ("event_start", "event_end"):
        proof = prove(call_text("time_of", {**args, "edge": family.removeprefix("event_")}), clip.view, 1)
    else:
        proof = prove(call_text("span_of" if family == "event_span" else "event_duration_s", args), clip.view, 1)
    question, answer = clip.words(family, event.name)
    words = {"a": plain(event.name), "v": proof.value}
    gold = Answer("time", proof.value, "time", unit="s", tolerance=clip.tolerance)
    hint = (
        "Answer with the start and the end, in seconds, as 1.00-2.00."
        if family == "event_span"
        else "Answer in seconds."
    )
    return _Said(question.format(**words), answer.format(**words), proof, gold, hint, leak=proof.value)


def _first(clip: _Clip, a: Event, b: Event) -> _Said | None:
    if abs(a.start - b.start) <= clip.gap:
        return None
    if seeded(clip.seed, clip.record.key, a.name, b.name) % 2:
        a, b = b, a
    proof = prove(call_text("first_of", {"a": a.name, "b": b.name}), clip.view, 1)
    question, answer = clip.words("event_first", a.name, b.name)
    words = {"a": plain(a.name), "b": plain(b.name), "v": plain(proof.value)}
    gold = Answer("label", "|".join(dict.fromkeys((words["v"], proof.value))), "label")
    return _Said(question.format(**words), answer.format(**words), proof, gold, "Answer with one of the two.")


def _count(clip: _Clip, name: str) -> _Said:
    proof = prove(call_text("event_count", {"event": name}), clip.view, 1)
    question, answer = clip.words("event_count", name)
    words = {"a": plain(name), "v": proof.value, "s": "" if proof.value == "1" else "s"}
    gold = Answer("number", proof.value, "number")
    return _Said(question.format(**words), answer.format(**words), proof, gold, "Answer with a whole number.")


def _at(clip: _Clip, event: Event) -> _Said | None:
    inside = [t for t in clip.times if event.start < t < event.end]
    if not inside:
        return None
    time = format_number(inside[len(inside) // 2], 2)
    proof = prove(call_text("event_at", {"time": time}), clip.view, 1)
    names = {plain(e.name) for e in event_facts(clip.view.facts)} - {plain(proof.value)}
    question, answer = clip.words("event_at", event.name, time)
    asked = question.format(t=time)
    wrong = shuffled(sorted(names), clip.seed, clip.record.key, time)
    said = plain(proof.value)
    if len(wrong) < 3:
        gold = Answer("label", "|".join(dict.fromkeys((said, proof.value))), "label")
        return _Said(asked, answer.format(v=said), proof, gold, "Answer with its name only.", leak=said)
    options, right = lettered(said, wrong, clip.seed, clip.record.key, "at", time)
    return _Said(asked, f"{right.gold}. {said}", proof, right, _LETTER, options, said)


def _order(clip: _Clip, events: Sequence[Event]) -> _Said | None:
    if any(b.start - a.start <= clip.gap for a, b in itertools.pairwise(events)):
        return None
    proof = prove(call_text("event_order"), clip.view, 1)
    names = proof.value.split("; ")
    every = ["; ".join(order) for order in itertools.permutations(names)]
    wrong = shuffled([text for text in every if text != proof.value], clip.seed, clip.record.key, "orders")
    options, right = lettered(plain(proof.value), [plain(text) for text in wrong], clip.seed, clip.record.key, "order")
    question, _ = clip.words("event_order")
    return _Said(question, f"{right.gold}. {plain(proof.value)}", proof, right, _LETTER, options)


def _cut(clip: _Clip, number: int) -> _Said | None:
    """How many cuts (0), or when one of them is; only where nearly all frames are shown."""
    if clip.gap > _NEAR:
        return None
    if number:
        proof = prove(call_text("cut_time", {"number": str(number)}), clip.view, 1)
        question, answer = clip.words("cut_time", str(number))
        words = {"n": ORDINALS[number - 1], "v": proof.value}
        gold = Answer("time", proof.value, "time", unit="s", tolerance=clip.tolerance)
        return _Said(question.format(**words), answer.format(**words), proof, gold, "Answer in seconds.")
    proof = prove(call_text("label", {"fact": "cut_count"}), clip.view, 1)
    if not proof.value.isdigit():
        return None
    question, answer = clip.words("cut_count")
    words = {"v": proof.value, "s": "" if proof.value == "1" else "s"}
    return _Said(
        question, answer.format(**words), proof, Answer("number", proof.value, "number"), "Answer with a number."
    )
