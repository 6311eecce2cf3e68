"""What an audit says: findings that name the file, the record and the remedy, and how much was looked at.

One check is kept at most `SHOWN` times, so that memory stays small; `total` and `per_check` count them all. As text, a
check that found more than `FEW` things is one line with the first of them, so that many of one kind hide no other.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field

SHOWN = 10_000  # findings of one check
FEW = 3  # of one check, told one by one in text
MISSING = "the file is missing: restore it, or run the recipe again"


def changed(*what: str) -> str:
    """The remedy where one of these files no longer is what the run wrote."""
    return f"{' or '.join(what)} was changed after the run: run the recipe again"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold. `check` is a stable snake_case code, `where` names the file and, where it is known,
    the sample key, the record key or the ledger's seq; `found` is the value met, `remedy` what would mend it."""

    check: str
    where: str
    found: str
    remedy: str

    def line(self) -> str:
        return f"{self.check}: {self.where}: {self.found}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Report:
    """The findings kept, what was looked at (name -> how many), how many findings there were, in all and by check."""

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    total: int = 0
    per_check: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.total == 0

    def to_json(self) -> str:
        """`{"ok", "total", "findings": [{"check", "where", "found", "remedy"}], "checked": {name: n}}`."""
        value = {
            "ok": self.ok,
            "total": self.total,
            "findings": [dataclasses.asdict(f) for f in self.findings],
            "checked": self.checked,
        }
        return json.dumps(value, indent=1, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """One line per finding, or per check that found many, then one line of what was looked at."""
        lines = []
        told: set[str] = set()
        for finding in self.findings:
            many = self.per_check.get(finding.check, 1)
            if many <= FEW:
                lines.append(finding.line())
            elif finding.check not in told:
                told.add(finding.check)
                first = finding.line().removeprefix(f"{finding.check}: ")
                lines.append(f"{finding.check}: {many} findings, the first: {first}")
        if told:
            lines.append("all of them: curate verify OUT --json")
        looked = ", ".join(counted(n, name) for name, n in self.checked.items())
        return "\n".join(
            [*lines, f"{'everything holds' if self.ok else counted(self.total, 'findings')}; checked: {looked}"]
        )


def counted(number: int, things: str) -> str:
    """`2 shards`, `1 shard`."""
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


@dataclass
class Findings:
    """Collects findings and counts while an audit goes on."""

    shown: list[Finding] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)
    per_check: Counter[str] = field(default_factory=Counter)

    def add(self, check: str, where: str, found: str, remedy: str) -> None:
        self.per_check[check] += 1
        if self.per_check[check] <= SHOWN:
            self.shown.append(Finding(check, _one_line(where), _one_line(found), remedy))

    def count(self, what: str, number: int = 1) -> None:
        self.checked[what] += number

    def report(self) -> Report:
        return Report(tuple(self.shown), dict(self.checked), self.per_check.total(), dict(self.per_check))


def _one_line(text: str) -> str:
    """At most 400 characters on one line that any terminal can encode: names come from files that may be hostile."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())[:400]
