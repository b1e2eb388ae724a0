"""Edge cases of the credit methods: what the arguments do, and what happens where data are missing or degenerate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from turnwise.rewards import Credit, Trajectory, Turn, TurnBatch
from turnwise.rewards.credit import (
    METHODS,
    gae,
    gated,
    gated_total,
    gigpo,
    grpo,
    igpo,
    open_gates,
    reinforce_pp,
    rloo,
    spa,
    turn_gae,
)
from turnwise.rewards.credit.anchors import similar_anchors


def batch_of(lengths: list[int], group: list[int], outcome: list[float], **more: Any) -> TurnBatch:
    turns = sum(lengths)
    reward = np.zeros(turns)
    ends = np.cumsum(lengths)
    for length, end, value in zip(lengths, ends, outcome, strict=True):
        if length:
            reward[end - 1] = value
    return TurnBatch.pack(lengths=lengths, group=group, reward=reward, outcome=outcome, **more)


def run(name: str, batch: TurnBatch) -> Credit:
    """Call a method with whatever it needs beside the batch."""
    zeros = np.zeros(batch.turns)
    extra: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "gae": ((zeros,), {"whitened": False}),
        "turn_gae": ((zeros,), {"bootstrap": 0.0}),
        "igpo": ((zeros - 1.0,), {}),
        "spa": ((zeros,), {}),
        "gated": (([zeros],), {"thresholds": [0.5]}),
    }
    args, kwargs = extra.get(name, ((), {}))
    return METHODS[name].function(batch, *args, **kwargs)


# The others have tests of their own in credit/.
FIRST = ("gae", "gated", "gigpo", "grpo", "igpo", "reinforce_pp", "rloo", "spa", "turn_gae")


@pytest.fixture(params=FIRST)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_empty_batch_gives_an_empty_credit(method: str) -> None:
    credit = run(method, batch_of([], [], []))
    assert credit.advantage.shape == credit.reward.shape == credit.weight.shape == credit.keep.shape == (0,)


def test_only_trajectories_without_turns(method: str) -> None:
    credit = run(method, batch_of([0, 0], [0, 0], [0.0, 1.0]))
    assert credit.advantage.shape == (0,)
    assert credit.keep.tolist() == [True, True]


def test_ragged_groups_give_finite_credit_of_the_right_shape(method: str) -> None:
    batch = batch_of([3, 0, 1, 2, 5], [4, 4, 4, -7, 10**15], [1.0, 0.0, 0.5, 0.0, 1.0], truncated=[0, 1, 0, 1, 0])
    credit = run(method, batch)
    assert credit.advantage.shape == credit.reward.shape == credit.weight.shape == (11,)
    assert np.isfinite(credit.advantage).all()
    assert [len(part) for part in credit.split(batch)] == [3, 0, 1, 2, 5]


def test_the_batch_is_left_alone(method: str) -> None:
    batch = batch_of([2, 3], [0, 0], [1.0, 0.0], valid=[True, False, True, True, True])
    before = {name: np.copy(getattr(batch, name)) for name in ("reward", "outcome", "anchor", "valid")}
    credit = run(method, batch)
    credit.advantage[:] = 99.0
    for name, value in before.items():
        assert (getattr(batch, name) == value).all(), name


@pytest.mark.parametrize("name", ["grpo", "rloo", "gigpo", "igpo", "gated", "reinforce_pp"])
def test_equal_rollouts_of_equal_length_get_nothing(name: str) -> None:
    batch = batch_of([2, 2, 2], [0, 0, 0], [0.3, 0.3, 0.3])
    if name in ("igpo", "reinforce_pp"):  # turns of one rollout differ there, so one turn each
        batch = batch_of([1, 1, 1], [0, 0, 0], [0.3, 0.3, 0.3])
    assert_allclose(run(name, batch).advantage, 0.0, atol=1e-9)


def test_records_agree_with_docstrings(method: str) -> None:
    record = METHODS[method]
    doc = record.function.__doc__ or ""
    assert record.name == method == record.function.__name__
    assert f"arXiv {record.arxiv}" in doc
    assert f"Provenance: {record.provenance}" in doc


def test_methods_are_exported() -> None:
    from turnwise.rewards import credit

    assert set(METHODS) <= set(credit.__all__)
    assert credit.__all__ == sorted(credit.__all__)


@pytest.mark.parametrize("function", [grpo, rloo])
def test_singletons_pass_are_zeroed_or_dropped(function: Callable[..., Credit]) -> None:
    batch = batch_of([2, 1, 1], [0, 1, 1], [0.7, 1.0, 0.0])
    assert function(batch).advantage[:2].tolist() == [0.7, 0.7]
    assert function(batch, singleton="zero").advantage[:2].tolist() == [0.0, 0.0]
    dropped = function(batch, singleton="drop")
    assert dropped.weight.tolist() == [0, 0, 1, 1]
    assert dropped.keep.tolist() == [False, True, True]


def test_scores_replace_the_outcome() -> None:
    batch = batch_of([1, 1], [0, 0], [0.0, 0.0])
    assert grpo(batch, scores=[3.0, 1.0], norm_by_std=False).advantage.tolist() == [1.0, -1.0]
    with pytest.raises(ValueError, match=r"scores must have shape \(2,\), one number a trajectory, got \(3,\)"):
        grpo(batch, scores=[1.0, 2.0, 3.0])


def test_reinforce_pp_discounts_and_weighs_tokens() -> None:
    batch = batch_of([2, 1], [0, 0], [1.0, 0.0])
    returns = np.array([0.5, 1.0, 0.0])
    expected = (returns - returns.mean()) / returns.std(ddof=1)
    assert_allclose(reinforce_pp(batch, gamma=0.5).advantage, expected, atol=1e-6)
    tokens = np.array([2, 1, 3])
    each = np.repeat([1.0, 1.0, 0.0], tokens)
    weighted = reinforce_pp(batch, tokens=tokens).advantage
    assert_allclose(np.repeat(weighted, tokens), (each - each.mean()) / each.std(ddof=1), atol=1e-6)
    with pytest.raises(ValueError, match="more than one counted value"):
        reinforce_pp(batch_of([1], [0], [1.0]))


def test_reinforce_pp_baseline_over_tokens() -> None:
    outcomes, tokens = np.array([1, 0, 0.5, 0]), np.array([2, 1, 3, 2])
    batch = batch_of([1] * 4, [0] * 4, outcomes.tolist(), channels={"tokens": tokens})
    each = np.repeat(outcomes - outcomes.mean(), tokens)
    expected = (each - each.mean()) / each.std(ddof=1)
    advantage = reinforce_pp(batch, baseline=True, tokens="tokens").advantage
    assert_allclose(np.repeat(advantage, tokens), expected, atol=1e-6)


def test_token_gae_weights_are_the_mask_and_whitening_counts_masked_tokens_only() -> None:
    batch = batch_of([4], [0], [1.0], channels={"value": [0.1, 0.2, 50.0, 0.4], "mask": [1, 1, 0, 1]})
    credit = gae(batch, mask="mask", lam=0.9)
    assert credit.weight.tolist() == [1, 1, 0, 1]
    sampled = credit.advantage[[0, 1, 3]]
    assert_allclose([sampled.mean(), sampled.std(ddof=1)], [0.0, 1.0], atol=1e-6)


def test_token_gae_after_the_last_sampled_token_is_zero() -> None:
    batch = batch_of([2, 2], [0, 0], [0.0, 1.0])
    advantage = gae(batch, np.zeros(4), mask=[1, 0, 0, 1], whitened=False).advantage
    assert advantage.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_turn_gae_bootstraps_truncation_but_not_termination() -> None:
    batch = batch_of([1, 1], [0, 0], [0.0, 0.0], truncated=[True, False])
    assert turn_gae(batch, [0.5, 0.5], bootstrap=[2.0, 2.0], gamma=0.5).advantage.tolist() == [0.5, -0.5]
    assert turn_gae(batch, [0.5, 0.5], bootstrap=2.0, gamma=0.5).advantage.tolist() == [0.5, -0.5]
    with pytest.raises(ValueError, match="1 of 2 trajectories are truncated: pass bootstrap"):
        turn_gae(batch, [0.5, 0.5])


@pytest.mark.parametrize(
    "call",
    [
        lambda b: turn_gae(b, "critic"),
        lambda b: igpo(b),
        lambda b: spa(b),
        lambda b: gated(b, ["steps"], thresholds=[0.0]),
    ],
)
def test_a_missing_channel_is_named(call: Callable[[TurnBatch], Credit]) -> None:
    batch = batch_of([1], [0], [1.0], channels={"other": [0.0]})
    with pytest.raises(KeyError, match=r"no channel .*; it has \['other'\]"):
        call(batch)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: igpo(b, [0.0], norm="both"), "norm must be one of"),
        (lambda b: igpo(b, [0.0], gain="bits"), "gain must be one of"),
        (lambda b: igpo(b, [0.0], compat="v2"), "compat must be one of"),
        (lambda b: igpo(b, [0.0, 0.0]), r"probe must have shape \(1,\), one number a turn, got \(2,\)"),
        (lambda b: spa(b, [0.0], compat="paper"), "compat must be one of"),
        (lambda b: gated(b, [], thresholds=[]), "levels must name at least one"),
        (lambda b: gated(b, [[0.0]], thresholds=[]), "thresholds must hold 1 numbers for 2 levels, got 0"),
        (lambda b: gated(b, [[0.0]], thresholds=[0], comparison=">"), "comparison must be one of"),
        (lambda b: gigpo(b, texts=["a"], similarity=1.0), "similarity must lie in"),
        (lambda b: gigpo(b, texts=["a", "b"]), "texts must have 1 entries, one a turn, got 2"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[TurnBatch], Credit], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(batch_of([1], [0], [1.0]))


class TestGigpo:
    def test_unshared_states_leave_the_episode_part(self) -> None:
        batch = batch_of([2, 3, 1], [0, 0, 0], [1.0, 0.0, 0.5])
        assert gigpo(batch).advantage.tolist() == gigpo(batch, step_weight=0.0).advantage.tolist()
        assert_allclose(gigpo(batch).advantage, grpo(batch).advantage)

    def test_states_are_not_shared_between_groups(self) -> None:
        batch = batch_of([1, 1, 1, 1], [0, 0, 1, 1], [1.0, 0.0, 9.0, 9.0], anchor=["s"] * 4)
        step = gigpo(batch, norm_by_std=False).advantage - gigpo(batch, norm_by_std=False, step_weight=0).advantage
        assert step.tolist() == [0.5, -0.5, 0.0, 0.0]

    def test_cross_steps_weighs_trajectories_by_their_turns(self) -> None:
        batch = batch_of([3, 1], [0, 0], [1.0, 0.0])
        by_trajectory = gigpo(batch, norm_by_std=False, step_weight=0).advantage
        by_turn = gigpo(batch, norm_by_std=False, step_weight=0, cross_steps=True).advantage
        assert by_trajectory.tolist() == [0.5, 0.5, 0.5, -0.5]
        assert by_turn.tolist() == [0.25, 0.25, 0.25, -0.75]

    def test_the_penalty_stays_with_its_own_turn(self) -> None:
        batch = batch_of([3, 3], [0, 0], [1.0, 0.0], anchor=list("abcabc"), valid=[True, False, True] + [True] * 3)
        clean = gigpo(replace(batch, valid=np.ones(6, dtype=bool)), norm_by_std=False).advantage
        paid = gigpo(batch, norm_by_std=False, invalid_penalty=0.2).advantage
        # Its own score loses 0.2; its own return loses 0.2, and the state's mean return half of that.
        assert_allclose(paid - clean, [0, -0.2 - 0.1, 0, 0, 0.1, 0], atol=1e-12)

    def test_dropped_singletons(self) -> None:
        credit = gigpo(batch_of([2, 1, 1], [0, 1, 1], [1.0, 1.0, 0.0]), singleton="drop")
        assert credit.weight.tolist() == [0, 0, 1, 1]
        assert credit.keep.tolist() == [False, True, True]

    def test_similar_texts_share_a_state(self) -> None:
        texts = ["You are in room 1.", "You are in room 2.", "A shop window."]
        batch = batch_of([1, 1, 1], [0, 0, 0], [1.0, 0.0, 0.5])
        step = gigpo(batch, texts=texts, similarity=0.9, norm_by_std=False).advantage
        episode = gigpo(batch, step_weight=0, norm_by_std=False).advantage
        assert_allclose(step - episode, [0.5, -0.5, 0.0], atol=1e-12)

    def test_first_fit_compares_with_the_first_member_and_depends_on_order(self) -> None:
        near = ["aaaaaaaaaa", "aaaaaaaabb", "aaaaaabbbb"]  # neighbours agree in 8 of 10, the ends in 6
        one_group = np.zeros(3, dtype=np.int64)
        assert similar_anchors(near, one_group, 0.75).tolist() == [0, 0, 2]
        assert similar_anchors([near[1], near[0], near[2]], one_group, 0.75).tolist() == [0, 0, 0]
        assert similar_anchors([near[0]] * 2, np.array([0, 1]), 0.75).tolist() == [0, 1]


class TestIgpo:
    def test_a_rollout_with_a_missing_probe_keeps_its_outcome_only(self) -> None:
        probes = np.log([0.2, 0.4, 0.4, 0.2, 0.1, 0.1, 0.2, 0.2, 0.2])
        probes[4] = np.nan
        batch = batch_of([3, 3, 3], [0, 0, 0], [1.0, 0.0, 0.5])
        credit = igpo(batch, probes, gamma=0.5, norm="separate")
        assert credit.reward[3:6].tolist() == [0.0, 0.0, 0.0]
        assert np.isfinite(credit.advantage).all()
        z = (0.0 - 0.5) / np.std([1.0, 0.0, 0.5])
        assert_allclose(credit.advantage[3:6], z, atol=1e-4)
        # The others are normalised as if the broken rollout had no gains.
        gains = np.array([0.2, 0.0, 0.0, 0.0])
        z_gains = (gains - gains.mean()) / gains.std()
        assert_allclose(credit.advantage[1] - 0.5 * credit.advantage[2], z_gains[1], atol=1e-4)

    def test_a_missing_last_probe_of_a_single_turn_does_not_matter(self) -> None:
        batch = batch_of([1, 1], [0, 0], [1.0, 0.0])
        assert_allclose(igpo(batch, [np.nan, -1.0]).advantage, [1.0, -1.0], atol=1e-4)

    def test_an_impossible_answer_has_no_gain(self) -> None:
        batch = batch_of([3, 1], [0, 0], [1.0, 0.0])
        probes = [-np.inf, -np.inf, np.log(0.5), -1.0]
        assert igpo(batch, probes).reward.tolist() == pytest.approx([0.0, 0.5, 1.0, 0.0])

    def test_no_tool_turn_is_group_normalised_outcome(self) -> None:
        outcomes = [1.0, 0.0, 0.25]
        batch = batch_of([1, 1, 1], [0, 0, 0], outcomes)
        expected = (outcomes - np.mean(outcomes)) / np.std(outcomes)
        assert_allclose(igpo(batch, np.zeros(3), norm="separate").advantage, expected, atol=1e-4)

    def test_small_spreads_are_damped(self) -> None:
        batch = batch_of([1, 1], [0, 0], [2e-4, 0.0])
        expected = 1e-4 / (np.sqrt(1e-8 + 1e-8) + 1e-6)
        assert_allclose(igpo(batch, np.zeros(2)).advantage, [expected, -expected], rtol=1e-6)

    def test_curriculum_weights_come_before_normalisation(self) -> None:
        batch = batch_of([2, 2], [0, 0], [1.0, 0.0])
        probes = np.log([0.2, 0.4, 0.2, 0.1])
        weighted = igpo(batch, probes, gain_weight=0.5, outcome_weight=2.0).reward
        assert_allclose(weighted, [0.1, 2.0, -0.05, 0.0])

    def test_first_release_counts_finished_rollouts_as_zero(self) -> None:
        batch = batch_of([1, 2], [0, 0], [1.0, 1.0])
        advantage = igpo(batch, np.zeros(3), compat="oct2025").advantage
        assert advantage.tolist() == [0.0, 0.0, 0.5]


class TestSpa:
    def test_weights_grounding_and_discount(self) -> None:
        batch = batch_of([2], [0], [1.0], channels={"progress": [0.25, 0.5], "executed": [0, 1]})
        credit = spa(batch, grounded="executed", alpha=2.0, beta=0.25, gamma=0.5)
        assert credit.reward.tolist() == [0.5, 1.25]
        assert credit.advantage.tolist() == [0.5 + 0.5 * 1.25, 1.25]

    def test_released_code_ignores_progress_and_the_last_turn(self) -> None:
        batch = batch_of([3, 1], [0, 0], [1.0, 0.0], valid=[True, False, False, False])
        reward = spa(batch, compat="released").reward  # no progress channel needed
        assert reward.tolist() == [2 * 1.5, 1 * 1.0, 0.0, 0.0]


class TestGated:
    def test_equality_is_decided_by_the_comparison(self) -> None:
        assert gated_total([0.5, 1.0], [0.5]) == 1.5
        assert gated_total([0.5, 1.0], [0.5], "strict") == 0.5

    def test_every_gate_above_must_be_open(self) -> None:
        totals = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [1.0, 1.0, 0.5]]
        gates = open_gates(totals, [1.0, 1.0])
        assert gates.tolist() == [[True, True, False], [True, False, False], [True, True, True]]
        assert gated_total(totals, [1.0, 1.0]).tolist() == [1.0, 0.0, 2.5]

    def test_levels_accumulate_over_turns_before_their_gate(self) -> None:
        batch = batch_of([2, 2], [0, 0], [1.0, 1.0], channels={"edit": [0.5, 0.5, 0.5, 0.0], "style": [0.25] * 4})
        credit = gated(batch, ["edit", "style"], thresholds=[1.0, 1.0], norm_by_std=False)
        assert credit.reward.tolist() == [0.75, 1.75, 0.5, 1.0]
        assert credit.advantage.tolist() == [0.5, 0.5, -0.5, -0.5]


def test_turns_without_an_anchor_share_no_state() -> None:
    rollouts = [Trajectory([Turn(0, "x", "a", reward=r), Turn(1, "x", "b", reward=r)], "task") for r in (0.0, 1.0)]
    batch = TurnBatch.from_trajectories(rollouts)
    assert len(set(batch.anchor.tolist())) == 4
    assert gigpo(batch).advantage.tolist() == gigpo(batch, step_weight=0.0).advantage.tolist()
