"""The sweep of one record: what is collected while it is read, what is searched when it is made, what its lineage may
say."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from pydicom.dataset import Dataset

from curate.carried import carried_files
from curate.deidentify.profile import ProfileOptions
from curate.deidentify.tables.ps3_15 import DEFAULT
from curate.dicom.header import read_header
from curate.keyring import Keyring
from curate.sweep.needles import (
    CHARSET,
    GROUP,
    PATIENT,
    TOLD,
    Needles,
    add_group,
    add_path,
    has_identifier_shape,
    kept_tags,
    needles_of,
    needles_of_raw,
    wanted_tags,
)
from curate.sweep.other import add_clip, add_nifti, add_picture, add_scrubbed
from curate.sweep.search import Hit, hits_in_member, hits_in_text, places, told
from curate.volume.flat import NIFTI
from manifests.errors import RecordError
from manifests.record import Record, is_view, parts_of, record_key
from sources.base import Item, Place
from sources.dicom_walk import Odd, Wanted, walked

REASON = "identifier_in_output"
LINEAGE = "lineage"
REMEDY = "report it with the kinds named: a rule let an identifier pass; the record was withheld"
# Not `source`, `licence`, `access`: those are the recipe's words. Not digests, keys and pseudonyms: those are ours.
_PLAIN = ("modality", "reason", "found", "remedy", "text")
NAMED = {
    "patient": ("PatientID",),
    "study": ("StudyInstanceUID", "SeriesInstanceUID", "StudyID", "AccessionNumber"),
}
_MEDIA = ("volume", "picture", "clip")
_MARK = "~"
_MAGIC_OFFSET = 128


@dataclass(slots=True)
class Sweep:
    """The needles of one record, and what was logged while it was read. Neither is ever written. `kept` are the tags
    whose values the recipe retains."""

    needles: Needles = field(default_factory=Needles, repr=False)
    logged: list[str] = field(default_factory=list, repr=False)
    kept: frozenset[int] = frozenset()
    named: dict[str, list[str]] = field(default_factory=dict, repr=False)  # ids of the headers, by kind

    def header(self, ds: Dataset) -> None:
        """Take up the identifiers of an original header; call it before anything else looks at the header."""
        for kind, keywords in NAMED.items():
            self.named.setdefault(kind, []).extend(str(ds.get(k, "") or "") for k in keywords)
        needles_of(ds, self.needles, self.kept)

    def slices(self, paths: Sequence[Path]) -> None:
        """The same for the other files of a series, as far as they say something new on their top level. Read as
        `curate.dicom.scan` reads them; a file that is not is left to its first one's header, for it would cost as much
        as the record itself."""
        known: dict[int, set[bytes]] = {}
        for path in paths:
            try:
                elements, pixels = walked(path, _wanted())
            except (Odd, OSError):
                continue
            new = {}
            for tag, (vr, raw) in elements.items():
                before = known.setdefault(tag, set())
                if raw not in before:
                    before.add(raw)
                    new[tag] = vr, raw
            if new:
                needles_of_raw(new, elements, pixels.syntax, self.needles, self.kept)


@functools.cache
def _wanted() -> Wanted:
    tags = frozenset((*wanted_tags(), CHARSET))
    return Wanted(tags, optional=tags)


def begin(item: Item, place: Place, options: ProfileOptions = DEFAULT, groups: Sequence[str] = ()) -> Sweep:
    """What is known before the item is read: its paths, its texts, what its row calls its patient, and the header
    strings of its form."""
    sweep = Sweep(kept=kept_tags(options))
    for file in item.files:
        if not file.fragment or is_view(file):  # a container's name says nothing of one of its thousands of rows
            add_path(sweep.needles, file.path)
    for group in groups:
        add_group(sweep.needles, group, PATIENT if item.form in ("picture", "clip") else GROUP)
    add_scrubbed(sweep.needles, (item.text, *parts_of(item.asked)))
    with contextlib.suppress(RecordError):  # the reader meets the same error and says so
        if item.carried:
            with tempfile.TemporaryDirectory() as folder:
                _add_media(sweep.needles, item.form, carried_files(item, Path(folder)))
        elif item.form in _MEDIA:
            of_role = [f for f in item.files if f.role == "data" or item.form == "volume"]
            _add_media(sweep.needles, item.form, [place.file(f.path) for f in of_role])
        elif item.form == "none" and item.status == "dropped" and _is_dicom(place.file(item.files[0].path)):
            sweep.header(read_header(place.file(item.files[0].path)))  # for its lineage: a report's name may be told
    return sweep


def _add_media(needles: Needles, form: str, paths: Sequence[Path]) -> None:
    """The header strings of media files: of a volume and what goes with it, of pictures, of a video or its frames."""
    for path in paths:
        if form == "volume" or path.name.lower().endswith(NIFTI):
            add_nifti(needles, path)
        elif form == "picture" or len(paths) > 1:
            add_picture(needles, path)
        else:
            add_clip(needles, path)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAGIC_OFFSET + 4)[_MAGIC_OFFSET:] == b"DICM"
    except OSError:
        return False


def derive(item: Item, place: Place, options: ProfileOptions = DEFAULT, groups: Sequence[str] = ()) -> Needles:
    """All needles of an item from its sources alone: for stages that run long after it was read. Raises RecordError
    where a file cannot be read any more."""
    sweep = begin(item, place, options, groups)
    if item.form.startswith("dicom"):
        paths = [place.file(path) for path in dict.fromkeys([*(f.path for f in item.files), *item.contours])]
        marked = [place.file(path) for path in item.contours]
        sweep.header(read_header(paths[0]))
        sweep.slices([path for path in paths if path not in marked])
        for path in marked:
            with contextlib.suppress(RecordError):  # prepare could not read it either, and took nothing of it
                sweep.header(read_header(path))
    return sweep.needles


@contextlib.contextmanager
def listening(lines: list[str]) -> Iterator[None]:
    """Collect what is logged or warned in this process in the meantime, so that it can be searched."""

    def warned(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        lines.append(str(message))

    handler = _Listener(lines)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = warned
            yield
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


def hits_of(record: Record, members: Sequence[tuple[str, bytes | Path]], sweep: Sweep) -> tuple[Hit, ...]:
    """Every place where the record, its members, or what was logged meanwhile holds a needle."""
    if not len(sweep.needles):
        return ()
    return tuple(sorted(set(_all_hits(record, members, sweep))))


def _all_hits(record: Record, members: Sequence[tuple[str, bytes | Path]], sweep: Sweep) -> Iterator[Hit]:
    needles = sweep.needles
    if needles.has_other(TOLD):
        lineage = "\n".join(_lineage(record))
        yield from (hit for hit in hits_in_text(lineage, needles, LINEAGE) if hit.kind not in TOLD)
    said = tuple(_said(record))
    if any(hits_in_text("\n".join(text for _, text in said), needles, "record")):
        yield from (hit for field, text in said for hit in hits_in_text(text, needles, field))
    for name, stored in members:
        yield from hits_in_member(name, stored, needles)
    if sweep.logged:
        yield from hits_in_text("\n".join(sweep.logged), needles, "log")


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
    yield from (("asked", text) for text in parts_of(record.asked))
    yield from (("facts", text) for f in record.facts for text in (f.name, f.value, f.origin, f.unit, f.about, f.at))
    yield from (("steps", text) for s in record.steps for text in (s.name, s.params, s.result))
    yield from (("media", t) for m in record.media for t in (m.member, m.dtype, m.target, m.units, m.voi, m.label))


def withheld(record: Record, hits: Sequence[Hit], keyring: Keyring) -> Record:
    """The record without anything that was read: failed, with the kinds and places of the hits. Where its lineage holds
    one, nothing of that is told either."""
    if any(hit.where == LINEAGE for hit in hits):
        record = _relabelled(record, lambda text: "/".join(sealed_part(part, keyring) for part in text.split("/")))
    error = RecordError(REASON, told(hits), REMEDY)
    return dataclasses.replace(
        record,
        status="failed",
        reason=error.reason,
        found=error.found,
        remedy=error.remedy,
        kind="",
        modality="",
        phash="",
        media=(),
        facts=(),
        text="",
        asked=(),
        dialogue=False,
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
    return _relabelled(record, lambda text: sealed_path(text, needles, keyring))


def _relabelled(record: Record, shut: Callable[[str], str]) -> Record:
    """The record with other words in its lineage; key and, where it stands alone, group follow."""
    upstream_id = shut(record.upstream_id)
    uri = f"{record.source}/{shut(_inside_source(record.uri))}"
    files = tuple(
        dataclasses.replace(
            f, path=shut(f.path), fragment=f.fragment if is_view(f) or not f.fragment else shut(f.fragment)
        )
        for f in record.files
    )
    key = record_key(record.source, upstream_id, record.sha256)
    group = key if record.group == record.key else record.group
    return dataclasses.replace(record, upstream_id=upstream_id, uri=uri, files=files, key=key, group=group)


def is_sealed(given: Record, blank: Record, keyring: Keyring) -> bool:
    """Whether `given` says who it is as `blank` does, or as `sealed` makes of that: for who has no needles and did not
    make it. Every part of a path is its own or its own pseudonym, and key and group follow."""

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
        and all(same_path(now, before, keyring) for now, before in texts)
    )


def same_path(now: str, before: str, keyring: Keyring) -> bool:
    """Whether a path is another, or what `sealed` may make of that."""
    if now == before or now == sealed_part(before, keyring):
        return True
    pairs = zip(now.split("/"), before.split("/"), strict=False)
    return now.count("/") == before.count("/") and all(a in (b, sealed_part(b, keyring)) for a, b in pairs)


def sealed_part(part: str, keyring: Keyring) -> str:
    """What stands for a part of a path, or for a whole one, that tells somebody's identity."""
    return f"{_MARK}{keyring.pseudonym('path', part)}"


def sealed_path(path: str, needles: Needles, keyring: Keyring) -> str:
    """A path with each telling part replaced; the whole of it where only its parts together tell."""
    if not path:
        return path
    parts = [
        sealed_part(part, keyring) if has_identifier_shape(part) or _tells(part, needles) else part
        for part in path.split("/")
    ]
    joined = "/".join(parts)
    return sealed_part(path, keyring) if _tells(joined, needles) else joined


def _tells(text: str, needles: Needles) -> bool:
    """Whether a path shows a needle as it is; one that is encoded in a path is left to `hits_of`."""
    return needles.has_other(TOLD) and any(kind not in TOLD for kind, _ in places(text, needles))
