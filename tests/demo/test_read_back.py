"""Shards are read back, sample for sample, by the readers that training uses: webdataset, datasets, Ray Data."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.cluster import ray_session
from manifests.manifest import ShardEntry, read_manifest

pytestmark = pytest.mark.demo


def expected(out: Path, shard: ShardEntry) -> dict[str, dict[str, bytes]]:
    """key -> field -> bytes, read with the standard library alone."""
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(out / shard.path) as tar:
        for member in tar:
            key, _, field = member.name.partition(".")
            stream = tar.extractfile(member)
            assert stream is not None
            samples.setdefault(key, {})[field] = stream.read()
    assert len(samples) == shard.samples
    return samples


def one_of_each_layout(out: Path) -> list[ShardEntry]:
    shards = {s.layout: s for s in reversed(read_manifest(out).shards)}
    return [shards[layout] for layout in sorted(shards)]


def test_webdataset_decodes_every_sample_of_every_shard_in_secure_mode(
    demo_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDS_SECURE", "1")
    import webdataset

    for shard in read_manifest(demo_out).shards:
        wanted = expected(demo_out, shard)
        read = list(webdataset.WebDataset(str(demo_out / shard.path), shardshuffle=False).decode())
        assert [s["__key__"] for s in read] == list(wanted)
        for sample in read:
            fields = wanted[sample["__key__"]]
            assert sample["json"] == json.loads(fields["json"])
            assert {k for k in sample if not k.startswith("__")} == set(fields)
            for entry in sample["json"]["media"]:
                if entry["member"].endswith(".npy.gz"):
                    array = sample[entry["member"]]
                    assert list(array.shape) == entry["shape"]
                    assert str(array.dtype) == entry["dtype"]


def test_hugging_face_datasets_loads_every_shard_without_being_told_a_schema(
    demo_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    for shard in read_manifest(demo_out).shards:
        wanted = expected(demo_out, shard)
        loaded = datasets.load_dataset(
            "webdataset", data_files=str(demo_out / shard.path), split="train", cache_dir=str(tmp_path / "cache")
        )
        if "mp4" in loaded.column_names:
            loaded = loaded.cast_column("mp4", datasets.Video(decode=False))  # decoding needs torchcodec
        rows = list(loaded)
        assert [r["__key__"] for r in rows] == list(wanted)
        for row in rows:
            sample = json.loads(wanted[row["__key__"]]["json"])
            assert row["json"]["key"] == sample["key"]
            assert row["json"]["facts"] == sample["facts"]
            check_media(row, wanted[row["__key__"]])


def check_media(row: dict[str, Any], fields: dict[str, bytes]) -> None:
    if "mp4" in fields:
        assert row["mp4"]["bytes"] == fields["mp4"]
    if "png" in fields:
        assert np.asarray(row["png"]).shape[:2] == tuple(json.loads(fields["json"])["media"][0]["shape"][:2])


@pytest.mark.cluster
def test_ray_data_reads_one_shard_of_every_layout(demo_out: Path) -> None:
    data = pytest.importorskip("ray.data")
    with ray_session(2, ""):  # with the one token that this process may have
        for shard in one_of_each_layout(demo_out):
            wanted = expected(demo_out, shard)
            rows = data.read_webdataset(str(demo_out / shard.path)).take_all()
            assert sorted(r["__key__"] for r in rows) == sorted(wanted)
            for row in rows:
                assert row["json"]["key"] == row["__key__"]
