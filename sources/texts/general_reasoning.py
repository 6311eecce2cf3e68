"""OpenR1-Math-220k: problems of mathematics with long reasoning, checked against the answer; reasoning text that is not
medical.

Upstream's layout (Hugging Face, open-r1/OpenR1-Math-220k): `data/train-*.parquet` (what upstream calls default) and
`extended/train-*.parquet` with problem, solution, answer, problem_type, question_type, source, uuid, generations (two
to four texts), is_reasoning_complete, correctness_math_verify, correctness_llama (lists in step with them), messages.
Quirks: `all/` repeats both parts and is not read; `correctness_llama` is null where the other check decided; a proof
has `proof` as its answer, and then the written solution is taken; a text that never closes `</think>` is none.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Asked
from sources.base import Item, Pseudonym
from sources.figures.shared import listed
from sources.texts.shared import TextRows, said
from sources.upstream import Line, told

if TYPE_CHECKING:
    import numpy as np

THOUGHT = re.compile(r"\A\s*<think>(.*?)</think>", re.DOTALL)
CHECKS = ("correctness_math_verify", "correctness_llama")
WORDLESS = ("", "proof", "notfound")


class GeneralReasoning(TextRows):
    """One record per problem: its answer, and as `why` the first reasoning that is complete and led to it, else the
    written solution."""

    source: Literal["general_reasoning"]
    splits: tuple[str, ...] = ("default",)
    patterns: ClassVar[tuple[str, ...]] = ("data/*.parquet", "extended/*.parquet")
    card: ClassVar[Card] = Card(
        name="general_reasoning",
        what="OpenR1-Math-220k: problems of mathematics with checked reasoning",
        url="https://huggingface.co/datasets/open-r1/OpenR1-Math-220k",
        revision="e4e141ec9dea9f8326f4d347be56105859b2bd68",
        licence="Apache-2.0",
        citation="Open R1. OpenR1-Math-220k. Hugging Face (2025).",
        phi_risk="none",
        modalities=("text",),
        tasks=("reasoning", "qa"),
        size="225,129 problems: 93,733 default, 131,396 extended",
        layout="{data,extended}/train-*.parquet",
        known="published",
        remotes=(
            Remote(
                kind="hub", at="open-r1/OpenR1-Math-220k", files=("data/*.parquet", "extended/*.parquet"),
                revision="e4e141ec9dea9f8326f4d347be56105859b2bd68",
            ),
        ),
    )  # fmt: skip

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return super().peek(path, pseudonym) if path.parent.name in ("data", "extended") else {}

    def split_of(self, path: str) -> str:
        return {"extended": "extended"}.get(PurePosixPath(path).parent.name, "default")

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        problem, answer, solution = said(row, "problem"), row["answer"], row.get("solution")
        if answer.lower() in WORDLESS:
            answer = said(row, "solution")
        asked = Asked(problem, answer, about=row.get("question_type"), why=_reasoning(row) or solution)
        facts = (
            *told("keyword", row.get("problem_type"), "column:problem_type", about="topic"),
            *told("label", row.get("source"), "column:source", about="origin"),
        )
        return self.told_of(row, row.get("uuid"), (asked,), facts)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (problem, thoughts, answer, topic) in enumerate(ROWS):
            texts = [f"<think>\n{thought}\n</think>\n\nThe answer is \\boxed{{{answer}}}." for thought in thoughts]
            row: dict[str, object] = {
                "problem": problem,
                "solution": f"{thoughts[-1]} Hence {answer}.",
                "answer": answer,
            }
            row |= {"problem_type": topic, "question_type": "proof" if answer == "proof" else "math-word-problem"}
            row |= {"source": "olympiads", "uuid": f"a1b2c3d4-0000-4000-8000-00000000000{number}", "generations": texts}
            verified = [k == len(thoughts) - 1 for k in range(len(thoughts))]
            row |= {"is_reasoning_complete": [True] * len(thoughts), "correctness_math_verify": verified}
            rows.append({**row, "correctness_llama": None, "problem": "" if number == 4 else problem})
        mini.parquet(root / "data/train-00000-of-00001.parquet", [*rows[:3], rows[4]])
        mini.parquet(root / "extended/train-00000-of-00001.parquet", rows[3:4])


def _reasoning(row: Line) -> str:
    complete = listed(row.value("is_reasoning_complete"))
    checked = [listed(row.value(column)) for column in CHECKS]
    for number, text in enumerate(listed(row.value("generations"))):
        right = any(number < len(marks) and marks[number] is True for marks in checked)
        ended = number >= len(complete) or complete[number] is True
        thought = THOUGHT.match(text) if isinstance(text, str) else None
        if right and ended and thought:
            return thought[1].strip()
    return ""


ROWS = (
    ("A tank fills in 6 hours by one pipe and in 3 hours by another. How long do both take together?",
     ("Perhaps the mean, 4.5 hours? No, both fill at once, so it must be less.",
      "In one hour they fill one sixth and one third, which is one half. So two hours."), "2", "Algebra"),
    ("How many diagonals has a convex polygon of twelve sides?",
     ("Each of 12 corners joins 9 others that are not its neighbours: 108 ends, so 54 diagonals.",), "54", "Geometry"),
    ("Show that the product of three consecutive integers is divisible by six.",
     ("One of two neighbours is even and one of three is a multiple of three, so both factors occur.",), "proof",
     "Number Theory"),
    ("A die is thrown twice. What is the probability that the second throw is higher?",
     ("Six of 36 are ties, and the other 30 split evenly: 15 of 36.",), "5/12", "Combinatorics"),
    ("What is the sum of the first hundred odd numbers?", ("It is the square of a hundred.",), "10000", "Algebra"),
)  # fmt: skip
