"""Tables that mean harm, each with the pictures that its rows name: kinds 44 and 45. Each is a source of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.badfiles import put
from tests.hostile.archives import shifted
from tests.hostile.case import SECRET, Case, failed, kept

HEAD = "image,text\n"


def table(number: int, data: bytes, picture: bool = True) -> Callable[[Path], Path]:
    """`t.csv` and a picture; the record is the picture, or else the table."""

    def write(folder: Path) -> Path:
        put(folder / "x.png", shifted(number))
        put(folder / "t.csv", data)
        return folder / ("x.png" if picture else "t.csv")

    return write


def says(number: int, text: str) -> Callable[[Path], Path]:
    return table(number, f'{HEAD}x.png,"{text}"\n'.encode())


def names(number: int, path: str) -> Callable[[Path], Path]:
    """A row whose file is not below the root."""
    return table(number, f"{HEAD}{path},{SECRET}\n".encode(), picture=False)


PATHS = {
    "climbs": "../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "metadata-service": "http://169.254.169.254/latest/meta-data/x.png",
    "loopback": "http://127.1:9/x.png",
    "loopback-in-hex": "http://0x7f000001:9/x.png",
    "loopback-of-six": "http://[::1]:9/x.png",
    "file-address": "file:///etc/passwd",
    "credentials": f"https://user:{SECRET}@example.com/x.png",
    "pipe": "|id",
}
CASES = (
    Case(44, "table-formula", "table", says(31, "=cmd|'/C calc'!A0"), kept()),
    Case(44, "table-link-formula", "table", says(32, '=HYPERLINK(""http://127.0.0.1:9/"",""x"")'), kept()),
    Case(44, "table-nul", "table", table(33, HEAD.encode() + b"x.png,a\0b normal heart size\n"), kept(b"a\\u0000b")),
    Case(
        44,
        "table-field-of-a-megabyte",
        "table",
        table(34, HEAD.encode() + b"x.png," + b"a" * (1 << 20) + b"\n", False),
        failed("bad_table"),
    ),
    Case(
        44,
        "table-line-of-40-megabytes",
        "table",
        table(35, HEAD.encode() + b"x.png," + b"a," * (20 << 20) + b"\n", False),
        failed("bad_table"),
    ),
    Case(
        44,
        "table-quote-never-closed",
        "table",
        table(36, HEAD.encode() + b'x.png,"' + b"row\n" * 100_000, False),
        failed("bad_table"),
    ),
    Case(
        44,
        "table-other-encoding",
        "table",
        table(37, HEAD.encode() + (b"y.png," + b"a" * 240 + b"\n") * 6000 + b"x.png,\xff\xfe\n", False),
        failed("bad_table"),
    ),
    Case(
        44,
        "table-100000-columns",
        "table",
        table(38, ",".join(["image", "text", *(f"c{n}" for n in range(100_000))]).encode() + b"\nx.png,clear lungs\n"),
        kept(),
    ),
    *(
        Case(45, f"table-{kind}", "table", names(40 + n, path), failed("media_missing"))
        for n, (kind, path) in enumerate(PATHS.items())
    ),
)
