"""The desk: order, one payment for each question, engines that die, replies that are asked for again."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import TeacherError
from synth.asking import PROBE, TRIES, Desk, Talk, again, asked, converse, persistent, settled, usable
from synth.chat import Picture, Reply, Request
from synth.flaws import fits, flaw, speaks
from synth.requests import Answered, Ledger
from synth.teacher import (
    EmbeddedConfig,
    ReplayConfig,
    ScriptedAnswer,
    ScriptedConfig,
    ScriptedTeacher,
    Teacher,
    available,
    open_teacher,
    too_long,
)
from synth.teachers.ward import EngineDiedError, Ward
from synth.tokens import bound, estimate, estimated, family_of, visual

SCHEMA = '{"type":"object","properties":{"organ":{"type":"string"}},"required":["organ"],"additionalProperties":false}'


def request(text: str, **changes: int | float | str) -> Request:
    return Request(messages=(("user", text),), prompt_id="p@1-0", **changes)  # type: ignore[arg-type]


def talk(name: str, rounds: int = 2) -> Talk[list[str]]:
    """Asks two things at a time, the next ones with what it learnt."""
    heard: list[str] = []
    for number in range(rounds):
        answers = yield (request(f"{name} {number} a {heard[-1:]}"), request(f"{name} {number} b"))
        heard += [a.reply.text if a.reply else a.error.reason if a.error else "" for a in answers]
    return heard


def desk(teacher: Teacher, root: Path) -> Desk:
    return Desk({"teacher": teacher}, Ledger(root))


def fresh(one: Desk) -> int:
    return sum(spent.fresh_requests for spent in one.spent.values())


def kept(root: Path) -> list[Path]:
    return sorted(root.rglob("*.json"))


def test_results_come_in_the_order_of_the_talks_and_the_ledger_alone_gives_them_again(tmp_path: Path) -> None:
    script = ScriptedConfig(otherwise=("yes", "no"), delay_s=0.02, in_flight=16, journal=str(tmp_path / "journal"))
    teacher = ScriptedTeacher(script)
    with desk(teacher, tmp_path / "l") as first:
        made = list(converse((talk(f"t{n}") for n in range(30)), first))
    assert len({keys for _, keys in made}) == 30
    assert teacher.calls == len(kept(tmp_path / "l")) == fresh(first) == 120
    written = (tmp_path / "journal").read_text().split("\n")
    assert written != sorted(written)
    replay = open_teacher(ReplayConfig(model=teacher.model, revision=teacher.revision))
    with desk(replay, tmp_path / "l") as second:
        assert list(converse((talk(f"t{n}") for n in range(30)), second)) == made
    assert fresh(second) == 0


def test_what_is_asked_twice_at_the_same_time_is_paid_once(tmp_path: Path) -> None:
    teacher = ScriptedTeacher(ScriptedConfig(otherwise="yes", delay_s=0.02, in_flight=16))
    with desk(teacher, tmp_path) as one:
        made = list(converse((talk("same") for _ in range(20)), one))
    assert len({json.dumps(result) for result, _ in made}) == 1
    assert teacher.calls == len(kept(tmp_path)) == 4


@pytest.mark.parametrize("dies_every", [7, 3])
def test_an_engine_that_dies_now_and_then_costs_nobody_an_answer_and_none_is_paid_twice(
    tmp_path: Path, dies_every: int
) -> None:
    config = {"otherwise": "yes", "delay_s": 0.005, "in_flight": 16, "journal": str(tmp_path / "journal")}
    teacher = ScriptedTeacher(ScriptedConfig.model_validate({**config, "dies_every": dies_every}))
    with desk(teacher, tmp_path / "l") as one:
        made = list(converse((talk(f"t{n}") for n in range(20)), one))
    assert {word for result, _ in made for word in result} == {"yes"}
    assert one.unanswered == 0
    answered = (tmp_path / "journal").read_text().splitlines()
    assert len(answered) == len(set(answered)) == len(kept(tmp_path / "l")) == 80
    assert teacher.calls > 80 * dies_every / (dies_every - 1) - 16


def test_the_request_that_kills_the_engine_is_found_and_its_neighbours_are_answered() -> None:
    ward, lock = Ward(), threading.Lock()
    state = Counter[str]()

    def send(one: Request) -> Reply:
        with lock:
            state["now"] += 1
            state["most after a death"] = max(state["most after a death"], state["now"] if state["deaths"] else 0)
            life = state["deaths"]
        time.sleep(0.005)
        with lock:
            state["now"] -= 1
            if one.messages[0][1] == "poison":
                state["deaths"] += 1
            if state["deaths"] != life:
                raise EngineDiedError
        return Reply("fine", "stop", 1, 1)

    def ask(text: str) -> str:
        try:
            return ward.ask(request(text), send).text
        except TeacherError as error:
            return error.reason

    names = ["poison" if n == 20 else f"t{n}" for n in range(60)]
    with ThreadPoolExecutor(32) as pool:
        answers = dict(zip(names, pool.map(ask, names), strict=True))
    assert answers.pop("poison") == "kills_engine"
    assert set(answers.values()) == {"fine"}
    assert state["deaths"] == 4


class Sick(ScriptedTeacher):
    """Fails each time a prompt says so."""

    def ask(self, request: Request) -> Reply:
        if "ill" in request.messages[0][1]:
            self.calls += 1
            raise TeacherError("bad_response", "not JSON")
        return super().ask(request)


def test_an_error_that_comes_each_time_while_the_engine_lives_is_final_and_kept(tmp_path: Path) -> None:
    teacher = Sick(ScriptedConfig(otherwise="yes", in_flight=4))
    with desk(teacher, tmp_path) as one:
        assert settled(talk("ill", 1), one) == ["bad_response", "bad_response"]
        assert (one.unanswered, teacher.calls - one.probes) == (0, 2 * TRIES)
    calls = teacher.calls
    with desk(teacher, tmp_path) as two:
        assert settled(talk("ill", 1), two) == ["bad_response", "bad_response"]
    assert teacher.calls == calls


def test_a_dead_engine_is_given_up_at_once_and_the_next_run_asks_only_what_is_missing(tmp_path: Path) -> None:
    config = ScriptedConfig(otherwise="yes", in_flight=4, gone_after=50)
    gone, back = ScriptedTeacher(config), ScriptedTeacher(config.model_copy(update={"gone_after": 0}))
    with desk(gone, tmp_path) as one:
        list(converse((talk(f"t{n}") for n in range(40)), one))
    assert one.unanswered > 100
    assert gone.calls <= 50 + 2 * 4 + one.probes
    assert len(kept(tmp_path)) == 50
    with desk(back, tmp_path) as two:
        made = list(converse((talk(f"t{n}") for n in range(40)), two))
    assert (two.unanswered, len(kept(tmp_path)), back.calls) == (0, 160, 110)
    assert {word for result, _ in made for word in result} == {"yes"}


def test_a_wrong_set_up_stops_the_run(tmp_path: Path) -> None:
    with (
        pytest.raises(TeacherError, match="unauthorised"),
        desk(ScriptedTeacher(ScriptedConfig(otherwise="yes", failures={3: "unauthorised"})), tmp_path) as one,
    ):
        list(converse((talk(f"t{n}") for n in range(5)), one))


# --- second tries ----------------------------------------------------------------------------------------------------

GOOD = '{"organ": "the spleen"}'
FLAWED = {
    "truncated": ScriptedAnswer(text='{"organ": "the sp', finish_reason="length"),
    "empty": ScriptedAnswer(text=""),
    "schema": ScriptedAnswer(text='{"organs": 5}'),
    "wrong_language": ScriptedAnswer(text='{"organ": "Die Milz ist nicht vergrößert und der Rand ist glatt."}'),
}


def by_seed(first: Request, right: int, wrong: ScriptedAnswer, tries: int) -> tuple[str | ScriptedAnswer, ...]:
    """Answers of which only the `right`th try meets the good one."""
    seeds = [again(first, nth).seed for nth in range(tries)]
    size = next(n for n in range(2, 1000) if len({seed % n for seed in seeds}) == tries)
    answers: list[str | ScriptedAnswer] = [wrong] * size
    if right < tries:
        answers[seeds[right] % size] = GOOD
    return tuple(answers)


@pytest.mark.parametrize("wrong", FLAWED)
@pytest.mark.parametrize("right", [0, 2, 3])
def test_a_flawed_reply_is_asked_for_again_a_bounded_number_of_times_each_a_request_of_its_own(
    tmp_path: Path, wrong: str, right: int
) -> None:
    first = request("Which organ?", schema=SCHEMA, seed=7)
    teacher = ScriptedTeacher(ScriptedConfig(otherwise=by_seed(first, right, FLAWED[wrong], 3)))

    def task() -> Talk[Answered]:
        (answered,) = yield (first,)
        return answered

    with desk(teacher, tmp_path) as one:
        answered = settled(asked(first, usable(first), 3), one)
        same = settled(persistent(task(), 3), one)
        assert (same.reply, same.key, repr(same.error)) == (answered.reply, answered.key, repr(answered.error))
    assert teacher.calls == len(kept(tmp_path)) == min(right + 1, 3)
    if right < 3:
        assert answered.reply is not None
        assert answered.reply.text == GOOD
    elif wrong == "schema":
        assert answered.reply is not None
    else:
        assert answered.error is not None
        assert answered.error.reason == wrong
    entries = [json.loads(path.read_text())["asked"] for path in kept(tmp_path)]
    assert len({entry["seed"] for entry in entries}) == len(entries)
    assert all(entry["sampling"]["temperature"] > 0 for entry in entries if entry["seed"] != 7)


def test_an_error_is_not_asked_for_again_and_a_talk_keeps_its_order(tmp_path: Path) -> None:
    teacher = ScriptedTeacher(ScriptedConfig(answers={"0 b": "", "a": "the answer", "b": "an organ"}))
    with desk(teacher, tmp_path) as one:
        assert settled(persistent(talk("t", 2)), one) == ["the answer", "refused", "the answer", "an organ"]
    assert teacher.calls == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The spleen is 12 cm long.", ""), ("5 µm", ""), ("pneumothorax", ""), ("α-fetoprotein is raised in it", ""),
        ("Crohn's disease, façade, naïve cells of Sjögren", ""), ("de novo lesions in situ", ""), ("...", "empty"),
        ("脾脏增大，肝脏正常，双肺清晰，未见异常密度影。", "wrong_language"), ("脾", "wrong_language"),
        ("La rate est augmentée de volume et le foie est normal", "wrong_language"),
        ("El bazo no es grande y el hígado es normal en la imagen", "wrong_language"),
        ("Селезёнка увеличена, печень не изменена", "wrong_language"),
    ],
)  # fmt: skip
def test_flaws_of_free_text(text: str, found: str) -> None:
    assert flaw(Reply(text, "stop", 1, 1), request("x")) == found
    assert flaw(Reply(text, "length", 1, 1), request("x")) == "truncated"


@pytest.mark.slow
@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
@settings(max_examples=150, deadline=None)
def test_whatever_is_replied_has_one_of_the_known_flaws_or_none(text: str) -> None:
    known = {"", "empty", "schema", "wrong_language"}
    assert flaw(Reply(text, "stop", 1, 1), request("x")) in known
    assert flaw(Reply(text, "stop", 1, 1), request("x", schema=SCHEMA)) in known - {""}


def test_chinese_is_asked_for_where_it_is_wanted() -> None:
    assert speaks("脾脏增大, CT 显示", "zh")
    assert not speaks("The spleen is large.", "zh")


@pytest.mark.parametrize(
    ("value", "schema", "right"),
    [
        ({"a": 1}, {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}, True),
        ({"a": True}, {"type": "object", "properties": {"a": {"type": "integer"}}}, False),
        ({"a": 1.5}, {"type": "object", "properties": {"a": {"type": "integer"}}}, False),
        ({"b": 1}, {"type": "object", "properties": {"a": {}}, "additionalProperties": False}, False),
        ({}, {"required": ["a"]}, False),
        (["x"], {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 2}, True),
        (["z"], {"type": "array", "items": {"enum": ["x", "y"]}}, False),
        ([], {"type": "array", "minItems": 1}, False),
        (None, {"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
        (5, {"minimum": 6}, False),
        ("abc", {"type": "string", "maxLength": 2}, False),
    ],
)
def test_a_value_fits_its_schema(value: object, schema: dict[str, object], right: bool) -> None:
    assert fits(value, schema) is right


# --- lengths ---------------------------------------------------------------------------------------------------------


def test_a_prompt_that_does_not_fit_meets_no_engine_and_is_refused_from_the_ledger_too(tmp_path: Path) -> None:
    teacher = ScriptedTeacher(ScriptedConfig(otherwise="yes", context=400))
    short, long = request("word " * 20, max_tokens=100), request("wordy " * 300)
    shown = Request(short.messages, "p@1-0", pictures=(Picture("00", "image/png", b"", 448, 448),))
    assert too_long(teacher, short) is None
    with desk(teacher, tmp_path) as one:
        answers = [one.submit(r).result() for r in (short, long, shown)]
    assert [a.error.reason if a.error else "" for a in answers] == ["", "prompt_too_long", "prompt_too_long"]
    assert teacher.calls == 1
    replay = open_teacher(ReplayConfig(model=teacher.model, revision=teacher.revision, sees=True))
    with desk(replay, tmp_path) as two:
        again_ = [two.submit(r).result() for r in (short, long, shown)]
    assert [a.error.reason if a.error else "" for a in again_] == ["", "prompt_too_long", "prompt_too_long"]


@pytest.mark.parametrize(
    ("height", "width", "family", "tokens"),
    [
        (448, 448, "qwen2_vl", 16 * 16 + 2), (1000, 700, "qwen2_vl", 36 * 25 + 2), (8, 8, "qwen2_vl", 4 + 2),
        (448, 448, "qwen3_vl", 14 * 14 + 2), (10_000, 10_000, "qwen2_vl", 127 * 127 + 2), (448, 448, "internvl", 258),
        (448, 896, "internvl", 3 * 256 + 2), (336, 336, "llava", 576), (448, 448, "generic", 32 * 32 + 2),
        (364, 364, "idefics3", 16 * 171 + 4 + 172),
    ],
)  # fmt: skip
def test_pictures_are_counted_by_the_rule_of_their_family(height: int, width: int, family: str, tokens: int) -> None:
    assert visual([Picture("", "", b"", height, width)], family) == tokens  # type: ignore[arg-type]


def test_the_family_is_told_by_the_name() -> None:
    named = {
        "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2_vl",
        "qwen3_vl_moe": "qwen3_vl",
        "OpenGVLab/InternVL3-8B": "internvl",
    }
    assert {name: family_of(name) for name in named} == named
    assert family_of("gpt-9") == "generic"


TEXTS = (
    "Segmental wall-motion abnormalities (LVEF 35-40 %), BP 142/88 mmHg; 5.2 x 3.1 x 4.0 cm mass in segment IVa.",
    '{"findings": [{"organ": "spleen", "size_mm": 142.31, "side": null}], "impression": "HCC, LI-RADS 5"}',
    "pneumonoultramicroscopicsilicovolcanoconiosis XQZJKVWP \n\n\t µmol/L 日本語 – ü",
)


@pytest.mark.skipif(bool(available(EmbeddedConfig())), reason=available(EmbeddedConfig()) or "-")
@pytest.mark.slow
def test_the_estimate_is_above_what_a_real_tokenizer_counts_and_the_bound_above_both() -> None:
    teacher = open_teacher(EmbeddedConfig())
    template = teacher.ask(request("a", max_tokens=1)).prompt_tokens - 1
    for text in TEXTS:
        counted = teacher.ask(request(text, max_tokens=1)).prompt_tokens
        assert counted - template <= estimate(text) <= 3 * (counted - template)
        assert counted <= estimated(request(text), "generic")
        assert counted <= bound(request(text))
    teacher.close()


def test_a_probe_is_no_record_and_is_never_kept(tmp_path: Path) -> None:
    teacher = ScriptedTeacher(ScriptedConfig(answers={"t": "yes"}, failures={1: "timeout"}))
    with desk(teacher, tmp_path) as one:
        assert settled(talk("t", 1), one) == ["yes", "yes"]
    assert PROBE.prompt_id not in "".join(path.read_text() for path in kept(tmp_path))
