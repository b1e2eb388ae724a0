"""A `TurnEnv` that plays back written rollouts, for tests of rewards. Import as `from scripted import ...`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from turnwise.envs.core import ToolCall, TurnEnv, tool


class Beat(NamedTuple):
    """One turn of a written rollout: the state it starts from, and what `go[]` brings there."""

    state: str = "s"
    reward: float = 0.0
    valid: bool = True
    terms: dict[str, float] = {}  # noqa: RUF012


class ScriptedEnv(TurnEnv):
    """Plays rollout 0, 1, 2, ... of its script, one an episode, as long as the agent writes `go[]`. An invalid turn
    is one that only `info` calls so.

    The observation before turn t of rollout i is `"i/t"`. Rewards are not limited to [0, 1]: published test vectors are
    not either.
    """

    rules = "Go."
    default_max_turns = 1000
    privileged_keys = frozenset({"answer"})

    def __init__(self, rollouts: Sequence[Sequence[Beat]], *, truncate: bool = False, first: int = 0) -> None:
        super().__init__()
        self.rollouts = rollouts
        self.ends_in_truncation = truncate
        self.next = first
        self.rollout = -1

    @property
    def tasks(self) -> Sequence[str]:
        return ("only",)

    def begin(self, task_id: str) -> str:
        self.rollout = self.next % len(self.rollouts)
        self.next += 1
        self.state = 0
        return self._page(0)

    @tool
    def go(self) -> str:
        """Take the next turn of the script."""
        script = self.rollouts[self.rollout]
        turn = self._turn - 1
        beat = script[turn]
        self.state = turn + 1
        if turn + 1 == len(script):
            if self.ends_in_truncation:
                self.truncate("script")
            else:
                self.finish(0.0)
        self._outcome.reward = float(beat.reward)
        self.record(**beat.terms)
        return self._page(turn + 1)

    def step(self, action: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
        *result, info = super().step(action)
        if not self.rollouts[self.rollout][self._turn - 1].valid:
            info.update(is_action_valid=False, tool_call=None)
        observation, reward, terminated, truncated = result
        return observation, reward, terminated, truncated, info

    def state_key(self) -> str:
        script = self.rollouts[self.rollout]
        return script[self._turn].state if self._turn < len(script) else "end"

    def privileged(self) -> dict[str, Any]:
        return {"answer": "forty two"}

    def oracle(self) -> Iterator[ToolCall]:
        return iter([ToolCall("go")] * (len(self.rollouts[self.rollout]) - self._turn))

    def _page(self, turn: int) -> str:
        return f"{self.rollout}/{turn}"


def play(env: Any, action: Any = "go[]", **reset: Any) -> tuple[list[float], dict[str, Any]]:
    """One episode in a plain loop: the rewards it saw, and the last info."""
    env.reset(**reset)
    rewards, over = [], False
    while not over:
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        over = terminated or truncated
    return rewards, info
