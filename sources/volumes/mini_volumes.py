"""Miniature volumes that differ enough from each other to be no near duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sources import mini

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def voxels(
    rng: np.random.Generator, shape: tuple[int, int, int] = (40, 40, 24), organs: int = 2
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """A grid in HU and its label map as `mini.voxels` makes them, moved, turned round and squeezed at random."""
    import numpy

    wide = (shape[0] + int(rng.integers(0, 16)), shape[1] + int(rng.integers(0, 16)), shape[2])
    grid, marked = mini.voxels(rng, wide, organs)
    x, y = (int(rng.integers(0, w - s + 1)) for w, s in zip(wide[:2], shape[:2], strict=True))
    flips = tuple(slice(None, None, int(rng.choice((-1, 1)))) for _ in range(3))
    cut = (slice(x, x + shape[0]), slice(y, y + shape[1]), slice(None))
    blobs = numpy.zeros(shape)
    for _ in range(5):  # patches, brighter or darker than what is around them
        corner = [int(rng.integers(0, n * 2 // 3)) for n in shape]
        size = [int(rng.integers(n // 6, n // 2)) for n in shape]
        blobs[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] += rng.uniform(-300, 300)
    changed = grid[cut][flips] + numpy.rint(blobs).astype(numpy.int16)
    return numpy.clip(changed, -1024, 3000).astype(numpy.int16), numpy.ascontiguousarray(marked[cut][flips])
