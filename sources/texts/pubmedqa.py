"""PubMedQA: research questions that titles of abstracts ask, with yes, no or maybe and the abstract's conclusion.

Upstream's layout (github.com/pubmedqa/pubmedqa, `data/`): `ori_pqal.json` (1,000 labelled by experts), `ori_pqau.json`
(unlabelled), `ori_pqaa.json` (artificial), each one object {PMID: {QUESTION, CONTEXTS, LABELS, LONG_ANSWER, MESHES,
YEAR, [final_decision]}}, and `test_ground_truth.json` {PMID: decision} of the 500 test questions. On the hub
(qiaojin/PubMedQA) the same as `pqa_{labeled,unlabeled,artificial}/train-*.parquet` with pubid, question, context
{contexts, labels, meshes}, long_answer, final_decision. Quirks: LABELS can be fewer than CONTEXTS; the hub's files do
not say which questions are the test's, so that labelled ones are of the split `labeled` unless the list is there.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record, ref
from sources.containers import block_items
from sources.figures.shared import each, listed
from sources.texts.shared import KEY, TextRows, said, text_rows
from sources.upstream import REMEDY, Line, Shelf, told

if TYPE_CHECKING:
    import numpy as np

IDS = "test_ground_truth.json"
DECISIONS = ("yes", "no", "maybe")
SPLITS = {"a": "artificial", "u": "unlabeled", "l": "labeled"}


class PubMedQa(TextRows):
    """One record per abstract: its paragraphs but the conclusion are the text, which is what the question is about."""

    source: Literal["pubmedqa"]
    splits: tuple[str, ...] = ("train", "artificial", "unlabeled")
    patterns: ClassVar[tuple[str, ...]] = ("*ori_pqa[lua].json", "*pqa_*/*.parquet")
    card: ClassVar[Card] = Card(
        name="pubmedqa",
        what="yes/no/maybe questions on abstracts, with the abstract and its conclusion",
        url="https://github.com/pubmedqa/pubmedqa",
        revision="1cbae8e92f72f20c8d3747cbb3bf5bc53554d997",
        licence="MIT",
        citation="Jin et al. PubMedQA: A Dataset for Biomedical Research Question Answering. EMNLP-IJCNLP 2019.",
        phi_risk="none beyond the published abstracts",
        modalities=("text",),
        tasks=("qa", "multiple-choice", "text"),
        size="1,000 labelled (500 of them for testing), 61,249 unlabelled, 211,269 artificial",
        layout="data/ori_pqa{l,u,a}.json, data/test_ground_truth.json; or pqa_*/train-*.parquet",
        known="measured",
        remotes=(Remote(kind="hub", at="qiaojin/PubMedQA", files=("pqa_*/*.parquet",)),),
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return {} if path.suffix == ".parquet" and "pqa_" not in path.parent.name else super().peek(path, pseudonym)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        ids = shelf.named(IDS)
        if ids is not None:
            shelf.take(ids, "table")
        for entry in shelf.matching(*self.patterns):
            shelf.take(entry)
            split = self.split_of(entry.path)
            if split == "labeled" and ids is not None:
                names = (ref(entry), ref(ids, "table"))
                for item in block_items(entry):
                    yield dataclasses.replace(item, files=names)
                continue
            other = self.other_split(split, (ref(entry),), entry.path)
            yield from block_items(entry) if other is None else (other,)
        if ids is not None:
            yield not_a_record(ids, "the list of the test's questions", "table")
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        tests = _tests(place.file(item.files[1].path)) if len(item.files) > 1 else None
        for row in text_rows(item, place):
            try:
                yield row if isinstance(row, Item) else self._article(row, tests, pseudonym)
            except RecordError as error:
                assert isinstance(row, Line)
                yield row.failed(error.reason, error.found, error.remedy)

    def _article(self, row: Line, tests: frozenset[str] | None, pseudonym: Pseudonym) -> Item:
        pmid = row.get(KEY, "pubid")
        split = self.split_of(row.table)
        if tests is not None:
            split = "test" if pmid in tests else "train"
        other = self.other_split(split, (row.ref,), f"pmid={pmid}")
        if other is not None:
            return other
        own = KEY in row.values
        inner = row.values if own else row.value("context")
        context: dict[str, Any] = {k.upper(): v for k, v in inner.items()} if isinstance(inner, dict) else {}
        decision = row.get("final_decision")
        question = said(row, "QUESTION" if own else "question")
        conclusion = said(row, "LONG_ANSWER" if own else "long_answer")
        if decision and decision not in DECISIONS:
            raise RecordError("bad_choice", "a decision that is neither yes nor no nor maybe", REMEDY)
        closed = Asked(question, decision, DECISIONS, "decision", conclusion)
        return self.told_of(
            row,
            f"pmid={pmid}",
            asked=(closed if decision else Asked(question, conclusion, about="conclusion"),),
            facts=(
                *each("keyword", listed(context.get("MESHES")), "field:MESHES", about="MeSH"),
                *told("label", row.get("YEAR"), "field:YEAR", about="year of publication"),
                Fact("split", split, "file"),
            ),
            text=_paragraphs(listed(context.get("CONTEXTS")), listed(context.get("LABELS"))),
            group=pseudonym("article", pmid),
        )

    def split_of(self, path: str) -> str:
        told = PurePosixPath(path)
        letter = told.parent.name[4:5] if told.suffix == ".parquet" else told.stem[-1]
        return SPLITS.get(letter, "unlabeled")

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        labelled, other = {}, {}
        for number, (question, context, conclusion, decision) in enumerate(ROWS):
            row = {"QUESTION": question, "CONTEXTS": list(context), "LABELS": ["BACKGROUND", "RESULTS"][: len(context)]}
            row |= {"LONG_ANSWER": conclusion, "MESHES": ["Humans", "Prospective Studies"], "YEAR": str(2003 + number)}
            if number < 4:
                labelled[str(21645374 + number)] = {**row, "final_decision": decision}
            else:
                other[str(9427037 + number)] = row
        labelled["21645379"] = {**labelled["21645374"], "LONG_ANSWER": ""}
        mini.json_file(root / "data/ori_pqal.json", labelled)
        mini.json_file(root / "data/ori_pqau.json", other)
        mini.json_file(root / "data/test_ground_truth.json", {"21645375": "no"})


def _tests(path: Path) -> frozenset[str]:
    try:
        ids = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, dict):
        raise RecordError("bad_json", f"'{IDS}' is no object of ids", REMEDY)
    return frozenset(map(str, ids))


def _paragraphs(contexts: list[Any], labels: list[Any]) -> str:
    """The paragraphs, each after its label; a label alone says nothing."""
    pairs = [(str(c or "").strip(), str(n or "").strip()) for c, n in zip_longest(contexts, labels)]
    return "\n\n".join(f"{label}: {text}" if label else text for text, label in pairs if text)


ROWS = (
    ("Does early mobilisation shorten the stay after hip fracture surgery?",
     ("Older patients lose strength quickly when they stay in bed after repair of a hip fracture.",
      "The 84 patients who walked on the first day left hospital a median of three days sooner."),
     "Walking on the first day after repair of a hip fracture was followed by an earlier discharge.", "yes"),
    ("Is serum ferritin a useful screen for iron overload in dialysis units?",
     ("Ferritin rises with inflammation, which is common among patients on haemodialysis.",
      "Liver iron by magnetic resonance and ferritin were barely correlated in 51 patients."),
     "Ferritin alone did not tell patients with high liver iron from others.", "no"),
    ("Can school nurses detect scoliosis by smartphone inclinometer?",
     ("A smartphone application measures the rotation of the trunk during forward bending.",
      "Agreement with radiographs was good in slender children and poor in heavier ones."),
     "The application may help in slender children; more data are needed for others.", "maybe"),
    ("Do pharmacist-led reviews reduce falls in nursing homes?",
     ("Sedatives and blood pressure drugs contribute to falls of residents.",),
     "Falls were fewer in homes where a pharmacist reviewed all prescriptions.", "yes"),
    ("Does music during colonoscopy lower the dose of sedation?",
     ("Anxiety before colonoscopy is common.", "The dose of midazolam was lower by a fifth with music."),
     "Music of the patient's choice was associated with lower doses of midazolam.", ""),
)  # fmt: skip
