"""A rule of the de-identification that is switched off costs its record, and nothing that the run wrote holds the name:
shards, ledger, documents, requests to a teacher, units. What may name source files in the clear is the list of them."""

from __future__ import annotations

import dataclasses
import gzip
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
import yaml
from PIL import Image

from curate import dicom, image, members, prepare, readers_dicom, readers_picture, sweep, volume
from curate.audit import verify
from curate.deidentify import DeidentifyConfig
from curate.dicom import header_facts
from curate.inventory import KeyHint
from curate.keyring import Keyring
from curate.loaded import step
from curate.prepare import PrepareSpec
from curate.sweep import Needles, hits_in_text
from manifests.errors import RecordError
from manifests.manifest import read_manifest
from manifests.record import Fact, Media
from sources.base import Entry, Place
from sources.image_table import ImageTable
from sources.video_table import VideoTable
from synth.requests import Ledger
from tests.corpus import make_volume, packaged, run_recipe

NAME = "Zweifelhofer"
PERSON = f"{NAME}^Annegret"
LISTS = ("entries.json", "items.jsonl")  # names of source files, for workers; the work folder is private
SOURCES: dict[str, dict[str, Any]] = {
    "scans": {"source": "dicom_tree", "root": "scans"},
    "volumes": {"source": "nifti_masks", "root": "msd", "labels": {1: "left part", 2: "right part"}},
    "pictures": {"source": "image_table", "root": "pictures"},
    "table": {"source": "image_table", "root": "table", "table": "t.csv", "text": "says", "group": "who"},
    "texts": {"source": "jsonl_text", "root": "texts", "question": "q", "answer": "a", "text": "t", "group": "who"},
}
SAID = "The heart is of normal size and the lungs are clear, as Dr {} wrote on 19 January 2004, MRN 88123456."
TEACHER = {"backend": "scripted", "otherwise": json.dumps({"text": f"An image of {NAME}, Annegret.", "sentence": NAME})}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One record of each kind, all of one person, whom two of the paths name too."""
    root = tmp_path_factory.mktemp("data")
    (root / "scans" / f"{NAME}_Annegret").mkdir(parents=True)
    ds = pydicom.dcmread(packaged("CT_small.dcm"))
    ds.PatientName, ds.StudyDate, ds.PatientID = PERSON, "20030304", "KH-4711-0815"
    ds.save_as(root / "scans" / f"{NAME}_Annegret" / "1.dcm")
    make_volume(root / "msd")
    nibabel: Any = importlib.import_module("nibabel")  # its functions are not annotated
    volume = nibabel.load(root / "msd" / "imagesTr" / "case_1.nii.gz")
    volume.header["db_name"] = NAME.encode()
    nibabel.save(volume, root / "msd" / "imagesTr" / "case_1.nii.gz")
    (root / "pictures").mkdir()
    exif = Image.Exif()
    exif[315] = f"Annegret {NAME}"
    noise = np.random.default_rng(0).integers(0, 255, (256, 256), np.uint8)
    Image.fromarray(noise).save(root / "pictures" / "p.jpg", exif=exif)
    (root / "table" / "KH-4711-0815").mkdir(parents=True)
    for name in ("a", "b"):
        noise = np.random.default_rng(ord(name)).integers(0, 255, (256, 256), np.uint8)
        Image.fromarray(noise).save(root / "table" / "KH-4711-0815" / f"{name}.png")
    said = ("The lungs are clear.", "The lungs of KH-4711-0815 are clear.")
    table = [f"KH-4711-0815/{name}.png,KH-4711-0815,{text}" for name, text in zip("ab", said, strict=True)]
    (root / "table" / "t.csv").write_text("\n".join(["image,who,says", *table]))
    rows = [{"q": "What is seen?", "a": SAID.format(NAME), "t": "", "who": "KH-4711-0815"}]
    rows.append({**rows[0], "a": "No finding is mentioned in the report of patient KH-4711-0815 at all.", "t": "A"})
    (root / "texts" / PERSON).mkdir(parents=True)
    (root / "texts" / PERSON / "qa.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


def recipe(root: Path, source: str, folder: Path, **more: Any) -> Path:
    made = {
        "name": "leak",
        "seed": 1,
        "sources": [{"licence": "MIT", **SOURCES[source], "root": str(root / SOURCES[source]["root"])}],
        "deidentify": {"faces": {"keep": "packaged test data"}, "burned_in": {"keep": "packaged test data"}},
        "limits": {"failed": 1.0},
    }
    path = folder / "leak.yaml"
    path.write_text(yaml.safe_dump(made | more))
    return path


def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse where a rule can be switched off."""
    real = prepare.units_of
    monkeypatch.setattr(
        prepare, "units_of", lambda recipe, source, place, items, key, _: real(recipe, source, place, items, key, None)
    )


def written(out: Path) -> Iterator[tuple[Path, str]]:
    """Everything below an output, its work folder among it, as text: parquet and gzip members resolved."""
    for path in sorted(p for p in out.rglob("*") if p.is_file() and p.name not in LISTS):
        if path.suffix == ".parquet":
            yield path, json.dumps(pq.read_table(path).to_pylist(), default=repr, ensure_ascii=False)
        else:
            data = path.read_bytes()
            at = data.find(b"\x1f\x8b\x08")
            yield path, (gzip.decompress(data) if at == 0 else data).decode("latin-1")


def nothing_names_her(out: Path) -> bool:
    needles = Needles()
    needles.add_name("PatientName", PERSON)
    needles.add_value("PatientID", "KH-4711-0815")
    return not [path for path, text in written(out) if any(hits_in_text(text, needles, "")) or NAME in text]


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [row for part in read_manifest(out).ledger for row in pq.read_table(out / part.path).to_pylist()]


# --- one rule off for each kind --------------------------------------------------------------------------------------


def header_in_the_story(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(readers_dicom, "_syntax_step", lambda ds: step("read", f"of {ds.PatientName}"))


def header_in_the_facts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(header_facts, "facts", lambda ds: (Fact("label", "seen on 2003-03-04", "dicom:0008,0020"),))


def header_in_an_error(patch: pytest.MonkeyPatch) -> None:
    def broken(ds: Any) -> Any:
        raise RecordError("bad_pixels", f"no pixels of {ds.PatientName}", "none")

    patch.setattr(dicom, "read_image", broken)


def original_as_member(patch: pytest.MonkeyPatch) -> None:
    """Re-encoding switched off: the file itself, EXIF and all."""
    files: list[Path] = []
    read, member = image.read_image, members.image_member

    def remembered(path: Path) -> Any:
        files.append(path)
        return read(path)

    def taken_over(decoded: Any, number: int = 0) -> tuple[Media, bytes]:
        data = files[-1].read_bytes()
        return dataclasses.replace(member(decoded, number)[0], size_bytes=len(data)), data

    patch.setattr(image, "read_image", remembered)
    patch.setattr(readers_picture, "image_member", taken_over)


def header_string_in_the_notes(patch: pytest.MonkeyPatch) -> None:
    real = volume.read_volume

    def with_its_name(path: Path, units: Any = "scanner", max_bytes: int = 1 << 30, part: int = 0) -> Any:
        return dataclasses.replace(real(path, units, max_bytes, part), notes=(f"db_name:{NAME}",))

    patch.setattr(volume, "read_volume", with_its_name)


def texts_as_they_are(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("curate.loaded.scrub_text", lambda text, known: (text, 0))


def paths_as_they_are(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(prepare, "sealed", lambda record, needles, keyring: record)


RULES: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None], set[str], int]] = {
    "a header in the record's story": ("scans", header_in_the_story, {"PatientName"}, 1),
    "a header in its facts": ("scans", header_in_the_facts, {"StudyDate"}, 1),
    "a header in an exception": ("scans", header_in_an_error, {"PatientName"}, 1),
    "a name in the path": ("scans", paths_as_they_are, {"PatientName"}, 1),
    "EXIF in the member": ("pictures", original_as_member, {"Artist"}, 1),
    "a NIfTI header's string": ("volumes", header_string_in_the_notes, {"db_name"}, 1),
    "identifiers in a text": ("texts", texts_as_they_are, {"ScrubbedText"}, 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_switched_off_costs_its_record_and_the_verification(
    rule: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, switch_off, kinds, count = RULES[rule]
    in_this_process(monkeypatch)
    switch_off(monkeypatch)
    out = tmp_path / "out"
    manifest = run_recipe(recipe(data, source, tmp_path), out).manifest
    lost = [row for row in rows_of(out) if row["reason"] == "identifier_in_output"]
    assert manifest.counts.failed == {"identifier_in_output": count}, [row["found"] for row in rows_of(out)]
    assert manifest.counts.read == len(rows_of(out))
    assert {word for row in lost for word in row["found"].split()} >= kinds
    assert all(row["status"] == "failed" and not row["samples"] for row in lost)
    assert nothing_names_her(out)
    assert [f.check for f in verify(out).findings] == ["identifier_in_output"]


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_with_every_rule_on_nothing_names_her_and_what_is_clean_is_kept(
    source: str, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    manifest = run_recipe(recipe(data, source, tmp_path), out).manifest
    assert manifest.counts.kept >= 1
    # The second text names the patient by the number that its own row has for her, which no header told the scrubber.
    told = source in ("texts", "table")
    assert manifest.counts.failed == ({"identifier_in_output": 1} if told else {})
    assert nothing_names_her(out)
    checks = [f.check for f in verify(out).findings]
    assert checks == (["identifier_in_output"] if told else [])


@pytest.mark.parametrize(("kind", "media"), [(ImageTable, "image"), (VideoTable, "video")])
def test_the_group_of_a_tables_row_is_a_needle_of_its_record_alone(
    kind: type[ImageTable | VideoTable], media: str, tmp_path: Path
) -> None:
    """What no pseudonym tells the parser's process: the row is looked up again. Words may be a class, and are none."""
    groups = ("KH-4711-0815", "Weiss, Eva", "polyp", "")
    rows = [f'{n}.png,"{group}"\n' for n, group in enumerate(groups)]
    (tmp_path / "t.csv").write_text(f"{media},who\n\n" + "\n".join(rows))
    keys = {"source": kind.card.name, "root": ".", "licence": "MIT", "table": "t.csv", "group": "who"}
    source = kind.model_validate(keys)
    names = ("t.csv", *(f"{n}.png" for n in range(4)))
    place, inventory = Place(tmp_path, tmp_path), [Entry(name, 1, "0" * 64, {}) for name in names]
    items = [i for i in source.items(place, inventory, lambda kind, value: "pseudonym") if i.form != "none"]
    spec = PrepareSpec(source, place, tuple(items), DeidentifyConfig(), KeyHint("n", 0, "", ""), None)
    told = list(prepare.told_rows(spec, Keyring.load("n", 0)))
    assert [values for _, values in told] == [("KH-4711-0815",), ("Weiss, Eva",), ("polyp",), ()]
    for name in names:
        (tmp_path / name).write_bytes(b"x")  # nothing in the media: what is found is the row's
    for said, expected in (("KH-4711-0815", 0), ("eva weiss", 1), ("polyp", None)):
        found = [set(hits_in_text(f"by {said}.", sweep.begin(i, place, groups=g).needles, "")) for i, g in told]
        assert [n for n, hits in enumerate(found) if hits] == ([] if expected is None else [expected])
        assert all(hit.kind == "PatientColumn" for hits in found for hit in hits)


@pytest.mark.slow
def test_a_teacher_that_says_the_name_costs_the_record_and_its_answers_are_forgotten(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = recipe(data, "scans", tmp_path, tasks=[{"task": "caption"}, {"task": "narrate"}], teacher=TEACHER)
    manifest = run_recipe(asked, out).manifest
    assert manifest.counts.failed == {"identifier_in_output": 1}
    assert manifest.counts.read == manifest.counts.kept + sum(manifest.counts.dropped.values()) + 1
    assert not list(Ledger(out / ".work" / "requests").root.rglob("*.json"))
    assert nothing_names_her_but_the_recipe(out)
    assert run_recipe(asked, out).executed == 0
    assert [f.check for f in verify(out).findings] == ["identifier_in_output"]


def nothing_names_her_but_the_recipe(out: Path) -> bool:
    """The scripted answers stand in the recipe, which the manifest repeats."""
    return [path.name for path, text in written(out) if NAME in text] == ["manifest.json"]
