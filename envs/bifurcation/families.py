"""The families of `turnwise/Bifurcation-v0`: small MDPs in each of which one thing makes credit hard to give.

A family is a function that draws its `Rules` from a random generator. `build` walks the rules from the start and
writes what it finds into the arrays of a `TabularMDP`. In all families an optimal policy reaches the outcome 1.0 with
certainty, whatever chance does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from turnwise.rewards.batch import IntArray
from turnwise.rewards.tabular import TabularMDP

MAX_STATES = 1500
BONUS = "bonus"
"""The signal (and reward term) that a rule-based step reward would pay. It is no part of the outcome."""


class Room(NamedTuple):
    """A state before the end.

    Attributes:
        depth: Turns (in `recoverable`: steps forward) behind it.
        harm: What mistakes have cost so far.
        view: Which of several rooms that mean the same this is: what keeps rollouts from always meeting.
        flag: A family's own bit.
    """

    depth: int
    harm: int = 0
    view: int = 0
    flag: int = 0


class End(NamedTuple):
    """A terminal state and its outcome."""

    outcome: float


Branches: TypeAlias = list[tuple[float, Room | End]]


class Rules(NamedTuple):
    """What a family says: where an action leads, with which probabilities, and which bonus it pays."""

    branches: Callable[[Room, int], Branches]
    bonus: Callable[[Room, int], float]


@dataclass(frozen=True)
class Spec:
    """Which MDPs to build.

    Attributes:
        family: A key of `FAMILIES`.
        horizon: The most turns an episode takes; None is the family's own.
        actions: Choices in every room, at least 2.
        anchor_rate: `anchors` only: the share of choices that lead to a room which other paths lead to as well.
        slip: `stochastic` only: the probability that a wrong choice goes unpunished.
        spare_mistakes: `recoverable` only: mistakes that can be made good.
    """

    family: str = "decisive"
    horizon: int | None = None
    actions: int = 4
    anchor_rate: float = 0.5
    slip: float = 0.5
    spare_mistakes: int = 2

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {sorted(FAMILIES)}, got {self.family!r}")
        if self.actions < 2:
            raise ValueError(f"actions must be at least 2, got {self.actions}")
        if not 0.0 <= self.anchor_rate <= 1.0:
            raise ValueError(f"anchor_rate must lie in [0, 1], got {self.anchor_rate!r}")
        if not 0.0 <= self.slip < 1.0:
            raise ValueError(f"slip must lie in [0, 1), got {self.slip!r}")
        least = 2 * self.spare_mistakes + 1 if self.family == "recoverable" else 2
        if self.spare_mistakes < 0 or self.turns < least:
            raise ValueError(f"horizon must be at least {least} for {self.family!r}, got {self.turns}")

    @property
    def turns(self) -> int:
        """The horizon, with the family's own where none is given."""
        return _HORIZONS.get(self.family, 8) if self.horizon is None else self.horizon


@dataclass(frozen=True)
class World:
    """One MDP of a family, and what its states mean. `places[s]` is the room or end that state s stands for."""

    mdp: TabularMDP
    places: tuple[Room | End, ...]


def decisive(spec: Spec, rng: np.random.Generator) -> Rules:
    """One turn decides; all others are neutral."""
    right, at = _right(spec, rng), int(rng.integers(spec.turns))

    def branches(room: Room, action: int) -> Branches:
        wrong = room.depth == at and action != right[at]
        return _onward(spec, room, action, room.harm + wrong, most_harm=1)

    return Rules(branches, lambda room, action: float(room.depth == at and action == right[at]))


def delayed(spec: Spec, rng: np.random.Generator) -> Rules:
    """The first turn takes a key or not; only the last turn shows it. The bonus sees the last turn alone."""
    right, last = _right(spec, rng), spec.turns - 1

    def branches(room: Room, action: int) -> Branches:
        decides = room.depth in (0, last)
        return _onward(spec, room, action, room.harm + (decides and action != right[room.depth]), most_harm=1)

    return Rules(branches, lambda room, action: float(room.depth == last and action == right[last]))


def distractor(spec: Spec, rng: np.random.Generator) -> Rules:
    """In the first half, one of the wrong choices pays a bonus at once and does harm; the right one pays nothing."""
    right, early = _right(spec, rng), (spec.turns + 1) // 2
    lure = (right + rng.integers(1, spec.actions, size=spec.turns)) % spec.actions

    def branches(room: Room, action: int) -> Branches:
        wrong = room.depth < early and action != right[room.depth]
        return _onward(spec, room, action, room.harm + wrong, most_harm=2)

    return Rules(branches, lambda room, action: float(room.depth < early and action == lure[room.depth]))


def recoverable(spec: Spec, rng: np.random.Generator) -> Rules:
    """A wrong choice leads aside and another one back, while mistakes are to spare. The bonus pays the way back."""
    right, back = _right(spec, rng), int(rng.integers(spec.actions))
    goal = spec.turns - 2 * spec.spare_mistakes

    def branches(room: Room, action: int) -> Branches:
        if room.flag:
            moved = room._replace(flag=0) if action == back else room._replace(harm=room.harm + 1)
        elif action == right[room.depth]:
            moved = room._replace(depth=room.depth + 1)
        else:
            moved = room._replace(flag=1, harm=room.harm + 1)
        if moved.harm > spec.spare_mistakes:
            return [(1.0, End(0.0))]
        return [(1.0, End(1.0) if moved.depth == goal else moved._replace(view=action))]

    return Rules(branches, lambda room, action: float(room.flag and action == back))


def anchors(spec: Spec, rng: np.random.Generator) -> Rules:
    """Every turn counts. A dialled share of choices leads to shared rooms; the others make a tree, met by one path."""
    right = _right(spec, rng)
    private: dict[tuple[Room, int], int] = {}

    def branches(room: Room, action: int) -> Branches:
        if (room, action) not in private:
            private[room, action] = 0 if rng.random() < spec.anchor_rate else len(private) + 1
        harm = room.harm + (action != right[room.depth])
        return _onward(spec, room, private[room, action], harm, most_harm=2)

    return Rules(branches, lambda room, action: float(action == right[room.depth]))


def stochastic(spec: Spec, rng: np.random.Generator) -> Rules:
    """Every turn counts, but a wrong choice goes unpunished at times, and chance picks the room that follows."""
    right = _right(spec, rng)

    def branches(room: Room, action: int) -> Branches:
        chances = [(1.0, room.harm)]
        if action != right[room.depth]:
            chances = [(spec.slip, room.harm), (1.0 - spec.slip, room.harm + 1)]
        return [
            (chance * share, place)
            for chance, harm in chances
            for view in range(spec.actions)
            for share, place in [(1.0 / spec.actions, _onward(spec, room, view, harm, most_harm=1)[0][1])]
        ]

    return Rules(branches, lambda room, action: float(action == right[room.depth]))


def long(spec: Spec, rng: np.random.Generator) -> Rules:
    """Many turns, of which every tenth counts; two mistakes are one too many."""
    right = _right(spec, rng)

    def branches(room: Room, action: int) -> Branches:
        wrong = room.depth % 10 == 9 and action != right[room.depth]
        return _onward(spec, room, action, room.harm + wrong, most_harm=2)

    return Rules(branches, lambda room, action: float(room.depth % 10 == 9 and action == right[room.depth]))


FAMILIES: dict[str, Callable[[Spec, np.random.Generator], Rules]] = {
    "decisive": decisive,
    "delayed": delayed,
    "distractor": distractor,
    "recoverable": recoverable,
    "anchors": anchors,
    "stochastic": stochastic,
    "long": long,
}
"""The families by name."""

_HORIZONS = {"long": 50, "anchors": 6, "stochastic": 6}


@lru_cache(maxsize=8)
def build(spec: Spec, seed: int) -> World:
    """The MDP of a family that a seed draws. Equal arguments give the same object.

    Raises:
        ValueError: It would have more than `MAX_STATES` states.

    >>> world = build(Spec("decisive", horizon=4, actions=3), seed=0)
    >>> world.mdp.actions, world.mdp.horizon
    (3, 4)
    """
    rng = np.random.default_rng([seed, sorted(FAMILIES).index(spec.family)])
    rules = FAMILIES[spec.family](spec, rng)
    edges = _explore(spec, rules)
    places = list(edges)
    # Numbers in the order of discovery would say which rooms belong together.
    places = [places[i] for i in rng.permutation(len(places))]
    return World(_arrays(spec, rules, edges, {place: i for i, place in enumerate(places)}), tuple(places))


def _right(spec: Spec, rng: np.random.Generator) -> IntArray:
    """(horizon,) the right choice at each depth."""
    return rng.integers(spec.actions, size=spec.turns)


def _onward(spec: Spec, room: Room, view: int, harm: int, most_harm: int) -> Branches:
    """One turn on, or the end, whose outcome falls with harm from 1 to 0."""
    harm = min(harm, most_harm)
    if room.depth + 1 == spec.turns:
        return [(1.0, End(1.0 - harm / most_harm))]
    return [(1.0, Room(room.depth + 1, harm, view))]


def _explore(spec: Spec, rules: Rules) -> dict[Room | End, list[Branches]]:
    """Every place that can be reached, and for each action where it leads (nowhere from an end)."""
    edges: dict[Room | End, list[Branches]] = {}
    queue: deque[Room | End] = deque([Room(0)])
    seen: set[Room | End] = set(queue)
    while queue:
        place = queue.popleft()
        edges[place] = [] if isinstance(place, End) else [rules.branches(place, a) for a in range(spec.actions)]
        for branches in edges[place]:
            for _, found in branches:
                if found not in seen:
                    seen.add(found)
                    queue.append(found)
        if len(seen) > MAX_STATES:
            raise ValueError(
                f"{spec} has more than {MAX_STATES} states: lower horizon or actions, or raise anchor_rate"
            )
    return edges


def _arrays(
    spec: Spec, rules: Rules, edges: dict[Room | End, list[Branches]], index: dict[Room | End, int]
) -> TabularMDP:
    size = len(index)
    transition = np.zeros((size, spec.actions, size))
    outcome, initial, bonus = np.zeros(size), np.zeros(size), np.zeros((size, spec.actions))
    initial[index[Room(0)]] = 1.0
    for place, choices in edges.items():
        state = index[place]
        if isinstance(place, End):
            transition[state, :, state] = 1.0
            outcome[state] = place.outcome
            continue
        for action, branches in enumerate(choices):
            bonus[state, action] = rules.bonus(place, action)
            for probability, found in branches:
                transition[state, action, index[found]] += probability
    terminal = np.array([isinstance(place, End) for place in index])
    return TabularMDP(transition, outcome, initial, terminal, spec.turns, {BONUS: bonus})
