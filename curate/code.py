"""Which version of the code a unit ran: a digest of the syntax trees of the modules that can change its output.

The modules are found, not listed: the closure of our own imports from a stage's entry module. Comments, docstrings and
layout do not count, so editing them recomputes nothing; any other edit recomputes exactly the stages that can see it.
Sources and tasks are chosen by the recipe, so a closure leaves them out unless they are named: adding a source or a
task leaves every other unit valid. Library versions that decide bytes (decoders, resamplers) are part of the digest.

Reading two hundred syntax trees takes seconds, so what was read of a module is kept beside the byte code, under the
digest of its source and of this file; where that place cannot be written, nothing is kept.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_KEPT = 5000
HOUSES = ("manifests", "sources", "synth", "curate")
UNIONS = ("sources", "synth.tasks")  # each imports all of its kind; what a run uses of them is named as a root
DECIDING_LIBRARIES = (
    "av", "datasketch", "ffmpeg-python", "imagehash", "imageio-ffmpeg", "isal", "nibabel", "numba", "numpy",
    "onnxruntime", "pillow", "pint", "pyarrow", "pydicom", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "rapidocr",
    "scipy", "simpleitk", "webdataset", "xxhash",
)  # fmt: skip


def code_version(*roots: str) -> str:
    """sha256 over the code that `roots` (dotted module names) can reach and over the deciding libraries' versions."""
    before = len(_kept())
    modules = sorted(_closure(roots))
    text = "\n".join(f"{name} {_module(name).digest}" for name in modules)
    _keep(before)
    return hashlib.sha256((text + "\n" + _library_versions()).encode()).hexdigest()


def library_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


@functools.cache
def _library_versions() -> str:
    return " ".join(f"{name}={library_version(name)}" for name in DECIDING_LIBRARIES)


def _closure(roots: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name not in UNIONS:
            waiting += _imports(name)
    return found


@functools.cache
def _source_path(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@dataclass(frozen=True, slots=True)
class _Module:
    """What a module's code is, and which of our own names it imports."""

    digest: str
    names: tuple[str, ...]


@functools.cache
def _module(name: str) -> _Module:
    path = _source_path(name)
    source = path.read_bytes() if path else b""
    known, key = _kept(), hashlib.sha256(source).hexdigest()
    if key not in known:
        tree = ast.parse(source.decode())
        known[key] = [_digest(tree), sorted(set(_names(tree)))]
    digest, names = known[key]
    return _Module(digest, tuple(names))


def _names(tree: ast.Module) -> Iterator[str]:
    for node in _running(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (n for n in names if n.split(".")[0] in HOUSES)


@functools.cache
def _imports(name: str) -> tuple[str, ...]:
    return tuple(n for n in _module(name).names if _is_module(n))


@functools.cache
def _kept() -> dict[str, Any]:
    """What was read of modules before: digest of a source -> [digest of its code, imported names]."""
    try:
        known: dict[str, Any] = json.loads(_place().read_bytes())
    except (OSError, ValueError):
        return {}
    return known if len(known) < MOST_KEPT else {}


def _place() -> Path:
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return Path(__file__).parent / "__pycache__" / f"code-{own}.json"


def _keep(count: int) -> None:
    """Write down what was read since there were `count` entries."""
    if len(_kept()) == count:
        return
    place = _place()
    temporary = place.with_name(f"{place.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        temporary.write_text(json.dumps(_kept()))
        temporary.replace(place)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those below `if TYPE_CHECKING:`, which no run executes."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _running(child)


@functools.cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, AttributeError):
        return False


def _digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
