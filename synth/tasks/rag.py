"""rag: questions behind passages that were found for them, with answers that say which passages bear them out.

The passages are candidates of the stage `retrieve` (`curate.retrieve`), the best first, numbered and with the name of
their source. What is asked are the source's own questions, and of what is shown whether a finding is there.

    supported   a passage says the answer: it states the finding or the gold's words, denies what the facts deny, or is
                the context that the source asks about. The answer names it
    opposed     passages say otherwise, as those of other patients may: the answer is the facts', and names them too
    silent      no passage tells: what is shown, or the choice of options, does; a question about texts alone is
                answered `not stated`

From the share `without` of the questions, by a seeded hash, the passages that would support the answer are taken away,
so that a model learns when not to use passages. As many are shown as `passages` allows; the list ends where a score is
less than `min_ratio` of the one before (the drop of similarity of MMed-RAG, arXiv 2410.13085, as a ratio). A passage
that gives an order to a model is never shown.

Each answer is proven: the source's by `span` or `digest`, the facts' by `shows`, what passages say by programs of
`synth.passage_programs`. Each becomes a conversation (sft) and, where it can be verified, a prompt (rlvr). Not covered:
whether the source or a passage is right; answers that several passages make together.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Answer, Draft, Passage, Proof, Turn, Verdict
from synth.orders import order_in
from synth.passage_programs import (
    BY_MEDIA,
    CITE,
    CLOSED,
    DECIDE,
    LEAD,
    NONE,
    NOT_STATED,
    SILENT,
    STATED,
    answers,
    block,
    findings_of,
    names,
    said_of,
    tail,
)
from synth.proofs import MediaView, call_text, prove
from synth.tasks.common import finish, for_gold, seeded, shuffled, source_verdict
from synth.tasks.posing import LETTER_HINT, Posed, answer_proof, digest_proof, posed, shown
from synth.tasks.seen import as_shown

COVERED = 0.6  # of a record's text that its own passages hold, where its answer follows from the text as a whole
DECISIONS = frozenset({"yes", "no", "maybe"})
LONGEST = 300  # characters of an answer that is looked for in passages
_NOUNS = {"image": "image", "volume": "scan", "video": "clip"}


class Rag(Config):
    """At most `questions` of a record are asked of each kind, behind at most `passages`."""

    task: Literal["rag"] = "rag"
    passages: int = Field(default=3, ge=1, le=16)
    min_ratio: float = Field(default=0.5, ge=0, le=1)
    without: float = Field(default=0.25, ge=0, le=1)
    questions: int = Field(default=4, ge=1, le=64)
    max_label_words: int = Field(default=4, ge=1, le=20)
    tolerance: float = Field(default=0.01, ge=0, lt=1)


class _Said(NamedTuple):
    """A question with what its passages say: the words of both prompts, the answer with its proofs (of turn 1; of the
    question's own words of turn 0), and how it is supported."""

    question: str
    hint: str  # of an RLVR prompt, and before `CITE`
    head: str
    end: str
    proofs: tuple[Proof, ...]
    gold: Answer | None
    how: Literal["supported", "opposed", "silent"]
    view: MediaView
    members: tuple[str, ...]
    before: str = ""


Helps = Callable[[Passage], bool]


def drafts(record: Record, view: MediaView, config: Rag, seed: int) -> list[Draft]:
    """A conversation and a prompt for each question for which passages were found."""
    if not view.retrieved:
        return []
    asking = [*_of_facts(record, view, config, seed), *_of_source(record, view, config, seed)]
    out, parts = list[Draft](), {"sft": 0, "rlvr": 0}
    for said in asking:
        for draft in _drafts_of(record, said):
            out.append(finish(dataclasses.replace(draft, part=parts[draft.stage])))
            parts[draft.stage] += 1
    return out


def _drafts_of(record: Record, said: _Said) -> Iterator[Draft]:
    passages = said.view.passages
    told = "\n".join(block(p) for p in passages)
    prompt = f"{said.before}{LEAD}\n{told}\n\n{said.question}\n"
    shows = tuple(prove(call_text("passage", {"number": str(p.number)}), said.view, 0) for p in passages)
    support = Verdict(1, "support", True, float(said.how == "supported"), f"{said.how}: {said.end}"[:200])
    gold = source_verdict(1, "the answer is the source's own")
    common = Draft(record.key, "sft", "rag", 0, passages=passages, shows=said.members)
    ask = CITE if said.hint == LETTER_HINT else f"{said.hint} {CITE}".strip()
    turns = (Turn("user", prompt + ask), Turn("assistant", f"{said.head}\n{said.end}"))
    yield dataclasses.replace(common, turns=turns, proofs=(*shows, *said.proofs), verdicts=(gold, support))
    if said.gold is not None:
        proven = tuple(for_gold(p) for p in said.proofs if p.turn)
        moved = tuple(dataclasses.replace(v, turn=-1) for v in (gold, support))
        yield dataclasses.replace(
            common, stage="rlvr", turns=(Turn("user", (prompt + said.hint).strip()),), answer=said.gold,
            proofs=(*shows, *proven), verdicts=moved,
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------------ which passages
def _tries(record: Record, config: Rag, seed: int, asks: str) -> tuple[bool, ...]:
    """Whether passages that help are taken away, first and, where nothing comes of it, then."""
    place = seeded(seed, record.key, "rag", asks) / 2**64
    return (True,) if place < config.without else (False, True)


def _with_passages(view: MediaView, asks: int, config: Rag, gone: Helps | None) -> MediaView:
    """The view of a sample: the best passages, those left out that would help."""
    chosen: list[Passage] = []
    for found in (r.passage for r in view.retrieved if r.asks == asks):
        if (gone is not None and gone(found)) or _orders(found.text):
            continue
        if len(chosen) == config.passages or (chosen and found.score < config.min_ratio * chosen[-1].score):
            break
        chosen.append(dataclasses.replace(found, number=len(chosen) + 1))
    return dataclasses.replace(view, passages=tuple(chosen))


@functools.lru_cache(maxsize=4096)
def _orders(text: str) -> bool:
    return order_in(text) is not None


def _call(view: MediaView, name: str, args: Mapping[str, str] = MappingProxyType({})) -> Proof:
    return prove(call_text(name, args), view, 1)


# -------------------------------------------------------------------------------------------------- what facts decide
def _of_facts(record: Record, view: MediaView, config: Rag, seed: int) -> Iterator[_Said]:
    if record.kind not in _NOUNS:
        return
    known = findings_of(as_shown(record, view).facts)
    for name in shuffled(list(known), seed, record.key, "rag")[: config.questions]:
        says = "stated" if known[name] == "yes" else "denied"
        for without in _tries(record, config, seed, name):
            gone = functools.partial(_helps, name, says) if without else None
            said = _shown(record, _with_passages(view, 0, config, gone), name, known[name])
            if said is not None:
                yield said
                break


def _helps(words: str, says: str, found: Passage) -> bool:
    """Whether a passage would bear the answer out, or speaks of it in a way that nothing proves."""
    said = said_of(found.text, words)
    return found.own or said == says or (said == "neither" and names(found.text, words))


def _shown(record: Record, view: MediaView, name: str, gold: str) -> _Said | None:
    """Whether a finding is there: yes or no by the facts, beside what passages say of it. None where passages speak of
    it in a way that nothing proves, or the record's own words are against its facts."""
    if not view.passages:
        return None
    says = ("stated", "denied") if gold == "yes" else ("denied", "stated")
    own = [said_of(p.text, name) for p in view.passages if p.own]
    try:
        fact = _call(view, "shows", {"finding": name})
        told = [_call(view, "told_by", {"text": name, "says": one}) for one in says]
        agree, differ = told[0].value, told[1].value
        silent = agree == differ == NONE
        if silent:
            told = [_call(view, "told_by", {"text": name, "says": "named"})]
    except VerificationError:
        return None
    if says[1] in own or (silent and (own or told[0].value != NONE)):
        return None
    members, before = shown(view, record.kind, [])
    several = "s" if sum(m.kind == "image" for m in view.media) > 1 else ""
    return _Said(
        question=f"{'Do' if several else 'Does'} the {_NOUNS[record.kind]}{several} show {name}?",
        hint=CLOSED,
        head="Yes." if gold == "yes" else "No.",
        end=tail(agree, differ, BY_MEDIA),
        proofs=(fact, *told),
        gold=Answer("yes_no", gold, "yes_no"),
        how="silent" if silent else "supported" if agree != NONE else "opposed",
        view=view,
        members=members,
        before=before,
    )


# ------------------------------------------------------------------------------------------------- what a source asks
def _of_source(record: Record, view: MediaView, config: Rag, seed: int) -> Iterator[_Said]:
    numbers = {str(r.asks) for r in view.retrieved if r.asks}
    for number in sorted(map(int, shuffled(sorted(numbers), seed, record.key, "rag")[: config.questions])):
        one = view.asked[number - 1]
        decides = {o.strip().lower() for o in (*one.options, one.answer)} <= DECISIONS
        plain = dataclasses.replace(one, options=()) if decides else one
        put = posed(plain, number, seed, record.key, config.max_label_words, config.tolerance)
        if put.flaw or len(one.answer.strip()) > LONGEST * (1 if put.gold else 10):
            continue
        for without in _tries(record, config, seed, str(number)):
            gone = functools.partial(answers, question=one.question, answer=one.answer) if without else None
            said = _asked(record, _with_passages(view, number, config, gone), put, decides)
            if said is not None:
                yield said
                break


def _asked(record: Record, view: MediaView, put: Posed, decides: bool) -> _Said | None:
    """A question of the source behind its passages; None where they may tell something that nothing proves."""
    if not view.passages:
        return None
    text_alone = record.kind == "text"
    try:
        proof = _told(record, view, put, decides)
    except VerificationError:
        return None
    fields = ("question", "options") if put.lettered else ("question",)
    asking = tuple(digest_proof(field, put.number, view, 0) for field in fields)
    members, before = shown(view, record.kind, [put.number])
    closed = CLOSED if put.gold is not None and put.gold.type == "yes_no" else ""
    hint = LETTER_HINT if put.lettered else closed if not text_alone else DECIDE if decides else STATED
    silent = proof.value in (NONE, NOT_STATED)
    said = _Said(
        question=put.question,
        hint=hint,
        head=put.said,
        end=(SILENT if text_alone else BY_MEDIA) if silent else tail(proof.value, NONE),
        proofs=(*asking, answer_proof(view.asked[put.number - 1], put.number, view, 1), proof),
        gold=_gold(put, decides, text_alone),
        how="silent" if silent else "supported",
        view=view,
        members=members,
        before=before,
    )
    if not silent or not text_alone or put.lettered:
        return said
    gold = None if said.gold is None else Answer("label", NOT_STATED, "label", options=said.gold.options)
    return said._replace(head="Not stated.", proofs=(*asking, proof), gold=gold)


def _told(record: Record, view: MediaView, put: Posed, decides: bool) -> Proof:
    """Which passages say the answer, by its words, or as the text that the source asks about, where most of that is
    shown; or that none does. Raises `VerificationError` where that is not known."""
    one = view.asked[put.number - 1]
    by_words = not decides and put.gold is not None
    if by_words:
        told = _call(view, "told_by", {"text": one.answer.strip(), "says": "stated"})
        if told.value != NONE:
            return told
    held = sum(p.end - p.start for p in view.passages if p.record == record.key)
    if record.kind == "text" and held and held >= COVERED * len(view.text.strip()):
        return _call(view, "own_passages")
    return _call(view, "unanswered", {"number": str(put.number)})


def _gold(put: Posed, decides: bool, text_alone: bool) -> Answer | None:
    """What is verified: a decision about texts may also be that they do not say."""
    if decides and text_alone:
        return Answer("label", put.said.strip().lower(), "label", options="|".join((*sorted(DECISIONS), NOT_STATED)))
    return put.gold
