"""References between files resolve whoever processed which file: keyed UIDs need no map and no order."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset

from curate.deidentify.header import clean_dataset
from curate.deidentify.profile import ProfileOptions
from curate.keyring import Keyring
from tests.midi.generator import write_set

OPTIONS = ProfileOptions(clean_structured_content=True)
TARGETS = {
    "ReferencedSOPInstanceUID",
    "FrameOfReferenceUID",
    "ReferencedFrameOfReferenceUID",
    "UID",
}
Found = tuple[tuple[str, str], ...]  # (keyword, value) of every UID in a file, in the order of its elements


def all_uids(ds: Dataset) -> Iterator[tuple[str, str]]:
    for tag in sorted(ds.keys()):  # iterating the dataset itself would decode every element
        vr = ds.get_item(tag).VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "")
        if vr == "SQ":
            for item in ds[tag].value:
                yield from all_uids(item)
        elif vr == "UI":
            yield keyword_for_tag(tag), str(ds[tag].value)


def one_file(path: Path) -> tuple[str, Found, Found]:
    """In a process of its own: name, the UIDs as they were, the UIDs as they are."""
    ring = Keyring.load("references", 7)
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    out = clean_dataset(ds, ring, ring.pseudonym("patient", ds.PatientID), OPTIONS).dataset
    return path.name, tuple(all_uids(ds)), tuple(all_uids(out))


def processed(paths: list[Path], workers: int) -> dict[str, tuple[Found, Found]]:
    shuffled = random.Random(workers).sample(paths, len(paths))
    if workers == 1:
        results = [one_file(path) for path in shuffled]
    else:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            results = pool.map(one_file, shuffled, chunksize=16)
    return {name: (before, after) for name, before, after in results}


def resolved(results: dict[str, tuple[Found, Found]]) -> tuple[int, int]:
    """How many references reports and marks hold, and how many name an image's own instance, series, study or frame."""
    images = [after for name, (_, after) in results.items() if name[4:6] <= "08"]
    owned = {value for after in images for _, value in after}
    referring = [after for name, (_, after) in results.items() if name[4:6] > "08"]
    asked = [value for after in referring for keyword, value in after if keyword in TARGETS]
    asked = [value for value in asked if value.startswith("2.25.")]
    return len(asked), sum(value in owned for value in asked)


def mapping(results: dict[str, tuple[Found, Found]]) -> dict[str, str]:
    """Old to new over all files; no UID has two names, and none is lost."""
    found: dict[str, str] = {}
    for before, after in results.values():
        new = iter(after)
        for keyword, value in before:
            if value.startswith("1.3.12.2."):
                now = next(v for k, v in new if k == keyword)
                assert found.setdefault(value, now) == now
    return found


@pytest.mark.slow
def test_references_of_two_studies_resolve(tmp_path: Path) -> None:
    write_set(tmp_path, seed=5, patients=1)
    asked, found = resolved(processed(sorted(tmp_path.iterdir()), 1))
    assert asked == found > 20


@pytest.mark.slow
def test_two_hundred_studies_have_the_same_uids_on_one_two_and_four_workers(tmp_path: Path) -> None:
    write_set(tmp_path, seed=6, patients=100, only=(0, 1, *range(8, 13)))  # two CT slices; CR, SR, SEG, RTSTRUCT, PR
    paths = sorted(tmp_path.iterdir())
    runs = [processed(paths, workers) for workers in (1, 2, 4)]
    assert runs[0] == runs[1] == runs[2]
    assert mapping(runs[0]) == mapping(runs[2])
    asked, found = resolved(runs[0])
    assert asked == found > 2000
