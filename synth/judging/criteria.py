"""Rubrics: YAML files of criteria with weights, and the score that follows from which of them hold.

Shipped is `medvlsynther`. A recipe may name a file of its own, which ends in `.yaml`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from manifests.config import Config, recipe_error
from manifests.errors import RecipeError

ProgramName = Literal["no_leak", "one_gold", "one_type", "well_formed", "concise", "forbidden_terms"]
MOST = 40  # criteria that one answer can hold


class Criterion(Config):
    """One sentence that is true or false of a draft. `program` decides it where it can (`synth.judging.programs`);
    what it leaves open, and a criterion without one, is asked of the judge."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9 '/-]{1,39}$")
    says: str = Field(min_length=10, max_length=300)
    weight: float = Field(ge=-100, le=100)
    program: ProgramName | None = None

    @property
    def field(self) -> str:
        """Its name in an answer: `image_text_consistency`."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


class Criteria(Config):
    """A rubric. A draft must meet every `essential` criterion; `bonus` adds to its score and `pitfalls`, whose weights
    are negative, take from it. `about` is which drafts it can judge: those that ask one multiple choice, or any."""

    version: int = Field(ge=1)
    about: Literal["choice", "any"] = "any"
    essential: tuple[Criterion, ...] = ()
    bonus: tuple[Criterion, ...] = ()
    pitfalls: tuple[Criterion, ...] = ()

    @model_validator(mode="after")
    def _makes_a_score(self) -> Criteria:
        if not self.gains or len(self.all) > MOST:
            raise ValueError(f"a rubric has an essential or bonus criterion, and at most {MOST} in all")
        for one in self.all:
            if (one.weight < 0) is not (one in self.pitfalls) or not one.weight:
                raise ValueError(f"'{one.name}': weights of pitfalls are below 0, those of all others above")
        fields = [one.field for one in self.all]
        fields += [f"{one}_reason" for one in fields]
        doubled = sorted({one for one in fields if fields.count(one) > 1})
        if doubled:
            raise ValueError(f"two criteria are called '{doubled[0]}'")
        return self

    @property
    def gains(self) -> tuple[Criterion, ...]:
        return (*self.essential, *self.bonus)

    @property
    def all(self) -> tuple[Criterion, ...]:
        return (*self.essential, *self.bonus, *self.pitfalls)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A rubric and its id, NAME@VERSION-DIGEST with the first 8 digits of the file's sha256."""

    criteria: Criteria
    rubric_id: str


@functools.lru_cache(maxsize=16)
def load(name: str) -> Loaded:
    """The rubric of a shipped name or of a path that ends in `.yaml`. Raises `RecipeError`."""
    path = Path(name)
    folder = importlib.resources.files("synth") / "judging" / "rubrics"
    place = path if path.suffix == ".yaml" else folder / f"{name}.yaml"
    try:
        data = place.read_bytes()
    except OSError:
        shipped = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir())
        raise RecipeError(
            f"there is no rubric {name!r}; shipped are {', '.join(shipped)}, or name a .yaml file"
        ) from None
    return parse(path.stem, data)


def parse(name: str, data: bytes) -> Loaded:
    """A rubric from the bytes of its file. Raises `RecipeError` that names what is wrong."""
    try:
        criteria = Criteria.model_validate(yaml.safe_load(data.decode()))
    except ValidationError as error:
        raise recipe_error(error, f"rubric {name}") from None
    except (ValueError, RecursionError, yaml.YAMLError):
        raise RecipeError(f"rubric {name}: not YAML in UTF-8") from None
    return Loaded(criteria, f"{name}@{criteria.version}-{hashlib.sha256(data).hexdigest()[:8]}")


def score(criteria: Criteria, holds: Mapping[str, bool]) -> float:
    """From 0 to 1: the weights of the essential and bonus criteria that hold, less those of the pitfalls that do, over
    the weights of all essential and bonus criteria; 0 where an essential one does not hold. `holds` is by field.

    It is MedVLSynther's normalised score (UCSC-VLAA/MedVLSynther@9df6f3b, synthesis/anotate_rubric_score.py); there an
    essential criterion that fails is a flag of its own, which its filter requires beside the score."""
    if not all(holds[one.field] for one in criteria.essential):
        return 0.0
    gained = sum(one.weight for one in (*criteria.gains, *criteria.pitfalls) if holds[one.field])
    return min(1.0, max(0.0, gained / sum(one.weight for one in criteria.gains)))


def failed(criteria: Criteria, holds: Mapping[str, bool]) -> list[str]:
    """The names of the essential and bonus criteria that do not hold and of the pitfalls that do, in their order."""
    return [one.name for one in criteria.all if holds[one.field] is (one.weight < 0)]
