"""Policies without a model: random, oracle, scripted and no-op. For baselines, warm-up data and tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from turnwise.agents.policy import Context, Decision
from turnwise.agents.seeding import stream
from turnwise.envs.core import ToolCall


class RandomPolicy:
    """Takes an admissible action at random, each with the same probability.

    Where the environment lists none, it calls a random one of the tools that the instructions name, with words of the
    observation (or digits, for numbers) as arguments. The choice depends on the seed, the episode's id and the turn
    alone, never on how episodes are batched.

    Args:
        seed: Of all choices.

    >>> context = Context("e0", "", ["a lamp"], admissible_actions=["look[]", "take[lamp]"])
    >>> RandomPolicy(seed=0).act([context])[0].action in context.admissible_actions
    True
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """One random action for each context."""
        return [Decision(self._choose(context)) for context in contexts]

    def _choose(self, context: Context) -> str:
        rng = stream(self.seed, context.episode_id, context.turn)
        if context.admissible_actions:
            return context.admissible_actions[int(rng.integers(len(context.admissible_actions)))]
        return _random_call(context, rng)


_TOOL_LINE = re.compile(r"^- (\w+)\((.*?)\): ", re.MULTILINE)


def _random_call(context: Context, rng: np.random.Generator) -> str:
    words = re.findall(r"\w+", context.observation) or ["nothing"]
    tools = _TOOL_LINE.findall(context.instructions)
    if not tools:
        return str(words[int(rng.integers(len(words)))])
    name, signature = tools[int(rng.integers(len(tools)))]
    arguments: dict[str, str | int] = {}
    for parameter, kind in re.findall(r"(\w+): (\w+)", signature):
        numeric = kind in ("integer", "number")
        arguments[parameter] = int(rng.integers(10)) if numeric else words[int(rng.integers(len(words)))]
    return str(ToolCall(name, arguments))


class OraclePolicy:
    """Plays the environment's own solution: asks for it once an episode and writes it call by call.

    When the solution is over and the episode is not, the episode is truncated with `oracle_exhausted`.
    """

    def __init__(self) -> None:
        self._plans: dict[str, list[ToolCall]] = {}

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """The next call of each context's solution.

        Raises:
            ValueError: A context has no oracle.
        """
        return [self._next(context) for context in contexts]

    def forget(self, episode_id: str) -> None:
        """Drop the solution of an episode that has ended."""
        self._plans.pop(episode_id, None)

    def _next(self, context: Context) -> Decision:
        plan = self._plans.get(context.episode_id)
        if plan is None:
            if context.oracle is None:
                raise ValueError(f"OraclePolicy: the environment of episode {context.episode_id!r} has no oracle")
            plan = self._plans[context.episode_id] = list(reversed(context.oracle()))
        return Decision(str(plan.pop())) if plan else Decision("", stop_reason="oracle_exhausted")


class ScriptedPolicy:
    """Writes what a script says: the same list in every episode, or a function of the context.

    Args:
        script: Actions by turn (an episode that outlasts them is truncated with `script_ended`), or a function from
            a `Context` to the action.

    >>> policy = ScriptedPolicy(["look[]", "take[lamp]"])
    >>> policy.act([Context("e0", "", ["task", "a lamp"], [Decision("look[]")])])[0].action
    'take[lamp]'
    """

    def __init__(self, script: Sequence[str] | Callable[[Context], str]) -> None:
        if isinstance(script, str):
            raise TypeError(f"script must be a list of actions or a function, got the text {script!r}")
        self.script = script

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """The script's action for each context."""
        return [self._next(context) for context in contexts]

    def _next(self, context: Context) -> Decision:
        if callable(self.script):
            return Decision(self.script(context))
        if context.turn >= len(self.script):
            return Decision("", stop_reason="script_ended")
        return Decision(self.script[context.turn])


class NoOpPolicy:
    """Writes nothing, every turn: the floor that an environment's reward must not pay."""

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """An empty action for each context."""
        return [Decision("") for _ in contexts]
