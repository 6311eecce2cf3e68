"""The house: imports go one way, engines have one room each, files and functions stay readable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYERS = {"manifests": 0, "sources": 1, "synth": 1, "curate": 2}
ROOMS = {"ray": "curate/cluster.py", "vllm": "synth/teacher.py"}


def imports() -> Iterator[tuple[str, str]]:
    """(file, imported module) for every import of the product."""
    for house in LAYERS:
        for path in sorted((ROOT / house).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((str(path.relative_to(ROOT)), alias.name) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield str(path.relative_to(ROOT)), node.module


def test_imports_go_one_way() -> None:
    for file, module in imports():
        house, head = file.split("/", 1)[0], module.split(".", 1)[0]
        if head in LAYERS and head != house:
            assert LAYERS[head] < LAYERS[house], f"{file} imports {module}"


def test_an_engine_is_imported_in_its_own_room_alone() -> None:
    found = {(module.split(".")[0], file) for file, module in imports() if module.split(".")[0] in ROOMS}
    assert found == set(ROOMS.items())


def test_no_file_is_longer_than_one_sitting_and_no_function_than_a_screen() -> None:
    for house in LAYERS:
        for path in sorted((ROOT / house).rglob("*.py")):
            text = path.read_text()
            assert text.count("\n") <= 500, path
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef):
                    assert (node.end_lineno or 0) - node.lineno < 70, f"{path}: {node.name}"


def test_no_product_function_takes_arbitrary_keywords() -> None:
    allowed = {("curate/loaded.py", "step"), ("curate/cli.py", "wrapped")}
    for house in LAYERS:
        for path in sorted((ROOT / house).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and node.args.kwarg:
                    assert (str(path.relative_to(ROOT)), node.name) in allowed
