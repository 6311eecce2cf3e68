"""JSON and JSON lines of questions and conversations about media, as trainers read them.

    source: vqa_json
    root: my_questions
    questions: ["*.json", "*.jsonl"]      # the tables
    media_folder: images                  # where their paths begin, below the root; the table's folder is tried too

Rows are of LLaVA's form ({image | video, conversations [{from, value}]}), Qwen's and LLaMA-Factory's and ms-swift's
({images | videos, messages [{role, content}], objects}), MedM-VL's ({image | image3d, conversations}), Alpaca's
({instruction, input, output}), or {question, answer | answer_label, options, ...}; which one is seen by the fields that
a row has, and any field may be named instead (`question: query`). Absolute paths, and those whose folders are others
here, find their file by its name where one file alone has it. ms-swift's `<ref-object>` and `<bbox>` are written out
from `objects`, and boxes of pixels become facts. Several rows about the same media become one record, in the order of
the rows; they are one conversation only where there is one row. Quirks: a system's turn is left out; `null` and `[]`
stand for no media. Held in memory: rows whose media have more rows to come.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecipeError, RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, is_regular, matches
from sources.figures.shared import by_medium
from sources.generic.fields import PICTURES, Fields, ending_of, form_of, split_in, value_at
from sources.texts.shared import part
from sources.upstream import Line, Shelf, box, plain, rows_below

if TYPE_CHECKING:
    import numpy as np

MEDIA = ("image", "images", "video", "videos", "image3d", "image_path", "img", "volume")
KNOWN = {
    "conversations": ("conversations", "messages", "conversation"),
    "question": ("question", "query", "prompt", "instruction"),
    "answer": ("answer_label", "answer", "response", "output"),
    "why": ("reasoning", "explanation", "rationale"),
}
OBJECT = "<ref-object>"
BOX = "<bbox>"


class VqaJson(Fields):
    """One record per medium, or per row without one. `media` names its fields where they are none of the usual."""

    source: Literal["vqa_json"]
    questions: tuple[str, ...] = ("*.json", "*.jsonl")
    media_folder: str = ""
    media: tuple[str, ...] = MEDIA
    card: ClassVar[Card] = Card(
        name="vqa_json",
        what="questions and conversations about pictures, clips and volumes in the JSON of trainers",
        layout="*.json or *.jsonl, and the media that they name",
        phi_risk="free text, and what is in the pixels",
        known="measured",
    )

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        if not place.root.is_dir():
            return ()
        found = {p.relative_to(place.root).as_posix(): p for p in place.root.rglob("*") if is_regular(p)}
        tables = tuple((name, path) for name, path in sorted(found.items()) if matches(name, self.questions))
        if not tables:
            raise RecipeError(f"source '{self.called}': no {' or '.join(self.questions)} below its root")
        return tables

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place) if name in shelf.by_path]
        read = lambda: chain.from_iterable(rows_below(name, place) for name in names)  # noqa: E731 - read twice
        for _, rows in by_medium(read, self._medium):
            yield from self._record(rows, shelf, pseudonym)
        yield from shelf.rest(self.questions)

    def _medium(self, row: Line) -> str:
        """What rows of one record have in common: all their media; a row without stands alone."""
        names = self._paths(row)
        return "\n".join(names) if names else f"\n{row.table}\n{row.number}"

    def _paths(self, row: Line) -> list[str]:
        values = [value_at(row.values, name) for name in self.media]
        cells = [c for v in values for c in (v if isinstance(v, list) else [v])]
        return [name for c in cells if (name := plain(c.get("path") if isinstance(c, dict) else c))]

    def _record(self, rows: tuple[Line, ...], shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        names = self._paths(rows[0])
        folder = PurePosixPath(rows[0].table).parent
        entries = [self._entry(name, folder, shelf) for name in names]
        media = tuple(shelf.take(e) for e in entries if e is not None)
        if len(media) < len(names):
            missing = f"{len(names) - len(media)} of {len(names)} media are not below the root"
            yield from (row.failed("media_missing", missing, "fetch them, or take the row out") for row in rows)
            return
        told: list[Item] = []
        for row in rows:
            try:
                told.append(self._row(row, media, pseudonym))
            except RecordError as error:
                yield row.failed(error.reason, error.found, error.remedy)
        kept = [i for i in told if i.form != "none"]
        yield from (i for i in told if i.form == "none")
        if kept:
            yield _together(kept)

    def _entry(self, name: str, folder: PurePosixPath, shelf: Shelf) -> Entry | None:
        inside = PurePosixPath(self.media_folder, name.lstrip("/")).as_posix()
        found = shelf.first(inside, (folder / name.lstrip("/")).as_posix(), name.lstrip("/"))
        return found or shelf.named(PurePosixPath(name).name)

    def _row(self, row: Line, media: tuple[FileRef, ...], pseudonym: Pseudonym) -> Item:
        values, boxes = _written_out(row.values)
        endings = [ending_of(f.path) for f in media]
        form = form_of(endings)
        text, asked, dialogue = _named(self, row).told(values, sum(e in PICTURES for e in endings))
        if not (asked or (text and form == "text")) and not (text and media):
            raise RecordError("empty_fields", "a row that asks and tells nothing", "name the fields that it has")
        stated = plain(row.value("split"))
        split = stated or split_in(row.table)
        files = (*media, row.ref) if media else (part(row),)
        other = self.other_split(split, files, f"{row.table}#line={row.number}") if split else None
        return other or Item(
            upstream_id=plain(value_at(row.values, self.id or "id")) or f"{row.table}#line={row.number}",
            form=form,
            files=files,
            group=self.group_of(values, pseudonym),
            facts=(
                *self.facts_of(values, {}),
                *boxes,
                *((Fact("split", split, "field:split" if stated else "file"),) if split else ()),
            ),
            text=text,
            asked=asked,
            dialogue=dialogue,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for name in ("a.png", "b.png", "c.png", "d.png"):
            mini.picture(root / "images" / name, mini.pixels(rng))
        turns = [{"from": w, "value": v} for w, v in zip(("human", "gpt") * 2, LLAVA, strict=True)]
        llava: list[dict[str, Any]] = [{"id": "7", "image": "a.png", "conversations": turns}]
        llava.append({"id": "8", "image": "lost.png", "conversations": turns[:2]})
        llava.append({"id": "9", "image": "a.png", "conversations": turns[:1]})  # a question without its answer
        mini.json_file(root / "llava.json", llava)
        swift = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SWIFT[0]}]
        swift.append({"role": "assistant", "content": SWIFT[1]})
        objects = {"ref": ["nodule"], "bbox": [[20, 30, 60, 80]]}
        two = [{"role": "user", "content": "<image>Before, <image>after: what changed?"}]
        two.append({"role": "assistant", "content": "The effusion has gone."})
        rows: list[dict[str, Any]] = [
            {"messages": swift, "images": ["/elsewhere/b.png"], "objects": objects},
            {"messages": two, "images": ["images/c.png", "images/d.png"]},
            {"query": "Which vessel is widest?", "response": "B", "options": ["Renal artery", "Aorta"]},
        ]
        mini.json_lines(root / "swift_train.jsonl", rows)


def _together(items: list[Item]) -> Item:
    """Rows of the same media as one record."""
    first = items[0]
    if len(items) == 1:
        return first
    media = first.files[:-1]
    return dataclasses.replace(
        first,
        files=(*media, *(i.files[-1] for i in items)),
        facts=tuple(dict.fromkeys(f for i in items for f in i.facts)),
        text="\n".join(dict.fromkeys(i.text for i in items if i.text)),
        asked=tuple(a for i in items for a in i.asked),
        dialogue=False,
    )


def _named(fields: VqaJson, row: Line) -> VqaJson:
    """The fields of a row by the usual names where the recipe names none."""
    usual = {key: next((n for n in names if row.value(n) is not None), "") for key, names in KNOWN.items()}
    if any((fields.conversations, fields.question, fields.text)):
        usual = {"why": usual["why"]}
    elif usual["conversations"]:
        usual = {"conversations": usual["conversations"]}
    changed: dict[str, Any] = {k: v for k, v in usual.items() if v and not getattr(fields, k)}
    if not fields.options and row.value("options") is not None and "question" in usual:
        changed["options"] = ("options",)
    return fields.model_copy(update=changed)


def _written_out(values: dict[str, Any]) -> tuple[dict[str, Any], tuple[Fact, ...]]:
    """A row with ms-swift's objects in the words of its turns, and their boxes; Alpaca's input behind its
    instruction."""
    if plain(values.get("input")) and plain(values.get("instruction")):
        values = {**values, "instruction": f"{plain(values['instruction'])}\n{plain(values['input'])}"}
    objects, turns = values.get("objects"), values.get("messages")
    if not isinstance(objects, dict) or not isinstance(turns, list):
        return values, ()
    names = [plain(n) for n in objects.get("ref") or []]
    corners = [b for b in objects.get("bbox") or [] if isinstance(b, list) and len(b) == 4]
    pixels = plain(objects.get("bbox_type")) in ("", "real")
    left_names, left_boxes = iter(names), iter(corners)
    written = []
    for turn in turns:
        text = plain(turn.get("content")) if isinstance(turn, dict) else ""
        for _ in range(text.count(OBJECT)):
            text = text.replace(OBJECT, next(left_names, "object"), 1)
        for _ in range(text.count(BOX)):
            text = text.replace(BOX, str(next(left_boxes, [])), 1)
        written.append({**turn, "content": text} if text else turn)
    facts = [_box(b, n) for b, n in zip(corners, names, strict=False)] if pixels else []
    return {**values, "messages": written}, tuple(chain.from_iterable(facts))


def _box(corners: list[Any], name: str) -> tuple[Fact, ...]:
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in corners):
        return ()
    x0, y0, x1, y1 = (float(v) for v in corners)
    return box(x0, y0, x1, y1, name, "field:objects")


LLAVA = (
    "<image>\nIs the costophrenic angle blunted?", "Yes, on the left side.", "What does that suggest?",
    "A small pleural effusion.",
)  # fmt: skip
SWIFT = ("<image>Where is the <ref-object>?", "It lies at <bbox>, in the right upper lobe.")
