"""Sequences cleaned in their bytes become what the walk of data sets makes of them, to the byte and to the count."""

from __future__ import annotations

import io
import random
import warnings
import zlib
from typing import Any

import pydicom
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.tag import BaseTag

from curate.deidentify import header
from curate.deidentify.header import clean_dataset
from curate.deidentify.nested import cleaned_items, cleaned_sequence
from curate.deidentify.profile import ProfileOptions
from curate.deidentify.tables.ps3_15 import plan
from curate.deidentify.walk import Walk
from curate.keyring import Keyring
from manifests.errors import RecordError
from tests.midi.planted import CARRIERS, SYNTAXES, Writer, planted_file

RING = Keyring.load("nested", 7)
PATIENT = RING.pseudonym("patient", "one")
OPTIONS = (
    ProfileOptions(),
    ProfileOptions(dates="remove", device=True, characteristics=True),
    ProfileOptions(dates="full", clean_structured_content=True, clean_descriptors=True, safe_private=True),
)


def cleaned(data: bytes, options: ProfileOptions, quick: bool) -> tuple[Any, set[int]]:
    """(the written bytes and the counts, or an error's reason), and the sequences that were done in their bytes."""
    done: set[int] = set()

    def noted(element: RawDataElement, walk: Walk, depth: int) -> RawDataElement | None:
        found = cleaned_sequence(element, walk, depth) if quick else None
        done.update({int(element.tag)} if found else ())
        return found

    def noted_items(ds: Dataset, tag: BaseTag, walk: Walk, depth: int) -> RawDataElement | None:
        found = cleaned_items(ds, tag, walk, depth) if quick else None
        done.update({int(tag)} if found else ())
        return found

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(header, "cleaned_sequence", noted)
        patch.setattr(header, "cleaned_items", noted_items)
        try:
            out = clean_dataset(pydicom.dcmread(io.BytesIO(data)), RING, PATIENT, options)
            return (written(out.dataset), out.actions), done
        except RecordError as error:
            return error.reason, done
        except BytesLengthException:  # a number of a wrong length that stays: pydicom cannot write it
            return "unwritable", done


def written(ds: Dataset) -> bytes:
    """The file, or what pydicom says of a VR that depends on an element which is not there, or that there is not in the
    standard: it cannot write them."""
    buffer = io.BytesIO()
    try:
        ds.save_as(buffer, enforce_file_format=True)
    except (ValueError, TypeError) as error:
        if not any(known in str(error) for known in ("Cannot write ambiguous VR", "encoding without a string")):
            raise
        return b"unwritable"
    return buffer.getvalue()


def file_of(body: bytes, syntax: str) -> bytes:
    meta = Writer(uid.ExplicitVRLittleEndian, random.Random(0))
    group = meta.element(0x00020002, "UI", uid.CTImageStorage.encode()) + meta.element(0x00020003, "UI", b"1.2.3")
    group += meta.element(0x00020010, "UI", syntax.encode())
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-15)
        body = packer.compress(body) + packer.flush()
    return bytes(128) + b"DICM" + meta.element(0x00020000, "UL", meta.pack("I", len(group))) + group + body


# ------------------------------------------------------------------------------------------------ the planted table


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS[:2], ids=["default", "retaining"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_row_of_the_table_at_every_depth_comes_out_alike_and_without_sentinels(
    syntax: str, options: ProfileOptions
) -> None:
    data, needles = planted_file(syntax, 5, tame=True)
    assert len(needles) > 2400
    quick, done = cleaned(data, options, quick=True)
    slow, _ = cleaned(data, options, quick=False)
    assert quick == slow
    assert CARRIERS[0] in done  # the sequence of the top level that has all the others in it
    if options == ProfileOptions() and syntax != uid.DeflatedExplicitVRLittleEndian:
        dates_moved_onto_others = {n for n in needles if n.isdigit() and len(n) == 8}
        assert [n for n in needles - dates_moved_onto_others if n in quick[0]] == []


@pytest.mark.slow
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_planted_file_of_broken_habits_comes_out_alike(syntax: str) -> None:
    data, _ = planted_file(syntax, 6)
    for options in OPTIONS:
        assert cleaned(data, options, quick=True)[0] == cleaned(data, options, quick=False)[0]


# ------------------------------------------------------------------------------------------------ random nests

RULES = plan()
_ONE_OF_EACH = {
    (r.action, r.vr, tag >> 16 & 1): tag for tag, r in sorted(RULES.items()) if r.vr != "SQ" and tag > 0x80010
}
LEAVES = sorted({*_ONE_OF_EACH.values(), 0x00080100, 0x00080102, 0x00080104, 0x00081155, 0x00200032, 0x7FE00010})
NESTS = (0x00081115, 0x00081199, 0x00089215, 0x00209111, 0x00209113, 0x00400555, 0x0040A043, 0x0040A730, 0x52009230)
ODD = (0x00080000, 0x00080005, 0x00090010, 0x00091001, 0x00087777, 0x50000010, 0x60003000, 0x00020010)
TEXTS = (b"", b"DOE^JOHN", b"20200103", b"20200103101112", b"1.2.840.999.3", b"1\\2\\3.5", b"DCM", b"070Y", b"101112",
         b"M\xfcller \\ J", b"CT\\MR ", b"\0", b"ID 12 ")  # fmt: skip


def vr_of(tag: int) -> str:
    rule = RULES.get(tag)
    return rule.vr.split(" or ")[0] if rule and rule.vr and len(rule.vr.split(" or ")[0]) == 2 else "LO"


@st.composite
def items(draw: st.DrawFn, writer: Writer, depth: int) -> bytes:
    """The bytes of one item's elements; now and then what no writer should write."""
    tags = draw(st.lists(st.sampled_from((*LEAVES, *ODD[: draw(st.integers(0, len(ODD)))])), max_size=6))
    nests = draw(st.lists(st.sampled_from(NESTS), max_size=2)) if depth else []
    order = sorted([*tags, *nests] if draw(st.integers(0, 9)) == 0 else {*tags, *nests})
    if draw(st.integers(0, 19)) == 0:
        order = order[::-1]
    parts = []
    for tag in order:
        if tag in NESTS:
            inner = draw(st.lists(items(writer, depth - 1), max_size=2))
            whole = writer.element(tag, "SQ", writer.items(*inner))
            parts.append(writer.undefined(tag, inner[0]) if inner and draw(st.integers(0, 4)) == 0 else whole)
        else:
            vr = vr_of(tag) if draw(st.integers(0, 14)) else draw(st.sampled_from(("LO", "UN", "CS", "OB", "UI", "SQ")))
            value = draw(
                st.sampled_from(TEXTS)
                if vr not in ("US", "SS", "UL", "SL", "FL", "FD", "AT")
                else st.binary(max_size=8)
            )
            parts.append(writer.element(tag, vr, value))
    body = b"".join(parts)
    if body and draw(st.integers(0, 29)) == 0:
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.binary(min_size=1, max_size=2)) + body[at + 1 :]
    return body


@st.composite
def files(draw: st.DrawFn) -> bytes:
    syntax = draw(st.sampled_from(SYNTAXES))
    writer = Writer(syntax, random.Random(0))
    head = writer.element(0x00080005, "CS", draw(st.sampled_from((b"", b"ISO_IR 100", b"ISO_IR 192"))))
    content = draw(st.lists(items(writer, 2), min_size=1, max_size=3))
    nest = writer.element(0x52009230, "SQ", writer.items(*content, content[0]))
    return file_of(head + nest, syntax)


def alike(data: bytes, options: ProfileOptions) -> set[int]:
    quick, done = cleaned(data, options, quick=True)
    slow, _ = cleaned(data, options, quick=False)
    assert quick == slow
    return done


@pytest.mark.slow
@given(files(), st.sampled_from(OPTIONS))
@settings(max_examples=200, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_random_nests_come_out_alike(data: bytes, options: ProfileOptions) -> None:
    alike(data, options)


def test_frames_are_cleaned_in_their_bytes() -> None:
    """The quick way is taken, else the tests above would compare the slow one with itself."""
    writer = Writer(uid.ExplicitVRLittleEndian, random.Random(0))
    frame = writer.element(0x00081155, "UI", b"1.2.999.1.1") + writer.element(0x00200032, "DS", b"1\\2\\3 ")
    nest = writer.element(0x52009230, "SQ", writer.items(*[frame] * 5))
    for one in (nest, writer.undefined(0x52009230, frame)):
        assert alike(file_of(one, uid.ExplicitVRLittleEndian), ProfileOptions()) == {0x52009230}
    data = file_of(nest, uid.ExplicitVRLittleEndian)
    out = clean_dataset(pydicom.dcmread(io.BytesIO(data)), RING, PATIENT).dataset
    assert isinstance(out.get_item(0x52009230), RawDataElement)
    assert {i.ReferencedSOPInstanceUID for i in out.PerFrameFunctionalGroupsSequence} == {RING.uid("1.2.999.1.1")}
