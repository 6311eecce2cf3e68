"""Video streams inside DICOM: MPEG-2, H.264 and HEVC transfer syntaxes, whose pixel data are one encoded stream.

PS3.5 8.2.5 to 8.2.8 and A.4.5 to A.4.9: the fragments of the one item sequence, put together, are a stream: elementary
(Annex B), transport or program stream, or MP4. Its frames are kept as they are coded; the clock is the header's, where
it states one for as many frames as there are (PS3.3 C.7.6.5), else the stream's own.

Not covered: stereo and multi-stream syntaxes; masking of ultrasound regions inside the stream, which needs decoding.
"""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, parse_basic_offsets

from curate.dicom.header import frame_times_s, transfer_syntax
from curate.guard import typed
from curate.video import VideoInfo, canonical_clip
from manifests.errors import RecordError

VIDEO_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (100, 101, 102, 103, 104, 105, 106, 107, 108))
REMEDY = "export the clip from the archive again, or as MP4"


def is_encapsulated_video(instance: Dataset) -> bool:
    """Whether an instance's transfer syntax is one of MPEG-2 (.100, .101), H.264 (.102 to
    .106) or HEVC (.107, .108)."""
    return str(transfer_syntax(instance)) in VIDEO_SYNTAXES


def encapsulated_video(instance: Dataset) -> bytes:
    """The stream of an instance that holds its pixels still encoded; the offset table is no part of it.

    Raises RecordError `bad_video_stream` where there are no fragments.
    """
    with typed("bad_video_stream", REMEDY):
        data = io.BytesIO(instance.PixelData)
        parse_basic_offsets(data)
        fragments = list(generate_fragments(data))
    stream = b"".join(fragments)
    if not stream:
        raise RecordError("bad_video_stream", f"{len(fragments)} fragments without a byte of video", REMEDY)
    return stream


def encapsulated_clip(instance: Dataset, out_path: Path) -> tuple[VideoInfo, tuple[float, ...]]:
    """The canonical MP4 of an instance's stream, and the true time of every frame in seconds from 0.

    Bare H.264 is encoded anew (it has no clock of its own); the rest goes the way of `canonical_clip`. Raises
    RecordError as that does, and `bad_video_stream`, also where NumberOfFrames is not what the stream shows.
    """
    stated = frame_times_s(instance)
    step = stated[1] - stated[0] if stated and len(stated) > 1 else 0.0
    rate = Fraction(1 / step).limit_denominator(1001) if 0.001 <= step <= 1000 else Fraction(25)
    with tempfile.TemporaryDirectory(dir=out_path.parent) as folder:
        stream = Path(folder) / "stream"
        stream.write_bytes(encapsulated_video(instance))
        info, times = canonical_clip(stream, out_path, raw_fps=rate)
    count = int(instance.get("NumberOfFrames") or 1)
    if abs(len(times) + info.lost_frames - count) > 1:
        out_path.unlink(missing_ok=True)
        found = f"{len(times)} frames, the header says {count}"
        raise RecordError("bad_video_stream", found, REMEDY)
    return info, stated if stated is not None and len(stated) == len(times) else times
