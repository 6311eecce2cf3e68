"""What a proof may look at, made from members' bytes: the same for samples being written and for finished shards."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array, decode_npy_gz, decode_picture
from manifests.errors import VerificationError
from manifests.record import Fact, Media, mask_address
from synth.proofs import MediaView
from synth.shapes import Part, label_parts


def view_of(
    media: Sequence[Media], read: Callable[[str], bytes], facts: Sequence[Fact], words: tuple[str, str, str]
) -> MediaView:
    """A view over members. Masks of one label map appear as members of their own, of 0 and 1 (`mask_address`); each
    member is decoded once. `words` are the source's text, question and answer."""

    @functools.cache
    def decoded(member: str) -> Array:
        data = read(member)
        if member.endswith(".npy.gz"):
            return decode_npy_gz(data)
        if member in ("png", "jpg"):
            return decode_picture(data)
        raise VerificationError(f"member '{member}' is not an array; no proof looks into it")

    def load(address: str) -> Array:
        member, _, value = address.partition("#")
        if not value:
            return decoded(member)
        mask: NDArray[np.uint8] = (decoded(member) == int(value)).astype(np.uint8)
        return mask

    @functools.cache
    def parts(member: str) -> dict[int, Part]:
        return label_parts(decoded(member), (m.value for m in media if m.kind == "mask" and m.member == member))

    def crop(address: str) -> Part | None:
        member, _, value = address.partition("#")
        return parts(member).get(int(value))

    shown = tuple(dataclasses.replace(m, member=mask_address(m)) if m.kind == "mask" else m for m in media)
    return MediaView(
        media=shown, load=load, facts=tuple(facts), text=words[0], question=words[1], answer=words[2], crop=crop
    )
