"""`TurnBatch`: the turns of many trajectories laid end to end, and `Credit`, what an estimator says of them.

N trajectories with `lengths` (N,) turns give M = lengths.sum() rows; trajectory i owns rows
`starts[i] : starts[i] + lengths[i]`. Every estimator is arithmetic over these flat arrays, without a Python loop over
turns.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnwise.rewards.trajectory import Trajectory

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class TurnBatch:
    """The turns of N trajectories, M rows in all.

    Build one with `TurnBatch.pack` (arrays, checked) or `TurnBatch.from_trajectories`.

    Attributes:
        lengths: (N,) turns in each trajectory; 0 is allowed.
        group: (N,) integer code of the group each trajectory belongs to.
        reward: (M,) reward of each turn.
        outcome: (N,) outcome reward of each trajectory.
        anchor: (M,) integer code of the state each turn started from. Codes are comparable inside one batch only.
        valid: (M,) whether the turn's action could be carried out.
        truncated: (N,) whether a limit outside the task ended the trajectory.
        channels: named (M,) arrays: raw reward terms, probe values, token counts.

    >>> batch = TurnBatch.pack(lengths=[2, 1], group=["a", "a"], reward=[0, 1, 0], outcome=[1, 0])
    >>> batch.row.tolist(), batch.position.tolist(), batch.is_last.tolist()
    ([0, 0, 1], [0, 1, 0], [False, True, True])
    """

    lengths: IntArray
    group: IntArray
    reward: FloatArray
    outcome: FloatArray
    anchor: IntArray
    valid: BoolArray
    truncated: BoolArray
    channels: Mapping[str, FloatArray] = field(default_factory=dict)

    @classmethod
    def pack(
        cls,
        *,
        lengths: ArrayLike,
        group: Sequence[Hashable] | NDArray[Any],
        reward: ArrayLike,
        outcome: ArrayLike,
        anchor: Sequence[Hashable] | NDArray[Any] | None = None,
        valid: ArrayLike | None = None,
        truncated: ArrayLike | None = None,
        channels: Mapping[str, ArrayLike] | None = None,
    ) -> TurnBatch:
        """Check the shapes and turn group and anchor keys of any kind into integer codes.

        Args:
            lengths: (N,) turns in each trajectory.
            group: (N,) any hashable or integer key; equal keys make a group.
            reward: (M,) reward of each turn.
            outcome: (N,) outcome of each trajectory.
            anchor: (M,) any key of the state before each turn; None makes every turn its own state.
            valid: (M,) default all true.
            truncated: (N,) default all false.
            channels: name to (M,).

        Raises:
            ValueError: An argument has the wrong shape; the message names it, its shape and the one needed.
        """
        lengths_ = np.asarray(lengths, dtype=np.int64)
        if lengths_.ndim != 1 or (lengths_ < 0).any():
            raise ValueError(f"lengths must be a (N,) array of turn counts >= 0, got {lengths!r}")
        n, m = len(lengths_), int(lengths_.sum())
        arrays = {name: _sized(name, value, m, np.float64) for name, value in (channels or {}).items()}
        return cls(
            lengths=lengths_,
            group=_codes("group", group, n),
            reward=_sized("reward", reward, m, np.float64),
            outcome=_sized("outcome", outcome, n, np.float64),
            anchor=np.arange(m, dtype=np.int64) if anchor is None else _codes("anchor", anchor, m),
            valid=np.ones(m, dtype=np.bool_) if valid is None else _sized("valid", valid, m, np.bool_),
            truncated=np.zeros(n, dtype=np.bool_) if truncated is None else _sized("truncated", truncated, n, np.bool_),
            channels=arrays,
        )

    @classmethod
    def from_trajectories(cls, trajectories: Sequence[Trajectory]) -> TurnBatch:
        """Lay trajectories end to end. Groups are their `group_id`s (an empty one: the task id).

        A channel that some turn lacks is NaN there, so that a missing value is never read as a zero. A turn without an
        anchor is a state of its own.
        """
        turns = [turn for trajectory in trajectories for turn in trajectory.turns]
        names = sorted({name for turn in turns for name in turn.channels})
        return cls.pack(
            lengths=[len(t) for t in trajectories],
            group=[t.group_id or t.task_id for t in trajectories],
            reward=np.concatenate([t.rewards for t in trajectories]) if trajectories else [],
            outcome=[t.outcome for t in trajectories],
            anchor=[turn.anchor or row for row, turn in enumerate(turns)],
            valid=[turn.valid for turn in turns],
            truncated=[t.truncated for t in trajectories],
            channels={name: [turn.channels.get(name, np.nan) for turn in turns] for name in names},
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def turns(self) -> int:
        """M, the number of rows."""
        return int(self.lengths.sum())

    @cached_property
    def starts(self) -> IntArray:
        """(N,) first row of each trajectory."""
        return np.concatenate(([0], np.cumsum(self.lengths)[:-1])).astype(np.int64) if len(self) else self.lengths

    @cached_property
    def row(self) -> IntArray:
        """(M,) the trajectory that each turn belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    @cached_property
    def position(self) -> IntArray:
        """(M,) the 0-based index of each turn inside its trajectory."""
        return np.arange(self.turns, dtype=np.int64) - np.repeat(self.starts, self.lengths)

    @cached_property
    def is_last(self) -> BoolArray:
        """(M,) whether a turn is the last one of its trajectory."""
        last = np.zeros(self.turns, dtype=np.bool_)
        ends = (self.starts + self.lengths)[self.lengths > 0] - 1
        last[ends] = True
        return last

    def channel(self, name: str) -> FloatArray:
        """The (M,) channel `name`.

        Raises:
            KeyError: No such channel; the message lists the ones there are.
        """
        if name not in self.channels:
            raise KeyError(f"batch has no channel {name!r}; it has {sorted(self.channels)}")
        return self.channels[name]


@dataclass(frozen=True)
class Credit:
    """What an estimator says of a `TurnBatch`. M turns, N trajectories.

    Attributes:
        reward: (M,) the turn rewards that the advantage was made from.
        advantage: (M,) the advantage of each turn, to be broadcast to the tokens the policy sampled in it.
        weight: (M,) loss weight of each turn; 0 takes a turn out of the loss.
        keep: (N,) false for trajectories that a filter dropped.
    """

    reward: FloatArray
    advantage: FloatArray
    weight: FloatArray
    keep: BoolArray

    @classmethod
    def of(cls, batch: TurnBatch, advantage: FloatArray, reward: FloatArray | None = None) -> Credit:
        """Credit with every turn in the loss and every trajectory kept; `reward` defaults to the batch's own."""
        return cls(
            reward=batch.reward if reward is None else reward,
            advantage=advantage,
            weight=np.ones(batch.turns),
            keep=np.ones(len(batch), dtype=np.bool_),
        )

    def split(self, batch: TurnBatch) -> list[FloatArray]:
        """The advantage as N arrays, one a trajectory."""
        return list(np.split(self.advantage, batch.starts[1:])) if len(batch) else []


def _sized(name: str, value: ArrayLike, size: int, dtype: type) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(value, dtype=dtype)
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), got {array.shape}")
    return array


def _codes(name: str, keys: Sequence[Hashable] | NDArray[Any], size: int) -> IntArray:
    """Integer codes of any keys, in order of first appearance for general keys (a dictionary beats a sort there)."""
    if len(keys) != size:
        raise ValueError(f"{name} must have {size} entries, got {len(keys)}")
    if isinstance(keys, np.ndarray) and np.issubdtype(keys.dtype, np.integer):
        return keys.astype(np.int64)
    seen: dict[Hashable, int] = {}
    return np.fromiter((seen.setdefault(key, len(seen)) for key in keys), dtype=np.int64, count=size)
