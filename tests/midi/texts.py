"""Report-like texts with planted identifiers of a known kind, one to a text; same seed, same texts."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator

GIVEN = ("Philomena", "Thaddeus", "Ingeborg", "Wojciech", "Xiomara", "Anna", "Peter", "Li", "José", "Fatima")
SURNAMES = (
    "Quillfeather",
    "Oyelaran",
    "Grünewald",
    "Vanterpool",
    "Smith",
    "Brown",
    "Nguyen",
    "O'Connor",
    "Müller-Lüd",
    "Park",
)
STREETS = ("Elmwood", "Kings", "Tamarind", "Market", "St. Mary's", "Oak Hill", "Lincoln", "North 5th")
KINDS_OF_STREET = ("Street", "St", "Lane", "Avenue", "Ave.", "Road", "Rd", "Drive", "Boulevard", "Court")
BEFORE = ("CT of the chest without contrast. ", "Comparison: none. ", "No acute fracture. ", "")
AFTER = (" Stable 5 mm nodule in the right lower lobe.", " Heart size is normal.", "")
FRAMES = {
    "name with a title": ("Discussed with {} by telephone.", "{} was informed of the result.", "Dictated by {}."),
    "name with a label": ("Patient: {}.", "Patient name: {}", "Name: {}; CT head.", "Electronically signed by {}."),
    "date": ("Compared with the study of {}.", "Seen on {}.", "DOB: {}."),
    "phone": ("Call {} for questions.", "Phone: {}", "Pager {}."),
    "record number": ("MRN {}.", "MRN: {}.", "Medical record number {}.", "Accession no. {}", "Acc# {}"),
    "e-mail": ("Send to {}.",),
    "URL": ("Images at {} today.",),
    "address": ("Lives at {}.", "{} is the home address."),
    "age over 89": ("A {} woman with cough.", "The patient is {}."),
    "social security number": ("SSN {}.",),
}


def _name(rng: random.Random) -> str:
    return f"{rng.choice(GIVEN)} {rng.choice(SURNAMES)}"


def _date(rng: random.Random) -> str:
    day = datetime.date(1930, 1, 1) + datetime.timedelta(days=rng.randrange(34000))
    return format(day, rng.choice(("%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%B %d, %Y", "%d %b %Y", "%Y%m%d", "%m/%d/%y")))


def _phone(rng: random.Random) -> str:
    a, b, c = rng.randrange(200, 999), rng.randrange(200, 999), rng.randrange(1000, 9999)
    return rng.choice(
        (f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}", f"+1 {a} {b} {c}", f"+49 {a} {b}{c}", f"{a} {b} {c}")
    )


def _address(rng: random.Random) -> str:
    return f"{rng.randrange(1, 9999)} {rng.choice(STREETS)} {rng.choice(KINDS_OF_STREET)}"


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "name with a title": lambda r: r.choice(("Dr. ", "Dr ", "Prof. ", "Mr. ", "Mrs ", "Ms. ")) + _name(r),
    "name with a label": _name,
    "date": _date,
    "phone": _phone,
    "record number": lambda r: r.choice(("", "A", "H-")) + str(r.randrange(10 ** r.randrange(3, 8), 10**8)),
    "e-mail": lambda r: f"{r.choice(GIVEN).lower()}.{r.randrange(99)}@hospital{r.randrange(9)}.example.org",
    "URL": lambda r: r.choice(("https://", "http://www.", "www.")) + f"pacs{r.randrange(99)}.example.org/view?id=7",
    "address": _address,
    "age over 89": lambda r: str(r.randrange(90, 110)) + r.choice(("-year-old", " years old", " y/o", " yr old")),
    "social security number": lambda r: f"{r.randrange(100, 899)}-{r.randrange(10, 99)}-{r.randrange(1000, 9999)}",
}  # fmt: skip


def texts(seed: int, per_kind: int) -> Iterator[tuple[str, str, str]]:
    """(kind, what was planted, text)."""
    rng = random.Random(seed)
    for kind, make in MAKERS.items():
        for _ in range(per_kind):
            planted = make(rng)
            yield kind, planted, rng.choice(BEFORE) + rng.choice(FRAMES[kind]).format(planted) + rng.choice(AFTER)


def survives(kind: str, planted: str, scrubbed: str) -> bool:
    """Is any part left that tells something: a whole name part, a street's name, the digits?"""
    if kind.startswith("name"):
        words = [w for w in planted.split() if w.strip(".") not in ("Dr", "Prof", "Mr", "Mrs", "Ms")]
        return any(word in scrubbed for word in words)
    if kind == "age over 89":
        return planted.replace("-", " ").split()[0] in scrubbed
    return planted in scrubbed or (kind == "address" and " ".join(planted.split()[1:-1]) in scrubbed)
