"""What FFmpeg does not tell of coded pictures, read from their first bytes: is it a true start, do others need it.

Covered: H.264 (ITU-T H.264 7.3.1, 7.3.3), HEVC (ITU-T H.265 7.3.1.2, hvcC of ISO/IEC 14496-15), VP9 (its bitstream
specification, 6.2). Not covered: AV1, whose containers' marks are believed.
"""

from __future__ import annotations

from collections.abc import Iterator

HVCC_LAYERS = 21  # the byte of hvcC with numTemporalLayers and the length of lengths
IDR = 5  # H.264 NAL unit types
SLICE = 1
I_SLICES = (2, 7)
IRAP = range(16, 24)  # HEVC NAL unit types: BLA, IDR, CRA


def hvcc_is_plain(extradata: bytes) -> bool:
    """Whether HEVC parameter sets (hvcC, ISO/IEC 14496-15) hold no SEI: FFmpeg's filter does not reach those."""
    position = 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        if position + 3 > len(extradata) or extradata[position] & 63 in (39, 40):
            return False
        units = int.from_bytes(extradata[position + 1 : position + 3])
        position += 3
        for _ in range(units):
            position += 2 + int.from_bytes(extradata[position : position + 2])
    return position <= len(extradata)


def starts_anew(codec: str, extradata: bytes, packet: bytes) -> bool:
    """Whether decoding can start at a packet that its container marks as a keyframe.

    H.264: an IDR picture, or one of I slices alone, as an open group starts with (a start of periodic intra refresh
    consists of P slices: what follows it is not whole for a while). HEVC: an IRAP picture. VP9: a key frame. Other
    codecs: True. A packet that cannot be parsed is no start.
    """
    if codec == "h264":
        slices = [unit for unit in _units(_length_size(codec, extradata), packet) if unit[0] & 31 in (IDR, SLICE)]
        return bool(slices) and all(unit[0] & 31 == IDR or _slice_type(unit[1:16]) in I_SLICES for unit in slices)
    if codec == "hevc":
        types = [unit[0] >> 1 & 63 for unit in _units(_length_size(codec, extradata), packet)]
        return any(kind in IRAP for kind in types) and not any(kind < IRAP.start for kind in types)
    if codec == "vp9":
        return _vp9_key(packet[0]) if packet else False
    return True


def droppable(codec: str, extradata: bytes) -> bool:
    """Whether pictures that call themselves unreferenced may be left out without changing any other.

    H.264: nal_ref_idc 0 says so of any picture. HEVC says it of pictures of the same temporal layer only, so the stream
    must have one layer, by hvcC. All other codecs: no.
    """
    if codec == "hevc":
        return len(extradata) > HVCC_LAYERS and extradata[0] == 1 and extradata[HVCC_LAYERS] >> 3 & 7 == 1
    return codec == "h264"


def _length_size(codec: str, extradata: bytes) -> int:
    """Bytes of a NAL unit's length by avcC or hvcC; 0 for start codes (Annex B)."""
    if extradata[:1] != b"\x01":
        return 0
    at = 4 if codec == "h264" else HVCC_LAYERS
    return (extradata[at] & 3) + 1 if len(extradata) > at else 4


def _units(length_size: int, packet: bytes) -> Iterator[bytes]:
    """The NAL units of a packet that are not empty."""
    if length_size == 0:
        yield from (unit for unit in packet.split(b"\x00\x00\x01")[1:] if unit)
        return
    position = 0
    while position + length_size < len(packet):
        size = int.from_bytes(packet[position : position + length_size])
        position += length_size
        if size:
            yield packet[position : position + size]
        position += size


def _slice_type(header: bytes) -> int:
    """slice_type: the second unsigned Exp-Golomb number of a slice header."""
    bits = "".join(f"{byte:08b}" for byte in header)
    position, value = 0, -1
    for _ in range(2):  # first_mb_in_slice, slice_type
        one = bits.find("1", position)
        if one < 0:
            return -1
        end = one + (one - position) + 1
        value = int(bits[one:end], 2) - 1
        position = end
    return value


def _vp9_key(first: int) -> bool:
    """frame_marker 2, no show_existing_frame, frame_type 0; of a superframe the first frame counts."""
    profile = (first >> 5 & 1) | (first >> 4 & 1) << 1
    shift = 2 if profile == 3 else 3  # profile 3 has one reserved bit more
    return first >> 6 == 2 and first >> shift & 1 == 0 and first >> (shift - 1) & 1 == 0
