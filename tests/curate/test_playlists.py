"""A video file reaches nobody: playlists, concatenations and addresses in files are refused, and no one connects."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from curate.video import canonical_clip, probe
from curate.video.container import opened
from curate.video.encode import ffmpeg_binary
from manifests.errors import RecordError

av = pytest.importorskip("av")


@dataclass
class Listener:
    """Whoever connects is remembered and sent away."""

    server: socket.socket
    met: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.getsockname()[1]}"

    def listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                with connection:
                    connection.settimeout(0.5)
                    with contextlib.suppress(OSError):
                        self.met.append(connection.recv(200).decode("latin-1"))


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener(socket.create_server(("127.0.0.1", 0)))
    threading.Thread(target=made.listen, daemon=True).start()
    yield made
    made.server.shutdown(socket.SHUT_RDWR)
    made.server.close()


def hls(address: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5.0,\nhttp://{address}/a.ts\n#EXT-X-ENDLIST\n"


PLAYLISTS: dict[str, Callable[[str], str]] = {
    "hls": hls,
    "hls with a key": lambda a: (
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n"
        f'#EXT-X-KEY:METHOD=AES-128,URI="http://{a}/key"\n#EXTINF:5.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n'
    ),
    "concat": lambda a: f"ffconcat version 1.0\nfile http://{a}/a.mp4\n",
    "dash": lambda a: (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
        f'bandwidth="1"><BaseURL>http://{a}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>'
    ),
    "sdp": lambda a: f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {a[-5:]} RTP/AVP 96\n",
    "asx": lambda a: f'<asx version="3.0"><entry><ref href="http://{a}/a.mp4"/></entry></asx>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.m3u8", "clip.avi"])
def test_a_playlist_under_any_name_is_refused_before_anything_is_opened(
    tmp_path: Path, listener: Listener, kind: str, name: str
) -> None:
    file = tmp_path / name
    file.write_text(PLAYLISTS[kind](listener.address))
    readers: tuple[Callable[[Path], object], ...] = (probe, lambda path: canonical_clip(path, tmp_path / "out.mp4"))
    for read in readers:
        with pytest.raises(RecordError) as caught:
            read(file)
        assert caught.value.reason == "video_format"
        assert listener.address not in str(caught.value)
    assert listener.met == []


def test_the_listener_would_be_met_were_the_protocols_open(tmp_path: Path, listener: Listener) -> None:
    file = tmp_path / "clip.m3u8"
    file.write_text(hls(listener.address))
    options = {"protocol_whitelist": "file,http,tcp"}
    with pytest.raises(av.FFmpegError), av.open(str(file), options=options):
        pass
    assert any("GET /a.ts" in said for said in listener.met)


def test_the_open_protocols_alone_keep_a_playlist_from_the_network(tmp_path: Path, listener: Listener) -> None:
    """Were a playlist taken for a video, its demuxer could still open files alone."""
    file = tmp_path / "clip.m3u8"
    file.write_text(hls(listener.address))
    options = {"protocol_whitelist": "file,pipe"}
    with pytest.raises(av.FFmpegError), av.open(f"file:{file}", format="hls", options=options):
        pass
    assert listener.met == []


def test_a_name_that_is_an_address_is_a_file_s_name(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (f"http://{listener.address}/a.mp4", f"tcp://{listener.address}", "concat:a.mp4|b.mp4", "subfile:,x"):
        with pytest.raises(RecordError), opened(Path(name)):
            pass
    odd = tmp_path / "concat:a|b.mp4"
    odd.write_text(hls(listener.address))
    with pytest.raises(RecordError):
        probe(odd)
    assert listener.met == []


def test_every_call_of_ffmpeg_names_the_format_and_opens_files_alone(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands are caught as they start: each input stands behind a whitelist and a format of its own."""
    commands: list[list[str]] = []
    run = subprocess.run

    def watched(command: list[str], **more: object) -> subprocess.CompletedProcess[bytes]:
        commands.append([str(part) for part in command])
        return run(command, **more)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(subprocess, "run", watched)
    source = tmp_path / "a.gif"
    with av.open(str(source), "w", format="gif") as made:
        stream = made.add_stream("gif", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "rgb8"
        for n in range(6):
            frame = av.VideoFrame(64, 64, "rgb24")
            for plane in frame.planes:
                plane.update(bytes([40 * n]) * plane.buffer_size)
            for packet in stream.encode(frame.reformat(format="rgb8")):
                made.mux(packet)
        made.mux(stream.encode())
    canonical_clip(source, tmp_path / "out.mp4")
    reading = [c for c in commands if "-i" in c]
    assert reading
    for command in reading:
        at = command.index("-i")
        assert command[command.index("-protocol_whitelist", 0, at) + 1] == "file,pipe"
        assert "-f" in command[:at]
        assert command[at + 1].startswith(("file:", "pipe:"))
    assert shutil.which(ffmpeg_binary())
    assert listener.met == []
