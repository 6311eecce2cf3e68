"""One file from its place into a partial file: resumed, bounded, checked.

Beside the partial file stands its state: which bytes are meant, what validator the place gave, and how many bytes are
safe on the disk with the digest of them. Each `block_bytes` are synced before the state says so; a resumed file begins
where the state says, after its digest was found true, so neither a killed process nor a lost machine leaves wrong
bytes in it. Validators are strong ETags, else Last-Modified (RFC 9110, 13.1.5).
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sources.fetch.errors import FetchError
from sources.fetch.offers import Digests, Offer
from sources.fetch.patience import halted
from sources.fetch.web import Answer, Web

PIECE = 1 << 20
_AGAIN = "run it again"
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class State:
    """How far a partial file is: `at` bytes with the digest `sha256` are on the disk. `total` is the whole length as
    the place last told it."""

    identity: str
    at: int = 0
    sha256: str = ""
    etag: str = ""
    modified: str = ""
    total: int | None = None

    @property
    def validator(self) -> str:
        """What `If-Range` takes; "" where the place gave nothing that proves sameness."""
        return self.etag or self.modified


@dataclass(frozen=True, slots=True)
class Got:
    """A whole file that still stands under its partial name."""

    sha256: str
    size: int
    identity: str  # of the offer, as it was in the end


class Stream:
    """The download of one offer into `part`; `run` does it."""

    def __init__(self, offer: Offer, part: Path, web: Web) -> None:
        self._offer, self._part, self._web = offer, part, web
        self._state_path = part.with_name(part.name + ".state")
        self._digests = Digests(offer.checksum, offer.size)
        self._state = State(offer.identity)
        self._best = 0  # the furthest that any try came
        self._resumed = False  # whether bytes of an earlier request are in it
        self._changes = 0

    def run(self) -> Got:
        """Raises `FetchError`: `checksum_mismatch`, `wrong_length`, `changes_upstream`, `disk_full` and what `Web.get`
        raises, after the policy's tries; the partial file stays where it can be of use."""
        patience = self._web.patience()
        try:
            self._resume()
            while True:
                halted(self._web.stop)
                before = self._best
                try:
                    while self._state.at != self._total:
                        self._once()
                        if self._total is None:
                            break
                    return self._checked()
                except FetchError as error:
                    if self._best - before >= self._web.policy.progress_bytes:
                        patience.forgive()
                    patience.after(error)
        except OSError as error:
            raise disk_error(error, self._named) from None

    @property
    def _named(self) -> str:
        return f"'{self._offer.path}'"

    @property
    def _total(self) -> int | None:
        return self._offer.size if self._offer.size is not None else self._state.total

    # ------------------------------------------------------------------------------------------------------- the state
    def _resume(self) -> None:
        """Take up what an earlier process left, if its digest is what its state says."""
        state = read_state(self._state_path)
        if state is None or state.identity != self._offer.identity or not self._part.is_file():
            return self._begin()
        left = state.at
        with self._part.open("rb") as stream:
            while left and (data := stream.read(min(left, PIECE))):
                self._digests.update(data)
                left -= len(data)
        if left or self._digests.sha256.hexdigest() != state.sha256:
            return self._begin()
        os.truncate(self._part, state.at)
        self._state, self._best, self._resumed = state, state.at, state.at > 0
        return None

    def _begin(self) -> None:
        self._state_path.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)
        self._digests = Digests(self._offer.checksum, self._offer.size)
        self._state, self._resumed = State(self._offer.identity), False

    def _keep(self, at: int) -> None:
        """Note that `at` bytes are on the disk, which they are."""
        self._state = replace(self._state, at=at, sha256=self._digests.sha256.hexdigest())
        temporary = self._state_path.with_name(self._state_path.name + ".new")
        fields = {name: getattr(self._state, name) for name in State.__slots__}
        temporary.write_text(json.dumps(fields, sort_keys=True))
        temporary.replace(self._state_path)

    # -------------------------------------------------------------------------------------------------------- requests
    def _once(self) -> None:
        """One request for what is missing; the state says how far it came, whatever ends it."""
        if self._state.at and not (self._state.validator or self._offer.checksum):
            self._begin()  # nothing would tell whether the rest belongs to what is there
        at, headers = self._state.at, {}
        if at:
            self._resumed = True
            headers["Range"] = f"bytes={at}-"
            if self._state.validator:
                headers["If-Range"] = self._state.validator
        with self._web.get(self._offer.url, headers) as answer:
            if self._understand(answer, at):
                self._take(answer, self._state.at)

    def _understand(self, answer: Answer, at: int) -> bool:
        """Whether the body is of use: the rest of what is there, or the whole, for which what is there was dropped.

        Raises `FetchError` for an answer that cannot be right."""
        if answer.status == 416:  # nothing behind what is there, and yet it is not whole
            self._change("a length of")
            return False
        encoding = answer.headers.get("content-encoding", "identity").lower()
        if encoding != "identity" and not self._offer.name.lower().endswith("gz"):
            raise FetchError("bad_answer", f"the encoding '{encoding[:20]}' of {self._named}", "tell the place's owner")
        etag = strong(answer.headers)
        other = bool(at and etag and self._state.etag and etag != self._state.etag)
        if other:
            self._change("an ETag of")
        if answer.status == 206:
            if other:
                return False  # the rest of something else
            total = self._range_total(answer, at)
        else:
            total = answer.length
            if at and not other:
                self._begin()  # a place that does not continue
        self._announce(answer, total, etag)
        modified = "" if etag else answer.headers.get("last-modified", "")
        self._state = replace(self._state, identity=self._offer.identity, etag=etag, modified=modified, total=total)
        return True

    def _change(self, what: str) -> None:
        """Upstream has something else now: begin anew, but not for ever."""
        self._changes += 1
        self._best = 0
        self._begin()
        if self._changes > self._web.policy.anew:
            found = f"{what} {self._named} that differs from answer to answer"
            raise FetchError("changes_upstream", found, "try again later")

    def _range_total(self, answer: Answer, at: int) -> int | None:
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if not at or found is None or int(found[1]) != at:
            raise FetchError("bad_answer", f"another range of {self._named} than asked for", _AGAIN, passing=True)
        sent = int(found[2]) - at + 1
        if answer.length is not None and answer.length != sent:
            raise self._wrong_length(f"a range of {sent} bytes in {answer.length}")
        return self._state.total if found[3] == "*" else int(found[3])

    def _announce(self, answer: Answer, total: int | None, etag: str) -> None:
        """Hold what the answer announces against what the listing did."""
        offer = self._offer
        other = bool(offer.etag and etag and etag.strip('"') != offer.etag.strip('"'))
        if other and offer.loose and total is not None and total <= (offer.size or 0):
            self._offer = offer = replace(offer, etag=etag, size=total)
        elif other and offer.checksum is None:
            found = f"another ETag of {self._named} than was listed"
            raise FetchError("changed_upstream", found, "run it again: it is listed anew")
        if total is not None and offer.size is not None and total != offer.size:
            raise self._wrong_length(f"{total} bytes announced, {offer.size} listed")
        if total is None and offer.size is None and offer.checksum is None and not answer.chunked:
            raise FetchError("no_length", f"neither length nor checksum of {self._named}", "fetch it by other means")

    def _wrong_length(self, what: str) -> FetchError:
        return FetchError("wrong_length", f"{what} of {self._named}", _AGAIN, passing=True)

    def _take(self, answer: Answer, at: int) -> None:
        """Write the body behind `at`; what arrived before a cut is kept."""
        with self._part.open("r+b" if at else "wb") as stream:
            stream.seek(at)
            try:
                self._copy(answer, stream, at)
            finally:
                here = stream.tell()
                self._best = max(self._best, here)
                if here != self._state.at:
                    _sync(stream)
                    self._keep(here)
        if self._total is not None and here > self._total:
            self._begin()  # of what is there, nothing can be trusted
            raise self._wrong_length(f"more than {self._total} bytes")
        if self._total is not None and here < self._total:
            raise FetchError("connection_lost", f"{here} of {self._total} bytes of {self._named}", _AGAIN, passing=True)

    def _copy(self, answer: Answer, stream: BinaryIO, at: int) -> None:
        """Ends at the end of the body, and right behind the length that it should have."""
        policy, clock = self._web.policy, self._web.clock
        synced, since, counted = at, clock.monotonic(), at
        for piece in answer.pieces(PIECE):
            stream.write(piece)
            self._digests.update(piece)
            at += len(piece)
            if self._total is not None and at > self._total:
                return
            if at - synced >= policy.block_bytes:
                _sync(stream)
                self._keep(at)
                synced = at
            halted(self._web.stop)
            now = clock.monotonic()
            if now - since > policy.slow_s:
                if at - counted < policy.slow_bytes:
                    found = f"{at - counted} bytes in {now - since:.0f} s of {self._named}"
                    raise FetchError("too_slow", found, _AGAIN, passing=True)
                since, counted = now, at

    def _checked(self) -> Got:
        size = self._state.at
        problem = self._digests.disagreement()
        if not problem:
            if not self._part.exists():  # an empty file
                self._part.touch()
            return Got(self._digests.sha256.hexdigest(), size, self._offer.identity)
        doubtful = self._resumed or self._total is None  # what came before, or the end, may have been wrong
        self._begin()
        remedy = "nothing of it was kept; run it again later"
        raise FetchError("checksum_mismatch", f"{problem}: {self._named}", remedy, passing=doubtful)


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fdatasync(stream.fileno())


def read_state(path: Path) -> State | None:
    """None for a state that is not there or not whole."""
    try:
        return State(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def strong(headers: Mapping[str, str]) -> str:
    """The strong ETag of an answer, with its quotes, or ""."""
    etag = headers.get("etag", "")
    return etag if re.fullmatch(r'"[\x21\x23-\x7e]*"', etag) else ""


def disk_error(error: OSError, named: str) -> FetchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchError("disk_full", f"no room for {named}", "make room and run it again: it goes on")
    return FetchError("cannot_write", f"{type(error).__name__} for {named}", "check the folder's permissions and disk")
