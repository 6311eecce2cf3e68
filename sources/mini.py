"""Writers of invented miniatures: small media and tables in upstream's layouts, for trying a recipe without its data.

Everything comes from the generator that is given, so a miniature of one seed is the same everywhere. Pictures and
volumes have shapes and noise enough to pass the quality checks, and differ enough from each other to be no duplicates;
they show no anatomy, and nothing medical is to be learnt from them.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def pixels(rng: np.random.Generator, height: int = 128, width: int = 128, colour: bool = False) -> Pixels:
    """uint8 (y, x) or (y, x, 3): smooth waves, a few discs and some noise."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    layers = []
    for _ in range(3 if colour else 1):
        field = np.zeros((height, width))
        for _ in range(6):
            fy, fx, phase = rng.uniform(1, 9), rng.uniform(1, 9), rng.uniform(0, 6.28)
            field += rng.uniform(0.3, 1) * np.sin(6.28 * (fy * y + fx * x) + phase)
        layers.append(field)
    field = np.stack(layers, axis=-1)
    for _ in range(4):
        cy, cx, r = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.04, 0.2)
        field[(y - cy) ** 2 + (x - cx) ** 2 < r * r] += rng.uniform(-3, 3)
    field += rng.normal(0, 0.15, field.shape)
    scaled = (field - field.min()) / (field.max() - field.min()) * 255
    whole: Pixels = np.rint(scaled if colour else scaled[..., 0]).astype(np.uint8)
    return whole


def disc(height: int, width: int, y: float, x: float, radius: float, value: int = 255) -> Pixels:
    """uint8 (y, x): a filled circle on 0; centre and radius are in pixels."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.where((rows - y) ** 2 + (columns - x) ** 2 <= radius * radius, value, 0).astype(np.uint8)


def picture(path: Path, image: Pixels) -> None:
    """An image file by the end of its name (PNG, JPEG, TIFF, BMP)."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def encoded(image: Pixels, form: str = "PNG") -> bytes:
    """A picture as bytes, for cells of tables."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


def voxels(
    rng: np.random.Generator, shape: tuple[int, int, int] = (40, 40, 24), organs: int = 2
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """A CT-like grid in HU and its label map (1 to `organs`), both indexed (x, y, z): a soft ellipsoid in air with
    brighter ellipsoids in it."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    grid = np.full(shape, -1000.0)
    body = (axes[0] / 0.9) ** 2 + (axes[1] / 0.75) ** 2 < 1
    grid[body] = rng.uniform(20, 60)
    marked = np.zeros(shape, np.uint8)
    for organ in range(1, organs + 1):
        centre, size = rng.uniform(-0.35, 0.35, 3), rng.uniform(0.15, 0.4, 3)
        inside = sum(((a - c) / s) ** 2 for a, c, s in zip(axes, centre, size, strict=True)) < 1
        grid[inside & body] = rng.uniform(80, 400)
        marked[inside & body] = organ
    waves = np.sum([np.sin(rng.uniform(3, 15) * a + rng.uniform(0, 6)) for a in axes], axis=0)
    grid[body] += 12 * waves[body] + rng.normal(0, 6, int(body.sum()))
    return np.rint(grid).astype(np.int16), marked


def volume(
    path: Path, grid: NDArray[Any], spacing_mm: tuple[float, float, float] = (1.5, 1.5, 3.0),
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> None:  # fmt: skip
    """A NIfTI file of a grid indexed (x, y, z[, t]) in RAS+; bytes depend on nothing but the grid."""
    from nibabel.nifti1 import Nifti1Image

    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = origin_mm
    data = Nifti1Image(grid, affine).to_bytes()  # type: ignore[no-untyped-call]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def clip(path: Path, rng: np.random.Generator, seconds: float = 2.0, fps: int = 10, side: int = 112) -> None:
    """A clip in which a disc moves over a still background; its format is told by the end of the name (mp4, avi)."""
    import av
    from av.video.stream import VideoStream

    background = pixels(rng, side, side, colour=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = "mjpeg" if path.suffix == ".avi" else "h264"
    with av.open(str(path), "w") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=fps))
        stream.width, stream.height = side, side
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.thread_count = 1
        start, speed = rng.uniform(0.2, 0.8, 2) * side, rng.uniform(-2, 2, 2)
        for number in range(int(seconds * fps)):
            frame = background.copy()
            y, x = start + speed * number
            frame[disc(side, side, y % side, x % side, side / 8) > 0] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def table(path: Path, rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> None:
    """A CSV file whose columns are the first row's keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def json_file(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1))


def json_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def parquet(path: Path, rows: Sequence[Mapping[str, Any]], rows_per_group: int = 64) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(r) for r in rows]), path, row_group_size=rows_per_group)


def text(path: Path, written: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written)
