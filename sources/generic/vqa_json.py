"""JSON and JSON lines of questions and conversations about media, as trainers read them.

    source: vqa_json
    root: my_questions
    questions: ["*.json", "*.jsonl"]      # the tables
    media_folder: images                  # where their paths begin, below the root; the table's folder is tried too

Rows are of LLaVA's and ShareGPT's form ({image | video, conversations [{from, value}]}), of OpenAI's, Qwen's,
LLaMA-Factory's and ms-swift's ({images | videos, messages [{role, content}], objects, solution}, media also as parts
of a turn's content), MedM-VL's ({image | image3d, conversations}), Alpaca's ({instruction, input, output, history}),
{question, answer | answer_label, options, ...}, or a list of these below `qa`, `questions` or the like; which one is
seen by the fields that a row has, and any field may be named instead (`question: query`). What `curate export` writes
as `llava` and `ms_swift` is read too. Absolute paths, and those whose folders are others here, find their file by its
name where one file alone has it. ms-swift's `<ref-object>` and `<bbox>` are written out from `objects`, and boxes of
pixels become facts.

Rows about the same files become one record, in the order of the rows. It is a conversation where one of its rows is;
else its questions stand each for itself. Places of several pictures in the words of several rows become `[picture 1]`
and so on, since a record has one place for each picture. Quirks: a system's turn is left out; `null` and `[]` stand
for no media; a medium written into the row (`data:image/png;base64,...`) fails.

Held in memory: eight bytes' digest and a number for each medium, and rows whose media have more rows to come.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecipeError, RecordError
from manifests.record import Asked, Fact, FileRef
from sources.base import PICTURE, Entry, Item, Place, Pseudonym, is_regular, matches
from sources.figures.shared import by_medium
from sources.generic.fields import PICTURES, Fields, ending_of, form_of, placed, split_in, value_at
from sources.generic.layouts import INLINE, pairs_of, paths_of, written_out
from sources.texts.shared import part
from sources.upstream import Line, Shelf, plain, rows_below

if TYPE_CHECKING:
    import numpy as np

MEDIA = ("image", "images", "video", "videos", "image3d", "image_path", "img", "volume")
KNOWN = {
    "conversations": ("conversations", "messages", "conversation"),
    "question": ("question", "query", "prompt", "instruction", "questions"),
    "answer": ("answer_label", "answer", "response", "output", "answers"),
    "why": ("reasoning", "explanation", "rationale"),
    "text": ("caption", "report", "text"),
}
OPTIONS = ("options", "choices")


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
        read = lambda: itertools.chain.from_iterable(rows_below(name, place) for name in names)  # noqa: E731 - read twice
        for _, rows in by_medium(read, lambda row: self._medium(row, shelf)):
            yield from self._record(rows, shelf, pseudonym)
        yield from shelf.rest(self.questions)

    def _medium(self, row: Line, shelf: Shelf) -> str:
        """What rows of one record have in common: the files of all their media; a row without stands alone."""
        named = paths_of(row.values, self.media)
        if not named or INLINE in named:
            return f"\n{row.table}\n{row.number}"
        found = (self._entry(name, row, shelf) for name in named)
        return "\n".join(name if entry is None else entry.path for name, entry in zip(named, found, strict=True))

    def _record(self, rows: tuple[Line, ...], shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        names = paths_of(rows[0].values, self.media)
        if INLINE in names:
            yield rows[0].failed("media_inline", "a medium written into the row", "write it to a file, and name that")
            return
        entries = [self._entry(name, rows[0], shelf) for name in names]
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

    def _entry(self, name: str, row: Line, shelf: Shelf) -> Entry | None:
        name = name.lstrip("/")
        inside = PurePosixPath(self.media_folder, name).as_posix()
        beside = (PurePosixPath(row.table).parent / name).as_posix()
        return shelf.first(inside, beside, name) or shelf.named(PurePosixPath(name).name)

    def _row(self, row: Line, media: tuple[FileRef, ...], pseudonym: Pseudonym) -> Item:
        values, boxes = written_out(row.values)
        endings = [ending_of(f.path) for f in media]
        form = form_of(endings)
        text, asked, dialogue = self._told(values)
        text, asked = placed(text, asked, sum(e in PICTURES for e in endings))
        if not (asked or (text and form == "text")) and not (text and media):
            raise RecordError("empty_fields", "a row that asks and tells nothing", "name the fields that it has")
        stated = plain(row.value("split"))
        split = stated or split_in(row.table)
        files = (*media, row.ref) if media else (part(row),)
        other = self.other_split(split, files, f"{row.table}#line={row.number}") if split else None
        return other or Item(
            upstream_id=plain(value_at(values, self.id or "id")) or f"{row.table}#line={row.number}",
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

    def _told(self, values: dict[str, Any]) -> tuple[str, tuple[Asked, ...], bool]:
        """What a row says and asks, whatever its form, with the placeholders of its media."""
        name, pairs = pairs_of(values)
        if not pairs:
            return _named(self, values).spoken(values)
        listed = tuple(one for pair in pairs for one in _named(self, pair).posed(pair))
        alone = {k: v for k, v in values.items() if k != name}
        text, asked, dialogue = _named(self, alone).spoken(alone)
        return text, (*asked, *listed), dialogue

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for name in ("a.png", "b.png", "c.png", "d.png", "e.png"):
            mini.picture(root / "images" / name, mini.pixels(rng))
        turns = [{"from": w, "value": v} for w, v in zip(("human", "gpt") * 2, LLAVA, strict=True)]
        llava: list[dict[str, Any]] = [{"id": "7", "image": "a.png", "conversations": turns}]
        llava.append({"id": "8", "image": "lost.png", "conversations": turns[:2]})
        llava.append({"id": "9", "image": "a.png", "conversations": turns[:1]})  # a question without its answer
        more = [{"from": "human", "value": "<image>\nIs a fracture seen?"}, {"from": "gpt", "value": "No."}]
        llava.append({"id": "10", "image": "a.png", "conversations": more})
        mini.json_file(root / "llava.json", llava)
        listed: list[dict[str, Any]] = [
            {"question": "Which modality is it?", "answer": "b", "choices": ["CT", "Radiograph", "MRI"]}
        ]
        listed.append({"question": "How many nodules are there?", "answer": 2})
        parts: list[Any] = [{"type": "image_url", "image_url": {"url": "images/c.png"}}]
        parts.append({"type": "image_url", "image_url": {"url": "images/d.png"}})
        shown = [*parts, {"type": "text", "text": "Which of the two was taken later?"}]
        openai = [{"role": "user", "content": shown}, {"role": "assistant", "content": "The second."}]
        mini.json_file(root / "others.json", [{"image": "e.png", "qa": listed}, {"messages": openai}])
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
    files = (*media, *(i.files[-1] for i in items))
    groups = {i.group for i in items if i.group}
    if len(groups) > 1:
        return Item(
            first.upstream_id, "none", files, status="failed", reason="file_of_several_patients",
            found=f"{len(groups)} groups in the rows of one medium", remedy="mend the field that `group` names",
        )  # fmt: skip
    items = [_worded(i) for i in items]
    return dataclasses.replace(
        first,
        files=files,
        group="".join(groups),
        facts=tuple(dict.fromkeys(f for i in items for f in i.facts)),
        text="\n".join(dict.fromkeys(i.text for i in items if i.text)),
        asked=tuple(dict.fromkeys(a for i in items for a in i.asked)),
        dialogue=any(i.dialogue for i in items),
    )


def _worded(item: Item) -> Item:
    """A row with words for the places of its pictures; where all stand before the words, these are as good without."""
    told = [item.text, *(t for a in item.asked for t in (a.question, a.answer))]
    inside = any(PICTURE in text.lstrip(f"{PICTURE} \n") for text in told)
    number = itertools.count(1)

    def worded(text: str) -> str:
        words = text.lstrip(f"{PICTURE} \n") if not inside else text
        return re.sub(rf" ?{PICTURE} ?", lambda _: f" [picture {next(number)}] ", words).strip()

    text = worded(item.text)
    asked = (dataclasses.replace(a, question=worded(a.question), answer=worded(a.answer)) for a in item.asked)
    return dataclasses.replace(item, text=text, asked=tuple(asked))


def _named(fields: VqaJson, values: Mapping[str, Any]) -> VqaJson:
    """The fields of a row by the usual names where the recipe names none."""
    usual = {key: next((n for n in names if values.get(n) is not None), "") for key, names in KNOWN.items()}
    if any((fields.conversations, fields.question, fields.text)):
        usual = {"why": usual["why"]}
    elif usual["conversations"]:
        usual = {"conversations": usual["conversations"]}
    elif usual["question"]:
        usual.pop("text")
    changed: dict[str, Any] = {k: v for k, v in usual.items() if v and not getattr(fields, k)}
    options = next((n for n in OPTIONS if values.get(n) is not None), "")
    if not fields.options and options and "question" in usual:
        changed["options"] = (options,)
    return fields.model_copy(update=changed)


LLAVA = (
    "<image>\nIs the costophrenic angle blunted?", "Yes, on the left side.", "What does that suggest?",
    "A small pleural effusion.",
)  # fmt: skip
SWIFT = ("<image>Where is the <ref-object>?", "It lies at <bbox>, in the right upper lobe.")
