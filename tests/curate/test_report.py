"""The page of `curate.report` says what the manifest says, fetches nothing, and cannot be written into by its data."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from pydicom.data import get_testdata_file

from curate.documents import NOT_ANONYMOUS
from curate.recipe import Recipe
from curate.report import MOST_CARDS, MOST_ROWS, excerpt, leeway, page, write_report
from curate.run import Options, run
from curate.thumbnail import SIDE, picture_of
from manifests.errors import RecipeError, VerificationError
from manifests.manifest import Manifest, read_manifest

HOSTILE = "<script>alert(1)</script> & \"quotes\" 'single' \u202eoverride <img src=x onerror=alert(2)> {{ 7 * 7 }}"
DICOM = ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_truncated.dcm")
VOID = {"meta", "img", "br", "input", "link", "rect", "path"}


class Page(HTMLParser):
    """The page as a browser would see it: tags, addresses, text, and what stands in `data` elements by enclosing id."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[tuple[str, str]] = []
        self.numbers: dict[str, list[int]] = {}
        self.rows: dict[str, list[list[int]]] = {}
        self.words: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        named = dict(attrs)
        if tag not in VOID:
            self.open.append((tag, named.get("id") or ""))
        ids = [name for _, name in self.open if name]
        if tag == "tr" and ids:
            self.rows.setdefault(ids[-1], []).append([])
        if tag in ("td", "th"):
            self.words.append(" ")
        if tag == "data" and ids:
            self.numbers.setdefault(ids[-1], []).append(int(named["value"] or ""))
            if any(t == "tr" for t, _ in self.open):
                self.rows[ids[-1]][-1].append(int(named["value"] or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        (self.styles if self.open and self.open[-1][0] == "style" else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def make(folder: Path, *, images: bool, bad_lines: int = 1) -> Path:
    """A real output of a tiny recipe over `folder`, without a teacher, in this process."""
    folder.mkdir()
    lines = [{"text": f"{HOSTILE} number {n} of the small texts about the liver and spleen"} for n in range(3)]
    (folder / "words.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "not json\n" * bad_lines)
    sources: list[dict[str, object]] = [
        {"source": "jsonl_text", "root": "words.jsonl", "text": "text", "licence": "MIT", "name": "words"}
    ]
    if images:
        (folder / "scans").mkdir()
        for name in DICOM:
            found = get_testdata_file(name, download=False)
            assert isinstance(found, str)
            shutil.copy(found, folder / "scans" / name)
        (folder / "scans" / "notes.txt").write_text("no DICOM")
        sources.append({"source": "dicom_tree", "root": "scans", "licence": "CC-BY-4.0", "name": "scans"})
        sources.append(_volumes(folder / "volumes"))
    recipe = Recipe.model_validate(
        {"name": "tiny", "sources": sources, "tasks": ["source_text", "caption", "measure"], "limits": {"failed": 1}}
        | {"deidentify": {"faces": {"keep": "a <phantom>"}}, "stages": ["pretrain", "sft", "rlvr"]}
    )
    out = folder / "out"
    run(recipe, Options(out=out, work=folder / "work", recipe_folder=folder, workers=0, quiet=True))
    return out


def _volumes(folder: Path) -> dict[str, object]:
    """One NIfTI volume whose ball of 600 lies to the right, in front and above, with its mask, stored left to right."""
    import nibabel

    (folder / "labelsTr").mkdir(parents=True)
    (folder / "imagesTr").mkdir()
    x, y, z = np.indices((40, 48, 32))
    ball = ((x - 30) ** 2 + (y - 36) ** 2 + (z - 16) ** 2) < 36
    values = np.where(ball, 600, 20 + x % 5).astype(np.int16)
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    for name, array in (("imagesTr", values), ("labelsTr", ball.astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(array, affine), folder / name / "case_1.nii.gz")  # type: ignore[no-untyped-call]
    return {
        "source": "nifti_masks", "root": "volumes", "licence": "CC0-1.0", "labels": {1: "ball"},
        "facts": {"modality": "MR"}, "name": "volumes",
    }  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("report") / "run", images=True)


@pytest.fixture(scope="module")
def manifest(out: Path) -> Manifest:
    return read_manifest(out)


@pytest.fixture(scope="module")
def parsed(out: Path) -> Page:
    return Page(write_report(out).read_text(encoding="utf-8"))


def test_the_output_has_what_the_other_tests_need(manifest: Manifest) -> None:
    counts = manifest.counts
    assert counts.duplicate
    assert counts.dropped
    assert len(counts.failed) >= 2
    assert {s.stage for s in manifest.shards} == {"pretrain", "sft", "rlvr"}


def test_every_tag_is_closed(parsed: Page) -> None:
    assert parsed.open == []
    assert parsed.tags.count("section") == 13


def test_the_page_fetches_nothing_and_runs_nothing(parsed: Page) -> None:
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(parsed.tags)
    fetched = [value for _, name, value in parsed.attributes if name in ("src", "srcset", "href", "action", "data")]
    assert fetched
    assert all(value.startswith(("#", "data:image/")) for value in fetched)
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on") or name == "style"]
    assert "url(" not in "".join(parsed.styles)
    assert "@import" not in "".join(parsed.styles)


def test_the_policy_allows_just_this_style(parsed: Page) -> None:
    policy = next(value for _, _, value in parsed.attributes if value.startswith("default-src"))
    style = base64.b64encode(hashlib.sha256("".join(parsed.styles).encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{style}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_text_of_the_data_stays_text(out: Path, parsed: Page) -> None:
    shown = parsed.text
    assert "<script>alert(1)</script> & \"quotes\" 'single' override <img src=x onerror=alert(2)> {{ 7 * 7 }}" in shown
    assert "\u202e" not in page(out)  # it would turn the line's reading order round
    assert "phantom" not in parsed.tags
    assert "Faces: keep (a <phantom>)." in shown


def test_the_counts_on_the_page_are_the_manifests_and_add_up(parsed: Page, manifest: Manifest) -> None:
    counts = manifest.counts
    dropped, failed = sum(counts.dropped.values()), sum(counts.failed.values())
    assert parsed.numbers["counts"] == [counts.kept, dropped, counts.duplicate, failed, counts.read]
    assert sum(parsed.numbers["counts"][:-1]) == counts.read
    assert f"{counts.read} input records were read: {counts.kept} kept, {dropped} dropped" in parsed.text
    assert sum(parsed.numbers["reasons"]) == counts.read - counts.kept


def test_the_tables_columns_sum_to_their_last_row_and_to_the_manifest(parsed: Page, manifest: Manifest) -> None:
    for table in ("source-table", "stage-table"):
        *rows, total = [row for row in parsed.rows[table] if row]
        assert [sum(column) for column in zip(*rows, strict=True)] == total
    counts = manifest.counts
    sources = parsed.rows["source-table"][-1]
    assert sources[:4] == [counts.read, counts.kept, sum(counts.dropped.values()), counts.duplicate]
    samples = sum(s.samples for s in manifest.shards)
    stages = parsed.rows["stage-table"][-1]
    assert stages[0] == samples == sum(stages[1:5]) == sum(stages[5:8]) == sum(sources[5:])
    assert sum(parsed.numbers["shard-table"]) == samples


def test_the_funnel_and_the_tasks_are_the_manifests(parsed: Page, manifest: Manifest) -> None:
    stages = {stage.name: stage for stage in manifest.stages}
    drafts = sum(stages["synthesize"].detail.values())
    assert parsed.numbers["funnel"] == [
        manifest.counts.read,
        stages["prepare"].records_out,
        manifest.counts.kept,
        drafts,
        stages["synthesize"].records_out,
        stages["mix"].records_out,
    ]
    assert sum(parsed.numbers["tasks"]) == drafts
    assert "No teacher wrote any of this" in parsed.text


def test_every_failure_is_listed_with_its_remedy(parsed: Page, manifest: Manifest) -> None:
    assert len(parsed.rows["failure-table"]) == 1 + sum(manifest.counts.failed.values())
    assert "scans/MR_truncated.dcm truncated_pixels" in parsed.text
    assert "fetch the file again" in parsed.text


def test_a_duplicate_names_its_keeper_and_what_decided(parsed: Page, manifest: Manifest) -> None:
    assert len(parsed.rows["duplicate-table"]) == 1 + manifest.counts.duplicate
    pair = ("scans/MR_small.dcm scans/MR_small_RLE.dcm", "scans/MR_small_RLE.dcm scans/MR_small.dcm")
    assert any(f"{p} pixels 1.000 1.000" in parsed.text for p in pair)


def test_limits_say_what_is_not_promised(parsed: Page) -> None:
    assert NOT_ANONYMOUS in parsed.text
    assert "Pseudonyms were made with a public key" in parsed.text
    assert "curate verify" in parsed.text


def test_every_record_with_media_has_its_picture(out: Path, parsed: Page, manifest: Manifest) -> None:
    pictures = [value for tag, name, value in parsed.attributes if (tag, name) == ("img", "src")]
    assert len(pictures) == 3  # CT, MR, the volume
    for uri in pictures:
        with PIL.Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
            image.load()
            assert max(image.size) <= SIDE
    assert parsed.tags.count("article") == min(MOST_CARDS, manifest.counts.kept)
    assert len(page(out).encode()) < 2_000_000


def test_the_volume_is_shown_as_radiologists_look_at_it_with_its_mask() -> None:
    """The ball lies to the right (+x), in front (+y): on the picture left and up, whatever the storage order."""
    from curate.arrays import encode_npy_gz

    x, y, z = np.indices((40, 48, 32))
    ball = ((x - 30) ** 2 + (y - 36) ** 2 + (z - 16) ** 2) < 36
    expected = None
    for turned in (False, True):
        stored = ball[::-1] if turned else ball
        affine = np.diag([-2.0 if turned else 2.0, 2.0, 3.0, 1.0])
        affine[0, 3] = 78.0 if turned else 0.0
        shape = [32, 48, 40]
        volume: dict[str, object] = {
            "kind": "volume",
            "member": "volume.npy.gz",
            "shape": shape,
            "affine": affine.tolist(),
        }
        volume |= {"window": [300.0, 600.0], "units": "scanner", "inverted": False}
        mask: dict[str, object] = {"kind": "mask", "member": "masks.npy.gz", "shape": shape, "affine": affine.tolist()}
        mask |= {"value": 1, "label": "ball"}
        labels = np.ascontiguousarray(stored.transpose(2, 1, 0).astype(np.uint8))
        members = {"volume.npy.gz": encode_npy_gz(labels.astype(np.int16) * 600), "masks.npy.gz": encode_npy_gz(labels)}
        picture = picture_of([volume, mask], members)
        assert picture is not None
        assert picture.legend == (("ball", "#ffb000"),)
        assert picture.note.startswith("axial slice 17 of 32")
        assert (picture.width, picture.height) == (267, 320)  # 80 mm x 96 mm
        with PIL.Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))) as image:
            rows, columns = np.nonzero(np.asarray(image.convert("L")) > 100)
        centre = rows.mean() / picture.height, columns.mean() / picture.width
        assert centre == pytest.approx(((47.5 - 36) / 48, (39.5 - 30) / 40), abs=0.02)
        assert expected in (None, picture.uri)
        expected = picture.uri


def test_chosen_slices_are_shown_in_their_own_plane_with_the_masks_of_their_grid() -> None:
    """A sagittal stack of which three slices were chosen: head up, anterior on the left, one of two maps drawn."""
    from curate.arrays import Volume, encode_npy_gz
    from curate.render import RenderConfig, render_volume

    affine = np.array([[0, 0, 4, -20], [-1, 0, 0, 30], [0, -2, 0, 40], [0, 0, 0, 1]], np.float64)
    z, y, x = np.indices((9, 30, 40))  # z to the right, y to the feet, x to the back
    nose = ((x - 6) ** 2 + (y - 8) ** 2 < 20) & (z > 2)
    volume = Volume(
        (nose * 500).astype(np.int16), affine, "scanner", (250.0, 500.0), masks={"nose": nose.astype(np.uint8)}
    )
    target = RenderConfig.model_validate({"volume": {"target": "key_slices", "count": 3}}).volume
    ((media, data),) = render_volume(volume, target)
    assert media.slices is not None
    entry: dict[str, object] = {
        "inverted": False,
        "window": None,
        "units": media.units,
        "kind": "volume",
        "member": media.member,
    }
    entry |= {"shape": list(media.shape), "affine": media.affine, "slices": list(media.slices)}
    mask: dict[str, object] = {
        "kind": "mask",
        "member": "masks.npy.gz",
        "shape": [9, 30, 40],
        "affine": affine.tolist(),
    }
    other = {**mask, "member": "masks_1.npy.gz", "value": 1, "label": "tip"}
    members = {media.member: data, "masks.npy.gz": encode_npy_gz(nose.astype(np.uint8))}
    picture = picture_of([entry, {**mask, "value": 1, "label": "nose"}, other], members)
    assert picture is not None
    assert picture.note == "sagittal slice 2 of 3 shown"
    assert picture.legend == (("nose", "#ffb000"),)
    assert (picture.width, picture.height) == (213, 320)  # 40 mm x 60 mm
    with PIL.Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))) as image:
        rows, columns = np.nonzero(np.asarray(image.convert("L")) > 100)
    assert (rows.mean() / 320, columns.mean() / 213) == pytest.approx((8.5 / 30, 6.5 / 40), abs=0.02)
    elsewhere = {**mask, "affine": np.diag([2.0, 2.0, 2.0, 1.0]).tolist(), "value": 1, "label": "nose"}
    plain = picture_of([entry, elsewhere], members)
    assert plain is not None
    assert plain.legend == ()


@pytest.mark.skipif(
    importlib.util.find_spec("av") is None or importlib.util.find_spec("imageio_ffmpeg") is None,
    reason="medcurate[video] is not installed",
)
def test_a_clip_is_shown_by_four_frames_in_order(tmp_path: Path) -> None:
    from curate.video import encode_frames

    frames = np.repeat(np.arange(0, 160, 20, dtype=np.uint8), 64 * 64).reshape(8, 64, 64)
    times = [n / 2 for n in range(8)]
    encode_frames(frames, times, tmp_path / "clip.mp4")
    media = [{"kind": "video", "member": "mp4", "times_s": times}]
    picture = picture_of(media, {"mp4": (tmp_path / "clip.mp4").read_bytes()})
    assert picture is not None
    assert picture.note == "4 of 8 frames, at 0.5, 1.5, 2.5, 3.5 s"
    with PIL.Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))) as image:
        grey = np.asarray(image.convert("L")).astype(int)
    corners = [grey[32, 32], grey[32, 100], grey[100, 32], grey[100, 100]]
    assert corners == pytest.approx([20, 60, 100, 140], abs=6)


@pytest.mark.slow
def test_equal_outputs_give_equal_pages(out: Path, tmp_path: Path) -> None:
    again = make(tmp_path / "elsewhere", images=True)
    assert page(again) == page(out)
    assert str(tmp_path) not in page(again)


@pytest.mark.slow
def test_an_output_without_images_is_reported_and_long_lists_are_cut(tmp_path: Path) -> None:
    out = make(tmp_path / "words", images=False, bad_lines=MOST_ROWS + 30)
    parsed = Page(write_report(out).read_text(encoding="utf-8"))
    assert parsed.open == []
    assert "img" not in parsed.tags
    assert len(parsed.rows["failure-table"]) == 1 + MOST_ROWS
    assert "30 more are not listed here" in parsed.text
    assert parsed.tags.count("article") == read_manifest(out).counts.kept


def test_a_damaged_shard_costs_its_card_only(out: Path, tmp_path: Path, manifest: Manifest) -> None:
    shutil.copytree(out, tmp_path / "out")
    for shard in manifest.shards:
        (tmp_path / "out" / shard.path).unlink()
        (tmp_path / "out" / shard.path).write_bytes(b"no tar" * 5000)
    parsed = Page(page(tmp_path / "out"))
    assert parsed.tags.count("article") == manifest.counts.kept
    assert parsed.text.count("not readable: bad_sample") == manifest.counts.kept


def test_without_a_manifest_or_a_ledger_the_error_says_so(out: Path, tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(RecipeError, match=r"no manifest\.json"):
        page(tmp_path)
    shutil.copytree(out, tmp_path / "out")
    part = tmp_path / "out" / manifest.ledger[0].path
    part.write_bytes(b"no parquet")
    with pytest.raises(VerificationError, match="ledger"):
        page(tmp_path / "out")
    part.unlink()
    with pytest.raises(VerificationError, match="missing"):
        page(tmp_path / "out")


def test_an_excerpt_is_cut_at_a_word() -> None:
    assert excerpt("short") == "short"
    cut = excerpt("word " * 200)
    assert cut.endswith("word …")
    assert len(cut) < 430


def test_leeway_is_told_as_the_verifier_means_it() -> None:
    told = [leeway({"type": kind, "tolerance": t}) for kind, t in (("box", 0.5), ("number", 0.05), ("angle", 5.0))]
    assert told == [" (IoU at least 0.5)", " ± 5%", " ± 5°"]
    assert leeway({"type": "box", "tolerance": 0.7, "metric": "giou"}) == " (generalised IoU at least 0.3)"
    assert leeway({"type": "label", "tolerance": 0.0}) == ""
