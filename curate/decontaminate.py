"""Decontamination: which records hold something of a benchmark, how that is known, and what is to become of them.

Packs (`curate.packs`) know benchmarks by salted hashes. In the order of what they prove:

| method | what is equal | score |
|---|---|---|
| patient, study, video | an id | 1 |
| file, pixels | the bytes of a file, the decoded pixels | 1 |
| exact, normalised | a whole text or line, as published or in comparison form | 1 |
| options | a question with its options, in any order and with any labels | 1 |
| ngram13 | runs of 13 tokens: at least 20 near one another, a passage of 32 words and more | share of the unit's runs |
| ngram8 | runs of 8 tokens: half of the unit's, near one another | share of the unit's runs |
| edited | runs of 4 tokens: a quarter of the unit's, near one another | share of the unit's runs |
| words | pairs of words that say something: 45 % of a short unit's, near one another | share of the unit's pairs |
| minhash | the whole text is similar | estimated Jaccard similarity, standard error below 0.05 |
| looks | hashes of pictures, slices, frames; of two volumes or videos three and more, in order | equal bits |

*Near one another* is within half as many tokens again as the unit has: so a question is found inside a text of any
length, at the same score, and words that are strewn over a long text are not. Only runs count that say something and
that the benchmark does not repeat (`curate.packs.words`, `curate.packs.build` say which, and which texts are too short
to be judged by themselves). A quarter of the runs of four are left where a fifth of the words were changed at random
(0.8**4 is 0.41) and of hardly any other text.

Not found: paraphrases and translations; edits in scripts without spaces (there runs of 8 characters must be left);
items without a distinctive text whose image was turned freely, inverted or cropped by more than a tenth.

Looks are the one evidence that has no pixels behind it, for a pack holds none. So their thresholds are strict: of
191,271 pairs of 619 real pictures (among them radiographs, mammograms and fundus photographs in one view), none of
different patients came within 6 of the 64 lowest and 16 of all 128 bits; in 10 and 28 one pair of radiographs did.

A hit never holds words of the benchmark or of the record: it names the pack, the item's salted id, the part of the
item that matched, and the place in the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from curate.packs.naming import IDS, MEDIA, salted256, telling
from curate.packs.pack import PARTS, Pack, load
from curate.screen.ids import RecordIds
from manifests.config import Config
from manifests.errors import RecipeError

Policy = Literal["drop", "flag", "keep"]
Method = Literal[
    "patient", "study", "video", "file", "pixels",
    "exact", "normalised", "options", "ngram13", "ngram8", "edited", "words", "minhash", "looks",
]  # fmt: skip
STRENGTH: dict[Policy, int] = {"keep": 0, "flag": 1, "drop": 2}
REASON = "in_benchmark"


# -------------------------------------------------------------------------------------------------------- configuration
class Thresholds(Config):
    """`ngram13` is a number of runs, the others of texts are shares of a unit's runs, `minhash` a Jaccard similarity.

    `looks_*` are the most bits that may differ, of the 64 lowest and of all 128, of two pictures; `slice_*` of a
    picture and a slice or frame; `stack_*` of the slices of two volumes or frames of two videos, where `in_line` must
    match in order.
    """

    ngram13: int = Field(default=20, ge=1)
    ngram8: float = Field(default=0.5, gt=0, le=1)
    edited: float = Field(default=0.25, gt=0, le=1)
    words: float = Field(default=0.45, gt=0, le=1)
    minhash: float = Field(default=0.5, gt=0, le=1)
    looks_low_bits: int = Field(default=10, ge=0, le=14)
    looks_bits: int = Field(default=22, ge=0, le=48)
    slice_low_bits: int = Field(default=6, ge=0, le=14)
    slice_bits: int = Field(default=16, ge=0, le=48)
    stack_low_bits: int = Field(default=8, ge=0, le=14)
    stack_bits: int = Field(default=20, ge=0, le=48)
    in_line: int = Field(default=3, ge=2)


class PackUse(Config):
    """A pack and what happens to records that hold something of it; a path alone means `policy: drop`.

    `keep` needs a `reason`, which is recorded: a benchmark whose articles are wanted all the same, say.
    """

    pack: str
    policy: Policy = "drop"
    reason: str = ""
    thresholds: Thresholds = Thresholds()

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"pack": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _says_why(self) -> PackUse:
        if self.policy == "keep" and not self.reason.strip():
            raise ValueError("policy 'keep' needs a reason")
        return self


class DecontaminateConfig(Config):
    """`benchmarks: [packs/medqa.pack]`, or a list of {pack, policy, reason, thresholds}."""

    benchmarks: tuple[PackUse, ...] = ()


# -------------------------------------------------------------------------------------------------------- what is found
@dataclass(frozen=True, slots=True)
class Evidence:
    """`part` of the item that matched (question, item: question and options, context, answer; media and ids by their
    kind; of looks image, volume or video); tokens `start` to `end` of the record's comparison form, 0 and 0 for media
    and ids. Of looks, `axis` and `index` tell the slice (x, y, z; of the grid turned to RAS) or frame (time, in ms)
    that is alike: the record's, or the item's where the record is a picture."""

    part: str
    start: int = 0
    end: int = 0
    axis: Literal["", "x", "y", "z", "time"] = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """One item of one benchmark in one record, by the method that proves most."""

    pack: str
    item: str  # 16 hexadecimal digits: the item's salted id
    method: Method
    score: float
    threshold: float
    evidence: Evidence

    def text(self) -> str:
        """One line for the ledger."""
        seen = self.evidence
        place = f" at tokens {seen.start}-{seen.end}" if seen.end else ""
        if seen.axis:
            place = f" at {seen.index / 1000:.3f} s" if seen.axis == "time" else f" at slice {seen.axis} {seen.index}"
        kind = f"{self.pack} item {self.item}: {self.evidence.part} by {self.method}"
        return f"{kind} {self.score:.2f} (threshold {self.threshold:.2f}){place}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a record; `hits` are all that was found, also where it is kept."""

    policy: Policy
    reason: str  # "" where nothing was found, else REASON
    found: str  # the strongest hit in words
    hits: tuple[Hit, ...] = ()


# ---------------------------------------------------------------------------------------------------------------- packs
@dataclass(frozen=True)
class Packs:
    """Packs with their uses; search tables are made when the first text is checked, once."""

    packs: tuple[Pack, ...]
    uses: tuple[PackUse, ...]

    @cached_property
    def policies(self) -> dict[str, PackUse]:
        return {pack.name: use for pack, use in zip(self.packs, self.uses, strict=True)}

    @cached_property
    def groups(self) -> Any:
        from curate.packs.search import Limits, ready

        asked = [use.thresholds for use in self.uses]
        limits = [Limits(t.ngram13, t.ngram8, t.edited, t.words, t.minhash) for t in asked]
        return ready(self.packs, limits)

    @cached_property
    def known(self) -> dict[bytes, tuple[tuple[int, int, str], ...]]:
        """Salted hashes of media and ids -> (pack, item, kind)."""
        found: dict[bytes, list[tuple[int, int, str]]] = {}
        for at, pack in enumerate(self.packs):
            for name, kinds in (("media", MEDIA), ("id", IDS)):
                rows = zip(pack[f"{name}_hash"], pack[f"{name}_kind"], pack[f"{name}_item"], strict=True)
                for digest, kind, item in rows:
                    found.setdefault(digest.tobytes(), []).append((at, int(item), kinds[kind]))
        return {key: tuple(rows) for key, rows in found.items()}


def load_packs(config: DecontaminateConfig, folder: Path) -> Packs:
    """The packs that a recipe names, paths relative to `folder`. Raises `RecipeError` for one that is not there or
    whose name stands twice, `RecordError("bad_pack")` for a damaged one."""
    packs = []
    for use in config.benchmarks:
        path = folder / use.pack
        if not path.is_file():
            raise RecipeError(f"benchmark pack '{use.pack}' is not there; make it with `curate pack-benchmark`")
        packs.append(load(path))
    return with_uses(packs, config.benchmarks)


def with_uses(packs: Sequence[Pack], uses: Sequence[PackUse] = ()) -> Packs:
    """Packs at hand; without uses, records that hold something of them are dropped."""
    names = [p.name for p in packs]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise RecipeError(f"two packs are named '{twice[0]}'; give each its own --name")
    return Packs(tuple(packs), tuple(uses) or tuple(PackUse(pack=n) for n in names))


# --------------------------------------------------------------------------------------------------------------- checks
def check_texts(packs: Packs, texts: Sequence[str]) -> list[list[Hit]]:
    """The hits of every text, of each item the best: by method, then score. The order of packs and texts decides
    nothing else. A record's texts are best joined by line breaks: question, options (one a line), answer."""
    from curate.packs.search import METHODS, search

    best: list[dict[tuple[int, int], tuple[int, float, int, Hit]]] = [{} for _ in texts]
    if packs.packs:
        for found in search(packs.groups, texts):
            pack = packs.packs[found.pack]
            item = int(pack["unit_item"][found.unit])
            part = PARTS[pack["unit_part"][found.unit]]
            evidence = Evidence(part, found.start, found.end)
            name = f"{int(pack['items'][item]):016x}"
            hit = Hit(pack.name, name, found.method, found.score, found.threshold, evidence)  # type: ignore[arg-type]
            rank = (METHODS.index(found.method), -found.score, found.unit, hit)
            key = (found.pack, item)
            if key not in best[found.text] or rank[:3] < best[found.text][key][:3]:
                best[found.text][key] = rank
    return [[known[key][3] for key in sorted(known)] for known in best]


def check_ids(packs: Packs, records: Sequence[RecordIds]) -> list[list[Hit]]:
    """The hits of every record by its ids and by what its files are. Ids too short to be anybody's own are left out
    (`curate.packs.naming.telling`)."""
    return [_check_record(packs, ids) for ids in records]


def _check_record(packs: Packs, ids: RecordIds) -> list[Hit]:
    found: dict[tuple[str, str, str], Hit] = {}
    for salt in sorted({p.salt for p in packs.packs}):
        for kind in (*IDS, *MEDIA):
            for value in getattr(ids, kind):
                if kind in IDS and not telling(value):
                    continue
                for at, item, of in packs.known.get(salted256(salt, kind, value), ()):
                    pack = packs.packs[at]
                    name = f"{int(pack['items'][item]):016x}"
                    found[pack.name, name, of] = Hit(pack.name, name, of, 1.0, 1.0, Evidence(of))  # type: ignore[arg-type]
    return [found[key] for key in sorted(found)]


def ids_known(packs: Packs) -> list[tuple[int, bytes, tuple[int, int, str]]]:
    """(index into IDS, salted hash, (pack, item, kind)) of every id of the packs."""
    return [
        (int(kind), digest.tobytes(), (at, int(item), IDS[kind]))
        for at, pack in enumerate(packs.packs)
        for digest, kind, item in zip(pack["id_hash"], pack["id_kind"], pack["id_item"], strict=True)
    ]


def resolve(policies: Mapping[str, PackUse], hits: Sequence[Hit]) -> Decision:
    """What becomes of a record with these hits: the strictest policy among the packs that hit. A pack that is kept
    says why. `policies` are by the packs' names (`Packs.policies`)."""
    if not hits:
        return Decision("keep", "", "")
    uses = [policies[h.pack] for h in hits]
    policy = max((u.policy for u in uses), key=lambda p: STRENGTH[p])
    first = next(h for h, u in zip(hits, uses, strict=True) if u.policy == policy)
    more = f", and {len(hits) - 1} more" if len(hits) > 1 else ""
    kept = f"; kept: {policies[first.pack].reason}" if policy == "keep" else ""
    return Decision(policy, REASON, f"{first.text()}{more}{kept}", tuple(hits))
