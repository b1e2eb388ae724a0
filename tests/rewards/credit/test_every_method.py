"""What must hold for every group method, whatever the rewards: order, emptiness, shapes, bounds and bad probes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from credit_batches import batches, permuted
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from turnwise.rewards import Credit, TurnBatch
from turnwise.rewards.credit.archer import archer
from turnwise.rewards.credit.cgrpo import cgrpo
from turnwise.rewards.credit.cm2 import cm2
from turnwise.rewards.credit.drpo import drpo
from turnwise.rewards.credit.grpo_s import grpo_s
from turnwise.rewards.credit.gtpo import gtpo
from turnwise.rewards.credit.implicit_prm import implicit_prm
from turnwise.rewards.credit.istar import istar
from turnwise.rewards.credit.prime import prime
from turnwise.rewards.credit.prof import prof
from turnwise.rewards.credit.prorag import prorag
from turnwise.rewards.credit.pure import pure
from turnwise.rewards.credit.salt import salt
from turnwise.rewards.credit.srgpo import srgpo
from turnwise.rewards.credit.sweet import sweet
from turnwise.rewards.credit.tempo import tempo
from turnwise.rewards.credit.ui_s1 import ui_s1
from turnwise.rewards.credit.verpo import verpo

Method = Callable[[TurnBatch], Credit]


def actions(batch: TurnBatch) -> np.ndarray:
    return batch.channel("action").astype(np.int64)


def unit_tests(batch: TurnBatch) -> np.ndarray:
    return np.stack([batch.outcome == 1.0, batch.outcome > 0.0], axis=-1)


def drawn(batch: TurnBatch) -> np.random.Generator:
    return np.random.default_rng(0)


METHODS: dict[str, Method] = {
    "archer": lambda b: archer(b, "score", "entropy", "bit", "tokens"),
    "cgrpo": lambda b: cgrpo(b, b.outcome / 2),
    "cgrpo_released": lambda b: cgrpo(b, b.outcome / 2, compat="released"),
    "cm2": lambda b: cm2(b, "score", min_samples=2),
    "cm2_trajectory": lambda b: cm2(b, "score", level="trajectory", norm_by_std=True),
    "drpo": lambda b: drpo(b, b.lengths / 4, -b.lengths - 0.5),
    "grpo_s": lambda b: grpo_s(b, entropy_weight=0.3, tokens="tokens"),
    "gtpo": lambda b: gtpo(b, entropy_weight=0.3),
    "implicit_prm": lambda b: implicit_prm(b, "score", beta=0.1, scoring="accumulative", gamma=0.9),
    "istar": lambda b: istar(b, "score"),
    "istar_grpo": lambda b: istar(b, "score", norm="grpo", batch_norm=False),
    "istar_released": lambda b: istar(b, "score", compat="released"),
    "prime": lambda b: prime(b, "score", whitened=False, gamma_process=0.9),
    "prof": lambda b: prof(b, b.channel("score") + b.lengths[b.row] * 1e-3 + b.position * 1e-5, kept=2),
    "prorag": lambda b: prorag(b, "score", tokens="tokens"),
    "pure": lambda b: pure(b, "score", tokens="tokens"),
    "pure_step": lambda b: pure(b, "score", baseline="step"),
    "salt": lambda b: salt(b, actions(b), window=0, repeats="each"),
    "salt_window": lambda b: salt(b, actions(b), window=2, repeats="once", advantages="rloo"),
    "srgpo": lambda b: srgpo(b, "bit", rng=drawn(b), chunk=-1),
    "srgpo_task": lambda b: srgpo(b, "bit", rng=drawn(b), chunk=-1, within="task", cross_steps=True),
    "sweet": lambda b: sweet(b, "score"),
    "tempo": lambda b: tempo(b, actions(b), branch_weight=0.5),
    "ui_s1": lambda b: ui_s1(b, "bit"),
    "ui_s1_trajectories": lambda b: ui_s1(b, "bit", cross_steps=False, min_spread=None),
    "verpo": lambda b: verpo(b, unit_tests(b), difficulty=lambda rate: 1 - rate, success_weight=1.0),
}
SORTS_TIES = {"prof"}  # equal scores go in the order of the batch
READS_PROBE = sorted(set(METHODS) - {"cgrpo", "cgrpo_released", "drpo", "salt", "salt_window", "tempo", "verpo"})


@pytest.fixture(params=sorted(METHODS))
def method(request: pytest.FixtureRequest) -> Method:
    return METHODS[str(request.param)]


@pytest.mark.parametrize("name", sorted(set(METHODS) - SORTS_TIES))
@settings(max_examples=15)
@given(batch=batches(), seed=st.integers(0, 99))
def test_order_of_rollouts_does_not_matter(name: str, batch: TurnBatch, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(batch))
    shuffled, rows = permuted(batch, order)
    there, here = METHODS[name](shuffled), METHODS[name](batch)
    assert_allclose(there.advantage, here.advantage[rows], atol=1e-7)
    assert there.keep.tolist() == here.keep[order].tolist()


@pytest.mark.parametrize("name", sorted(METHODS))
@settings(max_examples=15)
@given(batch=batches())
def test_credit_is_finite_has_its_shapes_and_leaves_the_batch_alone(name: str, batch: TurnBatch) -> None:
    before = deepcopy(batch)
    credit = METHODS[name](batch)
    assert credit.advantage.shape == credit.reward.shape == credit.weight.shape == (batch.turns,)
    assert credit.keep.shape == (len(batch),)
    assert credit.keep.dtype == np.bool_
    assert np.isfinite(credit.advantage).all()
    assert np.isfinite(credit.reward).all()
    for name_ in ("reward", "outcome", "anchor", "valid", "lengths"):
        assert_allclose(getattr(batch, name_), getattr(before, name_), atol=0)
    for channel, values in batch.channels.items():
        assert_allclose(values, before.channels[channel], atol=0)


def empty(lengths: list[int], outcome: list[float]) -> TurnBatch:
    names = ("score", "entropy", "tokens", "bit", "action")
    return TurnBatch.pack(
        lengths=lengths, group=[0] * len(lengths), reward=[], outcome=outcome, channels={name: [] for name in names}
    )


def test_an_empty_batch_gives_an_empty_credit(method: Method) -> None:
    credit = method(empty([], []))
    assert credit.advantage.shape == credit.reward.shape == credit.weight.shape == credit.keep.shape == (0,)


def test_only_trajectories_without_turns(method: Method) -> None:
    credit = method(empty([0, 0], [0.0, 1.0]))
    assert credit.advantage.shape == (0,)
    assert credit.keep.shape == (2,)


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"archer", "implicit_prm", "sweet"}))
def test_equal_rollouts_get_nothing(name: str) -> None:
    """There is nothing to compare."""
    rows = 4 * 3
    batch = TurnBatch.pack(
        lengths=[3] * 4,
        group=[0] * 4,
        reward=[0.25] * rows,
        outcome=[1.0] * 4,
        anchor=list("abc") * 4,
        channels={
            "score": [0.5] * rows,
            "entropy": [0.5] * rows,
            "tokens": [2.0] * rows,
            "bit": [1.0] * rows,
            "action": [0.0, 1.0, 2.0] * 4,
        },
    )
    assert_allclose(METHODS[name](batch).advantage, 0.0, atol=1e-7)


@pytest.mark.parametrize("name", READS_PROBE)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_probe_that_is_no_number_is_refused_and_named(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=r"must be finite, got (nan|inf) in row 1"):
        METHODS[name](_probed(bad))


def _probed(bad: float) -> TurnBatch:
    values = np.array([0.5, bad, 1.0])
    return TurnBatch.pack(
        lengths=[2, 1],
        group=[0, 0],
        reward=[0, 0, 0],
        outcome=[0.0, 1.0],
        channels=dict.fromkeys(("score", "entropy", "bit", "tokens"), values),
    )


@settings(max_examples=15)
@given(batches(), st.sampled_from([0.5, 3.0]), st.sampled_from([-2.0, 0.0, 5.0]))
def test_scores_may_be_moved_and_scaled_where_deviations_divide(batch: TurnBatch, scale: float, shift: float) -> None:
    moved = replace(batch, channels={**batch.channels, "score": scale * batch.channel("score") + shift})
    for run in (
        lambda b: cm2(b, "score", min_samples=2, norm_by_std=True, eps=1e-12),
        lambda b: srgpo(b, "score", rng=drawn(b), chunk=-1, invalid_penalty=0.0, eps=1e-12),
    ):
        assert_allclose(run(moved).advantage, run(batch).advantage, atol=1e-6)
