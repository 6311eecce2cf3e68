"""The stages find what `find_duplicates` finds in memory, for any cut, any order, any memory."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import units
from curate.dedup import DedupConfig, NearDuplicates
from curate.near import paragraphs
from curate.near.signatures import NUM_PERM
from curate.near.stored import SIGNATURES, said
from curate.near_stages import Plan, Prepared, Sizes, plan, plan_repeats
from curate.prepare import record_text
from curate.store import unit_folder
from curate.text import comparison
from manifests.errors import RecipeError
from manifests.record import Asked, Record, record_from_json, to_json
from tests.curate.near_oracle import (
    CONFIG,
    Given,
    Row,
    answer,
    at_once,
    digits,
    done,
    in_memory,
    near_ones,
    store,
)
from tests.curate.test_dedup import icd_texts
from tests.curate.test_near import real_texts
from tests.curate.test_near_pairs import edited

WHOLE, ONE = Sizes(), Sizes(whole_rows=0)
MANY = Sizes(memory_bytes=1 << 20, chunk_rows=100, partition_rows=60, whole_rows=0)


def part(text: str, share: float) -> int:
    return max(1, round(len(text.split()) * share))


def corpus(base: Sequence[str], rng: random.Random, flood: int = 80) -> list[Given]:
    """Real texts with exact and near copies, chains, floods, rows that are none, and keys that stand twice."""
    texts = list(base)
    texts += [edited(text, part(text, rng.choice([0.01, 0.03, 0.1])), rng) for text in base[: len(base) // 2]]
    for text in base[:12]:  # a chain whose ends are further from each other than its links
        for _ in range(5):
            text = edited(text, part(text, 0.05), rng)
            texts.append(text)
    texts += [text.upper() for text in rng.sample(texts, 15)] + [base[0]] * flood
    texts += [base[1] + f" number {k}" for k in range(flood)]  # a bucket beyond `FULL`
    rows = [Row(digits(k, t), t) for k, t in enumerate(texts)]
    rows += [Row(digits("media", k), base[k % len(base)], kind="image") for k in range(20)]
    rows += [Row(digits("failed", k), base[k % len(base)], status="failed") for k in range(20)]
    rows += [Row(digits("mute", k), "...") for k in range(5)]
    twice = rng.sample(rows, 20)
    rng.shuffle(rows)
    parts: list[list[Row]] = [[] for _ in range(12)]
    for row in rows:
        parts[rng.randrange(11)].append(row)
    parts[3] = [dataclasses.replace(r, kind="image") for r in parts[3][:5]]
    parts[11] = []
    made = [Given(k % 3, tuple(part)) for k, part in enumerate(parts)]
    again = [dataclasses.replace(r, status=rng.choice(["ready", "failed"])) for r in twice]
    source = {r.key: g.source for g in made for r in g.rows}
    made += [Given(s, tuple(r for r in again if source.get(r.key) == s)) for s in range(3)]
    return made[-3:] + made[:-3]  # what stands twice stands first


@pytest.mark.slow
def test_stages_find_what_memory_finds_in_one_unit_each_or_in_many_and_in_any_order(tmp_path: Path) -> None:
    rng = random.Random(5)
    parts = corpus(icd_texts()[:80], rng)
    all_of_them = in_memory(parts)
    expected = near_ones(all_of_them)
    assert len(expected) > 120
    assert sum(one.matched != one.of for one in expected.values()) > 5  # chains
    ready = store(tmp_path, parts)
    whole, small, large = (done(tmp_path, plan(ready, CONFIG, sizes=s)) for s in (WHOLE, ONE, MANY))
    assert [stage for stage, _ in whole.stages] == ["near"]
    assert [len(some) for _, some in small.stages] == [1] * 6
    assert [len(some) for _, some in large.stages] == [1, 11, 8, 11, 8, 1]
    assert answer(tmp_path, whole) == expected
    assert answer(tmp_path, small) == expected == answer(tmp_path, large)
    assert list(answer(tmp_path, small)) == sorted(expected)

    assert in_memory(parts, near=expected) == all_of_them
    seen = parts[:3] + rng.sample(parts[3:], len(parts) - 3)
    assert at_once(tmp_path, plan(store(tmp_path, seen), CONFIG, sizes=Sizes(1 << 20, 150, 300, 0))) == expected
    other = done(tmp_path / "again", plan(store(tmp_path / "again", parts), CONFIG, sizes=MANY))
    assert written(tmp_path, large) == written(tmp_path / "again", other)
    more = done(tmp_path, plan(ready, CONFIG, sizes=dataclasses.replace(MANY, memory_bytes=5 << 20)))
    kept = [{n: data for n, data in written(tmp_path, one).items() if n[0] != "near_bands"} for one in (large, more)]
    assert sorted(kept[0].values()) == sorted(kept[1].values())


def written(work: Path, made: Plan) -> dict[tuple[str, str, str], bytes]:
    return {
        (stage, unit.key, file.name): file.read_bytes()
        for stage, some in made.stages
        for unit in some
        for file in unit_folder(work, stage, unit.key).iterdir()
    }


@pytest.mark.parametrize(
    ("exact", "confirm", "weight"),
    [(True, True, 0.5)] + [pytest.param(e, c, 0.9, marks=pytest.mark.slow) for e, c in ((False, True), (True, False))],
)
def test_every_way_of_comparing_is_that_of_memory(tmp_path: Path, exact: bool, confirm: bool, weight: float) -> None:
    parts = corpus(icd_texts()[100:115], random.Random(6), flood=5)
    config = DedupConfig(exact=exact, near_duplicates=NearDuplicates(text=0.8, false_negative_weight=weight))
    lost = tuple(sorted(near_ones(in_memory(parts, config=config)).values(), key=lambda d: d.of)[k].of for k in (0, -1))
    expected = near_ones(in_memory(parts, lost, config, confirm))
    assert not {one.of for one in expected.values()} & set(lost)
    for sizes in (WHOLE, Sizes(1 << 20, 200, 200, 0)):
        assert at_once(tmp_path, plan(store(tmp_path, parts), config, lost, sizes, confirm)) == expected


@pytest.mark.slow
@pytest.mark.shared_data
def test_real_abstracts_and_answers_are_cut_as_memory_cuts_them(tmp_path: Path) -> None:
    parts = corpus(real_texts()[::3], random.Random(7))
    expected = near_ones(in_memory(parts))
    assert len(expected) > 200
    ready = store(tmp_path, parts)
    for sizes in (WHOLE, Sizes(chunk_rows=500, partition_rows=700, whole_rows=0), Sizes(1 << 20, 1000, 9999, 0)):
        assert at_once(tmp_path, plan(ready, CONFIG, sizes=sizes)) == expected


def test_an_added_unit_and_lost_records_leave_the_band_entries_of_others(tmp_path: Path) -> None:
    rng = random.Random(9)
    ready = [Prepared(hashlib.sha256(bytes([k])).hexdigest(), rng.randrange(5, 60)) for k in range(200)]
    sizes = Sizes(chunk_rows=600, whole_rows=0)
    first = plan(ready, CONFIG, sizes=sizes)
    added = plan([*ready[:20], Prepared("0" * 64, 17), *ready[20:]], CONFIG, lost=("0" * 32,), sizes=sizes)
    assert first is not None
    assert added is not None
    keys, new = ({unit.key for unit in dict(made.stages)["near_bands"]} for made in (first, added))
    assert len(keys) > 10
    assert len(new - keys) <= 3
    assert first.stages[0] != added.stages[0]


def test_what_memory_may_be_taken_is_no_part_of_a_key() -> None:
    ready = [Prepared("ab" * 32, 10)]
    one, other = (plan(ready, CONFIG, sizes=Sizes(memory)) for memory in (1 << 30, 1 << 31))
    assert one is not None
    assert other is not None
    assert one.stages != other.stages
    assert one.found == other.found
    assert plan(ready, DedupConfig(near_duplicates=NearDuplicates(text=None))) is None
    assert plan([], CONFIG) is None
    with pytest.raises(RecipeError):
        plan(ready, CONFIG, sizes=Sizes(1000))


def test_a_run_without_any_text_is_answered(tmp_path: Path) -> None:
    parts = [Given(0, tuple(Row(digits(k), "one and the same", kind="image") for k in range(3))), Given(1, ())]
    assert not (unit_folder(tmp_path, "prepare", parts[0].key) / SIGNATURES).exists()
    made = done(tmp_path, plan(store(tmp_path, parts), CONFIG))
    assert answer(tmp_path, made) == {}


CHILD = """
import sys
from pathlib import Path
from curate.dedup import DedupConfig
from curate.near_stages import Prepared, Sizes, near_duplicates, plan
from curate.units import run_unit
work, rows, memory, *keys = sys.argv[1:]
sizes = Sizes(int(memory), whole_rows=0)
made = plan([Prepared(key, int(rows)) for key in keys], DedupConfig(), sizes=sizes, confirm=False)
for _, units in made.stages:
    for unit in units:
        run_unit(unit, Path(work))
status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent before exec
print(len(near_duplicates(Path(work), made.found)), int(status.split("VmHWM:")[1].split()[0]) << 10)
"""


@pytest.mark.slow
def test_memory_stays_within_its_bound(tmp_path: Path) -> None:
    """Ninety thousand records, 46 MB of signatures and 13 MB of entries, within 16 MiB beside what is mapped and what
    two hundred and forty take."""
    keys = [digits(k) * 2 for k in range(12)]
    ends = []
    for rows in (20, 7_500):
        for key in keys:
            store_signed(tmp_path / str(rows), key, rows)
        command = [sys.executable, "-c", CHILD, str(tmp_path / str(rows)), str(rows), str(16 << 20), *keys]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        ends.append([int(value) for value in done.stdout.split()])
    assert [found for found, _ in ends] == [12 * 7, 12 * 2500]
    assert ends[1][1] - ends[0][1] < (16 << 20) + 32 * 90_000 + (24 << 20)  # and what libraries keep


def store_signed(work: Path, key: str, rows: int) -> None:
    """A prepared unit of random signatures, every third the one before."""
    folder = unit_folder(work, "prepare", key)
    folder.mkdir(parents=True)
    values = np.random.default_rng(int(key[:8], 16)).integers(0, 2**32, (rows, NUM_PERM), dtype=np.uint32)
    values[1::3] = values[:-1:3]
    np.save(folder / SIGNATURES, values)
    names = [digits(key, k) * 2 for k in range(rows)]
    columns = [[name[:32] for name in names], ["ready"] * rows, ["text"] * rows, names]
    pq.write_table(pa.table(columns, ["key", "status", "kind", "text_sha256"]), folder / "rows.parquet")


def test_texts_without_their_signatures_are_refused(tmp_path: Path) -> None:
    parts = [Given(0, (Row(digits(1), "one and the same"),))]
    ready = store(tmp_path, parts)
    (unit_folder(tmp_path, "prepare", parts[0].key) / SIGNATURES).unlink()
    made = plan(ready, CONFIG)
    with pytest.raises(RecipeError, match="no signatures"):
        done(tmp_path, made)


@settings(max_examples=20, deadline=None)
@given(st.text(), st.lists(st.builds(Asked, st.text(), st.text()), max_size=3))
def test_a_record_says_the_same_without_being_made(text: str, asked: list[Asked]) -> None:
    record = Record("k", "s", "u", "i", "0" * 64, "text", "g", "MIT", "open", text=text, asked=tuple(asked))
    form = to_json(record)
    assert said(form) == record_text(record_from_json(form))


def test_paragraphs_are_counted_over_all_units_and_records_of_little_else_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in (paragraphs.CHUNK_STAGE, paragraphs.STAGE):  # no run has these yet
        monkeypatch.setitem(units.FUNCTIONS, stage, "curate.near.paragraphs")
    notice = "All rights are reserved by the publisher and the authors of this journal"
    own = [f"finding number {k} of its own kind with quite a few words more than the others" for k in range(40)]
    texts = [f"{one}\n\n{notice.upper() if k % 2 else notice}." if k % 4 else one for k, one in enumerate(own)]
    texts += [f"{notice}.\nshort line\n{notice}", f"{notice}.\nshort line\n{notice}"]  # equal: counts once
    rows = [Row(digits(k, t), t) for k, t in enumerate(texts)] + [Row(digits("x"), notice, status="failed")]
    ready = store(tmp_path, [Given(0, tuple(rows[k::5])) for k in range(5)])
    for sizes in (WHOLE, Sizes(memory_bytes=1 << 10, chunk_rows=10)):
        stages = plan_repeats(ready, CONFIG, 3, sizes=sizes)
        for _, some in stages:
            for unit in some:
                units.run_unit(unit, tmp_path)
        assert len(stages[1][1]) == (1 if sizes is WHOLE else 5)
        last = paragraphs.Counted(stages[-1][1][0].key, stages[0][1][0].key)
        form = comparison(notice)
        assert paragraphs.read_top(tmp_path, last) == [
            paragraphs.Repeated(xxhash.xxh64_hexdigest(form.encode()), 32, 13)
        ]
        shares = {row.key: 0.0 for row in rows}
        for row in rows[:-1]:
            lines = [comparison(line).split() for line in row.text.splitlines() if line]
            shares[row.key] = sum(len(x) for x in lines if " ".join(x) == form) / sum(map(len, lines))
        found = paragraphs.repeated_records(tmp_path, last, 0.9)
        assert found.keys() == {min(rows[-2].key, rows[-3].key)}
        every = paragraphs.repeated_records(tmp_path, last, 0.0)
        assert len(every) == 31
        assert all(abs(shares[key] - share) < 1e-6 for key, share in every.items())
