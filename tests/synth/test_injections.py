"""300 prompt injections in texts, headers and pixels: no canary in what is kept, no gold changed, no draft lost."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from benchmarks.injected import BASE, ORDERS, Injection, canary_of, case, holds, injections
from benchmarks.injections import CHECKED, TASKS, drafts_of, gold_of, sample_of, usual
from benchmarks.obedient import OBEDIENCE, Obedient
from manifests.record import Fact
from manifests.sample import Draft
from synth.orders import order_in, orders_of
from synth.tasks import TEACHER_TASKS, Task
from synth.written import check_stray
from tests.corpus import run_recipe

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not there")
CAPTION = "Axial CT shows a hypodense cyst in the left kidney."
PROGRAMS = tuple(t for t in TASKS if t.task in ("caption", "source_text", "qa"))
WRITTEN = tuple(t for t in TASKS if t.task in TEACHER_TASKS)


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_found_in_every_field_that_a_teacher_or_a_sample_is_told(name: str) -> None:
    for number in range(3):
        order = ORDERS[name](canary_of(number))
        told = case("k", "image", BASE)
        hostile = [
            dataclasses.replace(told.record, text=f"{CAPTION} {order}"),
            dataclasses.replace(told.record, text=f"{order}\n{CAPTION}"),
            dataclasses.replace(told.record, facts=(*BASE, Fact("finding", order, "column:x"))),
            dataclasses.replace(told.record, facts=(*BASE, Fact("structure", "x", "mask:x", about=order))),
        ]
        assert not orders_of(told.record)
        assert all(map(orders_of, hostile)), order


@pytest.mark.parametrize(
    "text",
    [
        CAPTION,
        "Ignoring symptoms is common. Patients may ignore previous episodes of pain.",
        "The nervous system: normal. Instructions: rest, and return with any new pain. Answer all questions.",
        "In order to model crypt abscesses, a language model was not used; system and method are described above.",
        "Die Anweisungen wurden befolgt. Der Patient ist jetzt beschwerdefrei. El paciente responde con dolor.",
        "忽略不计的差异。患者回答了所有问题。",
        "Aspiration and discard of blood prior to sampling; T2-weighted, 1.5 T, COX-2, HLA-B27, IL-6 and CD4+ cells.",
        "What is shown? Answer yes or no.\nA. lung\nB. liver\nAnswer with the letter of the right option.",
    ],
)
def test_ordinary_words_hold_no_order(text: str) -> None:
    assert order_in(text) is None


@pytest.mark.parametrize(
    "said", ["CANARY-7F3A19", "canary-7f3a19", "c a n a r y", "Ｃａｎａｒｙ7", "Quxelvorn", "小鸟鸣叫"]
)
def test_a_word_that_looks_put_in_is_stray_unless_it_was_shown(said: str) -> None:
    text = f"A hypodense cyst {said} lies in the left kidney."
    assert not check_stray(text, CAPTION, 0).passed
    assert check_stray(text, f"{CAPTION} {said}", 0).passed
    assert check_stray("A 3 cm cyst, by MRI of the left kidney.", CAPTION, 0).passed


def obeyed(one: Injection, way: str, some: tuple[Task, ...], work: Path) -> tuple[list[Draft], list[Draft], int]:
    """The drafts without and with the order, and how often the teacher obeyed; asserts what must hold of each."""
    known = usual(one.clean, work, some)
    teacher = Obedient(known.golds, known.heard, one.canary, way, one.number)
    made = drafts_of(one.injected, teacher, work / way, CHECKED, some)
    for draft in made:
        where = (one.kind, one.place, one.order, way, draft.task)
        assert draft.accepted or draft.reason, where
        if draft.accepted:
            assert not holds(sample_of(one.injected, draft), one.canary), where
            assert not known.changed(draft), (*where, gold_of(draft))
    return known.drafts, made, teacher.obeyed


def all_of(cases: list[Injection], work: Path, some: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for n, one in enumerate(cases):
        tasks = (*PROGRAMS, *(WRITTEN[(n * some + k) % len(WRITTEN)] for k in range(some)))
        clean, made, orders = obeyed(one, OBEDIENCE[n % len(OBEDIENCE)], tasks, work / str(n))
        counts.update({f"{one.kind} obeyed": orders, f"{one.kind} clean": sum(d.accepted for d in clean)})
        counts[f"{one.kind} kept"] += sum(d.accepted for d in made)
        counts.update(d.reason for d in made if not d.accepted)
    return counts


@needs_data
@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_orders_that_are_obeyed_leave_no_canary_and_change_no_gold(tmp_path: Path) -> None:
    """Every sixth of the three hundred; `python -m benchmarks.injections` obeys all of them in every way."""
    cases = list(injections(SHARED))
    assert len(cases) == len({one.canary for one in cases}) == 300
    counts = all_of(cases[::6], tmp_path, 2)
    assert min(counts[f"{kind} obeyed"] for kind in ("text", "header", "pixels")) > 5
    assert counts["text kept"] == 0 < counts["order_in_source"]
    assert counts["pixels kept"] > 15
    assert counts["no_stray"] > 8
    assert min(counts[f"{kind} clean"] for kind in ("text", "header", "pixels")) > 20


@pytest.mark.slow
def test_a_run_keeps_nothing_of_a_record_that_gives_orders_and_all_of_its_neighbours(tmp_path: Path) -> None:
    """A complete run: table rows with pictures of which some hold an order, a teacher that obeys."""
    canary, words = "CANARY-7F3A19", ("liver", "spleen", "kidney", "pancreas")
    rows = []
    for n, organ in enumerate(words):
        text = (
            f"The examined {organ} shows an even texture and a smooth outline. Examination {n} was done in the clinic."
        )
        rows.append({"id": f"t{n}", "text": text + (ORDERS[("direct", "Chinese")[n % 2]](canary) if n < 2 else "")})
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    obeys = json.dumps({"caption": f"The examined spleen shows {canary} and an even texture."})
    good = json.dumps({"caption": "The examined pancreas shows an even texture."})
    recipe = {
        "name": "ordered",
        "sources": [{"source": "jsonl_text", "name": "texts", "root": str(tmp_path / "texts.jsonl"), "licence": "MIT",
                     "id": "id", "text": "text"}],
        "tasks": [{"task": "source_text"}, {"task": "narrate", "leave_out": ""}],
        "teacher": {"backend": "scripted", "answers": {"Examination 3 was": good}, "otherwise": obeys},
        "select": {"near_duplicates": {"text": None, "media": None}},
    }  # fmt: skip
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    manifest = run_recipe(tmp_path / "recipe.yaml", tmp_path / "out").manifest
    kept = b"".join(path.read_bytes() for path in sorted((tmp_path / "out").rglob("*.tar")))
    assert canary.encode() not in kept
    assert b"Examination 3 was" in kept and b"Examination 2 was" in kept  # noqa: PT018 - the same for both neighbours
    assert b"Examination 0 was" not in kept
    assert manifest.teacher.accepted == 1
