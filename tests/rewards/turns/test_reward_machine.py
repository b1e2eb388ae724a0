"""Reward machines: paid once an edge, calls and returns, and a potential that changes nothing about what is best."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Turn
from turnwise.rewards.turns import Edge, RewardMachine, RewardMachinePotential, RewardMachineReward

COFFEE_THEN_MAIL = RewardMachine(
    [Edge("start", "coffee", "coffee", 0.5), Edge("coffee", "mail", "done", 1.0)], "start", {"done"}
)


def run(machine, *turns):
    reward = RewardMachineReward(machine)
    reward.begin("", {})
    paid = [reward(Turn(i, "", "", events=frozenset(events))) for i, events in enumerate(turns)]
    return paid, [frame.state for frame in reward.configuration]


def test_an_edge_pays_once_not_at_every_visit():
    paid, state = run(COFFEE_THEN_MAIL, {"mail"}, {"coffee"}, {"coffee"}, {"mail"}, {"mail"}, {"coffee"})
    assert paid == [0, 0.5, 0, 1.0, 0, 0]
    assert state == ["done"]


def test_one_transition_a_turn_and_the_first_edge_wins():
    assert run(COFFEE_THEN_MAIL, {"coffee", "mail"}) == ([0.5], ["coffee"])
    either = RewardMachine([Edge("a", "x", "b", 1.0), Edge("a", "y", "c", 2.0)], "a")
    assert run(either, {"x", "y"}) == ([1.0], ["b"])


def test_begin_goes_back_to_the_start():
    reward = RewardMachineReward(COFFEE_THEN_MAIL)
    for _ in range(2):
        reward.begin("", {})
        assert reward(Turn(0, "", "", events=frozenset({"coffee"}))) == 0.5


def fetch(item):
    return RewardMachine([Edge("far", item, "near", 0.1), Edge("near", "pick", "held", 0.2)], "far", {"held"})


ERRANDS = RewardMachine(
    [Edge("start", None, "half", 1.0, call=fetch("coffee")), Edge("half", "open", "done", 2.0, call=fetch("mail"))],
    "start",
    {"done"},
)


def test_calls_run_to_their_accepting_state_and_return():
    turns = ({"pick"}, {"coffee"}, {"mail"}, {"pick"}, {"mail"}, {"mail", "open"}, {"pick"})
    # The second call is guarded: it begins only in a turn with `open` in which its first transition is enabled.
    assert run(ERRANDS, *turns[:2])[1] == ["start", "near"]
    paid, state = run(ERRANDS, *turns)
    assert paid == pytest.approx([0, 0.1, 0, 1.2, 0, 0.1, 2.2])
    assert state == ["done"]


def test_returns_cascade_through_machines_that_are_done_at_once():
    inner = RewardMachine([Edge("i", "go", "ok", 1.0)], "i", {"ok"})
    middle = RewardMachine([Edge("m", None, "ok", 10.0, call=inner)], "m", {"ok"})
    outer = RewardMachine([Edge("o", None, "ok", 100.0, call=middle)], "o", {"ok"})
    assert run(outer, set(), {"go"}, {"go"}) == ([0, 111.0, 0], ["ok"])


def test_potentials_by_value_iteration():
    values = {where[-1].state: value for where, value in COFFEE_THEN_MAIL.potentials(0.9).items()}
    assert values == pytest.approx({"start": 0.5 + 0.9, "coffee": 1.0, "done": 0.0})
    released = COFFEE_THEN_MAIL.potentials(0.9, compat="released")
    assert sorted(released.values()) == pytest.approx([-1.4, -1.0, 0.0])


def test_potentials_through_calls_and_cycles():
    values = {tuple(f.state for f in where): v for where, v in ERRANDS.potentials(0.5).items()}
    at_half = 0.1 + 0.5 * 2.2
    expected = {("half", "near"): 2.2, ("half",): at_half, ("start", "near"): 1.2 + 0.5 * at_half, ("done",): 0.0}
    assert {key: values[key] for key in expected} == pytest.approx(expected)
    loop = RewardMachine([Edge("a", "x", "b", 1.0), Edge("b", "x", "a", -1.0), Edge("b", "y", "a", 0.0)], "a")
    assert {w[-1].state: v for w, v in loop.potentials(0.5).items()} == pytest.approx({"a": 4 / 3, "b": 2 / 3})


def test_nobody_has_to_take_an_edge_that_costs():
    machine = RewardMachine([Edge("a", "x", "b", -1.0)], "a", {"b"})
    assert machine.potentials(0.9)[machine.start] == 0.0


@given(st.lists(st.frozensets(st.sampled_from(["coffee", "mail", "pick", "open"])), max_size=12), st.floats(0, 0.99))
def test_shaping_telescopes_to_minus_the_first_potential(turns, gamma):
    potential = RewardMachinePotential(ERRANDS, gamma)
    phi = [potential({"turn": i, "events": events}) for i, events in enumerate([frozenset(), *turns])]
    terms = [gamma * after - before for before, after in itertools.pairwise(phi)]
    total = sum(gamma**t * term for t, term in enumerate(terms))
    assert total == pytest.approx(gamma ** len(turns) * phi[-1] - phi[0])
    assert potential({"turn": 0, "events": frozenset()}) == phi[0]


def test_machines_that_make_no_sense():
    with pytest.raises(ValueError, match=r"must not leave accepting states.*\['done'\]"):
        RewardMachine([Edge("done", "x", "start")], "start", {"done"})
    with pytest.raises(ValueError, match="initial state 'done'"):
        RewardMachine([], "done", {"done"})
    with pytest.raises(ValueError, match=r"gamma must lie in \[0, 1\)"):
        COFFEE_THEN_MAIL.potentials(1.0)
    with pytest.raises(ValueError, match="compat"):
        COFFEE_THEN_MAIL.potentials(0.5, compat="paper")
