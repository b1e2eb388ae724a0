"""Rules for system calls: what a sandbox's processes may not ask of the kernel, as a classic BPF program.

Namespaces and lost capabilities already refuse what is dangerous. This takes away what they leave: control over process
1, which has the same user as the commands; keyrings, which are in no namespace; and parts of the kernel that builds and
tests do not need and in which holes keep being found.
"""

from __future__ import annotations

import errno
import os
import struct
from functools import cache

# Numbers of x86_64 and aarch64, from the kernel's tables.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}
_REFUSED = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
}
_SET_AFFINITY = (203, 122)
# Which argument of them names a process; 1 is refused.
_ABOUT_A_PROCESS = {
    "ptrace": ((101, 117), 1),
    "process_vm_readv": ((310, 270), 0),
    "process_vm_writev": ((311, 271), 0),
    "pidfd_open": ((434, 434), 0),
    "prlimit64": ((302, 261), 0),
    "setpriority": ((141, 140), 1),
    "sched_setparam": ((142, 118), 0),
    "sched_setscheduler": ((144, 119), 0),
    "sched_setaffinity": ((203, 122), 0),
    "sched_setattr": ((314, 274), 0),
}
_ABSENT_CALLS = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "clone3": (435, 435),  # its flags cannot be looked at; programs fall back to clone
}
# Those whose first argument may ask for a user namespace.
_MAKES_NAMESPACES = {"clone": (56, 220), "unshare": (272, 97)}
_NEW_USER = 0x10000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000


@cache
def rules(machine: str | None = None, *, keep_cores: bool = False) -> bytes | None:
    """The program for a kind of processor.

    Args:
        machine: As `os.uname` calls it; default: this machine's.
        keep_cores: Processes may not choose other cores to run on.

    Returns:
        None where the system calls' numbers are not known.

    >>> len(rules("x86_64")) % 8, rules("z80")
    (0, None)
    """
    machine = machine or os.uname().machine
    if machine not in _ARCHITECTURES:
        return None
    column = _COLUMN[machine]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _ABSENT),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ABSENT),
    ]
    for numbers in (*_REFUSED.values(), *([_SET_AFFINITY] if keep_cores else [])):
        program += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _REFUSE)]
    for numbers in _ABSENT_CALLS.values():
        program += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ABSENT)]
    for numbers in _MAKES_NAMESPACES.values():
        program += [
            (_EQUAL, 0, 4, numbers[column]),
            (_LOAD, 0, 0, _ARGUMENTS),
            (_ANY_BIT, 0, 1, _NEW_USER),
            (_RETURN, 0, 0, _REFUSE),
            (_LOAD, 0, 0, _NUMBER),
        ]
    for numbers, argument in _ABOUT_A_PROCESS.values():
        program += [
            (_EQUAL, 0, 4, numbers[column]),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
            (_EQUAL, 0, 1, 1),
            (_RETURN, 0, 0, _REFUSE),
            (_LOAD, 0, 0, _NUMBER),
        ]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
