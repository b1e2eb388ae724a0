"""Walls: no network, no file of the host that was not given, no place to write but the two."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from turnwise.sandboxes.conformance.registry import Subject, expect, expect_failure, expect_output, has, requirement
from turnwise.sandboxes.conformance.states import first_files

_CONNECT = "timeout 3 bash -c 'exec 3<>/dev/tcp/{}/{} && echo reached'"


@contextlib.contextmanager
def _listener(address: str) -> Iterator[int]:
    with socket.create_server((address, 0)) as server:
        yield server.getsockname()[1]


@requirement
def no_address_can_be_reached(subject: Subject) -> None:
    """Neither this machine, by any of its addresses, nor any other answers; the sandbox's own loopback does."""
    with (
        subject.open_isolated("network") as sandbox,
        _listener("0.0.0.0") as everywhere,
        _listener("127.0.0.1") as here,
    ):
        addresses = ["127.0.0.1", "localhost", *_addresses()]
        tries = [(address, port) for address in addresses for port in (everywhere, here)]
        tries += [
            ("1.1.1.1", 53),
            ("8.8.8.8", 443),
            ("169.254.169.254", 80),
            ("172.17.0.1", everywhere),
            ("10.0.0.1", 22),
        ]
        for address, port in tries:
            done = sandbox.run(_CONNECT.format(address, port))
            expect("reached" not in done.stdout, f"{address} port {port} was reached")
        for name in ("example.com", "pypi.org"):
            expect_failure(sandbox, f"timeout 3 bash -c 'exec 3<>/dev/tcp/{name}/80'")
            expect_failure(sandbox, f"timeout 3 getent ahostsv4 {name}")
        expect_failure(sandbox, "echo x >/dev/udp/1.1.1.1/53")
        expect_output(
            sandbox,
            "cat /proc/net/dev | tail -n +3 | grep -v '^ *\\(lo\\|tunl0\\|sit0\\|ip6tnl0\\|.*@.*\\):' || true",
            "",
        )
        if has(sandbox, "python3"):
            expect_output(sandbox, f"python3 -c '{_LOOPBACK}'", "own loopback\n")


_LOOPBACK = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
server.accept()[0].sendall(b"own loopback")
print(client.recv(100).decode())
"""


@requirement
def sockets_of_the_host_are_out_of_reach(subject: Subject) -> None:
    """No socket of this machine can be reached by a path or by an abstract name."""
    name = f"turnwise-{secrets.token_hex(8)}"
    with (
        subject.open_isolated("network") as sandbox,
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as bound,
    ):
        abstract.bind(f"\0{name}")
        abstract.listen()
        bound.bind(f"{folder}/socket")
        bound.listen()
        for path in ("/run/docker.sock", "/var/run/docker.sock", f"{folder}/socket", "/run/systemd/private"):
            expect_failure(sandbox, f"[[ -e {path} ]]")
        if has(sandbox, "python3"):
            script = f'import socket; socket.socket(socket.AF_UNIX).connect("\\0{name}")'
            expect_failure(sandbox, f"python3 -c '{script}'")
        expect_output(sandbox, f"grep -c {name} /proc/net/unix || true", "0\n")


@requirement
def files_of_the_host_are_unseen(subject: Subject) -> None:
    """No file of this machine that was not given can be found or read; nor can its users' secrets."""
    secret = secrets.token_hex(16)
    with (
        subject.open_isolated("filesystem") as sandbox,
        tempfile.TemporaryDirectory(prefix=f"turnwise-{secret}-") as folder,
    ):
        path = Path(folder, "secret.txt")
        path.write_text(secret, encoding="utf-8")
        shown = "find / -path /proc -prune -o -name '*{}*' -print 2>/dev/null || true"
        expect_output(sandbox, shown.format(secret), "")
        for place in (path, f"/proc/1/root{path}", f"/proc/self/root{path}", f"/.{path}", f"/tmp/..{path}"):
            expect_failure(sandbox, f"cat {place}")
        for place in ("/etc/shadow", "/root/.ssh/*", "/root/.bash_history", "/var/lib/docker/*", "/run/secrets/*"):
            expect_failure(sandbox, f"cat {place}")
        home = Path.home()
        if home != Path("/"):
            names = [entry.name for entry in list(home.iterdir())[:50]]
            found = sandbox.run(f"ls -A {home} 2>/dev/null").stdout.split()
            common = sorted(set(names) & set(found) - {".bashrc", ".profile", ".cache"})
            expect(not common, f"the home folder of this machine's user shows {common}")


@requirement
def only_granted_files_can_be_written(subject: Subject) -> None:
    """Nothing can be written but the work folder and /tmp, with which /dev/shm may share its limit."""
    with subject.open_isolated("filesystem") as sandbox:
        for place in (
            "",
            "usr",
            "usr/bin",
            "usr/local",
            "etc",
            "dev",
            "var",
            "root",
            "home",
            "opt",
            "srv",
            "run",
            "sys",
            "mnt",
        ):
            expect_failure(sandbox, f"echo x >/{place}/turnwise-conformance")
            expect_failure(sandbox, f"mkdir /{place}/turnwise-conformance")
        find = r"find / \( -path /proc -o -path /tmp -o -path /dev/shm -o -path '{}' \) -prune -o -writable "
        find += r"\( -type d -o -type f ! -path '/dev/*' \) -print 2>/dev/null"
        done = sandbox.run(find.format(sandbox.workdir))
        expect(done.stdout == "", f"these can be written too: {done.stdout.split()[:10]}")
        expect_failure(sandbox, "rm -f /bin/ls /usr/bin/env /etc/passwd")
        expect_failure(sandbox, "chmod 777 /usr/bin/env")
        expect_failure(sandbox, "ln -f /usr/bin/env /tmp/env && echo x >>/tmp/env")
        expect_output(sandbox, "echo x >/tmp/a && echo y >b && cat /tmp/a b && ls / >/dev/null", "x\ny\n")


@requirement
def mounts_can_be_read_and_no_more(subject: Subject) -> None:
    """What `Spec.mounts` names is seen at its place, read-only; what `Spec.hide` names is empty."""
    with first_files() as folder:
        folder.chmod(0o755)
        mounts = {"/opt/given": folder, "/opt/one.txt": folder / "first.txt", "/mnt/deep/er": folder / "folder"}
        with subject.open_isolated("filesystem", mounts=mounts, hide=("/usr/share", "/opt/given/gone")) as sandbox:
            expect_output(
                sandbox,
                "cd /opt; cat given/first.txt one.txt /mnt/deep/er/a.txt",
                "first.txt\nfirst.txt\nfolder/a.txt\n",
            )
            expect_output(
                sandbox, "/opt/given/tool.sh; ls -A /usr/share /opt/given/gone | grep -v : | tr -d '\\n'", "tool\n"
            )
            for change in (
                "echo x >/opt/given/first.txt",
                "echo x >/opt/given/new",
                "rm /opt/given/second.txt",
                "chmod 777 /opt/given/tool.sh",
                "echo x >/opt/one.txt",
                "mkdir /usr/share/new",
                "touch /opt/given/gone/x",
            ):
                expect_failure(sandbox, change)
            expect_output(sandbox.fork(), "cat /opt/one.txt; ls -A /usr/share", "first.txt\n")
        expect((folder / "first.txt").read_text() == "first.txt\n", "a mounted file was changed")


@requirement
def processes_of_the_host_are_unseen(subject: Subject) -> None:
    """Processes of this machine are neither seen nor signalled."""
    word = f"turnwise-{secrets.token_hex(8)}"
    script = f"import time; time.sleep(60)  # {word}"
    with subject.open_isolated("processes") as sandbox:
        bystander = subprocess.Popen([sys.executable, "-c", script])
        try:
            pattern = f"[t]{word[1:]}"  # does not find grep itself
            expect_output(sandbox, f"cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '{pattern}' || true", "0\n")
            expect_failure(sandbox, f"kill -KILL {bystander.pid}")
            sandbox.run("kill -KILL -1")
            sandbox.run("kill -KILL 0", session=True)
            sandbox.run("kill -KILL -- -1 -2 -3", session=True)
            expect(bystander.poll() is None, "a process of this machine was killed from inside")
            expect_output(sandbox, "cd /proc; set -- [0-9]*; echo $(($# < 10))", "1\n")
        finally:
            bystander.kill()
            bystander.wait()


def _addresses() -> list[str]:
    """Addresses of this machine, as far as they are easily found."""
    found = {address[4][0] for address in _resolved(socket.gethostname())}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells which address would be used
        found.add(probe.getsockname()[0])
    return sorted(str(address) for address in found)


def _resolved(name: str) -> list[tuple[object, object, object, object, tuple[object, ...]]]:
    with contextlib.suppress(OSError):
        return list(socket.getaddrinfo(name, None, socket.AF_INET))
    return []
