"""A record's drafts as one conversation: what was found of each stays with its own answer."""

from __future__ import annotations

from curate.synthesize import _one_conversation
from manifests.sample import Draft, Turn, Verdict


def draft(task: str, turns: int, *at: int) -> Draft:
    said = tuple(Turn("assistant" if n % 2 else "user", f"{task} {n}") for n in range(turns))
    return Draft("key", "sft", task, 0, said, verdicts=tuple(Verdict(n, task, True, 1.0, "") for n in at))


def test_a_verdict_on_a_whole_draft_stands_at_its_last_answer_and_others_at_their_own() -> None:
    (joined,) = _one_conversation([draft("measure", 4, 1, -1), draft("mcq", 2, -1), draft("region", 4, -1, 3)])
    told = [(verdict.check, joined.turns[verdict.turn].content) for verdict in joined.verdicts]
    expected = [("measure", 1), ("measure", 3), ("mcq", 1), ("region", 3), ("region", 3)]
    assert told == [(task, f"{task} {n}") for task, n in expected]
