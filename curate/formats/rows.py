"""Files of rows that are written one row at a time, so that an export of any size needs the memory of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class JsonList:
    """One JSON list of objects, a row a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("w", encoding="utf-8")
        self.count = 0

    def add(self, row: Any) -> None:
        self._stream.write(("[\n" if not self.count else ",\n") + json.dumps(row, ensure_ascii=False))
        self.count += 1

    def close(self) -> None:
        self._stream.write("\n]\n" if self.count else "[]\n")
        self._stream.close()


class JsonLines:
    """Objects one a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("w", encoding="utf-8")
        self.count = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.count += 1

    def close(self) -> None:
        self._stream.close()
