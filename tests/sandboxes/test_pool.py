from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest
from docker_here import container_id, eventually, need_docker, own_containers

from turnwise.sandboxes.base import Sandbox, Spec
from turnwise.sandboxes.docker_backend import DockerSandbox
from turnwise.sandboxes.errors import SandboxClosedError, SandboxError, SandboxUnavailableError
from turnwise.sandboxes.fake import FakeSandbox
from turnwise.sandboxes.pool import SandboxPool


class Opener:
    """Opens fakes, and keeps count."""

    def __init__(self, before: Callable[[int], None] = lambda number: None) -> None:
        self.opened: list[FakeSandbox] = []
        self._before = before
        self._lock = threading.Lock()
        self._asked = 0

    def __call__(self, spec: Spec) -> Sandbox:
        with self._lock:
            self._asked += 1
            number = self._asked
        self._before(number)
        sandbox = FakeSandbox(spec)
        self.opened.append(sandbox)
        return sandbox

    @property
    def alive(self) -> int:
        return sum(not sandbox._closed for sandbox in self.opened)


def test_keeps_as_many_ready_as_it_was_told_and_never_more() -> None:
    opener = Opener()
    with SandboxPool(Spec(), opener, size=3) as pool:
        assert eventually(lambda: pool.ready == 3)
        time.sleep(0.05)
        assert len(opener.opened) == 3
        taken = [pool.take() for _ in range(5)]
        assert len({id(sandbox) for sandbox in taken}) == 5
        assert eventually(lambda: pool.ready == 3)
    assert opener.alive == 5, "what was taken stays open"


def test_used_sandbox_never_comes_back() -> None:
    with SandboxPool(Spec(), Opener(), size=1) as pool:
        seen = []
        for _ in range(20):
            with pool.take() as sandbox:
                with pytest.raises(FileNotFoundError):
                    sandbox.read("used")
                sandbox.write("used", b"")
                seen.append(sandbox)
        assert len({id(sandbox) for sandbox in seen}) == 20


def test_empty_pool_opens_here_and_does_not_wait_for_the_background() -> None:
    gate = threading.Event()

    def first_waits(number: int) -> None:
        if number == 1:
            gate.wait(30)

    with SandboxPool(Spec(), Opener(first_waits), size=1) as pool:
        assert pool.ready == 0
        assert isinstance(pool.take(), FakeSandbox)
        gate.set()


def test_error_of_the_background_is_raised_at_take_and_then_it_tries_again() -> None:
    def second_fails(number: int) -> None:
        if number == 2:
            raise SandboxUnavailableError("the daemon went away")

    with SandboxPool(Spec(), Opener(second_fails), size=2) as pool:
        assert eventually(lambda: pool._error is not None)
        assert isinstance(pool.take(), FakeSandbox), "there was one"
        with pytest.raises(SandboxUnavailableError, match="went away"):
            pool.take()
        assert eventually(lambda: pool.ready == 2)


def test_lasting_error_is_raised_at_every_take() -> None:
    def fails(number: int) -> None:
        raise SandboxUnavailableError("never")

    with SandboxPool(Spec(), Opener(fails), size=2) as pool:
        for _ in range(5):
            with pytest.raises(SandboxUnavailableError):
                pool.take()


def test_close_closes_the_spares_even_the_one_that_is_on_its_way() -> None:
    gate = threading.Event()
    opener = Opener(lambda number: number == 2 and gate.wait(30) and None)
    pool = SandboxPool(Spec(), opener, size=2)
    assert eventually(lambda: pool.ready == 1)
    closing = threading.Thread(target=pool.close)
    closing.start()
    gate.set()
    closing.join(30)
    assert opener.alive == 0
    with pytest.raises(SandboxClosedError):
        pool.take()
    pool.close()
    assert "turnwise-sandbox-pool" not in {thread.name for thread in threading.enumerate()}


def test_many_threads_take() -> None:
    opener = Opener()
    taken: list[Sandbox] = []
    with SandboxPool(Spec(), opener, size=3) as pool:
        threads = [threading.Thread(target=lambda: taken.extend(pool.take() for _ in range(20))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({id(sandbox) for sandbox in taken}) == 160


def test_size_must_make_sense() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        SandboxPool(Spec(), FakeSandbox, size=0)


def test_pool_after_a_fork_of_the_process_opens_its_own() -> None:
    with SandboxPool(Spec(), Opener(), size=2) as pool:
        assert eventually(lambda: pool.ready == 2)
        theirs = list(pool._spares)
        child = os.fork()
        if child == 0:  # pragma: no cover
            code = 1
            try:
                code = 0 if pool.take() not in theirs else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert pool.take() is theirs[0]


def test_docker_sandboxes_in_a_pool() -> None:
    api = need_docker()
    with SandboxPool(Spec(), DockerSandbox, size=2) as pool:
        assert eventually(lambda: pool.ready == 2)
        assert isinstance(pool._spares[0], DockerSandbox)
        api.kill(container_id(pool._spares[0]))
        with pool.take() as sandbox:
            assert sandbox.run("echo alive").stdout == "alive\n", "the dead one was passed over"
            sandbox.write("a", b"a")
            with pool.fork(sandbox) as twin:
                assert twin.read("a") == b"a" and twin.digest() == sandbox.digest()
                twin.write("a", b"b")
            assert sandbox.read("a") == b"a"
    assert eventually(lambda: own_containers(api) == [])


def test_fork_that_fails_leaves_nothing_open() -> None:
    opener = Opener()
    with SandboxPool(Spec(), opener, size=1) as pool:
        sandbox = pool.take()
        sandbox.close()
        with pytest.raises(SandboxError):
            pool.fork(sandbox)
    assert opener.alive == 0
