"""Reward machines over the events of a turn, flat or calling one another, and a potential over their states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from turnwise.rewards.method import MethodRecord
from turnwise.rewards.trajectory import Turn


@dataclass(frozen=True)
class Edge:
    """One transition of a reward machine.

    Attributes:
        source: State it leaves.
        event: Event that enables it; None: any turn.
        target: State it leads to.
        reward: Paid once, when it is taken.
        call: A machine that must first run to one of its accepting states; `reward` is paid when it returns. The
            call and its first transition happen in the same turn.
    """

    source: str
    event: str | None
    target: str
    reward: float = 0.0
    call: RewardMachine | None = None


@dataclass(frozen=True, eq=False)
class RewardMachine:
    """A finite machine that reads the events of each turn.

    In each turn it takes at most one transition: the first edge, in the order given, that leaves its state and whose
    event happened. Without one it stays where it is and pays nothing.

    Args:
        edges: The transitions.
        initial: State at the start of an episode.
        accepting: States in which it is done; no edge leaves them.

    Raises:
        ValueError: An edge leaves an accepting state, or the initial state is accepting.

    Source: Reward machines (Toro Icarte et al.) and hierarchies of them (Furelos-Blanco et al.). Provenance:
    unverified (textbook definition).

    >>> fetch = RewardMachine([Edge("far", "key_taken", "held")], "far", {"held"})
    >>> task = RewardMachine([Edge("start", None, "armed", 0.5, call=fetch), Edge("armed", "door_open", "done", 1.0)],
    ...                      "start", {"done"})
    >>> state, first = task.step(task.start, {"key_taken"})
    >>> first, task.step(state, {"door_open"})[1]
    (0.5, 1.0)
    """

    edges: tuple[Edge, ...]
    initial: str
    accepting: frozenset[str]

    def __init__(self, edges: Any, initial: str, accepting: Set[str] | tuple[str, ...] = frozenset()) -> None:
        object.__setattr__(self, "edges", tuple(edges))
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "accepting", frozenset(accepting))
        if leaving := sorted(edge.source for edge in self.edges if edge.source in self.accepting):
            raise ValueError(f"edges must not leave accepting states, but some leave {leaving}")
        if initial in self.accepting:
            raise ValueError(f"initial state {initial!r} must not be accepting: the machine would be done at once")

    @property
    def start(self) -> Configuration:
        """Where the machine is when an episode begins."""
        return (Frame(self, self.initial),)

    def step(self, configuration: Configuration, events: Set[str]) -> tuple[Configuration, float]:
        """Read the events of one turn.

        Args:
            configuration: Where the machine is: itself, and the machines it has called.
            events: Names of what happened, as `Turn.events`.

        Returns:
            Where it is now, and what the transitions pay.
        """
        for path in configuration[-1].paths():
            if all(edge.event is None or edge.event in events for edge in path):
                return _follow(configuration, path)
        return configuration, 0.0

    def potentials(self, gamma: float, *, compat: Literal["released"] | None = None) -> dict[Configuration, float]:
        """The best discounted reward to come from each configuration, by value iteration over the machine alone.

        As if the environment could bring about the event of any edge in one turn, or none. Configurations in which the
        machine is done have 0.

        Args:
            gamma: Discount a transition, in [0, 1).
            compat: `released` gives the negative, as the authors' code does.

        Raises:
            ValueError: `gamma` is not in [0, 1), or `compat` is unknown.

        >>> machine = RewardMachine([Edge("a", "x", "b"), Edge("b", "y", "c", 1.0)], "a", {"c"})
        >>> {where[-1].state: value for where, value in machine.potentials(0.5).items()}
        {'a': 0.5, 'b': 1.0, 'c': 0.0}
        """
        if not 0.0 <= gamma < 1.0:
            raise ValueError(f"gamma must lie in [0, 1), got {gamma!r}")
        if compat not in (None, "released"):
            raise ValueError(f"compat must be None or 'released', got {compat!r}")
        moves = _reachable(self.start)
        values = dict.fromkeys(moves, 0.0)
        change = 1.0
        while change > 1e-12:
            change = 0.0
            for here, ways in moves.items():
                best = max((reward + gamma * values[there] for there, reward in ways), default=0.0)
                best = max(best, gamma * values[here])  # nothing happens: the machine stays
                change = max(change, abs(best - values[here]))
                values[here] = best
        return values if compat is None else {where: -value for where, value in values.items()}


@dataclass(frozen=True)
class Frame:
    """One machine on the stack of calls.

    Attributes:
        machine: The machine.
        state: Its state.
        returns: The edge of the machine below that called it; None at the bottom.
    """

    machine: RewardMachine
    state: str
    returns: Edge | None = None

    def paths(self) -> Iterator[tuple[Edge, ...]]:
        """All transitions from here, in order: the edges that call, then the one that is taken."""
        for edge in self.machine.edges:
            if edge.source == self.state:
                if edge.call is None:
                    yield (edge,)
                else:
                    yield from ((edge, *inner) for inner in edge.call.start[0].paths())


Configuration: TypeAlias = tuple[Frame, ...]
"""Where a reward machine is: a stack of frames, the machine itself first, the one that runs last."""


class RewardMachineReward:
    """Pays what a reward machine pays for the events of each turn.

    `configuration` says where the machine is; to let the policy see it, put `configuration[-1].state` into the
    observation.

    Args:
        machine: The machine. Each edge pays when it is taken, not at every visit.

    >>> reward = RewardMachineReward(RewardMachine([Edge("start", "key_taken", "held", 0.25)], "start"))
    >>> [reward(Turn(0, "", "", events=events)) for events in (set(), {"key_taken"}, {"key_taken"})]
    [0.0, 0.25, 0.0]
    """

    def __init__(self, machine: RewardMachine) -> None:
        self.machine = machine
        self.configuration = machine.start

    def begin(self, observation: str, privileged: Mapping[str, Any]) -> None:
        """Go back to the start."""
        self.configuration = self.machine.start

    def __call__(self, turn: Turn) -> float:
        """What the machine pays for this turn."""
        self.configuration, reward = self.machine.step(self.configuration, turn.events)
        return reward


class RewardMachinePotential:
    """A potential for `PotentialShapingReward`: what a machine could still pay, from where it is.

    Called with the `info` of `reset` and of each step, in order; it follows the machine by `info["events"]`.

    Args:
        machine: The machine.
        gamma: Discount of the value iteration, in [0, 1).
        compat: See `RewardMachine.potentials`.

    >>> machine = RewardMachine([Edge("start", "key_taken", "held", 1.0)], "start", {"held"})
    >>> potential = RewardMachinePotential(machine, gamma=0.9)
    >>> potential({"turn": 0, "events": set()}), potential({"turn": 1, "events": {"key_taken"}})
    (1.0, 0.0)
    """

    def __init__(self, machine: RewardMachine, gamma: float, *, compat: Literal["released"] | None = None) -> None:
        self.machine = machine
        self.values = machine.potentials(gamma, compat=compat)
        self.configuration = machine.start

    def __call__(self, info: Mapping[str, Any]) -> float:
        """The potential after the turn of this info."""
        if info["turn"] == 0:
            self.configuration = self.machine.start
        else:
            self.configuration, _ = self.machine.step(self.configuration, info["events"])
        return self.values[self.configuration]


def _follow(configuration: Configuration, path: tuple[Edge, ...]) -> tuple[Configuration, float]:
    """Make the calls of a path, take its last edge, and return from every machine that is done by it."""
    *stack, top = configuration
    for edge in path[:-1]:
        assert edge.call is not None
        stack.append(top)
        top = Frame(edge.call, edge.call.initial, edge)
    edge, reward = path[-1], path[-1].reward
    top = Frame(top.machine, edge.target, top.returns)
    while top.returns is not None and top.state in top.machine.accepting:
        reward += top.returns.reward
        below = stack.pop()
        top = Frame(below.machine, top.returns.target, below.returns)
    return (*stack, top), reward


def _reachable(start: Configuration) -> dict[Configuration, list[tuple[Configuration, float]]]:
    """Where each configuration that can be reached may go, and what that pays."""
    moves: dict[Configuration, list[tuple[Configuration, float]]] = {}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        if here not in moves:
            moves[here] = [_follow(here, path) for path in here[-1].paths()]
            waiting += [there for there, _ in moves[here]]
    return moves


RECORD = MethodRecord(
    name="reward_machine",
    function=RewardMachineReward,
    paper="Reward Machines: Exploiting Reward Function Structure in Reinforcement Learning",
    arxiv="",
    provenance="unverified",
    scope="turn",
    needs=frozenset({"machine"}),
    min_group=1,
    summary="A finite machine over the turn's events pays for its transitions; machines may call machines.",
)
