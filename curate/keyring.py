"""Pseudonyms, UIDs and date shifts as keyed hashes: equal input gives equal output on every worker, without a map.

Everything is HMAC-SHA256 (RFC 2104) of a key that is written nowhere. Who has the key can link a pseudonym to a known
identifier by trying it, so a pseudonym is not anonymity; without the key it cannot be reversed or tried.

The key comes from a file, from the environment variable MEDCURATE_KEY, or, where neither is given, from the recipe's
name and seed. The last is `public`: anybody with the recipe can recompute it. It makes public data and the demo
reproducible, and it protects nobody; the run says so and the manifest records it.

A `Keyring` can be pickled for processes of one machine, but it must not travel through a cluster: an object store and
its logs are no place for a key. Every worker loads its own with `Keyring.load`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from manifests.errors import RecipeError

KEY_VARIABLE = "MEDCURATE_KEY"
MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 4096
PSEUDONYM_DIGITS = 24  # 96 bits: no collision is expected below 10^12 patients
MAX_SHIFT_DAYS = 3650


def _file_key(path: Path) -> bytes:
    """The bytes of a key file: a regular file, no link, that only its owner can read (0600 or stricter)."""
    try:
        # O_NONBLOCK: opening a FIFO must not hang; O_NOFOLLOW: the file checked is the file named.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise RecipeError(f"key file {path} cannot be opened ({type(error).__name__}); name a readable file") from error
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise RecipeError(f"key file {path} is not a regular file; name a regular file")
        if stat.S_IMODE(mode) & ~0o600:
            raise RecipeError(f"key file {path} has mode {stat.S_IMODE(mode):04o}; run: chmod 600 {path}")
        return os.read(handle, MAX_KEY_BYTES + 3)  # room for a line end after the longest key
    finally:
        os.close(handle)


def _checked(key: bytes, origin: str) -> bytes:
    """The key without the line end that editors add, if it is long enough; the message never shows it."""
    stripped = key.strip(b"\r\n")
    if not MIN_KEY_BYTES <= len(stripped) <= MAX_KEY_BYTES:
        raise RecipeError(
            f"the key in {origin} has {len(stripped)} bytes; give {MIN_KEY_BYTES} to {MAX_KEY_BYTES} random bytes, "
            "for example 64 hexadecimal digits"
        )
    return stripped


@dataclass(frozen=True, slots=True)
class Keyring:
    """The key, and all that is derived from it. Its repr shows `public` and `key_id`, never the key."""

    _key: bytes = field(repr=False)
    public: bool

    @classmethod
    def load(cls, recipe_name: str, seed: int, key_file: Path | None = None) -> Keyring:
        """The key from `key_file`, else from MEDCURATE_KEY, else derived from the recipe (`public` is then True).

        Raises RecipeError for a file that is absent, not regular or readable by others, and for a key that is too
        short; an empty MEDCURATE_KEY is an error too, for whoever sets it does not want a public key.
        """
        if key_file is not None:
            return cls(_checked(_file_key(key_file), f"the key file {key_file}"), public=False)
        variable = os.environ.get(KEY_VARIABLE)
        if variable is not None:
            return cls(_checked(variable.encode("utf-8", "surrogateescape"), KEY_VARIABLE), public=False)
        material = f"{len(recipe_name)}:{recipe_name}:{seed}".encode()
        return cls(hmac.digest(b"medcurate public key", material, hashlib.sha256), public=True)

    def __repr__(self) -> str:
        return f"Keyring(key_id={self.key_id!r}, public={self.public})"

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that tell two keys apart and are safe to write."""
        return hmac.digest(self._key, b"key id", hashlib.sha256).hex()[:16]

    def _digest(self, kind: str, value: str) -> bytes:
        # The length in front keeps (kind, value) pairs apart that concatenate to one text.
        message = f"{len(kind)}:{kind}:{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, hashlib.sha256)

    def pseudonym(self, kind: str, value: str) -> str:
        """24 hexadecimal digits for a value of one kind ("patient", "article"); blanks around it do not count."""
        return self._digest(f"pseudonym {kind}", value.strip(" \t\r\n\0")).hex()[:PSEUDONYM_DIGITS]

    def uid(self, uid: str) -> str:
        """The UID that stands for `uid`: 2.25. and a decimal number of 122 bits (PS3.5 B.2), at most 42 characters.

        UIDs of the DICOM registry (SOP classes, transfer syntaxes, coding schemes, known frames) stay; "" stays "".
        """
        plain = uid.strip(" \t\r\n\0")
        if not plain or plain in UID_dictionary:
            return plain
        return f"2.25.{int.from_bytes(self._digest('uid', plain)[:16], 'big') >> 6}"

    def shift_days(self, patient: str) -> int:
        """Days to add to every date of one patient: -3650..3650, never 0, different from patient to patient."""
        drawn = int.from_bytes(self._digest("shift", patient.strip(" \t\r\n\0"))[:8], "big") % (2 * MAX_SHIFT_DAYS)
        return drawn - MAX_SHIFT_DAYS if drawn < MAX_SHIFT_DAYS else drawn - MAX_SHIFT_DAYS + 1
