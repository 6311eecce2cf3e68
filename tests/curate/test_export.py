"""Trainers' dialects: every sample is a row or told as left out, marks fit media, the loaders' assertions hold."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from curate.cli import main
from curate.export import LEFT_OUT, NOTE, Exported, export
from curate.formats import DIALECTS
from curate.formats.base import Asked, Sample, UnfitError
from curate.formats.internvl import check_boxes
from curate.formats.packing import Packer
from curate.remix import LIST, asked, write
from manifests.manifest import read_manifest
from manifests.sample import StageName
from sources.mini import clip, picture, pixels, volume, voxels
from synth.tokens import sample_tokens
from tests.corpus import run_recipe
from tests.forge import samples_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
KEEP = {"faces": {"keep": "invented"}, "burned_in": {"keep": "invented"}}
PAIRS = [(d.NAME, stage) for d in DIALECTS for stage in d.STAGES]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, a clip, a CT with a mask and texts, the volume as slices."""
    return made(tmp_path_factory.mktemp("mixed"), "fleming_11x448")


def made(folder: Path, target: str) -> Path:
    rng = np.random.default_rng(3)
    for number in range(6):
        picture(folder / f"xr/{number}.png", pixels(rng))
    lines = ["file,caption,finding,patient"]
    lines += [f"{n}.png,Radiograph number {n} shows a finding of kind {n}.,kind {n},p{n // 2}" for n in range(6)]
    (folder / "xr/table.csv").write_text("\n".join(lines))
    clip(folder / "us/a.mp4", rng)
    grid, marked = voxels(rng)
    volume(folder / "ct/imagesTr/a.nii.gz", grid)
    volume(folder / "ct/labelsTr/a.nii.gz", marked)
    rows = [
        {"q": f"Which vitamin is number {n}?", "a": f"vitamin {n}", "t": f"Text {n} of vitamins."} for n in range(5)
    ]
    (folder / "qa.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    recipe = folder / "recipe.yaml"
    ct = {"source": "nifti_masks", "root": "ct", "licence": "CC-BY-4.0", "labels": {1: "liver", 2: "spleen"}}
    sources: list[dict[str, Any]] = [
        {"source": "image_table", "root": "xr", "table": "table.csv", "image": "file", "text": "caption",
         "labels": ["finding"], "group": "patient", "licence": "MIT", "facts": {"modality": "DX"}},
        {"source": "video_table", "root": "us", "licence": "MIT", "facts": {"modality": "US"}},
        {**ct, "facts": {"modality": "CT", "body_part": "abdomen"}},
        {"source": "jsonl_text", "root": "qa.jsonl", "question": "q", "answer": "a", "text": "t", "licence": "MIT"},
    ]  # fmt: skip
    render = {"volume": target, "video": {"fps": 2, "max_frames": 4}}
    recipe.write_text(yaml.safe_dump({"sources": sources, "deidentify": KEEP, "render": render, "seed": 1}))
    run_recipe(recipe, folder / "out")
    return folder / "out"


def exported(output: Path, name: str, to: Path, stage: StageName) -> Exported:
    return export(output, name, Asked(to, stage))


def packed(output: Path, stage: str) -> dict[str, dict[str, Any]]:
    shards = [s for s in read_manifest(output).shards if s.stage == stage and s.split == "train"]
    return {k: json.loads(f["json"]) for s in shards for k, f in samples_of(output / s.path)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stage"), PAIRS)
def test_every_sample_is_a_row_or_told_as_left_out(output: Path, tmp_path: Path, name: str, stage: StageName) -> None:
    done = exported(output, name, tmp_path / "to", stage)
    lost = [json.loads(line) for line in (tmp_path / "to" / LEFT_OUT).read_text().splitlines()]
    whole = packed(output, stage)
    assert done.rows + len(lost) == len(whole)
    assert {one["key"] for one in lost} <= set(whole)
    assert json.loads((tmp_path / "to" / NOTE).read_bytes())["rows"] == done.rows
    expected = {
        "llama_factory": {"media"},
        "m3d_csv": {"not_a_volume", "volume_target"},
        "medm_vl": {"not_hu", "video"},
    }
    assert set(done.left_out) <= expected.get(name, set())


@pytest.mark.slow
def test_marks_fit_media_and_files_are_there(output: Path, tmp_path: Path) -> None:
    exported(output, "llava", tmp_path / "llava", "sft")
    rows = json.loads((tmp_path / "llava/sft.json").read_bytes())
    many = 0
    for row in rows:
        images = row.get("image", [])
        images = [images] if isinstance(images, str) else images
        many = max(many, len(images))
        assert sum(turn["value"].count("<image>") for turn in row["conversations"]) == len(images)
        assert all((tmp_path / "llava" / path).is_file() for path in images)
        assert [t["from"] for t in row["conversations"]] == ["human", "gpt"] * (len(row["conversations"]) // 2)
    assert many == 11  # Fleming-VL's slices
    exported(output, "qwen_vl", tmp_path / "qwen", "sft")
    clips = [row for row in json.loads((tmp_path / "qwen/sft.json").read_bytes()) if "video" in row]
    assert len(clips) == 1
    assert clips[0]["conversations"][0]["value"].startswith("<video>\n")


@pytest.mark.slow
def test_internvl_s_assertions_hold(output: Path, tmp_path: Path) -> None:
    """internvl_chat_finetune.py@2410d1d: `.jsonl` asserted (:335), `length` of the meta, `repeat_time`, one `<image>`
    for each image (:462, :512), width and height beside them."""
    exported(output, "internvl", tmp_path / "to", "sft")
    meta = json.loads((tmp_path / "to/sft_meta.json").read_bytes())
    assert meta
    for entry in meta.values():
        assert entry["annotation"].endswith(".jsonl")
        rows = [json.loads(line) for line in (tmp_path / "to" / entry["annotation"]).read_text().splitlines()]
        assert entry["length"] == len(rows)
        for row in rows:
            images = row.get("image", [])
            listed = [images] if isinstance(images, str) else images
            assert sum(t["value"].count("<image>") for t in row["conversations"]) == len(listed)
            assert np.size(row.get("width", [])) == np.size(row.get("height", [])) == len(listed)
            assert "video" not in row


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("<ref>liver</ref><box>[[0, 10, 1000, 900]]</box>", True),
        ("<box>[[0, 10, 1001, 900]]</box>", False),
        ("<box>[[0.1, 0.2, 0.3, 0.4]]</box>", False),
        ("<box>[[9, 9, 3, 12]]</box>", False),
        ("<box>[[1, 2, 3]]</box>", False),
        ("no box", True),
    ],
)
def test_a_box_of_another_dialect_is_left_out(said: str, fits: bool) -> None:
    if fits:
        check_boxes(said)
    else:
        with pytest.raises(UnfitError, match="box_dialect"):
            check_boxes(said)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent")
def test_medm_vl_s_rows_have_the_keys_of_its_examples(output: Path, tmp_path: Path) -> None:
    hu = made(tmp_path / "hu", "canonical")
    exported(hu, "medm_vl", tmp_path / "to", "sft")
    rows = json.loads((tmp_path / "to/sft.json").read_bytes())
    for example, key in (("finetune_2d", "image"), ("finetune_3d", "image3d")):
        golden = json.loads((SHARED / f"format-medm-vl/{example}.json").read_bytes())[0]
        ours = next(row for row in rows if key in row)
        assert set(golden) <= set(ours)
        assert type(golden[key]) is type(ours[key])
        assert golden["conversations"][0].keys() == ours["conversations"][0].keys()
    array = np.load(tmp_path / "to" / next(row for row in rows if "image3d" in row)["image3d"][0])
    assert array.min() <= -900  # Hounsfield units, which its loader cuts itself


@pytest.mark.slow
def test_m3d_s_arrays_and_columns_are_those_of_its_loader(tmp_path: Path) -> None:
    whole = made(tmp_path / "m3d", "m3d_32x256x256")
    exported(whole, "m3d_csv", tmp_path / "to", "rlvr")
    with (tmp_path / "to/M3D_VQA_train.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows
    for row in rows:
        array = np.load(tmp_path / "to" / row["Image Path"])
        assert (array.shape, array.dtype) == ((1, 32, 256, 256), np.float32)
        assert 0 <= array.min() <= array.max() <= 1
        if row["Answer Choice"]:
            assert row[f"Choice {row['Answer Choice']}"] == row["Answer"]


@pytest.mark.slow
def test_verl_s_reward_gives_one_for_the_gold_and_nothing_else(output: Path, tmp_path: Path) -> None:
    exported(output, "verl", tmp_path / "to", "rlvr")
    spec = importlib.util.spec_from_file_location("compute_score", tmp_path / "to/compute_score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = pq.read_table(tmp_path / "to/train.parquet").to_pylist()
    for row in rows:
        truth = row["reward_model"]["ground_truth"]
        gold = json.loads(truth)
        said = f"<answer>{gold['gold'].split('|')[0]} {gold['unit']}</answer>"
        assert module.compute_score(row["data_source"], said, truth, row["extra_info"]) == 1.0
        assert module.compute_score(row["data_source"], "<answer>I cannot tell</answer>", truth) == 0.0
        assert sum(m["content"].count("<image>") for m in row["prompt"]) == len(row["images"])


@pytest.mark.slow
def test_vlmevalkit_s_table_has_pictures_slices_and_clips(output: Path, tmp_path: Path) -> None:
    exported(output, "vlmevalkit", tmp_path / "to", "rlvr")
    csv.field_size_limit(sys.maxsize)
    with (tmp_path / "to/train.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert {row["media"] for row in rows} >= {"volume", "video", "text"}
    assert [int(row["index"]) for row in rows] == list(range(len(rows)))
    for row in rows:
        if row["A"]:
            assert row[row["answer"]]
            assert row["A"] not in row["question"].split("\n")


def test_a_row_s_licence_covers_the_passages_that_its_prompt_shows() -> None:
    shown = [{"licence": one} for one in ("CC-BY-4.0", "MIT OR Apache-2.0", "CC0-1.0")]
    assert Sample("k", {"licence": "CC-BY-4.0"}, {}).licence == "CC-BY-4.0"
    told = Sample("k", {"licence": "CC-BY-4.0", "passages": shown}, {}).licence
    assert told == "CC-BY-4.0 AND (MIT OR Apache-2.0) AND CC0-1.0"


@pytest.mark.slow
def test_a_draw_list_decides_what_is_written_and_in_which_order(output: Path, tmp_path: Path) -> None:
    write(output, tmp_path / "mix", asked(output, "", ("mixture.stage_samples={rlvr: 9}", "mixture.by=kind")))
    export(output, "ms_swift", Asked(tmp_path / "to", "rlvr"), tmp_path / "mix" / LIST)
    drawn = [r for r in pq.read_table(tmp_path / "mix" / LIST).to_pylist() if r["stage"] == "rlvr"]
    rows = [json.loads(line) for line in (tmp_path / "to/rlvr.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [r["key"] for r in drawn if r["split"] == "train"]
    assert all(json.loads(row["solution"])["verifier"] for row in rows)


@pytest.mark.slow
def test_a_token_limit_leaves_longer_samples_out_by_name_and_a_system_message_stands_first(
    output: Path, tmp_path: Path
) -> None:
    whole = packed(output, "sft")
    tokens = {key: sum(sample_tokens(sample)) for key, sample in whole.items()}
    limit = sorted(tokens.values())[len(tokens) // 2]
    export(output, "ms_swift", Asked(tmp_path / "to", "sft", max_tokens=limit, system="Answer in one word."))
    rows = [json.loads(line) for line in (tmp_path / "to/sft.jsonl").read_text().splitlines()]
    lost = [json.loads(line) for line in (tmp_path / "to" / LEFT_OUT).read_text().splitlines()]
    assert {row["id"] for row in rows} == {key for key, number in tokens.items() if number <= limit}
    assert {(one["key"], one["reason"]) for one in lost} == {(k, "too_long") for k, n in tokens.items() if n > limit}
    assert all(row["messages"][0] == {"role": "system", "content": "Answer in one word."} for row in rows)


def test_what_cannot_be_exported_is_told_in_one_line(small_output: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for arguments, said in (
        (["--format", "llavva", "--to", "x"], "unknown format 'llavva' (did you mean 'llava'?)"),
        (["--format", "verl", "--to", "x"], "format 'verl' holds no 'sft'; it holds: rlvr"),
        (["--format", "llava", "--to", "there"], "is there already"),
        (["--format", "llava", "--to", "x", "--split", "test"], "no sample of sft/test; the output has: "),
    ):
        arguments = [str(tmp_path / a) if a in ("x", "there") else a for a in arguments]
        done = CliRunner().invoke(main, ["export", str(small_output), *arguments])
        assert done.exit_code == 2
        assert said in done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["there"]


@given(st.lists(st.integers(1, 100), max_size=80), st.integers(1, 8))
def test_packed_rows_hold_every_sample_once_within_the_budget(sizes: list[int], open_rows: int) -> None:
    packer: Packer[int] = Packer(100, open_rows)
    rows = [row for number, size in enumerate(sizes) for row in packer.add(number, size)]
    rows += packer.rest()
    assert sorted(n for row in rows for n in row) == list(range(len(sizes)))
    assert all(sum(sizes[n] for n in row) <= 100 for row in rows)
    with pytest.raises(UnfitError, match="too_long"):
        next(packer.add(0, 101))
