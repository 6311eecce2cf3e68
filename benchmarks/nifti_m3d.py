"""How fast a `.nii.gz` of a CT becomes M3D's tensor, beside decompression alone and what others offer for it.

    python -m benchmarks.nifti_m3d                     a made CT of 512 x 512 x 200
    python -m benchmarks.nifti_m3d --file ct.nii.gz    a file of yours
    python -m benchmarks.nifti_m3d --write             and put the table into benchmarks/README.md

Everything runs in one process pinned to one core, on one file in a warm page cache, in turns; the figure is the least
of `RUNS` (`SLOW_RUNS` for what takes seconds). A ratio is that row's seconds by ours. MONAI and TorchIO are measured
where they can be imported (`pip install monai torchio`), and the difference of MONAI's tensor from ours is told. The
made CT is seeded: a smooth body in air, Gaussian noise of 20 HU, -1024 outside the field of view; it deflates to about
0.46 of its size, as CT does. Not measured: a cold disk, several cores, import times.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import importlib
import importlib.util
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import machine, on_one_core, write
from curate.guard import PIECE
from curate.volume import read_volume
from curate.volume.m3d import M3D_SHAPE, to_m3d

RUNS, SLOW_RUNS = 7, 3
SHAPE = (200, 512, 512)  # (z, y, x)
SPACING_MM = (1.5, 0.8, 0.8)
LIBRARIES = ("numpy", "isal", "simpleitk", "nibabel", "monai", "torch", "torchio")

Tensor = NDArray[np.float32]


def make_ct(path: Path, seed: int = 2026) -> None:
    """A CT-like int16 volume as .nii.gz (gzip level 6, as most writers use)."""
    nibabel: Any = importlib.import_module("nibabel")  # not annotated, as those below
    from scipy import ndimage

    draw = np.random.default_rng(seed)
    z, y, x = SHAPE
    coarse = draw.normal(size=(z // 20, 26, 26)).astype(np.float32)
    organs = ndimage.zoom(coarse, (20, y / 26, x / 26), order=1)
    rows, columns = np.mgrid[:y, :x]
    body = ((rows - y / 2) / 200) ** 2 + ((columns - x / 2) / 240) ** 2 < 1
    seen = (rows - y / 2 + 0.5) ** 2 + (columns - x / 2 + 0.5) ** 2 < (y / 2) ** 2
    voxels = np.empty(SHAPE, np.int16)
    for k in range(z):
        values = np.where(body, 40 + 60 * organs[k], -1000) + draw.normal(0, 20, (y, x))
        voxels[k] = np.where(seen, np.clip(np.rint(values), -1024, 3071), -1024)
    image = nibabel.Nifti1Image(voxels.T, np.diag([-SPACING_MM[2], -SPACING_MM[1], SPACING_MM[0], 1]))
    path.write_bytes(gzip.compress(image.to_bytes(), 6, mtime=0))


def ours(path: Path) -> Tensor:
    return to_m3d(read_volume(path, units="HU"))


def isal_alone(path: Path) -> None:
    """The fastest that ISA-L was found to be used: pieces that stay in the cache, into one array."""
    from isal import igzip_lib

    size = int.from_bytes(path.read_bytes()[-4:], "little")
    target = np.empty(size, np.uint8).data
    stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    at = 0
    with path.open("rb", buffering=0) as file:
        while not stream.eof:
            piece = stream.decompress(file.read(PIECE) if stream.needs_input else b"", PIECE)
            target[at : at + len(piece)] = piece
            at += len(piece)


def isal_at_once(path: Path) -> None:
    from isal import isal_zlib

    isal_zlib.decompress(path.read_bytes(), 31)


def zlib_alone(path: Path) -> None:
    zlib.decompress(path.read_bytes(), 31)


def simpleitk(path: Path) -> None:
    """Read and resample linearly to the same grid of voxels, without crop and without scaling."""
    sitk: Any = importlib.import_module("SimpleITK")
    image = sitk.ReadImage(str(path))
    size = M3D_SHAPE[::-1]
    spacing = [s * n / m for s, n, m in zip(image.GetSpacing(), image.GetSize(), size, strict=True)]
    place = [image.GetOrigin(), spacing, image.GetDirection()]
    sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, *place, 0.0, sitk.sitkFloat32)


@functools.cache
def monai_chain() -> Any:
    transforms: Any = importlib.import_module("monai.transforms")
    return transforms.Compose(
        [
            transforms.LoadImage(image_only=True, ensure_channel_first=True),
            transforms.ScaleIntensity(),
            transforms.CropForeground(),
            transforms.Resize(M3D_SHAPE[::-1], mode="trilinear"),
        ]
    )


def monai(path: Path) -> Tensor:
    """M3D's own chain of transforms, in MONAI's axes (x, y, z), turned to ours."""
    made: Tensor = np.asarray(monai_chain()(path), np.float32)[0].T
    return made


def torchio(path: Path) -> None:
    """TorchIO has no crop to the foreground: rescale and resize alone."""
    tio: Any = importlib.import_module("torchio")
    tio.Compose([tio.RescaleIntensity((0, 1)), tio.Resize(M3D_SHAPE[::-1])])(tio.ScalarImage(path)).load()


WAYS: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "medcurate": (ours, "isal", RUNS),
    "isal alone, in pieces into an array": (isal_alone, "isal", RUNS),
    "isal alone, at once": (isal_at_once, "isal", RUNS),
    "zlib alone": (zlib_alone, "zlib", RUNS),
    "SimpleITK, read and linear resample": (simpleitk, "SimpleITK", RUNS),
    "MONAI: LoadImage, ScaleIntensity, CropForeground, Resize": (monai, "monai", SLOW_RUNS),
    "TorchIO: RescaleIntensity, Resize": (torchio, "torchio", SLOW_RUNS),
}


def measure(path: Path) -> dict[str, float]:
    """Seconds of every way that can be imported, the least of its runs, which are taken in turns."""
    ways = {name: way for name, way in WAYS.items() if importlib.util.find_spec(way[1])}
    for function, _, _ in ways.values():
        function(path)  # imports and warms up
    least = dict.fromkeys(ways, float("inf"))
    for turn in range(RUNS):
        for name, (function, _, runs) in ways.items():
            if turn < runs:
                started = time.perf_counter()
                function(path)
                least[name] = min(least[name], time.perf_counter() - started)
    return least


def table(path: Path, least: dict[str, float]) -> str:
    """Markdown: what was measured, the ratios, and what they depend on."""
    volume = read_volume(path)
    z, y, x = volume.voxels.shape
    stored, plain = path.stat().st_size / 1e6, volume.voxels.nbytes / 1e6
    lines = [f"{x} x {y} x {z} {volume.voxels.dtype}, {plain:.0f} MB in {stored:.0f} MB of gzip.", ""]
    lines += ["| | s | time against ours |", "|---|---|---|"]
    lines += [f"| {name} | {seconds:.3f} | {seconds / least['medcurate']:.2f}× |" for name, seconds in least.items()]
    share = min(s for name, s in least.items() if name.startswith("isal")) / least["medcurate"]
    lines += ["", f"Decompression alone by ISA-L takes {share:.2f} of our time."]
    if importlib.util.find_spec("monai"):
        apart = np.abs(monai(path).astype(np.float64) - ours(path))
        lines.append(f"Ours and MONAI's tensor differ by {apart.mean():.1e} on average and {apart.max():.1e} at most.")
    return "\n".join([*lines, "", machine(LIBRARIES)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="a .nii.gz to measure instead of the made one")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    on_one_core()  # before torch counts its cores
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "ct.nii.gz"
        if not options.file:
            make_ct(path)
        text = table(path, measure(path))
    print(text)
    if options.write:
        write("nifti_m3d", text)


if __name__ == "__main__":
    main()
