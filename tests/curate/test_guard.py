"""Inflating: what zlib inflates comes out, what it refuses is refused by name, and no more is made than is allowed."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.guard import PIECE, inflate, open_stream, stream_of
from manifests.errors import RecordError

TEXT = bytes(range(256)) * 5 + b"abc" * 900
WBITS = (zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS)


def _deflate(data: bytes, wbits: int) -> bytes:
    made = zlib.compressobj(6, zlib.DEFLATED, wbits)
    return made.compress(data) + made.flush()


@pytest.mark.parametrize("wbits", WBITS)
@pytest.mark.parametrize("size", [0, 1, len(TEXT), 3 * PIECE + 5])
def test_what_zlib_deflates_comes_back_and_the_limit_is_exact(wbits: int, size: int) -> None:
    data = (TEXT * (size // len(TEXT) + 1))[:size]
    assert inflate(_deflate(data, wbits), size, wbits) == data
    if size:
        with pytest.raises(RecordError, match=f"too_large: found more than {size - 1} bytes inflated"):
            inflate(_deflate(data, wbits), size - 1, wbits)


def test_members_are_joined_and_only_zeros_may_follow() -> None:
    one, two = gzip.compress(TEXT, mtime=0), gzip.compress(b"more", mtime=0)
    assert inflate(one + two, 10_000) == TEXT + b"more"
    assert inflate(one + b"\0" * (PIECE + 7), 10_000) == TEXT
    assert inflate(one + two + b"junk", 10_000, only_first=True) == TEXT
    for bad in (one + b"junk", one + two[:-1], one[:-1], b"", b"\0", b"no gzip at all"):
        with pytest.raises(RecordError, match="corrupt_compression"):
            inflate(bad, 10_000)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damaged_streams_are_refused_by_name_or_hold_what_was_stored(data: st.DataObject) -> None:
    wbits = data.draw(st.sampled_from(WBITS[:2]))  # those that end with a checksum
    damaged = bytearray(_deflate(TEXT, wbits))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))])
    reason = ""
    try:
        assert inflate(content, len(TEXT), wbits) == TEXT
    except RecordError as error:
        reason = error.reason
    assert reason in ("", "corrupt_compression", "too_large")


def test_streams_give_their_bytes_in_order_however_they_are_asked(tmp_path: Path) -> None:
    data = TEXT * 300
    (tmp_path / "x").write_bytes(data)
    (tmp_path / "x.gz").write_bytes(gzip.compress(data, 1))
    for name in ("x", "x.gz"):
        with open_stream(tmp_path / name) as stream:
            assert stream.most >= len(data)
            target = bytearray(PIECE + 11)
            assert stream.take(5) == data[:5]
            assert stream.skip(PIECE) == PIECE
            assert stream.fill(memoryview(target)) == len(target)
            assert target == data[PIECE + 5 :][: len(target)]
            rest = len(data) - PIECE - 5 - len(target)
            assert stream.take(10**9) == data[len(data) - rest :]
            assert (stream.skip(), stream.take(1)) == (0, b"")
    assert stream_of(zlib.compress(data), codec="zlib").skip() == len(data)
