"""What programs say about pictures and clips is what their proofs prove; an edited box, result or letter is named."""

from __future__ import annotations

import dataclasses
import re

import pytest

from curate.audit.stated import Said, unstated
from manifests.sample import Draft, Turn
from synth.proofs import MediaView
from synth.tasks import region, tools, twins, video_qa
from synth.tasks.region import Region
from synth.tasks.tools import Tools
from synth.tasks.twins import Twins
from synth.tasks.video_qa import VideoQa
from tests.synth.media_views import drawn, record
from tests.synth.test_tasks_media_video import EVENTS, clip


def found(draft: Draft, view: MediaView) -> list[str]:
    return list(unstated(Said(draft.text, draft.turns, draft.answer, draft.proofs, view.facts, False)))


def drafts(name: str) -> tuple[list[Draft], MediaView]:
    view = clip(EVENTS) if name == "video_qa" else drawn()
    told = record(view, "video" if name == "video_qa" else "image")
    made = {
        "region": lambda: region.drafts(told, view, Region(max_questions=20), 1),
        "tools": lambda: tools.drafts(told, view, Tools(trajectories=5), 1),
        "twins": lambda: twins.drafts(told, view, Twins(max_questions=4), 1),
        "video_qa": lambda: video_qa.drafts(told, view, VideoQa(max_questions=32), 1),
    }
    return made[name](), view


@pytest.mark.parametrize("name", ["region", "tools", "twins", "video_qa"])
def test_what_programs_say_is_proven_and_an_edit_is_named(name: str) -> None:
    made, view = drafts(name)
    assert made
    for draft in made:
        assert found(draft, view) == []
        for k, turn in enumerate(draft.turns):
            spoken = turn.role == "assistant" or turn.content.startswith("<tool_response>")
            numbers = [m for m in re.finditer(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", turn.content) if spoken]
            for number in numbers:
                if '"image": ' in turn.content[: number.start()][-9:]:
                    continue
                told = turn.content[: number.start()] + f"{float(number[0]) + 7777:g}" + turn.content[number.end() :]
                turns = (*draft.turns[:k], Turn(turn.role, told), *draft.turns[k + 1 :])
                assert found(dataclasses.replace(draft, turns=turns), view), told
        if draft.answer and draft.answer.type == "mcq":
            other = "ABCD"[("ABCD".index(draft.answer.gold) + 1) % len(draft.answer.options.split("|"))]
            if draft.answer.options:
                edited = dataclasses.replace(draft.answer, gold=other)
                assert found(dataclasses.replace(draft, answer=edited), view)
