"""`docs/reasons.md`: every reason that a record can fail or be dropped for, with the remedy that goes with it.

    python -m tests.reasons     writes it anew after a change that is meant

Reasons are read from the code: each `RecordError(reason, found, remedy)` and `Reject(reason, found)` whose reason is a
literal, each `typed(reason, remedy)`, and of sources each `outcome(entry, status, reason, ...)`,
`row.failed(reason, ...)`, `passed_over(row, reason, ...)`, `_ended(file, status, reason, ...)` and
`Item(..., reason=...)`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reasons.md"
HEAD = """# Reasons

Why a record is not kept: the column `reason` of the ledger. `failed` is a fault in the data or on the way, `dropped` a
sound thing that is not wanted. The ledger's columns `found` and `remedy` say what was met and what to do; remedies that
stand in the code as plain text are repeated here. `curate query OUT failures` and `curate query OUT dropped` count them
in an output.

| reason | ends as | raised in | remedy |
|---|---|---|---|
"""
CALLS = {  # what it ends as ("": the argument before the reason), and where reason and remedy stand
    "RecordError": ("failed", 0, 2), "Reject": ("dropped", 0, 2), "outcome": ("", 2, 4), "typed": ("failed", 0, 1),
    "failed": ("failed", 0, 2), "passed_over": ("dropped", 1, 3), "_ended": ("", 2, 4), "Item": ("dropped", 99, 99),
}  # fmt: skip


def page() -> str:
    """The page as it should be."""
    rows: dict[tuple[str, str], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for house in ("sources", "curate"):
        for path in sorted((ROOT / house).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            text = path.read_text()
            if not any(f"{call}(" in text for call in CALLS):
                continue
            for reason, status, remedy in _reasons(ast.parse(text)):
                modules, remedies = rows[reason, status]
                modules.add(name)
                remedies |= {remedy} if remedy else set()
    lines = []
    for (reason, status), (modules, remedies) in sorted(rows.items()):
        named = ", ".join(f"`{m}`" for m in sorted(modules))
        lines.append(f"| `{reason}` | {status} | {named} | {'; '.join(sorted(remedies)).replace('|', '/')} |")
    return HEAD + "\n".join(lines) + "\n"


def _reasons(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        name = _called(node)
        if not isinstance(node, ast.Call) or name not in CALLS:
            continue
        status, at, remedy = CALLS[name]
        args = {number: _text(arg, constants) for number, arg in enumerate(node.args)}
        named = {k.arg: _text(k.value, constants) for k in node.keywords}
        reason = args.get(at, "") or named.get("reason", "")
        status = status if name != "Item" else named.get("status", "") or status
        if reason and (status := status or args.get(at - 1, "")):
            yield reason, status, args.get(remedy, "") or named.get("remedy", "")


def _called(node: ast.AST) -> str:
    """The name of what is called; of a method only `failed`."""
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute):
        return func.attr if func.attr == "failed" else ""
    return func.id if isinstance(func, ast.Name) else ""


def _text(node: ast.expr, constants: dict[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id, "") if isinstance(node, ast.Name) else ""


if __name__ == "__main__":
    PAGE.write_text(page())
