"""What 32 frames of a long H.264 file cost: exact frames, a full decode, and ffmpeg once per seek.

    python -m benchmarks.video_frames [--minutes 10] [--write]

The file is made first and not timed: 720p, 25 frames/s, moving test card with noise, libx264 with its default settings
but groups of 250 pictures (a minute is encoded, then joined by stream copy as often as needed). The 32 frames are the
middles of 32 equal segments. All ways run on one core, one thread each:

    curate.video.frames one container, one pass over the packets, then the groups that hold a wanted frame; RGB
    full decode         PyAV from first to last frame, the wanted ones to RGB
    ffmpeg per seek     `ffmpeg -ss T -i FILE -frames:v 1` 32 times, raw RGB to a pipe
    OpenCV              where it is installed: VideoCapture.set(CAP_PROP_POS_FRAMES) and read

The frames of the first two are compared, and equal. With `--hours`, the peak resident memory of `canonical_clip` and of
32 frames of a file of that length, in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import in_turns, machine, on_one_core, write

ROOT = Path(__file__).resolve().parents[1]
FRAMES = 32
RATE = 25
RUNS = 3
Pixels = NDArray[np.uint8]


def made_file(folder: Path, minutes: int) -> Path:
    """The H.264 file; one minute is encoded, the rest is the same again."""
    from curate.video import ffmpeg_binary

    binary, minute, whole = ffmpeg_binary(), folder / "minute.mp4", folder / "whole.mp4"
    card = f"testsrc2=size=1280x720:rate={RATE}:duration=60,noise=alls=4:allf=t"
    groups = ("-g", "250", "-keyint_min", "250", "-sc_threshold", "0", "-pix_fmt", "yuv420p")
    quiet = (binary, "-v", "error", "-nostdin", "-y")
    subprocess.run([*quiet, "-f", "lavfi", "-i", card, "-c:v", "libx264", *groups, str(minute)], check=True)
    (folder / "list").write_text("file minute.mp4\n" * minutes)
    subprocess.run([*quiet, "-f", "concat", "-i", str(folder / "list"), "-c", "copy", str(whole)], check=True)
    return whole


def wanted_of(minutes: int) -> tuple[list[float], list[int]]:
    from curate.video.frame_choice import uniform_frames

    times = [index / RATE for index in range(minutes * 60 * RATE)]
    return times, uniform_frames(times, FRAMES)


def exact(path: Path, times: list[float], wanted: list[int]) -> Pixels:
    from curate.video.frames import read_frames

    return read_frames(path, wanted, times)


def full(path: Path, wanted: list[int]) -> Pixels:
    import av

    from curate.video.frames import converter_of, pixels_of

    chosen, converter = set(wanted), converter_of()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
        decoded = enumerate(container.decode(stream))
        return np.stack([pixels_of(frame, converter) for index, frame in decoded if index in chosen])


def per_seek(path: Path, times: list[float], wanted: list[int]) -> list[bytes]:
    from curate.video import ffmpeg_binary

    quiet = [ffmpeg_binary(), "-v", "error", "-nostdin", "-threads", "1"]
    shown = ["-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
    commands = ([*quiet, "-ss", f"{times[index]:.6f}", "-i", str(path), *shown] for index in wanted)
    return [subprocess.run(command, check=True, capture_output=True).stdout for command in commands]


def opencv(path: Path, wanted: list[int]) -> list[Any]:
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(str(path))
    found = []
    for index in wanted:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        found.append(capture.read()[1])
    capture.release()
    return found


def compare(folder: Path, minutes: int, runs: int) -> str:
    """The Markdown table of one run."""
    path = made_file(folder, minutes)
    times, wanted = wanted_of(minutes)
    seen: dict[str, Pixels] = {}
    ways: dict[str, Callable[[], Any]] = {
        "curate.video.frames": lambda: seen.update(ours=exact(path, times, wanted)),
        "full decode (PyAV)": lambda: seen.update(full=full(path, wanted)),
        "ffmpeg started per seek": lambda: per_seek(path, times, wanted),
    }
    if importlib.util.find_spec("cv2"):
        ways["OpenCV seek and read"] = lambda: opencv(path, wanted)
    best = in_turns(ways, runs)
    if not np.array_equal(seen["ours"], seen["full"]):
        raise SystemExit("the frames differ from a full decode")
    own = best["curate.video.frames"]
    size = path.stat().st_size / 1e6
    lines = [
        f"{FRAMES} frames of {minutes} minutes of 1280 x 720 H.264 ({size:.0f} MB, groups of 250); best of {runs}.",
        "",
        "| | seconds | times as long |",
        "|---|---|---|",
        *(f"| {name} | {seconds:.2f} | {seconds / own:.2f} |" for name, seconds in best.items()),
    ]
    return "\n".join(lines)


def memory(path: Path, folder: Path) -> dict[str, float]:
    """Seconds, and the peak of this process in MiB, of a canonical clip and of 32 frames of it."""
    import resource

    from curate.video import canonical_clip
    from curate.video.frame_choice import uniform_frames
    from curate.video.frames import read_frames

    started = time.perf_counter()
    info, times = canonical_clip(path, folder / "canonical.mp4")
    made = time.perf_counter()
    read_frames(folder / "canonical.mp4", uniform_frames(times, FRAMES), times)
    done = time.perf_counter()
    own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    told = {"hours": info.duration_s / 3600, "canonical_s": made - started, "frames_s": done - made}
    return told | {"peak_mib": own, "ffmpeg_peak_mib": child}


def long_file(folder: Path, hours: int) -> str:
    path = made_file(folder, hours * 60)
    command = [sys.executable, "-m", "benchmarks.video_frames", "--one", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return (
        f"A file of {told['hours']:.1f} hours: canonical clip in {told['canonical_s']:.1f} s, {FRAMES} frames of it in "
        f"{told['frames_s']:.1f} s; peak resident memory {told['peak_mib']:.0f} MiB (the ffmpeg that copies: "
        f"{told['ffmpeg_peak_mib']:.0f} MiB)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10, help="length of the file")
    parser.add_argument("--runs", type=int, default=RUNS, help="each way so often; the best counts")
    parser.add_argument("--hours", type=int, default=0, help="length of the file for peak memory; 0: leave it out")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--one", type=Path, metavar="FILE", help="memory of one file in this process, as JSON")
    options = parser.parse_args()
    on_one_core()
    with tempfile.TemporaryDirectory() as folder:
        if options.one is not None:
            print(json.dumps(memory(options.one, Path(folder))))
            return
        text = compare(Path(folder), options.minutes, options.runs)
        if options.hours:
            (Path(folder) / "whole.mp4").unlink()
            text += "\n\n" + long_file(Path(folder), options.hours)
    text += "\n\n" + machine(("av", "imageio-ffmpeg", "numpy"))
    print(text)
    if options.write:
        write("video_frames", text)


if __name__ == "__main__":
    main()
