"""Questions and captions as upstream published them, read in upstream's layout."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sources import BY_NAME, mini
from sources.base import Item, Place
from tests.sources.listing import items_of

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
pytestmark = [pytest.mark.shared_data, pytest.mark.slow]


def _data(folder: str) -> Path:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"../shared/data/{folder} is not here")
    return SHARED / folder


def _items(name: str, root: Path, **keys: list[str]) -> list[Item]:
    return items_of(BY_NAME[name].model_validate({"source": name, **keys}), Place(root, root))


def test_vqa_rad_as_published_gives_each_question_of_a_present_image_once(tmp_path: Path) -> None:
    folder = _data("vqa-rad-subset")
    rows = json.loads((folder / "VQA_RAD Dataset Public.json").read_text())
    there = {p.name for p in (folder / "images").iterdir()}
    train = [r for r in rows if not r["phrase_type"].startswith("test")]
    items = _items("vqa_rad", folder)
    pictures = [i for i in items if i.form == "picture"]
    asked = Counter((i.upstream_id, a.question, a.answer) for i in pictures for a in i.asked)
    wanted = Counter(
        (r["image_name"], r["question"].strip(), str(r["answer"]).strip()) for r in train if r["image_name"] in there
    )
    assert asked == wanted
    assert len(pictures) == len({r["image_name"] for r in train} & there)
    reasons = Counter(i.reason for i in items if i.form == "none")
    assert reasons["other_split"] == len(rows) - len(train) == 451
    assert reasons["media_missing"] == len([r for r in train if r["image_name"] not in there])
    both = _items("vqa_rad", folder, splits=["train", "test"])
    assert sum(len(i.asked) for i in both) == sum(r["image_name"] in there for r in rows)
    assert all(i.group for i in pictures)


def test_slake_as_published_gives_each_question_in_both_languages(tmp_path: Path) -> None:
    rows = json.loads((_data("text-vqa-slake") / "validate.json").read_text())
    (tmp_path / "validate.json").write_text(json.dumps(rows, ensure_ascii=False))
    (tmp_path / "train.json").write_text("[]")
    rng = np.random.default_rng(5)
    there = sorted({r["img_name"] for r in rows})[:3]
    for name in there:
        mini.picture(tmp_path / "imgs" / name, mini.pixels(rng))
    items = _items("slake", tmp_path, splits=["validation"])
    pictures = {i.upstream_id: i for i in items if i.form == "picture"}
    assert sorted(pictures) == there
    for name, item in pictures.items():
        wanted = [(r["question"], r["answer"]) for r in rows if r["img_name"] == name]
        assert [(a.question, a.answer) for a in item.asked] == [(q.strip(), a.strip()) for q, a in wanted]
        assert {f.value for f in item.facts if f.name == "modality"} <= {"CT", "MR", "DX"}
    missing = sum(r["img_name"] not in there for r in rows)
    assert Counter(i.reason for i in items)["media_missing"] == missing
    english = _items("slake", tmp_path, splits=["validation"], languages=["en"])
    assert Counter(i.reason for i in english)["other_language"] == sum(r["q_lang"] == "zh" for r in rows)


def test_real_captions_of_roco_are_told_with_article_and_licence(tmp_path: Path) -> None:
    lines = (_data("text-captions-roco") / "captions_cc_by.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    folder = tmp_path / "data/train/radiology"
    mini.text(folder / "captions.txt", "".join(f"{r[0]}\t {r[3]}\n" for r in rows))
    mini.text(folder / "licences.txt", "".join(f"{r[0]},{r[1]},{r[2]}\n" for r in rows))
    rng = np.random.default_rng(5)
    for _, name, *_ in rows[:40]:
        mini.picture(folder / "images" / name, mini.pixels(rng, 40, 40))
    items = _items("roco", tmp_path)
    pictures = [i for i in items if i.form == "picture"]
    assert [(i.upstream_id, i.text) for i in pictures] == [(r[0], " ".join(r[3:]).strip()) for r in rows[:40]]
    assert [[f.value for f in i.facts if f.about == "licence"] for i in pictures] == [[r[2]] for r in rows[:40]]
    assert len({i.group for i in pictures}) == len({r[1].split("_")[0] for r in rows[:40]})
    assert Counter(i.reason for i in items)["media_missing"] == len(rows) - 40
