"""Workers, their number, their order and their deaths cannot change a byte."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import curate.run as run_module
from curate import cluster
from curate.cluster import Outcome, check_address, check_resources, run_here, run_on_ray, run_there
from curate.prepare import read_rows, record_of, split_unit
from curate.run import Executor, Options
from curate.store import file_sha256, unit_folder
from curate.units import Unit, WorkerDeath
from manifests.errors import MedcurateError, RecipeError, RecordError
from manifests.manifest import read_manifest
from manifests.record import Record
from sources.base import Place
from tests.cluster.killing import KillingSource, killing_unit
from tests.corpus import run_recipe

pytestmark = pytest.mark.cluster
STORE_BYTES = 80 << 20
NAMES = [f"item{n:02}" for n in range(6)]
RECIPE = {
    "name": "packaged",
    "seed": 3,
    "sources": [
        {"source": "dicom_tree", "root": "package:nibabel/nicom/tests/data", "licence": "MIT"},
        {
            "source": "nifti_masks",
            "root": "package:nibabel/tests/data",
            "licence": "MIT",
            "images": ["*.nii", "*.nii.gz"],
        },
    ],
    "deidentify": {"faces": {"keep": "packaged test data"}, "burned_in": {"keep": "packaged test data"}},
    "tasks": ["source_text", "qa", "measure", "mcq"],
    "shards": {"max_samples": 20},
    "limits": {"failed": 0.5},
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "packaged.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


@pytest.fixture(scope="module")
def plain(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe's output from the plain loop."""
    out = tmp_path_factory.mktemp("plain") / "out"
    run_recipe(recipe, out)
    return out


def digests(out: Path) -> dict[str, str]:
    """sha256 of every shard and ledger part, computed from the files."""
    manifest = read_manifest(out)
    return {
        path: file_sha256(out / path) for path in [s.path for s in manifest.shards] + [p.path for p in manifest.ledger]
    }


def executor(work: Path) -> Executor:
    options = Options(out=work / "out", work=work, recipe_folder=work, workers=2, quiet=True)
    return Executor(options, contextlib.ExitStack())


def fatal(unit: Unit, death: WorkerDeath) -> list[Unit]:
    raise AssertionError(f"{unit.label} died ({death.found})")


def prepared(work: Path, units: Sequence[Unit]) -> list[Record]:
    return [record_of(row) for unit in units for row in read_rows(unit_folder(work, "prepare", unit.key))]


def unit_digests(work: Path, unit: Unit) -> dict[str, str]:
    return {f.name: file_sha256(f) for f in unit_folder(work, unit.stage, unit.key).iterdir()}


def killing(root: Path, always: str = "", once: str = "", held: str = "") -> Callable[[list[str]], Unit]:
    root.mkdir(parents=True, exist_ok=True)
    source = KillingSource(root=".", licence="MIT", always=always, once=once, held=held)
    return lambda names: killing_unit(source, Place(root, root), names, limits=None)  # what it kills is its worker


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def test_a_cluster_of_two_nodes_gives_the_bytes_of_the_plain_loop(
    nodes: Any, recipe: Path, plain: Path, tmp_path: Path
) -> None:
    result = run_recipe(recipe, tmp_path / "out", workers=2)
    assert result.executed == run_recipe(recipe, tmp_path / "again").executed
    assert digests(tmp_path / "out") == digests(plain)
    assert len(digests(plain)) > 3
    assert read_manifest(tmp_path / "out").roots == read_manifest(plain).roots


def test_the_order_in_which_units_end_changes_no_byte(
    nodes: Any, recipe: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, ...]] = []

    def shuffled(units: Sequence[Unit], work: Path) -> Iterator[tuple[Unit, Outcome]]:
        mixed = random.Random(5).sample(list(units), len(units))
        ended.append(tuple(u.key for u in mixed))
        return run_on_ray(mixed, work)

    monkeypatch.setattr(run_module, "run_on_ray", shuffled)
    run_recipe(recipe, tmp_path / "out", workers=2)
    assert any(keys != tuple(sorted(keys)) for keys in ended)
    assert digests(tmp_path / "out") == digests(plain)


def test_a_worker_killed_from_outside_costs_another_try_and_no_byte(
    nodes: Any, recipe: Path, plain: Path, tmp_path: Path
) -> None:
    killed: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(target=kill_first_worker, args=("ray::prepare:", killed, stop))
    thread.start()
    try:
        run_recipe(recipe, tmp_path / "out", workers=2)
    finally:
        stop.set()
        thread.join()
    assert killed
    assert digests(tmp_path / "out") == digests(plain)


def kill_first_worker(title: str, killed: list[str], stop: threading.Event) -> None:
    """SIGKILL the first worker below this process that does such a task."""
    while not stop.is_set() and not killed:
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                said = (entry / "cmdline").read_bytes().decode(errors="replace")
                if said.startswith(title) and os.getpid() in ancestors(int(entry.name)):
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed.append(said)
                    return
        time.sleep(0.005)


def ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        yield pid


def test_an_item_that_kills_its_worker_once_is_prepared_as_if_it_had_not(nodes: Any, tmp_path: Path) -> None:
    deadly = killing(tmp_path / "data", once="item03")(NAMES)
    harmless = killing(tmp_path / "data")(NAMES)
    executor(tmp_path / "work").run("prepare", [deadly], fatal)
    assert list(run_here([harmless], tmp_path / "plain"))
    assert (tmp_path / "data" / "item03.died").exists()
    assert unit_digests(tmp_path / "work", deadly) == unit_digests(tmp_path / "plain", harmless)


def test_an_item_that_kills_every_worker_fails_alone_and_all_others_are_kept(nodes: Any, tmp_path: Path) -> None:
    unit = killing(tmp_path / "data", always="item02")(NAMES)
    other = killing(tmp_path / "data")(["other"])
    done = executor(tmp_path / "work").run("prepare", [unit, other], split_unit)
    records = prepared(tmp_path / "work", done)
    assert [r.upstream_id for r in records] == [*NAMES, "other"]  # plan order, each exactly once
    assert Counter((r.status, r.reason) for r in records) == {("ready", ""): 6, ("failed", "parser_died"): 1}
    lost = next(r for r in records if r.status == "failed")
    assert lost.upstream_id == "item02"
    assert "WorkerCrashedError" in lost.found
    whole = killing(tmp_path / "data")(NAMES)
    assert list(run_here([whole], tmp_path / "plain"))
    sound = {r.key: r for r in prepared(tmp_path / "plain", [whole])}
    assert {r.key for r in records if r.upstream_id != "other"} == set(sound)
    assert all(r == sound[r.key] for r in records if r.status == "ready" and r.upstream_id != "other")


def test_an_item_that_kills_its_parser_costs_no_worker(nodes: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    source = KillingSource(root=".", licence="MIT", always="item02")
    unit = killing_unit(source, Place(tmp_path / "data", tmp_path / "data"), NAMES)
    assert executor(tmp_path / "work").run("prepare", [unit], fatal) == [unit]
    records = prepared(tmp_path / "work", [unit])
    assert [r.upstream_id for r in records] == NAMES
    assert [(r.upstream_id, r.reason, r.found) for r in records if r.status == "failed"] == [
        ("item02", "parser_died", "signal 9 (SIGKILL)")
    ]


def test_a_node_that_goes_away_costs_its_unit_no_try(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "TRIES", 1)
    plain = killing(tmp_path / "data", held="item01")(NAMES)
    unit = Unit(plain.stage, plain.key, plain.spec, plain.label, plain.records, resources=(("spare", 1.0),))
    (tmp_path / "data" / "hold").touch()
    spare = {"num_cpus": 1, "resources": {"spare": 1}, "object_store_memory": STORE_BYTES}
    lost = nodes.add_node(**spare)
    failures: list[BaseException] = []

    def drive() -> None:
        try:
            executor(tmp_path / "work").run("prepare", [unit], fatal)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        wait_for(lambda: bool(failures) or (tmp_path / "data" / "item01.begun").exists())
        nodes.remove_node(lost, allow_graceful=False)
    finally:
        (tmp_path / "data" / "hold").unlink()
    following = nodes.add_node(**spare)
    thread.join(30)
    nodes.remove_node(following, allow_graceful=False)
    assert not failures
    assert not thread.is_alive()
    assert list(run_here([plain], tmp_path / "plain"))
    assert unit_digests(tmp_path / "work", unit) == unit_digests(tmp_path / "plain", plain)


def test_what_a_unit_raises_is_what_the_plain_loop_raises(nodes: Any, tmp_path: Path) -> None:
    source = KillingSource(root=".", licence="MIT")
    unit = killing_unit(source, Place(tmp_path, tmp_path), NAMES, key_id="another key")
    said = []
    for way in (run_here, run_on_ray):
        with pytest.raises(RecordError) as caught:
            list(way([unit], tmp_path / "work"))
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]


def test_the_driver_holds_a_bounded_number_of_units(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "MIN_IN_FLIGHT", 2)
    submit = cluster._submit
    submitted: list[str] = []

    def counting(task: Any, unit: Unit, work: Path) -> Any:
        submitted.append(unit.key)
        return submit(task, unit, work)

    monkeypatch.setattr(cluster, "_submit", counting)
    make = killing(tmp_path / "data")
    units = [make([f"one{n}"]) for n in range(30)]
    bound = cluster._room()
    assert bound < len(units)
    waiting = []
    for ended, _ in enumerate(run_on_ray(units, tmp_path / "work")):
        waiting.append(len(submitted) - ended)
    assert len(waiting) == len(set(submitted)) == 30
    assert max(waiting) <= bound


def test_a_unit_that_no_node_can_hold_is_an_error_and_no_endless_wait(nodes: Any, tmp_path: Path) -> None:
    plain = killing(tmp_path / "data")(NAMES)
    unit = Unit("synthesize", plain.key, plain.spec, resources=(("GPU", 64.0),))
    with pytest.raises(MedcurateError, match="synthesize needs CPU 1 and GPU 64"):
        check_resources([plain, unit])


def test_a_worker_with_other_code_is_refused(nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = killing(tmp_path / "data")(NAMES)
    monkeypatch.setattr(cluster, "code_here", lambda: "other")
    with pytest.raises(MedcurateError, match="other code or libraries"):
        list(run_on_ray([unit], tmp_path / "work"))
    assert not (tmp_path / "work" / "units").exists()


def test_a_worker_that_does_not_see_the_data_is_refused(tmp_path: Path) -> None:
    unit = killing(tmp_path / "data")(NAMES)
    with pytest.raises(MedcurateError, match="does not see 'absent'"):
        run_there(unit, tmp_path / "absent", cluster.code_here())
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(MedcurateError, match="does not see 'data'"):
        run_there(unit, tmp_path, cluster.code_here())


@pytest.mark.parametrize("address", ["10.0.0.5:6379", "head.example.org:6379", "[2001:db8::1]:6379", "2001:db8::1"])
def test_an_address_beyond_loopback_needs_a_token(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(RecipeError, match="RAY_AUTH_TOKEN"):
        check_address(address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(RecipeError, match="RAY_AUTH_TOKEN"):
        check_address("auto")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    check_address(address)
    check_address("auto")


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:6379", "127.8.8.8:1", "localhost:6379", "[::1]:6379", "::1"])
def test_loopback_needs_no_token(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    check_address(address)


def test_ray_client_is_refused_with_the_way_to_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(RecipeError, match="ray job submit"):
        check_address("ray://127.0.0.1:10001")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "localhost:1"])
def test_an_address_where_nobody_listens_is_said_at_once(address: str) -> None:
    began = time.monotonic()
    with pytest.raises(RecipeError, match=f"no Ray to use at --address {address}"):
        cluster._join(address, contextlib.ExitStack())
    assert time.monotonic() - began < 5
