"""One environment and the commands it obeys: the part that is the same in a loop, a thread, a process and an actor."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import gymnasium as gym

EnvFn: TypeAlias = Callable[[], "gym.Env[Any, Any]"]


class Command(NamedTuple):
    """A method of `Host` and its arguments."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - never written to


class Answer(NamedTuple):
    """What became of a command: a value, an exception of the environment's own, or nothing.

    Attributes:
        value: What the method returned.
        error: What it raised.
        trace: The traceback of `error` as text, where it was raised in another process.
        lost: The stop reason, where no answer came: `timeout` or `environment_fault`.
    """

    value: Any = None
    error: BaseException | None = None
    trace: str = ""
    lost: str = ""


CLOSE_SECONDS = 5.0
"""How long a worker may take to close its environment before it is killed (a thread: left behind)."""

LOST = Answer(lost="environment_fault")


class RemoteError(Exception):
    """The cause of an exception that was raised in another process: its traceback there, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class Host:
    """Makes an environment when first asked for it, and carries out commands on it."""

    def __init__(self, env_fn: EnvFn) -> None:
        self._env_fn = env_fn
        self._env: gym.Env[Any, Any] | None = None

    @property
    def env(self) -> gym.Env[Any, Any]:
        """The environment."""
        if self._env is None:
            self._env = self._env_fn()
        return self._env

    def answer(self, command: Command) -> Answer:
        """Carry out a command. An exception of the environment becomes part of the answer."""
        try:
            return Answer(getattr(self, command.name)(*command.args, **command.kwargs))
        except Exception as error:
            return Answer(error=error)

    def describe(self) -> tuple[gym.Space[Any], gym.Space[Any], dict[str, Any], str | None]:
        """The observation space, the action space, the metadata and the render mode."""
        env = self.env
        return env.observation_space, env.action_space, dict(env.metadata), env.render_mode

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Begin an episode; the result has the form of a step's."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, 0.0, False, False, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one turn."""
        return self.env.step(action)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method, or read an attribute, of the environment or any of its wrappers; a generator is listed."""
        attribute = self.env.get_wrapper_attr(name)
        value = attribute(*args, **kwargs) if callable(attribute) else attribute
        return list(value) if isinstance(value, Iterator) else value

    def set_attr(self, name: str, value: Any) -> None:
        """Set an attribute of the environment or of the wrapper that has it."""
        self.env.set_wrapper_attr(name, value)

    def close(self) -> None:
        """Close the environment, if one was made."""
        if self._env is not None:
            self._env.close()


def serve(env_fn: EnvFn, receive: Callable[[], Command | None], send: Callable[[Answer], None]) -> None:
    """Answer commands until None arrives, then close the environment."""
    host = Host(env_fn)
    try:
        while (command := receive()) is not None:
            send(host.answer(command))
    finally:
        host.close()


def pickled(answer: Answer) -> bytes:
    """An answer as bytes. What cannot be pickled arrives as an error that says so."""
    if answer.error is not None:
        trace = "".join(traceback.format_exception(answer.error))
        answer = Answer(error=_portable(answer.error), trace=trace)
    try:
        return pickle.dumps(answer)
    except Exception as error:  # __reduce__ is the environment's own code and may raise anything
        return pickle.dumps(Answer(error=TypeError(f"the environment's answer cannot be pickled: {error}")))


def _portable(error: BaseException) -> BaseException:
    """The exception itself where it survives pickling, else one with the same words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an exception whose __init__ takes other arguments fails in ways of its own
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
