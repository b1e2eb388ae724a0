"""SALT: the worked graph, its free parameters, and what it is without shared steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from credit_batches import VECTORS, batches
from hypothesis import given
from numpy.testing import assert_allclose

from turnwise.rewards import TurnBatch
from turnwise.rewards.credit import grpo, rloo
from turnwise.rewards.credit.salt import salt

STATES = ["s0", "s1", "s2", "s0", "s1", "s3", "s0", "s4", "s2", "s0", "s1", "s2"]
ACTIONS = list("abcaxydecabz")
AFTER = ["s1", "s2", "END+", "s1", "s3", "END-", "s4", "s2", "END+", "s1", "s2", "END-"]


def graph() -> TurnBatch:
    return TurnBatch.pack(lengths=[3] * 4, group=[0] * 4, reward=np.zeros(12), outcome=[1, 0, 1, 0], anchor=STATES)


@pytest.mark.parametrize("more", [{}, {"next_state": AFTER}, {"state": STATES, "next_state": AFTER}])
@pytest.mark.parametrize("repeats", ["each", "once"])
def test_published_graph(more: dict[str, Any], repeats: Any) -> None:
    expected = [VECTORS["salt"][name] for name in "ABCD"]
    credit = salt(graph(), ACTIONS, window=0, repeats=repeats, **more)
    assert_allclose(credit.advantage.reshape(4, 3), expected, rtol=0, atol=2e-6)


def test_history_splits_steps_that_were_reached_differently() -> None:
    # A and C both take (s2, c, END+), A over s1 and C over s4: with a window they are no longer one step.
    advantages = [1.0, 0.0, 5.0, 0.0]
    merged = salt(graph(), ACTIONS, window=0, repeats="each", advantages=advantages).advantage
    split = salt(graph(), ACTIONS, window=1, repeats="each", advantages=advantages).advantage
    assert (merged[2], merged[8]) == (3.0, 3.0)
    assert (split[2], split[8]) == (1.0, 5.0)
    assert split[0] == merged[0]  # first steps have no history to differ in


def test_the_next_state_tells_steps_apart() -> None:
    batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 0], anchor=["s", "s"])
    kwargs: dict[str, Any] = {"window": 0, "repeats": "once", "advantages": [1.0, -1.0]}
    assert salt(batch, ["a", "a"], **kwargs).advantage.tolist() == [1.0, -1.0]  # ended in success, ended in failure
    assert salt(batch, ["a", "a"], next_state=["t", "t"], **kwargs).advantage.tolist() == [0.0, 0.0]


def test_repeated_visits_count_each_or_once() -> None:
    batch = TurnBatch.pack(
        lengths=[3, 1], group=[0, 0], reward=np.zeros(4), outcome=[1, 0], anchor=["s", "s", "s", "s"]
    )
    after = ["s", "s", "s", "s"]
    kwargs: dict[str, Any] = {"window": 0, "advantages": [2.0, -2.0], "next_state": after}
    assert salt(batch, list("aaaa"), repeats="each", **kwargs).advantage.tolist() == [1.0] * 4
    assert salt(batch, list("aaaa"), repeats="once", **kwargs).advantage.tolist() == [0.0] * 4


def test_groups_never_share_steps() -> None:
    batch = TurnBatch.pack(lengths=[1, 1], group=[0, 1], reward=[1, 0], outcome=[1, 1], anchor=["s", "s"])
    credit = salt(batch, ["a", "a"], window=0, repeats="once", advantages=[1.0, -1.0])
    assert credit.advantage.tolist() == [1.0, -1.0]


def test_similar_texts_count_as_equal() -> None:
    batch = TurnBatch.pack(lengths=[1, 1], group=[0, 0], reward=[1, 0], outcome=[1, 1])
    kwargs: dict[str, Any] = {"window": 0, "repeats": "once", "advantages": [1.0, -1.0]}
    texts: dict[str, Any] = {"state": ["page 1 of 9", "page 2 of 9"], "next_state": ["the end", "the end"]}
    actions = ["search[red shirt]", "search[red shirts]"]
    assert salt(batch, actions, similarity=0.9, **texts, **kwargs).advantage.tolist() == [0.0, 0.0]
    assert salt(batch, actions, **texts, **kwargs).advantage.tolist() == [1.0, -1.0]


@given(batches())
def test_without_shared_states_it_is_the_base_estimator(batch: TurnBatch) -> None:
    alone = replace(batch, anchor=np.arange(batch.turns))
    action = batch.channel("action").astype(np.int64)
    for name, base in (("grpo", grpo(alone)), ("rloo", rloo(alone))):
        credit = salt(alone, action, window=0, repeats="each", advantages=name)
        assert_allclose(credit.advantage, base.advantage, atol=0)


@given(batches())
def test_merging_keeps_the_total(batch: TurnBatch) -> None:
    own = np.arange(len(batch), dtype=np.float64)
    action = batch.channel("action").astype(np.int64)
    credit = salt(batch, action, window=0, repeats="each", advantages=own)
    assert credit.advantage.sum() == pytest.approx(own[batch.row].sum(), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": -1}, "window must be at least 0, got -1"),
        ({"repeats": "twice"}, "repeats must be one of"),
        ({"advantages": "ppo"}, "advantages must be one of"),
        ({"advantages": [1.0]}, r"advantages must have shape \(4,\)"),
        ({"state": ["s0"]}, "state must have 12 entries, got 1"),
        ({"similarity": 0.9, "state": list(range(12))}, "state must hold texts"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"window": 0, "repeats": "once", **change}
    with pytest.raises(ValueError, match=message):
        salt(graph(), ACTIONS, **arguments)
