"""Stage `near`: all stages of near duplication in one unit, for a run that is small enough to have one of each.

The units that it stands for are done one after another in a folder of its own, which sees the prepared units and goes
at the end; what the last one found is kept. So a small run pays for one unit and not for six.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from curate.code import code_version
from curate.near import bands, candidates, confirmed, index, keepers, texts
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key

STAGE = "near"
_WORK = {m.STAGE: m.work for m in (index, bands, candidates, texts, confirmed, keepers)}


@dataclass(frozen=True, slots=True)
class WholeSpec:
    """`units`: in the order in which they are done; the last is that of `near_keepers`."""

    units: tuple[Unit, ...]


def unit_of(spec: WholeSpec, identity: object) -> Unit:
    """`identity`: what decides the answer, which how it is cut into units does not."""
    key = unit_key(STAGE, code_version("curate.near.whole"), identity)
    return Unit(STAGE, key, spec, "near texts", spec.units[0].records)


def work(spec: WholeSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `duplicates.parquet` (`curate.near.keepers`)."""
    scratch = folder / "scratch"
    (scratch / "units").mkdir(parents=True)
    (scratch / "units" / "prepare").symlink_to((work_folder / "units" / "prepare").resolve())
    summary: Summary = {}
    for unit in spec.units:
        place = unit_folder(scratch, unit.stage, unit.key)
        place.mkdir(parents=True)
        summary = _WORK[unit.stage](unit.spec, place, scratch)
    shutil.move(place / keepers.FILE, folder / keepers.FILE)
    shutil.rmtree(scratch)
    return summary
