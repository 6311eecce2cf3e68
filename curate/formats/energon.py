"""Megatron-Energon (NVIDIA/Megatron-Energon@bef8be2, docs basic/data_prep; indexes as version 7.4.1 reads them).

    SPLIT-NNNNNN.tar            KEY.json, KEY.0.png, KEY.1.png, ...; at most 1,000 samples; keys without dots, adjacent
    SPLIT-NNNNNN.tar.idx        where each sample begins, and where the last ends: uint64, little endian
    .nv-meta/dataset.yaml       a CrudeWebdataset: `medcurate_task.py` beside it has the cooker and a task encoder
    .nv-meta/split.yaml, .info.json, index.sqlite, index.uuid

So its loader starts without `energon prepare`. KEY.json holds id, source, licence, task, kind, messages (or the text
of pretraining) with `<image>`, `<video>` and `<volume>` marks in the order of the numbered members, and the answer.
Volumes stand as slices where their target is one of slices, else as `.npy`.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import uuid
from typing import ClassVar

import yaml

from curate.formats.base import Asked, File, MediaFiles, Sample, UnfitError, placed
from curate.shard import write_tar
from manifests.record import canonical_json
from manifests.sample import StageName

SAMPLES_PER_SHARD = 1000
BYTES_PER_SHARD = 1 << 30
META = ".nv-meta"
TASK = '''"""A task encoder for medcurate's export: what a sample says, and its media decoded, in order.

    get_train_dataset(FOLDER, task_encoder=MedcurateTaskEncoder(), ...)
"""

from megatron.energon import Cooker, DefaultTaskEncoder, Sample, basic_sample_keys, edataclass, stateless


@edataclass
class Conversation(Sample):
    messages: list
    text: str
    media: list
    answer: dict


@stateless
def cook(sample: dict) -> Conversation:
    said = sample["json"]
    media = [sample[name] for name in said["members"]]
    return Conversation(
        **basic_sample_keys(sample), messages=said["messages"], text=said["text"], media=media, answer=said["answer"]
    )


class MedcurateTaskEncoder(DefaultTaskEncoder):
    cookers = [Cooker(cook)]

    def batch(self, samples):
        return samples
'''
TABLES = """
CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, sample_index INTEGER NOT NULL,
                      byte_offset INTEGER, byte_size INTEGER);
CREATE TABLE sample_parts (tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, content_byte_offset INTEGER,
                           content_byte_size INTEGER);
"""
INDEXES = """
CREATE INDEX idx_samples_sample_key ON samples(sample_key);
CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index);
CREATE INDEX idx_sample_parts_full ON sample_parts(tar_file_id, sample_index, content_byte_offset, part_name);
"""


class Energon:
    NAME: ClassVar[str] = "energon"
    WHAT: ClassVar[str] = "WebDataset tars with .nv-meta, indexes and a task encoder (Megatron-Energon)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft", "rlvr")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.waiting: list[tuple[str, dict[str, bytes]]] = []
        self.bytes = 0
        self.counts: dict[str, int] = {}
        (asked.to / META).mkdir(parents=True)
        self.index = sqlite3.connect(asked.to / META / "index.sqlite")
        self.index.executescript(TABLES)

    def add(self, sample: Sample) -> None:
        files, marks = self._media(sample)
        turns = placed(sample, marks)
        pretrain = self.asked.stage == "pretrain"
        names = [f"{number}.{file.path.rsplit('.', 1)[1]}" for number, file in enumerate(files)]
        said = {name: sample.values[name] for name in ("source", "task", "kind", "modality")}
        told = {
            **said,
            "licence": sample.licence,
            "id": sample.key,
            "members": names,
            "messages": [] if pretrain else [{"role": role, "content": content} for role, content in turns],
            "text": "\n".join(content for _, content in turns if content) if pretrain else "",
            "answer": sample.answer,
        }
        fields = {"json": canonical_json(told).encode()}
        fields |= {name: (self.asked.to / f.path).read_bytes() for name, f in zip(names, files, strict=True)}
        self.waiting.append((sample.key, fields))
        self.bytes += sum(map(len, fields.values()))
        if len(self.waiting) >= SAMPLES_PER_SHARD or self.bytes >= BYTES_PER_SHARD:
            self._flush()

    def _media(self, sample: Sample) -> tuple[list[File], list[str]]:
        files: list[File] = []
        marks: list[str] = []
        for medium in sample.media:
            kind = str(medium["kind"])
            pictures: list[File] = []
            if kind != "video":
                try:
                    pictures = self.media.of_one(sample, medium)
                except UnfitError:
                    kind = "volume"
            files += pictures or [self.media.whole(sample, medium)]
            marks.append("\n".join(["<image>"] * len(pictures)) or f"<{kind}>")
        return files, marks

    def _flush(self) -> None:
        number = len(self.counts)
        name = f"{self.asked.split}-{number:06d}.tar"
        path = self.asked.to / name
        spans = write_tar(path, self.waiting)
        ends = [start for start, _ in spans] + [sum(spans[-1])]
        path.with_suffix(".tar.idx").write_bytes(struct.pack(f"<{len(ends)}Q", *ends))
        self._indexed(number, spans)
        self.counts[name] = len(self.waiting)
        self.waiting, self.bytes = [], 0

    def _indexed(self, shard: int, spans: list[tuple[int, int]]) -> None:
        for place, ((key, fields), (start, size)) in enumerate(zip(self.waiting, spans, strict=True)):
            self.index.execute("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", (shard, key, place, start, size))
            at = start
            for name in sorted(fields):
                whole = len(fields[name])
                part = (shard, place, name, at + 512, whole)
                self.index.execute("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", part)
                at += 512 + (whole + 511) // 512 * 512

    def finish(self) -> list[str]:
        if self.waiting:
            self._flush()
        self.index.executescript(INDEXES)
        self.index.commit()
        self.index.close()
        meta = self.asked.to / META
        parts: dict[str, list[str]] = {split: [] for split in ("train", "val", "test")} | {
            self.asked.split: list(self.counts)
        }
        (meta / "split.yaml").write_text(yaml.safe_dump({"exclude": [], "split_parts": parts}))
        (meta / ".info.json").write_text(json.dumps({"shard_counts": self.counts}, indent=1) + "\n")
        kind = {"__module__": "megatron.energon", "__class__": "CrudeWebdataset"}
        (meta / "dataset.yaml").write_text(yaml.safe_dump({**kind, "subflavors": {"stage": self.asked.stage}}))
        (meta / "index.uuid").write_text(str(uuid.uuid5(uuid.NAMESPACE_OID, canonical_json(self.counts))))
        (self.asked.to / "medcurate_task.py").write_text(TASK)
        return ["get_train_dataset(THIS_FOLDER, task_encoder=MedcurateTaskEncoder(), ...), see medcurate_task.py"]
