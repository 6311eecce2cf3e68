"""The second half of `benchmarks.looks`: volumes, slices and clips."""

from __future__ import annotations

import dataclasses
import importlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from curate.arrays import Array, Frames, Volume
from curate.looks.config import LooksConfig
from curate.looks.hashes import HALVES, PARTS, turned, turned_hashes
from curate.looks.pairs import Candidate, Media, candidates, confirm_pair
from curate.looks.rows import Looks, image_looks, to_bytes
from curate.looks.video import video_looks
from curate.looks.volume import canonical, plane_of, volume_looks
from curate.volume.grids import placed, reorient

Draw = np.random.Generator
ROUNDS = 2
SLICES = 8  # of each volume
CODES = ("LPS", "RAS", "ASL", "PIR", "SRA", "LAS", "IPL")
MOST_FRAMES = 240


def jpeg(pixels: Array, quality: int) -> Array:
    stream = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(stream))


def resampled(volume: Volume, draw: Draw) -> Volume:
    """0.6 to 1.4 times the voxels along each axis, linear."""
    from scipy import ndimage

    voxels = ndimage.zoom(volume.voxels.astype(np.float32), draw.uniform(0.6, 1.4, 3), order=1)
    voxels = np.rint(voxels).astype(np.int16) if volume.voxels.dtype.kind in "iu" else voxels
    steps = [a / b for a, b in zip(volume.voxels.shape[::-1], voxels.shape[::-1], strict=True)]
    affine = placed(volume.affine, steps, [(s - 1) / 2 for s in steps])
    return dataclasses.replace(volume, voxels=voxels, affine=affine)


def cropped(volume: Volume, draw: Draw) -> Volume:
    """0.9 of each side, anywhere."""
    sizes = [max(1, round(0.9 * n)) for n in volume.voxels.shape]
    starts = [int(draw.integers(0, n - s + 1)) for n, s in zip(volume.voxels.shape, sizes, strict=True)]
    cut = tuple(slice(a, a + s) for a, s in zip(starts, sizes, strict=True))
    return dataclasses.replace(volume, voxels=volume.voxels[cut], affine=placed(volume.affine, (1, 1, 1), starts[::-1]))


def requantised(volume: Volume, draw: Draw) -> Volume:
    """8 bits between outer percentiles, or, of CT, in a soft tissue window; no longer in HU."""
    low, high = np.percentile(volume.voxels, [0.2, 99.8])
    if volume.units == "HU" and draw.random() < 0.5:
        low, high = -160, 240
    voxels = np.clip((volume.voxels - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return dataclasses.replace(volume, voxels=voxels, units="scanner")


def subset(volume: Volume, draw: Draw) -> Volume:
    """Half of the stored slices, in one piece."""
    count = volume.voxels.shape[0]
    kept = max(3, count // 2)
    start = int(draw.integers(0, count - kept + 1))
    affine = placed(volume.affine, (1, 1, 1), (0, 0, start))
    return dataclasses.replace(volume, voxels=volume.voxels[start : start + kept], affine=affine)


WAYS: dict[str, Callable[[Volume, Draw], Volume]] = {
    "turned to other axes": lambda volume, draw: reorient(volume, str(draw.choice(CODES))),
    "resampled by 0.6 to 1.4": resampled,
    "cropped to 0.9 of each side": cropped,
    "8 bits, windowed": requantised,
    "half of the slices": subset,
    "every second slice": lambda volume, _: dataclasses.replace(
        volume, voxels=volume.voxels[::2], affine=placed(volume.affine, (1, 1, 2), (0, 0, 0))
    ),
}


def confirmed(looks: list[Looks], media: Sequence[Media], config: LooksConfig) -> set[tuple[int, int]]:
    pairs = candidates(looks, config)
    return {(c.i, c.j) for c in pairs if confirm_pair(c, media[c.i], media[c.j], config)}


def volume_table(real: list[tuple[str, Volume]], config: LooksConfig) -> str:
    originals = [volume for _, volume in real]
    known = [volume_looks(volume) for volume in originals]
    lines = ["| the same volume | found | pairs of different volumes | taken for one |", "|---|---|---|---|"]
    for number, (name, way) in enumerate(WAYS.items()):
        hits, wrong, apart = 0, 0, 0
        for turn in range(ROUNDS):
            draws = [np.random.default_rng([turn, number, n]) for n in range(len(real))]
            made = [way(volume, draw) for volume, draw in zip(originals, draws, strict=True)]
            found = confirmed([*known, *(volume_looks(v) for v in made)], [*originals, *made], config)
            hits += sum((n, n + len(real)) in found for n in range(len(real)))
            wrong += sum(i % len(real) != j % len(real) for i, j in found)
            apart += 2 * len(real) * (len(real) - 1)
        lines.append(f"| {name} | {hits} of {ROUNDS * len(real)} | {apart} | {wrong} |")
    sizes = [len(to_bytes(looks)) / 1e3 for looks in known]
    lines += ["", f"{len(real)} volumes; looks take {min(sizes):.0f} to {max(sizes):.0f} kB each."]
    return "\n".join(lines)


def volume_cost(paths: list[Path]) -> str:
    """Seconds of the processor for a CT of 300 slices, the same 20 real ones fifteen times, beside what prepare does
    with it anyway."""
    import gzip
    import time

    from curate.arrays import encode_npy_gz
    from curate.dicom.series import read_series

    short = read_series(paths)
    volume = dataclasses.replace(short, voxels=np.tile(short.voxels, (300 // len(short.voxels), 1, 1)))
    ways: dict[str, Callable[[], object]] = {
        "reading the DICOM series": lambda: [read_series(paths) for _ in range(len(volume.voxels) // len(paths))],
        "storing the voxels (`encode_npy_gz`)": lambda: encode_npy_gz(volume.voxels),
        "looks": lambda: volume_looks(volume),
        "gzip level 1 of the same bytes, to compare": lambda: gzip.compress(volume.voxels.tobytes(), 1),
    }
    lines = ["| a CT of " + " x ".join(map(str, volume.voxels.shape)) + " | s | MB/s |", "|---|---|---|"]
    volume_looks(short)
    for name, way in ways.items():
        spent = []
        for _ in range(3):
            started = time.process_time()
            way()
            spent.append(time.process_time() - started)
        lines.append(f"| {name} | {min(spent):.2f} | {volume.voxels.nbytes / 1e6 / min(spent):.0f} |")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------- the hashes
RADII: dict[str, tuple[tuple[int, int], ...]] = {  # low bits and all bits of whole, turned and part
    "12/30 12/28 10/26": ((12, 30), (12, 28), (10, 26)),
    "10/26 10/24 8/22": ((10, 26), (10, 24), (8, 22)),
    "10/24 10/22 8/20": ((10, 24), (10, 22), (8, 20)),
    "8/20 8/18 6/16": ((8, 20), (8, 18), (6, 16)),
}


def nearest(one: Looks, other: Looks) -> list[Array]:
    """(n, 2) differing bits of the low word and of both, of the second against the first: of whole windows as they are,
    of those mirrored or turned, and of one's parts with the other's whole."""
    whole = [rows[rows["window"] < HALVES] for rows in (one, other)]
    parts = [rows[rows["window"] >= PARTS] for rows in (one, other)]
    apart = [
        [differing(whole[0], whole[1], 0)],
        [differing(whole[0], whole[1], turn) for turn in range(1, 8)],
        [differing(parts[0], whole[1], 0), differing(whole[0], parts[1], 0)],
    ]
    return [np.concatenate(found) for found in apart]


def differing(one: Looks, other: Looks, turn: int) -> Array:
    hashes, doubtful = (np.ascontiguousarray(other[name]) for name in ("hash", "doubtful"))
    words = np.bitwise_count(one["hash"][:, None] ^ turned_hashes(hashes, doubtful, turn)[None]).astype(np.int64)
    return np.stack([words[..., 0], words.sum(axis=-1)], axis=-1).reshape(-1, 2)


def distance_table(sets: dict[str, list[tuple[Looks, Looks]]]) -> str:
    """Quantiles of the distance of whole pictures (for mirrors and turns in that turn), and the share within radii."""
    head = "| | pairs | 128 bits: 1, 50, 90, 99 % | first 64 bits | " + " | ".join(RADII) + " |"
    lines = [head, "|" + "---|" * (4 + len(RADII))]
    for name, pairs in sets.items():
        found = [nearest(one, other) for one, other in pairs]
        kind = 1 if name.startswith(("mirrored", "turned")) else 0
        told = []
        for word in (1, 0):
            least = [int(f[kind][:, word].min()) if len(f[kind]) else (64, 128)[word] for f in found]
            told.append(", ".join(f"{np.quantile(least, q):.0f}" for q in (0.01, 0.5, 0.9, 0.99)))
        shares = []
        for radii in RADII.values():
            near = sum(any((f <= r).all(axis=1).any() for f, r in zip(each, radii, strict=True)) for each in found)
            shares.append(f"{100 * near / max(1, len(found)):.2f} %")
        lines.append(f"| {name} | {len(pairs)} | {' | '.join([*told, *shares])} |")
    return "\n".join(lines)


def shown_slice(volume: Volume, axis: int, index: int, draw: Draw) -> Array | None:
    """A slice as a figure: windowed, physical aspect, 8 bits, enlarged to 160 pixels, JPEG 60, in any of eight
    turns."""
    rows, columns = (k for k in range(3) if k != 2 - axis)
    mm = [volume.voxels.shape[k] * volume.spacing_mm[k] for k in (rows, columns)]
    if min(volume.voxels.shape[k] for k in (rows, columns)) < 12 or min(mm) < 24:
        return None
    low, high = np.percentile(volume.voxels, [1, 99])
    if volume.units == "HU" and draw.random() < 0.5:
        low, high = -160, 240
    plane = plane_of(volume, axis, index, (float(low), float(high)))
    if plane.std() < 3000:
        return None
    height = max(160, plane.shape[0])
    size = round(height * min(2.5, max(0.4, mm[1] / mm[0]))), height
    image = PIL.Image.fromarray((plane >> 8).astype(np.uint8)).resize(size, PIL.Image.Resampling.BICUBIC)
    return np.ascontiguousarray(turned(jpeg(np.asarray(image), 60), int(draw.integers(0, 8))))


def slice_table(real: list[tuple[str, Volume]], config: LooksConfig) -> str:
    """Slices of any axis as figures, linked to their volume and slice."""
    stacks = [canonical(volume) for _, volume in real]
    known = [volume_looks(volume) for volume in stacks]
    asked, linked, placed_right, others, near = 0, 0, 0, 0, 0.0
    for n, volume in enumerate(stacks):
        for number in range(SLICES):
            draw = np.random.default_rng([7, n, number])
            axis = number % 3
            size = volume.voxels.shape[2 - axis]
            index = int(draw.integers(size // 5, max(size // 5 + 1, 4 * size // 5)))
            figure = shown_slice(volume, axis, index, draw)
            if figure is None:
                continue
            asked += 1
            found = [c for c in candidates([*known, image_looks(figure)], config) if c.j == len(known)]
            matches = [(c.i, confirm_pair(c, stacks[c.i], figure, config)) for c in found]
            own = [m for i, m in matches if m and i == n]
            others += sum(bool(m) and i != n for i, m in matches)
            linked += bool(own)
            off = abs(own[0].pairs[0][0] - index) * volume.spacing_mm[2 - axis] if own else np.inf
            placed_right += bool(own) and own[0].axis == axis and off <= max(1.0, volume.spacing_mm[2 - axis])
            near = max(near, off if np.isfinite(off) else 0.0)
    return (
        f"Of {asked} slices as figures (any axis, windowed, JPEG 60, mirrored or turned), {linked} were linked to "
        f"their volume, {placed_right} to their slice or the one beside it (the furthest was {near:.0f} mm off), and "
        f"{others} to another volume of {len(real)}."
    )


def clip_table(paths: list[Path], config: LooksConfig) -> str:
    """Frames (JPEG 40, mirrored or not) and excerpts (2.5 s, half the size, JPEG 50), linked to clip and time."""
    real = [(path.name, decoded(path)) for path in paths]
    real = [(name, clip) for name, clip in real if len(clip.frames) > 1]
    clips = [clip for _, clip in real]
    known = [video_looks(clip) for clip in clips]
    pairs = sorted((real[i][0], real[j][0]) for i, j in confirmed(known, clips, config))
    asked = found = excerpts = excerpted = 0
    offsets: list[float] = []
    for n, clip in enumerate(clips):
        for number in range(3):
            draw = np.random.default_rng([n, number])
            k = int(draw.integers(0, len(clip.frames)))
            figure = np.ascontiguousarray(jpeg(clip.frames[k], 40)[:, :: int(draw.choice([1, -1]))])
            asked += 1
            hits = [c for c in candidates([*known, image_looks(figure)], config) if (c.i, c.j) == (n, len(known))]
            match = confirm_pair(hits[0], clip, figure, config) if hits else None
            same = match is not None and (abs(match.pairs[0][0] / 1000 - clip.times_s[k]) <= 0.1 or match.score > 0.99)
            found += same
        if clip.times_s[-1] >= 3:
            excerpts += 1
            part, start = excerpt(clip)
            looks = [*known, video_looks(part)]
            hit: list[Candidate] = [c for c in candidates(looks, config) if (c.i, c.j) == (n, len(known))]
            match = confirm_pair(hit[0], clip, part, config) if hit else None
            excerpted += match is not None
            offsets += [abs(float(np.median([a - b for a, b in match.pairs])) / 1000 - start)] if match else []
    alike = ", ".join(f"{a} and {b}" for a, b in pairs)
    return (
        f"Of {asked} frames (JPEG 40, half of them mirrored) {found} were linked to their clip and time (0.1 s, or a "
        f"frame that looks the same), of {excerpts} excerpts (2.5 s, half the size, JPEG 50) {excerpted}, their start "
        f"{np.median(offsets):.2f} s off in the middle and {max(offsets):.2f} s at most. Among the {len(real)} clips "
        f"themselves {len(pairs)} pairs are one: {alike}."
    )


def excerpt(clip: Frames) -> tuple[Frames, float]:
    first = next(k for k, t in enumerate(clip.times_s) if t >= 0.3 * clip.times_s[-1] + 0.13)
    start = clip.times_s[first]
    kept = [k for k, t in enumerate(clip.times_s) if start <= t <= start + 2.5]
    frames = np.stack([jpeg(clip.frames[k], 50)[::2, ::2] for k in kept])
    return Frames(frames, tuple(clip.times_s[k] - start for k in kept)), start


def decoded(path: Path) -> Frames:
    av: Any = importlib.import_module("av")
    frames: list[Array] = []
    times: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and len(frames) < MOST_FRAMES:
                frames.append(frame.to_ndarray(format="rgb24"))
                times.append(float(frame.time))
    return Frames(np.stack(frames), tuple(times))
