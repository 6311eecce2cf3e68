"""Whole runs with a teacher that dies, lies, recites, errs in form and language, or is gone: nothing lost, nothing paid
twice, everything wrong dropped with its reason, and the same shards from the ledger alone."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate.packs import build, write
from curate.run import Result
from curate.store import file_sha256
from manifests.errors import TeacherError
from manifests.manifest import read_manifest
from sources.benchmarks import BenchmarkItem
from tests.corpus import run_recipe

pytestmark = pytest.mark.slow
ORGANS = ("liver", "spleen", "kidney", "pancreas", "stomach", "bladder", "uterus", "prostate", "thyroid", "brain")
TRUE = "The examined {organ} shows an even texture and a smooth outline."
RECITED = (
    "A lighthouse keeper asks in the evening which quiet harbour his hoarse captain and the tall pilot would like to "
    "visit."
)
COUNT = 20


def text_of(number: int) -> str:
    organ = ORGANS[number % len(ORGANS)]
    return f"{TRUE.format(organ=organ)} Examination {number} was done with a probe of {number + 3} MHz in the clinic."


def caption(text: str) -> str:
    return json.dumps({"caption": text})


def honest() -> dict[str, Any]:
    """A true sentence for each record."""
    return {f"Examination {n} was": caption(TRUE.format(organ=ORGANS[n % len(ORGANS)])) for n in range(COUNT)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    rows = [{"id": f"t{n:02}", "text": text_of(n)} for n in range(COUNT)]
    (root / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    item = BenchmarkItem(item_id="l1", question=RECITED, options=("larynx", "pharynx"), answer="larynx")
    write(build([item], "lighthouses", split="test", source="", licence=""), root / "l.pack")
    return root


def told(corpus: Path, out: Path, teacher: dict[str, Any], work: Path | None = None, pack: bool = False) -> Result:
    """A run whose only teacher task rewords texts; near-duplicates are kept, for the texts are all alike."""
    source = {"source": "jsonl_text", "name": "texts", "root": str(corpus / "texts.jsonl"), "licence": "MIT",
              "id": "id", "text": "text"}  # fmt: skip
    recipe: dict[str, Any] = {
        "name": "told",
        "sources": [source],
        "tasks": [{"task": "source_text"}, {"task": "narrate", "leave_out": ""}],
        "teacher": teacher,
        "select": {"near_duplicates": {"text": None, "media": None}},
    }
    if pack:
        recipe["select"]["benchmarks"] = [{"pack": str(corpus / "l.pack")}]
    path = out.parent / f"{out.name}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return run_recipe(path, out, work=work)


def scripted(journal: Path, **more: Any) -> dict[str, Any]:
    """Sixteen at once, each as slow as its request decides, so that answers come in any order."""
    return {
        "backend": "scripted",
        "answers": honest(),
        "in_flight": 16,
        "delay_s": 0.02,
        "journal": str(journal),
        **more,
    }


def shards(out: Path) -> dict[str, str]:
    return {one.path: file_sha256(out / one.path) for one in read_manifest(out).shards}


def paid(journal: Path) -> Counter[str]:
    return Counter(line for line in journal.read_text().splitlines() if not line.startswith("probe"))


def entries(work: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((work / "requests").rglob("*.json"))]


@pytest.fixture(scope="module")
def healthy(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same corpus told by a teacher that never fails."""
    root = tmp_path_factory.mktemp("healthy")
    manifest = told(corpus, root / "out", scripted(root / "journal"), root / "work").manifest
    assert (manifest.teacher.accepted, manifest.teacher.rejected) == (COUNT, {})
    return root


def test_the_ledger_alone_rebuilds_the_same_shards_from_answers_in_any_order(
    corpus: Path, healthy: Path, tmp_path: Path
) -> None:
    shutil.copytree(healthy / "work" / "requests", tmp_path / "work" / "requests")
    made = read_manifest(healthy / "out").teacher
    replay = {"backend": "replay", "model": made.model, "revision": made.revision, "sees": True}
    told(corpus, tmp_path / "out", replay, tmp_path / "work")
    assert shards(tmp_path / "out") == shards(healthy / "out") != {}


@pytest.mark.parametrize("more", [{"dies_every": 7}, {"failures": dict.fromkeys((3, 9, 10, 25), "server_error")}])
def test_a_teacher_that_dies_loses_nothing_and_is_paid_once(
    corpus: Path, healthy: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    manifest = told(corpus, tmp_path / "out", scripted(tmp_path / "journal", **more), tmp_path / "work").manifest
    assert (manifest.teacher.accepted, manifest.teacher.rejected) == (COUNT, {})
    assert set(paid(tmp_path / "journal").values()) == {1}
    assert len(paid(tmp_path / "journal")) == len(entries(tmp_path / "work")) == COUNT
    assert shards(tmp_path / "out") == shards(healthy / "out")


def test_a_teacher_that_is_gone_fails_the_run_and_the_next_one_pays_for_the_rest_alone(
    corpus: Path, healthy: Path, tmp_path: Path
) -> None:
    journal, work = tmp_path / "journal", tmp_path / "work"
    with pytest.raises(TeacherError, match="teacher_unreachable"):
        told(corpus, tmp_path / "out", scripted(journal, gone_after=8), work)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert len(entries(work)) == len(paid(journal)) == 8
    told(corpus, tmp_path / "out", scripted(journal), work)
    assert set(paid(journal).values()) == {1}
    assert len(paid(journal)) == COUNT
    assert shards(tmp_path / "out") == shards(healthy / "out")


WRONG: dict[str, tuple[Any, set[str]]] = {
    "lies about the organ": (caption("The examined heart shows an even texture and a smooth outline."), {"anatomy"}),
    "adds a finding": (caption(TRUE.format(organ="spleen") + " There is a tumor."), {"findings"}),
    "invents a number": (caption("A probe of 199 MHz shows an even texture and a smooth outline."), {"numbers"}),
    "answers in another schema": (json.dumps({"text": "An even texture."}), {"schema"}),
    "answers no JSON": ("An even texture and a smooth outline.", {"schema"}),
    "answers nothing": ({"text": ""}, {"schema", "answered"}),
    "answers a blank": (caption(" "), {"not_empty", "answered"}),
    "is cut off": ({"text": '{"caption": "An even text', "finish_reason": "length"}, {"schema", "answered"}),
    "speaks German": (caption("Die Leber ist nicht vergrößert und der Rand ist glatt."), {"grounded", "answered"}),
    "refuses": ("", {"answered"}),
    "recites what no text is about": (caption(RECITED), {"no_stray"}),  # `recites_benchmark`: test_benchmarks_run
}


def reasons(out: Path, work: Path) -> dict[str, str]:
    """Why the teacher's draft of each record was thrown away, "" where it was not."""
    ledger = [row for path in sorted(out.glob("ledger/*.parquet")) for row in pq.read_table(path).to_pylist()]
    names = {row["key"]: row["upstream_id"] for row in ledger}
    offers = [
        row for path in work.glob("units/synthesize/*/*/offers.parquet") for row in pq.read_table(path).to_pylist()
    ]
    return {names[row["key"]]: row["reason"] for row in offers if row["by_teacher"]}


def test_a_teacher_that_is_wrong_is_not_believed_and_each_reason_is_told(corpus: Path, tmp_path: Path) -> None:
    answers = dict(zip(honest(), (answer for answer, _ in WRONG.values()), strict=False))
    teacher = scripted(tmp_path / "journal", answers={**honest(), **answers})
    manifest = told(corpus, tmp_path / "out", teacher, tmp_path / "work", pack=True).manifest
    found = reasons(tmp_path / "out", tmp_path / "work")
    for number, (kind, (_, right)) in enumerate(WRONG.items()):
        assert found[f"id=t{number:02}"] in right, kind
    assert sum(1 for reason in found.values() if not reason) == manifest.teacher.accepted == COUNT - len(WRONG)
    assert manifest.counts.kept == COUNT
    asked = [json.dumps(entry["asked"], sort_keys=True) for entry in entries(tmp_path / "work")]
    assert len(asked) == len(set(asked))
    packed = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*.tar"))
    for word in (b"heart", b"tumor", b"199", b"Leber", b"lighthouse"):
        assert word not in packed
