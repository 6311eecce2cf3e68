"""Spreadsheets are read as Excel means them, and a hostile one costs no more than an error.

Compared with openpyxl 3.1.5 on books that it and XlsxWriter wrote (numbers, formats, dates of both epochs, rich and
shared texts), all cells were equal; what Excel does besides is held here by books written by hand."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sources.tables_xlsx as tables_xlsx
from manifests.errors import RecordError
from sources.base import Place
from sources.tables_xlsx import xlsx_rows
from sources.upstream import rows_below
from sources.volumes.mini_volumes import spreadsheet

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def book(path: Path, rows: str, strings: str = "", styles: str = "", properties: str = "", head: str = "") -> Path:
    parts = {"worksheet": "/xl/worksheets/s.xml", "sharedStrings": "sharedStrings.xml", "styles": "styles.xml"}
    links = "".join(f'<Relationship Id="{k}" Type="{LINKS}/{k}" Target="{t}"/>' for k, t in parts.items())
    members = {
        "xl/workbook.xml": f'<x:workbook xmlns:x="{MAIN[7:-1]}" xmlns:r="{LINKS}"><x:workbookPr {properties}/>'
        '<x:sheets><x:sheet name="a" r:id="worksheet"/></x:sheets></x:workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{links}</Relationships>",
        "xl/worksheets/s.xml": f"{head}<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {MAIN}>{strings}</sst>",
        "xl/styles.xml": f"<styleSheet {MAIN}>{styles}</styleSheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, xml in members.items():
            whole.writestr(name, xml)
    return path


STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="[$-409]dd\\-mmm\\-yy;@"/><numFmt numFmtId="165" formatCode="[h]:mm"/>'
    '<numFmt numFmtId="166" formatCode="&quot;day &quot;0.0"/></numFmts>'
    '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/>'
    '<xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="22"/></cellXfs>'
)
HEADER = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in ("id", "when", "id", "", "says"))


def test_cells_are_told_as_they_are_meant(tmp_path: Path) -> None:
    rows = (
        f'<row r="1"/><row r="2">{HEADER}</row><row r="3" spans="1:5"/>'
        '<row r="4"><c r="A4"><v>7</v></c><c r="B4" s="1"><v>41019</v></c><c r="E4" t="s"><v>0</v></c></row>'
        '<row><c><v>1.50</v></c><c s="4"><v>41019.25</v></c><c/><c/><c t="b"><v>1</v></c></row>'
        '<row><c t="str"><f>A1&amp;"x"</f><v>7x</v></c><c s="2"><v>1.25</v></c><c r="E6" t="e"><v>#N/A</v></c></row>'
        '<row><c s="3"><v>3</v></c><c s="1"><v>59</v></c><c r="E7" t="inlineStr"><is><t>a_x000D_b</t></is></c></row>'
    )
    text = '<si><r><t xml:space="preserve">Mild </t></r><r><t>ascites</t></r><rPh sb="0" eb="1"><t>no</t></rPh></si>'
    assert list(xlsx_rows(book(tmp_path / "a.xlsx", rows, text, STYLES))) == [
        {"id": 7, "when": "2012-04-20", "says": "Mild ascites"},
        {"id": 1.5, "when": "2012-04-20T06:00:00", "says": True},
        {"id": "7x", "when": 1.25, "says": None},
        {"id": 3, "when": "1900-02-28", "says": "a\rb"},
    ]
    early = book(
        tmp_path / "b.xlsx", f'<row>{HEADER}</row><row><c s="1"><v>1</v></c></row>', "", STYLES, 'date1904="1"'
    )
    assert next(xlsx_rows(early))["id"] == "1904-01-02"


def test_a_sheet_is_a_table_whose_rows_are_numbered(tmp_path: Path) -> None:
    spreadsheet(tmp_path / "t.xlsx", [{"a": "x" * 999, "b": 1}, {"a": " é & <", "b": 2}])
    rows = list(rows_below("t.xlsx", Place(tmp_path, tmp_path)))
    assert [(r.number, r["a"], r["b"]) for r in rows] == [(1, "x" * 999, "1"), (2, "é & <", "2")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"head": '<!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'}, "xml_entities"),
        ({"rows": "<row><c>" + "<a>" * 70 + "</a>" * 70 + "</c></row>"}, "bad_xml"),
        ({"rows": "<row><c></row>"}, "bad_xml"),
        ({"rows": "<row><c><v>1</v></c></row>" * 4_000}, "too_large"),
        ({"strings": "<si><t>" + "x" * 500 + "</t></si>"}, "too_large"),
        ({"rows": '<row><c r="ZZZ1"><v>1</v></c></row>'}, "bad_table"),
        ({"rows": '<row><c t="s"><v>9</v></c></row>'}, "bad_table"),
        ({"rows": f"<row>{HEADER}</row><row><c><v>1e999</v></c><c s='1'><v>1e300</v></c></row>", "styles": STYLES},
         "bad_table"),
    ],
)  # fmt: skip
def test_a_hostile_book_is_refused(
    change: dict[str, Any], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_xlsx, "MAX_BYTES", 1 << 16)
    monkeypatch.setattr(tables_xlsx, "MAX_TEXT", 400)
    book(tmp_path / "t.xlsx", **{"rows": f"<row>{HEADER}</row>", **change})
    with pytest.raises(RecordError) as refused:
        list(rows_below("t.xlsx", Place(tmp_path, tmp_path)))
    assert refused.value.reason == reason


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_end_in_a_typed_error(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    spreadsheet(path, [{"study": "AC1", "Findings": "No ascites. " * 40}, {"study": "AC2", "Findings": "Cyst."}])
    changed = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(changed[: data.draw(st.integers(1, len(changed)))] if data.draw(st.booleans()) else changed)
    reason = ""
    try:
        list(rows_below("t.xlsx", Place(tmp_path, tmp_path)))
    except RecordError as error:
        reason = error.reason
    assert reason in ("", "bad_table", "bad_xml", "xml_entities", "too_large")
