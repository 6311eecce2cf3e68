"""How a pack names what it must not hold: salted hashes of ids, files and texts, and which ids are somebody's own."""

from __future__ import annotations

import hashlib
import re

SALT = hashlib.sha256(b"medcurate benchmark pack 1").digest()[:16]  # packs with one salt are searched together
MEDIA = ("file", "pixels")
IDS = ("patient", "study", "video")
MIN_ID = 5
NUMBERED = re.compile(
    r"(?:anon|case|clip|data|exam|file|fig|figure|frame|id|image|images|img|pat|patient|pid|scan|series|slice|slices|"
    r"study|sub|subj|subject|vid|video|vol|volume)?[ ._#-]*\d{0,5}",
    re.IGNORECASE,
)


def telling(value: str) -> bool:
    """Whether an id can only be meant by whoever means this one: `12` is a patient of every data set, `case_0012` and
    `images` say no more."""
    if len(value) < MIN_ID or NUMBERED.fullmatch(value):
        return False
    return any(c.isalpha() for c in value) or len(value) >= MIN_ID + 3


def salted64(salt: bytes, text: str) -> int:
    """64 bits of BLAKE2b (RFC 7693) of a text, keyed with the salt."""
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=salt).digest(), "little")


def salted256(salt: bytes, kind: str, value: str) -> bytes:
    """SHA-256-sized BLAKE2b of a kind and a value, keyed with the salt."""
    data = f"{kind}\x1f{value}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=32, key=salt).digest()
