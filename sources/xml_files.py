"""XML from strangers: parsed whole, with nothing in it that could swell or point elsewhere."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import xml.parsers.expat as expat

from manifests.errors import RecordError

MAX_DEPTH = 64
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

    def entity(*_: object) -> None:
        raise RecordError("xml_entities", "entity declarations", "use the file as published, which declares none")

    def opens(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise RecordError("bad_xml", f"elements nested more than {MAX_DEPTH} deep", REMEDY)

    def closes(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser.EntityDeclHandler = entity
    parser.StartElementHandler, parser.EndElementHandler = opens, closes
    parser.Parse(data, True)
