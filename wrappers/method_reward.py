"""Any published method on any environment: rewards and credit functions put together with the three base wrappers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np

from turnwise.rewards import credit, episodes, turns
from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.prefix_tree import prefix_tree
from turnwise.rewards.protocols import EpisodeReward, PolicyProbe, TurnReward, TurnScorer
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.rewards.trees import TurnTree, on_trajectories
from turnwise.wrappers.base import EpisodeRewardWrapper, TurnRewardWrapper, record_arguments
from turnwise.wrappers.group import GroupWrapper
from turnwise.wrappers.needs import MissingRequirementError, require

TurnInput: TypeAlias = TurnScorer | Callable[[Trajectory], Any]
"""Gives one entry a turn: numbers, bits or keys."""

RolloutInput: TypeAlias = Fact
"""Gives one entry for the whole trajectory: a function of it, or a key of the privileged record."""

REPLACED = "replaced_outcome"
"""Reward term of weight -1: the outcome that a method pays in its own way."""


def turn_method_reward(
    env: gym.Env[Any, Any],
    reward: TurnReward,
    *,
    name: str | None = None,
    weight: float = 1.0,
    keep_outcome: bool | None = None,
) -> TurnRewardWrapper:
    """Pay a turn reward inside `step`, with what it needs checked now.

    Args:
        env: A `TurnEnv`, wrapped or not.
        reward: For example one of `turnwise.rewards.turns`.
        name: Name of its reward term; default the method's name.
        weight: What the reward is multiplied by.
        keep_outcome: Whether the outcome is paid beside it; default: unless the method says `replaces_outcome`.

    Raises:
        MissingRequirementError: The environment does not promise a fact that the reward reads; the message names it.

    >>> import gymnasium as gym, turnwise
    >>> from turnwise.rewards.turns import Edge, RewardMachine, RewardMachineReward
    >>> machine = RewardMachine([Edge("start", None, "begun", 0.25)], "start")
    >>> env = turn_method_reward(gym.make("turnwise/WebShop-v0", products=50), RewardMachineReward(machine))
    >>> _ = env.reset(seed=0)
    >>> env.step("search[shoes]")[1], env.step("search[shoes]")[1]
    (0.25, 0.0)
    """
    name = name or _name(reward, turns.METHODS)
    return TurnRewardWrapper(_prepared(env, reward, name, keep_outcome), reward, name=name, weight=weight)


def episode_method_reward(
    env: gym.Env[Any, Any],
    reward: EpisodeReward,
    *,
    name: str | None = None,
    weight: float = 1.0,
    keep_outcome: bool | None = None,
) -> EpisodeRewardWrapper:
    """Pay an episode reward in hindsight, with what it needs checked now.

    Args:
        env: A `TurnEnv`, wrapped or not.
        reward: For example one of `turnwise.rewards.episodes`.
        name: Name of its values in `info["turn_terms"]`; default the method's name.
        weight: What the values are multiplied by.
        keep_outcome: Whether the outcome is paid beside them; default: unless the method says `replaces_outcome`.

    Raises:
        MissingRequirementError: The environment does not promise a fact that the reward reads; the message names it.

    >>> import gymnasium as gym, turnwise
    >>> from turnwise.rewards.episodes import ABCReward
    >>> share = ABCReward(lambda trajectory: [1.0] * len(trajectory), beta=1.0)
    >>> env = episode_method_reward(gym.make("turnwise/WebShop-v0", products=50), share)
    >>> _ = env.reset(seed=0)
    >>> paid = [env.step(call)[1] for call in list(env.unwrapped.oracle())]
    >>> round(sum(paid), 6), env.episode.info["turn_rewards"][0] == 1.0 / len(paid)
    (1.0, True)
    """
    name = name or _name(reward, episodes.METHODS)
    return EpisodeRewardWrapper(_prepared(env, reward, name, keep_outcome), reward, name=name, weight=weight)


class GroupCreditReward(GroupWrapper):
    """Puts the advantages of any group method on finished groups (see `GroupWrapper`); pays nothing itself.

    A method is a function from a `TurnBatch` to a `Credit`. What it reads beside the batch comes from `inputs` and
    `rollout_inputs`, computed once a complete group from its trajectories, and from `options`. A method on trees gets
    the tree that the group is: rollouts share the turns with which they begin alike (`prefix_tree`).

    Args:
        env: Environment or vector environment.
        method: Name in `turnwise.rewards.credit.METHODS`, or the function itself.
        group_size: Rollouts of a task. At least 2 for methods that compare, 1 for those that do not.
        inputs: Arguments that hold one entry a turn: for each a `TurnScorer`, or a function from a trajectory to T
            entries, for example a `ProbeChannel`.
        rollout_inputs: Arguments that hold one entry a trajectory: for each a function from a trajectory to it, or the
            key of the privileged record that it is, for example `{"passed": "test_results"}` of `verpo`.
        options: Further arguments as they are; a string says which logged channel (reward term) an argument is.

    Raises:
        MissingRequirementError: The group is too small for the method, an argument is missing, or the environment
            does not promise a fact that an input reads; the message says what to add.
        TypeError: The method has no argument of such a name.
        ValueError: The method is unknown.

    >>> import gymnasium as gym, turnwise
    >>> env = GroupCreditReward(gym.make("turnwise/WebShop-v0", products=50), "grpo", group_size=2, norm_by_std=False)
    >>> for rollout in range(2):
    ...     _ = env.reset(seed=0)
    ...     for call in list(env.unwrapped.oracle()) if rollout else ["search[shoes]"] * 15:
    ...         *_, info = env.step(call)
    >>> [entry["turn_advantages"][0] for entry in info["group_credit"]]
    [-0.5, 0.5]
    """

    def __init__(
        self,
        env: Any,
        method: str | Callable[..., Credit],
        *,
        group_size: int,
        inputs: Mapping[str, TurnInput] | None = None,
        rollout_inputs: Mapping[str, RolloutInput] | None = None,
        **options: Any,
    ) -> None:
        # Without the inputs: a spec is copied often, and a model must not be.
        record_arguments(self, method=method, group_size=group_size, **options)
        self.method, record = _method(method)
        self.inputs, self.rollout_inputs, self.options = dict(inputs or {}), dict(rollout_inputs or {}), options
        self.on_trees = next(iter(inspect.signature(self.method).parameters)) == "tree"
        self.name = record.name if record else str(getattr(method, "__name__", method))
        compares = record is None or record.min_group > 1
        needs = [getattr(source, "needs", ()) for source in (*self.inputs.values(), *self.rollout_inputs.values())]
        needs.append(privileged_keys(*self.rollout_inputs.values()))
        self.needs = frozenset({"group"} if compares else ()).union(*needs)
        _check_arguments(self.name, self.method, [*self.inputs, *self.rollout_inputs, *options])
        super().__init__(env, group_size=group_size)
        if record is not None and group_size < record.min_group:
            raise MissingRequirementError(
                f"{self.name} needs groups of at least {record.min_group}, got group_size={group_size}"
            )

    def credit(self, batch: TurnBatch, rollouts: Sequence[Trajectory]) -> Credit:
        """The method's credit for one group."""
        arguments: dict[str, Any] = {name: self._turn_entries(name, rollouts) for name in self.inputs}
        if self.on_trees:
            tree = prefix_tree(rollouts)
            arguments = {name: _on_nodes(tree, entries) for name, entries in arguments.items()}
            return on_trajectories(tree, self.method(tree, **arguments, **self.options))
        facts = self.rollout_inputs.items()
        arguments |= {name: [read_fact(source, t, name) for t in rollouts] for name, source in facts}
        return self.method(batch, **arguments, **self.options)

    def _turn_entries(self, name: str, rollouts: Sequence[Trajectory]) -> list[Any]:
        source = self.inputs[name]
        entries: list[Any] = []
        for rollout in rollouts:
            found = list(source.score(rollout) if isinstance(source, TurnScorer) else source(rollout))
            if len(found) != len(rollout):
                raise ValueError(f"inputs[{name!r}] must give one entry a turn: {len(rollout)}, got {len(found)}")
            entries += found
        return entries


class ProbeChannel:
    """The mean log-probability of the right answer before each turn, as `igpo` reads it: an input of one entry a turn.

    Args:
        probe: The policy, or whatever stands for it.
        answer: Key of the privileged record (of several aliases the first counts), or a function of the trajectory.

    Raises:
        MissingRequirementError: `probe` is no `PolicyProbe`.

    >>> from turnwise.rewards.table_probe import TableProbe
    >>> from turnwise.rewards.trajectory import Turn
    >>> channel = ProbeChannel(TableProbe({"A door.": -2.0, "A key.": -1.0}))
    >>> turns = [Turn(0, "A door.", "look[]"), Turn(1, "A key.", "pick[]")]
    >>> channel(Trajectory(turns, privileged={"answer": "cell four"})).tolist()
    [-2.0, -1.0]
    """

    def __init__(self, probe: PolicyProbe, answer: Fact = "answer") -> None:
        if not isinstance(probe, PolicyProbe):
            raise MissingRequirementError(
                f"probe must be a PolicyProbe, such as turnwise.rewards.table_probe.TableProbe, got {probe!r}"
            )
        self.probe, self.answer = probe, answer
        self.needs = privileged_keys(answer)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) nats a token; NaN where the answer has no tokens."""
        answer = read_fact(self.answer, trajectory, "answer")
        text = str(answer[0] if isinstance(answer, (list, tuple)) and answer else answer)
        contexts = [trajectory.messages(t) for t in range(len(trajectory))]
        values = self.probe.answer_logprobs(contexts, [text] * len(contexts))
        return np.array([np.mean(value) if len(value) else np.nan for value in values], dtype=np.float64)


def _prepared(env: gym.Env[Any, Any], reward: Any, name: str, keep_outcome: bool | None) -> gym.Env[Any, Any]:
    """The environment, checked, and without its outcome if the reward takes the outcome's place."""
    require(name, env, getattr(reward, "needs", frozenset()))
    keep = not getattr(reward, "replaces_outcome", False) if keep_outcome is None else keep_outcome
    return env if keep else TurnRewardWrapper(env, _outcome, name=REPLACED, weight=-1.0)


def _outcome(turn: Turn) -> float:
    return turn.outcome


def _name(reward: Any, methods: Mapping[str, MethodRecord]) -> str:
    names = (record.name for record in methods.values() if record.function is type(reward))
    return next(names, str(getattr(reward, "__name__", type(reward).__name__)))


def _method(method: str | Callable[..., Credit]) -> tuple[Callable[..., Credit], MethodRecord | None]:
    if callable(method):
        return method, next((record for record in credit.METHODS.values() if record.function is method), None)
    if method not in credit.METHODS:
        raise ValueError(f"method must be a function or one of {sorted(credit.METHODS)}, got {method!r}")
    return credit.METHODS[method].function, credit.METHODS[method]


def _on_nodes(tree: TurnTree, entries: Sequence[Any]) -> FloatArray:
    """(K,) the entry of each node's turn, of the first rollout where several share it; 0 for the root."""
    values = np.zeros(len(tree))
    values[tree.rows()[::-1]] = np.asarray(entries, dtype=np.float64)[::-1]
    return values


def _check_arguments(name: str, method: Callable[..., Credit], given: Sequence[str]) -> None:
    """Raise unless every argument that has to be given is given, once, and the method has all of them."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    known = [parameter.name for parameter in parameters]
    if twice := sorted({argument for argument in given if given.count(argument) > 1}):
        raise TypeError(f"{name}: {twice} are given twice")
    if (unknown := sorted(set(given) - set(known))) and not takes_any:
        raise TypeError(f"{name} has no arguments {unknown}; it has {known}")
    missing = [_advice(parameter) for parameter in parameters if parameter.name not in given and _has_to_be(parameter)]
    if missing:
        raise MissingRequirementError(f"{name} lacks arguments: {'; '.join(missing)}")


def _has_to_be(parameter: inspect.Parameter) -> bool:
    if parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
        return False
    return parameter.default is inspect.Parameter.empty or _is_channel(parameter)


def _is_channel(parameter: inspect.Parameter) -> bool:
    """Whether the default is the name of a channel, which nobody may have logged."""
    # The annotations of credit functions are strings; `str | ArrayLike` is how they say "a channel, or an array".
    return isinstance(parameter.default, str) and str(parameter.annotation).startswith("str | ArrayLike")


def _advice(parameter: inspect.Parameter) -> str:
    name = parameter.name
    if _is_channel(parameter):
        return (
            f"{name}: give inputs={{{name!r}: ...}}, a TurnScorer or a function from a Trajectory to one entry a turn, "
            f"or say {name}={parameter.default!r} if a wrapper inside logs that reward term"
        )
    return f"{name}: give it as an option, or inputs or rollout_inputs with a function from a Trajectory to it"
