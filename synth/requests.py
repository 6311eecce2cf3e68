"""The request ledger: every answer of a teacher, by the hash of exactly what was asked.

A request's key is sha256 over the canonical JSON of model, revision, prompt id, rendered messages, schema, media
digests, sampling and seed. So an edited prompt is asked anew and nothing else is, an interrupted run loses one
request, and a run without any engine (`replay`) gives the same corpus byte for byte.

One small JSON file per key, `ROOT/ab/abcdef....json`, in 256 folders. It is written to a temporary name, synced, and
given its name by one atomic step that fails where the name is taken: no locks and no shared file, which neither
network file systems nor object stores do well, and a killed process leaves at most a temporary file that nobody reads.
Of two processes that ask the same at once the first to finish is believed by both. A file that is cut off, or whose
checksum does not hold, counts as absent and is asked again. The files hold prompts, hence text of (de-identified)
records; they never hold an address or a key of an endpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manifests.errors import RecipeError, TeacherError
from manifests.record import canonical_json, digest
from manifests.sample import Authorship
from synth.chat import STORED, TRANSIENT, Reply, Request
from synth.teacher import Teacher, too_long

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request: a reply or an error, never both. `cached` says that no engine was asked for it."""

    reply: Reply | None
    error: TeacherError | None
    key: str
    cached: bool
    author: Authorship


def request_key(model: str, revision: str, request: Request) -> str:
    """64 hexadecimal digits of everything that an answer depends on."""
    return digest(_asked(model, revision, request))


def _asked(model: str, revision: str, request: Request) -> dict[str, Any]:
    return {
        "model": model,
        "revision": revision,
        "prompt_id": request.prompt_id,
        "messages": [list(message) for message in request.messages],
        "schema": request.schema,
        "media": [picture.sha256 for picture in request.pictures],
        "sampling": {"max_tokens": request.max_tokens, "temperature": request.temperature},
        "seed": request.seed,
        **({"logprobs": True} if request.logprobs else {}),
    }


class Ledger:
    """The answers under one folder, shared by any number of processes and runs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def get(self, key: str) -> Reply | TeacherError | None:
        """The answer under a key, or None where there is none that can be trusted. Raises `RecipeError` where the
        folder cannot be read."""
        try:
            data = self.path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RecipeError(f"the request ledger cannot be read ({type(error).__name__}); mend --work") from error
        entry = _checked(data, key)
        if entry is None:
            return None
        if entry["error"] is not None:
            return TeacherError(entry["error"]["reason"], entry["error"]["found"])
        return Reply(**entry["reply"])

    def put(self, key: str, asked: dict[str, Any], answer: Reply | TeacherError) -> Reply | TeacherError:
        """Keep an answer, and give back what stands under the key now: this one, or the one that was there first."""
        error = {"reason": answer.reason, "found": answer.found} if isinstance(answer, TeacherError) else None
        reply = None if isinstance(answer, TeacherError) else asdict(answer)
        entry = {"format": _FORMAT, "key": key, "asked": asked, "reply": reply, "error": error}
        data = canonical_json({**entry, "check": digest(entry)}).encode()
        try:
            self._commit(self.path(key), data, key)
        except OSError as failure:
            raise RecipeError(f"the request ledger cannot be written ({type(failure).__name__}); mend --work") from None
        stands = self.get(key)
        return answer if stands is None else stands

    def _commit(self, path: Path, data: bytes, key: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".tmp-{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)  # unlike a rename it does not replace an answer that others have read
            except FileExistsError:
                if self.get(key) is None:
                    temporary.replace(path)  # what stands there is damaged
            except OSError:  # a file system without hard links
                temporary.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def _checked(data: bytes, key: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(data)
        check = entry.pop("check")
        sound = entry["format"] == _FORMAT and entry["key"] == key and digest(entry) == check
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return entry if sound else None


def ask(teacher: Teacher, request: Request, ledger: Ledger) -> Answered:
    """The answer to a request, from the ledger if it is there, else from the teacher and then kept.

    A prompt that does not fit (`synth.teacher.too_long`) is refused before any engine meets it. An error that would
    come again (`synth.chat.STORED`) is kept as an answer is; one that may pass is given back in
    `Answered.error` and not kept; any other (`not_in_ledger` of a replay, a missing key, a wrong set-up) is raised,
    because every further request would meet it too.
    """
    known = look_up(teacher, request, ledger)
    if known is not None:
        return known
    answer: Reply | TeacherError
    try:
        answer = too_long(teacher, request) or teacher.ask(request)
    except TeacherError as error:
        if error.reason in TRANSIENT:
            return unkept(teacher, request, error)
        if error.reason not in STORED:
            raise
        answer = error
    return keep(teacher, request, answer, ledger)


def look_up(teacher: Teacher, request: Request, ledger: Ledger) -> Answered | None:
    """What the ledger holds for a request."""
    key = request_key(teacher.model, teacher.revision, request)
    known = ledger.get(key)
    return None if known is None else _answered(teacher, request, known, key, cached=True)


def unkept(teacher: Teacher, request: Request, error: TeacherError) -> Answered:
    """An error that the ledger is not told of."""
    return _answered(teacher, request, error, request_key(teacher.model, teacher.revision, request), cached=False)


def keep(teacher: Teacher, request: Request, answer: Reply | TeacherError, ledger: Ledger) -> Answered:
    """Put an answer, or an error that is final, into the ledger; what stands there now."""
    asked = _asked(teacher.model, teacher.revision, request)
    key = digest(asked)
    return _answered(teacher, request, ledger.put(key, asked, answer), key, cached=False)


def _answered(teacher: Teacher, request: Request, answer: Reply | TeacherError, key: str, cached: bool) -> Answered:
    author = Authorship(teacher.model, teacher.revision, request.prompt_id, key)
    if isinstance(answer, TeacherError):
        return Answered(None, answer, key, cached, author)
    return Answered(answer, None, key, cached, author)
