"""The request ledger: its keys, its files, many writers, a killed writer, replay."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from manifests.errors import RecipeError, TeacherError
from synth.chat import Picture
from synth.requests import Ledger, ask, request_key
from synth.teacher import ReplayConfig, Reply, Request, ScriptedConfig, ScriptedTeacher, open_teacher

ROOT = Path(__file__).resolve().parents[2]
REQUEST = Request(messages=(("user", "Which organ?"),), prompt_id="p@1-00000000", schema='{"type":"object"}')
REPLY = Reply("the liver µ – ü", "stop", 5, 2)


class Scripted(ScriptedTeacher):
    """The shipped scripted teacher, with its calls counted."""

    def __init__(self, config: ScriptedConfig) -> None:
        super().__init__(config)
        self.asked = 0

    def ask(self, request: Request) -> Reply:
        self.asked += 1
        return super().ask(request)


CHANGES: list[dict[str, Any]] = [
    {"messages": (("user", "Which organ? "),)},
    {"messages": (("system", "Which organ?"),)},
    {"prompt_id": "p@2-00000000"},
    {"schema": ""},
    {"max_tokens": 49},
    {"temperature": 0.1},
    {"seed": 1},
    {"pictures": (Picture("00", "image/png", b"", 1, 1),)},
    {"logprobs": True},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_whatever_an_answer_depends_on_changes_the_key(change: dict[str, Any]) -> None:
    changed = dataclasses.replace(REQUEST, **change)
    assert request_key("m", "r", changed) != request_key("m", "r", REQUEST)


def test_the_key_names_the_model_and_its_revision_and_is_stable() -> None:
    assert len({request_key(m, r, REQUEST) for m in ("a", "b") for r in ("1", "2")}) == 4
    written_out = (
        '{"media":[],"messages":[["user","Which organ?"]],"model":"m","prompt_id":"p@1-00000000","revision":"r",'
        '"sampling":{"max_tokens":48,"temperature":0.0},"schema":"{\\"type\\":\\"object\\"}","seed":0}'
    )
    assert request_key("m", "r", REQUEST) == hashlib.sha256(written_out.encode()).hexdigest()


def test_what_was_put_is_got_and_a_second_writer_gets_the_first_answer(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    key = request_key("m", "r", REQUEST)
    assert ledger.get(key) is None
    assert ledger.put(key, {}, REPLY) == REPLY
    assert ledger.put(key, {}, Reply("another", "stop", 1, 1)) == REPLY
    assert ledger.get(key) == REPLY
    assert ledger.path(key) == tmp_path / key[:2] / f"{key}.json"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [f"{key}.json"]


def test_a_file_cut_at_any_byte_or_changed_counts_as_absent_and_is_mended(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    key = request_key("m", "r", REQUEST)
    ledger.put(key, {"messages": []}, REPLY)
    path = ledger.path(key)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert ledger.get(key) is None, end
    for damaged in (whole.replace(b"liver", b"lever"), b"\xff" + whole, b"[]", b"null", b"[" * 100_000):
        path.write_bytes(damaged)
        assert ledger.get(key) is None
    assert ledger.put(key, {"messages": []}, REPLY) == REPLY
    assert path.read_bytes() == whole


def test_an_entry_under_another_key_counts_as_absent(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put("a" * 64, {}, REPLY)
    other = ledger.path("b" * 64)
    other.parent.mkdir()
    other.write_bytes(ledger.path("a" * 64).read_bytes())
    assert ledger.get("b" * 64) is None


def test_many_writers_of_one_key_all_read_one_answer(tmp_path: Path) -> None:
    def write(n: int) -> object:
        return Ledger(tmp_path).put("c" * 64, {}, Reply(f"answer {n}", "stop", n, n))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(write, range(64)))
    assert len({str(a) for a in answers}) == 1
    assert answers[0] == Ledger(tmp_path).get("c" * 64)
    assert not list(tmp_path.rglob(".tmp-*"))


KILLED = """
import os, signal, sys
from pathlib import Path
from synth.requests import Ledger
from synth.teacher import Reply
def die(*a): os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "before": os.link = die
Ledger(Path(sys.argv[1])).put("d" * 64, {}, Reply("x" * 5000, "stop", 1, 1))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.slow
def test_a_killed_writer_leaves_a_whole_answer_or_none(tmp_path: Path, when: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), when], cwd=ROOT, check=False)
    assert done.returncode == -9
    found = Ledger(tmp_path).get("d" * 64)
    assert found == (None if when == "before" else Reply("x" * 5000, "stop", 1, 1))
    if when == "before":  # and nothing stands in the way of the next run
        assert Ledger(tmp_path).put("d" * 64, {}, REPLY) == REPLY


def test_the_second_time_no_engine_is_asked_and_the_answer_is_the_same(tmp_path: Path) -> None:
    teacher, ledger = Scripted(ScriptedConfig(otherwise="liver")), Ledger(tmp_path)
    first, second = ask(teacher, REQUEST, ledger), ask(teacher, REQUEST, ledger)
    assert (first.cached, second.cached, teacher.asked) == (False, True, 1)
    assert first.reply == second.reply
    assert first.author == second.author
    assert first.author.request_key == first.key
    entry = json.loads(ledger.path(first.key).read_text())
    assert entry["asked"]["messages"] == [["user", "Which organ?"]]  # an auditor finds prompt and answer
    assert entry["reply"]["text"] == "liver"


@pytest.mark.parametrize("reason", ["refused", "bad_request", "prompt_too_long"])
def test_an_error_that_would_come_again_is_kept(tmp_path: Path, reason: str) -> None:
    teacher, ledger = Scripted(ScriptedConfig(otherwise="liver", failures={1: reason})), Ledger(tmp_path)
    first, second = ask(teacher, REQUEST, ledger), ask(teacher, REQUEST, ledger)
    assert (first.cached, second.cached, teacher.asked) == (False, True, 1)
    assert first.reply is None
    assert second.error is not None
    assert second.error.reason == reason


@pytest.mark.parametrize("reason", ["timeout", "server_error", "rate_limited", "unreachable", "bad_response"])
def test_an_error_that_may_pass_is_not_kept_and_the_next_run_asks_again(tmp_path: Path, reason: str) -> None:
    teacher, ledger = Scripted(ScriptedConfig(otherwise="liver", failures={1: reason})), Ledger(tmp_path)
    first, second = ask(teacher, REQUEST, ledger), ask(teacher, REQUEST, ledger)
    assert first.error is not None
    assert first.error.reason == reason
    assert second.reply == Reply("liver", "stop", 2, 1)
    assert not second.cached


@pytest.mark.parametrize("reason", ["unauthorised", "no_such_model", "engine_failed"])
def test_a_wrong_set_up_stops_the_run_and_is_not_kept(tmp_path: Path, reason: str) -> None:
    teacher = Scripted(ScriptedConfig(otherwise="liver", failures={1: reason}))
    with pytest.raises(TeacherError, match=reason):
        ask(teacher, REQUEST, Ledger(tmp_path))
    assert not list(tmp_path.rglob("*.json"))


def test_a_replay_gives_the_ledgers_answers_and_refuses_what_it_does_not_hold(tmp_path: Path) -> None:
    script, ledger = Scripted(ScriptedConfig(otherwise="liver")), Ledger(tmp_path)
    asked = ask(script, REQUEST, ledger)
    replay = open_teacher(ReplayConfig(model=script.model, revision=script.revision))
    again = ask(replay, REQUEST, ledger)
    assert (again.reply, again.key, again.author, again.cached) == (asked.reply, asked.key, asked.author, True)
    with pytest.raises(TeacherError, match="not_in_ledger"):
        ask(replay, dataclasses.replace(REQUEST, seed=1), ledger)


def test_a_ledger_that_cannot_be_written_is_said_in_one_line_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="mend --work") as caught:
        Ledger(tmp_path / "file").put("e" * 64, {}, REPLY)
    assert str(tmp_path) not in str(caught.value)
