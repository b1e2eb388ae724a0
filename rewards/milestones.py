"""How far an episode came: milestones that environments declare, and the outcome levels that G-RA makes of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from turnwise.rewards.trajectory import Trajectory


def reached(trajectory: Trajectory, milestone: str) -> bool:
    """Whether the reward term `milestone` was 1 in some turn.

    >>> from turnwise.rewards.trajectory import Turn
    >>> episode = Trajectory([Turn(0, "", "submit[]", channels={"submitted": 1.0, "resolved": 0.0})])
    >>> reached(episode, "submitted"), reached(episode, "resolved"), reached(episode, "patched")
    (True, False, False)
    """
    return any(turn.channels.get(milestone) == 1.0 for turn in trajectory.turns)


class OutcomeLevels:
    """An outcome out of how far an episode came: a number for each level, the outcome reward of G-RA.

    A level counts only where those before it were reached too. A truncated episode is on the lowest level, whatever it
    had reached: running out of time counts as not having submitted.

    Args:
        levels: Milestone (a reward term of 0 or 1) to the outcome of an episode that came this far and no further, from
            the nearest milestone to the furthest. The published numbers are not known, so there is no default.
        none: Outcome of an episode that reached none of them.

    Raises:
        ValueError: There are no levels, or a number is not finite.

    Source: Gated Reward Accumulation (arXiv 2508.10548). Provenance: unverified: no submission, empty patch, failing
    patch and passing patch are the paper's levels by secondary sources; that a truncated episode is on the lowest level
    is ours.

    Example with numbers of our own, which are no recommendation. Milestones as `turnwise/SWE-v0` records them:

    >>> from turnwise.rewards.trajectory import Turn
    >>> levels = OutcomeLevels({"submitted": -0.5, "patched": 0.0, "resolved": 1.0}, none=-1.0)
    >>> terms = {"submitted": 1.0, "patched": 1.0, "resolved": 0.0}
    >>> levels(Trajectory([Turn(0, "", "submit[]", channels=terms)])), levels(Trajectory([Turn(0, "", "bash[ls]")]))
    (0.0, -1.0)
    >>> levels["patched"]  # the gate that no submission and an empty patch leave closed
    0.0
    """

    def __init__(self, levels: Mapping[str, float], *, none: float) -> None:
        if not levels:
            raise ValueError("levels must name at least one milestone")
        for name, value in {**levels, "none": none}.items():
            if not np.isfinite(value):
                raise ValueError(f"the outcome of level {name!r} must be finite, got {value}")
        self.levels = {name: float(value) for name, value in levels.items()}
        self.none = float(none)

    def __call__(self, trajectory: Trajectory) -> float:
        """The number of the level that the episode came to."""
        name = self.level(trajectory)
        return self.none if name is None else self.levels[name]

    def level(self, trajectory: Trajectory) -> str | None:
        """The furthest milestone that counts; None for the lowest level."""
        furthest = None
        if not trajectory.truncated:
            for name in self.levels:
                if not reached(trajectory, name):
                    break
                furthest = name
        return furthest

    def __getitem__(self, milestone: str) -> float:
        """The number of a level: as a threshold, the gate that opens there.

        Raises:
            KeyError: There is no such level; the message names those that there are.
        """
        if milestone not in self.levels:
            raise KeyError(f"there is no level {milestone!r}; there are {list(self.levels)}")
        return self.levels[milestone]

    def __repr__(self) -> str:
        return f"OutcomeLevels({self.levels}, none={self.none})"
