"""`turnwise/Bifurcation-v0`: small MDPs whose exact values are known, played as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from turnwise.envs.bifurcation.families import BONUS, Spec, World, build
from turnwise.envs.core import ToolCall, ToolError, TurnEnv, tool
from turnwise.rewards.batch import FloatArray
from turnwise.rewards.tabular import ActionValues, TabularMDP, optimal

NUM_TASKS = 100
_SPARE_TURNS = 8


class BifurcationEnv(TurnEnv):
    """Rooms with doors; some doors decide the end, most do not.

    Each task is one finite MDP, drawn from its seed: `env.mdp` holds its arrays, and `turnwise.rewards.tabular` gives
    the exact value of every choice under any policy. It is the ground on which credit methods are measured.

    Args:
        family: `decisive`, `delayed`, `distractor`, `recoverable`, `anchors`, `stochastic` or `long`.
        horizon: The most turns that valid choices take; None is the family's own (6 to 50).
        actions: Doors in every room.
        anchor_rate: `anchors`: the share of doors that lead to rooms which other paths lead to as well.
        slip: `stochastic`: the probability that a wrong choice goes unpunished.
        spare_mistakes: `recoverable`: mistakes that can be made good.
        max_turns: Default: the horizon and some turns to spare for actions that cannot be read. With fewer turns than
            the horizon, episodes are cut off and the exact values no longer hold.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/Bifurcation-v0", family="recoverable")
    >>> observation, info = env.reset(seed=0)
    >>> for call in list(env.unwrapped.oracle()):
    ...     observation, reward, terminated, truncated, info = env.step(call)
    >>> reward, info["stop_reason"]
    (1.0, 'completed')
    """

    rules = (
        "You walk through rooms. Every room has the same number of doors, and each turn you choose one. Some choices "
        "decide how the walk ends, most do not. A room that you meet again is the same as before, and its doors lead "
        "where they led. Find out which choices count, and end the walk well."
    )
    parallel_tool_calls: ClassVar[bool] = False
    privileged_keys: ClassVar[frozenset[str]] = frozenset({"answer", "action_values"})
    secret_keys: ClassVar[frozenset[str]] = frozenset({"answer"})

    state: int

    def __init__(
        self,
        *,
        family: str = "delayed",
        horizon: int | None = None,
        actions: int = 4,
        anchor_rate: float = 0.5,
        slip: float = 0.5,
        spare_mistakes: int = 2,
        max_turns: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.world_spec = Spec(family, horizon, actions, anchor_rate, slip, spare_mistakes)
        turns = self.world_spec.turns + _SPARE_TURNS if max_turns is None else max_turns
        super().__init__(max_turns=turns, render_mode=render_mode)
        self._tasks = tuple(f"{family}-{seed}" for seed in range(NUM_TASKS))
        self._world: World | None = None
        self._best: ActionValues | None = None
        self.state = 0

    @property
    def tasks(self) -> Sequence[str]:
        """`family-0`, `family-1`, ...: the number seeds the MDP."""
        return self._tasks

    def has_task(self, task_id: str) -> bool:
        """Whether it is this family's name and a seed; seeds beyond the listed ones are tasks too."""
        return re.fullmatch(rf"{self.world_spec.family}-(0|[1-9]\d{{0,8}})", task_id) is not None

    @property
    def mdp(self) -> TabularMDP:
        """The present task's MDP; `state` is the index of the present state.

        Raises:
            RuntimeError: No episode has begun.
        """
        return self._here.mdp

    def begin(self, task_id: str) -> str:
        """Build the task's MDP and stand in its first room."""
        self._load(task_id)
        self.state = self._draw(self.mdp.initial)
        return self._room()

    @tool
    def choose(self, door: int) -> str:
        """Go through a door of the room.

        Args:
            door: The door's number, from 1.
        """
        if not 1 <= door <= self.mdp.actions:
            raise ToolError(f"There is no door {door} here; the doors are numbered 1 to {self.mdp.actions}.")
        before, action = self.state, door - 1
        successors, probabilities = self.mdp.successors
        self.state = int(successors[before, action, self._draw(probabilities[before, action])])
        bonus = float(self.mdp.signals[BONUS][before, action])
        self.record(*(["bonus"] if bonus else []), **{BONUS: bonus})
        if not self.mdp.terminal[self.state]:
            return self._room()
        outcome = float(self.mdp.outcome[self.state])
        self.finish(outcome)
        return f"The walk is over. It ended with {outcome:g} of 1."

    def admissible_actions(self) -> list[str]:
        """One choice a door."""
        return [str(_choose(action)) for action in range(self.mdp.actions)]

    def privileged(self) -> dict[str, Any]:
        """The best door, and what each door is worth to one who chooses well from then on."""
        q = self._optimal.q[self.state]
        return {"answer": f"door {int(q.argmax()) + 1}", "action_values": q.tolist()}

    def state_key(self) -> int:
        """The state's index: it says all that decides the future."""
        return self.state

    def save_state(self) -> int:
        """The state's index."""
        return self.state

    def load_state(self, saved: int) -> None:
        """Take the state over, and build the MDP of the task it belongs to."""
        self.state = saved
        if self._task_id:
            self._load(self._task_id)

    def oracle(self) -> Iterator[ToolCall]:
        """The best door, turn by turn, along the likeliest path: chance changes the rooms, not which door is best."""
        state, (successors, _) = self.state, self.mdp.successors
        while not self.mdp.terminal[state]:
            action = int(self._optimal.q[state].argmax())
            yield _choose(action)
            state = int(successors[state, action, 0])

    # Inside

    @property
    def _here(self) -> World:
        if self._world is None:
            raise RuntimeError("call reset() first: each task has an MDP of its own")
        return self._world

    @property
    def _optimal(self) -> ActionValues:
        if self._best is None:
            self._best = optimal(self.mdp)
        return self._best

    def _load(self, task_id: str) -> None:
        world = build(self.world_spec, int(task_id.rsplit("-", 1)[1]))
        if world is not self._world:
            self._world, self._best = world, None

    def _draw(self, probabilities: FloatArray) -> int:
        remaining = self.np_random.random()
        for index, probability in enumerate(probabilities.tolist()):
            remaining -= probability
            if remaining < 0.0:
                return index
        return int(probabilities.argmax())  # the probabilities sum to a little less than 1

    def _room(self) -> str:
        return f"You stand in room {self.state}. It has {self.mdp.actions} doors."


def _choose(action: int) -> ToolCall:
    return ToolCall("choose", {"door": action + 1})
