"""Doctor: is this machine ready, what is missing, what each thing is needed for and how to mend it.

Nothing is installed or downloaded, and nothing started but one process as foreign bytes are parsed in: no Ray, no
model, no network. Decoders are tried on files that pydicom
carries, each against the same picture stored otherwise. A thing that is optional and absent is no failure
(`ok` stays True, with a `remedy`); a failure is what a default run cannot do without, or what is there and broken.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.code import library_version
from curate.keyring import KEY_VARIABLE
from manifests.errors import MedcurateError, RecordError
from manifests.redact import redacted
from synth.teacher import available
from synth.teacher_config import EmbeddedConfig, OpenAIConfig, TeacherConfig, VllmConfig

PYTHON = (3, 11)
INSTALL = "pip install medcurate"
MIN_DISK_BYTES = 5 * 10**9
MIN_MEMORY_BYTES = 2 * 10**9
MIN_OPEN_FILES = 1024
GPU_TIMEOUT_S = 1.0
FFMPEG_TIMEOUT_S = 2.0
UNLIMITED_BYTES = 1 << 60  # control groups write a number near 2**63 for no limit


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` is empty where nothing can or need be done."""

    name: str
    ok: bool
    found: str
    remedy: str
    needed_for: str


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution, the least version (release numbers) and what it is for; `extra` is where it is installed from."""

    name: str
    least: tuple[int, ...]
    needed_for: str
    extra: str = ""


PACKAGES = (
    Package("click", (8, 1), "the command line"),
    Package("datasketch", (2, 0), "near duplicates of text"),
    Package("duckdb", (1, 4), "queries and reports over the ledger"),
    Package("ffmpeg-python", (0, 2), "FFmpeg's filter graphs"),
    Package("imagehash", (4, 3), "near duplicates of images and frames"),
    Package("isal", (1, 9), "compressed volumes"),
    Package("jinja2", (3, 1), "prompts and the report"),
    Package("license-expression", (30, 4), "licences as SPDX expressions"),
    Package("nibabel", (5, 3), "NIfTI and orientation"),
    Package("numba", (0, 61), "DICOM in RLE"),
    Package("numpy", (2, 0), "arrays"),
    Package("pillow", (11,), "2D images"),
    Package("pint", (0, 24), "units"),
    Package("pyarrow", (20,), "the ledger"),
    Package("pydantic", (2, 10), "recipes and the manifest"),
    Package("pydicom", (3, 0, 2), "DICOM"),
    Package("pyjpegls", (1, 5), "DICOM in JPEG-LS"),
    Package("pylibjpeg", (2, 0), "DICOM in JPEG 2000"),
    Package("pylibjpeg-openjpeg", (2, 4), "DICOM in JPEG 2000"),
    Package("pyyaml", (6,), "recipes"),
    Package("ray", (2, 60, 0), "running on several workers"),
    Package("scipy", (1, 13), "resampling and measuring"),
    Package("simpleitk", (2, 4), "volumes, and DICOM in lossless JPEG"),
    Package("webdataset", (1, 0, 2), "shards"),
    Package("xxhash", (3, 5), "sketches"),
    Package("av", (18,), "reading video", "video"),
    Package("imageio-ffmpeg", (0, 6), "the ffmpeg program", "video"),
    Package("xllamacpp", (2026, 10), "the embedded teacher", "teacher"),
    Package("vllm", (0, 26), "a teacher on GPUs of this machine", "gpu"),
    Package("datasets", (4,), "reading shards with Hugging Face datasets", "readers"),
    Package("onnxruntime", (1, 30), "looking for text in pixels", "ocr"),
    Package("rapidocr", (3, 10), "its models of text in pixels", "ocr"),
)

# (what, pydicom's file, the same picture stored otherwise, the largest difference that the JPEG standard's freedom in
# rounding may leave)
CODECS = (
    ("JPEG", "SC_rgb_jpeg_dcmtk.dcm", "SC_ybr_full_422_uncompressed.dcm", 2),
    ("lossless JPEG", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm", 0),
    ("JPEG-LS", "MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm", 0),
    ("JPEG 2000", "MR_small_jp2klossless.dcm", "MR_small.dcm", 0),
    ("RLE", "MR_small_RLE.dcm", "MR_small.dcm", 0),
)


def examine(teacher_config: TeacherConfig | None = None) -> list[Finding]:
    """Everything that a run may need, in the order in which a user would mend it; under three seconds.

    `teacher_config` is a recipe's teacher; without one the default, embedded teacher is looked for, as optional.
    """
    return [
        python(),
        *(package(p) for p in PACKAGES),
        *codecs(),
        ffmpeg(),
        ray_engine(),
        teacher(teacher_config),
        gpu(),
        disk(),
        memory(),
        *sandbox(),
        temporary(),
        open_files(),
        key(),
    ]


def text(findings: list[Finding]) -> str:
    """One line per finding (`ok`, `--` optional and absent, `!!` to be mended), the remedy below it, a summary last."""
    width = max((len(f.name) for f in findings), default=0)
    lines = []
    for finding in findings:
        mark = "!!" if not finding.ok else "--" if finding.remedy else "ok"
        lines.append(f"{mark}  {finding.name:<{width}}  {finding.found}  ({finding.needed_for})")
        if finding.remedy:
            lines.append(f"    {'':<{width}}  -> {finding.remedy}")
    broken = sum(not f.ok for f in findings)
    missing = sum(f.ok and bool(f.remedy) for f in findings)
    state = "ready" if not broken else f"not ready: {broken} to mend"
    return redacted(
        "\n".join([*lines, f"{state}; {missing} optional thing{'' if missing == 1 else 's'} absent"]) + "\n"
    )


# --- Python and packages ---------------------------------------------------------------------------------------------


def python() -> Finding:
    ok = sys.version_info[:2] >= PYTHON
    wanted = ".".join(map(str, PYTHON))
    return Finding("Python", ok, platform.python_version(), "" if ok else f"install Python {wanted}", "everything")


def package(wanted: Package) -> Finding:
    """A package's version; one of an extra may be absent, but not too old."""
    version = library_version(wanted.name)
    install = f"pip install 'medcurate[{wanted.extra}]'" if wanted.extra else INSTALL
    if version == "absent":
        return Finding(wanted.name, bool(wanted.extra), "not installed", install, wanted.needed_for)
    if release(version) < wanted.least:
        least = ".".join(map(str, wanted.least))
        return Finding(wanted.name, False, f"{version}, at least {least} is needed", install, wanted.needed_for)
    return Finding(wanted.name, True, version, "", wanted.needed_for)


def release(version: str) -> tuple[int, ...]:
    """The leading release numbers of a version (PEP 440): `2.60.0rc1` is (2, 60, 0)."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


# --- codecs ----------------------------------------------------------------------------------------------------------


def codecs() -> Iterator[Finding]:
    """Each DICOM decoder on a packaged file, through the path that a run takes."""
    for name, file, plain, tolerance in CODECS:
        found, ok = _decoded(file, plain, tolerance)
        yield Finding(f"DICOM {name}", ok, found, "" if ok else INSTALL, f"DICOM files in {name}")


def _decoded(file: str, plain: str, tolerance: int) -> tuple[str, bool]:
    try:
        import numpy as np
        import pydicom
        from pydicom.data import get_testdata_file

        from curate.dicom.pixels import decode

        paths = [get_testdata_file(name, download=False) for name in (file, plain)]
        if not all(isinstance(path, str) for path in paths):
            return "pydicom's own test file is not there", False
        (coded, _), (stored, _) = (decode(pydicom.dcmread(str(path))) for path in paths)
        worst = int(np.abs(coded.astype(np.int64) - stored.astype(np.int64)).max())
    except ImportError as error:
        return f"{error.name} cannot be imported", False
    except RecordError as error:
        return f"not decoded: {error.reason}", False
    if worst > tolerance:
        return f"decoded wrongly: off by up to {worst}", False
    return "decodes exactly" if worst == 0 else f"decodes to within {worst} of 255", True


def ffmpeg() -> Finding:
    """Which ffmpeg would run, where it comes from, and whether it can do what is asked of it."""
    from curate.video import encoders_ok

    name, needed = "ffmpeg", "video; ffmpeg-python builds the filter graphs, this program runs them"
    install = "pip install 'medcurate[video]'"
    state = encoders_ok()
    binary = str(state["ffmpeg"])
    if not binary:
        return Finding(name, True, "no ffmpeg program, or no PyAV", install, needed)
    if not state["ok"]:
        found = f"{binary}: does not run" if not state["version"] else f"{binary}: no libx264 encoder"
        return Finding(name, False, found, install, needed)
    licence = "a GPL build" if _is_gpl(binary) else "an LGPL build"
    return Finding(name, True, f"{state['version']}, {licence}, {_origin(binary)}: {binary}", "", needed)


def _origin(binary: str) -> str:
    spec = importlib.util.find_spec("imageio_ffmpeg")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if any(Path(binary).is_relative_to(folder) for folder in folders):
        return "brought by the wheel of imageio-ffmpeg"
    return "named by IMAGEIO_FFMPEG_EXE" if os.environ.get("IMAGEIO_FFMPEG_EXE") == binary else "the system's"


def _is_gpl(binary: str) -> bool:
    try:
        done = subprocess.run(
            [binary, "-nostdin", "-version"], capture_output=True, check=False, timeout=FFMPEG_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return True  # libx264, which it has, is GPL
    return b"--enable-gpl" in done.stdout


# --- engines ---------------------------------------------------------------------------------------------------------


def ray_engine() -> Finding:
    """Whether Ray is there; importing it would take longer than all the rest."""
    there = importlib.util.find_spec("ray") is not None
    how = "started by a run on 127.0.0.1 without dashboard or usage statistics, and stopped with it"
    found = f"{library_version('ray')}, not started; {how}" if there else "not installed"
    return Finding("Ray", there, found, "" if there else INSTALL, "workers; `--workers 0` runs without it")


def teacher(config: TeacherConfig | None) -> Finding:
    """Whether the teacher of a recipe (then it is needed) or the default one (optional) can be opened."""
    wanted = config or EmbeddedConfig()
    missing = available(wanted)
    needed = "tasks that a teacher writes (narrate, cot); the others are programs"
    if missing:
        found, _, remedy = missing.partition("; ")
        return Finding(f"teacher {wanted.backend}", config is None, found, remedy, needed)
    found = "can be opened here"
    if isinstance(wanted, OpenAIConfig):
        found = f"{wanted.model} at {', '.join(one.base_url for one in wanted.served)}, not asked"
    elif isinstance(wanted, VllmConfig):
        found = f"vLLM is installed; {wanted.model} was not loaded"
    return Finding(f"teacher {wanted.backend}", True, found, "", needed)


def gpu() -> Finding:
    """NVIDIA GPUs by nvidia-smi, which may hang on a sick driver: it is given one second."""
    needed = "a vLLM teacher on this machine; everything else runs on CPUs"
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("GPU", True, "no nvidia-smi", "none needed without a vLLM teacher", needed)
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, check=False, timeout=GPU_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return Finding("GPU", True, "nvidia-smi does not answer", "check the driver", needed)
    lines = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    if done.returncode != 0 or not lines:
        return Finding("GPU", True, "nvidia-smi finds none", "check the driver", needed)
    return Finding("GPU", True, "; ".join(lines), "", needed)


# --- the machine -----------------------------------------------------------------------------------------------------


def disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    ok = free >= MIN_DISK_BYTES
    remedy = "" if ok else f"free {MIN_DISK_BYTES / 1e9:.0f} GB, or write elsewhere with --out and --work"
    return Finding("disk", ok, f"{free / 1e9:.1f} GB free in this folder", remedy, "prepared media and shards")


def memory() -> Finding:
    """Memory that can be had now, within the control group's limit where there is one."""
    free = available_memory()
    needed = "about 1 GB for each worker, more for large volumes"
    if free is None:
        return Finding("memory", True, "unknown on this system", "", needed)
    ok = free >= MIN_MEMORY_BYTES
    return Finding("memory", ok, f"{free / 1e9:.1f} GB available", "" if ok else "use fewer workers", needed)


def available_memory(proc: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes: the lesser of what the kernel has (Linux) and what the control group (version 2) leaves."""
    found = []
    try:
        lines = dict(line.split(":", 1) for line in proc.read_text().splitlines() if ":" in line)
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    try:
        limit = int((group / "memory.max").read_text())  # "max" where there is none
        if limit < UNLIMITED_BYTES:
            found.append(max(0, limit - int((group / "memory.current").read_text())))
    except (OSError, ValueError):
        pass
    return min(found, default=None)


def sandbox() -> tuple[Finding, Finding]:
    """Whether the process that parses foreign bytes is kept from the network and within its memory, tried in one."""
    from curate.sandbox.trial import try_out

    network, limit = "sandbox: network", "sandbox: memory"
    needed = "parsing files that nobody vouches for"
    linux = "run on Linux (x86_64 or aarch64), or where the machine itself has no network"
    try:
        tried = try_out()
    except (MedcurateError, OSError) as error:
        found = f"no parser's process starts ({type(error).__name__})"
        remedy = "check that this user may start processes"
        return Finding(network, False, found, remedy, needed), Finding(limit, False, found, remedy, needed)
    weak = tried.guard == "python"
    if not tried.started:
        closed = Finding(network, False, "a parser's process did not answer", "check memory and /tmp", needed)
    elif tried.connected:
        found = f"a native connection was made ({tried.guard} guards)"
        closed = Finding(network, weak, found, linux, needed)
    else:
        closed = Finding(network, True, f"closed by {tried.guard}: a native connection was refused", "", needed)
    if tried.grew:
        found = "no limit holds here: a parser may take all memory"
        return closed, Finding(limit, True, found, "run on Linux 4.7 or newer", needed)
    return closed, Finding(limit, True, "limited: a parser that asked for more was ended", "", needed)


def temporary() -> Finding:
    folder = tempfile.gettempdir()
    needed = "decoding video, and Ray's own files"
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return Finding("temporary folder", False, f"{folder}: {error.strerror}", "set TMPDIR", needed)
    return Finding("temporary folder", True, f"{folder} can be written", "", needed)


def open_files() -> Finding:
    needed = "shards and Ray's workers"
    try:
        import resource
    except ImportError:
        return Finding("open files", True, "no such limit on this system", "", needed)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ok = soft == resource.RLIM_INFINITY or soft >= MIN_OPEN_FILES
    words = ["unlimited" if n == resource.RLIM_INFINITY else str(n) for n in (soft, hard)]
    remedy = "" if ok else f"ulimit -n {MIN_OPEN_FILES}"
    return Finding("open files", ok, f"limit {words[0]} (hard {words[1]})", remedy, needed)


def key() -> Finding:
    """Whether the key is set; its value is never read further than that."""
    needed = "pseudonyms and date shifts of private data"
    if os.environ.get(KEY_VARIABLE):
        return Finding(KEY_VARIABLE, True, "set", "", needed)
    found = "not set: a public key is derived from the recipe, which protects nobody"
    return Finding(
        KEY_VARIABLE, True, found, f"set {KEY_VARIABLE} or give --key-file before curating private data", needed
    )
