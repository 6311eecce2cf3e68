"""The files that an item is read from: those below its source's root, or the bytes that its container's row carries.

A row of a table, archive or array may hold the encoded media themselves. They are written to a folder that is thrown
away, under names whose ending the fragments of their files tell, and are from there on read as any file is.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from manifests.errors import RecordError
from sources.base import Item

if TYPE_CHECKING:
    from curate.loaded import Reading

_ENDING = re.compile(r"(?:\.nii|\.hdr|\.img)?\.[A-Za-z0-9]{1,8}\Z")
REMEDY = "run again: it is planned anew"


def given_files(item: Item, reading: Reading) -> list[Path]:
    """The item's files of role `data`, in order; carried ones as files in the unit's scratch folder.

    Raises RecordError as `carried_files`."""
    if item.carried:
        return carried_files(item, reading.scratch)
    return [reading.place.file(file.path) for file in item.files if file.role == "data"]


def carried_files(item: Item, folder: Path) -> list[Path]:
    """Write what a row carries to `carried-0.png`, `carried-1.jpg`, ... in a folder, over what is there of that name.

    Raises RecordError `carried_media`: not one for each file of role `data`, or other bytes than the file's digest is
    of."""
    files = [file for file in item.files if file.role == "data"]
    if len(files) != len(item.carried):
        found = f"{len(item.carried)} carried media for {len(files)} files"
        raise RecordError("carried_media", found, "report it: the source names other files than it carries")
    paths = []
    for number, (file, data) in enumerate(zip(files, item.carried, strict=True)):
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise RecordError("carried_media", "other bytes than the row's digest is of", REMEDY)
        ending = _ENDING.search(file.fragment)
        path = folder / f"carried-{number}{ending[0].lower() if ending else ''}"
        path.write_bytes(data)
        paths.append(path)
    return paths
