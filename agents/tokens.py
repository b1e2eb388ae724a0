"""From trajectories to token arrays: what a trainer feeds and where its loss counts. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnwise.rewards.trajectory import Trajectory, Turn


class TokenRow(NamedTuple):
    """One uninterrupted context of an episode: L tokens, exactly as the model saw and wrote them.

    Attributes:
        ids: (L,) token ids.
        response_mask: (L,) 1 where the policy sampled the token, 0 where it was given.
        logprobs: (L,) log-probability (nats) under the policy that sampled it; 0 where the token was given.
        turn_index: (L,) the turn that a token belongs to: a given token to the turn that answers it.
    """

    ids: NDArray[np.int64]
    response_mask: NDArray[np.int64]
    logprobs: NDArray[np.float64]
    turn_index: NDArray[np.int64]


def token_rows(trajectory: Trajectory) -> list[TokenRow]:
    """The token arrays of a trajectory: one row, or several where the policy rebuilt its context.

    Raises:
        ValueError: A turn holds no sampled tokens (a model did not write it), or as many log-probabilities as it has
            tokens are not there.

    >>> a = Turn(0, "task", "x", prompt_ids=[1, 2], response_ids=[7], response_logprobs=[-0.5])
    >>> b = Turn(1, "page", "y", prompt_ids=[3], response_ids=[8, 9], response_logprobs=[-0.1, -0.2])
    >>> row, = token_rows(Trajectory([a, b]))
    >>> row.ids.tolist(), row.response_mask.tolist(), row.turn_index.tolist()
    ([1, 2, 7, 3, 8, 9], [0, 0, 1, 0, 1, 1], [0, 0, 0, 1, 1, 1])
    """
    runs: list[list[tuple[int, Turn]]] = []
    for index, turn in enumerate(trajectory.turns):
        _check(index, turn, trajectory.episode_id)
        if not runs or turn.restarts_context:
            runs.append([])
        runs[-1].append((index, turn))
    return [_row(run) for run in runs]


def broadcast(per_turn: ArrayLike, rows: Sequence[TokenRow]) -> list[NDArray[np.float64]]:
    """Give every sampled token its turn's value, and every given token 0.

    Args:
        per_turn: (T,) one value for each turn, for example `credit.split(batch)[i]`.
        rows: `token_rows` of the same trajectory.

    Returns:
        One (L,) array for each row.

    Raises:
        ValueError: The rows speak of a turn that `per_turn` does not have.
    """
    values = np.asarray(per_turn, dtype=np.float64)
    turns = 1 + max((int(row.turn_index[-1]) for row in rows), default=-1)
    if values.ndim != 1 or len(values) != turns:
        raise ValueError(f"per_turn must have shape ({turns},), one value a turn, got {values.shape}")
    return [values[row.turn_index] * row.response_mask for row in rows]


def context_ids(turns: Sequence[tuple[bool, Sequence[int], Sequence[int]]]) -> list[int]:
    """The tokens that are in a context now: all since it was last rebuilt.

    Args:
        turns: `(restarts_context, prompt_ids, response_ids)` of each turn.
    """
    ids: list[int] = []
    for restarts, prompt, response in turns:
        ids = [*([] if restarts else ids), *prompt, *response]
    return ids


def _row(run: Sequence[tuple[int, Turn]]) -> TokenRow:
    ids: list[int] = []
    mask: list[int] = []
    logprobs: list[float] = []
    index: list[int] = []
    for position, turn in run:
        given, sampled = len(turn.prompt_ids), len(turn.response_ids)
        ids += [*turn.prompt_ids, *turn.response_ids]
        mask += [0] * given + [1] * sampled
        logprobs += [0.0] * given + turn.response_logprobs
        index += [position] * (given + sampled)
    return TokenRow(np.array(ids), np.array(mask), np.array(logprobs, dtype=np.float64), np.array(index))


def _check(index: int, turn: Turn, episode_id: str) -> None:
    where = f"turn {index} of episode {episode_id!r}"
    if not turn.response_ids:
        raise ValueError(f"{where} has no response_ids: only turns that a model wrote have tokens")
    if len(turn.response_logprobs) != len(turn.response_ids):
        counts = f"{len(turn.response_ids)} response_ids and {len(turn.response_logprobs)} response_logprobs"
        raise ValueError(f"{where} has {counts}; one for each is needed")
