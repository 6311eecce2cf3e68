"""Sources of pictures on real files in upstream's layout, and what their containers must hold to."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import RecordError
from manifests.manifest import read_manifest
from manifests.record import FileRef
from sources import mini
from sources.base import Item, Place
from sources.containers import parquet_peek, parquet_rows
from sources.pictures.medmnist import MedMnist, runs
from tests.corpus import run_recipe
from tests.sources.listing import entries_of, items_of, miniature, pseudonym

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = [
    pytest.mark.slow,
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent"),
]
KEEP = {"faces": {"keep": "licensed test data"}, "burned_in": {"keep": "licensed test data"}}


def rows_of(tmp_path: Path, name: str, root: Path) -> dict[str, list[dict[str, Any]]]:
    """The ledger rows of a source's records by the end of its first file's name, run from end to end."""
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "out"
    recipe.write_text(yaml.safe_dump({"sources": [{"source": name, "root": str(root)}], "deidentify": KEEP}))
    run_recipe(recipe, out)
    found: dict[str, list[dict[str, Any]]] = {}
    for part in read_manifest(out).ledger:
        for row in pq.read_table(out / part.path).to_pylist():
            found.setdefault(Path(row["lineage"][0]["path"]).name, []).append(row)
    return found


# ---------------------------------------------------------------------------------------------------------- real files
@pytest.mark.usefixtures("tmp_path")
class TestRealFiles:
    pytestmark = needs_shared

    def test_both_eyes_of_a_child_are_records_and_every_file_is_in_the_ledger(self, tmp_path: Path) -> None:
        rows = rows_of(tmp_path, "chase_db1", SHARED / "fundus-chasedb1")
        for name in ("Image_01R.jpg", "Image_04R.jpg", "Image_06L.jpg"):
            assert [row["status"] for row in rows[name]] == ["kept"], rows[name]
            drawn = [f["path"] for f in rows[name][0]["lineage"] if f["role"] == "mask"]
            assert drawn == [f"Labels/{name[:9]}_1stHO.png"]
        assert {row["reason"] for row in rows["mask_01R.png"]} == {"not_a_record"}

    def test_images_of_the_isic_archive_keep_what_its_metadata_tell(self, tmp_path: Path) -> None:
        root = tmp_path / "isic"
        root.mkdir()
        table = []
        for image in ("ISIC_0000000", "ISIC_0000001"):
            (root / f"{image}.jpg").write_bytes((SHARED / f"dermoscopy-isic/{image}.jpg").read_bytes())
            told = json.loads((SHARED / f"dermoscopy-isic/{image}.metadata.json").read_text())["meta"]
            clinical = {k: told["clinical"][k] for k in ("age_approx", "benign_malignant", "diagnosis", "sex")}
            table.append({"isic_id": image, **clinical, "image_type": told["acquisition"]["image_type"]})
        mini.table(root / "metadata.csv", table)
        rows = rows_of(tmp_path, "isic", root)
        for image in ("ISIC_0000000", "ISIC_0000001"):
            assert [(row["status"], row["modality"]) for row in rows[f"{image}.jpg"]] == [("kept", "DMS")]


# ---------------------------------------------------------------------------------------------------------- containers
def medmnist(tmp_path: Path, **arrays: Any) -> list[Item]:
    """The records of one archive below `tmp_path`."""
    np.savez_compressed(tmp_path / "bloodmnist.npz", **arrays)
    return opened(tmp_path)


def opened(root: Path) -> list[Item]:
    from sources.base import Place

    return items_of(MedMnist.model_validate({"source": "medmnist"}), Place(root, root))


def split_arrays(images: Any, labels: Any) -> dict[str, Any]:
    return {f"{s}_{k}": v for s in ("train", "val", "test") for k, v in (("images", images), ("labels", labels))}


@pytest.mark.parametrize("shape", [(5, 31, 29), (5, 29, 31, 3)])
def test_a_carried_picture_has_exactly_the_array_s_pixels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    items = [i for i in medmnist(tmp_path, **split_arrays(images, np.arange(5)[:, None])) if i.form == "picture"]
    assert len(items) == 5
    for item, pixels in zip(items, images, strict=True):
        read = PIL.Image.open(io.BytesIO(item.carried[0]))
        assert np.array_equal(np.asarray(read.convert("RGB" if len(shape) == 4 else "L")), pixels)


def test_an_archive_with_pickled_objects_is_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    proof = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (proof,))

    images = np.array([Hostile()], object)
    items = medmnist(tmp_path, **split_arrays(images, np.zeros((1, 1), np.uint8)))
    assert [i.reason for i in items] == ["pickled_array"]
    assert not proof.exists()


def test_labels_of_another_number_than_pictures_fail_the_archive(tmp_path: Path) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    with pytest.raises(RecordError, match="bad_container"):
        medmnist(tmp_path, **split_arrays(images, np.zeros((2, 1), np.uint8)))


def test_labels_that_are_no_whole_numbers_fail_the_archive(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="bad_container"):
        medmnist(tmp_path, **split_arrays(np.zeros((2, 28, 28), np.uint8), np.zeros((2, 1), np.float32)))


def test_a_3d_set_is_no_pictures(tmp_path: Path) -> None:
    items = medmnist(tmp_path, **split_arrays(np.zeros((2, 28, 28, 28), np.uint8), np.zeros((2, 1), np.uint8)))
    assert "not_a_record" in {i.reason for i in items}
    assert all(i.form == "none" for i in items)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), max_size=4))
def test_whatever_bytes_an_archive_holds_it_ends_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flips: list[tuple[int, int]]
) -> None:
    root = tmp_path_factory.mktemp("npz")
    np.savez(root / "bloodmnist.npz", **split_arrays(np.ones((2, 8, 8), np.uint8), np.ones((2, 1), np.uint8)))
    data = bytearray((root / "bloodmnist.npz").read_bytes())
    for where, change in flips:
        data[where % len(data)] ^= change
    (root / "bloodmnist.npz").write_bytes(data[: len(data) - cut])
    try:
        items = opened(root)
    except RecordError as error:
        assert error.reason in ("bad_container", "pickled_array")  # noqa: PT017 - either is right
    else:
        assert items


def test_an_archive_with_a_member_too_few_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bloodmnist.npz", "w") as archive:
        archive.writestr("train_images.npy", b"\x93NUMPY\x01\x00\x04\x00{}\n ")
    assert [i.reason for i in opened(tmp_path)] == ["bad_container"]


@given(shape=st.tuples(st.integers(0, 500_000), st.integers(1, 256), st.integers(1, 256)))
def test_runs_cover_every_row_once(shape: tuple[int, ...]) -> None:
    parts = list(runs(shape))
    assert [p[0] for p in parts] == [sum(p[2] for p in parts[:n]) for n in range(len(parts))]
    assert sum(p[2] for p in parts) == shape[0]
    assert len(parts) <= 32


def test_each_row_group_is_a_run_and_gives_its_rows_with_their_numbers_in_the_file(tmp_path: Path) -> None:
    mini.parquet(tmp_path / "t.parquet", [{"image": None, "label": n} for n in range(10)], rows_per_group=3)
    blocks = [tuple(map(int, b.split(","))) for b in parquet_peek(tmp_path / "t.parquet")["blocks"].split(";")]
    assert [(first, count) for first, _, count in blocks] == [(0, 3), (3, 3), (6, 3), (9, 1)]
    for first, size, count in blocks:
        run = Item("t", "rows", (FileRef("t.parquet", "0" * 64, 1),), block=(first, size, count))
        found = [(row.number, row["label"]) for row in parquet_rows(run, Place(tmp_path, tmp_path))]
        assert found == [(n + 1, str(n)) for n in range(first, first + count)]
    (line,) = parquet_rows(run, Place(tmp_path, tmp_path))
    with pytest.raises(RecordError, match="bad_table"):
        line["text"]


# ------------------------------------------------------------------------------------------------------- single quirks
def test_images_under_a_licence_that_is_not_wanted_are_left_out(tmp_path: Path) -> None:
    source, place = miniature("isic", tmp_path)
    free = source.model_validate({"source": "isic", "terms": ["CC-0"]})
    reasons = {i.upstream_id: i.reason for i in free.items(place, entries_of(free, place), pseudonym)}
    assert reasons["ISIC_0005001.jpg"] == "excluded_by_recipe"
    assert reasons["ISIC_0005000"] == ""


def test_what_is_no_mapping_of_labels_fails_as_a_table(tmp_path: Path) -> None:
    source, place = miniature("sa_med2d", tmp_path)
    (tmp_path / "SAMed2Dv1/SAMed2D_v1_class_mapping_id.json").write_text('{"AbdomenCT1K": ["liver"]}')
    with pytest.raises(RecordError, match="bad_table"):
        items_of(source, place)


@pytest.mark.parametrize(
    "said", ["[]", "3", '{"cju0qkwl35piu0993l0dew000": {"bbox": [3, {"xmin": "a"}], "width": null}}']
)
def test_boxes_of_another_form_say_nothing(tmp_path: Path, said: str) -> None:
    source, place = miniature("kvasir_seg", tmp_path)
    (tmp_path / "Kvasir-SEG/kavsir_bboxes.json").write_text(said)
    items = [i for i in items_of(source, place) if i.form == "picture"]
    assert len(items) == 4
    assert not [f for i in items for f in i.facts if f.name == "box"]
