"""`curate fetch`: what is open of a source, brought below its root in upstream's layout.

    fetch("medmnist", Options(data=Path("/data")))     -> Outcome
    fetched(Path("/data"), "medmnist")                 -> Fetched | None

One file per kind of place (`hub`, `http`, `s3`, `zenodo`), each a function that lists offers; `stream` brings one file,
`archives` reads members, `plan` and `work` put them together, `record` remembers. Nothing is opened to the network but
by `web`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from manifests.card import UNKNOWN_LICENCE, Card
from sources.fetch.errors import FetchError
from sources.fetch.offers import Endpoints, Listing
from sources.fetch.patience import Clock, Policy, SystemClock
from sources.fetch.plan import Plan, affordable, card_of, listed, open_card, planned
from sources.fetch.record import FOLDER, Archive, Fetched, File, Journal, alone, fetched, write_atomic
from sources.fetch.web import Token, Web, origin_of
from sources.fetch.work import Tally, Work

__all__ = [
    "Archive",
    "Endpoints",
    "FetchError",
    "Fetched",
    "File",
    "Options",
    "Outcome",
    "fetch",
    "fetch_card",
    "fetched",
    "token_for",
]
SHOWN = 20
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:", "http://::1:")


@dataclass(frozen=True, slots=True)
class Options:
    """`data` is the folder that sources lie in. `only` are shell patterns of files (all, if empty); `max_bytes` bounds
    what is downloaded."""

    data: Path
    only: tuple[str, ...] = ()
    max_bytes: int | None = None
    dry_run: bool = False
    jobs: int = 4
    keep_archives: bool = False
    endpoints: Endpoints | None = None
    policy: Policy = field(default_factory=Policy)
    clock: Clock | None = None
    tell: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fetch did, or would do. `failed` are (path or place, error); `notes` what its user should know."""

    plan: Plan | None
    tally: Tally
    failed: tuple[tuple[str, FetchError], ...]
    notes: tuple[str, ...] = ()
    dry: bool = False

    def text(self) -> str:
        lines = list(self.notes)
        if self.plan is not None:
            chosen, todo = len(self.plan.offers), len(self.plan.todo)
            lines.append(f"{self.plan.card.name}: {chosen} files chosen, {chosen - todo} there already")
            size = f"{self.plan.bytes / 1e6:,.1f} MB"
            if self.dry:
                lines += [f"to fetch: {o.path} {o.size if o.size is not None else '?'}" for o in self.plan.todo[:SHOWN]]
                lines.append(f"would fetch {todo} files, {size}" + (", the first shown" if todo > SHOWN else ""))
            else:
                unpacked = f", {self.tally.members} members unpacked" if self.tally.members else ""
                lines.append(f"fetched {self.tally.files} files, {self.tally.bytes / 1e6:,.1f} MB{unpacked}")
                left = todo - self.tally.files - self.tally.taken - len(self.failed)
                lines += [f"{left} files not tried: the place does not answer; run it again"] if left else []
        lines += [f"failed: {path}: {error}" for path, error in self.failed[:SHOWN]]
        if len(self.failed) > SHOWN:
            lines.append(f"failed: {len(self.failed)} in all")
        return "\n".join(lines)


def fetch(name: str, options: Options) -> Outcome:
    """Bring what is open of the source `name` into `options.data/NAME`, and record it in `options.data/.fetch/`.

    Raises `RecipeError`: no such source, not open (with the steps to get it), nothing chosen, too much for
    `max_bytes` or the disk. What the network or a place does wrong stands in the outcome."""
    return fetch_card(card_of(name), options)


def fetch_card(card: Card, options: Options) -> Outcome:
    """As `fetch`, of a card."""
    open_card(card)
    stop = threading.Event()
    endpoints = options.endpoints or endpoints_of_environment()
    clock = options.clock or SystemClock(stop)
    with Web(options.policy, clock, stop, token_for(endpoints)) as web:
        try:
            listings = listed(card, web, endpoints, options.only)
            plan, work, _ = _prepared(card, listings, web, options)
        except FetchError as error:
            return Outcome(None, Tally(), ((card.name, error),), dry=options.dry_run)
        if options.dry_run:
            return Outcome(plan, work.tally, (), _notes(card, listings), dry=True)
        with alone(options.data, card.name):  # and looked at again, since another process may just have ended
            return _fetched(*_prepared(card, listings, web, options), options)


def _prepared(card: Card, listings: tuple[Listing, ...], web: Web, options: Options) -> tuple[Plan, Work, Journal]:
    """Nothing is written. Raises what `planned` and `affordable` raise."""
    journal = Journal(options.data, card.name)
    plan = planned(card, listings, options.only, options.data / card.name, journal)
    work = Work(options.data, card.name, journal, web, options.keep_archives)
    affordable(plan, options.max_bytes, options.data, work.partly(plan.to_fetch))
    return plan, work, journal


def _fetched(plan: Plan, work: Work, journal: Journal, options: Options) -> Outcome:
    card = plan.card
    try:
        work.run(plan.todo, options.jobs, options.tell or (lambda _: None))
        text = _licence_text(card, plan.listings)
        sha256 = write_atomic(options.data / FOLDER / f"{card.name}.licence.txt", [text])
        places = tuple((x.kind, x.at, x.revision, x.licence.code) for x in plan.listings)
        files = tuple(journal.files[path] for path in sorted(journal.files))
        archives = tuple(sorted(journal.archives.values(), key=lambda a: a.whence))
        journal.become(Fetched(card.name, card.licence, sha256, places, files, archives), options.data)
    finally:
        journal.close()
    failed = tuple(sorted(work.tally.failed, key=lambda pair: pair[0]))
    if not failed and work.parts.is_dir() and not any(work.parts.iterdir()):
        work.parts.rmdir()
    return Outcome(plan, work.tally, failed, _notes(card, plan.listings))


def endpoints_of_environment() -> Endpoints:
    """The places as `HF_ENDPOINT` and `AWS_ENDPOINT_URL_S3` have them, else their own addresses."""
    own = Endpoints()
    hub = os.environ.get("HF_ENDPOINT", "").strip() or own.hub
    return Endpoints(hub, own.zenodo, os.environ.get("AWS_ENDPOINT_URL_S3", "").strip() or own.s3)


def token_for(endpoints: Endpoints) -> Token | None:
    """`HF_TOKEN` for the hub's origin alone, and never in the clear but on this machine."""
    value = os.environ.get("HF_TOKEN", "").strip()
    if not value:
        return None
    origin = origin_of(endpoints.hub)
    return Token(origin, value) if origin.startswith(("https:", *_LOOPBACK)) else None


def _licence_text(card: Card, listings: tuple[Listing, ...]) -> str:
    """The card's terms, then what each place itself says, each text with its digest."""
    lines = [f"source: {card.name}", f"licence by its card: {card.licence}", f"upstream: {card.url}", ""]
    for listing in listings:
        told = listing.licence.code or "nothing"
        lines.append(f"==== {listing.kind} {listing.at} {listing.revision}".rstrip() + f": says '{told}'")
        for name, text in listing.licence.texts:
            lines += [f"---- {name} sha256 {hashlib.sha256(text.encode()).hexdigest()}", text]
    return "\n".join(lines) + "\n"


def _notes(card: Card, listings: tuple[Listing, ...]) -> tuple[str, ...]:
    """Where a place states another licence than the card."""
    said = {x.licence.code for x in listings if x.licence.code.lower() not in ("", "other", UNKNOWN_LICENCE)}
    strange = sorted(code for code in said if code.lower() != card.licence.lower())
    return tuple(f"note: the place says '{code}', the card '{card.licence}'; read both" for code in strange)
