"""The command as a whole: help, version, listings, and what a user's mistakes look like."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from typer.testing import Result

import turnwise as package
from turnwise.cli.errors import CommandError
from turnwise.cli.options import key_values, name_and_options, parse_value
from turnwise.rewards.methods import METHODS

Turnwise = Callable[..., Result]
COMMANDS = ("envs", "check", "play", "run", "view", "methods")


def test_the_installed_command_prints_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "turnwise.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"turnwise {package.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, turnwise.cli; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "turnwise.cli.run" in loaded
    heavy = {"torch", "transformers", "jinja2", "tantivy", "docker", "playwright", "turnwise.agents", "turnwise.view"}
    assert heavy.isdisjoint(loaded)


def test_help_names_every_command(turnwise: Turnwise) -> None:
    result = turnwise("--help")
    assert result.exit_code == 0
    assert all(command in result.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(turnwise: Turnwise, command: str) -> None:
    result = turnwise(command, "--help")
    assert result.exit_code == 0
    assert f"turnwise {command} " in result.output.split("Usage:")[1].split("\n", 1)[1]


def test_envs_as_json(turnwise: Turnwise) -> None:
    result = turnwise("envs", "--json")
    assert result.exit_code == 0, result.output
    records = {record["id"]: record for record in json.loads(result.stdout)}
    shop = records["turnwise/WebShop-v0"]
    assert shop["tools"] == ["search", "click"]
    assert shop["max_turns"] == 15
    assert shop["tasks"]["train"] > 1000
    assert all(record["summary"] and not record["missing"] for record in records.values())


def test_envs_as_a_table(turnwise: Turnwise) -> None:
    result = turnwise("envs")
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if "turnwise/WebShop-v0" in line)
    assert "search, click" in row and "train" in row


def test_methods(turnwise: Turnwise) -> None:
    records = json.loads(turnwise("methods", "--json").stdout)
    assert [record["name"] for record in records] == list(METHODS)
    gigpo = next(record for record in records if record["name"] == "gigpo")
    assert gigpo["arxiv"] == "2505.10978" and gigpo["needs"] == ["anchor", "group"] and gigpo["min_group"] == 2
    table = turnwise("methods")
    assert table.exit_code == 0 and all(name in table.output for name in METHODS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["play", "turnwise/WebShp-v0"], "Did you mean 'turnwise/WebShop-v0'?"),
        (["play", "WebShop-v0"], "Did you mean 'turnwise/WebShop-v0'?"),
        (["play", "no_such_module:X"], "There is no module 'no_such_module'"),
        (["play", "no_such_file.py:X"], "There is no file 'no_such_file.py'"),
        (["play", "key_door:KeyDoor"], "Did you mean 'KeyDoorEnv'?"),
        (["play", "CartPole-v1"], "which is no turnwise.envs.TurnEnv"),
        (["play", "tests/KeyDoor-v0", "--env-arg", "length=3"], "unexpected keyword argument 'length'"),
        (["play", "tests/KeyDoor-v0", "--env-arg", "length"], "--env-arg takes key=value, got 'length'"),
        (["play", "tests/KeyDoor-v0", "--task", "key-7"], "did you mean 'key-3'?"),
        (["check", "tests/KeyDoor-v0", "--only", "oracle_solve"], "Did you mean 'oracle_solves'?"),
        (["view", "nothing.jsonl"], "There is no file 'nothing.jsonl'"),
    ],
)
def test_mistakes_are_answered_in_words(turnwise: Turnwise, arguments: list[str], message: str) -> None:
    result = turnwise(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_traceback_is_there_for_those_who_ask(turnwise: Turnwise) -> None:
    result = turnwise("--traceback", "play", "turnwise/WebShp-v0")
    assert isinstance(result.exception, CommandError)
    assert turnwise("play", "turnwise/WebShp-v0").exit_code == 2


def test_values_are_read_as_python_reads_them() -> None:
    assert [parse_value(text) for text in ("-3", "1e-3", "False", "none", "{'a': 1}", "two words")] == [
        -3,
        0.001,
        False,
        None,
        {"a": 1},
        "two words",
    ]
    assert key_values(["batch-size=2"], "--x") == {"batch_size": 2}
    assert name_and_options("gated:names=('a','b'),text=\"x,y\"", "--x") == (
        "gated",
        {"names": ("a", "b"), "text": "x,y"},
    )
    assert name_and_options("gated", "--x") == ("gated", {})
    with pytest.raises(CommandError, match="--x takes key=value, got '=3'"):
        key_values(["=3"], "--x")
