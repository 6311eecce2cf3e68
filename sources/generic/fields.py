"""What generic layouts share: a recipe names the fields of a row, and the row becomes texts, questions and labels.

A field is a column, or a path into objects with dots (`json.caption`). Turns of a conversation may be written
{from, value}, {role, content} (content a text, or a list of parts) or {human, assistant}; a system's turn is left out.
An answer to a question without words, and turns of a model alone, are text, as trainers write captions.
Placeholders of media (`<image>`, `<image 2>`, `<video>`, `<image3d>`, Qwen's `<|vision_start|>…<|vision_end|>`,
`<img>…</img>`) are taken out; where a row has several pictures and exactly as many placeholders, in their order, they
stay as `PICTURE`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field

from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import PICTURE, Form, Pseudonym
from sources.containers import kind_of
from sources.texts.shared import LETTERS
from sources.upstream import REMEDY, Upstream, plain

MAX_DEPTH = 8
PICTURES = ("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp")
CLIPS = ("mp4", "mov", "webm", "avi", "mkv", "mpeg", "mpg", "m4v")
VOLUMES = ("nii", "nii.gz", "nrrd", "mha")
HOLDER = re.compile(
    r"<\|vision_start\|><\|(?:image|video)_pad\|><\|vision_end\|>|<img>[^<]*</img>"
    r"|<(?:image|img|video|audio|image3d)(?:[ _-]?(\d+))?>|" + PICTURE,
    re.IGNORECASE,
)
ASKING = frozenset({"human", "user"})
ANSWERING = frozenset({"gpt", "assistant", "model", "bot"})
TEXTS = frozenset({"text", "input_text", "output_text"})  # types of the parts of a turn that are words
SPLIT_WORDS = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
    "dev": "validation", "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip


class Fields(Upstream):
    """The fields that a recipe names. `options` is one field that holds a list, an object by letters or either as JSON
    text, or one field for each option; `answer` may then be a letter, a number (the first option is `first_option`) or
    the text. `question` and `answer` may be lists in step. `splits` are those of the names of files and folders."""

    id: str = ""
    text: str = ""
    question: str = ""
    answer: str = ""
    why: str = ""
    options: tuple[str, ...] = ()
    first_option: Literal[0, 1] = 0
    conversations: str = ""
    group: str = ""
    labels: tuple[str, ...] = ()
    notes: dict[str, str] = Field(default_factory=dict)  # further facts: their name in the vocabulary, and the field

    def facts_of(self, values: Mapping[str, Any], classes: Mapping[str, Sequence[str]]) -> tuple[Fact, ...]:
        """The labels of a row, numbers of named classes by their names, and its `notes`."""
        found = [
            Fact("label", text, f"field:{name}", about=name)
            for name in self.labels
            for text in _each(value_at(values, name), classes.get(name, ()))
        ]
        found += [
            Fact(fact, text, f"field:{name}")
            for fact, name in sorted(self.notes.items())
            for text in _each(value_at(values, name), classes.get(name, ()))
        ]
        return (*self.declared_facts(), *found)

    def group_of(self, values: Mapping[str, Any], pseudonym: Pseudonym) -> str:
        named = plain(value_at(values, self.group)) if self.group else ""
        return pseudonym("patient", named) if named else ""

    def told(self, values: Mapping[str, Any], pictures: int) -> tuple[str, tuple[Asked, ...], bool]:
        """The text, the questions and whether they are one conversation.

        Raises `RecordError` `bad_conversation` and `bad_choice`."""
        text, asked, dialogue = self.spoken(values)
        text, asked = placed(text, asked, pictures)
        return text, asked, dialogue

    def spoken(self, values: Mapping[str, Any]) -> tuple[str, tuple[Asked, ...], bool]:
        """The same with the placeholders of media where they stand."""
        text = plain(value_at(values, self.text)) if self.text else ""
        turns = value_at(values, self.conversations) if self.conversations else None
        told = () if turns is None else exchanges(turns)
        asked = tuple(one for one in told if without(one.question))
        captions = [one.answer for one in told if not without(one.question)]
        text = "\n\n".join(t for t in (text, *captions) if t)
        return text, (*asked, *self.posed(values)), len(asked) > 1

    def posed(self, values: Mapping[str, Any]) -> tuple[Asked, ...]:
        """What the fields `question` and `answer` ask. Raises `RecordError` `empty_fields` and `bad_choice`."""
        questions, answers = (_listed(value_at(values, n)) if n else [] for n in (self.question, self.answer))
        if len(questions) != len(answers):
            raise RecordError("empty_fields", f"{len(questions)} questions and {len(answers)} answers", REMEDY)
        why = plain(value_at(values, self.why)) if self.why else ""
        options = options_of([value_at(values, name) for name in self.options])
        return tuple(question(q, a, options, self.first_option, why) for q, a in zip(questions, answers, strict=True))


def value_at(values: Any, name: str) -> Any:
    """A field, dots reaching into objects and JSON texts; None where there is none."""
    if isinstance(values, Mapping) and name in values:
        return values[name]
    for part in name.split(".", MAX_DEPTH):
        values = parsed(values)
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def parsed(value: Any) -> Any:
    """A text that is a JSON list or object as that, else the value as it is."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _listed(value: Any) -> list[str]:
    """What a field says: texts of a list, or the one text; nothing for an empty one."""
    several = value if isinstance(value, list | tuple) else [value]
    return [text for v in several if (text := plain(v))]


def _each(value: Any, names: Sequence[str]) -> Iterator[str]:
    for one in value if isinstance(value, list | tuple) else [value]:
        whole = isinstance(one, int) and not isinstance(one, bool) and 0 <= one < len(names)
        text = names[one] if whole else plain(one)
        if text:
            yield text


def options_of(fields: Sequence[Any]) -> dict[str, str]:
    """Options by letter: one field that holds them all, or one field each."""
    values = [parsed(v) for v in fields]
    if len(values) == 1 and isinstance(values[0], Mapping):
        return {str(k).strip(): plain(v) for k, v in values[0].items() if plain(v)}
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return {letter: text for letter, v in zip(LETTERS, values, strict=False) if (text := plain(v))}


def question(asked: str, answer: str, options: Mapping[str, str], first: int = 0, why: str = "") -> Asked:
    """A question; with options its answer as one of them. Raises `RecordError` `bad_choice`."""
    if not options:
        return Asked(asked, answer, why=why)
    texts = list(options.values())
    letter = answer.strip().rstrip(".):").lstrip("(").upper()
    number = int(answer) - first if answer.isdecimal() and len(answer) < 3 else -1
    right = answer if answer in texts else options.get(letter, texts[number] if 0 <= number < len(texts) else "")
    distinct = tuple(dict.fromkeys(texts))
    if not right or len(distinct) < 2:
        raise RecordError("bad_choice", f"an answer that is none of {len(distinct)} options", REMEDY)
    return Asked(asked, right, distinct, why=why)


def exchanges(turns: Any) -> tuple[Asked, ...]:
    """Turns as questions and answers, in order; what a model says unasked has an empty question.

    Raises `RecordError` `bad_conversation`."""
    told = [pair for turn in _turns(parsed(turns)) for pair in turn]
    roles = ["asks" if r in ASKING else "answers" if r in ANSWERING else r for r, _ in told if r != "system"]
    texts = [text.strip() for r, text in told if r != "system"]
    if set(roles) == {"answers"} and all(texts):
        return tuple(Asked("", text) for text in texts)
    if not roles or set(roles[::2]) != {"asks"} or set(roles[1::2]) != {"answers"} or len(roles) % 2:
        raise RecordError("bad_conversation", "turns that do not alternate from a user's to a model's", REMEDY)
    if not all(texts):
        raise RecordError("bad_conversation", "a turn without words", REMEDY)
    return tuple(Asked(q, a) for q, a in zip(texts[::2], texts[1::2], strict=True))


def _turns(turns: Any) -> Iterator[list[tuple[str, str]]]:
    for turn in turns if isinstance(turns, list) else [None]:
        if not isinstance(turn, dict):
            raise RecordError("bad_conversation", "no list of turns", REMEDY)
        if "human" in turn and "assistant" in turn:
            yield [("user", _words(turn["human"])), ("assistant", _words(turn["assistant"]))]
        else:
            role = str(turn.get("from", turn.get("role", ""))).lower()
            yield [(role, _words(turn.get("value", turn.get("content"))))]


def _words(content: Any) -> str:
    """A turn's text; of a list of parts the texts, with a placeholder for each medium."""
    if isinstance(content, list):
        parts = [p if isinstance(p, dict) else {"type": "text", "text": p} for p in content]
        return " ".join(plain(p.get("text")) if p.get("type") in TEXTS else "<image>" for p in parts)
    return plain(content)


def placed(text: str, asked: tuple[Asked, ...], pictures: int) -> tuple[str, tuple[Asked, ...]]:
    """Texts with `PICTURE` for each placeholder where they are as many as the pictures, which are several, and in
    order; else without any."""
    told = [text, *(t for a in asked for t in (a.question, a.answer))]
    numbers = [found[1] for one in told for found in HOLDER.finditer(one)]
    in_order = [n for n in numbers if n] in ([], [str(k) for k in range(1, pictures + 1)])
    keep = pictures > 1 and len(numbers) == pictures and in_order
    cleaned: Callable[[str], str] = (lambda one: HOLDER.sub(PICTURE, one)) if keep else without
    return cleaned(text), tuple(Asked(cleaned(a.question), cleaned(a.answer), a.options, a.about, a.why) for a in asked)


def without(text: str) -> str:
    """A text without placeholders; the blanks around each become one."""
    if not HOLDER.search(text):
        return text
    return re.sub(r"[ \t]{2,}", " ", re.sub(r"^\s+|\s+$", "", HOLDER.sub(" ", text)).replace(" \n", "\n")).strip()


def split_in(path: str) -> str:
    """The split that the words of a path name (`data/train-00000.parquet`), the last one; "" for none."""
    words = re.split(r"[._\-\s/]+", path.lower())
    return next((SPLIT_WORDS[w] for w in reversed(words) if w in SPLIT_WORDS), "")


# --------------------------------------------------------------------------------------------------------------- media
def medium_of(data: bytes, name: str = "") -> str:
    """The ending of an encoded medium, by its first bytes, else by its name; "" for none that is known."""
    if kind := kind_of(data):
        return kind
    if data[4:8] == b"ftyp":
        return "mov" if data[8:10] == b"qt" else "mp4"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "webm"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "avi"
    return ending_of(name)


def ending_of(name: str) -> str:
    """The ending of a medium's name, lower case; "" where it is none of a medium."""
    lower = PurePosixPath(name).name.lower()
    if lower.endswith("nii.gz"):
        return "nii.gz"
    ending = lower.rpartition(".")[2]
    return ending if ending in (*PICTURES, *CLIPS, *VOLUMES) else ""


def form_of(endings: Sequence[str]) -> Form:
    """The form of a record by its media's endings. Raises `RecordError` `mixed_media`."""
    forms: set[Form] = {
        "picture" if e in PICTURES else "clip" if e in CLIPS else "volume" if e in VOLUMES else "none" for e in endings
    }
    if not forms:
        return "text"
    (form, *others) = forms
    if others or form == "none" or (form != "picture" and len(endings) > 1):
        raise RecordError("mixed_media", f"media of {', '.join(sorted(set(endings)))} in one row", "one medium a row")
    return form
