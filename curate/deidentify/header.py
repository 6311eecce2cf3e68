"""The de-identification of a DICOM header: one rule per element removes, empties, replaces, maps, moves or keeps it.

The rules are data (`tables/ps3_15.py`): PS3.15 Table E.1-1 and what lies beyond it, as `ProfileOptions` choose. One
walk applies them at any depth, and an element without a rule is removed, so what the dictionary does not know cannot
pass. `curate.deidentify` says what is covered and what is not.

Dates. DA and DT are moved by the patient's whole-day shift, so intervals hold to the second; TM is left as it is, for a
shift of whole days does not change it. Attributes that the table removes outright (X) are removed, the birth date is
emptied. A DA that is no date, a DT without a day and a year before 1800 (00010101 is a dummy) is emptied; a UTC offset
is cut off, so wall-clock intervals hold. Ages are removed, or capped at 90 years where characteristics are retained.

Options. Report trees are cleaned item by item: what Table E.3.4-1 says is done, other texts are replaced by REMOVED
or, with clean descriptors, by their allow-listed words; a subject's age is removed. Graphics keep their shapes, never
their text; overlay bits and curves are always removed, for text may be drawn in them. Private elements are kept where
the creator, group and element are listed and the value is a number or a code.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom import config as pydicom_config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, UID_dictionary  # type: ignore[attr-defined]

from curate.deidentify.nested import cleaned_items, cleaned_sequence
from curate.deidentify.profile import ProfileOptions, state_method
from curate.deidentify.tables.ps3_15 import (
    DEFAULT,
    EDITION,
    SCHEMES,
    TEXT_VALUE,
    ContentRule,
    Rule,
    content_rules,
    descriptor_words,
    plan,
    safe_private,
)
from curate.deidentify.text import clean_words
from curate.deidentify.values import (
    age_years,
    capped_age,
    items_of,
    plain_text,
    private_value_fits,
    value_fits,
    values_of,
    vr_fits,
)
from curate.deidentify.walk import (
    ASCII,
    DUMMIES,
    DUMMY_TEXT,
    MAPPED,
    MAX_DEPTH,
    PIXELS,
    Walk,
    encoded,
    replaced,
    why_no_rule,
)
from curate.guard import typed
from curate.keyring import Keyring
from manifests.errors import RecordError

__all__ = ["Cleaned", "age_years", "capped_age", "clean_dataset", "items_of", "values_of"]

_NAMES = (0x00080090, 0x00081048, 0x00081050, 0x00081060, 0x00081070, 0x00100010, 0x00101001, 0x00101005, 0x00101060)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The cleaned dataset, and how often what was done: removed, emptied, dummy, uid, moved, private, unknown, ..."""

    dataset: Dataset
    actions: dict[str, int]


def clean_dataset(ds: Dataset, keyring: Keyring, patient_pseudonym: str, options: ProfileOptions = DEFAULT) -> Cleaned:
    """A new dataset without what the Basic Profile removes; the input keeps all its values.

    `patient_pseudonym` becomes PatientID and decides the date shift, so give the same for all files of a patient.
    `options` keep more, and are recorded in the header. Elements that are kept are not decoded, and PixelData is
    shared, not copied; what stands in it behind the last frame of uncompressed pixels is cut off. Standard: PS3.15
    Annex E.

    Raises RecordError: `nesting_too_deep`, `unknown_transfer_syntax`, `bad_header` (a sequence that cannot be parsed).
    """
    days = keyring.shift_days(patient_pseudonym) if options.dates == "shift" else 0
    with typed("bad_header", "repair the file with a DICOM toolkit or leave it out"):
        walk = Walk(
            keyring=keyring,
            patient=patient_pseudonym,
            patient_id=plain_text(ds, 0x00100020),
            names=_name_parts(ds) if options.clean_descriptors else frozenset(),
            shift=datetime.timedelta(days=days),
            options=options,
            rules=plan(options),
        )
        out = _clean_level(ds, walk, depth=0)
        state_method(out, options, EDITION)
        out.file_meta = _clean_meta(ds, out, keyring)
        out.preamble = b"\0" * 128
        _cut_behind_pixels(out, walk)
    return Cleaned(out, dict(sorted(walk.actions.items())))


def _name_parts(ds: Dataset) -> frozenset[str]:
    """The words of the names that stand at the top of a header, as they are written (no character set is believed)."""
    whole = " ".join(plain_text(ds, tag) for tag in _NAMES)
    return frozenset(part.lower() for part in whole.translate(str.maketrans("^=\\,.", "     ")).split())


def _clean_level(ds: Dataset, walk: Walk, depth: int) -> Dataset:
    if depth > MAX_DEPTH:
        raise RecordError("nesting_too_deep", f"sequences in sequences beyond {MAX_DEPTH}", "flatten or leave it out")
    raw: dict[BaseTag, DataElement | RawDataElement] = {}  # taken over without a look into them
    made: list[DataElement] = []
    private = []
    rules = walk.rules
    for tag in ds.keys():  # noqa: SIM118 - iterating the dataset itself would decode every element
        rule = rules.get(tag)
        if rule is None:
            private.append(tag) if tag >> 16 & 1 and walk.options.safe_private else walk.count(why_no_rule(tag))
        elif rule.action == "X" or (depth and tag in PIXELS):  # pixels below the top are icons of some kind
            walk.count("removed")
        else:
            element = _clean_element(ds, tag, rule, walk, depth)
            if isinstance(element, RawDataElement):
                raw[tag] = element
            elif element is not None:
                made.append(element)
    out = _level_like(ds, raw, made)
    for tag in private:
        if not _keep_private(ds, tag, out, walk, depth):
            walk.count("private")
    return out


def _level_like(ds: Dataset, raw: dict[BaseTag, DataElement | RawDataElement], made: list[DataElement]) -> Dataset:
    # Items have the character set of what they stand in; without it the writer would decode and encode every text.
    out = Dataset(raw, parent_encoding=ds.original_character_set or ds._parent_encoding)
    implicit, little = ds.original_encoding
    if implicit is not None and little is not None:
        out.set_original_encoding(implicit, little, ds.original_character_set)
    for element in made:
        out[element.tag] = element
    return out


def _clean_element(
    ds: Dataset, tag: BaseTag, rule: Rule, walk: Walk, depth: int
) -> DataElement | RawDataElement | None:
    """The element that takes this one's place, None to remove it."""
    action, vr = rule
    if action in ("Z", "D"):
        return _emptied_or_dummy(ds, tag, rule, walk)
    if action in ("W", "SR"):
        return _clean_sequence(ds, tag, walk, depth, of_content=action == "SR")
    if action in MAPPED:
        return _mapped(ds, tag, rule, walk)
    if action == "T" or (action == "M" and plain_text(ds, 0x00080102) not in SCHEMES):
        return _cleaned_text(ds, tag, vr, walk)
    element = _resolved(ds, tag)
    if element is None or not vr_fits(element.VR, vr) or not value_fits(element.value, action):
        walk.count("unfit_value")
        return None
    walk.count("kept")
    return element if isinstance(element, RawDataElement) else _copied(element)


def _emptied_or_dummy(ds: Dataset, tag: BaseTag, rule: Rule, walk: Walk) -> DataElement | RawDataElement:
    """Z: no value. D: a dummy of the VR, unless the value was empty already."""
    action, vr = rule
    empty = action == "Z" or not ds.get_item(tag).value
    walk.count("emptied" if empty else "dummy")
    if vr == "SQ":
        return _made(tag, vr, DicomSequence([] if empty else [Dataset()]))
    if vr == "OB" and not empty:
        return _made(tag, vr, b"\0\0")
    return _ascii(ds, tag, vr, ["" if empty else DUMMIES.get(vr, DUMMY_TEXT)])


def _cleaned_text(ds: Dataset, tag: BaseTag, vr: str, walk: Walk) -> DataElement:
    """The allow-listed words of every value; REMOVED where none is left."""
    element = _resolved(ds, tag)
    value = ds[tag].value if element is not None and element.VR in (vr, None) else ""
    several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    texts = [clean_words(str(v or ""), descriptor_words(), walk.names) or DUMMY_TEXT for v in several]
    walk.count("text_cleaned")
    return _made(tag, vr, texts if len(texts) > 1 else texts[0])


def _clean_sequence(
    ds: Dataset, tag: BaseTag, walk: Walk, depth: int, of_content: bool = False
) -> DataElement | RawDataElement | None:
    raw: Any = ds.get_item(tag)
    found = raw.VR
    if isinstance(raw, RawDataElement) and found in ("SQ", None) and not of_content:
        quick = cleaned_sequence(raw, walk, depth)
        if quick is not None:
            walk.count("kept")
            return quick
    element: Any = _resolved(ds, tag) if found == "UN" else ds[tag] if found in ("SQ", None) else None
    if element is None or element.VR != "SQ":
        walk.count("unfit_value")
        return None
    walk.count("kept")
    if of_content:
        cleaned = (_clean_content(item, walk, depth + 1) for item in element.value or ())
        return _made(tag, "SQ", DicomSequence([item for item in cleaned if item is not None]))
    written = cleaned_items(ds, tag, walk, depth) if found == "SQ" else None
    if written is not None:
        return written
    return _made(tag, "SQ", DicomSequence([_clean_level(item, walk, depth + 1) for item in element.value or ()]))


def _clean_content(item: Dataset, walk: Walk, depth: int) -> Dataset | None:
    """A content item (PS3.3 C.17.3) after Table E.3.4-1, None where it goes with all below it."""
    kind = plain_text(item, 0x0040A040)
    names = items_of(item, "ConceptNameCodeSequence")
    concept = (plain_text(names[0], 0x00080102), plain_text(names[0], 0x00080100)) if names else ("", "")
    rule = content_rules().get((*concept, kind), ContentRule("", {}))
    kept = _content_option(rule.options, walk.options) and not (kind == "NUM" and rule.code)
    if rule.code.startswith("X") and not kept:
        walk.count("content_removed")
        return None
    out = _clean_level(item, walk, depth)
    if rule.code and not kept and TEXT_VALUE in out:
        out[TEXT_VALUE] = _made(TEXT_VALUE, "UT", DUMMY_TEXT)
    return out


def _content_option(columns: Mapping[str, str], options: ProfileOptions) -> bool:
    """Does a chosen option let this content item stay? Its values are cleaned as everywhere: texts, dates, UIDs."""
    return (
        (options.dates == "shift" and "modified_dates" in columns)
        or (options.dates == "full" and "full_dates" in columns)
        or (options.clean_descriptors and "descriptors" in columns)
        or (options.characteristics and columns.get("characteristics") == "K")
    )


def _keep_private(ds: Dataset, tag: int, out: Dataset, walk: Walk, depth: int) -> bool:
    """Put a listed private element, and its creator, into `out`; False where it goes (PS3.15 E.3.10)."""
    group, block = tag >> 16, tag >> 8 & 0xFF
    creator_tag = BaseTag(group << 16 | block)
    creator = plain_text(ds, creator_tag)
    vr = safe_private().get((group, creator, tag & 0xFF)) if block >= 0x10 else None
    element = ds.get_item(tag)
    if vr is None or element.value is None or element.VR not in (vr, "UN", None):
        return False
    if vr == "SQ":
        made: Any = _clean_sequence(ds, BaseTag(tag), walk, depth)
        if made is None:
            return False
    elif not private_value_fits(element.value, vr):
        return False
    else:
        made = element._replace(VR=vr) if isinstance(element, RawDataElement) else _made(tag, vr, element.value)
    out[creator_tag] = _made(creator_tag, "LO", creator)
    out[BaseTag(tag)] = made
    walk.count("private_kept")
    return True


def _mapped(ds: Dataset, tag: BaseTag, rule: Rule, walk: Walk) -> DataElement | RawDataElement:
    """An element whose values are replaced one by one: UIDs, patient ids, dates, times, ages."""
    what, values = replaced(rule.action, plain_text(ds, tag), walk)
    walk.count(what)
    return _ascii(ds, tag, rule.vr, values)


def _resolved(ds: Dataset, tag: BaseTag) -> DataElement | RawDataElement | None:
    """The element as it stands; an UN or deferred one is parsed first, None where that fails or leaves UN."""
    element = ds.get_item(tag)
    if element.VR != "UN" and (element.value is not None or not isinstance(element, RawDataElement)):
        return element
    try:
        with typed("bad_header", ""):
            element = ds[tag]
    except RecordError:
        return None
    return None if element.VR == "UN" else element


def _made(tag: int, vr: str, value: Any) -> DataElement:
    return DataElement(tag, vr, value, validation_mode=pydicom_config.IGNORE)


def _ascii(ds: Dataset, tag: BaseTag, vr: str, values: list[str]) -> DataElement | RawDataElement:
    """An element of ASCII values in the encoding that its data set came in: the writer copies those fastest."""
    implicit, little = ds.original_encoding
    if implicit is None or little is None or vr not in ASCII:
        return _made(tag, vr, values if len(values) > 1 else values[0])
    data = encoded(vr, values)
    return RawDataElement(tag, None if implicit else vr, len(data), data, 0, implicit, little)


def _copied(element: DataElement) -> DataElement:
    """The same value in an element of its own, so that a change of the output never reaches the input."""
    value = element.value
    if isinstance(value, (MultiValue, list)):
        value = list(value)
    return DataElement(
        element.tag,
        element.VR,
        value,
        is_undefined_length=element.is_undefined_length,
        validation_mode=pydicom_config.IGNORE,
    )


def _cut_behind_pixels(out: Dataset, walk: Walk) -> None:
    """Cut what stands in PixelData behind the last frame of uncompressed pixels (PS3.5 8.1.1: nothing but one pad)."""
    syntax = UID(str(out.file_meta.get("TransferSyntaxUID", "")))
    element = out.get_item(0x7FE00010) if 0x7FE00010 in out else None
    if element is None or not isinstance(element.value, bytes) or syntax.is_private or not syntax:
        return
    if not syntax.is_transfer_syntax or syntax.is_encapsulated:
        return
    counts = (out.get(k) for k in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"))
    bits = math.prod(int(n) if isinstance(n, int) else 0 for n in counts) * int(out.get("NumberOfFrames") or 1)
    if str(out.get("PhotometricInterpretation", "")) == "YBR_FULL_422":
        bits = bits * 2 // 3
    size = (bits + 7) // 8
    size += size & 1
    if 0 < size < len(element.value):
        out[BaseTag(0x7FE00010)] = _made(0x7FE00010, element.VR or "OW", element.value[:size])
        walk.count("bytes_behind_pixels")


def _clean_meta(ds: Dataset, out: Dataset, keyring: Keyring) -> FileMetaDataset:
    """A new file meta group: the transfer syntax, the mapped UIDs, and who wrote it; nothing else of the old one."""
    old = getattr(ds, "file_meta", None) or Dataset()
    meta = FileMetaDataset()
    syntax = plain_text(old, 0x00020010)
    if syntax and syntax not in UID_dictionary:
        raise RecordError(
            "unknown_transfer_syntax", "one outside the DICOM registry", "convert it to explicit little endian"
        )
    instance = plain_text(ds, 0x00080018) or plain_text(old, 0x00020003)
    values = {
        0x00020002: keyring.uid(plain_text(ds, 0x00080016) or plain_text(old, 0x00020002)),
        0x00020003: keyring.uid(instance),
        0x00020010: syntax,
        0x00020012: PYDICOM_IMPLEMENTATION_UID,
    }
    for tag, value in values.items():
        if value:
            meta[tag] = _made(tag, "UI", value)
    meta.ImplementationVersionName = "MEDCURATE"
    return meta
