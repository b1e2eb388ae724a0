"""`KeyDoorEnv` with one defect each. The conformance kit must catch every one; child processes import this module."""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar, Literal

import numpy as np
from key_door import LENGTH, KeyDoorEnv

from turnwise.envs.core import Action, ToolCall, ToolError, TurnEnv, Utterance, tool

Result = tuple[str, float, bool, bool, dict[str, Any]]


# Randomness and time


class SeedsGlobalRandom(KeyDoorEnv):
    def begin(self, task_id: str) -> str:
        random.seed(3)
        return super().begin(task_id)


class DrawsFromGlobalNumpy(KeyDoorEnv):
    def begin(self, task_id: str) -> str:
        return f"{super().begin(task_id)} The door is {['red', 'green', 'blue'][np.random.randint(3)]}."


class DrawsFresh(KeyDoorEnv):
    def begin(self, task_id: str) -> str:
        return f"{super().begin(task_id)} Session {uuid.uuid4()}."


class TellsTheTime(KeyDoorEnv):
    @tool
    def pick(self) -> str:
        """Pick the key up."""
        return f"{super().pick()} It is {datetime.now().isoformat()}."


class TellsTheDate(KeyDoorEnv):
    def begin(self, task_id: str) -> str:
        return f"{super().begin(task_id)} Today is {date.today()}, {time.strftime('%Y', time.localtime())}."


class ListsASet(KeyDoorEnv):
    def begin(self, task_id: str) -> str:
        things = {"lamp", "chair", "table", "carpet", "mirror", "clock", "candle"}
        return f"{super().begin(task_id)} You see: {', '.join(things)}."


# What outlives an episode


class KeepsHistory(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log: list[str] = []

    def begin(self, task_id: str) -> str:
        self.log.append(super().begin(task_id))
        return "\n".join(self.log)


class KeepsHistoryInState(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log: list[str] = []

    def begin(self, task_id: str) -> str:
        self.log.append(f"{task_id} number {len(self.log)}")
        return super().begin(task_id)

    def save_state(self) -> Any:
        return self.state, tuple(self.log)

    def load_state(self, saved: Any) -> None:
        self.state, self.log = saved[0], list(saved[1])


SESSIONS: dict[str, dict[str, Any]] = {}


class KeepsSessions(KeyDoorEnv):
    def begin(self, task_id: str) -> str:
        self.session = f"{len(SESSIONS)}"
        SESSIONS[self.session] = {"task": task_id, "pages": []}
        return super().begin(task_id)


MADE: list[TurnEnv] = []


class KeepsEnvironments(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        MADE.append(self)


SERVERS: list[dict[str, Any]] = []


class KeepsBuffers(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        SERVERS.append({"buffer": bytearray(4096)})


FILES: list[Any] = []


class KeepsFiles(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        FILES.append(tempfile.TemporaryFile())  # noqa: SIM115


STOP = threading.Event()
"""Set by the tests, so that the threads of `KeepsThreads` do not outlive them."""


class KeepsThreads(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        threading.Thread(target=STOP.wait, daemon=True).start()


class SharesItsKey(KeyDoorEnv):
    """The place of the key is kept in the class: the last environment that was reset wins."""

    cell: ClassVar[int] = 0

    def begin(self, task_id: str) -> str:
        text = super().begin(task_id)
        SharesItsKey.cell = self.state.key
        return text

    def load_state(self, saved: Any) -> None:
        super().load_state(saved)
        SharesItsKey.cell = self.state.key

    @tool
    def pick(self) -> str:
        """Pick the key up."""
        if self.state.has_key or self.state.position != SharesItsKey.cell:
            raise ToolError("There is no key here.")
        self.state = replace(self.state, has_key=True)
        return "You hold the key."


# Actions


class RaisesOnJson(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        if isinstance(action, str) and action.startswith("{"):
            json.loads(action)
        return super().step(action)


class ActsOnInvalid(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        result = super().step(action)
        if not result[4]["is_action_valid"]:
            self.state = replace(self.state, position=0)
        return result


class ChangesInPlace(KeyDoorEnv):
    """A mutable state that a refused call leaves half changed."""

    def begin(self, task_id: str) -> str:
        text = super().begin(task_id)
        self.state = Mutable(**vars(self.state))
        return text

    @tool
    def move(self, direction: Literal["left", "right"]) -> str:
        """Walk one cell."""
        self.state.position += 1 if direction == "right" else -1
        if not 0 <= self.state.position < LENGTH:
            raise ToolError("There is a wall.")
        return f"You stand in cell {self.state.position}."

    def load_state(self, saved: Any) -> None:
        self.state = replace(saved)


@dataclass
class Mutable:
    position: int
    key: int
    has_key: bool = False
    door_open: bool = False


class ListsTheImpossible(KeyDoorEnv):
    def admissible_actions(self) -> list[str]:
        return [*super().admissible_actions(), "fly[up]"]


# Endings and rewards


class MergesEndings(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        observation, reward, terminated, _, info = super().step(action)
        done = terminated or self._ended
        return observation, reward, done, done, info


class GivesNoReason(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        *result, info = super().step(action)
        return *result, {**info, "stop_reason": None}  # type: ignore[return-value]


class NeverTruncates(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        self._turn = min(self._turn, self.max_turns - 2)
        return super().step(action)


class IgnoresTheEnd(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        self._ended = False
        return super().step(action)


class PaysForSteps(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward - 0.01, terminated, truncated, info


class PaysTwice(KeyDoorEnv):
    @tool
    def pick(self) -> str:
        """Pick the key up."""
        text = super().pick()
        self._outcome.reward = 0.5
        return text


# Forking and hashing


class HidesState(KeyDoorEnv):
    """Counts steps outside `state`."""

    def begin(self, task_id: str) -> str:
        self.steps = 0
        return super().begin(task_id)

    @tool
    def move(self, direction: Literal["left", "right"]) -> str:
        """Walk one cell."""
        text = super().move(direction)
        self.steps += 1
        return f"{text} You have made {self.steps} steps."


class SnapshotsLocally(KeyDoorEnv):
    """What it saves is the number of a slot in its own memory."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slots: list[Any] = []

    def save_state(self) -> Any:
        self.slots.append(self.state)
        return len(self.slots) - 1

    def load_state(self, saved: Any) -> None:
        self.state = self.slots[saved]


class ClonesItself(KeyDoorEnv):
    def clone(self) -> TurnEnv:
        return self


class HashesTheTurn(KeyDoorEnv):
    def state_key(self) -> Any:
        return (self.state, self._turn)


class HashesNothing(KeyDoorEnv):
    def state_key(self) -> Any:
        return ""


# What a caller sees


class AddsAKey(KeyDoorEnv):
    def _info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super()._info(*args, **kwargs), "score": 0.0}


class ReusesItsInfo(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.info: dict[str, Any] = {}

    def _info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.info.update(super()._info(*args, **kwargs))
        return self.info


class HandsOutItsInsides(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notes = {"answer": "the key is somewhere", "key": 0}

    def privileged(self) -> dict[str, Any]:
        return self.notes


class InstructsByTask(KeyDoorEnv):
    @property
    def instructions(self) -> str:
        return f"{super().instructions}\nThe task is {self._task_id}."


class InventsAType(KeyDoorEnv):
    def tool_schemas(self) -> list[dict[str, Any]]:
        schemas = super().tool_schemas()
        schemas[0]["function"]["parameters"]["properties"]["direction"]["type"] = "text"
        return schemas


class RendersNothing(KeyDoorEnv):
    def render(self) -> str | None:
        return None


class TakesANumber(KeyDoorEnv):
    """`seed` is not where Gymnasium wants it."""

    def reset(self, *, options: dict[str, Any] | None = None, **kwargs: Any) -> tuple[str, dict[str, Any]]:
        return super().reset(seed=0, options=options)


class TalksTooMuch(KeyDoorEnv):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.observation_space = Utterance(20)


# Secrets and scores


class GivesTheAnswer(KeyDoorEnv):
    def begin(self, task_id: str) -> str:
        text = super().begin(task_id)
        return f"{text} Hint: {self.privileged()['answer']}."


class ShowsItsSecret(KeyDoorEnv):
    secret_keys = frozenset({"answer"})

    @tool
    def pick(self) -> str:
        """Pick the key up."""
        return f"{super().pick()} [debug: {self.privileged()['answer']}]"


class KeepsItsSecret(KeyDoorEnv):
    """Nothing wrong here: it declares a secret and keeps it."""

    secret_keys = frozenset({"answer"})


class CannotBeSolved(KeyDoorEnv):
    def oracle(self) -> Iterator[ToolCall]:
        yield ToolCall("move", {"direction": "left"})


class PaysForNothing(KeyDoorEnv):
    def step(self, action: Action) -> Result:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, 0.2 if truncated else reward, terminated, truncated, info


class PaysForTrying(KeyDoorEnv):
    @tool
    def open(self) -> str:
        """Open the door."""
        text = super().open()
        self.finish(1.0)
        return text
