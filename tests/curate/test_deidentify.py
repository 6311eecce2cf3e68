"""What must be gone, what must still hold, and what is refused."""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from curate.deidentify import (
    clean_dataset,
    identifiers,
)
from curate.deidentify.tables import make_ps3_15
from curate.deidentify.tables.ps3_15 import content_rules, option_columns, plan, rows
from curate.keyring import Keyring
from manifests.errors import RecordError

PACKAGED = Path(str(pydicom.data.__file__)).parent / "test_files"
RING = Keyring.load("test", 7)
# A shift beyond the span of all planted dates: then no moved date can equal another planted one.
PATIENT = next(p for p in (RING.pseudonym("patient", str(n)) for n in range(99)) if abs(RING.shift_days(p)) > 3200)
DEPTHS = (0, 1, 2, 5)
CARRIER = 0x52009230  # PerFrameFunctionalGroupsSequence: kept by the profile, so it carries what is inside
ENCODINGS = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
TABLE = [(int(tag, 16), code) for tag, _, code in rows() if "x" not in tag]
IN_DATASETS = [(tag, code) for tag, code in TABLE if tag >> 16 not in (0, 2)]  # pydicom writes those two groups itself
TIMES = {"DA", "DT", "TM"}


def vr_of(tag: int) -> str:
    return dictionary_VR(tag) if dictionary_has_tag(tag) else "LO"


def moves(tag: int, code: str) -> bool:
    return vr_of(tag) in TIMES and code != "X" and tag != 0x00100030


def planted_value(vr: str, n: int) -> Any:
    """A value that is unique in its bytes wherever the VR has room for that."""
    day = datetime.date(1931, 1, 1) + datetime.timedelta(days=n)
    special = {
        "DA": f"{day:%Y%m%d}",
        "DT": f"{day:%Y%m%d}010203.{n:06d}",
        "TM": f"010203.{n:06d}",
        "UI": f"1.2.999.{n}.1",
        "PN": f"ZQ{n:05d}^QZ",
        "AS": "077Y",
        "DS": f"98765.{n:05d}",
        "IS": f"9876{n:05d}",
        "US": 4242,
        "OB": f"ZQ{n:05d}QZ ".encode(),
        "UN": f"ZQ{n:05d}QZ ".encode(),
        "UR": f"http://zq{n:05d}/",
    }
    return special.get(vr, f"ZQ{n:05d}QZ")


def needle(vr: str, n: int) -> bytes:
    value = planted_value(vr, n)
    return b"" if vr in ("AS", "US") else value if isinstance(value, bytes) else str(value).encode()


def planted(depth: int) -> tuple[Dataset, set[bytes]]:
    """A level with every row of the table (sequences hold a code and a UID), and the bytes that must not come out."""
    level, needles = Dataset(), set()
    for row, (tag, code) in enumerate(IN_DATASETS):
        n, vr = DEPTHS.index(depth) * 700 + row, vr_of(tag)
        if vr == "SQ":
            item = Dataset()
            item.ReferencedSOPInstanceUID = f"1.2.998.{n}.1"
            needles.add(f"1.2.998.{n}.1".encode())
            if code != "X/Z/U*":
                item.CodeMeaning = f"QS{n:05d}SQ"
                needles.add(f"QS{n:05d}SQ".encode())
            level.add_new(tag, "SQ", Sequence([item]))
            continue
        level.add(DataElement(tag, vr, planted_value(vr, n), validation_mode=0))
        needles.add(needle(vr, n) if not (vr == "TM" and moves(tag, code)) else b"")
    for n, (tag, vr) in enumerate([(0x60003000, "OW"), (0x60024000, "LT"), (0x50003000, "OW"), (0x00091001, "LO")]):
        text = f"RG{depth:03d}{n:03d}GR"
        level.add_new(tag, vr, text.encode() if vr == "OW" else text)
        needles.add(text.encode())
    return level, needles - {b""}


def all_depths() -> tuple[Dataset, set[bytes]]:
    whole, needles = planted(0)
    level, last = whole, max(DEPTHS)
    for depth in range(1, last + 1):
        inner, more = planted(depth) if depth in DEPTHS else (Dataset(), set())
        level.add_new(CARRIER, "SQ", Sequence([inner]))
        needles |= more
        level = inner
    return whole, needles


def encoded(ds: Dataset, syntax: str) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.997.1")
    ds.file_meta.SourceApplicationEntityTitle = "ZQMETAQZ"
    ds.preamble = b"ZQPREAMBLEQZ".ljust(128)
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def written(ds: Dataset) -> bytes:
    """The file's bytes, inflated where they are deflated."""
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    if ds.file_meta.TransferSyntaxUID != DeflatedExplicitVRLittleEndian:
        return buffer.getvalue()
    again = pydicom.dcmread(io.BytesIO(buffer.getvalue()))
    again.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    again.save_as(buffer)
    return buffer.getvalue()


def levels(ds: Dataset) -> list[Dataset]:
    """The datasets down the carrier sequence."""
    return [ds, *(levels(ds[CARRIER].value[0]) if CARRIER in ds else [])]


@pytest.fixture(scope="module")
def everything() -> tuple[Dataset, set[bytes]]:
    return all_depths()


# ------------------------------------------------------------------------------------------------ the table


def test_every_row_is_treated_as_its_code_says_at_every_depth(everything: tuple[Dataset, set[bytes]]) -> None:
    ds, _ = everything
    read = pydicom.dcmread(io.BytesIO(encoded(ds, ExplicitVRLittleEndian)))
    wrong = []
    for level, out in zip(levels(read), levels(clean_dataset(read, RING, PATIENT).dataset), strict=True):
        for tag, code in IN_DATASETS:
            if tag in level and not as_coded(tag, code, level[tag].value, out):
                wrong.append(f"{tag:08x} {code}")
    assert wrong == []


def as_coded(tag: int, code: str, before: Any, out: Dataset) -> bool:
    vr = vr_of(tag)
    after: Any = out[tag].value if tag in out else None
    if code == "X" or vr == "UN":
        return tag not in out
    if moves(tag, code):
        return str(after) == str(before) if vr == "TM" else len(str(after)) == len(str(before)) and after != before
    if tag == 0x00100020:
        return len(str(after)) == 24 and after != before
    if code == "U" or (code == "D" and vr == "UI"):
        return str(after) == RING.uid(str(before))
    if code in ("Z", "X/Z", "Z/D"):
        return tag in out and not after
    if code == "X/Z/U*":
        return str(after[0].ReferencedSOPInstanceUID) == RING.uid(str(before[0].ReferencedSOPInstanceUID))
    return bool(after) and after != before and (vr != "SQ" or len(after[0]) == 0)


def test_the_table_is_complete_and_spot_rows_are_the_standards() -> None:
    table = {tag: code for tag, _, code in rows()}
    assert len(table) == 655
    known = {
        "00080050": "Z", "00080018": "U", "00080020": "Z", "00080021": "X/D", "00080022": "X/Z", "00080023": "Z/D",
        "0008002a": "X/Z/D", "00081140": "X/Z/U*", "00100010": "Z", "00100020": "Z/D", "00101010": "X",
        "00102160": "X", "0020000d": "U", "00204000": "X", "00400555": "X/Z", "0040a730": "D", "0040a123": "D",
        "00420011": "D", "00880200": "X", "50xxxxxx": "X", "60xx3000": "X", "60xx4000": "X", "fffafffa": "X",
    }  # fmt: skip
    assert {tag: table[tag] for tag in known} == known


def test_command_and_meta_elements_inside_a_dataset_are_removed() -> None:
    ds = Dataset()
    for tag, value in ((0x00001001, "1.2.3"), (0x00001000, "1.2.3"), (0x00020003, "1.2.3"), (0x00100000, 12)):
        ds.add(DataElement(tag, "UI" if isinstance(value, str) else "UL", value))
    cleaned = clean_dataset(ds, RING, PATIENT)
    assert not [tag for tag in cleaned.dataset.keys() if tag in ds]  # noqa: SIM118
    assert cleaned.actions == {"group_length": 4}


def test_the_table_is_that_of_dicom_anonymizer_or_the_one_that_was_compared_with_it() -> None:
    """Compared where that package is installed; else by the digest of what was compared (dicom-anonymizer 2.1.0)."""
    ours = [(tag, code) for tag, _, code in rows()]
    found = importlib.util.find_spec("dicomanonymizer")
    if found is not None and found.origin is not None:
        fields = Path(found.origin).parent / "dicom_anonymization_databases" / "dicomfields_2026c.py"
        assert ours == [(tag, code) for tag, _, code in make_ps3_15.rows(fields.read_text("utf-8"))]
    digest = hashlib.sha256("".join(f"{tag} {code}\n" for tag, code in ours).encode()).hexdigest()
    assert digest == "80f8896fdca041299b3db6959626a5746006077d40fdcb7ba2a39be48ba8f0ae"


def test_the_option_columns_are_the_standards() -> None:
    counted = Counter(f"{name} {code}" for columns in option_columns().values() for name, code in columns.items())
    assert counted == {
        "full_dates K": 169, "modified_dates C": 169, "descriptors C": 140, "device K": 48, "device C": 11,
        "characteristics K": 14, "characteristics C": 5, "institution K": 10, "structured_content C": 4,
        "graphics C": 4,
    }  # fmt: skip
    spots = {
        "00081030": {"descriptors": "C"}, "00101010": {"characteristics": "K"}, "00080080": {"institution": "K"},
        "00181000": {"device": "K"}, "0040a730": {"structured_content": "C"}, "00700001": {"graphics": "C"},
        "00080020": {"full_dates": "K", "modified_dates": "C"},
    }  # fmt: skip
    assert {tag: option_columns()[tag] for tag in spots} == spots
    assert not {"00100010", "00100020", "00100030", "00080050"} & option_columns().keys()
    assert len(content_rules()) == 214


def test_the_table_is_made_from_a_field_list_in_text_form() -> None:
    text = (
        "D_TAGS = [\n    (0x0040, 0xA123),  # Person Name\n]\nX_TAGS = [\n    (0x0010, 0x0012),  # Name to Use\n"
        "    (0x6000, 0x3000, 0xFF00, 0xFFFF),  # Overlay Data\n"
        "    (\n        0x0040,\n        0x4023,\n    ),  # Long's\n]\n"
    )
    assert make_ps3_15.rows(text) == [
        ("00100012", "NameToUse", "X"),
        ("00404023", "ReferencedGeneralPurposeScheduledProcedureStepTransactionUID", "X"),
        ("0040a123", "PersonName", "D"),
        ("60xx3000", "OverlayData", "X"),
    ]


def test_no_person_name_free_text_or_opaque_byte_attribute_of_the_dictionary_is_kept() -> None:
    hiding = [rule for rule in plan().values() if rule.vr in ("PN", "LT", "ST", "UT", "UC", "UR", "OB")]
    assert {rule.action for rule in hiding} == {"X", "Z", "D"}


# ------------------------------------------------------------------------------------------------ what hides


def explicit(ds: Dataset) -> Dataset:
    return pydicom.dcmread(io.BytesIO(encoded(ds, ExplicitVRLittleEndian)))


def test_a_sequence_hidden_in_an_un_element_does_not_pass() -> None:
    inner = Dataset()
    inner.PatientName = "ZQHIDDEN^QZ"
    holder = Dataset()
    holder.ReferencedSeriesSequence = [inner]
    buffer = io.BytesIO()
    holder.save_as(buffer, implicit_vr=True, little_endian=True)
    ds = Dataset()
    for tag in (0x00081115, 0x00091010, 0x00081199, 0x00087777):
        hidden = buffer.getvalue()[8:]
        ds[tag] = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(tag), "UN", len(hidden), hidden, 0, False, True)
    ds.set_original_encoding(False, True, "iso8859")
    original = encoded(ds, ExplicitVRLittleEndian)
    assert original.count(b"ZQHIDDEN") == 4
    cleaned = clean_dataset(pydicom.dcmread(io.BytesIO(original)), RING, PATIENT)
    assert b"ZQHIDDEN" not in written(cleaned.dataset)


def test_private_sequences_icons_and_unknown_elements_are_gone_also_when_nested() -> None:
    inner = Dataset()
    block = inner.private_block(0x0009, "ZQCREATORQZ", create=True)
    child = Dataset()
    child.PatientName = "ZQCHILD^QZ"
    block.add_new(0x01, "SQ", Sequence([child]))
    block.add_new(0x02, "LO", "ZQVALUEQZ")
    icon = Dataset()
    icon.PixelData = b"ZQICONQZ"
    icon["PixelData"].VR = "OB"
    inner.IconImageSequence = [icon]
    inner.add(DataElement(0x00087776, "LO", "ZQUNKNOWNQZ"))
    ds = Dataset()
    ds.SharedFunctionalGroupsSequence = [inner]
    cleaned = clean_dataset(explicit(ds), RING, PATIENT)
    assert b"ZQ" not in written(cleaned.dataset)
    assert cleaned.actions == {"kept": 1, "private": 3, "removed": 1, "unknown": 1}


def test_text_where_numbers_or_codes_belong_is_removed_and_true_values_stay() -> None:
    ds = Dataset()
    ds.KVP = "120"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.PixelSpacing = [0.5, 0.25]
    ds.Rows = 512
    for tag, vr, value in (
        (0x00181151, "DS", "DOE^JOHN"),
        (0x00180015, "CS", "DOE^JOHN"),
        (0x00200013, "LO", "Doe 12"),
        (0x00280011, "LO", "Doe"),
        (0x00181152, "IS", "nan"),
    ):
        ds.add(DataElement(tag, vr, value.encode() if vr in ("DS", "IS") else value, already_converted=True))
    ds[0x00181151] = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(0x00181151), "DS", 8, b"DOE^JOHN", 0, False, True)
    out = clean_dataset(ds, RING, PATIENT)
    assert (out.dataset.KVP, out.dataset.Rows, list(out.dataset.PixelSpacing)) == (120, 512, [0.5, 0.25])
    assert list(out.dataset.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert out.actions == {"kept": 4, "unfit_value": 5}


def nested(depth: int) -> Dataset:
    ds = Dataset()
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedSeriesSequence = [ds]
        ds = outer
    return ds


def test_too_deep_nesting_is_a_record_error() -> None:
    assert clean_dataset(nested(32), RING, PATIENT).actions == {"kept": 32}
    with pytest.raises(RecordError, match="nesting_too_deep"):
        clean_dataset(nested(33), RING, PATIENT)


# Identifiers that are also public words of the same files: a maker, code meanings, the root of pydicom's own UIDs.
COINCIDENCES = {"TOSHIBA", "Verifying Observer", "Verifying", "Observer", "1.2.826.0.1.3680043.8.498"}


def packaged() -> Iterator[tuple[Path, Dataset]]:
    for path in sorted(p for p in PACKAGED.rglob("*") if p.is_file() and p.stat().st_size < 200_000):
        try:
            yield path, pydicom.dcmread(path, force=True, stop_before_pixels=True)
        except Exception:
            continue


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.slow
def test_every_packaged_file_comes_out_without_its_names_ids_and_uids_or_is_a_record_error() -> None:
    cleaned_files, leaks = 0, []
    for path, ds in packaged():
        try:
            known = [k for k in identifiers(ds) if len(k) >= 6 and k not in COINCIDENCES]
            out = clean_dataset(ds, RING, PATIENT).dataset
        except RecordError:
            continue
        if "TransferSyntaxUID" not in out.file_meta:
            little = out.original_encoding[1] is not False
            out.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if little else ExplicitVRBigEndian
        buffer = io.BytesIO()
        out.save_as(buffer)
        leaks += [(path.name, k) for k in known if k.encode("utf-8", "replace") in buffer.getvalue()]
        cleaned_files += 1
    assert leaks == []
    assert cleaned_files > 150


def test_what_stands_behind_the_pixels_or_inside_deeper_pixels_is_cut() -> None:
    ds = pydicom.dcmread(PACKAGED / "CT_small.dcm")
    pixels = ds.PixelData
    inner = Dataset()
    inner.PixelData = b"ZQICONQZ"
    inner["PixelData"].VR = "OB"
    ds.SharedFunctionalGroupsSequence = [inner]
    ds.PixelData = pixels + b"ZQBEHINDQZ"
    out = clean_dataset(explicit(ds), RING, PATIENT)
    assert out.dataset.PixelData == pixels
    assert b"ZQ" not in written(out.dataset)
    assert out.actions["bytes_behind_pixels"] == 1
