from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import pytest
from key_door import KeyDoorEnv
from typer.testing import CliRunner, Result

from turnwise.cli import app

KEY_DOOR = "tests/KeyDoor-v0"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, a wide terminal, and the corridor under an id."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    if KEY_DOOR not in gym.registry:
        gym.register(KEY_DOOR, entry_point=KeyDoorEnv)
    return tmp_path


@pytest.fixture
def turnwise() -> Callable[..., Result]:
    """The command, in this process: `turnwise("run", id, input="...")`."""

    def run(*arguments: object, input: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], input=input)

    return run
