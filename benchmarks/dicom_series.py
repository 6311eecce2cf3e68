"""How fast a DICOM series becomes a volume, beside the tools that people use for it, on the same files in one run.

    python -m benchmarks.dicom_series            measure and print
    python -m benchmarks.dicom_series --write    and put the table into benchmarks/README.md

300 slices of 512 x 512 int16 with the header of pydicom's packaged CT (a GE scanner's, 1.7 kB), made here from a seed:
a body of ellipses with noise. Page cache warm, everybody on one core, best of `RUNS` runs in turns. The second part is
the first 100 slices in JPEG 2000 lossless, against OpenJPEG decoding the same codestreams and nothing else.

dcm2niix writes a NIfTI file, so it is also compared with ours and writing its voxels. `dicom2nifti` is measured where
it is installed (pip install dicom2nifti).
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import examples, uid
from pydicom.encaps import encapsulate, generate_frames

from benchmarks.report import in_turns, machine, on_one_core, write
from curate.dicom import read_series

SLICES, SIDE, ENCODED = 300, 512, 100
RUNS = 5
LIBRARIES = ("numpy", "pydicom", "simpleitk", "pylibjpeg-openjpeg", "dcm2niix")


def body(seed: int = 7) -> Any:
    """(SLICES, SIDE, SIDE) int16 stored values (HU + 1024): air, a body, organs, noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    volume = np.zeros((SLICES, SIDE, SIDE), np.int16)
    for z in range(SLICES):
        swell = 1 + 0.15 * np.sin(z / 40)
        plane = np.full((SIDE, SIDE), 24.0)
        for cx, cy, rx, ry, value in ((0, 0, 0.75, 0.55, 1050), (0.3, 0.1, 0.2, 0.25, 1120), (0, 0.4, 0.1, 0.08, 1700)):
            plane[((x - cx) / (rx * swell)) ** 2 + ((y - cy) / ry) ** 2 < 1] = value
        volume[z] = np.rint(plane + rng.normal(0, 12, plane.shape)).clip(0, 4095)
    return volume


def write_series(folder: Path, volume: Any, encode: bool) -> list[Path]:
    """One file per slice, in an order that is not the slices' own."""
    folder.mkdir()
    template = pydicom.dcmread(examples.get_path("ct"))
    template.Rows, template.Columns = volume.shape[1:]
    template.SeriesInstanceUID = uid.generate_uid(entropy_srcs=["benchmark", str(encode)])
    paths = []
    for z, plane in enumerate(volume):
        template.SOPInstanceUID = uid.generate_uid(entropy_srcs=["benchmark", str(encode), str(z)])
        template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
        template.ImagePositionPatient = [-180.0, -180.0, float(z)]
        template.InstanceNumber, template.SliceLocation = z + 1, float(z)
        template.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless if encode else uid.ExplicitVRLittleEndian
        template.PixelData = encapsulate([j2k(plane)]) if encode else plane.tobytes()
        template["PixelData"].VR = "OB" if encode else "OW"
        template["PixelData"].is_undefined_length = encode
        path = folder / f"{z * 7919 % len(volume):04d}.dcm"
        template.save_as(path)
        paths.append(path)
    return sorted(paths)


def codec() -> Any:
    import openjpeg

    return openjpeg


def j2k(plane: Any) -> bytes:
    encoded: bytes = codec().encode(plane, bits_stored=16, photometric_interpretation=2)
    return encoded


def by_simpleitk(folder: Path) -> None:
    import SimpleITK

    sitk: Any = SimpleITK  # its functions are not annotated
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    sitk.GetArrayViewFromImage(reader.Execute())


def by_pydicom(paths: list[Path]) -> Any:
    """What scripts do: read, sort by z, stack, rescale."""
    slices = sorted((pydicom.dcmread(p) for p in paths), key=lambda s: float(s.ImagePositionPatient[2]))
    return np.stack([s.pixel_array * s.RescaleSlope + s.RescaleIntercept for s in slices])


def by_dcm2niix(folder: Path, out: Path) -> None:
    import dcm2niix

    subprocess.run([dcm2niix.bin, "-z", "n", "-b", "n", "-o", out, folder], check=True, capture_output=True)


def by_dicom2nifti(folder: Path, out: Path) -> None:
    import dicom2nifti  # type: ignore[import-not-found,unused-ignore]

    dicom2nifti.dicom_series_to_nifti(str(folder), str(out / "d2n.nii"), reorient_nifti=False)


def decode_only(paths: list[Path]) -> Callable[[], None]:
    """The codec alone, on codestreams that are in memory already."""
    streams = [next(generate_frames(pydicom.dcmread(p).PixelData, number_of_frames=1)) for p in paths]

    decoder = codec()

    def decode() -> None:
        for stream in streams:
            decoder.decode_pixel_data(stream, version=2)

    return decode


def table(seconds: dict[str, float], ours: str) -> str:
    lines = ["| | s | time against ours |", "|---|---|---|"]
    lines += [f"| {name} | {s:.3f} | {s / seconds[ours]:.2f}× |" for name, s in seconds.items()]
    return "\n".join(lines)


def measure(root: Path) -> str:
    volume = body()
    plain = write_series(root / "plain", volume, encode=False)
    coded = write_series(root / "coded", volume[:ENCODED], encode=True)
    np.testing.assert_array_equal(read_series(plain).voxels, volume + np.int16(-1024))
    np.testing.assert_array_equal(read_series(coded).voxels, volume[:ENCODED] + np.int16(-1024))
    ways: dict[str, Callable[[], Any]] = {
        "medcurate": lambda: read_series(plain),
        "medcurate, and writing .npy": lambda: np.save(root / "ours.npy", read_series(plain).voxels),
        "dcm2niix (C++), writing .nii": lambda: by_dcm2niix(root / "plain", root),
        "SimpleITK.ImageSeriesReader": lambda: by_simpleitk(root / "plain"),
        "a pydicom loop": lambda: by_pydicom(plain),
        "reading the bytes alone": lambda: [p.read_bytes() for p in plain],
    }
    if importlib.util.find_spec("dicom2nifti"):
        ways["dicom2nifti"] = lambda: by_dicom2nifti(root / "plain", root)
    series = in_turns(ways, RUNS)
    encoded = in_turns(
        {
            "medcurate": lambda: read_series(coded),
            "OpenJPEG on the codestreams alone": decode_only(coded),
            "SimpleITK.ImageSeriesReader": lambda: by_simpleitk(root / "coded"),
        },
        RUNS,
    )
    parts = [
        f"{SLICES} slices of {SIDE} x {SIDE}, explicit little endian; best of {RUNS} runs on one core.",
        table(series, "medcurate"),
        f"{ENCODED} slices in JPEG 2000 lossless.",
        table(encoded, "medcurate"),
        machine(LIBRARIES),
    ]
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    options = parser.parse_args()
    on_one_core()
    with tempfile.TemporaryDirectory() as folder:
        text = measure(Path(folder))
    print(text)
    if options.write:
        write("dicom_series", text)


if __name__ == "__main__":
    main()
