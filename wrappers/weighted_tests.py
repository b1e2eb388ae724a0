"""VeRPO: partial success on hidden tests counts by how hard the group finds each test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit.verpo import verpo
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.pass_matrix import Difficulty, pass_matrix
from turnwise.rewards.trajectory import Trajectory
from turnwise.wrappers.base import record_arguments
from turnwise.wrappers.group import GroupWrapper


class DifficultyWeightedTests(GroupWrapper):
    """Group-relative advantages of passed tests, each weighted by how few rollouts of the group pass it (VeRPO).

    Rewards stay as they are; the advantages come with the last episode of a group, see `GroupWrapper`. Without groups
    use `turnwise.rewards.episodes.RunningVeRPOReward`.

    Args:
        env: Environment or vector environment whose privileged record holds test results, such as `turnwise/SWE-v0`.
        group_size: Rollouts of a task, at least 2.
        difficulty: From the share of the group's rollouts that pass a test to its weight before normalisation; should
            decrease. The paper's form is not known here; `lambda rate: 1 - rate` is one.
        success_weight: Weight of passing all tests; not known either.
        results: Test id to whether it passed, empty where nothing was graded: a key of the privileged record, or a
            function of the trajectory, for example to leave out the tests that pass without a patch.
        ungraded_fails: A test that a rollout has no result of counts as failed in the pass rates; else it does not
            count there. The rollout earns nothing by it either way.
        norm_by_std: Divide by the sample standard deviation of the group.

    Raises:
        MissingRequirementError: `group_size` is below 2 or not that of the vector environment, or the environment does
            not promise the results.

    Source: VeRPO (arXiv 2601.03525), by `turnwise.rewards.credit.verpo`. Provenance: unverified.

    Example:
        env = DifficultyWeightedTests(
            gym.make("turnwise/SWE-v0"), group_size=8, difficulty=lambda rate: 1 - rate, success_weight=1.0
        )
    """

    def __init__(
        self,
        env: Any,
        group_size: int,
        *,
        difficulty: Difficulty,
        success_weight: float,
        results: Fact = "test_results",
        ungraded_fails: bool = False,
        norm_by_std: bool = True,
    ) -> None:
        self.options: dict[str, Any] = {
            "difficulty": difficulty,
            "success_weight": success_weight,
            "norm_by_std": norm_by_std,
        }
        self.results, self.ungraded_fails = results, ungraded_fails
        self.needs = frozenset({"group"}) | privileged_keys(results)
        record_arguments(self, group_size=group_size, results=results, ungraded_fails=ungraded_fails, **self.options)
        super().__init__(env, group_size=group_size)

    def credit(self, batch: TurnBatch, rollouts: Sequence[Trajectory]) -> Credit:
        """VeRPO's advantages for one group."""
        results = [read_fact(self.results, rollout, "results") for rollout in rollouts]
        return verpo(batch, pass_matrix(results, missing=0.0 if self.ungraded_fails else np.nan), **self.options)
