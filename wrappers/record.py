"""From Gymnasium transitions to the record that rewards read, and the record as a file of JSON lines.

This is the one place where a `Turn` is built.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, SupportsFloat, TypeAlias

from turnwise.envs.core import ToolCall
from turnwise.rewards.trajectory import Trajectory, Turn

Info: TypeAlias = Mapping[str, Any]
StepResult: TypeAlias = tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]


def turn_from_step(index: int, observation: Any, before: Info, action: Any, result: StepResult) -> Turn:
    """Build the `Turn` of one `env.step`. Token fields stay empty: whoever holds the policy fills them in.

    Args:
        index: 0-based position in the episode.
        observation: What the policy saw before it acted.
        before: The info that came with it.
        action: What was given to `step`.
        result: What `step` returned.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/WebShop-v0", products=50)
    >>> observation, info = env.reset(seed=0)
    >>> turn = turn_from_step(0, observation, info, "search[shoes]", env.step("search[shoes]"))
    >>> turn.action, turn.tool_calls, turn.anchor == info["state_hash"]
    ('search[shoes]', ({'name': 'search', 'arguments': {'query': 'shoes'}},), True)
    """
    next_observation, reward, terminated, truncated, info = result
    admissible = before["admissible_actions"]
    return Turn(
        index=index,
        observation=observation_text(observation, before),
        action=action_text(action, info),
        next_observation=observation_text(next_observation, info),
        reward=float(reward),
        terminated=bool(terminated),
        truncated=bool(truncated),
        valid=bool(info["is_action_valid"]),
        anchor=before["state_hash"],
        next_anchor=info["state_hash"],
        tool_calls=_calls_to_json(info["tool_call"]),
        admissible_actions=None if admissible is None else tuple(admissible),
        channels=dict(info["reward_terms"]),
        events=info["events"],
        privileged=info["privileged"],
    )


def observation_text(observation: Any, info: Info) -> str:
    """The text of an observation: itself, its `text` entry, or what a feature wrapper kept of it in `info`.

    Raises:
        TypeError: There is no text.
    """
    if isinstance(observation, str):
        return observation
    if isinstance(observation, Mapping) and isinstance(observation.get("text"), str):
        return str(observation["text"])
    if isinstance(info.get("observation_text"), str):
        return str(info["observation_text"])
    raise TypeError(f"an observation must be text or a mapping with an entry `text`, got {type(observation).__name__}")


def action_text(action: Any, info: Info) -> str:
    """The text of an action: itself, the text that `parse_action` reads as these calls, or what an index stood for."""
    if isinstance(action, str):
        return action
    if isinstance(action, ToolCall):
        return str(action)
    if isinstance(action, Sequence) and all(isinstance(call, ToolCall) for call in action):
        # Several calls have one text only as blocks; the short form of `str` holds a single call.
        return "\n".join(_block(call) for call in action) if len(action) > 1 else "".join(map(str, action))
    return str(info.get("action_text", action))


@dataclass(slots=True)
class EpisodeRecord:
    """One running episode as a wrapper saw it.

    Attributes:
        observation: The last observation.
        info: The info that came with it.
        instructions: The system prompt.
        milestones: What the environment declares of them, see `Trajectory.milestones`.
        turns: The turns so far; their `reward` is what the wrapped environment paid.
        paid: What the wrapper itself returned as reward, turn by turn.
        notes: A method's own memory of this episode.
    """

    observation: Any
    info: dict[str, Any]
    instructions: str = ""
    milestones: Mapping[str, str] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    paid: list[float] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, action: Any, result: StepResult) -> Turn:
        """Append the turn of one step and move on to the next observation."""
        turn = turn_from_step(len(self.turns), self.observation, self.info, action, result)
        self.turns.append(turn)
        self.observation, self.info = result[0], result[4]
        return turn

    def messages(self) -> list[dict[str, str]]:
        """The conversation up to now, the last observation included. Nothing privileged is in it."""
        messages = [{"role": "system", "content": self.instructions}] if self.instructions else []
        for turn in self.turns:
            messages.append({"role": "user", "content": turn.observation})
            messages.append({"role": "assistant", "content": turn.action})
        messages.append({"role": "user", "content": observation_text(self.observation, self.info)})
        return messages

    def trajectory(self, turn_rewards: Sequence[float] | None = None) -> Trajectory:
        """The episode as a `Trajectory` that shares the turns, with what hindsight has put into the last info.

        Hindsight terms (`info["turn_terms"]`) become channels of the turns, beside the ones that are there.

        Args:
            turn_rewards: (T,) to take the place of `info["turn_rewards"]`.
        """
        info = self.info
        last = self.turns[-1] if self.turns else None
        for name, values in info.get("turn_terms", {}).items():
            for turn, value in zip(self.turns, values, strict=True):
                turn.channels.setdefault(name, value)
        return Trajectory(
            turns=self.turns,
            task_id=info["task_id"],
            group_id=str(info.get("group_id") or ""),
            instructions=self.instructions,
            terminated=last is not None and last.terminated,
            truncated=last is not None and last.truncated,
            stop_reason=info["stop_reason"] or "",
            privileged=info["privileged"],
            milestones=dict(self.milestones),
            turn_rewards=_numbers(info.get("turn_rewards") if turn_rewards is None else turn_rewards),
            turn_advantages=_numbers(info.get("turn_advantages")),
        )


def _numbers(values: Iterable[float] | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _calls_to_json(calls: ToolCall | Sequence[ToolCall] | None) -> tuple[dict[str, Any], ...]:
    if calls is None:
        return ()
    return tuple(call.to_json() for call in ((calls,) if isinstance(calls, ToolCall) else calls))


class TrajectoryWriter:
    """Appends trajectories to a file, one JSON object a line.

    A line is written whole or not at all: what an interrupted write left behind is taken away again, at once or when
    the file is next opened. Several processes may append to one file. The file is opened by the first `write` and stays
    open until `close`; a copy of the writer opens it by itself.

    Args:
        path: The file; its folder must exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._file: io.FileIO | None = None

    def write(self, trajectory: Trajectory) -> None:
        """Append one trajectory.

        Raises:
            TypeError: The trajectory holds something that JSON cannot say; nothing is written.
            OSError: The file cannot be opened, or is full; the line is taken away again.
        """
        line = (_JSON.encode(trajectory.to_json()) + "\n").encode("utf-8", "surrogatepass")
        if self._file is None:
            self._file = io.FileIO(self.path, "a+")
            _drop_torn_line(self._file.fileno())
        # One system call on a descriptor opened for appending: lines of several writers do not mix.
        written = os.write(self._file.fileno(), line)
        if written < len(line):
            _drop_torn_line(self._file.fileno())
            raise OSError(f"only {written} of {len(line)} bytes could be written; the line was taken away again")

    def close(self) -> None:
        """Close the file; a later `write` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_file": None}


def write_trajectories(path: str | os.PathLike[str], trajectories: Iterable[Trajectory]) -> int:
    """Append trajectories to a file of JSON lines, and return how many were written. See `TrajectoryWriter`."""
    Path(path).touch()
    writer = TrajectoryWriter(path)
    try:
        count = 0
        for trajectory in trajectories:
            writer.write(trajectory)
            count += 1
        return count
    finally:
        writer.close()


def read_trajectories(path: str | os.PathLike[str]) -> Iterator[Trajectory]:
    """Read a file of `write_trajectories`, one trajectory at a time. Empty lines are skipped.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is no trajectory; the message names the file, the line and what is wrong with it.
    """
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _read_line(line, f"{Path(path)}:{number}")


def _read_line(line: bytes, where: str) -> Trajectory:
    try:
        record = json.loads(line.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise ValueError(f"{where}: not valid JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: a trajectory is a JSON object, got {type(record).__name__}")
    try:
        return Trajectory.from_json(record)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{where}: {error}") from None


def _drop_torn_line(descriptor: int) -> None:
    """Cut the file after its last newline."""
    end = size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    while end:
        start = max(end - 65536, 0)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    os.ftruncate(descriptor, end)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a trajectory must be plain data, got a {type(value).__name__}")


# Trajectories are trees, and looking for circles in them takes time.
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=_plain)


def _block(call: ToolCall) -> str:
    return f"<tool_call>{json.dumps(call.to_json(), ensure_ascii=False)}</tool_call>"
