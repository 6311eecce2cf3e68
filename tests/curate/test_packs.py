"""A pack is small, repeatable, holds no word of its benchmark, and is refused when anything about it is wrong."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from curate import image
from curate.cli import main
from curate.dedup import pixel_sha256
from curate.packs import build, load, write
from curate.packs.media import MediaHashes
from curate.packs.naming import salted256, telling
from curate.packs.pack import ARRAYS, Pack, mixed, to_bytes
from manifests.errors import RecordError
from sources.benchmarks import BenchmarkItem
from tests.sources.benchmarks_mini import pubmedqa

VIGNETTE = (
    "A farmer from a sheep station coughs up salty fluid after a fall; the radiograph shows a cavity with a floating "
    "membrane beside the left hilum and eosinophils are raised in peripheral blood."
)
SUBTLE = (
    "Residual serpiginous laminated membranes float upon dependent hydatid sand after spontaneous bronchial rupture."
)


def some_items(folder: Path) -> list[BenchmarkItem]:
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(24, 32)).save(folder / "a.png")
    inside = io.BytesIO()
    Image.new("L", (20, 20), 9).save(inside, "PNG")
    return [
        BenchmarkItem("one", VIGNETTE, ("Hydatid cyst", "Lung abscess", "Pleural empyema"), "Hydatid cyst"),
        BenchmarkItem(
            "two", "Is there a pneumothorax?", ("Yes", "No"), "No", images=(folder / "a.png",), patient="p-100001"
        ),
        BenchmarkItem("three", context=SUBTLE, embedded=(inside.getvalue(),), video="dQw4w9WgXcQ", patient="12"),
        BenchmarkItem("four", "Why?", images=(folder / "absent.png", folder / "broken.png")),
    ]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return build(some_items(tmp_path), "mini", source="here", licence="CC0-1.0", media=MediaHashes(pixels=False))


def test_equal_items_make_equal_bytes_and_another_salt_makes_others(tmp_path: Path) -> None:
    items = some_items(tmp_path)
    first = to_bytes(build(items, "mini"))
    assert first == to_bytes(build(iter(items), "mini"))
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(to_bytes(build(items, "mini"))).hexdigest()
    other = build(items, "mini", b"another salt")
    mine = build(items, "mini")
    for name in ("items", "form_hash", "run2_hash", "run4_hash", "run8_hash", "bag_sum", "id_hash"):
        assert not set(np.ravel(mine[name]).tolist()) & set(np.ravel(other[name]).tolist()) or name == "id_hash", name
    assert not {bytes(r) for r in mine["id_hash"]} & {bytes(r) for r in other["id_hash"]}


def test_what_is_written_is_read_again(pack: Pack, tmp_path: Path) -> None:
    digest = write(pack, tmp_path / "deep/mini.pack")
    again = load(tmp_path / "deep/mini.pack")
    assert again.digest == digest == pack.digest
    assert (again.name, again.licence, again.counts, again.salt) == (pack.name, pack.licence, pack.counts, pack.salt)
    for name in ARRAYS:
        np.testing.assert_array_equal(again[name], pack[name])
    assert to_bytes(again) == to_bytes(pack)


def test_a_pack_holds_no_word_and_no_id_of_its_benchmark(pack: Pack) -> None:
    data = to_bytes(pack).lower()
    for word in {w.strip(".,;?").lower() for w in f"{VIGNETTE} {SUBTLE} hydatid".split() if len(w) > 6}:
        assert word.encode() not in data
        assert word.encode("utf-32-le") not in data
    for value in ("p-100001", "dqw4w9wgxcq"):
        assert value.encode() not in data
        assert hashlib.sha256(value.encode()).digest() not in data


def test_counts_say_how_items_can_be_found(pack: Pack) -> None:
    # the vignette and the caption by their words; the short questions on images by file or id alone
    assert pack.counts == {
        "items": 4, "with_text": 4, "by_text": 2, "by_edited_text": 2, "by_media": 3, "by_looks": 0, "by_id": 2,
        "unchecked": 0,
    }  # fmt: skip


def test_ids_that_are_not_telling_are_not_packed(pack: Pack) -> None:
    assert not telling("12")
    assert telling("p10000032")
    assert telling("1.2.840.1")
    assert telling("50414267")
    assert salted256(pack.salt, "patient", "12") not in {bytes(row) for row in pack["id_hash"]}
    assert salted256(pack.salt, "patient", "p-100001") in {bytes(row) for row in pack["id_hash"]}


def test_mixing_is_a_bijection_that_depends_on_the_seed() -> None:
    values = np.arange(5000, dtype=np.uint64)
    assert len(np.unique(mixed(values, 7))) == 5000
    assert not (mixed(values, 7) == mixed(values, 8)).any()
    assert int(mixed(np.array([1], np.uint64), 0)[0]) == splitmix(1)


def splitmix(x: int) -> int:
    """The finaliser of SplitMix64 in whole numbers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return x ^ (x >> 31)


@pytest.mark.slow  # a parser's process starts
def test_pixels_are_hashed_as_prepare_hashes_them_and_a_broken_image_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    media = MediaHashes()
    found = list(media(some_items(tmp_path)))
    expected = pixel_sha256(image.read_image(tmp_path / "a.png").pixels)
    pixels = {seen.items: digest for seen in found for kind, digest in seen.hashes if kind == "pixels"}
    assert sorted(pixels) == [(1,), (2,)]
    assert pixels[1,] == expected
    assert {seen.items for seen in found if len(seen.looks)} == {(1,)}
    assert (media.absent, media.unreadable, media.plain) == (1, 1, 1)  # the embedded picture has one value


# --------------------------------------------------------------------------------------------------------------- damage
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(min_value=0), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_pack_is_refused_or_says_the_same(pack: Pack, tmp_path: Path, at: int, flip: int, cut: bool) -> None:
    data = bytearray(to_bytes(pack))
    at %= len(data)
    data[at] ^= flip
    path = tmp_path / "damaged.pack"
    path.write_bytes(data[:at] if cut else data)
    with contextlib.suppress(RecordError):
        assert load(path).digest == pack.digest  # a byte that says nothing: padding of the tar


def rewritten(pack: Pack, path: Path, changes: dict[str, object]) -> Path:
    """The pack's tar with another head."""
    with (
        tarfile.open(fileobj=io.BytesIO(to_bytes(pack))) as source,
        tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as out,
    ):
        for member in source:
            stream = source.extractfile(member)
            assert stream is not None
            data = stream.read()
            if member.name == "pack.json":
                data = json.dumps(json.loads(data) | changes).encode()
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 1}, "version 1, this program reads 2"),
        ({"format": "zip"}, "no pack"),
        ({"name": "other"}, "digest"),
        ({"counts": {"items": 10**9}}, "digest"),
        ({"arrays": {}}, "KeyError"),
        ({"salt": "xx"}, "ValueError"),
    ],
)
def test_a_pack_of_another_version_or_with_a_changed_head_is_refused(
    pack: Pack, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(RecordError, match=said):
        load(rewritten(pack, tmp_path / "x.pack", changes))


def test_a_pack_whose_indices_point_nowhere_is_refused_though_its_digests_hold(pack: Pack, tmp_path: Path) -> None:
    for name in ("unit_item", "run4_unit", "run2_first", "bag_unit", "form_unit"):
        arrays = dict(pack.arrays)
        arrays[name] = arrays[name] + np.int32(10**6)
        forged = Pack(pack.name, pack.split, pack.source, pack.licence, pack.salt, pack.counts, arrays)
        (tmp_path / "forged.pack").write_bytes(to_bytes(forged))
        with pytest.raises(RecordError, match="points nowhere"):
            load(tmp_path / "forged.pack")


def test_no_file_and_any_other_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for name in ("absent", "text", "."):
        with pytest.raises(RecordError, match="bad_pack"):
            load(tmp_path / name)


# --------------------------------------------------------------------------------------------------------- command line
def test_the_command_packs_a_benchmark_and_says_what_it_can_find(tmp_path: Path) -> None:
    pubmedqa(tmp_path)
    out = tmp_path / "packs/p.pack"
    result = CliRunner().invoke(
        main, ["pack-benchmark", "pubmedqa", str(tmp_path), "--out", str(out), "--licence", "MIT"]
    )
    assert result.exit_code == 0, result.output
    assert "pubmedqa test, 1 items" in result.output
    assert "by patient, study or video: 1 (100.0 %)" in result.output
    assert (load(out).licence, load(out).split) == ("MIT", "test")


def test_the_command_lists_benchmarks_and_packs_any_table_by_its_columns(tmp_path: Path) -> None:
    assert "medxpertqa" in CliRunner().invoke(main, ["pack-benchmark"]).output
    (tmp_path / "t.csv").write_text(f'Frage\n"{VIGNETTE}"\n')
    arguments = ["pack-benchmark", "mine", str(tmp_path / "t.csv"), "--out", str(tmp_path / "m.pack")]
    assert CliRunner().invoke(main, arguments).exit_code == 2
    result = CliRunner().invoke(main, [*arguments, "--column", "question=Frage", "--salt", "00" * 16])
    assert result.exit_code == 0, result.output
    assert load(tmp_path / "m.pack").counts["by_text"] == 1
    assert CliRunner().invoke(main, [*arguments, "--column", "question=Frage", "--salt", "zz"]).exit_code == 2
