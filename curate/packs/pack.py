"""The pack file of a benchmark: salted hashes of its items, and nothing else of them.

An uncompressed tar (POSIX ustar, fixed times and owners) of `pack.json` and one `NAME.npy` per array, in the order of
`ARRAYS`; equal items, salt and version make equal bytes. `digest` covers all of it but itself.

**What it protects from, and what not.** No word of an item stands in it, and a pack can be published beside a recipe
without publishing a test set. The salt stands in the file, because whoever checks needs it: it keeps hashes from being
looked up in tables made for another pack, but a guess can be tested. So single words are never hashed; pairs of words
are kept as 24 bits of their hash and runs of four as 32, for which a guesser finds many false ones; and item ids, which
upstreams publish, are hashed as all else. Perceptual hashes are not salted, because near ones are searched for: whoever
has the picture can tell that it is in the benchmark, and 128 bits give back no more than a blur of 12 x 12. It is no
encryption.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.looks.rows import PICTURE
from curate.packs.naming import salted64
from manifests.errors import RecordError
from manifests.record import canonical_json, digest

FORMAT = "medcurate-benchmark-pack"
VERSION = 2
MAX_BYTES = 4 << 30
DAMAGE = (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
PARTS = ("question", "item", "context", "answer", "explanation")  # item: question and options
SIZES = (2, 4, 8, 13)  # tokens of a run; pairs are of tokens that say something, whatever stands between them
BITS = {2: 24, 4: 32, 8: 64, 13: 64}  # of a run's hash that are kept
U8 = NDArray[np.uint8]
U4 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

# name -> (dtype, dimensions); the order is the file's
ARRAYS: dict[str, tuple[str, int]] = {
    "items": ("<u8", 1),  # salted item ids
    "unit_item": ("<i4", 1),  # a unit is one distinct text of the benchmark: whose it is first
    "unit_part": ("|u1", 1),  # index into PARTS
    "unit_tokens": ("<i4", 1),
    "unit_runs": ("<i4", 2),  # how many rare runs of each of SIZES it has; 0: not searched by these
    "whole_hash": ("<u8", 1),  # sorted: texts as they are published
    "whole_unit": ("<i4", 1),
    "form_hash": ("<u8", 1),  # sorted: comparison forms
    "form_unit": ("<i4", 1),
    "run2_hash": ("<u4", 1),  # sorted, distinct; the upper bits of the salted hash
    "run2_first": ("<i4", 1),  # where each hash's units begin
    "run2_unit": ("<i4", 1),
    "run4_hash": ("<u4", 1),
    "run4_first": ("<i4", 1),
    "run4_unit": ("<i4", 1),
    "run8_hash": ("<u8", 1),
    "run8_first": ("<i4", 1),
    "run8_unit": ("<i4", 1),
    "run13_hash": ("<u8", 1),
    "run13_first": ("<i4", 1),
    "run13_unit": ("<i4", 1),
    "bag_anchor": ("<u8", 1),  # sorted: the salted hash of a question's first three tokens
    "bag_sum": ("<u8", 1),  # sum of the salted hashes of all tokens of question and options, modulo 2**64
    "bag_tokens": ("<i4", 1),
    "bag_unit": ("<i4", 1),
    "sign": ("<u4", 2),  # MinHash signatures of units
    "sign_unit": ("<i4", 1),
    "media_hash": ("|u1", 2),  # (n, 32) salted SHA-256
    "media_kind": ("|u1", 1),  # index into `naming.MEDIA`
    "media_item": ("<i4", 1),
    "looks_item": ("<i4", 1),  # the first item that shows it; pictures come first, then slices and frames
    "looks_axis": ("|u1", 1),  # these as `curate.looks.rows.LOOK` has them
    "looks_view": ("|u1", 1),
    "looks_window": ("|u1", 1),
    "looks_index": ("<u4", 1),
    "looks_hash": ("<u8", 2),
    "looks_doubtful": ("<u8", 2),  # of the pictures alone
    "id_hash": ("|u1", 2),
    "id_kind": ("|u1", 1),  # index into `naming.IDS`
    "id_item": ("<i4", 1),
}


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """What is known of one benchmark. `counts` tells how many items there are and how they can be checked:

    items, with_text, by_text (found by what they ask or give to read), by_edited_text (also with a fifth of its words
    changed), by_media, by_looks, by_id, unchecked. An answer or explanation is searched for too, and counts for none of
    these.
    """

    name: str
    split: str
    source: str
    licence: str
    salt: bytes
    counts: dict[str, int]
    arrays: dict[str, NDArray[Any]]
    looks: str = ""  # the mark of the code that made the perceptual hashes (`curate.packs.looks.mark`)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    @property
    def digest(self) -> str:
        return digest(_described(self))


def _described(pack: Pack) -> dict[str, Any]:
    plain = {f.name: getattr(pack, f.name) for f in fields(pack) if f.name not in ("salt", "arrays")}
    shapes = {
        name: {"shape": list(pack[name].shape), "sha256": hashlib.sha256(_npy(pack[name])).hexdigest()}
        for name in ARRAYS
    }
    return {"format": FORMAT, "version": VERSION, **plain, "salt": pack.salt.hex(), "arrays": shapes}


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def to_bytes(pack: Pack) -> bytes:
    """The file's bytes."""
    head = {**_described(pack), "digest": pack.digest}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, "pack.json", (canonical_json(head) + "\n").encode())
        for name in ARRAYS:
            _add(tar, f"{name}.npy", _npy(pack[name]))
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))


def write(pack: Pack, path: Path) -> str:
    """Write the file at once or not at all; its digest."""
    from curate.store import write_atomic

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, to_bytes(pack))
    return pack.digest


def load(path: Path) -> Pack:
    """A pack from its file. Raises `RecordError("bad_pack")` for one that is absent, damaged, of another version or no
    pack: nothing in it is trusted before its digests hold."""
    import json

    try:
        if path.stat().st_size > MAX_BYTES:
            raise _bad(path, f"more than {MAX_BYTES} bytes")
        with tarfile.open(path, mode="r:") as tar:
            head = json.loads(_member(tar, "pack.json", path))
            _check_head(head, path)
            arrays = {name: _array(tar, name, head["arrays"][name], path) for name in ARRAYS}
        pack = Pack(
            name=str(head["name"]),
            split=str(head["split"]),
            source=str(head["source"]),
            licence=str(head["licence"]),
            salt=bytes.fromhex(head["salt"]),
            counts={str(k): int(v) for k, v in head["counts"].items()},
            arrays=arrays,
            looks=str(head["looks"]),
        )
    except DAMAGE as error:
        raise _bad(path, type(error).__name__) from error
    if pack.digest != head.get("digest"):
        raise _bad(path, "a digest that does not hold")
    _check_links(pack, path)
    return pack


def _check_head(head: Any, path: Path) -> None:
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _bad(path, "a file that is no pack")
    if head.get("version") != VERSION:
        found = head.get("version")
        raise _bad(path, f"version {found if isinstance(found, int) else '?'}, this program reads {VERSION}")


def _member(tar: tarfile.TarFile, name: str, path: Path) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise _bad(path, f"no {name}")
    return stream.read()


def _array(tar: tarfile.TarFile, name: str, said: Any, path: Path) -> NDArray[Any]:
    data = _member(tar, f"{name}.npy", path)
    if hashlib.sha256(data).hexdigest() != said["sha256"]:
        raise _bad(path, f"{name}.npy with another digest")
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    dtype, dimensions = ARRAYS[name]
    if array.dtype.str != dtype or array.ndim != dimensions:
        raise _bad(path, f"{name}.npy of {array.dtype} with {array.ndim} axes")
    return array


LINKS = {
    "items": ("unit_item", "media_item", "looks_item", "id_item"),
    "unit_item": (
        "whole_unit",
        "form_unit",
        "run2_unit",
        "run4_unit",
        "run8_unit",
        "run13_unit",
        "bag_unit",
        "sign_unit",
    ),
}


def _check_links(pack: Pack, path: Path) -> None:
    """Indices lie where they point to, so that the compiled search need not look."""
    for target, names in LINKS.items():
        for name in names:
            index = pack[name]
            if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(pack[target]):
                raise _bad(path, f"{name} that points nowhere")
    for n in SIZES:
        first, size = pack[f"run{n}_first"], len(pack[f"run{n}_unit"])
        rises = len(first) == len(pack[f"run{n}_hash"]) + 1 and bool((np.diff(first) >= 0).all())
        if not rises or int(first[0]) != 0 or int(first[-1]) != size:
            raise _bad(path, f"run{n}_first that points nowhere")
    pairs = (("whole_hash", "whole_unit"), ("form_hash", "form_unit"), ("sign", "sign_unit"), ("id_hash", "id_kind"))
    more = (("media_hash", "media_kind"), ("media_hash", "media_item"), ("id_hash", "id_item"))
    bags = tuple(("bag_anchor", name) for name in ("bag_sum", "bag_tokens", "bag_unit"))
    units = tuple(("unit_item", name) for name in ("unit_part", "unit_tokens", "unit_runs"))
    looks = tuple(("looks_item", f"looks_{name}") for name in ("axis", "view", "window", "index", "hash"))
    for one, other in (*pairs, *more, *bags, *units, *looks):
        if len(pack[one]) != len(pack[other]):
            raise _bad(path, f"{one} and {other} of different lengths")
    if pack["looks_hash"].shape[1] != 2 or pack["looks_doubtful"].shape[1] != 2:
        raise _bad(path, "looks of another width")
    pictures = pack["looks_axis"] == PICTURE
    if len(pack["looks_doubtful"]) != int(pictures.sum()) or pictures[int(pictures.sum()) :].any():
        raise _bad(path, "looks_doubtful and the pictures of different lengths")


def _bad(path: Path, found: str) -> RecordError:
    return RecordError("bad_pack", f"'{path.name}': {found}", "make it anew with `curate pack-benchmark`")


# ------------------------------------------------------------------------------------------------------------- salting
def seed_of(salt: bytes) -> int:
    """The salt as 64 bits, for hashes that are mixed, not digested."""
    return salted64(salt, "runs")


def mixed(hashes: U64, seed: int) -> U64:
    """The salted form of 64-bit hashes: the finaliser of SplitMix64 (Steele et al. 2014) over hash xor seed; a
    bijection for each seed."""
    x = hashes ^ np.uint64(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), np.uint64)
