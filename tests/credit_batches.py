"""Batches for tests of credit methods. Import as `from credit_batches import ...`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "rewards" / "method_vectors.json").read_text())
GRID = st.integers(-8, 8).map(lambda k: k / 4)  # values whose differences are either 0 or not small


def close(actual: Any, key: str) -> None:
    """Compare with a published vector, which is rounded to six decimals."""
    assert_allclose(actual, VECTORS[key], rtol=0, atol=2e-6, err_msg=key)


def close_rows(batch: TurnBatch, actual: Any, key: str) -> None:
    """Compare (M,) numbers with a published vector of one list a trajectory."""
    assert_allclose(actual, np.concatenate(VECTORS[key]), rtol=0, atol=2e-6, err_msg=key)
    assert [len(row) for row in VECTORS[key]] == batch.lengths.tolist()


def ragged(rows: list[list[float]], outcome: list[float], **more: Any) -> TurnBatch:
    """One group whose trajectories have the given rewards."""
    return TurnBatch.pack(
        lengths=[len(row) for row in rows],
        group=[0] * len(rows),
        reward=np.concatenate(rows),
        outcome=outcome,
        **more,
    )


@st.composite
def batches(draw: st.DrawFn, min_length: int = 0) -> TurnBatch:
    """Small batches of up to three groups with every channel that a method may ask for."""
    lengths = draw(st.lists(st.integers(min_length, 4), min_size=2, max_size=8))
    n, m = len(lengths), sum(lengths)
    grid = st.lists(GRID, min_size=m, max_size=m)
    bits = st.lists(st.sampled_from([0.0, 1.0]), min_size=m, max_size=m)
    return TurnBatch.pack(
        lengths=lengths,
        group=draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)),
        reward=draw(grid),
        outcome=draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n)),
        anchor=draw(st.lists(st.sampled_from("abc"), min_size=m, max_size=m)),
        valid=draw(st.lists(st.booleans(), min_size=m, max_size=m)),
        channels={
            "score": draw(grid),
            "entropy": np.abs(draw(grid)),
            "tokens": np.ones(m) + draw(bits),
            "bit": draw(bits),
            "action": draw(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=m, max_size=m)),
        },
    )


def permuted(batch: TurnBatch, order: np.ndarray) -> tuple[TurnBatch, np.ndarray]:
    """The batch with its trajectories in another order, and where each of its rows came from."""
    rows = [np.arange(batch.starts[i], batch.starts[i] + batch.lengths[i]) for i in order]
    at = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    shuffled = TurnBatch(
        lengths=batch.lengths[order],
        group=batch.group[order],
        reward=batch.reward[at],
        outcome=batch.outcome[order],
        anchor=batch.anchor[at],
        valid=batch.valid[at],
        truncated=batch.truncated[order],
        channels={name: values[at] for name, values in batch.channels.items()},
    )
    return shuffled, at
