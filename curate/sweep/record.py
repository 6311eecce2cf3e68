"""The sweep of one record: what is collected while it is read, what is searched when it is made, what its lineage may
say."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from curate.dicom.header import read_header
from curate.keyring import Keyring
from curate.sweep.needles import PATH, SCRUBBED, Needles, add_path, has_identifier_shape, needles_of
from curate.sweep.other import add_nifti, add_picture, add_scrubbed
from curate.sweep.search import Hit, hits_in_member, hits_in_text, places, told
from manifests.errors import RecordError
from manifests.record import Record, is_view, record_key
from sources.base import Item, Place

REASON = "identifier_in_output"
REMEDY = "report it with the kinds named: a rule let an identifier pass; the record was withheld"
# Not `source`, `licence`, `access`: those are the recipe's words. Not digests, keys and pseudonyms: those are ours.
_PLAIN = ("modality", "reason", "found", "remedy", "text", "question", "answer")
_ELSEWHERE = frozenset({PATH, SCRUBBED})  # kinds that a lineage may show
_MARK = "~"


@dataclass(slots=True)
class Sweep:
    """The needles of one record, and what was logged while it was read. Neither is ever written."""

    needles: Needles = field(default_factory=Needles, repr=False)
    logged: list[str] = field(default_factory=list, repr=False)

    def header(self, ds: Dataset) -> None:
        """Take up the identifiers of an original header; call it before anything else looks at the header."""
        needles_of(ds, into=self.needles)


def begin(item: Item, place: Place) -> Sweep:
    """What is known before the item is read: its paths, its texts, and the header strings of its form."""
    sweep = Sweep()
    for file in item.files:
        if not file.fragment or is_view(file):  # a container's name says nothing of one of its thousands of rows
            add_path(sweep.needles, file.path)
    add_scrubbed(sweep.needles, (item.text, item.question, item.answer))
    if item.form == "volume":
        for file in item.files:
            with contextlib.suppress(RecordError):  # the reader meets the same error and says so
                add_nifti(sweep.needles, place.file(file.path))
    elif item.form == "picture":
        add_picture(sweep.needles, place.file(item.files[0].path))
    return sweep


def derive(item: Item, place: Place) -> Needles:
    """All needles of an item from its sources alone: for stages that run long after it was read. Of a DICOM series
    every header is read. Raises RecordError where a file cannot be read any more."""
    sweep = begin(item, place)
    if item.form.startswith("dicom"):
        for path in dict.fromkeys([*(f.path for f in item.files), *item.contours]):
            sweep.header(read_header(place.file(path)))
    return sweep.needles


@contextlib.contextmanager
def listening(sweep: Sweep) -> Iterator[None]:
    """Collect what is logged or warned in this process in the meantime, so that it can be searched."""
    handler = _Listener(sweep.logged)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield
        sweep.logged += [str(w.message) for w in caught]
    finally:
        root.removeHandler(handler)


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):  # a line that cannot be formatted was not written either
            self.lines.append(record.getMessage())


# --- searching -------------------------------------------------------------------------------------------------------


def hits_of(
    record: Record, members: Sequence[tuple[str, bytes | Path]], sweep: Sweep, scratch: Path | None = None
) -> tuple[Hit, ...]:
    """Every place where the record, its members, what it logged, or what it left in `scratch` holds a needle."""
    needles = sweep.needles
    if not len(needles):
        return ()
    return tuple(sorted(set(_all_hits(record, members, sweep, scratch))))


def _all_hits(
    record: Record, members: Sequence[tuple[str, bytes | Path]], sweep: Sweep, scratch: Path | None
) -> Iterator[Hit]:
    needles = sweep.needles
    lineage = "\n".join(_lineage(record)) if needles.has_other(_ELSEWHERE) else ""
    yield from (hit for hit in hits_in_text(lineage, needles, "lineage") if hit.kind not in _ELSEWHERE)
    said = tuple(_said(record))
    if any(hits_in_text("\n".join(text for _, text in said), needles, "record")):
        yield from (hit for field, text in said for hit in hits_in_text(text, needles, field))
    for name, stored in members:
        yield from hits_in_member(name, stored, needles)
    if sweep.logged:
        yield from hits_in_text("\n".join(sweep.logged), needles, "log")
    taken = {stored for _, stored in members if isinstance(stored, Path)}
    left = sorted(p for p in scratch.rglob("*") if p.is_file() and p not in taken) if scratch else []
    for path in left:
        yield from hits_in_member("scratch", path, needles)


def _lineage(record: Record) -> Iterator[str]:
    """What says where a record came from."""
    yield from (_inside_source(record.uri), record.upstream_id)
    yield from (text for file in record.files for text in (file.path, file.fragment))


def _inside_source(uri: str) -> str:
    """A URI without the source's name before it."""
    return uri.partition("/")[2]


def _said(record: Record) -> Iterator[tuple[str, str]]:
    """Every other text of a record with the field that holds it; a test holds that none is left out."""
    yield from ((name, getattr(record, name)) for name in _PLAIN)
    yield from (("facts", text) for f in record.facts for text in (f.name, f.value, f.origin, f.unit, f.about))
    yield from (("steps", text) for s in record.steps for text in (s.name, s.params, s.result))
    yield from (("media", t) for m in record.media for t in (m.member, m.dtype, m.target, m.units, m.voi, m.label))


def withheld(record: Record, hits: Sequence[Hit]) -> Record:
    """The record without anything that was read: failed, with the kinds and places of the hits."""
    return dataclasses.replace(
        record,
        status="failed",
        reason=REASON,
        found=told(hits),
        remedy=REMEDY,
        kind="",
        modality="",
        phash="",
        media=(),
        facts=(),
        text="",
        question="",
        answer="",
        steps=(),
    )


# --- lineage ---------------------------------------------------------------------------------------------------------


def sealed(record: Record, needles: Needles, keyring: Keyring) -> Record:
    """The record with a lineage that names no one: a part of a path that holds one of its identifiers, a UID or a
    person name is replaced by `~` and its pseudonym; key and, for a record that stands alone, group follow. The file's
    sha256 still finds it."""

    lineage = "\n".join(_lineage(record))
    if not has_identifier_shape(lineage) and not _tells(lineage, needles):
        return record

    def shut(text: str) -> str:
        return sealed_path(text, needles, keyring)

    upstream_id = shut(record.upstream_id)
    uri = f"{record.source}/{shut(_inside_source(record.uri))}"
    files = tuple(dataclasses.replace(f, path=shut(f.path), fragment=shut(f.fragment)) for f in record.files)
    key = record_key(record.source, upstream_id, record.sha256)
    group = key if record.group == record.key else record.group
    return dataclasses.replace(record, upstream_id=upstream_id, uri=uri, files=files, key=key, group=group)


def is_sealed(given: Record, blank: Record, keyring: Keyring) -> bool:
    """Whether `given` says who it is as `blank` does, or as `sealed` makes of that: for who has no needles and did not
    make it. Every part of a path is its own or its own pseudonym, and key and group follow."""

    def same(now: str, before: str) -> bool:
        def shut(part: str) -> str:
            return f"{_MARK}{keyring.pseudonym('path', part)}"

        pairs = zip(now.split("/"), before.split("/"), strict=False)
        parts = now.count("/") == before.count("/") and all(a in (b, shut(b)) for a, b in pairs)
        return parts or now == shut(before)

    if len(given.files) != len(blank.files):
        return False
    key = record_key(blank.source, given.upstream_id, blank.sha256)
    group = key if blank.group == blank.key else blank.group
    texts = [(given.upstream_id, blank.upstream_id), (_inside_source(given.uri), _inside_source(blank.uri))]
    for now, before in zip(given.files, blank.files, strict=True):
        texts += [(now.path, before.path), (now.fragment, before.fragment)]
        if (now.sha256, now.size_bytes, now.role) != (before.sha256, before.size_bytes, before.role):
            return False
    plain = ("source", "sha256", "licence", "access")
    return (
        (given.key, given.group) == (key, group)
        and all(getattr(given, name) == getattr(blank, name) for name in plain)
        and all(same(now, before) for now, before in texts)
    )


def sealed_path(path: str, needles: Needles, keyring: Keyring) -> str:
    """A path with each telling part replaced; the whole of it where only its parts together tell."""
    if not path:
        return path
    parts = [
        f"{_MARK}{keyring.pseudonym('path', part)}" if has_identifier_shape(part) or _tells(part, needles) else part
        for part in path.split("/")
    ]
    joined = "/".join(parts)
    return f"{_MARK}{keyring.pseudonym('path', path)}" if _tells(joined, needles) else joined


def _tells(text: str, needles: Needles) -> bool:
    """Whether a path shows a needle as it is; one that is encoded in a path is left to `hits_of`."""
    return needles.has_other(_ELSEWHERE) and any(kind not in _ELSEWHERE for kind, _ in places(text, needles))
