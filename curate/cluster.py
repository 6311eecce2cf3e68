"""The only file that knows Ray: run units on workers, hand back summaries as they end.

Ray is a stateless executor here. Units go out in plan order with a bounded number in flight, so the driver holds a few
specs and no media; results come back in any order and nothing depends on it. A worker that dies costs its unit another
try (`TRIES` in all); a unit that keeps killing its worker is handed back as a `WorkerDeath`, and the run goes on.

Local by default: a private Ray on loopback, no dashboard, usage statistics off. With an address, the cluster's own Ray
is used; an address other than loopback needs Ray's token authentication (`RAY_AUTH_MODE=token`), since a Ray port
without it runs anybody's code (CVE-2023-48022).
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from curate.units import Summary, Unit, WorkerDeath, run_unit
from manifests.errors import RecipeError

TRIES = 2
IN_FLIGHT_PER_CPU = 4
OBJECT_STORE_BYTES = 128 << 20  # only specs and summaries move, so the store stays small


Outcome = Summary | WorkerDeath


def run_here(units: Sequence[Unit], work: Path) -> Iterator[tuple[Unit, Outcome]]:
    """The plain loop: every unit in this process, in plan order."""
    for unit in units:
        yield unit, run_unit(unit, work)


@contextlib.contextmanager
def ray_session(workers: int, address: str) -> Iterator[None]:
    """Ray for the time of a run; an already running Ray in this process is used and left as it is."""
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address:
        check_address(address)
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    else:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            logging_level=logging.ERROR,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
    try:
        yield
    finally:
        ray.shutdown()


def run_on_ray(units: Sequence[Unit], work: Path) -> Iterator[tuple[Unit, Outcome]]:
    """Every unit on some worker; results as they come. Needs `ray_session`."""
    import ray

    task = ray.remote(run_unit)
    in_flight = max(2, int(IN_FLIGHT_PER_CPU * _cpus()))
    waiting = iter(units)
    running: dict[Any, Unit] = {}
    for unit in _take(waiting, in_flight):
        running[_submit(task, unit, work)] = unit
    while running:
        done, _ = ray.wait(list(running), num_returns=1)
        unit = running.pop(done[0])
        for following in _take(waiting, 1):
            running[_submit(task, following, work)] = following
        yield unit, _result(done[0])


def check_address(address: str) -> None:
    """Refuse a Ray beyond loopback without token authentication."""
    if address in ("auto", "local") or os.environ.get("RAY_AUTH_MODE") == "token":
        return
    host = address.removeprefix("ray://").rsplit(":", 1)[0].strip("[]")
    if host == "localhost" or _is_loopback(host):
        return
    raise RecipeError(
        f"--address {address} is not loopback and RAY_AUTH_MODE is not 'token'; a Ray without token authentication "
        "runs anybody's code: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (see ray_cluster.yaml)"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cpus() -> float:
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources.get("CPU", 1.0)


def _submit(task: Any, unit: Unit, work: Path) -> Any:
    resources = dict(unit.resources)
    cpus = resources.pop("CPU", 1.0)
    gpus = resources.pop("GPU", 0.0)
    options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": TRIES - 1, "resources": resources}
    return task.options(**options, name=f"{unit.stage}:{unit.label}").remote(unit, work)


def _result(reference: Any) -> Outcome:
    import ray

    try:
        summary: Summary = ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError) as error:
        return WorkerDeath(type(error).__name__)
    return summary


def _take(units: Iterator[Unit], count: int) -> list[Unit]:
    return list(itertools.islice(units, count))
