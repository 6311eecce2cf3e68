"""What an audit can say of identifiers without the sources: whether the sweep withheld a record, and whether a text of
the output has the shape of an identifier that nothing of ours has.

A record withheld by `curate.sweep` means that a rule of the de-identification did not work on these data: that record
was stopped, and others of the same kind may have passed, so the output is not to be trusted until the rule is mended.
Shapes looked for in the samples' JSON and the ledger's rows: UIDs that are neither registered nor made by us (2.25.),
e-mail addresses, and person names as DICOM writes them in paths. Whose they are is not known here; a finding names the
place and never the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.audit.findings import Findings

REASON = "identifier_in_output"
MEND = "find the rule that the record's `found` points to, mend it, and run again"
LOOK = "look at the place named; scrub or exclude the source, and run again"

_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d{1,39}){4,30}(?![\d.]*\d)")
_EMAIL = re.compile(r"[A-Za-z0-9_.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}\b")
_NAME_IN_PATH = re.compile(r"[^\W\d_]{2,}\^[^\W\d_]{2,}")
_OURS = "2.25."
_PATHS = frozenset({"source_uri", "upstream_id", "path"})


def check_withheld(count: int, findings: Findings) -> None:
    """A finding where the sweep withheld `count` records of this run."""
    if count:
        several = f"{count} records" if count > 1 else "one record"
        findings.add(REASON, "ledger", f"{several} held identifiers of their own source and were withheld", MEND)


def check_sample_shapes(where: str, data: bytes, findings: Findings) -> None:
    """The JSON of one sample; what is no JSON is named by other checks."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    for field, shape in shapes_in(value):
        findings.add("identifier_shape", f"{where} {field}", shape, LOOK)


def check_row_shapes(where: str, row: Mapping[str, Any], findings: Findings) -> None:
    """One row of the ledger."""
    for field, shape in shapes_in(row):
        findings.add("identifier_shape", f"{where} {field}", shape, LOOK)


def shapes_in(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """(field, what has the shape of an identifier) for every text of a JSON value."""
    if isinstance(value, str):
        yield from ((field, shape) for shape in _shapes(value, field.rpartition(".")[2]))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from shapes_in(inner, f"{field}.{name}" if field else str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from shapes_in(inner, field)


def _shapes(text: str, name: str) -> Iterator[str]:
    if any(not uid.startswith(_OURS) and uid not in UID_dictionary for uid in _UID.findall(text)):
        yield "a UID that is neither registered nor ours"
    if "@" in text and _EMAIL.search(text):
        yield "an e-mail address"
    if name in _PATHS and _NAME_IN_PATH.search(text):
        yield "a person name as DICOM writes it"
