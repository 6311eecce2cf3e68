"""Burned-in text: what `clean_pixels` hides, what it leaves, what it refuses, over instances with planted names.

    python -m benchmarks.burned_in --count 200 --workers 2

Planted: fictitious names, dates and numbers on real images in seven stored forms (`tests.burned`). Two questions are
asked of each accepted image: which share of the pixels that text inked is covered (the truth, no detector is asked),
and does RapidOCR's own pipeline, detection and recognition, still read a planted word. Of as many clean images it is
asked which are refused. Two tables come out: by font size and by form.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.report import machine, write
from curate import dicom, image
from curate.arrays import Array
from curate.deidentify import DeidentifyConfig, clean_frames, clean_pixels
from manifests.errors import Reject
from tests import burned

DETECT = DeidentifyConfig(burned_in="detect")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: `covered` is the share of inked pixels that are masked, `masked` the share of the image."""

    name: str
    form: str
    size_px: int
    accepted: bool
    covered: float
    masked: float
    read: tuple[str, ...]
    seconds: float


def judged(case: burned.Case, read: Callable[[burned.Pixels], str] | None) -> Outcome:
    """Clean a case and compare."""
    started = time.perf_counter()
    try:
        before, after, shown = cleaned(case)
    except Reject:
        return Outcome(case.name, case.form, case.size_px, False, 1.0, 0.0, (), time.perf_counter() - started)
    seconds = time.perf_counter() - started
    hidden = _hidden(before, after)
    words = {w for line in case.words for w in re.split(r"[^A-Za-z0-9]+", line) if len(w) >= 4}
    text = " ".join(read(p) for p in shown).casefold() if read else ""
    still = tuple(sorted(w for w in words if w.casefold() in text))
    covered = float((hidden & case.truth).sum() / max(1, case.truth.sum()))
    return Outcome(case.name, case.form, case.size_px, True, covered, float(hidden.mean()), still, seconds)


def cleaned(case: burned.Case) -> tuple[Array, Array, list[burned.Pixels]]:
    """The canonical pixels before and after, and what is shown of them (of a cine the first and the last frame)."""
    if case.form == "cine":
        cine = dicom.read_cine(case.ds)
        frames = clean_frames(cine, case.ds, DETECT)[0].frames
        return cine.frames, frames, [frames[0], frames[-1]]
    decoded = dicom.read_image(case.ds)
    result = clean_pixels(decoded, case.ds, DETECT)[0]
    return decoded.pixels, result.pixels, [image.to_display(result)]


def _hidden(before: Array, after: Array) -> Array:
    """(y, x): the masks, as far as they changed something; pixels that were black before count where changed ones are
    around them."""
    from scipy import ndimage

    changed = before != after
    if changed.ndim == 4:
        changed = changed.any(axis=(0, 3))
    elif changed.ndim == 3:
        changed = changed.any(axis=2) if changed.shape[2] == 3 else changed.any(axis=0)
    closed: Array = ndimage.binary_closing(np.pad(changed, 8), iterations=6)[8:-8, 8:-8]
    return closed


def refused_clean(number: int) -> tuple[str, bool, float]:
    """One clean instance: its name, was it refused, and how much of it was masked."""
    name, ds = burned.clean(number)
    decoded = dicom.read_image(ds)
    try:
        after, _ = clean_pixels(decoded, ds, DETECT)
    except Reject:
        return name, True, 0.0
    return name, False, float(_hidden(decoded.pixels, after.pixels).mean())


def planted(number: int) -> Outcome:
    return judged(burned.case(number), _reader())


def _reader() -> Callable[[burned.Pixels], str] | None:
    if not _READERS:
        _READERS.append(burned.reader())
    return _READERS[0]


_READERS: list[Callable[[burned.Pixels], str] | None] = []


def table(outcomes: Iterable[Outcome], key: Callable[[Outcome], str | int]) -> list[str]:
    """Lines of a Markdown table by `key`."""
    lines = [
        "| | cases | accepted | inked pixels covered: mean | least | masked | names read | s |",
        "|---|" + "---|" * 7,
    ]
    rows = list(outcomes)
    for value in sorted({key(o) for o in rows}, key=str):
        some = [o for o in rows if key(o) == value]
        kept = [o for o in some if o.accepted]
        covered, masked = [o.covered for o in kept] or [1.0], [o.masked for o in kept] or [0.0]
        lines.append(
            f"| {value} | {len(some)} | {len(kept)} | {100 * np.mean(covered):.2f} % | {100 * min(covered):.1f} % "
            f"| {100 * np.mean(masked):.1f} % | {sum(bool(o.read) for o in kept)} "
            f"| {np.median([o.seconds for o in some]):.1f} |"
        )
    return lines


def measure(count: int, workers: int) -> str:
    """Both tables; cases that were not hidden whole are named as they come."""
    outcomes: list[Outcome] = []
    clean: list[tuple[str, bool, float]] = []
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        for outcome in pool.map(planted, range(count)):
            outcomes.append(outcome)
            if outcome.covered < 0.999 or outcome.read or not outcome.accepted:
                what = f"accepted {outcome.accepted}, covered {outcome.covered:.3f}, read {outcome.read}"
                print(f"- {outcome.name}: {what}", flush=True)
        for one in pool.map(refused_clean, range(count)):
            clean.append(one)
            if one[1] or one[2] > 0.2:
                print(f"- {one[0]}: refused {one[1]}, masked {one[2]:.3f}", flush=True)
    refused, masked = sum(r for _, r, _ in clean), np.mean([m for _, _, m in clean])
    parts = [
        f"{count} instances with planted text, by font size in pixels and by stored form.",
        "\n".join(table(outcomes, lambda o: o.size_px)),
        "\n".join(table(outcomes, lambda o: o.form)),
        f"Of {len(clean)} clean images {refused} were refused; {100 * masked:.1f} % of their pixels were masked.",
        machine(("onnxruntime", "rapidocr", "numpy")),
    ]
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="planted instances, and as many clean ones")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    given = parser.parse_args()
    text = measure(given.count, given.workers)
    print(text)
    if given.write:
        write("burned_in", text)


if __name__ == "__main__":
    main()
