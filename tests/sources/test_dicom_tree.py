"""A tree of DICOM files as items: which files make a volume, which volumes a series holds, which masks go with them."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset

from curate.dicom.series import read_series
from curate.inventory import entry_of
from manifests.errors import RecordError
from sources import dicom_peek
from sources.base import Entry, Item, Place, list_files
from sources.dicom_stacks import stacks
from sources.dicom_tree import DicomTree
from sources.dicom_walk import Odd, Wanted, walked
from tests.marks import FRAME, SERIES, blob, item, rotated, rtstruct, save, seg

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent"),
]


def pseudonym(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind} {value}".encode()).hexdigest()[:24]


def entries_of(root: Path) -> list[Entry]:
    source, place = DicomTree(source="dicom_tree", root=str(root)), Place(root, root)
    return [entry_of(source, place, path, pseudonym) for path in list_files(root, is_package=False)]


def items_of(root: Path) -> list[Item]:
    """The items of a tree; every file stands in exactly one, or as different parts in several."""
    source, place = DicomTree(source="dicom_tree", root=str(root)), Place(root, root)
    found = sorted(source.items(place, entries_of(root), pseudonym), key=lambda i: i.upstream_id)
    parts: dict[str, list[str]] = defaultdict(list)
    for one in found:
        for file in one.files:
            parts[file.path].append(file.fragment)
    assert sorted(parts) == list_files(root, is_package=False)
    for fragments in parts.values():
        assert len(set(fragments)) == len(fragments)
        assert len(fragments) == 1 or all(fragments)
    assert len({(i.upstream_id, i.files[0].fragment) for i in found}) == len(found)
    return found


def facts_of(one: Item) -> dict[str, str]:
    return {f.name: f.value for f in one.facts}


def slice_file(path: Path, number: int, z: float, **more: Any) -> Path:
    """The header of one slice; `x` moves it aside."""
    ds = item(Modality="MR", PatientID="DOE-4711", StudyInstanceUID="1.2.3", SeriesInstanceUID=SERIES)
    ds.FrameOfReferenceUID, ds.Rows, ds.Columns, ds.BitsAllocated = FRAME, 4, 5, 16
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [more.pop("x", 0.0), 0.0, z]
    ds.ImageType, ds.InstanceNumber = ["ORIGINAL", "PRIMARY", "M"], number
    instance = more.pop("SOPInstanceUID", f"1.2.9.{number}")
    for tag, (vr, value) in more.pop("private", {}).items():
        ds.add_new(tag, vr, value)
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    save(path, ds, uid.MRImageStorage)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid.UID(instance)
    ds.save_as(path, enforce_file_format=True)
    return path


def series_of(found: list[Item]) -> list[Item]:
    return [i for i in found if i.form == "dicom_series"]


# ------------------------------------------------------------------------------------------------------------ volumes
class TestRealFiles:
    pytestmark = needs_shared

    @pytest.mark.slow
    def test_a_functional_series_is_split_into_the_volumes_that_dcm2niix_wrote(self) -> None:
        folder = SHARED / "dicom-dcm_qa_nih"
        found = series_of(items_of(folder / "In" / "20180918GE"))
        assert [len(i.files) for i in found] == [15] * 10
        nibabel: Any = importlib.import_module("nibabel")  # its functions are not annotated
        truth = np.asarray(nibabel.load(folder / "Ref" / "DCM2NIIX_regression_test_4.nii").dataobj)
        for number, one in enumerate(found):
            made = read_series([folder / "In" / "20180918GE" / f.path for f in one.files]).voxels
            assert np.array_equal(made[:, ::-1], truth[..., number].T)  # dcm2niix writes rows from below
            assert (facts_of(one)["time_point"], facts_of(one)["time_points"]) == (str(number + 1), "10")
            assert one.upstream_id.endswith(f"#t{number + 1:04d}")

    def test_masks_go_with_the_series_they_were_drawn_on_and_others_are_dangling(self) -> None:
        found = items_of(SHARED / "dicom-seg-dcmqi")
        marked = {tuple(Path(p).name for p in i.contours) for i in series_of(found)}
        assert marked == {("label.seg",), ("liver.dcm", "partial_overlaps.dcm")}
        assert all([f.path for f in i.files if f.role == "mask"] == list(i.contours) for i in found if i.contours)
        (lost,) = [i for i in found if i.reason == "dangling_reference"]
        assert lost.files[0].path == "sr-example/seg.dcm"
        assert (lost.status, lost.found) == ("dropped", "SEG of a series that makes no volume here")

    def test_a_tilted_series_and_a_multi_frame_file_are_volumes_and_a_pair_is_none(self) -> None:
        found = items_of(SHARED / "dicom-dicom2nifti")
        assert [len(i.files) for i in series_of(found)] == [4] * 4
        (one,) = [i for i in found if i.form == "dicom_volume"]
        assert one.upstream_id == one.files[0].path == "philips_enhanced/anatomical/001/IM-0001-0170-0001.dcm"
        assert sum(i.form == "dicom_image" for i in found) == 7 + 4  # of which four are in colour


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.slow
def test_echoes_and_components_split_alike_whatever_files_are_called(tmp_path: Path, seed: int) -> None:
    root, names = tmp_path, np.random.default_rng(seed).permutation(24).tolist()
    for number in range(24):
        z, echo, phase = number % 6, number // 6 % 2, number // 12
        more = {"EchoTime": (4.6, 2.3)[echo], "ImageType": ["ORIGINAL", "PRIMARY", "MP"[phase]]}
        slice_file(root / f"{names[number]:02d}.dcm", number, float(z), **more)
    found = series_of(items_of(root))
    stated = [(facts_of(i)["echo_time_ms"], facts_of(i)["image_type"]) for i in found]
    assert stated == [("2.3", "MAGNITUDE"), ("2.3", "PHASE"), ("4.6", "MAGNITUDE"), ("4.6", "PHASE")]
    assert all("time_point" not in facts_of(i) for i in found)
    back = {f"{name:02d}.dcm": number for number, name in enumerate(names)}
    firsts = [min(back[f.path] for f in i.files) for i in found]
    assert firsts == [6, 18, 0, 12]
    assert all(sorted(back[f.path] % 6 for f in i.files) == list(range(6)) for i in found)


PRIVATE: dict[str, Callable[[int], dict[int, tuple[str, Any]]]] = {
    "standard": lambda b: {0x00189087: ("FD", float(b))},
    "siemens": lambda b: {0x00190010: ("LO", "SIEMENS MR HEADER"), 0x0019100C: ("IS", str(b))},
    "ge": lambda b: {0x00430010: ("LO", "GEMS_PARM_01"), 0x00431039: ("IS", [str(1_000_000_000 + b), "8", "0", "0"])},
    "philips": lambda b: {0x20010010: ("LO", "Philips Imaging DD 001"), 0x20011003: ("FL", float(b))},
}


@pytest.mark.parametrize("vendor", sorted(PRIVATE))
def test_b_values_of_every_vendor_split_a_diffusion_series(tmp_path: Path, vendor: str) -> None:
    for number in range(12):  # one b of 0, three directions of 800: the directions follow each other
        b = 0 if number // 3 == 2 else 800
        slice_file(tmp_path / f"{number:02d}.dcm", number, float(number % 3), private=PRIVATE[vendor](b))
    found = series_of(items_of(tmp_path))
    assert [facts_of(i).get("b_value_s_mm2") for i in found] == ["0", "800", "800", "800"]
    assert [sorted(int(f.path[:2]) // 3 for f in i.files) for i in found] == [[n] * 3 for n in (2, 0, 1, 3)]
    (origin,) = {f.origin for i in found for f in i.facts if f.name == "b_value_s_mm2"}
    assert origin == {
        "standard": "dicom:0018,9087", "siemens": "dicom:0019,100c", "ge": "dicom:0043,1039",
        "philips": "dicom:2001,1003",
    }[vendor]  # fmt: skip


def test_the_temporal_position_goes_before_instance_numbers_and_slice_times_split_nothing(tmp_path: Path) -> None:
    for number in range(9):  # stored last to first; every slice has a time of its own
        more = {"TemporalPositionIdentifier": 3 - number // 3, "AcquisitionTime": f"1000{number:02d}"}
        slice_file(tmp_path / f"{number}.dcm", number, float(number % 3), **more)
    found = series_of(items_of(tmp_path))
    assert [i.files[0].path for i in found] == ["6.dcm", "3.dcm", "0.dcm"]
    assert {f.origin for i in found for f in i.facts} == {"dicom:0020,0100"}
    assert [facts_of(i)["time_point"] for i in found] == ["1", "2", "3"]


def test_heart_phases_are_time_points_with_their_trigger_times(tmp_path: Path) -> None:
    for number in range(6):
        slice_file(tmp_path / f"{number}.dcm", number, float(number // 2), TriggerTime=40.5 * (number % 2))
    found = series_of(items_of(tmp_path))
    assert [(facts_of(i)["trigger_time_ms"], facts_of(i)["time_point"]) for i in found] == [("0", "1"), ("40.5", "2")]


def test_what_is_not_taken_equally_often_is_handed_on_whole(tmp_path: Path) -> None:
    for number in range(7):
        slice_file(tmp_path / f"{number}.dcm", number, float(number % 3))
    (one,) = items_of(tmp_path)
    assert (one.form, len(one.files)) == ("dicom_series", 7)
    assert "#" not in one.upstream_id


def test_copies_of_slices_and_stacks_side_by_side_are_no_time_points(tmp_path: Path) -> None:
    for number in range(6):
        slice_file(tmp_path / f"copy{number}.dcm", number, number % 3, SOPInstanceUID=f"1.2.9.{number % 3}")
        slice_file(tmp_path / f"side{number}.dcm", 50 + number, number % 3, x=90.0 * (number // 3), EchoTime=5)
    found = items_of(tmp_path)
    assert [len(i.files) for i in found] == [6, 6]
    assert not any("#" in i.upstream_id for i in found)


def test_localizers_pairs_and_other_kinds_stay_out_of_stacks(tmp_path: Path) -> None:
    for number in range(4):
        slice_file(tmp_path / f"slice{number}.dcm", number, float(number))
        scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        slice_file(tmp_path / f"scout{number}.dcm", 10 + number, number + 0.5, ImageType=scout)
        slice_file(tmp_path / f"us{number}.dcm", 20 + number, number + 0.25, Modality="US")
    slice_file(tmp_path / "small0.dcm", 30, 0.0, Rows=8)
    slice_file(tmp_path / "small1.dcm", 31, 1.0, Rows=8)
    found = items_of(tmp_path)
    assert [[f.path[:5] for f in i.files] for i in series_of(found)] == [["slice"] * 4]
    assert sum(i.form == "dicom_image" for i in found) == 10


def test_colour_slices_are_images_and_a_series_whose_slices_have_studies_of_their_own_is_one(tmp_path: Path) -> None:
    for number in range(4):
        slice_file(tmp_path / f"a{number}.dcm", number, float(number), StudyInstanceUID=f"1.2.3.{number}")
        slice_file(tmp_path / f"b{number}.dcm", 10 + number, number + 0.5, SamplesPerPixel=3)
        for study in range(2):
            more = {"SeriesInstanceUID": "7.7.7", "StudyInstanceUID": f"1.2.3.{study}"}
            slice_file(tmp_path / f"c{study}{number}.dcm", 20 + number + 5 * study, float(number), **more)
    found = items_of(tmp_path)
    names = sorted([Path(f.path).stem[:-1] for f in i.files] for i in series_of(found))
    assert names == [["a"] * 4, ["c0"] * 4, ["c1"] * 4]
    assert sorted(i.upstream_id for i in found if i.form == "dicom_image") == [f"b{n}.dcm" for n in range(4)]


def mosaic_file(path: Path, number: int, **more: Any) -> Path:
    """One volume as a Siemens mosaic: its header."""
    kinds = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    return slice_file(path, number, 0.0, ImageType=kinds, **more)


def test_the_mosaics_of_a_series_are_told_apart_like_the_volumes_of_a_split_series(tmp_path: Path) -> None:
    for number in range(3):  # stored last to first; one file is a copy
        mosaic_file(tmp_path / f"t{number}.dcm", number, AcquisitionNumber=3 - number)
        mosaic_file(tmp_path / f"n{number}.dcm", 3 - number, SeriesInstanceUID="7.7.7", AcquisitionNumber=1)
        b_value = PRIVATE["siemens"](500 * number)
        mosaic_file(tmp_path / f"b{number}.dcm", number, SeriesInstanceUID="8.8.8", private=b_value)
    mosaic_file(tmp_path / "copy.dcm", 0, AcquisitionNumber=3)
    mosaic_file(tmp_path / "alone.dcm", 0, SeriesInstanceUID="9.9.9")
    told = {i.upstream_id: facts_of(i) for i in items_of(tmp_path)}
    for name, moment in {"t0": "3", "copy": "3", "t1": "2", "t2": "1", "n0": "3", "n1": "2", "n2": "1"}.items():
        assert told[f"{name}.dcm"] == {"time_point": moment, "time_points": "3"}
    assert [told[f"b{n}.dcm"] for n in range(3)] == [{"b_value_s_mm2": b} for b in ("0", "500", "1000")]
    assert told["alone.dcm"] == {}


def _peek_outcome(read: Callable[..., dict[str, str]], path: Path) -> object:
    try:
        return read(path, "PatientID", pseudonym)
    except RecordError as error:
        return error.reason, error.found


@pytest.mark.slow
def test_the_fast_peek_is_that_of_pydicom_for_every_file_at_hand(tmp_path: Path) -> None:
    slice_file(tmp_path / "cyrillic.dcm", 1, 0.0, SpecificCharacterSet="ISO_IR 144", PatientID="Люкceмбypг")
    slice_file(tmp_path / "number.dcm", 1, 0.0, private={0x00200013: ("DS", "1.5")})
    for vendor, private in PRIVATE.items():
        slice_file(tmp_path / f"{vendor}.dcm", 1, 0.0, private=private(800), PixelData=bytes(40))
    fast = 0
    packaged = Path(str(importlib.import_module("pydicom.data").__file__)).parent
    for path in sorted(p for root in (tmp_path, packaged, SHARED) for p in root.rglob("*") if p.is_file()):
        with path.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                continue
        outcome = _peek_outcome(dicom_peek.peek_header, path)
        assert outcome == _peek_outcome(dicom_peek.peek_with_pydicom, path), path.name
        with contextlib.suppress(Odd):
            walked(path, Wanted(frozenset()))
            fast += 1
    assert fast > 50


def test_a_derived_map_beside_a_stack_stays_a_stack_of_its_own(tmp_path: Path) -> None:
    for number in range(5):
        slice_file(tmp_path / f"a{number}.dcm", number, float(number))
    for number in range(3):
        slice_file(tmp_path / f"b{number}.dcm", 10 + number, float(number), ImageType=["DERIVED", "SECONDARY", "ADC"])
    assert [len(i.files) for i in series_of(items_of(tmp_path))] in ([5, 3], [3, 5])


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)))
def test_stacks_do_not_depend_on_the_order_of_entries(order: list[int]) -> None:
    entries = [
        Entry(
            f"{n}.dcm",
            1,
            "0",
            {
                "series_pile": "p", "pile": "p", "stack": "s", "EchoTime": "", "instance": str(n),
                "position": f"0,0,{n % 4}",
                "orientation": "1,0,0,0,1,0", "InstanceNumber": str(n), "ImageType": "",
            },
        )
        for n in range(12)
    ]  # fmt: skip
    assert stacks([entries[n] for n in order]) == stacks(entries)
    assert len(stacks(entries)[0]) == 3


def test_peeks_hold_no_identifier(tmp_path: Path) -> None:
    slice_file(tmp_path / "a.dcm", 1, 0.0)
    seg(tmp_path / "s.dcm", [(blob((3, 4, 5)), 1)], rotated(), ["a"])
    text = json.dumps([e.peek for e in entries_of(tmp_path)])
    assert not any(secret in text for secret in ("DOE", "4711", SERIES, FRAME, "1.2.9", "1.2.3"))


# -------------------------------------------------------------------------------------------------------------- masks
def referring(path: Path, instances: list[str]) -> None:
    """A SEG that names slices of the series."""
    import pydicom

    seg(path, [(blob((3, 4, 5)), 1)], np.diag([-1.0, -1, 1, 1]), ["a"])
    ds = pydicom.dcmread(path)
    used = [item(ReferencedSOPInstanceUID=i) for i in instances]
    ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence = used
    ds.save_as(path, enforce_file_format=True)


def test_masks_of_a_split_series_go_with_the_volumes_whose_slices_they_name(tmp_path: Path) -> None:
    for number in range(9):
        slice_file(tmp_path / f"{number}.dcm", number, float(number % 3))
    referring(tmp_path / "second.seg", [f"1.2.9.{n}" for n in (3, 4, 5)])
    referring(tmp_path / "both.seg", [f"1.2.9.{n}" for n in (3, 8)])
    referring(tmp_path / "none.seg", [])
    rtstruct(tmp_path / "none.rt", {"a": []})
    rtstruct(tmp_path / "other.rt", {"a": []}, series="9.9.9")
    rtstruct(tmp_path / "frame.rt", {"a": []}, series="")
    found = items_of(tmp_path)
    wanted = [("frame.rt", "none.rt", "none.seg"), ("both.seg", "second.seg"), ("both.seg",)]
    assert [i.contours for i in series_of(found)] == wanted
    parts = [(f.path, f.fragment) for i in found for f in i.files if f.role == "mask" and f.fragment]
    assert parts == [("both.seg", "volume=0"), ("both.seg", "volume=1")]
    (lost,) = [i for i in found if i.form == "none"]
    assert (lost.upstream_id, lost.status, lost.reason) == ("other.rt", "dropped", "dangling_reference")
    assert lost.found == "RTSTRUCT of a series that makes no volume here"


def test_a_multi_frame_file_of_two_volumes_is_two_items_that_share_it(tmp_path: Path) -> None:
    ds = item(Modality="MR", PatientID="p", SeriesInstanceUID=SERIES, FrameOfReferenceUID=FRAME, NumberOfFrames=6)
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.ImageType = 4, 5, 16, ["ORIGINAL", "PRIMARY", "VOLUME", "M"]
    plane = {
        "PlaneOrientationSequence": [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        "PixelMeasuresSequence": [item(PixelSpacing=[1, 1])],
    }
    ds.SharedFunctionalGroupsSequence = [item(**plane)]
    ds.PerFrameFunctionalGroupsSequence = [_frame(n // 2, n % 2 + 1) for n in range(6)]
    save(tmp_path / "f.dcm", ds, uid.EnhancedMRImageStorage)
    seg(tmp_path / "s.seg", [(blob((3, 4, 5)), 1)], np.diag([-1.0, -1, 1, 1]), ["a"])
    found = items_of(tmp_path)
    assert [(i.form, i.upstream_id, i.part) for i in found] == [
        ("dicom_volume", "f.dcm#volume=0", 0), ("dicom_volume", "f.dcm#volume=1", 1),
    ]  # fmt: skip
    assert [(facts_of(i)["time_point"], facts_of(i)["time_points"]) for i in found] == [("1", "2"), ("2", "2")]
    assert [i.contours for i in found] == [("s.seg",), ()]


def _frame(z: int, time: int) -> Dataset:
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
        FrameContentSequence=[item(TemporalPositionIndex=time, StackID="1", InStackPositionNumber=z + 1)],
    )
