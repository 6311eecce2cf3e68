"""CT-RATE's dialogues find their volume wherever they stand, and no answer becomes an option by guessing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sources.json_spans as json_spans
from manifests.errors import RecordError
from sources.base import Place
from sources.upstream import Line
from sources.volumes.ct_rate_vqa import Dialogues, asked_in

WORDS = st.text(max_size=20)
OBJECTS = st.lists(st.dictionaries(WORDS, WORDS | st.integers(), max_size=4), max_size=6)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=OBJECTS, ascii_only=st.booleans(), listed=st.booleans(), indent=st.sampled_from((None, 1)))
def test_an_object_read_at_its_place_is_the_object(
    values: list[dict[str, str | int]], ascii_only: bool, listed: bool, indent: int | None, tmp_path: Path
) -> None:
    told = [json.dumps(value, ensure_ascii=ascii_only, indent=indent) for value in values]
    text = "[" + " ,\n".join(told) + "]" if listed else "\r\n".join(told)
    path = tmp_path / "a.json"
    path.write_bytes((b"" if ascii_only else b"\xef\xbb\xbf") + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_spans, "CHUNK_CHARS", 7)
        spans = list(json_spans.json_spans(path))
    data = path.read_bytes()
    assert [value for _, _, value in spans] == values
    assert [json.loads(data[first : first + size]) for first, size, _ in spans] == values


def row(kind: str, question: str, answer: str) -> Line:
    turns = [{"from": "human", "value": f"<image>\n{question}<{kind}>", "type": kind}, {"from": "gpt", "value": answer}]
    return Line("t.json", 1, {"id": f"{kind}_3", "image": "train_1_a_1.nii.gz", "conversations": turns})


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [("(b) 6 mm", "6 mm"), ("b) 6 mm.", ""), ("B", "6 mm"), ("6 MM", "6 mm"), ("(b) 9 mm", ""),
     ("(a) 3 mm (b) 6 mm", ""), ("(d)", ""), ("Both are right.", "")],
)  # fmt: skip
def test_only_an_answer_that_is_one_option_is_a_choice(answer: str, chosen: str) -> None:
    question = "How large is the nodule? (a) 3 mm (b) 6 mm (c) 9 mm"
    (one,) = asked_in([row("multiple_choice", question, answer)])
    if chosen:
        assert (one.question, one.answer, one.options) == ("How large is the nodule?", chosen, ("3 mm", "6 mm", "9 mm"))
    else:
        assert (one.question, one.answer, one.options) == (question, answer, ())
    assert one.about == "multiple_choice"


def test_turns_that_nobody_answers_and_letters_out_of_order_make_no_options() -> None:
    (one,) = asked_in([row("multiple_choice", "Which? (a) lung (c) rib", "(c) rib")])
    assert one.options == ()
    half = [
        {"from": "human", "value": "Why?"},
        {"from": "human", "value": "How?"},
        "x",
        {"from": "gpt", "value": "So."},
    ]
    told = asked_in(
        [Line("t", 1, {"id": "long_answer_1", "conversations": half}), Line("t", 2, {"conversations": None})]
    )
    assert [(a.question, a.answer, a.about) for a in told] == [("How?", "So.", "long_answer")]


def test_dialogues_are_taken_once_and_a_list_that_breaks_is_told(tmp_path: Path) -> None:
    rows = [row("long_answer", f"Q{k}?", "A.").values for k in range(3)]
    rows[1] = {**rows[1], "image": "valid_2_a_1.nii.gz"}
    (tmp_path / "t.json").write_text(json.dumps([*rows, {"id": "short_answer_9"}]))
    talks = Dialogues(Place(tmp_path, tmp_path), ["t.json"])
    assert [r.number for r in talks.alone()] == [4]
    assert [r.number for r in talks.taken("train_1_a_1")] == [1, 3]
    assert talks.taken("train_1_a_1") == []
    assert talks.left() == ["valid_2_a_1"]
    (tmp_path / "t.json").write_text('[{"id": "a"}, 7]')
    with pytest.raises(RecordError, match="breaks after row"):
        list(Dialogues(Place(tmp_path, tmp_path), ["t.json"]).alone())
