"""A prepare unit's memory is bounded by the volume it decodes, however long the series, the clip or the list of masks.

Each unit runs in a process of its own, as a worker runs it; what is measured is VmHWM, the peak of resident memory.
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from tests.corpus import packaged

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to measure"),
]
ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
LIMIT = 2048  # MiB, of a 2,000-slice series and of two hours of video
UNIT = """
import json, sys
from pathlib import Path
from pydantic import TypeAdapter
import numpy as np
import curate.readers
from curate.arrays import Image, Volume
from curate.deidentify import DeidentifyConfig
from curate.looks.sketch import image_sketch, volume_sketch
from curate.inventory import KeyHint, entry_of
from curate.keyring import Keyring
from curate.prepare import PrepareSpec, read_rows, record_of, work
from curate.recipe import Source
from sources.base import Place, list_files

def status(field):
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(field + ":"))
    return int(line.split()[1]) / 1024

root, out, keys = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
source = TypeAdapter(Source).validate_python({**keys, "root": str(root), "licence": "MIT"})
ring, place = Keyring.load("memory", 1, None), Place(root, root)
entries = [entry_of(source, place, path, ring.pseudonym) for path in list_files(root, False)]
items = tuple(source.items(place, entries, ring.pseudonym))
keep = {"keep": "packaged test data, nobody is in them"}
deidentify = DeidentifyConfig.model_validate({"faces": keep, "burned_in": keep})
ramp = np.arange(64 * 64 * 64, dtype=np.int16).reshape(64, 64, 64) % 251
image_sketch(Image(ramp[0], "display"))  # compiled code is loaded when it is first called
volume_sketch(Volume(ramp, np.eye(4)))
before = status("VmRSS")
work(PrepareSpec(source, place, items, deidentify, KeyHint("memory", 1, "", ring.key_id), limits=None), out, out)
media = [[m.kind, m.shape, m.size_bytes] for row in read_rows(out) for m in record_of(row).media]
told = [[row["status"], record_of(row).reason] for row in read_rows(out)]
print(json.dumps({"peak": status("VmHWM"), "before": before, "media": media, "told": told}))
"""


@dataclass(frozen=True)
class Measured:
    peak_mib: float
    before_mib: float  # what the imports took
    media: list[tuple[str, list[int], int]]


def prepared(root: Path, out: Path, **source: Any) -> Measured:
    """One prepare unit of a source at `root`, in a process of its own."""
    out.mkdir()
    command = [sys.executable, "-c", UNIT, str(root), str(out), json.dumps(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert {status for status, _ in told["told"]} <= {"ready", "dropped"}, told["told"]
    return Measured(told["peak"], told["before"], told["media"])


def noisy(rows: int, seed: int) -> NDArray[np.int16]:
    """(512, 512) of which `rows` rows are noise of 8 bits: what is left compresses to nothing, and fast."""
    pixels = np.zeros((512, 512), np.int16)
    pixels[:rows] = np.random.default_rng(seed).integers(0, 256, (rows, 512), np.int16)
    return pixels


def write_series(folder: Path, count: int) -> None:
    """Slices of 512 x 512 with the header of a real CT, 0.5 mm apart; 32 different ones, over and over."""
    folder.mkdir()
    ds: Any = pydicom.dcmread(packaged("CT_small.dcm"))
    ds.Rows = ds.Columns = 512
    ds.ImagePositionPatient = ["-158.0", "-179.0", "11111.11"]
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.222222"
    ds.PixelData = b"@" * (2 * 512 * 512)
    stream = io.BytesIO()
    ds.save_as(stream)
    head, tail = stream.getvalue().split(ds.PixelData)
    kinds = [noisy(40, seed).tobytes() for seed in range(32)]
    for number in range(count):
        here = head.replace(b"11111.11", b"%8.2f" % (1000 + 0.5 * number))
        here = here.replace(b"1.2.3.222222", b"1.2.3.%06d" % (100000 + number))
        (folder / f"{number:04}.dcm").write_bytes(here + kinds[number % 32] + tail)


def test_a_series_of_2000_slices_takes_its_volume_and_its_member_and_no_copy(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 2000)
    unit = prepared(tmp_path / "in", tmp_path / "out", source="dicom_tree")
    ((kind, shape, size),) = unit.media
    assert (kind, shape) == ("volume", [2000, 512, 512])
    volume_mib = 2000 * 512 * 512 * 2 / MIB
    assert unit.peak_mib - unit.before_mib < volume_mib + 1.25 * size / MIB + 150
    assert unit.peak_mib < LIMIT


def test_two_hours_of_video_take_little(tmp_path: Path) -> None:
    from curate.video import ffmpeg_binary

    (tmp_path / "in").mkdir()
    quiet = (ffmpeg_binary(), "-v", "error", "-nostdin", "-y")
    card = "testsrc2=size=160x120:rate=1:duration=60"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50")
    subprocess.run([*quiet, "-f", "lavfi", "-i", card, *codec, str(tmp_path / "minute.mp4")], check=True)
    (tmp_path / "list").write_text("file minute.mp4\n" * 120)
    whole = str(tmp_path / "in/two_hours.mp4")
    subprocess.run([*quiet, "-f", "concat", "-i", str(tmp_path / "list"), "-c", "copy", whole], check=True)
    unit = prepared(tmp_path / "in", tmp_path / "out", source="video_table")
    ((kind, shape, _),) = unit.media
    assert (kind, shape) == ("video", [7_200, 120, 160, 3])
    assert unit.peak_mib - unit.before_mib < 400
    assert unit.peak_mib < LIMIT


def test_a_volume_with_a_map_of_30_labels_takes_three_times_its_voxels(tmp_path: Path) -> None:
    import nibabel

    nifti: Any = nibabel  # its functions are not annotated
    voxels = np.stack([noisy(20, z % 32) for z in range(200)]).T
    labels = np.zeros(voxels.shape, np.uint8)
    for n in range(30):
        labels[16 * n + 20 : 16 * n + 30, 100:400, 20:180] = n + 1
    for name, data in (("imagesTr", voxels), ("labelsTr", labels)):
        (tmp_path / "in" / name).mkdir(parents=True)
        image = nifti.Nifti1Image(data, np.diag([0.7, 0.7, 1.5, 1.0])).to_bytes()
        (tmp_path / "in" / name / "case.nii.gz").write_bytes(gzip.compress(image, 1))
    named = {str(n + 1): f"part {n + 1}" for n in range(30)}
    unit = prepared(tmp_path / "in", tmp_path / "out", source="nifti_masks", labels=named, facts={"modality": "CT"})
    assert [kind for kind, _, _ in unit.media] == ["volume", *["mask"] * 30]
    lazy_mib = 60  # libraries that are imported while the unit runs
    assert unit.peak_mib - unit.before_mib < 3 * 512 * 512 * 200 * 2 / MIB + lazy_mib
