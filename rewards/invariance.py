"""Does a turn reward change what is optimal? Exactly, by solving small MDPs with and without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, FloatArray
from turnwise.rewards.tabular import TabularMDP, best_actions, evaluate, expected_reward, optimal, uniform_policy


@dataclass(frozen=True)
class Invariance:
    """What adding a turn reward does to the optimal policies of an MDP.

    Attributes:
        safe: Every policy that is optimal with the turn reward is optimal without it: nothing can be hacked.
        invariant: The optimal actions are the same ones in every state that can be reached.
        changed: (S,) reachable states in which an action became optimal that was not.
        regret: What is lost in the true outcome, from the start, by the worst policy that is optimal with the turn
            reward. In units of the outcome.
        distance: STARC distance between the outcome alone and the sum, in [0, 2].
    """

    safe: bool
    invariant: bool
    changed: BoolArray
    regret: float
    distance: float


def invariance(mdp: TabularMDP, turn_reward: ArrayLike, *, gamma: float = 1.0, tol: float = 1e-9) -> Invariance:
    """Solve an MDP with its outcome alone and with a turn reward added, and compare the optimal policies.

    Args:
        mdp: S states, A actions.
        turn_reward: (S, A) or (S, A, S), added to the outcome.
        gamma: Discount a turn, in both.
        tol: Actions whose values differ by no more count as equally good.

    >>> from turnwise.rewards.tabular import TabularMDP
    >>> mdp = TabularMDP(np.array([[[0, 1.0]] * 2, [[0, 1]] * 2]), np.array([0, 1.0]), np.array([1.0, 0]),
    ...                  np.array([False, True]), horizon=1)
    >>> invariance(mdp, np.array([[0.5, 0.5], [0, 0]])).invariant, invariance(mdp, np.array([[0, 1], [0, 0]])).safe
    (True, True)
    """
    total = expected_reward(mdp) + expected_reward(mdp, turn_reward)
    true, shaped = optimal(mdp, gamma=gamma, tol=tol), optimal(mdp, reward=total, gamma=gamma, tol=tol)
    before, after = best_actions(true.q, tol), best_actions(shaped.q, tol)
    active = mdp.reachable & ~mdp.terminal
    changed = (after & ~before).any(axis=1) & active
    worst = _worst_value(mdp, after, gamma)
    return Invariance(
        # A state that no optimal policy visits may change without harm, so safety is about what is lost.
        safe=bool(mdp.initial @ (true.v - worst) <= tol),
        invariant=bool((before == after)[active].all()),
        changed=changed,
        regret=float(mdp.initial @ (true.v - worst)),
        distance=starc_distance(mdp, None, total, gamma=gamma),
    )


def potential_shaping(mdp: TabularMDP, potential: ArrayLike, *, gamma: float = 1.0) -> FloatArray:
    """(S, A, S) reward `gamma * potential(s') - potential(s)`; the potential of terminal states is taken as 0.

    Args:
        mdp: S states, A actions.
        potential: (S,) any numbers.
        gamma: Discount a turn.

    Source: Policy Invariance Under Reward Transformations (Ng, Harada and Russell, 1999). Provenance: unverified
    (textbook).
    """
    phi = np.where(mdp.terminal, 0.0, np.asarray(potential, dtype=np.float64))
    shaping = np.broadcast_to(gamma * phi[None, None, :] - phi[:, None, None], mdp.transition.shape)
    return np.where(mdp.terminal[:, None, None], 0.0, shaping)


def starc_distance(mdp: TabularMDP, first: ArrayLike | None, second: ArrayLike | None, *, gamma: float = 1.0) -> float:
    """How differently two rewards order policies: 0 for potential shaping and positive scaling, 2 for opposites.

    Each reward is made canonical by value-adjusted levelling under the uniform policy and scaled to length 1; the
    distance is the Euclidean length of their difference. Only states that can be reached and left count. A reward that
    does not tell any two policies apart has no direction; its distance is 0 to another such reward and 1 to all others.

    Args:
        mdp: S states, A actions.
        first: (S, A) or (S, A, S) reward; None is the outcome.
        second: The other.
        gamma: Discount a turn.

    Source: STARC: A General Framework For Quantifying Differences Between Reward Functions (arXiv 2309.15257).
    Provenance: read (canonicalisation and norm as in the authors' code; not run against it).

    >>> from turnwise.rewards.tabular import TabularMDP
    >>> mdp = TabularMDP(np.array([[[0, 1.0, 0], [0, 0, 1.0]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2]),
    ...                  np.array([0, 0, 1.0]), np.array([1.0, 0, 0]), np.array([False, True, True]), horizon=1)
    >>> round(starc_distance(mdp, None, np.array([[1.0, 0.0], [0, 0], [0, 0]])), 6)
    2.0
    """
    left, right = (_standardised(mdp, reward, gamma) for reward in (first, second))
    return float(np.linalg.norm(left - right))


def canonical(mdp: TabularMDP, reward: ArrayLike | None = None, *, gamma: float = 1.0) -> FloatArray:
    """(S, A) value-adjusted levelling: `E[R(s, a, s') + gamma V(s')] - V(s)`, V being the uniform policy's value of R.

    That is the uniform policy's advantage under R. 0 in states that cannot be reached.
    """
    advantage = evaluate(mdp, uniform_policy(mdp), reward=reward, gamma=gamma).advantage
    return np.where((mdp.reachable & ~mdp.terminal)[:, None], advantage, 0.0)


def _standardised(mdp: TabularMDP, reward: ArrayLike | None, gamma: float) -> FloatArray:
    levelled = canonical(mdp, reward, gamma=gamma)
    length = float(np.linalg.norm(levelled))
    return levelled / length if length > 1e-12 else np.zeros_like(levelled)


def _worst_value(mdp: TabularMDP, allowed: BoolArray, gamma: float) -> FloatArray:
    """(S,) the least outcome that a policy can have which takes allowed (S, A) actions only."""
    blocked = np.where(allowed, 0.0, -np.inf)
    expected = -expected_reward(mdp)
    value = np.zeros(mdp.states)
    for _ in range(mdp.horizon):
        q = expected + gamma * (mdp.transition @ value) + blocked
        value = np.where(mdp.terminal, 0.0, q.max(axis=1))
    return -value
