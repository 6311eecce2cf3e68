"""Another mixture of a finished output: an exact list of draws over the samples that its shards hold.

Nothing is rendered, written by a teacher or packed: the ledger says what every sample is, and the draw list says which
of them stand in which order, how often. It is two files, written whole:

    mixture.parquet   one row a draw: position, key, repeat, phase, stage, split, shard, offset, size_bytes, source,
                      task, kind, modality, text_tokens, visual_tokens; held-out samples once, behind the others
    mixture.json      the mixture, the output's fingerprint and roots, the table of expected against available, the
                      priors of answers

What an output left out when it was made is not there to be drawn: for re-mixing, make it without budgets and weights.
Repeats in its shards count once. `curate export --draws` follows such a list.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from curate import mix
from curate.mix import TRAIN, offers_of
from curate.recipe import load, override
from curate.store import write_atomic
from manifests.balance import Prior
from manifests.config import recipe_error
from manifests.errors import RecipeError
from manifests.manifest import SCHEMA, Manifest, read_manifest
from manifests.mixture import Mixture, Row, Share, check_names, shortfall
from manifests.mixture import mix as mixed_of
from manifests.offers import NAMED, VERIFIED

LIST = "mixture.parquet"
NOTE = "mixture.json"
OF_RECORD = ("key", "source", "kind", "modality", "group", "split")
OF_SAMPLE = (
    "stage", "shard", "offset", "size_bytes", "task", "part", "repeat", "text_tokens", "visual_tokens", "pass_rate",
    *VERIFIED,
)  # fmt: skip
WRITTEN = (
    "key", "stage", "split", "shard", "offset", "size_bytes", "source", "task", "kind", "modality", "text_tokens",
    "visual_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remix:
    draws: pa.Table
    rows: tuple[Row, ...]
    priors: tuple[Prior, ...]
    shortfall: int


def samples_of(out: Path, manifest: Manifest) -> pa.Table:
    """One row per sample of the output, repeats left out: what its ledger says of it and of its record; `sample` is
    its key. Raises `RecipeError` for an output of another version."""
    if manifest.schema_ != SCHEMA:
        raise RecipeError(f"'{out}' has schema {manifest.schema_!r}, this version mixes {SCHEMA}: run the recipe again")
    parts = []
    for part in manifest.ledger:
        rows = pq.read_table(out / part.path, columns=[*OF_RECORD, "samples"])
        samples = rows["samples"].combine_chunks()
        parents = pc.list_parent_indices(samples)
        flat = pc.list_flatten(samples)
        columns = {name: rows[name].combine_chunks().take(parents) for name in OF_RECORD}
        columns |= {name: pc.struct_field(flat, name) for name in OF_SAMPLE}
        parts.append(pa.table({**columns, "sample": pc.struct_field(flat, "key")}))
    whole = pa.concat_tables(parts)
    return whole.filter(pc.equal(whole["repeat"], 0))


def remix(samples: pa.Table, shares: Mapping[str, Share], mixture: Mixture, seed: int) -> Remix:
    """The draws over an output's samples, in their order; the rest of the output's splits behind them, each once."""
    offers = offers_of(samples)
    training = np.flatnonzero(samples["split"].to_numpy(zero_copy_only=False) == TRAIN)
    names = {name: list(offers.terms[name]) for name in NAMED}
    check_names(mixture, {**names, "source": [*names["source"], *shares]})
    mixed = mixed_of(offers.chosen(training), shares, mixture, seed)
    drawn = mixed.drawn
    held = np.delete(np.arange(len(offers)), training)
    order = np.concatenate([training[drawn.offer], held])
    nothing = np.zeros(len(held), np.int64)
    chosen = samples.take(pa.array(order)).select(["sample", *WRITTEN[1:]]).rename_columns(list(WRITTEN))
    columns: dict[str, Any] = {"position": np.arange(len(order)), "repeat": np.concatenate([drawn.repeat, nothing])}
    columns["phase"] = np.concatenate([drawn.phase, nothing])
    for name, values in columns.items():
        chosen = chosen.append_column(name, pa.array(values, pa.int64()))
    return Remix(chosen, mixed.rows, mixed.priors, shortfall(mixed.rows, mixture))


@dataclass(frozen=True, slots=True)
class Asked:
    """A mixture with what the sources say of themselves, and the seed of the choices."""

    mixture: Mixture
    shares: dict[str, Share]
    seed: int


def asked(out: Path, recipe: str, overrides: tuple[str, ...]) -> Asked:
    """The mixture of a recipe (a shipped name or a path; "": that of the output itself) with these overrides of its
    YAML. Raises `RecipeError`."""
    if recipe:
        loaded, _ = load(recipe, overrides)
        return Asked(loaded.mixture, mix.shares(loaded), loaded.seed)
    own = read_manifest(out).recipe
    raw = {"mixture": own["mixture"], "sources": own["sources"], "seed": own["seed"]}
    for one in overrides:
        override(raw, one)
    try:
        shares = {
            s["name"] or s["source"]: Share(weight=s["weight"], max_repeat=s["max_repeat"]) for s in raw["sources"]
        }
        return Asked(Mixture.model_validate(raw["mixture"]), shares, int(raw["seed"]))
    except ValidationError as error:
        raise recipe_error(error, "--set") from None


def write(out: Path, to: Path, wanted: Asked) -> Remix:
    """Mix the output anew and write both files to the folder `to`. Raises `RecipeError` as `draw` does."""
    manifest = read_manifest(out)
    mixture, shares, seed = wanted.mixture, wanted.shares, wanted.seed
    made = remix(samples_of(out, manifest), shares, mixture, seed)
    to.mkdir(parents=True, exist_ok=True)
    unfinished = to / f"{LIST}.new"
    pq.write_table(made.draws, unfinished, compression="zstd")
    unfinished.replace(to / LIST)
    note = {
        "schema": "medcurate-mixture/2",
        "fingerprint": manifest.fingerprint,
        "roots": manifest.roots.model_dump(),
        "seed": seed,
        "mixture": mixture.model_dump(mode="json"),
        "shares": {name: share.model_dump(mode="json") for name, share in sorted(shares.items())},
        "table": [dataclasses.asdict(row) for row in made.rows],
        "priors": [dataclasses.asdict(prior) for prior in made.priors],
        "shortfall": made.shortfall,
    }
    write_atomic(to / NOTE, (json.dumps(note, indent=1) + "\n").encode())
    return made
