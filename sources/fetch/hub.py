"""A dataset repository of the Hugging Face hub, at one commit.

`/api/datasets/OWNER/NAME/revision/REV` gives the commit, the card's data and whether it is gated; `/tree/COMMIT` lists
the files page by page (a `Link` header leads on): of a large file (LFS, Xet) its sha256, of others git's blob sha1;
`/datasets/OWNER/NAME/resolve/COMMIT/PATH` gives the bytes or a redirect to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin

from manifests.card import Remote
from sources.base import matches
from sources.fetch.errors import FetchError
from sources.fetch.names import below, checked
from sources.fetch.offers import Licence, Listing, Offer, checksum
from sources.fetch.web import Web, bad_answer, origin_of

MAX_PAGES = 20_000
MAX_FILES = 5_000_000
MAX_TEXT = 1 << 20
TERMS = ("README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "LICENCE.md", "LICENCE.txt")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="?next"?')


def listed(remote: Remote, web: Web, endpoint: str) -> Listing:
    """The repository's files that `remote.files` choose, at the commit of `remote.revision` (else of `main`).

    Raises `FetchError`."""
    if not _NAME.fullmatch(remote.at):
        raise FetchError("bad_address", f"'{remote.at}'", "a repository is owner/name")
    base = f"{endpoint.rstrip('/')}/api/datasets/{remote.at}"
    commit, code = _commit(web, base, remote)
    names = {}
    for row in _tree(web, f"{base}/tree/{commit}?recursive=true", base):
        if row.get("type") == "file":
            names[checked(str(row.get("path", "")), remote.at)] = row
    files = f"{endpoint.rstrip('/')}/datasets/{remote.at}/resolve/{commit}"
    chosen = [n for n in sorted(names) if not remote.files or matches(n, remote.files)]
    offers = tuple(_offer(name, names[name], files, remote) for name in chosen)
    texts = tuple((name, _text(web, f"{files}/{quote(name)}")) for name in TERMS if name in names)
    return Listing("hub", remote.at, commit, offers, Licence(code, texts))


def _commit(web: Web, base: str, remote: Remote) -> tuple[str, str]:
    """(commit, the licence in the repository's card)."""
    url = f"{base}/revision/{quote(remote.revision or 'main', safe='')}"
    about, _ = web.json(url)
    commit = about.get("sha") if isinstance(about, dict) else None
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise bad_answer(url, "no commit")
    if _COMMIT.fullmatch(remote.revision) and commit != remote.revision:
        raise bad_answer(url, "another commit than asked for")
    told = about.get("cardData")
    licence = told.get("license", "") if isinstance(told, dict) else ""
    return commit, ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence or "")


def _tree(web: Web, url: str, base: str) -> Iterator[dict[str, Any]]:
    seen = 0
    for _ in range(MAX_PAGES):
        rows, headers = web.json(url)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise bad_answer(url, "no list of files")
        seen += len(rows)
        if seen > MAX_FILES:
            break
        yield from rows
        more = _NEXT.search(headers.get("link", ""))
        if more is None:
            return
        url = urljoin(url, more[1])
        if origin_of(url) != origin_of(base):
            raise bad_answer(base, "a next page at another place")
    raise FetchError("too_many_files", f"more than {MAX_FILES} files or {MAX_PAGES} pages", "choose a smaller place")


def _offer(name: str, row: dict[str, Any], files: str, remote: Remote) -> Offer:
    large = row.get("lfs")
    size = row.get("size")
    if isinstance(large, dict):
        size, digest = large.get("size", size), checksum("sha256", str(large.get("oid", "")), name)
    else:
        digest = checksum("git-sha1", str(row.get("oid", "")), name)
    if not isinstance(size, int) or size < 0:
        raise FetchError("bad_answer", f"no size of '{name}'", "tell the place's owner")
    return Offer(below(remote.into, name), name, f"{files}/{quote(name)}", size, "", digest)


def _text(web: Web, url: str) -> str:
    return web.document(url, MAX_TEXT)[0].decode("utf-8", "replace")
