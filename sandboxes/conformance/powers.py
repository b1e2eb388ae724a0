"""Powers: commands have none of root's, and no way to any."""

from __future__ import annotations

from turnwise.sandboxes.conformance.registry import (
    NotApplicable,
    Subject,
    expect,
    expect_alive,
    expect_failure,
    expect_output,
    has,
    requirement,
)


@requirement
def the_user_has_no_powers(subject: Subject) -> None:
    """Commands run as another user than root, with no capability and no way to gain one by running a program."""
    with subject.open_isolated("user") as sandbox:
        expect_output(sandbox, "[[ $(id -u) != 0 && $(id -g) != 0 && $EUID != 0 ]] && echo ordinary", "ordinary\n")
        status = "/proc/self/status"
        expect_output(sandbox, f"grep -E '^Cap(Inh|Prm|Eff|Amb)' {status} | grep -v '0000000000000000$' || true", "")
        expect_output(sandbox, f"grep -c '^NoNewPrivs:.1$' {status}", "1\n")
        expect_output(sandbox, "id -G | tr ' ' '\\n' | grep -cx 0 || true", "0\n")


@requirement
def root_cannot_be_gained(subject: Subject) -> None:
    """Programs that run as their owner do not, and namespaces give no power over anything."""
    with subject.open_isolated("user") as sandbox:
        for command in (
            "cp /bin/bash /tmp/bash; chmod u+s,g+s /tmp/bash; /tmp/bash -p -c '[[ $EUID == 0 ]]'",
            "echo | su -c 'touch /tmp/rooted' root; [[ -e /tmp/rooted ]]",
            "sudo -n true",
            "chown 0:0 .",
            "chgrp 0 .",
            "setpriv --reuid 0 true",
            "unshare --user --map-root-user true",
            "unshare --mount true",
            "unshare --net true",
            "unshare --pid --fork true",
            "nsenter --target 1 --mount true",
            "chroot / true",
        ):
            expect_failure(sandbox, command)


@requirement
def nothing_can_be_mounted_or_made_a_device(subject: Subject) -> None:
    """Mounting, making devices and changing what is mounted are refused."""
    with subject.open_isolated("user") as sandbox:
        sandbox.run("mkdir m")
        for command in (
            "mount -t tmpfs none m",
            "mount --bind / m",
            "mount -t proc none m",
            "mount -o remount,rw /",
            "mount -o remount,rw /usr",
            "umount /usr || umount /proc || umount /tmp || umount -l /",
            "mknod m/null c 1 3",
            "mknod m/disk b 8 0",
            "mknod m/memory c 1 1",
            "swapon /tmp/x",
            "losetup /dev/loop0 /tmp/x",
        ):
            expect_failure(sandbox, command)
        expect_output(sandbox, "ls /dev | grep -E '^(sd|vd|nvme|mem|kmem|kvm|fuse|loop|dm-)' || true", "")


@requirement
def the_kernel_is_not_theirs(subject: Subject) -> None:
    """Settings of the kernel can neither be changed nor triggered, and its memory and log not be read."""
    with subject.open_isolated("user") as sandbox:
        for command in (
            "echo x >/proc/sys/kernel/hostname",
            "echo 1 >/proc/sys/kernel/panic",
            "echo '|/tmp/x' >/proc/sys/kernel/core_pattern",
            "echo 0 >/proc/sys/vm/overcommit_memory",
            "echo 65536 >/proc/sys/user/max_user_namespaces",
            "echo b >/proc/sysrq-trigger",
            "head -c 1 /proc/kcore",
            "head -c 1 /proc/kmsg",
            "head -c 1 /dev/mem",
            "hostname other",
            "date --set 2001-01-01",
            "ls /sys/kernel/debug/* /sys/firmware/*/*",
            "echo -1000 >/proc/self/oom_score_adj",
            "renice -n -5 $$",
        ):
            expect_failure(sandbox, command)


@requirement
def process_1_is_out_of_reach(subject: Subject) -> None:
    """A command can neither read, write, trace nor change the process that keeps the sandbox."""
    with subject.open_isolated("processes") as sandbox:
        for command in (
            "head -c 1 /proc/1/mem",
            "echo x >/proc/1/mem",
            "cat /proc/1/environ | grep -q .",
            "ls /proc/1/fd/ | grep -q . && echo x >/proc/1/fd/1",
            "ls -l /proc/1/cwd/ /proc/1/root/ | grep -q .",
            "prlimit --pid 1 --nofile=1:1",
            "strace -p 1 -o /dev/null & sleep 0.2; kill %1",
            "gdb -batch -p 1 2>&1 | grep -q 'in .* ()'",
        ):
            expect_failure(sandbox, command)
        if not has(sandbox, "python3"):
            raise NotApplicable("what could be tried without python3 was refused; there is no python3 to try more")
        done = sandbox.run(f"python3 -c '{_ATTACH}'")
        expect(done.stdout == "refused\nrefused\n", f"attaching to process 1 gave {done.stdout!r} {done.stderr!r}")
        expect_alive(sandbox, "attacks on process 1")


_ATTACH = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for request in (16, 0x4206):
    print("refused" if libc.ptrace(request, 1, None, None) == -1 else "attached")
"""


@requirement
def terminals_and_keys_are_their_own(subject: Subject) -> None:
    """There is no terminal to type on, and no key of this machine's user."""
    with subject.open_isolated("user") as sandbox:
        expect_failure(sandbox, "echo x >/dev/tty")
        expect_failure(sandbox, "cat /dev/console")
        if not has(sandbox, "python3"):
            raise NotApplicable("there is no python3 to try system calls with")
        done = sandbox.run(f"python3 -c '{_KEYS}'")
        expect(done.stdout == "refused\n", f"reading the session's keys gave {done.stdout!r} {done.stderr!r}")


_KEYS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)
found = -1 if number is None else libc.syscall(number, 11, -3, None, 0)
print("refused" if found <= 0 else "read")
"""
