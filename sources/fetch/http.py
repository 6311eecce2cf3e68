"""One file at an http(s) address, asked by a range of one byte what it is."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from manifests.card import Remote
from sources.fetch.errors import FetchError
from sources.fetch.names import below, checked
from sources.fetch.offers import Checksum, Licence, Listing, Offer, checksum
from sources.fetch.patience import patiently
from sources.fetch.stream import strong
from sources.fetch.web import Web, shown


def listed(remote: Remote, web: Web) -> Listing:
    """The file, with length and ETag as the place tells them; the card's checksum where it has one.

    Raises `FetchError`."""
    name = checked(unquote(PurePosixPath(urlsplit(remote.at).path).name), shown(remote.at))
    size, etag = patiently(lambda: _probe(remote.at, web), web.patience())
    digest: Checksum | None = None
    if remote.sha256:
        digest = checksum("sha256", remote.sha256, "the card")
    elif remote.md5:
        digest = checksum("md5", remote.md5, "the card")
    offer = Offer(below(remote.into, name), name, remote.at, size, etag, digest, loose=digest is None)
    return Listing("http", shown(remote.at), etag.strip('"'), (offer,), Licence())


def _probe(url: str, web: Web) -> tuple[int | None, str]:
    """(length of the whole, strong ETag). A place without ranges answers with the whole, which is not read; an empty
    file has no first byte (416)."""
    with web.get(url, {"Range": "bytes=0-0"}) as answer:
        if answer.status == 200:
            return answer.length, strong(answer.headers)
        whole = re.fullmatch(r"bytes (?:0-0|\*)/(\d{1,18}|\*)", answer.headers.get("content-range", ""))
        if whole is None or (answer.status == 416 and whole[1] != "0"):
            raise FetchError("bad_answer", f"no range at {shown(url)}", "tell the place's owner")
        answer.skipped()
        return (None if whole[1] == "*" else int(whole[1])), strong(answer.headers)
