"""What a program can tell of a multiple choice, for the criteria of a rubric that name one; nobody is asked then.

    no_leak          the question names neither the right option nor a diagnosis that the facts state
    one_gold         no: the answer names no option, or two options are the same words. Yes: a program computed the
                     gold, and the wrong options beside it, from media or facts. Else open: another may be right too
    one_type         all options are quantities of one dimension, yes or no, or terms of one lexicon and nothing else;
                     no: dimensions differ, or some are quantities, modalities or yes and no, and others are known not
                     to be. Else open
    well_formed      the answer names one of the options, which are all different
    concise          the question has at most two sentences and 35 words
    forbidden_terms  the question says "caption" or "context"

Not covered: a diagnosis that only the source's text names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from manifests.record import Fact, Record
from manifests.sample import Answer, Draft, Turn
from synth.judging.checks import leak, meanings
from synth.judging.criteria import ProgramName
from synth.judging.questions import Choice, choice_of, question_of
from synth.lexicon import find, terms_in, words_of
from synth.quantities import quantities, unit_factor

MOST_SENTENCES, MOST_WORDS = 2, 35
_SAID = re.compile(r"(?:<answer>)?\s*\(?([A-Z])(?:[.):]|\s*(?:</answer>)?\s*$)")
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FORBIDDEN = re.compile(r"\b(?:captions?|contexts?)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[.?!](?=\s|$)")
_SPAN = re.compile(r"^(?:span|digest)\(")  # proofs that quote the source's own question and answer
_TOLD = frozenset({"quantity", "modality", "yes_no"})  # kinds that are no other kind in other words
_ARTICLES = frozenset({"the", "a", "an"})
_SMALL = _ARTICLES | {"of", "and", "left", "right"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A draft that asks one multiple choice: `place` of its gold among the options, -1 where it names none."""

    record: Record
    draft: Draft
    choice: Choice
    place: int

    @property
    def stem(self) -> str:
        return self.choice.stem.strip()


def asked_of(record: Record, draft: Draft) -> Asked | None:
    """The one multiple choice that a draft asks, or None: no lettered options, or more than one answer."""
    said = [turn.content for turn in draft.turns if turn.role == "assistant"]
    choice = choice_of(question_of(draft))
    if choice is None or len(said) > 1:
        return None
    if draft.answer is not None:
        letter = draft.answer.gold.strip().upper() if draft.answer.type == "mcq" else ""
    else:
        found = _SAID.match(_THOUGHT.sub("", said[0]).strip()) if said else None
        letter = found[1] if found else ""
    place = ord(letter) - ord("A") if len(letter) == 1 else -1
    return Asked(record, draft, choice, place if 0 <= place < len(choice.options) else -1)


def no_leak(asked: Asked) -> bool:
    golds = [asked.choice.options[asked.place]] if asked.place >= 0 else []
    golds += [fact.value for fact in asked.record.facts if _is_diagnosis(fact)]
    question = (Turn("user", asked.stem),)
    drafts = (replace(asked.draft, turns=question, answer=Answer("label", g, "label")) for g in golds)
    return not any(found and found.reason for found in (leak(asked.record, draft) for draft in drafts))


def _is_diagnosis(fact: Fact) -> bool:
    return fact.name == "diagnosis" or (fact.name == "label" and bool(terms_in(fact.value, "findings")))


def well_formed(asked: Asked) -> bool:
    said = [" ".join(w for w in o.casefold().rstrip(".").split() if w not in _ARTICLES) for o in asked.choice.options]
    return asked.place >= 0 and len(set(said)) == len(said)


def one_gold(asked: Asked) -> bool | None:
    if not well_formed(asked):
        return False
    # Words of one meaning may be one thing (CT, computed tomography) or two (lunate, scaphoid): that is for the judge.
    alike = len({tuple(meanings(option)) for option in asked.choice.options}) < len(asked.choice.options)
    computed = any(not _SPAN.match(proof.call) for proof in asked.draft.proofs)
    return True if computed and not alike and not asked.draft.teacher.model else None


def one_type(asked: Asked) -> bool | None:
    options = asked.choice.options
    kinds = [_kind(option) for option in options]
    if all(kinds) and len(set(kinds)) == 1:
        return kinds[0] != "quantity" or _one_dimension({q.unit for o in options for q in quantities(o, words=None)})
    known = {kind for kind in kinds if kind}
    if "quantity" in known and not all(quantities(option) for option in options):
        return False
    return False if len(known) > 1 and known & _TOLD else None


def _kind(option: str) -> str:
    """What an option is and nothing else: `quantity`, `yes_no` or the name of a lexicon; "" where that is not told."""
    if option.strip(" .").lower() in ("yes", "no"):
        return "yes_no"
    if re.match(r"\W*\d", option) and quantities(option, words=None):
        return "quantity"
    words = words_of(option)
    for lexicon, terms in find(option, words).items():
        inside = (any(t.start <= w.start and w.end <= t.end for t in terms) for w in words if w.low not in _SMALL)
        if terms and all(inside):
            return lexicon
    return ""


def _one_dimension(units: set[str]) -> bool:
    first, *others = sorted(units)
    return all(unit_factor(one, first) is not None for one in others)


def concise(asked: Asked) -> bool:
    return len(_SENTENCE.findall(asked.stem)) <= MOST_SENTENCES and len(asked.stem.split()) <= MOST_WORDS


def forbidden_terms(asked: Asked) -> bool:
    return _FORBIDDEN.search(asked.stem) is not None


PROGRAMS: Mapping[ProgramName, Callable[[Asked], bool | None]] = MappingProxyType(
    {
        "no_leak": no_leak,
        "one_gold": one_gold,
        "one_type": one_type,
        "well_formed": well_formed,
        "concise": concise,
        "forbidden_terms": forbidden_terms,
    }
)


def decided(program: ProgramName, asked: Asked | None) -> bool | None:
    """Whether a criterion holds as its program finds, or None where that is for a judge: of what asks no multiple
    choice a program tells nothing."""
    return None if asked is None else PROGRAMS[program](asked)
