"""Seed inputs of the parsers of text: rows, tables, recipes, answers, and our own JSON."""

from __future__ import annotations

import io
import json
import re
import tarfile
from typing import Any


def jsonl() -> list[bytes]:
    lines = [
        {"id": n, "data": {"question": f"Is {n}?", "answer": "yes"}, "text": "Clear lungs.", "group": f"p{n}"}
        for n in range(4)
    ]
    return [
        "\n".join(json.dumps(line) for line in lines).encode(),
        b'\xef\xbb\xbf{"text": "caf\xc3\xa9"}\n\n{broken\n[1]\n',
    ]


def tables() -> list[bytes]:
    head = "video,text,label,start,end,patient\n"
    rows = 'a.mp4,Normal,no,0:00,0:02.5,p1\nb.mp4,"Two, lines",yes,1:01:02.250,1:01:03,p2\n'
    return [(head + rows).encode(), (head + rows).replace(",", ";").encode(), b"\xef\xbb\xbf" + (head + rows).encode()]


def xml() -> list[bytes]:
    text = (
        '<?xml version="1.0"?><ICD10CM.tabular><chapter><name>1</name><desc>Infections</desc><section id="A00-A09">'
        "<desc>Intestinal</desc><diag><name>A00</name><desc>Cholera</desc><excludes1><note>x</note></excludes1>"
        "<diag><name>A00.0</name><desc>Classical</desc></diag></diag></section></chapter></ICD10CM.tabular>"
    )
    return [text.encode()]


def recipes() -> list[bytes]:
    from curate.recipe import shipped

    small = "name: a\nsources:\n  - {source: dicom_tree, root: a, licence: MIT}\nrender: {volume: m3d_32x256x256}\n"
    # without licences, which take a hundred times as long to check as all the rest
    return [
        re.sub(rb"licence: [^,}\n]+", b"licence: unknown", text)
        for text in (small.encode(), *(p.read_bytes() for p in shipped().values()))
    ]


def messages() -> list[bytes]:
    from curate.sandbox.wire import HEAD

    def one(kind: bytes, value: Any) -> bytes:
        data = json.dumps(value).encode()
        return HEAD.pack(kind, len(data)) + data

    return [
        one(b"A", {"record": "{}", "files": [], "sketches": ["", "", "", "", ""]}) + one(b"E", None),
        one(b"B", ["a", "b", []]),
        one(b"X", "ValueError"),
    ]


def tars() -> list[bytes]:
    from curate.shard import MEMBER_MODE, OWNER

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (("a.json", b"{}"), ("a.png", b"\x89PNG"), ("b.json", b'{"key": "b"}')):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uname, info.gname = len(data), MEMBER_MODE, OWNER, OWNER
            archive.addfile(info, io.BytesIO(data))
    return [stream.getvalue()]


def answers() -> list[bytes]:
    """As `answers` reads them: kind, gold, NUL, response."""
    pairs = (
        (0, "12.5", "<think>x</think><answer>12.5 mm</answer>"),
        (0, "1402", "1,402 mL or 1.402e3 ml, not 5"),
        (1, "1.5,2.5", "1.5 and 2,5 cm"),
        (2, "pleural effusion|effusion", "The answer is Effusion."),
        (3, "yes", "Yes, it is."),
        (4, "B", "(B) liver"),
        (5, "45", "about 45 degrees"),
        (6, "1,2,30,40", "[1, 2, 30, 40]"),
        (6, "1,2,3,30,40,50", "[1, 2, 3, 30, 40, 50]"),
    )
    return [bytes([kind]) + gold.encode() + b"\0" + said.encode() for kind, gold, said in pairs]


def boxes() -> list[bytes]:
    texts = (
        "[12, 30, 50, 64]",
        "<ref>liver</ref><box>[[10, 20, 300, 400]]</box>",
        "[0.1, 0.2, 0.35, 0.9]",
        "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]",
    )
    calls = (
        "volume_ml(mask=liver)",
        'label(finding="a, b", of=x)',
        "extent_mm()",
        "slice 3 of 40, series 2 images 5-9",
        "SL 12/44",
    )
    return [text.encode() for text in (*texts, *calls)]


def landmarks() -> list[bytes]:
    markups = {
        "markups": [
            {
                "coordinateSystem": "LPS",
                "coordinateUnits": "mm",
                "controlPoints": [{"label": "a", "position": [1, 2, 3], "positionStatus": "defined"}],
            }
        ]
    }
    plain = {"coordinate_system": "RAS", "points": {"nasion": [1, 2, 3]}}
    table = "# CoordinateSystem = RAS\nname,x,y,z\nnasion,1,2,3\n"
    columns = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
    fcsv = f"# CoordinateSystem = LPS\n# columns = {columns}\n1,1,2,3,0,0,0,1,1,1,0,F-1,,\n"
    return [
        b"\0" + json.dumps(markups).encode(),
        b"\0" + json.dumps(plain).encode(),
        b"\1" + table.encode(),
        b"\2" + fcsv.encode(),
    ]


def documents() -> list[bytes]:
    """As `manifests_json` reads them: kind, JSON of a record, a manifest, an item, a message, a sample."""
    from curate.handover import item_values
    from manifests.record import Fact, FileRef, Media, Record, Step, to_json
    from sources.base import Item

    file = FileRef("a.dcm", "0" * 64, 4)
    media = Media(
        "volume.npy.gz",
        "volume",
        (2, 3, 4),
        "int16",
        "0" * 64,
        5,
        affine=((1.0, 0.0, 0.0, 0.0),) * 4,
        spacing_mm=(1.0, 1.0, 2.0),
        times_s=None,
    )
    record = Record(
        "0" * 32,
        "s",
        "s/a",
        "a",
        "0" * 64,
        "volume",
        "g",
        "MIT",
        "open",
        files=(file,),
        media=(media,),
        facts=(Fact("modality", "CT", "dicom:0008,0060"),),
        steps=(Step("read", "{}"),),
    )
    item = Item(upstream_id="a", form="picture", files=(file,))
    manifest = {
        "schema": "medcurate/2",
        "recipe": {},
        "fingerprint": "0",
        "key": "public",
        "counts": {"read": 0, "kept": 0, "dropped": {}, "duplicate": 0, "failed": {}},
        "stages": [],
        "shards": [],
        "ledger": [],
        "roots": {"shards": "", "ledger": ""},
        "teacher": {},
        "environment": {},
    }
    message = {"record": to_json(record), "files": [], "sketches": ["", "", "", "", ""]}
    texts = [to_json(record), json.dumps(manifest), json.dumps(item_values(item)), json.dumps(message)]
    return [bytes([kind]) + text.encode() for kind, text in enumerate(texts)]


def prompts() -> list[bytes]:
    from importlib.resources import files as inside

    folder = inside("synth") / "prompts"
    return [
        entry.read_bytes() for entry in sorted(folder.iterdir(), key=lambda e: e.name) if entry.name.endswith(".md")
    ]


def replies() -> list[bytes]:
    whole = {
        "choices": [{"message": {"content": '{"caption": "A CT of the chest."}'}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5},
    }
    return [
        json.dumps(whole).encode(),
        b'{"caption": "The scan shows a 12 mm nodule in the left lung."}',
        b'{"error": {"code": "x", "message": "y"}}',
    ]


def texts() -> list[bytes]:
    told = "Mr. John Smith, MRN 12345678, seen on 12/03/2019 by Dr. Miller (555-123-4567, a@b.org). Lungs clear."
    return [told.encode(), "Ａ１ ﬁ \u200b\u202e é <|im_end|>".encode()]
