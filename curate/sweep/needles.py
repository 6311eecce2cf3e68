"""What must not come out: the identifiers of one record, ready to be searched for.

What counts
- DICOM, at any depth: all that PS3.15 Table E.1-1 names and `beyond_e1_1.csv` adds, all person names, UIDs and dates,
  and private attributes of those VRs. The tables alone decide, not the rules made from them: a rule that is switched
  off takes no needle away.
  PN: the whole name in both orders, with and without middle names; a single part from 4 letters or 2 ideographs on.
  UI: unregistered UIDs. DA, DT: the day, from 1800 on. LO, SH, AE, UC, UT, ST, LT, UR: whole values of attributes that
  name or number (ids, numbers, addresses, institutions, stations); of descriptions only a whole value of 4 words and 20
  letters. In any of these texts: numbers from 7 digits on, dates, UIDs, e-mail addresses.
- Other forms: NIfTI strings (descrip, aux_file, db_name, intent_name, data_type), EXIF and PNG texts that name somebody
  or a day, and what `scrub_text` replaced in free text.
- Every form: parts of the source's path that have the shape of an identifier (UID, date, 7 digits, a name with `^`),
  and what a row names as its group where it has a digit in it: of texts `GroupColumn`, of images and clips
  `PatientColumn`, which, like a header's PatientID, no lineage may show either.

What does not count: stop words (`curate.sweep.common`), numbers below 5 digits, values below 4 letters or digits, times
of day, ages, sexes and sizes, codes (CS), numbers (DS, IS), names of marked structures (ROIName and its like, which are
taken over on purpose after scrubbing), unknown private values of VR UN.

Needles are secrets. They exist in the process that read the source and nowhere else: they cannot be pickled, their repr
is a count, and a hit names the kind, never the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID, UID_dictionary  # type: ignore[attr-defined]

from curate.deidentify.profile import ProfileOptions
from curate.deidentify.tables.ps3_15 import DEFAULT, plan, rows
from curate.deidentify.text import name_forms
from curate.guard import typed
from curate.sweep.common import digits_in, digits_of, folded, fours_in, stop_words, words_of
from curate.sweep.days import days_in
from sources.dicom_walk import Elements, data_set

PATH = "SourcePath"
SCRUBBED = "ScrubbedText"
GROUP = "GroupColumn"
PATIENT = "PatientColumn"
TOLD = frozenset({PATH, SCRUBBED, GROUP})  # kinds that a record's lineage may show
MIN_TEXT = 4
MIN_DIGITS = 5
MIN_SOLID = 8  # from here on a form with letters and digits is looked for inside longer words too
MIN_SOLID_DIGITS = 12
MIN_CALLED = 7  # digits of a telephone number
MIN_YEAR, MAX_YEAR = 1800, 2199

_TEXT = frozenset({"LO", "SH", "AE", "UC", "UR", "UT", "ST", "LT"})
_FREE = frozenset({"UR", "UT", "ST", "LT"})
CHARSET = 0x00080005  # SpecificCharacterSet
_ASCII = frozenset({"UI", "DA", "DT"})
_ALWAYS = frozenset({"PN", "UI", "DA", "DT"})
_LEAVE = frozenset({"K", "T", "M", "N", "CS", "AS"})  # actions that leave values, or words of them, as they are
_NAMING = re.compile(
    r"(ID|IDs|Numbers?|Address|Identifiers?|Identification|Locator|AETitle|AE|Residence|Organization|Location"
    r"|TelecomInformation|URL|URI|Author|OwnerName|StationName|InstitutionName|DepartmentName|CenterName|SiteName"
    r"|CommitteeName|SponsorName|EntityName|DisplayName|PrinterName|Originator|Trial)$"
)
_MARKS = frozenset(
    ("ROIName", "ROIDescription", "ROIObservationLabel", "StructureSetLabel", "StructureSetName", "SegmentLabel",
     "SegmentDescription", "TrackingID")
)  # fmt: skip
_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d{1,39}){4,30}(?![\d.]*\d)")
_SHAPED = re.compile(
    r"[A-Za-z0-9_.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}|(?<![\d.])\d{7,}(?![\d.]*\d)"
)
_CALLED = re.compile(r"[\d\s()+./-]+")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")


class Needles:
    """The identifiers of one record by how they are looked for; fill it with the `add_` methods."""

    __slots__ = ("anywhere", "asleep", "days", "numbers", "phrases", "undated", "words")

    def __init__(self) -> None:
        self.words: dict[str, str] = {}  # a whole word -> kind
        self.phrases: dict[str, dict[str, str]] = {}  # first word -> {words joined by a blank: kind}
        self.anywhere: dict[str, str] = {}  # folded text, also inside longer words -> kind
        self.days: dict[str, str] = {}  # YYYYMMDD -> kind
        self.numbers: dict[str, str] = {}  # the digits of a telephone number -> kind
        self.asleep: dict[str, str] = {}  # a value whose forms are made when it may stand in what is searched -> kind
        self.undated: dict[str, str] = {}  # a text whose days are taken when what is searched has some -> kind

    def __len__(self) -> int:
        return (
            len(self.words)
            + sum(map(len, self.phrases.values()))
            + len(self.anywhere)
            + len(self.days)
            + len(self.numbers)
            + len(self.asleep)
            + len(self.undated)
        )

    def __repr__(self) -> str:
        return f"Needles({len(self)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("needles stay in the process that read the source")

    def has_other(self, kinds: Container[str]) -> bool:
        """Whether some needle is of none of these kinds."""
        mine = (self.words, self.anywhere, self.days, self.numbers, self.asleep, self.undated)
        several = (*mine, *self.phrases.values())
        return any(kind not in kinds for one in several for kind in one.values())

    def drop(self, others: Needles) -> None:
        """Look for nothing of what others hold: values that an option of the profile retains."""
        self.wake_all()
        others.wake_all()
        for mine, theirs in (
            (self.words, others.words),
            (self.anywhere, others.anywhere),
            (self.days, others.days),
            (self.numbers, others.numbers),
            *((forms, others.phrases[first]) for first, forms in self.phrases.items() if first in others.phrases),
        ):
            for form in theirs:
                mine.pop(form, None)

    def put_off(self, kind: str, values: Iterable[str], text: str) -> None:
        """As `add_value` of each value and `add_day` of the text, when there is need: of a note's numbers and dates
        hardly one stands in what is made of it, and to see that takes less than to make their forms."""
        for value in values:
            self.asleep.setdefault(value, kind)
        for _ in days_in(text):
            self.undated.setdefault(text, kind)
            break

    def wake(self, low: str, plain: str) -> None:
        """Make the forms of what was put off, as far as one of them may stand in a reading: `low` is its folded text,
        `plain` that without digests."""
        if not (self.asleep or self.undated):
            return
        fours = fours_in(low)
        if any(MIN_YEAR <= int(four) <= MAX_YEAR for four in fours) and any(days_in(plain)):
            self._date()
        digits = digits_of(low)
        for value in [v for v in self.asleep if _may_stand(v, low, fours, digits)]:
            self.add_value(self.asleep.pop(value), value)

    def wake_all(self) -> None:
        self._date()
        while self.asleep:
            value, kind = self.asleep.popitem()
            self.add_value(kind, value)

    def _date(self) -> None:
        while self.undated:
            text, kind = self.undated.popitem()
            self.add_day(kind, text)

    def add_form(self, kind: str, text: str) -> None:
        """One text, whole: its words in this order, whatever stands between them."""
        low = folded(text.strip(" \t\r\n\0^="))
        words = words_of(low)
        size = sum(map(len, words))
        ideographs = not low.isascii() and _IDEOGRAPHS.search(low) is not None
        if not words or (not ideographs and all(map(_names_nobody, words))):
            return
        if ideographs and size <= 8:
            _put(self.anywhere, low, kind)
        elif size < MIN_TEXT:
            return
        elif len(words) == 1:
            _put(self.words, words[0], kind)
        else:
            _put(self.phrases.setdefault(words[0], {}), " ".join(words), kind)
        digits = digits_in(low)
        if size >= (MIN_SOLID_DIGITS if digits == size else MIN_SOLID) and digits >= 3:
            _put(self.anywhere, low, kind)

    def add_name(self, kind: str, name: str) -> None:
        """A person name (PS3.5 6.2.1), in the usual orders; parts that are stop words or short count only together."""
        for group in name.split("="):
            parts = [p.strip() for p in group.split("^") if p.strip()]
            orders = (parts, parts[::-1], parts[:2], parts[1::-1], [*parts[1:3], *parts[:1]])
            for order in orders if len(parts) > 1 else ():
                self.add_form(kind, " ".join(order))
                self.add_form(kind, "".join(order))
        for form in name_forms(name):
            self.add_form(kind, form)

    def add_day(self, kind: str, value: str) -> None:
        """A day, from the first 8 digits of a DA or DT (also 1997.04.24, and both ends of a range)."""
        for found in days_in(value):
            if int(found[:4]) >= MIN_YEAR:
                _put(self.days, found, kind)

    def add_uid(self, kind: str, value: str) -> None:
        plain = value.strip(" \t\r\n\0")
        if plain and plain not in UID_dictionary and len(plain) >= MIN_SOLID:
            _put(self.anywhere, plain.lower(), kind)
            self.add_form(kind, plain)

    def add_shapes(self, kind: str, text: str) -> None:
        """What has the shape of an identifier inside a longer text."""
        for uid in _UID.findall(text):
            self.add_uid(kind, uid)
        for found in _SHAPED.findall(text):
            self.add_form(kind, found)
        self.add_day(kind, text)

    def add_value(self, kind: str, text: str) -> None:
        """A value that names or numbers somebody or something, and the digits of it if it is a telephone number."""
        self.add_form(kind, text)
        self.add_shapes(kind, text)
        if MIN_CALLED <= digits_in(text) <= 15 and _CALLED.fullmatch(text.strip()):
            digits = "".join(c for c in text if c.isdigit())
            self.add_form(kind, digits)
            _put(self.numbers, digits, kind)

    def add_sentence(self, kind: str, text: str) -> None:
        """A description: only whole, only if long enough to be nobody else's, and the identifiers that it quotes."""
        words = words_of(folded(text))
        if len(words) >= 4 and sum(map(len, words)) >= 20:
            self.add_form(kind, text)
        self.add_shapes(kind, text)


def _put(forms: dict[str, str], form: str, kind: str) -> None:
    """The first kind stays, but a kind that a lineage may show gives way to one that it may not."""
    known = forms.get(form)
    if known is None or (known in TOLD and kind not in TOLD):
        forms[form] = kind


def _may_stand(value: str, low: str, fours: set[str], digits: str) -> bool:
    """Whether a form that `add_value` makes of a value may be found in a reading, of which are given the fours and all
    digits. Each form holds every word of the value but these: a number or a day inside it, which have four digits in a
    row, a UID or an address inside it, and the digits of a telephone number."""
    if not value.isascii() or "@" in value or value.count(".") >= 4:
        return True
    for word in words_of(value.lower()):
        if word not in low:
            break
    else:
        return True
    number = digits_of(value)
    return (len(number) >= MIN_CALLED and number in digits) or any(four in value for four in fours)


def _names_nobody(word: str) -> bool:
    return len(word) == 1 or word in stop_words() or (word.isdigit() and len(word) < MIN_DIGITS)


# --- DICOM -----------------------------------------------------------------------------------------------------------


def needles_of(ds: Dataset, into: Needles | None = None, kept: Container[int] = frozenset()) -> Needles:
    """The identifiers of an original header at any depth.

    `into` takes them up where a record has several headers. `kept`: tags that an option of the profile retains; their
    values are not looked for, wherever else they stand. Raises RecordError `bad_header`.
    """
    needles = Needles() if into is None else into
    retained = Needles()
    with typed("bad_header", "repair the file with a DICOM toolkit or leave it out"):
        _walk(ds, needles, retained, kept)
    if len(retained):
        needles.drop(retained)
    return needles


def needles_of_raw(
    new: Elements, whole: Elements, syntax: UID, into: Needles, kept: Container[int] = frozenset()
) -> None:
    """As `needles_of`, of elements as `sources.dicom_walk` takes them; `whole` has the character set. UIDs and dates
    are ASCII, and of a series' slices little else differs, so those are not made a data set of."""
    wanted = wanted_tags()
    plain = {
        tag: raw for tag, (_, raw) in new.items() if tag in wanted and wanted[tag][1] in _ASCII and tag not in kept
    }
    for tag, raw in plain.items():
        kind, how = wanted[tag]
        for text in raw.decode("ascii", "replace").split("\\"):
            _ADD[how](into, kind, text)
    rest = {tag: value for tag, value in new.items() if tag not in plain and tag != CHARSET}
    if rest:
        charset = {CHARSET: whole[CHARSET]} if CHARSET in whole else {}
        needles_of(data_set(charset | rest, syntax), into, kept)


@functools.cache
def wanted_tags() -> Mapping[int, tuple[str, str]]:
    """tag -> (kind, how): which attributes are looked at."""
    named = {int(tag, 16) for tag, _, _ in (*rows("ps3_15_e1_1.csv"), *rows("beyond_e1_1.csv")) if "x" not in tag}
    found: dict[int, tuple[str, str]] = {}
    for tag, entry in DicomDictionary.items():
        vr, keyword = str(entry[0]), str(entry[4])
        if vr in _ALWAYS:
            found[tag] = (keyword, vr)
        elif vr in _TEXT and (tag in named or vr in _FREE):
            how = "value" if _NAMING.search(keyword) else "sentence"
            found[tag] = (keyword, "shapes" if keyword in _MARKS else how)
    return found


@functools.cache
def kept_tags(options: ProfileOptions) -> frozenset[int]:
    """The attributes whose values these options retain and the default does not: under full dates every date that is
    not removed, and what the options for devices, institutions, characteristics and descriptors leave."""
    plain, chosen = plan(DEFAULT), plan(options)
    full = options.dates == "full"
    return frozenset(
        tag
        for tag, rule in chosen.items()
        if (full and rule.action in ("DA", "DT")) or (rule.action in _LEAVE and plain[tag].action not in _LEAVE)
    )


def _walk(ds: Dataset, needles: Needles, retained: Needles, kept: Container[int]) -> None:
    wanted, sequences = wanted_tags(), _sequences()
    for tag in tuple(ds.keys()):  # iterating the dataset itself would decode every element
        number = int(tag)
        kind, how = wanted.get(number, ("", ""))
        odd = number >> 16 & 1
        if not (how or odd or number in sequences):
            continue
        raw = ds.get_item(tag)
        vr = raw.VR
        if vr == "SQ" or (vr in (None, "UN") and number in sequences):
            for item in ds[tag].value or () if ds[tag].VR == "SQ" else ():
                _walk(item, needles, retained, kept)
            continue
        if odd and not how and vr in _TEXT | _ALWAYS:
            kind, how = "private", vr if vr in _ALWAYS else "shapes"
        if how and raw.value:
            for text in _texts(ds[tag].value):
                _ADD[how](retained if number in kept else needles, kind, text)


@functools.cache
def _sequences() -> frozenset[int]:
    return frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")


def _texts(value: Any) -> Iterator[str]:
    several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    for one in several:
        if isinstance(one, bytes):
            yield one.decode("latin-1")
        elif one is not None:
            yield str(one)


_ADD = {
    "PN": Needles.add_name,
    "UI": Needles.add_uid,
    "DA": Needles.add_day,
    "DT": Needles.add_day,
    "value": Needles.add_value,
    "sentence": Needles.add_sentence,
    "shapes": Needles.add_shapes,
}


# --- paths -----------------------------------------------------------------------------------------------------------


def add_path(needles: Needles, path: str) -> None:
    """Folders and names that have the shape of an identifier. A record's own lineage names its path, so needles of
    this kind are not looked for there; `curate.sweep.sealed` decides what a lineage may say."""
    for part in path.split("/"):
        needles.add_shapes(PATH, part)
        if "^" in part:
            needles.add_name(PATH, re.sub(r"\.[A-Za-z0-9]{1,5}$", "", part))


def add_group(needles: Needles, value: str, kind: str = GROUP) -> None:
    """What a row of a table calls its patient. Words without a digit may be a class or a topic, and count only as a
    person name, with `^` or, of a patient, a comma between its parts. The lineage of a text may name its row (an
    article's number)."""
    if any(c.isdigit() for c in value):
        needles.add_value(kind, value)
    elif "^" in value or (kind == PATIENT and "," in value):
        needles.add_name(kind, value.replace(",", "^"))


def has_identifier_shape(part: str) -> bool:
    """Whether a part of a path is no word that a public lineage should show: it holds a UID, an e-mail address or a
    DICOM person name."""
    return "^" in part or "@" in part or any(u not in UID_dictionary for u in _UID.findall(part))
