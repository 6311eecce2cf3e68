"""The manifest: what one run made, written last. Its existence means that the output is complete.

`fingerprint` covers what was asked, of which bytes, by which code; `roots` are Merkle roots (RFC 6962 hashing) over the
shards' digests and over the ledger's row digests; `environment` holds timings and versions and is outside of both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from manifests.balance import Prior
from manifests.config import Config
from manifests.errors import RecipeError, VerificationError
from manifests.mixture import Row

SCHEMA = "medcurate/2"
NAME = "manifest.json"


class Counts(Config):
    """Every input record in exactly one place: `read` is the sum of the rest."""

    read: int
    kept: int
    dropped: dict[str, int]
    duplicate: int
    failed: dict[str, int]

    @model_validator(mode="after")
    def _adds_up(self) -> Counts:
        total = self.kept + self.duplicate + sum(self.dropped.values()) + sum(self.failed.values())
        if total != self.read:
            raise ValueError(f"read {self.read} is not kept + dropped + duplicate + failed = {total}")
        return self


class ShardEntry(Config):
    path: str
    sha256: str
    bytes: int
    samples: int
    stage: str
    split: str
    layout: str  # the members and the JSON type that all its samples share


class LedgerPart(Config):
    path: str
    sha256: str
    rows: int


class Roots(Config):
    shards: str
    ledger: str


class StageCount(Config):
    """What a verb was given and what it left: the funnel that the report draws."""

    name: str
    records_in: int
    records_out: int
    detail: dict[str, int] = Field(default_factory=dict)


class PromptUse(Config):
    """What one prompt cost and gave: requests with their tokens, and the drafts that came of them."""

    role: str  # teacher, stronger, blind or judge
    prompt_id: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    errors: int  # requests that never had an answer
    drafts: int
    accepted: int


class Judge(Config):
    """A teacher that is asked beside the one that writes."""

    role: str
    model: str
    revision: str


class Teacher(Config):
    """Which teacher wrote, or in words why none did, and how its drafts were judged. `rejected` counts drafts by the
    first check that failed, `checks` by name how many passed and failed; `samples` are those of its drafts in shards,
    repeats included."""

    model: str = ""
    revision: str = ""
    state: str = ""
    others: tuple[Judge, ...] = ()
    drafts: int = 0
    accepted: int = 0
    samples: int = 0
    rejected: dict[str, int] = Field(default_factory=dict)
    checks: dict[str, tuple[int, int]] = Field(default_factory=dict)
    judging: dict[str, str] = Field(default_factory=dict)  # each check of all drafts: `runs`, or why it did not
    prompts: tuple[PromptUse, ...] = ()


class Mixing(Config):
    """The mixture's table, and what a guesser knows of what was offered and drawn; held-out samples are outside."""

    table: tuple[Row, ...] = ()
    priors: tuple[Prior, ...] = ()
    shortfall: int = 0


class Benchmark(Config):
    """One pack that records were compared with, and what it met: records by the method that proves most. `unchecked`
    items say too little to be found by their text."""

    pack: str
    sha256: str
    policy: str
    reason: str
    items: int
    unchecked: int
    items_met: int
    records: int
    by_method: dict[str, int]


class Repeated(Config):
    """A paragraph, or a run of words wherever it begins, that stands in many places: XXH64 of its comparison form, how
    often it stands, its words."""

    kind: Literal["paragraph", "passage"] = "paragraph"
    hash: str
    count: int
    words: int


class Manifest(Config):
    """The whole of manifest.json."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    recipe: dict[str, Any]
    fingerprint: str
    key: str  # "public" or "private": whether pseudonyms can be recomputed by anybody
    limit: int | None = None
    absent: tuple[str, ...] = ()  # sources of the recipe whose files were not there, where it allows that
    counts: Counts
    stages: tuple[StageCount, ...]
    shards: tuple[ShardEntry, ...]
    ledger: tuple[LedgerPart, ...]
    roots: Roots
    teacher: Teacher
    rejected: dict[str, dict[str, int]] = Field(default_factory=dict)  # drafts by task and the first check that failed
    mixture: Mixing = Mixing()
    benchmarks: tuple[Benchmark, ...] = ()
    repeated: tuple[Repeated, ...] = ()  # the most frequent, where the recipe counts paragraphs
    environment: dict[str, Any]

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def read_manifest(out: Path) -> Manifest:
    """The manifest of a finished output.

    Raises `RecipeError` where there is none, `VerificationError` where it does not hold in itself."""
    path = out / NAME
    if not path.is_file():
        raise RecipeError(
            f"no {NAME} in '{out}': give the folder that `curate run --out` finished; the same command resumes a "
            "run that was broken off"
        )
    try:
        return Manifest.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(p) for p in problem["loc"])
        raise VerificationError(f"{NAME}: {place}: {problem['msg'].removeprefix('Value error, ')}") from None
    except (ValueError, RecursionError):
        raise VerificationError(f"{NAME}: not JSON") from None


def merkle_root(digests: Iterable[str]) -> str:
    """The RFC 6962 Merkle tree hash of hexadecimal digests in order; of none, the digest of the empty string.

    Memory grows with the logarithm of the count: finished subtrees are folded as they fill."""
    stack: list[tuple[int, bytes]] = []
    for text in digests:
        node = hashlib.sha256(b"\x00" + bytes.fromhex(text)).digest()
        level = 0
        while stack and stack[-1][0] == level:
            node = hashlib.sha256(b"\x01" + stack.pop()[1] + node).digest()
            level += 1
        stack.append((level, node))
    if not stack:
        return hashlib.sha256(b"").hexdigest()
    root = stack.pop()[1]
    while stack:
        root = hashlib.sha256(b"\x01" + stack.pop()[1] + root).digest()
    return root.hex()


def differing(first: Sequence[ShardEntry], second: Sequence[ShardEntry]) -> list[str]:
    """Paths of shards that two manifests do not share with equal bytes."""
    left, right = ({s.path: s.sha256 for s in shards} for shards in (first, second))
    return sorted(p for p in left.keys() | right.keys() if left.get(p) != right.get(p))
