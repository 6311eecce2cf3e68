"""What a benchmark holds, whatever its published layout: the items that training data must not contain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Known = Literal["measured", "published", "recalled"]


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """One test item as published. Media are paths of files as they lie in the benchmark's folder.

    `context` is what the item gives to read (a passage, a report, a caption); its paragraphs are separated by "\\n".
    Ids are the upstream's own and "" where the benchmark does not say: `patient`, `study` and `video` are those that a
    training source of the same origin would name too; a PubMed article is the study `pmid:NNN`, one of PMC `PMCNNN`.
    `answer` is the text of the right option where there are options, `explanation` why it is right. A file that
    the folder does not hold is named nevertheless: whoever reads it says so.
    """

    item_id: str
    question: str = ""
    options: tuple[str, ...] = ()
    answer: str = ""
    context: str = ""
    images: tuple[Path, ...] = ()
    volumes: tuple[Path, ...] = ()
    videos: tuple[Path, ...] = ()
    patient: str = ""
    study: str = ""
    video: str = ""
    embedded: tuple[bytes, ...] = ()  # encoded images that stand inside the table itself
    explanation: str = ""
    aliases: tuple[str, ...] = ()  # other names of the patient, study or video


class Reader(Protocol):
    """What every module of this package is: a named layout and the function that reads it.

    `KNOWN` says where the layout is known from: `measured` (on real files), `published` (upstream's code, card or data
    read), `recalled` (not checked; columns are declared and a table without them is refused). `read` raises
    `RecipeError` for a folder, split, file or column that is not there, and `RecordError("bad_benchmark")` for a file
    that cannot be parsed.
    """

    @property
    def NAME(self) -> str: ...  # noqa: N802 - a module's constant
    @property
    def LAYOUT(self) -> str: ...  # noqa: N802
    @property
    def KNOWN(self) -> Known: ...  # noqa: N802
    @property
    def SPLITS(self) -> tuple[str, ...]: ...  # noqa: N802
    def read(self, folder: Path, split: str = "test") -> Iterator[BenchmarkItem]: ...
