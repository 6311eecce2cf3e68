"""Files in which every row of PS3.15 Table E.1-1 holds a sentinel, encoded byte by byte here, without pydicom's writer.

So they may hold what no writer writes: command and file meta elements in data sets, VRs that are not the dictionary's,
elements twice, sequences in UN, a character set that lies, bytes behind the end.
"""

from __future__ import annotations

import datetime
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom import uid
from pydicom.datadict import dictionary_has_tag, dictionary_VR

from curate.deidentify.tables.ps3_15 import rows

DEPTHS = (0, 1, 2, 5)
SYNTAXES = (
    uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian,
)  # fmt: skip
CARRIERS = (0x52009230, 0x00081115)  # sequences that the profile keeps
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT", "SV", "UV"}
BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
TIMES = ("DA", "DT", "TM")
PASSED = {"AS", "US", "SS", "UL", "SL", "FL", "FD"}  # no room for a sentinel
MARK = "ZQ"


@dataclass
class Writer:
    """Encodes elements for one transfer syntax and remembers the sentinels."""

    syntax: str
    rng: random.Random
    needles: set[bytes] = field(default_factory=set)
    count: int = 0

    @property
    def little(self) -> bool:
        return self.syntax != uid.ExplicitVRBigEndian

    def pack(self, kind: str, *numbers: float) -> bytes:
        return struct.pack(("<" if self.little else ">") + kind, *numbers)

    def element(self, tag: int, vr: str, value: bytes, implicit: bool | None = None) -> bytes:
        if len(value) % 2:
            value += b"\0" if vr in ("UI", "OB", "UN", "SQ") else b" "
        head = self.pack("HH", tag >> 16, tag & 0xFFFF)
        if self.syntax == uid.ImplicitVRLittleEndian if implicit is None else implicit:
            return head + self.pack("I", len(value)) + value
        if vr in LONG:
            return head + vr.encode() + b"\0\0" + self.pack("I", len(value)) + value
        return head + vr.encode() + self.pack("H", len(value)) + value

    def items(self, *contents: bytes) -> bytes:
        return b"".join(self.pack("HHI", 0xFFFE, 0xE000, len(c)) + c for c in contents)

    def undefined(self, tag: int, content: bytes) -> bytes:
        """A sequence of one item, both of undefined length."""
        head = self.pack("HH", tag >> 16, tag & 0xFFFF)
        head += b"" if self.syntax == uid.ImplicitVRLittleEndian else b"SQ\0\0"
        ends = self.pack("HHI", 0xFFFE, 0xE00D, 0) + self.pack("HHI", 0xFFFE, 0xE0DD, 0)
        return head + self.pack("I", 0xFFFFFFFF) + self.pack("HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + ends

    def sentinel(self, vr: str, watched: bool = True) -> bytes:
        """A value that is unique in its bytes where the VR has room for that."""
        n = self.count = self.count + 1
        if vr in BINARY:
            return self.pack(BINARY[vr], 42)
        day = datetime.date(1931, 1, 1) + datetime.timedelta(days=n)
        special = {
            "DA": f"{day:%Y%m%d}",
            "DT": f"{day:%Y%m%d}010203.{n:06d}",
            "TM": f"010203.{n:06d}",
            "UI": f"1.2.999.{n}.1",
            "AS": "077Y",
            "DS": f"98765.{n:05d}",
            "IS": f"9876{n:05d}",
        }
        value = special.get(vr, f"{MARK}{n:06d}QZ").encode()
        if watched and vr not in PASSED:
            self.needles.add(value)
        return value


def table() -> Iterator[tuple[int, str, str]]:
    """(tag, VR, code) of every row; a repeating group as two of its groups."""
    for mask, _, code in rows():
        tags = (
            [mask] if "x" not in mask else [mask.replace("xxxxxx", n + "0010").replace("xx", n) for n in ("00", "1e")]
        )
        for text in tags:
            tag = int(text, 16)
            yield tag, dictionary_VR(tag).split(" or ")[0] if dictionary_has_tag(tag) else "LO", code


def level(writer: Writer, inner: bytes, carrier: int, tame: bool = False) -> bytes:
    """A data set with every row of the table, private elements, hidden sequences, and `inner` in a kept sequence.

    `tame`: as a well-behaved writer has it, every VR the dictionary's, nothing hidden, lengths defined.
    """
    elements: list[tuple[int, bytes]] = []
    for tag, known, code in table():
        vr = (
            known
            if tame or writer.rng.random() < 0.8 or known in ("SQ", *BINARY, "AS")
            else writer.rng.choice(("LO", "UN"))
        )
        # times stay as they are where the code is not X, and so do those that claim to be text
        watched = known != "TM" or code == "X"
        if known == "SQ":
            uid_element = writer.element(0x00081155, "UI", writer.sentinel("UI"))
            text = b"" if code == "X/Z/U*" else writer.element(0x00080104, "LO", writer.sentinel("LO"))
            data = writer.element(tag, "SQ", writer.items(text + uid_element))
        else:
            data = writer.element(tag, vr, writer.sentinel(known, watched))
        elements.append((tag, data))
    elements += [] if tame else hidden(writer)
    elements.append((carrier, carried(writer, carrier, inner, tame)))
    return b"".join(data for _, data in sorted(elements, key=lambda pair: pair[0]))


def carried(writer: Writer, carrier: int, inner: bytes, tame: bool) -> bytes:
    return writer.element(carrier, "SQ", writer.items(inner)) if tame else writer.undefined(carrier, inner)


def hidden(writer: Writer) -> list[tuple[int, bytes]]:
    """Private elements, sequences in UN (implicit little endian, PS3.5 6.2.2), unknown tags, an icon, one tag twice."""
    plain = Writer(uid.ImplicitVRLittleEndian, writer.rng, writer.needles, writer.count)
    name = plain.element(0x00100010, "PN", plain.sentinel("PN"))
    sequence = plain.items(name + plain.element(0x00081155, "UI", plain.sentinel("UI")))
    writer.count = plain.count
    icon = writer.items(writer.element(0x7FE00010, "OB", writer.sentinel("OB")))
    person = writer.items(writer.element(0x00100010, "PN", writer.sentinel("PN")))
    return [
        (0x00090010, writer.element(0x00090010, "LO", writer.sentinel("LO"))),
        (0x00091001, writer.element(0x00091001, "SQ", person)),
        (0x00091002, writer.element(0x00091002, "UN", sequence)),
        (0x00081199, writer.element(0x00081199, "UN", sequence)),
        (0x00087777, writer.element(0x00087777, "UN", sequence)),
        (0x00080005, writer.element(0x00080005, "CS", b"ISO 2022 IR 87")),
        (0x00880200, writer.element(0x00880200, "SQ", icon)),
        (0x00081150, writer.element(0x00081150, "UI", writer.sentinel("UI"))),
        (0x00081150, writer.element(0x00081150, "UI", writer.sentinel("UI"))),
        (0x00104000, writer.element(0x00104000, "LT", writer.sentinel("LT"))),
    ]  # fmt: skip


def planted_file(syntax: str, seed: int, tame: bool = False) -> tuple[bytes, set[bytes]]:
    """The file and the bytes that must not come out of it; `tame` as `level`."""
    writer = Writer(syntax, random.Random(seed))
    inner = b""
    for depth in range(max(DEPTHS), -1, -1):
        carrier = CARRIERS[depth % 2]
        planted = depth in DEPTHS
        inner = level(writer, inner, carrier, tame) if planted else carried(writer, carrier, inner, tame)
    body = inner + b"ZQTRAILINGQZ"
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-15)
        body = packer.compress(inner) + packer.flush() + b"ZQTRAILINGQZ"
    meta = Writer(uid.ExplicitVRLittleEndian, writer.rng, writer.needles, writer.count)
    parts = [
        meta.element(0x00020001, "OB", b"\0\1"),
        meta.element(0x00020002, "UI", uid.CTImageStorage.encode()),
        meta.element(0x00020003, "UI", meta.sentinel("UI")),
        meta.element(0x00020010, "UI", syntax.encode()),
        meta.element(0x00020013, "SH", meta.sentinel("SH")),
        meta.element(0x00020016, "AE", meta.sentinel("AE")),
        meta.element(0x00020100, "UI", meta.sentinel("UI")),
        meta.element(0x00020102, "OB", meta.sentinel("OB")),
    ]
    group = b"".join(parts)
    head = meta.element(0x00020000, "UL", meta.pack("I", len(group)))
    needles = writer.needles | {b"ZQTRAILINGQZ", b"ZQPREAMBLEQZ"}
    return b"ZQPREAMBLEQZ".ljust(128, b"\0") + b"DICM" + head + group + body, needles
