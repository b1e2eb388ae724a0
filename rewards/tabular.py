"""Small finite MDPs as plain arrays, and their exact values by dynamic programming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class TabularMDP:
    """A finite MDP whose every path ends within `horizon` turns, so that its values need neither time nor discount.

    S states, A actions. The outcome is paid once, on entering a terminal state.

    Attributes:
        transition: (S, A, S) probability of the next state; terminal states lead to themselves.
        outcome: (S,) outcome reward of ending in each state, in [0, 1]; 0 in states that do not end the episode.
        initial: (S,) probability of beginning in each state.
        terminal: (S,) whether a state ends the episode.
        horizon: The most turns that any path takes.
        signals: Named (S, A) turn rewards that are no part of the outcome: what a rule-based step reward would pay.

    Raises:
        ValueError: A shape, a probability or an outcome is wrong, or some path does not end within the horizon.

    >>> mdp = TabularMDP(  # one turn: the second action wins
    ...     transition=np.array([[[0, 1, 0], [0, 0, 1]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2], dtype=float),
    ...     outcome=np.array([0.0, 0.0, 1.0]),
    ...     initial=np.array([1.0, 0.0, 0.0]),
    ...     terminal=np.array([False, True, True]),
    ...     horizon=1,
    ... )
    >>> evaluate(mdp, uniform_policy(mdp)).advantage[0].tolist()
    [-0.5, 0.5]
    """

    transition: FloatArray
    outcome: FloatArray
    initial: FloatArray
    terminal: BoolArray
    horizon: int
    signals: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.transition.shape
        if len(shape) != 3 or shape[0] != shape[2] or not shape[1]:
            raise ValueError(f"transition must have shape (S, A, S), got {shape}")
        for name in ("outcome", "initial", "terminal"):
            if getattr(self, name).shape != shape[:1]:
                raise ValueError(f"{name} must have shape {shape[:1]}, got {getattr(self, name).shape}")
        for name, signal in self.signals.items():
            if signal.shape != shape[:2]:
                raise ValueError(f"signals[{name!r}] must have shape {shape[:2]}, got {signal.shape}")
        _check_distribution("transition", self.transition)
        _check_distribution("initial", self.initial)
        if ((self.outcome < 0) | (self.outcome > 1) | ((self.outcome != 0) & ~self.terminal)).any():
            raise ValueError("outcome must lie in [0, 1] and be 0 in states that are not terminal")
        self._check_horizon()

    @property
    def states(self) -> int:
        """S, the number of states."""
        return int(self.transition.shape[0])

    @property
    def actions(self) -> int:
        """A, the number of actions."""
        return int(self.transition.shape[1])

    @cached_property
    def successors(self) -> tuple[IntArray, FloatArray]:
        """The possible next states and their probabilities, (S, A, K) each, the likeliest first; K is small."""
        branching = int((self.transition > 0).sum(axis=-1).max())
        order = np.argsort(-self.transition, axis=-1, kind="stable")[..., :branching].astype(np.int64)
        return order, np.take_along_axis(self.transition, order, axis=-1)

    @cached_property
    def reachable(self) -> BoolArray:
        """(S,) whether an episode can get to a state."""
        found: BoolArray = self.initial > 0
        edges: BoolArray = np.asarray((self.transition > 0).any(axis=1))
        for _ in range(self.horizon):
            found = found | edges[found].any(axis=0)
        return found

    def _check_horizon(self) -> None:
        edges = (self.transition > 0).any(axis=1)
        running = ~self.terminal
        for _ in range(self.horizon):
            running = (edges & running).any(axis=1) & ~self.terminal
        if running.any():
            raise ValueError(
                f"every path must end within horizon={self.horizon} turns, but {running.sum()} states go on"
            )


@dataclass(frozen=True)
class ActionValues:
    """Exact values of a policy.

    Attributes:
        v: (S,) expected return from each state on; 0 in terminal states.
        q: (S, A) expected return of an action, then the policy.
        policy: (S, A) the policy they belong to.
    """

    v: FloatArray
    q: FloatArray
    policy: FloatArray

    @property
    def advantage(self) -> FloatArray:
        """(S, A) q - v: what an action is worth beside the policy's average. Units of the reward."""
        return self.q - self.v[:, None]


def evaluate(
    mdp: TabularMDP, policy: ArrayLike, *, reward: ArrayLike | None = None, gamma: float = 1.0
) -> ActionValues:
    """Values of a policy by backward induction: `horizon` sweeps are exact, because every path ends by then.

    Args:
        mdp: S states, A actions.
        policy: (S, A) probability of each action.
        reward: (S, A) or (S, A, S) turn reward in place of the outcome.
        gamma: Discount a turn.

    Raises:
        ValueError: The policy or the reward has the wrong shape, or a row of the policy is no distribution.
    """
    probabilities = np.asarray(policy, dtype=np.float64)
    if probabilities.shape != (mdp.states, mdp.actions):
        raise ValueError(f"policy must have shape ({mdp.states}, {mdp.actions}), got {probabilities.shape}")
    _check_distribution("policy", probabilities)
    expected = expected_reward(mdp, reward)
    q = np.zeros_like(expected)
    for _ in range(mdp.horizon):
        q = _backup(mdp, expected, (probabilities * q).sum(axis=1), gamma)
    return ActionValues((probabilities * q).sum(axis=1), q, probabilities)


def optimal(mdp: TabularMDP, *, reward: ArrayLike | None = None, gamma: float = 1.0, tol: float = 1e-9) -> ActionValues:
    """Optimal values; their policy is uniform over the actions within `tol` of the best."""
    expected = expected_reward(mdp, reward)
    q = np.zeros_like(expected)
    for _ in range(mdp.horizon):
        q = _backup(mdp, expected, q.max(axis=1), gamma)
    best = best_actions(q, tol).astype(np.float64)
    return ActionValues(q.max(axis=1), q, best / best.sum(axis=1, keepdims=True))


def best_actions(q: FloatArray, tol: float = 1e-9) -> BoolArray:
    """(S, A) which actions are within `tol` of their state's best."""
    best: BoolArray = q >= q.max(axis=1, keepdims=True) - tol
    return best


def expected_reward(mdp: TabularMDP, reward: ArrayLike | None = None) -> FloatArray:
    """(S, A) expected turn reward; default the outcome. Terminal states get 0, whatever `reward` says of them.

    Args:
        mdp: S states, A actions.
        reward: (S, A) or (S, A, S), paid for a turn, or None.
    """
    if reward is None:
        expected = mdp.transition @ mdp.outcome
    else:
        array = np.asarray(reward, dtype=np.float64)
        if array.shape == mdp.transition.shape:
            expected = np.einsum("ijk,ijk->ij", mdp.transition, array)
        elif array.shape == (mdp.states, mdp.actions):
            expected = array
        else:
            raise ValueError(f"reward must have shape {mdp.transition.shape[:2]} or (S, A, S), got {array.shape}")
    return np.where(mdp.terminal[:, None], 0.0, expected)


def uniform_policy(mdp: TabularMDP) -> FloatArray:
    """(S, A): every action with the same probability."""
    return np.full((mdp.states, mdp.actions), 1.0 / mdp.actions)


def epsilon_optimal_policy(mdp: TabularMDP, epsilon: float) -> FloatArray:
    """(S, A): with probability epsilon a random action, else one of the optimal ones."""
    if not 0.0 <= epsilon <= 1.0:
        raise ValueError(f"epsilon must lie in [0, 1], got {epsilon!r}")
    return epsilon * uniform_policy(mdp) + (1.0 - epsilon) * optimal(mdp).policy


def _backup(mdp: TabularMDP, expected: FloatArray, v: FloatArray, gamma: float) -> FloatArray:
    # A terminal state's own value stays 0: its outcome was paid on entering it.
    successors, probabilities = mdp.successors
    q: FloatArray = expected + gamma * (probabilities * v[successors]).sum(axis=-1)
    return np.where(mdp.terminal[:, None], 0.0, q)


def _check_distribution(name: str, array: FloatArray) -> None:
    if (array < 0).any() or not np.allclose(array.sum(axis=-1), 1.0):
        raise ValueError(f"{name} must hold probabilities that sum to 1 along its last axis")
