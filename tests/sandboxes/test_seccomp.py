"""Rules for system calls, carried out by a small model of the kernel's interpreter; then by the kernel."""

from __future__ import annotations

import errno
import struct

import pytest
from bubblewrap_here import need_bubblewrap

from turnwise.sandboxes import seccomp
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox

ALLOWED, REFUSED, ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
X86, ARM = 0xC000003E, 0xC00000B7


def answer(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would do: classic BPF over `struct seccomp_data`."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    at, value = 0, 0
    while True:
        code, true, false, operand = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, operand)
        elif code == 0x06:
            return int(operand)
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            at += true if holds else false


@pytest.mark.parametrize(
    ("machine", "architecture", "ptrace", "clone", "read", "keyctl"),
    [("x86_64", X86, 101, 56, 0, 250), ("aarch64", ARM, 117, 220, 63, 219)],
)
def test_what_is_refused(machine: str, architecture: int, ptrace: int, clone: int, read: int, keyctl: int) -> None:
    program = seccomp.rules(machine)
    assert program is not None
    assert answer(program, architecture, read, 1, 1, 1) == ALLOWED
    assert answer(program, architecture, keyctl) == REFUSED
    assert answer(program, architecture, ptrace, 16, 1) == REFUSED
    assert answer(program, architecture, ptrace, 16, 2) == ALLOWED
    assert answer(program, architecture, ptrace, 0, 0) == ALLOWED
    assert answer(program, architecture, clone, 0x10000000 | 17) == REFUSED
    assert answer(program, architecture, clone, 0x003D0F00) == ALLOWED, "a thread"
    assert answer(program, architecture, 435) == ABSENT, "clone3"
    assert answer(program, 0x40000003, read) == ABSENT, "the numbers of another architecture"


def test_numbers_of_x32_are_absent() -> None:
    assert answer(seccomp.rules("x86_64") or b"", X86, 0x40000000 | 101, 16, 1) == ABSENT


def test_cores_are_kept_where_that_is_the_limit() -> None:
    free, kept = seccomp.rules("x86_64"), seccomp.rules("x86_64", keep_cores=True)
    assert free is not None and kept is not None
    assert (answer(free, X86, 203, 0), answer(kept, X86, 203, 0)) == (ALLOWED, REFUSED)
    assert answer(free, X86, 203, 1) == REFUSED, "process 1's are never theirs"


def test_an_unknown_processor_has_none() -> None:
    assert seccomp.rules("s390x") is None


def test_the_kernel_takes_them() -> None:
    need_bubblewrap()
    with BubblewrapSandbox(Spec()) as sandbox:
        wanted = "0" if seccomp.rules() is None else "2"
        assert sandbox.run("sed -n 's/^Seccomp:.//p' /proc/self/status").stdout.strip() == wanted
        if sandbox.run("command -v python3").ok:
            threads = "import threading; t = threading.Thread(target=print, args=('ran',)); t.start(); t.join()"
            assert sandbox.run(f'python3 -c "{threads}"').stdout == "ran\n", "clone3 is absent, but threads are not"
