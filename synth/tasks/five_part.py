"""five_part: a caption in the five parts of MedTrinity-25M (arXiv 2408.02900), each of them only where facts cover it.

    modality   how the picture was made          modality, plane, sequence, contrast, view
    organ      organ and tissue                  body part, side, segmented structures, organs that a caption names
    roi        where and how large it is         masks, by proofs: extent, volume, place in the picture; else what a
                                                 caption says of a finding and where it is
    disease    colour, texture, density          label, and what captions say right before a finding in the words
                                                 of `synth.tasks.spans.CUES`
    relation   how regions lie to each other     masks, by proofs; else what a caption says of it

A program writes each part, in plain sentences with their proofs; the teacher says the parts again in its own words, in
one answer with one field a part. A part must hold all numbers, sides, organs, findings and modalities of the program's
sentence (`complete`) and nothing beyond it. The draft is the parts in order, for `pretrain`. Where the words of some
parts fail, and `mend` is on, a second draft has the program's sentences in their place.

Not covered: what is seen and stands in no fact; tissue that no mask or caption names.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Fact, Record
from manifests.sample import Draft, Proof, Verdict
from synth.asking import Asking
from synth.claims import sides_in
from synth.facts import body_part_words, modality_codes, structure_words, value_of, values_of, words_for
from synth.instances import told_apart
from synth.lexicon import modalities_in, terms_in
from synth.modality_words import projection_words
from synth.plural import agreeing
from synth.proofs import MediaView, call_text, evaluate, mask_labels
from synth.quantities import quantities
from synth.tasks.common import joined
from synth.tasks.seen import decided, plane_shown
from synth.tasks.spans import RELATION, affirmed, cues_in, report_of, sentences, spans
from synth.tasks.subject import Subject
from synth.tasks.teaching import (
    Limits,
    asked,
    check_statement,
    narrowed,
    quoted,
    settled,
    stated,
    verdict,
)
from synth.tasks.teaching import prompt_ids as ids_of
from synth.verify import faithfulness
from synth.written import check_led, read_fields

TURN = -1  # the draft's text
Part = Literal["modality", "organ", "roi", "disease", "relation"]
PARTS: tuple[Part, ...] = ("modality", "organ", "roi", "disease", "relation")
LONGEST_SENTENCE = 200  # characters of a caption's sentence that is told
_DISEASES = {"label": "It is labelled as {}.", "diagnosis": "The diagnosis is {}."}
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right", "b": "bilateral", "bilateral": "bilateral"}


class FivePart(Config):
    """`mend` gives a second draft, with the program's own sentences, where the teacher's words of some parts failed;
    at least `mended_least` parts of it are the teacher's."""

    task: Literal["five_part"] = "five_part"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "five_part"
    least: int = Field(default=2, ge=1, le=5)  # parts that facts must cover for a caption to be asked
    structures: int = Field(default=3, ge=1, le=16)  # masks that are told, the largest first
    longest: int = Field(default=300, ge=20)  # characters of a part
    grounded: float = Field(default=0.5, ge=0, le=1)
    mend: bool = True
    mended_least: int = Field(default=1, ge=1, le=5)


class PartsAnswer(Config):
    """What the teacher writes; a request asks for those of its fields that facts cover."""

    modality: str = Field(min_length=5, max_length=200)
    organ: str = Field(min_length=5, max_length=200)
    roi: str = Field(min_length=5, max_length=200)
    disease: str = Field(min_length=5, max_length=200)
    relation: str = Field(min_length=5, max_length=200)


class Told(NamedTuple):
    """One part as the program tells it: its sentences, and what proves them."""

    text: str
    proofs: tuple[Proof, ...]


def prompt_ids(config: FivePart) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt,))


def drafts(subject: Subject, config: FivePart, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """One draft for `pretrain`, or two where the first is not accepted and can be mended; none for text, or where facts
    cover fewer than `least` parts. Raises `RecipeError` for a bad prompt file."""
    record = subject.shown
    told = parts_of(record, subject.view, config) if record.kind != "text" else {}
    if len(told) < config.least:
        return []
    lines = "\n".join(f"{name}: {part.text}" for name, part in told.items())
    (answered,) = yield (narrowed(asked(subject, config.prompt, {"parts": lines}, seed), tuple(told)),)
    fields, verdicts = read_fields(answered, tuple(told), TURN)
    judged = {name: _judged(name, fields[name], part, record, config) for name, part in told.items()} if fields else {}
    draft = settled(
        Draft(
            key=record.key,
            stage="pretrain",
            task="five_part",
            part=0,
            text=" ".join(_closed(fields[name]) for name in told) if fields else "",
            proofs=tuple(dict.fromkeys(p for part in told.values() for p in part.proofs)) if fields else (),
            verdicts=(*verdicts, *(v for some in judged.values() for v in some), *_led(fields, record)),
            teacher=answered.author,
        )
    )
    mended = _mended(draft, told, fields, judged, config) if config.mend and not draft.accepted else None
    return [draft] if mended is None else [draft, mended]


def _led(fields: Mapping[str, str], record: Record) -> list[Verdict]:
    """Whether nothing is said that stands in the caption only behind an order to a model."""
    return [check_led(" ".join(fields.values()), report_of(record), TURN)] if fields else []


def _judged(name: str, text: str, told: Told, record: Record, config: FivePart) -> list[Verdict]:
    """The verdicts of one part; its name stands before each evidence."""
    limits = Limits(config.grounded, config.longest)
    # A part is held against its own sentences, not against what other parts may say.
    found = [*check_statement(text, told.text, (), limits, TURN), _complete(text, told.text)]
    return [dataclasses.replace(v, evidence=f"{name}: {v.evidence}"[:200]) for v in found]


def _complete(text: str, told: str) -> Verdict:
    """Whether a part still holds every number, side, organ, finding and modality of what it was to say again."""
    numbers = {(q.value, q.unit) for q in quantities(text)}
    lost = [q.token for q in quantities(told) if (q.value, q.unit) not in numbers]
    lost += sorted(set(sides_in(told)) - set(sides_in(text)))
    for lexicon in ("anatomy", "findings", "planes"):
        lost += sorted({t.name for t in terms_in(told, lexicon)} - {t.name for t in terms_in(text, lexicon)})
    meant = [codes for _, codes in modalities_in(text)]
    lost += [words for words, codes in modalities_in(told) if not any(codes & m for m in meant)]
    return verdict("complete", not lost, ", ".join(lost[:6]), TURN)


def _mended(
    draft: Draft, told: Mapping[Part, Told], fields: Mapping[str, str], judged: Mapping[Part, list[Verdict]],
    config: FivePart,
) -> Draft | None:  # fmt: skip
    """The caption with the program's sentences for the parts that failed; None where too few are left."""
    good = [name for name in told if name in judged and all(v.passed for v in judged[name])]
    led = any(v.check == "not_led" and not v.passed for v in draft.verdicts)
    if len(good) < config.mended_least or led:
        return None
    text = " ".join(_closed(fields[name]) if name in good else told[name].text for name in told)
    asked_for = [v for v in draft.verdicts if v.check in ("answered", "schema")]
    own = [verdict("own_words", True, f"{name}: the program's", TURN) for name in told if name not in good]
    known = (Fact("caption", "\n".join(part.text for part in told.values()), "shown"),)
    verdicts = [*asked_for, *(v for name in good for v in judged[name]), *own, *faithfulness(text, known, TURN)]
    return settled(dataclasses.replace(draft, part=1, text=text, verdicts=tuple(verdicts)))


def _closed(text: str) -> str:
    """A sentence with its stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


# ----------------------------------------------------------------------------------------------- what the program tells
def parts_of(record: Record, view: MediaView, config: FivePart) -> dict[Part, Told]:
    """The parts that facts, masks and captions cover, in their order, as the program tells them."""
    caption = report_of(record)
    masks = _masks(view, config)
    found: dict[Part, Told | None] = {
        "modality": _modality(record, view) or _named_modality(caption, view),
        "organ": _organ(record, view, masks, caption),
        "roi": _roi(record, view, masks) or _from_caption(caption, view, _places_finding),
        "disease": _disease(record, view, caption),
    }
    told = "" if found["roi"] is None else found["roi"].text
    found["relation"] = _relation(view, masks) or _from_caption(
        caption, view, lambda sentence: _relates(sentence) and sentence not in told
    )
    return {name: part for name, part in found.items() if part is not None and part.text}


def _fact_told(record: Record, view: MediaView, names: Sequence[str]) -> tuple[dict[str, str], tuple[Proof, ...]]:
    """The single values of facts, and the proofs of those that have one."""
    values: dict[str, str] = {}
    proofs: list[Proof] = []
    for name in names:
        all_values = set(values_of(record.facts, name))
        proof = stated(Fact(name, "", ""), view, TURN) if len(all_values) == 1 else None
        if proof is not None:
            values[name] = all_values.pop().strip()
            proofs.append(proof)
    return values, tuple(proofs)


def _modality(record: Record, view: MediaView) -> Told | None:
    names = ("modality", "plane", "view_position", "sequence", "contrast")
    values, proofs = _fact_told(record, view, names)
    if not values.get("modality") or modality_codes(values["modality"]) == {"OT"}:
        return None
    plane = values.get("plane", "") if plane_shown(view) in ("", values.get("plane", "").lower()) else ""
    text = f"This is {words_for(values['modality'])}"
    text += f" in the {plane.lower()} plane" if plane else ""
    text += f", {projection_words(values['view_position'])}" if "view_position" in values else ""
    text += f", sequence {values['sequence']}" if "sequence" in values else ""
    text += f", contrast: {values['contrast']}" if "contrast" in values else ""
    kept = tuple(p for p in proofs if plane or p.call != call_text("label", {"fact": "plane"}))
    return Told(text + ".", kept)


def _named_modality(caption: str, view: MediaView) -> Told | None:
    """The one modality that a caption names, with the one plane that it names."""
    named = modalities_in(caption)
    proof = quoted(named[0][0], view, TURN) if len({codes for _, codes in named}) == 1 else None
    if proof is None:
        return None
    planes = {t.name: caption[t.start : t.end] for t in terms_in(caption, "planes")}
    by_plane = quoted(next(iter(planes.values())), view, TURN) if len(planes) == 1 else None
    text = f"This is {named[0][0]}" + (f", {next(iter(planes))}" if by_plane is not None else "") + "."
    return Told(text, (proof,) if by_plane is None else (proof, by_plane))


def _organ(record: Record, view: MediaView, masks: Sequence[str], caption: str) -> Told | None:
    values, proofs = _fact_told(record, view, ("body_part", "laterality"))
    said = []
    if "body_part" in values:
        side = _SIDES.get(values.get("laterality", "").lower(), "")
        said.append(f"It shows the {f'{side} ' if side else ''}{body_part_words(values['body_part'])}.")
    else:
        proofs = ()
    if masks:
        said.append(f"Segmented: {joined([structure_words(name) for name in masks])}.")
    if not said:
        named = {t.name: caption[t.start : t.end] for t in reversed(terms_in(caption, "anatomy"))}
        first = list(reversed(named))[:3]
        quotes = {name: quoted(named[name], view, TURN) for name in first}
        said = [f"It concerns the {joined(first)}."] if first else []
        proofs = tuple(proof for proof in quotes.values() if proof is not None)
    return Told(" ".join(said), proofs) if said else None


def _masks(view: MediaView, config: FivePart) -> list[str]:
    """The structures that can be told, the largest first, those without a volume last."""
    sized = []
    for name in told_apart(mask_labels(view)):
        volume = _value(view, call_text("volume_ml", {"mask": name}))
        sized.append((-float(volume) if volume else 0.0, name))
    return [name for _, name in sorted(sized)[: config.structures]]


def _value(view: MediaView, call: str) -> str:
    """What a program gives, or "" where the sample, or what of it is shown, does not decide it."""
    try:
        return evaluate(call, view).value if decided(view, call) else ""
    except VerificationError:
        return ""


def _roi(record: Record, view: MediaView, masks: Sequence[str]) -> Told | None:
    said, proofs = [], []
    for label in masks:
        name = structure_words(label)
        calls = {p: call_text(p, {"mask": label}) for p in ("volume_ml", "longest_axis_mm", "slice_range", "box")}
        values = {p: _value(view, call) for p, call in calls.items()}
        wordings = (
            ("volume_ml", f"{agreeing(name, 'has', 'have')} a volume of {values['volume_ml']} mL"),
            ("longest_axis_mm", f"a longest axis of {values['longest_axis_mm']} mm"),
            (
                "slice_range",
                f"{agreeing(name, 'stands', 'stand')} on slices {values['slice_range'].replace('-', ' to ')}",
            ),
        )
        parts = [(calls[p], words) for p, words in wordings if values[p]]
        if not parts and values["box"].count(",") == 3:
            parts = [(calls["box"], f"{agreeing(name, 'spans', 'span')} {_across(values['box'])}")]
        if parts:
            said.append(f"The {name} {joined([words for _, words in parts])}.")
            proofs += [Proof(TURN, call, *evaluate(call, view)) for call, _ in parts]
    return Told(" ".join(said), tuple(proofs)) if said else None


def _across(box: str) -> str:
    x0, y0, x1, y1 = box.split(",")
    return f"columns {x0} to {x1} and rows {y0} to {y1}"


def _relation(view: MediaView, masks: Sequence[str]) -> Told | None:
    said, proofs = [], []
    for a, b in itertools.pairwise(masks):
        for along in ("left-right", "head-feet"):
            call = call_text("relation", {"a": a, "b": b, "along": along})
            way = _value(view, call)
            if way:
                verb = agreeing(structure_words(a), "lies", "lie")
                word = f"to the {way} of" if way in ("left", "right") else f"{way} to"
                said.append(f"The {structure_words(a)} {verb} {word} the {structure_words(b)}.")
                proofs.append(Proof(TURN, call, *evaluate(call, view)))
    return Told(" ".join(said), tuple(proofs)) if said else None


def _disease(record: Record, view: MediaView, caption: str) -> Told | None:
    by_caption = _signs(caption, view)
    values, proofs = _fact_told(record, view, ("label",) if not value_of(record.facts, "diagnosis") else ("diagnosis",))
    said = [_DISEASES[name].format(structure_words(value)) for name, value in values.items()]
    if by_caption is not None:
        said.append(by_caption.text)
        proofs += by_caption.proofs
    return Told(" ".join(said), proofs) if said else None


def _signs(caption: str, view: MediaView) -> Told | None:
    """What a caption says that its findings look like: the signs that stand right before a finding."""
    said, proofs = [], []
    for start, end in sentences(caption):
        sentence = caption[start:end]
        for finding in spans(sentence, ("abnormality",)):
            at, cues = finding.start, list[str]()
            for _, words, a, b in reversed(cues_in(sentence)):
                if b <= at and re.fullmatch(r"[\s,]+(?:and\s+)?", sentence[b:at]):
                    cues.insert(0, words.lower())
                    at = a
            proof = quoted(sentence[at : finding.end], view, TURN) if cues else None
            if proof is not None:
                said.append(f"The {finding.text.lower()} {agreeing(finding.text, 'is', 'are')} {joined(cues)}.")
                proofs.append(proof)
    return Told(" ".join(said[:3]), tuple(proofs[:3])) if said else None


def _places_finding(sentence: str) -> bool:
    """Whether a sentence says of a finding where it is."""
    return bool(affirmed(sentence)) and bool(terms_in(sentence, "anatomy") or sides_in(sentence))


def _relates(sentence: str) -> bool:
    """Whether a sentence relates one region or finding to another."""
    named = {t.name for lexicon in ("anatomy", "findings") for t in terms_in(sentence, lexicon)}
    return len(named) >= 2 and RELATION.search(sentence) is not None


def _from_caption(caption: str, view: MediaView, wanted: Callable[[str], bool]) -> Told | None:
    """The first sentence of a caption or report of the wanted kind, word for word."""
    for start, end in sentences(caption):
        sentence = caption[start:end]
        proof = quoted(sentence, view, TURN) if len(sentence) <= LONGEST_SENTENCE and wanted(sentence) else None
        if proof is not None:
            return Told(_closed(sentence), (proof,))
    return None
