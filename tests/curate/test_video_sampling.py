"""Which frames of a clip are kept: the rule of `sample_times` against its words, for any rising times."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.video import frame_times_of_rate, sample_times
from manifests.errors import RecordError

eighths = st.lists(st.integers(1, 400), min_size=0, max_size=60).map(
    lambda steps: tuple(float(total) / 8 for total in np.cumsum([0, *steps]))
)
rates = st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0, 32.0])


def nearest_to_middles(times: tuple[float, ...], segment: float, count: int) -> list[int]:
    """The rule of `sample_times`, word by word: for each middle the nearest frame, of two the earlier."""
    middles = [(k + 0.5) * segment for k in range(count)]
    return sorted({min(range(len(times)), key=lambda index: (abs(times[index] - at), index)) for at in middles})


@settings(max_examples=30, deadline=None)
@given(eighths, st.one_of(st.none(), rates), st.one_of(st.none(), st.integers(1, 40)))
def test_chosen_frames_rise_and_are_at_least_one_and_at_most_max(
    times: tuple[float, ...], fps: float | None, max_frames: int | None
) -> None:
    chosen = sample_times(times, fps, max_frames)
    assert all(a < b for a, b in pairwise(chosen))
    assert 1 <= len(chosen) <= (max_frames or len(times))
    assert 0 <= chosen[0] <= chosen[-1] < len(times)
    if fps is None and (max_frames is None or max_frames >= len(times)):
        assert chosen == list(range(len(times)))


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(eighths, rates)
def test_chosen_frames_are_nearest_to_the_middles_of_their_segments(times: tuple[float, ...], fps: float) -> None:
    duration = times[-1] + (float(np.median(np.diff(times))) if len(times) > 1 else 0.0)
    count = int(duration * fps)
    expected = nearest_to_middles(times, 1 / fps, count) if count else nearest_to_middles(times, duration, 1)
    assert sample_times(times, fps, None) == expected


@settings(max_examples=30, deadline=None)
@given(eighths, st.sampled_from([1, 2, 4, 8, 16]))
def test_more_than_max_frames_become_equal_segments(times: tuple[float, ...], max_frames: int) -> None:
    chosen = sample_times(times, None, max_frames)
    if len(times) > max_frames:
        duration = times[-1] + float(np.median(np.diff(times)))
        assert chosen == nearest_to_middles(times, duration / max_frames, max_frames)


@settings(max_examples=30, deadline=None)
@given(eighths, rates, st.integers(1, 20), st.integers(-1000, 1000))
def test_the_choice_does_not_depend_on_where_the_clock_starts(
    times: tuple[float, ...], fps: float, max_frames: int, start: int
) -> None:
    later = tuple(time + start for time in times)
    assert sample_times(later, fps, max_frames) == sample_times(times, fps, max_frames)


def test_one_frame_per_second_of_a_steady_clip_is_its_mid_seconds() -> None:
    assert sample_times(frame_times_of_rate(100, 25), 1.0, 32) == [12, 37, 62, 87]
    assert sample_times(frame_times_of_rate(1000, 25), 1.0, 4) == [125, 375, 625, 875]
    assert sample_times(frame_times_of_rate(10, 25), 1.0, 32) == [5]
    assert sample_times((0.0,), 1.0, 32) == [0]


def test_a_clock_that_jumps_a_century_costs_nothing() -> None:
    assert sample_times((0.0, 1.0, 3e9), 1000.0, 32) == [0, 1, 2]
    with pytest.raises(RecordError, match="no_frames"):
        sample_times((), 1.0, 32)
