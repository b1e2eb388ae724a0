"""VeRPO's difficulty-weighted tests without groups: pass rates are kept from episode to episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import at_the_end
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.pass_matrix import Difficulty, pass_matrix, weighted_share
from turnwise.rewards.trajectory import Trajectory


class RunningPassRates:
    """How often each test of each task was passed so far: `(hits + weight * prior) / (runs + weight)`.

    The order of episodes decides the rates, and nothing else. Plain counts: it can be pickled and goes on from there.

    Args:
        prior: Pass rate of a test that was never run.
        weight: How many runs the prior counts for.
        memory: What earlier runs of a task's tests are multiplied by before an episode is counted. Below 1 the rates
            follow a policy that improves; the mean age of what counts is `1 / (1 - memory)` episodes.

    Raises:
        ValueError: `prior` or `memory` is not in [0, 1], or `weight` is not positive.

    Source: ours. VeRPO (arXiv 2601.03525) estimates the rates from the rollouts of one group.

    >>> rates = RunningPassRates(prior=0.5, weight=2.0)
    >>> rates.update("task", {"test_a": True, "test_b": False})
    >>> rates("task", ["test_a", "test_b", "test_c"]).round(3).tolist()
    [0.667, 0.333, 0.5]
    """

    def __init__(self, *, prior: float = 0.5, weight: float = 1.0, memory: float = 1.0) -> None:
        for name, value in (("prior", prior), ("memory", memory)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
        if not 0.0 < weight < np.inf:
            raise ValueError(f"weight must be positive, got {weight!r}")
        self.prior, self.weight, self.memory = prior, weight, memory
        self._counts: dict[str, dict[str, tuple[float, float]]] = {}

    def __call__(self, task_id: str, tests: Sequence[str]) -> FloatArray:
        """(J,) the rates of these tests."""
        counts = self._counts.get(task_id, {})
        hits, runs = np.array([counts.get(test, (0.0, 0.0)) for test in tests], dtype=np.float64).reshape(-1, 2).T
        rates: FloatArray = (hits + self.weight * self.prior) / (runs + self.weight)
        return rates

    def tests(self, task_id: str) -> list[str]:
        """The tests of a task that some episode had a result of."""
        return list(self._counts.get(task_id, {}))

    def update(self, task_id: str, results: Mapping[str, float]) -> None:
        """Count the results of one episode: test id to whether it passed."""
        counts = self._counts.setdefault(task_id, {})
        for test, passed in results.items():
            hits, runs = counts.get(test, (0.0, 0.0))
            counts[test] = (self.memory * hits + float(passed), self.memory * runs + 1.0)


class RunningVeRPOReward:
    """`difficulty-weighted share of passed tests + success_weight * 1[all passed]` in the last turn, in place of the
    outcome (`replaces_outcome`).

    The weights come from the rates of earlier episodes of the task; the episode itself is counted afterwards, so that
    what it passes does not make it look easy. Where it lacks a test that earlier episodes had, that test failed. An
    episode in which nothing was graded is paid 0 and not counted. Over groups of rollouts use `verpo`, as published.

    Args:
        results: Test id to whether it passed, empty where nothing was graded: a key of the privileged record, or a
            function of the trajectory.
        difficulty: From pass rates to weights before normalisation; should decrease. The paper's form is not known
            here; `lambda rate: 1 - rate` is one.
        success_weight: Weight of passing all tests; not known either.
        rates: The rates so far; default none. Environments may share one object.

    Raises:
        KeyError: The privileged record has no such key.
        ValueError: A result is neither true nor false, or `difficulty` gives a negative weight.

    Source: after VeRPO (arXiv 2601.03525). Provenance: unverified, and the running estimate is ours.

    >>> from turnwise.rewards.trajectory import Turn
    >>> reward = RunningVeRPOReward(difficulty=lambda rate: 1 - rate, success_weight=1.0)
    >>> def episode(**results):
    ...     return Trajectory([Turn(0, "", ""), Turn(1, "", "")], privileged={"test_results": results})
    >>> reward(episode(a=True, b=False)).tolist(), reward(episode(a=False, b=True)).tolist()
    ([0.0, 0.5], [0.0, 0.75])
    """

    replaces_outcome = True

    def __init__(
        self,
        results: Fact = "test_results",
        *,
        difficulty: Difficulty,
        success_weight: float,
        rates: RunningPassRates | None = None,
    ) -> None:
        self.results, self.difficulty, self.success_weight = results, difficulty, success_weight
        self.rates = RunningPassRates() if rates is None else rates
        self.needs = privileged_keys(results)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        results = read_fact(self.results, trajectory, "results")
        if not results:
            return np.zeros(len(trajectory))
        task = trajectory.task_id
        results = {**dict.fromkeys(self.rates.tests(task), False), **results}
        share, solved = weighted_share(pass_matrix([results]), self.rates(task, list(results))[None], self.difficulty)
        self.rates.update(task, results)
        return at_the_end(len(trajectory), float(share[0] + self.success_weight * solved[0]))


RECORD = MethodRecord(
    name="verpo_running",
    function=RunningVeRPOReward,
    paper="VeRPO: Verifiable Dense Reward Policy Optimization for Code Generation",
    arxiv="2601.03525",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"test_results"}),
    min_group=1,
    summary="Passed tests count by how hard they were in earlier episodes (ours, for use without groups).",
)
