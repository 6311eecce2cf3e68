"""What a fetch can end with, besides success."""

from __future__ import annotations

from manifests.errors import MedcurateError
from manifests.redact import redacted


class FetchError(MedcurateError):
    """A file, or a whole place, could not be brought; nothing of it stands under its final name.

    `reason` is a stable snake_case code, `found` what was met, `remedy` what would mend it. `passing` says that the
    same request may succeed later, `wait_s` how long the place asked to be left alone."""

    def __init__(self, reason: str, found: str, remedy: str, passing: bool = False, wait_s: float = 0.0) -> None:
        found, remedy = redacted(found), redacted(remedy)
        super().__init__(f"{reason}: found {found}; {remedy}")
        self.reason = reason
        self.found = found
        self.remedy = remedy
        self.passing = passing
        self.wait_s = wait_s
