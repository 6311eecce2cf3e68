"""BIDS: any data set in the Brain Imaging Data Structure, raw data of MR, PET and CT.

The layout (bids-specification.readthedocs.io, 1.10): `sub-01[/ses-01]/{anat,func,dwi,perf,fmap,pet,ct}/
sub-01[_ses-01]_..._SUFFIX.nii[.gz]`, sidecars `.json` of the same name or, by inheritance, of fewer entities further
up; `participants.tsv`, `dataset_description.json` with Name and License. Quirks: `n/a` says nothing; times are in
seconds; of a 4D file the first volume is read; `derivatives`, `sourcedata`, `code` and what is no volume (EEG, MEG,
tables of events) are left out; an image is known to be defaced where its `_defacemask` lies beside it, else the recipe
must say so (`facts: {defaced: yes}`). The licence of `dataset_description.json` is told as a label; the recipe's
`licence` is what counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, broken, plain, rows_below, sidecar_json, told
from sources.volumes.shared import by_folder, person

if TYPE_CHECKING:
    import numpy as np

MODALITIES = {"pet": "PT", "ct": "CT"}  # by the data type's folder; MR otherwise
TYPES = frozenset({"anat", "func", "dwi", "perf", "fmap", "pet", "ct"})
SEQUENCES = {
    "T1w": "T1", "T2w": "T2", "PDw": "PD", "T2starw": "T2*", "FLAIR": "FLAIR", "bold": "BOLD", "dwi": "DWI",
    "asl": "ASL", "T1map": "T1 map", "T2map": "T2 map", "inplaneT1": "T1", "inplaneT2": "T2", "angio": "angiography",
    "SWI": "SWI",
}  # fmt: skip
SECONDS = {"EchoTime": "echo_time_ms", "RepetitionTime": "repetition_time_ms", "InversionTime": "inversion_time_ms"}
PLAIN = {
    "MagneticFieldStrength": ("magnetic_field_t", "T"), "FlipAngle": ("flip_angle_deg", "deg"),
    "SliceThickness": ("slice_thickness_mm", "mm"), "Manufacturer": ("manufacturer", ""),
    "ContrastBolusIngredient": ("contrast", ""), "TracerName": ("contrast", ""), "BodyPart": ("body_part", ""),
}  # fmt: skip
TABLES = ("participants.tsv",)
_NAME = re.compile(r"(?P<entities>(?:[A-Za-z]+-[A-Za-z0-9]+_)+)(?P<suffix>[A-Za-z0-9]+)(?:\.nii(?:\.gz)?|\.json)")


class Bids(Upstream):
    """One record per volume file; `suffixes` chooses among them (`T1w`, ...), `body_part` is what sidecars that say
    nothing are taken to show."""

    source: Literal["bids"]
    suffixes: tuple[str, ...] = ()
    body_part: str = "brain"
    may: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="bids",
        what="data sets in the Brain Imaging Data Structure",
        layout="sub-*/[ses-*/]{anat,func,dwi,perf,pet,ct}/*.nii.gz with .json sidecars, participants.tsv",
        phi_risk="low headers; faces in volumes of heads that were not defaced",
        modalities=("MR", "PT", "CT"),
        tasks=("classification",),
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The rows of participants.tsv are held."""
        shelf = Shelf(inventory, self.exclude)
        people = {r["participant_id"]: r for table, _ in self.tables(place) for r in rows_below(table, place)}
        sidecars = by_folder(shelf.matching("*.json"))
        whole = tuple(_described(place, shelf))
        folders = by_folder(shelf.matching("sub-*.nii", "sub-*.nii.gz"))
        sessions = _sessions(list(folders))
        for folder, entries in sorted(folders.items()):
            parts = PurePosixPath(folder).parts
            if parts[0].startswith("sub-") and parts[-1] in TYPES and len(parts) <= 3:
                masks = {e.path.partition("_mod-")[2] for e in entries if "_defacemask." in e.path}
                for entry in entries:
                    suffix = self._suffix(entry)
                    if suffix:
                        known = self._known(shelf, place, entry, sidecars)
                        defaced = any(m.startswith(f"{suffix}_defacemask") for m in masks)
                        time = sessions.get(parts[0], {}).get(parts[1], 0)
                        yield self._item(shelf, entry, known, (people.get(parts[0]), time, defaced, whole), pseudonym)
        yield from shelf.rest(("*.tsv", "*.json"))

    def _suffix(self, entry: Entry) -> str:
        """What kind of volume a file's name says it is; "" for one that is not taken."""
        name = _NAME.fullmatch(PurePosixPath(entry.path).name)
        suffix = name["suffix"] if name else ""
        taken = suffix not in ("defacemask", "mask") and (not self.suffixes or suffix in self.suffixes)
        return suffix if taken else ""

    def _known(
        self, shelf: Shelf, place: Place, entry: Entry, sidecars: dict[str, list[Entry]]
    ) -> tuple[list[Entry], dict[str, Any]] | RecordError:
        """The sidecars that hold for a file, from the top down, and what they say together."""
        own = _entities(entry.path)
        found: list[Entry] = []
        for folder in reversed([str(p) for p in PurePosixPath(entry.path).parents]):
            beside = [s for s in sidecars.get(folder, ()) if _entities(s.path)[1] == own[1]]
            fitting = [s for s in beside if _entities(s.path)[0] <= own[0]]
            found += sorted(fitting, key=lambda s: len(_entities(s.path)[0]))
        said: dict[str, Any] = {}
        try:
            for sidecar in found:
                told = sidecar_json(place, sidecar)
                said |= told if isinstance(told, dict) else {}
        except RecordError as error:
            return error
        return found, said

    def _item(
        self, shelf: Shelf, entry: Entry, known: tuple[list[Entry], dict[str, Any]] | RecordError,
        about: tuple[Line | None, int, bool, tuple[Fact, ...]], pseudonym: Pseudonym,
    ) -> Item:  # fmt: skip
        data = shelf.take(entry)
        if isinstance(known, RecordError):
            return broken(entry, known)
        row, time, defaced, whole = about
        sidecars, said = known
        first, kind = PurePosixPath(entry.path).parts[0], PurePosixPath(entry.path).parts[-2]
        facts = {f.name: f for f in _said(said)}
        facts.setdefault("body_part", Fact("body_part", self.body_part, "recipe:body_part"))
        return Item(
            upstream_id=entry.path,
            form="volume",
            files=(data, *(shelf.take(s, "table") for s in sidecars), *((row.ref,) if row else ())),
            group=pseudonym("patient", first),
            facts=(
                *self.declared_facts(),
                Fact("modality", MODALITIES.get(kind, "MR"), "folder"),
                *told("sequence", SEQUENCES.get(_entities(entry.path)[1], ""), "file name"),
                *facts.values(),
                *told("defaced", "yes" if defaced else "", "defacemask"),
                *told("time_point", str(time) if time else "", "folder"),
                *(_person(row) if row else ()),
                *whole,
            ),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        mini.json_file(root / "dataset_description.json", {"Name": "Invented", "BIDSVersion": "1.10", "License": "CC0"})
        mini.json_file(root / "T1w.json", {"MagneticFieldStrength": 3, "Manufacturer": "Siemens"})
        rows = []
        for number, sessions in ((1, ("ses-01", "ses-02")), (2, ("",)), (3, ("",))):
            subject = f"sub-{number:02d}"
            for session in sessions:
                names = [n for n in (subject, session) if n]
                stem = root.joinpath(*names, "anat", "_".join(names))
                grid, marked = voxels(rng)
                mini.volume(stem.with_name(f"{stem.name}_T1w.nii.gz"), grid - grid.min(), (1.2, 1.2, 1.2))
                if number != 3:  # whose face may be there
                    mask = stem.with_name(f"{stem.name}_mod-T1w_defacemask.nii.gz")
                    mini.volume(mask, marked, (1.2, 1.2, 1.2))
                sidecar = {"EchoTime": 0.00298, "RepetitionTime": 2.3, "FlipAngle": 9}
                mini.json_file(stem.with_name(f"{stem.name}_T1w.json"), sidecar)
            rows.append({"participant_id": subject, "age": "n/a" if number == 2 else 30 + number, "sex": "F",
                         "group": "control" if number % 2 else "patient"})  # fmt: skip
        mini.table(root / "participants.tsv", rows, delimiter="\t")
        derived = root / "derivatives/fmriprep/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz"
        mini.volume(derived, voxels(rng)[0])


def _entities(path: str) -> tuple[frozenset[str], str]:
    """The entities of a name and its suffix: `sub-01_run-2_T1w.json` has `sub-01`, `run-2` and `T1w`."""
    *entities, suffix = PurePosixPath(path).name.partition(".")[0].split("_")
    return frozenset(entities), suffix


def _sessions(folders: Sequence[str]) -> dict[str, dict[str, int]]:
    """The number of each session of a subject, in the order of their labels, where there are several."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        subject, *rest = PurePosixPath(folder).parts
        if rest and rest[0].startswith("ses-"):
            found.setdefault(subject, set()).add(rest[0])
    return {s: {n: k for k, n in enumerate(sorted(names), 1)} for s, names in found.items() if len(names) > 1}


def _described(place: Place, shelf: Shelf) -> Iterator[Fact]:
    """Name and licence of the data set; nothing where its description cannot be read."""
    entry = shelf.get("dataset_description.json")
    try:
        said = sidecar_json(place, entry) if entry else {}
    except RecordError:
        return
    for key, about in (("Name", "data set"), ("License", "licence")):
        told_of = plain(said.get(key)) if isinstance(said, dict) else ""
        yield from told("label", told_of, f"dataset_description.json:{key}", about=about)


def _said(said: dict[str, Any]) -> Iterator[Fact]:
    for key, name in SECONDS.items():
        value = said.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e3:
            yield Fact(name, f"{value * 1000:.6g}", f"sidecar:{key}", "ms")
    for key, (name, unit) in PLAIN.items():
        yield from told(name, plain(said.get(key)), f"sidecar:{key}", unit=unit)


def _person(row: Line) -> Iterator[Fact]:
    sex, age = row.get("sex", "gender"), row.get("age")
    yield from person(sex, age, ("column:sex", "column:age"))
    for column in row.values:
        value = row.get(column)
        if column not in ("participant_id", "sex", "gender", "age") and value.lower() != "n/a":
            yield from told("label", value, f"column:{column}", about=column)
