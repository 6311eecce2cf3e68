"""Routing: eight samples of one question, what becomes of them, and the real blind solver."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from pydantic import ValidationError

from manifests.record import Asked, Fact, Media, Record
from manifests.sample import Draft
from synth.asking import Desk, settled
from synth.chat import Request, Role
from synth.judging.chain import judged
from synth.judging.config import Blind, Judging, Routing
from synth.proofs import MediaView
from synth.requests import Ledger, request_key
from synth.tasks import cot
from synth.tasks.mcq import Mcq
from synth.tasks.mcq import drafts as multiple_choices
from synth.tasks.subject import Subject
from synth.teacher import EmbeddedConfig, available, open_teacher
from tests.synth.judges import Fake, about, held

FACTS = (
    Fact("structure", "spleen", "mask:spleen", about="spleen"),
    Fact("volume_ml", "142.3", "mask:spleen", "ml", "spleen"),
)
SEED = 7
ROUTED = cot.Cot(routing=Routing())


def asked_about() -> Record:
    return Record("0" * 32, "s", "s/1", "1", "0" * 64, "volume", "g", "CC0-1.0", "open", facts=FACTS,
                  asked=(Asked("Which organ is segmented?", "spleen"),))  # fmt: skip


def said(answer: str, reasoning: str = "The structure with a volume of 142.3 mL is the spleen.") -> str:
    return json.dumps({"reasoning": reasoning, "answer": answer})


def right_in(count: int, entropies: dict[int, float] | None = None) -> Fake:
    """Right in its first `count` samples, counted by the seed; sample n has the entropy of that number."""

    def says(request: Request) -> str | tuple[str, float]:
        sample = request.seed - SEED
        text = said("spleen" if sample < count else "liver")
        return (text, entropies[sample]) if entropies else text

    return Fake(says)


def run(teachers: dict[Role, Fake], config: cot.Cot = ROUTED) -> list[Draft]:
    return held(cot.drafts(about(asked_about(), teachers), config, SEED), teachers)


@pytest.mark.parametrize(
    ("right", "outcome"),
    [(8, "kept"), (7, "kept"), (6, "kept"), (5, "stronger"), (4, "stronger"), (3, "stronger"), (2, "unstable"),
     (1, "unstable"), (0, "unstable")],
)  # fmt: skip
def test_the_share_of_right_samples_routes_a_question(right: int, outcome: str) -> None:
    stronger = Fake(lambda r: said("spleen"), model="larger")
    (draft,) = run({"teacher": right_in(right), "stronger": stronger})
    (alone,) = run({"teacher": right_in(right)})  # from the ledger
    stability = draft.verdicts[-1]
    assert (stability.check, stability.score) == ("stability", right / 8)
    assert stability.evidence.startswith(f"{right} of 8 right")
    assert (draft.accepted, draft.reason) == ((False, "unstable") if outcome == "unstable" else (True, ""))
    assert (draft.teacher.model, len(stronger.asked)) == (("larger", 1) if outcome == "stronger" else ("fake", 0))
    assert alone.reason == ("no_stronger_teacher" if outcome == "stronger" else draft.reason)


def test_all_samples_are_asked_at_once_each_with_its_own_seed() -> None:
    asked = next(cot.drafts(about(asked_about(), {"teacher": right_in(0)}), ROUTED, SEED))
    assert [r.seed for r in asked] == list(range(SEED, SEED + 8))
    assert all(r.temperature == 1.0 and r.logprobs and r.role == "teacher" for r in asked)


def test_of_right_samples_the_one_of_least_entropy_is_kept_and_wrong_ones_never() -> None:
    entropies = {0: 0.9, 1: 0.5, 2: 0.4, 3: 0.7, 4: 0.8, 5: 0.4, 6: 0.01, 7: 0.02}
    teacher = right_in(6, entropies)
    (draft,) = run({"teacher": teacher})
    assert "0.4000 of at most 0.9000" in draft.verdicts[-1].evidence
    assert draft.accepted
    (third,) = [r for r in teacher.asked if r.seed == SEED + 2]  # the first of two equals
    assert request_key(teacher.model, teacher.revision, third) == draft.teacher.request_key


def test_an_unfaithful_trace_is_not_kept_where_a_faithful_one_is_right_too() -> None:
    def says(request: Request) -> tuple[str, float]:
        untrue = request.seed == SEED
        reasoning = "The structure with a volume of 942.3 mL is the spleen." if untrue else None
        return (said("spleen", reasoning) if reasoning else said("spleen")), 0.1 if untrue else 0.5

    (draft,) = run({"teacher": Fake(says)})
    assert draft.accepted
    assert "942" not in draft.turns[1].content


def test_without_log_probabilities_the_shortest_right_trace_is_kept() -> None:
    def says(request: Request) -> str:
        longer = " The volume of the spleen is 142.3 mL." if request.seed != SEED + 3 else ""
        return said("spleen", f"The structure with a volume of 142.3 mL is the spleen.{longer}")

    (draft,) = run({"teacher": Fake(says)})
    assert "142.3 mL is the spleen.</think>" in draft.turns[1].content
    assert draft.turns[1].content.count("142.3") == 1
    assert "the shortest" in draft.verdicts[-1].evidence


def test_the_order_in_which_answers_arrive_changes_nothing() -> None:
    made = []
    for late_s, in_flight in ((0.0, 1), (0.003, 8)):
        teacher = right_in(6)
        teacher.late_s, teacher.in_flight = late_s, in_flight
        made.append(run({"teacher": teacher}))
    assert made[0] == made[1]


def test_a_stronger_teacher_that_is_wrong_too_saves_nothing_and_silence_has_its_own_reason() -> None:
    wrong = Fake(lambda r: said("liver"))
    (draft,) = run({"teacher": right_in(4), "stronger": wrong})
    assert (draft.accepted, draft.reason) == (False, "label")
    (silent,) = run({"teacher": Fake(lambda r: None)})
    assert (silent.accepted, silent.reason) == (False, "unanswered")
    assert "8 unanswered" in silent.verdicts[-1].evidence


def test_routing_has_its_own_samples_and_bounds_in_order() -> None:
    with pytest.raises(ValidationError, match="must not fall"):
        Routing(samples=8, keep_at=2, stronger_at=3)
    with pytest.raises(ValidationError, match="leave out attempts"):
        cot.Cot(routing=Routing(), attempts=2, temperature=0.5)


# ----------------------------------------------------------------------------------------------------- the real model
DATA = Path(__file__).resolve().parents[2] / "../shared/data"
CT = DATA / "ct-totalsegmentator"
ORGANS = ("liver", "spleen", "kidney_left")


def real_choices() -> list[tuple[Subject, list[Draft]]]:
    """A CT with three organs and two dermoscopies, with the multiple choices that a program makes of each."""
    views = [organs()]
    for path in sorted((DATA / "dermoscopy-isic").glob("*.metadata.json")):
        found = json.loads(path.read_text())["meta"]
        pixels = np.zeros((4, 4, 3), np.uint8)
        facts = (
            Fact("modality", "DMS", "column:image_type"),
            Fact("label", found["clinical"]["diagnosis"], "column:d"),
        )
        media = Media("png", "image", pixels.shape, "uint8", "0" * 64, pixels.nbytes)
        views.append(("image", MediaView((media,), {"png": pixels}.__getitem__, facts)))
    made = []
    for number, (kind, view) in enumerate(views):
        of = dataclasses.replace(asked_about(), key=f"{number:032}", kind=kind, facts=view.facts, asked=())
        drafts = multiple_choices(of, view, Mcq(max_questions=3), SEED)
        made.append((Subject(of, view, frozenset({"blind"})), drafts))
    return made


def organs() -> tuple[str, MediaView]:
    arrays, media = {}, []
    for name in ("ct", *ORGANS):
        path = CT / "example_ct_sm.nii.gz" if name == "ct" else CT / "example_seg_fast" / f"{name}.nii.gz"
        image: Any = nib.load(path)
        arrays[name] = np.ascontiguousarray(np.asarray(image.dataobj).transpose(2, 1, 0))
        affine: Any = tuple(tuple(float(v) for v in row) for row in image.affine)
        whole = Media(
            name, "volume", arrays[name].shape, str(arrays[name].dtype), "0" * 64, 1, units="HU", affine=affine
        )
        media.append(whole if name == "ct" else dataclasses.replace(whole, kind="mask", units="", label=name))
    facts = (Fact("modality", "CT", "dicom:0008,0060"), Fact("body_part", "ABDOMEN", "dicom:0018,0015"))
    return "volume", MediaView(tuple(media), arrays.__getitem__, facts)


@pytest.mark.shared_data
@pytest.mark.skipif(not CT.is_dir(), reason="needs ../shared/data/ct-totalsegmentator")
@pytest.mark.skipif(bool(available(EmbeddedConfig())), reason=available(EmbeddedConfig()) or "-")
@pytest.mark.slow
def test_a_real_blind_solver_judges_real_multiple_choices_and_the_ledger_replays_it(tmp_path: Path) -> None:
    config, teacher = Judging(blind=Blind(attempts=2)), open_teacher(EmbeddedConfig())
    results, asked, choices = [], list[tuple[int, int]](), real_choices()
    for _ in range(2):
        with Desk({"blind": teacher}, Ledger(tmp_path)) as desk:
            results.append([settled(judged(subject, drafts, config, SEED), desk) for subject, drafts in choices])
            asked += [(spent.requests, spent.fresh_requests) for spent in desk.spent.values()]
    teacher.close()
    assert results[0] == results[1]
    drafts = [draft for made in results[0] for draft in made if draft.stage == "rlvr"]
    assert len(drafts) >= 3
    assert asked == [(2 * len(drafts), 2 * len(drafts)), (2 * len(drafts), 0)]
    for draft in drafts:
        (verdict,) = [v for v in draft.verdicts if v.check == "blind"]
        assert "unanswered" not in verdict.evidence
        assert draft.accepted == (verdict.score <= 0.5)
        assert draft.reason == ("" if draft.accepted else "solved_blind")
