"""SRGPO: the episode against its group, plus each turn's process reward against a random handful of turns."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, IntArray, TurnBatch
from turnwise.rewards.credit._inputs import finite_per_turn, one_of
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, SingletonRule, baseline, kept_groups, normalise

Within: TypeAlias = Literal["batch", "task", "trajectory"]


def srgpo(
    batch: TurnBatch,
    process: str | ArrayLike = "process",
    *,
    rng: np.random.Generator,
    chunk: int = 16,
    within: Within = "batch",
    step_weight: float = 0.5,
    norm_by_std: bool = True,
    cross_steps: bool = False,
    invalid_penalty: float = 0.1,
    eps: float = 1e-6,
    singleton: SingletonRule = "raw",
    compat: Literal["released"] | None = None,
) -> Credit:
    """`A = A_E + step_weight * A_S`, where `A_S` compares process rewards that do not depend on the state.

    The turns are shuffled and cut into chunks; a turn's process reward is normalised inside its chunk, undiscounted.
    `A_E` normalises the outcome in its group.

    Args:
        batch: N trajectories, M turns; `outcome` is the success.
        process: (M,) process reward of each turn, for example `approach_reward`, or the channel that holds it.
        rng: Draws the chunks. Equal generators give equal credit.
        chunk: Turns in a chunk; -1 takes all at once. The last chunk may be smaller.
        within: Draw chunks from the whole `batch`, or inside each `task` (group) or each `trajectory`.
        step_weight: Weight of the step part.
        norm_by_std: Divide both parts by their sample deviation.
        cross_steps: False takes the episode part's mean and deviation over trajectories; True over turns.
        invalid_penalty: Taken off the outcome and the process reward of a turn with `valid` false.
        eps: Added to the deviations.
        singleton: What the episode part gives the only rollout of a group.
        compat: `released`: statistics run over turns, and `within="task"` is not heeded: a misplaced `else` draws its
            chunks from the whole batch.

    Returns:
        Credit with the (M,) process rewards and the (M,) advantage.

    Raises:
        ValueError: `chunk` is neither -1 nor positive, or a process reward is not finite.

    Source: SeeNav-Agent (the authors' repository, github.com/WzcTHU/SeeNav-Agent). Provenance: read (that `task` is
    overridden was seen by running it).

    >>> batch = TurnBatch.pack(lengths=[2, 2], group=[0, 0], reward=[0] * 4, outcome=[1, 1])
    >>> credit = srgpo(batch, [1, 0, 1, 1], rng=np.random.default_rng(0), step_weight=1.0)
    >>> credit.advantage.round(3).tolist()
    [0.5, -1.5, 0.5, 0.5]
    """
    one_of("within", within, get_args(Within))
    one_of("compat", compat, (None, "released"))
    if chunk != -1 and chunk < 1:
        raise ValueError(f"chunk must be at least 1, or -1 for all turns at once, got {chunk!r}")
    if compat == "released":
        cross_steps, within = True, "batch" if within == "task" else within
    groups = Segments.of(batch.group)
    turn_groups = Segments(groups.code[batch.row], groups.size)
    penalty = invalid_penalty * ~batch.valid
    score = batch.outcome[batch.row] - penalty
    population = (score, turn_groups) if cross_steps else (batch.outcome, groups)
    mean, divisor = baseline(*population, scale=norm_by_std, eps=eps, singleton=singleton)
    episode = (score - mean[turn_groups.code]) / divisor[turn_groups.code]
    reward = finite_per_turn(batch, process, "process")
    pools = {"batch": np.zeros(batch.turns, dtype=np.int64), "task": turn_groups.code, "trajectory": batch.row}
    chunks = random_chunks(pools[within], chunk, rng)
    step = normalise(reward - penalty, chunks, scale=norm_by_std, eps=eps)
    keep = kept_groups(groups, singleton)
    return Credit(reward, episode + step_weight * step, keep[batch.row].astype(np.float64), keep)


def random_chunks(pool: IntArray, size: int, rng: np.random.Generator) -> Segments:
    """Shuffle the (M,) rows inside each pool and cut each pool into chunks of `size` rows (-1: one chunk a pool)."""
    if size == -1:
        return Segments.of(pool)
    shuffled = rng.permutation(len(pool))
    pools = Segments.of(pool)
    narrow = pools.code.astype(np.min_scalar_type(pools.size))  # short integers sort much faster
    order = shuffled[np.argsort(narrow[shuffled], kind="stable")]
    rank = np.empty(len(pool), dtype=np.int64)
    rank[order] = np.arange(len(pool)) - (np.cumsum(pools.count) - pools.count)[pools.code[order]]
    return Segments.of(pools.code, rank // size)


def approach_reward(
    distance: ArrayLike, next_distance: ArrayLike, visible: ArrayLike, next_visible: ArrayLike
) -> FloatArray:
    """1 where a turn came nearer to the target by more than 0.01 m or brought it into view, else 0.

    Args:
        distance: (...) distance to the target before the turn, in metres.
        next_distance: (...) distance after it.
        visible: (...) whether the target was in view before the turn.
        next_visible: (...) whether it is after it.

    Returns:
        (...) process rewards, 0 or 1.

    Source: SeeNav-Agent. Provenance: read.

    >>> approach_reward([2.0, 2.0], [1.5, 2.5], [False, False], [False, True]).tolist()
    [1.0, 1.0]
    """
    nearer = np.asarray(distance, dtype=np.float64) - np.asarray(next_distance, dtype=np.float64) > 0.01
    appeared = np.asarray(next_visible, dtype=bool) & ~np.asarray(visible, dtype=bool)
    reward: FloatArray = (nearer | appeared).astype(np.float64)
    return reward


RECORD = MethodRecord(
    name="srgpo",
    function=srgpo,
    paper="SeeNav-Agent: Step Reward Group Policy Optimization",
    arxiv="",
    provenance="read",
    scope="group",
    needs=frozenset({"group", "process"}),
    min_group=2,
    summary="Episode against its group, plus process rewards against random handfuls of turns.",
)
