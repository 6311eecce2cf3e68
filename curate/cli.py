"""The command line. Thin: each command checks its options, calls one function and prints what it returned.

Exit codes: 0 done; 1 unexpected; 2 usage or recipe error; 3 finished, but more records failed than the recipe allows;
4 verification found something. Imports stand inside the commands, so `curate --help` answers at once.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from curate import __version__
from manifests.errors import MedcurateError, RecipeError, VerificationError
from manifests.redact import redacted

if TYPE_CHECKING:
    from curate.recipe import Recipe
    from curate.run import Result
    from manifests.sample import StageName

UNEXPECTED, USAGE, TOO_MANY_FAILED, NOT_VERIFIED = 1, 2, 3, 4
P = ParamSpec("P")


class Examples(click.Command):
    """A command whose epilog keeps its line breaks."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.epilog:
            formatter.write("\nExample:\n" + "".join(f"  {line}\n" for line in self.epilog.splitlines()))


def ends_well(function: Callable[P, None]) -> Callable[P, None]:
    """Turn our errors into one line and the right exit code; MEDCURATE_DEBUG=1 shows the traceback too. Of any other
    exception the traceback is shown, without secrets, and the exit code is 1."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except MedcurateError as error:
            told = traceback_of(error) if os.environ.get("MEDCURATE_DEBUG") else ""
            click.echo(f"{told}curate: {error}", err=True)
            codes = {RecipeError: USAGE, VerificationError: NOT_VERIFIED}
            sys.exit(codes.get(type(error), UNEXPECTED))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click knows what to say, and to whom
        except Exception as error:
            click.echo(f"{traceback_of(error)}curate: unexpected {type(error).__name__}; please report it", err=True)
            sys.exit(UNEXPECTED)

    return wrapped


def traceback_of(error: Exception) -> str:
    """The traceback as Python prints it, causes, contexts and notes among it, without any secret (`manifests.redact`).

    Each entry is searched by itself: a frame with its line of code, or an exception's whole text."""
    return "".join(redacted(entry) for entry in traceback.format_exception(error))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="medcurate")
def main() -> None:
    """Turn public medical sources into verified WebDataset shards, and prove what is in them."""


recipe_argument = click.argument("recipe")
set_option = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a recipe key.")
data_option = click.option(
    "--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Root of data."
)
work_option = click.option("--work", type=click.Path(path_type=Path), help="Prepared units; default OUT/.work.")
key_option = click.option("--key-file", type=click.Path(path_type=Path), help="Key for pseudonyms (mode 0600).")
out_argument = click.argument("out", type=click.Path(path_type=Path))


@main.command(cls=Examples, epilog="curate run demo --out out/demo\ncurate run my.yaml --out out/my --set seed=8")
@recipe_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the output goes.")
@data_option
@click.option(
    "--workers", type=click.IntRange(min=0), default=None, help="Local Ray workers; 0: no Ray. Default: cores."
)
@click.option("--address", default="", help="A running Ray cluster, e.g. auto.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many records of each source.")
@set_option
@work_option
@key_option
@click.option("--quiet", is_flag=True, help="No progress.")
@ends_well
def run(
    recipe: str,
    out: Path,
    data: Path | None,
    workers: int | None,
    address: str,
    limit: int | None,
    overrides: tuple[str, ...],
    work: Path | None,
    key_file: Path | None,
    quiet: bool,
) -> None:
    """Run RECIPE (a shipped name or a YAML file) and leave a verified-ready output in OUT."""
    from curate.recipe import load
    from curate.run import Options
    from curate.run import run as run_recipe

    loaded, folder = load(recipe, overrides)
    options = Options(
        out=out.absolute(),
        work=(work or out / ".work").absolute(),
        recipe_folder=folder,
        data=data.absolute() if data else None,
        workers=(os.cpu_count() or 1) if workers is None else workers,
        address=address,
        limit=limit,
        key_file=key_file.absolute() if key_file else None,
        quiet=quiet,
    )
    result = run_recipe(loaded, options)
    click.echo(summary(result, out, loaded))
    counts = result.manifest.counts
    failed = sum(counts.failed.values())
    if failed > loaded.limits.failed * counts.read:
        click.echo(
            f"curate: {failed} of {counts.read} records failed, more than limits.failed = {loaded.limits.failed:g} "
            "allows; `curate query OUT failures` lists them",
            err=True,
        )
        sys.exit(TOO_MANY_FAILED)


def summary(result: Result, out: Path, recipe: Recipe) -> str:
    """What a run made, in a few lines."""
    from curate.mixture_words import of_recipe

    m = result.manifest
    counts = m.counts
    per_stage = [
        f"{stage} {sum(s.samples for s in m.shards if s.stage == stage)}" for stage in ("pretrain", "sft", "rlvr")
    ]
    lost = f"{sum(counts.dropped.values())} dropped + {sum(counts.failed.values())} failed"
    lines = [
        f"{counts.read} records read = {counts.kept} kept + {counts.duplicate} duplicate + {lost}",
        f"samples: {', '.join(per_stage)}, in {len(m.shards)} shards, {sum(s.bytes for s in m.shards) / 1e6:.1f} MB",
        *of_recipe(recipe, m.absent, m.mixture.table),
        teacher_line(result),
    ]
    if m.key == "public":
        lines.append("pseudonyms: public key (from the recipe); set MEDCURATE_KEY or --key-file for private data")
    lines += [
        f"units run: {result.executed}, {m.environment['seconds']['total']:.1f} s",
        f"look at: {out}/README.md, {out}/manifest.json, {out}/shards/, {out}/ledger/",
        f"next:    curate verify {out}    curate report {out}    curate query {out} funnel",
    ]
    return "\n".join(lines)


def teacher_line(result: Result) -> str:
    teacher = result.manifest.teacher
    if not teacher.model:
        return f"teacher: {teacher.state}"
    rejected = ", ".join(f"{n} {reason}" for reason, n in teacher.rejected.items())
    told = f"teacher: {teacher.model} wrote {teacher.drafts} drafts, {teacher.accepted} accepted" + (
        f", rejected by check: {rejected}" if rejected else ""
    )
    tokens = sum(p.prompt_tokens for p in teacher.prompts), sum(p.completion_tokens for p in teacher.prompts)
    told += (
        f"\n         {sum(p.requests for p in teacher.prompts)} requests, {tokens[0]:,} tokens in, {tokens[1]:,} out"
    )
    told += f", {sum(tokens) / teacher.samples:,.0f} for each of {teacher.samples} samples" if teacher.samples else ""
    fresh = result.manifest.environment.get("teacher")
    if fresh and fresh["fresh_requests"]:
        rate = fresh["fresh_completion_tokens"] / fresh["seconds"]
        told += f"; {fresh['fresh_requests']} asked in this run, {rate:,.1f} tokens/s out"
    return told


@main.command(cls=Examples, epilog="curate plan demo\ncurate plan my.yaml --out out/my")
@recipe_argument
@click.option("--out", type=click.Path(path_type=Path), help="An output whose finished work counts.")
@data_option
@set_option
@work_option
@key_option
@click.option("--tokens-per-second", type=click.FloatRange(min=0.001), help="What one GPU writes, for the GPU hours.")
@ends_well
def plan(
    recipe: str,
    out: Path | None,
    data: Path | None,
    overrides: tuple[str, ...],
    work: Path | None,
    key_file: Path | None,
    tokens_per_second: float | None,
) -> None:
    """Say what a run of RECIPE would do: sources, licences, units done and to do, requests and tokens, mixture."""
    from curate.plan import plan as plan_recipe
    from curate.plan import text
    from curate.recipe import load
    from curate.run import Options

    loaded, folder = load(recipe, overrides)
    with tempfile.TemporaryDirectory() as scratch:
        known = work or (out / ".work" if out else Path(scratch))
        options = Options(
            out=(out or Path(scratch)).absolute(),
            work=known.absolute(),
            recipe_folder=folder,
            data=data.absolute() if data else None,
            workers=0,
            key_file=key_file.absolute() if key_file else None,
            quiet=True,
        )
        click.echo(text(plan_recipe(loaded, options), tokens_per_second))


@main.command(
    cls=Examples,
    epilog="curate mix out/demo --to out/mix --set mixture.stage_samples.sft=200 --set mixture.temperature=2\n"
    "curate mix out/all --to out/mix --recipe my.yaml",
)
@out_argument
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder for the draw list.")
@click.option("--recipe", default="", help="Whose mixture and weights count; default: those of OUT itself.")
@set_option
@ends_well
def mix(out: Path, to: Path, recipe: str, overrides: tuple[str, ...]) -> None:
    """Mix a finished OUT anew: a list of draws over its samples, without touching media."""
    from curate.mix import table_text
    from curate.mixture_words import words
    from curate.remix import LIST, asked, write

    wanted = asked(out, recipe, overrides)
    made = write(out, to, wanted)
    told = words(made.rows, wanted.shares, wanted.mixture, sorted({row.stage for row in made.rows}))
    click.echo("\n".join([table_text(made.rows, made.shortfall, made.priors), *told]))
    click.echo(f"{len(made.draws):,} draws in {to / LIST}; next: curate export {out} --draws {to / LIST} ...")


@main.command(
    cls=Examples,
    epilog="curate export out/demo --format llava --stage sft --to out/llava\n"
    "curate export out/demo --format qwen_vl --stage sft --to out/packed --pack-tokens 32768",
)
@out_argument
@click.option("--format", "name", default="", help="A dialect; without one they are listed.")
@click.option("--to", type=click.Path(path_type=Path), help="A folder that is not there yet.")
@click.option("--stage", type=click.Choice(["pretrain", "sft", "rlvr"]), default="sft", show_default=True)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="train", show_default=True)
@click.option("--draws", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A list of `curate mix`.")
@click.option("--max-tokens", type=click.IntRange(min=0), default=0, help="Leave longer samples out; 0: none.")
@click.option("--pack-tokens", type=click.IntRange(min=0), default=0, help="Samples together in rows (qwen_vl).")
@click.option("--system", default="", help="A system message, where the dialect has a place for it.")
@ends_well
def export(
    out: Path,
    name: str,
    to: Path | None,
    stage: StageName,
    split: str,
    draws: Path | None,
    max_tokens: int,
    pack_tokens: int,
    system: str,
) -> None:
    """Write a finished OUT as a trainer's own format."""
    from curate.export import LEFT_OUT
    from curate.export import export as export_output
    from curate.formats import DIALECTS
    from curate.formats.base import Asked

    if not name or to is None:
        click.echo("\n".join(f"{d.NAME:<16}{', '.join(d.STAGES):<24}{d.WHAT}" for d in DIALECTS))
        return
    asked = Asked(to.absolute(), stage, split, max_tokens, system, pack_tokens)
    done = export_output(out, name, asked, draws)
    lost = ", ".join(f"{n} {reason}" for reason, n in done.left_out.items())
    click.echo(f"{done.rows} rows in {to}" + (f"; left out, see {LEFT_OUT}: {lost}" if lost else ""))
    for line in done.told:
        click.echo(f"use: {line}")


@main.command(cls=Examples, epilog="curate sources\ncurate sources dicom_tree")
@click.argument("name", required=False)
@ends_well
def sources(name: str | None) -> None:
    """List the sources that a recipe can name, or show one with its keys."""
    from curate.catalogue import list_sources, show_source

    click.echo(show_source(name) if name else list_sources())


@main.command(cls=Examples, epilog="curate miniature chexpert --to data\ncurate miniature fleming_vl_sft --to data")
@click.argument("name")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Becomes the --data of a run.")
@click.option("--seed", default=7, show_default=True)
@ends_well
def miniature(name: str, to: Path, seed: int) -> None:
    """Write invented miniatures of a source, or of all sources of a recipe, in their upstreams' layouts."""
    from curate.miniature import write_miniatures

    for line in write_miniatures(name, to, seed):
        click.echo(line)


@main.command(
    cls=Examples, epilog="curate fetch medmnist --data /data\ncurate fetch msd --data /data --only 'Task09*' --dry-run"
)
@click.argument("name")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False), help="Root of data."
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Files of upstream, by shell pattern; default: all.")
@click.option("--max-bytes", type=click.IntRange(min=0), help="Refuse to download more.")
@click.option("--dry-run", is_flag=True, help="Ask the places and say what would be fetched; write nothing.")
@click.option("--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Files at the same time.")
@click.option("--keep-archives", is_flag=True, help="Keep what was unpacked in ROOT/.fetch/NAME.archives.")
@ends_well
def fetch(
    name: str, data: Path, only: tuple[str, ...], max_bytes: int | None, dry_run: bool, jobs: int, keep_archives: bool
) -> None:
    """Bring the files of source NAME, if they are open, below ROOT/NAME: resumed, checked, recorded."""
    from sources.fetch import Options
    from sources.fetch import fetch as fetch_source

    def tell(line: str) -> None:
        click.echo(line, err=True)

    done = fetch_source(name, Options(data.absolute(), only, max_bytes, dry_run, jobs, keep_archives, tell=tell))
    click.echo(done.text())
    if done.failed:
        sys.exit(TOO_MANY_FAILED)


@main.command(cls=Examples, epilog="curate verify out/demo\ncurate verify out/demo --media --json")
@out_argument
@click.option("--media", is_flag=True, help="Also compare what media of different splits show.")
@click.option("--json", "as_json", is_flag=True, help="Findings for machines.")
@ends_well
def verify(out: Path, media: bool, as_json: bool) -> None:
    """Re-check everything in OUT: digests, counts, links, splits, proofs. Exit 0 only if all holds."""
    from curate.audit import verify as verify_output

    report = verify_output(out, media=media)
    click.echo(report.to_json() if as_json else report.text())
    if not report.ok:
        sys.exit(NOT_VERIFIED)


@main.command(cls=Examples, epilog="curate explain out/demo 3f9a1c")
@out_argument
@click.argument("key")
@ends_well
def explain(out: Path, key: str) -> None:
    """Tell one record's whole story, kept or not. KEY may be a unique beginning of a record's or a sample's key."""
    from curate.explain import explain as explain_record

    click.echo(explain_record(out, key))


@main.command(
    cls=Examples, epilog='curate query out/demo source-of 3f9a1c\ncurate query out/demo "SELECT * FROM ledger LIMIT 3"'
)
@out_argument
@click.argument("sql", nargs=-1)
@ends_well
def query(out: Path, sql: tuple[str, ...]) -> None:
    """Ask the ledger in SQL (DuckDB), or by a named query; without one, list the names.

    On a terminal, rows that are wider than it are shown one column a line."""
    from curate.query import NAMED, as_table
    from curate.query import query as run_query

    if not sql:
        click.echo("\n".join(f"{name:<16}{what}" for name, (what, _) in sorted(NAMED.items())))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    click.echo(as_table(*run_query(out, " ".join(sql)), width))


@main.command(cls=Examples, epilog="curate diff out/a out/b")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@ends_well
def diff(first: Path, second: Path) -> None:
    """Say what differs between two outputs, and why. Exit 0 if nothing does, 4 if something does."""
    from curate.compare import differences

    found = differences(first, second)
    click.echo("\n".join(found) if found else "no difference: recipe, inputs, ledger and shards are equal")
    if found:
        sys.exit(NOT_VERIFIED)


@main.command(cls=Examples, epilog="curate report out/demo")
@out_argument
@ends_well
def report(out: Path) -> None:
    """Write OUT/report/index.html, one self-contained page."""
    from curate.report import write_report

    click.echo(write_report(out))


@main.command(
    "pack-benchmark",
    cls=Examples,
    epilog="curate pack-benchmark pubmedqa pubmedqa/data --out packs/pubmedqa.pack\n"
    "curate pack-benchmark mine qa.csv --column question=Q --column options=A+B+C --out packs/mine.pack",
)
@click.argument("name", required=False)
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), help="The pack to write.")
@click.option("--split", default="", help="Default: the one that is scored.")
@click.option("--licence", default="", help="The benchmark's, as it is to stand in the pack.")
@click.option("--salt", default="", metavar="HEX", help="Default: the common one; packs of one salt are fastest.")
@click.option("--column", "columns", multiple=True, metavar="PART=COLUMN", help="FOLDER is one table of any benchmark.")
@click.option("--no-pixels", is_flag=True, help="Do not decode images; files are hashed all the same.")
@ends_well
def pack_benchmark(
    name: str | None,
    folder: Path | None,
    out: Path | None,
    split: str,
    licence: str,
    salt: str,
    columns: tuple[str, ...],
    no_pixels: bool,
) -> None:
    """Make the pack of benchmark NAME, which lies in FOLDER as published: salted hashes that decontamination checks.

    Without NAME, list the benchmarks that can be read."""
    from curate.packs.make import Wanted, columns_of, listed, make

    if not name:
        click.echo(listed())
        return
    if folder is None or out is None:
        raise RecipeError("give the benchmark's folder and --out, e.g. --out packs/medqa.pack")
    click.echo(make(Wanted(name, folder, out, split, licence, salt, columns_of(columns), not no_pixels)))


@main.command(cls=Examples, epilog="curate doctor")
@ends_well
def doctor() -> None:
    """Say whether this machine is ready: Python, codecs, ffmpeg, Ray, teacher, GPU, disk."""
    from curate.doctor import examine, text

    findings = examine()
    click.echo(text(findings))
    if any(f.needed_for == "everything" and not f.ok for f in findings):
        sys.exit(UNEXPECTED)


if __name__ == "__main__":
    main()
