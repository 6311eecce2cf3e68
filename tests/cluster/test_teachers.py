"""Engines as actors: units share them, find them by name, and lose nothing when one is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.cluster import open_there, ray_session, start_engines
from curate.engines import CALLS, Engine, Facts, Served, gpus
from curate.store import file_sha256
from manifests.errors import MedcurateError, TeacherError
from manifests.manifest import read_manifest
from synth.asking import Desk, Talk, converse
from synth.chat import Reply, Request
from synth.requests import Ledger
from synth.teacher import ScriptedConfig, VllmConfig
from tests.corpus import run_recipe

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
CAPTION = '{"caption": "Code K50 is a disease of the intestine."}'


@pytest.fixture(scope="module")
def private() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", "")))))
    with ray_session(2, ""):
        yield
    patch.undo()


def scripted(journal: Path, **changes: Any) -> ScriptedConfig:
    values = {"otherwise": "fine", "delay_s": 0.05, "in_flight": 8, "journal": str(journal), "replicas": 2}
    return ScriptedConfig.model_validate({**values, **changes})


def talk(name: str) -> Talk[list[str]]:
    heard: list[str] = []
    for n in range(3):
        (answered,) = yield (Request((("user", f"{name} {n} {heard[-1:]}"),), "p@1-0"),)
        heard.append(answered.reply.text if answered.reply else "lost")
    return heard


def killing(pids: list[int]) -> None:
    for pid in pids:
        time.sleep(0.4)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def processes() -> list[int]:
    """The processes of the engines, by their title."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"ray::Engine" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def test_engines_that_are_killed_in_the_middle_lose_nothing_and_are_paid_once(private: None, tmp_path: Path) -> None:
    config = scripted(tmp_path / "journal")
    assert open_there(config) is None
    start_engines(config)
    start_engines(config)  # they stand already
    teacher = open_there(config)
    assert teacher is not None
    assert teacher.in_flight == 16
    deadline = time.monotonic() + 60
    while len(before := processes()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    killer = threading.Thread(target=killing, args=(before,))
    killer.start()
    with Desk({"teacher": teacher}, Ledger(tmp_path / "l")) as desk:
        made = list(converse((talk(f"t{n}") for n in range(150)), desk))
    killer.join()
    assert not set(before) & set(processes())
    assert (desk.unanswered, {word for result, _ in made for word in result}) == (0, {"fine"})
    assert len(list((tmp_path / "l").rglob("*.json"))) == 450
    journal = Counter((tmp_path / "journal").read_text().splitlines())
    assert len(journal) == 450
    assert sum(journal.values()) - 450 <= 16  # at most what was on its way back from the two


def test_an_engine_of_another_version_is_refused_and_one_without_a_place_is_told(private: None, tmp_path: Path) -> None:
    with pytest.raises(MedcurateError, match="another version"):
        Engine(scripted(tmp_path / "j"), "other")
    big = VllmConfig(model="m", tensor_parallel_size=4)
    assert gpus(big) == 4
    with pytest.raises(MedcurateError, match="GPU 4"):
        start_engines(big)


def test_a_request_whose_engine_dies_each_time_is_given_up_and_a_refusal_comes_through() -> None:
    calls: list[str] = []

    def call(name: str, request: Request) -> Reply | tuple[str, str] | None:
        calls.append(name)
        return ("refused", "a refusal of the model") if "no" in request.messages[0][1] else None

    served = Served(Facts("m", "r", 4, False), ["a", "b"], call, rest_s=0.0)
    with pytest.raises(TeacherError, match="server_error"):
        served.ask(Request((("user", "x"),), "p@1-0"))
    assert len(calls) == CALLS
    assert set(calls) == {"a", "b"}
    with pytest.raises(TeacherError, match="refused"):
        served.ask(Request((("user", "no"),), "p@1-0"))


def test_a_run_whose_teacher_has_engines_of_its_own_gives_the_bytes_of_the_plain_loop(
    private: None, tmp_path: Path
) -> None:
    (tmp_path / "texts.jsonl").write_text(
        "".join(f'{{"id": "t{n}", "text": "Code K50 is a disease of the intestine, {n}."}}\n' for n in range(12))
    )
    source = {"source": "jsonl_text", "name": "texts", "root": str(tmp_path / "texts.jsonl"), "licence": "MIT",
              "id": "id", "text": "text"}  # fmt: skip
    tasks = [{"task": "source_text"}, {"task": "narrate", "grounded": 0}]
    teacher = scripted(tmp_path / "journal", otherwise=CAPTION).model_dump(mode="json")
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "texts", "sources": [source], "tasks": tasks, "teacher": teacher}))
    plain = run_recipe(path, tmp_path / "a").manifest
    asked = (tmp_path / "journal").read_text().splitlines()
    served = run_recipe(path, tmp_path / "b", workers=2).manifest
    assert open_there(ScriptedConfig.model_validate(teacher)) is not None
    assert plain.teacher == served.teacher
    assert sorted((tmp_path / "journal").read_text().splitlines()) == sorted([*asked, *asked])
    shards = [
        [file_sha256(out / s.path) for s in read_manifest(out).shards] for out in (tmp_path / "a", tmp_path / "b")
    ]
    assert shards[0] == shards[1] != []
