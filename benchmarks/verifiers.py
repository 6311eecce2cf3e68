"""The verifiers' confusion matrices on the gold set, the hacks rewarded, and the time a verdict takes.

`python -m benchmarks.verifiers --write` writes the table into README.md and `synth/verifiers/measured.py`, which
says who may reward. The gold set (`tests/synth/gold`) is made by hand rules; every fifth family of rules of a type
is held out.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.report import machine, write
from synth.verifiers import LEAST_WRONG, MOST_FALSE_POSITIVES, VERIFIERS, Confusion, may_reward, verify_answer
from tests.synth.gold import gold_set
from tests.synth.gold.base import Pair, held_out
from tests.synth.gold.hacks import PATTERNS, hacks

MEASURED = Path(__file__).resolve().parents[1] / "synth/verifiers/measured.py"


def confusion(pairs: Iterable[Pair]) -> dict[str, Confusion]:
    """Per verifier the counts over these pairs, in the verifiers' order."""
    seen: Counter[tuple[str, bool, bool]] = Counter()
    for pair in pairs:
        seen[pair.answer.verifier, pair.right, verify_answer(pair.response, pair.answer).passed] += 1
    return {
        name: Confusion(
            tp=seen[name, True, True],
            fp=seen[name, False, True],
            tn=seen[name, False, False],
            fn=seen[name, True, False],
        )
        for name in VERIFIERS
    }


def added(tables: Iterable[Confusion]) -> Confusion:
    rows = list(tables)
    return Confusion(*(sum(row[k] for row in rows) for k in range(4)))


def module_text(old: str, table: dict[str, Confusion]) -> str:
    """The source of `synth.verifiers.measured` with this table."""
    head = old[: old.index("MEASURED: Mapping")]
    rows = (
        f'        "{name}": Confusion(tp={found.tp}, fp={found.fp}, tn={found.tn}, fn={found.fn}),\n'
        for name, found in table.items()
    )
    return f"{head}MEASURED: Mapping[str, Confusion] = MappingProxyType(\n    {{\n{''.join(rows)}    }}\n)\n"


def row(name: str, found: Confusion, rewarded: str) -> str:
    shown = " | ".join(str(n) for n in found)
    return f"| {name} | {shown} | {found.false_positive_rate:.2%} | {found.false_negative_rate:.2%} | {rewarded} |"


def report() -> tuple[str, dict[str, Confusion]]:
    """The README's table and the whole table."""
    pairs = gold_set()
    out = held_out(pairs)
    started = time.process_time()
    whole = confusion(pairs)
    each = (time.process_time() - started) / len(pairs)
    apart = added(confusion(p for p in pairs if p.rule in out).values())
    rest = added(confusion(p for p in pairs if p.rule not in out).values())
    tried = list(hacks())
    earned = [h for h in tried if verify_answer(h.response, h.answer).passed]
    lines = [
        "| verifier | TP | FP | TN | FN | false positives | false negatives | may reward |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [row(name, found, "yes" if may_reward(found) else "no") for name, found in whole.items()]
    lines += [row("all", added(whole.values()), ""), row("of these held out", apart, ""), row("the others", rest, "")]
    wrong = sum(not p.right for p in pairs)
    lines += [
        "",
        (
            f"{len(pairs):,} pairs of {len({p.rule for p in pairs}):,} families of rules, {wrong:,} of them wrong "
            f"answers; {_count(pairs, 'trap'):,} unit traps, {_count(pairs, 'flip_'):,} side flips, "
            f"{_denials(pairs):,} denials. {len(PATTERNS)} patterns of reward hacking, {len(tried):,} with every type "
            f"of answer: {len(earned)} rewarded. A verifier may reward with at most {MOST_FALSE_POSITIVES:.1%} false "
            f"positives among at least {LEAST_WRONG} wrong answers. {each * 1e6:.0f} µs per verdict."
        ),
        "",
        machine(("pint",)),
    ]
    return "\n".join(lines), whole


def _count(pairs: Iterable[Pair], word: str) -> int:
    return sum(word in pair.rule.partition("/")[2] for pair in pairs)


def _denials(pairs: Iterable[Pair]) -> int:
    """Wrong pairs whose rule denies the right answer."""
    words = (
        " not ",
        "not ",
        "no ",
        "n't ",
        "without",
        "never",
        "neither",
        "absent",
        "excluded",
        "ruled out",
        "except",
        "anything but",
    )
    return sum(not p.right and any(word in f" {p.response.lower()}" for word in words) for p in pairs)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    text, table = report()
    print(text)
    if parser.parse_args().write:
        write("verifiers", text)
        MEASURED.write_text(module_text(MEASURED.read_text(), table))


if __name__ == "__main__":
    main()
