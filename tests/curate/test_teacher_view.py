"""The pictures that go with a question to a teacher: as radiologists look at them, few, small, and known by pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from curate.arrays import encode_npy_gz, encode_png
from curate.teacher_view import looker
from manifests.record import Media
from synth.chat import Picture


def shown(picture: Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def volume() -> tuple[Media, bytes]:
    """12 axial slices in RAS+, bright in the patient's left anterior corner of the highest slices."""
    voxels = np.full((12, 40, 30), -1000, np.int16)
    voxels[8:, 30:, 22:] = 300  # superior, anterior, and the patient's left, for x falls along the last axis
    affine = ((-2.0, 0.0, 0.0, 0.0), (0.0, 2.0, 0.0, 0.0), (0.0, 0.0, 4.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    data = encode_npy_gz(voxels)
    media = Media("volume.npy.gz", "volume", voxels.shape, "int16", "", len(data), units="HU", affine=affine)
    return media, data


def test_slices_are_axial_with_anterior_up_and_the_patient_s_right_on_the_left() -> None:
    media, data = volume()
    pictures = looker([media], lambda _: data)(4, 448)
    assert len(pictures) == 4
    last = shown(pictures[-1])
    rows, columns = np.nonzero(last > 128)
    assert rows.max() < last.shape[0] / 2
    assert columns.min() > last.shape[1] / 2
    assert not (shown(pictures[0]) > 128).any()


@pytest.mark.parametrize(("most", "side"), [(1, 28), (3, 64), (50, 448)])
def test_no_more_pictures_and_none_longer_than_asked(most: int, side: int) -> None:
    media, data = volume()
    pictures = looker([media], lambda _: data)(most, side)
    assert 0 < len(pictures) <= most
    assert all(max(p.height, p.width) <= side and shown(p).shape[:2] == (p.height, p.width) for p in pictures)


def test_a_digest_is_of_the_pixels_and_several_pictures_share_the_number_asked() -> None:
    one = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    stream = io.BytesIO()
    Image.fromarray(one).save(stream, "PNG", compress_level=0)
    members = {"image1.png": encode_png(one), "image2.png": stream.getvalue(), "image3.png": encode_png(one[::-1])}
    media = [Media(name, "image", one.shape, "uint8", "", 1) for name in members]
    first, second, third = looker(media, members.__getitem__)(8, 448)
    assert first.sha256 == second.sha256 != third.sha256
    assert len(looker(media, members.__getitem__)(2, 448)) == 2


def test_a_record_of_text_has_no_picture() -> None:
    assert looker([], lambda _: b"")(8, 448) == ()
