"""Every parser of foreign bytes on mutated real files: typed errors and nothing else, and what its target says holds.

The mutations are `tests.fuzz.mutate`'s, chosen by hypothesis without chance. `make fuzz` looks further, guided by
coverage; what it found stands below, as bytes that code makes.
"""

from __future__ import annotations

import functools
import io

import numpy as np
import PIL.Image
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from curate import dicom
from curate.dicom import frame_pixels, header
from curate.dicom.series import read_series
from manifests.errors import RecordError, Reject
from manifests.record import record_from_json
from tests.corpus import packaged
from tests.fuzz import seeds
from tests.fuzz.mutate import mutated
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target, scratch, tried

FAST, SLOW = 40, 500  # examples of a target whose share is 1


@functools.cache
def seeds_of(name: str) -> tuple[bytes, ...]:
    return tuple(TARGETS[name].seeds())


def explore(target: Target, examples: int) -> None:
    known = seeds_of(target.name)

    @settings(
        max_examples=max(8, int(examples * target.share)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(known) - 1), st.integers(0, len(known) - 1), st.integers(0, 1 << 48))
    def holds(first: int, second: int, edits: int) -> None:
        tried(target, mutated(known[first], known[second], edits))

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_a_mutated_file_ends_in_an_answer_or_a_typed_error(name: str) -> None:
    explore(TARGETS[name], FAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_mutated_files_end_in_an_answer_or_a_typed_error(name: str) -> None:
    explore(TARGETS[name], SLOW)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_reaches_what_lies_behind_the_first_refusal(name: str) -> None:
    """At least one of its real files is accepted, else its mutations prove nothing."""
    assert any(tried(TARGETS[name], data) == "accepted" for data in seeds_of(name))


# --- what fuzzing found ----------------------------------------------------------------------------------------------


def test_a_class_that_swallowed_other_elements_is_not_quoted() -> None:
    """A UID whose length is wrong runs on into what follows it: names and dates came into the ledger so."""
    swallowed = "1.2.840.10008.5.1.4.1.1.4\0\x08\0\x20\0DA\x08\x0020040826\x10\0\x10\0PN\x08\0DOE^JOHN"
    ds = Dataset()
    ds.add(DataElement(0x00080016, "UI", UID(swallowed, IGNORE), already_converted=True))
    with pytest.raises(Reject) as refused:
        header.refuse(ds)
    assert "DOE" not in str(refused.value)
    assert "2004" not in str(refused.value)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.5.1.4.1.1.2", "1.2.3", "DOE^JOHN"])
def test_a_transfer_syntax_that_is_none_is_a_typed_error(syntax: str) -> None:
    ds = pydicom.dcmread(packaged("CT_small.dcm"))
    ds.file_meta.add(DataElement(0x00020010, "UI", UID(syntax, IGNORE), already_converted=True))
    with pytest.raises(RecordError, match="no_transfer_syntax") as refused, frame_pixels.opened(ds):
        pass
    assert syntax not in str(refused.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "null", '{"files": [{}]}', "3", ""])
def test_what_is_no_record_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"no record|Expecting"):
        record_from_json(text)


SLOPES = ("1e18", "1e30", "-1e300", "1.5e38", "9.4e35")


@pytest.mark.parametrize("slope", SLOPES)
def test_a_slope_that_leaves_the_numbers_of_a_machine_is_refused(slope: str) -> None:
    """Whole ones wrapped round in 64 bits, or ended in an OverflowError; others became infinite."""
    paths = []
    for number, data in enumerate(seeds.series()):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.RescaleSlope, ds.RescaleIntercept = slope, "0.5" if "." in slope else "0"
        ds.PixelData = (np.frombuffer(ds.PixelData, np.int16) | 1 << 14).tobytes()
        paths.append(scratch() / f"slope{number}.dcm")
        ds.save_as(paths[-1])
    for read in (lambda: dicom.read_image(paths[0]), lambda: read_series(paths)):
        with pytest.raises(RecordError, match="lossy_dtype"):
            read()


def _signalling() -> bytes:
    """A float TIFF of NaNs that raise the processor's flag when they are converted."""
    stream = io.BytesIO()
    grey = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    PIL.Image.fromarray(grey).save(stream, "TIFF")
    return stream.getvalue().replace(grey[5].tobytes(), b"\x01\0\x80\x7f" * 64)


LONG_NAME = seeds.metaimages()[0].replace(b"LOCAL", b"a" * 5000)
DEEP = b"[" * 50_000
FOUND = (
    ("metaimage", LONG_NAME, "refused"),
    ("replies", b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": Infinity}}', "refused"),
    ("replies", DEEP, "accepted"),
    ("prompt", b"---\nversion: 1\ntask: a\nmax_tokens: 4\nschema: '" + DEEP + b"'\n---\n# user\na\n", "refused"),
    ("recipe", DEEP[:600], "refused"),
    ("own_json", b"\x01" + DEEP, "refused"),
    ("box_texts", b"[12, 30, 50, \x1f64]", "refused"),  # a blank for `re`, and none for `float`
    ("picture", _signalling(), "accepted"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "data", "end"), FOUND, ids=[f"{name}-{at}" for at, (name, _, _) in enumerate(FOUND)])
def test_what_was_found_ends_as_it_should(name: str, data: bytes, end: str) -> None:
    assert tried(TARGETS[name], data) == end
