"""Contact sheets: samples of five recipes, drawn as a model sees them, for looking at.

    python -m benchmarks.sheets                          # all of them, into docs/sheets/
    python -m benchmarks.sheets medregion --data ROOT    # one, from sources below ROOT in place of miniatures

Each recipe is run on invented miniatures of its sources (`curate miniature`), so the pictures are waves and discs: what
is to be seen is whether boxes, pairs, crops, twins and places of pictures are right. Samples are chosen by the order of
their keys, one of each kind after the other.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
from PIL import Image, ImageDraw

from benchmarks.sheet_cards import ASKED, INK, LARGE, MASKED, PLAIN, QUIET, SAID, SMALL, Sample, card, columns, fitted
from benchmarks.sheet_cards import COLOURS as BOXES
from curate.miniature import write_miniatures
from curate.recipe import load
from curate.run import Options, run
from synth.degrade import KINDS, WORDS

SHEETS = Path(__file__).resolve().parents[1] / "docs" / "sheets"
MOST_BYTES = 300_000
COLOURS = (256, 128, 96, 64, 48, 32)
SEED = 7
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a sheet shows: samples of a stage and a task of some recipes, `cards` of them, no two of one `kind` before
    every kind has one."""

    recipes: tuple[str, ...]
    title: str
    task: str
    stages: tuple[str, ...]
    kind: Callable[[Row], tuple[str, ...]]
    cards: int
    across: int = 4
    width: int = 380
    tall: int = 150
    overrides: tuple[str, ...] = ()


def _answer(row: Row) -> str:
    return str(row["conversations"][-1]["content"])


def _asked(row: Row) -> str:
    """The kind of a question about regions, by what its answer is made of."""
    turns = row.get("conversations") or [{"content": ""}]
    return f"{'[' in turns[0]['content']} {'[' in turns[-1]['content']} {len(turns)}"


def _proven(row: Row) -> str:
    """The programs of its proofs: those of the four families of questions about twins differ."""
    return " ".join(sorted({p["call"].split("(")[0] for p in row["proofs"]}))


PLANS = {
    "medq_deg": Plan(
        ("medq_deg",), "degradations: original and twins of levels 1 to 3, then questions about them", "twins",
        ("sft",), lambda row: (_proven(row),), 8, tall=84, overrides=("tasks.1.max_questions=8",),
    ),
    "medregion": Plan(
        ("medregion",), "regions: from a name to its box, from a box to its name, captions with boxes", "region",
        ("sft", "pretrain"), lambda row: (row["source"], row["stage"], _asked(row)), 12,
    ),
    "mmxu": Plan(
        ("mmxu",), "two visits of one patient: what changed", "progression", ("sft", "rlvr"),
        lambda row: (row["source"], row["stage"], _answer(row)), 8,
    ),
    "ophiuchus": Plan(
        ("ophiuchus",), "tool trajectories: zoom, segment and measure, then the answer (mask outlined, boxes drawn)",
        "tools", ("sft",), lambda row: (row["source"],), 8, width=390, tall=140,
    ),
    "medmax": Plan(
        ("fleming_vl_pretrain", "medmax"), "interleaved documents: pictures where the text has them", "interleaved",
        ("pretrain",), lambda row: (row["source"],), 12, tall=110,
    ),
}  # fmt: skip


def samples(out: Path) -> Iterator[Sample]:
    """The samples of an output's shards, in the order of their keys."""
    found: list[Sample] = []
    for path in sorted((out / "shards").glob("*.tar")):
        members: dict[str, dict[str, bytes]] = defaultdict(dict)
        with tarfile.open(path) as shard:
            for info in shard:
                key, _, member = info.name.partition(".")
                stream = shard.extractfile(info)
                members[key][member] = stream.read() if stream else b""
        found += [Sample(json.loads(own["json"]), own) for own in members.values()]
    yield from sorted(found, key=lambda s: (s.row["key"], s.row["stage"]))


def outputs(plan: Plan, work: Path, data: Path | None) -> Iterator[Path]:
    """Each of the plan's recipes, run."""
    for name in plan.recipes:
        own = data or work / "data"
        if data is None:
            list(write_miniatures(name, own, SEED))
        recipe, folder = load(name, plan.overrides)
        out = work / name
        run(recipe, Options(out=out, work=work / "work", recipe_folder=folder, data=own, workers=0, quiet=True))
        yield out


def chosen(found: list[Sample], plan: Plan) -> list[Sample]:
    """The samples that a sheet shows."""
    fitting = [s for s in found if s.row["task"] == plan.task and s.row["stage"] in plan.stages and s.whole]
    kinds: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in fitting:
        kinds[plan.kind(sample.row)].append(sample)
    turns = zip_longest(*(kinds[kind] for kind in sorted(kinds)))
    return [s for turn in turns for s in turn if s is not None][: plan.cards]


def sheet(plan: Plan, found: list[Sample]) -> Image.Image:
    """The cards of a plan under its title; for degradations, a table of all kinds above them."""
    picked = chosen(found, plan)
    if not picked:
        raise SystemExit(f"no sample of {plan.task} in {', '.join(plan.recipes)}")
    known = _opening(picked)
    cards = [card(s, plan.width, plan.tall, known if n else "") for n, s in enumerate(picked)]
    parts = [columns(cards, plan.across)]
    if plan.task == "twins":
        parts.insert(0, table(found, parts[0].width))
    width, top = max(p.width for p in parts) + 20, 34
    whole = Image.new("RGB", (width, top + sum(p.height + 10 for p in parts)), "white")
    ImageDraw.Draw(whole).text((10, 8), f"{' and '.join(plan.recipes)}: {plan.title}", INK, LARGE)
    for part in parts:
        whole.paste(part, (10, top))
        top += part.height + 10
    return whole


def _opening(picked: list[Sample]) -> str:
    """The paragraph with which all of several samples begin, or nothing."""
    openings = {s.turns[0][1].partition("\n\n")[0] for s in picked if "\n\n" in s.turns[0][1]}
    same = len(openings) == 1 and all("\n\n" in s.turns[0][1] for s in picked) and len(picked) > 1
    return openings.pop() if same else ""


def table(found: list[Sample], width: int, side: int = 84, across: int = 3) -> Image.Image:
    """Every kind of degradation on one picture: the original and the twins of it that samples have."""
    shown: dict[str, dict[int, Image.Image]] = {}
    for sample in found:
        for kind, row in _twins(sample):
            if len(row) > len(shown.get(kind, {})):
                shown[kind] = row
    cell, high = width // across, side + 26
    drawn = Image.new("RGB", (width, -(-len(KINDS) // across) * high), "white")
    draw = ImageDraw.Draw(drawn)
    for number, kind in enumerate(KINDS):
        left, top = number % across * cell, number // across * high
        draw.text((left, top), f"{kind} ({WORDS[kind]})", INK, PLAIN)
        for level, picture in shown.get(kind, {}).items():
            drawn.paste(fitted(picture, side, side), (left + level * (side + 6), top + 17))
        if kind not in shown:
            draw.text((left, top + 20), "no sample", QUIET, SMALL)
    return drawn


def _twins(sample: Sample) -> Iterator[tuple[str, dict[int, Image.Image]]]:
    """The kind of a sample's twins, with its pictures by level; 0 is the original."""
    shown = [m for m in sample.row["media"] if m["kind"] == "image"]
    told = [m["target"].split(":") for m in shown]
    kinds = {t[1] for t in told if t[0] == "degraded"}
    if sample.whole and len(kinds) == 1 and any(t[0] != "degraded" for t in told):
        levels = [int(t[2]) if t[0] == "degraded" else 0 for t in told]
        yield kinds.pop(), dict(sorted(zip(levels, sample.pictures, strict=True), key=lambda pair: pair[0]))


def _paletted(whole: Image.Image, colours: int) -> Image.Image:
    """The picture in so many colours, among them those of boxes, masks and text as they are."""
    own = [part for colour in (*BOXES, MASKED, INK, ASKED, SAID, (255, 255, 255)) for part in colour]
    found = whole.quantize(colours - len(own) // 3, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(own + found[: 3 * colours - len(own)])
    return whole.quantize(colours, palette=palette, dither=Image.Dither.NONE)


def save(whole: Image.Image, path: Path) -> int:
    """Write a PNG of at most 300 kB, with as many colours as that allows; its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for colours in COLOURS:
        _paletted(whole, colours).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    return path.stat().st_size


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PLANS)))
@click.option("--data", type=click.Path(path_type=Path), help="where the sources are; else invented miniatures")
@click.option("--to", type=click.Path(path_type=Path), default=SHEETS, help="the folder of the sheets")
@click.option("--work", type=click.Path(path_type=Path), help="outputs and prepared units; else a folder that goes")
def main(names: tuple[str, ...], data: Path | None, to: Path, work: Path | None) -> None:
    """Draw the contact sheets of these recipes, or of all five."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names or PLANS:
            plan = PLANS[name]
            found = [s for out in outputs(plan, work or Path(folder), data) for s in samples(out)]
            size = save(sheet(plan, found), to / f"{name}.png")
            click.echo(f"{to / name}.png: {size} bytes, of {len(found)} samples")


if __name__ == "__main__":
    main()
