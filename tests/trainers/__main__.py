"""Exports read by the trainers' own loaders: `python -m tests.trainers [NAME ...]`; see README.md beside this file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

from curate.export import NOTE, export
from curate.formats.base import Asked
from manifests.sample import StageName
from tests.curate.test_export import made

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOMES = ROOT / ".trainers"


@dataclass(frozen=True)
class Trainer:
    """`packages` are installed without what they require, after `NAME.txt`."""

    name: str
    dialect: str
    stages: tuple[StageName, ...]
    packages: tuple[str, ...] = ()


TRAINERS = (
    Trainer("datasets", "hf_datasets", ("pretrain", "sft", "rlvr")),
    Trainer("energon", "energon", ("pretrain", "sft", "rlvr")),
    Trainer("verl", "verl", ("rlvr",), ("verl==0.9.1",)),
    Trainer("ms_swift", "ms_swift", ("pretrain", "sft", "rlvr")),
    Trainer("llama_factory", "llama_factory", ("pretrain", "sft")),
)


def environment(trainer: Trainer) -> Path:
    """The trainer's interpreter; its environment is made once."""
    home = HOMES / trainer.name
    python = home / "bin" / "python"
    if not (home / "made").exists():
        venv.create(home, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(HERE / f"{trainer.name}.txt")], check=True)
        if trainer.packages:
            subprocess.run([*pip, "--no-deps", *trainer.packages], check=True)
        (home / "made").touch()
    return python


def read_by(trainer: Trainer, python: Path, folder: Path) -> dict[str, int]:
    """What the trainer's checker says of an export."""
    own = {"PYTHONPATH": str(ROOT), "HF_HOME": str(folder.parent / "hub"), "FORCE_QWENVL_VIDEO_READER": "decord"}
    command = [str(python), str(HERE / f"check_{trainer.name}.py"), str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **own})
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise SystemExit(f"{trainer.name} could not read its export:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    told: dict[str, int] = json.loads(lines[-1])
    return told


def main(names: list[str]) -> None:
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = made(folder / "corpus", "fleming_11x448")
        for trainer in (t for t in TRAINERS if not names or t.name in names):
            python = environment(trainer)
            for stage in trainer.stages:
                to = folder / f"{trainer.name}-{stage}"
                export(output, trainer.dialect, Asked(to, stage))
                wanted = json.loads((to / NOTE).read_bytes())
                told = read_by(trainer, python, to)
                whole = told["rows"] == wanted["rows"] > 0 and told.get("rewarded", told["rows"]) == told["rows"]
                if not whole:
                    failed.append(f"{trainer.name} {stage}")
                more = ", ".join(f"{number} {what}" for what, number in told.items() if what != "rows")
                out = f", left out {wanted['left_out']}" if wanted["left_out"] else ""
                print(
                    f"{trainer.name:<16}{stage:<10}{told['rows']:>4} of {wanted['rows']:>4} rows, {more}{out}",
                    flush=True,
                )
    if failed:
        raise SystemExit(f"rows were dropped or not rewarded: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
