"""A policy of any skill: mostly the environment's own solution, now and then a random action."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.agents.policy import Context, Decision
from turnwise.agents.scripted import RandomPolicy
from turnwise.agents.seeding import stream


class EpsilonOraclePolicy:
    """With probability epsilon an admissible action at random, else the next call of the solution from here.

    After a random action it asks for a new solution from there. What it has in mind is its memory: a fork of the
    episode goes on in the same way if it is given that memory too.

    Args:
        epsilon: In [0, 1].
        seed: Of all choices.

    Raises:
        ValueError: `epsilon` lies outside [0, 1].

    >>> from turnwise.envs.core import ToolCall
    >>> context = Context("e0", "", ["a lamp"], oracle=lambda: [ToolCall("look"), ToolCall("take")])
    >>> EpsilonOraclePolicy(0.0).act([context])[0].action
    'look[]'
    """

    def __init__(self, epsilon: float, seed: int = 0) -> None:
        if not 0.0 <= epsilon <= 1.0:
            raise ValueError(f"epsilon must lie in [0, 1], got {epsilon!r}")
        self.epsilon = epsilon
        self.seed = seed
        self._random = RandomPolicy(seed)
        self._plans: dict[str, tuple[str, ...]] = {}

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """One action for each context."""
        return [self._choose(context) for context in contexts]

    def memory(self, episode_id: str) -> tuple[str, ...]:
        """The calls that an episode is still to make; empty where a new solution will be asked for."""
        return self._plans.get(episode_id, ())

    def recall(self, episode_id: str, memory: tuple[str, ...]) -> None:
        """Give an episode the memory of another one."""
        self._plans[episode_id] = memory

    def forget(self, episode_id: str) -> None:
        """Drop the memory of an episode that has ended."""
        self._plans.pop(episode_id, None)

    def _choose(self, context: Context) -> Decision:
        # A stream of its own: RandomPolicy draws from (seed, episode, turn).
        if stream(self.seed, f"{context.episode_id}/epsilon", context.turn).random() < self.epsilon:
            self.forget(context.episode_id)
            return self._random.act([context])[0]
        plan = self.memory(context.episode_id) or self._new_plan(context)
        self.recall(context.episode_id, plan[1:])
        return Decision(plan[0]) if plan else Decision("", stop_reason="oracle_exhausted")

    def _new_plan(self, context: Context) -> tuple[str, ...]:
        return tuple(str(call) for call in context.oracle()) if context.oracle is not None else ()
