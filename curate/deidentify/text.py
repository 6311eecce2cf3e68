"""Identifiers of one patient, and free text without them.

`identifiers` lists what a header knows about a person; `scrub_text` replaces that, and what has the shape of an
identifier, by typed placeholders; `clean_words` keeps a description's allow-listed words alone. `curate.deidentify`
says what is not covered.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.guard import typed

MIN_LETTERS = 3  # a Latin name part of two letters would hit everywhere
MIN_IDEOGRAPHS = 2
MIN_NUMBER = 4  # a study id of "1" identifies nobody

_DIRECT = (
    "PatientID",
    "OtherPatientIDs",
    "IssuerOfPatientID",
    "AccessionNumber",
    "StudyID",
    "AdmissionID",
    "ServiceEpisodeID",
    "MedicalRecordLocator",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "PatientTelecomInformation",
    "RegionOfResidence",
    "RequestedProcedureID",
    "ScheduledProcedureStepID",
    "PerformedProcedureStepID",
    "FillerOrderNumberImagingServiceRequest",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberProcedure",
    "PlacerOrderNumberProcedure",
    "OrderCallbackPhoneNumber",
    "ReferringPhysicianAddress",
    "ReferringPhysicianTelephoneNumbers",
    "PersonAddress",
    "PersonTelephoneNumbers",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "DeviceSerialNumber",
    "ResponsibleOrganization",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "InterpretationID",
    "SpecimenIdentifier",
    "ContainerIdentifier",
)
_DIRECT_TAGS = frozenset(tag_for_keyword(keyword) for keyword in _DIRECT)
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d\d"
_CAPITAL = r"[A-Z\u00c0-\u00de][\w'\u2019-]{0,30}"  # a word that begins like a name
_NAME = rf"{_CAPITAL}(?: {_CAPITAL}){{0,3}}"
_STREET = (
    r"(?:Street|St|Lane|Ln|Avenue|Ave|Road|Rd|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Way|Terrace|Crescent|Square)\b\.?"
)
# In this order: what contains another shape comes first. No pattern has nested repeats, so all run in linear time.
_SHAPES = (
    ("[EMAIL]", re.compile(r"[A-Za-z0-9_.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")),
    ("[URL]", re.compile(r"\b(?:(?:https?|ftp)://|www\.)[^\s<>\"'，。；）]{1,2000}", re.IGNORECASE)),
    ("[UID]", re.compile(r"(?<![\d.])[0-2](?:\.\d{1,39}){4,30}(?![\d.]*\d)")),
    (
        r"\1[PHONE]",
        re.compile(r"(\b(?i:phone|tel|telephone|call|pager|fax|mobile|cell)\b[ .:#]{0,3})\+?\d[\d ().-]{5,20}\d"),
    ),
    (
        r"\1[NUMBER]",
        re.compile(
            r"(\b(?i:mrn|acc#|(?:medical record|accession|patient|case|chart) (?:number|no\b|id\b|#)|accession)"
            r"[ .:#]{0,3})"
            r"(?:[A-Z]{1,3}-?)?\d[\dA-Z-]{2,20}"
        ),
    ),
    ("[NUMBER]", re.compile(r"(?<![\d-])\d{3}-\d\d-\d{4}(?![\d-])")),
    ("[ADDRESS]", re.compile(rf"(?<![\w.])\d{{1,5}}[A-Za-z]? (?:[A-Z0-9][\w.'\u2019-]{{0,30}} ){{1,3}}{_STREET}")),
    ("[NAME]", re.compile(rf"\b(?:(?:Dr|Prof|Mr|Mrs|Ms|Miss|Herr|Frau)\.? ){{1,2}}{_NAME}")),
    (
        r"\1[NAME]",
        re.compile(
            r"(\b(?:(?i:patient(?: name)?|name|physician|radiologist|surgeon) ?:"
            rf"|(?i:signed|dictated|reported|reviewed) by:?) ){_NAME}"
        ),
    ),
    (r"\1[AGE]", re.compile(r"(\b[Aa]ged? )(?:9\d|1[0-2]\d)\b(?!\s?(?:%|mg|days|months|weeks))")),
    ("[AGE]", re.compile(r"\b(?:9\d|1[0-2]\d)(?:[ -]?(?:years?|yrs?)[ -]old\b| ?y/?o\b)")),
    ("[DATE]", re.compile(r"(?<![\d/])[01]\d/[0-3]\d/\d\d(?![\d/])(?! ?(?:mg|mcg|ml|g|mm|cm|%)\b)")),
    (
        "[DATE]",
        re.compile(
            rf"(?<![\d.])(?:{_YEAR}([-/.])(?:1[0-2]|0?[1-9])\1{_DAY}|{_DAY}([-/.])(?:1[0-2]|0?[1-9])\2{_YEAR}"
            rf"|(?:1[0-2]|0?[1-9])([-/.]){_DAY}\3{_YEAR}|{_YEAR}(?:1[0-2]|0[1-9])(?:0[1-9]|[12]\d|3[01]))(?!\d)"
            rf"|(?<!\d)\d{{4}} ?年 ?\d{{1,2}} ?月 ?\d{{1,2}} ?[日号]"
            rf"|\b{_MONTH}\.? {_DAY}(?:st|nd|rd|th)?,? {_YEAR}\b"
            rf"|\b{_DAY}(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}\.?,?[ -]{_YEAR}\b",
            re.IGNORECASE,
        ),
    ),
    (
        "[PHONE]",
        re.compile(
            r"(?<![\d.])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
            r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}([.-])\d{3}\1\d{4}|0\d{2,3}-\d{7,8}|1[3-9]\d{9})(?!\d)"
        ),
    ),
    ("[NUMBER]", re.compile(r"(?<![\d.])\d{7,}[Xx]?(?!\d)")),
)


def identifiers(ds: Dataset) -> tuple[str, ...]:
    """The direct identifiers of an original header at any depth, longest first: never log them.

    Names (whole, their parts and usual orders), patient, visit and order ids, addresses, telephone numbers,
    institution, station, unregistered UIDs and dates (YYYYMMDD). Left out are texts too short to search for: parts of
    names below 3 Latin letters or 2 ideographs, ids below 4 characters. Raises RecordError `bad_header`.
    """
    with typed("bad_header", "repair the file with a DICOM toolkit or leave it out"):
        found = {text.strip() for text in _walk(ds)}
    return tuple(sorted((t for t in found if t), key=lambda t: (-len(t), t)))


def _walk(ds: Dataset) -> Iterator[str]:
    for element in ds:
        values = element.value if isinstance(element.value, (MultiValue, list)) else [element.value]
        if element.VR == "SQ":
            for item in element.value:
                yield from _walk(item)
        elif element.VR == "PN":
            for value in values:
                yield from name_forms(str(value or ""))
        elif element.VR == "UI":
            yield from (str(v) for v in values if v and str(v) not in UID_dictionary)
        elif element.VR in ("DA", "DT"):
            yield from (str(v)[:8] for v in values if v and re.match(r"\d{8}", str(v)))
        elif element.tag in _DIRECT_TAGS:
            yield from (str(v) for v in values if v and len(str(v).strip()) >= MIN_NUMBER)


def name_forms(name: str) -> Iterator[str]:
    """How a DICOM person name (PS3.5 6.2.1: Family^Given^Middle^Prefix^Suffix, groups by =) may stand in text."""
    for group in name.split("="):
        parts = [part.strip() for part in group.split("^")]
        yield from (p for text in (group, *parts) for p in (text.strip(" ^"), *text.split()) if _searchable(p))
        family, given = parts[0], parts[1] if len(parts) > 1 else ""
        if family and given:
            forms = (f"{given} {family}", f"{family} {given}", f"{family}, {given}", family + given)
            yield from (form for form in forms if _searchable(form))


def _searchable(text: str) -> bool:
    return len(_IDEOGRAPH.findall(text)) >= MIN_IDEOGRAPHS or sum(c.isalnum() for c in text) >= MIN_LETTERS


def scrub_text(text: str, known: Sequence[str] = ()) -> tuple[str, int]:
    """The text with identifiers replaced by placeholders, and how many: [IDENTIFIER], [NAME], [ADDRESS], [EMAIL],
    [URL], [UID], [DATE], [AGE] (over 89 years), [PHONE], [NUMBER].

    `known` (from `identifiers`) is found in any case and not inside longer words; ideographs need no word boundary.
    Dates are replaced where they name a day (2021-03-05, 5 March 2021, 03/05/21, 2021年3月5日), not where they name a
    year or month; numbers from 7 digits on, or behind a word such as MRN, so measurements stay. Names that the header
    does not give are found behind a title or a label alone (Dr Ann Smith, signed by Ann Smith). Limits: other names,
    places, streets without a number, relative dates, short numbers, identifiers broken by a line end or a typing error,
    other scripts than Latin beyond what is known; a capital word behind a name goes with it.
    """
    count = 0
    pattern = _known_pattern(known)
    if pattern is not None:
        text, count = pattern.subn("[IDENTIFIER]", text)
    for placeholder, shape in _SHAPES:
        text, hits = shape.subn(placeholder, text)
        count += hits
    return text, count


def _known_pattern(known: Sequence[str]) -> re.Pattern[str] | None:
    """One pattern for all known texts, longest first, bounded where they begin or end like a word."""
    forms = sorted({k.strip() for k in known if k.strip()}, key=lambda k: (-len(k), k))
    if not forms:
        return None
    return re.compile("|".join(_bounded(form) for form in forms), re.IGNORECASE)


def _bounded(form: str) -> str:
    before = r"(?<![A-Za-z0-9])" if re.match(r"[A-Za-z0-9]", form) else ""
    after = r"(?![A-Za-z0-9])" if re.search(r"[A-Za-z0-9]\Z", form) else ""
    return before + re.escape(form) + after


# A kept number: at most three digits before the point, or with a unit that measures the image or its making.
_BARE = re.compile(r"\d{1,3}(?:\.\d{1,3})?\Z", re.ASCII)
_MEASURED = re.compile(
    r"\d{1,4}(?:\.\d{1,3})?(?:x\d{1,4}(?:\.\d{1,3})?){0,2}(?:mm|cm|ms|kv|kvp|ma|mas|hz|mhz|ml|cc|hu|deg|%)\Z", re.ASCII
)
_JOINED = re.compile(r"[-_/+&]")
_EDGES = " \t\r\n.,;:()[]{}\"'*!?"


def clean_words(text: str, words: Collection[str], names: Collection[str] = ()) -> str:
    """What a description may keep (Clean Descriptors Option, PS3.15 E.3.5): allow-listed words and nothing else.

    A word, or every part of one joined by - _ / + &, must be in `words` (lower case) and no part of one of the
    patient's `names`. Numbers stay with a unit that measures the image (5mm, 120kV), or bare with at most three digits
    where both neighbours stayed and are no numbers (CHEST 2 VIEWS), so dates, times, ages, telephone and record
    numbers fall apart and go. Everything else is dropped, case and order of the rest hold. Limits: a person whose name
    is an allow-listed word and who is not in `names`; languages other than English leave nothing.
    """
    barred = {name.lower() for name in names}
    found = [token.strip(_EDGES) for token in text.split()]
    found = [token for token in found if token]
    kinds = [_kind(token.lower(), words, barred) for token in found]
    last = len(found) - 1
    return " ".join(
        token
        for at, (token, kind) in enumerate(zip(found, kinds, strict=True))
        if kind == "word"
        or (kind == "number" and (at == 0 or kinds[at - 1] == "word") and (at == last or kinds[at + 1] == "word"))
    )


def _kind(token: str, words: Collection[str], barred: Collection[str]) -> str:
    """word (allow-listed), number (bare), or "" for what goes; `token` is in lower case."""
    if token in barred:
        return ""
    if token in words or _MEASURED.match(token):
        return "word"
    if _BARE.match(token):
        return "number"
    parts = [part for part in _JOINED.split(token) if part]
    fine = len(parts) > 1 and all((p in words or _MEASURED.match(p)) and p not in barred for p in parts)
    return "word" if fine else ""
