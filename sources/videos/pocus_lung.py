"""POCUS lung ultrasound (POCOVID-Net): clips and images of COVID-19, pneumonias and healthy lungs, with comments.

Upstream's layout (jannisborn/covid19_ultrasound, its folder `data`): `dataset_metadata.csv` with Current location,
Filename (no suffix), Label, License, Type, Probe, DOI, Title, comments of the web site and of up to three doctors,
Gender (w, m, nd), Age, Patient ID / Name, findings as 0 and 1 (Effusion, Consolidations, B-lines, ...) and symptoms;
`pocus_videos/{convex,linear}/`, `pocus_images/{convex,linear}/`. Quirks: folders are written with capitals that the
files lack, and with and without `data/`; `Image` and `image`; several suffixes (mp4, mov, mpeg, avi, gif, png, jpg);
each row has its own licence, and many need permission, so that only `licences` are taken; the column of patients'
comments names a patient and is never read; the lung severity score has a non-commercial licence of its own and is not
read; clips of one examination were uploaded under different labels; many rows name files that are not handed out; 0
stands for signs that nobody looked for as well as for absent ones, so that a row without any 1 (`Healthy` among them)
says of no sign that it is absent. Symptoms cannot be seen: those that were there are keywords.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, labels, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLES = ("*metadata*.csv",)
CLIPS = (".mp4", ".mov", ".mpeg", ".mpg", ".avi", ".gif", ".webm")
IMAGES = (".png", ".jpg", ".jpeg")
DIAGNOSES = {
    "regular": "normal", "covid-19": "COVID-19", "covid": "COVID-19", "bacterial pneumonia": "bacterial pneumonia",
    "viral pneumonia": "viral pneumonia", "pneumonia": "pneumonia",
}  # fmt: skip
FINDINGS = ("Effusion", "Consolidations", "B-lines", "A-lines", "Pleural line irregularities", "Air bronchogram")
SYMPTOMS = (
    "Fever", "Cough", "Respiratory problems", "Headache", "Loss of smell/taste", "Fatigue", "Sore throat",
)  # fmt: skip
PRESENT = {"1": "present", "0": "absent"}
COMMENTS = ("Comments from web site", "Comments first medical doctor (MD1)", "MD2", "MD3")
OPEN = ("CC BY 4.0", "CC BY 2.0", "CC BY 3.0", "CC BY-SA 4.0", "CC0")


class PocusLung(Upstream):
    """One record per clip or image of a licence that is taken."""

    source: Literal["pocus_lung"]
    licences: tuple[str, ...] = OPEN  # of the rows that are taken, as upstream writes them
    needs: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="pocus_lung",
        what="lung ultrasound clips and images with diagnosis, signs and doctors' comments",
        url="https://github.com/jannisborn/covid19_ultrasound",
        revision="fork at 298046a",
        licence="CC-BY-4.0 AND CC-BY-3.0 AND CC-BY-2.0 AND CC-BY-SA-4.0 AND CC0-1.0",
        access="open",
        steps="clone the repository and lay its data/ below pocus_lung/; rows are taken by the licence that each "
        "names, since the repository's own note says only that most are Creative Commons, with a link to CC BY-NC 4.0",
        citation="Born et al. Accelerating detection of lung pathologies with explainable ultrasound image analysis. "
        "Applied Sciences 11, 672 (2021).",
        phi_risk="medium: a column of the table names a patient (not read); overlays, arrows and logos in the pictures",
        modalities=("US",),
        body_parts=("lung",),
        tasks=("classification", "multi-label", "caption"),
        size="about 260 clips and 100 images",
        layout="dataset_metadata.csv, pocus_videos/PROBE/*, pocus_images/PROBE/*",
        known="measured",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        media: dict[str, list[Entry]] = {}
        for entry in shelf.by_path.values():
            if entry.path.lower().endswith((*CLIPS, *IMAGES)):
                media.setdefault(PurePosixPath(entry.path).stem.lower(), []).append(entry)
        for name, _ in self.tables(place):
            for row in rows_below(name, place):
                if row.get("Filename"):
                    yield self._row(row, media.get(_stem(row), []), shelf, pseudonym)
        yield from shelf.rest(self.needs)

    def _row(self, row: Line, found: Sequence[Entry], shelf: Shelf, pseudonym: Pseudonym) -> Item:
        where = row.get("Current location").lower().strip("/").removeprefix("data/")
        here = [e for e in found if e.path.lower().rpartition("/")[0].endswith(where)] or list(found)
        if len(here) != 1:
            return row.missing(row["Filename"])
        files = (shelf.take(here[0]), row.ref)
        if row.get("License") not in self.licences:
            return Item(
                f"{row.table}#line={row.number}", "none", files, status="dropped", reason="licence_not_taken",
                found="a row whose licence is not among `licences`", remedy="name it there if its terms suit you",
            )  # fmt: skip
        comments = list(dict.fromkeys(row.get(column) for column in COMMENTS if row.get(column)))
        patient = row.get("Patient ID / Name")
        return Item(
            upstream_id=here[0].path,
            form="clip" if here[0].path.lower().endswith(CLIPS) else "picture",
            files=files,
            group=pseudonym("patient", f"pocus:{patient}") if patient else "",
            facts=(*self.declared_facts(), *_facts(row)),
            text="\n".join(comments),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        said = (
            (
                "Cov_first_mov1",
                "pocus_videos/Convex",
                "COVID-19",
                "Irregular pleura with confluent B-lines.",
                "CC BY 4.0",
            ),
            ("Reg_second_clip", "data/pocus_videos/Linear", "regular", "A-lines and lung sliding.", "CC BY 4.0"),
            ("Pneu_third", "pocus_videos/convex", "Bacterial pneumonia", "Consolidation of the base.", "CC BY 2.0"),
            ("Vir_fourth", "pocus_images/convex", "Viral pneumonia", "Small subpleural consolidation.", "CC BY 4.0"),
            ("Cov_fifth", "pocus_videos/convex", "COVID-19", "White lung.", "Need permission"),
            ("Reg_gone", "pocus_videos/convex", "regular", "Normal lung.", "CC BY 4.0"),
        )
        rows = []
        for patient, (name, where, label, comment, licence) in enumerate(said):
            path = root / where.lower().removeprefix("data/")
            if "images" in where:
                mini.picture(path / f"{name}.png", mini.pixels(rng))
            elif name != "Reg_gone":
                mini.clip(path / f"{name}.mp4", rng, seconds=1.5, side=112)
            row = {"Current location": where, "Filename": name, "Label": label, "License": licence, "Type": "video"}
            row |= {"Probe": where.rpartition("/")[2].lower(), COMMENTS[0]: comment, COMMENTS[1]: "", "MD2": ""}
            row |= {"Gender": ("w", "m", "nd")[patient % 3], "Age": "n/A" if patient == 2 else str(40 + patient)}
            row |= {"Patient ID / Name": str(10 + patient), "Preconditions / Comments about patient": "Erika Muster"}
            row["Healthy"] = str(int(label == "regular"))
            signs = {sign: str(int(label != "regular" and k % 2 == patient % 2)) for k, sign in enumerate(FINDINGS)}
            rows.append({**row, **signs, **dict.fromkeys(SYMPTOMS, "n/A"), "Fever": str(patient % 2)})
        mini.table(root / "dataset_metadata.csv", rows)


def _stem(row: Line) -> str:
    name = row["Filename"]
    return (name.rpartition(".")[0] if name.lower().endswith((*CLIPS, *IMAGES)) else name).lower()


def _facts(row: Line) -> Iterator[Fact]:
    label = row.get("Label")
    yield from told("diagnosis", DIAGNOSES.get(label.lower(), label), "column:Label")
    looked = any(row.get(column) == "1" for column in (*FINDINGS, "Healthy"))
    yield from labels(row, FINDINGS, values=PRESENT if looked else {})
    for symptom in SYMPTOMS:
        yield from told("keyword", symptom.lower() if row.get(symptom) == "1" else "", f"column:{symptom}")
    yield from told("sex", {"w": "F", "f": "F", "m": "M"}.get(row.get("Gender").lower(), ""), "column:Gender")
    age = row.get("Age")
    yield from told("age_years", age if age.isdigit() else "", "column:Age")
    yield from told("label", row.get("Probe").lower(), "column:Probe", about="probe")
