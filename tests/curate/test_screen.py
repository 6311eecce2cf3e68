"""Records are screened where they lie prepared: what a benchmark holds is found by id, text, file, pixels and looks;
what merely resembles it is not; and nothing that is kept of an id opens with a dictionary."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import TypeAdapter

from curate.decontaminate import DecontaminateConfig, Evidence, Thresholds, check_ids
from curate.deidentify import DeidentifyConfig
from curate.inventory import KeyHint, entry_of
from curate.keyring import Keyring
from curate.looks.rows import image_looks
from curate.looks.volume import plane_of, volume_looks
from curate.packs import build, write
from curate.packs.build import Seen, item_hash
from curate.packs.media import open_media, telling_slices
from curate.packs.naming import IDS, SALT, salted256, telling
from curate.packs.pack import Pack
from curate.prepare import PrepareSpec
from curate.screen import stage
from curate.screen.drafts import REASON, screened
from curate.screen.ids import WIDTH, RecordIds, is_sealed_ids, opened, record_ids, sealed_ids
from curate.screen.media import LookTable, check_looks
from curate.screen.stage import Screening, decide, read_hits, summary, units_of
from curate.store import unit_folder
from curate.units import Unit, run_unit
from curate.volume import read_volume
from curate.volume.grids import reorient
from manifests.errors import RecipeError
from manifests.record import FileRef
from manifests.sample import Authorship, Draft, Turn
from sources import Source
from sources.base import Item, Place, list_files
from sources.benchmarks import BenchmarkItem

VIGNETTE = (
    "A farmer from a sheep station coughs up salty fluid after a fall; the radiograph shows a cavity with a floating "
    "membrane beside the left hilum and eosinophils are raised in peripheral blood."
)
CLEAN = "Moderate degenerative change of the thoracic spine is seen, and no acute fracture is identified today."
KEEP = {"keep": "packaged test data, nobody is in it"}
RING = Keyring.load("screen", 1)
HINT = KeyHint("screen", 1, "", RING.key_id)
WHO = "MRN-2218-4711"


def picture(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Smooth shapes that no other seed has."""
    draw = np.random.default_rng(seed)
    shapes = Image.fromarray(draw.integers(20, 230, (9, 9), np.uint8)).resize((200, 180), Image.Resampling.BICUBIC)
    return (np.asarray(shapes).astype(int) + draw.integers(-9, 10, (180, 200))).clip(0, 255).astype(np.uint8)


def packaged_volume(package: str, path: str) -> Any:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return read_volume(Path(spec.origin).parent / path)


def looked_at(items: Sequence[BenchmarkItem]) -> Iterator[Seen]:
    """As `MediaHashes` does, in this process."""
    from curate.packs.media import _checked

    serve = open_media(None)
    for index, item in enumerate(items):
        for kind, path in [("picture", p) for p in item.images] + [("volume", p) for p in item.volumes]:
            yield Seen((index,), (("file", hashlib.sha256(path.read_bytes()).hexdigest()),))
            found = _checked(next(iter(serve([kind, str(path)], 0))).value)  # type: ignore[union-attr]
            assert found is not None
            yield Seen((index,), (("pixels", found[0]),), found[1])


@dataclasses.dataclass(frozen=True)
class World:
    work: Path
    prepared: list[tuple[str, Unit]]
    folder: Path  # of the packs
    items: tuple[BenchmarkItem, ...]
    rows: dict[str, int]  # a picture's name -> its row

    def screening(self, **use: Any) -> Screening:
        config = DecontaminateConfig.model_validate({"benchmarks": [{"pack": "b.pack", **use}]})
        return stage.load(config, self.folder, self.work)


def prepared_unit(root: Path, work: Path, keys: dict[str, Any], groups: dict[str, str]) -> Unit:
    """A source prepared as a run does it, its ids as `record_ids` tells them."""
    source = TypeAdapter(Source).validate_python({**keys, "root": str(root), "licence": "MIT"})
    place = Place(root, root)
    entries = [entry_of(source, place, path, RING.pseudonym) for path in list_files(root, False)]
    items = tuple(source.items(place, entries, RING.pseudonym))
    deidentify = DeidentifyConfig.model_validate({"faces": KEEP, "burned_in": KEEP})
    unit = Unit(
        "prepare",
        hashlib.sha256(source.called.encode()).hexdigest(),
        PrepareSpec(source, place, items, deidentify, HINT, None),
    )
    run_unit(unit, work)
    path = unit_folder(work, "prepare", unit.key) / "rows.parquet"
    table = pq.read_table(path)
    ids = [
        sealed_ids(record_ids(items[row["item"]], [groups.get(row["key"], "")]), RING)
        if items[row["item"]].form != "rows"
        else sealed_ids(RecordIds(study=("pmid:21645374",) if n == 0 else ()), RING)
        for n, row in enumerate(table.to_pylist())
    ]
    at = table.column_names.index("ids")
    pq.write_table(table.set_column(at, "ids", pa.array(ids, pa.binary())), path)
    return unit


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root, bench = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("bench")
    for n in range(4):
        Image.fromarray(picture(n)).save(bench / f"{n}.png")
    items = (
        BenchmarkItem("bytes", "What is it?", images=(bench / "0.png",)),
        BenchmarkItem("pixels", "Where is it?", images=(bench / "1.png",)),
        BenchmarkItem("looks", "Is it large?", images=(bench / "2.png",)),
        BenchmarkItem("absent", "Is it bright?", images=(bench / "3.png",)),
        BenchmarkItem("text", VIGNETTE, ("Hydatid cyst", "Lung abscess"), "Hydatid cyst"),
        BenchmarkItem("patient", "Any?", patient=WHO),
        BenchmarkItem("article", "Does it help?", study="pmid:21645374"),
    )
    write(build(items, "bench", media=looked_at), bench / "b.pack")
    folder = root / "pictures" / WHO
    folder.mkdir(parents=True)
    for name, data in (("same", (bench / "0.png").read_bytes()), ("clean", None), ("pixels", None), ("jpeg", None)):
        if data:
            (folder / f"{name}.png").write_bytes(data)
    Image.fromarray(picture(1)).save(folder / "pixels.png", compress_level=0)
    Image.fromarray(picture(9)).save(folder / "clean.png")
    small = Image.fromarray(np.ascontiguousarray(np.rot90(picture(2)))).resize((150, 170))
    small.save(folder / "jpeg.jpg", quality=60)
    (root / "texts").mkdir()
    lines = [{"t": f"{CLEAN} {VIGNETTE}"}, {"t": CLEAN}]
    (root / "texts/t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    work = tmp_path_factory.mktemp("work")
    texts = prepared_unit(root / "texts", work, {"source": "jsonl_text", "text": "t"}, {})
    pictures = prepared_unit(root / "pictures", work, {"source": "image_table"}, {})
    named = {
        Path(json.loads(row["record"])["files"][0]["path"]).stem: n
        for n, row in enumerate(pq.read_table(unit_folder(work, "prepare", pictures.key) / "rows.parquet").to_pylist())
    }
    return World(work, [("texts", texts), ("pictures", pictures)], bench, items, named)


@pytest.mark.slow
def test_planted_items_are_found_by_every_method_in_prepared_units_and_clean_records_by_none(world: World) -> None:
    units = units_of(world.screening(), world.prepared)
    assert units_of(stage.NONE, world.prepared) == []
    told = {"texts": (2, 1), "pictures": (4, 4)}
    for unit in units:
        folder = unit_folder(world.work, "screen", unit.key)
        folder.mkdir(parents=True)
        assert stage.work(unit.spec, folder, world.work) == {"records": told[unit.label][0], "hit": told[unit.label][1]}
    texts, pictures = (read_hits(world.work, unit.key) for unit in units)
    name = {item.item_id: item_hash(SALT, item.item_id) for item in world.items}
    assert [(h.method, h.item) for h in texts[0]] == [("study", name["article"]), ("ngram13", name["text"])]
    assert list(texts) == [0]
    found = {n: [(h.method, h.item) for h in pictures[at]] for n, at in world.rows.items()}
    by_id = ("patient", name["patient"])
    assert found["clean"] == [by_id]
    assert found["same"] == [by_id, ("file", name["bytes"]), ("pixels", name["bytes"]), ("looks", name["bytes"])]
    assert found["pixels"] == [by_id, ("pixels", name["pixels"]), ("looks", name["pixels"])]
    assert found["jpeg"] == [by_id, ("looks", name["looks"])]
    looks = pictures[world.rows["jpeg"]][-1]
    assert looks.score >= looks.threshold == 1 - Thresholds().looks_bits / 128
    assert looks.evidence == Evidence("image")
    (of_pack,) = summary(world.screening(policy="flag"), world.work, [u.key for u in units])
    assert [of_pack[name] for name in ("policy", "items", "items_met", "records")] == ["flag", 7, 6, 5]
    assert of_pack["by_method"] == {"patient": 4, "study": 1}
    assert decide(world.screening(policy="flag"), pictures[0]).policy == "flag"
    assert decide(world.screening(), []).reason == ""
    assert len(stage.dropped_keys(world.screening(), world.work, units[1].key)) == 4
    assert stage.dropped_keys(world.screening(policy="flag"), world.work, units[1].key) == []


def test_a_policy_changes_no_key_and_thresholds_packs_and_prepared_units_do(world: World, tmp_path: Path) -> None:
    plain = [u.key for u in units_of(world.screening(), world.prepared)]
    kept = units_of(world.screening(policy="keep", reason="wanted"), world.prepared)
    assert [u.key for u in kept] == plain
    assert [u.spec for u in kept] == [u.spec for u in units_of(world.screening(), world.prepared)]
    stricter = world.screening(thresholds={"looks_bits": 4})
    assert not set(plain) & {u.key for u in units_of(stricter, world.prepared)}
    write(build(world.items[4:], "bench"), tmp_path / "b.pack")
    other = dataclasses.replace(world, folder=tmp_path).screening()
    assert not set(plain) & {u.key for u in units_of(other, world.prepared)}
    assert len(set(plain)) == 2


def test_nothing_that_prepare_keeps_is_what_a_dictionary_of_ids_makes(world: World) -> None:
    """Not even who has the packs' salt and every patient number finds one in the units."""
    data = b"".join(p.read_bytes() for p in (world.work / "units").rglob("*") if p.is_file())
    stored = [
        one
        for _, unit in world.prepared
        for row in pq.read_table(unit_folder(world.work, "prepare", unit.key) / "rows.parquet").to_pylist()
        for one in opened(row["ids"])
    ]
    assert stored
    for kind in IDS:
        for value in (WHO, "pmid:21645374"):
            salted = salted256(SALT, kind, value)
            assert salted[:8] not in data
            assert not {one[1:] for one in stored} & {salted[:8], hashlib.sha256(value.encode()).digest()[:8]}
    other = sealed_ids(RecordIds(patient=(WHO,)), Keyring.load("another", 1))
    assert not {one[1:] for one in stored} & {one[1:] for one in opened(other)}


# ------------------------------------------------------------------------------------------------------------- the ids
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("dataset/valid/valid_1/valid_1_a/valid_1_a_2.nii.gz", {"valid_1", "valid_1_a", "valid_1_a_2"}),
        ("files/p10/p10000032/s50414267/02aa804e-bde0afdd.jpg", {"p10000032", "s50414267"}),
        ("VQA_RAD Image Folder/synpic54610.jpg", {"synpic54610"}),
        ("imgs/xmlab102/source.jpg", {"slake:xmlab102"}),
        ("M3D_Cap/ct_case/000006/Axial.npy", {"m3d:ct_case/000006"}),
        ("videos/dQw4w9WgXcQ.mp4", {"dQw4w9WgXcQ"}),
    ],
)
def test_the_ids_that_benchmarks_publish_are_seen_in_published_paths(path: str, wanted: set[str]) -> None:
    item = Item(path, "picture", (FileRef(path, "0" * 64, 1),))
    ids = record_ids(item, (), {"study": ("1.2.840.113619.2.1",)})
    assert wanted <= set(ids.study)
    assert "1.2.840.113619.2.1" in ids.study
    assert "1.2.840.113619.2.1" not in ids.patient
    assert all(telling(value) for value in (*ids.patient, *ids.study, *ids.video))
    assert is_sealed_ids(sealed_ids(ids, RING))


def test_an_article_is_known_by_its_number_and_a_row_by_no_name_of_its_container() -> None:
    file = FileRef("pubmed/abstracts_0001.jsonl", "0" * 64, 1, fragment="line=7")
    ids = record_ids(Item("id=21645374", "text", (file,)), ("PMC3107779",))
    assert set(ids.study) == {"21645374", "pmid:21645374", "PMC3107779"}
    assert record_ids(Item("pubmed/abstracts_0001.jsonl#line=7", "text", (file,)), ()) == RecordIds()


def test_a_series_of_thousands_is_known_by_its_folders_and_header_and_by_none_of_its_slices() -> None:
    files = tuple(FileRef(f"p10000032/s50414267/IM{n:05}-x.dcm", "0" * 64, 1) for n in range(3000))
    ids = record_ids(Item("series:1", "dicom_series", files), (), {"patient": (WHO,)})
    assert set(ids.patient) == {WHO, "series:1", "p10000032", "s50414267", "p10000032/s50414267"}
    assert len(sealed_ids(ids, RING)) <= 15 * WIDTH


def test_names_that_anybody_gives_are_nobodys_ids() -> None:
    for value in ("images", "case_0012", "IMG-00231", "patient 7", "frame00001", "1234567"):
        assert not telling(value), value
    assert len(sealed_ids(RecordIds(patient=("case_0012", WHO, WHO)), RING)) == WIDTH
    assert not is_sealed_ids(b"\x00" * 8)


def test_a_pack_with_ids_under_its_own_salt_or_looks_of_another_version_is_refused(
    world: World, tmp_path: Path
) -> None:
    def loaded(pack: Pack) -> Screening:
        write(pack, tmp_path / "b.pack")
        return dataclasses.replace(world, folder=tmp_path).screening()

    with pytest.raises(RecipeError, match="without --salt"):
        loaded(build(world.items[5:], "own", b"a salt of its own"))
    assert loaded(build(world.items[4:5], "own", b"a salt of its own")).packs
    pack = build(world.items[:1], "old", media=looked_at)
    with pytest.raises(RecipeError, match="looks of another version"):
        loaded(dataclasses.replace(pack, looks="0" * 16))


# ----------------------------------------------------------------------------------------------------------- the looks
def table(item: str, looks: Any) -> LookTable:
    from curate.decontaminate import with_uses

    return LookTable(with_uses([build([BenchmarkItem(item)], item, media=lambda _: [Seen((0,), (), looks)])]))


def jpeg(pixels: np.ndarray[Any, Any], quality: int = 70) -> np.ndarray[Any, Any]:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.slow
def test_slices_link_to_volumes_and_volumes_to_volumes_in_either_role_and_other_heads_to_none() -> None:
    head = packaged_volume("nibabel", "tests/data/anatomical.nii")
    other = packaged_volume("nilearn", "datasets/data/image_10426.nii.gz")
    turned = reorient(head, "RAS")
    low, high = np.percentile(turned.voxels, [0.5, 99.5])
    plane = (plane_of(turned, 2, 14, (float(low), float(high))) >> 8).astype(np.uint8)
    slice_looks = image_looks(jpeg(np.rot90(np.asarray(Image.fromarray(plane).resize((160, 200))))))
    again = reorient(head, "LPS")
    again = dataclasses.replace(again, voxels=again.voxels // 2 + 7)
    of_head = table("head", telling_slices(head))
    in_volume, as_volume, another = check_looks(of_head, [slice_looks, volume_looks(again), volume_looks(other)])
    assert [(h.method, h.evidence.part, h.evidence.axis) for h in in_volume] == [("looks", "volume", "z")]
    assert abs(in_volume[0].evidence.index - 14) <= 1
    assert [(h.method, h.evidence.part) for h in as_volume] == [("looks", "volume")]
    assert another == []
    (of_picture,) = check_looks(table("slice", slice_looks[slice_looks["window"] < 3]), [volume_looks(again)])
    assert [(h.evidence.part, h.evidence.axis) for h in of_picture] == [("image", "z")]
    assert abs(of_picture[0].evidence.index - 14) <= 1


def test_looks_of_a_record_do_not_depend_on_what_is_screened_beside_it_and_obey_each_packs_own_threshold() -> None:
    from curate.decontaminate import PackUse, with_uses

    packs = [build([BenchmarkItem(n)], n, media=lambda _: [Seen((0,), (), image_looks(picture(1)))]) for n in "ab"]
    noisy = np.clip(picture(1).astype(int) + np.random.default_rng(0).integers(-25, 26, (180, 200)), 0, 255)
    records = [image_looks(noisy.astype(np.uint8)), image_looks(picture(5)), image_looks(picture(1))]
    strict = Thresholds(looks_bits=0, looks_low_bits=0)
    known = LookTable(with_uses(packs, [PackUse(pack="a", thresholds=strict), PackUse(pack="b")]))
    together = check_looks(known, records)
    assert together == [check_looks(known, [one])[0] for one in records]
    assert [[h.pack for h in hits] for hits in together] == [["b"], [], ["a", "b"]]


def test_empty_pictures_and_slices_are_left_out_of_a_pack(tmp_path: Path) -> None:
    blank = np.zeros((128, 128), np.uint8)
    blank[60:66, 20:100] = 200  # a line of writing on nothing
    Image.fromarray(blank).save(tmp_path / "blank.png")
    Image.fromarray(picture(1)).save(tmp_path / "full.png")
    items = [
        BenchmarkItem("blank", images=(tmp_path / "blank.png",)),
        BenchmarkItem("full", images=(tmp_path / "full.png",)),
    ]
    pack = build(items, "p", media=looked_at)
    assert pack.counts["by_looks"] == 1
    assert set(pack["looks_item"].tolist()) == {1}
    assert pack.counts["by_media"] == 2


# ---------------------------------------------------------------------------------------------------------- the drafts
def test_a_teacher_that_recites_a_test_item_is_withdrawn_and_says_so_and_programs_are_left_alone(world: World) -> None:
    def draft(text: str, model: str = "m") -> Draft:
        turns = (Turn("user", text), Turn("assistant", "A. Hydatid cyst"))
        return Draft("k", "sft", "mcq", 0, turns, teacher=Authorship(model=model))

    drafts = [draft(VIGNETTE), draft(CLEAN), draft(VIGNETTE, model="")]
    recited, clean, program = screened(world.screening(), world.work, drafts)
    assert (recited.accepted, recited.reason) == (False, REASON)
    assert recited.verdicts[-1].evidence.startswith("in the teacher's words: bench item")
    assert not recited.verdicts[-1].passed
    assert (clean, program) == (drafts[1], drafts[2])
    (flagged,) = screened(world.screening(policy="flag"), world.work, drafts[:1])
    assert flagged.accepted
    assert flagged.verdicts[-1].passed
    assert screened(stage.NONE, world.work, drafts) == drafts


def test_digests_of_files_and_pixels_are_compared_as_before(world: World) -> None:
    packs = stage.packs_of(world.screening(), world.work)
    digest = hashlib.sha256(world.items[0].images[0].read_bytes()).hexdigest()
    assert [h.method for h in check_ids(packs, [RecordIds(file=(digest,))])[0]] == ["file"]
