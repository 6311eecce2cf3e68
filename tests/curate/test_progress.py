"""A run says at once what it is about, and how long it will take only when it can know."""

from __future__ import annotations

import io

from curate.progress import Progress, begin


def test_the_first_line_tells_what_is_run_and_by_whom() -> None:
    stream = io.StringIO()
    begin("nuclei", 3, 1, "2 workers", stream)
    assert stream.getvalue() == "nuclei: 3 sources, 1 not there; 2 workers\n"


def test_no_time_is_promised_from_one_unit() -> None:
    progress = Progress("prepare", units=7, quiet=True)
    progress.update(5, 1000, 0)
    assert "ETA" not in progress.line(progress.started + 30)
    progress.update(5, 1000, 0)
    assert "ETA 75 s" in progress.line(progress.started + 30)
