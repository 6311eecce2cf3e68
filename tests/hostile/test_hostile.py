"""Every hostile file ends as it must, alone and among sound ones: within its limits, without a word of its content."""

from __future__ import annotations

import io
import json
import re
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate import sandbox
from curate.audit import verify
from manifests.manifest import read_manifest
from tests.corpus import run_recipe
from tests.hostile import archives, dicom, image, nifti, tables, text, video
from tests.hostile.case import SECRET, SOURCES, Case, alone, ends_as_expected, recipe_of, source_keys, write_case
from tests.hostile.sound import write_sound

CASES: tuple[Case, ...] = (
    *dicom.CASES, *nifti.CASES, *image.CASES, *video.CASES, *archives.CASES, *tables.CASES, *text.CASES,
)  # fmt: skip
MOST_CPU_S = 2.0
MOST_BYTES = 512 << 20
# Kinds of the catalogue that are no file of a source, and the tests that have them.
ELSEWHERE = {
    39: "tests/hostile/test_hostile.py",  # what a shard may hold, below
    46: "tests/curate/test_run.py",  # nothing is fetched; other bytes than the plan names
    49: "tests/synth/test_teacher.py",  # answers of a teacher
    50: "tests/curate/test_secrets.py",  # keys in addresses, errors and the environment
}


@pytest.fixture(scope="module")
def parsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Parsers that have loaded what the readers load late, as those of a run have after its first records."""
    write_sound(tmp_path_factory.mktemp("warm"))
    for case in (dicom.CASES, nifti.CASES, image.CASES, video.CASES, text.CASES):
        kept = next(c for c in case if c.expected.status == "ready")
        alone(kept, tmp_path_factory.mktemp("warm"))
    yield
    sandbox.close_all()


def test_the_catalogue_has_every_kind_and_no_two_cases_of_one_name() -> None:
    assert {case.number for case in CASES} | set(ELSEWHERE) == set(range(1, 51))
    assert len({case.name for case in CASES}) == len(CASES) >= 150
    assert all((Path(__file__).resolve().parents[2] / file).is_file() for file in ELSEWHERE.values())


@pytest.mark.slow
@pytest.mark.usefixtures("parsers")
@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_a_hostile_file_ends_as_it_must_within_its_limits_and_tells_nothing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    seen = alone(case, tmp_path)
    assert ends_as_expected(case, [(r.status, r.reason) for r in seen.records]), [
        (r.status, r.reason, r.found) for r in (*seen.records, *seen.others)
    ]
    assert not [gone for gone in case.expected.gone if gone in seen.written]
    for record in (*seen.records, *seen.others):
        assert record.status == "ready" or (record.found and record.remedy)
        assert not re.search(
            rf"{re.escape(SECRET)}|{re.escape(str(tmp_path))}|/etc/|root:", record.found + record.remedy
        )
        assert record.found.isprintable()
    assert seen.cpu_s <= MOST_CPU_S
    assert seen.peak_bytes <= MOST_BYTES
    assert not list((tmp_path / "here").iterdir())  # no payload ran


@dataclass(frozen=True)
class Mixed:
    out: Path
    sound: Path  # the output of the sound ones by themselves
    calls: list[str]  # connections that this process opened in the meantime; its parsers cannot


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    root = tmp_path_factory.mktemp("mixed")
    for name, cases in (("sound", [c for c in CASES if c.source in SOURCES]), ("all", list(CASES))):
        write_sound(root / name)
        for case in cases if name == "all" else ():
            write_case(case, root / name)
        for source in {source_keys(case)[0] for case in cases}:
            (root / name / source).mkdir(exist_ok=True)
        (root / f"{name}.yaml").write_text(yaml.safe_dump(recipe_of(cases, root / name)))
    (root / "here").mkdir()
    (root / "tmp").mkdir()
    before = _files(root)
    calls: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root / "here")
        patch.setenv("TMPDIR", str(root / "tmp"))
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(socket.socket, "connect", lambda _, address: calls.append(str(address)))
        patch.setattr(socket, "getaddrinfo", lambda *asked: calls.append(str(asked)))
        sandbox.close_all()  # so that the parsers have these surroundings too
        for name in ("sound", "all"):
            run_recipe(root / f"{name}.yaml", root / f"out_{name}")
        sandbox.close_all()
    assert {p for p in _files(root) - before if p.parts[0] not in ("out_sound", "out_all")} == set()
    return Mixed(root / "out_all", root / "out_sound", calls)


def _files(root: Path) -> set[Path]:
    """Every path below, links and FIFOs among them."""
    return {p.relative_to(root) for p in root.rglob("*") if p.is_symlink() or not p.is_dir()}


def _rows(out: Path) -> list[dict[str, Any]]:
    return [row for part in read_manifest(out).ledger for row in pq.read_table(out / part.path).to_pylist()]


def _samples(out: Path) -> dict[str, dict[str, bytes]]:
    """The bytes of every member by the record's key."""
    found: dict[str, dict[str, bytes]] = {}
    for shard in read_manifest(out).shards:
        with tarfile.open(out / shard.path) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                assert stream is not None
                found.setdefault(member.name[:32], {})[f"{shard.stage}/{member.name}"] = stream.read()
    return found


@pytest.mark.slow
def test_among_sound_records_each_ends_as_it_does_alone_and_the_sound_ones_do_not_notice(mixed: Mixed) -> None:
    _each_ends_as_it_must(mixed)
    _the_counts_add_up(mixed)
    _the_sound_ones_are_kept_byte_for_byte(mixed)
    _no_planted_byte_is_published(mixed)
    assert mixed.calls == []


def _each_ends_as_it_must(mixed: Mixed) -> None:
    ends: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in _rows(mixed.out):
        source, _, path = row["source_uri"].partition("/")
        folder = source if source not in SOURCES else path.split("/", 1)[0].split("#", 1)[0]
        ends.setdefault((source, folder), []).append((row["status"], row["reason"]))
    for case in CASES:
        told = ends[source_keys(case)[0], case.name]
        assert (case.expected.status, case.expected.reason) in told or ends_as_expected(case, told), (case.name, told)


def _the_counts_add_up(mixed: Mixed) -> None:
    counts = read_manifest(mixed.out).counts
    assert counts.read == counts.kept + counts.duplicate + sum(counts.dropped.values()) + sum(counts.failed.values())
    assert not {"parser_died", "unexpected_error", "identifier_in_output"} & set(counts.failed)
    assert verify(mixed.out).ok


def _the_sound_ones_are_kept_byte_for_byte(mixed: Mixed) -> None:
    sound, among = _samples(mixed.sound), _samples(mixed.out)
    keys = {row["key"] for row in _rows(mixed.sound) if row["status"] == "kept"}
    assert {row["source"] for row in _rows(mixed.sound) if row["status"] == "kept"} == set(SOURCES) - {"codes"}
    assert keys <= {row["key"] for row in _rows(mixed.out) if row["status"] == "kept"}
    assert sound
    assert {key: among.get(key) for key in sound} == sound


def _no_planted_byte_is_published(mixed: Mixed) -> None:
    published = [p for p in mixed.out.rglob("*") if p.is_file() and ".work" not in p.relative_to(mixed.out).parts]
    texts = [p.read_bytes() for p in published]
    texts += [data for members in _samples(mixed.out).values() for data in members.values()]
    texts += [json.dumps(row).encode() for row in _rows(mixed.out)]
    assert not [SECRET for data in texts if SECRET.encode() in data]


# ------------------------------------------------------------------------------------------- what a shard may hold
def _shard(out: Path) -> Path:
    return out / read_manifest(out).shards[0].path


def _added(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", data: bytes = b"x") -> Callable[[Path], None]:
    """One member more at the end of the first shard."""

    def change(out: Path) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(data) if kind == tarfile.REGTYPE else 0
        with tarfile.open(_shard(out), "a") as archive:
            archive.addfile(info, io.BytesIO(data))

    return change


def _again(out: Path) -> None:
    """The first member once more at the end: two of one name, and its sample not together."""
    with tarfile.open(_shard(out)) as archive:
        name = archive.getnames()[0]
    _added(name)(out)


def _over(data: bytes, *parts: str) -> Callable[[Path], None]:
    """Other bytes in the place of a file of the output; of the first shard or ledger part where it is called so."""

    def change(out: Path) -> None:
        manifest = read_manifest(out)
        named = {"shard": manifest.shards[0].path, "ledger": manifest.ledger[0].path}
        (out / Path(*(named.get(p, p) for p in parts))).write_bytes(data)

    return change


SPOILED: dict[str, Callable[[Path], None]] = {
    "climbs": _added("../pwned"),
    "absolute": _added("/tmp/pwned"),
    "link": _added("l", tarfile.SYMTYPE, "/etc/passwd"),
    "hard-link": _added("h", tarfile.LNKTYPE, "/etc/passwd"),
    "device": _added("d", tarfile.CHRTYPE),
    "pipe": _added("f", tarfile.FIFOTYPE),
    "deep-json": _added("0" * 32 + ".json", data=b"[" * 100_000),
    "again": _again,
    "size-lies": _over(archives.tar(("a", tarfile.REGTYPE, ""), stated=1 << 60), "shard"),
    "no-tar": _over(b"PK\x03\x04" * 999, "shard"),
    "ledger-pickle": _over(archives.parquet(), "ledger"),
    "manifest-deep": _over(b"[" * 100_000, "manifest.json"),
    "ledger-no-parquet": _over(b"PAR1" * 99, "ledger"),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_a_hostile_shard_or_ledger_is_a_finding_and_nothing_is_unpacked(
    copied: Path, change: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(copied)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = _files(tmp_path)
    assert not verify(copied).ok
    assert _files(tmp_path) == before
    assert not Path("/tmp/pwned").exists()
