"""Evidence spans: where each checked word of a text is known from.

`evidence` maps every number, code, side, modality, organ, plane, finding, denial and comparison of a text that the
facts bear out to the words that bear it out: a span of a named source text, or a fact (its name, what it is about, its
origin) with the span of its value where the words stand there as written. It is the same judgement as
`synth.verify.faithfulness`: a word that this one calls wrong has no evidence, and the other way round.

Records are flat and hold text and integers only, so a sample's JSON carries them as a list beside its verdicts.

Covered: what `synth.held` checks; of several places that say the same the one in the sentence most like the text's.
Not covered: words that no check looks at.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from manifests.record import Fact
from manifests.sample import Evidence
from synth.claims import Reading, read
from synth.facts import modality_codes
from synth.held import Note, judge
from synth.known import Known, known_of, line_of
from synth.lexicon import broader, wholes_of
from synth.verify import MAX_TEXT

MOST_PLACES = 32  # of a text that says a thing more often the first so many are compared
_Place = tuple[int, int]  # in the text of all lines of the facts


def evidence(text: str, facts: Sequence[Fact], source_texts: Mapping[str, str], turn: int = -1) -> tuple[Evidence, ...]:
    """The evidence of each checked and sound word of a text, in the order of the text; of one word and one check once.

    `source_texts` are a record's own texts by name (`text`, `question`, `answer`): they bear out words as facts do, and
    are looked at first. A text beyond `synth.verify.MAX_TEXT` has none.
    """
    if len(text) > MAX_TEXT:
        return ()
    sources = tuple(Fact("caption", told, f"text:{name}") for name, told in source_texts.items() if told.strip())
    names = tuple(name for name, told in source_texts.items() if told.strip())
    known = known_of((*sources, *facts))
    reading = read(text)
    found: dict[tuple[int, int, str], Evidence] = {}
    for note in judge(text, known):
        if note.wrong or not note.backing[0]:
            continue
        for fact, start, end in _backing(note, reading, known):
            told = known.facts[fact]
            of_source = fact < len(names)
            one = Evidence(
                turn=turn,
                start=note.start,
                end=note.end,
                check=note.check,
                fact="" if of_source else told.name,
                about="" if of_source else told.about,
                origin="" if of_source else told.origin,
                source=names[fact] if of_source else "",
                source_start=start,
                source_end=end,
            )
            found.setdefault((note.start, note.end, note.check), one)
    return tuple(found[key] for key in sorted(found))


def _backing(note: Note, reading: Reading, known: Known) -> Iterator[tuple[int, int, int]]:
    """(fact, start and end in its value) of the one thing that bears a note out, if there is one."""
    kind, name = note.backing
    if kind == "amount":
        amount = known.amounts[int(name)]
        yield amount.fact, amount.quantity.start, amount.quantity.end
        return
    places = list(itertools.islice(_places(kind, name, known), MOST_PLACES))
    if places:
        said = _around(reading, note.start)
        shared = [len(said & _around(known.reading, start)) for start, _ in places]
        yield _in_value(places[shared.index(max(shared))], known)
    elif kind == "modality":
        codes = set(name.split("|"))
        several = (i for i, f in enumerate(known.facts) if f.name == "modality" and modality_codes(f.value) & codes)
        yield from ((i, 0, len(known.facts[i].value)) for i in list(several)[:1])


def _places(kind: str, name: str, known: Known) -> Iterator[_Place]:
    """Where the facts say it."""
    reading = known.reading
    if kind == "code":
        at = reading.text.lower().find(name.lower())
        if at >= 0:
            yield at, at + len(name)
    elif kind == "side":
        either = {"left": ("left", "bilateral"), "right": ("right", "bilateral")}.get(
            name, ("bilateral", "left", "right")
        )
        yield from ((s.start, s.end) for wanted in either for s in reading.sides if s.name == wanted)
    elif kind == "place":
        low = reading.text.lower()
        yield low.find(name), low.find(name) + len(name)
    elif kind == "anatomy":
        terms = reading.terms.get("anatomy", ())
        exact = [(t.start, t.end) for t in terms if t.name == name]
        yield from exact or ((t.start, t.end) for t in terms if name in wholes_of(t.name))
    elif kind == "findings":
        exact = [(m.start, m.end) for m in reading.stated if m.name == name]
        yield from exact or ((m.start, m.end) for m in reading.stated if name in broader(m.name))
    elif kind == "denied":
        exact = [(s.start, s.end) for s in reading.denied if name in s.items()]
        yield from exact or ((s.start, s.end) for s in reading.denied if "finding" in s.findings)
    elif kind == "modality":
        codes = set(name.split("|"))
        yield from (
            (t.start, t.end) for t in reading.terms.get("modality", ()) if codes.intersection(t.name.split("|"))
        )
    elif kind in ("planes", "comparisons"):
        likewise = {name, "AP", "PA", "coronal"} if name == "frontal" else {name}
        yield from ((t.start, t.end) for t in reading.terms.get(kind, ()) if t.name in likewise)


def _around(reading: Reading, at: int) -> frozenset[str]:
    """The words of the sentence in which a place stands."""
    index = bisect_right(reading.sentences, at, key=lambda sentence: sentence.start) - 1
    return reading.sentences[max(index, 0)].items


def _in_value(place: _Place, known: Known) -> tuple[int, int, int]:
    """The fact whose line a place stands in, and the place in its value; -1 where the value has not these words."""
    fact = bisect_right(known.lines, place[0]) - 1
    told = known.facts[fact]
    lead = len(told.value) - len(told.value.lstrip())
    line = line_of(told)
    at = line.find(told.value.strip())
    start, end = place[0] - known.lines[fact], place[1] - known.lines[fact]
    inside = 0 <= at <= start and end <= at + len(told.value.strip())
    return (fact, start - at + lead, end - at + lead) if inside else (fact, -1, -1)
