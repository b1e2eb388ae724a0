"""`SandboxPool`: clean sandboxes that are open before they are asked for."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType

from turnwise.sandboxes.base import Sandbox, Spec
from turnwise.sandboxes.errors import SandboxClosedError, SandboxError
from turnwise.sandboxes.shell_sandbox import ShellSandbox

_pools: weakref.WeakSet[SandboxPool] = weakref.WeakSet()


class SandboxPool:
    """Keeps clean sandboxes of one `Spec` ready, and opens new ones in the background. Safe for use by several threads.

    A used sandbox never comes back: whether a command left something behind (a file that cannot be deleted, a process
    in a state that cannot be ended, a kernel object) is the very thing that an isolated sandbox leaves nobody to ask,
    and a new one costs the taker nothing. Close what you take yourself.

    Args:
        spec: What the sandboxes are.
        open: Opens one, for example `opening.opener("auto", spec)`.
        size: How many are kept ready. There are never more than that, and one that is being opened.

    Raises:
        ValueError: `size` is below 1.

    >>> from turnwise.sandboxes.fake import FakeSandbox
    >>> with SandboxPool(Spec(), FakeSandbox, size=2) as pool:
    ...     with pool.take() as first, pool.take() as second:
    ...         first is second
    False
    """

    def __init__(self, spec: Spec, open: Callable[[Spec], Sandbox], size: int = 2) -> None:
        if size < 1:
            raise ValueError(f"a pool's size must be at least 1, got {size}")
        self.spec = spec
        self.size = size
        self._open = open
        self._error: BaseException | None = None
        self._filler: threading.Thread
        self._begin()
        _pools.add(self)

    @property
    def ready(self) -> int:
        """How many could be taken at once now."""
        return len(self._spares)

    def take(self) -> Sandbox:
        """A clean sandbox, which now is yours to close; where none is ready, it is opened here.

        Raises:
            SandboxClosedError: The pool is closed.
            SandboxError: None can be opened, here or in the background.
        """
        if os.getpid() != self._pid:
            self._begin()  # a fork: the spares are the other process's
        while True:
            with self._changed:
                if self._closed:
                    raise SandboxClosedError("this pool of sandboxes is closed")
                sandbox = self._spares.popleft() if self._spares else None
                error = None
                if sandbox is None:
                    error, self._error = self._error, None
                self._changed.notify_all()
            if sandbox is None:
                if error is not None:
                    raise error
                return self._open(self.spec)
            if _lives(sandbox):
                return sandbox

    def fork(self, sandbox: Sandbox) -> Sandbox:
        """What `sandbox.fork()` gives, by way of one that is ready.

        Args:
            sandbox: One of the same backend and `Spec` as the pool's.

        Raises:
            SandboxError: Either failed.
        """
        files = sandbox.snapshot()
        twin = self.take()
        try:
            twin.restore(files)
        except BaseException:
            twin.close()
            raise
        return twin

    def close(self) -> None:
        """Close the spares and open no more. What was taken stays open. May be called again."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._filler.join()
        while self._spares:
            self._spares.popleft().close()

    def __enter__(self) -> SandboxPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._spares: deque[Sandbox] = deque()
        self._error = None
        self._closed = False
        self._filler = threading.Thread(target=self._fill, name="turnwise-sandbox-pool", daemon=True)
        self._filler.start()

    def _fill(self) -> None:
        """Open one after the other for as long as there are too few. After an error, wait for it to be told."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or (len(self._spares) < self.size and self._error is None))
                if self._closed:
                    return
            try:
                sandbox = self._open(self.spec)
            except Exception as error:  # whatever it is, `take` raises it
                with self._changed:
                    self._error = error
                continue
            with self._changed:
                self._spares.append(sandbox)


def _lives(sandbox: Sandbox) -> bool:
    """Whether a spare can still be used: its container may have gone while it waited."""
    if not isinstance(sandbox, ShellSandbox):
        return True
    try:
        sandbox.check()
    except SandboxError:
        sandbox.close()
        return False
    return True


@atexit.register
def _close_all() -> None:
    for pool in list(_pools):
        pool.close()
