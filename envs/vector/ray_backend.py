"""One Ray actor for each environment: the same code on one machine or on many."""

from __future__ import annotations

import pickle
from typing import Any

from turnwise.envs.vector.host import CLOSE_SECONDS, LOST, Answer, Command, EnvFn, Host, pickled


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError("backend='ray' needs Ray, which is not installed: pip install ray") from error
    return ray


class _Actor:
    """A `Host` whose answers are bytes, so that errors arrive as they do from a process."""

    def __init__(self, env_fn: EnvFn) -> None:
        self._host = Host(env_fn)

    def answer(self, command: Command) -> bytes:
        return pickled(self._host.answer(command))


class RayBackend:
    """See `turnwise.envs.vector.backends.Backend`. Starts a local Ray where `ray.init` has not been called."""

    can_replace = True

    def __init__(self) -> None:
        self._ray = _import_ray()
        self._make = self._ray.remote(_Actor)
        self._workers: dict[int, Any] = {}
        self._waiting: dict[Any, int] = {}

    def start(self, index: int, env_fn: EnvFn) -> None:
        """See `Backend`."""
        if index in self._workers:
            self._ray.kill(self._workers[index])
            self._waiting = {reference: i for reference, i in self._waiting.items() if i != index}
        # Environments wait more than they compute: a share of a core keeps the placement from stalling.
        self._workers[index] = self._make.options(num_cpus=0.01).remote(env_fn)

    def post(self, index: int, command: Command) -> None:
        """See `Backend`."""
        self._waiting[self._workers[index].answer.remote(command)] = index

    def wait(self, timeout: float | None) -> list[tuple[int, Answer]]:
        """See `Backend`."""
        references = list(self._waiting)
        self._ray.wait(references, num_returns=1, timeout=timeout)
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [(self._waiting.pop(reference), _receive(self._ray, reference)) for reference in ready]

    def close(self) -> None:
        """See `Backend`."""
        if not self._ray.is_initialized():
            return
        closing = [worker.answer.remote(Command("close")) for worker in self._workers.values()]
        self._ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
        for worker in self._workers.values():
            self._ray.kill(worker)


def _receive(ray: Any, reference: Any) -> Answer:
    try:
        answer: Answer = pickle.loads(ray.get(reference))
    except ray.exceptions.RayError:
        return LOST
    return answer
