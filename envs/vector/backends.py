"""Where environments run: in this thread, in one thread each, or in one process each."""

from __future__ import annotations

import multiprocessing
import pickle
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import cloudpickle  # type: ignore[import-untyped]

from turnwise.envs.vector.host import CLOSE_SECONDS, LOST, Answer, Command, EnvFn, Host, pickled, serve


class Backend(Protocol):
    """Workers by index, each with one environment and at most one command under way."""

    can_replace: bool
    """Whether a worker that hangs can be taken away from its environment."""

    def start(self, index: int, env_fn: EnvFn) -> None:
        """Give an index a new worker; the old one, if any, is discarded with whatever it was doing."""

    def post(self, index: int, command: Command) -> None:
        """Hand over a command. Returns before the answer is there, where the backend can."""

    def wait(self, timeout: float | None) -> list[tuple[int, Answer]]:
        """All answers that are there, as soon as there is one; none when the time (seconds) is over."""

    def close(self) -> None:
        """End all workers and close their environments."""


class SyncBackend:
    """Commands are carried out at once, in the caller's thread."""

    can_replace = False

    def __init__(self) -> None:
        self._hosts: dict[int, Host] = {}
        self._answers: list[tuple[int, Answer]] = []

    def start(self, index: int, env_fn: EnvFn) -> None:
        """See `Backend`."""
        self._hosts[index] = Host(env_fn)

    def post(self, index: int, command: Command) -> None:
        """See `Backend`."""
        self._answers.append((index, self._hosts[index].answer(command)))

    def wait(self, timeout: float | None) -> list[tuple[int, Answer]]:
        """See `Backend`."""
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """See `Backend`."""
        for host in self._hosts.values():
            host.close()


class ThreadBackend:
    """One thread each: for environments that wait (a container, a browser, a server) more than they compute.

    A thread cannot be killed. One that hangs is left behind and closes its environment if it ever comes back.
    """

    can_replace = True

    def __init__(self) -> None:
        self._workers: dict[int, tuple[threading.Thread, queue.SimpleQueue[Command | None]]] = {}
        self._answers: queue.SimpleQueue[tuple[int, object, Answer]] = queue.SimpleQueue()

    def start(self, index: int, env_fn: EnvFn) -> None:
        """See `Backend`."""
        if index in self._workers:
            self._workers[index][1].put(None)
        inbox: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        arguments = (env_fn, inbox, lambda answer: self._answers.put((index, inbox, answer)))
        thread = threading.Thread(target=_serve_thread, args=arguments, name=f"turnwise-env-{index}", daemon=True)
        self._workers[index] = (thread, inbox)
        thread.start()

    def post(self, index: int, command: Command) -> None:
        """See `Backend`."""
        self._workers[index][1].put(command)

    def wait(self, timeout: float | None) -> list[tuple[int, Answer]]:
        """See `Backend`."""
        answers = []
        try:
            answers.append(self._answers.get(timeout=timeout))
            while True:
                answers.append(self._answers.get_nowait())
        except queue.Empty:
            # The answers of a thread that has been replaced come too late.
            return [(index, answer) for index, inbox, answer in answers if inbox is self._workers[index][1]]

    def close(self) -> None:
        """See `Backend`."""
        for _, inbox in self._workers.values():
            inbox.put(None)
        for thread, _ in self._workers.values():
            thread.join(CLOSE_SECONDS)


def _serve_thread(env_fn: EnvFn, inbox: queue.SimpleQueue[Command | None], send: Callable[[Answer], None]) -> None:
    try:
        serve(env_fn, inbox.get, send)
    except BaseException:  # sys.exit() in an environment ends its worker, as it does in a process
        send(LOST)


class ProcessBackend:
    """One process each, started with `spawn`: safe beside threads and CUDA, and nothing of the parent is inherited.

    As always with `spawn`, a script that uses this needs an `if __name__ == "__main__":` guard.
    """

    can_replace = True

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, tuple[Any, Connection]] = {}
        self._waiting: dict[Any, int] = {}
        self._lost: list[tuple[int, Answer]] = []

    def start(self, index: int, env_fn: EnvFn) -> None:
        """See `Backend`."""
        if index in self._workers:
            self._discard(index)
        ours, theirs = self._context.Pipe()
        arguments = (theirs, cloudpickle.dumps(env_fn))
        process = self._context.Process(
            target=_serve_process, args=arguments, name=f"turnwise-env-{index}", daemon=True
        )
        process.start()
        theirs.close()
        self._workers[index] = (process, ours)

    def post(self, index: int, command: Command) -> None:
        """See `Backend`."""
        message = pickle.dumps(command)
        connection = self._workers[index][1]
        try:
            connection.send_bytes(message)
            self._waiting[connection] = index
        except OSError:
            self._lost.append((index, LOST))

    def wait(self, timeout: float | None) -> list[tuple[int, Answer]]:
        """See `Backend`."""
        answers, self._lost = self._lost, []
        for connection in wait(list(self._waiting), 0 if answers else timeout):
            answers.append((self._waiting.pop(connection), _receive(connection)))
        return answers

    def close(self) -> None:
        """See `Backend`."""
        for _, connection in self._workers.values():
            try:
                connection.send_bytes(pickle.dumps(None))
            except OSError:
                continue
        for process, _ in self._workers.values():
            process.join(CLOSE_SECONDS)
        for index in list(self._workers):
            self._discard(index)

    def _discard(self, index: int) -> None:
        process, connection = self._workers.pop(index)
        self._waiting.pop(connection, None)
        connection.close()
        process.kill()
        process.join()
        process.close()


def _receive(connection: Any) -> Answer:
    try:
        answer: Answer = pickle.loads(connection.recv_bytes())
    except (EOFError, OSError):
        return LOST
    return answer


def _serve_process(connection: Connection, payload: bytes) -> None:
    # Ctrl-C reaches the whole terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def receive() -> Command | None:
        try:
            command: Command | None = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return None
        return command

    # Unpickled inside, so that a module that is missing here becomes an answer and not a dead process.
    serve(lambda: cloudpickle.loads(payload)(), receive, lambda answer: connection.send_bytes(pickled(answer)))


def open_backend(name: str) -> Backend:
    """A backend by its name.

    Raises:
        ValueError: There is none of that name.
        ImportError: `ray` was asked for and is not installed.
    """
    if name == "ray":
        from turnwise.envs.vector.ray_backend import RayBackend

        return RayBackend()
    backends: dict[str, Callable[[], Backend]] = {
        "sync": SyncBackend, "thread": ThreadBackend, "process": ProcessBackend,
    }  # fmt: skip
    if name not in backends:
        raise ValueError(f"backend must be one of {[*backends, 'ray']}, got {name!r}")
    return backends[name]()
