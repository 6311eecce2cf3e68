"""Sources chosen by what their cards say, so that a recipe names a modality or a task instead of data sets.

    sources:
      - {every: {modality: US, task: lesion-segmentation}, weight: 2}
      - {every: {body_part: chest, access: open}, except: [padchest]}

`every` becomes one entry for each source whose card meets all of its terms (each a term of `manifests.vocabulary`, or a
list of which one is enough); what stands beside it is given to all of them: a `weight` is each source's own. Layouts
that many upstreams share (`dicom_tree`, `image_table`, ...) have no card of their own and are never meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from manifests.card import Access, Card
from manifests.config import Config, unknown
from manifests.vocabulary import BODY_PARTS, MODALITIES, TASKS

Terms = tuple[str, ...]


class Every(Config):
    """What a card must say: of each key one of the terms that are listed."""

    modality: str | Terms = ()
    body_part: str | Terms = ()
    task: str | Terms = ()
    access: Access | tuple[Access, ...] = ()
    licence: str | Terms = ()

    def meets(self, card: Card) -> bool:
        wanted = (
            (self.modality, card.modalities),
            (self.body_part, card.body_parts),
            (self.task, card.tasks),
            (self.access, (card.access,)),
            (self.licence, (card.licence,)),
        )
        return all(not terms or set(_listed(terms)) & set(said) for terms, said in wanted)


def _listed(terms: str | Sequence[str]) -> tuple[str, ...]:
    return (terms,) if isinstance(terms, str) else tuple(terms)


def expanded(entries: Iterable[Any], cards: Sequence[Card]) -> list[Any]:
    """A recipe's entries with each `every` replaced by the sources that it means, by name.

    Raises `ValueError` for an `every` that means none or has unknown terms."""
    found: list[Any] = []
    for entry in entries:
        if not isinstance(entry, dict) or "every" not in entry:
            found.append(entry)
            continue
        beside = {key: value for key, value in entry.items() if key not in ("every", "except")}
        spared = _listed(entry.get("except", ()))
        found += [{"source": name, **beside} for name in _meant(entry["every"], spared, cards)]
    return found


def _meant(terms: Any, spared: Sequence[str], cards: Sequence[Card]) -> list[str]:
    every = Every.model_validate(terms)
    for what, listed, known in (
        ("modality", every.modality, MODALITIES),
        ("body_part", every.body_part, BODY_PARTS),
        ("task", every.task, TASKS),
    ):
        for term in _listed(listed):
            if term not in known:
                raise ValueError(f"every: {unknown(what, term, sorted(known))}")
    names = [card.name for card in cards if card.url and every.meets(card)]
    for name in spared:
        if name not in names:
            raise ValueError(f"except: {unknown('source', name, names)}")
    chosen = sorted(set(names) - set(spared))
    if not chosen:
        raise ValueError("every: no source's card says all of this; `curate sources` lists what they say")
    return chosen
