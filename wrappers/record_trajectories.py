"""`RecordTrajectories`: every finished episode as a `Trajectory`, in a file or handed to a function."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium as gym

from turnwise.rewards.trajectory import Trajectory
from turnwise.wrappers.base import TurnWrapper, record_arguments
from turnwise.wrappers.record import TrajectoryWriter

Sink: TypeAlias = str | os.PathLike[str] | Callable[[Trajectory], Any]


class RecordTrajectories(TurnWrapper):
    """Keeps each finished episode: its turns with all reward terms, and what hindsight says of them.

    Put it outside the reward wrappers whose work it is to record. Hindsight terms (`info["turn_terms"]`) become
    channels of the turns; `turn_rewards` and `turn_advantages` are kept where there are any. Token ids are not known
    here: `turnwise.agents.collect` records those.

    The file has one JSON object a line; a line is written whole or not at all, and several environments may share the
    file. It holds privileged data: keep it away from agents.

    Args:
        env: A `TurnEnv`, wrapped or not.
        sink: A file to append to, or a function that takes a trajectory (`trajectories.append`).
        episode_prefix: Begins each `episode_id`, before the number of the episode; tell environments apart by it.

    >>> import gymnasium as gym, turnwise
    >>> kept = []
    >>> env = RecordTrajectories(gym.make("turnwise/WebShop-v0", products=50), kept.append)
    >>> _ = env.reset(seed=0)
    >>> for call in list(env.unwrapped.oracle()):
    ...     _ = env.step(call)
    >>> kept[0].outcome, kept[0].stop_reason, kept[0].env_id, kept[0].seed
    (1.0, 'completed', 'turnwise/WebShop-v0', 0)
    """

    def __init__(self, env: gym.Env[Any, Any], sink: Sink, *, episode_prefix: str = "") -> None:
        record_arguments(self, sink=sink, episode_prefix=episode_prefix)
        super().__init__(env)
        self.sink = sink
        self._writer = None if callable(sink) else TrajectoryWriter(sink)
        self.episode_prefix = episode_prefix
        self._env_id = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
        self._seed: int | None = None
        self._episodes = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; one that had not ended is not kept."""
        self._seed = seed
        return super().reset(seed=seed, options=options)

    def finish(self, trajectory: Trajectory, info: dict[str, Any]) -> None:
        """Complete the record and hand it over."""
        trajectory.env_id = self._env_id
        trajectory.episode_id = f"{self.episode_prefix}{self._episodes}"
        trajectory.seed = self._seed
        self._episodes += 1
        if callable(self.sink):
            self.sink(trajectory)
        elif self._writer is not None:
            self._writer.write(trajectory)

    def close(self) -> None:
        """Close the file and the environment."""
        if self._writer is not None:
            self._writer.close()
        super().close()
