"""What a proof may look at, made from members' bytes: the same for samples being written and for finished shards."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array, decode_npy_gz, decode_picture, is_picture
from curate.teacher_view import looker
from manifests.errors import VerificationError
from manifests.record import Asked, Fact, Media, mask_address
from synth.proofs import MediaView
from synth.shapes import Part, label_parts

KEPT = 3  # decoded members in a process, whatever number of views wait for a teacher


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """Where a view's members are read; compared by identity."""

    read: Callable[[str], bytes]


@functools.lru_cache(maxsize=KEPT)
def _decoded(source: _Source, member: str) -> Array:
    if member.endswith(".npy.gz"):
        return decode_npy_gz(source.read(member))
    if is_picture(member):
        return decode_picture(source.read(member))
    raise VerificationError(f"member '{member}' is not an array; no proof looks into it")


@functools.lru_cache(maxsize=KEPT)
def _parts(source: _Source, member: str, values: tuple[int, ...]) -> dict[int, Part]:
    return label_parts(_decoded(source, member), values)


def view_of(
    media: Sequence[Media],
    read: Callable[[str], bytes],
    facts: Sequence[Fact],
    text: str = "",
    asked: tuple[Asked, ...] = (),
) -> MediaView:
    """A view over members. Masks of one label map appear as members of their own, of 0 and 1 (`mask_address`); the
    members looked at last stay decoded. `text` and `asked` are the source's own words."""

    source = _Source(read)

    def load(address: str) -> Array:
        member, _, value = address.partition("#")
        if not value:
            return _decoded(source, member)
        mask: NDArray[np.uint8] = (_decoded(source, member) == int(value)).astype(np.uint8)
        return mask

    def crop(address: str) -> Part | None:
        member, _, value = address.partition("#")
        values = tuple(m.value for m in media if m.kind == "mask" and m.member == member)
        return _parts(source, member, values).get(int(value))

    shown = tuple(dataclasses.replace(m, member=mask_address(m)) if m.kind == "mask" else m for m in media)
    return MediaView(
        media=shown,
        load=load,
        facts=tuple(facts),
        text=text,
        asked=asked,
        crop=crop,
        look=looker(media, read),
    )
