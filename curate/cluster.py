"""The only file that knows Ray: run units on workers, hand back summaries as they end.

Ray is a stateless executor here. Units go out in plan order with a bounded number in flight, so the driver holds a few
specs and no media; results come back in any order and nothing depends on it. A worker that dies costs its unit another
try (`TRIES` in all); a unit that keeps killing its worker is handed back as a `WorkerDeath`, and the run goes on. A
node that goes away (a spot machine taken back) is not the unit's fault and costs it no try.

Local by default: a private Ray that listens on loopback alone, with a token made for this process, its logs in a folder
that only this user can read and that goes when the run ends; no dashboard, no usage statistics. With an address, the
cluster's own Ray is used; an address other than loopback needs Ray's token authentication (`RAY_AUTH_MODE=token`),
since a Ray port without it runs anybody's code (CVE-2023-48022). A cluster's nodes must see the same `--work`, the same
data under the same paths and the same code; each of these is checked on the worker before a unit starts.

A teacher with engines of its own (`curate.engines`) is served by named actors, which start with the first units that
ask it and stay until Ray is left; units find them by name and need no GPU themselves.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import importlib.util
import ipaddress
import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate import engines
from curate.code import DECIDING_LIBRARIES, HOUSES, library_version
from curate.sandbox import warm
from curate.units import Summary, Unit, WorkerDeath, run_unit
from manifests.errors import MedcurateError, RecipeError
from synth.chat import Reply, Request
from synth.teacher import Teacher, TeacherConfig, open_teacher, serve_elsewhere

TRIES = 2
LOST_NODES = 8  # how often one unit may lose its node before the cluster is called unfit
IN_FLIGHT_PER_CPU = 4
MIN_IN_FLIGHT = 64  # an autoscaler sees only what is in flight: too few pending units and it never adds a node
KNOCK_S = 10.0
MOST_CALLS = 4096  # of one engine at once; further ones wait with who asks
OBJECT_STORE_BYTES = 128 << 20  # only specs and summaries move, so the store stays small

PARSING = "curate.prepare:open_records"

Outcome = Summary | WorkerDeath


@dataclass(frozen=True, slots=True)
class NodeLoss:
    """A unit's node went away; nothing is known against the unit."""

    found: str


@dataclass
class Tally:
    """How often each unit (by key) lost its worker or its node."""

    deaths: collections.Counter[str] = field(default_factory=collections.Counter)
    losses: collections.Counter[str] = field(default_factory=collections.Counter)


def run_here(units: Sequence[Unit], work: Path) -> Iterator[tuple[Unit, Outcome]]:
    """The plain loop: every unit in this process, in plan order."""
    if any(_parses(unit) for unit in units):
        warm(PARSING)  # imports on another processor while this process imports what the units need
    for unit in units:
        yield unit, run_unit(unit, work)


@contextlib.contextmanager
def ray_session(workers: int, address: str) -> Iterator[None]:
    """Ray for the time of a run; an already running Ray in this process is used and left as it is.

    Raises RecipeError for an address without authentication or without a Ray behind it."""
    private = address in ("", "local")
    if not private:
        check_address(address)
    import ray

    if ray.is_initialized():
        yield
        return
    with contextlib.ExitStack() as stack:
        if private:
            _start_private(max(workers, 1), stack)
        else:
            _join(address, stack)
        stack.callback(ray.shutdown)
        stack.callback(_STARTED.clear)
        stack.enter_context(_quiet())
        yield


def _start_private(workers: int, stack: contextlib.ExitStack) -> None:
    import ray

    stack.enter_context(_environment({**QUIET_ENVIRONMENT, "RAY_worker_niceness": "0"}))
    # Ray must choose its own default here, token authentication, and refresh what it has read of the environment.
    stack.enter_context(_environment({"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": _token(), "RAY_AUTH_TOKEN_PATH": None}))
    stack.enter_context(_on_loopback())
    # A worker's stderr may quote the files that it reads, so its log is nobody else's and does not stay. Ray opens its
    # own folder to everybody, hence one inside ours. "/tmp", because the paths of Ray's sockets have at most 107 bytes.
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="curate-", dir="/tmp", ignore_cleanup_errors=True))
    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        logging_level=logging.ERROR,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=f"{folder}/ray",
    )


def _join(address: str, stack: contextlib.ExitStack) -> None:
    import ray

    stack.enter_context(_environment(QUIET_ENVIRONMENT))
    try:
        _knock(address)
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        check_joined(ray.get_runtime_context().gcs_address)
    except RecipeError:
        ray.shutdown()
        raise
    except (ConnectionError, ValueError, ray.exceptions.AuthenticationError) as error:
        raise RecipeError(
            f"no Ray to use at --address {address} ({type(error).__name__}); check the address and RAY_AUTH_TOKEN, or "
            "leave --address out for a private Ray on this machine"
        ) from error


def _knock(address: str) -> None:
    """Raise ConnectionError at once where nobody listens: Ray itself tries for more than a minute."""
    host, port = host_of(address), address.rpartition(":")[2]
    if not port.isdigit():
        return  # `auto`, which Ray resolves
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
    except OSError as error:
        raise ConnectionError(f"nobody listens at {address}") from error


QUIET_ENVIRONMENT: Mapping[str, str | None] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextlib.contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """Environment variables for a while; None takes one away."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@functools.cache
def _token() -> str:
    """One token per process, because Ray's loader keeps the first that it reads."""
    return secrets.token_hex(32)


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Make Ray listen on 127.0.0.1: asked for that address alone it takes the machine's public one, except where it
    believes that clusters are not supported; then every server binds to loopback."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray prints every death of a worker to the driver's stdout, whatever its logging level; a death is an `Outcome`
    here, and stdout belongs to the command's own answer."""
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda data, ignore_prefix: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


def run_on_ray(units: Sequence[Unit], work: Path) -> Iterator[tuple[Unit, Outcome]]:
    """Every unit on some worker; results as they come, and none is kept. Needs `ray_session`.

    Raises what a unit raised, as the plain loop does, and MedcurateError where the cluster cannot run a unit."""
    import ray

    work = work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    check_resources(units)
    for config in {engines.names(c)[0]: c for unit in units for c in _asked(unit)}.values():
        start_engines(config)
    task = ray.remote(run_there)
    waiting = collections.deque(units)
    running: dict[Any, Unit] = {}
    tally = Tally()
    while waiting or running:
        for _ in range(min(len(waiting), _room() - len(running))):
            unit = waiting.popleft()
            running[_submit(task, unit, work)] = unit
        done, _ = ray.wait(list(running), num_returns=1)
        unit = running.pop(done[0])
        outcome = _judge(unit, _result(done[0]), tally)
        if outcome is None:
            waiting.appendleft(unit)
        else:
            yield unit, outcome


def run_there(unit: Unit, work: Path, code: str) -> Summary:
    """On a worker: refuse what would give other bytes than the driver planned, then run the unit."""
    if code != code_here():
        raise MedcurateError("a worker has other code or libraries than the driver; give every node the same, unedited")
    place = getattr(unit.spec, "place", None)
    for folder in (work, place.root if place else work):
        if not folder.exists():
            raise MedcurateError(f"a worker does not see '{folder.name}'; --work and data need a shared file system")
    if _parses(unit):
        warm(PARSING)  # imports while this process imports what the unit needs
    serve_elsewhere(open_there)
    return run_unit(unit, work)


def _asked(unit: Unit) -> Iterator[TeacherConfig]:
    """The teachers that a unit asks and that have engines of their own."""
    for _, config in getattr(unit.spec, "teachers", ()):
        if engines.replicas(config):
            yield config


def _parses(unit: Unit) -> bool:
    return getattr(unit.spec, "limits", None) is not None


@functools.cache
def code_here() -> str:
    """sha256 over all our modules as they lie here, and over the versions of the libraries that decide bytes."""
    hasher = hashlib.sha256()
    for house in HOUSES:
        spec = importlib.util.find_spec(house)
        folders = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
        for file in sorted(f for folder in folders for f in folder.rglob("*.py")):
            hasher.update(f"{house} {file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    for library in DECIDING_LIBRARIES:
        hasher.update(f"{library}={library_version(library)}\n".encode())
    return hasher.hexdigest()


def check_address(address: str) -> None:
    """Refuse a Ray beyond loopback without token authentication, and Ray Client, which leaves the driver outside the
    cluster and its file system. `auto` is this machine's own Ray, unless RAY_ADDRESS names another; what it found,
    `check_joined` looks at."""
    meant = os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address
    if meant.startswith("ray://"):
        raise RecipeError(
            f"--address {meant} is Ray Client; start the run on the cluster: ray job submit -- curate run"
        )
    if meant == "auto" or is_loopback(host_of(meant)) or _has_token_mode():
        return
    raise RecipeError(
        f"--address {meant} is not loopback and RAY_AUTH_MODE is not 'token'; a Ray without token authentication "
        "runs anybody's code: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (see ray_cluster.yaml)"
    )


def check_joined(address: str) -> None:
    """What `auto` found is known only now: a Ray of this machine may listen beyond it. Ray itself sets RAY_AUTH_MODE
    where it found a token to use."""
    if is_loopback(host_of(address)) or _has_token_mode():
        return
    raise RecipeError(
        f"the Ray at {address} listens beyond loopback and was joined without token authentication; start it with "
        "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (see ray_cluster.yaml), or leave --address out for a private Ray"
    )


def _has_token_mode() -> bool:
    return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"


def host_of(address: str) -> str:
    """`host` of `host:port`, `[v6]:port` and plain `host`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if address.count(":") == 1 else address


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_resources(units: Sequence[Unit]) -> None:
    """Raise where a Ray that cannot grow lacks what a unit reserves: Ray itself would wait for ever."""
    import ray

    if not is_loopback(host_of(ray.get_runtime_context().gcs_address)):
        return
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    for resources, unit in {unit.resources: unit for unit in units}.items():
        needs = {"CPU": 1.0, **dict(resources)}
        if not any(all(node.get(name, 0.0) >= amount for name, amount in needs.items()) for node in nodes):
            wanted = " and ".join(f"{name} {amount:g}" for name, amount in needs.items())
            raise MedcurateError(f"{unit.stage} needs {wanted}, which no node here has; give --address of one that has")


RESTARTS = 64  # of one engine's actor; each request is asked `engines.CALLS` times at most
_STARTED: dict[str, Any] = {}  # an actor lives as long as somebody holds it


def start_engines(config: TeacherConfig) -> None:
    """Start the engines of a teacher unless this Ray has them, and wait for the first one's place.

    Raises MedcurateError where a Ray that cannot grow has no place for one, or where one cannot be made."""
    import ray

    gpus = engines.gpus(config)
    if gpus and is_loopback(host_of(ray.get_runtime_context().gcs_address)):
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        if not any(node.get("GPU", 0.0) >= gpus for node in alive):
            raise MedcurateError(
                f"a teacher needs GPU {gpus:g}, which no node here has; give --address of one that has"
            )
    actor = ray.remote(engines.Engine)
    revision = open_teacher(config).revision
    for name in engines.names(config):
        # No CPU is reserved: a private Ray with one would else never run the units that ask.
        options = {"num_cpus": 0, "num_gpus": gpus, "max_restarts": RESTARTS, "max_concurrency": MOST_CALLS}
        if _found(name) is None:
            _STARTED[name] = actor.options(name=name, **options).remote(config, revision)
    try:
        ray.get(_found(engines.names(config)[0]).facts.remote())
    except ray.exceptions.RayActorError as error:
        raise MedcurateError(f"a teacher's engine cannot be made ({type(error).__name__})") from error


def _found(name: str) -> Any:
    """The actor of a name in this Ray, or None."""
    import ray

    try:
        return ray.get_actor(name)
    except ValueError:
        return None


def open_there(config: TeacherConfig) -> Teacher | None:
    """A teacher whose requests go to the engines that this Ray has for a configuration; None where it has none."""
    if not engines.replicas(config):
        return None
    import ray

    if not ray.is_initialized():
        return None
    found = {name: actor for name in engines.names(config) if (actor := _found(name)) is not None}

    def call(name: str, request: Request) -> Reply | engines.Failure | None:
        try:
            answer: Reply | engines.Failure = ray.get(found[name].ask.remote(request))
        except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError, ray.exceptions.NodeDiedError):
            return None
        return answer

    if not found:
        return None
    facts: engines.Facts = ray.get(next(iter(found.values())).facts.remote())
    return engines.Served(facts, list(found), call)


def _room() -> int:
    """How many units may be in flight; asked anew each time, because a cluster grows."""
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(MIN_IN_FLIGHT, int(IN_FLIGHT_PER_CPU * resources.get("CPU", 0.0)))


def _submit(task: Any, unit: Unit, work: Path) -> Any:
    resources = dict(unit.resources)
    cpus = resources.pop("CPU", 1.0)
    gpus = resources.pop("GPU", 0.0)
    # Ray's own retries are off: they cannot tell a unit that kills its worker from a node that went away, and those
    # for lack of memory have no bound.
    options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": 0, "resources": resources}
    return task.options(**options, name=f"{unit.stage}:{unit.label}").remote(unit, work, code_here())


def _result(reference: Any) -> Outcome | NodeLoss:
    import ray

    lost = (ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError, ray.exceptions.LocalRayletDiedError)
    try:
        summary: Summary = ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
        return WorkerDeath(type(error).__name__)
    except lost as error:
        return NodeLoss(type(error).__name__)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    return summary


def _judge(unit: Unit, outcome: Outcome | NodeLoss, tally: Tally) -> Outcome | None:
    """What becomes of a unit: its outcome, or None where it is to be tried again."""
    if isinstance(outcome, NodeLoss):
        tally.losses[unit.key] += 1
        if tally.losses[unit.key] > LOST_NODES:
            raise MedcurateError(
                f"{unit.stage} of '{unit.label}' lost its node {LOST_NODES} times ({outcome.found}); finished units "
                "stay: run again on steadier nodes"
            )
        return None
    if isinstance(outcome, WorkerDeath):
        tally.deaths[unit.key] += 1
        return outcome if tally.deaths[unit.key] >= TRIES else None
    return outcome
