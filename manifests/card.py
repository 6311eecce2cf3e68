"""The card of a source: what an auditor needs to know before a byte is read."""

from __future__ import annotations

import functools
from typing import Any, Literal

from pydantic import field_validator

from manifests.config import Config

Access = Literal["open", "registered", "credentialed"]
UNKNOWN_LICENCE = "unknown"


class Card(Config):
    """Upstream, revision, licence, access, citation and PHI risk of a source; of a generic source the recipe gives the
    licence, since only its user knows it."""

    name: str
    what: str
    url: str = ""
    revision: str = ""
    licence: str = UNKNOWN_LICENCE
    access: Access = "open"
    citation: str = ""
    phi_risk: str = ""
    modalities: tuple[str, ...] = ()
    layout: str = ""  # one line: what lies below the root


@functools.cache
def _licensing() -> Any:
    """The list of SPDX licences: a tenth of a second to build, and every unit checks its source's licence."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def check_licence(value: str) -> str:
    """An SPDX expression in its normal form, or `LicenseRef-…` for stated terms that SPDX does not list.

    Raises `ValueError` that names the unknown symbol; `unknown` is allowed and shown as such everywhere."""
    if value == UNKNOWN_LICENCE:
        return value
    from license_expression import ExpressionError

    licensing = _licensing()
    try:
        parsed = licensing.parse(value)
        strangers = [] if parsed is None else list(licensing.unknown_license_keys(parsed))
    except ExpressionError:
        parsed, strangers = None, []
    if parsed is None or any(not s.startswith("LicenseRef-") for s in strangers):
        raise ValueError(
            f"licence '{value}' is not an SPDX expression; e.g. CC-BY-4.0, MIT, LicenseRef-my-terms, {UNKNOWN_LICENCE}"
        )
    return str(parsed)


def licence_rank(licence: str) -> int:
    """How freely a licence lets data be used, higher is freer: the second key of the keeper rule for duplicates.

    4 public domain, 3 attribution, 2 share-alike or copyleft, 1 non-commercial, no-derivatives or stated terms,
    0 unknown. A ranking for choosing among equals, not legal advice."""
    text = licence.upper()
    if licence == UNKNOWN_LICENCE:
        return 0
    if "-NC" in text or "-ND" in text or "LICENSEREF" in text:
        return 1
    if "-SA" in text or "GPL" in text or "ODBL" in text:
        return 2
    if text.startswith(("CC0", "PDDL", "UNLICENSE", "PUBLIC")):
        return 4
    return 3


class Licensed(Config):
    """Mix-in fields of everything that a recipe licenses."""

    licence: str = UNKNOWN_LICENCE
    access: Access = "open"

    @field_validator("licence")
    @classmethod
    def _spdx(cls, value: str) -> str:
        return check_licence(value)
