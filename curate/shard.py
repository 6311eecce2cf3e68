"""The JSON of a sample, the layout it shares with its shard, and the deterministic tar.

A shard is homogeneous: all its samples have the same members and JSON of one Arrow type (`layout`), because readers
infer columns from the first samples and lose or refuse what differs later (Hugging Face `datasets` reads five). Fields
are always present; what is unknown is null, what is absent is an empty list, numbers that may be fractions are floats.

The tar is written by webdataset's `TarWriter` with every header field fixed: USTAR, mtime 0, mode 0444, one owner.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from manifests.record import Affine, Fact, Media, Record, canonical_json, digest
from manifests.sample import Draft, Proof, sample_key
from synth.quotes import lines_of, looked_at

OWNER = "medcurate"
MEMBER_MODE = 0o444
TAR_BLOCK = 512


def sample_json(record: Record, media: Sequence[Media], draft: Draft, split: str) -> dict[str, Any]:
    """What KEY.json holds, for the record's first draw; `with_key` names a repeat. Of the source's own words what a
    proof looks into travels along."""
    sample: dict[str, Any] = {
        "key": sample_key(record.key, draft.part, 0),
        "record": record.key,
        "source": record.source,
        "licence": record.licence,
        "access": record.access,
        "group": record.group,
        "kind": record.kind,
        "modality": record.modality,
        "split": split,
        "stage": draft.stage,
        "task": draft.task,
        "media": [media_json(m) for m in media],
        "facts": [fact_json(f) for f in record.facts],
        "proofs": [dataclasses.asdict(p) for p in draft.proofs],
        "verdicts": [dataclasses.asdict(v) for v in draft.verdicts],
        "evidence": [dataclasses.asdict(e) for e in draft.evidence],
        "teacher": dataclasses.asdict(draft.teacher),
        "source_words": words_json(record, draft.proofs),
    }
    if draft.stage == "pretrain":
        sample["text"] = draft.text
    else:
        sample["conversations"] = [dataclasses.asdict(t) for t in draft.turns]
    if draft.answer is not None:
        sample["answer"] = dataclasses.asdict(draft.answer)
    if draft.passages:
        sample["passages"] = [dataclasses.asdict(p) for p in draft.passages]
    return sample


def words_json(record: Record, proofs: Sequence[Proof]) -> dict[str, Any]:
    """The source's words that proofs look into: its text, and what it asks with the numbers that proofs say."""
    in_text, numbers = looked_at((p.call for p in proofs), record.text, record.asked)
    asked = [(number, record.asked[number - 1]) for number in numbers if number <= len(record.asked)]
    words = [
        {"number": n, "question": a.question, "answer": a.answer, "why": a.why, "options": lines_of(a)}
        for n, a in asked
    ]
    return {"text": record.text if in_text else "", "asked": words}


def media_json(media: Media) -> dict[str, Any]:
    """A media entry: floats are floats, so that Arrow sees one type in every sample."""
    return {
        "member": media.member,
        "kind": media.kind,
        "shape": list(media.shape),
        "dtype": media.dtype,
        "units": media.units,
        "target": media.target,
        "spacing_mm": _floats(media.spacing_mm),
        "affine": _affine(media.affine),
        "times_s": _floats(media.times_s),
        "window": _floats(media.window),
        "inverted": media.inverted,
        "voi": media.voi,
        "padding": _floats(media.padding),
        "crop": None if media.crop is None else list(media.crop),
        "scale": _floats(media.scale),
        "slices": None if media.slices is None else list(media.slices),
        "visual_tokens": media.visual_tokens,
        "label": media.label,
        "value": media.value,
        "sha256": media.sha256,
        "size_bytes": media.size_bytes,
    }


def fact_json(fact: Fact) -> dict[str, str]:
    return dataclasses.asdict(fact)


def layout(sample: dict[str, Any], members: Iterable[str]) -> str:
    """`png/1f3a9c02`: the members in words, and a digest of members, their dtypes and numbers of axes, and JSON type.
    Equal layouts may share a shard."""
    names = sorted(members)
    arrays = sorted({(m["member"], m["dtype"], len(m["shape"])) for m in sample["media"]})
    words = "+".join(n.split(".")[0] for n in names) or "text"
    return f"{words}/{digest([names, arrays, _type(sample)])[:8]}"


def with_key(data: bytes, key: str) -> bytes:
    """The sample's JSON under another key: for repeats."""
    sample = json.loads(data)
    sample["key"] = key
    return canonical_json(sample).encode()


def write_tar(path: Path, samples: Iterable[tuple[str, dict[str, bytes]]]) -> list[tuple[int, int]]:
    """A deterministic WebDataset tar of (key, {field: bytes}); where each sample's members begin and how long they are,
    headers and padding included."""
    import webdataset

    spans: list[tuple[int, int]] = []
    with path.open("wb") as stream:
        writer = webdataset.TarWriter(stream, user=OWNER, group=OWNER, mode=MEMBER_MODE, encoder=False, mtime=0)
        start = 0
        for key, fields in samples:
            writer.write({"__key__": key, **fields})
            spans.append((start, sample_bytes(len(data) for data in fields.values())))
            start += spans[-1][1]
        writer.close()
    return spans


def sample_bytes(sizes: Iterable[int]) -> int:
    """How much a sample adds to a tar: a header and padding to 512 bytes for each member."""
    return sum(TAR_BLOCK + (size + TAR_BLOCK - 1) // TAR_BLOCK * TAR_BLOCK for size in sizes)


def _floats(values: Sequence[float] | None) -> list[float] | None:
    return None if values is None else [float(v) for v in values]


def _affine(affine: Affine | None) -> list[list[float]] | None:
    return None if affine is None else [[float(v) for v in row] for row in affine]


def _type(value: Any) -> Any:
    """The Arrow type that a reader would infer, as plain lists and names."""
    if isinstance(value, dict):
        return {name: _type(child) for name, child in value.items()}
    if isinstance(value, list):
        kinds = {canonical_json(_type(child)) for child in value}
        return ["list", *sorted(kinds)]
    return type(value).__name__
