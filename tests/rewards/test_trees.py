"""The tree of turns: values, standard errors, and the way back to trajectories."""

from __future__ import annotations

import numpy as np
import pytest
from credit_batches import VECTORS
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards.trees import TurnTree, on_trajectories, tree_credit

NAN = float("nan")
NAMES = ["r", "u", "v", "u1", "u2", "v1", "v2"]
PUBLISHED = TurnTree.of([-1, 0, 0, 1, 1, 2, 2], [NAN, NAN, NAN, 1, 0, 1, 1])


@st.composite
def trees(draw: st.DrawFn) -> TurnTree:
    size = draw(st.integers(1, 14))
    parent = [-1] + [draw(st.integers(-1, k - 1)) for k in range(1, size)]
    inner = set(parent)
    outcome = [NAN if k in inner else draw(st.sampled_from([0.0, 0.5, 1.0])) for k in range(size)]
    return TurnTree.of(parent, outcome)


def children_of(tree: TurnTree, node: int) -> list[int]:
    return np.flatnonzero(tree.parent == node).tolist()


def leaves_below(tree: TurnTree, node: int) -> list[float]:
    below = children_of(tree, node)
    return [tree.outcome[node]] if not below else [x for child in below for x in leaves_below(tree, child)]


def test_published_values() -> None:
    expected = [VECTORS["tree_V"][name] for name in NAMES]
    assert_allclose(PUBLISHED.value(), expected, atol=2e-6)
    assert_allclose(PUBLISHED.value("leaves"), expected, atol=2e-6)


@given(trees())
def test_values_are_means_of_children_or_of_leaves(tree: TurnTree) -> None:
    by_children, by_leaves = tree.value(), tree.value("leaves")
    for node in range(len(tree)):
        below = children_of(tree, node)
        assert by_leaves[node] == pytest.approx(np.mean(leaves_below(tree, node)))
        assert tree.visits[node] == len(leaves_below(tree, node))
        assert by_children[node] == pytest.approx(np.mean(by_children[below]) if below else tree.outcome[node])


@given(trees())
def test_standard_errors(tree: TurnTree) -> None:
    value, error, by_leaves = tree.value(), tree.standard_error(), tree.standard_error("leaves")
    for node in range(len(tree)):
        below, leaves = children_of(tree, node), leaves_below(tree, node)
        if len(below) > 1:
            expected = np.std(value[below], ddof=1) / np.sqrt(len(below))
        else:
            expected = error[below[0]] if below else NAN
        assert error[node] == pytest.approx(expected, nan_ok=True, abs=1e-7)
        expected = np.std(leaves, ddof=1) / np.sqrt(len(leaves)) if len(leaves) > 1 else NAN
        assert by_leaves[node] == pytest.approx(expected, nan_ok=True, abs=1e-7)


@given(trees(), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_discount_counts_turns_to_the_end(tree: TurnTree, discount: float) -> None:
    leaf = np.where(tree.is_leaf, tree.outcome, 0.0)
    backed = tree.backup(leaf, "leaves", discount)
    for node in range(len(tree)):
        below = [k for k in tree.leaves if node in [k, *ancestors(tree, k)]]
        expected = np.mean([discount ** (tree.depth[k] - tree.depth[node]) * tree.outcome[k] for k in below])
        assert backed[node] == pytest.approx(expected)


def ancestors(tree: TurnTree, node: int) -> list[int]:
    above = []
    while tree.parent[node] >= 0:
        node = int(tree.parent[node])
        above.append(node)
    return above


def test_unequal_forking_biases_the_mean_over_leaves_only() -> None:
    # A policy that goes to a sure success or a sure failure with equal chance, and one of the two was forked thrice.
    tree = TurnTree.of([-1, 0, 0, 1, 1, 1], [NAN, NAN, 0.0, 1.0, 1.0, 1.0])
    assert tree.value()[0] == 0.5
    assert tree.value("leaves")[0] == 0.75


@given(trees())
def test_paths_lead_from_the_root_to_each_leaf(tree: TurnTree) -> None:
    paths = tree.paths()
    assert len(paths) == len(tree.leaves)
    for leaf, path in zip(tree.leaves, paths, strict=True):
        expected = [leaf, *ancestors(tree, leaf)][::-1][1:]  # without the root
        assert path.tolist() == expected
        assert tree.depth[leaf] == len(path)


@given(trees())
def test_on_trajectories_counts_a_shared_turn_once_or_each_time(tree: TurnTree) -> None:
    numbers = np.arange(len(tree), dtype=np.float64)
    credit = tree_credit(tree, numbers, -numbers)
    once, each = on_trajectories(tree, credit), on_trajectories(tree, credit, once=False)
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *tree.paths()])
    assert once.advantage.tolist() == each.advantage.tolist() == rows.tolist()
    assert once.reward.tolist() == (-rows).tolist()
    turns = (~tree.is_root).sum()
    assert once.weight.sum() == pytest.approx(turns)
    assert each.weight.tolist() == [1.0] * len(rows)
    assert once.keep.shape == (len(tree.leaves),)


@given(trees())
def test_changes_of_value_telescope_to_the_outcome(tree: TurnTree) -> None:
    change = tree.change(tree.value())
    for leaf, path in zip(tree.leaves, tree.paths(), strict=True):
        root = ancestors(tree, leaf)[-1] if ancestors(tree, leaf) else leaf
        assert change[path].sum() == pytest.approx(tree.outcome[leaf] - tree.value()[root])


def test_an_empty_tree() -> None:
    tree = TurnTree.of([], [])
    assert tree.value().shape == tree.standard_error().shape == tree.rows().shape == (0,)
    assert tree.paths() == []


@pytest.mark.parametrize(
    ("parent", "outcome", "message"),
    [
        ([-1, 0], [NAN], r"parent and outcome must both be \(K,\), got \(2,\) and \(1,\)"),
        ([-1, 1], [NAN, 1.0], r"parent\[1\] must be -1 or lie in \[0, 1\), got 1"),
        ([0], [1.0], r"parent\[0\] must be -1 or lie in \[0, 0\), got 0"),
        ([-2], [1.0], r"parent\[0\] must be -1"),
        ([-1, 0], [NAN, NAN], "node 1 is a leaf and needs a finite outcome, got nan"),
        ([-1, 0], [1.0, 1.0], "node 0 is no leaf and its outcome must be NaN, got 1.0"),
    ],
)
def test_wrong_trees_are_refused(parent: list[int], outcome: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TurnTree.of(parent, outcome)


def test_an_unknown_average_is_named() -> None:
    with pytest.raises(ValueError, match="average must be one of"):
        PUBLISHED.value("siblings")  # type: ignore[arg-type]
