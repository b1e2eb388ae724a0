"""Outcome levels: how far an episode came."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import OutcomeLevels, Trajectory, Turn
from turnwise.rewards.milestones import reached

NAMES = ("submitted", "patched", "resolved")
LEVELS = OutcomeLevels({"submitted": -0.5, "patched": 0.0, "resolved": 1.0}, none=-1.0)


def episode(*turns: tuple[str, ...], **fields: bool) -> Trajectory:
    """One turn for each tuple of the milestones that are recorded as 1 in it."""
    channels = [{name: float(name in hits) for name in NAMES} for hits in turns]
    return Trajectory([Turn(i, "", "", channels=c) for i, c in enumerate(channels)], **fields)


@given(st.lists(st.sets(st.sampled_from(NAMES)).map(tuple), max_size=4), st.booleans())
def test_a_level_needs_all_before_it_and_time_to_submit(turns: list[tuple[str, ...]], truncated: bool) -> None:
    trajectory = episode(*turns, truncated=truncated)
    hits = [any(name in turn for turn in turns) for name in NAMES]
    assert [reached(trajectory, name) for name in NAMES] == hits
    expected = 0 if truncated else next((i for i, hit in enumerate(hits) if not hit), 3)
    assert LEVELS(trajectory) == (-1.0, -0.5, 0.0, 1.0)[expected]


def test_levels_are_looked_up_by_name() -> None:
    assert LEVELS["patched"] == 0.0 and LEVELS.level(episode(NAMES)) == "resolved"
    assert LEVELS.level(episode(("patched",))) is None
    with pytest.raises(KeyError, match=r"no level 'merged'; there are \['submitted'"):
        LEVELS["merged"]


def test_numbers_have_no_defaults_and_must_be_finite() -> None:
    with pytest.raises(TypeError, match="none"):
        OutcomeLevels({"submitted": 1.0})
    with pytest.raises(ValueError, match="level 'submitted' must be finite, got nan"):
        OutcomeLevels({"submitted": math.nan}, none=0.0)
    with pytest.raises(ValueError, match="at least one milestone"):
        OutcomeLevels({}, none=0.0)
