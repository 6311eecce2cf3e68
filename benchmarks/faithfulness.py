"""How many errors `synth.verify.faithfulness` catches in 1,000 faithful captions, and how many captions it rejects.

    python -m benchmarks.faithfulness --data ../shared/data             measure and print
    python -m benchmarks.faithfulness --data ../shared/data --write     and put the tables into benchmarks/README.md
    python -m benchmarks.faithfulness --data ../shared/data --show N    and print N misses and false rejections of each
                                                                        kind, of the half for developing alone

The captions are real annotation in natural words (`faithful_sources`): human captions, notes, abstracts and comments
against themselves, reworded and reordered by rule, and annotated volumes, headers, answers and flags in several dozen
sentence patterns. Each caption gets exactly one error of each kind that applies to it (`faithful_errors`). A text is
rejected, and an error caught, when any check fails. Patterns, word lists, images and texts are halved; the checks were
improved by looking at one half only. The time is that of one caption of 200 characters with 20 facts, on one core.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

from benchmarks.faithful_errors import FURTHER, KINDS
from benchmarks.faithful_sources import HALVES, Case, cases
from benchmarks.report import machine, on_one_core, write
from manifests.record import Fact
from synth.known import known_of
from synth.verify import faithfulness

SEED = 20_261
WANTED = 1_000
RUNS = 300


def failed(text: str, facts: tuple[Fact, ...]) -> list[str]:
    """The checks that a text fails, each with its evidence."""
    return [f"{v.check}: {v.evidence}" for v in faithfulness(text, facts, 0) if not v.passed]


def truth_of(case: Case) -> str:
    return "\n".join(f"{f.about.replace('_', ' ')} {f.value}" for f in case.facts) + "\n" + case.text


def measure(found: list[Case], seed: int, show: int) -> dict[str, dict[str, Counter[str]]]:
    """Table -> row -> counts per half: `development`, `development of`, `held out`, `held out of`."""
    rejected: dict[str, Counter[str]] = defaultdict(Counter)
    caught: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, *FURTHER)}
    for number, case in enumerate(found):
        wrong = failed(case.text, case.facts)
        rejected[case.source][f"{case.half} of"] += 1
        rejected[case.source][case.half] += bool(wrong)
        if wrong and show and case.half == HALVES[0] and rejected[case.source][case.half] <= show:
            print(f"REJECTED {case.source}: {case.text[:300]!r}\n    {wrong}\n    {truth_of(case)[:300]!r}")
        for kind, alter in {**KINDS, **FURTHER}.items():
            altered = alter(case.text, truth_of(case), Random(f"{seed} {number} {kind}"), case.half)
            if altered is None or altered == case.text:
                continue
            caught[kind][f"{case.half} of"] += 1
            seen = bool(failed(altered, case.facts))
            caught[kind][case.half] += seen
            missed = caught[kind][f"{case.half} of"] - caught[kind][case.half]
            if not seen and show and case.half == HALVES[0] and missed <= show:
                print(f"MISSED {kind}, {case.source}: {altered[:400]!r}\n    was {case.text[:400]!r}")
    return {"rejected": dict(rejected), "caught": caught}


def table(title: str, rows: dict[str, Counter[str]], total: bool) -> str:
    lines = [f"| {title} | {HALVES[0]} | | {HALVES[1]} | |", "|---|---|---|---|---|"]
    if total:
        rows = {**rows, "all": sum(rows.values(), Counter())}
    for name, counts in rows.items():
        cells = []
        for half in HALVES:
            of = counts[f"{half} of"]
            cells += [f"{counts[half]} of {of}", f"{100 * counts[half] / of:.1f} %" if of else "-"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


CAPTION = (
    "Axial CT of the abdomen shows a 3.2 x 4.1 cm mass in the left kidney, without lymphadenopathy; the liver has a "
    "volume of 1062.45 mL and the spleen 260.01 mL. No effusion or pneumothorax is seen."
)


def timed() -> tuple[int, float, float]:
    """Characters, and CPU milliseconds of one judgement: with facts seen for the first time, and once more."""
    volumes = {"liver": 1062.45, "spleen": 260.01, "kidney_left": 99.25, "kidney_right": 107.89, "pancreas": 14.8}
    facts = [Fact("modality", "CT", "x"), Fact("body_part", "ABDOMEN", "x"), Fact("plane", "axial", "x"),
             Fact("caption", "A 3.2 x 4.1 cm mass in the left kidney, without lymphadenopathy.", "x"),
             Fact("kvp", "120", "x", "kV"), Fact("slice_thickness_mm", "5", "x", "mm"), Fact("slice_count", "80", "x"),
             Fact("sex", "F", "x"), Fact("age_years", "55", "x", "year"), Fact("contrast", "venous", "x")]  # fmt: skip
    facts += [Fact("volume_ml", str(v), f"mask:{n}", "mL", n) for n, v in volumes.items()]
    facts += [
        Fact("finding", "absent", "x", about=n) for n in ("effusion", "pneumothorax", "fracture", "ascites", "gas")
    ]
    first: list[float] = []
    again: list[float] = []
    for _ in range(RUNS):
        known_of.cache_clear()
        for times in (first, again):
            began = time.process_time_ns()
            faithfulness(CAPTION, facts, 0)
            times.append((time.process_time_ns() - began) / 1e6)
    return len(CAPTION), min(first), min(again)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared data")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--show", type=int, default=0, help="print so many failures of each kind")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    given = parser.parse_args()
    on_one_core()
    found = cases(given.data, given.seed, WANTED)
    measured = measure(found, given.seed, given.show)
    characters, first, again = timed()
    altered = sum(c[f"{half} of"] for kind, c in measured["caught"].items() if kind in KINDS for half in HALVES)
    speed = (
        f"One judgement of {characters} characters against 20 facts: {first:.2f} ms with facts seen for the first "
        f"time, {again:.2f} ms after that (CPU, best of {RUNS})."
    )
    text = "\n\n".join(
        (
            f"{len(found)} faithful captions, {altered} altered ones of the five kinds, seed {given.seed}.",
            table("errors caught", measured["caught"], total=False),
            table("faithful captions rejected", measured["rejected"], total=True),
            speed,
            f"`--data ../shared/data`: {machine(('pint',))}",
        )
    )
    print(text)
    if given.write:
        write("faithfulness", text)


if __name__ == "__main__":
    main()
