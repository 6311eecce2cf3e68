"""The modality rescale (PS3.3 C.11.1) where its numbers are too large: refused, neither wrapped round nor infinite.

A header may state any slope. Whole ones are followed exactly, in 64 bits, as long as every value fits into 32; the
others go over float64 to float32. Both raise RecordError `lossy_dtype` for what does not fit.
"""

from __future__ import annotations

import numpy as np

from curate.arrays import Array
from manifests.errors import RecordError

MOST_EXACT = 1 << 62  # of products and sums on the way
_REMEDY = "rescale the values into 32 bits"


def whole_ends(stored: Array, slope: int, intercept: int) -> tuple[int, int]:
    """The lowest and the highest of `stored * slope + intercept`, which int64 holds exactly; 32 bits may not."""
    ends = sorted(int(end) * slope for end in (stored.min(), stored.max()))
    if max(*(abs(end) for end in ends), abs(slope), abs(intercept)) >= MOST_EXACT:
        raise RecordError("lossy_dtype", "a rescale beyond 64 bits", _REMEDY)
    return ends[0] + intercept, ends[1] + intercept


def to_float32(stored: Array, slope: float, intercept: float, divisor: float = 1.0) -> Array:
    """`(stored * slope + intercept) / divisor` in float64, then rounded to the nearest float32. Infinities and NaN of
    `stored` stay, but none may come of a finite value."""
    with np.errstate(over="ignore", invalid="ignore"):
        exact = stored.astype(np.float64) * slope + intercept
        rounded = (exact / divisor if divisor != 1 else exact).astype(np.float32)
        if np.isfinite(rounded).sum() != (np.isfinite(stored).sum() if stored.dtype.kind == "f" else stored.size):
            raise RecordError("lossy_dtype", "rescaled values beyond 32-bit floats", _REMEDY)
    return rounded
