"""Near duplicates of text as stages of a run: planned from the prepared units, done by workers, out of core.

    near_index      one unit           which texts are compared, and their ranks
    near_bands      one per chunk      band entries of the chunk's signatures, by partition
    near_candidates one per partition  pairs that share a band and are near by their signatures
    near_texts      one per chunk      shingles of the texts in those pairs, each text read once
    near_pairs      one per partition  pairs that are near by exact Jaccard similarity
    near_keepers    one unit           clusters, and for each record that goes its evidence

A small run has one unit, `near`, that does them all. The answer is the same for any number of chunks, partitions and
workers, any order of sources and any memory. What is added to a run leaves the band entries of the chunks that it does
not fall into as they are, while the number of partitions, a power of two, stays.

**What it takes**, by what a million texts of 200 words took (`benchmarks/dedup_text.py`, where 7 % stand in a candidate
pair): 15 s of CPU in these stages, more than half of it to read the texts in `near_texts`, and 40 s before them to
read, sign and store, which is prepare's. All grows in proportion, but for what one unit reads of others:

- 10**8 records by default (1 GiB a process): some 700 chunks, 256 partitions, half a core-hour; 51 GB of signatures
  (written by prepare), 14 GB of band entries, 3 GB of index and 5 GB of scratch beside it, 12 GB of shingles. The two
  units that are one process take five minutes (`near_index`) and some seconds (`near_keepers`: 0.8 GB).
- 10**9, which is arithmetic and not measured: 0.5 TB of signatures, 140 GB of entries and 125 GB of shingles, each
  written and read once, 1 TB of prepared rows read once; four core-hours, so with 64 cores five minutes but for
  `near_index`, 50 minutes in one process, whose 31 GB of results are mapped. `near_keepers` holds 8 GB: 4 GB of labels
  and 150 bytes for each of 25 million pairs. With 1 GiB a process there are 2,048 partitions that each read a slice of
  7,000 chunks; give 8 GiB, and there are 256.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.dedup import DedupConfig, bands
from curate.near import bands as bands_stage
from curate.near import candidates, confirmed, index, keepers, paragraphs, passages, texts, whole
from curate.near.pairs import Scheme
from curate.near.signatures import NUM_PERM
from curate.sketch import Duplicate
from curate.store import read_summary, unit_folder
from curate.units import Unit
from manifests.card import licence_rank
from manifests.errors import RecipeError

if TYPE_CHECKING:
    from curate.recipe import Recipe

MEMORY_BYTES = 1 << 30
_LEAST_BYTES = 1 << 20
_LEAST_ROWS = 1 << 13  # of a chunk that is cut to have more of them
_STEP = 1 << 17  # signatures banded at once
_ENTRY_BYTES = 80  # of a band entry, while a partition is sorted


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared unit: its key, how many rows it has, and its source's priority and licence rank (higher stays)."""

    key: str
    rows: int
    priority: int = 0
    licence_rank: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """`memory_bytes` bounds each process, `chunk_rows` and `partition_rows` say how much one unit does at most, up to
    `whole_rows` one unit does all; none of them changes the answer."""

    memory_bytes: int = MEMORY_BYTES
    chunk_rows: int = 1 << 18
    partition_rows: int = 1 << 19
    whole_rows: int = 1 << 14


@dataclass(frozen=True, slots=True)
class Found:
    """The unit that holds the answer, and the threshold that was asked."""

    stage: str
    key: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Units by stage, in the order in which stages are done; the last is a single one, with the answer."""

    stages: tuple[tuple[str, tuple[Unit, ...]], ...]
    threshold: float

    @property
    def found(self) -> Found:
        stage, (last,) = self.stages[-1]
        return Found(stage, last.key, self.threshold)


def plan_of(recipe: Recipe, prepared: Sequence[tuple[str, Unit]], work: Path, lost: Sequence[str] = (),
            memory_bytes: int = MEMORY_BYTES) -> Plan | None:  # fmt: skip
    """The plan of a run, or None where near texts are not asked for or no prepared row can be one. `prepared` pairs
    source names with units that are done, in plan order; `lost` are keys of records that could not be rendered."""
    return plan(prepared_of(recipe, prepared, work), recipe.select, lost, Sizes(memory_bytes))


def prepared_of(recipe: Recipe, prepared: Sequence[tuple[str, Unit]], work: Path) -> list[Prepared]:
    """What `plan` and `plan_repeats` are told of a run's prepared units, which are done."""
    by_name = {s.called: s for s in recipe.sources}
    return [
        Prepared(
            unit.key,
            int(read_summary(work, "prepare", unit.key)["records"]),
            by_name[name].priority,
            licence_rank(by_name[name].licence),
        )
        for name, unit in prepared
    ]


def plan(given: Sequence[Prepared], config: DedupConfig, lost: Sequence[str] = (), sizes: Sizes | None = None,
         confirm: bool = True) -> Plan | None:  # fmt: skip
    """The same of prepared units however they came. With `confirm` pairs are judged by their texts, else by their
    signatures. Raises `RecipeError` for less than 1 MiB of memory."""
    near, sizes = config.near_duplicates, sizes or Sizes()
    total = sum(unit.rows for unit in given)
    if near.text is None or not total:
        return None
    if sizes.memory_bytes < _LEAST_BYTES:
        raise RecipeError(f"{sizes.memory_bytes} bytes of memory are too few to compare texts in; give 1 MiB or more")
    scheme = Scheme(*bands(near.text, NUM_PERM, near.false_negative_weight), near.text, exact=confirm)
    first = _index(given, config, lost, sizes)
    units = _planned(first, list(_chunks(given, sizes)), given, scheme, sizes)
    if total <= sizes.whole_rows:
        units = [whole.unit_of(whole.WholeSpec(tuple(units)), {"index": first.key, "scheme": asdict(scheme)})]
    by_stage = itertools.groupby(units, lambda unit: unit.stage)
    return Plan(tuple((stage, tuple(some)) for stage, some in by_stage), near.text)


def _planned(
    first: Unit, chunks: list[tuple[int, int]], given: Sequence[Prepared], scheme: Scheme, sizes: Sizes
) -> list[Unit]:
    memory = sizes.memory_bytes
    partitions = _partitions(sum(unit.rows for unit in given), scheme.bands, sizes)
    step = min(_STEP, max(1024, memory // 4 // (4 * NUM_PERM + 72 * scheme.bands)))
    starts, place = [], 0
    banded = []
    for start, end in chunks:
        starts.append(place)
        part = tuple((unit.key, unit.rows) for unit in given[start:end])
        place += sum(rows for _, rows in part)
        banded.append(bands_stage.unit_of(bands_stage.BandsSpec(part, scheme.bands, scheme.rows, partitions, step)))
    entries = tuple((unit.key, at) for unit, at in zip(banded, starts, strict=True))
    proposed = [
        candidates.unit_of(candidates.CandidatesSpec(first.key, entries, scheme, part, memory))
        for part in range(partitions)
    ]
    asked = tuple(unit.key for unit in proposed)
    read = [texts.unit_of(texts.TextsSpec(first.key, asked, chunk, memory)) for chunk in chunks if scheme.exact]
    shingled = tuple((unit.key, at) for unit, at in zip(read, starts, strict=False))
    judged = [confirmed.unit_of(confirmed.PairsSpec(first.key, key, shingled, scheme, memory)) for key in asked]
    found = tuple(unit.key for unit in judged)
    last = keepers.unit_of(keepers.KeepersSpec(first.key, found, shingled, scheme, memory))
    return [first, *banded, *proposed, *read, *judged, last]


def _chunks(given: Sequence[Prepared], sizes: Sizes) -> Iterator[tuple[int, int]]:
    """Runs of units of about half of `most` rows, cut where a unit's own key says so, so that an added unit changes
    the runs beside it and no other; no run under a quarter but the last, none continued beyond `most`: `chunk_rows`, or
    a power of two that gives a smaller run some ten chunks to spread."""
    most = min(sizes.chunk_rows, max(_LEAST_ROWS, 1 << (sum(unit.rows for unit in given) // 8).bit_length()))
    start, rows = 0, 0
    for end, unit in enumerate(given, 1):
        rows += unit.rows
        drawn = int(unit.key[:8], 16) * most < (unit.rows * 4) << 32
        if rows >= most or (rows * 4 >= most and drawn):
            yield start, end
            start, rows = end, 0
    if start < len(given):
        yield start, len(given)


def _partitions(total: int, width: int, sizes: Sizes) -> int:
    """The power of two that makes partitions small enough."""
    least = max(-(-total * width * _ENTRY_BYTES * 2 // sizes.memory_bytes), -(-total // sizes.partition_rows))
    return 1 << (least - 1).bit_length()


def near_duplicates(work: Path, found: Found) -> dict[str, Duplicate]:
    """The records that go, by key in sorted order, when all stages of a plan are done."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(unit_folder(work, found.stage, found.key) / keepers.FILE) as file:
        table = file.read(use_threads=False)
    return {
        row["key"]: Duplicate(row["of"], row["matched"], "minhash", row["score"], found.threshold)
        for row in table.to_pylist()
    }


def plan_repeats(given: Sequence[Prepared], config: DedupConfig, least: int, lost: Sequence[str] = (),
                 sizes: Sizes | None = None) -> tuple[tuple[str, tuple[Unit, ...]], ...]:  # fmt: skip
    """Units by stage that count paragraphs, those that stand `least` times or more being repeated
    (`curate.near.paragraphs`); the last stage is one unit. The first is that of `plan`, unless one unit does all."""
    sizes = sizes or Sizes()
    first = _index(given, config, lost, sizes)
    chunks, last = paragraphs.units_of(first.key, list(_chunks(given, sizes)), least, sizes.memory_bytes)
    return ((first.stage, (first,)), (paragraphs.CHUNK_STAGE, tuple(chunks)), (last.stage, (last,)))


def plan_passages(given: Sequence[Prepared], config: DedupConfig, window: int, least: int, lost: Sequence[str] = (),
                  sizes: Sizes | None = None) -> tuple[tuple[str, tuple[Unit, ...]], ...]:  # fmt: skip
    """Units by stage that count runs of `window` words, those that stand `least` times or more being repeated
    (`curate.near.passages`); the first is that of `plan_repeats`, the last stage is one unit."""
    sizes = sizes or Sizes()
    first = _index(given, config, lost, sizes)
    parts = _partitions(sum(unit.rows for unit in given), passages.ANCHORS_PER_ROW, sizes)
    chunks = list(_chunks(given, sizes))
    return ((first.stage, (first,)), *passages.units_of(first.key, chunks, window, least, parts, sizes.memory_bytes))


def _index(given: Sequence[Prepared], config: DedupConfig, lost: Sequence[str], sizes: Sizes) -> Unit:
    rows = tuple((unit.key, unit.priority, unit.licence_rank, unit.rows) for unit in given)
    return index.unit_of(index.IndexSpec(rows, tuple(sorted(lost)), config.exact, sizes.memory_bytes))
