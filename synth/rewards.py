"""Rewards: whether a response earns the gold of an RLVR prompt. No model, no state, the same verdict everywhere.

Where the response has `<answer>...</answer>`, only what stands inside counts (several different ones are ambiguous);
`<think>` is ignored. `Answer.tolerance` is relative for `number` and `numbers`, in degrees for `angle`, and for `box`
it is how far the overlap (intersection over union) may fall below 1. Numbers and units are read as `synth.quantities`
reads them. Not covered: languages other than English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

from manifests.errors import VerificationError
from manifests.sample import Answer, Verdict
from synth.boxes import box_of, overlap
from synth.quantities import quantities, unit_factor, unit_name

_BOUND = re.compile(r"(?:[<>≤≥]|\b(?:not|isn't|over|under|than|least|most|below|above|except))\s*\Z", re.IGNORECASE)


def final_answer(response: str) -> str:
    """What of a response counts: the content of `<answer>` tags if there are any, else all of it but `<think>`."""
    inside = re.findall(r"<answer>(.*?)</answer>", response, re.DOTALL | re.IGNORECASE)
    if inside:
        return "\n".join(dict.fromkeys(part.strip() for part in inside))
    return re.sub(r"<think>.*?</think>", " ", response, flags=re.DOTALL | re.IGNORECASE).strip()


def _verdict(check: str, passed: bool, evidence: str, turn: int = -1) -> Verdict:
    return Verdict(turn=turn, check=check, passed=passed, score=1.0 if passed else 0.0, evidence=evidence[:200])


def number(response: str, answer: Answer) -> Verdict:
    """Whether every number of the final answer equals the gold within the relative tolerance, after unit conversion.

    A number without a unit is read in the gold's unit; a unit of another dimension, an unknown gold unit written
    otherwise, two different values, a bound (`> 5`, "at least 5") or a denied value ("not 5") is wrong.
    """
    text = final_answer(response)
    found = quantities(text, words=None) or quantities(text, words=0)
    gold = quantities(answer.gold, words=None)
    unit = unit_name(answer.unit)
    if not found or len(gold) != 1:
        return _verdict("number", False, "no number" if gold else f"gold {answer.gold!r} is not one number")
    for q in found:
        if _BOUND.search(text[: q.start]):
            return _verdict("number", False, f"{q.token!r} is a bound or denied")
        factor = 1.0 if not q.unit else unit_factor(q.unit, unit)
        if factor is None:
            return _verdict("number", False, f"{q.token!r} is not in {answer.unit or 'no unit'}")
        allowed = max(answer.tolerance, 1e-9) * abs(gold[0].value) + 1e-12
        if abs(q.value * factor - gold[0].value) > allowed:
            return _verdict("number", False, f"{q.token!r} is not {answer.gold} {answer.unit}".rstrip())
    return _verdict("number", True, f"{found[0].token!r} is {answer.gold} {answer.unit}".rstrip())


def yes_no(response: str, answer: Answer) -> Verdict:
    """Whether the response commits to the gold's yes or no: as its first or last word, or after "answer is".

    Both at once ("yes and no", "no ... yes") is wrong, and so is a sentence that only implies it.
    """
    text = final_answer(response).lower()
    words = re.findall(r"[a-z']+", text)
    said = [w for w in (words[:1] + words[-1:]) if w in ("yes", "no")]
    said += re.findall(r"\banswer(?:\s+is|\s*:)\s*\W*(yes|no)\b", text)
    both = re.search(r"\byes\W+(?:(?:and|or)\W+)?no\b|\bno\W+(?:(?:and|or)\W+)?yes\b|\bnot\W+(?:yes|no)\b", text)
    if not said or both or len(set(said)) > 1:
        return _verdict("yes_no", False, "no clear yes or no" if not said else "both yes and no, or a denied one")
    passed = said[0] == answer.gold.strip().lower()
    return _verdict("yes_no", passed, f"said {said[0]!r}, gold {answer.gold!r}")


def normal_form(text: str) -> str:
    """Lower case, NFKC, punctuation and underscores to single spaces, leading article and closing stop removed."""
    flat = re.sub(r"[^\w]+|_", " ", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"\A(?:the|an|a) ", "", " ".join(flat.split()))


_LEAD_IN = re.compile(r"\A(?:(?:final |correct )?answer(?: is)?|it is|this is|it s|this shows|diagnosis) ")


def label(response: str, answer: Answer) -> Verdict:
    """Whether the response is the gold label, or one of its synonyms (`a|b`), apart from case, space and punctuation.

    A short lead-in ("The answer is ...") may stand before it. Any further word, a denial among them, is wrong: "not
    melanoma" and "no sign of melanoma" do not earn what "melanoma" does.
    """
    said = normal_form(final_answer(response))
    said = normal_form(_LEAD_IN.sub("", said))
    golds = [normal_form(g) for g in answer.gold.split("|")]
    return _verdict("label", said in golds and said != "", f"said {said[:80]!r}, gold {answer.gold!r}")


_LETTER_LINE = re.compile(r"^[\W_]*([A-E])(?:[.):]+(?:\s.*)?|[\W_]*)$", re.MULTILINE)
_LETTER_NAMED = re.compile(
    r"\b(?i:answer|option|choice)(?i:\s+is)?\s*:?[\s*(\[]*([A-E])(?=[\s*)\]]*(?:[.,:;)\]\n]|$|\s+(?:because|since|as)\b))"
)
_LETTERS_JOINED = re.compile(r"\b[A-E]\)?\s*(?:,|/|&|(?i:\s(?:and|or|not)\s))\s*\(?[A-E]\b|(?i:\bnot)\s+\(?[A-E]\b")


def mcq(response: str, answer: Answer) -> Verdict:
    """Whether the response settles on the gold letter A-E: `B`, `(B)`, `B. text`, `Answer: B`, `<answer>B</answer>`.

    Two different letters in such places, "B or C" or "not B" are ambiguous and wrong; so is an answer in words only.
    """
    text = final_answer(response)
    if re.fullmatch(r"[\W_]*[a-e][\W_]*", text):
        text = text.upper()
    letters = set(_LETTER_LINE.findall(text)) | set(_LETTER_NAMED.findall(text))
    if len(letters) != 1 or _LETTERS_JOINED.search(text):
        return _verdict("mcq", False, f"letters met: {', '.join(sorted(letters)) or 'none'}")
    return _verdict("mcq", letters == {answer.gold.strip().upper()}, f"said {min(letters)}, gold {answer.gold}")


def numbers(response: str, answer: Answer) -> Verdict:
    """Whether the final answer holds the numbers of the gold (`44.3 x 21.0`) in order, each as `number` wants it."""
    text = final_answer(response)
    found, golds = quantities(text, words=None), quantities(answer.gold, words=None)
    if not golds or len(found) != len(golds):
        return _verdict("numbers", False, f"{len(found)} numbers, gold {answer.gold!r}")
    unit = unit_name(answer.unit)
    for q, gold in zip(found, golds, strict=True):
        factor = 1.0 if not q.unit else unit_factor(q.unit, unit)
        allowed = max(answer.tolerance, 1e-9) * abs(gold.value) + 1e-12
        if factor is None or _BOUND.search(text[: q.start]) or abs(q.value * factor - gold.value) > allowed:
            return _verdict("numbers", False, f"{q.token!r}, gold {answer.gold} {answer.unit}".rstrip())
    return _verdict("numbers", True, f"{answer.gold} {answer.unit}".rstrip())


def angle(response: str, answer: Answer) -> Verdict:
    """Whether the final answer is one angle within `tolerance` degrees of the gold, in degrees or without a unit."""
    text = final_answer(response)
    found, golds = quantities(text, words=None), quantities(answer.gold, words=None)
    if len({q.value for q in found}) != 1 or len(golds) != 1:
        return _verdict("angle", False, f"{len(found)} numbers, gold {answer.gold!r}")
    q = found[0]
    factor = 1.0 if not q.unit else unit_factor(q.unit, "degree")
    if factor is None or _BOUND.search(text[: q.start]):
        return _verdict("angle", False, f"{q.token!r} is no angle in degrees")
    passed = abs(q.value * factor - golds[0].value) <= answer.tolerance + 1e-9
    return _verdict("angle", passed, f"{q.token!r}, gold {answer.gold} within {answer.tolerance:g} degrees")


def box(response: str, answer: Answer) -> Verdict:
    """Whether the final answer is one box whose overlap with the gold's is at least 1 - `tolerance`.

    The gold is `x0,y0,x1,y1` or `x0,y0,z0,x1,y1,z1`; the response has the same numbers, with or without brackets.
    """
    said = final_answer(response).strip().removeprefix("[").removesuffix("]")
    try:
        shared = overlap(box_of(said), box_of(answer.gold))
    except VerificationError as error:
        return _verdict("box", False, str(error))
    return _verdict("box", shared >= 1 - answer.tolerance - 1e-9, f"overlap {shared:.3f} with {answer.gold}")


VERIFIERS: Mapping[str, Callable[[str, Answer], Verdict]] = MappingProxyType(
    {"number": number, "yes_no": yes_no, "label": label, "mcq": mcq, "numbers": numbers, "angle": angle, "box": box}
)


def verify_answer(response: str, answer: Answer) -> Verdict:
    """The verdict of the verifier that the answer names; an unknown name is a failed verdict, never an exception."""
    verifier = VERIFIERS.get(answer.verifier)
    if verifier is None:
        return _verdict(answer.verifier, False, f"no such verifier; there are: {', '.join(VERIFIERS)}")
    return verifier(response, answer)
