"""The rows of a spreadsheet's first sheet (ECMA-376 Office Open XML, `.xlsx`), as the rows of any other table.

The header is the first row with a cell that says something; a column without a name is left out, of two of one name the
first is taken. Numbers stay numbers, of a formula its last result, TRUE and FALSE are booleans, an error is nothing.
Dates are numbers in the file and dates by their format alone: told as ISO 8601 text (`2012-04-20`, with a time where
there is one); elapsed times (`[h]:mm`) stay numbers of days. Text runs are joined, `_x000D_` and the like decoded,
readings in other scripts (`rPh`) left out.

A spreadsheet comes from strangers: members are read by name and bounded, nothing is unpacked; XML is parsed as
`sources.xml_files.each` does, a row at a time. The distinct texts of a book are held, long ones deflated. Not covered:
encrypted books, `.xlsb`, `.xls`, further sheets.
"""

from __future__ import annotations

import datetime
import posixpath
import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manifests.errors import RecordError
from sources.xml_files import each

MAX_BYTES = 1 << 30  # of one member, unpacked
MAX_TEXT = 1 << 28  # characters of all distinct texts
MAX_COLUMNS = 1 << 14  # Excel's own bound
CHUNK_BYTES = 1 << 16
LONG = 256  # characters from which a text is held deflated
DATES = frozenset((*range(14, 23), *range(27, 37), *range(50, 59)))  # formats of dates and times that need no code
_NO_DATE = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CELL = re.compile(r"([A-Z]{1,3})\d*")
Value = str | int | float | bool | None


def xlsx_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows by the header's names. Raises `ValueError` for what is no such file, `RecordError` `too_large`, `bad_xml`,
    `xml_entities`, and `OSError`."""
    try:
        with zipfile.ZipFile(path) as book:
            header: dict[int, str] = {}
            for cells in _Book(book).rows():
                if not header:
                    names = {at: str(v).strip() for at, v in cells.items() if v is not None}
                    header = {at: n for at, n in names.items() if n and at == min(k for k in names if names[k] == n)}
                else:
                    yield {name: cells.get(at) for at, name in header.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, OverflowError) as error:
        raise ValueError(type(error).__name__) from None


class _Book:
    """What the cells of a sheet refer to: texts, formats, the day that dates count from."""

    def __init__(self, book: zipfile.ZipFile) -> None:
        self._book = book
        parts = {e.get("Id", ""): e for e in self._each("xl/_rels/workbook.xml.rels", "Relationship")}
        named = {e.get("Type", "").rpartition("/")[2]: _target(e) for e in parts.values()}
        sheet, whole = None, list(self._each("xl/workbook.xml", "workbookPr", "sheet"))
        sheet = next((e for e in whole if e.tag == "sheet"), None)
        self._sheet = _target(parts[sheet.get("id", "")]) if sheet is not None else ""
        later = any(e.tag == "workbookPr" and e.get("date1904") in ("1", "true") for e in whole)
        self._first_day = datetime.date(1904, 1, 1) if later else datetime.date(1899, 12, 30)
        self._texts = list(self._packed(named["sharedStrings"])) if "sharedStrings" in named else []
        self._dates = self._date_styles(named["styles"]) if "styles" in named else []

    def rows(self) -> Iterator[dict[int, Value]]:
        """The cells of each row that has some, by their columns from 0."""
        for row in self._each(self._sheet, "row"):
            cells: dict[int, Value] = {}
            at = -1
            for cell in row.iterfind("c"):
                at = _column(cell.get("r", ""), at + 1)
                value = self._value(cell)
                if value is not None:
                    cells[at] = value
            if cells:
                yield cells

    def _value(self, cell: ET.Element) -> Value:
        kind, told = cell.get("t", "n"), cell.findtext("v", "")
        if kind == "inlineStr":
            return _text(cell.find("is"))
        if kind == "e" or not told:
            return None
        if kind == "s":
            return self._shared(int(told))
        if kind == "b":
            return told.strip() in ("1", "true")
        if kind != "n":
            return _decoded(told)
        number = float(told) if re.search(r"[.eE]", told) else int(told)
        style = int(cell.get("s", "0"))
        return self._date(number) if 0 <= style < len(self._dates) and self._dates[style] else number

    def _shared(self, number: int) -> str:
        if not 0 <= number < len(self._texts):
            raise ValueError("a text that is not there")
        held = self._texts[number]
        return held if isinstance(held, str) else zlib.decompress(held).decode()

    def _packed(self, name: str) -> Iterator[str | bytes]:
        left = MAX_TEXT
        for element in self._each(name, "si"):
            text = _text(element)
            left -= len(text)
            if left < 0:
                raise RecordError("too_large", f"texts of more than {MAX_TEXT} characters", "save the sheet as CSV")
            yield text if len(text) < LONG else zlib.compress(text.encode("utf-8", "replace"), 1)

    def _date_styles(self, name: str) -> list[bool]:
        """Which cell formats show dates."""
        codes: dict[str, str] = {}
        styles: list[bool] = []
        for element in self._each(name, "numFmt", "cellXfs"):
            if element.tag == "numFmt":
                codes[element.get("numFmtId", "")] = element.get("formatCode", "")
            else:
                styles = [_shows_date(xf.get("numFmtId", "0"), codes) for xf in element.iterfind("xf")]
        return styles

    def _date(self, days: float) -> Value:
        """Excel holds 1900 for a leap year, so days before 1 March 1900 stand one too early."""
        early = self._first_day.year == 1899 and 1 <= days < 60
        since = datetime.timedelta(days=int(days) + early, seconds=round(days % 1 * 86400))
        clock = f"{since.seconds // 3600:02}:{since.seconds // 60 % 60:02}:{since.seconds % 60:02}"
        day = (self._first_day + since).isoformat()
        return clock if 0 <= days < 1 else f"{day}T{clock}" if since.seconds else day

    def _each(self, name: str, *tags: str) -> Iterator[ET.Element]:
        return each(self._chunks(name), frozenset(tags))

    def _chunks(self, name: str) -> Iterator[bytes]:
        info = self._book.getinfo(name)
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("an encrypted member, or one packed in a way that is not Excel's")
        left = MAX_BYTES
        with self._book.open(info) as stream:
            while data := stream.read(CHUNK_BYTES):
                left -= len(data)
                if left < 0:
                    raise RecordError("too_large", f"a sheet of more than {MAX_BYTES} bytes", "save the sheet as CSV")
                yield data


def _target(part: ET.Element) -> str:
    return posixpath.normpath(posixpath.join("/xl", part.get("Target", ""))).lstrip("/")


def _column(reference: str, following: int) -> int:
    """`AB12` -> 27; a cell without a reference follows the one before."""
    met = _CELL.fullmatch(reference)
    at = following
    if met:
        at = -1
        for letter in met[1]:
            at = (at + 1) * 26 + ord(letter) - ord("A")
    if at >= MAX_COLUMNS:
        raise ValueError("a column beyond Excel's last")
    return at


def _text(element: ET.Element | None) -> str:
    if element is None:
        return ""
    return "".join(_decoded(t.text or "") for t in (*element.iterfind("t"), *element.iterfind("r/t")))


def _decoded(text: str) -> str:
    return _ESCAPED.sub(lambda met: chr(int(met[1], 16)), text) if "_x" in text else text


def _shows_date(number: str, codes: dict[str, str]) -> bool:
    if number in codes:
        code = _NO_DATE.sub("", codes[number].partition(";")[0])
        return "[" not in code and any(letter in code.lower() for letter in "ymdhs")
    return number.isdecimal() and int(number) in DATES
