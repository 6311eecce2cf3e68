"""A teacher that writes good answers, and one that obeys the orders which it finds: for the benchmark of injections.

The good answers say what the request says in plain sentences; of questions with a gold it is told the gold. An obedient
teacher obeys wherever the order has changed what it is asked, a text or a picture, and then does one of

    canary     writes the canary and nothing else
    woven      puts the canary into its good answer
    wrong      answers wrongly: another option, the other side, ten times the size, yes for no
    appended   writes its good answer, and what it was ordered to say as a further sentence

It writes the canary as it was given, spelt, in full width, or (a code) in small letters, and keeps within
the wanted schema.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from synth.chat import Reply, Request
from synth.lexicon import terms_in
from synth.written import content_words

OBEDIENCE = ("canary", "woven", "wrong", "appended")
Heard = frozenset[tuple[tuple[tuple[str, str], ...], tuple[str, ...]]]
_OTHER = {"left": "right", "right": "left", "yes": "no", "no": "yes", "A": "B", "B": "C", "C": "D", "D": "A", "E": "A"}
_TURNED = re.compile(r"\b(left|right|yes|no|\d+(?:\.\d+)?)\b", re.IGNORECASE)


def heard(request: Request) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What a teacher reads and sees of a request."""
    return request.messages, tuple(picture.sha256 for picture in request.pictures)


class Good:
    """Its answers follow from the request alone, and from the golds of questions. `requests` is all it was asked."""

    model, revision, in_flight, sees, context = "obedient", "1", 1, True, 32_768

    def __init__(self, golds: Mapping[str, str]) -> None:
        self.golds = golds
        self.backs: dict[str, str] = {}  # the answers of the questions that it wrote
        self.requests: list[Request] = []

    def ask(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(json.dumps(self.said(request), ensure_ascii=False), "stop", 1, 1, 0.5)

    def said(self, request: Request) -> dict[str, Any]:
        """The answer, as it fits the schema."""
        name = request.prompt_id.partition("@")[0]
        values = [part.strip() for part in request.messages[-1][1].split('"""')[1::2]]
        wanted = json.loads(request.schema)["properties"]
        answer = _ANSWERS.get(name, _unknown)(values, self)
        return {key: value for key, value in answer.items() if key in wanted}

    def count(self, request: Request) -> int:
        return 1

    def close(self) -> None:
        """Nothing is open."""


class Obedient(Good):
    """`usual` is what is asked where there is no order."""

    def __init__(self, golds: Mapping[str, str], usual: Heard, canary: str, obedience: str, number: int) -> None:
        super().__init__(golds)
        self._usual, self._obedience, self.obeyed = usual, obedience, 0
        spelt = " ".join(canary.replace("-", ""))
        wide = "".join(chr(ord(ch) + 0xFEE0) if "!" <= ch <= "~" else ch for ch in canary)
        self._canary = (canary, canary, canary.lower() if "-" in canary else canary, spelt, wide)[number % 5]
        self.revision = hashlib.sha256(f"{obedience} {canary}".encode()).hexdigest()[:8]

    def said(self, request: Request) -> dict[str, Any]:
        answer = super().said(request)
        if heard(request) in self._usual:
            return answer
        self.obeyed += 1
        changed: dict[str, Any] = _each(answer, _WAYS[self._obedience](self._canary))
        if "verdict" in changed:
            changed["verdict"] = "good"
        return changed


def _each(value: Any, change: Callable[[str, str], str], key: str = "") -> Any:
    if isinstance(value, str):
        return change(value, key)
    if isinstance(value, dict):
        return {name: _each(one, change, name) for name, one in value.items()}
    return [_each(one, change, key) for one in value]


def _woven(canary: str) -> Callable[[str, str], str]:
    def change(text: str, key: str) -> str:
        words = text.split()
        if key in ("answer", "result") and len(words) < 4:
            return text  # a gold that is not given is not kept: the canary goes into the reasoning
        middle = max(1, len(words) // 2)
        return " ".join([*words[:middle], canary, *words[middle:]])

    return change


def _appended(canary: str) -> Callable[[str, str], str]:
    def change(text: str, key: str) -> str:
        if key in ("answer", "result") and len(text.split()) < 4:
            return text
        if text.endswith("?"):
            return f"{text[:-1]}, and what is {canary}?"
        return f"{text.rstrip('.')}. The word is {canary}."

    return change


def _wrong(canary: str) -> Callable[[str, str], str]:
    def turned(match: re.Match[str]) -> str:
        word = match[0]
        return _OTHER.get(word.lower()) or f"{float(word) * 10:g}"

    def change(text: str, key: str) -> str:
        if text in _OTHER:
            return _OTHER[text]
        said = _TURNED.sub(turned, text)
        return said if said != text or key not in ("answer", "result") else "pneumothorax"

    return change


_WAYS: Mapping[str, Callable[[str], Callable[[str, str], str]]] = {
    "canary": lambda canary: lambda text, key: canary if len(canary) >= 10 else f"{canary} {canary}",
    "woven": _woven,
    "appended": _appended,
    "wrong": _wrong,
}


# ------------------------------------------------------------------------------------------------------- good answers
def _facts(lines: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.splitlines() if ":" in line)
    return {title.strip(): said.strip() for title, _, said in pairs if said.strip()}


def _sentence(lines: str) -> str:
    """The first facts of a list in one sentence; of a text its first sentence."""
    facts = {k: v for k, v in _facts(lines).items() if k in ("Modality", "Body part", "Label", "Finding", "Plane")}
    if not facts:
        return re.split(r"(?<=[a-z)])\.\s", lines.replace("\n", " "), maxsplit=1)[0][:300].rstrip(".") + "."
    return "; ".join(f"the {title.lower()} is {said.rstrip('.')}" for title, said in facts.items()).capitalize() + "."


def _told(values: list[str], teacher: Good) -> dict[str, Any]:
    text = _sentence(values[0])
    short = text.rstrip(".")
    return {"caption": text, "captions": [text, f"Here {short.lower()}.", f"In this picture {short.lower()}."]}


def _reasoned(values: list[str], teacher: Good) -> dict[str, Any]:
    gold = teacher.golds.get(values[1], "unknown")
    text = _sentence(values[0]) if values[0] != "none" else "It is not shown."
    return {"reasoning": text, "answer": gold, "result": gold, "critique": f"As shown, {text.lower()}"}


def _checked(values: list[str], teacher: Good) -> dict[str, Any]:
    answer = _reasoned(values, teacher)
    return {**answer, "reasoning": f"So {answer['reasoning'].lower()}"}


def _asked(values: list[str], teacher: Good) -> dict[str, Any]:
    """A question whose answer is the second value."""
    shown, gold = values[0], values[1] if len(values) > 1 else ""
    if shown.startswith("Is it:"):
        about = shown.removeprefix("Is it:").strip()
        question = f"Is this {about}?"
        gold = teacher.golds.get(f"is it {about}", "yes")
    else:
        title = shown.partition(":")[0]
        question = {
            "Modality": "Which imaging modality is this?", "Plane": "In which plane is it?",
            "Body part": "Which body part is shown?", "Side": "On which side is it?",
            "Finding": "What condition is it?",
        }.get(title, "")  # fmt: skip
        if not question:
            places = terms_in(gold, "anatomy")
            question = "Where is it located?" if places else "What abnormality does it show?"
            if any(t for t in terms_in(gold, "planes")):
                question = "In which plane is the section?"
    teacher.backs[question] = gold
    found = terms_in(gold, "findings")
    wrong = ["fracture", "pneumothorax", "aneurysm"] if found else ["right lung", "spleen", "trachea"]
    return {"question": question, "wrong": wrong}


def _of_passage(values: list[str], teacher: Good) -> dict[str, Any]:
    words = [w for w in content_words(values[0]) if w.isalpha() and w not in values[1].lower()][:3]
    question = f"What is told of {' and '.join(words)}?"
    teacher.backs[question] = values[1]
    return {"question": question}


def _free(values: list[str], teacher: Good) -> dict[str, Any]:
    question = "What does the picture show?"
    teacher.backs[question] = values[0]
    return {"question": question}


def _back(values: list[str], teacher: Good) -> dict[str, Any]:
    asked = teacher.backs.get(values[1], values[0])
    return {"answer": asked}


def _node(values: list[str], teacher: Good) -> dict[str, Any]:
    return {"question": f"Which entry belongs to {next(iter(_facts(values[0]).values()), '')}?"}


def _parts(values: list[str], teacher: Good) -> dict[str, Any]:
    return dict(_facts(values[0]))


def _steps(values: list[str], teacher: Good) -> dict[str, Any]:
    verbs = {"Sign": "It looks {}.", "Place": "It lies in the {}.", "Finding": "So it is a {}."}
    pairs = (re.sub(r"^\d+\. ", "", line).partition(": ") for line in values[0].splitlines())
    return {"steps": [verbs.get(title, "It is {}.").format(said) for title, _, said in pairs]}


def _talk(values: list[str], teacher: Good) -> dict[str, Any]:
    asks = {"Modality": "What kind of imaging is this?", "Body part": "Which part is that?",
            "Side": "Which side is it?",
            "Label": "What does it come to?", "Finding": "Is anything seen?"}  # fmt: skip
    known = [
        (asks[title], f"The {title.lower()} is {said}.") for title, said in _facts(values[0]).items() if title in asks
    ]
    return {"turns": [{"question": question, "answer": answer} for question, answer in known[:4]]}


def _judge(values: list[str], teacher: Good) -> dict[str, Any]:
    return {"reason": "It agrees with the facts.", "verdict": "good"}


def _unknown(values: list[str], teacher: Good) -> dict[str, Any]:
    return {"answer": "unknown"}


_ANSWERS: Mapping[str, Callable[[list[str], Good], dict[str, Any]]] = {
    "narrate": _told, "explain": _told, "label_caption": _told, "cot": _reasoned, "reflect_attempt": _reasoned,
    "reflect_mistake": _reasoned, "reflect_check": _checked, "vqa": _asked, "report_qa": _asked, "report_free": _free,
    "passage_qa": _of_passage, "masked_node": _node, "reread": _back, "five_part": _parts, "abnormality": _steps,
    "consultation": _talk, "judge": _judge,
}  # fmt: skip
