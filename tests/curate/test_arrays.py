"""The bytes of standardised media: what is written comes back, the same array gives the same bytes, hostile bytes fail
typed."""

from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curate.arrays import (
    Volume,
    decode_npy,
    decode_npy_gz,
    decode_png,
    encode_npy,
    encode_npy_gz,
    encode_png,
    narrow,
)
from manifests.errors import RecordError

DTYPES = st.sampled_from(["|b1", "|u1", "<i2", ">i2", "<u2", "<i4", "<f4", ">f4", "<f8"])
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(DTYPES, SHAPES))
def test_npy_gives_the_array_back_and_numpy_reads_it_too(array: np.ndarray) -> None:
    for encode, decode in ((encode_npy, decode_npy), (encode_npy_gz, decode_npy_gz)):
        back = decode(encode(array))
        assert back.shape == array.shape
        assert back.dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(np.load(io.BytesIO(encode_npy(array)), allow_pickle=False), array)


def test_byte_order_and_memory_layout_do_not_change_the_bytes() -> None:
    array = np.arange(24, dtype="<i2").reshape(2, 3, 4)
    twins = [array, array.astype(">i2"), np.asfortranarray(array)]
    assert len({encode_npy(twin) for twin in twins}) == 1
    assert len({encode_npy_gz(twin) for twin in twins}) == 1
    assert encode_npy_gz(array)[4:8] == b"\0\0\0\0"  # no time
    assert encode_npy_gz(array)[3] == 0  # no name


@settings(deadline=None, max_examples=150)
@given(st.data())
@pytest.mark.slow
def test_mutated_npy_bytes_decode_or_fail_typed(data: st.DataObject) -> None:
    good = bytearray(encode_npy(np.arange(12, dtype=np.int16).reshape(3, 4)))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    reason = "read"
    try:
        decode_npy(bytes(good[:cut]))
    except RecordError as error:
        reason = error.reason
    assert reason in ("read", "bad_array")


def test_a_header_that_claims_terabytes_allocates_nothing() -> None:
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    text = text.ljust(117) + b"\n"
    with pytest.raises(RecordError, match="bad_array"):
        decode_npy(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\0" * 16)


def test_pickled_objects_are_neither_written_nor_read() -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RecordError, match="bad_array"):
        decode_npy(stream.getvalue())
    with pytest.raises(RecordError, match="bad_array"):
        encode_npy(np.array([{}], dtype=object))


def test_a_gzip_bomb_stops_at_the_limit() -> None:
    bomb = encode_npy_gz(np.zeros(4_000_000, np.uint8))
    assert len(bomb) < 40_000
    with pytest.raises(RecordError, match="too_large"):
        decode_npy_gz(bomb, max_bytes=1_000_000)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b + b"trailing", lambda b: b"no gzip", lambda b: b""])
def test_broken_gzip_fails_typed(damage) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecordError):
        decode_npy_gz(damage(encode_npy_gz(np.arange(100))))


def test_gzip_members_are_joined_as_the_standard_says() -> None:
    plain = encode_npy(np.arange(100))
    joined = gzip.compress(plain[:50], mtime=0) + gzip.compress(plain[50:], mtime=0) + b"\0\0"
    np.testing.assert_array_equal(decode_npy_gz(joined), np.arange(100))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_png_is_lossless_deterministic_and_bare(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    encoded = encode_png(pixels)
    assert encoded == encode_png(np.asfortranarray(pixels))
    assert {c for c in (b"tEXt", b"iTXt", b"tIME", b"pHYs", b"eXIf") if c in encoded} == set()
    np.testing.assert_array_equal(decode_png(encoded), pixels)
    with pytest.raises(RecordError, match="bad_array"):
        decode_png(encoded[: len(encoded) - 40])
    with pytest.raises(RecordError, match="bad_array"):
        encode_png(pixels.astype(np.int16))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([0, 255], np.uint8), np.uint8),
        (np.array([-128, 127], np.int8), np.int16),
        (np.array([0, 32767], np.uint16), np.int16),
        (np.array([0, 65535], np.uint16), np.uint16),
        (np.array([-1, 65535], np.int64), np.int32),
        (np.array([-1024.0, 3071.0]), np.int16),
        (np.array([0.5, 1.0]), np.float32),
        (np.array([np.nan, 1.0]), np.float32),
        (np.array([1e300, 1.0]), np.float32),
    ],
)
def test_narrow_takes_the_smallest_type_that_keeps_the_values(values: np.ndarray, dtype: type) -> None:
    with np.errstate(over="ignore"):
        assert narrow(values).dtype == dtype
    if dtype != np.float32:
        np.testing.assert_array_equal(narrow(values), values)


def test_integers_beyond_32_bits_are_refused_not_rounded() -> None:
    with pytest.raises(RecordError, match="lossy_dtype"):
        narrow(np.array([0, 2**40]))


def test_spacing_and_orientation_come_from_the_affine() -> None:
    affine = np.array([[0, 0, 3.0, 5], [-1.0, 0, 0, 6], [0, 2.0, 0, 7], [0, 0, 0, 1]])
    volume = Volume(np.zeros((2, 3, 4), np.int16), affine)
    assert volume.spacing_mm == (3.0, 2.0, 1.0)  # (z, y, x)
    assert volume.orientation == "PSR"
