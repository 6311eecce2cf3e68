"""The death of a parser costs one record, whatever kills it, and nothing of it stays behind."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate import handover, inventory, prepare, sandbox
from curate.deidentify import DeidentifyConfig
from curate.handover import handed_over, item_of, item_values, named, received, renamed, taken_over
from curate.inventory import KeyHint, entry_of
from curate.keyring import Keyring
from curate.prepare import PrepareSpec, read_rows, record_of
from curate.recipe import load, shipped
from curate.sandbox import Answer, Death, Limits, Thing, confine, run
from curate.store import file_sha256
from curate.sweep import Needles, sealed
from manifests.errors import MedcurateError
from manifests.record import Asked, Fact, FileRef, Media, Record, Step, canonical_json, record_from_json, to_json
from sources.base import Entry, Item, Place, list_files
from sources.dicom_tree import DicomTree
from tests.cluster.killing import KillingSource, killing_unit
from tests.corpus import packaged
from tests.deadly import DeadlyPeeks

ROOT = Path(__file__).resolve().parents[2]
SMALL = Limits(memory_bytes=256 << 20, seconds=0.5)
EASY = Limits(memory_bytes=256 << 20, seconds=30)
NAMES = [f"item{n}" for n in range(4)]
NO_MEDIA = (
    {"size_bytes": "3"},
    {"size_bytes": True},
    {"window": [40, 400]},
    {"inverted": 0},
    {"kind": "none"},
    {"a": 1},
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="what the kernel refuses is Linux's")


@pytest.fixture(autouse=True, scope="module")
def _no_parser_stays() -> Iterator[None]:
    yield
    sandbox.close_all()


def told(folder: Path, things: Sequence[str], limits: Limits = EASY) -> list[Answer[Any] | Death]:
    asked = [Thing(t, container=t.startswith("rows ")) for t in things]
    return list(run("tests.deadly:open_deadly", str(folder), asked, limits, lambda value: value))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid: int, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(pid)


@linux
@pytest.mark.parametrize(
    ("deadly", "found"),
    [
        ("segfault", "signal 11 (SIGSEGV)"),
        ("abort", "signal 6 (SIGABRT)"),
        ("swell", "more than 0.25 GiB of memory"),
        ("swell_below_python", "signal 11 (SIGSEGV)"),
        pytest.param("hang", "more than 0.5 s", marks=pytest.mark.slow),
        ("hang_below_python", "more than 0.5 s"),
        ("leave_a_child", "exit code 3"),
        pytest.param("breed", "more than 0.5 s", marks=pytest.mark.slow),
        ("babble", "an answer that is none"),
        ("answer_nan", "ValueError in the parser's process"),
        ("stop_without_a_word", "exit code 0"),
        ("raise_oddly", "LookupError in the parser's process"),
    ],
)
@pytest.mark.slow
@pytest.mark.slow
def test_what_kills_a_parser_costs_itself_alone(deadly: str, found: str, tmp_path: Path) -> None:
    told(tmp_path, ["fine"])  # the interpreter's start is not what is timed
    began = time.monotonic()
    answers = told(tmp_path, ["fine", deadly, "fine"], SMALL if found.endswith(" s") else EASY)
    assert time.monotonic() - began < 2 * SMALL.seconds + 4  # on a busy machine
    assert answers == [Answer(0, "fine"), Death(1, None, found), Answer(2, "fine")]


@linux
def test_what_a_parser_leaves_running_is_ended(tmp_path: Path) -> None:
    told(tmp_path, ["leave_a_child"])
    assert gone(int((tmp_path / "orphan").read_text()))


def test_a_row_that_kills_its_parser_leaves_the_other_rows_of_its_container(tmp_path: Path) -> None:
    answers = told(tmp_path, ["rows fine,segfault,fine,abort,fine", "fine"])
    assert [a.value if isinstance(a, Answer) else a.began for a in answers] == [
        "fine", "segfault", "fine", "abort", "fine", "fine",
    ]  # fmt: skip
    assert [a.thing for a in answers] == [0, 0, 0, 0, 0, 1]


def test_a_container_that_kills_its_parser_between_rows_ends_as_one(tmp_path: Path) -> None:
    answers = told(tmp_path, ["rows fine,lost,fine", "fine"])
    assert answers == [Answer(0, "fine"), Death(0, None, "signal 11 (SIGSEGV)"), Answer(1, "fine")]


def test_what_kills_its_parser_once_is_answered_as_if_it_had_not(tmp_path: Path) -> None:
    assert told(tmp_path, ["fine", "die_once", "fine"]) == [
        Answer(0, "fine"), Answer(1, "fine in the end"), Answer(2, "fine"),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.slow
def test_an_early_loss_is_not_counted_against_a_later_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SUSPECT_S", 0.2)
    answers = told(tmp_path, ["die_once", "rest", "die_once_too", "fine"])
    assert [a.value for a in answers if isinstance(a, Answer)] == ["fine in the end", "fine", "fine in the end", "fine"]


def test_an_answer_that_its_reader_refuses_is_a_death(tmp_path: Path) -> None:
    answers = list(run("tests.deadly:open_deadly", str(tmp_path), [Thing("fine")], EASY, int))
    assert answers == [Death(0, None, "an answer that is none")]


def test_a_parser_serves_many_and_is_replaced_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = [a.value for _ in range(3) for a in told(tmp_path, ["pid"]) if isinstance(a, Answer)]
    assert len(set(pids)) == 1
    monkeypatch.setattr(sandbox, "RECORDS_PER_PROCESS", 1)
    assert told(tmp_path, ["pid"]) != [Answer(0, pids[0])]
    assert gone(pids[0])


@pytest.mark.slow
def test_a_gigabyte_on_standard_output_goes_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert told(tmp_path, ["shout", "fine"]) == [Answer(0, "shouted"), Answer(1, "fine")]
    assert capfd.readouterr() == ("", "")


def test_a_parser_and_its_programs_reach_no_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        (tmp_path / "port").write_text(str(server.getsockname()[1]))
        assert told(tmp_path, ["connect"]) == [Answer(0, ["PermissionError", "1"])]
        with pytest.raises(TimeoutError):
            server.accept()


@linux
@pytest.mark.parametrize("way", ["_refuse_by_seccomp", "_leave_network", "close_network"])
def test_each_way_to_close_the_network_closes_it(way: str) -> None:
    code = f"""
import socket
from curate.sandbox import confine
server = socket.create_server(("127.0.0.1", 0))
if not confine.{way}():
    raise SystemExit(9)
try:
    socket.create_connection(server.getsockname(), timeout=1)
except OSError:
    raise SystemExit(0)
raise SystemExit(1)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    if done.returncode == 9:
        pytest.skip(f"this kernel does not let this user have {way}")
    assert done.returncode == 0


def test_where_the_kernel_refuses_nothing_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "LINUX", False)
    assert confine.network_guard() == "python"


@linux
def test_a_parser_has_its_limits_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.close_all()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a")
    monkeypatch.setenv("MEDCURATE_KEY", "a secret of sixteen")
    (answer,) = told(tmp_path, ["surroundings"])
    assert isinstance(answer, Answer)
    found = answer.value
    assert found["secrets"] == []
    assert EASY.memory_bytes < found["data"] == found["data_of_programs"] < EASY.memory_bytes + (256 << 20)
    assert found["core"] == 0
    assert found["cpu"] <= 30 * (os.cpu_count() or 1) + 10
    assert found["session"] != os.getsid(0)


@pytest.mark.slow
@linux
def test_a_worker_that_is_killed_leaves_no_parser(tmp_path: Path) -> None:
    code = (
        "from curate.sandbox import Limits, Thing, run\n"
        f"list(run('tests.deadly:open_deadly', {str(tmp_path)!r}, [Thing('wait')], Limits(), str))"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    waiting = tmp_path / "waiting"
    until = time.monotonic() + 30
    while not (waiting.exists() and waiting.read_text().endswith("\n")):
        assert time.monotonic() < until
        time.sleep(0.02)
    nursery, parser = (int(n) for n in waiting.read_text().split())
    assert alive(nursery)
    assert alive(parser)
    worker.kill()
    worker.wait()
    assert gone(parser)
    assert gone(nursery)


@pytest.mark.slow
@linux
def test_a_nursery_that_is_killed_takes_its_parser_with_it_and_is_replaced(tmp_path: Path) -> None:
    told(tmp_path, ["fine"])
    (nurse,) = sandbox._IDLE
    assert nurse.parser is not None
    parser = nurse.parser.pid
    nurse._process.send_signal(signal.SIGKILL)
    nurse._process.wait()
    assert gone(parser)
    assert told(tmp_path, ["fine", "segfault", "fine"]) == [
        Answer(0, "fine"), Death(1, None, "signal 11 (SIGSEGV)"), Answer(2, "fine"),
    ]  # fmt: skip


def test_a_function_that_cannot_be_imported_is_an_error_of_ours_at_once(tmp_path: Path) -> None:
    with pytest.raises(MedcurateError, match="does not start"):
        list(run("tests.no_such_module:open", None, [Thing("fine")], EASY, str))


def hint() -> KeyHint:
    return KeyHint("killing", 0, "", Keyring.load("killing", 0).key_id)


@pytest.mark.slow
@pytest.mark.slow
def test_a_header_that_kills_its_parser_keeps_its_place_in_the_inventory(tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    for folder in (root, out):
        folder.mkdir()
    for name in ("a", "deadly", "odd", "z"):
        (root / name).write_text(name)
    (root / "link").symlink_to("a")
    place = Place(root, root)
    spec = inventory.InventorySpec(DeadlyPeeks(root=".", licence="MIT"), place, tuple(list_files(root, False)), hint())
    inventory.work(spec, out, out)
    problems = {"a": "", "deadly": "parser_died", "link": "not_a_regular_file", "odd": "unexpected_error", "z": ""}
    entries = [Entry(**row) for row in json.loads((out / "entries.json").read_text())]
    assert {e.path: e.problem for e in entries} == problems
    ring = Keyring.load("killing", 0)
    sound = [e for e in entries if e.path not in ("deadly",)]
    assert sound == [entry_of(spec.source, place, e.path, ring.pseudonym) for e in sound]


@pytest.mark.slow
def test_a_record_that_kills_its_parser_fails_alone_and_its_worker_lives(tmp_path: Path) -> None:
    for name in ("data", "out", "plain"):
        (tmp_path / name).mkdir()
    place = Place(tmp_path / "data", tmp_path / "data")
    source = KillingSource(root=".", licence="MIT", always="item1", once="item2")
    summary = prepare.work(killing_unit(source, place, NAMES).spec, tmp_path / "out", tmp_path)
    assert summary == {"records": 4, "statuses": {"ready": 3, "failed": 1}, "failed": 1}
    harmless = killing_unit(KillingSource(root=".", licence="MIT"), place, NAMES, limits=None).spec
    prepare.work(harmless, tmp_path / "plain", tmp_path)
    records, plain = ([record_of(r) for r in read_rows(tmp_path / folder)] for folder in ("out", "plain"))
    assert [r for r in records if r.status == "ready"] == [r for r in plain if r.upstream_id != "item1"]
    lost = records[1]
    assert (lost.upstream_id, lost.reason, lost.found) == ("item1", "parser_died", "signal 9 (SIGKILL)")
    assert lost.key == plain[1].key
    assert "limits.memory" in lost.remedy


@pytest.mark.slow
@pytest.mark.slow
def test_the_bytes_of_a_unit_are_those_of_parsing_in_the_worker(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("CT_small.dcm", "MR_small_RLE.dcm", "MR_truncated.dcm", "rtplan.dcm"):
        shutil.copy(packaged(name), tmp_path / "in" / name)
    source, place = DicomTree(source="dicom_tree", root="in", licence="MIT"), Place(tmp_path / "in", tmp_path)
    ring, key = Keyring.load("killing", 0), hint()
    made = []
    for way, limits in (("sandboxed", Limits()), ("plain", None)):
        folder = tmp_path / way
        folder.mkdir()
        paths = tuple(list_files(place.root, False))
        inventory.work(inventory.InventorySpec(source, place, paths, key, limits), folder, folder)
        entries = [entry_of(source, place, path, ring.pseudonym) for path in paths]
        items = tuple(source.items(place, entries, ring.pseudonym))
        prepare.work(PrepareSpec(source, place, items, DeidentifyConfig(), key, limits), folder, folder)
        made.append({f.name: file_sha256(f) for f in folder.iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == {"entries.json", "media.tar", "rows.parquet"}
    statuses = Counter(row["status"] for row in read_rows(tmp_path / "plain"))
    assert statuses["ready"] >= 2
    assert statuses["failed"] >= 1


@pytest.mark.slow
def test_sources_and_items_cross_unchanged(tmp_path: Path) -> None:
    place = Place(tmp_path / "a", tmp_path)
    for name in sorted(shipped()):
        for source in load(name)[0].sources:
            assert taken_over(handed_over(source, place)) == (source, place)
    file = FileRef("a/ä.dcm", "0" * 64, 3, fragment="line=1")
    full = Item(
        "id", "clip", (file,), "g", (Fact("plane", "axial", "x"),), "t", (("m", "p", 1),), 0.25, ("c",), "l",
        part=2, clip=(0.5, 1.0), block=(1, 2, 3), status="failed", reason="r", found="f", remedy="m",
        asked=(Asked("q", "a", ("a", "b"), "k", "w"),), dialogue=True,
    )  # fmt: skip
    assert item_of(item_values(full)) == full
    assert renamed(named(full), dataclasses.replace(full, upstream_id="", group="", files=())) == full


@settings(max_examples=100)
@given(text=st.text(max_size=30), number=st.floats(allow_nan=False, allow_infinity=False), size=st.integers())
@example(text='\x00\x1f"\\/\x7f\u2028\ud800😀', number=1e-7, size=1 << 70)
@example(text="{0}%s", number=1e22, size=-1)
def test_a_record_crosses_as_its_canonical_json_and_nothing_else(text: str, number: float, size: int) -> None:
    media = Media("png", "image", (size, 1), "uint8", text, 3, affine=((number,) * 4,) * 3, window=(number, 1.0))
    record = Record(text, "s", text, "u", "0", "image", text, "MIT", "open", files=(FileRef("a", text, size),) * 2)
    full = dataclasses.replace(
        record,
        asked=(Asked(text, "a", (text,) * 2, why=text),) * 2,
        media=(media,) * 2,
        facts=(Fact(text, "v", "o"),) * 2,
        steps=(Step(text, "{}"),),
        text=text,
    )
    for one in (record, full):
        assert handover.record_json(one) == to_json(one)


def test_measures_cross_as_decimal_fractions_and_nan_does_not_cross() -> None:
    media = Media("png", "image", (1, 1), "uint8", "0", 3, spacing_mm=(1, 1), window=(40, 400))
    record = Record("k", "s", "u", "u", "0", "image", "g", "MIT", "open", media=(media,))
    text = handover.record_json(record)
    assert text == to_json(record_from_json(text))
    with pytest.raises(ValueError, match="JSON compliant"):
        handover.record_json(dataclasses.replace(record, media=(dataclasses.replace(media, scale=(math.nan, 1.0)),)))


def test_what_a_parser_hands_back_is_believed_in_nothing(tmp_path: Path) -> None:
    record = prepare.blank_record(
        Item("id", "picture", (FileRef("a", "0" * 64, 3),)), DeadlyPeeks(root=".", licence="MIT")
    )
    sent = handover.sent(record, (), handover.Sketches(), tmp_path, iter(()))
    assert received(sent, tmp_path).record == record
    media = dataclasses.asdict(Media("png", "image", (1, 1), "uint8", "0" * 64, 3, window=(40.0, 400.0)))
    shown = json.loads(sent["record"])
    sent["record"] = canonical_json({**shown, "media": [media]})
    (tmp_path / "0-png").write_bytes(b"abc")
    good = {**sent, "files": [["png", "0-png"]]}
    assert received(good, tmp_path).members[0][1].read() == b"abc"
    (tmp_path / "target").write_bytes(b"abc")
    (tmp_path / "1-png").symlink_to("target")
    os.mkfifo(tmp_path / "2-png")
    (tmp_path / "3-png").write_bytes(b"abcd")
    bad: list[Any] = [
        None, [], {}, {**sent, "record": "{}"}, {**sent, "files": []}, {**sent, "files": [["png", "../target"]]},
        {**sent, "files": [["png", 7]]}, {**sent, "sketches": ["", "", "z", "", ""]},
        {**sent, "sketches": [1, "", "", "", ""]}, {**sent, "sketches": ["", "", "", "bG9vazFw", ""]},
        {**sent, "sketches": ["", "", "", "", "AAAA"]},
        *({**sent, "files": [["png", f"{n}-png"]]} for n in range(5)),
        {**sent, "record": canonical_json({**shown, "status": "kept"}), "files": []},
        {**sent, "record": json.dumps(shown), "files": []}, {**sent, "record": shown, "files": []},
        *({**good, "record": canonical_json({**shown, "media": [{**media, **change}]})} for change in NO_MEDIA),
        {**good, "record": canonical_json({**shown, "media": [{k: media[k] for k in media if k != "voi"}]})},
        {**sent, "record": canonical_json({**shown, "more": ""})},
    ]  # fmt: skip
    for value in bad:
        with pytest.raises((ValueError, TypeError, LookupError)):
            received(value, tmp_path)


def test_an_answer_under_another_name_is_not_believed(tmp_path: Path) -> None:
    source = DeadlyPeeks(root=".", licence="MIT")
    item = Item("id", "picture", (FileRef("a", "0" * 64, 3),), group="g")
    spec = PrepareSpec(source, Place(tmp_path, tmp_path), (item,), DeidentifyConfig(), hint())
    record = dataclasses.replace(prepare.blank_record(item, source), reason="said")
    ring = hint().keyring()
    assert prepare._checked(spec, item, Answer(0, handover.Given(record, to_json(record))), ring).record == record
    for change in (
        {"key": "0" * 32},
        {"group": "other"},
        {"licence": "MIT-0"},
        {"upstream_id": "other"},
        {"files": ()},
    ):
        changed = dataclasses.replace(record, **change)
        other = handover.Given(changed, to_json(changed))
        assert prepare._checked(spec, item, Answer(0, other), ring).record.reason == "parser_died"


def test_a_row_of_a_container_names_its_file_and_itself(tmp_path: Path) -> None:
    source, ring = DeadlyPeeks(root=".", licence="MIT"), hint().keyring()
    container = Item("a#block=0", "rows", (FileRef("1.2.3.4.5.6/a", "0" * 64, 9),))
    row = Item("a#line=2", "text", (FileRef("1.2.3.4.5.6/a", "1" * 64, 3, fragment="line=2"),))
    plain = prepare.blank_record(row, source)
    spec = PrepareSpec(source, Place(tmp_path, tmp_path), (container,), DeidentifyConfig(), hint())

    def believed(record: Record) -> bool:
        given_record = handover.Given(record, to_json(record))
        return prepare._checked(spec, container, Answer(0, given_record), ring).record is record

    shut = sealed(plain, Needles(), ring)
    assert shut.files != plain.files
    assert believed(plain)
    assert believed(shut)
    for record in (plain, shut):
        for change in (
            {"key": "0" * 32}, {"group": ""}, {"licence": "MIT-0"}, {"access": "x"}, {"source": "x"}, {"uri": "x"},
            {"upstream_id": "a#line=3"}, {"files": ()}, {"files": (FileRef("b", "1" * 64, 3, fragment="line=2"),)},
            {"sha256": "2" * 64},
        ):  # fmt: skip
            assert not believed(dataclasses.replace(record, **change)), change
