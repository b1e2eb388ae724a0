"""Many environments at once: lockstep as Gymnasium has it, and a ready set for rollouts with a language model."""

from __future__ import annotations

from turnwise.envs.vector.env import Reply, TurnVectorEnv
from turnwise.envs.vector.groups import SharedStart
from turnwise.envs.vector.make import make_vector_env

__all__ = ["Reply", "SharedStart", "TurnVectorEnv", "make_vector_env"]
