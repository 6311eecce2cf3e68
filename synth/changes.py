"""What changed from one of a record's pictures to another: programs over facts that say of which picture they are true.

    changed_since(fact, about)   from the first picture to the last that the fact is known of, in one word:
                                 numbers of one unit      increased, decreased, unchanged
                                 yes and no               new, resolved, persistent, absent
                                 grades of severity       worse, better, unchanged

Grades are none, trace or minimal, mild, moderate, severe, and whole numbers are numbers. What is neither of these, or
is known of one picture only, has no answer. Whether a number changed is told by the numbers as they are written: how
much of a change matters is the source's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from manifests.errors import VerificationError
from manifests.record import Fact
from synth.views import MediaView, Result

YES = frozenset({"yes", "present", "positive", "true", "1"})
NO = frozenset({"no", "absent", "negative", "none", "false", "0"})
_GRADES: Mapping[str, int] = MappingProxyType(
    {"none": 0, "absent": 0, "no": 0, "trace": 1, "minimal": 1, "mild": 2, "moderate": 3, "severe": 4}
)
# By which kind of value an answer is told, and the answers that there are.
ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "number": ("increased", "decreased", "unchanged"),
        "presence": ("new", "resolved", "persistent", "absent"),
        "grade": ("worse", "better", "unchanged"),
    }
)


def changed_since(view: MediaView, args: Mapping[str, str]) -> Result:
    """The program; raises `VerificationError` where the facts do not decide it."""
    return Result(change(view.facts, args["fact"], args["about"])[1], "")


def change(facts: tuple[Fact, ...], name: str, about: str) -> tuple[str, str]:
    """(kind of value, answer) of what changed; see the top."""
    known = sorted(
        (f for f in facts if f.name == name and f.about == about and f.at.isdigit()), key=lambda f: int(f.at)
    )
    ends = [f for f in known if f.at in (known[0].at, known[-1].at)]
    if len(ends) != 2 or ends[0].at == ends[1].at:
        raise VerificationError(f"fact {name!r} about {about!r} is not known once of each of two pictures")
    first, last = (f.value.strip().lower() for f in ends)
    if {first, last} <= YES | NO and not {first, last} <= {"0", "1"} | _GRADES.keys() - {"absent", "no", "none"}:
        before, now = first in YES, last in YES
        return "presence", ("persistent" if now else "resolved") if before else ("new" if now else "absent")
    if {first, last} <= _GRADES.keys():
        return "grade", _direction(_GRADES[last] - _GRADES[first], "worse", "better")
    numbers = [_number(first), _number(last)]
    if None in numbers or ends[0].unit != ends[1].unit:
        raise VerificationError(f"fact {name!r} about {about!r} has no two values that can be compared")
    return "number", _direction((numbers[1] or 0.0) - (numbers[0] or 0.0), "increased", "decreased")


def _direction(difference: float, up: str, down: str) -> str:
    return "unchanged" if difference == 0 else up if difference > 0 else down


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
