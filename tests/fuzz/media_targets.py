"""The parsers of volumes, images and clips, of compressed data, and of the arrays and pictures in shards."""

from __future__ import annotations

import functools

import numpy as np

from curate import image, volume
from curate.arrays import Volume, decode_npy_gz, decode_picture
from curate.guard import inflate
from curate.video import bitstream, container, mjpeg
from tests import marks
from tests.fuzz import seeds
from tests.fuzz.target import Target, check_facts, file_of

MAX_BYTES = 1 << 22  # of a volume: enough for every seed


def _check_volume(read: Volume) -> None:
    assert read.voxels.ndim == 3
    assert read.voxels.nbytes <= 4 * MAX_BYTES
    assert np.isfinite(read.affine).all()
    assert min(read.spacing_mm) > 0
    check_facts(read.facts)


def nifti(data: bytes, name: str = "a.nii") -> None:
    """Header, affine, scaling and values: as one volume, and as a series of volumes that says the same."""
    path = file_of(data, name)
    series = volume.read_4d(path, max_bytes=MAX_BYTES)
    for one in series[:4]:
        _check_volume(one)
    last = volume.volume_at(path, len(series) - 1, max_bytes=MAX_BYTES)
    assert np.array_equal(last.voxels, series[-1].voxels, equal_nan=last.voxels.dtype.kind == "f")


def nifti_mask(data: bytes) -> None:
    """A label map brought onto another grid."""
    for mask in volume.read_mask(file_of(data, "a.nii"), {1: "a", 2: "b"}, _like(), max_bytes=MAX_BYTES).values():
        assert mask.shape == seeds.LIKE_SHAPE
        assert mask.max() <= 1


@functools.cache
def _like() -> Volume:
    return marks.volume(seeds.LIKE_SHAPE)


def nrrd(data: bytes) -> None:
    _check_volume(volume.read_volume(file_of(data, "a.nrrd"), max_bytes=MAX_BYTES))


def metaimage(data: bytes) -> None:
    _check_volume(volume.read_volume(file_of(data, "a.mha"), max_bytes=MAX_BYTES))


def picture(data: bytes) -> None:
    """An image file, and how it is shown."""
    read = image.read_image(file_of(data, "a.png"), max_pixels=1 << 20)
    assert read.pixels.ndim in (2, 3)
    assert read.pixels.shape[0] * read.pixels.shape[1] <= 1 << 20
    assert image.to_display(read).dtype == np.uint8


def clip(data: bytes) -> None:
    """What a container says of itself, from its packets and its first frame."""
    info, source = container.examine(file_of(data, "a.mp4"))
    assert info.width * info.height <= container.MAX_PIXELS
    assert np.isfinite([info.fps, info.duration_s, info.pixel_aspect]).all()
    assert min(info.width, info.height, info.frame_count) > 0
    assert list(source.packets.pts) == sorted(source.packets.pts)


def video_bitstream(data: bytes) -> None:
    """The first bytes of coded pictures and the parameters of their containers: answers, never an error."""
    codec = ("h264", "hevc", "vp9", "av1")[data[0] & 3 if data else 0]
    size = int.from_bytes(data[1:3], "little")
    extradata, packet = data[3 : 3 + size], data[3 + size :]
    bitstream.starts_anew(codec, extradata, packet)
    bitstream.droppable(codec, extradata)
    bitstream.hvcc_is_plain(extradata)


def motion_jpeg(data: bytes) -> None:
    assert b"".join(mjpeg.split_mjpeg(data)) == data


def inflated(data: bytes) -> None:
    wbits = (31, 15, -15)[data[0] % 3] if data else 31
    assert len(inflate(data[1:], 1 << 20, wbits)) <= 1 << 20


def shard_arrays(data: bytes) -> None:
    """Members of shards, which `curate verify` reads back without believing them."""
    if data[:2] == b"\x1f\x8b":
        assert decode_npy_gz(data, MAX_BYTES).nbytes <= MAX_BYTES
    else:
        assert decode_picture(data).dtype == np.uint8


def _nifti_gz(data: bytes) -> None:
    nifti(data, "a.nii.gz")


TARGETS = (
    Target("nifti", nifti, seeds.niftis),
    Target("nifti_gz", _nifti_gz, seeds.gzipped),
    Target("nifti_mask", nifti_mask, seeds.label_maps, share=0.6),
    Target("nrrd", nrrd, seeds.nrrds),
    Target("metaimage", metaimage, seeds.metaimages),
    Target("picture", picture, seeds.images, share=0.8),
    Target("clip", clip, seeds.clips, share=0.2),
    Target("video_bitstream", video_bitstream, seeds.packets),
    Target("motion_jpeg", motion_jpeg, seeds.mjpegs),
    Target("inflated", inflated, seeds.inflatable),
    Target("shard_arrays", shard_arrays, seeds.npys),
)
