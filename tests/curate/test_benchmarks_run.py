"""A recipe with benchmark packs: what a corpus holds of them stays out, in a teacher's words too, with evidence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate.audit import verify
from curate.explain import explain
from curate.packs import build, write
from manifests.errors import RecipeError
from sources.benchmarks import BenchmarkItem
from tests.corpus import run_recipe
from tests.curate.test_matching import rewrite_ledger

VIGNETTE = (
    "A farmer from a sheep station coughs up salty fluid after a fall; the radiograph shows a cavity with a floating "
    "membrane beside the left hilum and eosinophils are raised in peripheral blood. What is the most likely diagnosis?"
)
RECITED = (
    "A lighthouse keeper asks in the evening which quiet harbour his hoarse captain and the tall pilot would like to "
    "visit."
)
CLEAN = (
    "The liver is normal in size and attenuation, and both of its lobes are smooth and even today.",
    "The thoracic spine is straight and the vertebral bodies keep their height and their alignment on this study.",
)


def item(name: str, question: str, answer: str) -> BenchmarkItem:
    return BenchmarkItem(item_id=name, question=question, options=("hydatid cyst", "abscess", answer), answer=answer)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of which one holds an item of a pack and another nearly repeats that text, and the packs beside them."""
    root = tmp_path_factory.mktemp("corpus")
    leaked = f"Teaching file, week 12. {VIGNETTE} Discuss with your neighbour before the tutorial begins on Monday."
    texts = [*CLEAN, leaked, f"{leaked} Bring the film."]
    (root / "texts.jsonl").write_text(
        "".join(json.dumps({"id": f"t{n}", "text": t}) + "\n" for n, t in enumerate(texts))
    )
    write(build([item("v1", VIGNETTE, "carcinoma")], "vignettes", split="test", source="", licence=""), root / "v.pack")
    write(
        build([item("l1", RECITED, "sympathetic chain")], "eyelids", split="test", source="", licence=""),
        root / "l.pack",
    )
    return root


def recipe(root: Path, folder: Path, benchmarks: list[Any], **more: Any) -> Path:
    source = {"source": "jsonl_text", "name": "texts", "root": str(root / "texts.jsonl"), "licence": "MIT", "id": "id",
              "text": "text"}  # fmt: skip
    select = {"benchmarks": [b | {"pack": str(root / b["pack"])} for b in benchmarks]}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "clean", "sources": [source], "select": select, **more}))
    return path


def rows(out: Path) -> dict[str, dict[str, Any]]:
    found = [r for part in sorted(out.glob("ledger/*.parquet")) for r in pq.read_table(part).to_pylist()]
    return {r["upstream_id"]: r for r in found}


@pytest.mark.slow
def test_what_holds_an_item_is_dropped_with_evidence_and_its_near_copy_too(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = run_recipe(recipe(corpus, tmp_path, [{"pack": "v.pack"}, {"pack": "l.pack"}]), out).manifest
    assert manifest.counts.dropped == {"in_benchmark": 2}
    assert manifest.counts.kept == 2
    met = {b.pack: (b.records, b.items_met, b.policy) for b in manifest.benchmarks}
    assert met == {"vignettes": (2, 1, "drop"), "eyelids": (0, 0, "drop")}
    ended = {row["status"] for row in rows(out).values() if row["benchmarks"]}
    assert ended == {"dropped"}
    hit = next(row for row in rows(out).values() if row["benchmarks"])
    (told,) = json.loads(hit["benchmarks"])
    assert (told["pack"], hit["reason"]) == ("vignettes", "in_benchmark")
    assert "tokens" in told["said"]
    assert "floating membrane" not in hit["found"] + hit["benchmarks"]
    assert verify(out).findings == ()
    assert "in benchmark vignettes" in explain(out, hit["key"])
    rewrite_ledger(out, {hit["key"]: {"status": "kept", "reason": "", "split": "train"}})
    assert "benchmark_leak" in {f.check for f in verify(out).findings}
    rewrite_ledger(out, {hit["key"]: {"benchmarks": ""}})
    assert [f.found for f in verify(out).findings if f.check == "benchmarks"] == ["2 records, the ledger says 1"]


@pytest.mark.slow
def test_another_policy_looks_at_nothing_again_and_the_ledger_still_tells(corpus: Path, tmp_path: Path) -> None:
    work, use = tmp_path / "work", {"pack": "v.pack"}
    first = run_recipe(recipe(corpus, tmp_path, [use]), tmp_path / "a", work=work)
    units = {p.name for stage in ("prepare", "screen") for p in (work / "units" / stage).glob("*/*")}
    asked = recipe(corpus, tmp_path, [use | {"policy": "flag"}])
    second = run_recipe(asked, tmp_path / "b", work=work)
    assert {p.name for stage in ("prepare", "screen") for p in (work / "units" / stage).glob("*/*")} == units
    assert first.manifest.counts.kept == 2
    assert (second.manifest.counts.kept, second.manifest.counts.duplicate) == (3, 1)
    assert sum(bool(row["benchmarks"]) for row in rows(tmp_path / "b").values()) == 2
    assert first.manifest.fingerprint != second.manifest.fingerprint


@pytest.mark.slow
def test_a_teacher_that_recites_an_item_is_not_believed(corpus: Path, tmp_path: Path) -> None:
    """Its sentence is about what the texts are about, so no other check objects: only the pack knows it."""
    about = "A hoarse captain, a pilot and the keeper of a lighthouse came to the harbour."
    texts = [json.dumps({"id": f"t{n}", "text": f"{about} {clean}"}) for n, clean in enumerate(CLEAN)]
    (tmp_path / "texts.jsonl").write_text("\n".join(texts))
    shutil.copy(corpus / "l.pack", tmp_path / "l.pack")
    corpus = tmp_path
    teacher = {"backend": "scripted", "otherwise": json.dumps({"caption": RECITED})}
    tasks = [{"task": "source_text"}, {"task": "narrate", "grounded": 0}]
    believed = run_recipe(recipe(corpus, tmp_path, [], tasks=tasks, teacher=teacher), tmp_path / "a").manifest
    assert believed.teacher.accepted == believed.teacher.drafts > 0
    with_pack = recipe(corpus, tmp_path, [{"pack": "l.pack"}], tasks=tasks, teacher=teacher)
    manifest = run_recipe(with_pack, tmp_path / "b").manifest
    assert manifest.teacher.rejected == {"recites_benchmark": believed.teacher.accepted}
    assert manifest.counts.kept == believed.counts.kept
    flagging = recipe(corpus, tmp_path, [{"pack": "l.pack", "policy": "flag"}], tasks=tasks, teacher=teacher)
    assert run_recipe(flagging, tmp_path / "c").manifest.teacher.accepted == believed.teacher.accepted


def test_a_pack_that_is_not_there_is_told_before_anything_is_written(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="pack-benchmark"):
        run_recipe(recipe(corpus, tmp_path, [{"pack": "missing.pack"}]), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.slow
def test_paragraphs_that_many_texts_hold_are_told_and_dropped_as_asked(tmp_path: Path) -> None:
    notice = "This report was dictated with voice recognition software and may hold errors that were not noticed."
    own = [f"The examined {organ} shows an even texture and a smooth outline without any sign of disease or injury."
           for organ in ("liver", "spleen", "kidney", "pancreas")]  # fmt: skip
    texts = [*(f"{one}\n{notice}" for one in own), notice]
    (tmp_path / "texts.jsonl").write_text(
        "".join(json.dumps({"id": f"t{n}", "text": t}) + "\n" for n, t in enumerate(texts))
    )
    asked = recipe(tmp_path, tmp_path, [])
    reported = run_recipe(asked, tmp_path / "a", "select.repeats.least=3", "select.repeats.passage=12").manifest
    told = [(one.kind, one.count, one.words) for one in reported.repeated]
    assert told == [("paragraph", 5, 16), ("passage", 5, 16), ("passage", 4, 26)]  # the last 15 of what four say, too
    assert not reported.counts.dropped
    dropped = run_recipe(asked, tmp_path / "b", "select.repeats.least=3", "select.repeats.drop_above=0.9").manifest
    assert dropped.counts.dropped == {"repeated_text": 1}
    assert verify(tmp_path / "b").findings == ()
