"""PAR: how likely a response is to be preferred to reference responses; and the shapings it was compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.episodes._scores import at_the_end
from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Trajectory

Shaper: TypeAlias = Callable[[float, FloatArray], float]
"""From a raw score and the (R,) scores of the references to the shaped score."""

RunningKind: TypeAlias = Literal["mean_std", "clip", "min_max"]

_NORMAL_85 = 1.0364333894937898  # 85th percentile of the standard normal distribution


def par(score: ArrayLike, references: ArrayLike, *, k: float = 1.0) -> FloatArray:
    """`mean over references of sigmoid(k * (score - reference))`, in [0, 1].

    Args:
        score: (...) reward model's score of each response.
        references: (R,) scores of reference responses to the same prompt; one is enough, the authors use up to ten.
        k: Steepness.

    Returns:
        (...) shaped scores.

    Raises:
        ValueError: There are no references.

    Source: PAR (arXiv 2502.18770). Provenance: verified (by running the authors' code).

    >>> round(float(par(2.0, [1.0])), 6)
    0.731059
    """
    return relative(score, references, lambda x: _sigmoid(k * x))


def relative_tanh(score: ArrayLike, references: ArrayLike) -> FloatArray:
    """`mean over references of tanh(score - reference)`, in [-1, 1].

    >>> round(float(relative_tanh(2.0, [1.0])), 6)
    0.761594
    """
    return relative(score, references, np.tanh)


def relative_quintic(score: ArrayLike, references: ArrayLike) -> FloatArray:
    """As `par`, with the polynomial of degree 5 that is nearest to the sigmoid on [-5, 5]; 0 and 1 outside.

    >>> round(float(relative_quintic(2.0, [1.0])), 3)
    0.719
    """

    def quintic(x: FloatArray) -> FloatArray:
        inside = np.polyval(_quintic_coefficients(), x)
        shaped: FloatArray = np.where(x <= -5.0, 0.0, np.where(x >= 5.0, 1.0, inside))
        return shaped

    return relative(score, references, quintic)


def log_sigmoid_centred(score: ArrayLike, references: ArrayLike) -> FloatArray:
    """`log sigmoid(score - q)`, where q is the 85th percentile of a normal distribution fitted to the references.

    The deviation is the sample's; 0 for one reference.

    >>> round(float(log_sigmoid_centred(2.0, [1.0])), 3)
    -0.313
    """
    centre = _checked(references)
    deviation = centre.std(ddof=1) if len(centre) > 1 else 0.0
    quantile = centre.mean() + _NORMAL_85 * (deviation + 1e-5)
    shaped: FloatArray = -np.logaddexp(0.0, quantile - np.asarray(score, dtype=np.float64))
    return shaped


def relative(score: ArrayLike, references: ArrayLike, shape: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """The mean over references of `shape(score - reference)`.

    Raises:
        ValueError: There are no references, or one is not finite.

    >>> float(relative(2.0, [1.0, 0.0], lambda x: x))
    1.5
    """
    gaps = np.asarray(score, dtype=np.float64)[..., None] - _checked(references)
    mean: FloatArray = shape(gaps).mean(axis=-1)
    return mean


class RunningShaper:
    """Shapes a score by the statistics of all scores so far, this one included; reads no references.

    Args:
        kind: `mean_std`: `(x - mean) / std` (population's; 1 where it is 0). `clip`: into mean ± std.
            `min_max`: into [0, 1] (0 while all scores are equal; the released code divides by zero there).

    Raises:
        ValueError: `kind` is unknown.

    Source: PAR (arXiv 2502.18770), its baselines. Provenance: verified (by running the authors' code).

    >>> shape = RunningShaper("min_max")
    >>> [shape(score, []) for score in (1.0, 3.0, 2.0)]
    [0.0, 1.0, 0.5]
    """

    def __init__(self, kind: RunningKind) -> None:
        if kind not in get_args(RunningKind):
            raise ValueError(f"kind must be one of {get_args(RunningKind)}, got {kind!r}")
        self.kind: RunningKind = kind
        self.count = 0
        self.mean = self.squares = 0.0  # squares: sum of squared distances from the mean
        self.low, self.high = np.inf, -np.inf

    def __call__(self, score: float, references: ArrayLike = ()) -> float:
        """Take the score into the statistics and shape it."""
        self.count += 1
        distance = score - self.mean
        self.mean += distance / self.count
        self.squares += distance * (score - self.mean)
        self.low, self.high = min(self.low, score), max(self.high, score)
        std = float(np.sqrt(self.squares / self.count))
        if self.kind == "mean_std":
            return (score - self.mean) / (std or 1.0)
        if self.kind == "clip":
            return float(np.clip(score, self.mean - std, self.mean + std))
        return (score - self.low) / ((self.high - self.low) or 1.0)


class ParReward:
    """The shaped score of the whole episode in its last turn, in place of the outcome (`replaces_outcome`).

    Args:
        shaper: `par` or another `Shaper` of this module; a `RunningShaper` keeps its statistics over episodes.
        score: The reward model's score of the episode; default the outcome.
        references: Scores of reference episodes of the same task; None for shapers that read none.

    Raises:
        KeyError: The environment does not give a fact; the message names it.
        ValueError: There are no references, or they or the score are not finite.

    Source: PAR (arXiv 2502.18770). Provenance: verified (by running the authors' code).

    >>> from turnwise.rewards.trajectory import Turn
    >>> won = Trajectory([Turn(0, "", ""), Turn(1, "", "", reward=1.0)], privileged={"reference_scores": [1.0]})
    >>> ParReward()(won).tolist()
    [0.0, 0.5]
    """

    replaces_outcome = True

    def __init__(
        self,
        shaper: Callable[..., ArrayLike] = par,
        *,
        score: Fact | None = None,
        references: Fact | None = "reference_scores",
    ) -> None:
        self.shaper, self.score, self.references = shaper, score, references
        self.needs = privileged_keys(score, references)

    def __call__(self, trajectory: Trajectory) -> FloatArray:
        """(T,) rewards."""
        if not len(trajectory):
            return np.zeros(0)
        raw = trajectory.outcome if self.score is None else float(read_fact(self.score, trajectory, "score"))
        if not np.isfinite(raw):
            raise ValueError(f"score must be finite, got {raw}")
        others = () if self.references is None else read_fact(self.references, trajectory, "references")
        return at_the_end(len(trajectory), float(np.asarray(self.shaper(raw, others))))


def _checked(references: ArrayLike) -> FloatArray:
    array = np.asarray(references, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"references must be (R,) finite scores with R >= 1, got {array}")
    return array


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.exp(-np.logaddexp(0.0, -x))


@cache
def _quintic_coefficients() -> FloatArray:
    """The least-squares fit to the sigmoid at 100 points of [-5, 5]."""
    x = np.linspace(-5.0, 5.0, 100)
    return np.polyfit(x, _sigmoid(x), 5)


RECORD = MethodRecord(
    name="par",
    function=ParReward,
    paper="Reward Shaping to Mitigate Reward Hacking in RLHF",
    arxiv="2502.18770",
    provenance="verified",
    scope="episode",
    needs=frozenset({"reference_scores"}),
    min_group=1,
    summary="How likely the episode is to be preferred to reference episodes.",
)
