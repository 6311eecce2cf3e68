"""The house: imports go one way, engines have one room each, files and functions stay readable."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = {"manifests": 0, "sources": 1, "synth": 1, "curate": 2}
ROOMS = {"ray": "curate/cluster.py", "vllm": "synth/teachers/vllm.py"}


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement of a tree; expressions, which are most of it, hold none but lambdas."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, ast.expr):
            yield child
            yield from statements(child)


@functools.cache
def nodes() -> tuple[tuple[str, int, tuple[ast.Import | ast.ImportFrom | ast.FunctionDef, ...]], ...]:
    """(file, its lines, what the tests below look at in it) for every file of the product."""
    found = []
    for house in LAYERS:
        for path in sorted((ROOT / house).rglob("*.py")):
            text = path.read_text()
            kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef)
            seen = tuple(node for node in statements(ast.parse(text)) if isinstance(node, kinds))
            found.append((str(path.relative_to(ROOT)), text.count("\n"), seen))
    return tuple(found)


def imports() -> Iterator[tuple[str, str]]:
    """(file, imported module) for every import of the product."""
    for file, _, seen in nodes():
        for node in seen:
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield file, node.module


def test_imports_go_one_way() -> None:
    for file, module in imports():
        house, head = file.split("/", 1)[0], module.split(".", 1)[0]
        if head in LAYERS and head != house:
            assert LAYERS[head] < LAYERS[house], f"{file} imports {module}"


def test_an_engine_is_imported_in_its_own_room_alone() -> None:
    found = {(module.split(".")[0], file) for file, module in imports() if module.split(".")[0] in ROOMS}
    assert found == set(ROOMS.items())


@pytest.mark.slow
def test_no_file_is_longer_than_one_sitting_and_no_function_than_a_screen() -> None:
    for file, lines, seen in nodes():
        assert lines <= 500, file
        for node in seen:
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 70, f"{file}: {node.name}"


@pytest.mark.slow
def test_no_product_function_takes_arbitrary_keywords() -> None:
    allowed = {("curate/loaded.py", "step"), ("curate/cli.py", "wrapped")}
    for file, _, seen in nodes():
        for node in seen:
            if isinstance(node, ast.FunctionDef) and node.args.kwarg:
                assert (file, node.name) in allowed
