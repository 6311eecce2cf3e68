"""Judges of an answer and of a text: no model, no state, the same verdict on every machine and thread.

`faithfulness(text, facts, turn)` holds every number, unit, side, modality, organ, plane, finding, negation, supposition
and comparison of a text against the facts; how it reads them is of `synth.claims` and `synth.held`. `verify_answer` and
its verifiers, which reward a response against a gold, are of `synth.verifiers`.

Covered: English, numbers and units as `synth.quantities` reads them, NegEx-like negation scopes (Chapman et al. 2001,
doi:10.1006/jbin.2001.1029), suppositions read the same way, "respectively", and a pronoun ("it measures") whose organ
the sentence before names. Not covered: words outside the lexicons of `synth.lexicon` and without one of its endings,
findings swapped between organs that the facts both name, numbers swapped inside one caption, arithmetic that a text
does on facts, dates, and other languages.

Time is linear in the length of a text: what looks around itself within a sentence is given at most
`synth.claims.PIECE` characters at a time, and a text beyond `MAX_TEXT` is not judged but fails every check.
"""

from __future__ import annotations

from collections.abc import Sequence

from manifests.record import Fact
from manifests.sample import Verdict
from synth.held import judge
from synth.known import known_of
from synth.verifiers import VERIFIERS as VERIFIERS
from synth.verifiers import normal_form as normal_form
from synth.verifiers import verify_answer as verify_answer

# --- faithfulness ----------------------------------------------------------------------------------------------------

MAX_TEXT = 16_384  # characters: several times the longest answer that a prompt of ours asks for
CHECKS = (
    "numbers",
    "units",
    "sides",
    "modality",
    "anatomy",
    "plane",
    "findings",
    "negation",
    "certainty",
    "comparison",
)


def faithfulness(text: str, facts: Sequence[Fact], turn: int) -> list[Verdict]:
    """One verdict for each of `CHECKS`, in that order: whether every such word of the text maps to a fact.

    numbers: each number equals a fact's number to the places printed (5 % at most, and where "about" says so); each
    code (`L1`, `J18.9`) stands in a fact. units: with its unit converted. sides: left, right, bilateral, both for what
    they stand beside, and for the structure whose number the clause gives; upper and lower, anterior and posterior are
    not turned round. modality, plane: the named ones are the facts'. anatomy: each organ or region is named by a fact
    or holds one that is. findings: each listed finding is stated by a fact. negation: what is denied is denied by a
    fact, and what a fact denies is not stated. certainty: what the facts only suppose is not stated as certain.
    comparison: larger, increased, new and their like are said by a fact. `score` is the share of supported words, 1
    where there was none; `evidence` has the first offences. A text beyond `MAX_TEXT` fails every check with score 0.
    """
    if len(text) > MAX_TEXT:
        found = f"not judged: {len(text)} characters, at most {MAX_TEXT} are"
        return [_verdict(check, False, found, turn) for check in CHECKS]
    seen: dict[str, int] = dict.fromkeys(CHECKS, 0)
    wrong: dict[str, list[str]] = {check: [] for check in CHECKS}
    for note in judge(text, known_of(tuple(facts))):
        seen[note.check] += 1
        if note.wrong:
            wrong[note.check].append(note.wrong)
    return [
        Verdict(
            turn=turn,
            check=check,
            passed=not wrong[check],
            score=round(1 - len(wrong[check]) / seen[check], 4) if seen[check] else 1.0,
            evidence="; ".join(dict.fromkeys(wrong[check]))[:200] if wrong[check] else f"{seen[check]} seen",
        )
        for check in CHECKS
    ]


def _verdict(check: str, passed: bool, evidence: str, turn: int) -> Verdict:
    return Verdict(turn=turn, check=check, passed=passed, score=1.0 if passed else 0.0, evidence=evidence[:200])


# --- small checks ----------------------------------------------------------------------------------------------------


def not_empty(text: str, turn: int) -> Verdict:
    """Whether a text holds at least one letter or digit."""
    return _verdict("not_empty", any(ch.isalnum() for ch in text), f"{len(text)} characters", turn)


def length(text: str, turn: int, max_chars: int) -> Verdict:
    """Whether a text has at most `max_chars` characters."""
    return _verdict("length", len(text) <= max_chars, f"{len(text)} of at most {max_chars} characters", turn)


def no_leak(question: str, answer: str, turn: int) -> Verdict:
    """Whether a question does not hold its answer as whole words, apart from case, space and punctuation.

    For multiple choice pass the stem, without the options. An answer of yes or no never leaks.
    """
    said, asked = normal_form(answer), normal_form(question)
    leaks = said not in ("", "yes", "no") and f" {said} " in f" {asked} "
    return _verdict(
        "no_leak", not leaks, f"{said[:60]!r} stands in the question" if leaks else "answer not in question", turn
    )


def latin_script(text: str, turn: int) -> Verdict:
    """Whether at least nine letters of ten are Latin: cheap, tells Chinese from English, not English from French."""
    letters = [ch for ch in text if ch.isalpha()]
    latin = sum(1 for ch in letters if ord(ch) < 0x250 or 0x1E00 <= ord(ch) < 0x1F00)
    return _verdict("latin_script", latin >= 0.9 * len(letters), f"{latin} of {len(letters)} letters", turn)
