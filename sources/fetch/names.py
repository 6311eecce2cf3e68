"""Names that others chose, before they become paths here: whatever could leave the folder is refused, not mended."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from sources.fetch.errors import FetchError

MAX_PART_BYTES = 255  # of one name, as Linux's file systems have it
MAX_PATH_BYTES = 2048
_DRIVE = re.compile(r"[A-Za-z]:")
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # text direction
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2|txz|tar\.gz|tar\.bz2|tar\.xz)$", re.IGNORECASE)


def checked(name: str, where: str) -> str:
    """A relative POSIX path as it stands. `where` names the place or the archive in the error.

    Raises `FetchError` `unsafe_name`: empty parts, `.` and `..`, absolute paths, backslashes, drive letters, control
    characters, marks of text direction, lone surrogates, parts over 255 and paths over 2048 bytes."""
    problem = _problem(name)
    if problem:
        shown = name[:80].encode("ascii", "backslashreplace").decode()
        raise FetchError("unsafe_name", f"'{shown}' in {where}: {problem}", "tell the place's owner; it is not fetched")
    return name


def _problem(name: str) -> str:
    if not name or name.startswith("/"):
        return "an empty or absolute path"
    if "\\" in name or _DRIVE.match(name):
        return "a path of another system"
    if any(unicodedata.category(c) in ("Cc", "Cs") or c in _TURNING for c in name):
        return "control characters"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "a path that leaves its folder or stands still"
    if max(len(os.fsencode(part)) for part in parts) > MAX_PART_BYTES or len(os.fsencode(name)) > MAX_PATH_BYTES:
        return "a name that is too long"
    return ""


def below(into: str, name: str) -> str:
    return f"{into.strip('/')}/{name}" if into.strip("/") else name


def apart(paths: Iterable[str]) -> None:
    """Raise `FetchError` `unsafe_name` where one path is also a folder of another."""
    named = set(paths)
    for path in named:
        for folder in PurePosixPath(path).parents:
            if str(folder) in named:
                found = f"'{folder}' is a file and a folder"
                raise FetchError("unsafe_name", found, "choose with --only")


def archive_kind(name: str) -> str:
    """`zip` or `tar` (compressed or not) by the end of a name; "" of anything else."""
    found = _ARCHIVE.search(name)
    if found is None:
        return ""
    return "zip" if found[1].lower() == "zip" else "tar"


def final_path(root: Path, path: str) -> Path:
    """Where a file goes; its folder is made. `root` may be a link that the user set, nothing below it.

    Raises `FetchError` `unsafe_place` where a link below the root leads out of it."""
    final = root / path
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise FetchError("in_the_way", f"a file where '{path}' needs a folder", "move it away") from None
    home = root.resolve()
    folder = final.parent.resolve()
    if folder != home and home not in folder.parents:
        raise FetchError("unsafe_place", f"a link in the folders of '{path}' leads out of the root", "remove the link")
    return final
