"""What an audit says: findings that name the file, the record and the remedy, and how much was looked at.

One check is shown at most `SHOWN` times, so that a thousand findings of one kind hide none of another; `total` counts
them all.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field

SHOWN = 100  # findings of one check


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
    """The findings shown, what was looked at (name -> how many) and how many findings there were in all."""

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    total: int = 0

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
        """One line per finding, then one line of what was looked at."""
        lines = [finding.line() for finding in self.findings]
        if self.total > len(self.findings):
            lines.append(f"... and {self.total - len(self.findings)} more of the same kinds")
        looked = ", ".join(f"{n} {name}" for name, n in self.checked.items())
        return "\n".join([*lines, f"{'everything holds' if self.ok else f'{self.total} findings'}; checked: {looked}"])


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
        return Report(tuple(self.shown), dict(self.checked), self.per_check.total())


def _one_line(text: str) -> str:
    """At most 400 characters on one line that any terminal can encode: names come from files that may be hostile."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())[:400]
