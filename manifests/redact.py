"""Secrets never stand in a message: the one place that takes them out.

`redacted` is applied to the text of every error of ours (`manifests.errors`), hence to what the ledger, the manifest,
logs and the terminal are told. It knows a secret by its form (passwords in URLs, secret parameters of queries, HTTP
authorisation, private keys, tokens of known issuers) and by its value (every environment variable whose name speaks of
a secret).

Not covered: a secret that has no known form, is in no such variable, and stands in a text that a user wrote.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SECRET_NAMES = (
    "TOKEN", "SECRET", "PASSW", "PASSPHRASE", "CREDENTIAL", "APIKEY", "COOKIE", "SIGNATURE", "CONNECTION_STRING",
    "AUTHORIZATION",
)  # fmt: skip
SECRET_ENDS = ("KEY", "_PAT", "_PW", "_PWD", "_PASS", "_AUTH")
MIN_VALUE = 8  # characters; a shorter value would take words out of every text
MAX_TEXT = 1 << 16

_PARAMETER = (
    r"[\w.-]*(?:token|secret|passw(?:or)?d|passphrase|pwd|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
    r"|client[_-]?secret|auth(?:orization)?|credentials?|signature|sig|x-amz-[\w-]+|session(?:id)?|cookie|code|key)"
)
_FORMS = (
    # scheme://user:password@host, and scheme://token@host
    (re.compile(r"(:/{1,3})[^\s/?#@'\"]{1,512}@"), rf"\1{REDACTED}@"),  # `Path` leaves one slash of two
    # ?token=..., &sig=..., ;password=...
    (re.compile(rf"([?&;]{_PARAMETER}=)[^\s&;#'\"]{{1,4096}}", re.IGNORECASE), rf"\1{REDACTED}"),
    # Authorization: Bearer ..., Authorization=Basic ..., x-api-key: ...
    (
        re.compile(
            r"((?:authorization|x-api-key|api-key|cookie)['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic|token)\s+)?[^\s'\",;]+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1{REDACTED}"),
    # NAME=value and name: value where the name speaks of a secret
    (
        re.compile(
            r"\b([\w.-]*(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|account[_-]?key)[\w.-]*"
            r"['\"]?\s?[:=]\s?['\"]?)(?!\[redacted)[^\s'\",;&]{6,4096}",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    # tokens whose issuers gave them a form: AWS, Hugging Face, OpenAI and others, GitHub, GitLab, Slack, Google, JWT
    (
        re.compile(
            r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}"
            r"|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}|nvapi-[\w-]{16,}"
            r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
        ),
        REDACTED,
    ),
)
_MARKS = re.compile(
    r"[:=@?&]|-----BEGIN|hf_|sk-|gh[pousr]_|_pat_|pat-|xox|AIza|AKIA|ASIA|nvapi|eyJ|bearer|basic", re.IGNORECASE
)


_NAMED: set[str] = set()


def protect(name: str) -> None:
    """Treat the environment variable of this name as a secret in this process, whatever it is called."""
    if name:
        _NAMED.add(name)


def is_secret(name: str, value: str = "") -> bool:
    """Whether an environment variable holds a secret: by its name, or by a password in the address that it holds."""
    upper = name.upper()
    named = name in _NAMED or upper.endswith(SECRET_ENDS) or any(part in upper for part in SECRET_NAMES)
    return named or ("://" in value and "@" in value)


def redacted(text: str) -> str:
    """The text with every secret replaced by `[redacted]`; any other text is given back as it is."""
    for value in _values():
        if value in text:
            text = text.replace(value, REDACTED)
    if _MARKS.search(text):
        for form, instead in _FORMS:
            text = form.sub(instead, text[:MAX_TEXT])
    return text


def _values() -> list[str]:
    """The environment's secrets, longest first, as they are and as a URL writes them."""
    found = {value for name, value in os.environ.items() if len(value) >= MIN_VALUE and is_secret(name)}
    quoted = {quote(v, safe="", errors="replace") for v in found} | {quote_plus(v, errors="replace") for v in found}
    return sorted(found | quoted, key=lambda value: (-len(value), value))
