"""A teacher whose answers are written beforehand: for tests of recipes, of tasks, and of whatever calls them.

    from synth.teacher import ScriptedConfig, open_teacher
    teacher = open_teacher(ScriptedConfig(answers={"Which organ": "spleen"}, otherwise="unknown"))

It sees pictures, may be slow, out of order, cut off, uncertain, and may fail or die as a real engine does; see
`ScriptedConfig`. A recipe names it as `teacher: {backend: scripted, answers: {...}}`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

from manifests.errors import TeacherError
from manifests.record import digest
from synth.chat import Reply, Request
from synth.teacher_config import ScriptedAnswer, ScriptedConfig
from synth.teachers.ward import EngineDiedError, Ward
from synth.tokens import estimated


class ScriptedTeacher:
    """See `ScriptedConfig`; tokens are counted as words. The revision follows the answers, so that an edited script is
    asked anew. `calls` is how often an engine would have worked, failures included."""

    def __init__(self, config: ScriptedConfig) -> None:
        self._config = config
        self.calls = 0
        self._life = 0  # grows with every death
        self._lock = threading.Lock()
        self._ward = Ward()
        self.model = "scripted"
        self.in_flight, self.sees, self.context = config.in_flight, config.sees, config.context
        written = config.model_dump(mode="json", include={"answers", "otherwise", "sees", "context"})
        self.revision = digest(written)[:16]

    def count(self, request: Request) -> int:
        return estimated(request, "generic")

    def ask(self, request: Request) -> Reply:
        if request.pictures and not self.sees:
            raise TeacherError("media_not_supported", "pictures in a request to a script that sees none")
        return self._ward.ask(request, self._answer)

    def _answer(self, request: Request) -> Reply:
        with self._lock:
            self.calls += 1
            number, life = self.calls, self._life
            dies = self._config.dies_every and number % self._config.dies_every == 0
            self._life += bool(dies)
        if dies:
            raise EngineDiedError
        failure = self._config.failures.get(number)
        if self._config.gone_after and number > self._config.gone_after:
            failure = "unreachable"
        if failure:
            raise TeacherError(failure, f"scripted failure of call {number}")
        reply = self._reply(request)
        if self._config.delay_s:
            time.sleep(self._config.delay_s * _share(request))
        if life != self._life:  # it died while this answer was being written
            raise EngineDiedError
        if self._config.journal:
            with Path(self._config.journal).open("ab") as journal:
                journal.write(f"{request.prompt_id} {_digest(request)}\n".encode())
        return reply

    def _reply(self, request: Request) -> Reply:
        text = "\n".join(content for _, content in request.messages)
        shown = [f"picture {picture.sha256}" for picture in request.pictures]
        role = [f"role {request.role}"] if request.role != "teacher" else []
        prompt = "\n".join([text, *shown, *role])
        parts = sorted((part for part in self._config.answers if part in prompt), key=lambda p: (-len(p), p))
        written = self._config.answers[parts[0]] if parts else self._config.otherwise
        if isinstance(written, tuple):
            written = written[request.seed % len(written)] if written else ""
        answer = ScriptedAnswer(text=written) if isinstance(written, str) else written
        if written == "":
            raise TeacherError("refused", "no scripted answer for this prompt")
        tokens = len(text.split()), len(answer.text.split())
        return Reply(answer.text, answer.finish_reason, *tokens, answer.entropy if request.logprobs else None)

    def close(self) -> None:
        self.calls = 0


def _digest(request: Request) -> str:
    """16 hexadecimal digits of what a request asks."""
    shown = [picture.sha256 for picture in request.pictures]
    asked = [[list(m) for m in request.messages], request.prompt_id, shown, request.seed, request.temperature]
    return digest(asked)[:16]


def _share(request: Request) -> float:
    """From 0 to 1, decided by the request, and spread otherwise than its digest in the journal."""
    return int(hashlib.sha256(_digest(request).encode()).hexdigest()[:4], 16) / 0xFFFF
