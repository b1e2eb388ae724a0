"""UI-S1: semi-online returns that stop at a step that left the expert's path, against the group step by step."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import BoolArray, Credit, FloatArray, TurnBatch
from turnwise.rewards.credit._inputs import bits_per_turn, one_of
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.returns import reverse_scan
from turnwise.rewards.segments import Segments, SingletonRule, baseline, normalise


def ui_s1(
    batch: TurnBatch,
    match: str | ArrayLike = "match",
    *,
    gamma: float = 0.5,
    episode_weight: float = 1.0,
    step_weight: float = 1.0,
    norm_by_std: bool = True,
    cross_steps: bool = True,
    min_spread: float | None = 0.3,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
) -> Credit:
    """`A = episode_weight * A_E + step_weight * A_S` over rollouts that an expert put back on the path.

    `A_S` normalises the return of each turn among the turns of the group with the same index; returns are cut at
    turns that did not match the expert (see `cut_returns`). `A_E` normalises the sum of rewards in the group.

    Args:
        batch: N trajectories, M turns; `reward` is for example `step_reward`.
        match: (M,) whether each action matched the expert's, or the channel that holds it.
        gamma: Discount a turn.
        episode_weight: Weight of the episode part.
        step_weight: Weight of the step part.
        norm_by_std: Divide both parts by their sample deviation; False subtracts the means only.
        cross_steps: True takes the episode part's mean and deviation over turns, as the authors do; False over
            trajectories.
        min_spread: Keep only groups in which the population deviation of the first turn's return is larger than this
            (0.3 published), and groups of one. None keeps all.
        eps: Added to the deviations.
        singleton: What the episode part gives the only turn (with `cross_steps`) or rollout of a group.

    Returns:
        Credit with a (M,) advantage, and weight 0 and `keep` false for the trajectories of dropped groups.

    Raises:
        ValueError: `match` holds something other than 0 and 1.

    Source: UI-S1 (arXiv 2509.11543). Provenance: verified (returns and step part, against the authors' code).

    >>> batch = TurnBatch.pack(lengths=[2, 2], group=[0, 0], reward=[1, 1, 0, 1], outcome=[1, 0])
    >>> ui_s1(batch, [1, 1, 0, 1], episode_weight=0.0, norm_by_std=False).advantage.tolist()
    [0.75, 0.0, -0.75, 0.0]
    """
    returns = cut_returns(batch, bits_per_turn(batch, match, "match"), gamma)
    groups = Segments.of(batch.group)
    turn_groups = Segments(groups.code[batch.row], groups.size)
    score = Segments(batch.row, len(batch)).sum(batch.reward)
    population = (score[batch.row], turn_groups) if cross_steps else (score, groups)
    mean, divisor = baseline(*population, scale=norm_by_std, eps=eps, singleton=singleton)
    episode = (score[batch.row] - mean[turn_groups.code]) / divisor[turn_groups.code]
    step = normalise(returns, Segments.of(turn_groups.code, batch.position), scale=norm_by_std, eps=eps)
    keep = _spread_groups(batch, groups, returns, min_spread, singleton)
    weight = keep[batch.row].astype(np.float64)
    return Credit(batch.reward, weight * (episode_weight * episode + step_weight * step), weight, keep)


def cut_returns(batch: TurnBatch, match: BoolArray, gamma: float) -> FloatArray:
    """(M,) discounted returns through which nothing passes that is not a match.

    A turn that matched gets `r + gamma * G` of the next turn if that one matched too, else `r`; a turn that did not
    match gets its own reward.

    >>> batch = TurnBatch.pack(lengths=[3], group=[0], reward=[1, 1, 1], outcome=[1])
    >>> cut_returns(batch, np.array([True, True, False]), 0.5).tolist()
    [1.5, 1.0, 1.0]
    """
    first = (batch.position == 0) | ~match
    first[1:] |= ~match[:-1]
    starts = np.flatnonzero(first)
    return reverse_scan(batch.reward, np.diff(np.append(starts, batch.turns)), gamma)


def _spread_groups(
    batch: TurnBatch, groups: Segments, returns: FloatArray, min_spread: float | None, singleton: SingletonRule
) -> BoolArray:
    """(N,) which trajectories belong to a group whose first returns differ enough, or are alone."""
    alone = groups.count == 1
    if min_spread is None:
        kept = np.ones(groups.size, dtype=np.bool_)
    else:
        begun = batch.lengths > 0
        first = Segments(groups.code[begun], groups.size)
        kept = (np.sqrt(first.variance(returns[batch.starts[begun]], ddof=0)) > min_spread) | alone
    if singleton == "drop":
        kept &= ~alone
    keep: BoolArray = kept[groups.code]
    return keep


def step_reward(
    format_ok: bool,
    *,
    parsed: bool,
    type_match: bool,
    exact: bool,
    annotation: Literal["HARMFUL", "NEUTRAL"] | None = None,
) -> float:
    """`0.1 * format + 0.9 * action`: how near a GUI action came to the expert's.

    Args:
        format_ok: Whether the message has the demanded form.
        parsed: Whether an action could be read from it; if not, the action part is 0.
        type_match: The action has the expert's type: 0.5, otherwise 0.1.
        exact: It is the expert's action: 1.
        annotation: `HARMFUL` turns the action part x into 1 - x, `NEUTRAL` fixes it at 0.5.

    Returns:
        A reward in [0, 1].

    Source: UI-S1 (arXiv 2509.11543). Provenance: read.

    >>> step_reward(True, parsed=True, type_match=True, exact=False)
    0.55
    """
    one_of("annotation", annotation, (None, "HARMFUL", "NEUTRAL"))
    action = 0.0 if not parsed else 1.0 if exact else 0.5 if type_match else 0.1
    action = {"HARMFUL": 1.0 - action, "NEUTRAL": 0.5}.get(annotation or "", action)
    return 0.1 * format_ok + 0.9 * action


RECORD = MethodRecord(
    name="ui_s1",
    function=ui_s1,
    paper="UI-S1: Advancing GUI Automation via Semi-online Reinforcement Learning",
    arxiv="2509.11543",
    provenance="verified",
    scope="group",
    needs=frozenset({"group", "match"}),
    min_group=2,
    summary="Returns cut where the agent left the expert's path, against the group at the same turn.",
)
