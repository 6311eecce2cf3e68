"""The checks that ask nobody: the question does not hold its answer, no identifier, no dose without a source, and a
verifier that may reward.

`leak` reads question and gold as words in singular, with the words of `synth.lexicon` by their meaning (renal and
kidney, CT and computed tomography), and numbers as quantities (14.2 cL is 142 mL). An answer that the question offers
beside others ("left or right", "liver, spleen or kidney") is no leak, and neither is one inside a passage of the source
that the question shows, or one that was found for it (`Draft.passages`). Not covered: an answer in words that the
lexicons do not know to be the same.

`identifiers` and `policy` look at what a teacher wrote, and let pass what stands in the record itself: the sources'
own identifiers are another matter (`curate.sweep`). Uncertainty is judged by `synth.verify.faithfulness`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from manifests.record import Record, parts_of
from manifests.sample import Answer, Draft, Passage
from synth.judging.questions import Finding, choice_of, finding, question_of
from synth.lexicon import find, words_of
from synth.passage_programs import without_passages
from synth.quantities import Quantity, quantities, unit_factor, unit_name
from synth.verifiers import rewarding
from synth.verify import verify_answer

# ---------------------------------------------------------------------------------------------------------- rewarding


def rewarded(draft: Draft) -> Finding | None:
    """The verdict `rewarding` of a draft for RLVR (reason `verifier_not_rewarding`); None for any other. A gold that
    its own verifier refuses, such as a label that is a question, earns nobody a reward either."""
    if draft.stage != "rlvr":
        return None
    name = draft.answer.verifier if draft.answer is not None else ""
    good = rewarding(name)
    told = f"verifier {name or 'none'}"
    if good and draft.answer is not None and not _earns(draft.answer):
        good, told = False, f"verifier {name} refuses the gold"
    return finding("rewarding", "" if good else "verifier_not_rewarding", float(good), told)


def _earns(answer: Answer) -> bool:
    golds = answer.gold.split("|") if answer.type == "label" else [answer.gold]
    return all(verify_answer(f"{gold} {answer.unit}".strip(), answer).passed for gold in golds)


# --------------------------------------------------------------------------------------------------------------- leak
Token: TypeAlias = frozenset[str]  # the meanings of one word or term; a mark is its own meaning

_WORD = re.compile(r"[^\W_]+(?:[.'’-][^\W_]+)*|[,;:.?!\n]")
_VERSUS = re.compile(r"\bvs\.", re.IGNORECASE)
_ARTICLES = frozenset({"the", "a", "an"})
# Forms by which a lexicon knows a technique, and which say more than its name does.
_NARROWER = frozenset(
    {"flair", "mra", "mrv", "mrcp", "fmri", "cta", "ctpa", "hrct", "cbct", "ncct", "cect", "mdct", "tomosynthesis"}
)
_OR = frozenset({"or", "versus", "vs", "either", "nor"})
_LISTING = frozenset(
    {"segmented", "labelled", "labeled", "marked", "outlined", "listed", "option", "candidate", "choice"}
)
_STOPS = frozenset({".", "?", "!", "\n"})
# Their questions may name what is chosen from, or show where it is taken from.
_FREE = frozenset({"yes_no", "set", "ordered_list", "mask", "span"})
_NUMERIC = frozenset({"number", "numbers", "angle", "range", "box"})
_PASSAGE = 80  # characters of a line that stands in the source: it is shown, not asked
_ALTERNATIVE = 4  # words that one of several offered answers may have
_REACH = 60  # words and commas of a list of offered answers
_SHORT = 6  # words of an answer in a conversation that is looked for in its question


def leak(record: Record, draft: Draft) -> Finding | None:
    """The verdict `leak` of a draft that asks something with a short answer; None for any other."""
    pairs = list(_pairs(draft))
    if not pairs:
        return None
    shown = " ".join(record.text.split())
    for question, golds, answer in pairs:
        asked = _without_passages(question, shown, draft.passages)
        for gold in golds:
            if _holds_number(asked, gold, answer) or _holds_words(asked, gold, answer):
                return finding("leak", "leak", 0.0, f"{gold[:80]!r} stands in the question")
    return finding("leak", "", 1.0, "the answer does not stand in the question")


def _pairs(draft: Draft) -> Iterator[tuple[str, tuple[str, ...], Answer | None]]:
    """(question, its right answers, the gold) of a draft; of a multiple choice the text before its options."""
    if draft.answer is not None:
        if draft.answer.type not in _FREE:
            yield (*_asked(question_of(draft), draft.answer), draft.answer)
        return
    if not draft.teacher.model:
        return  # programs judge their own questions
    for asked, said in zip(draft.turns, draft.turns[1:], strict=False):
        words = said.content.split()
        short = asked.role == "user" and said.role == "assistant" and 0 < len(words) <= _SHORT
        if short and words[0].lower().strip(".,") not in ("yes", "no"):
            yield asked.content, (said.content,), None


def _asked(question: str, answer: Answer) -> tuple[str, tuple[str, ...]]:
    choice = choice_of(question)
    if answer.type != "mcq" or choice is None:
        return question, tuple(filter(None, answer.gold.split("|")))
    place = ord(answer.gold.strip().upper()[:1] or "?") - ord("A")
    golds = choice.options[place : place + 1] if 0 <= place < len(choice.options) else ()
    return choice.stem, golds


def _without_passages(question: str, shown: str, found: Sequence[Passage]) -> str:
    question = without_passages(question, found)  # they are there to hold the answer
    lines = (" ".join(line.split()) for line in question.split("\n"))
    return "\n".join(line for line in lines if len(line) < _PASSAGE or line not in shown)


def _holds_number(question: str, gold: str, answer: Answer | None) -> bool:
    """Whether every number of a numeric gold stands in the question, in any unit of its kind. A number without a unit
    counts from three digits on: small ones are sizes of something else too often."""
    if answer is not None and answer.type not in _NUMERIC:
        return False
    wanted = quantities(gold, words=None)
    unit = unit_name(answer.unit) if answer is not None else ""
    asked = quantities(question, words=None)
    return bool(wanted) and all(any(_same(q, one, unit or q.unit) for one in asked) for q in wanted)


def _same(gold: Quantity, asked: Quantity, unit: str) -> bool:
    factor = unit_factor(asked.unit, unit) if unit and asked.unit else 1.0 if unit == asked.unit else None
    digits = len(re.sub(r"\D", "", asked.token).lstrip("0"))
    if factor is None or (not unit and digits < 3):
        return False
    return abs(asked.value * factor - gold.value) <= 1e-6 * abs(gold.value)


def _holds_words(question: str, gold: str, answer: Answer | None) -> bool:
    if answer is not None and answer.type in _NUMERIC:
        return False
    wanted = [token for token in meanings(gold) if not token & (_ARTICLES | _STOPS | {","})]
    if not wanted or wanted in ([frozenset({"yes"})], [frozenset({"no"})]):
        return False
    asked = [token for token in meanings(question) if not token & _ARTICLES]
    size = len(wanted)
    places = (n for n in range(len(asked) - size + 1) if all(asked[n + k] & wanted[k] for k in range(size)))
    return any(not _offered(asked, place, place + size) for place in places)


def meanings(text: str) -> list[Token]:
    """A text as words in singular, lower case, with terms of the lexicons as what they mean, and marks."""
    text = _VERSUS.sub("vs ", text)
    terms = sorted(
        (term.start, -term.end, f"{lexicon}:{name}")
        for lexicon, some in find(text, words_of(text)).items()
        for term in some
        if text[term.start : term.end].lower() not in _NARROWER
        for name in term.name.split("|")
    )
    out: list[Token] = []
    at = 0
    end_of_term = -1
    for match in _WORD.finditer(text):
        while at < len(terms) and terms[at][0] < match.start():
            at += 1
        if match.start() < end_of_term:
            continue
        here = [term for term in terms[at:] if term[0] == match.start()]
        if here:
            longest = min(term[1] for term in here)
            end_of_term = -longest
            out.append(frozenset(term[2] for term in here if term[1] == longest))
        else:
            out.append(frozenset({_singular(match[0].casefold())}))
    return out


def _singular(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _offered(asked: Sequence[Token], start: int, end: int) -> bool:
    """Whether a place is one of several that are offered: "or" is near in its sentence, or behind commas; "and" in a
    sentence that lists what there is to choose from ("Segmented are the liver and the spleen.")."""
    before, behind = asked[max(0, start - _REACH) : start][::-1], asked[end : end + _REACH]
    said = list(itertools.takewhile(lambda token: not token & _STOPS, before))
    joins = _OR | {"and"} if said and said[-1] & _LISTING else _OR
    return _reaches(behind, joins) or _reaches(before, joins)


def _reaches(tokens: Sequence[Token], joins: frozenset[str]) -> bool:
    since = 0
    for token in tokens:
        if token & joins:
            return True
        if token & _STOPS or since > _ALTERNATIVE:
            return False
        since = 0 if "," in token else since + 1
    return False


# -------------------------------------------------------------------------------------------------------- identifiers
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:19|20)\d\d"
_NAME = r"[A-Z][a-z]+(?:[-'’ ][A-Z][a-z]+)*"
IDENTIFIERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "date",
        re.compile(
            rf"\b{_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])\b|\b\d{{1,2}}[-/.]\d{{1,2}}[-/.]{_YEAR}\b"
            rf"|\b\d{{1,2}}/\d{{1,2}}/\d\d\b|\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}\b"
            rf"|\b{_MONTH}\s+(?:\d{{1,2}}(?:st|nd|rd|th)?,?\s+)?{_YEAR}\b",
            re.IGNORECASE,
        ),
    ),
    ("address", re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")),
    (
        "phone",
        re.compile(r"(?<![\w.,])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\)[ .-]?|\d{2,5}[ .-])\d{3,4}[ .-]\d{3,4}(?![\w.,]\d)"),
    ),
    (
        "number",
        re.compile(
            r"\b(?:MRN|medical\s+record|patient\s+(?:id|number|no)|accession|SSN|NHS|identifier)\b[\s:#.]*"
            r"(?:(?:number|no|id)\b[\s:#.]*)?(?:is\s+)?(?=[\w-]*\d)[\w-]{3,}|\b\d{3}-\d{2}-\d{4}\b|(?<![\w.,-])\d{6,}(?![\w.]\d)",
            re.IGNORECASE,
        ),
    ),
    (
        "name",
        re.compile(
            rf"\b(?:Dr|Mr|Mrs|Ms|Miss|Prof|Professor|Doctor)\b\.?\s+{_NAME}"
            rf"|(?i:\b(?:patient(?:'s)?\s+name|name\s+of\s+the\s+patient|patient\s+named|signed\s+by|referred\s+by|reported\s+by)\b"
            rf"[\s:]*(?:is\s+)?){_NAME}|\b[Pp]atient:?,?\s+[A-Z][a-z]+\s+[A-Z][a-z]+"
        ),
    ),
)


def identifiers(record: Record, draft: Draft) -> Finding:
    """The verdict `identifiers` (reason `identifier`): nothing in a teacher's words has the form of an identifier
    unless the record or a proof has it too. The evidence names the kind, never the words."""
    known, said = _known(record, draft), _words_of(draft)
    for kind, pattern in IDENTIFIERS:
        for words in dict.fromkeys(match[0] for match in pattern.finditer(said)):
            if " ".join(words.casefold().split()) not in known:
                return finding("identifiers", "identifier", 0.0, f"a {kind} of {len(words)} characters")
    return finding("identifiers", "", 1.0, "none")


def _words_of(draft: Draft) -> str:
    return "\n".join([draft.text, *(turn.content for turn in draft.turns)])


def _known(record: Record, draft: Draft) -> str:
    facts = (f"{fact.value} {fact.unit}" for fact in record.facts)
    proofs = (f"{proof.value} {proof.unit}" for proof in draft.proofs)
    gold = draft.answer.gold if draft.answer is not None else ""
    said = "\n".join([record.text, *parts_of(record.asked), gold, *facts, *proofs])
    return " ".join(said.casefold().split())


# ------------------------------------------------------------------------------------------------------------- policy
_DOSE = re.compile(
    r"(?<![\w.,])(\d+(?:[.,]\d+)?)\s*-?\s*(mg|mcg|µg|ug|g|grams?|milligrams?|micrograms?|units?|IU|mEq|mmol|tablets?|puffs?"
    r"|drops?|capsules?)\b(?:/(kg|m2|m²|day|d|h|hr|hour|min|dose)\b)?",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    r"\b(?:takes?|taking|administer(?:ed|ing)?|prescrib(?:e|ed|ing)|giv(?:e|en|ing)|inject(?:ed)?|dos(?:e|es|ed|age|ing)"
    r"|start(?:ed)?|initiat(?:e|ed)|treat(?:ed|ment)?|therapy|orally|intravenous(?:ly)?|IV|PO|subcutaneous(?:ly)?|daily"
    r"|once|twice|bid|tid|qid|q\d+h|every\s+\w+\s+hours?|per\s+(?:day|dose|kg))\b",
    re.IGNORECASE,
)


def policy(record: Record, draft: Draft) -> Finding:
    """The verdict `policy` (reason `dosing`): a teacher's words hold no dose (an amount of a drug that is given) whose
    amount does not stand in the record."""
    known = _known(record, draft)
    said = draft.text or "\n".join(turn.content for turn in draft.turns if turn.role == "assistant")
    for sentence in re.split(r"(?<=[.;!?])\s|\n", said):
        doses = {" ".join(match[0].split()): match for match in _DOSE.finditer(sentence)}
        given = bool(doses) and _GIVEN.search(sentence) is not None
        for words, match in doses.items():
            per = bool(match[3]) and match[3].lower() not in ("m2", "m²")
            if (per or given) and not _stands(match, known):
                return finding("policy", "dosing", 0.0, f"{words!r} stands in no source")
    return finding("policy", "", 1.0, "no dose, or the source's")


def _stands(dose: re.Match[str], known: str) -> bool:
    unit = dose[2].casefold().rstrip("s")
    return re.search(rf"(?<![\w.,]){re.escape(dose[1])}\s*-?\s*{re.escape(unit)}", known) is not None
