"""`Launcher`: the host's end of the process that starts all bubblewrap sandboxes of this process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from turnwise.sandboxes import seccomp
from turnwise.sandboxes.errors import SandboxLostError, SandboxUnavailableError

# The launcher imports three modules of this package, and nothing else of it: neither `turnwise` nor `sandboxes` runs.
_PROGRAM = """
import sys, types
for name, folder in (("turnwise", sys.argv[3]), ("turnwise.sandboxes", sys.argv[3])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from turnwise.sandboxes.launcher_main import main
main()
"""
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\nagent:x:1000:1000:agent:/tmp:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n",
    "hostname": "sandbox\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "ld.so.cache": "",
    "resolv.conf": "",
    "localtime": "",
    "alternatives/.keep": "",
    "ssl/.keep": "",
}
"""The files of /etc, where no root file system was given. The empty ones are places for this machine's own."""


class Powers(NamedTuple):
    """What this machine lets a launcher do.

    Attributes:
        controllers: Those of `memory`, `cpu` and `pids` for which control groups can be made.
        overlay: Overlays can be made; else a work folder is copied.
        seccomp: Rules for system calls are known for this processor.
    """

    controllers: tuple[str, ...]
    overlay: bool
    seccomp: bool


class Launcher:
    """One per process; `launcher()` gives it. Safe for use by several threads.

    A request to start a sandbox carries a socket of its own, over which the child that becomes the sandbox answers:
    with an error, or with descriptors of its process and its files. Where it was told to hold, it then waits for one
    byte. The end of that socket says that it has become bwrap.

    Raises:
        SandboxUnavailableError: The process cannot make the namespaces that it needs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = str(Path(__file__).parent)
        arguments = [str(theirs.fileno()), str(os.getpid()), folder]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-E", "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={},
                cwd="/",
            )
        self.pid = self._process.pid
        self._socket.send(json.dumps({"etc": ETC}).encode())
        answer = self._socket.recv(1 << 16)
        if not answer:
            words = self._process.communicate()[1].decode("utf-8", "replace").strip()
            raise SandboxUnavailableError(f"the sandbox launcher ended at once: {words[-500:]}")
        settings: dict[str, Any] = json.loads(answer)
        if "error" in settings:
            self.close()
            raise SandboxUnavailableError(f"no namespaces can be made here: {settings['error']}. {_advice()}")
        self.powers = Powers(tuple(settings["controllers"]), settings["overlay"], seccomp.rules() is not None)

    def start(self, request: dict[str, Any], descriptors: Sequence[int]) -> socket.socket:
        """Ask for a sandbox.

        Args:
            request: What `preparation.become_sandbox` reads.
            descriptors: Standard input, output and error of the sandbox, bwrap's information pipe, seccomp rules.

        Returns:
            The socket over which it answers.

        Raises:
            SandboxLostError: The launcher is gone.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, self._lock:
                socket.send_fds(self._socket, [json.dumps(request).encode()], [theirs.fileno(), *descriptors])
        except OSError as error:
            ours.close()
            self._process.kill()
            raise SandboxLostError(f"the sandbox launcher is gone: {error.strerror}") from error
        return ours

    def close(self) -> None:
        """End it, and with it all its sandboxes."""
        self._socket.close()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def abandon(self) -> None:
        """Forget it in a forked child, where it belongs to the parent."""
        self._socket.close()
        if self._process.stderr:
            self._process.stderr.close()
        self._process.returncode = 0

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None


def _advice() -> str:
    """What to do where namespaces are refused."""
    if os.geteuid() == 0:
        return (
            "root needs the capability SYS_ADMIN to make them; in a container, run it privileged, "
            "or run this program as another user"
        )
    advice = ["this user must be allowed to make user namespaces"]
    for name, wanted in (
        ("kernel/unprivileged_userns_clone", "1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("user/max_user_namespaces", "1 or more"),
    ):
        with contextlib.suppress(OSError):
            value = Path("/proc/sys", name).read_text(encoding="utf-8").strip()
            if value != wanted and not (wanted == "1 or more" and value != "0"):
                advice.append(f"sysctl {name.replace('/', '.')} is {value}, it must be {wanted}")
    if len(advice) == 1:
        advice.append("in a container, its seccomp profile must allow unshare and mount")
    return "; ".join(advice)


_launcher: Launcher | None = None
_retired: list[Launcher] = []
_lock = threading.Lock()


def launcher() -> Launcher:
    """This process's launcher, started at first use and again where it has died."""
    global _launcher
    with _lock:
        if _launcher is not None and not _launcher.alive:
            _launcher.close()
            _launcher = None
        if _launcher is None:
            _launcher = Launcher()
        return _launcher


def start(request: dict[str, Any], descriptors: Sequence[int]) -> socket.socket:
    """`Launcher.start` of this process's launcher, of a new one if it turns out to have died."""
    try:
        return launcher().start(request, descriptors)
    except SandboxLostError:
        return launcher().start(request, descriptors)


def renew() -> None:
    """Have the next sandboxes started by a new launcher. The old one keeps those that it has."""
    global _launcher
    with _lock:
        if _launcher is not None:
            _retired.append(_launcher)
        _launcher = None


def _forget() -> None:
    global _launcher, _lock
    _lock = threading.Lock()
    for each in (_launcher, *_retired):
        if each is not None:
            with contextlib.suppress(OSError):
                each.abandon()
    _launcher = None
    _retired.clear()


os.register_at_fork(after_in_child=_forget)
