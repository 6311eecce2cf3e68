"""Whatever is changed in a sample whose every digest was made anew is named: it no longer follows from the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.arrays import decode_npy_gz, encode_npy_gz
from curate.audit import verify
from curate.audit.findings import Finding
from manifests.record import canonical_json
from tests.forge import (
    Fields,
    edit_json,
    find_sample,
    reseal,
    rewrite,
)

pytestmark = pytest.mark.slow

Json = dict[str, Any]


def found(out: Path, check: str) -> list[Finding]:
    return [f for f in verify(out).findings if f.check == check]


def checks(out: Path) -> set[str]:
    return {f.check for f in verify(out).findings}


def talks(program: str) -> Callable[[Json], bool]:
    """Whether a sample is a conversation with a proof by this program."""
    return lambda s: s["stage"] == "sft" and any(p["call"].startswith(program + "(") for p in s["proofs"])


def turn_of(sample: Json, program: str, options: bool = False) -> int:
    """The last turn that this program proves, of those that choose from options or of the others."""
    said = sample["conversations"]
    turns = [int(p["turn"]) for p in sample["proofs"] if p["call"].startswith(program + "(")]
    return [turn for turn in turns if ("\nA. " in said[turn - 1]["content"]) == options][-1]


ANSWERS: dict[str, tuple[str, Callable[[str], str]]] = {
    "a volume": ("volume_ml", lambda text: text.replace(" mL", "9 mL")),
    "a unit": ("volume_ml", lambda text: text.replace("mL", "L")),
    "a length": ("longest_axis_mm", lambda text: f"1{text}" if text[0].isdigit() else text.replace(" mm", "5 mm")),
    "a count": ("count", lambda text: "999 separate parts."),
    "slices": ("slice_range", lambda text: "Slices 1 to 2, counting from 0."),
    "a side": ("is_left_of", lambda text: ("No" if text.startswith("Yes") else "Yes") + text.partition(".")[2]),
    "a denial": (
        "is_left_of",
        lambda text: (
            text.replace(" does not lie", " lies").replace(" is not", " is")
            if " not " in text
            else text.replace(" lies", " does not lie").replace(" is ", " is not ")
        ),
    ),
    "the option's letter": ("longest_axis_mm", lambda text: ("B" if text[0] == "A" else "A") + text[1:]),
    "the option": ("longest_axis_mm", lambda text: text[:3] + "liver"),
    "a number more": ("extent_mm", lambda text: f"{text} The tumour measures 12 mm."),
    "the source's own words": ("span", lambda text: "no" if text == "yes" else "yes"),
}


@pytest.mark.parametrize("edit", ANSWERS)
def test_an_edited_answer_is_named_although_all_digests_are_new(copied: Path, edit: str) -> None:
    program, change = ANSWERS[edit]
    shard, key, sample = find_sample(copied, talks(program))
    turn = turn_of(sample, program, edit.startswith("the option"))
    before = sample["conversations"][turn]["content"]
    assert change(before) != before
    edit_json(copied, shard, key, lambda s: s["conversations"][turn].update(content=change(before)))
    named = found(copied, "not_stated")
    assert any(shard in f.where and key in f.where for f in named), verify(copied).text()
    assert not {"file_sha256", "sample_sha256", "merkle_root"} & checks(copied)


def test_values_that_change_places_in_a_caption_are_named(copied: Path) -> None:
    shard, key, sample = find_sample(copied, lambda s: s["stage"] == "pretrain" and "(" in s["text"])
    first, second, *_ = (p["value"] for p in sample["proofs"] if p["call"].startswith("volume_ml"))
    text = sample["text"].replace(first, "#").replace(second, first).replace("#", second)
    edit_json(copied, shard, key, lambda s: s.update(text=text))
    assert any(key in f.where for f in found(copied, "not_stated"))


def test_a_question_about_another_structure_is_named(copied: Path) -> None:
    shard, key, sample = find_sample(copied, talks("count"))
    turn = turn_of(sample, "count")

    def edit(said: Json) -> None:
        for one in (turn - 1, turn):
            said["conversations"][one]["content"] = said["conversations"][one]["content"].replace("nodules", "kidneys")

    edit_json(copied, shard, key, edit)
    assert any(key in f.where for f in found(copied, "not_stated"))


def test_an_edited_gold_is_named(copied: Path) -> None:
    for number, sample_of in enumerate(("number", "yes_no", "mcq", "label")):
        shard, key, sample = find_sample(copied, _asks(sample_of))
        gold = sample["answer"]["gold"]
        other = {"number": "1" + gold, "yes_no": "no" if gold == "yes" else "yes", "mcq": "B" if gold == "A" else "A"}
        edit_json(copied, shard, key, _set_gold(other.get(sample_of, gold + "|liver")))
        assert len({f.where for f in found(copied, "not_stated")}) == number + 1
        assert any(key in f.where for f in found(copied, "not_stated"))


def _asks(kind: str) -> Callable[[Json], bool]:
    return lambda sample: bool(sample.get("answer", {}).get("type") == kind)


def _set_gold(gold: str) -> Callable[[Json], None]:
    return lambda sample: sample["answer"].update(gold=gold)


def test_an_altered_mask_fails_the_proofs_that_look_at_it(copied: Path) -> None:
    shard, key, _ = find_sample(copied, talks("volume_ml"))

    def edit(fields: Fields) -> None:
        labels = decode_npy_gz(fields["masks.npy.gz"])
        labels[:, :4] = 0
        fields["masks.npy.gz"] = encode_npy_gz(labels)
        fields["json"] = _with_media(fields["json"], "masks.npy.gz", fields["masks.npy.gz"])

    rewrite(copied, shard, key, edit)
    reseal(copied)
    named = [f for f in found(copied, "proof") if key in f.where and shard in f.where]
    assert any("volume_ml(mask=" in f.found and "recomputed" in f.found for f in named), verify(copied).text()


def _with_media(data: bytes, member: str, content: bytes) -> bytes:
    sample = json.loads(data)
    for media in sample["media"]:
        if media["member"] == member:
            media.update(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    return canonical_json(sample).encode()


def test_media_that_are_not_what_the_sample_says_are_named(copied: Path) -> None:
    shard, key, _ = find_sample(copied, talks("volume_ml"))

    def edit(fields: Fields) -> None:
        volume = decode_npy_gz(fields["volume.npy.gz"])[1:]
        fields["volume.npy.gz"] = encode_npy_gz(volume.astype(np.float32))
        fields["json"] = _with_media(fields["json"], "volume.npy.gz", fields["volume.npy.gz"])

    rewrite(copied, shard, key, edit)
    reseal(copied)
    assert any(key in f.where and "float32" in f.found for f in found(copied, "media_shape"))


SAMPLE_EDITS: dict[str, tuple[Callable[[Json], Any], str]] = {
    "another licence": (lambda s: s.update(licence="CC0-1.0"), "licence"),
    "another patient": (lambda s: s.update(group="f" * 24), "group"),
    "another key": (lambda s: s.update(key="0" * 32), "sample_key"),
    "another record": (lambda s: s.update(record="0" * 32), "record"),
    "another stage": (lambda s: s.update(stage="rlvr"), "stage"),
    "another split": (lambda s: s.update(split="test"), "split"),
    "a missing key": (lambda s: s.pop("facts"), "sample_json"),
    "a key more": (lambda s: s.update(extra=1), "sample_json"),
    "a text for a number": (lambda s: s["media"][0].update(size_bytes="5"), "sample_json"),
    "two turns of the user": (lambda s: s["conversations"].insert(0, s["conversations"][0]), "conversations"),
    "an empty turn": (lambda s: s["conversations"][0].update(content=" "), "conversations"),
    "no turn": (lambda s: s.update(conversations=[]), "conversations"),
    "a failed check": (lambda s: s["verdicts"][0].update(passed=False), "verdict"),
    "no check": (lambda s: s.update(verdicts=[]), "verdict"),
    "no proof": (lambda s: s.update(proofs=[]), "not_stated"),
    "another value": (lambda s: s["proofs"][-1].update(value="spleen"), "proof"),
    "a program that is none": (lambda s: s["proofs"][-1].update(call="exec(x=1)"), "proof"),
    "no program at all": (lambda s: s["proofs"][-1].update(call="?"), "proof"),
    "another shape": (lambda s: s["media"][0].update(shape=[1, 2, 3]), "media_shape"),
    "a mask of no voxel": (lambda s: s["media"][1].update(value=77), "mask"),
    "an unlisted member": (lambda s: s["media"].pop(), "proof"),
    "a singular affine": (lambda s: [m.update(affine=[[0.0] * 4] * 4) for m in s["media"]], "proof"),
    "an endless affine": (lambda s: [m.update(affine=[[1e308] * 4] * 4) for m in s["media"]], "proof"),
    "a teacher without request": (lambda s: s["teacher"].update(model="gpt"), "teacher"),
}


@pytest.mark.parametrize("edit", SAMPLE_EDITS)
def test_an_edited_sample_is_named_although_all_digests_are_new(copied: Path, edit: str) -> None:
    change, check = SAMPLE_EDITS[edit]
    shard, key, _ = find_sample(copied, talks("volume_ml"))
    edit_json(copied, shard, key, change)
    assert any(shard in f.where and key in f.where for f in found(copied, check)), verify(copied).text()


def test_a_prompt_without_a_gold_or_with_an_unknown_verifier_is_named(copied: Path) -> None:
    prompts = [find_sample(copied, _asks(t)) for t in ("number", "mcq")]
    edit_json(copied, *prompts[0][:2], lambda s: s.pop("answer"))
    edit_json(copied, *prompts[1][:2], lambda s: s["answer"].update(verifier="trust_me"))
    assert prompts[0][1] in found(copied, "answer")[0].where
    assert prompts[1][1] in found(copied, "verifier")[0].where


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"nan", b'{"key":NaN}', b'{"key": "\xff"}', b"[" * 5000])
def test_a_sample_that_is_no_json_is_a_finding_and_no_crash(copied: Path, data: bytes) -> None:
    shard, key, _ = find_sample(copied, talks("span"))
    rewrite(copied, shard, key, lambda fields: fields.update(json=data))
    assert any(key in f.where for f in found(copied, "sample_json"))
