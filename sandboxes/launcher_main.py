"""The launcher's own process: forks what becomes a sandbox, buries it, and ends them all when its host process ends.

Started by `launcher.Launcher` as a bare Python with one socket; see there for the messages. It has one thread and stays
small, so a fork is cheap. Each child that it forks waits as a spare, in control groups and a mount namespace of its
own, until a request makes it a sandbox: what is slow about these is over by then.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from turnwise.sandboxes import cgroups, kernel, preparation

SPARES = 2
_AGAIN_MILLISECONDS, _TRIES = 5, 1000


class _Child:
    """A process that is or becomes a sandbox."""

    def __init__(self, pid: int, control: socket.socket, group: str, network: bool) -> None:
        self.pid = pid
        self.control = control
        self.group = group
        self.network = network


class _Launcher:
    def __init__(self, host: socket.socket, host_process: int, hierarchies: list[cgroups.Hierarchy]) -> None:
        self._host = host
        self._host_process = host_process
        self._hierarchies = hierarchies
        self._owners: dict[tuple[int, int], int] = {}
        self._children: dict[int, _Child] = {}
        self._spares: list[_Child] = []
        self._left = dict.fromkeys(cgroups.stale(hierarchies), 0)
        """Groups that are to be removed, and how often that has failed."""
        self._count = 0
        self._network = False
        """Whether the last sandbox that was asked for, and so presumably the next, has this machine's network."""

    def serve(self) -> None:
        """Until the host process ends or closes the socket."""
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        for descriptor in (self._host.fileno(), self._host_process, wake):
            poll.register(descriptor, select.POLLIN)
        while True:
            idle = not (self._left or len(self._spares) < SPARES)
            events = {descriptor for descriptor, _ in poll.poll(None if idle else _AGAIN_MILLISECONDS)}
            if not events:
                self._remove_groups()
            # Not at once while there is another: what is being started needs the processor now.
            if len(self._spares) < SPARES and not (events and self._spares):
                self._spares.append(self._fork())
            if self._host_process in events:
                return
            if wake in events:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._bury(os.WNOHANG)
            if self._host.fileno() in events and not self._serve_request():
                return

    def _serve_request(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._host, 1 << 20, 8, socket.MSG_CMSG_CLOEXEC)
        if not message:
            return False
        try:
            self._hand_on(message, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _hand_on(self, message: bytes, descriptors: list[int]) -> None:
        """Give a request to a spare, with a user namespace for each owner whose files it shows."""
        try:
            request = json.loads(message)
            owners = [self._owner(uid, gid) for uid, gid in request["owners"]]
        except OSError as error:
            _refuse(descriptors[0], str(error))
            return
        self._network = request["network"]
        while True:
            spare = self._spares.pop(0) if self._spares else self._fork()
            if spare.network != self._network:
                spare.control.close()  # it ends
                continue
            try:
                socket.send_fds(spare.control, [message], [*descriptors, *owners])
            except OSError:
                continue  # it has died
            finally:
                spare.control.close()
            return

    def _owner(self, uid: int, gid: int) -> int:
        if (uid, gid) not in self._owners:
            self._owners[uid, gid] = preparation.user_namespace(uid, gid)
        return self._owners[uid, gid]

    def _fork(self) -> _Child:
        self._count += 1
        group = cgroups.group_name(os.getpid(), self._count)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                ours.close()
                preparation.become_sandbox(theirs, parent, self._hierarchies, group, self._network)
            finally:
                os._exit(1)
        theirs.close()
        child = self._children[pid] = _Child(pid, ours, group, self._network)
        return child

    def _bury(self, flags: int) -> None:
        while self._children:
            try:
                pid, _ = os.waitpid(-1, flags)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                child.control.close()
                if child in self._spares:
                    self._spares.remove(child)
                self._left[child.group] = 0
        self._remove_groups()

    def _remove_groups(self) -> None:
        for group, tries in list(self._left.items()):
            self._left[group] = tries + 1
            if cgroups.remove(self._hierarchies, group) or tries >= _TRIES:
                del self._left[group]

    def end(self) -> None:
        """Kill and bury all children."""
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._bury(0)
        while self._left:
            time.sleep(_AGAIN_MILLISECONDS / 1000)
            self._remove_groups()


def _refuse(control: int, reason: str) -> None:
    with socket.socket(fileno=os.dup(control)) as channel, contextlib.suppress(OSError):
        channel.send(json.dumps({"error": reason, "kind": "OSError"}).encode())


def main() -> None:
    """Serve on the socket whose number is the first argument, for the process whose number is the second."""
    host = socket.socket(fileno=int(sys.argv[1]))
    host.set_inheritable(False)
    try:
        host_process = os.pidfd_open(int(sys.argv[2]))
    except ProcessLookupError:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel.adopt_orphans()
    settings: dict[str, Any] = json.loads(host.recv(1 << 16))
    try:
        hierarchies = cgroups.usable()
        overlay = preparation.enter_stage(settings["etc"])
    except OSError as error:
        host.send(json.dumps({"error": str(error)}).encode())
        return
    controllers = [name for hierarchy in hierarchies for name in hierarchy.controllers]
    host.send(json.dumps({"controllers": controllers, "overlay": overlay}).encode())
    gc.disable()  # a collection in a child would copy most of this process's memory
    launcher = _Launcher(host, host_process, hierarchies)
    try:
        launcher.serve()
    finally:
        launcher.end()
