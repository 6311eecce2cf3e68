"""The shipped demo, run once for this folder's tests as its user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def curate(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`curate ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "curate.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def demo_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished demo, made by two workers, teacher included where its packages are installed. It goes on from a copy
    of the output that TESTS_DEMO_OUT names: what the same code made of the same data is not made again."""
    out = tmp_path_factory.mktemp("demo") / "out"
    if made := os.environ.get("TESTS_DEMO_OUT"):
        shutil.copytree(made, out, symlinks=True)
    curate("run", "demo", "--out", out, "--workers", "2", "--quiet")
    return out
