"""The group clock: wrappers that compare the rollouts of a task. One class serves `Env` and `VectorEnv`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import iterate

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.wrappers.base import TurnWrapper, add_term, decided_rewards, finite
from turnwise.wrappers.ledger import GroupLedger, MemberCredit
from turnwise.wrappers.needs import MissingRequirementError, instructions_of, milestones_of, require, require_info
from turnwise.wrappers.record import EpisodeRecord

if TYPE_CHECKING:
    # What a call gives is an Env or a VectorEnv, as its argument is; no static type says that.
    _Base: Any = object
else:
    _Base = object


class GroupWrapper(_Base):  # type: ignore[misc]
    """Base of all wrappers that need several rollouts of a task.

    Called with a plain environment or with a vector environment, a subclass gives a wrapper of that kind, which is
    an instance of the subclass in both cases.

    * Vector environment: the rollouts of a group are those with one `info["group_id"]`, or where there is none, of one
      task. All three autoreset modes are understood.
    * Plain environment: `reset()` without arguments goes back to the same task and the same start until `group_size`
      episodes have ended, and then draws the next task. A `reset` with the arguments that began the group goes on with
      it too; with others, the group is dropped and a new one begins. An episode that is abandoned is repeated.

    When the last rollout of a group ends, `info["turn_advantages"]` of that step is its own (T,) credit and
    `info["group_credit"]` the list of all `MemberCredit`s. (In a vector environment, others that end in the same
    step get theirs in the same way. With the autoreset mode SAME_STEP all of this is in `final_info`, like everything
    else of a last step.)

    Subclasses record their arguments (`record_arguments`), call `super().__init__(env, group_size=...)` and override
    `credit` and, to pay inside `step`, `open_episodes` and `pay_turns`.

    Args:
        env: Environment or vector environment with `TurnEnv`s inside.
        group_size: Rollouts in a group, at least 2; None where a method can do without groups.
        given: Whether a need that only the subclass can judge is met, for example `probe=True`.

    Raises:
        MissingRequirementError: Something is missing without which the method cannot work.
    """

    needs: frozenset[str] = frozenset({"group"})
    group_size: int | None
    on_env: ClassVar[type[Any]]
    on_vector_env: ClassVar[type[Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not issubclass(cls, (gym.Env, gym.vector.VectorEnv)):
            cls.on_env = _variant(cls, _OnEnv, "on_env")
            cls.on_vector_env = _variant(cls, _OnVectorEnv, "on_vector_env")

    def __new__(cls, env: Any = None, *args: Any, **kwargs: Any) -> Any:
        """An instance of the subclass for this kind of environment."""
        if issubclass(cls, (gym.Env, gym.vector.VectorEnv)):
            return super().__new__(cls)
        if isinstance(env, gym.vector.VectorEnv):
            return super().__new__(cls.on_vector_env)
        if isinstance(env, gym.Env):
            return super().__new__(cls.on_env)
        raise TypeError(f"env must be a gymnasium Env or VectorEnv, got {type(env).__name__}")

    def __init__(self, env: Any, *, group_size: int | None, **given: bool) -> None:
        # A subclass's super().__init__ comes here by way of one of the adapters below.
        require(type(self).__name__, env, self.needs, group=(group_size or 0) >= 2, **given)
        self.group_size = group_size
        self.ledger = None if group_size is None else GroupLedger(group_size, self.credit)

    def credit(self, batch: TurnBatch, rollouts: Sequence[Trajectory]) -> Credit:
        """Credit for all turns of one complete group."""
        raise NotImplementedError

    def open_episodes(self, episodes: Sequence[EpisodeRecord]) -> None:
        """These episodes have begun."""

    def pay_turns(self, episodes: Sequence[EpisodeRecord]) -> list[tuple[float, dict[str, Any]]]:
        """Pay for the last turn of each episode: what is added to its reward, and what to put into its info.

        An entry `reward_terms` is added to those that are there already.
        """
        return [(0.0, {})] * len(episodes)


class _OnEnv(GroupWrapper, TurnWrapper):
    """The adapter for plain environments."""

    def __init__(self, env: gym.Env[Any, Any], *, group_size: int | None, **given: bool) -> None:
        GroupWrapper.__init__(self, env, group_size=group_size, **given)
        TurnWrapper.__init__(self, env, **dict.fromkeys(self.needs, True))  # they have been checked
        self._request: tuple[int | None, dict[str, Any] | None] = (None, None)
        self._rng_at_start: Mapping[str, Any] = {}
        self._rng_for_next: Mapping[str, Any] | None = None
        self._groups = self._rollouts = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the next rollout of the group, or the next group."""
        if self.ledger is None:
            return super().reset(seed=seed, options=options)
        running = self._groups > 0 and self._rollouts < (self.group_size or 0)
        if running and (seed, options) in ((None, None), self._request):
            seed, options = self._request
            self._set_rng(self._rng_at_start)
        else:
            self.ledger.drop(self._groups)
            self._groups, self._rollouts, self._request = self._groups + 1, 0, (seed, copy.copy(options))
            # The sequence of tasks depends on the seed alone, not on what the agent's rollouts drew.
            self._set_rng(self._rng_for_next)
            self._rng_at_start = self._rng()
        observation, info = super().reset(seed=seed, options=options)
        if self._rollouts == 0:
            self._rng_for_next = self._rng()
        return observation, self._name_group(info)

    def begin(self) -> None:
        """Hand the new episode to the method."""
        self.open_episodes([self.episode])

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """What the method pays for this turn."""
        if self.ledger is not None:
            self._name_group(info)
        [(reward, found)] = self.pay_turns([self.episode])
        for name, value in found.pop("reward_terms", {}).items():
            add_term(info, name, value)
            turn.channels[name] = value
        info.update(found)
        return float(reward)

    def finish(self, trajectory: Trajectory, info: dict[str, Any]) -> None:
        """Put the rollout into its group; when that is complete, share the credit out."""
        if self.ledger is None:
            return
        credits = self.ledger.add(self._groups, self._rollouts, trajectory)
        self._rollouts += 1
        if credits:
            info["turn_advantages"] = credits[-1]["turn_advantages"]
            info["group_credit"] = credits

    def _name_group(self, info: dict[str, Any]) -> dict[str, Any]:
        info["group_id"] = f"{info['task_id']}/{self._groups}"
        return info

    def _rng(self) -> Mapping[str, Any]:
        # A new dictionary each time; nothing here changes it.
        return self.np_random.bit_generator.state

    def _set_rng(self, state: Mapping[str, Any] | None) -> None:
        if state is not None:
            self.np_random.bit_generator.state = state


class _OnVectorEnv(GroupWrapper, gym.vector.VectorWrapper[Any, Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """The adapter for vector environments."""

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], *, group_size: int | None, **given: bool) -> None:
        GroupWrapper.__init__(self, env, group_size=group_size, **given)
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.vector.VectorWrapper.__init__(self, env)
        made = getattr(env.unwrapped, "group_size", None)
        if self.group_size is not None and made is not None and made != self.group_size:
            raise MissingRequirementError(
                f"{type(self).__name__} waits for groups of {self.group_size}, but the vector environment makes "
                f"groups of {made}; make it with group_size={self.group_size}"
            )
        self.instructions = instructions_of(env)
        self.milestones = milestones_of(env)
        self._mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self._episodes: list[EpisodeRecord | None] = [None] * env.num_envs
        self._ended = np.zeros(env.num_envs, dtype=np.bool_)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin episodes: all of them, or those of `options["reset_mask"]`."""
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_)))
        observations, infos = self.env.reset(seed=seed, options=options)
        self._open_members(np.flatnonzero(mask).tolist(), observations, infos)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take one turn in every environment, and pay for all of them at once."""
        if any(episode is None for episode in self._episodes):
            raise gym.error.ResetNeeded(f"{type(self).__name__}: call reset() before step()")
        each = list(iterate(self.action_space, actions))
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        ended = terminations | truncations
        skipped = self._ended if self._mode is AutoresetMode.NEXT_STEP else np.zeros_like(self._ended)
        stepped = np.flatnonzero(~skipped).tolist()
        texts = list(iterate(self.observation_space, observations))
        for i in stepped:
            final = self._mode is AutoresetMode.SAME_STEP and ended[i]
            observation = infos["final_obs"][i] if final else texts[i]
            info = member_info(infos["final_info"] if final else infos, i)
            self._episode_of(i).add(each[i], (observation, rewards[i], terminations[i], truncations[i], info))
        rewards = np.array(rewards, dtype=np.float64)
        infos = self._pay_members(stepped, rewards, infos)
        infos = self._finish_members([i for i in stepped if ended[i]], rewards, infos)
        begun = ended if self._mode is AutoresetMode.SAME_STEP else skipped
        self._open_members(np.flatnonzero(begun).tolist(), observations, infos)
        self._ended = ended
        return observations, rewards, terminations, truncations, infos

    def _open_members(self, members: Sequence[int], observations: Any, infos: dict[str, Any]) -> None:
        texts = list(iterate(self.observation_space, observations)) if members else []
        for i in members:
            info = member_info(infos, i)
            require_info(type(self).__name__, info)
            self._episodes[i] = EpisodeRecord(texts[i], info, self.instructions, self.milestones)
            self._ended[i] = False
        if members:
            self.open_episodes([self._episode_of(i) for i in members])

    def _pay_members(self, members: Sequence[int], rewards: Any, infos: dict[str, Any]) -> dict[str, Any]:
        episodes = [self._episode_of(i) for i in members]
        paid = self.pay_turns(episodes) if members else []
        for i, episode, (reward, found) in zip(members, episodes, paid, strict=True):
            rewards[i] += finite(reward, type(self).__name__)
            episode.turns[-1].channels.update(found.get("reward_terms", {}))
            episode.paid.append(float(rewards[i]))
            infos = self._put_info(infos, i, found)
        return infos

    def _finish_members(self, members: Sequence[int], rewards: Any, infos: dict[str, Any]) -> dict[str, Any]:
        """Decide the rewards of the episodes that have ended, and share out the credit of complete groups."""
        complete: list[list[MemberCredit]] = []
        for i in members:
            episode = self._episode_of(i)
            last = episode.paid.pop()
            turn_rewards = decided_rewards(episode, last, episode.info.get("turn_rewards"))
            episode.paid.append(last)
            infos = self._put_info(infos, i, {"turn_rewards": PerTurn(turn_rewards)})
            if self.ledger is not None:
                trajectory = episode.trajectory(turn_rewards.tolist())
                credits = self.ledger.add(trajectory.group_id or trajectory.task_id, i, trajectory)
                if credits:
                    infos = self._put_info(infos, i, {"group_credit": credits})
                    complete.append(credits)
        for entry in (entry for credits in complete for entry in credits):
            i = entry["member"]
            if self.ledger is not None and i in members and entry["episode"] == self.ledger.episodes(i) - 1:
                infos = self._put_info(infos, i, {"turn_advantages": entry["turn_advantages"]})
        return infos

    def _put_info(self, infos: dict[str, Any], member: int, found: dict[str, Any]) -> dict[str, Any]:
        """Add entries to one member's info of this step, which lies in `final_info` if that step was reset over."""
        episode = self._episode_of(member)
        last = episode.turns[-1]
        if self._mode is AutoresetMode.SAME_STEP and (last.terminated or last.truncated):
            found = {"final_info": found}
        return self._add_info(infos, found, member) if found else infos

    def _episode_of(self, member: int) -> EpisodeRecord:
        episode = self._episodes[member]
        assert episode is not None, "step() checks that every episode has begun"
        return episode


def member_info(infos: Mapping[str, Any], member: int) -> dict[str, Any]:
    """One environment's info out of a vector environment's infos.

    >>> has = np.array([True, False])
    >>> member_info({"turn": np.array([3, 0]), "_turn": has, "reward_terms": {"x": np.ones(2), "_x": has}}, 0)
    {'turn': 3, 'reward_terms': {'x': 1.0}}
    """
    info: dict[str, Any] = {}
    for key, values in infos.items():
        # A key that begins with an underscore is a mask, unless it has a mask of its own.
        if key.startswith("_") and f"_{key}" not in infos:
            continue
        mask = infos.get(f"_{key}")
        if mask is not None and not mask[member]:
            continue
        value = member_info(values, member) if isinstance(values, Mapping) else values[member]
        info[key] = value.item() if isinstance(value, np.generic) else value
    return info


def _variant(cls: type[GroupWrapper], adapter: type[Any], name: str) -> type[Any]:
    """The class for one kind of environment. Its qualified name leads pickle back to it."""
    body = {"__module__": cls.__module__, "__qualname__": f"{cls.__qualname__}.{name}"}
    return type(cls.__name__, (cls, adapter), body)
