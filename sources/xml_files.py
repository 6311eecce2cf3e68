"""XML from strangers: parsed whole, with nothing in it that could swell or point elsewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import xml.parsers.expat as expat
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from manifests.errors import RecordError

CHUNK_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_ELEMENT_BYTES = 32 << 20
REMEDY = "fetch the file again"


def parsed_xml(data: bytes) -> ET.Element:
    """The root element. A document type without entities is read over, as articles and archives carry one.

    Raises `RecordError` `bad_xml` and `xml_entities`."""
    try:
        _check_declarations(data)
        return ET.fromstring(data)  # noqa: S314 - what can swell or point elsewhere was refused above
    except (ET.ParseError, expat.ExpatError) as error:
        line = getattr(error, "lineno", 0) or getattr(error, "position", (0,))[0]
        raise RecordError("bad_xml", f"XML that breaks at line {line}", REMEDY) from None


def _check_declarations(data: bytes) -> None:
    """Refuse entity declarations, wherever they stand and in whatever encoding (entities that swell, CVE-2003-1564, or
    name files and addresses), and nesting beyond `MAX_DEPTH`; nothing external is ever opened."""
    parser = expat.ParserCreate()
    depth = 0

    def opens(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise RecordError("bad_xml", f"elements nested more than {MAX_DEPTH} deep", REMEDY)

    def closes(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser.EntityDeclHandler = _refused_entity
    parser.StartElementHandler, parser.EndElementHandler = opens, closes
    parser.Parse(data, True)


def elements(stream: BinaryIO, tag: str, first: int = 0, length: int | None = None) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of each `<tag>...</tag>` of a large UTF-8 file, one in memory at a time; `first` and `length` are
    the run of bytes to look in, which begins and ends between two of them; `tag` may be several names, parted by `|`.
    An element inside one of its own name is not foreseen. Each is a document without a document type, so that nothing
    in it can swell or point elsewhere, and is to be given to `parsed_xml`. `first` of a compressed stream is reached by
    reading.

    Raises `RecordError` `bad_xml`, and `xml_entities` for what stands before the first one."""
    opening, longest = re.compile(rb"<(" + tag.encode() + rb")(?=[\s/>])"), len(tag) + 3
    stream.seek(first)
    data, base, left, begun = b"", first, length, first > 0
    while chunk := stream.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
        data += chunk
        left = None if left is None else left - len(chunk)
        at = 0
        while found := opening.search(data, at):
            if not begun:
                _check_prolog(data[: found.start()])
            closing = b"</" + found[1] + b">"
            end = data.find(closing, found.end())
            at, begun = found.start(), True
            if end < 0:
                break
            yield base + at, data[at : end + len(closing)]
            at = end + len(closing)
        else:
            at = max(at, len(data) - longest) if begun else 0
        data, base = data[at:], base + at
        if len(data) > MAX_ELEMENT_BYTES:
            raise RecordError("bad_xml", f"more than {MAX_ELEMENT_BYTES} bytes without an end of <{tag}>", REMEDY)
    if not begun or opening.search(data):
        raise RecordError("bad_xml", f"no <{tag}>, or one that does not end", REMEDY)


def _check_prolog(prolog: bytes) -> None:
    """What stands before the elements declares no entity, and no encoding but UTF-8 or ASCII."""
    if b"<!ENTITY" in prolog:
        raise RecordError("xml_entities", "entity declarations", "use the file as published, which declares none")
    told = re.search(rb"encoding\s*=\s*[\"']([^\"']+)", prolog)
    if told and told[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        raise RecordError("bad_xml", "another encoding than UTF-8", REMEDY)


def each(chunks: Iterable[bytes], tags: frozenset[str]) -> Iterator[ET.Element]:
    """Each element of these names of a document of any size and encoding, one in memory at a time (one inside another
    only as a part of it). Names of elements and attributes are told without their namespaces.

    Raises `RecordError` `bad_xml`, and `xml_entities` for entity declarations."""
    parser, found = expat.ParserCreate(namespace_separator="}"), _Found(tags)
    parser.EntityDeclHandler = _refused_entity
    parser.StartElementHandler, parser.EndElementHandler = found.opens, found.closes
    parser.CharacterDataHandler = found.says
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
            yield from found.taken()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise RecordError("bad_xml", f"XML that breaks at line {error.lineno}", REMEDY) from None


def _refused_entity(*_: object) -> None:
    raise RecordError("xml_entities", "entity declarations", "use the file as published, which declares none")


class _Found:
    """What `each` hears from its parser."""

    def __init__(self, tags: frozenset[str]) -> None:
        self._tags, self._builder = tags, ET.TreeBuilder()
        self._whole: list[ET.Element] = []
        self._depth = self._inside = self._size = 0

    def opens(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        local = name.rpartition("}")[2]
        if self._inside or local in self._tags:
            self._inside += 1
            self._grow(sum(map(len, attributes.values())) + len(local))
            self._builder.start(local, {key.rpartition("}")[2]: value for key, value in attributes.items()})
        if self._depth > MAX_DEPTH:
            raise RecordError("bad_xml", f"elements nested more than {MAX_DEPTH} deep", REMEDY)

    def closes(self, name: str) -> None:
        self._depth -= 1
        if self._inside:
            self._inside -= 1
            self._builder.end(name.rpartition("}")[2])
            if not self._inside:
                self._whole.append(self._builder.close())
                self._builder, self._size = ET.TreeBuilder(), 0

    def says(self, text: str) -> None:
        if self._inside:
            self._grow(len(text))
            self._builder.data(text)

    def taken(self) -> Iterator[ET.Element]:
        whole, self._whole = self._whole, []
        yield from whole

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_ELEMENT_BYTES:
            raise RecordError("bad_xml", f"an element of more than {MAX_ELEMENT_BYTES} characters", REMEDY)


def words_of(element: ET.Element | None, leave: frozenset[str] = frozenset()) -> str:
    """All text of an element in reading order, blanks as one; the elements of the names in `leave` are passed over."""
    return "" if element is None else " ".join("".join(_texts(element, leave)).split())


def _texts(element: ET.Element, leave: frozenset[str]) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag not in leave:
            yield from _texts(child, leave)
        yield child.tail or ""
