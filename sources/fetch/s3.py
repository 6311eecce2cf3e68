"""A prefix of an S3 bucket that answers without credentials: ListObjectsV2 page by page, then one GET a key.

An ETag of 32 hexadecimal digits is the md5 of an object that was stored in one piece; of one stored in parts it is no
digest, and only says whether the object is still the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlencode
from xml.etree.ElementTree import Element

from manifests.card import Remote
from manifests.errors import RecordError
from sources.base import matches
from sources.fetch.errors import FetchError
from sources.fetch.names import below, checked
from sources.fetch.offers import Checksum, Licence, Listing, Offer
from sources.fetch.web import Web, bad_answer
from sources.xml_files import parsed_xml

MAX_FILES = 5_000_000
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def listed(remote: Remote, web: Web, endpoint: str, only: Sequence[str] = ()) -> Listing:
    """The objects below the prefix that `remote.files` choose. `only` are the user's patterns: what is plain at their
    beginning narrows what is listed, since a bucket may hold more keys than anybody wants to wait for.

    Raises `FetchError`."""
    bucket, _, prefix = remote.at.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise FetchError("bad_address", f"bucket '{bucket[:70]}'", "bucket/prefix is needed")
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    if not (folder or only or remote.files):
        raise FetchError("too_many_files", f"a whole bucket, '{bucket}'", "choose with --only 'FOLDER/*'; see the card")
    base = _base(endpoint, bucket)
    offers: dict[str, Offer] = {}
    for start in _starts(only, remote.into):
        for key, size, etag in _keys(web, base, folder + start):
            name = checked(key.removeprefix(folder), remote.at)
            if not remote.files or matches(name, remote.files):
                digest = Checksum("md5", etag) if re.fullmatch(r"[0-9a-f]{32}", etag) else None
                offers[name] = Offer(below(remote.into, name), name, f"{base}/{quote(key)}", size, etag, digest)
    return Listing("s3", remote.at, "", tuple(offers[n] for n in sorted(offers)), Licence())


def _base(endpoint: str, bucket: str) -> str:
    if "{bucket}" in endpoint and "." not in bucket:
        return endpoint.replace("{bucket}", bucket).rstrip("/")
    return f"{endpoint.replace('{bucket}.', '').rstrip('/')}/{bucket}"  # a dot does not fit the certificate's wildcard


def _starts(only: Sequence[str], into: str) -> list[str]:
    """The plain beginnings of the patterns, none of them within another; "" where one pattern begins with none. A
    pattern without a slash may mean a file's own name, in whatever folder."""
    own = [
        re.split(r"[*?\[]", p.removeprefix(f"{into.strip('/')}/") if into else p)[0] if "/" in p else "" for p in only
    ]
    starts = sorted(set(own or [""]))
    return [s for s in starts if not any(s != other and s.startswith(other) for other in starts)]


def _keys(web: Web, base: str, prefix: str) -> Iterator[tuple[str, int, str]]:
    """(key, size, ETag without quotes) of every object; keys that end with a slash are folders and hold nothing."""
    token, seen = "", 0
    while True:
        query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
        url = f"{base}/?{urlencode(query)}"
        root = _page(web, url)
        for element in _all(root, "Contents"):
            key, size = _one(element, "Key"), _one(element, "Size")
            if not key.startswith(prefix) or not size.isdigit():
                raise bad_answer(url, "a key that was not asked for")
            seen += 1
            if not key.endswith("/"):
                yield key, int(size), _one(element, "ETag").strip('"').lower()
        if seen > MAX_FILES:
            raise FetchError("too_many_files", f"more than {MAX_FILES} keys", "choose with --only 'FOLDER/*'")
        before, token = token, _one(root, "NextContinuationToken")
        if _one(root, "IsTruncated") != "true":
            return
        if not token or token == before:
            raise bad_answer(url, "a listing that leads nowhere")


def _page(web: Web, url: str) -> Element:
    try:
        root = parsed_xml(web.document(url)[0])
    except RecordError:
        raise bad_answer(url, "no listing") from None
    if root.tag.rpartition("}")[2] != "ListBucketResult":
        raise bad_answer(url, "no listing")
    return root


def _all(element: Element, name: str) -> list[Element]:
    return [e for e in element if e.tag.rpartition("}")[2] == name]


def _one(element: Element, name: str) -> str:
    return next((e.text or "" for e in _all(element, name)), "")
