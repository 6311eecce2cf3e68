"""One sample under audit: its JSON, its media, its proofs, and the words that state them.

Media are decoded and compared with what the JSON says of them; every proof is computed again from the sample's own
members and facts, as `curate.view` shows them. A volume often travels in several samples, so decoded shapes and the
results of proofs that look at masks are remembered by digest, a bounded number of each. Frames of an MP4 are counted
where PyAV is installed; without it the clip's digest alone is checked.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curate.arrays import decode_npy_gz, decode_picture, is_picture
from curate.audit.findings import Findings
from curate.audit.ledger import Index
from curate.audit.media import NUMERIC, MediaAudit
from curate.audit.passages import wrong_passages
from curate.audit.stated import Said, unstated
from curate.guard import typed
from curate.shard import layout
from curate.synthesize import MASKED
from curate.video.mjpeg import split_mjpeg
from curate.view import view_of
from manifests.errors import MedcurateError, RecordError
from manifests.manifest import ShardEntry
from manifests.record import Asked, Fact, Media, canonical_json
from manifests.sample import Answer, Authorship, Evidence, Passage, Proof, StageName, Turn, Verdict
from synth import proofs
from synth.proofs import MediaView
from synth.quotes import MAX_NUMBER
from synth.verify import VERIFIERS, verify_answer

REMEMBERED = 512
RUN_AGAIN = "the sample was changed after the run: run the recipe again"
SHA256 = re.compile(r"[0-9a-f]{64}")
HELD = ("source", "licence", "access", "group", "kind", "modality", "split")  # what a sample repeats of its record


class AskedWords(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: int = Field(ge=1, le=MAX_NUMBER)
    question: str
    answer: str
    why: str
    options: str


class Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    text: str
    asked: tuple[AskedWords, ...]

    @property
    def all_asked(self) -> tuple[Asked, ...]:
        """Every question by its place; blank ones stand for those that no proof looks into."""
        known = {
            one.number: Asked(one.question, one.answer, tuple(one.options.split("\n")), why=one.why)
            for one in self.asked
        }
        return tuple(known.get(number, Asked("", "")) for number in range(1, max(known, default=0) + 1))


class Sample(BaseModel):
    """KEY.json as `curate.shard.sample_json` writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: str
    record: str
    source: str
    licence: str
    access: str
    group: str
    kind: str
    modality: str
    split: str
    stage: StageName
    task: str
    media: tuple[Media, ...]
    facts: tuple[Fact, ...]
    proofs: tuple[Proof, ...]
    verdicts: tuple[Verdict, ...]
    evidence: tuple[Evidence, ...]
    teacher: Authorship
    source_words: Words
    text: str | None = None
    conversations: tuple[Turn, ...] | None = None
    answer: Answer | None = None
    passages: tuple[Passage, ...] = ()


Form = tuple[tuple[int, ...], str, tuple[int, ...]]  # shape, dtype, the values of a label map


@dataclass
class SampleAudit:
    """Checks samples against the ledger; remembers what it decoded and proved."""

    index: Index
    findings: Findings
    media: MediaAudit | None = None
    forms: dict[str, Form | str] = field(default_factory=dict)  # member digest -> form, or what is wrong with it
    proven: dict[Any, Verdict] = field(default_factory=dict)

    def check(self, where: str, key: str, record: str, fields: dict[str, bytes], entry: ShardEntry) -> None:
        sample = self._read(where, fields, entry)
        if sample is None:
            return
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in fields.items() if name != "json"}
        found = [
            *_wrong_names(sample, key, record, entry),
            *self._wrong_record(sample, record),
            *_wrong_turns(sample),
            *_wrong_answer(sample),
            *_wrong_verdicts(sample),
            *self._wrong_media(sample, fields, digests),
        ]
        if self.media is not None:
            for media in (m for m in sample.media if digests.get(m.member) == m.sha256):
                self.media.take((entry.path, key), sample.record, sample.split, media, fields[media.member])
        for check, what in found:
            self.findings.add(check, where, what, RUN_AGAIN)
        self._prove(where, sample, fields, digests)
        placed = self.index.samples.get(entry.path, {}).get(key)
        for what in wrong_passages(sample.passages, record, placed, self.index):
            self.findings.add("passages", where, what, RUN_AGAIN)
        for what in unstated(_said(sample)):
            self.findings.add("not_stated", where, what, RUN_AGAIN)
        self.findings.count("statements", len(sample.proofs))

    def _read(self, where: str, fields: dict[str, bytes], entry: ShardEntry) -> Sample | None:
        """The sample's JSON: canonical, complete, of the shard's layout."""
        data = fields["json"]
        try:
            value = json.loads(data)
            if canonical_json(value).encode() != data:
                self.findings.add("sample_json", where, "JSON that is not in its one canonical form", RUN_AGAIN)
            sample = Sample.model_validate_json(data)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"])
            self.findings.add("sample_json", where, f"{place}: {problem['msg']}", RUN_AGAIN)
            return None
        except (ValueError, RecursionError) as error:
            self.findings.add("sample_json", where, f"not JSON ({type(error).__name__})", RUN_AGAIN)
            return None
        own = layout(value, [name for name in fields if name != "json"])
        if own != entry.layout:
            self.findings.add("layout", where, f"layout {own}, its shard has {entry.layout}", RUN_AGAIN)
        return sample

    def _wrong_record(self, sample: Sample, record: str) -> Iterator[tuple[str, str]]:
        known = self.index.records.get(record)
        if known is None:
            if self.index.whole:
                yield "record", f"record {record} is not in the ledger"
            return
        if known.status != "kept":
            yield "record", f"record {record} is {known.status} in the ledger"
        for name in HELD:
            if getattr(sample, name) != getattr(known, name):
                yield name, f"{name} {getattr(sample, name)!r}, the ledger says {getattr(known, name)!r}"

    # --- media

    def _wrong_media(
        self, sample: Sample, fields: dict[str, bytes], digests: dict[str, str]
    ) -> Iterator[tuple[str, str]]:
        listed = {m.member for m in sample.media}
        for name in sorted(digests.keys() ^ listed):
            yield "media", f"member {name} is {'not listed in media' if name in digests else 'listed and absent'}"
        for media in sample.media:
            if media.member not in digests:
                continue
            self.findings.count("media")
            if digests[media.member] != media.sha256 or len(fields[media.member]) != media.size_bytes:
                yield "media_sha256", f"member {media.member} is not the one of sha256 {media.sha256}"
            form = self._form(media, fields[media.member], digests[media.member])
            if isinstance(form, str):
                yield "media_unreadable", f"member {media.member}: {form}"
            elif form is not None:
                yield from _wrong_form(media, form)

    def _form(self, media: Media, data: bytes, sha256: str) -> Form | str | None:
        read: Callable[[bytes], Form]
        if media.member.endswith(".npy.gz"):
            read = functools.partial(_array_form, labelled=media.kind == "mask")
        elif is_picture(media.member):
            read = _image_form
        elif media.member == "mjpeg":
            read = _sequence_form
        elif media.member == "mp4" and importlib.util.find_spec("av"):
            read = _video_form
        else:
            return None
        name = f"{media.kind} {sha256}"
        if name not in self.forms:
            try:
                form: Form | str = read(data)
            except RecordError as error:
                form = f"{error.reason}: {error.found}"
            _remember(self.forms, name, form)
        return self.forms[name]

    # --- proofs

    def _prove(self, where: str, sample: Sample, fields: dict[str, bytes], digests: dict[str, str]) -> None:
        words = sample.source_words
        view = view_of(sample.media, fields.__getitem__, sample.facts, words.text, words.all_asked)
        view = dataclasses.replace(view, passages=sample.passages)
        for proof in sample.proofs:
            self.findings.count("proofs")
            verdict = self._verdict(proof, view, sample, digests)
            if not verdict.passed:
                stored = f"{proof.call} stored as {proof.value} {proof.unit}".rstrip()
                self.findings.add("proof", where, f"{stored}; recomputed: {verdict.evidence}", RUN_AGAIN)

    def _verdict(self, proof: Proof, view: MediaView, sample: Sample, digests: dict[str, str]) -> Verdict:
        looks_at_masks = MASKED.search(proof.call) is not None
        name = (dataclasses.replace(proof, turn=0), sample.media, tuple(sorted(digests.items())))
        if looks_at_masks and name in self.proven:
            return self.proven[name]
        try:
            with np.errstate(all="ignore"):  # an affine that no run wrote may overflow; the value is what counts
                verdict = proofs.check(proof, view)
        except (MedcurateError, KeyError, *NUMERIC) as error:
            verdict = Verdict(proof.turn, "proof", passed=False, score=0.0, evidence=f"nothing ({error})"[:200])
        if looks_at_masks:
            _remember(self.proven, name, verdict)
        return verdict


def _remember(memory: dict[Any, Any], name: Any, value: Any) -> None:
    if len(memory) >= REMEMBERED:
        memory.pop(next(iter(memory)))
    memory[name] = value


def _array_form(data: bytes, labelled: bool) -> Form:
    array = decode_npy_gz(data)
    met = np.zeros(256, np.int64)
    if labelled and array.dtype == np.uint8 and array.ndim:
        for slab in array:  # by slabs: bincount makes 8 bytes of each
            met += np.bincount(slab.ravel(), minlength=256)
    return array.shape, str(array.dtype), tuple(int(v) for v in np.flatnonzero(met))


def _image_form(data: bytes) -> Form:
    array = decode_picture(data)
    return array.shape, str(array.dtype), ()


def _sequence_form(data: bytes) -> Form:
    """(frames, y, x, 3) of JPEG images one behind the other."""
    sizes = [decode_picture(image).shape for image in split_mjpeg(data)]
    if len(set(sizes)) != 1:
        raise RecordError("bad_array", f"{len(set(sizes))} frame sizes", RUN_AGAIN)
    return (len(sizes), *sizes[0]), "uint8", ()


def _video_form(data: bytes) -> Form:
    """(frames, y, x, 3) of all frames decoded."""
    import av

    with typed("corrupt_video", RUN_AGAIN), av.open(io.BytesIO(data), mode="r", format="mov") as container:
        container.streams.video[0].codec_context.thread_count = 1
        sizes = [(frame.height, frame.width) for frame in container.decode(video=0)]
    if len(set(sizes)) != 1:
        raise RecordError("corrupt_video", f"{len(set(sizes))} frame sizes", RUN_AGAIN)
    return (len(sizes), *sizes[0], 3), "uint8", ()


def _wrong_form(media: Media, form: Form) -> Iterator[tuple[str, str]]:
    shape, dtype, values = form
    if (shape, dtype) != (media.shape, media.dtype):
        said = f"{media.dtype} {media.shape}"
        yield "media_shape", f"member {media.member} is {dtype} {shape}, the sample says {said}"
    slices = 1 if media.kind == "image" else media.shape[0]
    if media.slices is not None and len(media.slices) != slices:
        yield "media_shape", f"member {media.member} of {slices} slices names {len(media.slices)}"
    if media.kind == "mask" and (media.value < 1 or not media.label):
        yield "mask", f"mask {media.label!r} of value {media.value}"
    elif media.kind == "mask" and dtype == "uint8" and media.value not in values:
        yield "mask", f"mask {media.label!r}: value {media.value} is not in the label map"


# --- what the JSON says ----------------------------------------------------------------------------------------------


def _wrong_names(sample: Sample, key: str, record: str, entry: ShardEntry) -> Iterator[tuple[str, str]]:
    if sample.key != key:
        yield "sample_key", f"the JSON says key {sample.key!r}"
    if sample.record != record or key[:32] != record:
        yield "record", f"the JSON says record {sample.record!r}, the key and the ledger {record!r}"
    for name, own, shards in (("stage", sample.stage, entry.stage), ("split", sample.split, entry.split)):
        if own != shards:
            yield name, f"{name} {own}, its shard is of {shards}"


def _wrong_turns(sample: Sample) -> Iterator[tuple[str, str]]:
    """A text for pretraining, or none where media stand alone; else a conversation, which for rlvr ends with the user
    and has a gold."""
    if sample.stage == "pretrain":
        alone = sample.task == "media" and bool(sample.media) and sample.text == ""
        if sample.conversations is not None or not (alone or (sample.text or "").strip()):
            yield "text", "no text, or a conversation, in a sample for pretraining"
        return
    turns = sample.conversations or ()
    roles = [turn.role for turn in turns]
    last = "user" if sample.stage == "rlvr" else "assistant"
    alternate = all(role == ("user", "assistant")[i % 2] for i, role in enumerate(roles))
    if sample.text is not None or not roles or not alternate or roles[-1] != last:
        yield "conversations", f"roles {', '.join(roles) or 'none'}; user and assistant alternate, the {last} is last"
    if any(not turn.content.strip() for turn in turns):
        yield "conversations", "an empty turn"


def _wrong_answer(sample: Sample) -> Iterator[tuple[str, str]]:
    """The gold of a prompt earns its own reward, each of its synonyms too."""
    answer = sample.answer
    if answer is None:
        if sample.stage == "rlvr":
            yield "answer", "no answer in a sample for rlvr"
        return
    if answer.verifier not in VERIFIERS:
        yield "verifier", f"verifier {answer.verifier!r}; there are {', '.join(VERIFIERS)}"
        return
    for gold in answer.gold.split("|") if answer.type == "label" else [answer.gold]:
        verdict = verify_answer(f"{gold} {answer.unit}".strip(), answer)
        if not verdict.passed:
            yield "gold", f"gold {gold!r} {answer.unit} fails its own verifier: {verdict.evidence}"


def _wrong_verdicts(sample: Sample) -> Iterator[tuple[str, str]]:
    if not sample.verdicts:
        yield "verdict", "no check was made of this sample"
    for verdict in sample.verdicts:
        if not verdict.passed:
            yield "verdict", f"check {verdict.check} of turn {verdict.turn} failed: {verdict.evidence}"
    spoken = {-1: sample.text or "", **{n: turn.content for n, turn in enumerate(sample.conversations or ())}}
    for one in sample.evidence:
        if not 0 <= one.start < one.end <= len(spoken.get(one.turn, "")):
            yield "evidence", f"evidence of turn {one.turn} from {one.start} to {one.end}, where nothing stands"
    author = sample.teacher
    if author.model and not (author.prompt_id and SHA256.fullmatch(author.request_key)):
        yield "teacher", f"teacher {author.model!r} without prompt id and request key"


def _said(sample: Sample) -> Said:
    return Said(
        text=sample.text or "",
        turns=sample.conversations or (),
        answer=sample.answer,
        proofs=sample.proofs,
        facts=sample.facts,
        text_of_source=sample.source_words.text,
        asked=sample.source_words.all_asked,
        by_teacher=bool(sample.teacher.model),
        passages=sample.passages,
    )
