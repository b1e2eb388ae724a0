"""Math-Shepherd, PAV, SPO, TreeRPO and PORTool on trees of turns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from credit_batches import VECTORS, close
from numpy.testing import assert_allclose

from turnwise.rewards.credit.math_shepherd import completion_labels, math_shepherd
from turnwise.rewards.credit.pav import pav
from turnwise.rewards.credit.portool import portool
from turnwise.rewards.credit.spo import spo, spo_chain, spo_cutpoints
from turnwise.rewards.credit.tree_rpo import tree_rpo
from turnwise.rewards.trees import TurnTree

NAN = float("nan")
NAMES = ["r", "u", "v", "u1", "u2", "v1", "v2"]
TREE = TurnTree.of([-1, 0, 0, 1, 1, 2, 2], [NAN, NAN, NAN, 1, 0, 1, 1])
PORTOOL: dict[str, Any] = {"decay": 1.0, "call_weight": 0.0, "fork_weight": 1.0, "norm_by_std": False}


def by_name(values: Any, key: str) -> None:
    expected = VECTORS[key]
    for name, value in zip(NAMES, values, strict=True):
        assert value == pytest.approx(expected.get(name, 0.0), abs=2e-6), name


def test_spo_tree_vector() -> None:
    by_name(spo(TREE).advantage, "spo_tree_A_rloo")
    by_name(spo(TREE).reward, "spo_tree_A_rloo")
    # turns after which nothing is better or worse leave the loss
    assert spo(TREE).weight.tolist() == [0, 1, 1, 1, 1, 0, 0]
    assert spo(TREE, drop_neutral=False).weight.tolist() == [0, 1, 1, 1, 1, 1, 1]


def test_spo_divides_by_the_deviation_of_the_parent_s_children() -> None:
    assert_allclose(spo(TREE, "grpo").advantage, [0, -1, 1, 1, -1, 0, 0], atol=1e-6)
    thirds = TurnTree.of([-1, 0, 0, 0], [NAN, 1.0, 0.0, 0.0])
    outcomes = np.array([1.0, 0.0, 0.0])
    expected = (outcomes - outcomes.mean()) / outcomes.std()
    assert_allclose(spo(thirds, "grpo").advantage[1:], expected, atol=1e-6)


def test_rounding_keeps_no_neutral_turn_in_the_loss() -> None:
    third = TurnTree.of([-1, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], [NAN] * 4 + [1.0, 0.0, 0.0] * 3)
    assert spo(third).weight[1:4].tolist() == [0.0, 0.0, 0.0]


def test_pav_vector() -> None:
    by_name(pav(TREE, alpha=1.0).advantage, "pav_effective_reward(A+BoK4)")


def test_pav_with_another_prover() -> None:
    prover = [0.5, 0.25, 0.75, 1, 0, 1, 1]
    credit = pav(TREE, alpha=2.0, prover_value=prover)
    assert_allclose(credit.reward, 2 * np.array([0, -0.25, 0.25, 0.75, -0.25, 0.25, 0.25]))
    assert_allclose(credit.advantage, spo(TREE).advantage + credit.reward)
    assert_allclose(pav(TREE, alpha=0.0).advantage, spo(TREE).advantage)
    with pytest.raises(TypeError, match="alpha"):
        pav(TREE)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"prover_value must have shape \(7,\)"):
        pav(TREE, alpha=1.0, prover_value=[0.5])
    with pytest.raises(ValueError, match="best_of must be at least 1, got 0"):
        pav(TREE, alpha=1.0, best_of=0)


def test_tree_rpo_vector() -> None:
    credit = tree_rpo(TREE)
    expected = VECTORS["treerpo_like_sibling_norm"]
    assert_allclose(credit.advantage, [0, *expected["r"], *expected["u"], *expected["v"]], atol=2e-6)
    assert credit.weight.tolist() == [0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("method", [tree_rpo, spo, lambda tree: pav(tree, alpha=1.0)])
def test_outcomes_must_be_success_rates(method: Any) -> None:
    with pytest.raises(ValueError, match=r"outcomes must lie in \[0, 1\].* -10 to 10"):
        method(TurnTree.of([-1, 0, 0], [NAN, 10.0, -10.0]))


def test_math_shepherd_vectors() -> None:
    rollouts = [[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    close(completion_labels(rollouts), "ms_soft")
    assert completion_labels(rollouts, "hard").tolist() == [1.0, 1.0, 0.0]
    by_name(np.append(0.75, math_shepherd(TREE).reward[1:]), "tree_V")
    assert math_shepherd(TREE, "hard").reward.tolist() == [0, 1, 1, 1, 0, 1, 1]
    assert math_shepherd(TREE, "hard").advantage.tolist() == [0, 0, 0, 0, -1, 0, 0]


def test_portool_compares_with_siblings_and_with_all_rollouts() -> None:
    credit = portool(TREE, np.zeros(7), **PORTOOL)
    fork = np.array([0, -0.25, 0.25, 0.5, -0.5, 0, 0])
    rollouts = np.array([0, -0.25, 0.25, 0.25, -0.75, 0.25, 0.25])  # outcomes minus 0.75; u has the mean of its two
    assert_allclose(credit.advantage, fork + rollouts, atol=1e-12)
    half = portool(TREE, np.zeros(7), **{**PORTOOL, "fork_weight": 0.5})
    assert_allclose(half.advantage, 0.5 * fork + rollouts, atol=1e-12)


def test_portool_pays_calls_that_work_and_short_ways() -> None:
    calls = [0, 1, 0, 0, 0, 0, 0]
    credit = portool(TREE, calls, **{**PORTOOL, "decay": 0.5, "call_weight": 0.25})
    assert credit.reward.tolist() == [0, 0.25 + 0.25, 0.5, 1, 0, 1, 1]


def test_portool_keeps_trees_apart() -> None:
    two = TurnTree.of([-1, -1, 0, 0, 1, 1], [NAN, NAN, 1.0, 0.0, 1.0, 1.0])
    credit = portool(two, np.zeros(6), **{**PORTOOL, "norm_by_std": True})
    assert credit.advantage[4:].tolist() == [0.0, 0.0]
    assert_allclose(credit.advantage[2:4], [np.sqrt(2), -np.sqrt(2)], atol=1e-5)


def test_portool_has_no_defaults_for_what_is_not_known() -> None:
    for name in PORTOOL:
        with pytest.raises(TypeError, match=name):
            portool(TREE, np.zeros(7), **{key: value for key, value in PORTOOL.items() if key != name})
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\], got 2"):
        portool(TREE, np.zeros(7), **{**PORTOOL, "decay": 2})
    with pytest.raises(ValueError, match=r"call_success must have shape \(7,\)"):
        portool(TREE, [1.0], **PORTOOL)


TOKENS = [0.99, 0.5, 0.95, 0.97, 0.6, 0.99, 0.4, 0.98]


def test_spo_chain_vector() -> None:
    cuts = spo_cutpoints(TOKENS, interval=1)
    assert cuts.tolist() == VECTORS["spo_chain_cut"]
    advantage = spo_chain(cuts, [0.5, 0.75, 0.25], 1.0, 8)
    assert advantage.tolist() == [0.0, 0.25, 0.25, 0.25, -0.5, -0.5, 0.75, 0.75]
    masked = spo_chain(cuts, [0.5, 0.75, 0.25], 1.0, 8, probability=TOKENS)
    assert masked.tolist() == [0.0, 0.25, 0.0, 0.0, -0.5, 0.0, 0.75, 0.0]


def test_spo_chain_at_its_edges() -> None:
    assert spo_cutpoints([0.5, 0.5, 0.5]).tolist() == [-1]
    assert spo_cutpoints([0.5, 0.5, 0.5], interval=2).tolist() == [-1, 1]
    assert spo_cutpoints([]).tolist() == spo_cutpoints([0.95]).tolist() == []
    assert spo_chain([-1], [0.25], 1.0, 2).tolist() == [0.75, 0.75]  # a cut before the first token leaves nothing out
    assert spo_chain([], [], 1.0, 3).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("cuts", "values", "message"),
    [
        ([0, 1], [0.5], "values must hold one number a cutpoint"),
        ([1, 0], [0.5, 0.5], "cutpoints must increase"),
        ([-2], [0.5], r"cutpoints must increase and lie in \[-1, 2\), got \[-2\]"),
        ([2], [0.5], "cutpoints must increase and lie in"),
    ],
)
def test_wrong_cutpoints_are_named(cuts: list[int], values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spo_chain(cuts, values, 1.0, 3)
    with pytest.raises(ValueError, match="interval must be at least 1, got 0"):
        spo_cutpoints([0.5], interval=0)
