"""Video questions: their golds come from event and cut facts, and only what the shown frames tell is asked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from manifests.errors import VerificationError
from manifests.record import Fact
from manifests.sample import Draft
from synth.fact_programs import event_facts
from synth.proofs import MediaView, check, evaluate
from synth.tasks import video_qa
from synth.tasks.video_qa import VideoQa
from synth.verify import verify_answer
from tests.synth.media_views import SHARED, entry, record, view_of

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
EVENTS = {"insertion": "0.00-4.00", "polyp_seen": "5.50-9.25", "biopsy": "12", "withdrawal": "14.00-19.50"}


def clip(events: dict[str, str], step: float = 0.5, count: int = 41, *facts: Fact) -> MediaView:
    array = np.zeros((count, 4, 4, 3), np.uint8)
    media = entry("mp4", "video", array, times_s=tuple(round(n * step, 3) for n in range(count)))
    told = (Fact("event", value, "column:event", "s", name) for name, value in events.items())
    return view_of({"mp4": (media, array)}, *told, *facts)


def drafts(view: MediaView, most: int = 32, seed: int = 1) -> list[Draft]:
    return video_qa.drafts(record(view, "video"), view, VideoQa(max_questions=most), seed)


def test_every_program_of_times_says_what_the_facts_say() -> None:
    view = clip({**EVENTS, "lavage": "1.00-2.00"}, 0.5, 41, Fact("event", "15.00-16.00", "t", "s", "lavage"))
    values = {
        "time_of(event=polyp_seen, edge=start)": ("5.50", "s"),
        "time_of(event=polyp_seen, edge=end)": ("9.25", "s"),
        "time_of(event=biopsy, edge=end)": ("12.00", "s"),
        "span_of(event=withdrawal)": ("14.00-19.50", "s"),
        "event_duration_s(event=polyp_seen)": ("3.75", "s"),
        "event_count(event=lavage)": ("2", ""),
        "first_of(a=withdrawal, b=biopsy)": ("biopsy", ""),
        "event_at(time=6.00)": ("polyp_seen", ""),
        "count_facts(fact=event)": ("6", ""),
    }
    assert {call: tuple(evaluate(call, view)) for call in values} == values
    for call in ("time_of(event=lavage, edge=start)", "event_at(time=1.50)", "span_of(event=biopsy)", "event_order()",
                 "time_of(event=polyp_seen, edge=middle)", "event_at(time=now)", "first_of(a=lavage, b=biopsy)",
                 "event_count(event=suture)", "cut_time(number=1)"):  # fmt: skip
        with pytest.raises(VerificationError):
            evaluate(call, view)
    assert evaluate("event_order()", clip(EVENTS)).value == "insertion; polyp_seen; biopsy; withdrawal"


def test_each_question_is_proven_and_its_answer_earns_the_reward() -> None:
    view = clip(EVENTS)
    talk, *prompts = drafts(view)
    assert all(d.accepted and all(check(p, view).passed for p in d.proofs) for d in (talk, *prompts))
    assert len(prompts) == len(talk.proofs) == len(talk.turns) // 2
    calls = {p.proofs[0].call.partition("(")[0] for p in prompts}
    assert calls == {"time_of", "span_of", "event_duration_s", "first_of", "event_count", "event_at", "event_order"}
    for k, prompt in enumerate(prompts):
        gold = prompt.answer
        assert gold is not None
        assert verify_answer(f"<answer>{gold.gold.partition('|')[0]}</answer>", gold).passed
        if gold.type == "time":
            assert verify_answer(talk.turns[2 * k + 1].content, gold).passed, talk.turns[2 * k + 1]
            late = "-".join(f"{float(n) + gold.tolerance + 0.1:.2f}" for n in gold.gold.split("-"))
            assert not verify_answer(late, gold).passed


def test_nothing_is_asked_that_the_shown_frames_do_not_tell() -> None:
    sparse = clip(EVENTS, 10.0, 3)  # 0, 10 and 20 s
    asked = {e for p in drafts(sparse)[1:] for e in EVENTS if f"={e}" in p.proofs[0].call}
    assert asked == {"insertion", "polyp_seen", "biopsy", "withdrawal"}  # each within 5 s of a frame
    assert not any("first_of(a=polyp_seen, b=biopsy)" in p.proofs[0].call for p in drafts(sparse)[1:])
    assert all(p.answer.tolerance == 10.0 for p in drafts(sparse)[1:] if p.answer and p.answer.type == "time")
    short = clip({"insertion": "0-1", "later": "90-95"}, 0.5, 9)
    assert not any("later" in p.proofs[0].call for p in drafts(short)[1:])
    begins_late = dataclasses.replace(
        short, media=(dataclasses.replace(short.media[0], times_s=tuple(5.0 + n / 2 for n in range(9))),)
    )
    still = dataclasses.replace(short, media=(dataclasses.replace(short.media[0], times_s=(0.0,), shape=(1, 4, 4, 3)),))
    slices = dataclasses.replace(
        short,
        media=(dataclasses.replace(short.media[0], affine=((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))),),
    )
    assert drafts(begins_late) == drafts(still) == drafts(slices) == []


def test_cuts_are_asked_only_where_frames_are_near_each_other() -> None:
    facts = (
        Fact("cut_count", "2", "video:luma", about="cuts_v1"),
        Fact("cuts_s", "1.4; 2.933", "video:luma", "s", "cuts_v1"),
    )
    told = {p.proofs[0].call: p.proofs[0].value for p in drafts(clip({}, 0.2, 22, *facts))[1:]}
    assert told == {"label(fact=cut_count)": "2", "cut_time(number=1)": "1.40", "cut_time(number=2)": "2.93"}
    assert drafts(clip({}, 1.0, 5, *facts)) == []


def test_what_is_not_written_as_a_time_is_no_event() -> None:
    odd = {"a": "soon", "b": "5-3", "c": "-1", "d": "1e3", "e": "3.5-4.5"}
    assert [e.name for e in event_facts(clip(odd).facts)] == ["e"]


@pytest.mark.shared_data
@pytest.mark.slow
@needs_shared
def test_a_real_slide_show_of_endoscopy_is_asked_for_its_cuts(tmp_path: Path) -> None:
    from curate.video import canonical_clip
    from curate.video.scenes import clip_facts, cuts_of

    info, times = canonical_clip(SHARED / "video-endoscopy-hyperkvasir-ninja/horizontal_grid.mp4", tmp_path / "c.mp4")
    facts = clip_facts(info, times, cuts_of(tmp_path / "c.mp4", times))
    array = np.zeros((len(times), 4, 4, 3), np.uint8)
    view = view_of({"mp4": (entry("mp4", "video", array, times_s=times), array)}, *facts)
    asked = drafts(view)[1:]
    assert "label(fact=cut_count)" in {p.proofs[0].call for p in asked}
    assert all(p.accepted and check(p.proofs[0], view).passed for p in asked)
