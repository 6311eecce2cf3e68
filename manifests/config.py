"""The base of every configuration model: frozen, closed, and with errors that list the valid choices.

Configuration is identity: `identity()` is what enters a unit's key, so two runs with equal configuration share work.
"""

from __future__ import annotations

import difflib
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from manifests.errors import RecipeError

WANTED = {"tuple_type": "a list", "list_type": "a list", "dict_type": "a mapping of names to values"}  # YAML's words


class Config(BaseModel):
    """A frozen model in which an unknown key is an error that names the known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    # fields that say where to look or how much to draw, not what a record becomes; `identity` leaves them out
    placement: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value:
                if key not in known:
                    raise ValueError(unknown("key", str(key), known))
        return value

    def identity(self) -> dict[str, Any]:
        """The configuration that decides what a record becomes, as JSON-able values."""
        return self.model_dump(mode="json", exclude=set(self.placement))


def unknown(what: str, name: str, known: list[str]) -> str:
    """`unknown key 'wieght' (did you mean 'weight'?); known: ...`."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return f"unknown {what} '{name}'{hint}; known: {', '.join(sorted(known))}"


def recipe_error(error: ValidationError, where: str) -> RecipeError:
    """One line for the first things wrong in a configuration, with the path to each and the valid choices."""
    lines = []
    for problem in error.errors()[:3]:
        path = ".".join(str(part) for part in problem["loc"])
        context = problem.get("ctx", {})
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "union_tag_invalid":
            choices = [c.strip(" '") for c in str(context["expected_tags"]).split(",")]
            message = unknown(str(context["discriminator"]).strip("'"), str(context["tag"]), choices)
            path = path.removesuffix(f".{context['tag']}")
        elif problem["type"] == "union_tag_not_found":
            message = f"has no {context['discriminator']}"
        elif problem["type"] in WANTED:
            of = " of class names" if path.endswith(".labels") else ""
            message = f"wants {WANTED[problem['type']]}{of} (found {problem['input']!r})"
        elif "input" in problem and problem["type"] not in ("missing", "value_error"):
            message = f"{message} (found {problem['input']!r})"
        lines.append(f"{path}: {message}" if path else message)
    return RecipeError(f"{where}: " + "; ".join(lines))
