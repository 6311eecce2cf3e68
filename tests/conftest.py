"""Fixtures that several test files share."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup` the tests of the demo share one process, and so do those that start clusters."""
    for item in items:
        if item.path.parent.name in ("demo", "cluster"):
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))


def pytest_collection_finish() -> None:
    """What collecting made stays until the end: the garbage collector need not walk it in every test."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or native modules take it for a leak


@pytest.fixture(scope="session")
def small_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished output of real data in a few shards, some of it held out; read only: tests copy it to tamper."""
    from tests.corpus import (
        SMALL,
        make_corpus,
        run_recipe,
    )  # not above: the process that only hands out tests needs none of it

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small"  # one for all workers of a run
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "out" / "manifest.json").exists():
            run_recipe(make_corpus(folder / "corpus"), folder / "out", *SMALL, work=folder / "work")
    return folder / "out"


@pytest.fixture
def copied(small_output: Path, tmp_path: Path) -> Path:
    """A copy of `small_output` to tamper with."""
    out = tmp_path / "out"
    shutil.copytree(small_output, out)
    return out
