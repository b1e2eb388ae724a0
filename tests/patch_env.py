"""A `TurnEnv` in the shape of software engineering, without a sandbox: view, edit, run, submit; hidden tests grade.

Import as `from patch_env import ...`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from turnwise.envs.core import ToolCall, ToolError, TurnEnv, tool

TESTS = {"test_easy": {"a"}, "test_hard": {"a", "b"}}
"""Hidden test -> the lines that must be mended for it to pass."""


@dataclass(frozen=True)
class Work:
    mended: frozenset[str] = frozenset()
    results: tuple[tuple[str, bool], ...] = ()


class PatchEnv(TurnEnv):
    """Lines `a` and `b` are broken; `edit[a]` mends one, `edit[z]` changes something that breaks nothing and mends
    nothing. The tests run when it is submitted."""

    rules = "Mend the project, then submit."
    default_max_turns = 6
    privileged_keys = frozenset({"test_results"})
    milestones = {"submitted": "completion", "patched": "modification", "resolved": "resolution"}  # noqa: RUF012

    @property
    def tasks(self) -> Sequence[str]:
        return ("one", "two")

    def begin(self, task_id: str) -> str:
        self.state = Work()
        return f"Project {task_id} is broken."

    @tool
    def view(self, path: str) -> str:
        """Look at a file."""
        return f"{path}: mended {sorted(self.state.mended)}"

    @tool
    def edit(self, path: str) -> str:
        """Change a file."""
        if path not in "abz":
            raise ToolError(f"there is no {path}")
        self.state = replace(self.state, mended=self.state.mended | {path})
        return "Changed."

    @tool
    def bash(self, command: str) -> str:
        """Run a command."""
        self.record(commands=1.0)
        return f"ran {command}"

    @tool
    def submit(self) -> str:
        """Hand the work in."""
        mended = self.state.mended
        results = tuple((name, lines <= mended) for name, lines in TESTS.items()) if mended else ()
        self.state = replace(self.state, results=results)
        resolved = bool(results) and all(passed for _, passed in results)
        self.finish(float(resolved), submitted=1.0, patched=float(bool(mended)), resolved=float(resolved))
        return "Thank you."

    def privileged(self) -> dict[str, Any]:
        return {"test_results": dict(self.state.results)}

    def oracle(self) -> Iterator[ToolCall]:
        for line in "ab":
            yield ToolCall("edit", {"path": line})
        yield ToolCall("submit", {})


NO_SUBMIT = ["view[a]"] * 6
EMPTY = ["view[a]", "submit[]"]
FAILING = ["view[a]", "edit[a]", "submit[]"]
PASSING = ["view[a]", "edit[a]", "edit[b]", "submit[]"]
EPISODES = (NO_SUBMIT, EMPTY, FAILING, PASSING)
"""One episode of each outcome level, from the lowest to the highest."""


def act(env: Any, actions: Sequence[str], **reset: Any) -> tuple[list[float], dict[str, Any]]:
    """Play the actions, which must end the episode: the rewards of a plain loop, and the last info."""
    env.reset(**reset)
    rewards, over = [], False
    for action in actions:
        assert not over
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(float(reward))
        over = terminated or truncated
    assert over
    return rewards, info
