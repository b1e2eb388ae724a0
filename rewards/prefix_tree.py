"""The tree that a group of rollouts already is: turns that begin alike are one branch. Needs no fork."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from turnwise.rewards.trajectory import Trajectory
from turnwise.rewards.trees import TurnTree


def prefix_tree(rollouts: Sequence[Trajectory]) -> TurnTree:
    """Merge the turns that rollouts from one start share.

    Two turns are one node if all turns before them are, and they have the same action and lead to the same state
    (`next_anchor`; where there is none, the same observation). The last turn of a rollout is always a node of its own,
    so that every rollout ends in its own leaf.

    Args:
        rollouts: L trajectories from the same state, each with at least one turn.

    Returns:
        A tree with one root. Its leaves are in the order of the rollouts, so that `tree.rows()` are the nodes of
        their turns as `TurnBatch.from_trajectories` lays them out.

    Raises:
        ValueError: A rollout has no turns.

    >>> from turnwise.rewards.trajectory import Turn
    >>> def rollout(*actions, outcome):
    ...     turns = [Turn(i, "", action) for i, action in enumerate(actions)]
    ...     turns[-1].reward = outcome
    ...     return Trajectory(turns)
    >>> tree = prefix_tree([rollout("a", "b", outcome=1.0), rollout("a", "c", outcome=0.0)])
    >>> tree.parent.tolist(), tree.value().tolist()
    ([-1, 0, 1, 1], [0.5, 0.5, 1.0, 0.0])
    """
    parents, outcomes = [-1], [np.nan]
    node_of: dict[tuple[int, str, str], int] = {}
    for i, rollout in enumerate(rollouts):
        if not len(rollout):
            raise ValueError(f"rollouts[{i}] has no turns and cannot be a path of a tree")
        node = 0
        for turn in rollout.turns:
            last = turn is rollout.turns[-1]
            key = (node, turn.action, turn.next_anchor or turn.next_observation)
            if last or key not in node_of:
                parents.append(node)
                outcomes.append(rollout.outcome if last else np.nan)
                node = len(parents) - 1
                if not last:
                    node_of[key] = node
            else:
                node = node_of[key]
    return TurnTree.of(parents, outcomes) if len(parents) > 1 else TurnTree.of([], [])
