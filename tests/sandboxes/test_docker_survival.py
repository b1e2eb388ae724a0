"""What an agent may try in a Docker sandbox: it survives, the caller gets a `Completed`, and nothing gets out."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_here import container_id, eventually, need_docker

from turnwise.sandboxes.base import MIB, Completed, Limits, Spec
from turnwise.sandboxes.docker_backend import DockerSandbox
from turnwise.sandboxes.errors import SandboxLostError

LIMITS = Limits(memory_bytes=128 * MIB, processes=40, disk_bytes=64 * MIB, timeout=20, output_bytes=64 * 1024)


@pytest.fixture(scope="module")
def opened() -> Iterator[DockerSandbox]:
    need_docker()
    with DockerSandbox(Spec(limits=LIMITS)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(opened: DockerSandbox) -> Iterator[DockerSandbox]:
    opened.restore()
    yield opened
    if opened.container is not None:
        # What was killed while it held much memory takes a moment to let go of it.
        assert eventually(lambda: processes(opened) == ["bash", "bash"]), "only process 1 and its worker stay"
        assert opened.run("echo alive").stdout == "alive\n"


def processes(sandbox: DockerSandbox) -> list[str]:
    found = need_docker().top(container_id(sandbox))
    commands = found["Titles"].index("CMD")
    return sorted(os.path.basename(row[commands].split()[0]) for row in found["Processes"])


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize(
    "bomb",
    [
        ":() { :|:& }; :; wait; sleep 30",
        "while :; do sleep 60 & done 2>/dev/null",
        "python3 -c 'import os\nwhile 1:\n try: os.fork()\n except OSError: pass'",
        "python3 -c 'import threading, time\nwhile 1: threading.Thread(target=time.sleep, args=(9,)).start()'; sleep 9",
    ],
)
def test_fork_bomb(sandbox: DockerSandbox, bomb: str, session: bool) -> None:
    result = sandbox.run(bomb, timeout=2, session=session)
    assert result.timed_out or result.exit_code != 0 or "unavailable" in result.stderr


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize(
    "hog",
    [
        "python3 -c 'x = bytearray(1 << 30); print(len(x))'",
        "x=$(head -c 400000000 /dev/zero | tr '\\0' x); echo ${#x}",
        "for i in {1..8}; do python3 -c 'import time; x = bytearray(40 << 20); time.sleep(2)' & done; wait",
    ],
)
def test_memory_hog(sandbox: DockerSandbox, hog: str, session: bool) -> None:
    result = sandbox.run(hog, timeout=4, session=session)
    assert "1073741824" not in result.stdout and "400000000" not in result.stdout


def test_shared_memory_goes_with_its_processes(sandbox: DockerSandbox) -> None:
    take = (
        "import ctypes; libc = ctypes.CDLL(None); libc.shmat.restype = ctypes.c_void_p\n"
        "segment = libc.shmget(0, 32 << 20, 0o1666); print(segment >= 0)\n"
        "ctypes.memset(ctypes.c_void_p(libc.shmat(segment, None, 0)), 1, 32 << 20)"
    )
    for _ in range(6):
        assert sandbox.run(f"python3 -c '{take}'").stdout == "True\n"
    assert len(sandbox.run("cat /proc/sysvipc/shm").stdout.splitlines()) == 1


def test_disk_filler(sandbox: DockerSandbox) -> None:
    result = sandbox.run("for f in a /tmp/a /dev/shm/a; do cat /dev/zero >$f; done; cat a /tmp/a /dev/shm/a | wc -c")
    assert "No space left" in result.stderr
    assert 32 * MIB < int(result.stdout) <= 64 * MIB
    assert sandbox.run("echo $((6 * 7))").stdout == "42\n"
    assert sandbox.run("python3 -c 'x = bytearray(1 << 30)'").exit_code == 137
    assert len(sandbox.digest()) == 16


def test_filler_of_folders(sandbox: DockerSandbox) -> None:
    make = "import os\ntry:\n for i in range(10**6): os.mkdir(str(i))\nexcept OSError as e: print(e.errno, i < 100_000)"
    assert sandbox.run(f"python3 -c '{make}'").stdout == "28 True\n"
    assert sandbox.run("mkdir /tmp/other").exit_code == 0


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("command", ["yes", "yes >&2", "cat /dev/zero", "(yes & yes >&2)"])
def test_endless_output(sandbox: DockerSandbox, command: str, session: bool) -> None:
    result = sandbox.run(command, session=session)
    assert result.output_truncated and not result.timed_out and result.exit_code == 137
    assert max(len(result.stdout), len(result.stderr)) == LIMITS.output_bytes


@pytest.mark.parametrize("session", [False, True])
def test_sigterm_ignored(sandbox: DockerSandbox, session: bool) -> None:
    begun = time.monotonic()
    result = sandbox.run("trap '' TERM INT HUP QUIT USR1 PIPE; (setsid sleep 60 &); sleep 60", 0.5, session=session)
    assert result.timed_out and result.exit_code == 137
    assert time.monotonic() - begun < 15


def test_background_processes_go_with_their_command(sandbox: DockerSandbox) -> None:
    daemon = "python3 -c 'import os, time\nif not os.fork():\n os.setsid(); time.sleep(60)'"
    assert sandbox.run(f"(setsid nohup sleep 60 >/dev/null 2>&1 &); sleep 60 & disown; {daemon}").exit_code == 0


@pytest.mark.parametrize(
    "attack",
    [
        "kill -KILL 1; kill -TERM 1; kill -HUP 1; kill -SEGV 1; kill -STOP 1",
        "kill -KILL -1",
        "kill -KILL $PPID $$ $BASHPID",
        "kill -STOP $PPID $$; sleep 1",
        "kill -USR1 1; sleep 1",
        "exec 0<&- 1>&- 2>&-; sleep 0.1",
        "for fd in {0..30}; do eval \"exec $fd<&-\"; done 2>/dev/null; sleep 0.1",
        "exec /bin/true",
        "exit 99",
        "for p in /proc/[0-9]*; do echo junk >$p/fd/0; echo junk >$p/fd/1; cat $p/fd/0 & done 2>/dev/null; sleep 0.2",
        "cat; read -r x; head -c 1",
        "set -e; false",
        "ulimit -u 0; ulimit -v 0; ulimit -n 0; ulimit -f 0; true",
        "echo $'\\x00\\x01\\xff'; printf '\\n%s\\n' \"$(tr '\\0' '\\n' </proc/1/environ)\"",
        "renice 19 $PPID 1 $$; taskset -p 1 $PPID",
    ],
)  # fmt: skip
@pytest.mark.parametrize("session", [False, True])
def test_attack_on_the_shell(sandbox: DockerSandbox, attack: str, session: bool) -> None:
    result = sandbox.run(attack, timeout=3, session=session)
    assert isinstance(result, Completed)
    for _ in range(3):
        assert sandbox.run("echo $((6 * 7)); pwd", session=session).stdout == "42\n/work\n"


def test_root_is_read_only_and_powers_are_none(sandbox: DockerSandbox) -> None:
    for path in (
        "/usr/bin/x",
        "/etc/passwd",
        "/x",
        "/var/tmp/x",
        "/run/x",
        "/root/x",
        "/proc/sys/kernel/x",
        "/sys/x",
        "/dev/x",
    ):
        assert sandbox.run(f"echo x >{path}").exit_code != 0, path
    status = sandbox.run("cat /proc/self/status").stdout
    assert all(f"{name}:\t0000000000000000\n" in status for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
    assert "NoNewPrivs:\t1\n" in status and "Seccomp:\t2\n" in status
    for attack in (
        "mount -t tmpfs none /mnt", "unshare -Ur true", "chroot / true", "su -c id", "sudo id", "mknod d b 254 0",
        "dmesg", "chown 0 .", "cat /dev/mem", "cat /dev/vda", "cat /proc/kcore", "sysctl -w kernel.hostname=x",
        "hostname x",
        "nice -n -5 true 2>&1 | grep .; false", "echo 1 >/proc/sysrq-trigger", "date -s 2001-01-01",
        "cp /bin/bash b && chmod u+s b && ./b -p -c '[[ $EUID == 0 ]]'", "cat /etc/shadow", "ls /root",
    ):  # fmt: skip
        assert sandbox.run(attack).exit_code != 0, attack


def test_host_is_out_of_sight(sandbox: DockerSandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    for attack in (
        f"cat {secret}", f"cat /proc/1/root{secret}", f"ln -s {secret} l; cat l", f"cat /proc/{os.getpid()}/environ",
        f"kill -0 {os.getpid()}", "ls /var/run/docker.sock", "ls /var/lib/docker",
    ):  # fmt: skip
        assert sandbox.run(attack).exit_code != 0, attack
    with pytest.raises(FileNotFoundError):
        sandbox.read(str(secret))


def test_no_address_can_be_reached(sandbox: DockerSandbox) -> None:
    addresses = {address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        for address in ("127.0.0.1", "172.17.0.1", "8.8.8.8", "169.254.169.254", *addresses):
            attack = f"timeout 3 bash -c 'echo x >/dev/tcp/{address}/{port}'"
            assert sandbox.run(attack).exit_code != 0, address
    assert sandbox.run("cut -d: -f1 /proc/net/dev | tail -n +3").stdout.split() == ["lo"]
    assert sandbox.run("timeout 5 getent hosts example.com").exit_code != 0
    raw = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)"
    assert sandbox.run(f"python3 -c '{raw}'").exit_code != 0


def test_library_is_nowhere_to_be_found(sandbox: DockerSandbox) -> None:
    names = ("*.whl", "*.deb", "more_itertools*", "toolz*", "sortedcontainers*", "ensurepip", "_vendor")
    wanted = " -o ".join(f"-name '{name}'" for name in names)
    assert sandbox.run(f"find / -xdev \\( {wanted} \\) 2>/dev/null").stdout == ""


def test_cpu_is_shared_out(sandbox: DockerSandbox) -> None:
    with DockerSandbox(Spec(limits=Limits(cpus=0.1))) as slow:
        result = slow.run("time -p timeout 2 bash -c 'while :; do :; done'")
    used = sum(float(line.split()[1]) for line in result.stderr.splitlines() if line.split()[0] in ("user", "sys"))
    assert used < 1


def test_killed_from_outside_is_lost_at_once_and_for_ever() -> None:
    api = need_docker()
    sandbox = DockerSandbox(Spec())
    killer = threading.Timer(0.5, api.kill, [container_id(sandbox)])
    killer.start()
    begun = time.monotonic()
    with pytest.raises(SandboxLostError):
        sandbox.run("sleep 60; echo must not be seen")
    assert time.monotonic() - begun < 30
    killer.join()
    for call in (lambda: sandbox.run("true"), lambda: sandbox.read("x"), sandbox.snapshot, sandbox.check):
        with pytest.raises(SandboxLostError):
            call()
    sandbox.close()


def test_idle_and_killed_from_outside() -> None:
    api = need_docker()
    sandbox = DockerSandbox(Spec())
    api.kill(container_id(sandbox))
    with pytest.raises(SandboxLostError):
        sandbox.run("true")
    sandbox.close()
