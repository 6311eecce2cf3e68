"""What a parser's process may not do: grow, run on, open the network, outlive its parent. Linux first.

Memory is RLIMIT_DATA (private writable mappings, Linux 4.7), not RLIMIT_AS: address space also counts libraries and
reserved arenas that nobody touches. The network is closed by a seccomp filter, which any user may set, also inside a
container whose own filter forbids namespaces; where there is none, by a network namespace; else only Python's own
sockets are refused, which `network_guard` says. Programs that a parser starts (ffmpeg) inherit all of it.

Not covered: reading and writing files as the user who runs, and signals to that user's processes. This contains
parsers that crash, hang or swell, and keeps what they read from leaving by the network; it is no wall against code that
an attacker gets to run in one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_FILES = 512
MAX_FILE_BYTES = 32 << 30
LINUX = sys.platform == "linux"
SET_PDEATHSIG, SET_SECCOMP, SET_CHILD_SUBREAPER, SET_NO_NEW_PRIVS = 1, 22, 36, 38  # <linux/prctl.h>
SECCOMP_FILTER = 2
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # <malloc.h>
REUSED_BYTES = 32 << 20  # the most that glibc allows; larger blocks go back at once
NEW_USER, NEW_NET = 0x10000000, 0x40000000  # <linux/sched.h>
# machine -> (AUDIT_ARCH, numbers of socket, ptrace, process_vm_readv, process_vm_writev); the last two calls that are
# refused have one number everywhere: io_uring_setup, which opens sockets too, and pidfd_getfd, which takes others'.
ARCHITECTURES = {
    "x86_64": (0xC000003E, (41, 101, 310, 311)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271)),
}
EVERYWHERE = (425, 438)
X32 = 0x40000000  # x86_64's second table of calls
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # <linux/bpf_common.h>
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES


def limit_process(memory_bytes: int) -> None:
    """Limits that hold for the process's whole life; `memory_bytes` is what it may take beyond what it has."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, MAX_FILES)
    _lower(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    _lower(resource.RLIMIT_DATA, data_bytes() + memory_bytes)
    with contextlib.suppress(OSError):  # the system's memory killer takes the parser first, not its worker
        Path("/proc/self/oom_score_adj").write_text("1000")


def limit_cpu(seconds: float) -> None:
    """CPU time from now on, of all threads: the wall clock is watched outside, this holds where nobody watches."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + seconds * (os.cpu_count() or 1)) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard))


def data_bytes() -> int:
    """Private writable memory of this process as RLIMIT_DATA counts it; 0 where the kernel does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS has no RLIMIT_DATA to speak of
        resource.setrlimit(which, (value, value))


def die_with_parent() -> None:
    """SIGKILL for this process when the thread that forked it ends."""
    if LINUX:
        _prctl(SET_PDEATHSIG, signal.SIGKILL)


def keep_freed_memory() -> None:
    """Have the C library reuse what a record freed for the next one, as it would after a while by itself. A young
    process gives arrays back to the kernel and faults them in anew, a thousand pages for each picture of 512 x 512."""
    if LINUX:
        with contextlib.suppress(OSError, AttributeError):  # not glibc
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(MMAP_THRESHOLD, REUSED_BYTES)
            mallopt(TRIM_THRESHOLD, 8 * REUSED_BYTES)


def adopt_orphans() -> None:
    """What our children leave running becomes our child, so that it can be ended."""
    if LINUX:
        _prctl(SET_CHILD_SUBREAPER, 1)


def close_network() -> str:
    """Refuse every new socket from here on: `seccomp`, `namespace`, or `python` where the kernel offers neither."""
    if LINUX and _refuse_by_seccomp():
        return "seccomp"
    if LINUX and _leave_network():
        return "namespace"
    sys.addaudithook(_refuse_in_python)
    return "python"


def network_guard() -> str:
    """How `close_network` would close it here, tried in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            os.write(writing, close_network().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said or "python"


def _refuse_by_seccomp() -> bool:
    if platform.machine() not in ARCHITECTURES or struct.calcsize("P") != 8:
        return False
    program = _filter(*ARCHITECTURES[platform.machine()])
    buffer = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)), 16)
    return _prctl(SET_NO_NEW_PRIVS, 1) and _prctl(SET_SECCOMP, SECCOMP_FILTER, ctypes.addressof(header))


def _filter(architecture: int, own: tuple[int, ...]) -> bytes:
    """Classic BPF over `struct seccomp_data`: calls of another architecture or of x32 and the numbers named are
    refused with EACCES, all others allowed."""
    numbers = (*own, *EVERYWHERE)
    refusals = len(numbers)

    def line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    return b"".join(
        (
            line(LOAD, 4),
            line(JUMP_EQUAL, architecture, 0, refusals + 3),
            line(LOAD, 0),
            line(JUMP_AT_LEAST, X32, refusals + 1, 0),
            *(line(JUMP_EQUAL, number, refusals - at) for at, number in enumerate(numbers)),
            line(RETURN, ALLOW),
            line(RETURN, REFUSE),
        )
    )


def _leave_network() -> bool:
    """A network namespace of its own, without even loopback: as root at once, else with a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(flags) == 0 for flags in (NEW_NET, NEW_USER | NEW_NET))


def _refuse_in_python(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        raise PermissionError(errno.EACCES, "a parser has no network")


def _prctl(*arguments: int) -> bool:
    prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    padded = (*arguments, 0, 0, 0, 0)[:5]
    return prctl(padded[0], *(ctypes.c_ulong(a) for a in padded[1:])) == 0
