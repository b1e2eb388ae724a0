from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import key_door
from typer.testing import Result

Turnwise = Callable[..., Result]
KEY_DOOR = "tests/KeyDoor-v0"


def play(turnwise: Turnwise, *lines: str, task: str = "key-1") -> str:
    result = turnwise("play", KEY_DOOR, "--task", task, input="\n".join(lines) + "\n")
    assert result.exit_code == 0, result.output
    return result.output


def test_a_game_is_won_by_text_and_by_number(turnwise: Turnwise) -> None:
    output = play(turnwise, "move[left]", "3", "move[right]", "2", "2", "2", ":quit")
    assert "Pick the key up" in output and "move(direction: string)" in output
    assert "You hold the key." in output and "progress +0.5" in output and "events: key_taken" in output
    assert "The door opens." in output and "The task has ended: completed. Reward 1." in output
    assert output.rstrip().endswith("Turns 6, reward 1.")


def test_following_the_hints_wins(turnwise: Turnwise) -> None:
    hints, lines = [], []
    for _ in range(6):
        output = play(turnwise, *lines, ":hint")
        hints.append(output.split("The oracle would write: ")[-1].splitlines()[0])
        lines.append(hints[-1])
    assert hints == ["move[left]", "pick[]", "move[right]", "move[right]", "move[right]", "open[]"]
    assert "Reward 1." in play(turnwise, *lines)


def test_undo_takes_back_turn_state_and_reward(turnwise: Turnwise) -> None:
    winning = ["move[left]", "pick[]", *["move[right]"] * 3, "open[]"]
    output = play(turnwise, *winning, ":undo", ":undo", ":hint", ":quit")
    assert "Back before turn 6." in output and "Back before turn 5." in output
    assert "The oracle would write: move[right]" in output
    assert output.rstrip().endswith("Turns 4, reward 0.")
    assert "There is no turn to take back." in play(turnwise, ":undo")


def test_an_ended_game_takes_no_more_turns(turnwise: Turnwise) -> None:
    output = play(turnwise, "move[right]", "move[right]", "open[]", "move[left]", ":hint")
    assert "an alarm rings" in output and "The episode has ended." in output
    assert "The oracle has nothing left to do." in output
    assert output.rstrip().endswith("Turns 3, reward 0.")


def test_mistakes_cost_a_turn_and_are_explained(turnwise: Turnwise) -> None:
    output = play(turnwise, "fly[away]", "", ":hnt", ":help", ":rules", ":actions", "99")
    assert "There is no tool 'fly'" in output
    assert "There is no command ':hnt'. Did you mean ':hint'?" in output
    assert output.count("Pick the key up, carry") == 2
    assert output.rstrip().endswith("Turns 3, reward 0.")


def test_a_file_can_be_played_from_a_pipe() -> None:
    target = f"{Path(key_door.__file__)}:KeyDoorEnv"
    done = subprocess.run(
        [sys.executable, "-m", "turnwise.cli", "play", target, "--seed", "1", "--env-arg", "max_turns=2"],
        input="move[left]\nmove[left]\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "The episode was cut off: max_turns." in done.stdout
    assert done.stderr == ""
