"""What a fetch of a source would do: places asked, files chosen, those that are there already, room needed."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from manifests.card import Card, Remote
from manifests.config import unknown
from manifests.errors import RecipeError
from sources.base import matches
from sources.fetch import http, hub, s3, zenodo
from sources.fetch.names import apart, archive_kind
from sources.fetch.offers import Endpoints, Listing, Offer
from sources.fetch.record import File, Journal
from sources.fetch.web import Web

SPARE = 64 << 20  # bytes that a fetch leaves free
Standing = Literal["there", "missing", "look"]


@dataclass(frozen=True, slots=True)
class Plan:
    """`offers` are all files chosen, `standing` how each stands on this disk: `there` as recorded, `missing` (or ours,
    of an earlier version), or `look`: a file that has to be read before anything is said."""

    card: Card
    listings: tuple[Listing, ...]
    offers: tuple[Offer, ...]
    standing: tuple[Standing, ...]

    @property
    def todo(self) -> tuple[Offer, ...]:
        return tuple(o for o, s in zip(self.offers, self.standing, strict=True) if s != "there")

    @property
    def to_fetch(self) -> tuple[Offer, ...]:
        return tuple(o for o, s in zip(self.offers, self.standing, strict=True) if s == "missing")

    @property
    def bytes(self) -> int:
        """Of what is to be fetched, as far as the places tell."""
        return sum(o.size or 0 for o in self.to_fetch)


def open_card(card: Card) -> Card:
    """The card, if its files may be fetched by anybody. Raises `RecipeError` with the steps to get them otherwise."""
    steps = f"; {card.steps}" if card.steps else ""
    if card.access != "open":
        raise RecipeError(f"'{card.name}' is {card.access}, not open, and not fetched: see {card.url}{steps}")
    if not card.remotes:
        raise RecipeError(f"'{card.name}' is open, but no place is known to fetch it from: see {card.url}{steps}")
    return card


def card_of(name: str) -> Card:
    """Raises `RecipeError` that lists the names."""
    from sources import BY_NAME

    if name not in BY_NAME:
        raise RecipeError(unknown("source", name, list(BY_NAME)))
    return BY_NAME[name].card


def listed(card: Card, web: Web, endpoints: Endpoints, only: Sequence[str]) -> tuple[Listing, ...]:
    """All places of the card, one after another. Raises `FetchError`."""
    return tuple(
        replace(found, offers=tuple(_packed(o, remote, number) for o in found.offers))
        for number, remote in enumerate(card.remotes)
        for found in [_listing(remote, web, endpoints, only)]
    )


def _listing(remote: Remote, web: Web, endpoints: Endpoints, only: Sequence[str]) -> Listing:
    if remote.kind == "hub":
        return hub.listed(remote, web, endpoints.hub)
    if remote.kind == "zenodo":
        return zenodo.listed(remote, web, endpoints.zenodo)
    if remote.kind == "s3":
        return s3.listed(remote, web, endpoints.s3, only)
    return http.listed(remote, web)


def _packed(offer: Offer, remote: Remote, place: int) -> Offer:
    unpack = remote.unpack and archive_kind(offer.name) != ""
    return replace(offer, place=place, unpack=unpack, into=remote.into)


def planned(card: Card, listings: tuple[Listing, ...], only: Sequence[str], root: Path, journal: Journal) -> Plan:
    """The files that `only` chooses (all, if empty); where two places give one path, the first does.

    Raises `RecipeError` where nothing is chosen, `FetchError` `unsafe_name` for paths that exclude one another."""
    chosen: dict[str, Offer] = {}
    for listing in listings:
        for offer in listing.offers:
            if not only or matches(offer.path, only) or matches(offer.name, only):
                chosen.setdefault(offer.path, offer)
    if not chosen:
        some = ", ".join(o.path for listing in listings for o in listing.offers[:5]) or "nothing"
        raise RecipeError(f"'{card.name}': no file is chosen by {' '.join(only) or 'the card'}; there are: {some}, ...")
    apart(o.path for o in chosen.values() if not o.unpack)
    offers = tuple(chosen.values())
    members = _members(journal) if any(o.unpack for o in offers) else {}
    return Plan(card, listings, offers, tuple(standing(o, root, journal, members) for o in offers))


def _members(journal: Journal) -> dict[str, list[File]]:
    """The files that came out of archives, by their archive's identity."""
    found: dict[str, list[File]] = {}
    for file in journal.files.values():
        if file.proven == "archive":
            found.setdefault(file.identity, []).append(file)
    return found


def standing(offer: Offer, root: Path, journal: Journal, members: dict[str, list[File]]) -> Standing:
    """How an offer stands on this disk; nothing is opened."""
    if offer.unpack:
        archive, own = journal.archives.get(offer.identity), members.get(offer.identity, [])
        whole = archive is not None and len(own) == archive.members and all(as_recorded(f, root) for f in own)
        return "there" if whole else "missing"
    path, known = root / offer.path, journal.files.get(offer.path)
    if not path.is_symlink() and not path.exists():
        return "missing"
    if known is None or not as_recorded(known, root):
        return "look"
    return "there" if known.identity == offer.identity else "missing"


def as_recorded(file: File, root: Path) -> bool:
    """Whether a regular file is there with the size and the time that were recorded."""
    try:
        found = (root / file.path).lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (file.size, file.mtime_ns)


def affordable(plan: Plan, max_bytes: int | None, data_root: Path, partly: int) -> None:
    """Raise `RecipeError` where the announced bytes exceed `max_bytes` or the room on the disk; `partly` bytes of them
    are there. An archive needs the room of its members too, which is its own size at least."""
    name, total = plan.card.name, plan.bytes
    if max_bytes is not None:
        strange = [o.path for o in plan.to_fetch if o.size is None]
        if strange:
            raise RecipeError(
                f"'{name}': the place does not tell the size of '{strange[0]}'; fetch without --max-bytes"
            )
        if total > max_bytes:
            raise RecipeError(
                f"'{name}': {total} bytes to fetch, --max-bytes is {max_bytes}; choose with --only, or raise it"
            )
    need = total - partly + sum(o.size or 0 for o in plan.to_fetch if o.unpack)
    free = shutil.disk_usage(data_root).free
    if need + SPARE > free:
        raise RecipeError(f"'{name}': {need} bytes needed, {free} free at '{data_root}'; make room or use --only")
