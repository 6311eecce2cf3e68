"""The real vLLM, on a GPU or as its CPU build: chat, schema, certainty, many threads, pictures, death.

Asked for by name: MEDCURATE_VLLM_MODEL is the folder of a small chat model (SmolLM2-135M-Instruct will do),
MEDCURATE_VLLM_SEES that of one that reads pictures, whose weights are made at random. An engine takes 30 s to start.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manifests.errors import TeacherError
from synth.asking import Desk, Talk, converse
from synth.chat import Picture, Request
from synth.requests import Answered, Ledger
from synth.teacher import VllmConfig, VllmTeacher, too_long

MODEL, SEES = os.environ.get("MEDCURATE_VLLM_MODEL", ""), os.environ.get("MEDCURATE_VLLM_SEES", "")
HERE = importlib.util.find_spec("vllm") is not None
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"organ": {"type": "string", "enum": ["liver", "spleen"]}, "size_mm": {"type": "integer"}},
        "required": ["organ", "size_mm"],
        "additionalProperties": False,
    }
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (HERE and MODEL), reason="vllm is not installed, or MEDCURATE_VLLM_MODEL names no model"),
]


def request(text: str, **changes: int | float | str | bool) -> Request:
    return replace(Request(messages=(("user", text),), prompt_id="p@1-0", max_tokens=32), **changes)  # type: ignore


@pytest.fixture(scope="module")
def teacher() -> Iterator[VllmTeacher]:
    made = VllmTeacher(VllmConfig(model=MODEL, max_model_len=1024, max_num_seqs=16, enforce_eager=True))
    yield made
    made.close()


def test_a_chat_is_answered_with_its_certainty_and_its_prompt_was_counted_exactly(teacher: VllmTeacher) -> None:
    asked = request("What is the capital of France?", logprobs=True)
    reply = teacher.ask(asked)
    assert reply.prompt_tokens == teacher.count(asked)
    assert 0 < reply.completion_tokens <= 32
    assert reply.entropy is not None
    assert 0 < reply.entropy < math.log(49_152)
    assert teacher.ask(replace(asked, logprobs=False)).entropy is None


def test_many_threads_share_one_engine_and_every_answer_is_of_its_schema(teacher: VllmTeacher, tmp_path: Path) -> None:
    def talk(n: int) -> Talk[Answered]:
        text = f"CT {n}: the spleen measures {n + 100} mm. Which organ? JSON."
        (answered,) = yield (request(text, schema=SCHEMA, temperature=0.7, seed=n),)
        return answered

    with Desk({"teacher": teacher}, Ledger(tmp_path)) as desk:
        made = [answered for (answered, _) in converse(map(talk, range(24)), desk)]
    assert all(a.reply is not None and json.loads(a.reply.text)["organ"] in ("liver", "spleen") for a in made)
    assert len(list(tmp_path.rglob("*.json"))) == 24


def test_what_cannot_be_answered_is_refused_and_the_engine_lives_on(teacher: VllmTeacher) -> None:
    long = request("word " * 3000)
    assert too_long(teacher, long) is not None
    shown = replace(request("x"), pictures=(picture(0),))
    for asked, reason in (
        (long, "prompt_too_long"),
        (request("x", schema='{"type":"nonsense"}'), "bad_request"),
        (shown, "media_not_supported"),
    ):
        with pytest.raises(TeacherError, match=reason):
            teacher.ask(asked)
    assert teacher.ask(request("Say yes.")).completion_tokens > 0


def test_an_engine_that_is_killed_is_started_again_and_everybody_is_answered(teacher: VllmTeacher) -> None:
    import psutil  # type: ignore[import-untyped]

    requests = [request(f"Tell a story about {n}.", temperature=0.7, seed=n) for n in range(12)]
    teacher.ask(requests[0])
    engines = [p for p in psutil.Process().children(recursive=True) if "VLLM" in p.name()]
    assert engines
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(teacher.ask, one) for one in requests]
        for process in engines:
            process.kill()
        assert all(future.result(timeout=300).completion_tokens > 0 for future in futures)


def picture(seed: int, height: int = 56, width: int = 84) -> Picture:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Picture(hashlib.sha256(pixels.tobytes()).hexdigest(), "image/png", stream.getvalue(), height, width)


@pytest.mark.skipif(not SEES, reason="MEDCURATE_VLLM_SEES names no model that reads pictures")
def test_one_and_several_pictures_go_through_and_their_tokens_are_what_was_counted() -> None:
    config = VllmConfig(model=SEES, load_format="dummy", max_model_len=8192, max_num_seqs=8, enforce_eager=True)
    teacher = VllmTeacher(config)
    assert teacher.sees
    try:
        for count in (1, 3):
            asked = replace(request("What is shown?", max_tokens=4), pictures=tuple(map(picture, range(count))))
            reply = teacher.ask(asked)
            assert reply.completion_tokens == 4
            assert 0 <= teacher.count(asked) - reply.prompt_tokens <= 3 * count
    finally:
        teacher.close()
