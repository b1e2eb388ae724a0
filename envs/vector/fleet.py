"""Workers with deadlines: one that is late or dead is replaced, and its command is answered with the reason."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from turnwise.envs.vector.backends import Backend
from turnwise.envs.vector.host import Answer, Command, EnvFn

STARTUP_SECONDS = 60.0
"""Added to the deadline of a new worker's first command, which also makes the environment."""


class Fleet:
    """A backend's workers, each with at most one command under way.

    Args:
        backend: Where they run.
        env_fns: What makes the environments.
        replacement: From the index of a worker that was lost to what makes its environment anew.
        timeout: Seconds that a command may take, or None.
    """

    def __init__(
        self,
        backend: Backend,
        env_fns: Sequence[EnvFn],
        replacement: Callable[[int], EnvFn],
        timeout: float | None,
    ) -> None:
        self._backend = backend
        self._replacement = replacement
        self._timeout = math.inf if timeout is None else timeout
        self._deadlines: dict[int, float] = {}
        self._new = set(range(len(env_fns)))
        for index, env_fn in enumerate(env_fns):
            backend.start(index, env_fn)

    def is_busy(self, index: int) -> bool:
        """Whether a command of this worker has not been answered."""
        return index in self._deadlines

    @property
    def has_work(self) -> bool:
        """Whether any command has not been answered."""
        return bool(self._deadlines)

    def post(self, index: int, command: Command) -> None:
        """Hand over a command to a worker that is not busy."""
        seconds = self._timeout + (STARTUP_SECONDS if index in self._new else 0.0)
        self._backend.post(index, command)
        self._new.discard(index)
        self._deadlines[index] = time.monotonic() + seconds

    def wait(self, timeout: float | None = None) -> dict[int, Answer]:
        """All answers that are there, as soon as there is one; none when `timeout` (seconds) is over."""
        until = math.inf if timeout is None else time.monotonic() + timeout
        while self._deadlines:
            earliest = min(until, *self._deadlines.values())
            seconds = None if earliest == math.inf else max(0.0, earliest - time.monotonic())
            answers = dict(self._backend.wait(seconds))
            now = time.monotonic()
            late = [i for i, deadline in self._deadlines.items() if deadline <= now and i not in answers]
            answers.update({i: Answer(lost="timeout") for i in late})
            for index, answer in answers.items():
                del self._deadlines[index]
                if answer.lost:
                    self._backend.start(index, self._replacement(index))
                    self._new.add(index)
            if answers or now >= until:
                return answers
        return {}

    def close(self) -> None:
        """End all workers."""
        self._backend.close()
