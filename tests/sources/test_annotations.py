"""Events of clips and boxes of images from further tables: facts of the right record, questions that are proven."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.audit import verify
from manifests.errors import RecipeError
from sources.base import Entry, Item, Place
from sources.image_table import ImageTable
from sources.video_table import VideoTable
from tests.sources.test_sources import rows_of, samples

EVENTS = {"table": "phases.csv", "file": "video", "label": "phase", "start": "from", "end": "to"}
PHASES = (
    ("a.mp4", "incision", "0", "2.5"),
    ("a.mp4", "suture", "00:04", "00:06.5"),
    ("a.mp4", "clip applied", "5", ""),
    ("a.mp4", "backwards", "5", "4"),
    ("gone.mp4", "incision", "1", "2"),
    ("a.mp4", "", "1", "2"),
)
BOXES = {"table": "boxes.csv", "file": "{image}.png", "label": "class"}


def write(path: Path, *rows: tuple[str, ...]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def listed(source: VideoTable | ImageTable, folder: Path) -> list[Item]:
    entries = [Entry(p.name, 1, "0" * 64, {}) for p in sorted(folder.iterdir())]
    return list(source.items(Place(folder, folder), entries, lambda kind, value: value))


def clips(folder: Path, **more: Any) -> list[Item]:
    write(folder / "phases.csv", ("video", "phase", "from", "to"), *PHASES)
    (folder / "a.mp4").write_bytes(b"a")
    keys = {"source": "video_table", "root": ".", "licence": "CC-BY-4.0", "events": EVENTS, **more}
    return listed(VideoTable.model_validate(keys), folder)


def test_events_are_facts_of_their_clip_in_seconds_with_their_rows_in_its_lineage(tmp_path: Path) -> None:
    made = clips(tmp_path)
    (clip,) = (item for item in made if item.form == "clip")
    assert [(f.about, f.value) for f in clip.facts if f.name == "event"] == [
        ("incision", "0-2.5"), ("suture", "4-6.5"), ("clip applied", "5"),
    ]  # fmt: skip
    assert [f.fragment for f in clip.files if f.role == "table"] == ["line=2", "line=3", "line=4"]
    ends = {(item.status, item.reason) for item in made if item.form == "none"}
    assert ends == {("failed", "event_time"), ("failed", "media_missing"), ("failed", "annotation_without_label"),
                    ("dropped", "not_a_record")}  # fmt: skip
    named = [item.found for item in made if item.status == "failed" and item.form == "none"]
    assert [told.partition(" of ")[0] for told in named] == ["line 5", "line 6", "line 7"]


def test_of_a_part_of_a_clip_events_are_told_from_its_beginning(tmp_path: Path) -> None:
    write(tmp_path / "clips.csv", ("video", "s", "e"), ("a.mp4", "2", "5"), ("a.mp4", "6", "9"))
    first, second = (item for item in clips(tmp_path, table="clips.csv", start="s", end="e") if item.form == "clip")
    told = [(f.about, f.value) for f in first.facts if f.name == "event"]
    assert told == [("incision", "0-0.5"), ("suture", "2-3")]
    assert [(f.about, f.value) for f in second.facts if f.name == "event"] == [("suture", "0-0.5")]


@pytest.mark.parametrize(
    ("columns", "rows", "values"),
    [
        ({"corners": ["a", "b", "c", "d"]}, [("x", "cup", "1", "2", "30", "40")], ["1,2,30,40"]),
        ({"size": ["a", "b", "c", "d"]}, [("x", "cup", "1", "2", "30", "40.5")], ["1,2,31,42.5"]),
        ({"corners": ["a", "b", "c", "d"]}, [("x", "cup", "5", "2", "5", "4"), ("x", "disc", "0", "0", "9", "9")],
         ["0,0,9,9"]),
        ({"corners": ["a", "b", "c", "d"]}, [("x", "cup", "nan", "2", "5", "4"), ("y", "cup", "1", "1", "2", "2")], []),
    ],
)  # fmt: skip
def test_boxes_are_half_open_corners_and_a_wrong_one_fails_alone(
    columns: dict[str, Any], rows: list[tuple[str, ...]], values: list[str], tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    write(tmp_path / "boxes.csv", ("image", "class", "a", "b", "c", "d"), *rows)
    keys = {"source": "image_table", "root": ".", "licence": "CC-BY-4.0", "boxes": {**BOXES, **columns}}
    made = listed(ImageTable.model_validate(keys), tmp_path)
    (picture,) = (item for item in made if item.form == "picture")
    assert [f.value for f in picture.facts if f.name == "box"] == values
    assert len(values) + sum(item.status == "failed" for item in made if item.form == "none") == len(rows)


def test_a_table_of_annotations_that_lacks_a_column_is_a_mistake_of_the_recipe(tmp_path: Path) -> None:
    write(tmp_path / "boxes.csv", ("image", "class", "a", "b", "c"))
    keys = {"source": "image_table", "root": ".", "licence": "MIT", "boxes": {**BOXES, "corners": ["a", "b", "c", "d"]}}
    with pytest.raises(RecipeError, match="no column 'd'"):
        ImageTable.model_validate(keys).look(Place(tmp_path, tmp_path))
    with pytest.raises(ValueError, match="one of them"):
        ImageTable.model_validate({**keys, "boxes": BOXES})


@pytest.mark.slow
def test_boxes_of_a_table_become_proven_questions_in_pixels_of_what_is_shown(tmp_path: Path) -> None:
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    (tmp_path / "in").mkdir()
    retina = np.asarray(Image.open(Path(spec.origin).parent / "data" / "retina.jpg"))
    Image.fromarray(retina[:1200, :1000]).save(tmp_path / "in" / "r.png")
    rows = (("r", "optic disc", "120", "500", "320", "720"), ("r", "macula", "600", "560", "760", "700"))
    write(tmp_path / "in" / "boxes.csv", ("image", "class", "a", "b", "c", "d"), *rows)
    source = {"source": "image_table", "root": str(tmp_path / "in"), "licence": "CC0-1.0", "facts": {"modality": "OP"},
              "boxes": {**BOXES, "corners": ["a", "b", "c", "d"]}}  # fmt: skip
    rows_of(tmp_path, source, tasks=["region"], render={"image": {"max_side": 600}})
    asked = [s["answer"]["gold"] for s in samples(tmp_path / "out", "rlvr") if s["answer"]["type"] == "box"]
    assert asked
    assert set(asked) <= {"60,250,160,360", "300,280,380,350"}
    assert verify(tmp_path / "out").findings == ()
