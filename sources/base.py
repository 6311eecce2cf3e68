"""What every source does: list its files, look at one, and say which files make one record.

A source never decodes pixels; `curate` does. The three pure functions of a source are

    peek(path, pseudonym)                header facts of one file that grouping needs; identifiers only as pseudonyms
    items(place, inventory, pseudonym)   the inventory grouped into items; every file belongs to exactly one item
    rows(item, place, pseudonym)         the records inside a container file (a JSON-lines block, an XML document)

All three, and `look`, may open foreign files, and run in a process of their own; `check` and `tables` open none.

`inventory` entries are sorted by path, so nothing depends on the order in which a file system lists. Symbolic links,
FIFOs and devices are never opened: each ends in the ledger as `failed: not_a_regular_file`.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from manifests.card import Card, Licensed
from manifests.errors import RecipeError
from manifests.record import PICTURE as PICTURE
from manifests.record import Affine, Asked, Fact, FileRef

Form = Literal[
    "dicom_image", "dicom_cine", "dicom_series", "dicom_volume", "volume", "picture", "clip", "text", "rows", "none"
]
Pseudonym = Callable[[str, str], str]  # (kind of identifier, value) -> pseudonym

PACKAGE = "package:"
OBJECTS = -1  # the value of a mask file in which each value but 0 marks an object of its own


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source's files are on this machine; never part of anything that is hashed."""

    root: Path
    recipe_folder: Path

    def file(self, path: str) -> Path:
        """The file behind an inventory path; a root that is itself a file has one entry, its name."""
        return self.root / path if self.root.is_dir() else self.root


@dataclass(frozen=True, slots=True)
class Entry:
    """One file below a source's root, as the inventory knows it. `peek` holds what the source read from its header;
    `problem` is a reason code where the file could not be looked at, `found` and `remedy` go with it."""

    path: str
    size_bytes: int
    sha256: str
    peek: dict[str, str]
    problem: str = ""
    found: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """What may become one record (form `rows`: several), and how it is to be read.

    `group` is already a pseudonym, or "" for a record that stands alone. `masks` maps a label's name to
    (path of the mask file, voxel value; 0 for a probability map cut at `threshold`; `OBJECTS`, of a picture, where
    each value but 0 marks an object of its own, all of that label, as nuclei that touch). `contours` are the paths of
    DICOM SEG and RTSTRUCT files (or the LIDC's XML) that mark structures in this item's volume, `landmarks` the path of
    a file of named points.
    `part` chooses one volume of a file that holds several (from 0). `affine` (voxel indices x, y, z to RAS+ mm) and
    `rescale` (slope, intercept to HU) are what the source's tables say of a volume whose own header does not; `clip`
    is a time range (start, end) in seconds of the video file. `asked` are the questions that the source asks of the
    record, with its answers; where `dialogue`, they are one conversation, in order. `PICTURE` in a text, question or
    answer is the place of one of the record's pictures, in their order. `carried` are the encoded media that a
    container's row holds itself, one for each file of role `data`, whose fragment ends as a file of that kind is named
    (`row=12.png`); only `rows` gives it, and it is never written. A form of `none` carries the outcome instead:
    `status` dropped or failed with `reason`, `found` and `remedy`.
    """

    upstream_id: str
    form: Form
    files: tuple[FileRef, ...]
    group: str = ""
    facts: tuple[Fact, ...] = ()
    text: str = ""
    masks: tuple[tuple[str, str, int], ...] = ()
    threshold: float = 0.5
    contours: tuple[str, ...] = ()
    landmarks: str = ""
    part: int = 0
    clip: tuple[float, float] | None = None
    block: tuple[int, int, int] | None = None  # rows: byte offset, length, first line number
    status: Literal["dropped", "failed"] = "dropped"
    reason: str = ""
    found: str = ""
    remedy: str = ""
    asked: tuple[Asked, ...] = ()
    dialogue: bool = False
    carried: tuple[bytes, ...] = ()
    affine: Affine | None = None
    rescale: tuple[float, float] | None = None


class SourceConfig(Licensed):
    """The keys that every source of a recipe has."""

    name: str = ""
    root: str
    weight: float | None = Field(default=None, gt=0)
    max_repeat: int = Field(default=1, ge=1)
    priority: int = 0
    limit: int | None = Field(default=None, ge=1)
    exclude: tuple[str, ...] = ()
    facts: dict[str, str] = Field(default_factory=dict)

    placement: ClassVar[frozenset[str]] = frozenset({"root", "weight", "max_repeat", "priority", "limit", "name"})
    card: ClassVar[Card]

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,40}", value):
            raise ValueError(f"name '{value}' must be at most 40 letters, digits, '_' or '-'")
        return value

    @property
    def called(self) -> str:
        """What the source is called in keys, ledger and mixture: its `name`, else its kind."""
        return self.name or str(getattr(self, "source", "source"))

    def declared_facts(self) -> tuple[Fact, ...]:
        """What the recipe's author states of every record of this source, e.g. `facts: {modality: MR}`."""
        return tuple(Fact(name=k, value=v, origin="recipe") for k, v in sorted(self.facts.items()))

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        """The files that `items` opens, each by the path that its items name it by. Raises `RecipeError` for one that
        is not there; opens none."""
        return ()

    def check(self, place: Place) -> None:
        """Raise `RecipeError` for what is seen to be wrong before any file is opened, such as a table that is not
        there."""
        self.tables(place)

    def look(self, place: Place) -> None:
        """Raise `RecipeError` for what the beginning of a table shows to be wrong, such as a column that it lacks."""

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        """Header facts of one file; a source without headers needs none."""
        return {}

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The inventory as items, each file in exactly one."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its items are")

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        """The records of a container item; only a source that makes items of form `rows` has them."""
        yield item

    def patients(self, item: Item, place: Place) -> tuple[str, ...]:
        """What the table row of an item calls its patient, as written there; () where no row does. For the sentinel
        sweep, which looks for it in what is made of the item; never to be written."""
        return ()


def resolve_root(root: str, recipe_folder: Path, data: Path | None) -> Path:
    """Where a source's files are: `package:NAME/folder` inside an installed package, an absolute path, or a path
    relative to the recipe's folder, else to `--data`.

    Raises `RecipeError` naming every place that was looked at."""
    if root.startswith(PACKAGE):
        return _package_path(root.removeprefix(PACKAGE))
    tried = [Path(root)] if Path(root).is_absolute() else [p / root for p in (recipe_folder, data) if p is not None]
    for path in tried:
        if path.exists():
            return path.resolve()
    places = " and ".join(f"'{p}'" for p in tried)
    raise RecipeError(f"source root not found: looked at {places}; give `root` or `--data` a folder that exists")


def _package_path(inside: str) -> Path:
    name, _, rest = inside.partition("/")
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise RecipeError(f"package '{name}' of root 'package:{inside}' is not installed; `make demo` installs it")
    path = Path(spec.origin).parent / rest
    if not path.exists():
        raise RecipeError(f"package '{name}' holds no '{rest}'; check its version")
    return path


def list_files(root: Path, is_package: bool) -> list[str]:
    """Every path below `root` that is not a folder, sorted, POSIX separators; links to folders are listed, not entered.

    Of a package, only what it ships: byte code that an installer compiled is not data. A name that is not UTF-8 stands
    with its odd bytes written out (`\\xff`): it can be told, and no file answers to it."""
    if not root.is_dir():
        return [root.name]
    found: list[str] = []
    for folder, names, files in os.walk(root, followlinks=False):
        if is_package and "__pycache__" in names:
            names.remove("__pycache__")
        links = [n for n in names if (Path(folder) / n).is_symlink()]
        base = Path(folder).relative_to(root)
        found += [(base / n).as_posix() for n in [*files, *links]]
    return sorted(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for name in found)


def is_regular(path: Path) -> bool:
    """Whether a regular file is there; nothing is opened, no link followed."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Shell patterns over the whole relative path; `*` crosses folders, as in .gitignore without a slash."""
    return any(fnmatch.fnmatchcase(path, p) or fnmatch.fnmatchcase(Path(path).name, p) for p in patterns)


def ref(entry: Entry, role: str = "data") -> FileRef:
    return FileRef(path=entry.path, sha256=entry.sha256, size_bytes=entry.size_bytes, role=role)


def outcome(
    entry: Entry, status: Literal["dropped", "failed"], reason: str, found: str, remedy: str, role: str = "data"
) -> Item:
    """A file that is no record: a row of its own, with the reason."""
    return Item(
        upstream_id=entry.path,
        form="none",
        files=(ref(entry, role),),
        status=status,
        reason=reason,
        found=found,
        remedy=remedy,
    )


def not_a_record(entry: Entry, found: str, role: str = "data") -> Item:
    return outcome(entry, "dropped", "not_a_record", found, "none needed: nothing that could become a sample", role)


def usable(inventory: Sequence[Entry], exclude: Sequence[str]) -> tuple[list[Entry], list[Item]]:
    """The entries a source may group, and the items of those it may not: excluded by the recipe, or unreadable."""
    good: list[Entry] = []
    bad: list[Item] = []
    for entry in inventory:
        if matches(entry.path, exclude):
            bad.append(outcome(entry, "dropped", "excluded_by_recipe", "a path that `exclude` names", "none needed"))
        elif entry.problem:
            bad.append(outcome(entry, "failed", entry.problem, entry.found, entry.remedy))
        else:
            good.append(entry)
    return good, bad


def unplaced(text: str) -> str:
    """A foreign text in which a `PICTURE` is no place of one of the record's pictures."""
    return text.replace(PICTURE, " ")


def column_facts(row: dict[str, Any], columns: Sequence[str]) -> tuple[Fact, ...]:
    """One `label` fact per non-empty table column, pointing to it."""
    pairs = [(c, str(row.get(c) or "").strip()) for c in columns]
    return tuple(Fact(name="label", value=v, about=c, origin=f"column:{c}") for c, v in pairs if v)
