from __future__ import annotations

from typing import Any

import pytest
from key_door import KeyDoorEnv

from turnwise.agents import OraclePolicy, collect
from turnwise.rewards import Trajectory


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny models lose more to two threads that wait for each other than they gain."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def oracle_trajectories() -> list[Trajectory]:
    return collect(OraclePolicy(), KeyDoorEnv(), 16, seed=0)


@pytest.fixture(scope="session")
def tokenizer(oracle_trajectories: list[Trajectory]) -> Any:
    from turnwise.agents.tiny import build_tokenizer, texts_of

    return build_tokenizer(texts_of(oracle_trajectories))
