"""Why a reply is not worth reading, before anything is known of its subject: cut off, empty, not of its schema, or not
in the language that was asked for. `synth.asking.persistent` asks again for such a one.

    truncated        ended by `max_tokens`
    empty            no letter or digit in it (of JSON: in none of its strings and numbers)
    schema           not JSON, or not of the request's schema (types, required, enum, bounds; see `fits`)
    wrong_language   mostly in letters of another script; or, in Latin letters, at least three words of grammar of
                     another language and twice as many of them as of English

Language is judged for English and Chinese alone, by script and by words of grammar; short texts pass.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Literal

from synth.chat import Reply, Request

Language = Literal["", "en", "zh"]  # "": any
_WORD = re.compile(r"[^\W\d_]+")
LEAST_LETTERS = 12  # of a text whose script is judged
_GRAMMAR = {
    "en": "the of and is are with in to a an for on by no not this that from was there it at as be has which",
    "de": "der die das und ist nicht mit ein eine einer im den dem des zu auf von bei wird sind kein keine zeigt",
    "fr": "le la les et est une des du dans avec pour pas qui sur au aux par il elle sont cette aucun montre",
    "es": "el los las y es una del con por para se que en al como no hay son muestra esta sin izquierdo derecho",
    "it": "il lo gli e è una dei della con per non che nel sono mostra alla sul senza questo sinistro destro",
    "pt": "o os as e é uma dos da com por para não que no na são mostra ao sem este esquerdo direito",
    "nl": "de het een en is van met niet voor op in er zijn geen bij wordt toont links rechts deze",
}
_WORDS = {language: frozenset(words.split()) for language, words in _GRAMMAR.items()}


def flaw(reply: Reply, request: Request, language: Language = "en") -> str:
    """The first flaw of a reply by the names above, or ""."""
    if reply.finish_reason == "length":
        return "truncated"
    said: list[str] = [reply.text]
    if request.schema:
        if not reply.text.strip():
            return "empty"
        try:
            value = json.loads(reply.text)
            if not fits(value, json.loads(request.schema)):
                return "schema"
        except (ValueError, RecursionError):
            return "schema"
        said = list(_said(value))
    if not any(character.isalnum() for text in said for character in text):
        return "empty"
    return "" if not language or speaks(" ".join(said), language) else "wrong_language"


def _said(value: Any) -> Iterator[str]:
    """What a value says in words and numbers; names of its fields are not its own words."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _said(one)
    elif isinstance(value, list):
        for one in value:
            yield from _said(one)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def speaks(text: str, language: Literal["en", "zh"]) -> bool:
    """Whether a text may be in a language; one too short to tell may be."""
    letters = [c for c in text if c.isalpha()]
    if len(letters) < LEAST_LETTERS and language == "en":
        return not any(_is_han(c) for c in letters)
    if language == "zh":
        return sum(map(_is_han, letters)) >= 0.3 * len(letters)
    strange = sum(1 for c in letters if not c.isascii() and not _is_latin_or_greek(c))
    if strange > 0.2 * len(letters):
        return False
    words = [word.lower() for word in _WORD.findall(text)]
    counts = {one: sum(word in known for word in words) for one, known in _WORDS.items()}
    others = max(count for one, count in counts.items() if one != "en")
    return others < 3 or others <= 2 * counts["en"]


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


def _is_latin_or_greek(character: str) -> bool:
    name = unicodedata.name(character, "")
    return name.startswith(("LATIN", "GREEK", "MICRO", "FEMININE", "MASCULINE", "MODIFIER"))


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "number": (int, float), "boolean": (bool,),
    "null": (type(None),), "integer": (int,),
}  # fmt: skip


def fits(value: Any, schema: Any) -> bool:
    """Whether a value is of a JSON Schema, as far as it uses type, enum, const, anyOf, properties, required,
    additionalProperties false, items and the bounds of lengths and numbers. `pattern`, `format` and references are not
    looked at: the engine's grammar and the task's own model are for those."""
    if not isinstance(schema, dict):
        return True
    if "anyOf" in schema and not any(fits(value, one) for one in schema["anyOf"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return False
    return _bounded(value, schema) and _inside(value, schema)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))


def _bounded(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, str):
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if isinstance(value, list):
        return bool(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _inside(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, list):
        return all(fits(one, schema.get("items")) for one in value)
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    closed = schema.get("additionalProperties") is False
    return (
        all(name in value for name in schema.get("required", ()))
        and not (closed and value.keys() - known.keys())
        and all(fits(one, known.get(name)) for name, one in value.items())
    )
