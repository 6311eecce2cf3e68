"""A recipe: the YAML that a user writes, checked before anything runs.

Every key has a default that suits a first try; `sources` alone is a valid recipe. An unknown key, a misspelt name or a
negative weight is one line that lists the valid choices. `load` resolves a shipped name (`demo`) or a path; relative
roots start at the recipe's own folder, then at `--data`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from curate.deidentify import DeidentifyConfig
from curate.render import RenderConfig
from curate.retrieve.config import Retrieve
from curate.select import SelectConfig
from manifests.config import Config, recipe_error, unknown
from manifests.errors import RecipeError
from manifests.mixture import Mixture
from manifests.record import digest
from manifests.sample import STAGES, StageName
from sources import Source, parse_sources
from sources.base import PACKAGE, Place, SourceConfig, resolve_root
from synth.facts import VOCABULARY
from synth.judging.config import Judging
from synth.judging.rubric import misfit
from synth.tasks import TEACHER_TASKS, TaskEntry, parse_task
from synth.teacher import TeacherConfig

SHIPPED = Path(__file__).resolve().parent.parent / "manifests" / "recipes"
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


def parse_bytes(value: Any) -> Any:
    """`1GB`, `512MiB` or a plain number, as bytes."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", value)
    if not match or match[2].upper() not in UNITS:
        raise ValueError(f"size '{value}' is not a number with one of {', '.join(u for u in UNITS if u)}")
    return int(float(match[1]) * UNITS[match[2].upper()])


Bytes = Annotated[int, BeforeValidator(parse_bytes)]


class ShardsConfig(Config):
    """How large one shard may be; a single larger sample stands alone."""

    max_samples: int = Field(default=1000, ge=1)
    max_bytes: Bytes = Field(default=10**9, ge=1024)


class LimitsConfig(Config):
    """What share of records may fail before the run ends with exit code 3, and what reading one record may cost."""

    failed: float = Field(default=0.05, ge=0, le=1)
    memory: Bytes = Field(default=4 << 30, ge=1 << 28, description="of the process that reads a record")
    seconds: float = Field(default=600.0, gt=0, description="by the clock, for one record")


class Recipe(Config):
    """What is asked. `identity()` leaves out where things are and how fast they run."""

    name: str = "recipe"
    seed: int = 0
    sources: Annotated[tuple[Source, ...], BeforeValidator(parse_sources)]
    absent: Literal["refuse", "leave_out"] = "refuse"  # a source whose files are not there
    deidentify: DeidentifyConfig = DeidentifyConfig()
    render: RenderConfig = RenderConfig()
    select: SelectConfig = SelectConfig()
    retrieve: Retrieve | None = None  # passages for the task `rag`
    tasks: tuple[TaskEntry, ...] = Field(
        default_factory=lambda: tuple(
            parse_task(n) for n in ("source_text", "qa", "dialogue", "caption", "measure", "mcq")
        )
    )
    teacher: TeacherConfig | None = None  # who writes; `teachers` are asked beside it
    teachers: dict[Literal["stronger", "blind", "judge"], TeacherConfig] = Field(default_factory=dict)
    judging: Judging = Judging()
    stages: tuple[StageName, ...] = STAGES
    mixture: Mixture = Mixture()
    shards: ShardsConfig = ShardsConfig()
    limits: LimitsConfig = LimitsConfig()

    placement: ClassVar[frozenset[str]] = frozenset({"limits"})

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", value):
            raise ValueError(f"name '{value}' must be 1 to 64 letters, digits, '.', '_' or '-'")
        return value

    @model_validator(mode="after")
    def _source_names_differ(self) -> Recipe:
        if not self.sources:
            raise ValueError("`sources` is empty; name at least one")
        names = [s.called for s in self.sources]
        doubled = sorted({n for n in names if names.count(n) > 1})
        if doubled:
            raise ValueError(f"two sources are called '{doubled[0]}'; give each its own `name`")
        return self

    @model_validator(mode="after")
    def _declared_facts_are_known(self) -> Recipe:
        for source in self.sources:
            for name in source.facts:
                if name not in VOCABULARY:
                    raise ValueError(f"source '{source.called}': {unknown('fact', name, list(VOCABULARY))}")
        return self

    @model_validator(mode="after")
    def _passages_are_found_and_used(self) -> Recipe:
        used = any(t.task == "rag" for t in self.tasks)
        if used and self.retrieve is None:
            raise ValueError("task 'rag' shows passages; add `retrieve: {}`")
        if self.retrieve is not None:
            if not used:
                raise ValueError("`retrieve` finds passages that no task shows; add the task `rag`")
            self.retrieve.check(self.sources)
        return self

    @model_validator(mode="after")
    def _teacher_tasks_have_a_teacher(self) -> Recipe:
        asking = [t.task for t in self.tasks if t.task in TEACHER_TASKS]
        if asking and self.teacher is None:
            raise ValueError(
                f"task '{asking[0]}' asks a teacher; add `teacher: {{backend: embedded}}` or another backend"
            )
        return self

    @model_validator(mode="after")
    def _rubric_has_its_own_judge(self) -> Recipe:
        wrong = misfit(self.judging, self.teacher, self.teachers, [t.task for t in self.tasks])
        if wrong:
            raise ValueError(wrong)
        return self

    def identity(self) -> dict[str, Any]:
        """The recipe as JSON-able values, without roots and packs' paths (what lies there is known by its digests)."""
        whole = super().identity()
        whole["select"]["benchmarks"] = [{**use, "pack": ""} for use in whole["select"]["benchmarks"]]
        placed = [(s.model_dump(mode="json", exclude={"root"}), s.called) for s in self.sources]
        whole["sources"] = [{**source, "name": name} for source, name in placed]
        return whole


def with_data(recipe: Recipe, recipe_folder: Path, data: Path | None) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with the sources whose files are there, and the names of the others, as `absent` allows.

    Raises `RecipeError` for one that is not there, or where none is."""
    if recipe.absent == "refuse":
        return recipe, ()
    kept: list[SourceConfig] = []
    missing: list[str] = []
    for source in recipe.sources:
        try:
            source.check(place_of(source, recipe_folder, data))
        except RecipeError:
            missing.append(source.called)
        else:
            kept.append(source)
    if not kept:
        raise RecipeError(
            f"none of the recipe's {len(missing)} sources is there; `--data ROOT` holds them as ROOT/{missing[0]} and "
            f"so on: `curate fetch {missing[0]} --data ROOT`, or `curate miniature {recipe.name} --to ROOT` for a trial"
        )
    left = {"sources": tuple(kept), "mixture": recipe.mixture.without(missing)}
    return recipe.model_copy(update=left), tuple(missing)


def place_of(source: SourceConfig, recipe_folder: Path, data: Path | None) -> Place:
    """Where the source's files are; `ROOT/<source name>` under `--data` is tried before the root itself."""
    named = data / source.called if data is not None else None
    relative = not source.root.startswith(PACKAGE) and not Path(source.root).is_absolute()
    if named is not None and relative and named.exists():
        inside = named / source.root
        return Place(inside if inside.exists() else named, recipe_folder)
    return Place(resolve_root(source.root, recipe_folder, data), recipe_folder)


def shipped() -> dict[str, Path]:
    """The recipes in the package, by name."""
    return {p.stem: p for p in sorted(SHIPPED.glob("*.yaml"))}


def find(recipe: str) -> Path:
    """The file behind a shipped name or a path; raises `RecipeError` that lists the shipped names."""
    if recipe in shipped():
        return shipped()[recipe]
    path = Path(recipe)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml") or "/" in recipe:
        raise RecipeError(f"recipe file '{recipe}' not found")
    raise RecipeError(unknown("recipe", recipe, list(shipped())))


def load(recipe: str, overrides: tuple[str, ...] = ()) -> tuple[Recipe, Path]:
    """The checked recipe and its folder. `overrides` are `path=value` pairs with dots into the YAML, values in YAML.

    Raises `RecipeError` with one line."""
    path = find(recipe)
    try:
        raw = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise RecipeError(f"{path.name}: not YAML" + (f" at line {line + 1}" if line is not None else "")) from None
    if not isinstance(raw, dict):
        raise RecipeError(f"{path.name}: a recipe is a mapping; it needs at least `sources`")
    raw.setdefault("name", re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem))
    for one in overrides:
        override(raw, one)
    try:
        return Recipe.model_validate(raw), path.resolve().parent
    except ValidationError as error:
        raise recipe_error(error, path.name) from None


def override(raw: dict[str, Any], said: str) -> None:
    """Set one value of a recipe's YAML: `said` is PATH=VALUE. Raises `RecipeError`."""
    path, equals, text = said.partition("=")
    if not equals:
        raise RecipeError(f"--set '{said}' is not PATH=VALUE, e.g. --set mixture.samples=1000")
    *folders, last = path.split(".")
    node: Any = raw
    for part in folders:
        node = _descend(node, part, said)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set '{said}': the value is not YAML") from None
    if isinstance(node, list):
        node[_index(node, last, said)] = value
    else:
        node[last] = value


def _descend(node: Any, part: str, override: str) -> Any:
    if isinstance(node, list):
        place = _index(node, part, override)
        if isinstance(node[place], str) and override.startswith("tasks."):
            node[place] = {"task": node[place]}  # a name alone is a task without options
        child = node[place]
    else:
        child = node.setdefault(part, {})
    if not isinstance(child, (dict, list)):
        raise RecipeError(f"--set '{override}': '{part}' is a plain value, nothing lies below it")
    return child


def _index(node: list[Any], part: str, override: str) -> int:
    """The place in a list: a number from 0, or what an entry is called (a source's name, a task's)."""
    called = [_called(entry) for entry in node]
    if part in called:
        return called.index(part)
    if not part.isdigit() or int(part) >= len(node):
        names = ", ".join(name for name in called if name)
        there = f"; it has: {names}" if names else ""
        raise RecipeError(
            f"--set '{override}': '{part}' is no entry of a list of {len(node)}, 0 to {len(node) - 1}{there}"
        )
    return int(part)


def _called(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    names = (entry.get("name"), entry.get("source"), entry.get("task")) if isinstance(entry, dict) else ()
    return next((str(name) for name in names if name), "")


def fingerprint(recipe: Recipe, inputs: str, code: str) -> str:
    """One digest of what was asked, of what, and by which code: equal fingerprints mean equal shards and ledger."""
    return digest({"recipe": recipe.identity(), "inputs": inputs, "code": code})
