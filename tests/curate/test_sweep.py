"""What the sweep must find, what it must leave alone, and that it notices a rule that was switched off."""

from __future__ import annotations

import base64
import copy
import dataclasses
import datetime
import gzip
import importlib
import io
import json
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from curate.arrays import encode_npy_gz
from curate.audit.findings import Findings
from curate.audit.sweep import check_row_shapes, check_sample_shapes, check_withheld
from curate.deidentify import ProfileOptions, header
from curate.keyring import Keyring
from curate.sweep import Needles, Sweep, begin, derive, hits_in_member, hits_in_text, hits_of, listening, needles_of
from curate.sweep.needles import kept_tags
from curate.sweep.other import add_scrubbed
from curate.sweep.record import is_sealed, sealed, withheld
from curate.sweep.search import outside_pixels
from curate.sweep.stage import hits_in_sample
from manifests.record import Fact, FileRef, Media, Record, Step, record_key
from sources.base import Item, Place
from tests.corpus import packaged

RING = Keyring.load("sweep", 3)
UID = "1.2.999.31337.42.20040119.7"


def patient() -> Dataset:
    ds = Dataset()
    ds.PatientName = "Zweifelhofer^Annegret^Maria"
    ds.PatientID = "KH-4711-0815"
    ds.AccessionNumber = "88123456"
    ds.PatientBirthDate = "19500317"
    ds.StudyDate = "20040119"
    ds.SOPInstanceUID = UID
    ds.PatientTelephoneNumbers = "(089) 123-4567"
    ds.ReferringPhysicianName = "Brown^James"
    ds.InstitutionName = "Klinikum Hintertupfing"
    ds.StudyDescription = "CT"
    ds.ImageComments = "seen by phone 0151 23456789, file 99887766, with her sister"
    inner = Dataset()
    inner.PatientName = "Nestlinger^Ida"
    ds.OtherPatientIDsSequence = Sequence([inner])
    ds.add_new(0x00091001, "PN", "Privatissima^Eva")
    return ds


def found(text: str, needles: Needles | None = None) -> set[str]:
    return {hit.kind for hit in hits_in_text(text, needles or needles_of(patient()), "here")}


def record(**said: Any) -> Record:
    blank = Record("k" * 32, "src", "src/a.dcm", "a.dcm", "0" * 64, "image", "g" * 24, "MIT", "open")
    return dataclasses.replace(blank, files=(FileRef("a.dcm", "0" * 64, 1),), **said)


FORMS = {
    "Zweifelhofer^Annegret^Maria": "PatientName",
    "annegret maria zweifelhofer": "PatientName",
    "ANNEGRET ZWEIFELHOFER": "PatientName",
    "Zweifelhofer, Annegret": "PatientName",
    "Zweifelhofer_Annegret.png": "PatientName",
    "annegretzweifelhofer": "PatientName",
    "of Mrs Zweifelhofer the": "PatientName",
    "Ｚｗｅｉｆｅｌｈｏｆｅｒ": "PatientName",
    "scan KH-4711-0815": "PatientID",
    "kh47110815 / kh 4711 0815": "PatientID",
    "xxkh-4711-0815yy": "PatientID",
    "no. 88123456": "AccessionNumber",
    "id88123456x": "AccessionNumber",
    "089/123 4567": "PatientTelephoneNumbers",
    "tel0891234567": "PatientTelephoneNumbers",
    "James Brown": "ReferringPhysicianName",
    "Klinikum-Hintertupfing": "InstitutionName",
    "call 99887766": "ImageComments",
    "Nestlinger": "PatientName",
    "Eva Privatissima": "private",
    "20040119": "StudyDate",
    "scan20040119_2": "StudyDate",
    "20040119072730.123": "StudyDate",
    "2004-01-19": "StudyDate",
    "2004-1-19": "StudyDate",
    "19.01.2004": "StudyDate",
    "01/19/2004": "StudyDate",
    "19 January 2004": "StudyDate",
    "19th of Jan 2004": "StudyDate",
    "January 19, 2004": "StudyDate",
    "19-JAN-2004": "StudyDate",
    "2004年1月19日": "StudyDate",
    "born 17.3.1950": "PatientBirthDate",
    f"CT.{UID}.dcm": "SOPInstanceUID",
    UID.replace(".", "_"): "SOPInstanceUID",
}


@pytest.mark.parametrize("text", FORMS)
def test_every_usual_form_of_an_identifier_is_found(text: str) -> None:
    assert FORMS[text] in found(text)


INNOCENT = (
    "brown adipose tissue of the chest, CT, 512 x 512 x 19, in 2004",
    "0.20040119 and 120040119 and 3.25 HU, 2004 01, 19.01",
    "sister, phone, marianne, Klinikum, file 0151",
    "4711 0815",
    "a3f20040119b" + "0" * 52,  # a digest of ours
)


@pytest.mark.parametrize("text", INNOCENT)
def test_common_words_numbers_and_digests_are_no_identifiers(text: str) -> None:
    assert found(text) == set()


ALPHABETS = ("Müller-Çelik^Jürgen", "Иванова^Мария", "张^伟明", "Yamada^Taro=山田^太郎=やまだ^たろう")
HELD = [(n, e) for n in ALPHABETS for e in ("utf-8", "utf-16le", "utf-16be")] + [(ALPHABETS[0], "latin-1")]


@pytest.mark.parametrize(("name", "encoding"), HELD)
def test_names_of_other_alphabets_are_found_in_every_encoding_that_holds_them(name: str, encoding: str) -> None:
    needles = Needles()
    needles.add_name("PatientName", name)
    text = f"said of {name.split('=')[-1].replace('^', ' ')} today"
    assert {h.kind for h in hits_in_member("note.txt", text.encode(encoding), needles)} == {"PatientName"}


def encodings(text: str) -> dict[str, bytes]:
    raw = text.encode()
    return {
        "utf-8": raw,
        "utf-16le": text.encode("utf-16le"),
        "utf-16be": b"x" + text.encode("utf-16be"),
        "base64 0": b"see " + base64.b64encode(raw),
        "base64 1": base64.b64encode(b"a" + raw + b"bc"),
        "base64 2": base64.b64encode(b"ab" + raw + b"c"),
        "base64 url": b"data/" + base64.urlsafe_b64encode(b"\xff\xfe~~ " + raw),
        "base64 utf-16": base64.b64encode(text.encode("utf-16le")),
        "percent": quote(text, safe="").encode(),
        "percent all": "".join(f"%{b:02X}" for b in raw).encode(),
        "json": json.dumps({"a": "".join(f"\\u{ord(c):04x}" for c in text)}).encode(),
        "json raw": ('{"a": "' + "".join(f"\\u{ord(c):04x}" for c in text) + '"}').encode(),
        "html": "".join(f"&#{ord(c)};" for c in text).encode(),
        "hex": raw.hex().encode(),
        "hex upper": b"0x" + raw.hex().upper().encode(),
        "hex dump": raw.hex(" ").encode(),
        "hex utf-16": text.encode("utf-16le").hex().encode(),
        "percent of base64": quote(base64.b64encode(raw + b"??").decode(), safe="").encode(),
    }


@pytest.mark.parametrize("encoding", encodings(""))
@pytest.mark.parametrize(
    "text", ["Zweifelhofer^Annegret", "ANNEGRET ZWEIFELHOFER", "KH-4711-0815", "2004-01-19", "19500317", UID]
)
def test_every_encoding_is_read_in_text_json_and_logs(text: str, encoding: str) -> None:
    data = encodings(f" {text} ")[encoding]
    needles = needles_of(patient())
    assert list(hits_in_member("note.txt", data, needles)), encoding
    if b"\0" not in data and encoding != "json":
        sweep = Sweep(needles, [data.decode()])
        assert {h.where for h in hits_of(record(), (), sweep)} == {"log"}
        assert {h.where for h in hits_of(record(text=data.decode()), (), Sweep(needles))} == {"text"}


def test_a_hit_names_kind_encoding_member_and_offset_and_never_the_text() -> None:
    hits = hits_of(record(text="by Dr. James Brown"), (), Sweep(needles_of(patient())))
    assert [h.line() for h in hits] == ["ReferringPhysicianName as utf-8 in text at 7"]
    ended = withheld(record(text="by Dr. James Brown"), hits, RING)
    assert (ended.status, ended.reason, ended.text) == ("failed", "identifier_in_output", "")
    assert not list(hits_in_text(json.dumps(dataclasses.asdict(ended)), needles_of(patient()), ""))


def test_needles_are_not_written_not_pickled_and_not_shown() -> None:
    sweep = Sweep(needles_of(patient()), ["line of Zweifelhofer"])
    assert "weifel" not in repr(sweep).lower() + repr(sweep.needles).lower()
    for broken in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="stay in the process"):
            broken(sweep.needles)


# --- every place -----------------------------------------------------------------------------------------------------

SECRET = "Zweifelhofer"


def every_text_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, str):
        return [path]
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in every_text_of(v, (*path, k))]
    if isinstance(value, (list, tuple)):
        return [p for i, v in enumerate(value) for p in every_text_of(v, (*path, i))]
    return []


def test_every_text_of_a_record_is_searched_but_the_recipes_words_and_our_own_digests() -> None:
    full = record(
        media=(Media("png", "image", (1, 1), "uint8", "0" * 64, 1, label="x"),),
        facts=(Fact("label", "v", "o", "u", "a"),),
        steps=(Step("s", "p", "r"),),
    )
    ours = {"key", "source", "sha256", "kind", "group", "licence", "access", "phash", "status", "role"}
    needles = needles_of(patient())
    for path in every_text_of(dataclasses.asdict(full)):
        if path[-1] in ours:
            continue
        spoilt = json.loads(json.dumps(dataclasses.asdict(full)))
        inside = spoilt
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = f"src/{SECRET}" if path == ("uri",) else SECRET
        made = dataclasses.replace(
            full,
            **{k: v for k, v in spoilt.items() if k not in ("media", "facts", "steps", "files")},
            files=tuple(FileRef(**f) for f in spoilt["files"]),
            facts=tuple(Fact(**f) for f in spoilt["facts"]),
            steps=tuple(Step(**s) for s in spoilt["steps"]),
            media=tuple(Media(**m) for m in spoilt["media"]),
        )
        assert hits_of(made, (), Sweep(needles)), path


def png(extra: bytes) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(stream, "png")
    head = stream.getvalue()
    chunk = b"tEXt" + extra
    return head[:33] + struct.pack(">I", len(extra)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + head[33:]


def jpeg(extra: bytes) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(stream, "jpeg")
    whole = stream.getvalue()
    return whole[:2] + b"\xff\xfe" + struct.pack(">H", len(extra) + 2) + extra + whole[2:]


def mp4(box: bytes, media: bytes = b"") -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, 4096, np.uint8).tobytes()
    boxes = ((b"ftyp", b"isom\0\0\2\0"), (b"moov", b"\0\0\0\0" + box), (b"mdat", noise + media + noise))
    return b"".join(struct.pack(">I", len(d) + 8) + n + d for n, d in boxes)


NAME = b"Annegret Zweifelhofer"
ARRAY = np.arange(512, dtype=np.int16).reshape(8, 8, 8)
MEMBERS = {
    "json": json.dumps({"Zweifelhofer": [1]}).encode(),
    "json number": json.dumps({"a": [88123456]}).encode(),
    "png text": png(b"Author\0" + NAME),
    "png tail": png(b"a\0b") + NAME,
    "jpeg comment": jpeg(NAME.upper()),
    "jpeg tail": jpeg(b"") + NAME,
    "mp4 box": mp4(b"\xa9nam" + NAME),
    "mp4 box utf-16": mp4(NAME.decode().encode("utf-16le")),
    "mp4 media": mp4(b"", NAME),
    "mp4 media utf-16": mp4(b"", NAME.decode().encode("utf-16be")),
    "gzip name": gzip.compress(b"plain text")[:3] + b"\x08" + gzip.compress(b"plain text")[4:10] + NAME + b"\0",
    "gzip text": gzip.compress(b"a text of " + NAME),
    "array tail": gzip.compress(gzip.decompress(encode_npy_gz(ARRAY)) + NAME),
}


@pytest.mark.parametrize("place", MEMBERS)
def test_every_place_of_a_member_is_searched(place: str, tmp_path: Path) -> None:
    needles, data = needles_of(patient()), MEMBERS[place]
    if place == "gzip name":
        data += gzip.compress(b"plain text")[10:]
    name = place.split(" ", maxsplit=1)[0]
    assert list(hits_in_member(name, data, needles))
    file = tmp_path / "stored"
    file.write_bytes(data)
    assert [h.kind for h in hits_in_member(name, file, needles)] == [
        h.kind for h in hits_in_member(name, data, needles)
    ]


def test_a_sound_array_and_noise_hold_nothing_and_deep_looks_into_the_numbers() -> None:
    needles = needles_of(patient())
    noise = np.random.default_rng(2).integers(0, 256, 1 << 20, np.uint8)
    for data in (encode_npy_gz(ARRAY), mp4(noise.tobytes()[:2000]), png(b"a\0b"), jpeg(b"")):
        assert not list(hits_in_member("x", data, needles, deep=True))
    text = np.frombuffer(NAME + b"\0" * 43, np.uint8).reshape(8, 8)
    assert not list(hits_in_member("image.npy.gz", encode_npy_gz(text), needles))
    assert list(hits_in_member("image.npy.gz", encode_npy_gz(text), needles, deep=True))


@pytest.mark.filterwarnings("default")
def test_logs_and_warnings_while_reading_are_heard() -> None:
    import logging
    import warnings

    sweep = Sweep(needles_of(patient()))
    with listening(sweep.logged):
        logging.getLogger("some.library").warning("bad value %s", "KH-4711-0815")
        warnings.warn("cannot parse 19500317", stacklevel=1)
    assert {h.kind for h in hits_of(record(), (), sweep)} == {"PatientID", "PatientBirthDate"}


def test_samples_and_teacher_texts_are_searched_without_the_recipes_words() -> None:
    needles = needles_of(patient())
    sample = {"source": "zweifelhofer", "licence": "MIT", "conversations": [{"role": "user", "content": "CT?"}]}
    assert not list(hits_in_sample(sample, needles))
    sample["conversations"] = [{"role": "assistant", "content": "Seen on January 19th, 2004."}]
    assert {h.kind for h in hits_in_sample(sample, needles)} == {"StudyDate"}


# --- lineage ---------------------------------------------------------------------------------------------------------


def test_a_lineage_names_no_one_and_still_tells_two_files_apart() -> None:
    needles = needles_of(patient())
    path = f"KH-4711-0815/study_20040119/{UID}.dcm"
    key = record_key("src", path, "0" * 64)
    telling = record(upstream_id=path)
    telling = dataclasses.replace(telling, uri=f"src/{path}", files=(FileRef(path, "0" * 64, 1),), key=key, group=key)
    shut = sealed(telling, needles, RING)
    assert not hits_of(shut, (), Sweep(needles))
    assert shut.key != telling.key
    assert shut.group == shut.key
    assert shut.upstream_id == shut.files[0].path == shut.uri.removeprefix("src/")
    assert is_sealed(shut, telling, RING)
    assert is_sealed(telling, telling, RING)
    for field, value in (("key", key), ("group", key), ("upstream_id", path + "x"), ("licence", "GPL")):
        other_field: dict[str, Any] = {field: value}
        assert not is_sealed(dataclasses.replace(shut, **other_field), telling, RING)
    assert not is_sealed(shut, telling, Keyring.load("another", 3))
    other = sealed(dataclasses.replace(telling, upstream_id=path.replace("0815", "0816")), needles, RING)
    assert other.upstream_id != shut.upstream_id
    assert sealed(record(), needles, RING) == record()
    halves = sealed(record(upstream_id="james/brown/1.dcm"), needles, RING)
    assert halves.upstream_id.startswith("~")


# --- other forms -----------------------------------------------------------------------------------------------------


def test_header_strings_of_nifti_and_exif_and_scrubbed_text_are_needles(tmp_path: Path) -> None:
    from PIL import Image

    nibabel: Any = importlib.import_module("nibabel")  # its functions are not annotated

    volume = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    volume.header["descrip"] = b"Zweifelhofer 20040119"
    volume.header["db_name"] = b"KH-4711-0815"
    nibabel.save(volume, tmp_path / "v.nii.gz")
    exif = Image.Exif()
    exif[315], exif[306] = "Annegret Zweifelhofer", "2004:01:19 10:00:00"
    Image.new("L", (4, 4)).save(tmp_path / "p.jpg", exif=exif)
    place = Place(tmp_path, tmp_path)

    def kinds(form: Any, path: str, said: str, text: str = "") -> set[str]:
        item = Item("id", form, (FileRef(path, "0" * 64, 1),), text=text)
        return {h.kind for h in hits_of(record(text=said), (), begin(item, place))}

    assert kinds("volume", "v.nii.gz", "on 19.01.2004") == {"descrip"}
    assert kinds("volume", "v.nii.gz", "kh-4711-0815") == {"db_name"}
    assert kinds("picture", "p.jpg", "by zweifelhofer, annegret") == {"Artist"}
    assert kinds("picture", "p.jpg", "2004-01-19") == {"DateTime"}
    assert kinds("text", "q.jsonl", "on 2004-01-19", text="Seen 2004-01-19.") == {"ScrubbedText"}
    call = "Please call 089 123-4567 for the results."
    assert kinds("text", "q.jsonl", "the number is 089 123-4567", text=call) == {"ScrubbedText"}
    assert kinds("text", "q.jsonl", "0891234567", text=call) == {"ScrubbedText"}
    assert kinds("text", "q.jsonl", "please call for the results in 089 days", text=call) == set()
    assert kinds("clip", "DOE^JOHN/20040119.mp4", "John Doe, 2004-01-19") == {"SourcePath"}


# --- a rule that is switched off -------------------------------------------------------------------------------------


def cleaned_text(ds: Dataset) -> str:
    return header.clean_dataset(ds, RING, RING.pseudonym("patient", "1")).dataset.to_json(suppress_invalid_tags=True)


@pytest.mark.parametrize(
    "keyword", ["PatientName", "PatientID", "AccessionNumber", "StudyDate", "SOPInstanceUID", "InstitutionName"]
)
def test_the_sweep_notices_a_switched_off_rule_of_the_header(keyword: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needles = needles_of(patient())
    assert keyword not in found(cleaned_text(patient()), needles)
    whole: Any = header.plan  # type: ignore[attr-defined]

    def with_a_hole(*options: Any) -> dict[int, Any]:
        rules = dict(whole(*options))
        tag = int(pydicom.datadict.tag_for_keyword(keyword) or 0)
        return rules | {tag: rules[tag]._replace(action="K")}

    monkeypatch.setattr(header, "plan", with_a_hole)
    assert keyword in found(cleaned_text(patient()), needles)


def test_what_an_option_retains_is_no_needle_wherever_it_stands_and_the_default_retains_nothing() -> None:
    ds = patient()
    ds.ImageComments = "done 20040119, born 17.3.1950, Klinikum Hintertupfing"
    assert kept_tags(ProfileOptions()) == frozenset()
    dated = needles_of(ds, kept=kept_tags(ProfileOptions(dates="full")))
    assert found("19 January 2004", dated) == set()
    assert found("17 March 1950", dated) == {"PatientBirthDate"}
    placed = needles_of(ds, kept=kept_tags(ProfileOptions(institution=True)))
    assert found("Klinikum Hintertupfing", placed) == set()
    assert found("19 January 2004, Zweifelhofer", placed) == {"StudyDate", "PatientName"}


def test_the_slices_of_a_series_add_what_only_they_say(tmp_path: Path) -> None:
    ds = pydicom.dcmread(packaged("CT_small.dcm"))
    paths = [tmp_path / f"{n}.dcm" for n in range(3)]
    for path, day, name in zip(paths, ("20010203", "20010203", "20040506"), ("", "Seltsam^Eva", ""), strict=True):
        ds.ContentDate, ds.OperatorsName = day, name
        ds.save_as(path)
    sweep = Sweep()
    sweep.header(pydicom.dcmread(paths[0]))
    assert found("Eva Seltsam, 6 May 2004", sweep.needles) == set()
    sweep.slices(paths)
    assert found("Eva Seltsam, 6 May 2004", sweep.needles) == {"OperatorsName", "ContentDate"}


def test_of_a_rendered_member_everything_but_pixels_is_left() -> None:
    assert NAME in outside_pixels(png(b"Author\0" + NAME))
    assert NAME in outside_pixels(jpeg(NAME))
    assert NAME in outside_pixels(mp4(b"\xa9nam" + NAME))
    assert NAME not in outside_pixels(mp4(b"", NAME))
    assert len(outside_pixels(png(b"a\0b"))) < 200
    assert b"<i2" in outside_pixels(encode_npy_gz(ARRAY))


# --- real data -------------------------------------------------------------------------------------------------------


def test_packaged_headers_once_cleaned_hold_no_needle_beyond_words_of_kept_fields() -> None:
    held: set[tuple[str, str]] = set()
    for name in ("CT_small.dcm", "MR_small.dcm", "liver.dcm", "JPEG2000.dcm", "US1_UNCR.dcm", "rtstruct.dcm"):
        path = packaged(name)
        if path.is_file():
            ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            needles = needles_of(ds)
            assert len(needles) > 3
            held |= {(name, kind) for kind in found(cleaned_text(ds), needles)}
    assert held == set()


def test_needles_derived_later_are_those_of_the_header() -> None:
    path = packaged("CT_small.dcm")
    item = Item("CT_small.dcm", "dicom_image", (FileRef("CT_small.dcm", "0" * 64, 1),))
    again = derive(item, Place(path.parent, path.parent))
    first = needles_of(pydicom.dcmread(path, stop_before_pixels=True))
    assert (again.words, again.days, again.anywhere) == (first.words, first.days, first.anywhere)


# --- verify ----------------------------------------------------------------------------------------------------------


def test_verify_fails_for_a_withheld_record_and_for_shapes_of_identifiers_without_quoting_them() -> None:
    findings = Findings()
    check_withheld(0, findings)
    check_sample_shapes("s", b'{"text": "2.25.77 and 1.2.840.10008.1.2, 10^9/L", "path": "a/b.dcm"}', findings)
    assert findings.report().ok
    check_withheld(2, findings)
    check_sample_shapes("s", json.dumps({"text": ["mail a.b@clinic.org"]}).encode(), findings)
    check_row_shapes("r", {"upstream_id": f"x/{UID}", "lineage": [{"path": "DOE^JOHN/1"}]}, findings)
    report = findings.report()
    assert [f.check for f in report.findings] == ["identifier_in_output", *["identifier_shape"] * 3]
    assert not any(secret in report.to_json() for secret in (UID, "clinic", "DOE"))


def test_days_of_a_year_are_found_in_all_their_forms() -> None:
    first = datetime.date(2003, 12, 25)
    for n in range(40):
        day = first + datetime.timedelta(days=n)
        needles = Needles()
        needles.add_day("StudyDate", f"{day:%Y%m%d}")
        for form in ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%d%b%Y", "%Y_%m_%d"):
            assert found(f"on {day:{form}}.", needles) == {"StudyDate"}, form


PUT_OFF = "Seen 19.01.2004 and on January 2, 2005; MRN KH88123, call (089) 123-4567, id 9988776655, 1.2.999.31337.42.7"
SHOWN = (
    "2004-01-19", "19 January 2004", "scan20050102_1", "mrn: kh88123", "MRN, KH88123.", "089 1234567",
    "089/123-4567", "tel0891234567", "(089) 1234567", "x9988776655", "no. 99 88 77 66 55", "1.2.999.31337.42.7",
    "1_2_999_31337_42_7", base64.b64encode(b" on 2004-01-19 ").decode(), b"9988776655".hex(),
)  # fmt: skip


@pytest.mark.parametrize("shown", SHOWN)
def test_a_scrubbed_identifier_is_found_as_if_its_forms_had_been_made_at_once(shown: str) -> None:
    at_once, later = Needles(), Needles()
    add_scrubbed(at_once, (PUT_OFF,))
    at_once.wake_all()
    add_scrubbed(later, (PUT_OFF,))
    text = f"MRI of 2009, WBC 10332, seen {shown} by us"
    assert found(text, later) == found(text, at_once) == {"ScrubbedText"}
    assert found("MRI of 2009, WBC 10332, 3.25 HU, 19 of 2 January", later) == set()


@pytest.mark.slow
@settings(max_examples=150)
@given(
    source=st.text("0123456789 -./:+()JanMRNcallDrsmith@x", max_size=60),
    made=st.text("0123456789 -./:+()JanMRNcallDrsmith@x", max_size=60),
    cut=st.integers(0, 60),
)
def test_what_is_put_off_hides_nothing(source: str, made: str, cut: int) -> None:
    at_once, later = Needles(), Needles()
    for needles in (at_once, later):
        add_scrubbed(needles, (source, PUT_OFF))
    at_once.wake_all()
    for text in (made, f"{made} {source[cut:]}", f"{source[:cut]}-{PUT_OFF[cut:]}", PUT_OFF[:cut]):
        assert found(text, later) == found(text, at_once)
        assert not at_once.asleep
        assert not at_once.undated
