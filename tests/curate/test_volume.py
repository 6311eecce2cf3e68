"""Volumes: voxels and places are what SimpleITK reads, broken and hostile files fail typed, masks share the grid."""

from __future__ import annotations

import bz2
import gzip
import importlib
import importlib.util
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import volume as volumes
from curate.arrays import Volume
from manifests.errors import RecordError, Reject

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
nibabel: Any = importlib.import_module("nibabel")  # not annotated
NIBABEL = Path(str(importlib.util.find_spec("nibabel").origin)).parent / "tests/data"  # type: ignore[union-attr]
AFFINE = np.array([[-2.0, 0.1, 0, 30], [0.1, 2.5, 0, -40], [0, 0, 4.0, 7], [0, 0, 0, 1]])
VOXELS = np.random.default_rng(3).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)  # (x, y, z)


def _oracle(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """SimpleITK's voxels (z, y, x) of the first time point and its LPS+ geometry turned into RAS+."""
    sitk: Any = importlib.import_module("SimpleITK")

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    image = sitk.ReadImage(str(path))
    voxels = sitk.GetArrayFromImage(image)
    size = image.GetDimension()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(size, size)[:3, :3] * np.array(image.GetSpacing())[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    return (voxels[0] if voxels.ndim == 4 else voxels), np.diag([-1, -1, 1, 1]) @ affine


def _assert_as_simpleitk(path: Path) -> None:
    volume = volumes.read_volume(path)
    voxels, affine = _oracle(path)
    np.testing.assert_allclose(volume.voxels, voxels, rtol=1e-6, atol=0, err_msg=path.name)
    assert volumes.corner_distance_mm(volume.affine, affine, voxels.shape[::-1]) <= 1e-3, path.name


def _nifti(path: Path, voxels: np.ndarray = VOXELS, affine: np.ndarray | None = AFFINE) -> Path:
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_oblique_volumes_are_what_simpleitk_wrote(tmp_path: Path, ending: str, compressed: bool, dtype: str) -> None:
    sitk: Any = importlib.import_module("SimpleITK")

    image = sitk.GetImageFromArray(np.abs(VOXELS.T % 251).astype(dtype))
    image.SetSpacing((0.5, 0.75, 3.0))
    image.SetOrigin((12.5, -30.25, 100.0))
    turn, tilt = np.radians(20), np.radians(-35)
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    image.SetDirection((about_z @ about_x).ravel().tolist())
    path = tmp_path / f"v{ending}"
    sitk.WriteImage(image, str(path), useCompression=compressed)
    _assert_as_simpleitk(path)


def test_packaged_niftis_are_what_simpleitk_reads() -> None:
    for name in (
        "anatomical.nii",
        "functional.nii",
        "example4d.nii.gz",
        "standard.nii.gz",
        "reoriented_anat_moved.nii",
    ):
        _assert_as_simpleitk(NIBABEL / name)
    with pytest.raises(RecordError, match="bad_volume"):
        volumes.read_volume(NIBABEL / "analyze.hdr")
    with pytest.raises(RecordError, match="unreadable_file"):
        volumes.read_volume(NIBABEL / "nifti1.hdr")  # its .img is missing
    with pytest.raises(RecordError, match="unsupported_volume"):
        volumes.read_volume(NIBABEL / "row_major.dconn.nii")


def test_voxel_axes_are_reversed_and_the_affine_is_not(tmp_path: Path) -> None:
    volume = volumes.read_nifti(_nifti(tmp_path / "v.nii"), units="HU")
    np.testing.assert_array_equal(volume.voxels, VOXELS.transpose(2, 1, 0))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert (volume.units, volume.orientation, volume.notes) == ("HU", "LAS", ())
    assert volume.voxels.dtype == np.int16
    np.testing.assert_allclose(volume.spacing_mm, (4.0, np.hypot(0.1, 2.5), np.hypot(2.0, 0.1)), rtol=1e-6)


def test_pairs_nifti2_and_both_byte_orders_read_alike(tmp_path: Path) -> None:
    makers = {
        "one.nii": nibabel.Nifti1Image(VOXELS, AFFINE),
        "two.nii": nibabel.Nifti2Image(VOXELS, AFFINE),
        "pair.hdr": nibabel.Nifti1Pair(VOXELS, AFFINE),
        "pair2.hdr": nibabel.Nifti2Pair(VOXELS, AFFINE),
        "big.nii": nibabel.Nifti1Image(VOXELS, AFFINE, nibabel.Nifti1Header(endianness=">")),
        "zipped.nii.gz": nibabel.Nifti1Image(VOXELS, AFFINE),
    }
    for name, image in makers.items():
        nibabel.save(image, tmp_path / name)
        volume = volumes.read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.voxels, VOXELS.T, err_msg=name)
        np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    np.testing.assert_array_equal(volumes.read_volume(tmp_path / "pair.img").voxels, VOXELS.T)


def test_time_points_come_in_order_and_the_first_is_canonical(tmp_path: Path) -> None:
    moving = np.stack([VOXELS, VOXELS + 1, VOXELS + 2], axis=3)
    image = nibabel.Nifti1Image(moving, AFFINE)
    image.header.set_xyzt_units("mm", "msec")
    image.header["pixdim"][4] = 2500
    nibabel.save(image, tmp_path / "v.nii")
    frames = volumes.read_4d(tmp_path / "v.nii")
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.voxels, VOXELS.T + number)
        np.testing.assert_array_equal(frame.affine, frames[0].affine)
    assert [(f.name, f.value, f.unit) for f in frames[0].facts] == [("time_points", "3", ""), ("tr_s", "2.5", "s")]
    np.testing.assert_array_equal(volumes.read_volume(tmp_path / "v.nii").voxels, VOXELS.T)
    with pytest.raises(RecordError, match="four_dimensional: found 3 time points"):
        volumes.read_nifti(tmp_path / "v.nii")
    _nifti(tmp_path / "one.nii", VOXELS[..., None])
    assert volumes.read_nifti(tmp_path / "one.nii").facts == ()


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_volumes_read_or_fail_typed(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["v.nii", "v.nrrd", "v.mha"]))
    if not (tmp_path / name).exists():
        sitk: Any = importlib.import_module("SimpleITK")

        sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / name))
    content = bytearray((tmp_path / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, min(len(content), 400) - 1))] = data.draw(st.integers(0, 255))
    mutated = tmp_path / f"mutated-{name}"
    mutated.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        volume = volumes.read_volume(mutated, max_bytes=1_000_000)
    except RecordError:
        return
    assert volume.voxels.ndim == 3
    assert np.isfinite(volume.affine).all()


@pytest.mark.parametrize("name", ["../secret.raw", "/etc/hostname", "sub/x.raw", "LIST", "x%03d.raw", "..", "link.raw"])
@pytest.mark.parametrize("kind", ["mhd", "nhdr"])
def test_a_header_cannot_reach_files_that_are_not_beside_it(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.raw").write_bytes(b"\0" * 64)
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    text = {
        "mhd": f"NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = {name}\n",
        "nhdr": f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: {name}\n",
    }[kind]
    (folder / f"x.{kind}").write_text(text)
    with pytest.raises(RecordError, match="unsafe_reference"):
        volumes.read_volume(folder / f"x.{kind}")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("space: scanner-xyz", "unsupported_volume"),
        ("encoding: hex", "unsupported_volume"),
        ("kinds: RGB-color domain domain", "unsupported_volume"),
        ("byte skip: 4", "unsupported_volume"),
        ("type: block", "unsupported_volume"),
        ("sizes: 2 2 2 2", "unsupported_volume"),
        ("sizes: 2 2 1000000", "truncated_volume"),
        ("sizes: 2 2 1", "bad_volume"),  # a slice more than it tells of
        ("sizes: 2 -2 2", "bad_volume"),
        ("sizes: 4294967296 4294967296 2", "too_large"),
        ("encoding: bz2", "corrupt_compression"),
        ("encoding: gzip", "corrupt_compression"),
        ("sizes: 99999 99999 99999", "too_large"),
        ("space directions: (0,0,0) (0,1,0) (0,0,1)", "bad_affine"),
        ("space directions: none (0,1,0) (0,0,1)", "bad_volume"),
        ('space units: "m" "m" "m"', "unsupported_volume"),
    ],
)
def test_nrrd_that_is_not_covered_is_refused_by_name(tmp_path: Path, line: str, reason: str) -> None:
    text = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\nspace: LPS\n{line}\n\n"
    (tmp_path / "x.nrrd").write_bytes(text.encode() + b"\0\1\2\3\4\5\6\7")
    with pytest.raises(RecordError) as caught:
        volumes.read_volume(tmp_path / "x.nrrd")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("line", "body", "reason", "found"),
    [
        ("DimSize = 2 2 2", b"\0" * 7, "truncated_volume", "7 of 8 bytes"),
        ("DimSize = 2 2 1", b"\0" * 8, "bad_volume", "4 bytes after the last voxel"),
        ("DimSize = 2 2 -2", b"\0" * 8, "bad_volume", "[2, 2, -2]"),
        ("DimSize = 99999 99999 99999", b"\0" * 8, "too_large", "99999"),
        ("DimSize = 2 2", b"\0" * 8, "unsupported_volume", "2 dimensions"),
        ("CompressedData = True", zlib.compress(b"\0" * 8)[:-1], "corrupt_compression", "cut off"),
        ("CompressedData = True", b"\0" * 8, "corrupt_compression", "Error"),
        ("CompressedData = True", zlib.compress(b"\0" * 2_000_000), "too_large", "1000000 bytes inflated"),
        ("ElementSpacing = 1 0 1", b"\0" * 8, "bad_affine", "spacing 1 x 0 x 1 mm"),
        ("Offset = 0 nan 0", b"\0" * 8, "bad_affine", "not finite"),
        ("TransformMatrix = 1 0 0 1 0 0 0 0 1", b"\0" * 8, "bad_affine", "singular"),
        ("ElementType = MET_LONG", b"\0" * 64, "unsupported_volume", "MET_LONG"),
        ("ElementNumberOfChannels = 3", b"\0" * 24, "unsupported_volume", "3 channels"),
        ("DistanceUnits = cm", b"\0" * 8, "unsupported_volume", "distance units"),
    ],
)
def test_metaimages_that_lie_or_are_not_covered_are_refused_by_name(
    tmp_path: Path, line: str, body: bytes, reason: str, found: str
) -> None:
    head = f"NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n{line}\nElementDataFile = LOCAL\n"
    (tmp_path / "x.mha").write_bytes(head.encode() + body)
    with pytest.raises(RecordError) as caught:
        volumes.read_volume(tmp_path / "x.mha", max_bytes=1_000_000)
    assert caught.value.reason == reason
    assert found in caught.value.found


# --- masks ------------------------------------------------------------------------------------------------------------


def _volume(shape: tuple[int, int, int] = (7, 6, 5)) -> Volume:
    return Volume(np.zeros(shape, np.int16), AFFINE)


def test_label_maps_give_one_mask_a_label(tmp_path: Path) -> None:
    labels = (np.arange(210).reshape(5, 6, 7) % 4).astype(np.uint8)
    path = _nifti(tmp_path / "m.nii.gz", labels)
    masks = volumes.read_mask(path, {3: "tumour", 1: "liver", 9: "spleen"}, _volume())
    assert list(masks) == ["liver", "tumour", "spleen"]
    np.testing.assert_array_equal(masks["liver"], labels.T == 1)
    assert {str(m.dtype) for m in masks.values()} == {"uint8"}
    assert masks["spleen"].sum() == 0


def test_probability_maps_need_a_threshold(tmp_path: Path) -> None:
    chance = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    path = _nifti(tmp_path / "p.nii", chance)
    masks = volumes.read_mask(path, {1: "grey"}, _volume(), threshold=0.5)
    np.testing.assert_array_equal(masks["grey"], chance.T >= 0.5)
    with pytest.raises(RecordError, match="mask_values"):
        volumes.read_mask(path, {1: "grey"}, _volume())
    with pytest.raises(RecordError, match="mask_values"):
        volumes.read_mask(path, {1: "grey", 2: "white"}, _volume(), threshold=0.5)


def test_a_mask_on_another_grid_is_refused_not_resampled(tmp_path: Path) -> None:
    labels = np.ones((5, 6, 7), np.uint8)
    shifted = AFFINE.copy()
    shifted[0, 3] += 0.02
    with pytest.raises(RecordError, match=r"mask_grid: found corners 0\.020 mm apart"):
        volumes.read_mask(_nifti(tmp_path / "a.nii", labels, shifted), {1: "x"}, _volume())
    with pytest.raises(RecordError, match="mask_grid"):
        volumes.read_mask(_nifti(tmp_path / "b.nii", labels[:4]), {1: "x"}, _volume())


@pytest.mark.shared_data
@needs_shared
def test_shared_masks_lie_on_their_images() -> None:
    totalseg = SHARED / "ct-totalsegmentator"
    image = volumes.read_volume(totalseg / "example_ct_sm.nii.gz", units="HU")
    whole = volumes.read_mask(totalseg / "example_seg.nii.gz", {5: "liver"}, image)["liver"]
    assert 1000 < whole.sum() < whole.size / 4
    assert image.voxels[whole == 1].mean() > 0  # soft tissue, not air
    brain = volumes.read_volume(SHARED / "nrrd-masks-pyradiomics/brain1_image.nrrd")
    lesion = volumes.read_mask(SHARED / "nrrd-masks-pyradiomics/brain1_label.nrrd", {1: "lesion"}, brain)["lesion"]
    assert lesion.sum() > 100


@pytest.mark.parametrize("turn", [(-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0), (0, 2, 1)])
def test_a_mask_of_the_same_grid_in_another_order_of_axes_is_turned_round_exactly(
    tmp_path: Path, turn: tuple[int, int, int], order: tuple[int, int, int]
) -> None:
    labels = np.random.default_rng(5).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    image = nibabel.Nifti1Image(labels, AFFINE)
    changed = image.as_reoriented(np.array(list(zip(order, turn, strict=True)), float))
    nibabel.save(changed, tmp_path / "m.nii")
    mask = volumes.read_on_grid(tmp_path / "m.nii", _volume())
    np.testing.assert_array_equal(mask.voxels, labels.T)
    np.testing.assert_allclose(mask.affine, AFFINE, atol=1e-5)
    assert mask.notes == ("axes_reordered",)
    one = volumes.read_mask(tmp_path / "m.nii", {2: "liver"}, _volume())["liver"]
    np.testing.assert_array_equal(one, labels.T == 2)
    moved = changed.affine.copy()
    moved[1, 3] += 0.02
    nibabel.save(nibabel.Nifti1Image(np.asarray(changed.dataobj), moved), tmp_path / "moved.nii")
    with pytest.raises(RecordError, match=r"mask_grid: found corners 0\.020 mm apart"):
        volumes.read_mask(tmp_path / "moved.nii", {2: "liver"}, _volume())


@pytest.mark.shared_data
@needs_shared
def test_shared_volumes_are_what_simpleitk_reads_or_are_refused() -> None:
    odd = SHARED / "formats-odd-panimg"
    read, reasons = 0, set()
    for path in sorted([*odd.rglob("*"), *(SHARED / "nrrd-masks-pyradiomics").iterdir()]):
        if path.suffix not in (".nrrd", ".nhdr", ".mha", ".mhd"):
            continue
        try:
            volumes.read_volume(path)
        except RecordError as error:
            reasons.add(error.reason)
            continue
        _assert_as_simpleitk(path)
        read += 1
    assert read >= 15
    assert reasons == {"unsupported_volume", "truncated_volume", "unsafe_reference"}
    assert volumes.read_volume(odd / "image5x6x7-no-spacing.mhd").notes == ("no_spacing",)
    with pytest.raises(RecordError, match="unsafe_reference"):
        volumes.read_volume(odd / "referring_to_system_file.mhd")


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize(("kind", "dtype"), [("int", ">i4"), ("longlong", "<i8"), ("double", ">f8"), ("uchar", "u1")])
def test_nrrd_encodings_hold_the_same_voxels(tmp_path: Path, encoding: str, kind: str, dtype: str) -> None:
    voxels = np.abs(VOXELS.T % 251).astype(dtype)
    body = {
        "raw": voxels.tobytes(),
        "gzip": gzip.compress(voxels.tobytes()),
        "bzip2": bz2.compress(voxels.tobytes()),
        "ascii": " ".join(str(v) for v in voxels.ravel()).encode(),
    }[encoding]
    endian = "big" if dtype[0] == ">" else "little"
    head = f"NRRD0004\ntype: {kind}\ndimension: 3\nsizes: 5 6 7\nendian: {endian}\nspacings: 2 3 4\n"
    (tmp_path / "x.nrrd").write_bytes(f"{head}encoding: {encoding}\n\n".encode() + body)
    if (encoding, kind) == ("ascii", "longlong"):
        with pytest.raises(RecordError, match="unsupported_volume"):
            volumes.read_volume(tmp_path / "x.nrrd")
        return
    volume = volumes.read_volume(tmp_path / "x.nrrd")
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.voxels.dtype.isnative
    assert (volume.spacing_mm, volume.notes) == ((4.0, 3.0, 2.0), ("no_space",))


# --- quality --------------------------------------------------------------------------------------------


def test_blank_and_small_volumes_are_rejected_and_real_ones_pass() -> None:
    volumes.quality(volumes.read_volume(NIBABEL / "anatomical.nii"))
    for voxels in (np.full((8, 32, 32), -1024, np.int16), np.full((8, 32, 32), np.nan, np.float32)):
        with pytest.raises(Reject, match="blank"):
            volumes.quality(Volume(voxels, np.eye(4)))
    with pytest.raises(Reject, match="too_small"):
        volumes.quality(Volume(np.arange(2 * 32 * 32).reshape(2, 32, 32), np.eye(4)))
