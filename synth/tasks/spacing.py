"""How large a voxel of what is shown is, in words: without it no question in mm or mL can be answered.

MedVision states the pixel size in its prompts and rescales it with the image (YongchengYAO/MedVision@c221615,
`sft_utils.py`); so do these words, because the entry of a rendered medium says the spacing of what is shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

from synth.calls import format_size
from synth.views import MediaView, shown_steps_mm


def spacing_words(view: MediaView) -> str:
    """`Voxel spacing: 5.0 x 1.2 x 1.2 mm (z, y, x).`, of an image `Pixel spacing: 0.2 x 0.2 mm (y, x).`, or "".

    Where only some slices are shown, the spacing along z is from one shown slice to the next; where that differs it is
    the grid's, and which slices are shown follows.
    """
    steps = shown_steps_mm(view)
    if steps is None:
        return ""
    slices = [z for m in view.media if m.kind != "mask" and m.slices is not None for z in m.slices]
    apart = {b - a for a, b in itertools.pairwise(slices)}
    along_z, more = 1, ""
    if len(steps) == 3 and len(apart) == 1 and min(apart) != 0:
        along_z = abs(apart.pop())
    elif len(steps) == 3 and slices:
        more = f" {_which(slices, apart)}"
    scaled = (steps[0] * along_z, *steps[1:])
    if len(steps) == 3:
        return f"Voxel spacing: {_sizes(scaled)} mm (z, y, x).{more}"
    return f"Pixel spacing: {_sizes(scaled)} mm (y, x)."


def _which(slices: Sequence[int], apart: Collection[int]) -> str:
    """Slices at rounded equal steps, or that repeat, are told by their ends, others one by one."""
    if apart and min(apart) == 0 and max(apart) <= 1:
        return f"The {len(slices)} slices shown are those from index {slices[0]} to {slices[-1]}, some repeated."
    if apart and max(apart) - min(apart) <= 1:
        return f"The {len(slices)} slices shown are spread evenly along z from index {slices[0]} to {slices[-1]}."
    return f"Slices shown, by their index along z: {', '.join(str(z) for z in slices)}."


def _sizes(steps: Sequence[float]) -> str:
    """Up to 3 decimals each, at least one; below 1 as many as 3 significant digits need (a slide has 0.00025 mm)."""
    texts = (format_size(step, 3).rstrip("0") for step in steps)
    return " x ".join(f"{text}0" if text.endswith(".") else text for text in texts)
