"""No secret reaches an error, a log, the ledger, the manifest, the work folder or a parser's process."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate import inventory, listing, sandbox
from curate.cli import main
from curate.deidentify import DeidentifyConfig
from curate.doctor import examine, text
from curate.inventory import KeyHint
from curate.keyring import Keyring
from curate.prepare import PrepareSpec
from manifests.errors import MedcurateError, RecipeError, RecordError, Reject, TeacherError, VerificationError
from manifests.redact import REDACTED, is_secret, redacted
from sources.base import Place
from sources.jsonl_text import JsonlText
from synth.teacher_config import OpenAIConfig
from tests.corpus import make_corpus

PLANTED = {  # a text, and the part of it that nobody may read
    "https://jane:pa55w0rd-one@host.example/v1": "pa55w0rd-one",
    "https:/jane:pa55w0rd-two@host.example/v1": "pa55w0rd-two",
    "s3://AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI@bucket/key": "wJalrXUtnFEMI",
    "postgres://reader:h3ll0w0rld@db:5432/ct": "h3ll0w0rld",
    "https://host/v1?token=tok-0123456789": "tok-0123456789",
    "https://host/v1?a=1&api_key=ak-0123456789&b=2": "ak-0123456789",
    "https://acct.blob.example/c?sv=2026&sig=Zm9vYmFyYmF6%3D": "Zm9vYmFyYmF6",
    "https://b.s3.example/k?X-Amz-Signature=deadbeef0123&X-Amz-Credential=AKIDEXAMPLE99": "deadbeef0123",
    "https://b.s3.example/k?X-Amz-Security-Token=FwoGZXIvYXdz": "FwoGZXIvYXdz",
    "the key AKIAIOSFODNN7EXAMPLE was refused": "AKIAIOSFODNN7EXAMPLE",
    "login with hf_abcdefghijklmnopqrstuvwxyz012345": "hf_abcdefghijklmnopqrstuvwxyz012345",
    "Incorrect API key provided: sk-proj-0123456789abcdefghij": "sk-proj-0123456789abcdefghij",
    "Authorization: Bearer abc.def-ghi_123456": "abc.def-ghi_123456",
    "{'Authorization': 'Basic dXNlcjpwYXNz'}": "dXNlcjpwYXNz",
    "sent bearer eyAbCdEfGhIjKl0123": "eyAbCdEfGhIjKl0123",
    "x-api-key: 7f3a19b2c4d5": "7f3a19b2c4d5",
    "HF_TOKEN=abcdef123456 is set": "abcdef123456",
    "password: correct-horse-battery": "correct-horse-battery",
    "aws_secret_access_key = wJalrXUtnFEMIK7MDENG": "wJalrXUtnFEMIK7MDENG",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----": "MIIEowIBAAKCAQEA",
    "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl": "eyJzdWIiOiIxMjM0",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345": "ghp_0123456789abcdefghijABCDEFGHIJ012345",
}
ENVIRONMENT = {
    "HF_TOKEN": "hf_PlantedInTheEnvironment0001",
    "AWS_SECRET_ACCESS_KEY": "PlantedAwsSecret/0002+abcdefghijklmnop",
    "AWS_SESSION_TOKEN": "PlantedAwsSession0003",
    "OPENAI_API_KEY": "sk-PlantedOpenAi00000000004",
    "HUGGING_FACE_HUB_TOKEN": "PlantedHub0005",
    "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https;AccountKey=PlantedAzure0006==",
    "GITHUB_PAT": "PlantedGithub0007",
    "DB_PASSWORD": "Planted Password 0008",
    "HTTPS_PROXY": "http://jane:PlantedProxy0009@127.0.0.1:9",
    "MEDCURATE_KEY": "PlantedPseudonymKey0010",
    "SESSION_COOKIE": "PlantedCookie0011",
    "ODD_NAME": "PlantedTeacherKey0012",  # named by the recipe's api_key_env
}


@pytest.mark.parametrize("said", PLANTED)
def test_no_error_of_ours_holds_a_secret_and_what_is_left_can_be_read(said: str) -> None:
    secret = PLANTED[said]
    errors = (
        MedcurateError(said), RecipeError(f"no source at '{said}'"), VerificationError(said),
        TeacherError("refused", said), RecordError("unreadable_file", said, said), Reject("too_small", said),
    )  # fmt: skip
    for error in errors:
        told = f"{error} {error!r} {vars(error)} {pickle.loads(pickle.dumps(error))!r}"
        assert secret not in told
        assert REDACTED in told
    assert redacted(redacted(said)) == redacted(said)


def test_a_secret_of_the_environment_is_known_by_its_value_in_any_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "a pass/word+1")
    for written in ("a pass/word+1", "a%20pass%2Fword%2B1", "a+pass%2Fword%2B1"):
        assert redacted(f"cannot open x{written}x") == f"cannot open x{REDACTED}x"


@pytest.mark.parametrize(
    "ordinary",
    [
        "bad_table: found bytes that are not UTF-8 in 'a.csv' after row 3; mend the table",
        "no_api_key: found the environment variable LLM_KEY is not set; set it to the key of the endpoint",
        "--address 10.0.0.5:6379 is not loopback: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (see ray_cluster.yaml)",
        "prompt_too_long: found 4096 tokens; shorten it", "table 'a=b&c.csv' has no column 'key'; it has: code, key",
        "https://example.org/a/b?page=2#x", "code=A00, key: 3f9a1c, 12@3", "the key in MEDCURATE_KEY has 5 bytes",
        "icd10cm/list.xml#code=A00.1", "found 3 of 5: 1.2.840.10008.1.2",
    ],
)  # fmt: skip
def test_ordinary_messages_stay_as_they_are(ordinary: str) -> None:
    assert redacted(ordinary) == ordinary


def test_a_parsers_process_is_given_none_of_the_environments_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    given = json.dumps(sandbox.environment())
    assert [v for n, v in ENVIRONMENT.items() if v in given and n != "ODD_NAME"] == []
    assert "PATH" in sandbox.environment()
    assert not any(is_secret(name, "x") for name in ("PATH", "HOME", "PYTHONPATH", "LANG", "TMPDIR", "OMP_NUM_THREADS"))


class Echo:
    """A teacher's endpoint that says back what it was sent, key and all, in every place that an answer has."""

    def __init__(self, status: int) -> None:
        echo = self
        self.heard: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                sent = self.headers.get("Authorization", "")
                key = sent.removeprefix("Bearer ")
                echo.heard.append(sent)
                said = {"caption": f"This is a text about {key}."}
                body: dict[str, Any] = {
                    "error": {"code": key, "type": key, "message": f"{sent} is wrong: {dict(self.headers)}"},
                    "choices": [{"message": {"content": json.dumps(said)}, "finish_reason": key}],
                    "usage": {},
                }
                data = json.dumps(body).encode()
                self.send_response(status, key)
                self.send_header("X-Echo", key)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@contextlib.contextmanager
def echo(status: int) -> Iterator[Echo]:
    made = Echo(status)
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


def curate(*words: str) -> tuple[int, str]:
    """What `curate WORDS` ends with, and all that it says."""
    said, code = io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(list(words), standalone_mode=False)
        except SystemExit as end:
            code = int(end.code or 0)
    return code, said.getvalue()


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_traceback_tells_where_and_no_secret(monkeypatch: pytest.MonkeyPatch, debug: str) -> None:
    """Of an exception that nobody foresaw, and with MEDCURATE_DEBUG of ours: causes, contexts and notes included."""
    secrets = list(PLANTED.values())
    monkeypatch.setenv("DB_PASSWORD", "Planted Password 0008")
    monkeypatch.setenv("MEDCURATE_DEBUG", debug)
    kind = VerificationError if debug else OSError

    def broken() -> str:
        try:
            raise KeyError("; ".join(PLANTED))
        except KeyError as error:
            error.add_note("opened with Planted Password 0008")
            cause = ValueError("\n".join(PLANTED))
            cause.__cause__ = error
            raise kind(f"no answer from {next(iter(PLANTED))}") from cause

    monkeypatch.setattr("curate.catalogue.list_sources", broken)
    code, said = curate("sources")
    assert code == (4 if debug else 1)
    assert [secret for secret in [*secrets, "Planted Password 0008"] if secret in said] == []
    for useful in (
        "Traceback (most recent call last)",
        "in broken",
        __file__,
        f"{kind.__name__}: ",
        "ValueError: ",
        "KeyError: ",
    ):
        assert useful in said
    assert said.rstrip().splitlines()[-1].startswith("curate: ")
    assert REDACTED in said


@pytest.mark.slow
def test_a_process_that_breaks_ends_with_1_and_a_redacted_traceback() -> None:
    program = (
        "import curate.catalogue as c, curate.cli as i\n"
        "def broken(): raise RuntimeError('https://jane:pa55w0rd-one@host/v1')\n"
        "c.list_sources = broken\n"
        "i.main(['sources'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: https://[redacted]@host/v1" in done.stderr
    assert "pa55w0rd" not in done.stdout + done.stderr


def leaks(told: str, *folders: Path) -> list[str]:
    """Which planted secrets stand in what was said, or in any file or file name below the folders."""
    values = [v.encode() for v in ENVIRONMENT.values()] + [b"PlantedProxy0009", b"PlantedAzure0006", b"url-secret-13"]
    blobs = [told.encode()]
    for folder in folders:
        for path in folder.rglob("*"):
            blobs.append(str(path.relative_to(folder)).encode())
            blobs += [path.read_bytes()] if path.is_file() else []
    return [v.decode() for v in values if any(v in blob for blob in blobs)]


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 401])
def test_a_run_with_secrets_all_around_tells_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """A teacher that echoes its key succeeds, refuses or breaks; everything written and said is searched."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    corpus = make_corpus(tmp_path / "in")
    with echo(status) as endpoint:
        recipe = yaml.safe_load(corpus.read_text())
        recipe["tasks"] = ["source_text", "narrate"]
        recipe["teacher"] = {
            "backend": "openai", "base_url": f"http://{endpoint.address}/v1", "model": "m", "api_key_env": "ODD_NAME",
            "retries": 0, "backoff_s": 0, "timeout_s": 5,
        }  # fmt: skip
        corpus.write_text(yaml.safe_dump(recipe))
        out = tmp_path / "out"
        try:
            code, said = curate("run", str(corpus), "--out", str(out), "--workers", "0")
        except Exception as error:  # what the shell would show
            code, said = 1, f"{error!r} {error.__context__!r}"
        assert any(ENVIRONMENT["ODD_NAME"] in heard for heard in endpoint.heard)  # it was there to be leaked
    assert code == (0 if status == 200 else 1)
    told = said + "".join(capfd.readouterr())
    assert leaks(told, out) == []
    if status == 200:
        more = [
            curate(*words)[1] for words in (("verify", str(out)), ("report", str(out)), ("query", str(out), "funnel"))
        ]
        assert leaks("".join(more), out) == []


@pytest.mark.parametrize(
    "override",
    [
        "teacher.base_url=http://user:url-secret-13@127.0.0.1:9/v1",
        "teacher.base_url=http://127.0.0.1:9/v1?api_key=url-secret-13",
        "teacher.base_url=http://127.0.0.1:9/v1;token=url-secret-13",
        "teacher=http://user:url-secret-13@127.0.0.1:9/v1",
        "sources.0.root=https://user:url-secret-13@host.example/scans",
        "sources.0.root=https://host.example/scans?token=url-secret-13",
        "--set=https://user:url-secret-13@host",
    ],
)
def test_a_secret_in_a_recipe_is_not_told_back(tmp_path: Path, override: str) -> None:
    (tmp_path / "in").mkdir()
    corpus = tmp_path / "in" / "recipe.yaml"
    teacher = {"backend": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    source = {"source": "jsonl_text", "root": ".", "licence": "MIT", "text": "text"}
    corpus.write_text(yaml.safe_dump({"sources": [source], "teacher": teacher}))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MEDCURATE_KEY", raising=False)
        code, said = curate("run", str(corpus), "--out", str(tmp_path / "out"), "--set", override, "--workers", "0")
    assert code == 2
    assert leaks(said, tmp_path / "in") == []
    assert re.search(r"curate: .{10}", said)


def test_no_unit_carries_a_secret_to_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit travels pickled through Ray's object store; the keys stay in each worker's own environment."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    ring = Keyring.load("secrets", 0)
    assert not ring.public
    hint = KeyHint("secrets", 0, "", ring.key_id)
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n')
    source = JsonlText(source="jsonl_text", root=".", licence="MIT", text="text")
    place = Place(tmp_path, tmp_path)
    entries = [inventory.entry_of(source, place, "a.jsonl", ring.pseudonym)]
    units = inventory.units_of(source, place, hint)
    items = tuple(source.items(place, entries, ring.pseudonym))
    teacher = OpenAIConfig(base_url="http://127.0.0.1:9/v1", model="m", api_key_env="ODD_NAME")
    travelling = (
        units, listing.unit_of(source, place, hint, units, entries),
        PrepareSpec(source, place, items, DeidentifyConfig(), hint), teacher,
    )  # fmt: skip
    assert leaks(pickle.dumps(travelling).decode("latin-1")) == []


def test_doctor_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/PlantedHub0005/ffmpeg")
    assert leaks(text(examine())) == []
