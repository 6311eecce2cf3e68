"""No sentinel of any row of Table E.1-1, at any depth, in any encoding, is anywhere in the output's bytes."""

from __future__ import annotations

import io
import warnings

import pydicom
import pytest
from pydicom import uid

from curate.deidentify.header import clean_dataset
from curate.deidentify.profile import ProfileOptions
from curate.keyring import Keyring
from manifests.errors import RecordError
from tests.midi.planted import MARK, SYNTAXES, planted_file, table

RING = Keyring.load("planted", 7)
# A shift beyond the span of all planted dates: then no moved date can equal another planted one.
PATIENT = next(p for p in (RING.pseudonym("patient", str(n)) for n in range(99)) if RING.shift_days(p) < -3300)
CLEANING = ProfileOptions(clean_descriptors=True, clean_structured_content=True, clean_graphics=True, safe_private=True)


def cleaned_bytes(data: bytes, options: ProfileOptions) -> bytes:
    """The output, written without deflation, so that its bytes can be searched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = clean_dataset(pydicom.dcmread(io.BytesIO(data)), RING, PATIENT, options).dataset
        if out.file_meta.TransferSyntaxUID == uid.DeflatedExplicitVRLittleEndian:
            out.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        buffer = io.BytesIO()
        out.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def leaks(data: bytes, needles: set[bytes], options: ProfileOptions) -> list[bytes]:
    out = cleaned_bytes(data, options)
    assert out[:128] == b"\0" * 128
    assert b"2.25." in out  # it was read: UIDs are there, mapped
    return sorted(n for n in {*needles, MARK.encode()} if n in out)


def whole(syntax: str, seed: int, options: ProfileOptions) -> list[bytes]:
    data, needles = planted_file(syntax, seed)
    if syntax != uid.DeflatedExplicitVRLittleEndian:
        assert all(n in data for n in needles)  # the search itself works
    assert len(needles) > 2600
    return leaks(data, needles, options)


def test_the_whole_table_is_planted() -> None:
    assert len({tag for tag, _, _ in table()}) == 658  # 655 rows, three of them in two groups each


def test_explicit_files_leak_nothing_by_default() -> None:
    assert whole(uid.ExplicitVRLittleEndian, 1, ProfileOptions()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [ProfileOptions(), CLEANING, ProfileOptions(dates="remove")], ids=["default", "cleaning", "undated"]
)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_encoding_and_no_cleaning_option_leaks(syntax: str, options: ProfileOptions) -> None:
    assert [leak for seed in (2, 3) for leak in whole(syntax, seed, options)] == []


def test_a_rule_that_is_switched_off_leaks() -> None:
    """The negative control: what an option keeps on purpose is found."""
    data, needles = planted_file(uid.ExplicitVRLittleEndian, 1)
    assert len(leaks(data, needles, ProfileOptions(device=True))) > 10


def test_a_sequence_nested_beyond_reason_is_an_error() -> None:
    data, _ = planted_file(uid.ImplicitVRLittleEndian, 1)
    ds: pydicom.Dataset = pydicom.dcmread(io.BytesIO(data))
    for _ in range(40):
        outer = pydicom.Dataset()
        outer.ReferencedSeriesSequence = [ds]
        ds = outer
    with pytest.raises(RecordError, match="nesting_too_deep"):
        clean_dataset(ds, RING, PATIENT)
