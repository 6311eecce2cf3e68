"""The source's own question and answer: a conversation, and a prompt with a verifiable reward where it is short.

Short is yes or no, one letter where the question lists lettered options, one number with or without a unit, or a label
of at most `max_label_words` words. The proof is that the answer is the source's: `span` where it is short, else the
`digest` of the source's answer.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.record import Record
from manifests.sample import Answer, Draft, Turn
from synth.proofs import MediaView, call_text, prove
from synth.quantities import quantities
from synth.tasks.common import finish, for_gold, source_verdict
from synth.verify import normal_form

_SPAN_CHARS = 300
_OPTION = re.compile(r"^\s*\(?([A-E])[.):]\s", re.MULTILINE)


class Qa(Config):
    """`context` puts the source's text before the question; `tolerance` is relative, for answers that are a number."""

    task: Literal["qa"] = "qa"
    context: bool = False
    max_label_words: int = Field(default=4, ge=1, le=20)
    tolerance: float = Field(default=0.01, ge=0, lt=1)


def gold_of(question: str, answer: str, config: Qa) -> Answer | None:
    """The verifiable form of a source's answer, or None where it is free text."""
    short = normal_form(answer)
    if short in ("yes", "no"):
        return Answer(type="yes_no", gold=short, verifier="yes_no")
    letter = re.fullmatch(r"\(?([A-E])[.)]?", answer.strip())
    if letter and letter[1] in _OPTION.findall(question):
        return Answer(type="mcq", gold=letter[1], verifier="mcq")
    found = quantities(answer, words=None)
    if len(found) == 1 and found[0].token.strip() == answer.strip(" .\n"):
        digits = re.match(r"[-+−]?[\d.,eE+]+", found[0].token)
        if digits:
            unit = found[0].token[digits.end() :].strip(" -")
            return Answer(type="number", gold=digits[0], verifier="number", unit=unit, tolerance=config.tolerance)
    if short and "|" not in answer and len(short.split()) <= config.max_label_words and "\n" not in answer.strip():
        return Answer(type="label", gold=answer.strip(), verifier="label")
    return None


def drafts(record: Record, view: MediaView, config: Qa, seed: int) -> list[Draft]:
    """A conversation (sft) and, for a short answer, a prompt (rlvr); none where the source asks or answers nothing."""
    question, answer = view.question.strip(), view.answer.strip()
    if not question or not answer:
        return []
    asked = f"{view.text.strip()}\n\n{question}" if config.context and view.text.strip() else question
    short = len(answer) <= _SPAN_CHARS
    call = call_text("span", {"text": answer}) if short else call_text("digest", {"field": "answer"})
    proof = prove(call, view, 1)
    turns = (Turn("user", asked), Turn("assistant", answer))
    own = (source_verdict(1, "the answer is the source's own"),)
    out = [finish(Draft(record.key, "sft", "qa", 0, turns=turns, proofs=(proof,), verdicts=own))]
    gold = gold_of(question, answer, config)
    if gold:
        own = (source_verdict(-1, "the gold is the source's own"),)
        proofs = (for_gold(proof),)
        out.append(finish(Draft(record.key, "rlvr", "qa", 0, turns[:1], answer=gold, proofs=proofs, verdicts=own)))
    return out
