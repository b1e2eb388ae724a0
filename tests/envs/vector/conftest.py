from __future__ import annotations

import gymnasium as gym
import pytest


@pytest.fixture(autouse=True, scope="module")
def registered() -> None:
    gym.registry.pop("KeyDoor-v0", None)
    gym.registry.pop("StubbornDoor-v0", None)
    gym.register("KeyDoor-v0", entry_point="key_door:KeyDoorEnv")
    gym.register("StubbornDoor-v0", entry_point="stubborn_door:StubbornDoorEnv")
