"""Burned-in text: what `clean_pixels` hides, what it leaves, what it refuses, over instances with planted names.

    python -m benchmarks.burned_in --count 200 --workers 2
    python -m benchmarks.burned_in --site FOLDER     with a second reader: pip install --target FOLDER --no-deps
                                                     rapidocr-onnxruntime==1.4.4

Planted: fictitious names, dates and numbers on real images in thirteen stored forms (`tests.burned`). Asked of each
accepted image, without the detector that masked it:

- *Left*: how many planted letters still stand. We drew them, so we know where: a letter is left where the output's
  pixels correlate with its ink by 0.6 or more, in any frame. How many pixels of ink are covered is told beside it.
- *Read*: are four letters in a row of a planted word still read by two recognisers, RapidOCR's (PP-OCRv6) and an older
  one that was trained apart (PP-OCRv4): by their whole pipelines, detection and recognition, of the upright image, and
  by recognition alone of each line exactly where it was drawn, in two sizes. The lines of the input are read too, which
  says how good the readers are.
- *Other pixels*: is every pixel either as it was decoded or black, and no more of them black than the record says.

Of as many clean images it is asked which are refused.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL.Image
from pydantic import TypeAdapter

from benchmarks.report import machine, write
from curate import dicom, image
from curate.arrays import Array
from curate.deidentify import DeidentifyConfig, black_of, clean_frames, clean_pixels
from manifests.errors import Reject
from manifests.record import Step
from tests import burned

T = TypeVar("T")
DETECT = DeidentifyConfig(burned_in="detect")
LEFT = 0.6  # correlation of the output with a letter's ink, from which on the letter is there
RUN = 4  # letters in a row that count as read
AROUND = 8  # pixels around the text that are cut out with it


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: `covered` is the share of inked pixels that are masked, `masked` the share of the image; `letters` were
    planted and `left` of them stand; `legible` says that a reader read the input, `read` what it read of the output."""

    case: str
    form: str
    size_px: int
    angle: int
    style: str
    colour: str
    place: str
    accepted: bool
    covered: float
    masked: float
    letters: int
    left: int
    legible: bool
    read: tuple[str, ...]
    others_same: bool
    seconds: float


def judged(case: burned.Case, readers: Iterable[burned.Reader] = ()) -> Outcome:
    """Clean a case and compare."""
    given = (case.name, case.form, case.size_px, case.angle, case.style, case.colour.split()[0], case.place)
    before = decoded(case)
    words = {w for line in case.words for w in re.split(r"[^A-Za-z0-9]+", line) if len(w) >= RUN}
    legible = bool(_read(case, before.shown, words, readers, pages=False))
    started = time.perf_counter()
    try:
        after, steps = cleaned(case)
    except Reject:
        return Outcome(*given, False, 1.0, 0.0, 0, 0, legible, (), True, time.perf_counter() - started)
    seconds = time.perf_counter() - started
    hidden = _hidden(before.pixels, after.pixels)
    letters, left = _letters_left(case, after.shown)
    return Outcome(
        *given,
        accepted=True,
        covered=float((hidden & case.truth).sum() / max(1, case.truth.sum())),
        masked=float(hidden.mean()),
        letters=letters,
        left=left,
        legible=legible,
        read=_read(case, after.shown, words, readers),
        others_same=_others_same(before.pixels, after.pixels, before.black, steps),
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Canonical pixels, the value that is black in them, and what is shown of every frame."""

    pixels: Array
    black: float
    shown: Array  # (t, y, x[, 3]) uint8


def decoded(case: burned.Case) -> Seen:
    if case.form in burned.CINES:
        frames = dicom.read_cine(case.ds).frames
        return Seen(frames, 0, frames)
    found = dicom.read_image(case.ds)
    return Seen(found.pixels, black_of(found), image.to_display(found)[np.newaxis])


def cleaned(case: burned.Case) -> tuple[Seen, tuple[Step, ...]]:
    """The same after the cleaning, and the lines of its story. Raises Reject."""
    if case.form in burned.CINES:
        cine, steps = clean_frames(dicom.read_cine(case.ds), case.ds, DETECT)
        return Seen(cine.frames, 0, cine.frames), steps
    result, steps = clean_pixels(dicom.read_image(case.ds), case.ds, DETECT)
    return Seen(result.pixels, black_of(result), image.to_display(result)[np.newaxis]), steps


def _others_same(before: Array, after: Array, black: float, steps: tuple[Step, ...]) -> bool:
    """Every pixel is as it was, or black; and no more changed than the steps say is masked."""
    changed = _changed(before, after)
    masked = sum(float(json.loads(step.params).get("masked", 0)) for step in steps)
    moved = before != after
    return bool((after[moved] == black).all()) and float(changed.mean()) <= masked + 2e-4


def _changed(before: Array, after: Array) -> Array:
    changed: Array = before != after
    if changed.ndim == 4:
        return np.asarray(changed.any(axis=(0, 3)))
    if changed.ndim == 3:
        return np.asarray(changed.any(axis=2 if changed.shape[2] == 3 else 0))
    return changed


def _hidden(before: Array, after: Array) -> Array:
    """(y, x): the masks, as far as they changed something; pixels that were black before count where changed ones are
    around them."""
    from scipy import ndimage

    closed: Array = ndimage.binary_closing(np.pad(_changed(before, after), 8), iterations=6)[8:-8, 8:-8]
    return closed


# ------------------------------------------------------------------------------------------------ is it still there


def _letters_left(case: burned.Case, shown: Array) -> tuple[int, int]:
    """How many letters were drawn (in the frame that has most) and how many stand in the frame where most do."""
    pairs = [(case.ink[t if len(case.ink) > 1 else 0], frame) for t, frame in enumerate(shown)]
    counted = [_letters(ink, frame) for ink, frame in pairs if ink.any()]
    return max(n for n, _ in counted), max(n for _, n in counted)


def _letters(ink: burned.Pixels, frame: burned.Pixels) -> tuple[int, int]:
    from scipy import ndimage

    grey = frame.astype(np.float64).mean(axis=2) if frame.ndim == 3 else frame.astype(np.float64)
    labels, _ = ndimage.label(ink >= 96, structure=np.ones((3, 3), int))
    count = left = 0
    for rows, columns in ndimage.find_objects(labels):
        if (rows.stop - rows.start) * (columns.stop - columns.start) < 24:
            continue  # dots and dashes resemble anything
        at = (slice(max(0, rows.start - 2), rows.stop + 2), slice(max(0, columns.start - 2), columns.stop + 2))
        count += 1
        left += abs(_correlation(ink[at].astype(np.float64), grey[at])) >= LEFT
    return count, left


def _correlation(one: Array, other: Array) -> float:
    if one.std() < 1 or other.std() < 1:
        return 0.0
    return float(((one - one.mean()) * (other - other.mean())).mean() / (one.std() * other.std()))


def _read(
    case: burned.Case, shown: Array, words: set[str], readers: Iterable[burned.Reader], pages: bool = True
) -> tuple[str, ...]:
    """Which planted words some reader reads, at least four letters in a row of them: in three frames of a cine, the
    first and the last with text and one between."""
    inked = [t for t in range(len(shown)) if case.ink[t if len(case.ink) > 1 else 0].any()]
    chosen = sorted({inked[0], inked[len(inked) // 2], inked[-1]})
    lines = [line for t in chosen for line in _lines(case, t, shown[t])]
    whole = [np.rot90(shown[t], -round(case.angle / 90) % 4) for t in chosen[-1:]] if pages else []
    texts = [reader.line(line) for reader in readers for line in lines]
    texts += [reader.page(page) for reader in readers for page in whole]
    text = "\n".join(texts).casefold()
    return tuple(sorted(w for w in words if any(w[k : k + RUN].casefold() in text for k in range(len(w) - RUN + 1))))


def _lines(case: burned.Case, t: int, frame: burned.Pixels) -> Iterator[burned.Pixels]:
    """Each line of text as it was drawn in the frame, cut out and turned upright, as it is and in double size."""
    ink = case.ink[t if len(case.ink) > 1 else 0]
    rows, columns = (np.flatnonzero((ink >= 96).any(axis=axis)) for axis in (1, 0))
    at = (slice(max(0, rows[0] - AROUND), rows[-1] + AROUND), slice(max(0, columns[0] - AROUND), columns[-1] + AROUND))
    upright, drawn = (_turned(np.ascontiguousarray(a[at]), -case.angle) for a in (frame, ink))
    inked = np.pad((drawn >= 96).any(axis=1), 1).astype(np.int8)
    for top, bottom in zip(np.flatnonzero(np.diff(inked) == 1), np.flatnonzero(np.diff(inked) == -1), strict=True):
        line = upright[max(0, top - 3) : bottom + 3]
        if bottom - top >= case.size_px // 3 and line.any():
            yield line
            doubled = PIL.Image.fromarray(line).resize((2 * line.shape[1], 2 * line.shape[0]))
            yield np.asarray(doubled, dtype=np.uint8)


def _turned(pixels: burned.Pixels, angle: int) -> burned.Pixels:
    turned = PIL.Image.fromarray(pixels).rotate(angle, resample=PIL.Image.Resampling.BICUBIC, expand=True)
    return np.asarray(turned, dtype=np.uint8)


# ------------------------------------------------------------------------------------------------ the whole set


@dataclass(frozen=True, slots=True)
class Clean:
    """One image without planted text: was it refused, how much was masked, are the other pixels as they were."""

    name: str
    refused: bool
    masked: float
    others_same: bool


def kept(work: Callable[[int], T], kind: type[T], number: int, folder: Path | None) -> T:
    """What `work` finds of an instance, or what was kept of it by a run before this one."""
    place = folder / f"{kind.__name__}-{number:04d}.json" if folder else None
    known: TypeAdapter[T] = TypeAdapter(kind)
    if place and place.is_file():
        return known.validate_json(place.read_bytes())
    found = work(number)
    if place:
        place.write_bytes(known.dump_json(found))
    return found


def looked_at_clean(number: int) -> Clean:
    name, ds = burned.clean(number)
    try:
        if "NumberOfFrames" in ds:
            cine = dicom.read_cine(ds)
            before, black = cine.frames, 0.0
            done, steps = clean_frames(cine, ds, DETECT)
            after = done.frames
        else:
            found = dicom.read_image(ds)
            before, black = found.pixels, black_of(found)
            masked, steps = clean_pixels(found, ds, DETECT)
            after = masked.pixels
    except Reject:
        return Clean(name, True, 0.0, True)
    by_text = float(json.loads(steps[-1].params)["masked"])
    return Clean(name, False, by_text, _others_same(before, after, black, steps))


def planted(number: int) -> Outcome:
    if not _READERS:
        _READERS.append(tuple(burned.readers().values()))
    return judged(burned.case(number), _READERS[0])


_READERS: list[tuple[burned.Reader, ...]] = []


def table(outcomes: Iterable[Outcome], keys: dict[str, Callable[[Outcome], str]]) -> list[str]:
    """Lines of a Markdown table, grouped by each key in turn."""
    rows = list(outcomes)
    lines = [
        "| | cases | legible before | accepted | ink covered: mean | least | letters left | names read | masked | s |",
        "|---|" + "---|" * 9,
    ]
    for what, key in keys.items():
        values = sorted({key(o) for o in rows}, key=lambda v: (len(v), v))
        lines += [_line(f"{what} {value}".strip(), [o for o in rows if key(o) == value]) for value in values]
    return lines


def _line(name: str, some: list[Outcome]) -> str:
    kept = [o for o in some if o.accepted]
    covered, masked = [o.covered for o in kept] or [1.0], [o.masked for o in kept] or [0.0]
    seconds = np.median([o.seconds for o in some])
    return (
        f"| {name} | {len(some)} | {sum(o.legible for o in some)} | {len(kept)} | {100 * np.mean(covered):.2f} % "
        f"| {100 * min(covered):.1f} % | {sum(o.left for o in kept)} of {sum(o.letters for o in kept)} "
        f"| {sum(bool(o.read) for o in kept)} | {100 * np.mean(masked):.1f} % | {seconds:.1f} |"
    )


KEYS: dict[str, Callable[[Outcome], str]] = {
    "all": lambda o: "",
    "form": lambda o: o.form,
    "px": lambda o: str(o.size_px),
    "degrees": lambda o: str(o.angle),
    "style": lambda o: o.style,
    "colour": lambda o: o.colour,
    "in": lambda o: o.place,
}


def _of_clean(found: list[Clean]) -> str:
    refused, suspected = sum(c.refused for c in found), sum(c.masked > 0 for c in found)
    share = 100 * np.mean([c.masked for c in found] or [0])
    return (
        f"Of {len(found)} clean instances {refused} were refused; text was suspected, and masked, in {suspected}, "
        f"{share:.1f} % of the pixels of all."
    )


def measure(count: int, workers: int, clean: int | None = None, keep: Path | None = None) -> str:
    """The table; cases that were not hidden whole are named as they come."""
    outcomes: list[Outcome] = []
    found: list[Clean] = []
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        for outcome in pool.map(kept, repeat(planted), repeat(Outcome), range(count), repeat(keep)):
            outcomes.append(outcome)
            fine = outcome.accepted and outcome.covered >= 0.999 and outcome.others_same
            if not fine or outcome.read or outcome.left:
                print(f"- {outcome}", flush=True)
        numbers = range(count if clean is None else clean)
        for one in pool.map(kept, repeat(looked_at_clean), repeat(Clean), numbers, repeat(keep)):
            found.append(one)
            if one.refused or one.masked > 0.1 or not one.others_same:
                print(f"- {one}", flush=True)
    changed = sum(not o.others_same for o in outcomes) + sum(not c.others_same for c in found)
    parts = [
        f"{count} instances with planted text, read again by {' and '.join(burned.readers()) or 'nobody'}.",
        "\n".join(table(outcomes, KEYS)),
        _of_clean(found),
        f"In {changed} instances of both sets a pixel outside the masks changed.",
        machine(("onnxruntime", "rapidocr", "numpy")),
    ]
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="planted instances, and as many clean ones")
    parser.add_argument("--clean", type=int, help="so many clean ones instead")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--site", type=Path, help="a folder with the second reader")
    parser.add_argument("--keep", type=Path, help="a folder for what is found, so that a stopped run goes on")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    given = parser.parse_args()
    if given.site:
        sys.path.append(str(given.site))
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    text = measure(given.count, given.workers, given.clean, given.keep)
    print(text)
    if given.write:
        write("burned_in", text)


if __name__ == "__main__":
    main()
