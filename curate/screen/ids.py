"""What a record is known by upstream: patients, studies and videos, kept so that no dictionary of ids opens them.

Raw ids are known only while a record is prepared; afterwards they are pseudonyms. A benchmark's pack holds its ids as
hashes under a salt that everybody knows, so a record's ids must not be kept in that form: whoever had the work folder
could try every patient number. They are kept as HMACs of that form by the run's key (`sealed_ids`), and screening makes
the same of a pack's hashes (`sealed_table`). Under a public key (`curate.keyring`) this protects nobody, as pseudonyms
do not. 64 bits are kept: among 10^9 ids of records and 10^6 of packs, one false hit is expected in 18,000 runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from curate.keyring import Keyring
from curate.packs.naming import IDS, SALT, salted256, telling
from manifests.record import is_view
from sources.base import Item

WIDTH = 9  # bytes of one sealed id: its kind, and 64 bits
MOST = 256  # ids of one record
NAMED_FILES = 8
_DIGITS = 16  # of a pseudonym, hexadecimal
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_XMLAB = re.compile(r"xmlab\d+")
_PMID = re.compile(r"(?:pmid[:_ -]?)?(\d{7,8})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RecordIds:
    """What a record is known by, as its source names it, before any pseudonym; files and decoded pixels by SHA-256
    (hexadecimal; pixels as `curate.dedup.pixel_sha256` has it)."""

    patient: tuple[str, ...] = ()
    study: tuple[str, ...] = ()
    video: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    pixels: tuple[str, ...] = ()


def record_ids(item: Item, groups: Sequence[str], more: Mapping[str, Sequence[str]] | None = None) -> RecordIds:
    """The ids of an item: what its source's row calls its patient or article (`groups`, raw), its upstream id, the
    folders and names of its files, and what its header says (`more`: patient, study or video to values).

    Sources and benchmarks do not agree on what a name is the name of, so those without a kind stand under each. Files
    of which the record is one of many parts say nothing of it. Ids that are not telling are left out.
    """
    said = dict(more or {})
    names = dict.fromkeys([*_named(groups), *_upstream(item), *_parts(item)])
    kinds = {kind: dict.fromkeys([*_named(said.get(kind, ())), *names]) for kind in IDS}
    kinds["study"] |= dict.fromkeys(_prefixed(names, item))
    return RecordIds(**{kind: tuple(value for value in found if telling(value)) for kind, found in kinds.items()})


def _named(values: Iterable[str]) -> Iterator[str]:
    yield from (value.strip(" \t\r\n\0") for value in values)


def _upstream(item: Item) -> Iterator[str]:
    """Its upstream id, without what sources put before and behind it; a path's parts are told by `_parts`."""
    name = item.upstream_id.removeprefix("id=")
    if not any(name.startswith(f.path) for f in item.files):
        yield name
        yield name.split("#")[0]


def _parts(item: Item) -> Iterator[str]:
    """Folders and names of its own files, names also without endings and before their first point. Where there are many
    files their names are those of slices, and say nothing."""
    own = [PurePosixPath(f.path) for f in item.files if not f.fragment or is_view(f)]
    for path in own:
        yield from path.parent.parts
        yield from (f"{folder}/{path.parts[n + 1]}" for n, folder in enumerate(path.parts[:-2]))
        if len(own) <= NAMED_FILES:
            yield from (path.name, path.stem, path.name.removesuffix(".nii.gz"), path.name.split(".")[0])


def _prefixed(names: Iterable[str], item: Item) -> Iterator[str]:
    """Ids as packs name those that need their archive's name before them: PubMed, MedPix, SLAKE, M3D-Cap."""
    for name in names:
        if item.form == "text" and (article := _PMID.fullmatch(name)):
            yield f"pmid:{article[1]}"
        if _UUID.fullmatch(name):
            yield f"medpix:{name.lower()}"
        if _XMLAB.fullmatch(name):
            yield f"slake:{name}"
        if "/" in name:
            yield f"m3d:{name}"


def sealed_ids(ids: RecordIds, ring: Keyring) -> bytes:
    """Each id of a patient, study or video as `WIDTH` bytes, sorted, at most `MOST`: what is kept of a record's ids."""
    found = {
        _sealed(ring, number, salted256(SALT, kind, value))
        for number, kind in enumerate(IDS)
        for value in getattr(ids, kind)
        if telling(value)
    }
    return b"".join(sorted(found)[:MOST])


def _sealed(ring: Keyring, kind: int, salted: bytes) -> bytes:
    return bytes([kind]) + bytes.fromhex(ring.pseudonym("benchmark id", salted.hex())[:_DIGITS])


def is_sealed_ids(stored: bytes) -> bool:
    """Whether bytes are what `sealed_ids` gives."""
    return len(stored) <= WIDTH * MOST and opened(stored) == sorted(set(opened(stored))) and len(stored) % WIDTH == 0


def opened(stored: bytes) -> list[bytes]:
    """The single sealed ids."""
    return [stored[at : at + WIDTH] for at in range(0, len(stored), WIDTH)]


def sealed_table(hashes: Iterable[tuple[int, bytes]], ring: Keyring) -> list[bytes]:
    """The sealed forms of a pack's ids, (index into IDS, salted hash) each, in their order."""
    return [_sealed(ring, kind, salted) for kind, salted in hashes]
