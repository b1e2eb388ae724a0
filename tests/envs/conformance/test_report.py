"""The kit's own interface: arguments, skips, and what a report says."""

from __future__ import annotations

import json
import random
from typing import Any

import gymnasium as gym
import pytest
import wrong_doors as wrong
from key_door import KeyDoorEnv

from turnwise.envs.conformance import CHECKS, ConformanceError, check, description
from turnwise.envs.core import TurnEnv, tool


def test_an_id_and_a_factory_give_the_same_findings() -> None:
    gym.registry.pop("KeyDoor-v0", None)
    gym.register("KeyDoor-v0", entry_point="key_door:KeyDoorEnv")
    names = ["info_has_its_keys", "oracle_solves", "spec_survives_pickling", "other_processes_agree"]
    by_id, by_class = check("KeyDoor-v0", checks=names), check(KeyDoorEnv, checks=names)
    assert by_id.env == "KeyDoor-v0" and by_class.env == "KeyDoorEnv"
    assert by_id.ok and by_class.ok
    assert not by_id.findings[2].skipped_reason and "no spec" in by_class.findings[2].skipped_reason
    assert not by_id.findings[3].skipped_reason  # another process made it, by an id that only this one registered


def test_a_factory_that_cannot_be_imported_skips_the_comparison_of_processes() -> None:
    report = check(lambda: KeyDoorEnv(), checks=["other_processes_agree"])
    assert report.ok and "another process cannot make it" in report.findings[0].skipped_reason


def test_a_report_reads_well_and_raises() -> None:
    report = check(wrong.CannotBeSolved, checks=["info_has_its_keys", "oracle_solves", "secrets_are_never_shown"])
    assert not report.ok and [finding.check for finding in report.failures] == ["oracle_solves"]
    text = str(report)
    assert text.splitlines()[0] == "CannotBeSolved: 1 passed, 1 failed, 1 skipped"
    assert "FAIL  oracle_solves" in text and "the reward 0.0" in text
    with pytest.raises(ConformanceError, match="oracle_solves"):
        report.raise_for_failures()
    assert json.loads(json.dumps(report.to_json()))["findings"][1]["passed"] is False
    check(KeyDoorEnv, checks=["oracle_solves"]).raise_for_failures()


def test_an_environment_that_raises_is_a_finding() -> None:
    class Raises(KeyDoorEnv):
        def begin(self, task_id: str) -> str:
            raise KeyError("no such page")

    report = check(Raises, checks=["info_has_its_keys", "oracle_solves"])
    assert [finding.passed for finding in report.findings] == [False, False]
    assert "KeyError" in report.findings[0].message and "in begin" in report.findings[0].message


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="no_such_check"):
        check(KeyDoorEnv, checks=["no_such_check"])
    with pytest.raises(ValueError, match="episodes"):
        check(KeyDoorEnv, episodes=0)
    with pytest.raises(TypeError, match="CartPoleEnv"):
        check("CartPole-v1")


def test_every_check_says_what_it_holds_to() -> None:
    for name in CHECKS:
        assert description(name).endswith(".")


def test_global_generators_are_left_as_they_were() -> None:
    random.seed(1)
    before = random.getstate()
    check(wrong.SeedsGlobalRandom, checks=["global_randomness_is_not_used"])
    assert random.getstate() == before


def test_odd_values_reach_the_tools() -> None:
    class Careless(KeyDoorEnv):
        @tool
        def read(self, path: str, line: int) -> str:
            """Read a file."""
            if "\0" in path:
                raise ValueError("embedded null byte")  # as open() does
            return str(line)

    (finding,) = check(Careless, checks=["any_text_is_an_action"]).findings
    assert not finding.passed and "embedded null byte" in finding.message


def test_environments_without_lists_of_actions_are_explored_by_their_schemas() -> None:
    class Silent(KeyDoorEnv):
        def admissible_actions(self) -> Any:
            return None

        @tool
        def shout(self, words: str, times: int, loud: bool | None = None) -> str:
            """Shout.

            Args:
                words: What.
                times: How often.
                loud: How.
            """
            return " ".join([words] * min(times, 3))

    report = check(Silent, episodes=3)
    report.raise_for_failures()
    skipped = {finding.check: finding.skipped_reason for finding in report.findings if finding.skipped_reason}
    assert skipped["admissible_actions_are_accepted"] == "it lists no admissible actions"


def test_a_question_that_holds_its_answer_by_chance_is_no_leak() -> None:
    class OnceByChance(KeyDoorEnv):
        def begin(self, task_id: str) -> str:
            text = super().begin(task_id)
            return f"{text} (Or: {self.privileged()['answer']}?)" if task_id == "key-1" else text

    class Stated(wrong.GivesTheAnswer):
        stated_keys = frozenset({"answer"})

    for make in (OnceByChance, Stated):
        assert check(make, checks=["tasks_do_not_give_the_answer"]).ok
    assert issubclass(Stated, TurnEnv)
