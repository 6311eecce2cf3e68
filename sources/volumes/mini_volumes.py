"""Miniature volumes that differ enough from each other to be no near duplicates, and miniature spreadsheets."""

from __future__ import annotations

import html
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sources import mini

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def voxels(
    rng: np.random.Generator, shape: tuple[int, int, int] = (40, 40, 24), organs: int = 2
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """A grid in HU and its label map as `mini.voxels` makes them, moved, turned round and squeezed at random."""
    import numpy

    wide = (shape[0] + int(rng.integers(0, 16)), shape[1] + int(rng.integers(0, 16)), shape[2])
    grid, marked = mini.voxels(rng, wide, organs)
    x, y = (int(rng.integers(0, w - s + 1)) for w, s in zip(wide[:2], shape[:2], strict=True))
    flips = tuple(slice(None, None, int(rng.choice((-1, 1)))) for _ in range(3))
    cut = (slice(x, x + shape[0]), slice(y, y + shape[1]), slice(None))
    blobs = numpy.zeros(shape)
    for _ in range(5):  # patches, brighter or darker than what is around them
        corner = [int(rng.integers(0, n * 2 // 3)) for n in shape]
        size = [int(rng.integers(n // 6, n // 2)) for n in shape]
        blobs[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] += rng.uniform(-300, 300)
    changed = grid[cut][flips] + numpy.rint(blobs).astype(numpy.int16)
    return numpy.clip(changed, -1024, 3000).astype(numpy.int16), numpy.ascontiguousarray(marked[cut][flips])


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PARTS = "http://schemas.openxmlformats.org/package/2006/relationships"


def spreadsheet(path: Path, rows: Sequence[Mapping[str, str | int]]) -> None:
    """Rows as the one sheet of an XLSX, texts shared as Excel has them; equal rows give equal bytes."""
    cells: list[list[str | int]] = [list(rows[0]), *(list(row.values()) for row in rows)]
    texts = list(dict.fromkeys(cell for row in cells for cell in row if isinstance(cell, str)))

    def said(cell: str | int) -> str:
        return f'<c t="s"><v>{texts.index(cell)}</v></c>' if isinstance(cell, str) else f"<c><v>{cell}</v></c>"

    lines = "".join(f"<row>{''.join(map(said, row))}</row>" for row in cells)
    shared = "".join(f'<si><t xml:space="preserve">{html.escape(text, quote=False)}</t></si>' for text in texts)
    kinds = {"worksheet": "worksheets/sheet1.xml", "sharedStrings": "sharedStrings.xml"}
    links = "".join(f'<Relationship Id="{k}" Type="{_TYPES}/{k}" Target="{t}"/>' for k, t in kinds.items())
    sheets = '<sheets><sheet name="Sheet1" sheetId="1" r:id="worksheet"/></sheets>'
    members = {
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_TYPES}">{sheets}</workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PARTS}">{links}</Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{shared}</sst>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, xml in members.items():
            book.writestr(zipfile.ZipInfo(name), f'<?xml version="1.0" encoding="UTF-8"?>{xml}', zipfile.ZIP_DEFLATED)
