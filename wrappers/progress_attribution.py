"""SPA: the outcome is shared out over the turns by a learnt estimate of their progress."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import gymnasium as gym
import numpy as np

from turnwise.rewards.credit.spa import spa_turn_reward
from turnwise.rewards.progress import LinearProgressEstimator
from turnwise.rewards.protocols import FittedTurnScorer, FloatArray, TurnScorer
from turnwise.rewards.trajectory import OUTCOME, Trajectory, Turn
from turnwise.wrappers.base import TurnWrapper, add_term, add_turn_term, checked, finite, record_arguments

Grounding: TypeAlias = Literal["valid"] | Callable[[Turn], float]

GROUNDING = "grounding"
PROGRESS = "progress"


class ProgressAttributionReward(TurnWrapper):
    """Replaces the outcome by `alpha * progress + beta * grounded`, turn by turn (SPA).

    `grounded`, 1 where the action could be carried out, is known at once and paid at once (term `grounding`).
    `progress` is the estimator's share of the outcome for each turn; it is known when the episode has ended, paid with
    the last step, and put in its turn by `info["turn_rewards"]` and, raw, by `info["turn_terms"]["progress"]`.

    The paper trains on these rewards instead of the outcome: the outcome stays in `reward_terms`, but is not paid
    unless `keep_outcome` says so. What inner wrappers add stays.

    An estimator that has `fit` learns online: after each `fit_every` episodes it gets the last `replay` trajectories
    in their order, and `info["estimator_loss"]` is what `fit` returned. An episode is scored before it is learnt from,
    and an estimator that has learnt nothing scores 0, so that the first episodes earn grounding only. One that has only
    `score` is frozen. An estimator on a language model's hidden states needs nothing but these two methods:
    `LinearProgressEstimator(features=...)`, or a class of its own that fine-tunes the model.

    Args:
        env: A `TurnEnv`, wrapped or not.
        estimator: Scores the turns of a trajectory so that they sum to its outcome; default: a
            `LinearProgressEstimator`.
            One estimator may serve several environments of a process.
        alpha: Weight of progress.
        beta: Weight of grounding.
        grounding: `valid` (`Turn.valid`), or a function from a turn to its grounding.
        keep_outcome: Pay the outcome as well.
        fit_every: Episodes from one `fit` to the next.
        replay: Trajectories that are kept for `fit`. The default estimator remembers what it was shown, so that a
            replay longer than `fit_every` shows it trajectories again.

    Raises:
        MissingRequirementError: The estimator cannot score.
        ValueError: `fit_every` or `replay` is smaller than 1, or the estimator does not return T finite scores.

    Source: SPA-RL (arXiv 2505.20732), by `turnwise.rewards.credit.spa_turn_reward`.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> env = ProgressAttributionReward(env, fit_every=1)
    >>> for episode in range(20):
    ...     _ = env.reset(seed=0)
    ...     rewards = [env.step(call)[1] for call in list(env.unwrapped.oracle())]
    >>> progress = env.episode.info["turn_terms"]["progress"]
    >>> round(progress.sum(), 2), rewards[0]  # shared out over the turns; grounding alone is paid at once
    (1.0, 0.5)
    """

    needs = frozenset({"estimator"})
    settles = True

    def __init__(
        self,
        env: gym.Env[Any, Any],
        estimator: TurnScorer | None = None,
        *,
        alpha: float = 1.0,
        beta: float = 0.5,
        grounding: Grounding = "valid",
        keep_outcome: bool = False,
        fit_every: int = 8,
        replay: int = 8,
    ) -> None:
        for name, value in (("fit_every", fit_every), ("replay", replay)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if grounding != "valid" and not callable(grounding):
            raise ValueError(f"grounding must be 'valid' or a function from a Turn to a number, got {grounding!r}")
        record_arguments(
            self, estimator=estimator, alpha=alpha, beta=beta, grounding=grounding, keep_outcome=keep_outcome,
            fit_every=fit_every, replay=replay,
        )  # fmt: skip
        self.estimator: TurnScorer = LinearProgressEstimator() if estimator is None else estimator
        super().__init__(env, estimator=isinstance(self.estimator, TurnScorer))
        self.alpha, self.beta = alpha, beta
        self.grounding: Grounding = grounding
        self.keep_outcome = keep_outcome
        self.fit_every = fit_every
        self._replay: deque[Trajectory] = deque(maxlen=replay)
        self._since_fit = 0

    def pay(self, turn: Turn, info: dict[str, Any]) -> float:
        """The grounding of this turn."""
        grounded = float(turn.valid) if self.grounding == "valid" else finite(self.grounding(turn), GROUNDING)
        add_term(info, GROUNDING, grounded)
        turn.channels[GROUNDING] = grounded
        return self.beta * grounded

    def settle(self, trajectory: Trajectory, rewards: FloatArray) -> FloatArray:
        """Progress in place of the outcome; grounding is among the rewards already."""
        progress = checked(self.estimator.score(trajectory), len(rewards), PROGRESS)
        add_turn_term(self.episode.info, PROGRESS, progress)
        outcome = np.array([turn.channels.get(OUTCOME, 0.0) for turn in trajectory.turns])
        kept = rewards if self.keep_outcome else rewards - outcome
        return kept + spa_turn_reward(progress, np.zeros_like(progress), alpha=self.alpha)

    def finish(self, trajectory: Trajectory, info: dict[str, Any]) -> None:
        """Learn from the episode, if it is time to."""
        if not isinstance(self.estimator, FittedTurnScorer):
            return
        self._replay.append(trajectory)
        self._since_fit += 1
        if self._since_fit >= self.fit_every:
            self._since_fit = 0
            info["estimator_loss"] = float(self.estimator.fit(list(self._replay)))
