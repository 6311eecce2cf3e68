"""How the gold set is made: hand rules put a right or a wrong core of an answer into a surface, and so know the label.

A family is one rule of one type (`number/unit_trap`). Every fifth family of a type, in the order in which the rules
yield them, is held out: nobody looks at it while a verifier is being improved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from manifests.sample import Answer

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("facts.json").read_text())
HELD_OUT_EVERY = 5

# What stands around a right core, and leaves it right: name -> text with {x} (the core) and {r} (reasoning).
RIGHT_SURFACES: tuple[tuple[str, str], ...] = (
    ("bare", "{x}"),
    ("stop", "{x}."),
    ("blank", "  {x}\n"),
    ("sentence", "The answer is {x}."),
    ("colon", "Answer: {x}"),
    ("final", "Final answer: {x}."),
    ("bold", "**{x}**"),
    ("bold_sentence", "The correct answer is **{x}**."),
    ("boxed", "\\boxed{{{x}}}"),
    ("boxed_math", "So the final answer is $\\boxed{{{x}}}$."),
    ("boxed_text", "\\[\\boxed{{\\text{{{x}}}}}\\]"),
    ("tag", "<answer>{x}</answer>"),
    ("tag_lines", "<answer>\n{x}\n</answer>\n"),
    ("tag_upper", "<ANSWER> {x} </ANSWER>"),
    ("think_tag", "<think>{r}</think>\n<answer>{x}</answer>"),
    ("think", "<think>\n{r}\n</think>\n\n{x}"),
    ("think_closed_only", "{r}\n</think>\n{x}"),
    ("think_sentence", "<think>{r}</think> The answer is {x}."),
    ("reasoned", "{r}\n\nTherefore, the answer is {x}."),
    ("reasoned_bold", "{r}\n\n**Answer:** {x}"),
    ("reasoned_tag", "{r}\n<answer>{x}</answer>"),
    ("reasoned_boxed", "{r} Thus we get $\\boxed{{{x}}}$"),
    ("hence", "{r} Hence, the final answer is {x}."),
    ("json", '{{"answer": "{x}"}}'),
    ("json_fence", '```json\n{{"answer": "{x}"}}\n```'),
    ("code", "`{x}`"),
    ("heading", "## Answer\n{x}"),
    ("my_answer", "My answer: {x}"),
    ("upper_colon", "ANSWER: {x}"),
    ("tag_bold", "<answer>**{x}**</answer>"),
    ("hope", "Final Answer: The final answer is ${x}$. I hope it is correct."),
    ("hope_boxed", "The final answer is: $\\boxed{{{x}}}$. I hope it is correct."),
    ("think_tag_boxed", "<think>\n{r}\n</think>\n\n<answer>\n\\boxed{{{x}}}\n</answer>"),
    ("explained", "Answer: {x}\n\nExplanation: The mask has 1200 voxels of 1.5 mm each."),
    ("reasoning_after", "The correct answer is {x}.\n\nReasoning: I looked at all slices in turn."),
    ("tag_sentence", "<answer>The answer is {x}.</answer>"),
    ("tag_final", "<answer>Final answer: {x}</answer>"),
    ("tag_explained", "<answer>{x}</answer>\n<explanation>It has 3 parts.</explanation>"),
    ("should_be", "The answer should be {x}."),
    ("sure", "Sure! The answer is {x}."),
    ("final_heading", "### Final Answer\n\n{x}"),
    ("steps", "**Step 1:** I find the 3 landmarks.\n**Step 2:** I compare them.\n**Final Answer:** {x}"),
    ("final_bold", "**Final answer**: {x}"),
    ("final_bold_core", "Final Answer: **{x}**"),
    ("emphasis", "*{x}*"),
    ("therefore_colon", "Therefore, the correct answer is: {x}."),
    ("so_my", "So my final answer is {x}."),
    ("answer_dash", "Answer - {x}"),
    ("answer_equals", "Answer = {x}"),
    ("is_lines", "The answer is:\n\n{x}"),
    ("quoted", "The answer is “{x}”."),
    ("lower_colon", "answer: {x}"),
    ("based_on", "Based on the image, the answer is {x}."),
    ("tag_stop", "<answer> {x}. </answer>"),
    ("boxed_spaced", "\\[ \\boxed{{{x}}} \\]"),
    ("round_math", "The answer is \\( {x} \\)."),
    ("result", "Result: {x}"),
    ("therefore", "Therefore, {x}."),
    ("its", "It's {x}."),
    ("would_answer", "I would answer {x}."),
    ("block", "```\n{x}\n```"),
    ("tag_block", "<answer>```{x}```</answer>"),
    ("bullet", "Answer:\n- {x}"),
    ("tick", "Answer: {x} ✅"),
    ("tick_first", "✅ {x}"),
    ("analysis", "Based on my analysis of the scan, the final answer is **{x}**."),
    ("conclusion", "In conclusion, the answer is {x}."),
    ("as_shown", "The final answer is {x}, as the picture shows."),
    ("more", "<answer>\n\n{x}\n\n</answer>\n\nLet me know if you need more."),
    ("the_answer", "The answer: {x}"),
    ("all_bold", "**The answer is {x}.**"),
    ("bold_italic", "***{x}***"),
    ("title", "# {x}"),
    ("answer_is_upper", "ANSWER IS {x}"),
    ("ans", "Ans: {x}"),
    ("would_be", "The correct answer would be {x}."),
    ("here_is", "Here is the answer:\n{x}"),
    ("most_accurate", "The most accurate answer is {x}."),
    ("json_lines", '{{\n  "answer": "{x}"\n}}'),
    ("display_math", "$$\\boxed{{{x}}}$$"),
    ("boxed_bold", "\\boxed{{\\textbf{{{x}}}}}"),
    ("final_short", "Final: {x}"),
    ("conclusion_colon", "Conclusion: {x}"),
    ("believe", "I believe the answer is {x}."),
)
BENIGN = ("{x}", "<answer>{x}</answer>", "The answer is {x}.", "Answer: {x}", "\\boxed{{{x}}}", "{x}.")

# What makes a right core wrong: {x} is right, {y} is another, wrong one.
WRONG_SURFACES: tuple[tuple[str, str], ...] = (
    ("other", "{y}"),
    ("denied", "The answer is not {x}."),
    ("other_tag", "<answer>{y}</answer>"),
    ("or", "{x} or {y}"),
    ("either", "The answer is either {x} or {y}."),
    ("two_tags", "<answer>{x}</answer><answer>{y}</answer>"),
    ("two_tags_turned", "<answer>{y}</answer> <answer>{x}</answer>"),
    ("only_thought", "<think>The answer is {x}.</think>"),
    ("thought_unclosed", "<think>The answer is {x}."),
    ("thought_tag", "<think><answer>{x}</answer></think>"),
    ("thought_other", "<think>The answer is {x}.</think>\nThe answer is {y}."),
    ("tag_wins", "The answer is {x}.\n<answer>{y}</answer>"),
    ("changed", "The answer is {x}. No, wait: the answer is {y}."),
    ("not_but", "<answer>not {x} but {y}</answer>"),
    ("hedged", "Possibly {x}, but I am not sure."),
    ("anything_but", "Anything but {x}."),
    ("two_boxed", "\\boxed{{{x}}} or \\boxed{{{y}}}"),
    ("boxed_other", "It might be {x}, so \\boxed{{{y}}}"),
    ("json_twice", '{{"answer": "{x}", "answer": "{y}"}}'),
    ("json_list", '{{"answer": ["{x}", "{y}"]}}'),
    ("other_reasoned", "{r}\n\nTherefore, the answer is {y}."),
    ("excluded", "The answer is not {x}, it is {y}."),
    ("maybe", "<answer>maybe {x}</answer>"),
    ("lines", "Answer: {x}\nAnswer: {y}"),
    ("isnt", "It isn't {x}."),
)
REASONS = (
    "The scan has 3 parts, and 99 mm would be too long for this one.",
    "Option A looks plausible at first, but C does not fit the picture.",
    "The left side is darker than the right one, so I compare both.",
    "Is there an effusion, yes or no? I look at the border again.",
    "First, the field of view is 350 mm wide. Second, the slices are 5 mm thick.",
    "I see the liver and the spleen; the box [1, 2, 3, 4] is far too small.",
    "The earlier film was taken on 2019-05-01, 7 days before the next.",
    "At 00:03 the probe moves. Between 2 and 4 seconds nothing changes.",
    "A melanoma is unlikely here, and there is no sign of pneumonia.",
)


Cores = tuple[tuple[str, str], ...]  # (family, core of an answer)


class Pair(NamedTuple):
    response: str
    answer: Answer
    right: bool
    rule: str  # TYPE/FAMILY


class Case(NamedTuple):
    """One gold with right and wrong cores by family; the first right core is the plainest, `other` a wrong one.

    A core that begins with `=` is a whole response and gets no surface.
    """

    answer: Answer
    right: Cores
    wrong: Cores
    other: str


def pairs_of(cases: Sequence[Case], surfaces: int, wrong_surfaces: int) -> Iterator[Pair]:
    """The pairs of one type's cases; every case takes that many surfaces of each list, in turn."""
    for at, case in enumerate(cases):
        kind, plain = case.answer.verifier, case.right[0][1]
        for of, right in ((case.right, True), (case.wrong, False)):
            for k, (family, core) in enumerate(of):
                text = core[1:] if core.startswith("=") else BENIGN[(at + k) % len(BENIGN)].format(x=core)
                yield Pair(text, case.answer, right, f"{kind}/{family}")
        for chosen, count, right in ((RIGHT_SURFACES, surfaces, True), (WRONG_SURFACES, wrong_surfaces, False)):
            for k in range(count):
                family, frame = chosen[(at * count + k) % len(chosen)]
                reason = REASONS[(at * 7 + k) % len(REASONS)]
                core = plain.replace("\\", "\\\\").replace('"', '\\"') if family.startswith("json") else plain
                text = frame.format(x=core, y=case.other, r=reason)
                yield Pair(text, case.answer, right, f"{kind}/{'in' if right else 'spoiled'}_{family}")


def distinct(pairs: Iterator[Pair]) -> list[Pair]:
    """The pairs in order, each response and answer once; two rules must never disagree about one of them."""
    kept: dict[tuple[str, Answer], Pair] = {}
    for pair in pairs:
        known = kept.setdefault((pair.response, pair.answer), pair)
        if known.right is not pair.right:
            rules = f"{known.rule} and {pair.rule}"
            raise ValueError(f"{rules} disagree about {pair.response!r} for {pair.answer.gold!r}")
    return list(kept.values())


def held_out(pairs: Sequence[Pair]) -> frozenset[str]:
    """The rules that are held out: every fifth family of each type, in order of first use."""
    families: dict[str, list[str]] = {}
    for pair in pairs:
        of = families.setdefault(pair.answer.verifier, [])
        if pair.rule not in of:
            of.append(pair.rule)
    return frozenset(rule for of in families.values() for rule in of[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
