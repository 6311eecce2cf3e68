"""Masks of pictures: which pixels are marked, on which grid, what is known of them, and what may be asked; pictures in
volumes' files; volumes without a spacing."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageOps

from curate import readers, volume
from curate.arrays import decode_npy_gz
from curate.audit import verify
from curate.deidentify import DeidentifyConfig
from curate.keyring import Keyring
from curate.loaded import Loaded, Reading
from curate.present import present
from curate.render import ImageTarget, RenderConfig, render_volume
from curate.view import view_of
from curate.volume.config import Grid, KeySlices, Published, VolumeTarget
from curate.volume.flat import read_flat
from manifests.errors import RecordError, Reject
from manifests.manifest import read_manifest
from manifests.record import Fact, FileRef, Media, Record
from manifests.sample import Draft
from sources import mini
from sources.base import OBJECTS, Item, Place
from synth.facts import validate
from synth.proofs import MediaView, check, evaluate
from synth.tasks import caption, mcq, measure, region
from synth.tasks.seen import as_shown
from tests.corpus import run_recipe
from tests.sources.listing import miniature

KEEP = DeidentifyConfig.model_validate({"faces": {"keep": "invented"}, "burned_in": {"keep": "invented"}})
HEIGHT, WIDTH = 96, 128
ORIENTATION = 274
Mask = NDArray[np.uint8]


def _reading(folder: Path) -> Reading:
    (folder / "scratch").mkdir(exist_ok=True)
    return Reading(Place(folder, folder), KEEP, Keyring(b"k" * 32, public=True), folder / "scratch")


def _file(folder: Path, name: str, role: str = "data") -> FileRef:
    data = (folder / name).read_bytes()
    return FileRef(name, hashlib.sha256(data).hexdigest(), len(data), role=role)


def _load(folder: Path, masks: tuple[tuple[str, str, int], ...], *facts: Fact, name: str = "p.png") -> Loaded:
    if not (folder / name).exists():
        mini.picture(folder / name, mini.pixels(np.random.default_rng(1), HEIGHT, WIDTH, colour=True))
    files = (_file(folder, name), *(_file(folder, m, "mask") for m in dict.fromkeys(path for _, path, _ in masks)))
    return readers.load(Item("p", "picture", files, facts=facts, masks=masks), _reading(folder))


def _marked(loaded: Loaded) -> dict[str, Mask]:
    """The masks by label, from the members' bytes."""
    out: dict[str, Mask] = {}
    for media, data in loaded.members:
        if media.kind == "mask":
            assert isinstance(data, bytes)
            assert media.sha256 == hashlib.sha256(data).hexdigest()
            label_map = decode_npy_gz(data)
            assert label_map.shape == media.shape
            assert label_map.dtype == np.uint8
            assert media.label not in out
            out[media.label] = (label_map == media.value).astype(np.uint8)
    return out


def _of(loaded: Loaded, name: str, about: str) -> str:
    return next(f.value for f in loaded.facts if f.name == name and f.about == about)


def _disc(y: float = 40, x: float = 50, radius: float = 20, value: int = 255) -> Mask:
    return mini.disc(HEIGHT, WIDTH, y, x, radius, value)


@pytest.mark.parametrize(
    "form", ["png", "bits.png", "small.png", "deep.png", "rgb.png", "alpha.png", "grey.jpg", "tif"]
)
def test_value_0_marks_what_is_above_half_of_the_brightest_in_every_kind_of_file(tmp_path: Path, form: str) -> None:
    inside = _disc() > 0
    name = f"m.{form}"
    made: dict[str, Callable[[], Image.Image]] = {
        "bits.png": lambda: Image.fromarray(inside),
        "small.png": lambda: Image.fromarray(inside.astype(np.uint8)),  # 0 and 1
        "deep.png": lambda: Image.fromarray(inside.astype(np.uint16) * 4000),
        "rgb.png": lambda: Image.fromarray(np.stack([inside * 255, inside * 0, inside * 0], -1).astype(np.uint8)),
        "alpha.png": lambda: Image.fromarray(np.stack([np.full_like(_disc(), 255), _disc()], -1), "LA"),
        "tif": lambda: Image.fromarray(inside.astype(np.float32) * 0.9),
    }
    made.get(form, lambda: Image.fromarray(_disc()))().save(tmp_path / name)
    found = _marked(_load(tmp_path, (("lesion", name, 0),)))["lesion"].astype(bool)
    if form == "grey.jpg":
        assert (found & inside).sum() / (found | inside).sum() > 0.95  # lossy at the rim
    else:
        np.testing.assert_array_equal(found, inside)


def test_a_grey_level_a_colour_and_a_palette_mark_exactly_their_pixels(tmp_path: Path) -> None:
    grey = np.maximum(_disc(30, 30, 15, 1), _disc(70, 90, 20, 2))
    Image.fromarray(grey).save(tmp_path / "grey.png")
    colours = np.array([[0, 0, 0], [0xD2, 0x8C, 0x8C], [0x0A, 0xFF, 0x01]], np.uint8)
    Image.fromarray(colours[grey]).save(tmp_path / "colour.png")
    indexed = Image.fromarray(grey, "P")
    indexed.putpalette(colours.tobytes())
    indexed.save(tmp_path / "indexed.png")
    ramp = Image.fromarray(grey, "P")
    ramp.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2])
    ramp.save(tmp_path / "ramp.png")
    named = (
        ("grey.png", 1, 2),
        ("colour.png", 0xD28C8C, 0x0AFF01),
        ("indexed.png", 0xD28C8C, 0x0AFF01),
        ("ramp.png", 1, 2),
    )
    for name, first, second in named:
        found = _marked(_load(tmp_path, (("a", name, first), ("b", name, second), ("c", name, 3))))
        assert list(found) == ["a", "b"], name
        np.testing.assert_array_equal(found["a"], grey == 1, err_msg=name)
        np.testing.assert_array_equal(found["b"], grey == 2, err_msg=name)


def test_overlapping_masks_keep_all_their_pixels_and_one_name_is_one_structure(tmp_path: Path) -> None:
    discs = {
        "whole": _disc(40, 50, 30),
        "core": _disc(40, 50, 10),
        "left": _disc(80, 20, 8),
        "right": _disc(80, 100, 8),
    }
    for name, disc in discs.items():
        mini.picture(tmp_path / f"{name}.png", disc)
    masks = (("whole", "whole.png", 0), ("core", "core.png", 0), ("sides", "left.png", 0), ("sides", "right.png", 0))
    loaded = _load(tmp_path, masks)
    found = _marked(loaded)
    np.testing.assert_array_equal(found["whole"], discs["whole"] > 0)
    np.testing.assert_array_equal(found["core"], discs["core"] > 0)
    np.testing.assert_array_equal(found["sides"], (discs["left"] > 0) | (discs["right"] > 0))
    assert {m.member for m, _ in loaded.members} == {"image.npy.gz", "masks.npy.gz", "masks_1.npy.gz"}
    assert _of(loaded, "count", "sides") == "2"


def test_facts_are_what_scikit_style_counting_gives_and_mm_only_with_a_spacing(tmp_path: Path) -> None:
    disc = _disc(40, 50, 20)
    mini.picture(tmp_path / "m.png", disc)
    plain = _load(tmp_path, (("lesion", "m.png", 0),))
    rows, columns = np.nonzero(disc)
    assert _of(plain, "box", "lesion") == f"{columns.min()},{rows.min()},{columns.max() + 1},{rows.max() + 1}"
    assert _of(plain, "area_px", "lesion") == str(len(rows))
    assert _of(plain, "structure", "lesion") == "lesion"
    assert not {f.name for f in plain.facts} & {"area_mm2", "longest_axis_mm", "volume_ml"}
    assert all(m.spacing_mm is None and m.affine is None for m, _ in plain.members)
    stated = tuple(Fact("spacing_mm", value, "t", "mm", axis) for axis, value in (("x", "0.5"), ("y", "0.25")))
    sized = _load(tmp_path, (("lesion", "m.png", 0),), *stated)
    assert _of(sized, "area_mm2", "lesion") == f"{len(rows) * 0.125:.1f}"
    points = np.stack([rows * 0.25, columns * 0.5], 1)
    farthest = max(np.sqrt(((points - one) ** 2).sum(1)).max() for one in points)
    assert float(_of(sized, "longest_axis_mm", "lesion")) == pytest.approx(farthest, abs=0.05)
    assert all(m.spacing_mm == (0.25, 0.5) for m, _ in sized.members)
    for loaded in (plain, sized):
        validate(loaded.facts)
        assert all(f.origin == "mask:lesion" for f in loaded.facts if f.about == "lesion")


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_masks_of_a_picture_that_exif_turns_are_turned_with_it(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(mini.pixels(np.random.default_rng(1), HEIGHT, WIDTH, colour=True))
    stored.save(tmp_path / "p.jpg", exif=exif, quality=95)
    mask = Image.fromarray(_disc(20, 30, 15))
    mask.save(tmp_path / "stored.png")
    mask.getexif()[ORIENTATION] = orientation
    upright = ImageOps.exif_transpose(mask)
    upright.save(tmp_path / "upright.png", exif=b"")
    found = _marked(_load(tmp_path, (("a", "stored.png", 0), ("b", "upright.png", 0)), name="p.jpg"))
    for label in ("a", "b"):
        np.testing.assert_array_equal(found[label], np.asarray(upright) > 0)


@pytest.mark.parametrize(
    ("size", "orientation", "value", "name", "reason"),
    [
        ((HEIGHT, WIDTH + 1), 1, 0, "m.png", "mask_size"),
        ((WIDTH, HEIGHT), 1, 0, "m.png", "mask_size"),
        ((HEIGHT, WIDTH), 3, 0, "m.png", "mask_orientation"),
        ((HEIGHT, WIDTH), 1, 255, "m.jpg", "mask_values"),
        ((50, 60), 6, 0, "m.png", "mask_size"),
    ],
)
def test_a_mask_that_does_not_lie_on_its_picture_is_refused(
    tmp_path: Path, size: tuple[int, int], orientation: int, value: int, name: str, reason: str
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(mini.pixels(np.random.default_rng(1), HEIGHT, WIDTH)).save(tmp_path / "p.jpg", exif=exif)
    mini.picture(tmp_path / name, mini.disc(*size, 20, 20, 10))
    with pytest.raises(RecordError) as error:
        _load(tmp_path, (("lesion", name, value),), name="p.jpg")
    assert error.value.reason == reason


# --- from the record to the samples ----------------------------------------------------------------------------------


def _record(loaded: Loaded) -> Record:
    return Record(
        key="0" * 32, source="t", uri="t", upstream_id="t", sha256="0" * 64, kind="image", group="g", licence="MIT",
        access="open", media=tuple(m for m, _ in loaded.members), facts=loaded.facts,
    )  # fmt: skip


class _Members:
    def __init__(self, loaded: Loaded) -> None:
        self.stored = {m.member: data for m, data in loaded.members}

    def read(self, member: str) -> bytes:
        data = self.stored[member]
        assert isinstance(data, bytes)
        return data


def _view(loaded: Loaded, target: ImageTarget, folder: Path) -> tuple[Record, MediaView]:
    record, members = _record(loaded), _Members(loaded)
    shown: list[tuple[Media, bytes | None]] = present(record, members, RenderConfig(image=target), folder)  # type: ignore[arg-type]
    made = {m.member: data if data is not None else members.read(m.member) for m, data in shown}
    return record, view_of([m for m, _ in shown], made.__getitem__, record.facts)


def _framed(tmp_path: Path) -> Loaded:
    """A picture with a black margin, two structures in it and one that reaches into the margin."""
    pixels = mini.pixels(np.random.default_rng(1), HEIGHT, WIDTH)
    pixels[:, :24] = 0
    mini.picture(tmp_path / "p.png", pixels)
    mini.picture(tmp_path / "a.png", _disc(30, 60, 16))
    mini.picture(tmp_path / "b.png", _disc(70, 100, 12))
    mini.picture(tmp_path / "c.png", _disc(60, 24, 12))
    stated = tuple(Fact("spacing_mm", "0.5", "t", "mm", axis) for axis in "xy")
    facts = (Fact("modality", "US", "t"), *stated)
    return _load(tmp_path, (("kidney", "a.png", 0), ("cyst", "b.png", 0), ("liver_left", "c.png", 0)), *facts)


def _drafts(record: Record, view: MediaView) -> list[Draft]:
    return [
        *region.drafts(record, view, region.Region(), 1),
        *measure.drafts(record, view, measure.Measure(max_questions=32), 1),
        *mcq.drafts(record, view, mcq.Mcq(max_questions=32), 1),
        *caption.drafts(record, view, caption.Caption(), 1),
    ]


@pytest.mark.parametrize(
    "target", [ImageTarget(), ImageTarget(max_side=64), ImageTarget(max_side=80, crop_border=True)]
)
def test_every_answer_about_masks_is_proven_in_the_rendered_frame(tmp_path: Path, target: ImageTarget) -> None:
    record, view = _view(_framed(tmp_path), target, tmp_path)
    made = _drafts(record, view)
    assert {d.task for d in made if d.accepted} == {"region", "measure", "mcq", "caption"}
    proofs = [p for d in made for p in d.proofs]
    assert {p.call.partition("(")[0] for p in proofs} >= {
        "box_in", "box", "long_diameter_mm", "area_mm2", "share_pct", "place_in"
    }  # fmt: skip
    for proof in proofs:
        assert check(proof, view).passed, proof
    shown = next(m for m in view.media if m.kind == "image")
    top, left = shown.crop[:2] if shown.crop else (0, 0)
    assert shown.scale is not None
    for name, (y, x, radius) in {"kidney": (30, 60, 16), "cyst": (70, 100, 12)}.items():
        ends = ((x - radius - left, 1), (y - radius - top, 0), (x + radius + 1 - left, 1), (y + radius + 1 - top, 0))
        expected = [value * shown.scale[axis] for value, axis in ends]
        for call in (f"box_in(mask={name}, member=png)", f"box(mask={name})"):
            found = [float(n) for n in evaluate(call, view).value.split(",")]
            # a tip of one pixel may fall between the rows that are shown
            np.testing.assert_allclose(found, expected, atol=1.5, err_msg=call)


def test_nothing_of_volumes_or_of_the_patients_sides_is_asked_of_a_picture(tmp_path: Path) -> None:
    record, view = _view(_framed(tmp_path), ImageTarget(), tmp_path)
    asked = {p.call.partition("(")[0] for d in _drafts(record, view) for p in d.proofs}
    volumes = {"volume_ml", "is_left_of", "relation", "side_of", "largest", "slice_range", "centroid_mm", "size_mm"}
    assert not asked & volumes
    for call in ("volume_ml(mask=kidney)", "is_left_of(a=kidney, b=cyst)", "side_of(mask=kidney, midline=cyst)"):
        with pytest.raises(Exception, match=r"dimensions|affine"):
            evaluate(call, view)
    words = (
        " ".join(t.content for d in _drafts(record, view) for t in d.turns)
        + caption.drafts(record, view, caption.Caption(), 1)[0].text
    )
    assert "patient" not in words


def test_what_a_crop_cuts_off_is_not_measured_and_its_facts_are_not_told(tmp_path: Path) -> None:
    record, view = _view(_framed(tmp_path), ImageTarget(crop_border=True), tmp_path)
    about = [p.call for d in _drafts(record, view) for p in d.proofs if "liver_left" in p.call]
    sized = ("long_diameter_mm", "diameters_mm", "area_mm2", "area_ratio", "centre_distance_mm", "count")
    assert not [call for call in about if call.startswith(sized)]
    told = {(f.name, f.about) for f in as_shown(record, view).facts}
    assert ("area_mm2", "kidney") in told
    assert ("area_mm2", "liver_left") not in told
    assert ("structure", "liver_left") in told
    assert not [name for name, _ in told if name in ("box", "area_px")], "they count canonical pixels"


def test_masks_of_several_pictures_are_the_first_one_s(tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        mini.picture(tmp_path / name, mini.pixels(np.random.default_rng(len(name)), HEIGHT, WIDTH))
    mini.picture(tmp_path / "m.png", _disc())
    files = (_file(tmp_path, "0.png"), _file(tmp_path, "1.png"), _file(tmp_path, "m.png", "mask"))
    loaded = readers.load(Item("p", "picture", files, masks=(("lesion", "m.png", 0),)), _reading(tmp_path))
    record, view = _view(loaded, ImageTarget(), tmp_path)
    assert {f.at for f in record.facts} == {"1"}
    assert evaluate("box_in(mask=lesion, member=image1.png)", view).value == "30,20,71,61"
    with pytest.raises(Exception, match="not the first"):
        evaluate("box_in(mask=lesion, member=image2.png)", view)
    for draft in _drafts(record, view):
        assert all(check(p, view).passed for p in draft.proofs)


# --- pictures in the files of volumes, volumes in bare arrays --------------------------------------------------------


@pytest.mark.parametrize("ending", ["nii.gz", "nii", "mha", "nrrd"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_flat_file_is_what_simpleitk_reads_with_its_spacing(tmp_path: Path, ending: str, deep: bool) -> None:
    sitk: Any = importlib.import_module("SimpleITK")
    pixels = np.random.default_rng(2).integers(0, 4000, (HEIGHT, WIDTH)).astype(np.int16)
    picture = sitk.GetImageFromArray(pixels[None] if deep else pixels)
    picture.SetSpacing((0.5, 0.25, 1.0)[: 3 if deep else 2])
    picture.SetOrigin((10.0, -3.0, 2.0)[: 3 if deep else 2])
    sitk.WriteImage(picture, str(tmp_path / f"p.{ending}"))
    read = read_flat(tmp_path / f"p.{ending}")
    np.testing.assert_array_equal(read.pixels, pixels)
    assert read.spacing_mm == pytest.approx((0.25, 0.5))
    assert read.units == "scanner"


def test_a_flat_file_without_a_length_has_no_spacing_and_several_slices_are_no_picture(tmp_path: Path) -> None:
    nibabel: Any = importlib.import_module("nibabel")
    plain = nibabel.Nifti1Image(np.zeros((WIDTH, HEIGHT), np.uint8), None)
    (tmp_path / "p.nii").write_bytes(plain.to_bytes())
    read = read_flat(tmp_path / "p.nii")
    assert (read.spacing_mm, read.notes, read.pixels.shape) == (None, ("no_spacing",), (HEIGHT, WIDTH))
    mini.volume(tmp_path / "v.nii", np.zeros((20, 20, 2), np.uint8))
    with pytest.raises(RecordError, match="2 slices"):
        read_flat(tmp_path / "v.nii")
    with pytest.raises(RecordError, match="unsupported_volume"):
        volume.read_volume(tmp_path / "p.nii")


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(32, 64, 64), (1, 32, 64, 64)])
def test_a_bare_array_is_a_volume_of_which_nothing_in_mm_is_said(tmp_path: Path, shape: tuple[int, ...]) -> None:
    grid = mini.voxels(np.random.default_rng(3), (64, 64, 32))[0].T.astype(np.float32)
    stretched = (grid - grid.min()) / (grid.max() - grid.min())
    np.save(tmp_path / "v.npy", stretched.reshape(shape))
    read = volume.read_volume(tmp_path / "v.npy", "HU")
    np.testing.assert_array_equal(read.voxels, stretched)
    assert (read.placed, read.units) == (False, "display")
    facts = (Fact("modality", "CT", "t"),)
    item = Item("v", "volume", (_file(tmp_path, "v.npy"),), facts=facts)
    loaded = readers.load(item, _reading(tmp_path))
    ((media, _),) = loaded.members
    assert (media.spacing_mm, media.affine, media.shape) == (None, None, (32, 64, 64))
    record, view = (
        dataclasses.replace(_record(loaded), kind="volume"),
        MediaView((media,), lambda _: read.voxels, facts),
    )
    calls = [p.call for d in _drafts(record, view) for p in d.proofs]
    assert calls
    assert not [call for call in calls if "mm" in call or "plane" in call]
    ((shown, _),) = render_volume(read, "m3d_32x256x256")
    assert (shown.shape, shown.affine, shown.spacing_mm) == ((32, 256, 256), None, None)
    assert render_volume(read, "canonical")[0][0].affine is None
    targets: tuple[VolumeTarget, ...] = ("merlin_224x224x160", "deeptumor_mp4", Grid(), KeySlices())
    for target in (*targets, Published(target="m3d_32x256x256", orientation="LPS")):
        with pytest.raises(Reject, match="no_spacing"):
            render_volume(read, target)


def test_a_volume_without_spacing_that_is_said_to_show_a_head_is_quarantined(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.random.default_rng(3).random((32, 64, 64)).astype(np.float32))
    reading = dataclasses.replace(_reading(tmp_path), deidentify=DeidentifyConfig())
    item = Item("v", "volume", (_file(tmp_path, "v.npy"),), facts=(Fact("modality", "CT", "t"),))
    assert readers.load(item, reading).kind == "volume"
    with pytest.raises(Reject, match="face_suspected"):
        readers.load(dataclasses.replace(item, text="CT of the brain without contrast."), reading)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ham10000", "camus"])
def test_a_source_with_masks_of_pictures_runs_to_verified_samples(name: str, tmp_path: Path) -> None:
    root = tmp_path / name
    root.mkdir()
    miniature(name, root)
    recipe = {
        "sources": [{"source": name, "root": str(root)}],
        "deidentify": KEEP.model_dump(mode="json", exclude={"options"}),
        "limits": {"failed": 1.0},
        "tasks": ["caption", "region", "measure", "mcq"],
        "render": {"image": {"max_side": 96}},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    run_recipe(tmp_path / "r.yaml", tmp_path / "out")
    report = verify(tmp_path / "out")
    assert report.ok, report.findings[:3]
    stages = {shard.path.split("/")[1].split("-")[0] for shard in read_manifest(tmp_path / "out").shards}
    assert stages == {"pretrain", "sft", "rlvr"}


def test_a_picture_of_stored_values_is_shown_as_its_source_says(tmp_path: Path) -> None:
    """PadChest's PNGs hold MONOCHROME1 radiographs as they were stored."""
    plain = mini.pixels(np.random.default_rng(5))
    mini.picture(tmp_path / "p.png", plain)
    mini.picture(tmp_path / "stored.png", 255 - plain)
    as_it_is = _load(tmp_path, ())
    stored = _load(tmp_path, (), Fact("photometric", "MONOCHROME1", "column:x"), name="stored.png")
    assert as_it_is.phash == stored.phash
    assert [loaded.members[0][0].inverted for loaded in (as_it_is, stored)] == [False, True]


@pytest.mark.parametrize("values", [(7, 3, 255, 254), (7, 3, 255, 40_000), tuple(range(1, 400))])
def test_objects_that_touch_stay_apart_and_are_one_structure(tmp_path: Path, values: tuple[int, ...]) -> None:
    marks = np.zeros((HEIGHT, WIDTH), np.uint8 if max(values) < 256 else np.uint16)
    for n, value in enumerate(values):
        y, x = 3 * (n // 40), 3 * (n % 40)
        marks[y : y + 3, x : x + 3] = value
    Image.fromarray(marks).save(tmp_path / "m.tif")
    loaded = _load(tmp_path, (("nuclei", "m.tif", OBJECTS),))
    masks = [(m, data) for m, data in loaded.members if m.kind == "mask" and isinstance(data, bytes)]
    assert [m.label for m, _ in masks] == ["nuclei"] * len(values)
    assert len({m.member for m, _ in masks}) == (len(values) + 254) // 255
    for (media, data), value in list(zip(masks, sorted(values), strict=True))[::50]:
        assert np.array_equal(decode_npy_gz(data) == media.value, marks == value)
    facts = {f.name: f.value for f in loaded.facts if f.about == "nuclei"}
    assert facts == {"structure": "nuclei", "count": str(len(values)), "area_px": str(9 * len(values))}
    with pytest.raises(RecordError) as found:
        _load(tmp_path, (("nuclei", "m.tif", OBJECTS), ("nuclei", "m.tif", 3)))
    assert found.value.reason == "mask_values"
