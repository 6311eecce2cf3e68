"""Beside dicom-anonymizer, where it is installed: what it takes away from pydicom's files is not kept here."""

from __future__ import annotations

import copy
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deidentify.header import clean_dataset
from curate.deidentify.profile import ProfileOptions
from curate.keyring import Keyring
from manifests.errors import RecordError

PACKAGED = Path(str(pydicom.data.__file__)).parent
RING = Keyring.load("test", 7)
PATIENT = RING.pseudonym("patient", "one")


def files() -> Iterator[Dataset]:
    for path in sorted(p for p in PACKAGED.rglob("*") if p.is_file() and p.stat().st_size < 200_000):
        try:
            yield pydicom.dcmread(path, force=True, stop_before_pixels=True)
        except Exception:  # a broken file of the library's own tests
            continue


def value(ds: Dataset, tag: Any) -> Any:
    try:
        return ds[tag].value if tag in ds else None
    except Exception:  # a value that cannot be decoded
        return None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("dicomanonymizer") is None, reason="dicom-anonymizer is not installed")
@pytest.mark.parametrize("dates", ["remove", "shift"])
def test_nothing_that_dicom_anonymizer_changes_is_kept_but_times_by_option_and_registered_uids(dates: Any) -> None:
    tool = importlib.import_module("dicomanonymizer.simpledicomanonymizer")
    compared, kept = 0, []
    for ds in files():
        theirs = copy.deepcopy(ds)
        try:
            tool.anonymize_dataset(theirs, None, True)
            ours = clean_dataset(ds, RING, PATIENT, ProfileOptions(dates=dates)).dataset
        except RecordError:
            continue
        except Exception:  # what the other tool cannot do is not compared
            continue
        for tag in list(ds.keys()):
            before = value(ds, tag)
            if before in (None, "", b"") or value(theirs, tag) == before:
                continue
            compared += 1
            by_option = dates == "shift" and ds[tag].VR == "TM"  # times of day stay where dates are moved by whole days
            if value(ours, tag) == before and not by_option and str(before) not in UID_dictionary:
                kept.append((str(tag), ds[tag].keyword))
    assert kept == []
    assert compared > 2000
