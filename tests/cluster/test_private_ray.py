"""The Ray that a run starts for itself: on loopback, silent, and gone with the run, also when it is interrupted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from curate.units import FUNCTIONS
from tests.cluster.test_cluster import RECIPE, digests
from tests.corpus import run_recipe

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at processes and sockets through /proc"),
]
ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")
LISTENING = "0A"


def interruptible() -> None:
    """A job that a shell started in the background ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(recipe: Path, out: Path, workers: int, mark: str) -> subprocess.Popen[str]:
    """`curate run` from another working directory, with a key for pseudonyms; `mark` finds all its processes."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MEDCURATE_KEY": "0123456789abcdef" * 2,
        "RAY_ADDRESS": "203.0.113.7:6379",  # a private Ray takes no notice of it
        "MARK": mark,
    }
    code = (
        f"from curate.cli import main; main(['run', {str(recipe)!r}, '--out', {str(out)!r}, '--workers', '{workers}'])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=out.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )


def processes(mark: str) -> Iterator[Path]:
    """Every process whose environment has the mark, the run itself and all that it started."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                yield entry
        except OSError:
            continue


def listening(mark: str) -> list[str]:
    """The local addresses (hexadecimal) on which these processes listen."""
    inodes: set[str] = set()
    for entry in processes(mark):
        for handle in (entry / "fd").iterdir():
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            inodes |= {target[8:-1]} if target.startswith("socket:[") else set()
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                found.append(fields[1].partition(":")[0])
    return found


def logs(mark: str) -> Path:
    """The folder that holds Ray's sockets and its workers' logs."""
    said = b" ".join((entry / "cmdline").read_bytes() for entry in processes(mark))
    found = set(re.findall(rb"/tmp/curate-[a-z0-9_]+", said))
    assert len(found) == 1
    return Path(found.pop().decode())


def gone(mark: str) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not list(processes(mark)):
            return True
        time.sleep(0.1)
    return False


def test_a_run_interrupted_with_two_workers_and_finished_with_one_gives_the_bytes_of_the_plain_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "packaged.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    out = tmp_path / "out"
    first = start(recipe, out, workers=2, mark=f"{tmp_path.name}-first")
    assert first.stderr is not None
    assert first.stderr.readline().startswith("packaged: 2 sources; 2 workers;")
    shown = first.stderr.readline()
    first.send_signal(signal.SIGSTOP)  # so that it cannot end while it is looked at
    assert shown.startswith("inventory"), shown
    addresses = listening(f"{tmp_path.name}-first")
    assert len(addresses) > 4
    assert set(addresses) <= set(LOOPBACK)
    folder = logs(f"{tmp_path.name}-first")
    assert folder.stat().st_mode & 0o077 == 0
    first.send_signal(signal.SIGINT)
    first.send_signal(signal.SIGCONT)
    said, _ = first.communicate(timeout=30)
    assert first.returncode != 0
    assert said == ""
    assert gone(f"{tmp_path.name}-first")
    assert not folder.exists()
    assert not (out / "manifest.json").exists()

    second = start(recipe, out, workers=1, mark=f"{tmp_path.name}-second")
    said, noise = second.communicate(timeout=60)
    assert second.returncode == 0, noise
    assert [line for line in noise.splitlines() if not line.startswith(("packaged: ", *FUNCTIONS))] == []
    assert "ray" not in said.lower()
    assert gone(f"{tmp_path.name}-second")

    monkeypatch.setenv("MEDCURATE_KEY", "0123456789abcdef" * 2)
    run_recipe(recipe, tmp_path / "plain")
    assert digests(out) == digests(tmp_path / "plain")
