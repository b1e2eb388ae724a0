"""Process scores made into rewards: PPR, Clip and Delta, RED, CAPO, ABC, PAR."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.episodes import (
    ABCReward,
    CAPOReward,
    ClipDeltaReward,
    ParReward,
    PPRReward,
    REDReward,
    RunningShaper,
)
from turnwise.rewards.episodes.abc_redistribution import abc_redistribution
from turnwise.rewards.episodes.capo import capo, capo_vote
from turnwise.rewards.episodes.clip_delta import clip, delta
from turnwise.rewards.episodes.par import log_sigmoid_centred, par, relative_quintic, relative_tanh
from turnwise.rewards.episodes.ppr import ppr
from turnwise.rewards.episodes.red import red

ATOL = 2e-6
unit = hnp.arrays(np.float64, st.integers(0, 12), elements=st.floats(0, 1))
numbers = hnp.arrays(np.float64, st.integers(0, 12), elements=st.floats(-100, 100))


def episode(turns, outcome=0.0, **more):
    rewards = np.zeros(turns)
    rewards[-1:] = outcome
    return Trajectory([Turn(i, "", "", reward=float(r)) for i, r in enumerate(rewards)], **more)


# Published numbers


def test_ppr(vectors):
    np.testing.assert_allclose([ppr([0.8, 0.5, 0], 1), ppr([0.8, 0.5, 0], 0)], vectors["ppr_renorm"], atol=ATOL)


def test_clip_and_delta(vectors):
    scores = [0.9, 0.7, 0.95, 0.6]
    np.testing.assert_allclose(clip(scores, eta=0.8), vectors["clip"], atol=ATOL)
    np.testing.assert_allclose(delta(scores), vectors["delta"], atol=ATOL)
    assert delta(scores).sum() == pytest.approx(vectors["delta_sum"], abs=ATOL)


def test_abc(vectors):
    shared = abc_redistribution([0.1, 0.3, 0.1, 0.1], 2.0)
    np.testing.assert_allclose(shared, vectors["abc"], atol=ATOL)
    assert shared.sum() == pytest.approx(vectors["abc_sum"], abs=ATOL)


def test_capo(vectors):
    paid = vectors["capo_rewards_C2_P1"]
    constants = {"correct_reward": 2.0, "wrong_penalty": 1.0}
    np.testing.assert_allclose(capo(True, [0, 1, 0, 1], **constants), paid["correct_wrong13"], atol=ATOL)
    np.testing.assert_allclose(capo(False, [0, 0, 0, 1], **constants), paid["incorrect_wrong3"], atol=ATOL)


def test_red_and_par_by_hand():
    np.testing.assert_allclose(red([0, 0.2, 0.1, 0.5, 0.9], beta=1.0), [0.2, -0.1, 0.4, 0.4])
    expected = np.mean(1 / (1 + np.exp([-1.0, 0.5, -1.5])))
    assert par(2.0, [1.0, 2.5, 0.5]) == pytest.approx(expected)
    assert par(2.0, [1.0]) == pytest.approx(1 / (1 + np.exp(-1)))


def test_log_sigmoid_centred_by_hand():
    # sample deviation of 0 and 2 is sqrt(2); the normal distribution's 85th percentile is 1.036433
    quantile = 1.0 + 1.036433389 * (np.sqrt(2) + 1e-5)
    assert log_sigmoid_centred(3.0, [0.0, 2.0]) == pytest.approx(-np.log1p(np.exp(quantile - 3.0)))


# Properties


@given(unit, st.sampled_from([0.0, 1.0]))
def test_ppr_bounds(scores, outcome):
    rewards = ppr(scores, outcome)
    assert ((rewards >= outcome - 1) & (rewards <= outcome)).all()


@given(numbers)
def test_what_is_to_come_of_delta_is_the_score(scores):
    np.testing.assert_allclose(np.cumsum(delta(scores)[::-1])[::-1], scores, atol=1e-9)


@given(numbers, st.floats(-10, 10))
def test_clip_never_pays_and_is_bounded(scores, eta):
    assert (clip(scores, eta=eta) <= 0).all()


@given(hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 10)), st.floats(-10, 10), st.floats(0, 1))
def test_abc_keeps_the_sum(attention, reward, beta):
    assert abc_redistribution(attention, reward, beta=beta).sum() == pytest.approx(reward, abs=1e-9)


@given(hnp.arrays(np.float64, st.integers(2, 12), elements=st.floats(-10, 10)), st.floats(-10, 10), st.floats(0, 1))
def test_red_telescopes(scores, sparse, beta):
    total = beta * (scores[-1] - scores[0]) + (1 - beta) * sparse
    assert red(scores, sparse, beta=beta).sum() == pytest.approx(total, abs=1e-9)


@given(st.floats(-50, 50), st.lists(st.floats(-50, 50), min_size=1, max_size=10), st.floats(-50, 50))
def test_par_bounds_and_shift_invariance(score, references, shift):
    shaped = par(score, references)
    assert 0 <= shaped <= 1
    assert par(score + shift, np.add(references, shift)) == pytest.approx(shaped, abs=1e-9)
    assert par(score + 1, references) >= shaped
    assert -1 <= relative_tanh(score, references) <= 1
    assert relative_quintic(score, references) == pytest.approx(shaped, abs=0.03)
    assert log_sigmoid_centred(score, references) <= 0


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=6))
def test_votes_are_nested(passes):
    union, majority, intersection = (capo_vote(passes, vote) for vote in ("union", "majority", "intersection"))
    assert (intersection <= majority).all()
    assert (majority <= union).all()
    np.testing.assert_array_equal(union, np.any(passes, axis=0))
    np.testing.assert_array_equal(intersection, np.all(passes, axis=0))


def test_half_of_the_judges_are_no_majority():
    assert capo_vote([[True], [False]]).tolist() == [False]


# Running statistics, as baselines of PAR


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_running_shapers_know_all_scores_so_far(scores):
    shapers = {kind: RunningShaper(kind) for kind in ("mean_std", "clip", "min_max")}
    last = {kind: [shape(score) for score in scores][-1] for kind, shape in shapers.items()}
    mean, std = np.mean(scores), np.std(scores)
    assert last["clip"] == pytest.approx(np.clip(scores[-1], mean - std, mean + std), abs=1e-6)
    if np.ptp(scores) > 1e-3:
        assert last["min_max"] == pytest.approx((scores[-1] - min(scores)) / np.ptp(scores))
        assert last["mean_std"] == pytest.approx((scores[-1] - mean) / std, abs=1e-4)


def test_running_shapers_while_all_scores_are_equal():
    for kind in ("mean_std", "min_max"):
        assert [RunningShaper(kind)(7.0) for _ in range(3)] == [0.0] * 3
    with pytest.raises(ValueError, match="kind must be one of"):
        RunningShaper("median")


# As episode rewards


def scorer(trajectory):
    return np.linspace(0.25, 0.75, len(trajectory))


MADE = {
    "ppr": PPRReward(scorer),
    "clip_delta": ClipDeltaReward(scorer, eta=0.5),
    "red": REDReward(scorer, beta=0.5),
    "abc": ABCReward(scorer),
    "capo": CAPOReward([scorer], correct_reward=2.0, wrong_penalty=1.0),
    "par": ParReward(references=lambda trajectory: [0.0]),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("turns", [0, 1, 4])
def test_one_finite_number_a_turn(name, turns):
    rewards = MADE[name](episode(turns, 1.0))
    assert rewards.shape == (turns,)
    assert np.isfinite(rewards).all()


@pytest.mark.parametrize("name", sorted(set(MADE) - {"par"}))
@pytest.mark.parametrize("bad", [[np.nan, 0.0], [0.0], [[0.0, 0.0]], [0.0, np.inf]])
def test_a_scorer_that_fails_is_an_error(name, bad):
    kwargs = {
        "ppr": {}, "clip_delta": {"eta": None}, "red": {"beta": 1.0}, "abc": {},
        "capo": {"correct_reward": 2.0, "wrong_penalty": 1.0},
    }[name]  # fmt: skip
    broken = (lambda trajectory: bad) if name != "capo" else [lambda trajectory: bad]
    with pytest.raises(ValueError, match="must give 2 finite scores"):
        type(MADE[name])(broken, **kwargs)(episode(2))
    with pytest.raises(TypeError, match="must be a TurnScorer or a function"):
        type(MADE[name])(7 if name != "capo" else [7], **kwargs)


def test_a_scorer_object_serves_as_well_as_a_function():
    class Judge:
        def score(self, trajectory):
            return np.full(len(trajectory), 5.0)

    assert PPRReward(Judge(), max_score=10)(episode(2, 1.0)).tolist() == [0.5, 0.5]


def test_outcomes_and_facts():
    assert CAPOReward([scorer], correct_reward=2.0, wrong_penalty=0.0)(episode(2, 0.5)).tolist() == [0.0, 0.0]
    lenient = CAPOReward([scorer], correct_reward=2.0, wrong_penalty=0.0, solved_at=0.5)
    assert lenient(episode(2, 0.5)).tolist() == [2.0, 2.0]
    shared = ABCReward(scorer, reward="rm_score")
    assert shared.needs == {"rm_score"}
    assert shared(episode(2, 1.0, privileged={"rm_score": -4.0})).sum() == pytest.approx(-4.0)
    with pytest.raises(KeyError, match="references='reference_scores'"):
        ParReward()(episode(1))
    running = ParReward(RunningShaper("mean_std"), references=None)
    assert [running(episode(2, outcome))[-1] for outcome in (0.0, 1.0)] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ppr([1.5], 1.0), r"process must lie in \[0, 1\]"),
        (lambda: ppr([0.5], 2.0), r"outcome must lie in \[0, 1\]"),
        (lambda: abc_redistribution([-1.0], 1.0), "attention must be finite and >= 0"),
        (lambda: abc_redistribution([1.0], 1.0, beta=2.0), "beta must lie in"),
        (lambda: red([0.0], beta=-1.0), "beta must lie in"),
        (lambda: red([], beta=1.0), r"prefix_scores must have shape \(T \+ 1,\)"),
        (lambda: par(1.0, []), "references must be"),
        (lambda: par(1.0, [np.nan]), "references must be"),
        (lambda: capo_vote([], "union"), r"passes must have shape \(K, T\)"),
        (lambda: capo_vote([[True]], "veto"), "vote must be one of"),
        (lambda: PPRReward(scorer, max_score=0), "max_score must be positive"),
        (lambda: ParReward(score=lambda t: np.nan, references=None)(episode(1)), "score must be finite"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: REDReward(scorer), "beta"),
        (lambda: ClipDeltaReward(scorer), "eta"),
        (lambda: CAPOReward([scorer]), "correct_reward"),
    ],
)
def test_doubtful_constants_have_no_default(make, argument):
    with pytest.raises(TypeError, match=argument):
        make()
