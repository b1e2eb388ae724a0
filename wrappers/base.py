"""The turn and episode clocks: wrappers that pay inside `step`, and wrappers that pay in hindsight.

`TurnWrapper` holds the emission rule, once: what a plain loop sees always sums to `info["turn_rewards"].sum()`. A new
method overrides one or two of its hooks, or hands a function to `TurnRewardWrapper` or `EpisodeRewardWrapper`.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.protocols import EpisodeReward, FloatArray, TurnReward
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.wrappers.needs import instructions_of, milestones_of, require, require_info
from turnwise.wrappers.record import EpisodeRecord


class TurnWrapper(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Records the running episode and pays for its turns.

    Subclasses override:

    * `begin()`: an episode has begun; `self.episode` is new.
    * `pay(turn, info) -> float`: the reward of this turn beside what is paid already, paid at once.
    * `settle(trajectory, rewards) -> (T,)`: at the episode's end, what the turns are worth in hindsight, given what
      has been decided so far. What was not paid before is paid with the last step.

    At the end of an episode `info["turn_rewards"]` holds one number a turn. A wrapper further out starts from there, so
    that stacks add up. An episode that is abandoned by an early `reset` is never settled; put Gymnasium's `TimeLimit`
    inside, where its truncation is seen.

    Args:
        env: A `TurnEnv`, wrapped or not.

    Raises:
        MissingRequirementError: No `TurnEnv` is inside, or it lacks something that `needs` names.
    """

    needs: frozenset[str] = frozenset()
    """What must be there before the first rollout: names of privileged keys, `probe`, `estimator`, `group`, ..."""

    settles: ClassVar[bool] = False
    """Whether `settle` changes what the turns are worth."""

    def __init__(self, env: gym.Env[Any, Any], **given: bool) -> None:
        # Of no effect where a subclass has recorded its own arguments.
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)
        require(type(self).__name__, env, self.needs, **given)
        self.instructions = instructions_of(env)
        self.milestones = milestones_of(env)
        self._episode: EpisodeRecord | None = None
        self._checked = False

    @property
    def episode(self) -> EpisodeRecord:
        """The running episode, or the one that has just ended.

        Raises:
            gymnasium.error.ResetNeeded: None has begun.
        """
        if self._episode is None:
            raise gym.error.ResetNeeded(f"{type(self).__name__}: call reset() before step()")
        return self._episode

    def begin(self) -> None:
        """Forget the last episode. `self.episode` holds the first observation and info of the new one."""

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """What this wrapper adds to the reward of `turn`, now. It may add to `info`."""
        return 0.0

    def settle(self, trajectory: Trajectory, rewards: FloatArray) -> FloatArray:
        """(T,) worth of each turn, given the (T,) worth decided so far. Read only where `settles` is true."""
        return rewards

    def finish(self, trajectory: Trajectory, info: dict[str, Any]) -> None:
        """The episode is over and its rewards are decided. It may add to `info`."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, see the environment's own `reset`."""
        observation, info = self.env.reset(seed=seed, options=options)
        if not self._checked:
            require_info(type(self).__name__, info)
            self._checked = True
        self._episode = EpisodeRecord(observation, info, self.instructions, self.milestones)
        self.begin()
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one turn and pay for it."""
        episode = self.episode
        observation, reward, terminated, truncated, info = result = self.env.step(action)
        turn = episode.add(action, result)
        paid = float(reward) + finite(self.pay(turn, info), type(self).__name__)
        if terminated or truncated:
            paid = self._close(episode, paid, info)
        episode.paid.append(paid)
        return observation, paid, terminated, truncated, info

    def _close(self, episode: EpisodeRecord, last: float, info: dict[str, Any]) -> float:
        """Decide the turns' rewards and return what is left to pay with the last step."""
        rewards = decided_rewards(episode, last, info.get("turn_rewards"))
        trajectory = episode.trajectory(rewards.tolist())
        if self.settles:
            rewards = checked(self.settle(trajectory, rewards), len(rewards), type(self).__name__)
            trajectory.turn_rewards = rewards.tolist()
            last = float(rewards.sum()) - math.fsum(episode.paid)
        info["turn_rewards"] = PerTurn(rewards)
        self.finish(trajectory, info)
        return last


class TurnRewardWrapper(TurnWrapper):
    """Pays a `TurnReward` inside `step`.

    Args:
        env: A `TurnEnv`, wrapped or not.
        reward: Called with each `Turn`. If it has `begin(observation, privileged)`, that is called at each reset.
        name: The raw value is put into `info["reward_terms"]` under this name.
        weight: What the value is multiplied by before it is added to the reward. 0 only logs it.

    Raises:
        ValueError: `name` is empty, or the reward turns out not to be a finite number.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> env = TurnRewardWrapper(env, lambda turn: float(turn.valid), name="valid", weight=0.1)
    >>> observation, info = env.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = env.step("search[shoes]")
    >>> reward, info["reward_terms"]
    (0.1, {'outcome': 0.0, 'valid': 1.0})
    """

    def __init__(self, env: gym.Env[Any, Any], reward: TurnReward, *, name: str, weight: float = 1.0) -> None:
        record_arguments(self, reward=reward, name=name, weight=weight)
        super().__init__(env)
        self.turn_reward = reward
        self.name = non_empty(name)
        self.weight = weight

    def begin(self) -> None:
        """Tell the reward of the new task, if it listens."""
        begin_reward(self.turn_reward, self.episode)

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """The weighted value of this turn."""
        value = finite(self.turn_reward(turn), self.name)
        add_term(info, self.name, value)
        return self.weight * value


class EpisodeRewardWrapper(TurnWrapper):
    """Adds an `EpisodeReward`, known at the episode's end, to the rewards of all turns.

    The last step pays for all turns; `info["turn_rewards"]` says which turn earned what, and
    `info["turn_terms"][name]` holds the raw (T,) values.

    Args:
        env: A `TurnEnv`, wrapped or not.
        reward: Called with each finished `Trajectory`; returns (T,) numbers.
        name: Name of the values in `info["turn_terms"]`.
        weight: What the values are multiplied by before they are added.

    Raises:
        ValueError: `name` is empty, or the reward does not return T finite numbers.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50, max_turns=2)
    >>> env = EpisodeRewardWrapper(env, lambda trajectory: [1.0] * len(trajectory), name="length", weight=-0.1)
    >>> _ = env.reset(seed=0)
    >>> [env.step("search[shoes]")[1] for _ in range(2)], env.episode.info["turn_rewards"]
    ([0.0, -0.2], PerTurn([-0.1, -0.1]))
    """

    settles = True

    def __init__(self, env: gym.Env[Any, Any], reward: EpisodeReward, *, name: str, weight: float = 1.0) -> None:
        record_arguments(self, reward=reward, name=name, weight=weight)
        super().__init__(env)
        self.episode_reward = reward
        self.name = non_empty(name)
        self.weight = weight

    def settle(self, trajectory: Trajectory, rewards: FloatArray) -> FloatArray:
        """The rewards so far plus the weighted values."""
        values = checked(self.episode_reward(trajectory), len(rewards), self.name)
        add_turn_term(self.episode.info, self.name, values)
        settled: FloatArray = rewards + self.weight * values
        return settled


def decided_rewards(episode: EpisodeRecord, last: float, inner: PerTurn | None) -> FloatArray:
    """(T,) what the turns are worth before hindsight: what the wrapped environment decided, plus what was added to it.

    Args:
        episode: The episode; its `paid` lacks the last turn.
        last: What would be paid for the last turn.
        inner: `info["turn_rewards"]` of the wrapped environment, if it has hindsight of its own.
    """
    paid = np.array([*episode.paid, last], dtype=np.float64)
    if inner is None:
        return paid
    added: FloatArray = paid - np.array([turn.reward for turn in episode.turns])
    decided: FloatArray = np.asarray(inner, dtype=np.float64) + added
    return decided


def record_arguments(wrapper: gym.utils.RecordConstructorArgs, **arguments: Any) -> None:
    """Keep the constructor's arguments for `env.spec`, without copying them: one of them may be a model."""
    gym.utils.RecordConstructorArgs.__init__(wrapper, _disable_deepcopy=True, **arguments)


def begin_reward(reward: TurnReward, episode: EpisodeRecord) -> None:
    """Call the reward's `begin`, if it has one, with the task and its privileged record."""
    begin = getattr(reward, "begin", None)
    if begin is not None:
        begin(episode.observation, episode.info["privileged"])


def add_term(info: dict[str, Any], name: str, value: float) -> None:
    """Put a raw value into `info["reward_terms"]`, and never over another one.

    Raises:
        ValueError: There is a term of this name.
    """
    terms = info["reward_terms"]
    if name in terms:
        raise ValueError(
            f"there is a reward term {name!r} already; give this one another name (terms: {sorted(terms)})"
        )
    info["reward_terms"] = {**terms, name: value}


def add_turn_term(info: dict[str, Any], name: str, values: FloatArray) -> None:
    """Put raw (T,) values into `info["turn_terms"]`, what hindsight knows of each turn."""
    terms = info.get("turn_terms", {})
    if name in terms:
        raise ValueError(f"there is a turn term {name!r} already; give this one another name (terms: {sorted(terms)})")
    info["turn_terms"] = {**terms, name: PerTurn(values)}


def finite(value: float, name: str) -> float:
    """The value as a float.

    Raises:
        ValueError: It is NaN or infinite; the message names the reward.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name}: a reward must be a finite number, got {number}")
    return number


def checked(values: Any, turns: int, name: str) -> FloatArray:
    """The values as a (T,) array.

    Raises:
        ValueError: They are not T finite numbers; the message names the reward.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (turns,) or not np.isfinite(array).all():
        raise ValueError(f"{name}: an episode of {turns} turns needs {turns} finite rewards, got {array}")
    return array


def non_empty(name: str) -> str:
    """The name.

    Raises:
        ValueError: It is empty.
    """
    if not name:
        raise ValueError("name must not be empty: it is the key in info['reward_terms']")
    return name
