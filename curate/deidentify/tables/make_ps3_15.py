"""Regenerates `ps3_15_e1_1.csv`: tag, keyword and Basic Profile code of every row of PS3.15 Table E.1-1.

    python -m curate.deidentify.tables.make_ps3_15 .../dicomfields_2026c.py 2026c > ps3_15_e1_1.csv

Input: the field list that the package dicom-anonymizer (BSD-3-Clause) generates from the standard for one edition; it
is read as text and never run. Only the facts of the standard are taken: which attribute has which code. Keywords are
pydicom's, or the attribute's name in camel case where pydicom's dictionary is older than the table.
The option columns of the table are not in that list, so they are not here.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

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
HEADER = """\
# DICOM PS3.15 Annex E, Table E.1-1, Basic Profile column, edition {edition}.
# Origin of the facts: the DICOM standard (NEMA), through the field list that dicom-anonymizer 2.1.0 generates from it.
# tag: 8 hexadecimal digits, x is any digit. The row for private attributes (odd groups: X) is a rule in code.
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


def main(path: str, edition: str) -> None:
    sys.stdout.write(HEADER.format(edition=edition) + "tag,keyword,basic\n")
    sys.stdout.writelines(f"{tag},{keyword},{code}\n" for tag, keyword, code in rows(Path(path).read_text("utf-8")))


if __name__ == "__main__":
    main(*sys.argv[1:])
