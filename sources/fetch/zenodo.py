"""A record of Zenodo: `/api/records/NUMBER` names its files with size and md5, its licence and who may have it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from manifests.card import Remote
from sources.base import matches
from sources.fetch.errors import FetchError
from sources.fetch.names import below, checked
from sources.fetch.offers import Licence, Listing, Offer, checksum
from sources.fetch.web import Web, bad_answer


def listed(remote: Remote, web: Web, endpoint: str) -> Listing:
    """The record's files that `remote.files` choose. Raises `FetchError`, `refused` for a record that is not open."""
    if not (remote.at.isascii() and remote.at.isdigit()):
        raise FetchError("bad_address", f"'{remote.at}'", "a record is a number")
    url = f"{endpoint.rstrip('/')}/api/records/{remote.at}"
    record, _ = web.json(url)
    about = record.get("metadata") if isinstance(record, dict) else None
    if not isinstance(about, dict):
        raise bad_answer(url, "no record")
    right = str(about.get("access_right") or "open")
    if right != "open":
        raise FetchError("refused", f"a record whose access is '{right[:40]}'", "see the card's steps")
    rows = record.get("files")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise bad_answer(url, "no list of files")
    offers = (_offer(row, url, remote) for row in rows)
    chosen = tuple(
        sorted((o for o in offers if not remote.files or matches(o.name, remote.files)), key=lambda o: o.name)
    )
    return Listing("zenodo", remote.at, str(record.get("doi") or ""), chosen, _licence(record, about))


def _offer(row: dict[str, Any], url: str, remote: Remote) -> Offer:
    name, size = checked(str(row.get("key", "")), f"record {remote.at}"), row.get("size")
    algorithm, _, value = str(row.get("checksum", "")).partition(":")
    if not isinstance(size, int) or size < 0 or algorithm != "md5":
        raise bad_answer(url, "a file without size or md5")
    address = f"{url}/files/{quote(name, safe='')}/content"
    return Offer(below(remote.into, name), name, address, size, "", checksum("md5", value, name))


def _licence(record: dict[str, Any], about: dict[str, Any]) -> Licence:
    told = about.get("license")
    code = str(told.get("id", "")) if isinstance(told, dict) else str(told or "")
    text = {"doi": record.get("doi"), "title": about.get("title"), "version": about.get("version"), "license": told}
    return Licence(code, (("metadata", json.dumps(text, ensure_ascii=False, indent=1, sort_keys=True) + "\n"),))
