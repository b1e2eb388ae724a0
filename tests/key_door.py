"""A small real `TurnEnv` for tests: fetch a key, carry it to a door, open it. Import as `from key_door import ...`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from turnwise.envs.core import ToolCall, ToolError, TurnEnv, tool

LENGTH = 5


@dataclass(frozen=True)
class KeyDoorState:
    position: int
    key: int
    has_key: bool = False
    door_open: bool = False


class KeyDoorEnv(TurnEnv):
    """A corridor of five cells; the door is at the right end, the key in the cell that the task names."""

    rules = "Pick the key up, carry it to the door at the right end of the corridor, and open the door."
    default_max_turns = 12
    privileged_keys = frozenset({"answer", "key"})

    @property
    def tasks(self) -> Sequence[str]:
        return tuple(f"key-{cell}" for cell in range(LENGTH - 1))

    def begin(self, task_id: str) -> str:
        self.state = KeyDoorState(position=LENGTH // 2, key=int(task_id.split("-")[1]))
        return f"You stand in cell {self.state.position} of {LENGTH}. A key lies in cell {self.state.key}."

    @tool
    def move(self, direction: Literal["left", "right"]) -> str:
        """Walk one cell.

        Args:
            direction: left or right.
        """
        position = self.state.position + (1 if direction == "right" else -1)
        if not 0 <= position < LENGTH:
            raise ToolError("There is a wall.")
        self.state = replace(self.state, position=position)
        return f"You stand in cell {position}."

    @tool
    def pick(self) -> str:
        """Pick the key up."""
        if self.state.has_key or self.state.position != self.state.key:
            raise ToolError("There is no key here.")
        self.state = replace(self.state, has_key=True)
        self.record("key_taken", progress=0.5)
        return "You hold the key."

    @tool
    def open(self) -> str:
        """Open the door."""
        if self.state.position != LENGTH - 1:
            raise ToolError("There is no door here.")
        if self.state.has_key:
            self.state = replace(self.state, door_open=True)
            self.record("door_open")
            self.finish(1.0)
            return "The door opens."
        self.finish(0.0)
        return "You break the lock, and an alarm rings."

    def admissible_actions(self) -> list[str]:
        actions = []
        if self.state.position > 0:
            actions.append("move[left]")
        if self.state.position < LENGTH - 1:
            actions.append("move[right]")
        else:
            actions.append("open[]")
        if not self.state.has_key and self.state.position == self.state.key:
            actions.append("pick[]")
        return actions

    def privileged(self) -> dict[str, Any]:
        return {"answer": f"the key is in cell {self.state.key}", "key": self.state.key}

    def oracle(self) -> Iterator[ToolCall]:
        here = self.state.position
        if not self.state.has_key:
            step = "left" if self.state.key < here else "right"
            yield from [ToolCall("move", {"direction": step})] * abs(here - self.state.key)
            yield ToolCall("pick")
            here = self.state.key
        yield from [ToolCall("move", {"direction": "right"})] * (LENGTH - 1 - here)
        yield ToolCall("open")
