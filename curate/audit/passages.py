"""Passages under audit: whose words a sample shows besides its own, and whether its prompt and its answer say so.

The ledger must know each passage's record as kept, in the same split, under the same source, licence and access, and
must name it for the sample (`samples.passages`), so that who takes a record out finds every sample that shows its
words. A passage of another record of the same group, or under stricter access than the sample's, is a fault. Whether
the words are that record's is not covered: an output has no other copy of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from curate.audit.ledger import Index, Known, Placed
from manifests.sample import Passage, Proof, Turn
from synth.calls import Call
from synth.passage_programs import BY_MEDIA, NONE, NOT_STATED, SILENT, block, tail
from synth.verify import normal_form

CITING = frozenset(("told_by", "own_passages", "unanswered"))
STRICT = ("open", "registered", "credentialed")


def wrong_passages(passages: Sequence[Passage], record: str, placed: Placed | None, index: Index) -> Iterator[str]:
    """What the ledger says otherwise of a sample's passages."""
    if [p.number for p in passages] != list(range(1, len(passages) + 1)):
        yield "passages are not numbered from 1"
    named = tuple(dict.fromkeys(p.record for p in passages))
    if placed is not None and placed.passages != named:
        yield f"shows words of {', '.join(named) or 'nobody'}, the ledger says {', '.join(placed.passages) or 'nobody'}"
    own = index.records.get(record)
    for passage in passages:
        known = index.records.get(passage.record)
        if known is None and not index.whole:
            continue
        if known is None or known.status != "kept":
            yield f"passage {passage.number} is of {passage.record}, which no kept row of the ledger is"
        elif own is not None:
            yield from _wrong_one(passage, record, known, own)


def _wrong_one(passage: Passage, record: str, known: Known, own: Known) -> Iterator[str]:
    where = f"passage {passage.number} of record {passage.record}"
    for name in ("source", "licence", "access"):
        if getattr(passage, name) != getattr(known, name):
            yield f"{where}: {name} {getattr(passage, name)!r}, the ledger says {getattr(known, name)!r}"
    if known.split != own.split:
        yield f"{where} is of split {known.split}, the sample of {own.split}"
    if passage.record != record and known.group == own.group:
        yield f"{where} is of the sample's own group"
    if {known.access, own.access} <= set(STRICT) and STRICT.index(known.access) > STRICT.index(own.access):
        yield f"{where} is {known.access}, the sample {own.access}"
    if passage.record == record and not passage.own:
        yield f"{where} is not told as the record's own"


def unshown(turns: Sequence[Turn], passages: Sequence[Passage]) -> Iterator[str]:
    """Passages that do not stand in the first prompt, each on its line."""
    lines = turns[0].content.split("\n") if turns else []
    yield from (f"passage {p.number} does not stand in the prompt" for p in passages if block(p) not in lines)


def speaks_of_passages(call: Call, gold: str) -> bool:
    """Whether a proof says where an answer is known from, and not the gold."""
    return call.name == "passage" or (call.name in CITING and gold != NOT_STATED)


def uncited(
    question: str, content: str, proofs: list[Proof], calls: Mapping[str, Call]
) -> tuple[str, list[Proof], str]:
    """An answer without what it says of passages, the proofs of what is left, and what does not hold ("": all does)."""
    citing = [(dict(calls[p.call].args), p) for p in proofs if calls[p.call].name in CITING]
    if not citing:
        return content, proofs, ""
    head, _, end = content.rpartition("\n")
    left = [p for p in proofs if calls[p.call].name not in CITING]
    by_says = {args.get("says", ""): p.value for args, p in citing}
    expected = _expected(by_says, head)
    if len(citing) != len(by_says) or end not in expected:
        return head, left, f"says {end[:80]!r} of its passages, proven is {' or '.join(sorted(expected))[:120]!r}"
    about = f" {normal_form(question)} {normal_form(head)} "
    if any(f" {normal_form(args['text'])} " not in about for args, _ in citing if "text" in args):
        return head, left, "names passages for something that is not asked"
    return head, left, "" if left or head == "Not stated." else "has words that nothing proves"


def _expected(by_says: Mapping[str, str], head: str) -> set[str]:
    """The last lines that proofs allow."""
    if by_says.keys() == {"stated", "denied"}:  # whether a finding is there
        agree, differ = ("stated", "denied") if head.startswith("Yes") else ("denied", "stated")
        return {tail(by_says[agree], by_says[differ])}
    values = set(by_says.values())
    return {SILENT, BY_MEDIA} if values <= {NONE, NOT_STATED} else {tail(value, NONE) for value in values}
