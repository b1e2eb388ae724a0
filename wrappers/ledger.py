"""`GroupLedger`: collects the finished rollouts of each group and says, when a group is complete, who gets what."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypedDict

import numpy as np

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.trajectory import Trajectory

CreditRollouts: TypeAlias = Callable[[TurnBatch, Sequence[Trajectory]], Credit]
"""A group method: the batch holds the turns of the trajectories, in their order."""


class MemberCredit(TypedDict):
    """What one rollout of a complete group gets.

    Attributes:
        member: Index of the environment it ran in; in a plain environment, its position in the group.
        episode: How many episodes this environment had finished before it.
        turn_rewards: (T,) the rewards that the advantage was made from.
        turn_advantages: (T,) the advantage of each turn.
        turn_weights: (T,) loss weight of each turn.
        keep: False where a filter dropped the rollout.
    """

    member: int
    episode: int
    turn_rewards: PerTurn
    turn_advantages: PerTurn
    turn_weights: PerTurn
    keep: bool


@dataclass
class GroupLedger:
    """Groups that are still filling.

    Attributes:
        group_size: Rollouts that make a group complete.
        credit: Called once with each complete group.

    >>> from turnwise.rewards.credit import grpo
    >>> from turnwise.rewards.trajectory import Turn
    >>> ledger = GroupLedger(2, lambda batch, rollouts: grpo(batch, norm_by_std=False))
    >>> ledger.add("task", 0, Trajectory([Turn(0, "", "", reward=1.0)]))
    []
    >>> [entry["turn_advantages"] for entry in ledger.add("task", 1, Trajectory([Turn(0, "", "")]))]
    [PerTurn([0.5]), PerTurn([-0.5])]
    """

    group_size: int
    credit: CreditRollouts
    _waiting: dict[Hashable, list[tuple[int, int, Trajectory]]] = field(default_factory=dict)
    _finished: dict[int, int] = field(default_factory=dict)

    def add(self, group: Hashable, member: int, trajectory: Trajectory) -> list[MemberCredit]:
        """Put a finished rollout into its group; returns the credit of all its rollouts if that completes it."""
        episode = self._finished.get(member, 0)
        self._finished[member] = episode + 1
        rollouts = self._waiting.setdefault(group, [])
        rollouts.append((member, episode, trajectory))
        if len(rollouts) < self.group_size:
            return []
        del self._waiting[group]
        return self._share_out(rollouts)

    def episodes(self, member: int) -> int:
        """How many episodes a member has finished."""
        return self._finished.get(member, 0)

    def drop(self, group: Hashable) -> None:
        """Forget what an incomplete group has collected."""
        self._waiting.pop(group, None)

    def _share_out(self, rollouts: Sequence[tuple[int, int, Trajectory]]) -> list[MemberCredit]:
        trajectories = [trajectory for _, _, trajectory in rollouts]
        batch = _batch_of_one_group(trajectories)
        credit = self.credit(batch, trajectories)
        ends = np.cumsum(batch.lengths).tolist()
        entries = []
        for i, (member, episode, trajectory) in enumerate(rollouts):
            rows = slice(ends[i] - len(trajectory), ends[i])
            entries.append(
                MemberCredit(
                    member=member,
                    episode=episode,
                    turn_rewards=PerTurn(credit.reward[rows]),
                    turn_advantages=PerTurn(credit.advantage[rows]),
                    turn_weights=PerTurn(credit.weight[rows]),
                    keep=bool(credit.keep[i]),
                )
            )
        return entries


def _batch_of_one_group(trajectories: Sequence[Trajectory]) -> TurnBatch:
    batch = TurnBatch.from_trajectories(trajectories)
    fields: dict[str, Any] = {**vars(batch), "group": np.zeros(len(trajectories), dtype=np.int64)}
    # Whoever keeps the ledger decides what a group is, and may go by another key than the trajectories name.
    return TurnBatch(**{name: fields[name] for name in TurnBatch.__dataclass_fields__})
