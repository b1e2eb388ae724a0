"""Math-Shepherd: a turn is worth how often rollouts that went on from it succeeded."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray
from turnwise.rewards.credit._inputs import one_of
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trees import TurnTree, tree_credit

Label: TypeAlias = Literal["soft", "hard"]


def math_shepherd(tree: TurnTree, label: Label = "soft") -> Credit:
    """Step labels from completions: the share of rollouts below a node that succeed, or whether any does.

    The paper trains a process reward model on the labels (with cross-entropy) and scores a solution by its lowest
    step. Here the labels are the rewards, and the advantage is what a turn changed of them.

    Args:
        tree: Rollouts that share turns; a leaf's outcome above 0 is a success.
        label: `soft` or `hard`.

    Returns:
        Credit over the K nodes (see `turnwise.rewards.trees.tree_credit`): labels as reward, their change as advantage.

    Source: Math-Shepherd (arXiv 2312.08935). Provenance: unverified (from memory of the paper).

    >>> tree = TurnTree.of([-1, 0, 0, 1, 1], [np.nan, np.nan, 1.0, 1.0, 0.0])
    >>> math_shepherd(tree).reward.tolist()
    [0.0, 0.5, 1.0, 1.0, 0.0]
    """
    one_of("label", label, get_args(Label))
    share = tree.backup(tree.outcome > 0, "leaves")
    labels = share if label == "soft" else (share > 0).astype(np.float64)
    return tree_credit(tree, tree.change(labels), labels)


def completion_labels(success: ArrayLike, label: Label = "soft") -> FloatArray:
    """Labels of prefixes from the successes of their own completions.

    Args:
        success: (..., n) 1 for each of n completions that succeeded, else 0.
        label: `soft` for the mean, `hard` for whether any succeeded.

    Returns:
        (...) labels in [0, 1].

    >>> completion_labels([[1, 0], [0, 0]]).tolist(), completion_labels([[1, 0], [0, 0]], "hard").tolist()
    ([0.5, 0.0], [1.0, 0.0])
    """
    one_of("label", label, get_args(Label))
    bits = np.asarray(success, dtype=np.float64)
    if label == "soft":
        return np.asarray(bits.mean(axis=-1))
    return np.asarray((bits > 0).any(axis=-1), dtype=np.float64)


RECORD = MethodRecord(
    name="math_shepherd",
    function=math_shepherd,
    paper="Math-Shepherd: Verify and Reinforce LLMs Step-by-step without Human Annotations",
    arxiv="2312.08935",
    provenance="unverified",
    scope="group",
    needs=frozenset({"tree"}),
    min_group=1,
    summary="A turn is worth how often rollouts that went on from it succeeded.",
)
