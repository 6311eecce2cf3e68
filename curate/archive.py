"""A record's members in the archive of the prepared unit that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from curate.guard import PIECE


@dataclass(frozen=True, slots=True)
class Members:
    """A record's prepared members, by name, in the archive that holds them."""

    archive: BinaryIO
    offsets: dict[str, list[int]]

    def read(self, member: str) -> bytes:
        self.archive.seek(self.offsets[member][0])
        return self.archive.read(self.offsets[member][1])

    def copy(self, member: str, path: Path) -> None:
        """Write a member to a file piece by piece: a clip may be larger than memory."""
        start, left = self.offsets[member]
        self.archive.seek(start)
        with path.open("wb") as out:
            while left:
                piece = self.archive.read(min(left, PIECE))
                out.write(piece)
                left -= len(piece)
