"""The parsers of text: rows, tables, recipes, prompts, answers of models, boxes, and our own JSON that comes back."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import socket
from typing import Any

from curate.audit.shards import Tar
from curate.deidentify.text import clean_words, scrub_text
from curate.handover import item_of, received
from curate.recipe import load as load_recipe
from curate.sandbox.wire import GarbledError, Wire
from curate.text import comparison, minhash, normalise, quality
from curate.volume.key_slices import indices_of, mentions
from curate.volume.landmarks import landmark_facts, read_landmarks
from manifests.errors import RecipeError, RecordError, Reject, TeacherError, VerificationError
from manifests.manifest import read_manifest
from manifests.record import parts_of, record_from_json, to_json
from manifests.sample import Answer
from sources.base import Entry, Item, Place
from sources.icd10cm import Icd10Cm
from sources.jsonl_text import JsonlText, blocks
from sources.video_table import VideoTable
from synth import boxes
from synth.calls import format_call, parse_call
from synth.chat import error_code, reply_from
from synth.prompting import as_data, parse
from synth.quantities import quantities
from synth.requests import Answered as ReplyAnswered
from synth.verifiers import verify_answer
from synth.verify import faithfulness
from synth.written import check_text, read_fields
from tests.fuzz import text_seeds as seeds
from tests.fuzz.target import Target, check_facts, check_words, file_of, scratch

# Made once: to check a licence takes a hundred times as long as to read a row
JSONL = JsonlText.model_validate(
    {"source": "jsonl_text", "root": ".", "text": "text", "question": "data.question", "answer": "data.answer",
     "id": "id", "labels": ["label"], "group": "group"}
)  # fmt: skip
CLIPS = VideoTable.model_validate(
    {"source": "video_table", "root": ".", "table": "clips.csv", "video": "video", "text": "text", "labels": ["label"],
     "start": "start", "end": "end", "group": "patient"}
)  # fmt: skip
ICD = Icd10Cm.model_validate({"source": "icd10cm", "root": ".", "chapters": ["1"]})
MOST_TEXT = 2000  # characters of an answer: several times what a prompt asks for
VERIFIERS = (
    "number", "numbers", "label", "yes_no", "mcq", "angle", "box", "range", "date_interval", "time", "side", "mask",
    "set", "ordered_list", "span",
)  # fmt: skip
# What `curate.sandbox.run` takes for an answer that is none, as `curate.handover` documents
NO_ANSWER = (ValueError, TypeError, LookupError, AttributeError)


def _pseudonym(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}{value}".encode()).hexdigest()[:24]


def _check_item(item: Item) -> None:
    """An item crosses the sandbox as JSON, and its texts go to the ledger."""
    said = json.dumps([item.upstream_id, item.text, *parts_of(item.asked), item.found], ensure_ascii=False)
    said.encode()
    check_words(item.found)
    check_facts(item.facts)


def jsonl_rows(data: bytes) -> None:
    """Every line that is not blank ends as one item, in blocks of any size."""
    path = file_of(data, "rows.jsonl")
    assert sum(length for _, length, _ in blocks(path, 64)) == len(data)
    entry = Entry(path.name, len(data), "0" * 64, JSONL.peek(path, _pseudonym))
    place = Place(scratch(), scratch())
    items = list(JSONL.items(place, [entry], _pseudonym))
    rows = [row for item in items if item.form == "rows" for row in JSONL.rows(item, place, _pseudonym)]
    assert len(rows) == sum(1 for line in data.split(b"\n") if line.strip())
    for row in rows:
        _check_item(row)


def table_rows(data: bytes) -> None:
    """A table of clips with times as people write them."""
    (scratch() / "table").mkdir(exist_ok=True)
    place = Place(scratch() / "table", scratch())
    (place.root / "clips.csv").write_bytes(data)
    inventory = [Entry(n, 1, "0" * 64, {}) for n in ("a.mp4", "b.mp4", "clips.csv")]
    for item in CLIPS.items(place, inventory, _pseudonym):
        _check_item(item)


def xml_list(data: bytes) -> None:
    (scratch() / "xml").mkdir(exist_ok=True)
    place = Place(scratch() / "xml", scratch())
    name = f"tabular-{hashlib.sha256(data).hexdigest()[:16]}.xml"  # the parsed list is remembered by its path
    path = place.root / name
    path.write_bytes(data)
    try:
        for item in ICD.items(place, [Entry(name, len(data), "0" * 64, {})], _pseudonym):
            for row in ICD.rows(item, place, _pseudonym) if item.form == "rows" else ():
                _check_item(row)
    finally:
        path.unlink()


def recipe(data: bytes) -> None:
    """A recipe that is taken says the same when it is read from what it says."""
    read, _ = load_recipe(str(file_of(data, "recipe.yaml")))
    json.dumps(read.identity()).encode()


def prompt(data: bytes) -> None:
    parse("a", data)


def wire_messages(data: bytes) -> None:
    """What a parser's process may send to its worker."""
    mine, theirs = socket.socketpair()
    with mine, theirs:
        theirs.setblocking(False)
        sent = theirs.send(data[:60_000]) if data else 0
        theirs.close()
        line, taken = Wire(mine), 0
        while (message := line.receive()) is not None:
            taken += 1
            _believed(message)
        assert taken * 5 <= sent


def _believed(message: tuple[bytes, Any]) -> None:
    with contextlib.suppress(*NO_ANSWER):
        received(message[1], scratch())


def tar_members(data: bytes) -> None:
    """A shard as `curate verify` reads it, from front to end."""
    tar = Tar(io.BytesIO(data), len(data))
    try:
        for member in tar.members():
            assert member.offset % 512 == 0
            member.strange.encode("utf-8", "surrogateescape")
    finally:
        assert tar.rest() == hashlib.sha256(data).hexdigest()


def own_json(data: bytes) -> None:
    """Our own JSON, when it comes back: a record, a manifest, an item, an answer of the sandbox."""
    kind, text = (data[0] % 4 if data else 0), data[1:].decode("utf-8", "replace")
    if kind == 0:
        to_json(record_from_json(text))
    elif kind == 1:
        (scratch() / "out").mkdir(exist_ok=True)
        (scratch() / "out" / "manifest.json").write_bytes(data[1:])
        read_manifest(scratch() / "out")
    elif kind == 2:
        item_of(json.loads(text))
    else:
        received(json.loads(text), scratch())


def answers(data: bytes) -> None:
    """A response and its gold: a verdict, never an error."""
    kind, (gold, _, said) = (data[0] % len(VERIFIERS) if data else 0), data[1:].partition(b"\0")
    response = said.decode("utf-8", "replace")
    verifier = VERIFIERS[kind]
    for unit in ("", "mm"):
        verdict = verify_answer(response, Answer(verifier, gold.decode("utf-8", "replace"), verifier, unit, 0.05))
        assert verdict.score in (0.0, 1.0)


def model_text(data: bytes) -> None:
    """Free text of a model or a source: numbers, slices, claims, names."""
    text = data.decode("utf-8", "replace")[:MOST_TEXT]
    for found in quantities(text, words=None):
        assert text[found.start : found.end] == found.token
    indices_of(mentions(text), 40)
    for verdict in (*faithfulness(text, (), 0), *check_text(text, text, 0.5, 400, 0)):
        assert 0 <= verdict.score <= 1
        verdict.evidence.encode()


def box_texts(data: bytes) -> None:
    """A text in every dialect of boxes, as a call, and as slices; whatever is read lies in the image."""
    text = data.decode("utf-8", "replace")
    for dialect in boxes.DIALECTS_2D:
        try:
            box = boxes.parse_box(text, dialect, 48, 64)
        except VerificationError:
            continue
        assert 0 <= box.x0 <= box.x1 <= 64
        assert 0 <= box.y0 <= box.y1 <= 48
    with contextlib.suppress(VerificationError):
        boxes.parse_m3d(text, (4, 5, 6))
    with contextlib.suppress(VerificationError):
        boxes.box_of(text)
    assert format_call(parse_call(text)) == text


def points(data: bytes) -> None:
    name = ("a.mrk.json", "a.csv", "a.fcsv")[data[0] % 3 if data else 0]
    found = read_landmarks(file_of(data[1:], name))
    check_facts(landmark_facts(found, name))


def replies(data: bytes) -> None:
    """What a teacher's server answers: the envelope, an error's body, and the JSON that the model wrote."""
    text = data.decode("utf-8", "replace")
    error_code(data)
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return
    reply = reply_from(whole)
    answered = ReplyAnswered(reply=reply, error=None, key="", cached=False, author=None)  # type: ignore[arg-type]
    fields, verdicts = read_fields(answered, ("caption",), 0)
    for value in fields.values():
        check_text(value, value, 0.5, 400, 0)
    assert verdicts


def free_text(data: bytes) -> None:
    """The words of a source: normalised, scrubbed, compared, and handed to a teacher as data."""
    text = normalise(data.decode("utf-8", "replace"))
    assert normalise(text) == text
    scrubbed, _ = scrub_text(text, ("John Smith", "Ａ1"))
    scrubbed.encode()
    clean_words(text, frozenset({"chest", "pa"}), frozenset({"smith"}))
    minhash(comparison(text))
    assert "<|" not in as_data(text)
    quality(text)


TARGETS = (
    Target("jsonl_rows", jsonl_rows, seeds.jsonl),
    Target("table_rows", table_rows, seeds.tables, allows=(RecordError, RecipeError)),
    Target("xml_list", xml_list, seeds.xml),
    Target("recipe", recipe, seeds.recipes, allows=(RecipeError,), share=0.1),
    Target("prompt", prompt, seeds.prompts, allows=(RecipeError,), share=0.3),
    Target("wire_messages", wire_messages, seeds.messages, allows=(GarbledError,)),
    Target("tar_members", tar_members, seeds.tars, allows=(VerificationError,), share=0.8),
    Target("own_json", own_json, seeds.documents, allows=(*NO_ANSWER, RecipeError, VerificationError)),
    Target("answers", answers, seeds.answers),
    Target("model_text", model_text, lambda: [*seeds.texts(), *seeds.boxes(), *seeds.replies()]),
    Target("box_texts", box_texts, seeds.boxes, allows=(VerificationError,)),
    Target("points", points, seeds.landmarks),
    Target("replies", replies, seeds.replies, allows=(TeacherError,)),
    Target("free_text", free_text, seeds.texts, allows=(Reject,)),
)
