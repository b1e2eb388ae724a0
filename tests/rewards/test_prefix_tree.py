"""The tree that a group of rollouts already is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Trajectory, Turn, TurnBatch
from turnwise.rewards.prefix_tree import prefix_tree


def rollout(actions, outcome=0.0, anchors=None):
    turns = [Turn(i, "", a, next_anchor=anchors[i] if anchors else "") for i, a in enumerate(actions)]
    turns[-1].reward = outcome
    return Trajectory(turns)


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=5), st.floats(0, 1)), min_size=1, max_size=8))
def test_paths_are_the_rollouts(group):
    rollouts = [rollout(actions, outcome) for actions, outcome in group]
    tree = prefix_tree(rollouts)
    batch = TurnBatch.from_trajectories(rollouts)
    assert [len(path) for path in tree.paths()] == batch.lengths.tolist()
    assert tree.outcome[tree.leaves].tolist() == batch.outcome.tolist()
    inner = ~batch.is_last
    rows, prefixes = tree.rows(), [a[: t + 1] for a, _ in group for t in range(len(a))]
    of_node = {}
    for row in np.flatnonzero(inner):  # one node for each prefix, and the other way round
        assert of_node.setdefault(rows[row], prefixes[row]) == prefixes[row]
    assert len(set(of_node.values())) == len(of_node)


def test_a_stochastic_reply_makes_another_branch():
    tree = prefix_tree([rollout("ab", anchors=["x", "end"]), rollout("ab", anchors=["y", "end"])])
    assert tree.parent.tolist() == [-1, 0, 1, 0, 3]


def test_equal_rollouts_end_in_leaves_of_their_own():
    tree = prefix_tree([rollout("ab", 1.0), rollout("ab", 0.0), rollout("a", 1.0)])
    assert tree.parent.tolist() == [-1, 0, 1, 1, 0]
    assert tree.outcome[tree.leaves].tolist() == [1.0, 0.0, 1.0]


def test_edges():
    assert len(prefix_tree([])) == 0
    with pytest.raises(ValueError, match=r"rollouts\[1\] has no turns"):
        prefix_tree([rollout("a"), Trajectory()])
