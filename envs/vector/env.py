"""`TurnVectorEnv`: environments side by side, in lockstep or each at its own pace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from turnwise.envs.spaces import Utterance
from turnwise.envs.vector.backends import open_backend
from turnwise.envs.vector.fleet import Fleet
from turnwise.envs.vector.groups import EnvWrapper, Member, members
from turnwise.envs.vector.host import LOST, Answer, Command, EnvFn, RemoteError
from turnwise.envs.vector.infos import batch_infos, lost_info
from turnwise.envs.vector.options import split_options


@dataclass(frozen=True, slots=True)
class Reply:
    """What one environment answered to `send` or `send_reset`; after a reset the reward is 0."""

    index: int
    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


class TurnVectorEnv(VectorEnv[Any, Any, Any]):
    """Environments side by side, with two ways to drive them.

    In lockstep, as Gymnasium has it: `reset` and `step` for all at once, in all three autoreset modes. Texts are
    batched as a tuple of strings, infos as arrays with masks.

    As a ready set, for rollouts with a language model: `send_reset` and `send` hand one environment its next move,
    `recv` returns those that have answered. A slow or dead environment delays only itself; nothing is reset unasked.

    An environment that takes longer than `step_timeout` ends its episode: `truncated` is True, the reward 0, the
    observation the last one, and `info["stop_reason"]` is `timeout`; with one that dies it is `environment_fault`.
    Its worker is replaced, and the next reset goes on with the group's next episode. An exception that an
    environment raises is raised here (from a process, with its traceback there).

    Args:
        env_fns: One function for each environment.
        group_size: Consecutive environments that share task and initial state, in every episode; divides the number.
            With groups the seed of the group's first environment counts. Every `info` has the `group_id`.
        backend: `sync` (this thread), `thread`, `process` or `ray`.
        wrappers: Put on each environment, in this order.
        autoreset_mode: When `step` resets an environment that has ended.
        step_timeout: Seconds that an environment may take to answer. Not with `sync`, which cannot interrupt.

    Raises:
        ValueError: An argument is out of its range; the message names it.
    """

    def __init__(
        self,
        env_fns: Sequence[EnvFn],
        *,
        group_size: int = 1,
        backend: str = "sync",
        wrappers: Sequence[EnvWrapper] = (),
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        step_timeout: float | None = None,
    ) -> None:
        if not env_fns:
            raise ValueError("env_fns must hold at least one function, got none")
        if step_timeout is not None and step_timeout <= 0:
            raise ValueError(f"step_timeout must be positive seconds or None, got {step_timeout}")
        if step_timeout is not None and backend == "sync":
            raise ValueError("step_timeout needs a backend that can interrupt: thread, process or ray, got 'sync'")
        self.num_envs = len(env_fns)
        self.group_size = group_size
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self._members: list[Member] = members(env_fns, wrappers, group_size)
        # Answers that have come and were not asked for yet.
        self._answers: dict[int, Answer] = {}
        # Ended: the episode is over. Down: its worker has been replaced since, so there is nothing to step.
        self._ended = np.zeros(self.num_envs, np.bool_)
        self._down = np.zeros(self.num_envs, np.bool_)
        self._infos: list[dict[str, Any]] = [{} for _ in env_fns]
        self._fleet = Fleet(open_backend(backend), self._members, self._replacement, step_timeout)
        try:
            self._describe()
        except BaseException:
            self.close()
            raise

    def _replacement(self, index: int) -> Member:
        return self._members[index].replacement()

    def _describe(self) -> None:
        descriptions = self.call_each("describe", [()] * self.num_envs)
        self.single_observation_space, self.single_action_space, metadata, self.render_mode = descriptions[0]
        for index, (observation_space, action_space, _, _) in enumerate(descriptions):
            if (observation_space, action_space) != (self.single_observation_space, self.single_action_space):
                raise ValueError(f"environment {index} has other spaces than environment 0; all must be the same")
        self.metadata = {**metadata, "autoreset_mode": self.autoreset_mode}
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        empty = create_empty_array(self.single_observation_space, n=1, fn=np.zeros)
        self._blank = next(iter(iterate(batch_space(self.single_observation_space, 1), empty)))
        self._observations: list[Any] = [self._blank] * self.num_envs

    # Lockstep

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every environment. Replies still under way are waited for and dropped.

        Args:
            seed: The i-th environment gets `seed + i`, or the i-th of a list; a group, that of its first member.
            options: `task_id` for all, or `task_ids`, one (or None) for each; `reset_mask`, booleans of shape
                (num_envs,), resets only some; the rest goes to the environments.

        Returns:
            The observations and the infos.

        Raises:
            ValueError: A length does not match, or the members of a group would get different tasks.
        """
        while self._fleet.has_work:
            self._fleet.wait()
        self._answers.clear()
        seeds = self._group_seeds(seed)
        each, chosen = split_options(options, self.num_envs, self.group_size)
        for index in chosen:
            self._post_reset(index, seeds[index], each[index])
        infos: list[dict[str, Any] | None] = [None] * self.num_envs
        for reply in self._replies(chosen):
            infos[reply.index] = reply.info
        return self._batched_observations(), batch_infos(infos)

    def step(self, actions: Iterable[Any]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take one turn in every environment.

        Args:
            actions: One for each environment: texts, `ToolCall`s or lists of them, or what the wrappers take.

        Returns:
            observations, rewards (num_envs,) float64, terminations and truncations (num_envs,) bool, infos.

        Raises:
            ResetNeeded: An environment has ended and the autoreset mode is DISABLED.
            ValueError: There are more or fewer actions than environments.
        """
        each = self._split_actions(actions)
        self._require_idle(range(self.num_envs))
        if self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any():
            ended = np.flatnonzero(self._ended).tolist()
            raise ResetNeeded(f"environments {ended} have ended: reset them with options={{'reset_mask': ...}}")
        for index, action in enumerate(each):
            if self.autoreset_mode is AutoresetMode.NEXT_STEP and self._ended[index]:
                self._post_reset(index, None, None)
            else:
                self.send(index, action)
        replies = self._replies(range(self.num_envs))
        infos = [reply.info for reply in replies]
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            finals = [reply for reply in replies if reply.terminated or reply.truncated]
            for reply in finals:
                self._post_reset(reply.index, None, None)
            for final, first in zip(finals, self._replies([final.index for final in finals]), strict=True):
                infos[final.index] = {"final_obs": final.observation, "final_info": final.info, **first.info}
        return (
            self._batched_observations(),
            np.array([reply.reward for reply in replies], np.float64),
            np.array([reply.terminated for reply in replies], np.bool_),
            np.array([reply.truncated for reply in replies], np.bool_),
            batch_infos(infos),
        )

    # Ready set

    def send_reset(self, index: int, *, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode in one environment; `recv` returns its reply.

        Args:
            index: Which environment.
            seed: Its group's seed: give every member the same. Without one, the group's next episode begins.
            options: For the environment, for example `{"task_id": ...}`.
        """
        self._require_idle([index])
        self._post_reset(index, seed, options)

    def send(self, index: int, action: Any) -> None:
        """Take one turn in one environment; `recv` returns its reply.

        Raises:
            RuntimeError: Its last reply has not been received.
        """
        self._require_idle([index])
        if self._down[index]:
            self._answers[index] = LOST
        else:
            self._fleet.post(index, Command("step", (action,)))

    def recv(self, timeout: float | None = None) -> list[Reply]:
        """The replies of all environments that have answered, as soon as there is one, in the order of the indices.

        Args:
            timeout: Seconds to wait at most; the list is empty when they are over.

        Raises:
            RuntimeError: Nothing was sent.
        """
        if not self._answers and not self._fleet.has_work:
            raise RuntimeError("there is nothing to receive: send() or send_reset() first")
        self._answers.update(self._fleet.wait(0 if self._answers else timeout))
        # An exception is raised alone, so that the other replies can be received after it.
        failed = [index for index, answer in self._answers.items() if answer.error]
        return self._replies(failed[:1] or sorted(self._answers))

    def call_one(self, index: int, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method, or read an attribute, of one environment or its wrappers. A generator comes as a list.

        Raises:
            RuntimeError: Its last reply has not been received, or its worker was lost.
        """
        self._require_idle([index])
        self._fleet.post(index, Command("call", (name, *args), kwargs))
        return self._values([index])[0]

    # The rest of Gymnasium's interface

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """`call_one` on every environment."""
        return self.call_each("call", [(name, *args)] * self.num_envs, kwargs)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of every environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute in every environment: to the values of a list or tuple, one each, or all to one value."""
        each = values if isinstance(values, (list, tuple)) else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(f"values must be {self.num_envs}, one for each environment, got {len(each)}")
        self.call_each("set_attr", [(name, value) for value in each])

    def render(self) -> tuple[Any, ...]:
        """What every environment renders."""
        return self.call("render")

    def call_each(self, command: str, arguments: Sequence[tuple[Any, ...]], kwargs: Any = None) -> tuple[Any, ...]:
        """Have every worker carry out a command of `Host`, and return the values."""
        self._require_idle(range(self.num_envs))
        for index, args in enumerate(arguments):
            self._fleet.post(index, Command(command, args, kwargs or {}))
        return tuple(self._values(range(self.num_envs)))

    def close_extras(self, **kwargs: Any) -> None:
        """End all workers. Called by `close`, once."""
        if hasattr(self, "_fleet"):
            self._fleet.close()

    # Inside

    def _require_idle(self, indices: Iterable[int]) -> None:
        if self.closed:
            raise ClosedEnvironmentError("the vector environment is closed")
        for index in indices:
            if not 0 <= index < self.num_envs:
                raise IndexError(f"index must be from 0 to {self.num_envs - 1}, got {index}")
            if self._fleet.is_busy(index) or index in self._answers:
                raise RuntimeError(f"environment {index} has a reply under way: recv() it first")

    def _post_reset(self, index: int, seed: int | None, options: dict[str, Any] | None) -> None:
        member = self._members[index]
        self._fleet.post(index, Command("reset", (None if seed is None else seed + member.position, options)))
        self._members[index] = member.after_reset(seed)
        self._down[index] = False
        self._infos[index], self._observations[index] = {}, self._blank

    def _collect(self, indices: Sequence[int]) -> list[Answer]:
        """Wait for these environments; the first exception among them is raised when all have answered."""
        while any(self._fleet.is_busy(index) for index in indices):
            self._answers.update(self._fleet.wait())
        answers = [self._answers.pop(index) for index in indices]
        for answer in answers:
            if answer.error is not None:
                raise answer.error from (RemoteError(answer.trace) if answer.trace else None)
        return answers

    def _replies(self, indices: Sequence[int]) -> list[Reply]:
        return [self._reply(index, answer) for index, answer in zip(indices, self._collect(indices), strict=True)]

    def _reply(self, index: int, answer: Answer) -> Reply:
        if answer.lost:
            self._ended[index] = self._down[index] = True
            info = lost_info(self._infos[index], answer.lost, self._members[index].group_id)
            return Reply(index, self._observations[index], 0.0, False, True, info)
        observation, reward, terminated, truncated, info = answer.value
        self._observations[index], self._infos[index] = observation, info
        self._ended[index] = terminated or truncated
        return Reply(index, observation, float(reward), bool(terminated), bool(truncated), info)

    def _values(self, indices: Sequence[int]) -> list[Any]:
        answers = self._collect(indices)
        for index, answer in zip(indices, answers, strict=True):
            if answer.lost:
                self._ended[index] = self._down[index] = True
                raise RuntimeError(f"environment {index} did not answer a call: {answer.lost}")
        return [answer.value for answer in answers]

    def _group_seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None or isinstance(seed, (int, np.integer)):
            each = [None if seed is None else int(seed) + index for index in range(self.num_envs)]
        else:
            each = [None if one is None else int(one) for one in seed]
        if len(each) != self.num_envs:
            raise ValueError(f"seed must be an int or a list of {self.num_envs}, got a list of {len(each)}")
        return [each[index - index % self.group_size] for index in range(self.num_envs)]

    def _split_actions(self, actions: Any) -> list[Any]:
        if isinstance(actions, str):
            raise TypeError(f"actions must be a sequence of {self.num_envs} actions, got one str")
        each = list(actions) if self._takes_text else list(iterate(self.action_space, actions))
        if len(each) != self.num_envs:
            raise ValueError(f"actions must be {self.num_envs}, one for each environment, got {len(each)}")
        return each

    @property
    def _takes_text(self) -> bool:
        return isinstance(self.single_action_space, Utterance)

    def _batched_observations(self) -> Any:
        out: Any = create_empty_array(self.single_observation_space, n=self.num_envs, fn=np.zeros)
        return concatenate(self.single_observation_space, self._observations, out)
