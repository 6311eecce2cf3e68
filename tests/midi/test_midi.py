"""A MIDI-B-like set: what must be gone is gone, what must stay stays, and the scorer sees what is wrong."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from curate.deidentify import mask_outside_regions
from curate.deidentify.header import clean_dataset
from curate.deidentify.profile import ProfileOptions
from curate.keyring import Keyring
from tests.midi.generator import Action, write_set
from tests.midi.scorer import Score, score

RING = Keyring.load("midi", 7)
OPTIONS = ProfileOptions(
    characteristics=True,
    clean_descriptors=True,
    clean_structured_content=True,
    clean_graphics=True,
    clean_pixel_data=True,
)
NEVER = ("text_removed", "pixels_hidden", "uid_consistent", "patid_consistent")


def deidentified(path: Path, options: ProfileOptions = OPTIONS) -> bytes:
    ds = pydicom.dcmread(path)
    if ds.Modality == "US":
        ds.PixelData = mask_outside_regions(ds.pixel_array, ds).tobytes()
    out = clean_dataset(ds, RING, RING.pseudonym("patient", ds.PatientID), options).dataset
    buffer = io.BytesIO()
    out.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def scored(folder: Path, seed: int, patients: int) -> tuple[list[Action], dict[str, bytes], Score]:
    key = write_set(folder, seed, patients)
    outputs = {p.name: deidentified(p) for p in sorted(folder.iterdir())}
    return key, outputs, score(key, outputs)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Action], dict[str, bytes], Score]:
    return scored(tmp_path_factory.mktemp("midi"), seed=3, patients=1)


def test_a_sample_of_the_set_passes_without_a_failure(small: tuple[list[Action], dict[str, bytes], Score]) -> None:
    key, outputs, result = small
    assert result.failed == ()
    assert len(outputs) == 26
    assert len(result.passed) == 10
    assert len(key) > 1000


def test_the_scorer_fails_what_is_missing_kept_or_inconsistent(
    small: tuple[list[Action], dict[str, bytes], Score],
) -> None:
    key, outputs, _ = small
    gone = {name: data for name, data in outputs.items() if name != "000-00.dcm"}
    of_first = [a for a in key if a.file == "000-00.dcm"]
    assert [a for a in score(key, gone).failed if a.file == "000-00.dcm"] == of_first
    changed = dict(outputs)
    for name, edit in (("000-01.dcm", "kept"), ("000-02.dcm", "uid"), ("000-03.dcm", "date"), ("000-04.dcm", "id")):
        ds = pydicom.dcmread(io.BytesIO(changed[name]))
        if edit == "kept":
            ds.SeriesDescription = key[0].patient
        elif edit == "uid":
            ds.SeriesInstanceUID = "2.25.7"
        elif edit == "date":
            ds.StudyDate = "20200101"
        else:
            del ds.PatientID
        buffer = io.BytesIO()
        ds.save_as(buffer)
        changed[name] = buffer.getvalue()
    changed["000-07.dcm"] = outputs["000-08.dcm"]
    result = score(key, changed)
    for kind in ("text_removed", "uid_consistent", "date_shifted", "patid_consistent", "text_notnull", "pixels_hidden"):
        assert result.failures(kind) > 0, kind
    stranger = [replace(a, file="no such file") for a in key]
    assert score(stranger, outputs).share == 0.0


@pytest.mark.slow
def test_five_hundred_instances_and_twenty_thousand_actions_pass(tmp_path: Path) -> None:
    started = time.process_time()
    key, outputs, result = scored(tmp_path, seed=20261123, patients=20)
    assert len(outputs) >= 500
    assert len(key) >= 20_000
    assert result.share >= 0.9995
    assert result.failures(*NEVER) == 0
    assert time.process_time() - started < 60
