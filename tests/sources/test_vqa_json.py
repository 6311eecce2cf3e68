"""Questions and conversations in the JSON of trainers: one record per medium, whatever the form; exports come back."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.formats.base import Asked as Wanted
from curate.formats.base import MediaFiles, Sample
from curate.formats.llava import Llava
from curate.formats.ms_swift import MsSwift
from manifests.errors import RecordError
from manifests.record import Asked
from manifests.sample import StageName
from sources import mini
from sources.base import PICTURE, Item, Place
from sources.generic.fields import exchanges
from sources.generic.layouts import paths_of, written_out
from sources.generic.vqa_json import VqaJson
from tests.sources.listing import entries_of, pseudonym

WORDS = st.lists(st.text("abcdefgh.?", min_size=2, max_size=4), min_size=1, max_size=3).map(" ".join)
SAID = st.lists(st.tuples(WORDS, WORDS), min_size=2, max_size=4, unique_by=lambda p: p[0])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=6) | st.just("<image>") | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["from", "role", "value", "content", "type", "text", "question", "answer"]), inner
        )
    ),
    max_leaves=8,
)
KEYS = ["image", "images", "video", "messages", "conversations", "qa", "questions", "question", "answer", "answers",
        "options", "history", "query", "response", "solution", "objects", "text", "id", "split"]  # fmt: skip


def read(root: Path, rows: list[dict[str, Any]], **named: Any) -> list[Item]:
    mini.json_file(root / "rows.json", rows)
    return listed(root, **named)


def listed(root: Path, **named: Any) -> list[Item]:
    source = VqaJson.model_validate({"source": "vqa_json", **named})
    return list(source.items(place := Place(root, root), entries_of(source, place), pseudonym))


def turns(said: list[tuple[str, str]], who: str, what: str, roles: tuple[str, str]) -> list[dict[str, str]]:
    return [{who: role, what: text} for pair in said for role, text in zip(roles, pair, strict=True)]


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(SAID)
def test_one_record_of_all_questions_in_whatever_form_they_stand(said: list[tuple[str, str]]) -> None:
    llava = turns(said, "from", "value", ("human", "gpt"))
    swift = turns(said, "role", "content", ("user", "assistant"))
    parts: list[dict[str, Any]] = [{**t, "content": [{"type": "text", "text": t["content"]}]} for t in swift]
    parts[0]["content"].insert(0, {"type": "image_url", "image_url": {"url": "file:///elsewhere/a.png"}})
    (asked, replied), earlier = said[-1], [list(p) for p in said[:-1]]
    pairs = [{"question": q, "answer": a} for q, a in said]
    of_one: dict[str, list[dict[str, Any]]] = {
        "llava": [{"image": "a.png", "conversations": [{**llava[0], "value": f"<image>\n{said[0][0]}"}, *llava[1:]]}],
        "swift": [{"images": [{"path": "a.png"}], "messages": [{"role": "system", "content": "Be brief."}, *swift]}],
        "openai": [{"messages": parts}],
        "alpaca": [{"image": "a.png", "query": asked, "response": replied, "history": earlier}],
        "list": [{"image": "a.png", "qa": pairs}],
        "lists": [{"image": "a.png", "questions": [q for q, _ in said], "answers": [a for _, a in said]}],
        "rows": [{"image": name, **pair} for pair, name in zip(pairs, ["a.png", "x/a.png"] * 2, strict=False)],
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "a.png").write_bytes(b"x")
        for form, rows in of_one.items():
            one, table = read(root, rows)
            assert one.asked == tuple(Asked(q, a) for q, a in said), form
            assert one.dialogue == (form in ("llava", "swift", "openai", "alpaca")), form
            assert [f.path for f in one.files] == ["a.png", *["rows.json"] * len(rows)]
            assert table.reason == "not_a_record"


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), max_size=4))
def test_every_row_ends_in_exactly_one_item_whatever_it_holds(rows: list[dict[str, Any]]) -> None:
    rows = json.loads(json.dumps(rows))
    with tempfile.TemporaryDirectory() as folder:
        found = Counter(f.fragment for item in read(Path(folder), rows) for f in item.files if f.fragment)
    assert found == Counter(f"line={n}" for n in range(1, len(rows) + 1))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_turns_are_exchanges_or_refused_by_name(value: Any) -> None:
    told: tuple[Asked, ...] = ()
    with contextlib.suppress(RecordError):
        told = exchanges(value)
        assert told
    assert all(one.answer for one in told)


def test_what_is_said_unasked_is_text_and_a_solution_is_the_answer(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "b.png").write_bytes(b"y")
    gold = json.dumps({"type": "quantity", "gold": "12.5", "unit": "mL"})
    rows: list[dict[str, Any]] = [
        {"image": "a.png", "messages": [{"role": "assistant", "content": "<image>A normal chest."}]},
        {"image": "a.png", "messages": [{"role": "user", "content": "Volume?"}], "solution": gold},
        {
            "image": "b.png",
            "conversations": turns([("<image>", "Lobar pneumonia.")], "from", "value", ("human", "gpt")),
        },
        {"image": "b.png", "question": "Side?", "answer": 1, "choices": ["left", "right"], "group": "2"},
        {"image": "b.png", "question": "Age?", "answer": "40", "group": "2"},
        {"image": "data:image/png;base64,AAAA", "question": "q", "answer": "a"},
    ]
    found = read(tmp_path, rows, group="group")
    one, other = (i for i in found if i.form == "picture")
    assert [i.reason for i in found if i.form == "none"] == ["media_inline", "not_a_record"]
    assert (one.text, one.asked) == ("A normal chest.", (Asked("Volume?", "12.5 mL"),))
    assert (other.text, other.group) == ("Lobar pneumonia.", pseudonym("patient", "2"))
    assert other.asked == (Asked("Side?", "right", ("left", "right")), Asked("Age?", "40"))
    rows[3]["group"] = "3"
    assert "file_of_several_patients" in {i.reason for i in read(tmp_path, rows, group="group")}


def test_pictures_keep_their_places_in_one_row_and_get_names_in_several(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    ask = [("Here <image> is first, <image> second. Larger?", "The first."), ("Why?", "It is closer.")]
    row = {"image": ["a.png", "b.png"], "conversations": turns(ask, "from", "value", ("human", "gpt"))}
    alone = read(tmp_path, [row])[0]
    assert alone.asked[0].question == f"Here {PICTURE} is first, {PICTURE} second. Larger?"
    later = {"images": ["a.png", "b.png"], "query": "<image>\n<image>\nSame patient?", "response": "Yes"}
    both = read(tmp_path, [row, later])[0]
    assert [a.question for a in both.asked] == [
        "Here [picture 1] is first, [picture 2] second. Larger?", "Why?", "Same patient?",
    ]  # fmt: skip
    assert both.dialogue


def test_paths_come_from_fields_else_from_the_parts_of_turns() -> None:
    shown = [{"type": "video", "video": "v.mp4"}, {"type": "image", "image": "a.png"}, {"type": "text", "text": "t"}]
    row = {"messages": [{"role": "user", "content": shown}], "images": []}
    assert paths_of(row, ("image", "images")) == ["v.mp4", "a.png"]
    assert paths_of({**row, "images": ["b.png"]}, ("image", "images")) == ["b.png"]
    assert written_out({"messages": 3, "solution": "x"}) == ({"messages": 3, "solution": "x"}, ())


# ------------------------------------------------------------------------------------------------- exports come back
def sample(key: str, shown: dict[str, bytes], said: Sequence[tuple[str, ...]], **more: Any) -> Sample:
    kinds = {"png": ("image", [64, 64]), "mp4": ("video", [8, 64, 64, 3])}
    media = [
        {"member": m, "kind": kinds[m.rsplit(".")[-1]][0], "shape": kinds[m.rsplit(".")[-1]][1], "times_s": None}
        for m in shown
    ]
    talk = [{"role": r, "content": t} for pair in said for r, t in zip(("user", "assistant"), pair, strict=False)]
    return Sample(key, {"source": "s", "licence": "MIT", "media": media, "conversations": talk, **more}, shown)


@pytest.mark.parametrize("dialect", [Llava, MsSwift])
def test_what_is_exported_is_read_again(tmp_path: Path, dialect: type[Llava] | type[MsSwift]) -> None:
    rng = np.random.default_rng(5)
    for name in ("a.png", "b.png", "c.png"):
        mini.picture(tmp_path / name, mini.pixels(rng, 64, 64))
    mini.clip(tmp_path / "d.mp4", rng)
    data = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    one, two = {"png": data["a.png"]}, {"0.png": data["b.png"], "1.png": data["c.png"]}
    talk = [("Is the heart enlarged?", "Yes."), ("By how much?", "The ratio is 0.58.")]
    pair = [("First <image>, then <image>: what is new?", "An effusion on the left.")]
    made = [
        sample("k1", one, talk),
        sample("k2", one, [("Which view?", "Posteroanterior.")]),
        sample("k3", two, pair),
        sample("k4", {}, [("What lowers potassium?", "Insulin with glucose.")]),
    ]
    if dialect is MsSwift:
        made.append(sample("k5", {"mp4": data["d.mp4"]}, [("What moves?", "A disc.")]))
    root = tmp_path / "to"
    root.mkdir()
    written = dialect(Wanted(root, "sft"), MediaFiles(root))
    for each in made:
        written.add(each)
    written.finish()
    read_again = [i for i in listed(root) if i.form != "none"]
    assert {i.upstream_id: [(a.question, a.answer) for a in i.asked] for i in read_again} == {
        "k1": [*talk, ("Which view?", "Posteroanterior.")],
        "k3": [(pair[0][0].replace("<image>", PICTURE), pair[0][1])],
        **{s.key: [tuple(t for _, t in s.turns)] for s in made[3:]},
    }
    assert {i.upstream_id for i in read_again if i.dialogue} == {"k1"}
    for item in read_again:
        (of,) = (s for s in made if s.key == item.upstream_id)
        shown = [(root / f.path).read_bytes() for f in item.files if f.path.startswith("media/")]
        assert shown == list(of.members.values())


def test_exported_captions_and_prompts_are_read_again(tmp_path: Path) -> None:
    mini.picture(tmp_path / "a.png", mini.pixels(np.random.default_rng(6), 64, 64))
    shown = {"png": (tmp_path / "a.png").read_bytes()}
    caption: tuple[str, tuple[Asked, ...]] = ("A cyst of the liver.", ())
    cases: list[tuple[type[Llava] | type[MsSwift], StageName, tuple[str, tuple[Asked, ...]]]] = [
        (Llava, "pretrain", caption),
        (MsSwift, "pretrain", caption),
        (MsSwift, "rlvr", ("", (Asked("Which organ?", "liver"),))),
    ]
    for kind, stage, wanted in cases:
        said = [("Which organ?",)] if stage == "rlvr" else []
        root = tmp_path / f"{kind.NAME}-{stage}"
        root.mkdir()
        more = (
            {"text": "A cyst of the liver."} if stage == "pretrain" else {"answer": {"type": "label", "gold": "liver"}}
        )
        written = kind(Wanted(root, stage), MediaFiles(root))
        written.add(sample("k1", shown, said, **more))
        written.finish()
        (item,) = (i for i in listed(root) if i.form != "none")
        assert (item.text, item.asked) == wanted
