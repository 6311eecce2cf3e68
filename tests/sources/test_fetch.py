"""`curate fetch`: whatever a place does, a final name stands for whole, checked bytes, or for nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from curate.cli import main
from manifests.card import Card, Remote
from manifests.errors import RecipeError
from sources import SOURCES
from sources.fetch import Endpoints, FetchError, Options, Outcome, fetch_card, fetched, token_for
from sources.fetch.names import checked
from sources.fetch.patience import Policy, retry_after
from tests.sources.servers import Fault, Server, hub, s3, two, zenodo

DATA = bytes(range(256)) * 12_000  # 3 MB
SMALL = b"image,label\n1.png,nevus\n"
COMMIT, LATER = "1" * 40, "2" * 40
POLICY = Policy(tries=4, progress_bytes=1 << 19, block_bytes=1 << 18, timeout_s=5)


class StillClock:
    """A clock that notes what it should have slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> float:
        return 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def card(*remotes: Remote, licence: str = "CC-BY-4.0", access: Literal["open", "registered"] = "open") -> Card:
    return Card(name="set", what="a set", licence=licence, access=access, remotes=remotes, steps="write to the owner")


def one(server: Server, path: str = "/a.bin", sha256: str = "", unpack: bool = False) -> Card:
    return card(Remote(kind="http", at=server.url + path, sha256=sha256, unpack=unpack))


def brought(what: Card, root: Path, clock: StillClock | None = None, **options: Any) -> Outcome:
    return fetch_card(what, Options(root, policy=POLICY, clock=clock or StillClock(), **options))


def standing(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root / "set").as_posix(): p.read_bytes() for p in (root / "set").rglob("*") if p.is_file()}


def reasons(done: Outcome) -> list[str]:
    return [error.reason for _, error in done.failed]


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return stream.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


# ------------------------------------------------------------------------------------------------ what passes is passed
PASSING: dict[str, list[Fault]] = {
    "cut": [Fault(cut=1_000_000)],
    "cut thrice": [Fault(cut=700_000)] * 3,
    "server error": [Fault(status=503)] * 3,
    "busy": [Fault(status=429, headers=(("Retry-After", "7"),))],
    "cut, then the whole instead of the rest": [Fault(cut=1_000_000), Fault(whole=True)],
    "cut, then another range than asked for": [Fault(cut=1_000_000), Fault(shift=5)],
    "cut, then a range that is not there": [Fault(cut=1_000_000), Fault(status=416)],
    "a short body": [Fault(announce=len(DATA), cut=len(DATA) - 1)],
    "a length that is not the listed one": [Fault(announce=len(DATA) + 5)],
    "more than was listed": [Fault(chunked=True, extra=b"more")],
    "cut in chunks": [Fault(chunked=True, cut=1_500_000)],
    "closed at once": [Fault(cut=0)],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_leaves_the_same_bytes(server: Server, tmp_path: Path, faults: list[Fault]) -> None:
    thing, clock = server.give("/a.bin", DATA, '"one"'), StillClock()
    thing.faults = [Fault(), *faults]  # the first request is the probe
    done = brought(one(server), tmp_path, clock)
    assert done.failed == ()
    assert standing(tmp_path) == {"a.bin": DATA}
    assert len(clock.slept) <= 4
    assert ("Retry-After" not in str(faults)) or max(clock.slept) == 7
    record = fetched(tmp_path, "set")
    assert record is not None
    assert [(f.path, f.size, f.sha256) for f in record.files] == [
        ("a.bin", len(DATA), hashlib.sha256(DATA).hexdigest())
    ]


def test_after_a_cut_only_the_rest_is_asked_for_and_only_of_the_same_bytes(server: Server, tmp_path: Path) -> None:
    server.give("/a.bin", DATA, '"one"').faults = [Fault(), Fault(cut=1_000_000)]
    brought(one(server), tmp_path)
    first, rest = server.asked("/a.bin")[1:]
    assert first.range == ""
    assert (rest.range, rest.headers["if-range"]) == ("bytes=1000000-", '"one"')
    assert first.sent + rest.sent == len(DATA)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changes_upstream_begins_anew(server: Server, tmp_path: Path, ranges: bool) -> None:
    old, new = server.give("/a.bin", DATA, '"one"'), DATA[::-1][:-7]
    old.faults = [Fault(), Fault(cut=1_000_000)]

    def change() -> None:
        if len(server.log) == 3:
            old.data, old.etag, old.ranges = new, '"two"', ranges

    old.before = change
    done = brought(one(server), tmp_path)
    assert done.failed == ()
    assert standing(tmp_path) == {"a.bin": new}


def test_a_place_without_validators_is_not_continued(server: Server, tmp_path: Path) -> None:
    server.give("/a.bin", DATA).faults = [Fault(), Fault(cut=1_000_000)]
    assert brought(one(server), tmp_path).failed == ()
    assert [seen.range for seen in server.asked("/a.bin")] == ["bytes=0-0", "", ""]
    assert standing(tmp_path) == {"a.bin": DATA}


# --------------------------------------------------------------------------------- what stays has a name, and only that
LASTING: dict[str, tuple[Fault, str]] = {
    "always short": (Fault(cut=10), "connection_lost"),
    "always long": (Fault(chunked=True, extra=b"more"), "wrong_length"),
    "always another length": (Fault(announce=5), "wrong_length"),
    "down": (Fault(status=500), "unavailable"),
    "asks for too much patience": (Fault(status=429, headers=(("Retry-After", "86400"),)), "unavailable"),
    "gone": (Fault(status=404), "not_found"),
    "for members only": (Fault(status=403), "refused"),
    "to a file": (Fault(status=302, headers=(("Location", "file:///etc/passwd"),)), "bad_redirect"),
    "round and round": (Fault(status=302, headers=(("Location", "/a.bin"),)), "bad_redirect"),
    "squeezed": (Fault(headers=(("Content-Encoding", "br"),)), "bad_answer"),
}


@pytest.mark.parametrize(("fault", "reason"), LASTING.values(), ids=LASTING)
def test_a_fault_that_lasts_has_a_reason_and_leaves_no_file(
    server: Server, tmp_path: Path, fault: Fault, reason: str
) -> None:
    thing = server.give("/a.bin", DATA, '"one"')
    thing.faults, thing.always = [Fault()], fault
    done = brought(one(server), tmp_path)
    assert reasons(done) == [reason]
    assert standing(tmp_path) == {}
    assert len(server.log) <= 1 + 6 * POLICY.tries


def test_bytes_that_are_not_the_announced_ones_never_get_their_name(server: Server, tmp_path: Path) -> None:
    server.give("/a.bin", DATA, '"one"')
    done = brought(one(server, sha256="0" * 64), tmp_path)
    assert reasons(done) == ["checksum_mismatch"]
    assert standing(tmp_path) == {}
    assert list((tmp_path / ".fetch/set.parts").iterdir()) == []
    assert brought(one(server, sha256=hashlib.sha256(DATA).hexdigest()), tmp_path).failed == ()


def test_a_file_of_unknown_length_is_taken_where_something_else_tells_that_it_is_whole(
    server: Server, tmp_path: Path
) -> None:
    thing = server.give("/a.bin", DATA)
    thing.ranges, thing.always = False, Fault(silent=True)
    assert reasons(brought(one(server), tmp_path)) == ["no_length"]
    assert standing(tmp_path) == {}
    with pytest.raises(RecipeError, match="does not tell the size"):
        brought(one(server), tmp_path, max_bytes=1 << 30)
    thing.faults = [Fault(silent=True), Fault(silent=True, cut=9000)]
    assert brought(one(server, sha256=hashlib.sha256(DATA).hexdigest()), tmp_path).failed == ()
    assert standing(tmp_path) == {"a.bin": DATA}
    (tmp_path / "set/a.bin").unlink()
    thing.faults, thing.always = [], Fault(chunked=True)
    assert brought(one(server), tmp_path).failed == ()


def test_a_dead_place_is_not_asked_for_every_file(server: Server, tmp_path: Path) -> None:
    files = {f"{n:03d}.txt": b"text %d" % n for n in range(200)}
    zenodo(server, "77", files)
    for target, thing in server.things.items():
        if target.endswith("/content"):
            thing.always = Fault(status=503)
    done = brought(card(Remote(kind="zenodo", at="77")), tmp_path, endpoints=Endpoints(zenodo=server.url), jobs=1)
    assert set(reasons(done)) == {"unavailable"}
    assert len(done.failed) == 10


# ------------------------------------------------------------------------------------------------------------------ hub
FILES = {
    "README.md": b"---\nlicense: cc-by-4.0\n---\n# A set\n",
    "LICENSE": b"terms",
    "data/train.csv": SMALL,
    "data/one.bin": DATA,
    "data/empty.txt": b"",
    "notes/b c#d.txt": b"a name with a space",
}


def test_a_repository_is_fetched_at_one_commit_with_its_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdefghij")
    with two() as (site, store):
        hub(site, FILES, COMMIT, store, license="cc-by-nc-4.0")
        what = card(Remote(kind="hub", at="owner/set", files=("data/*", "notes/*"), into="below"))
        done = brought(what, tmp_path, endpoints=Endpoints(hub=site.url))
        assert done.failed == ()
        assert "cc-by-nc-4.0" in done.notes[0]
        wanted = {f"below/{k}": v for k, v in FILES.items() if "/" in k}
        assert standing(tmp_path) == wanted
        # the token went to the hub, and nowhere else
        assert {seen.headers.get("authorization") for seen in site.log} == {"Bearer hf_0123456789abcdefghij"}
        assert store.log
        assert all("authorization" not in seen.headers for seen in store.log)
        record = fetched(tmp_path, "set")
        assert record is not None
        assert record.places == (("hub", "owner/set", COMMIT, "cc-by-nc-4.0"),)
        assert {f.path: f.proven for f in record.files} == {
            k: "sha256" if k.endswith(".bin") else "git-sha1" for k in wanted
        }
        terms = (tmp_path / ".fetch/set.licence.txt").read_bytes()
        assert record.licence_sha256 == hashlib.sha256(terms).hexdigest()
        assert FILES["LICENSE"] in terms
        assert FILES["README.md"] in terms
        assert "hf_0123" not in "".join(p.read_text() for p in (tmp_path / ".fetch").rglob("*.*") if p.is_file())
        # again: nothing is asked for but the listing; a new commit: only what it changed
        site.log.clear()
        store.log.clear()
        assert brought(what, tmp_path, endpoints=Endpoints(hub=site.url)).tally.files == 0
        assert store.log == []
        hub(site, {**FILES, "data/train.csv": SMALL + b"2.png,melanoma\n"}, LATER, store)
        again = brought(what, tmp_path, endpoints=Endpoints(hub=site.url))
        assert (again.tally.files, again.failed) == (1, ())
        assert standing(tmp_path)["below/data/train.csv"].endswith(b"melanoma\n")
        assert store.log == []


def test_a_commit_that_the_card_pins_is_the_one_that_is_fetched(tmp_path: Path) -> None:
    with two() as (site, store):
        hub(site, {"a.txt": b"old"}, COMMIT, store)
        hub(site, {"a.txt": b"new"}, LATER, store)
        what = card(Remote(kind="hub", at="owner/set", revision=COMMIT))
        assert brought(what, tmp_path, endpoints=Endpoints(hub=site.url)).failed == ()
    assert standing(tmp_path) == {"a.txt": b"old"}


@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "a\nb", "a//b", "x" * 300])
def test_a_place_that_names_a_file_outside_is_refused_whole(tmp_path: Path, name: str) -> None:
    with two() as (site, store):
        hub(site, {"good.txt": b"good", name: b"bad"}, COMMIT, store)
        done = brought(card(Remote(kind="hub", at="owner/set")), tmp_path, endpoints=Endpoints(hub=site.url))
    assert reasons(done) == ["unsafe_name"]
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=40) | st.lists(st.sampled_from(["..", ".", "", "a", "C:", "\\", "\0", "b"])).map("/".join))
def test_a_name_that_is_let_through_stays_below(name: str) -> None:
    try:
        path = checked(name, "here")
    except FetchError:
        return
    root = Path("/data/set")
    assert os.path.normpath(root / path) == str(root / path)
    assert (root / path).is_relative_to(root)
    assert path != "."


# ------------------------------------------------------------------------------------------------------------------- S3
def test_a_prefix_is_listed_page_by_page_and_fetched(server: Server, tmp_path: Path) -> None:
    objects = {f"v1/case {n}/ct & mr.dcm": b"%d" % n * 1000 for n in range(3)}
    s3(server, "bucket", {**objects, "v1/": b"", "v1/big.bin": DATA, "v10/other": b"x"}, parts=("v1/big.bin",))
    what = card(Remote(kind="s3", at="bucket/v1", into="dicom"))
    done = brought(what, tmp_path, endpoints=Endpoints(s3=server.url))
    assert done.failed == ()
    wanted = {k.replace("v1/", "dicom/"): v for k, v in objects.items()}
    assert standing(tmp_path) == {**wanted, "dicom/big.bin": DATA}
    record = fetched(tmp_path, "set")
    assert record is not None
    assert {f.proven for f in record.files} == {"md5", "length"}
    assert len(server.asked("list-type")) == 3


def test_of_a_large_bucket_only_what_is_wanted_is_listed(server: Server, tmp_path: Path) -> None:
    s3(server, "bucket", {f"{n:04d}/a.dcm": b"%d" % n for n in range(500)})
    what = card(Remote(kind="s3", at="bucket"))
    done = brought(what, tmp_path, endpoints=Endpoints(s3=server.url), only=("0007/*", "0042/a*"))
    assert done.failed == ()
    assert sorted(standing(tmp_path)) == ["0007/a.dcm", "0042/a.dcm"]
    assert len(server.asked("list-type")) == 2
    assert reasons(brought(what, tmp_path, endpoints=Endpoints(s3=server.url))) == ["too_many_files"]
    assert len(server.asked("list-type")) == 2


# -------------------------------------------------------------------------------------------------- Zenodo and archives
def test_a_record_is_unpacked_and_its_archives_go_when_all_is_there(server: Server, tmp_path: Path) -> None:
    pictures = tarred((entry("./images/1.png"), DATA[:5000]), (entry("images/2.png"), b"two"))
    files = {"images.tar.gz": pictures, "masks.zip": zipped(masks__1=b"one"), "table.csv": SMALL}
    zenodo(server, "123", files)
    what = card(Remote(kind="zenodo", at="123", unpack=True, into="in"))
    done = brought(what, tmp_path, endpoints=Endpoints(zenodo=server.url))
    assert done.failed == ()
    wanted = {"in/images/1.png": DATA[:5000], "in/images/2.png": b"two", "in/masks/1": b"one", "in/table.csv": SMALL}
    assert standing(tmp_path) == wanted
    record = fetched(tmp_path, "set")
    assert record is not None
    assert record.places == (("zenodo", "123", "10.5281/zenodo.123", "cc-by-4.0"),)
    assert [(a.members, a.sha256) for a in record.archives] == [
        (2, hashlib.sha256(pictures).hexdigest()), (1, hashlib.sha256(files["masks.zip"]).hexdigest()),
    ]  # fmt: skip
    left = sorted(p.name for p in (tmp_path / ".fetch").iterdir())
    assert left == ["set.json", "set.licence.txt", "set.lock"]
    # again: nothing; with a member gone: its archive once more
    server.log.clear()
    assert brought(what, tmp_path, endpoints=Endpoints(zenodo=server.url), keep_archives=True).tally.files == 0
    assert not server.asked("/content")
    (tmp_path / "set/in/images/2.png").unlink()
    assert brought(what, tmp_path, endpoints=Endpoints(zenodo=server.url), keep_archives=True).tally.files == 1
    assert standing(tmp_path) == wanted
    assert (tmp_path / ".fetch/set.archives/in/images.tar.gz").read_bytes() == pictures


def test_a_record_that_is_not_open_is_refused(server: Server, tmp_path: Path) -> None:
    zenodo(server, "123", {"a.txt": b"a"}, right="restricted")
    done = brought(card(Remote(kind="zenodo", at="123")), tmp_path, endpoints=Endpoints(zenodo=server.url))
    assert reasons(done) == ["refused"]
    assert list(tmp_path.iterdir()) == []


def _linked_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return stream.getvalue()


def _swelling_zip() -> bytes:
    """Its directory says 300 MiB."""
    data = bytearray(zipped(a=bytes(1000)))
    at = data.find(b"PK\1\2") + 24
    data[at : at + 4] = (300 << 20).to_bytes(4, "little")
    return bytes(data)


def _encrypted_zip() -> bytes:
    data = bytearray(zipped(a=b"secret"))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.find(mark) + at] |= 1
    return bytes(data)


TWO = tarred((entry("a"), b"x"), (entry("b"), DATA), mode="w")
HOSTILE = {
    "zip that climbs": ("a.zip", zipped(**{"..__..__out": b"x"}), "unsafe_name"),
    "zip with an absolute path": ("a.zip", zipped(__etc__x=b"x"), "unsafe_name"),
    "zip with a link": ("a.zip", _linked_zip(), "unsafe_archive"),
    "zip with a password": ("a.zip", _encrypted_zip(), "unsafe_archive"),
    "zip that is a file and its folder": ("a.zip", zipped(a=b"x", a__b=b"y"), "unsafe_name"),
    "zip that swells": ("a.zip", _swelling_zip(), "archive_too_large"),
    "zip with another byte": ("a.zip", zipped(a=DATA).replace(b"\1\2\3", b"\1\2\4", 1)[:-1], "bad_archive"),
    "no zip": ("a.zip", b"<html>busy</html>", "bad_archive"),
    "tar that climbs": ("a.tar", tarred((entry("../out"), b"x"), mode="w"), "unsafe_name"),
    "tar with a link": ("a.tgz", tarred((entry("a", tarfile.SYMTYPE, "/etc"), b"")), "unsafe_archive"),
    "tar with a hard link": ("a.tar", tarred((entry("a", tarfile.LNKTYPE, "b"), b""), mode="w"), "unsafe_archive"),
    "tar with a device": ("a.tar", tarred((entry("a", tarfile.CHRTYPE), b""), mode="w"), "unsafe_archive"),
    "tar with one name twice": ("a.tar", tarred((entry("a"), b"1"), (entry("a"), b"2"), mode="w"), "unsafe_archive"),
    "tar that ends in a member": ("a.tar", TWO[:9000], "bad_archive"),
    "tar with garbage for a header": (
        "a.tar", tarred((entry("a"), b"x"), mode="w")[:1024] + b"\7" * 2048, "bad_archive"
    ),
    "gzip that is cut": ("a.tar.gz", tarred((entry("a"), random.Random(1).randbytes(90_000)))[:50_000], "bad_archive"),
    "gzip with another byte": (
        "a.tar.gz", tarred((entry("a"), random.Random(1).randbytes(90_000)))[:-9] + b"123456789", "bad_archive"
    ),
    "gzip whose deflate is broken": (
        "a.tar.gz", tarred((entry("a"), random.Random(1).randbytes(90_000)))[:40] + b"\xff" * 5000, "bad_archive"
    ),
    "tar with a vast name": (
        "a.tar", tarred((entry("n" * (2 << 20)), b"x"), mode="w"), "bad_archive"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_writes_nothing_outside_and_no_half_member(
    server: Server, tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    server.give(f"/{name}", data, '"one"')
    root = tmp_path / "deep/data"
    root.mkdir(parents=True)
    done = brought(one(server, f"/{name}", unpack=True), root)
    assert reasons(done) == [reason]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep"]
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["data"]
    assert set(standing(root)) <= {"a"}
    assert all(data in (b"x", b"1") for data in standing(root).values())


def test_a_link_below_the_root_leads_nothing_out(server: Server, tmp_path: Path) -> None:
    zenodo(server, "5", {"sub.csv": SMALL})
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "data/set").mkdir(parents=True)
    (tmp_path / "data/set/in").symlink_to(outside)
    what = card(Remote(kind="zenodo", at="5", into="in"))
    done = brought(what, tmp_path / "data", endpoints=Endpoints(zenodo=server.url))
    assert reasons(done) == ["unsafe_place"]
    assert list(outside.iterdir()) == []


def test_a_file_of_the_users_is_never_replaced_and_an_equal_one_is_taken(server: Server, tmp_path: Path) -> None:
    zenodo(server, "5", {"mine.csv": SMALL, "same.csv": SMALL})
    (tmp_path / "set").mkdir()
    (tmp_path / "set/mine.csv").write_bytes(b"my own notes")
    (tmp_path / "set/same.csv").write_bytes(SMALL)
    what = card(Remote(kind="zenodo", at="5"))
    done = brought(what, tmp_path, endpoints=Endpoints(zenodo=server.url))
    assert [(path, e.reason) for path, e in done.failed] == [("mine.csv", "in_the_way")]
    assert standing(tmp_path)["mine.csv"] == b"my own notes"
    assert not server.asked("/content")
    record = fetched(tmp_path, "set")
    assert record is not None
    assert [f.path for f in record.files] == ["same.csv"]


# -------------------------------------------------------------------------------------------------- before a byte moves
def test_what_is_not_open_is_refused_with_the_steps_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"registered, not open.*write to the owner"):
        brought(card(access="registered"), tmp_path)
    with pytest.raises(RecipeError, match="no place is known"):
        brought(card(), tmp_path)
    done = CliRunner().invoke(main, ["fetch", "ham10000", "--data", str(tmp_path)])
    assert done.exit_code == 2
    assert "accept the terms on the Dataverse page" in done.output
    typed = CliRunner().invoke(main, ["fetch", "ham1000", "--data", str(tmp_path)])
    assert typed.exit_code == 2
    assert "did you mean 'ham10000'" in typed.output
    assert list(tmp_path.iterdir()) == []


def test_too_much_is_refused_and_a_dry_run_writes_nothing(server: Server, tmp_path: Path) -> None:
    zenodo(server, "5", {"a.csv": SMALL, "b.bin": DATA})
    what, endpoints = card(Remote(kind="zenodo", at="5")), Endpoints(zenodo=server.url)
    with pytest.raises(RecipeError, match="--max-bytes is 1000"):
        brought(what, tmp_path, endpoints=endpoints, max_bytes=1000)
    with pytest.raises(RecipeError, match=r"there are: a.csv, b.bin"):
        brought(what, tmp_path, endpoints=endpoints, only=("*.nii",))
    dry = brought(what, tmp_path, endpoints=endpoints, dry_run=True)
    assert re.search(r"to fetch: b.bin 3072000\nwould fetch 2 files, 3.1 MB", dry.text())
    assert list(tmp_path.iterdir()) == []
    assert not server.asked("/content")
    assert brought(what, tmp_path, endpoints=endpoints, only=("*.csv",), max_bytes=1000).failed == ()
    assert standing(tmp_path) == {"a.csv": SMALL}


def test_the_command_fetches_and_tells(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.fetch.card_of", lambda name: one(server))
    server.give("/a.bin", DATA, '"one"')
    done = CliRunner().invoke(main, ["fetch", "set", "--data", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, "set: 1 files chosen, 0 there already\nfetched 1 files, 3.1 MB\n")
    server.things["/a.bin"].always = Fault(status=404)
    (tmp_path / "set/a.bin").unlink()
    gone = CliRunner().invoke(main, ["fetch", "set", "--data", str(tmp_path)])
    assert gone.exit_code == 3
    assert "not_found: found HTTP 404" in gone.output


def test_every_place_of_every_card_is_one_that_can_be_asked() -> None:
    forms = {"hub": r"[\w.-]+/[\w.-]+", "zenodo": r"\d+", "s3": r"[a-z0-9.-]{3,63}(/.+)?", "http": r"https://[^/]+/.+"}
    for source in SOURCES:
        for remote in source.card.remotes:
            assert re.fullmatch(forms[remote.kind], remote.at), source.card.name
            assert not remote.into or checked(remote.into, "card")


def test_a_token_is_for_an_encrypted_hub_or_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdefghij")
    origins = {url: token_for(Endpoints(hub=url)) for url in ("https://hub.example", "http://hub.example")}
    assert origins["http://hub.example"] is None
    told = origins["https://hub.example"]
    assert told is not None
    assert told.origin == "https://hub.example:443"


def test_the_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:word%21@"))
    monkeypatch.delenv("no_proxy", raising=False)
    server.give("/a.bin", DATA, '"one"')
    what = card(Remote(kind="http", at="http://data.invalid/a.bin"))
    assert brought(what, tmp_path).failed == ()
    assert standing(tmp_path) == {"a.bin": DATA}
    assert {seen.target for seen in server.log} == {"http://data.invalid/a.bin"}
    assert {seen.headers["proxy-authorization"] for seen in server.log} == {"Basic bWU6d29yZCE="}


def test_patience_understands_numbers_and_dates() -> None:
    assert retry_after("120", 0) == 120
    assert retry_after("Fri, 15 Jan 2027 08:00:30 GMT", 1_800_000_000) == 30
    assert [retry_after(text, 0) for text in ("", "soon", "-5", "1e9")] == [0, 0, 0, 0]


# ---------------------------------------------------------------------------------------------------------- interrupted
CHILD = """
import sys
from pathlib import Path
from manifests.card import Card, Remote
from sources.fetch import Options, fetch_card
from sources.fetch.patience import Policy
card = Card(name="set", what="a set", remotes=(Remote(kind="http", at=sys.argv[1]),))
fetch_card(card, Options(Path(sys.argv[2]), policy=Policy(block_bytes=1 << 18)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_fetch_that_was_ended_goes_on_and_fetches_no_more_than_a_block_twice(
    server: Server, tmp_path: Path, how: signal.Signals
) -> None:
    thing = server.give("/a.bin", DATA, '"one"')
    thing.faults = [Fault(), Fault(drip_s=0.02)]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, server.url + "/a.bin", str(tmp_path)], stderr=subprocess.PIPE
    )
    while not (len(server.log) == 2 and server.log[1].sent > 1_500_000):
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(how)
    child.communicate()
    assert not (tmp_path / "set/a.bin").exists()
    kept = json.loads(next((tmp_path / ".fetch/set.parts").glob("*.state")).read_text())["at"]
    before = server.log[1].sent
    done = brought(one(server), tmp_path)
    assert done.failed == ()
    assert standing(tmp_path) == {"a.bin": DATA}
    rest = server.log[-1]
    assert rest.range == f"bytes={kept}-"
    assert 0 < kept <= before
    assert before + rest.sent - len(DATA) <= (1 << 18) + (1 << 20)  # a block, and what lay in the sockets


def test_a_partial_file_that_was_tampered_with_is_begun_anew(server: Server, tmp_path: Path) -> None:
    thing = server.give("/a.bin", DATA, '"one"')
    thing.faults, thing.always = [Fault(), Fault(cut=1_000_000)], Fault(status=404)
    assert reasons(brought(one(server), tmp_path)) == ["not_found"]
    part = next((tmp_path / ".fetch/set.parts").glob("*.part"))
    part.write_bytes(b"x" + part.read_bytes()[1:])
    thing.always = None
    assert brought(one(server), tmp_path).failed == ()
    assert server.log[-1].range == ""
    assert standing(tmp_path) == {"a.bin": DATA}
