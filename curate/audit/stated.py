"""Whether what a sample says is what its proofs prove: the rule that names an edited answer.

A proof fixes a value; these rules fix the words around it. For a text or turn that a program wrote:

- it carries at least one proof, and every proof's value stands in it: a number as a number of its own, followed by its
  unit; a structure, modality, body part, side or label in the plain words of `synth.facts`; yes or no comes first;
- an answer to lettered options is `LETTER. option`, letter and option as the question lists them, and the option is the
  proof's value;
- every number in it is one of a proof or of a fact of the sample ("counting from 0" apart);
- the mask or axis that a proof speaks of is named in the question or in the answer, and directly before its value
  where several are listed;
- a box is written in the dialect that a proof `frame` names, else in pixels; one of several structures of a kind has
  the name that `called` proves of it, or its kind's where `kind_of` does;
- a source's own words (`span`, `digest`) stand there exactly, alone or behind the letter of their option, with
  `<image>` at the places of pictures; a source's explanation stands in `<think>`, its answer then in `<answer>`. A
  user's turn may be quoted too: besides its quotes it holds nothing but `<image>` and lettered options; a text of
  questions and answers is read in order (`curate.audit.exam`);
- in a trajectory of tools a call needs no proof, but every number in it is one of some proof's; a tool's result, which
  is a user's turn, is held to its proofs as an answer is, and has one unless it is only a picture;
- passages stand in the first prompt, each on its line, and an answer's last line names those that its proofs name
  (`curate.audit.passages`).

For a gold (`answer`): it is the proof's value, with its unit, each of its synonyms too; the turn that answers it, if
there is one, earns the reward. Proofs of pixels (`crop`, `pixels`, `degraded`) are digests, which no
words state. Not covered: words without a value between them, and prose that a teacher wrote, which has verdicts instead
of proofs: an edit there is named only by digests and roots.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from curate.audit.exam import is_exam, misquoted
from curate.audit.passages import speaks_of_passages, uncited, unshown
from manifests.errors import VerificationError
from manifests.record import PICTURE, Asked, Fact
from manifests.sample import Answer, Passage, Proof, Turn
from synth.boxes import Box2D, box_of, frame_of, numbers_text
from synth.calls import Call, parse_call
from synth.changes import NO, YES
from synth.claims import sides_in
from synth.facts import body_part_words, modalities_in, structure_words, words_for
from synth.passage_programs import without_passages
from synth.quotes import field_of
from synth.tasks.asks import STATISTIC_WORDS
from synth.verify import normal_form, verify_answer

_OPTION = re.compile(r"^\s*\(?([A-J])[.):]\s+(.*?)\s*$", re.MULTILINE)
_CHOICE = re.compile(r"\A([A-J])\. (.*)\Z", re.DOTALL)
_REASONED = re.compile(r"\A<think>(.*?)</think><answer>(.*)</answer>\Z", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_QUOTES = ("span", "digest")
_SILENT = frozenset(("crop", "pixels", "degraded", "frame", "called", "kind_of"))  # digests, and how others are said
_BOXES = frozenset(("box", "box_in", "stated_box"))
_STRUCTURES = frozenset(("largest", "smallest", "nearest", "in_box", "larger_in", "covers_most"))
_EVENTS = frozenset(("first_of", "event_at", "event_order"))
_RESPONSE = re.compile(r"\A<tool_response>(.*?)</tool_response>", re.DOTALL)
_OWN_NAMES = re.compile(r'"image": \d{1,3}|bbox_2d|mm2')  # numbers of the tools' own notation
_TAGGED = re.compile(r"<ref>[^<>]*</ref><box>\[(\[[^\[\]<>]*\])\]</box>")
_SIDES: Mapping[str, str] = MappingProxyType({"l": "left", "r": "right", "b": "bilateral"})
_UNITS: Mapping[str, str] = MappingProxyType(
    {"mL": "mL", "mm": "mm", "mm2": "mm(?:²|2)", "HU": "HU", "s": "(?:seconds?|s)", "degree": "(?:degrees?|°)",
     "%": "(?:%|per ?cent)"}
)  # fmt: skip
_MEASURED = frozenset(
    ("volume_ml", "longest_axis_mm", "count", "mean_hu", "mean_intensity", "extent_mm", "frame_count", "duration_s",
     "recist_mm", "perpendicular_axis_mm", "size_mm", "hu", "distance_mm", "angle_deg", "angle_between_lines_deg",
     "centroid_distance_mm", "label_count", "area_px", "area_mm2", "width_mm", "height_mm", "boxes_of", "count_facts",
     "time_of", "cut_time", "event_duration_s", "event_count", "share_pct", "long_diameter_mm", "diameters_mm",
     "centre_distance_mm", "area_ratio", "extent_ratio", "regions")
)  # fmt: skip
_OPPOSITE: Mapping[str, str] = MappingProxyType(
    {"left": "right", "right": "left", "anterior": "posterior", "posterior": "anterior", "superior": "inferior",
     "inferior": "superior"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What of a sample the rules look at."""

    text: str
    turns: tuple[Turn, ...]
    answer: Answer | None
    proofs: tuple[Proof, ...]
    facts: tuple[Fact, ...]
    by_teacher: bool
    text_of_source: str = ""
    asked: tuple[Asked, ...] = ()  # of the source, by number
    passages: tuple[Passage, ...] = ()  # that the prompt shows


def unstated(said: Said) -> Iterator[str]:
    """What does not hold, in words; nothing where all holds."""
    try:
        yield from _unstated(said)
    except KeyError as missing:  # a call that was changed after the run
        yield f"a proof without its argument {missing}"


def _unstated(said: Said) -> Iterator[str]:
    try:
        calls = {proof.call: parse_call(proof.call) for proof in said.proofs}
        said = dataclasses.replace(said, proofs=tuple(_as_written(p, said.proofs, calls) for p in said.proofs))
    except VerificationError as error:
        yield str(error)
        return
    by_turn: dict[int, list[Proof]] = defaultdict(list)
    for proof in (p for p in said.proofs if calls[p.call].name != "passage"):
        by_turn[proof.turn].append(proof)
    yield from unshown(said.turns, said.passages)
    if said.answer is not None:
        yield from _gold(said, said.answer, calls)
        return
    spoken = {i: turn.content for i, turn in enumerate(said.turns) if turn.role == "assistant"} or {-1: said.text}
    yield from _results(said, by_turn, calls)
    by_turn = {turn: found for turn, found in by_turn.items() if turn in spoken or not _is_result(said, turn)}
    for turn in sorted(by_turn.keys() - spoken.keys()):
        yield from _question(said, turn, by_turn[turn], calls)
    for turn, content in spoken.items():
        question = said.turns[turn - 1].content if turn > 0 else ""
        if "<tool_call>" in content and not said.by_teacher:
            known = _numbers_known(said, list(said.proofs))
            strange = [n for n in _NUMBER.findall(_OWN_NAMES.sub("", content)) if n not in known]
            if strange:
                yield f"turn {turn} {content[:60]!r} has a number that nothing proves: {strange[0]}"
        if by_turn.get(turn):
            yield from _turn(said, turn, question, content, by_turn[turn], calls)
        elif content and not said.by_teacher and "<tool_call>" not in content:
            yield f"turn {turn} {content[:60]!r} has no proof"


def _is_result(said: Said, turn: int) -> bool:
    inside = 0 <= turn < len(said.turns)
    return inside and said.turns[turn].role == "user" and _RESPONSE.match(said.turns[turn].content) is not None


def _results(said: Said, by_turn: Mapping[int, list[Proof]], calls: Mapping[str, Call]) -> Iterator[str]:
    """What tools returned: only what is proven, and a picture's number."""
    for turn in range(len(said.turns)):
        if not _is_result(said, turn):
            continue
        content, proofs = said.turns[turn].content, by_turn.get(turn, [])
        asked = said.turns[turn - 1].content if turn else ""
        for proof in proofs:
            bare = dataclasses.replace(proof, unit="")  # a result names its unit in a field of its own
            if not _states(content, calls[proof.call], bare, said.facts):
                yield f"turn {turn} {content[:80]!r} does not state {proof.call} = {proof.value}"
            elif not _names(calls[proof.call], f"{asked}\n{content}", said.proofs, calls):
                yield f"turn {turn} {content[:80]!r} does not name what {proof.call} speaks of"
        known = _numbers_known(said, proofs)
        strange = [n for n in _NUMBER.findall(_OWN_NAMES.sub("", content)) if n not in known]
        if strange:
            yield f"turn {turn} {content[:80]!r} has a number that nothing proves: {strange[0]}"


def _turn(
    said: Said, turn: int, question: str, content: str, proofs: list[Proof], calls: Mapping[str, Call]
) -> Iterator[str]:
    shown = f"turn {turn} {content[:80]!r}"
    content, proofs, wrong = uncited(question, content, proofs, calls)
    if wrong or not proofs:
        yield from [f"{shown} {wrong}"] if wrong else []
        return
    quoted = [p for p in proofs if calls[p.call].name in _QUOTES]
    if turn < 0 and is_exam(quoted, calls):
        wrong = misquoted(content, quoted, calls, said.text_of_source, said.asked)
        yield from [f"{shown} is not what the source asks and answers at {wrong!r}"] if wrong else []
        return
    if quoted:
        yield from _quoted(said, question, content, quoted, calls)
        return
    options = dict(_OPTION.findall(question))
    choice = _CHOICE.match(content) if options else None
    if options and (choice is None or normal_form(options.get(choice[1], "")) != normal_form(choice[2])):
        yield f"{shown} is not a letter with its option; options: {options}"
        return
    proofs = [p for p in proofs if calls[p.call].name not in _SILENT]
    alike = Counter(calls[p.call].name for p in proofs)
    for proof in proofs:
        call = calls[proof.call]
        holds = _holds(said, question, content, proof, calls[proof.call], choice[2] if choice else None)
        if not holds:
            yield f"{shown} does not state {proof.call} = {proof.value} {proof.unit}".rstrip()
        elif not _names(call, f"{question}\n{content}", said.proofs, calls) or (
            alike[call.name] > 1 and call.name == "volume_ml" and not _side_by_side(call, proof, content)
        ):
            yield f"{shown} does not name what {proof.call} = {proof.value} speaks of"
    known = _numbers_known(said, proofs)
    told = re.sub(r"(?i)counting from 0", "", content)
    strange = [n for n in _NUMBER.findall(told) if n not in known and "<tool_call>" not in content]
    if strange and not said.by_teacher:
        yield f"{shown} has a number that nothing proves: {strange[0]}"


def _holds(said: Said, question: str, content: str, proof: Proof, call: Call, option: str | None) -> bool:
    """Whether an answer states a proof's value: by its option, by a teacher's yes or no, or in its words."""
    if said.by_teacher and call.name == "label" and normal_form(content) in ("yes", "no"):
        return _closed(question, normal_form(content), call, proof, said.facts)
    if option is not None:
        return _is_form(option, call, proof, said.facts)
    return _states(content, call, proof, said.facts)


def _quoted(said: Said, question: str, content: str, proofs: list[Proof], calls: Mapping[str, Call]) -> Iterator[str]:
    """An answer in a source's own words: each of its parts is one of them."""
    reasoned = _REASONED.match(content)
    parts = {"why": reasoned[1], "answer": reasoned[2]} if reasoned else {"answer": content}
    options = dict(_OPTION.findall(question))
    choice = _CHOICE.match(parts["answer"]) if options else None
    if choice and normal_form(options.get(choice[1], "")) == normal_form(choice[2]):
        parts["answer"] = choice[2]
    unproven = set(parts)
    for proof in proofs:
        part = "why" if dict(calls[proof.call].args).get("field") == "why" else "answer"
        unproven.discard(part)
        if not _is_quoted(proof, parts.get(part, ""), said, calls[proof.call]):
            yield f"turn {proof.turn} {content[:80]!r} is not what {proof.call[:60]} proves"
    if unproven:
        yield f"turn {proofs[0].turn} {content[:80]!r} has words that nothing proves"


def _is_quoted(proof: Proof, content: str, said: Said, call: Call) -> bool:
    """Whether words are a source's own, with or without pictures between them."""
    forms = (content, content.replace("<image>\n", ""), content.replace("<image>", PICTURE))
    if call.name == "span":
        return any(" ".join(proof.value.split()) == " ".join(form.split()) for form in forms)
    source = field_of(said.text_of_source, said.asked, dict(call.args)).split()
    return any(hashlib.sha256(form.encode()).hexdigest() == proof.value or form.split() == source for form in forms)


def _question(said: Said, turn: int, proofs: list[Proof], calls: Mapping[str, Call]) -> Iterator[str]:
    """A user's turn that has proofs: it is in a source's own words."""
    if not 0 <= turn < len(said.turns) or any(calls[p.call].name != "digest" for p in proofs):
        yield f"proof {proofs[0].call} speaks of turn {turn}, which is no answer"
        return
    content = said.turns[turn].content
    left, options = without_passages(content, said.passages).replace("<image>", PICTURE), set[str]()
    for proof in proofs:
        args = dict(calls[proof.call].args)
        source = field_of(said.text_of_source, said.asked, args).strip()
        if args["field"] == "options":
            options |= set(source.split("\n"))
        elif not source or source not in left:
            yield f"turn {turn} {content[:80]!r} is not what {proof.call[:60]} proves"
        else:
            left = left.replace(source, "", 1)
    left = _OPTION.sub(lambda line: "" if line[2] in options else line[0], left)
    if left.replace(PICTURE, "").strip():
        yield f"turn {turn} {content[:80]!r} has words that nothing proves"


def _forms(call: Call, proof: Proof, facts: tuple[Fact, ...]) -> list[set[str]]:
    """The values of a proof, each in the words that may say it."""
    if call.name in _STRUCTURES:
        return [{proof.value, structure_words(proof.value)}]
    if call.name in _EVENTS:
        return [{proof.value, proof.value.replace("_", " ")}]
    if call.name in _BOXES:
        return [{proof.value, f"[{proof.value.replace(',', ', ')}]"}]
    if call.name != "label":
        return [{proof.value}]
    args = dict(call.args)
    name, about = args["fact"], args.get("about", "")
    values = dict.fromkeys(f.value for f in facts if f.name == name and (not about or f.about == about))
    return [_label_forms(name, value) for value in values] or [{proof.value}]


def _label_forms(name: str, value: str) -> set[str]:
    forms = {value, value.replace("_", " "), structure_words(value)}
    if name == "modality":
        forms.add(words_for(value))
    if name == "body_part":
        forms.add(body_part_words(value))
    if name == "laterality":
        forms = {_SIDES.get(value.lower(), value.lower())}
    if name == "chapter":
        forms.add(re.sub(r"\s*\([^()]*\)\s*$", "", value).strip())
    return forms


def _states(content: str, call: Call, proof: Proof, facts: tuple[Fact, ...]) -> bool:
    """Whether a sentence states a proof's value."""
    value = proof.value
    if call.name in _MEASURED:
        unit = rf"\s*{_UNITS[proof.unit]}(?!\w)" if proof.unit in _UNITS else ""
        return re.search(rf"(?<![\w.-]){re.escape(value)}(?![\d]|\.\d){unit}", content) is not None
    if call.name == "slice_range":
        return _NUMBER.findall(re.sub(r"(?i)counting from 0", "", content))[-2:] == value.split("-")
    if call.name in _BOXES:
        return re.search(rf"\[{re.escape(value).replace(',', ', ?')}\]", content) is not None
    if call.name in ("relation", "side_of"):
        told = _unnamed(call, content)
        return _phrase(value, told) and not _phrase(_OPPOSITE.get(value, value), told)
    if call.name == "is_left_of":
        first = normal_form(content).partition(" ")[0]
        return first == value and (" not " in content) == (value == "no")
    if call.name == "label" and dict(call.args)["fact"] == "modality" and _modality_named(content, value):
        return True
    if call.name == "label" and dict(call.args)["fact"] == "laterality" and not sides_in(content):
        return _SIDES.get(value.lower()) == "bilateral"  # a caption without a body part leaves it out
    return all(any(_phrase(form, content) for form in forms) for forms in _forms(call, proof, facts))


def _unnamed(call: Call, content: str) -> str:
    """A sentence without the names of the structures: `left kidney` says no side."""
    flat = normal_form(content)
    for _, value in call.args:
        flat = flat.replace(normal_form(structure_words(value)), " ")
    return flat


def _is_form(option: str, call: Call, proof: Proof, facts: tuple[Fact, ...]) -> bool:
    """Whether an option is a proof's value, no more and no less."""
    if call.name == "label" and dict(call.args)["fact"] == "modality" and _modality_named(option, proof.value):
        return True
    allowed = {form.casefold() for forms in _forms(call, proof, facts) for form in forms}
    bare = _TAGGED.sub(r"\1", option) if call.name in _BOXES else option
    return bare.strip().casefold() in allowed


def _modality_named(content: str, value: str) -> bool:
    meant = [codes for _, codes in modalities_in(content)]
    return bool(meant) and all(value.strip().upper() in codes for codes in meant)


def _phrase(form: str, content: str) -> bool:
    flat = normal_form(form)
    return f" {flat} " in f" {normal_form(content)} " if flat else form in content


def _as_written(proof: Proof, proofs: tuple[Proof, ...], calls: Mapping[str, Call]) -> Proof:
    """The proof with its value as the sample says it: a box in the sample's dialect, a structure by its kind."""
    call = calls[proof.call]
    if call.name in ("box_in", "stated_box"):
        return dataclasses.replace(proof, value=_box_said(proof.value, call, proofs, calls))
    if call.name == "in_box":
        kinds = [p.value for p in proofs if calls[p.call] == Call("kind_of", (("mask", proof.value),))]
        return dataclasses.replace(proof, value=kinds[0] if kinds else proof.value)
    return proof


def _box_said(value: str, call: Call, proofs: tuple[Proof, ...], calls: Mapping[str, Call]) -> str:
    """The numbers of a box of a picture in the dialect that the sample states for it."""
    member = dict(call.args).get("member", "")
    frames = [p.value for p in proofs if calls[p.call].name == "frame" and dict(calls[p.call].args)["member"] == member]
    box = box_of(value) if frames else None
    return numbers_text(box, *frame_of(frames[0])) if isinstance(box, Box2D) else value


def _names(call: Call, told: str, proofs: tuple[Proof, ...], calls: Mapping[str, Call]) -> bool:
    """Whether masks, landmarks, statistics, axes and boxes that a call speaks of are named."""
    for name, value in call.args:
        if call.name == "in_box" and name == "box":
            numbers = re.escape(_box_said(value, call, proofs, calls)).replace(",", ", ?")
            if re.search(rf"\[{numbers}\]", told) is None:
                return False
        if name == "statistic" and STATISTIC_WORDS.get(value, value) not in told:
            return False
        if name in ("p", "q", "r", "s") and not _phrase(value, told):
            return False
        for one in value.split("|") if name in ("mask", "a", "b", "midline") else ():
            forms = tuple(_called(one, proofs, calls)) or (structure_words(one), one)
            if not any(_phrase(form, told) for form in forms):
                return False
        if name in ("axis", "extent") and not re.search(rf"\b{value}\b", told):
            return False
    return True


def _called(name: str, proofs: tuple[Proof, ...], calls: Mapping[str, Call]) -> Iterator[str]:
    """What proofs say that a structure is called."""
    for proof in proofs:
        call = calls[proof.call]
        if call.name == "called" and dict(call.args)["mask"] == name:
            yield proof.value


def _side_by_side(call: Call, proof: Proof, content: str) -> bool:
    name = re.escape(structure_words(dict(call.args)["mask"]))
    return re.search(rf"{name}\W{{1,3}}{re.escape(proof.value)}(?!\d)", content) is not None


def _numbers_known(said: Said, proofs: list[Proof]) -> set[str]:
    sources = [text for p in proofs for text in (p.value, p.call)]
    sources += [text for f in said.facts for text in (f.value, f.about, f.unit)]
    sources += [body_part_words(f.value) for f in said.facts if f.name == "body_part"]
    return {number for text in sources for number in _NUMBER.findall(text)}


# --- golds -----------------------------------------------------------------------------------------------------------


def _gold(said: Said, answer: Answer, calls: Mapping[str, Call]) -> Iterator[str]:
    question = next((turn.content for turn in said.turns if turn.role == "user"), "")
    for turn in said.turns:
        if turn.role == "assistant":
            verdict = verify_answer(turn.content, answer)
            if not verdict.passed:
                yield f"the answer {turn.content[-60:]!r} does not earn the gold {answer.gold!r}: {verdict.evidence}"
    if not said.proofs and not said.by_teacher:
        yield f"gold {answer.gold!r} has no proof"
    for proof in said.proofs:
        call = calls[proof.call]
        if call.name in _SILENT or speaks_of_passages(call, answer.gold):
            continue
        if not _gold_is(question, answer, call, proof, said):
            yield f"gold {answer.gold!r} {answer.unit} is not {proof.call} = {proof.value} {proof.unit}".rstrip()
        elif not _names(call, question, said.proofs, calls):
            yield f"the question {question[:60]!r} does not name what {proof.call} speaks of"


def _closed(question: str, said: str, call: Call, proof: Proof, facts: tuple[Fact, ...]) -> bool:
    """Whether yes or no is right of a question that names, or does not name, what a fact says."""
    value = proof.value.strip().lower()
    if value in YES | NO:
        return said == ("yes" if value in YES else "no")
    named = any(_phrase(form, question) for forms in _forms(call, proof, facts) for form in forms)
    if dict(call.args)["fact"] == "modality":
        named = named or any(value.upper() in codes for _, codes in modalities_in(question))
    return said == ("yes" if named else "no")


def _gold_is(question: str, answer: Answer, call: Call, proof: Proof, said: Said) -> bool:
    gold = answer.gold
    if answer.type == "yes_no" and call.name == "label":
        return _closed(question, gold, call, proof, said.facts)
    if call.name in _QUOTES:
        source = proof.value if call.name == "span" else field_of(said.text_of_source, said.asked, dict(call.args))
        chosen = dict(_OPTION.findall(question)).get(gold, "") if answer.type == "mcq" else ""
        if chosen and normal_form(chosen) == normal_form(source):
            return True
        if answer.type == "number":
            found = re.findall(r"[-+−]?[\d.,eE+]+", source)
            return gold in found and answer.unit in source
        return normal_form(gold) == normal_form(source)
    if answer.type == "mcq":
        option = dict(_OPTION.findall(question)).get(gold, "")
        return option != "" and _is_form(option, call, proof, said.facts)
    if call.name == "slice_range":
        return all(_NUMBER.findall(one) == proof.value.split("-") for one in gold.split("|"))
    if answer.type == "label":
        allowed = {normal_form(f) for forms in _forms(call, proof, said.facts) for f in forms}
        return all(normal_form(one) in allowed for one in gold.split("|"))
    return (gold, answer.unit) == (proof.value, proof.unit)
