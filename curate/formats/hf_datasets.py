"""Hugging Face `datasets`: parquet files of one schema with features in their metadata, so that `load_dataset` gives
pictures as pictures: id, source, licence, task, kind, modality, messages, text, images, videos, answer (JSON).

Pictures stand in the file as bytes, clips as paths; volumes as slices where their target is one of slices, else as a
path to `.npy` in `volumes`. A file holds at most 1,000 rows.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from curate.formats.base import Asked, MediaFiles, Sample, UnfitError, placed
from manifests.sample import StageName

ROWS_PER_FILE = 1000
BATCH = 100
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
PLAIN = ("id", "source", "licence", "task", "kind", "modality", "text", "answer")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in PLAIN),
        ("messages", pa.list_(MESSAGE)),
        ("images", pa.list_(PICTURE)),
        ("videos", pa.list_(pa.string())),
        ("volumes", pa.list_(pa.string())),
    ]
)


def _features() -> dict[str, Any]:
    text = {"dtype": "string", "_type": "Value"}
    message = {"role": text, "content": text}
    paths = {"feature": text, "_type": "List"}
    return {
        **dict.fromkeys(PLAIN, text),
        "messages": {"feature": message, "_type": "List"},
        "images": {"feature": {"_type": "Image"}, "_type": "List"},
        "videos": paths,
        "volumes": paths,
    }


class HfDatasets:
    NAME: ClassVar[str] = "hf_datasets"
    WHAT: ClassVar[str] = "parquet that load_dataset reads, pictures inside (Hugging Face datasets, TRL)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft", "rlvr")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.schema = SCHEMA.with_metadata({"huggingface": json.dumps({"info": {"features": _features()}})})
        self.folder = asked.to / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.writer: pq.ParquetWriter | None = None
        self.rows: list[dict[str, Any]] = []
        self.files = 0
        self.count = 0

    def add(self, sample: Sample) -> None:
        marks, images, videos, volumes = [], [], list[str](), list[str]()
        for medium in sample.media:
            if medium["kind"] == "video":
                videos.append(self.media.whole(sample, medium).path)
                marks.append("<video>")
                continue
            try:
                files = self.media.of_one(sample, medium)
            except UnfitError:
                files = []
            if not files:
                volumes.append(self.media.whole(sample, medium).path)
                marks.append("<volume>")
                continue
            images += [{"bytes": (self.asked.to / f.path).read_bytes(), "path": f.path} for f in files]
            marks.append("\n".join(["<image>"] * len(files)))
        turns = placed(sample, marks)
        pretrain = self.asked.stage == "pretrain"
        row = {name: str(sample.values.get(name) or "") for name in PLAIN} | {"licence": sample.licence}
        row |= {"id": sample.key, "answer": json.dumps(sample.answer, sort_keys=True) if sample.answer else ""}
        messages = [] if pretrain else [{"role": role, "content": content} for role, content in turns]
        row["text"] = "\n".join(content for _, content in turns if content) if pretrain else ""
        self.rows.append({**row, "messages": messages, "images": images, "videos": videos, "volumes": volumes})
        self.count += 1
        if len(self.rows) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        if self.writer is None:
            name = f"{self.asked.split}-{self.files:05d}.parquet"
            self.writer = pq.ParquetWriter(self.folder / name, self.schema, compression="zstd")
            self.files += 1
        self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
        self.rows.clear()
        if self.count % ROWS_PER_FILE == 0:
            self.writer.close()
            self.writer = None

    def finish(self) -> list[str]:
        if self.rows:
            self._flush()
        if self.writer is not None:
            self.writer.close()
        return ["datasets.load_dataset(THIS_FOLDER)"]
