"""SPA's progress estimator: turn scores whose sum over a trajectory predicts its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.text_features import hashed_ngrams
from turnwise.rewards.trajectory import Trajectory


class TurnFeatures(Protocol):
    """What the estimator sees of each turn.

    Hashed n-grams need no model (`text_turn_features`). The paper's own choice is a language model's hidden state at
    the last token of each action; any callable that returns such a matrix will do, as long as d stays the same.
    """

    def __call__(self, trajectory: Trajectory) -> NDArray[Any]:
        """Return (T, d) finite features, one row a turn."""
        ...


def text_turn_features(trajectory: Trajectory, dim: int = 512) -> FloatArray:
    """(T, dim) features: hashed n-grams of the observation in the first half, of the action in the second.

    >>> from turnwise.rewards.trajectory import Turn
    >>> text_turn_features(Trajectory([Turn(0, "a door", "open[door]")]), dim=64).shape
    (1, 64)
    """
    half = dim // 2
    features = np.zeros((len(trajectory), dim))
    for row, turn in zip(features, trajectory.turns, strict=True):
        row[:half] = hashed_ngrams(turn.observation, half)
        row[half:] = hashed_ngrams(turn.action, dim - half)
    return features


class LinearProgressEstimator:
    """A linear `FittedTurnScorer` that learns online: `c_t = w . x_t + b`, where `sum_t c_t` predicts the outcome.

    Summed over a trajectory the model is linear in the summed features, so each `fit` solves exactly for the weights
    with the least (exponentially forgetting) sum of `(sum_t c_t - R)^2` over all trajectories seen, plus `l2` times
    their square. There is no learning rate and no dependence on the order inside a batch; memory is d x d numbers and
    a fit costs O(n d^2 + d^3), a few milliseconds for the default d = 512.

    Args:
        features: (T, d) features of a trajectory's turns, see `TurnFeatures`; default `text_turn_features`.
        l2: Ridge penalty on w and b, > 0.
        forgetting: What each `fit` multiplies earlier evidence by, in (0, 1]; below 1 the estimator follows a policy
            that changes.

    Source: SPA-RL (arXiv 2505.20732): the loss `mean_i (sum_t c_{i,t} - R_i)^2`. A linear model in place of the
    paper's fine-tuned language model is ours. Provenance: read.

    >>> from turnwise.rewards.trajectory import Turn
    >>> good = Trajectory([Turn(0, "", "walk"), Turn(1, "", "buy", reward=1.0)])
    >>> bad = Trajectory([Turn(0, "", "walk"), Turn(1, "", "quit")])
    >>> estimator = LinearProgressEstimator(l2=1e-3)
    >>> estimator.fit([good, bad])
    0.5
    >>> round(float(estimator.score(good).sum()), 2), round(float(estimator.score(bad).sum()), 2)
    (1.0, 0.0)
    """

    def __init__(self, features: TurnFeatures | None = None, *, l2: float = 1e-2, forgetting: float = 1.0) -> None:
        if not l2 > 0.0:
            raise ValueError(f"l2 must be positive, got {l2!r}")
        if not 0.0 < forgetting <= 1.0:
            raise ValueError(f"forgetting must lie in (0, 1], got {forgetting!r}")
        self.features: TurnFeatures = features or text_turn_features
        self.l2 = l2
        self.forgetting = forgetting
        self._gram: FloatArray = np.zeros((0, 0))  # weighted sum of s s^T over the trajectories seen
        self._moment: FloatArray = np.zeros(0)  # weighted sum of R s
        self._weights: FloatArray = np.zeros(0)

    def score(self, trajectory: Trajectory) -> FloatArray:
        """(T,) progress of each turn, in units of the outcome; zeros before the first `fit`."""
        inputs = self._inputs(trajectory)
        if not self._weights.size or not len(inputs):
            return np.zeros(len(inputs))
        self._check_width(inputs.shape[1])
        scores: FloatArray = inputs @ self._weights
        return scores

    def fit(self, trajectories: Sequence[Trajectory]) -> float:
        """Learn from finished trajectories.

        Returns:
            The mean squared error of the predicted outcomes before this update; NaN without any turns to learn from.

        Raises:
            ValueError: Features or outcomes that are not finite, or features of another width than before.
        """
        seen = [trajectory for trajectory in trajectories if len(trajectory)]
        if not seen:
            return float("nan")
        sums = np.stack([self._inputs(trajectory).sum(axis=0) for trajectory in seen])
        outcomes = np.array([trajectory.outcome for trajectory in seen])
        if not np.isfinite(outcomes).all():
            raise ValueError("outcomes must be finite to learn from them")
        if not self._weights.size:
            self._start(sums.shape[1])
        self._check_width(sums.shape[1])
        loss = float(np.mean((sums @ self._weights - outcomes) ** 2))
        self._gram = self.forgetting * self._gram + sums.T @ sums
        self._moment = self.forgetting * self._moment + sums.T @ outcomes
        ridge = self._gram + self.l2 * np.eye(len(self._moment))
        self._weights = np.linalg.solve(ridge, self._moment).astype(np.float64, copy=False)
        return loss

    def state_dict(self) -> dict[str, FloatArray]:
        """Everything learnt, as copies of plain arrays."""
        return {"gram": self._gram.copy(), "moment": self._moment.copy(), "weights": self._weights.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_dict` returned.

        Raises:
            ValueError: An array is missing or the shapes do not fit each other.
        """
        if missing := sorted({"gram", "moment", "weights"} - set(state)):
            raise ValueError(f"state lacks {missing}")
        gram, moment, weights = (np.array(state[name], dtype=np.float64) for name in ("gram", "moment", "weights"))
        width = moment.size
        if gram.shape != (width, width) or moment.shape != (width,) or weights.shape != (width,):
            raise ValueError(f"state shapes do not fit: gram {gram.shape}, moment {moment.shape}, {weights.shape}")
        self._gram, self._moment, self._weights = gram, moment, weights

    def _inputs(self, trajectory: Trajectory) -> FloatArray:
        """(T, d + 1) features and a constant, which shares out what nothing else explains equally over the turns."""
        turns = len(trajectory)
        features = np.asarray(self.features(trajectory), dtype=np.float64)
        if features.ndim != 2 or len(features) != turns:
            raise ValueError(f"features must have shape ({turns}, d), got {features.shape}")
        if not np.isfinite(features).all():
            raise ValueError("features must be finite")
        return np.hstack([features, np.ones((turns, 1))])

    def _start(self, width: int) -> None:
        self._gram, self._moment, self._weights = np.zeros((width, width)), np.zeros(width), np.zeros(width)

    def _check_width(self, width: int) -> None:
        if width != len(self._weights):
            raise ValueError(
                f"features have width {width - 1}, but the estimator was fitted on {len(self._weights) - 1}"
            )
