"""The card of a source: what an auditor needs to know before a byte is read."""

from __future__ import annotations

import functools
from typing import Any, Literal

from pydantic import field_validator

from manifests.config import Config

Access = Literal["open", "registered", "credentialed"]
Known = Literal["measured", "published", "recalled"]
UNKNOWN_LICENCE = "unknown"


class Remote(Config):
    """A place that a source's files can be fetched from; several are alternatives or parts, in that order.

    `at` is `owner/name` of a dataset repository of the Hugging Face hub, an http(s) address of one file,
    `bucket/prefix` of an S3 store that answers without credentials, or the number of a Zenodo record. `files` are shell
    patterns of what is taken (all, if empty). `revision` pins a repository's commit; `sha256` or `md5` a single file.
    `unpack` says that an archive's members belong below `into`, else the file itself; `into` is a folder below the
    source's root."""

    kind: Literal["hub", "http", "s3", "zenodo"]
    at: str
    files: tuple[str, ...] = ()
    revision: str = ""
    sha256: str = ""
    md5: str = ""
    into: str = ""
    unpack: bool = False


class Card(Config):
    """Upstream, revision, licence, access, citation and PHI risk of a source; of a generic source the recipe gives the
    licence, since only its user knows it.

    `modalities`, `body_parts` and `tasks` are terms of `manifests.vocabulary`. `known` says where the layout is known
    from: `measured` (on real files), `published` (upstream's code, card or documentation read), `recalled` (not
    checked; a table without the columns that are expected is refused). `steps` tell how to get what is not `open`."""

    name: str
    what: str
    url: str = ""
    revision: str = ""
    licence: str = UNKNOWN_LICENCE
    access: Access = "open"
    citation: str = ""
    phi_risk: str = ""
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    size: str = ""  # in words: what upstream says it holds
    layout: str = ""  # what lies below the root
    known: Known = "published"
    remotes: tuple[Remote, ...] = ()
    steps: str = ""


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
