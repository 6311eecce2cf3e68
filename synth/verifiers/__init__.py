"""Typed verifiers: whether a response earns the gold of an RLVR prompt. No model, no state, the same verdict
everywhere.

One module per answer type; each has `check(text, answer)` and says in its docstring how the gold is written and what
the tolerance means. What of a response counts (tags, boxes, thinking) is decided in `synth.verifiers.base` for all
of them. Every verifier is pure, may run in any thread, takes time linear in the response, which is bounded, and
returns a verdict for any text. `MEASURED` is its confusion matrix on the gold set; only those in `REWARDING` may
reward. Not covered: languages other than English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from manifests.sample import Answer, Verdict
from synth.verifiers import (
    angle,
    box,
    date_interval,
    label,
    mask,
    mcq,
    number,
    numbers,
    ordered_list,
    range,  # noqa: A004 - named by what it verifies, and nothing here iterates over numbers
    set,  # noqa: A004
    side,
    span,
    time,
    yes_no,
)
from synth.verifiers.base import MAX_ANSWER, Finding, counted
from synth.verifiers.base import normal_form as normal_form
from synth.verifiers.measured import MEASURED as MEASURED
from synth.verifiers.measured import Confusion as Confusion

Check = Callable[[str, Answer], Finding]

VERIFIERS: Mapping[str, Check] = MappingProxyType(
    {
        "mcq": mcq.check,
        "yes_no": yes_no.check,
        "label": label.check,
        "number": number.check,
        "numbers": numbers.check,
        "range": range.check,
        "date_interval": date_interval.check,
        "time": time.check,
        "side": side.check,
        "angle": angle.check,
        "box": box.check,
        "mask": mask.check,
        "set": set.check,
        "ordered_list": ordered_list.check,
        "span": span.check,
    }
)
MOST_FALSE_POSITIVES = 0.001  # of the wrong responses of the gold set
LEAST_WRONG = 200  # wrong responses that it must have been measured on


def may_reward(found: Confusion) -> bool:
    """Whether these counts are good enough to reward by."""
    return found.fp + found.tn >= LEAST_WRONG and found.false_positive_rate <= MOST_FALSE_POSITIVES


REWARDING: frozenset[str] = frozenset(name for name in VERIFIERS if name in MEASURED and may_reward(MEASURED[name]))


def rewarding(name: str) -> bool:
    """Whether the verifier of this name has been measured to be right often enough to reward."""
    return name in REWARDING


def verify_answer(response: str, answer: Answer) -> Verdict:
    """The verdict of the verifier that the answer names; an unknown name is a failed verdict, never an exception."""
    verifier = VERIFIERS.get(answer.verifier)
    if verifier is None:
        return _verdict(answer, Finding(False, f"no such verifier; there are: {', '.join(VERIFIERS)}"))
    most = mask.MAX_TEXT if answer.verifier == "mask" else MAX_ANSWER
    said = counted(response, most, structured=answer.verifier in ("box", "mask"))
    finding = Finding(False, said.problem or "no answer")
    for text in said.texts:
        finding = verifier(text, answer)
        if not finding.passed:
            break
    return _verdict(answer, finding)


def _verdict(answer: Answer, finding: Finding) -> Verdict:
    score = 1.0 if finding.passed else 0.0
    return Verdict(turn=-1, check=answer.verifier, passed=finding.passed, score=score, evidence=finding.evidence[:200])


def score(response: str, answer: Mapping[str, object]) -> float:
    """1.0 or 0.0 for a response and an answer as it stands in a shard's JSON; for use as a reward function.

    0.0 for an answer that is none, whose verifier may not reward, or that has fields which are not known.
    """
    try:
        known = Answer(**answer)  # type: ignore[arg-type]
        texts = (known.gold, known.verifier, known.unit, known.options, known.frame, known.metric)
        if not all(isinstance(v, str) for v in texts) or not isinstance(known.tolerance, int | float):
            return 0.0
        return verify_answer(response, known).score if rewarding(known.verifier) else 0.0
    except TypeError:
        return 0.0
