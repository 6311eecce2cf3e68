"""M3D's tensor: what the published chain computes, whatever the dtype, the margins and the values that are not finite;
and reading a volume of CT size, making the tensor and encoding it hold no more than three copies of the voxels."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.arrays import Volume
from curate.volume.m3d import M3D_SHAPE, measure, to_m3d
from manifests.errors import RecordError, Reject


def _m3d(voxels: np.ndarray) -> np.ndarray:
    return to_m3d(Volume(voxels, np.eye(4), "HU"))


def _oracle(voxels: np.ndarray) -> np.ndarray:
    """Every third plane of the chain in float64: min-max, box of values above 0, half-pixel trilinear by scipy's spline
    of order 1."""
    from scipy import ndimage

    scaled = (voxels.astype(np.float64) - voxels.min()) / (float(voxels.max()) - float(voxels.min()))
    places = np.argwhere(scaled > 0)
    (z0, y0, x0), (z1, y1, x1) = places.min(0), places.max(0) + 1
    cropped = scaled[z0:z1, y0:y1, x0:x1]
    axes = [(np.arange(n) + 0.5) * length / n - 0.5 for n, length in zip(M3D_SHAPE, cropped.shape, strict=True)]
    axes[0] = axes[0][::3]
    return np.asarray(ndimage.map_coordinates(cropped, np.meshgrid(*axes, indexing="ij"), order=1, mode="nearest"))


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_m3d_is_minmax_crop_and_half_pixel_trilinear(dtype: type) -> None:
    voxels: np.ndarray = np.full((9, 40, 300), 3, dtype)  # one axis grows, two shrink or grow less
    voxels[2:7, 5:35, 8:290] = np.random.default_rng(1).integers(4, 250, (5, 30, 282))
    made = _m3d(voxels)
    assert (made.shape, str(made.dtype), made.flags.c_contiguous) == (M3D_SHAPE, "float32", True)
    np.testing.assert_allclose(made[::3], _oracle(voxels), atol=2e-6)
    assert made.min() >= 0
    assert made.max() <= 1


def test_integers_and_the_same_floats_give_the_same_bytes() -> None:
    voxels = np.random.default_rng(2).integers(-1024, 3072, (12, 70, 60)).astype(np.int16)
    expected = _m3d(voxels).tobytes()
    assert _m3d(voxels.astype(np.float32)).tobytes() == expected
    assert _m3d(voxels.astype(np.int32)).tobytes() == expected
    assert _m3d((voxels + 1024).astype(np.uint16)).tobytes() == expected
    assert _m3d(np.asfortranarray(voxels)).tobytes() == expected


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_the_box_is_that_of_all_values_above_the_least(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*(st.integers(1, 6),) * 3))
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    voxels = (draw.random(shape) < data.draw(st.sampled_from([0.02, 0.2, 0.9]))).astype(
        data.draw(st.sampled_from(["u1", "i2", "f4"]))
    )
    if voxels.min() == voxels.max():
        with pytest.raises(Reject, match="blank"):
            measure(voxels)
        return
    places = np.argwhere(voxels > 0)
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(places.min(0), places.max(0), strict=True))
    assert measure(voxels).box == box


def test_values_that_are_not_finite_count_as_the_ends_of_the_range() -> None:
    plain = np.random.default_rng(3).normal(size=(6, 20, 20)).astype(np.float32)
    plain[0], plain[:, 0] = -9, -9
    plain[2, 3, 4], plain[0, 5, 5], plain[5, 19, 19] = 9, 9, -9
    odd = plain.copy()
    odd[0, 5, 5], odd[5, 19, 19], odd[1, 0, 0], odd[0, 0, 0] = np.inf, np.nan, -np.inf, np.nan
    np.testing.assert_array_equal(_m3d(odd), _m3d(plain))
    plane = plain.copy()
    plane[3] = np.nan  # a whole plane was never measured
    expected = plain.copy()
    expected[3] = -9
    np.testing.assert_array_equal(_m3d(plane), _m3d(expected))


def test_what_has_no_range_or_too_much_is_refused() -> None:
    for voxels in (np.ones((4, 4, 4), np.int16), np.full((4, 4, 4), np.nan, np.float32)):
        with pytest.raises(Reject, match="blank"):
            _m3d(voxels)
    ends = np.zeros((4, 4, 4), np.float32)
    ends[0], ends[1] = -3e38, 3e38
    with pytest.raises(RecordError, match="lossy_dtype"):
        _m3d(ends)


_CHILD = """
import json, sys
from pathlib import Path
import isal.igzip_lib
from curate.arrays import encode_npy_gz
from curate.volume.m3d import to_m3d
from curate.volume import quality, read_volume

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

before = peak()
volume = read_volume(Path(sys.argv[1]))
quality(volume)
to_m3d(volume)
if sys.argv[2] == "encode":
    encode_npy_gz(volume.voxels)
print(json.dumps([peak() - before, volume.voxels.nbytes, volume.voxels.dtype.name]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("name", ["v.nii.gz", "v.nrrd", "v.mha", "scaled.nii.gz", "big.nii.gz"])
def test_a_volume_of_ct_size_needs_at_most_three_copies(tmp_path: Path, name: str) -> None:
    import nibabel

    noise = np.random.default_rng(4).integers(-1024, 3072, (20, 512, 512)).astype(np.int16)
    voxels = np.concatenate([noise, np.zeros((180, 512, 512), np.int16)])  # the size of a CT, soon compressed
    raw = voxels.tobytes()
    if name.endswith(".nii.gz"):
        header = nibabel.Nifti1Header(endianness=">" if name.startswith("big") else "<")  # type: ignore[no-untyped-call]
        header["dim"][:4], header["datatype"], header["bitpix"] = (3, 512, 512, 200), 4, 16
        header["pixdim"][1:4], header["vox_offset"], header["magic"] = 1, 352, b"n+1"
        header["scl_slope"], header["scl_inter"] = (0.5, 1) if name.startswith("scaled") else (1, 0)
        body = voxels.astype(">i2").tobytes() if name.startswith("big") else raw
        content = gzip.compress(header.binaryblock + b"\0" * 4 + body, 1)
    elif name.endswith(".nrrd"):
        head = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 512 512 200\nendian: little\nencoding: gzip\n\n"
        content = head + gzip.compress(raw, 1)
    else:
        head = b"NDims = 3\nDimSize = 512 512 200\nElementType = MET_SHORT\nCompressedData = True\n"
        content = head + b"ElementDataFile = LOCAL\n" + zlib.compress(raw, 1)
    (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", _CHILD, str(tmp_path / name), "encode" if name == "v.nii.gz" else "read"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    peak, decoded, dtype = json.loads(done.stdout)
    assert dtype == ("float32" if name.startswith("scaled") else "int16")
    assert decoded < peak <= 3 * decoded
    print(f"{name}: {peak / decoded:.2f} copies")
