"""PubMedVision: 1.3 million questions on figures of PubMed articles, written by GPT-4V from caption and text.

Upstream's layout (Hugging Face, FreedomIntelligence/PubMedVision): `PubMedVision_Alignment_VQA.json` and
`PubMedVision_InstructionTuning_VQA.json`, lists of {id, image: [images/pmc_N_M.jpg, …], conversations: [{from: human |
gpt, value}], modality, body_part}, and `images_0.zip` to `images_19.zip`, unpacked flat to `images/`. Quirks: about a
fifth of the rows have several pictures (up to 29) and no text says where they stand; 9 rows name a picture that no zip
holds; modality and body part were told by HuatuoGPT-Vision-7B and may be wrong. The alignment and the instruction
question of the same pictures are one record. The later translated and caption tables are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import by_medium, exchanges, listed
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

ALIGNMENT, INSTRUCTION = "PubMedVision_Alignment_VQA.json", "PubMedVision_InstructionTuning_VQA.json"
REVISION = "3c84e04b38bceb5341419b9a4f8ca37ba790cb84"
MODALITIES = {
    "computed tomography": "CT", "magnetic resonance imaging": "MR", "x_ray": "DX", "x-ray": "DX",
    "ultrasound": "US", "endoscopy": "ES", "dermoscopy": "DMS", "fundus photography": "OP",
    "optical coherence tomography": "OPT", "microscopy images": "GM", "digital photography": "XC",
    "positron emission tomography": "PT", "angiography": "XA", "mammography": "MG",
}  # fmt: skip


class PubMedVision(Upstream):
    """One record per set of pictures, with all that is asked of it."""

    source: Literal["pubmedvision"]
    needs: ClassVar[tuple[str, ...]] = ("PubMedVision_*_VQA.json",)
    card: ClassVar[Card] = Card(
        name="pubmedvision",
        what="questions on figures of PubMed articles, to align and to instruct, written by a model from the caption",
        url="https://huggingface.co/datasets/FreedomIntelligence/PubMedVision",
        revision=REVISION,
        licence="Apache-2.0",
        citation="Chen et al. HuatuoGPT-Vision, Towards Injecting Medical Visual Knowledge into Multimodal LLMs at "
        "Scale. EMNLP 2024 (arXiv 2406.19280).",
        phi_risk="low: published figures; answers may repeat ages and dates of single patients",
        modalities=("figure", "CT", "MR", "DX", "US", "ES", "DMS", "OP", "OPT", "GM", "XC", "PT", "XA", "MG"),
        tasks=("vqa", "instruction"),
        size="1,294,062 questions: 647,031 to align, as many to instruct",
        layout="PubMedVision_{Alignment,InstructionTuning}_VQA.json, images/pmc_N_M.jpg",
        remotes=(
            Remote(
                kind="hub", at="FreedomIntelligence/PubMedVision", files=(ALIGNMENT, INSTRUCTION), revision=REVISION
            ),
            Remote(
                kind="hub", at="FreedomIntelligence/PubMedVision", files=("images_*.zip",), revision=REVISION,
                unpack=True,
            ),
        ),
        known="published",
    )  # fmt: skip

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]
        read = lambda: _in_turn([rows_below(name, place) for name in names])  # noqa: E731 - read twice
        for _, rows in by_medium(read, lambda row: "\n".join(_images(row))):
            yield from self._record(sorted(rows, key=lambda row: (row.table, row.number)), shelf, pseudonym)
        yield from shelf.rest(self.needs)

    def _record(self, rows: list[Line], shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        images = _images(rows[0])
        entries = [shelf.get(name) or shelf.named(PurePosixPath(name).name) for name in images]
        found = [e for e in entries if e is not None]
        pictures = tuple(shelf.take(e) for e in found)
        if not images or len(found) < len(images):
            missing = f"{len(images) - len(found)} of {len(images)} pictures are not below the root"
            remedy = "fetch them, or take the row out"
            yield from (row.failed("media_missing", missing, remedy, *pictures) for row in rows)
            return
        asked: list[tuple[Line, tuple[Asked, ...]]] = []
        for row in rows:
            try:
                asked.append((row, exchanges(row.value("conversations"))))
            except RecordError as error:
                yield row.failed(error.reason, error.found, error.remedy, *pictures)
        if asked:
            figure = re.sub(r"_\d+$", "", PurePosixPath(images[0]).stem)
            yield Item(
                upstream_id=asked[0][0].get("id") or images[0],
                form="picture",
                files=(*pictures, *(row.ref for row, _ in asked)),
                group=pseudonym("figure", figure),
                facts=(*self.declared_facts(), *_facts(asked[0][0])),
                asked=tuple(chain.from_iterable(turns for _, turns in asked)),
                dialogue=len(asked) == 1 and len(asked[0][1]) > 1,
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        alignment, instruction = [], []
        for number, (modality, part, described, question, answer) in enumerate(ROWS):
            images = [f"images/pmc_{955 + number}_{k}.jpg" for k in range(2 if number == 1 else 1)]
            for image in images:
                mini.picture(root / image, mini.pixels(rng))
            shared = {"image": images, "modality": modality, "body_part": part}
            alignment.append({"id": f"align_{number}", "conversations": _turns(DESCRIBE[number], described), **shared})
            instruction.append({"id": f"instruct_{number}", "conversations": _turns(question, answer), **shared})
        alignment.append({**alignment[0], "id": "align_9", "image": ["images/pmc_1000_0.jpg"]})  # in no zip
        instruction.append({**instruction[0], "id": "instruct_9", "image": ["images/pmc_956_0.jpg"]})
        instruction[-1]["conversations"] = _turns("Which sequence is shown?", "A T2-weighted sequence.")[:1]
        mini.json_file(root / ALIGNMENT, alignment)
        mini.json_file(root / INSTRUCTION, instruction[::-1])


def _images(row: Line) -> list[str]:
    """The pictures that a row names. Raises `RecordError` `bad_table` where a table's first row has no such column."""
    if row.number == 1:
        row["image"]
    return [str(name) for name in listed(row.value("image"))]


def _in_turn(tables: Sequence[Iterator[Line]]) -> Iterator[Line]:
    """A row of each table in turn: rows of the same pictures stand near each other."""
    for several in zip_longest(*tables):
        yield from (row for row in several if row is not None)


def _facts(row: Line) -> Iterator[Fact]:
    modality = row.get("modality")
    yield from told("modality", MODALITIES.get(modality.lower(), modality), "field:modality")
    yield from told("body_part", row.get("body_part"), "field:body_part")


def _turns(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


DESCRIBE = ("Describe the picture.", "What do these two pictures show?", "Give an account of the findings here.")
ROWS = (
    ("Computed Tomography", "Abdomen", "An axial CT with a thick-walled gallbladder and pericholecystic fluid.",
     "What disease fits the wall of the gallbladder?", "Acute cholecystitis fits the thick wall and the fluid."),
    ("Magnetic Resonance Imaging", "Brain", "Two slices through the posterior fossa with an enhancing mass.",
     "Where does the enhancing lesion lie?", "It lies in the left cerebellopontine angle."),
    ("Microscopy Images", "Skin", "Nests of atypical melanocytes reach into the papillary dermis.",
     "Which layer do the atypical cells reach?", "They reach the papillary dermis."),
)  # fmt: skip
