"""One language for what sources say: the words of a record's facts become canonical terms, the sources' own are kept.

A fact whose value or about is a synonym (`manifests.terms`, by the record's own modality and body part) gets the
canonical term, and its origin the suffix `=` and the word that stood there: `column:dx=nv`. Where both parts change,
the suffix is `=ABOUT: VALUE`. A word that no table knows stays. Facts keep their number and order; those that become
equal both stay, each with its own origin.

Masks are renamed together with all facts about them (`mask:left kidney=kidney_left`), before anything is written of the
record: proofs address masks by name. Two masks of a record that would get one name keep their own.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from curate.loaded import Loaded
from manifests.record import Fact
from manifests.vocabulary import canonical

_NO_NAMES: Mapping[str, str] = MappingProxyType({})
_MASK = "mask:"


def in_canonical_terms(loaded: Loaded) -> Loaded:
    """A record as read, with its modality, its masks' names and its facts in canonical terms."""
    names = canonical_names([media.label for media, _ in loaded.members if media.label], loaded.facts)
    members = tuple((dataclasses.replace(m, label=names.get(m.label, m.label)), data) for m, data in loaded.members)
    parts = _values(loaded.facts, "body_part")
    modality = canonical("modality", loaded.modality, (), parts)
    return dataclasses.replace(loaded, modality=modality, members=members, facts=canonical_facts(loaded.facts, names))


def canonical_facts(facts: Sequence[Fact], names: Mapping[str, str] = _NO_NAMES) -> tuple[Fact, ...]:
    """The facts in canonical terms; pure, and the same again for its own result.

    `names` are new names of masks; a mask that is in none of them keeps its name in all facts."""
    kind = _kind(facts)
    masks = {fact.about: fact.about for fact in facts if fact.origin.startswith(_MASK)} | dict(names)
    return tuple(_canonical_fact(fact, kind, masks) for fact in facts)


def canonical_names(labels: Iterable[str], facts: Sequence[Fact]) -> dict[str, str]:
    """Canonical names of a record's masks, each its own."""
    own = list(dict.fromkeys(labels))
    found = {label: canonical("structure", label, *_kind(facts)) for label in own}
    times = Counter(found.values())
    return {old: new if times[new] == 1 and (new == old or new not in own) else old for old, new in found.items()}


_Kind = tuple[tuple[str, ...], tuple[str, ...]]


def _kind(facts: Sequence[Fact]) -> _Kind:
    """The record's modalities and body parts, canonical: a word of either may need the other to be read."""
    parts = _values(facts, "body_part")
    shown = tuple(canonical("modality", f.value, (), parts) for f in facts if f.name == "modality")
    return shown, tuple(canonical("body_part", part, shown) for part in parts)


def _values(facts: Iterable[Fact], name: str) -> tuple[str, ...]:
    return tuple(canonical(name, f.value) for f in facts if f.name == name)


def _canonical_fact(fact: Fact, kind: _Kind, masks: Mapping[str, str]) -> Fact:
    about = fact.about
    if about:
        about = masks[about] if about in masks else canonical(fact.name, about, *kind, field="about")
    if fact.value in masks and fact.name in ("structure", "left_of"):
        value = masks[fact.value]
    else:
        value = canonical(fact.name, fact.value, *kind, about)
    if (value, about) == (fact.value, fact.about):
        return fact
    origin = fact.origin
    if origin == f"{_MASK}{fact.about}":
        return dataclasses.replace(fact, value=value, about=about, origin=f"{_MASK}{about}={fact.about}")
    told = [old for old, new in ((fact.about, about), (fact.value, value)) if old != new]
    return dataclasses.replace(fact, value=value, about=about, origin=f"{origin}={': '.join(told)}")
