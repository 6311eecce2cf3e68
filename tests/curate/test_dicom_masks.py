"""SEG and RTSTRUCT to masks: equal to the label maps they were made from, wherever and however their frames lie."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import uid

from curate.arrays import Volume
from curate.dicom.marks import Subject, subject_of
from curate.dicom.rtstruct import fill, read_rtstruct
from curate.dicom.seg import read_seg
from curate.dicom.series import read_series
from manifests.errors import MedcurateError, RecordError
from tests.marks import FRAME, LPS, SERIES, blob, on_grid, rotated, rtstruct, save, seg, volume

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent"),
]
Array = NDArray[Any]
OF = Subject(frozenset({SERIES}), frozenset({FRAME}), frozenset({"1.2.3.6"}))


# ----------------------------------------------------------------------------------------------------------- SEG
class TestRealFiles:
    pytestmark = needs_shared

    def test_masks_equal_the_label_maps_that_dcmqi_made_the_files_of(self) -> None:
        folder = SHARED / "dicom-seg-dcmqi" / "segmentations"
        paths = sorted((folder / "ct-3slice").glob("*.dcm"))
        like, of = read_series(paths), subject_of([pydicom.dcmread(p, stop_before_pixels=True) for p in paths])
        liver = read_seg(folder / "liver.dcm", like, of)
        assert liver.notes == ()
        assert np.array_equal(liver.masks["liver"], label_map(folder / "liver_seg.nrrd") > 0)
        overlaps = read_seg(folder / "partial_overlaps.dcm", like, of)
        wanted = {"green": (1, 1), "light_blue": (1, 4), "dark_blue": (1, 5), "orange": (2, 2), "purple": (3, 3)}
        assert set(overlaps.masks) == set(wanted)
        for name, (file, value) in wanted.items():
            truth = label_map(folder / f"partial_overlaps-{file}.nrrd") == value
            assert np.array_equal(overlaps.masks[name], truth)

    def test_bits_run_on_from_frame_to_frame_where_frames_are_no_whole_bytes(self) -> None:
        folder = SHARED / "dicom-seg-dcmqi" / "segmentations" / "24x38x3"
        made = read_seg(folder / "seg" / "label.seg", read_series(sorted((folder / "image").glob("*.dcm"))))
        assert np.array_equal(made.masks["liver"], label_map(folder / "nrrd" / "label.nrrd") > 0)

    def test_a_segmentation_of_another_series_is_dangling(self) -> None:
        folder = SHARED / "dicom-seg-dcmqi" / "segmentations"
        paths = sorted((folder / "ct-3slice").glob("*.dcm"))
        of = subject_of([pydicom.dcmread(paths[0], stop_before_pixels=True)])
        with pytest.raises(RecordError, match="dangling_reference"):
            read_seg(folder / "24x38x3" / "seg" / "label.seg", read_series(paths), of)

    def test_the_phantom_of_rt_utils_has_its_analytic_area_and_its_hole(self) -> None:
        folder = SHARED / "dicom-rtstruct-rt-utils" / "mock_data"
        headers = [pydicom.dcmread(folder / f"ct_{n}.dcm") for n in (1, 2)]
        affine = np.diag([-0.488281, -0.488281, 5.0, 1.0])
        affine[:3, 3] = 125, 125, 60
        like = Volume(np.stack([h.pixel_array for h in headers]), affine)
        made = read_rtstruct(folder / "rt.dcm", like, subject_of(headers))
        mask = made.masks["roi-1"]
        assert made.notes == ("references_other_frame",)  # rt-utils draws a frame of reference at random
        assert not mask[1].any()
        assert mask.sum() * 0.488281**2 == pytest.approx(24 * 24 - (15 * 15 - 0.5), rel=0.03)
        assert mask[0, 175, 175] == 0  # (-39.5, -39.5) mm: in the hole
        for name in ("invalid_reference_rt.dcm", "non_existent_reference_rt.dcm"):
            part = read_rtstruct(folder / name, like, subject_of(headers))
            assert list(part.masks) == ["roi-1", "roi-2", "roi-3", "roi-4"]
            assert [n for n in part.notes if "off_grid" in n] == [f"rt_off_grid={n}:1" for n in (1, 2, 3, 4)]
        assert part.notes[0] == "references_no_series"
        with pytest.raises(RecordError, match="dangling_reference"):
            read_rtstruct(folder / "rt.dcm", like, OF)


def label_map(path: Path) -> Array:
    sitk: Any = importlib.import_module("SimpleITK")  # its functions are not annotated
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def packaged(name: str) -> Path:
    spec = importlib.util.find_spec("pydicom")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "test_files" / name


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "liver_expb_1frame.dcm"])
def test_a_frame_of_the_packaged_segmentation_comes_back_bit_by_bit(name: str) -> None:
    ds = pydicom.dcmread(packaged(name))
    shared, own = ds.SharedFunctionalGroupsSequence[0], ds.PerFrameFunctionalGroupsSequence[0]
    step = [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing]
    affine = np.diag([-step[1], -step[0], 1.0, 1.0])
    affine[:3, 3] = np.array([float(v) for v in own.PlanePositionSequence[0].ImagePositionPatient]) * (-1, -1, 1)
    made = read_seg(packaged(name), Volume(np.zeros((1, 512, 512), np.int16), affine))
    assert np.array_equal(made.masks["liver"][0], ds.pixel_array)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_turned_mirrored_and_shuffled_frames_give_the_same_mask(tmp_path: Path, axes: tuple[int, int, int]) -> None:
    """The same structure cut along any of the three axes, mirrored in all eight ways, frames in any order."""
    truth, like = blob((5, 6, 7)), volume()
    for flips in itertools.product((False, True), repeat=3):
        grid, affine = truth, like.affine.copy()
        for axis, flip in enumerate(flips):  # of the index x, y or z
            if flip:
                affine[:3, 3] += affine[:3, axis] * (truth.shape[2 - axis] - 1)
                affine[:3, axis] *= -1
                grid = np.flip(grid, 2 - axis)
        grid = grid.transpose(axes)
        affine[:3, :3] = affine[:3, [2 - axes[2], 2 - axes[1], 2 - axes[0]]]
        if np.linalg.det(affine[:3, :3]) * np.linalg.det(like.affine[:3, :3]) < 0:
            # the slices of a file have no direction: a left-handed stack is one whose frames are listed backwards
            grid = grid[::-1]
            affine[:3, 3] += affine[:3, 2] * (len(grid) - 1)
            affine[:3, 2] *= -1
        order = np.random.default_rng(1).permutation(len(grid)).tolist()
        made = read_seg(seg(tmp_path / "s.dcm", [(grid, 1)], affine, ["Left Lung"], order=order), like, OF)
        assert made.notes == ()
        assert np.array_equal(made.masks["left_lung"], truth)


def test_every_kind_of_segmentation_says_the_same(tmp_path: Path) -> None:
    like = volume()
    labels = np.random.default_rng(5).integers(0, 3, (5, 6, 7)).astype(np.uint8)
    one, two = (labels == 1).astype(np.uint8), (labels == 2).astype(np.uint8)
    names = ["Liver", "Liver"]
    chance = np.where(one, 100, 99), np.where(two, 200, 0)  # half of MaximumFractionalValue counts
    files = [
        seg(tmp_path / "b.dcm", [(one, 1), (two, 2)], like.affine, names),
        seg(tmp_path / "f.dcm", [(chance[0], 1), (chance[1], 2)], like.affine, names, kind="FRACTIONAL", bits=8),
        seg(tmp_path / "l8.dcm", [(labels, 0)], like.affine, names, kind="LABELMAP", bits=8),
        seg(tmp_path / "l16.dcm", [(labels, 0)], like.affine, names, kind="LABELMAP", bits=16),
    ]
    for file in files:
        made = read_seg(file, like, OF)
        assert list(made.masks) == ["liver", "liver_2"]
        assert np.array_equal(made.masks["liver"], one)
        assert np.array_equal(made.masks["liver_2"], two)


def test_overlaps_stay_and_parts_outside_are_told_by_number(tmp_path: Path) -> None:
    like = volume()
    full = np.ones((5, 6, 7), np.uint8)
    off = like.affine.copy()
    off[:3, 3] += 3 * like.affine[:3, 0]  # three columns further
    far = like.affine.copy()
    far[:3, 3] += 50 * like.affine[:3, 2]
    over = read_seg(seg(tmp_path / "a.dcm", [(full, 1), (full[1:2], 2)], like.affine, ["A", "B", "C"]), like)
    assert (over.masks["a"] & over.masks["b"])[0].all()
    assert over.notes == ("seg_empty=3",)
    cut = read_seg(seg(tmp_path / "b.dcm", [(full, 1)], off, ["Secret Name"]), like)
    assert cut.notes == ("seg_off_grid=1",)
    assert not cut.masks["secret_name"][:, :, :3].any()
    assert cut.masks["secret_name"][:, :, 3:].all()
    assert read_seg(seg(tmp_path / "c.dcm", [(full, 1)], far, ["A"]), like).notes == ("seg_off_grid=1", "seg_empty=1")


def test_another_resolution_takes_the_nearest_voxel_as_simpleitk_does(tmp_path: Path) -> None:
    sitk: Any = importlib.import_module("SimpleITK")
    truth = blob((4, 5, 6), seed=11)
    like = volume((11, 13, 17), rotated((0.43, 0.57, 0.91)))
    affine = rotated((1.3, 1.7, 2.3))
    affine[:3, 3] += affine[:3, :3] @ (0.21, 0.33, 0.17)
    made = read_seg(seg(tmp_path / "s.dcm", [(truth, 1)], affine, ["x"]), like, OF)

    def image(array: Array, affine: Array) -> Any:
        made, lps = sitk.GetImageFromArray(array), LPS @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        made.SetSpacing(spacing.tolist())
        made.SetOrigin(lps[:3, 3].tolist())
        made.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
        return made

    grid = image(like.voxels, like.affine)
    oracle = sitk.GetArrayFromImage(
        sitk.Resample(image(truth, affine), grid, sitk.Transform(), sitk.sitkNearestNeighbor)
    )
    inside = np.zeros(oracle.shape, bool)  # SimpleITK takes what lies beyond the outer centres as outside
    ones = sitk.Resample(image(np.ones_like(truth), affine), grid, sitk.Transform(), sitk.sitkNearestNeighbor)
    inside = sitk.GetArrayFromImage(ones) > 0
    assert inside.sum() > 1000
    assert np.array_equal(made.masks["x"][inside], oracle[inside])
    assert "seg_resampled_nearest" in made.notes


def test_a_frame_beside_every_slice_is_lost_and_told(tmp_path: Path) -> None:
    like = volume((5, 6, 7), np.diag([1.0, 1.0, 5.0, 1.0]))
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[2, 3] = 2.0
    made = read_seg(seg(tmp_path / "s.dcm", [(np.ones((2, 6, 7), np.uint8), 1)], affine, ["x"]), like)
    assert made.notes == ("seg_between_slices=2", "seg_empty=1")
    assert made.masks == {}


def test_what_cannot_be_trusted_is_refused_with_its_reason(tmp_path: Path) -> None:
    like, full = volume(), np.ones((5, 6, 7), np.uint8)
    tilted = like.affine @ np.array([[1, 0.3, 0, 0], [-0.3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    good = seg(tmp_path / "good.dcm", [(full, 1)], like.affine, ["a"])
    ds = pydicom.dcmread(good)
    cases: list[tuple[str, Path]] = [
        ("mask_grid", seg(tmp_path / "t.dcm", [(full, 1)], tilted, ["a"])),
        ("dangling_reference", seg(tmp_path / "d.dcm", [(full, 1)], like.affine, ["a"], series="9.9")),
        ("dangling_reference", seg(tmp_path / "e.dcm", [(full, 1)], like.affine, ["a"], series="", frame="9.9")),
        ("not_a_segmentation", rtstruct(tmp_path / "r.dcm", {"a": []})),
        ("bad_header", seg(tmp_path / "n.dcm", [(full, 7)], like.affine, ["a"])),
    ]
    for name, reason, change in (
        ("short", "truncated_pixels", {"NumberOfFrames": 5, "PixelData": ds.PixelData[:20]}),
        ("frames", "bad_header", {"NumberOfFrames": 4_000_000}),
        ("rows", "bad_header", {"Rows": 65535, "Columns": 65535}),
        ("nowhere", "mask_grid", {"SharedFunctionalGroupsSequence": []}),
        ("nameless", "bad_header", {"SegmentSequence": []}),
    ):
        lying = pydicom.dcmread(good)
        for keyword, value in change.items():
            setattr(lying, keyword, value)
        cases.append((reason, save(tmp_path / f"{name}.dcm", lying, uid.SegmentationStorage)))
    for reason, path in cases:
        with pytest.raises(RecordError) as error:
            read_seg(path, like, OF)
        assert (error.value.reason, path.name) == (reason, path.name)
    with pytest.raises(RecordError, match="too_large"):
        read_seg(good, like, OF, max_values=100)


# ------------------------------------------------------------------------------------------------------- RTSTRUCT
eighths = st.integers(-16, 80).map(lambda n: n / 8)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.tuples(eighths, eighths), min_size=3, max_size=7), min_size=1, max_size=3))
@pytest.mark.slow
def test_fill_is_the_even_odd_rule_in_exact_arithmetic(polygons: list[list[tuple[float, float]]]) -> None:
    """Corners on eighths hit centres and rows often, so every tie is tried; the oracle counts with fractions."""
    made = fill([np.array(p) for p in polygons], (8, 9))
    for y, x in itertools.product(range(8), range(9)):
        crossings = 0
        for polygon in polygons:
            for (xa, ya), (xb, yb) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
                if (ya <= y) != (yb <= y):
                    t = (y - Fraction(ya)) / (Fraction(yb) - Fraction(ya))
                    crossings += Fraction(xa) + t * (Fraction(xb) - Fraction(xa)) <= x
        assert made[y, x] == crossings % 2


def test_a_circle_has_its_area_and_looks_as_pillow_draws_it() -> None:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = np.column_stack([60.3 + 41.7 * np.cos(angle), 55.1 + 41.7 * np.sin(angle)])
    made = fill([circle], (120, 130))
    assert made.sum() == pytest.approx(np.pi * 41.7**2, rel=2e-3)
    drawn = PIL.Image.new("L", (130, 120))
    PIL.ImageDraw.Draw(drawn).polygon([(x, y) for x, y in circle.tolist()], fill=1)
    assert (np.asarray(drawn) != made).sum() < 2 * np.pi * 41.7  # less than the outline


def test_regions_that_share_an_outline_share_no_voxel_and_leave_none_out(tmp_path: Path) -> None:
    like = volume((3, 20, 20))
    left, right = [(2, 3), (10, 3), (10, 17), (2, 17)], [(10, 3), (18, 3), (18, 17), (10, 17)]
    rois = {"L": [on_grid(left, 1, like.affine)], "R": [on_grid(right, 1, like.affine)]}
    made = read_rtstruct(rtstruct(tmp_path / "r.dcm", rois), like, OF)
    assert made.notes == ()
    together = made.masks["l"].astype(int) + made.masks["r"]
    assert together.max() == 1
    assert together[1, 3:17, 2:18].all()
    assert together.sum() == 14 * 16


def test_oblique_slices_holes_and_islands_come_out_where_they_were_drawn(tmp_path: Path) -> None:
    like = volume((4, 30, 40))
    outer, hole, island = ([(a, a), (28 - a, a), (28 - a, 28 - a), (a, 28 - a)] for a in (1.5, 5.5, 9.5))
    polygons = [on_grid(p, 2.3, like.affine) for p in (outer, hole, island)]  # 0.3 of a slice off its plane
    made = read_rtstruct(rtstruct(tmp_path / "r.dcm", {"Ring": polygons}), like, OF)
    truth = np.zeros((4, 30, 40), np.uint8)
    truth[2, 2:27, 2:27], truth[2, 6:23, 6:23], truth[2, 10:19, 10:19] = 1, 0, 1
    assert np.array_equal(made.masks["ring"], truth)


def test_contours_that_mark_nothing_are_told_by_number(tmp_path: Path) -> None:
    like = volume((3, 20, 20))
    square = [(2, 2), (9, 2), (9, 9), (2, 9)]
    across = np.array([[2, 2, 0], [9, 2, 0], [9, 2, 2], [2, 2, 2]])
    lps = (LPS @ like.affine @ np.column_stack([across, np.ones(4)]).T).T[:, :3]
    rois: dict[str, list[Any]] = {
        "Point": [("POINT", on_grid([(3, 3)], 1, like.affine)), ("OPEN_PLANAR", on_grid(square, 1, like.affine))],
        "Above": [on_grid(square, 3.2, like.affine), on_grid(square, 1, like.affine)],
        "Across": [lps],
        "Wide": [on_grid([(-5, 2), (9, 2), (9, 9), (-5, 9)], 1, like.affine)],
        "Dense": [on_grid(square, z, like.affine) for z in (0.8, 1.0, 1.2)],
        "Nothing": [],
    }
    made = read_rtstruct(rtstruct(tmp_path / "r.dcm", rois), like, OF)
    assert list(made.masks) == ["above", "wide", "dense"]
    assert np.array_equal(made.masks["dense"], made.masks["above"])  # not the exclusive or of three planes
    assert made.notes == (
        "rt_across_slices=3:1", "rt_between_slices=5:2", "rt_empty=1", "rt_empty=3", "rt_empty=6", "rt_not_closed=1:2",
        "rt_off_grid=2:1", "rt_off_grid=4:1",
    )  # fmt: skip


def test_structure_sets_that_cannot_be_trusted_are_refused(tmp_path: Path) -> None:
    like = volume((3, 20, 20))
    square = on_grid([(2, 2), (9, 2), (9, 9), (2, 9)], 1, like.affine)
    across = square @ np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    good = rtstruct(tmp_path / "good.dcm", {"a": [square]})
    cases = [
        ("mask_grid", rtstruct(tmp_path / "x.dcm", {"a": [across]})),
        ("dangling_reference", rtstruct(tmp_path / "d.dcm", {"a": [square]}, series="9.9")),
        ("dangling_reference", rtstruct(tmp_path / "e.dcm", {"a": [square]}, series="", frame="9.9")),
        ("not_a_structure_set", seg(tmp_path / "s.dcm", [(blob((3, 20, 20)), 1)], like.affine, ["a"])),
        ("not_dicom", packaged("rtstruct.dcm")),  # it has no file meta information
    ]
    for keyword, value in (("NumberOfContourPoints", 400_000_000), ("ContourData", ["1", "2", "3", "4"])):
        lying = pydicom.dcmread(good)
        setattr(lying.ROIContourSequence[0].ContourSequence[0], keyword, value)
        cases.append(("bad_contour", save(tmp_path / f"{keyword}.dcm", lying, uid.RTStructureSetStorage)))
    whole, text = good.read_bytes(), b"\\".join(f"{v:.10g}"[:16].encode() for v in square.ravel())
    assert text in whole
    for number, wrong in enumerate((b"one", b"nan", b"1e999")):
        (tmp_path / f"{number}.dcm").write_bytes(whole.replace(text, wrong + text[len(wrong) :]))
        cases.append(("bad_contour", tmp_path / f"{number}.dcm"))
    for reason, path in cases:
        with pytest.raises(RecordError) as error:
            read_rtstruct(path, like, OF)
        assert (error.value.reason, path.name) == (reason, path.name)
    with pytest.raises(RecordError, match="too_large"):
        read_rtstruct(good, like, OF, max_values=100)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, bytes, Path]]:
    """Both readers with the bytes of a sound file, and a path to write damaged ones to."""
    folder = tmp_path_factory.mktemp("sound")
    square = on_grid([(1, 1), (5, 1), (5, 5), (1, 5)], 1, volume().affine)
    one = seg(folder / "s.dcm", [(blob((5, 6, 7)), 1)], volume().affine, ["a"])
    two = rtstruct(folder / "r.dcm", {"a": [square]})
    return [(read_seg, one.read_bytes(), one), (read_rtstruct, two.read_bytes(), two)]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255), st.booleans())
@pytest.mark.slow
def test_damaged_files_end_typed(sound: list[tuple[Any, bytes, Path]], at: int, byte: int, cut: bool) -> None:
    for read, good, path in sound:
        data = bytearray(good)
        place = 132 + at % (len(data) - 132)
        data[place] = byte
        path.write_bytes(data[:place] if cut else data)
        try:
            made = read(path, volume(), OF)
        except MedcurateError:
            continue
        assert all(m.shape == (5, 6, 7) and m.dtype == np.uint8 and m.max() == 1 for m in made.masks.values())
