"""ProgRM: progress labels from recipes, the steps that successful episodes of a task have in common."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.sequences import lcs_pairs
from turnwise.rewards.trajectory import Trajectory, Turn

Same: TypeAlias = Callable[[Any, Any], bool]
"""Whether two steps count as the same."""

Recipe: TypeAlias = Sequence[Any]
"""The key steps of a task, in order."""


def progrm_labels(steps: Sequence[Any], recipe: Recipe, *, same: Same = operator.eq) -> FloatArray:
    """How much of a recipe has been done after each step, in [0, 1].

    A key step is one that the longest common subsequence with the recipe aligns.

    Args:
        steps: T steps (actions, or states and actions) of an episode.
        recipe: R key steps.
        same: Whether two steps count as the same.

    Returns:
        (T,) labels, which never fall.

    Raises:
        ValueError: The recipe is empty.

    Source: ProgRM (arXiv 2505.18121). Provenance: unverified.

    >>> progrm_labels(["open", "scroll", "search"], ["open", "search", "select", "buy"]).tolist()
    [0.25, 0.25, 0.5]
    """
    if not len(recipe):
        raise ValueError("recipe must hold at least one key step")
    done = np.zeros(len(steps))
    done[[j for _, j in lcs_pairs(recipe, steps, same)]] = 1.0
    labels: FloatArray = np.cumsum(done) / len(recipe)
    return labels


def progrm_recipes(
    successes: Sequence[Sequence[Any]], *, similarity: float, same: Same = operator.eq
) -> list[list[Any]]:
    """Cluster successful episodes of one task, and reduce each cluster to the steps that all its members share.

    An episode joins the first recipe whose longest common subsequence with it is at least `similarity` times the
    recipe's length, and cuts the recipe down to that; otherwise it is a new recipe. The result depends on the order.

    Args:
        successes: The steps of each successful episode.
        similarity: In (0, 1]. How the paper clusters is not known, so there is no default.
        same: Whether two steps count as the same.

    Raises:
        ValueError: `similarity` is not in (0, 1].

    Source: ProgRM (arXiv 2505.18121). Provenance: unverified.

    >>> progrm_recipes([["open", "a", "buy"], ["open", "b", "buy"], ["call"]], similarity=0.5)
    [['open', 'buy'], ['call']]
    """
    if not 0.0 < similarity <= 1.0:
        raise ValueError(f"similarity must lie in (0, 1], got {similarity!r}")
    recipes: list[list[Any]] = []
    for steps in successes:
        for recipe in recipes:
            shared = [recipe[i] for i, _ in lcs_pairs(recipe, steps, same)]
            if len(shared) >= similarity * len(recipe):
                recipe[:] = shared
                break
        else:
            recipes += [list(steps)] if len(steps) else []
    return recipes


class ProgRMReward:
    """Pays progress through the closest recipe of the task; added to the outcome.

    The paper trains a reward model on the labels (`progrm_labels`) and pays its predictions; this pays the labels.

    Args:
        recipes: Recipes by task id; the one of which most is done counts. A task without any pays nothing.
        pay: `progress` pays the label after each turn, `difference` what the turn added to it. Which of them the paper
            uses is not known, so there is no default.
        step: What of a turn is compared; default its action.
        same: Whether two steps count as the same.

    Raises:
        ValueError: `pay` is unknown.

    Source: ProgRM (arXiv 2505.18121). Provenance: unverified.

    >>> reward = ProgRMReward({"shop": [["open", "buy"]]}, pay="difference")
    >>> reward(Trajectory([Turn(0, "", "look"), Turn(1, "", "open")], task_id="shop")).tolist()
    [0.0, 0.5]
    """

    def __init__(
        self,
        recipes: Mapping[str, Sequence[Recipe]],
        *,
        pay: Literal["progress", "difference"],
        step: Callable[[Turn], Any] = operator.attrgetter("action"),
        same: Same = operator.eq,
    ) -> None:
        if pay not in ("progress", "difference"):
            raise ValueError(f"pay must be 'progress' or 'difference', got {pay!r}")
        self.recipes, self.step, self.same = recipes, step, same
        self.pay: Literal["progress", "difference"] = pay

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        steps = [self.step(turn) for turn in trajectory.turns]
        nothing: FloatArray = np.zeros(len(steps))
        labels = [progrm_labels(steps, recipe, same=self.same) for recipe in self.recipes.get(trajectory.task_id, ())]
        best = max(labels, key=lambda label: float(label[-1:].sum()), default=nothing)
        return best if self.pay == "progress" else np.diff(best, prepend=0.0)


RECORD = MethodRecord(
    name="progrm",
    function=ProgRMReward,
    paper="ProgRM: Build Better GUI Agents with Progress Rewards",
    arxiv="2505.18121",
    provenance="unverified",
    scope="episode",
    needs=frozenset({"recipes"}),
    min_group=1,
    summary="Progress through the steps that successful episodes of the task have in common.",
)
