"""Times as tables write them."""

from __future__ import annotations

import math
import re

from manifests.errors import RecordError


def seconds(text: str, column: str = "") -> float:
    """A time of a table in seconds: `12.5`, `01:02.5` (minutes, seconds), `1:01:02.250`; rounded to milliseconds.

    Raises RecordError `clip_range` for anything else, also for 60 and more minutes or seconds behind a colon; it names
    the column and the length of what stands there, which may be anything.
    """
    match = re.fullmatch(
        r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{1,9})?)", text.strip().replace(",", "."), re.ASCII
    )
    hours, minutes, rest = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, math.nan)
    in_order = rest < 60 or ":" not in text
    if not match or not in_order or (match[1] and minutes >= 60):
        found = f"{len(text)} characters that are no time" + (f" in column '{column}'" if column else "")
        raise RecordError("clip_range", found, "write seconds, mm:ss or hh:mm:ss.mmm")
    return round(hours * 3600 + minutes * 60 + rest, 3)
