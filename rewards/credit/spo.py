"""SPO: Monte-Carlo values at segment boundaries; a segment is worth what it changed. For agents, segments are turns."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, IntArray
from turnwise.rewards.credit._inputs import one_of
from turnwise.rewards.credit.pav import best_of_value
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trees import TurnTree, tree_credit

SpoNorm: TypeAlias = Literal["rloo", "grpo"]


def spo(tree: TurnTree, norm: SpoNorm = "rloo", *, eps: float = 1e-8, drop_neutral: bool = True) -> Credit:
    """The advantage of a turn is the value after it minus the value before it; a node's value is its children's mean.

    Args:
        tree: Rollouts that share turns; outcomes in [0, 1] where `drop_neutral`.
        norm: `rloo` leaves the difference as it is; `grpo` divides it by the population deviation of the values of
            the parent's children.
        eps: Added to that deviation.
        drop_neutral: Take turns out of the loss for which the advantage plus that of the best of four rollouts is 0.

    Returns:
        Credit over the K nodes (see `turnwise.rewards.trees.tree_credit`): differences of value as reward.

    Source: Segment Policy Optimization (arXiv 2505.23564), tree variant. Provenance: read.

    >>> tree = TurnTree.of([-1, 0, 0, 1, 1], [np.nan, np.nan, 1.0, 1.0, 0.0])
    >>> spo(tree).advantage.tolist()
    [0.0, -0.25, 0.25, 0.5, -0.5]
    """
    one_of("norm", norm, get_args(SpoNorm))
    value = tree.value()
    difference = tree.change(value)
    advantage = difference
    if norm == "grpo":
        squares = np.bincount(tree.parent[~tree.is_root], weights=difference[~tree.is_root] ** 2, minlength=len(tree))
        advantage = difference / (np.sqrt(squares / np.maximum(tree.children, 1))[tree.parent] + eps)
    if not drop_neutral:
        return tree_credit(tree, advantage, difference)
    with_best = difference + tree.change(best_of_value(value, 4))
    return tree_credit(tree, advantage, difference, (np.abs(with_best) > 1e-12).astype(np.float64))


def spo_cutpoints(probability: ArrayLike, *, threshold: float = 0.9, interval: int = 5) -> IntArray:
    """Where to cut a message into segments: just before tokens that the policy was unsure of.

    Args:
        probability: (L,) probability of each sampled token.
        threshold: A token with a lower probability is one to cut before.
        interval: Take every `interval`-th of these places, from the first one on.

    Returns:
        (C,) index of the last token before each cut; -1 is the start of the message.

    Source: SPO (arXiv 2505.23564), chain variant. Provenance: read.

    >>> spo_cutpoints([0.99, 0.5, 0.95, 0.6], interval=1).tolist()
    [0, 2]
    """
    if interval < 1:
        raise ValueError(f"interval must be at least 1, got {interval!r}")
    return np.flatnonzero(np.asarray(probability, dtype=np.float64) < threshold)[::interval] - 1


def spo_chain(
    cutpoints: ArrayLike,
    values: ArrayLike,
    score: float,
    length: int,
    *,
    probability: ArrayLike | None = None,
    threshold: float = 0.9,
) -> FloatArray:
    """Advantages of the tokens of one message that was cut into segments.

    A segment gets the value at the next cut minus the value at its own, the last one the score minus the value at its
    own. Tokens up to the first cut get 0, and so do all tokens where there is no cut.

    Args:
        cutpoints: (C,) increasing, from `spo_cutpoints`.
        values: (C,) Monte-Carlo value at each cut.
        score: The message's outcome.
        length: L, tokens in the message.
        probability: (L,) probability of each token: those above `threshold` get 0. Default: no such mask.
        threshold: See there.

    Returns:
        (L,) advantages.

    Raises:
        ValueError: The cuts are not increasing positions in [-1, L - 1), or there is not one value for each.

    Source: SPO (arXiv 2505.23564), chain variant. Provenance: read.

    >>> spo_chain([0, 2], [0.5, 0.75], 1.0, 4).tolist()
    [0.0, 0.25, 0.25, 0.25]
    """
    cuts, at_cut = np.asarray(cutpoints, dtype=np.int64), np.asarray(values, dtype=np.float64)
    if cuts.shape != at_cut.shape or cuts.ndim != 1:
        raise ValueError(f"values must hold one number a cutpoint, {cuts.shape}, got {at_cut.shape}")
    if len(cuts) and (np.diff(cuts).min(initial=1) < 1 or cuts[0] < -1 or cuts[-1] >= length - 1):
        raise ValueError(f"cutpoints must increase and lie in [-1, {length - 1}), got {cuts.tolist()}")
    advantages = np.append(at_cut[1:], score)[: len(cuts)] - at_cut
    segment = np.searchsorted(cuts, np.arange(length), side="left")  # cuts before each token
    advantage: FloatArray = np.append(0.0, advantages)[segment]
    if probability is not None:
        advantage = np.where(np.asarray(probability, dtype=np.float64) > threshold, 0.0, advantage)
    return advantage


RECORD = MethodRecord(
    name="spo",
    function=spo,
    paper="Segment Policy Optimization: Effective Segment-Level Credit Assignment in RL for Large Language Models",
    arxiv="2505.23564",
    provenance="read",
    scope="group",
    needs=frozenset({"tree"}),
    min_group=1,
    summary="A turn is worth the change of Monte-Carlo value over it.",
)
