"""Which version of the code a unit ran: a digest of the syntax trees of the modules that can change its output.

The modules are found, not listed: the closure of our own imports from a stage's entry module. Comments, docstrings and
layout do not count, so editing them recomputes nothing; any other edit recomputes exactly the stages that can see it.
Sources and tasks are chosen by the recipe, so a closure leaves them out unless they are named: adding a source or a
task leaves every other unit valid. Library versions that decide bytes (decoders, resamplers) are part of the digest.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path

HOUSES = ("manifests", "sources", "synth", "curate")
UNIONS = ("sources", "synth.tasks")  # each imports all of its kind; what a run uses of them is named as a root
DECIDING_LIBRARIES = (
    "av", "datasketch", "ffmpeg-python", "imagehash", "imageio-ffmpeg", "isal", "nibabel", "numba", "numpy",
    "onnxruntime", "pillow", "pint", "pyarrow", "pydicom", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "rapidocr",
    "scipy", "simpleitk", "webdataset", "xxhash",
)  # fmt: skip


def code_version(*roots: str) -> str:
    """sha256 over the code that `roots` (dotted module names) can reach and over the deciding libraries' versions."""
    modules = sorted(_closure(roots))
    text = "\n".join(f"{name} {_module_digest(name)}" for name in modules)
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


@functools.cache
def _tree(name: str) -> ast.Module:
    path = _source_path(name)
    return ast.parse(path.read_text() if path else "")


@functools.cache
def _imports(name: str) -> tuple[str, ...]:
    names: list[str] = []
    for node in _running(_tree(name)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    ours = (n for n in names if n.split(".")[0] in HOUSES)
    return tuple(n for n in ours if _is_module(n))


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


@functools.cache
def _module_digest(name: str) -> str:
    tree = _tree(name)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
