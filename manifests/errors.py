"""Every error that a user can meet, in one tree.

    MedcurateError
    ├── RecipeError         the recipe or the command line is wrong            exit 2, one line
    ├── RecordError         one record cannot be read or trusted               ledger: failed(reason)
    ├── Reject              one record is sound but unwanted                   ledger: dropped(reason)
    ├── TeacherError        a teacher gave no usable answer after its retries  ledger: a rejected verdict
    └── VerificationError   something made does not hold                       exit 4

The run catches `RecordError` and `Reject` in one place (`curate.prepare`), so a bad input costs one record and a row
of the ledger, never the run. A message names the value found and the remedy; it never holds file content, because it
is written to the ledger, and no secret, which `manifests.redact` takes out of every one of them.
"""

from __future__ import annotations

from manifests.redact import redacted


class MedcurateError(Exception):
    """The root of the tree; its text is one line that a user can act on."""

    def __init__(self, *texts: str) -> None:
        super().__init__(*(redacted(text) for text in texts))


class RecipeError(MedcurateError):
    """A recipe, an option or a path that the user gave is wrong; nothing was written."""


class RecordError(MedcurateError):
    """One input record cannot be read or trusted.

    `reason` is a stable snake_case code (it is counted in the manifest), `found` the value met, `remedy` what would
    mend it.
    """

    def __init__(self, reason: str, found: str, remedy: str) -> None:
        found, remedy = redacted(found), redacted(remedy)
        super().__init__(f"{reason}: found {found}; {remedy}")
        self.reason = reason
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[RecordError], tuple[str, str, str]]:
        return (RecordError, (self.reason, self.found, self.remedy))


class Reject(MedcurateError):  # noqa: N818 - a decision, not an error: the record is sound and the recipe does not want it
    """A sound record that the recipe does not want, with the named reason and the evidence for it."""

    def __init__(self, reason: str, found: str, remedy: str = "none needed: sound but not wanted") -> None:
        found = redacted(found)
        super().__init__(f"{reason}: found {found}")
        self.reason = reason
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[Reject], tuple[str, str, str]]:
        return (Reject, (self.reason, self.found, self.remedy))


class TeacherError(MedcurateError):
    """A teacher gave no usable answer after its bounded retries; `reason` is a stable code as in `RecordError`."""

    def __init__(self, reason: str, found: str) -> None:
        found = redacted(found)
        super().__init__(f"{reason}: found {found}")
        self.reason = reason
        self.found = found

    def __reduce__(self) -> tuple[type[TeacherError], tuple[str, str]]:
        return (TeacherError, (self.reason, self.found))


class VerificationError(MedcurateError):
    """A finished output does not hold: a digest, a count, a link or a proof."""
