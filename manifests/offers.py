"""Offers and draws as columns: what the mixture chooses from, for a million rows in about a second.

An **offer** is one draft that a record makes to one stage. A **draw** is one use of an offer; `repeat` counts its uses
from 0. Choices and orders are those of a seeded 64-bit hash of (record, stage, part[, repeat]), so they depend on
nothing else: not on the order of the input, not on what other sources offer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manifests.sample import STAGES

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
HEXADECIMAL = re.compile(r"[0-9a-f]{32}")
SHORT = 16  # hexadecimal digits of a 64-bit digest


@dataclass(frozen=True, slots=True, order=True)
class Offer:
    """Draft number `part` of record `key` to `stage`. `tokens` are those of its text and of what it shows; `pass_rate`
    is the share of a teacher's right answers, NaN where nobody tried. Of a verified answer: its verifier, the
    wording of the question, the answer and the letter of its option, "" where there is none (`synth.priors`)."""

    key: str
    source: str
    stage: str
    part: int
    task: str = ""
    modality: str = ""
    kind: str = ""
    group: str = ""
    tokens: int = 0
    pass_rate: float = float("nan")
    verifier: str = ""
    question: str = ""
    answer: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True)
class Golds:
    """What is verified of offers, as columns of 64-bit numbers that tell values apart; 0 where there is none."""

    verifier: Hashes
    question: Hashes
    answer: Hashes
    letter: Hashes

    def chosen(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Golds:
        return Golds(self.verifier[which], self.question[which], self.answer[which], self.letter[which])


@dataclass(frozen=True, slots=True)
class Offers:
    """Offers as columns of one length; a term is a number into `terms` of its column."""

    identity: Hashes  # (n, 2): the record's key, or its digest where it is no 128-bit number
    stage: Ints  # into STAGES
    part: Ints
    tokens: Ints
    pass_rate: NDArray[np.float64]
    group: Hashes
    gold: Golds
    names: dict[str, Ints]  # source, task, modality, kind
    terms: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.stage)

    def chosen(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Offers:
        return dataclasses.replace(
            self,
            identity=self.identity[which], stage=self.stage[which], part=self.part[which], tokens=self.tokens[which],
            pass_rate=self.pass_rate[which], group=self.group[which], gold=self.gold.chosen(which),
            names={name: codes[which] for name, codes in self.names.items()},
        )  # fmt: skip

    @staticmethod
    def of(offers: Sequence[Offer]) -> Offers:
        """Columns of a few offers, in their order."""
        names, terms = {}, {}
        for name in NAMED:
            values = [getattr(o, name) for o in offers]
            terms[name] = tuple(sorted(set(values)))
            codes = {term: number for number, term in enumerate(terms[name])}
            names[name] = np.array([codes[v] for v in values], np.int64)
        return Offers(
            identity=identities([o.key for o in offers]),
            stage=np.array([STAGES.index(o.stage) for o in offers], np.int64),
            part=np.array([o.part for o in offers], np.int64),
            tokens=np.array([o.tokens for o in offers], np.int64),
            pass_rate=np.array([o.pass_rate for o in offers], np.float64),
            group=identities([o.group or o.key for o in offers])[:, 0] if offers else np.zeros(0, np.uint64),
            gold=Golds(*(numbers([getattr(o, name) for o in offers]) for name in VERIFIED)),
            names=names,
            terms=terms,
        )


NAMED = ("source", "task", "modality", "kind")
VERIFIED = ("verifier", "question", "answer", "letter")


@dataclass(frozen=True, slots=True)
class Drawn:
    """Draws in their order: which offer of the input, and which of its uses."""

    offer: NDArray[np.intp]
    repeat: Ints
    phase: Ints  # of the curriculum, from 0

    def __len__(self) -> int:
        return len(self.offer)


def identities(keys: Sequence[str]) -> Hashes:
    """(n, 2) uint64 of keys: a key of 32 hexadecimal digits is its own number, any other its digest."""
    if not keys:
        return np.zeros((0, 2), np.uint64)
    if set(map(len, keys)) == {32}:
        text = "".join(keys)
        if HEXADECIMAL.fullmatch(text[:32]) and set(text) <= set("0123456789abcdef"):
            return np.frombuffer(bytes.fromhex(text), ">u8").reshape(-1, 2).astype(np.uint64)
    return np.frombuffer(b"".join(map(_identity, keys)), ">u8").reshape(-1, 2).astype(np.uint64)


def _identity(key: str) -> bytes:
    return bytes.fromhex(key) if HEXADECIMAL.fullmatch(key) else hashlib.blake2b(key.encode(), digest_size=16).digest()


def numbers(digests: Sequence[str]) -> Hashes:
    """(n,) uint64 of 64-bit digests in hexadecimal; of other texts their digests, and 0 of none."""
    if not digests:
        return np.zeros(0, np.uint64)
    plain = [one or "0" * SHORT for one in digests]
    if set(map(len, plain)) != {SHORT} or not set(text := "".join(plain)) <= set("0123456789abcdef"):
        text = "".join(_short(one) if one else "0" * SHORT for one in digests)
    return np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64)


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=SHORT // 2).hexdigest()


def hashed(seed: int, purpose: str, offers: Offers, repeat: Ints | None = None) -> Hashes:
    """One 64-bit hash for each offer, or use of one: SplitMix64 (Steele et al. 2014) over its numbers."""
    start = hashlib.blake2b(f"{seed}\x1f{purpose}".encode(), digest_size=8).digest()
    state = np.full(len(offers), int.from_bytes(start, "big"), np.uint64)
    columns = [offers.identity[:, 0], offers.identity[:, 1], offers.stage, offers.part]
    for column in [*columns, *([] if repeat is None else [repeat])]:
        state = mixed(state ^ column.astype(np.uint64))
    return state


def mixed(state: Hashes) -> Hashes:
    """SplitMix64's step and finaliser, element by element, modulo 2**64."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    whole: Hashes = z ^ (z >> np.uint64(31))
    return whole


def ranked(hashes: Hashes, *groups: Ints | Hashes) -> Ints:
    """The place of each row among those of its group, from 0, by hash; equal hashes keep their order."""
    order = np.lexsort((hashes, *groups[::-1]))
    begins = np.zeros(len(order), np.bool_)
    begins[:1] = True
    for group in groups:
        ordered = group[order]
        begins[1:] |= ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order)) - first
    return places
