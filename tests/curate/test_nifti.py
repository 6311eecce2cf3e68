"""NIfTI: voxels and places are what nibabel finds, and a file that lies is refused with what it said and the remedy."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import volume as volumes
from curate.volume.nifti import rescale
from manifests.errors import RecordError

nibabel: Any = importlib.import_module("nibabel")  # not annotated
SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
NIBABEL = Path(str(importlib.util.find_spec("nibabel").origin)).parent / "tests/data"  # type: ignore[union-attr]
ANATOMICAL = NIBABEL / "anatomical.nii"  # 33 x 41 x 25 int16, big endian
AFFINE = np.array([[-2.0, 0.1, 0, 30], [0.1, 2.5, 0, -40], [0, 0, 4.0, 7], [0, 0, 0, 1]])
VOXELS = np.random.default_rng(3).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)  # (x, y, z)
DIM, TYPE, PIXDIM, VOX_OFFSET, SLOPE, CODES, QUATERN, SFORM = 40, 70, 76, 108, 112, 252, 256, 280


def _assert_as_nibabel(path: Path) -> None:
    frames = volumes.read_4d(path)
    with nibabel.imageglobals.LoggingOutputSuppressor():
        image = nibabel.load(path)
        stored = np.asanyarray(image.dataobj)
    stored = stored.reshape((*stored.shape, 1, 1)[: max(4, stored.ndim)])[..., :].reshape((*stored.shape, 1)[:4])
    assert len(frames) == stored.shape[3], path.name
    for t, frame in enumerate(frames):
        if stored.dtype.kind in "iu":
            np.testing.assert_array_equal(frame.voxels, stored[..., t].T, err_msg=path.name)
        else:
            np.testing.assert_allclose(frame.voxels, stored[..., t].T, rtol=1e-6, atol=0, err_msg=path.name)
    apart = volumes.corner_distance_mm(frames[0].affine, image.affine, stored.shape)
    assert apart <= 1e-3, path.name


def _save(path: Path, voxels: np.ndarray = VOXELS, second: bool = False) -> Path:
    nibabel.save((nibabel.Nifti2Image if second else nibabel.Nifti1Image)(voxels, AFFINE), path)
    return path


def _patch(path: Path, offset: int, layout: str, *values: float | bytes) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, *values)
    path.write_bytes(bytes(content))
    return path


def test_packaged_niftis_are_what_nibabel_reads() -> None:
    folders = [NIBABEL]
    if nilearn := importlib.util.find_spec("nilearn"):
        folders.append(Path(str(nilearn.origin)).parent / "datasets/data")
    read = 0
    for path in sorted(p for folder in folders for p in folder.rglob("*.nii*")):
        if path.name != "row_major.dconn.nii" and path.stat().st_size < 500_000:
            _assert_as_nibabel(path)
            read += 1
    assert read >= 5


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_odd_niftis_are_what_nibabel_reads_or_are_refused() -> None:
    odd = SHARED / "nifti-oddities-nifti-reader-js"
    for name in ("avg152T1_LR_nifti", "avg152T1_LR_nifti2", "big", "little", "with_extension"):
        _assert_as_nibabel(odd / f"{name}.nii.gz")
    image = nibabel.load(odd / "air.hdr.gz") if (odd / "air.hdr.gz").exists() else None
    assert image is not None
    np.testing.assert_array_equal(volumes.read_volume(odd / "air.img.gz").voxels, np.asarray(image.dataobj).T)
    refused = {"5D_small.nii": "unsupported_volume", "5D_zeros.nii.gz": "unsupported_volume"}
    for name, reason in {**refused, "not-nifti.nii": "bad_volume"}.items():
        with pytest.raises(RecordError, match=reason):
            volumes.read_volume(odd / name)


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_type_keeps_its_values_in_a_dtype_that_shards_hold(tmp_path: Path, dtype: str, second: bool) -> None:
    voxels = (VOXELS % 120).astype(dtype) + (np.array(0.5, dtype) if dtype[0] == "f" else np.array(0, dtype))
    header = (nibabel.Nifti2Header if second else nibabel.Nifti1Header)(endianness=">")
    header.set_data_dtype(dtype)
    maker = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    nibabel.save(maker(voxels, AFFINE, header), tmp_path / "v.nii.gz")
    _assert_as_nibabel(tmp_path / "v.nii.gz")
    kept = {"u1": "uint8", "u2": "uint16", "i4": "int32", "f4": "float32", "f8": "float32"}
    assert volumes.read_nifti(tmp_path / "v.nii.gz").voxels.dtype == np.dtype(kept.get(dtype, "int16"))


def test_what_32_bits_cannot_hold_is_refused(tmp_path: Path) -> None:
    for voxels in (np.full((3, 3, 3), 2**40), np.full((3, 3, 3), 1e200)):
        nibabel.save(nibabel.Nifti1Image(voxels, AFFINE, dtype=voxels.dtype), tmp_path / "v.nii")
        with pytest.raises(RecordError, match="lossy_dtype"):
            volumes.read_volume(tmp_path / "v.nii")


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_whole_scalings_of_integers_are_exact_integers(data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "i8"])))
    bits = 8 * dtype.itemsize
    low, high = (0, 2**bits - 1) if dtype.kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    near = st.integers(max(low, -(2**31)), min(high, 2**31))
    values = data.draw(st.lists(near, min_size=1, max_size=6))
    slope, intercept = data.draw(st.integers(-300, 300).filter(bool)), data.draw(st.integers(-70000, 70000))
    exact = [v * slope + intercept for v in values]
    scaled = rescale(np.array(values, dtype), slope, intercept)
    fits = min(exact) >= -(2**31) and max(exact) < 2**31
    assert scaled.dtype.kind == ("i" if fits or (slope, intercept) == (1, 0) else "f") or scaled.dtype == np.uint16
    expected = exact if scaled.dtype.kind != "f" else [float(np.float32(e)) for e in exact]
    if (slope, intercept) != (1, 0):
        assert scaled.tolist() == expected


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype", "notes"),
    [
        (2.0, -1024.0, "int16", ()),
        (1.0, -1024.0, "int16", ()),
        (100.0, 0.0, "int32", ()),
        (0.5, 0.25, "float32", ()),
        (0.0, 7.0, "int16", ()),
        (np.nan, 7.0, "int16", ("scaling_ignored",)),
        (np.inf, np.nan, "int16", ("scaling_ignored",)),
    ],
)
def test_scaling_is_applied_as_nibabel_does(
    tmp_path: Path, slope: float, intercept: float, dtype: str, notes: tuple[str, ...]
) -> None:
    path = _patch(_save(tmp_path / "v.nii"), SLOPE, "<2f", slope, intercept)
    volume = volumes.read_nifti(path)
    assert (volume.voxels.dtype, volume.notes) == (np.dtype(dtype), notes)
    used = (slope, intercept) if not notes and slope else (1, 0)
    np.testing.assert_array_equal(volume.voxels, VOXELS.T * used[0] + used[1])
    if not notes:
        _assert_as_nibabel(path)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(*(st.floats(-0.57, 0.57),) * 3), st.sampled_from([-1.0, 0.0, 1.0]), st.integers(0, 4), st.integers(0, 4)
)
def test_qform_sform_and_neither_place_voxels_as_nibabel_does(
    tmp_path: Path, turn: tuple[float, float, float], qfac: float, qform: int, sform: int
) -> None:
    path = _patch(_save(tmp_path / "v.nii"), QUATERN, "<6f", *turn, -30.5, 12.25, 700)
    _patch(path, PIXDIM, "<4f", qfac, 0.7, 0.8, 3)
    _patch(path, CODES, "<2h", qform, sform)
    _assert_as_nibabel(path)
    notes = volumes.read_volume(path).notes
    assert ("no_orientation" in notes) == (not qform and not sform)
    assert ("qform_differs" in notes) == bool(qform and sform)  # the sform wins, and it is said


def test_metres_and_micrometres_become_millimetres(tmp_path: Path) -> None:
    for unit, factor in (("meter", 1000.0), ("micron", 1e-3), ("mm", 1.0)):
        image = nibabel.Nifti1Image(VOXELS, AFFINE)
        image.header.set_xyzt_units(unit)
        nibabel.save(image, tmp_path / "v.nii")
        volume = volumes.read_nifti(tmp_path / "v.nii")
        np.testing.assert_allclose(volume.affine[:3], AFFINE[:3] * factor, rtol=1e-5)
        assert volume.notes == (() if factor == 1.0 else ("units_converted",))


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_one_time_point_is_read_alone_and_all_of_them_are_views_of_one_array(tmp_path: Path, name: str) -> None:
    path = _save(tmp_path / name, np.stack([VOXELS, VOXELS + 1, VOXELS * 2], axis=3))
    frames = volumes.read_4d(path)
    assert frames[0].voxels.base is not None
    assert all(frame.voxels.base is frames[0].voxels.base for frame in frames)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(volumes.volume_at(path, index).voxels, frame.voxels)
    for index in (3, -1):
        with pytest.raises(RecordError, match=f"no_time_point: found {index} of 3"):
            volumes.volume_at(path, index)


def test_header_extensions_are_passed_over_whatever_they_say(tmp_path: Path) -> None:
    path = _save(tmp_path / "v.nii")
    content = path.read_bytes()
    path.write_bytes(content[:348] + struct.pack("<4B2i8x", 1, 0, 0, 0, -5, 0) + content[352:])
    np.testing.assert_array_equal(volumes.read_nifti(_patch(path, VOX_OFFSET, "<f", 368.0)).voxels, VOXELS.T)


# --- bad input: made from a real file, so that one thing is wrong with each -------------------------------------------


def _patched(offset: int, layout: str, *values: float | bytes) -> Callable[[Path], Path]:
    return lambda path: _patch(path, offset, layout, *values)


def _zipped(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.with_suffix(".nii.gz").write_bytes(change(gzip.compress(path.read_bytes(), 1)))
        return path.with_suffix(".nii.gz")

    return make


def _rewritten(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def _mixed_endian(content: bytes) -> bytes:
    dims = np.frombuffer(content[DIM : DIM + 16], ">i2").astype("<i2").tobytes()
    return content[:DIM] + dims + content[DIM + 16 :]


def _pair_without_image(path: Path) -> Path:
    return Path(shutil.move(path, path.with_suffix(".hdr")))


BAD: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "gzip cut off": (_zipped(lambda z: z[:-3000]), "corrupt_compression", "cut off after"),
    "gzip of another checksum": (_zipped(lambda z: z[:-8] + b"\1\2\3\4" + z[-4:]), "corrupt_compression", "Error"),
    "gzip of another length": (_zipped(lambda z: z[:-4] + b"\1\0\0\0"), "corrupt_compression", "Error"),
    "gzip and then something": (_zipped(lambda z: z + b"<html>"), "corrupt_compression", "after the end"),
    "gzip bomb": (_zipped(lambda z: z + gzip.compress(b"\0" * 9_000_000)), "too_large", "1000000 bytes inflated"),
    "gzip of a header alone": (_rewritten(lambda c: gzip.compress(c[:352])), "truncated_volume", "bytes"),
    "cut off": (_rewritten(lambda c: c[:-1]), "truncated_volume", "68001 of 68002 bytes"),
    "cut off in the header": (_rewritten(lambda c: c[:300]), "bad_volume", "300 bytes"),
    "empty": (_rewritten(lambda c: b""), "bad_volume", "0 bytes"),
    "another slice after the last": (_rewritten(lambda c: c + c[-2706:]), "bad_volume", "2706 bytes after the last"),
    "wrong magic": (_patched(344, ">4s", b"nope"), "bad_volume", "no NIfTI signature"),
    "two byte orders": (_rewritten(_mixed_endian), "bad_volume", "348 and 768"),
    "wrong header size": (_patched(0, ">i", 349), "bad_volume", "349 and 3"),
    "no dimensions": (_patched(DIM, ">h", 0), "bad_volume", "348 and 0"),
    "nine dimensions": (_patched(DIM, ">h", 9), "bad_volume", "348 and 9"),
    "two dimensions": (_patched(DIM, ">h", 2), "unsupported_volume", "shape (33, 41)"),
    "more than there is": (_patched(DIM + 6, ">h", 26), "truncated_volume", "of 70708 bytes"),
    "less than there is": (_patched(DIM + 6, ">h", 24), "bad_volume", "2706 bytes after the last"),
    "terabytes": (_patched(DIM + 2, ">3h", 32767, 32767, 32767), "too_large", "(32767, 32767, 32767, 1)"),
    "an axis of nothing": (_patched(DIM + 4, ">h", 0), "bad_volume", "(33, 0, 25)"),
    "an axis of less": (_patched(DIM + 4, ">h", -41), "bad_volume", "(33, -41, 25)"),
    "five dimensions": (_patched(DIM, ">6h", 5, 33, 41, 5, 1, 5), "unsupported_volume", "(33, 41, 5, 1, 5)"),
    "offset in the header": (_patched(VOX_OFFSET, ">f", 12.0), "bad_volume", "vox_offset 12"),
    "offset behind the end": (_patched(VOX_OFFSET, ">f", 90000.0), "truncated_volume", "of 157650 bytes"),
    "offset of astronomers": (_patched(VOX_OFFSET, ">f", 1e30), "too_large", "shape"),
    "offset that is no number": (_patched(VOX_OFFSET, ">f", np.nan), "bad_volume", "vox_offset nan"),
    "RGB": (_patched(TYPE, ">h", 128), "unsupported_volume", "RGB"),
    "complex": (_patched(TYPE, ">h", 32), "unsupported_volume", "complex64"),
    "single bits": (_patched(TYPE, ">h", 1), "unsupported_volume", "1 bit"),
    "no type at all": (_patched(TYPE, ">h", 9999), "bad_volume", "type 9999"),
    "a unit that is not": (_patched(123, ">B", 7), "bad_volume", "space unit 7"),
    "an intercept of infinity": (_patched(SLOPE, ">2f", 2, np.inf), "bad_volume", "scl_inter inf"),
    "NaN in the affine": (_patched(SFORM, ">f", np.nan), "bad_affine", "not finite"),
    "an affine of nothing": (_patched(SFORM, ">12f", *(0,) * 12), "bad_affine", "spacing 0 x 0 x 0 mm"),
    "a flat affine": (_patched(SFORM, ">12f", 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0), "bad_affine", "singular"),
    "an affine of kilometres": (_patched(SFORM, ">f", 1e30), "bad_affine", "kilometre"),
    "no spacing": (
        lambda p: _patch(_patch(p, CODES, ">2h", 1, 0), PIXDIM + 4, ">f", 0),
        "bad_affine",
        "spacing 0 x ",
    ),
    "no rotation": (
        lambda p: _patch(_patch(p, CODES, ">2h", 1, 0), QUATERN, ">3f", 1, 1, 1),
        "bad_affine",
        "not finite",
    ),
    "a header without its image": (_pair_without_image, "unreadable_file", "FileNotFoundError"),
    "a folder": (lambda p: p.parent.with_suffix(".nii"), "unreadable_file", "not a regular file"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_what_lies_is_refused_with_its_reason_what_was_found_and_the_remedy(tmp_path: Path, case: str) -> None:
    make, reason, found = BAD[case]
    folder = tmp_path / "in.nii"
    folder.mkdir()
    path = make(Path(shutil.copy(ANATOMICAL, folder / "v.nii")))
    with pytest.raises(RecordError) as caught:
        volumes.read_volume(path, max_bytes=1_000_000)
    assert caught.value.reason == reason
    assert found in caught.value.found
    assert len(caught.value.remedy) > 10
    assert str(tmp_path) not in str(caught.value)
