"""What a target is: one parser of foreign bytes, fed as its reader feeds it, and what it may say to bad bytes."""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import RecordError, Reject
from manifests.record import Fact, canonical_json

MOST_WORDS = 400  # characters of an error
MOST_QUOTED = 24  # characters of a file that an error may hold: a code or a number


@dataclass(frozen=True, slots=True)
class Target:
    """`run` raises `AssertionError` where a property does not hold; of other exceptions it may raise `allows` alone.

    `share` is how many of the suite's examples it gets, where one takes long."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    allows: tuple[type[Exception], ...] = (RecordError, Reject)
    share: float = 1.0


def tried(target: Target, data: bytes) -> str:
    """Run a target on one input: how it ended, `accepted`, `refused` or `no memory` (which in a run is the sandbox's
    matter). Raises what must not be raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)  # a cast that overflows gives other bytes elsewhere
            target.run(data)
    except MemoryError:
        return "no memory"
    except target.allows as error:
        str(error).encode()
        if isinstance(error, (RecordError, Reject)):
            check_words(error.found)
            check_unquoted(error.found, data)
        return "refused"
    return "accepted"


def check_words(said: str) -> None:
    """An error goes to the ledger: text that UTF-8 can hold, of a bounded length."""
    said.encode()
    assert len(said) <= MOST_WORDS, f"an error of {len(said)} characters"


def check_unquoted(found: str, data: bytes) -> None:
    """No error quotes a file, for what stands there may name somebody; names of the standard are no quotes."""
    text = data.decode("latin-1")
    runs = (found[at : at + MOST_QUOTED] for at in range(len(found) - MOST_QUOTED + 1))
    assert not any(run in text for run in runs), "an error that quotes the file"


def check_facts(facts: Iterable[Fact]) -> None:
    """Facts go to the ledger as canonical JSON in UTF-8, and keep to the closed vocabulary."""
    from synth.facts import validate

    known = tuple(facts)
    validate(known)
    text = canonical_json([dataclasses.asdict(f) for f in known])
    assert json.loads(text.encode()) is not None


@functools.cache
def scratch() -> Path:
    """A folder in memory for the files that parsers open by path; it goes with the process."""
    base = Path("/dev/shm")  # a fuzzer writes thousands of files a second
    folder = tempfile.TemporaryDirectory(prefix="fuzz-", dir=base if base.is_dir() else None)
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def file_of(data: bytes, name: str) -> Path:
    """The bytes as a file of that name."""
    path = scratch() / name
    path.write_bytes(data)
    return path
