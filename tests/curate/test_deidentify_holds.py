"""What a cleaned header still holds: intervals, references, geometry, and the record of how it was cleaned."""

from __future__ import annotations

import copy
import datetime
import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from curate.deidentify import age_years, clean_dataset
from curate.deidentify.profile import ProfileOptions
from curate.keyring import Keyring

PACKAGED = Path(str(pydicom.data.__file__)).parent / "test_files"
RING = Keyring.load("test", 7)
PATIENT = RING.pseudonym("patient", "MRN 1")
SPAN = (datetime.datetime(1950, 1, 1), datetime.datetime(2060, 1, 1))  # noqa: DTZ001 - DICOM's local wall clock


def written(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def explicit(ds: Dataset) -> Dataset:
    """The dataset as a file's reader gives it: raw elements."""
    ds.ensure_file_meta()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return pydicom.dcmread(io.BytesIO(written(ds)), force=True)


def test_the_input_keeps_its_values_and_shares_nothing_that_changes() -> None:
    for name in ("CT_small.dcm", "rtplan.dcm", "test-SR.dcm"):
        ds = pydicom.dcmread(PACKAGED / name)
        before = copy.deepcopy(ds)
        out = clean_dataset(ds, RING, PATIENT).dataset
        if "ImageType" in out:
            out.ImageType[0] = "CHANGED"
        assert ds == before
        assert ds.file_meta == before.file_meta
    memory = Dataset()
    memory.ImageType = ["ORIGINAL", "PRIMARY"]
    clean_dataset(memory, RING, PATIENT).dataset.ImageType[0] = "CHANGED"
    assert memory.ImageType[0] == "ORIGINAL"


def test_reading_elements_first_changes_no_byte_of_the_result() -> None:
    for name in ("CT_small.dcm", "rtplan.dcm", "MR_small_bigendian.dcm"):
        lazy = pydicom.dcmread(PACKAGED / name)
        eager = pydicom.dcmread(PACKAGED / name)
        assert str(eager)  # decodes everything
        one, two = (clean_dataset(ds, Keyring.load("test", 7), PATIENT) for ds in (lazy, eager))
        assert one.actions == two.actions
        assert one.dataset == two.dataset


def test_pixels_and_geometry_come_out_equal() -> None:
    ds = pydicom.dcmread(PACKAGED / "CT_small.dcm")
    out = clean_dataset(ds, RING, PATIENT).dataset
    assert np.array_equal(pydicom.dcmread(io.BytesIO(written(out))).pixel_array, ds.pixel_array)
    for keyword in ("PixelSpacing", "ImagePositionPatient", "RescaleIntercept", "SOPClassUID", "Modality", "Rows"):
        assert out[keyword].value == ds[keyword].value


def test_references_between_instances_still_resolve() -> None:
    image, segmentation, reference, series = Dataset(), Dataset(), Dataset(), Dataset()
    image.SOPInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.1"
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = "1.2.3.2", [reference]
    segmentation.ReferencedSeriesSequence, segmentation.FrameOfReferenceUID = [series], "1.2.3.3"
    target = clean_dataset(explicit(image), RING, PATIENT).dataset
    pointer = clean_dataset(explicit(segmentation), Keyring.load("test", 7), PATIENT).dataset
    found = pointer.ReferencedSeriesSequence[0]
    assert found.SeriesInstanceUID == target.SeriesInstanceUID
    assert found.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == target.SOPInstanceUID
    assert found.ReferencedInstanceSequence[0].ReferencedSOPClassUID == CTImageStorage
    assert pointer.FrameOfReferenceUID == target.FrameOfReferenceUID
    assert target.file_meta.MediaStorageSOPInstanceUID == target.SOPInstanceUID


@settings(max_examples=60, deadline=None)
@given(st.lists(st.datetimes(*SPAN), min_size=2, max_size=5))
def test_intervals_of_dates_and_datetimes_hold_exactly(moments: list[datetime.datetime]) -> None:
    ds = Dataset()
    ds.PerFrameFunctionalGroupsSequence = [Dataset() for _ in moments]
    for item, moment in zip(ds.PerFrameFunctionalGroupsSequence, moments, strict=True):
        item.StudyDate = f"{moment:%Y%m%d}"
        item.StudyTime = f"{moment:%H%M%S.%f}"
        item.AcquisitionDateTime = f"{moment:%Y%m%d%H%M%S.%f}+0100"
    out = clean_dataset(ds, RING, PATIENT).dataset.PerFrameFunctionalGroupsSequence
    paired = [datetime.datetime.strptime(i.StudyDate + i.StudyTime, "%Y%m%d%H%M%S.%f") for i in out]  # noqa: DTZ007
    joined = [datetime.datetime.strptime(i.AcquisitionDateTime, "%Y%m%d%H%M%S.%f") for i in out]  # noqa: DTZ007
    assert paired == joined
    shifts = {new - old for new, old in zip(paired, moments, strict=True)}
    assert shifts == {datetime.timedelta(days=RING.shift_days(PATIENT))}


def test_dates_that_cannot_be_moved_are_emptied_and_ranges_and_old_forms_move() -> None:
    shift = datetime.timedelta(days=RING.shift_days(PATIENT))

    def moved(keyword: str, value: Any) -> Any:
        ds = Dataset()
        ds.add(DataElement(keyword, dictionary_VR(keyword), value, validation_mode=0))
        return clean_dataset(ds, RING, PATIENT).dataset[keyword].value

    day = f"{datetime.date(2020, 2, 29) + shift:%Y%m%d}"
    assert moved("StudyDate", "20200229") == moved("StudyDate", "2020.02.29") == day
    assert moved("StudyDate", "20200229-20200229") == f"{day}-{day}"
    assert moved("AcquisitionDateTime", "20200229") == day
    assert list(moved("SeriesDate", ["20200229", "junk"])) == [day, ""]
    for junk in ("20201301", "202002", "Doe^John", "20200230", "00010101", "", "２０２００２２９x"):
        assert not moved("StudyDate", junk)
    for junk in ("2020", "202002", "Doe", "99991231"):
        assert not moved("AcquisitionDateTime", junk) or (abs(shift.days) and junk == "99991231" and shift.days < 0)
    assert not moved("StudyTime", "Doe John")
    assert moved("StudyTime", "10:11:12.5") == "10:11:12.5"
    assert not moved("PatientBirthDate", "19500101")


def test_the_method_is_recorded_as_the_standard_asks() -> None:
    out = clean_dataset(pydicom.dcmread(PACKAGED / "CT_small.dcm"), RING, PATIENT).dataset
    assert out.PatientIdentityRemoved == "YES"
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [i.CodeValue for i in out.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert {i.CodingSchemeDesignator for i in out.DeidentificationMethodCodeSequence} == {"DCM"}
    assert len(out.DeidentificationMethod) <= 64
    assert out.PatientID == PATIENT
    assert out.PatientName == ""


def test_another_patients_id_inside_gets_its_own_pseudonym() -> None:
    ds = Dataset()
    ds.PatientID = "MRN 1"
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), Dataset()]
    for item, value in zip(ds.PerFrameFunctionalGroupsSequence, ("MRN 1 ", "MRN 2"), strict=True):
        item.PatientID = value
    inside = clean_dataset(ds, RING, PATIENT).dataset.PerFrameFunctionalGroupsSequence
    assert [i.PatientID for i in inside] == [PATIENT, RING.pseudonym("patient", "MRN 2")]


def test_characteristics_are_removed_unless_asked_for_and_then_ages_are_capped() -> None:
    ds = Dataset()
    ds.PatientAge, ds.PatientSex, ds.PatientWeight, ds.PatientSize = "095Y", "F", "61.5", "1.7"
    plain = clean_dataset(ds, RING, PATIENT).dataset
    assert "PatientAge" not in plain
    assert "PatientWeight" not in plain
    assert plain.PatientSex in ("", None)
    kept = clean_dataset(ds, RING, PATIENT, ProfileOptions(characteristics=True)).dataset
    assert (kept.PatientAge, kept.PatientSex, kept.PatientWeight, kept.PatientSize) == ("090Y", "F", 61.5, 1.7)
    assert [i.CodeValue for i in kept.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    ds.PatientAge = "089Y"
    assert clean_dataset(ds, RING, PATIENT, ProfileOptions(characteristics=True)).dataset.PatientAge == "089Y"


@pytest.mark.parametrize(
    ("value", "years"),
    [("045Y", 45), ("089Y", 89), ("090Y", 90), ("120Y", 90), ("018M", 1), ("006W", 0), ("999D", 2), (" 045Y\0", 45),
     ("", None), (None, None), ("Y", None), ("45", None), ("-45Y", None), ("045y", None), ("045YY", None)],
)  # fmt: skip
def test_ages_are_whole_years_capped_at_ninety(value: str | None, years: int | None) -> None:
    assert age_years(value) == years


# ------------------------------------------------------------------------------------------------ options


def described() -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = "Foot^Grünhild", "MRN 1"
    ds.SeriesDescription = "Foot AP 5mm, T1w, by Smith 12.03.2019 room 12"
    ds.StudyDescription = "Grünhild 4711"
    ds.StationName, ds.DeviceSerialNumber, ds.DeviceUID = "STATION7", "SN 12", "1.2.3.4"
    ds.DateOfLastCalibration, ds.StudyDate = "20200101", "20200103"
    ds.InstitutionName, ds.InstitutionAddress = "Mercy", "Street 1"
    return ds


def cleaned(ds: Dataset, **chosen: Any) -> Dataset:
    return clean_dataset(explicit(ds), RING, PATIENT, ProfileOptions(**chosen)).dataset


def test_cleaned_descriptions_hold_allow_listed_words_and_no_name_of_the_patient() -> None:
    out = cleaned(described(), clean_descriptors=True)
    assert out.SeriesDescription == "AP 5mm T1w"  # Foot is the patient's name
    assert out.StudyDescription == "REMOVED"
    assert "StationName" not in out or out.StationName == "REMOVED"
    assert [i.CodeValue for i in out.DeidentificationMethodCodeSequence] == ["113100", "113105", "113107"]


def test_device_and_institution_stay_only_where_they_are_asked_for() -> None:
    plain = cleaned(described())
    assert (plain.StationName, plain.InstitutionName) == ("REMOVED", "REMOVED")
    assert plain.DeviceUID == RING.uid("1.2.3.4")
    assert "DateOfLastCalibration" not in plain
    kept = cleaned(described(), device=True)
    assert (kept.StationName, kept.DeviceSerialNumber, kept.DeviceUID) == ("STATION7", "SN 12", "1.2.3.4")
    moved = datetime.date(2020, 1, 1) + datetime.timedelta(days=RING.shift_days(PATIENT))
    assert kept.DateOfLastCalibration == f"{moved:%Y%m%d}"
    assert kept.InstitutionName == "REMOVED"
    sited = cleaned(described(), institution=True)
    assert (sited.InstitutionName, sited.InstitutionAddress) == ("Mercy", "Street 1")
    assert sited.StationName == "REMOVED"


def test_dates_stay_whole_or_go_as_the_option_says() -> None:
    full = cleaned(described(), dates="full")
    assert (full.StudyDate, full.DateOfLastCalibration) == ("20200103", "20200101")
    assert full.LongitudinalTemporalInformationModified == "UNMODIFIED"
    none = cleaned(described(), dates="remove")
    assert not none.StudyDate
    assert none.LongitudinalTemporalInformationModified == "REMOVED"
    assert [i.CodeValue for i in none.DeidentificationMethodCodeSequence] == ["113100"]


def test_listed_private_numbers_stay_with_their_creator_and_nothing_else_private() -> None:
    ds, inner = Dataset(), Dataset()
    for level in (ds, inner):
        block = level.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.5")
        block.add_new(0x03, "ST", "a file name")
        level.private_block(0x7053, "SOMEBODY ELSE", create=True).add_new(0x00, "DS", "0.25")
    wrong = Dataset()
    wrong.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "LO", "Doe")
    ds.SharedFunctionalGroupsSequence = [inner, wrong]
    out = cleaned(ds, safe_private=True)
    for level in (out, out.SharedFunctionalGroupsSequence[0]):
        odd = [int(tag) for tag in level.keys() if tag >> 16 & 1]  # noqa: SIM118
        assert odd == [0x70530010, 0x70531000]
        assert float(level[0x70531000].value) == 0.5
    assert len(out.SharedFunctionalGroupsSequence[1]) == 0
    assert not [tag for tag in cleaned(ds).keys() if tag >> 16 & 1]  # noqa: SIM118


def content(kind: str, scheme: str, value: str, **more: Any) -> Dataset:
    item, name = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = value, scheme, "meaning"
    item.ValueType, item.ConceptNameCodeSequence = kind, [name]
    for keyword, given_value in more.items():
        setattr(item, keyword, given_value)
    return item


def test_a_report_is_cleaned_item_by_item() -> None:
    ds = Dataset()
    ds.ContentSequence = [
        content("TEXT", "DCM", "121030", TextValue="MRN 1"),  # Subject ID: X/D
        content("TEXT", "DCM", "121106", TextValue="stable nodule of Doe"),  # Comment: X, C with descriptors
        content("TEXT", "99X", "1", TextValue="nodule of Doe"),
        content("NUM", "DCM", "121033"),  # Subject Age
        content("NUM", "SCT", "410668003", MeasuredValueSequence=[Dataset()]),
        content("DATE", "DCM", "111060", Date="20200103"),
        content("CONTAINER", "DCM", "126010", ContentSequence=[content("PNAME", "DCM", "121008", PersonName="Doe^J")]),
    ]
    assert [len(i) for i in cleaned(ds).ContentSequence] == [0]
    tree = cleaned(ds, clean_structured_content=True).ContentSequence
    assert [i.ValueType for i in tree] == ["TEXT", "NUM", "DATE", "CONTAINER"]
    assert tree[0].TextValue == "REMOVED"
    assert tree[0].ConceptNameCodeSequence[0].CodeMeaning == "REMOVED"  # of a local scheme
    assert tree[1].ConceptNameCodeSequence[0].CodeMeaning == "meaning"
    assert tree[3].ContentSequence[0].PersonName == "REMOVED"
    texts = cleaned(ds, clean_structured_content=True, clean_descriptors=True).ContentSequence
    assert [i.TextValue for i in texts if i.ValueType == "TEXT"] == ["stable nodule of", "nodule of"]


def test_statements_about_pixels_are_recorded_and_unknown_options_are_errors() -> None:
    out = cleaned(Dataset(), clean_pixel_data=True, clean_visual_features=True)
    assert (out.BurnedInAnnotation, out.RecognizableVisualFeatures) == ("NO", "NO")
    assert ProfileOptions(clean_pixel_data=True, dates="full").stated() == "113100 113101 113106"
    with pytest.raises(ValueError, match="known"):
        ProfileOptions.model_validate({"retain_uids": True})


def test_datetime_ranges_move_at_both_ends() -> None:
    ds = Dataset()
    ds.add(DataElement("AcquisitionDateTime", "DT", "20200101101112-20200103101112", validation_mode=0))
    first, last = str(clean_dataset(ds, RING, PATIENT).dataset.AcquisitionDateTime).split("-")
    assert datetime.date.fromisoformat(last[:8]) - datetime.date.fromisoformat(first[:8]) == datetime.timedelta(2)
    assert first[8:] == last[8:] == "101112"
