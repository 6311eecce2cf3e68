"""The teacher-written tasks with the embedded model on real facts: whatever it writes, what is kept passed every check.

Nothing is said of how much is kept: with 135 million parameters it is little, and that is what the checks are for."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from manifests.config import Config
from manifests.record import Asked, Fact, Record
from synth.requests import Answered, Ledger, ask
from synth.tasks import abnormality, five_part, label_caption, passage_qa, reflective, report_qa, vqa
from synth.teacher import EmbeddedConfig, Request, available, open_teacher
from tests.synth.talk import spoken, subject

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
Case = tuple[ModuleType, Config, Record]


def record(kind: str, facts: tuple[Fact, ...] = (), text: str = "", qa: tuple[str, str] = ("", "")) -> Record:
    return Record("0" * 32, "s", "s/1", "1", "0" * 64, kind, "g", "CC0-1.0", "open", facts=facts, text=text,
                  asked=(Asked(*qa),) if any(qa) else ())  # fmt: skip


def rows(path: str, delimiter: str = ",") -> list[dict[str, str]]:
    with (DATA / path).open(newline="") as stream:
        if delimiter == "\t":
            return list(csv.DictReader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE))
        return list(csv.DictReader(stream))


def cases() -> Iterator[Case]:
    """One record of each of seven sources, and one of the seven tasks for each."""
    x_ray = rows("cxr-covid-hannover/data.subset.csv")[0]
    chest = (Fact("modality", x_ray["modality"], "column:modality"), Fact("body_part", "CHEST", "card"))
    yield five_part, five_part.FivePart(), record("image", chest)
    found = "massive atelectasis in the left lower lobe"
    caption = next(r["CAPTION"] for r in rows("text-captions-roco/captions_cc_by.tsv", "\t") if found in r["CAPTION"])
    told = (Fact("modality", "DX", "card"), Fact("caption", caption, "column:CAPTION"))
    yield abnormality, abnormality.Abnormality(), record("image", told)
    note = next(r for r in rows("text-mts-dialog/MTS-Dialog-ValidationSet.csv") if r["section_header"] == "EXAM")
    config = report_qa.ReportQa(types=("organ",), forms=("open", "choice"))
    yield report_qa, config, record("image", text=note["section_text"])
    skin = json.loads((DATA / "dermoscopy-isic/ISIC_0000000.metadata.json").read_text())["meta"]["clinical"]
    named = (Fact("modality", "DMS", "column:image_type"), Fact("label", skin["diagnosis"], "column:diagnosis"))
    yield label_caption, label_caption.LabelCaption(), record("image", named)
    slake = next(r for r in json.loads((DATA / "text-vqa-slake/validate.json").read_text()) if r["q_lang"] == "en")
    seen = (Fact("modality", "MR", "column:modality"), Fact("body_part", slake["location"], "column:location"))
    yield vqa, vqa.Vqa(types=("modality",)), record("image", seen)
    abstract = rows("text-medical-abstracts/medical_tc_test.first700.csv")[1]["medical_abstract"]
    yield passage_qa, passage_qa.PassageQa(questions=1), record("text", text=abstract)
    studies = json.loads((DATA / "text-pubmedqa/ori_pqal.json").read_text())
    study = studies[sorted(studies)[0]]
    qa = (study["QUESTION"], study["final_decision"])
    yield reflective, reflective.Reflective(routing=None), record("text", text=" ".join(study["CONTEXTS"]), qa=qa)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(bool(available(EmbeddedConfig())), reason=available(EmbeddedConfig()) or "-")
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_whatever_the_small_model_writes_on_real_facts_is_kept_only_if_every_check_passed(tmp_path: Path) -> None:
    teacher = open_teacher(EmbeddedConfig())

    def one(request: Request) -> Answered:
        return ask(teacher, request, Ledger(tmp_path))

    for task, config, about in cases():
        drafts = spoken(task.drafts(subject(about), config, 7, ()), one)
        assert drafts, task.__name__
        for draft in drafts:
            failed = [v.check for v in draft.verdicts if not v.passed]
            assert (draft.accepted, draft.reason) == (not failed, failed[0] if failed else "")
            assert draft.teacher.prompt_id in task.prompt_ids(config)
            assert {v.check for v in draft.verdicts} >= {"answered"}
            found = [v.evidence for v in draft.verdicts if not v.passed and v.check in ("answered", "schema")]
            assert not found or found == ["cut off by max_tokens"]  # decoded by the schema, an answer is one
            if draft.accepted:
                assert draft.proofs
                assert (draft.text == "") is (draft.stage != "pretrain")
    teacher.close()
