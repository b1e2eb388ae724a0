"""The record every reward works on: `Turn` and `Trajectory`, plain dataclasses that survive JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

OUTCOME = "outcome"
"""The channel that holds the bare environment's own reward, whatever wrappers add beside it."""


@dataclass(slots=True)
class Turn:
    """One policy message and the environment's reply to it: one `env.step`.

    Attributes:
        index: 0-based position in the episode.
        observation: What the policy saw before it acted.
        action: What the policy wrote, verbatim.
        next_observation: The environment's reply.
        reward: The scalar that `step` returned (wrappers included).
        terminated: The task ended with this turn.
        truncated: A limit outside the task ended the episode with this turn.
        valid: Whether the action could be parsed and carried out (`info["is_action_valid"]`).
        anchor: `info["state_hash"]` *before* the action; the key of anchor-state grouping.
        next_anchor: `info["state_hash"]` after it.
        tool_calls: The parsed calls as JSON objects `{"name": ..., "arguments": {...}}`; empty where none parsed.
        admissible_actions: What could be done before the action, where the environment lists it.
        channels: Raw named reward terms of this turn (`info["reward_terms"]`). Never overwritten: a later stage
            writes a new name. `channels["outcome"]` is the bare environment's own reward.
        events: Names of what happened in this turn, for reward machines and milestones.
        privileged: `info["privileged"]` after the turn. For rewards in training only.
        prompt_ids: Token ids that were put in front of this turn's response and are new since the last response.
        response_ids: Token ids that the policy sampled, verbatim (never re-tokenised text).
        response_logprobs: Log-probability in nats of each response token under the policy that sampled it.
        restarts_context: The policy rebuilt its context here (a window or a summary): `prompt_ids` is then the whole
            prompt and earlier turns' tokens are not part of it.
    """

    index: int
    observation: str
    action: str
    next_observation: str = ""
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    valid: bool = True
    anchor: str = ""
    next_anchor: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    admissible_actions: tuple[str, ...] | None = None
    channels: dict[str, float] = field(default_factory=dict)
    events: frozenset[str] = frozenset()
    privileged: dict[str, Any] = field(default_factory=dict)
    prompt_ids: list[int] = field(default_factory=list)
    response_ids: list[int] = field(default_factory=list)
    response_logprobs: list[float] = field(default_factory=list)
    restarts_context: bool = False

    @property
    def outcome(self) -> float:
        """The bare environment's own reward for this turn."""
        return self.channels.get(OUTCOME, self.reward)


@dataclass(slots=True)
class Trajectory:
    """The ordered turns of one agent in one episode.

    Attributes:
        turns: The turns, in order; empty for an episode that never started.
        task_id: The task, as `reset(options={"task_id": ...})` takes it.
        env_id: The Gymnasium id, for example `turnwise/WebShop-v0`.
        group_id: Rollouts with one `group_id` started from the same state of the same task.
        episode_id: Unique among the trajectories of one collection.
        seed: The seed of the reset that began it, where one was given.
        instructions: The rules and tools, as the system prompt showed them.
        terminated: The task ended.
        truncated: A limit outside the task ended it.
        stop_reason: `info["stop_reason"]` of the last turn, for example `completed`, `max_turns`, `timeout`.
        privileged: Answer, gold documents, milestones. For rewards in training only.
        milestones: Reward terms of 0 or 1 by which the environment says how far an episode came, each with the name of
            its rate, for example `{"submitted": "completion"}` (`TurnEnv.milestones`).
        turn_rewards: (T,) what hindsight says each turn is worth (`info["turn_rewards"]`), or None.
        turn_advantages: (T,) a group method's advantage (`info["turn_advantages"]`), or None.
    """

    turns: list[Turn] = field(default_factory=list)
    task_id: str = ""
    env_id: str = ""
    group_id: str = ""
    episode_id: str = ""
    seed: int | None = None
    instructions: str = ""
    terminated: bool = False
    truncated: bool = False
    stop_reason: str = ""
    privileged: dict[str, Any] = field(default_factory=dict)
    milestones: dict[str, str] = field(default_factory=dict)
    turn_rewards: list[float] | None = None
    turn_advantages: list[float] | None = None

    def __len__(self) -> int:
        return len(self.turns)

    @property
    def outcome(self) -> float:
        """The bare environment's own rewards, summed over the episode."""
        return float(sum(turn.outcome for turn in self.turns))

    @property
    def rewards(self) -> NDArray[np.float64]:
        """(T,) the turn rewards where a wrapper computed them in hindsight, else the scalars the loop saw."""
        if self.turn_rewards is not None:
            return np.asarray(self.turn_rewards, dtype=np.float64)
        return np.array([turn.reward for turn in self.turns], dtype=np.float64)

    def messages(self, upto: int | None = None) -> list[dict[str, str]]:
        """The conversation as chat messages up to *before* the action of turn `upto` (default: all of it).

        The system message holds the instructions, user messages the observations, assistant messages the actions.

        >>> t = Trajectory([Turn(0, "task", "look[]", "a lamp")], instructions="rules")
        >>> [m["role"] for m in t.messages()], [m["role"] for m in t.messages(0)]
        (['system', 'user', 'assistant', 'user'], ['system', 'user'])
        """
        stop = len(self.turns) if upto is None else upto
        messages = [{"role": "system", "content": self.instructions}] if self.instructions else []
        for turn in self.turns[:stop]:
            messages += [
                {"role": "user", "content": turn.observation},
                {"role": "assistant", "content": turn.action},
            ]
        if stop < len(self.turns):
            messages.append({"role": "user", "content": self.turns[stop].observation})
        elif self.turns:
            messages.append({"role": "user", "content": self.turns[-1].next_observation})
        return messages

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` restores an equal trajectory."""
        record: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "turns"}
        record["turns"] = [_turn_to_json(turn, self.privileged) for turn in self.turns]
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trajectory:
        """Rebuild a trajectory from `to_json`'s dictionary.

        Raises:
            ValueError: A field is unknown, or the turns are missing; the message names it.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(record) - known):
            raise ValueError(f"trajectory record has unknown fields {unknown}; known fields are {sorted(known)}")
        if not isinstance(record.get("turns"), list):
            raise ValueError("trajectory record has no list `turns`")
        values = {name: value for name, value in record.items() if name != "turns"}
        trajectory = cls(**values)
        trajectory.turns = [_turn_from_json(item, trajectory.privileged) for item in record["turns"]]
        return trajectory


_TURN_FIELDS = {f.name for f in fields(Turn)}


def _turn_to_json(turn: Turn, episode_privileged: Mapping[str, Any]) -> dict[str, Any]:
    record = {name: getattr(turn, name) for name in _TURN_FIELDS}
    record["events"] = sorted(turn.events)
    record["tool_calls"] = list(turn.tool_calls)
    if turn.admissible_actions is not None:
        record["admissible_actions"] = list(turn.admissible_actions)
    # Most environments have one privileged record for a whole episode; it is written once, not once a turn.
    if turn.privileged == episode_privileged:
        del record["privileged"]
    return record


def _turn_from_json(record: Mapping[str, Any], episode_privileged: dict[str, Any]) -> Turn:
    if unknown := sorted(set(record) - _TURN_FIELDS):
        raise ValueError(f"turn record has unknown fields {unknown}; known fields are {sorted(_TURN_FIELDS)}")
    values = dict(record)
    values["events"] = frozenset(values.get("events", ()))
    values["tool_calls"] = tuple(values.get("tool_calls", ()))
    if values.get("admissible_actions") is not None:
        values["admissible_actions"] = tuple(values["admissible_actions"])
    values.setdefault("privileged", episode_privileged)
    return Turn(**values)
