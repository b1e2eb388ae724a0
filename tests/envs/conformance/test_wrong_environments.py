"""The kit is held to its own job: each defect is caught by the check that is there for it, and the right one passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gymnasium as gym
import pytest
import wrong_doors as wrong
from gymnasium.envs.registration import EnvSpec
from key_door import KeyDoorEnv

from turnwise.envs.conformance import CHECKS, check


def with_unpicklable_spec() -> gym.Env[Any, Any]:
    spec = EnvSpec("KeyDoor-v0", entry_point=lambda on_end: KeyDoorEnv(), kwargs={"on_end": lambda: None})
    return gym.make(spec)


CAUGHT_BY: list[tuple[Callable[[], gym.Env[Any, Any]], str]] = [
    (wrong.TakesANumber, "gymnasium_accepts"),
    (wrong.TalksTooMuch, "observations_in_space"),
    (wrong.AddsAKey, "info_has_its_keys"),
    (wrong.ReusesItsInfo, "infos_are_fresh"),
    (wrong.HandsOutItsInsides, "infos_are_fresh"),
    (wrong.InstructsByTask, "instructions_are_constant"),
    (wrong.InventsAType, "tool_schemas_are_valid"),
    (with_unpicklable_spec, "spec_survives_pickling"),
    (wrong.RendersNothing, "renders_as_text"),
    (wrong.IgnoresTheEnd, "ended_episodes_want_a_reset"),
    (wrong.DrawsFresh, "resets_are_deterministic"),
    (wrong.DrawsFromGlobalNumpy, "resets_are_deterministic"),
    (wrong.TellsTheTime, "steps_are_deterministic"),
    (wrong.SharesItsKey, "environments_share_nothing"),
    (wrong.SeedsGlobalRandom, "global_randomness_is_not_used"),
    (wrong.DrawsFromGlobalNumpy, "global_randomness_is_not_used"),
    (wrong.ListsASet, "other_processes_agree"),
    (wrong.TellsTheDate, "other_processes_agree"),
    (wrong.KeepsHistory, "history_ends_with_reset"),
    (wrong.KeepsHistoryInState, "history_ends_with_reset"),
    (wrong.KeepsSessions, "memory_is_bounded"),
    (wrong.KeepsBuffers, "closing_frees_memory"),
    (wrong.KeepsEnvironments, "closing_frees_resources"),
    (wrong.KeepsFiles, "closing_frees_resources"),
    (wrong.KeepsThreads, "closing_frees_resources"),
    (wrong.RaisesOnJson, "any_text_is_an_action"),
    (wrong.ActsOnInvalid, "any_text_is_an_action"),
    (wrong.ActsOnInvalid, "invalid_actions_change_nothing"),
    (wrong.ChangesInPlace, "invalid_actions_change_nothing"),
    (wrong.ListsTheImpossible, "admissible_actions_are_accepted"),
    (wrong.MergesEndings, "endings_are_never_merged"),
    (wrong.GivesNoReason, "stop_reasons_are_given"),
    (wrong.NeverTruncates, "stop_reasons_are_given"),
    (wrong.PaysForSteps, "rewards_are_outcomes"),
    (wrong.PaysTwice, "rewards_are_outcomes"),
    (wrong.HidesState, "snapshots_restore_exactly"),
    (wrong.SnapshotsLocally, "snapshots_travel"),
    (wrong.ClonesItself, "clones_are_independent"),
    (wrong.HashesTheTurn, "state_hash_ignores_history"),
    (wrong.HashesNothing, "state_hash_decides_the_future"),
    (wrong.GivesTheAnswer, "tasks_do_not_give_the_answer"),
    (wrong.ShowsItsSecret, "secrets_are_never_shown"),
    (wrong.CannotBeSolved, "oracle_solves"),
    (wrong.PaysForNothing, "invalid_agents_score_nothing"),
    (wrong.PaysForTrying, "random_agents_score_little"),
]


@pytest.fixture(autouse=True)
def stop_threads() -> Iterator[None]:
    wrong.STOP.clear()
    yield
    wrong.STOP.set()
    for kept in (wrong.SESSIONS, wrong.MADE, wrong.SERVERS, wrong.FILES):
        kept.clear()


@pytest.mark.parametrize(("make", "name"), CAUGHT_BY, ids=[f"{make.__name__}-{name}" for make, name in CAUGHT_BY])
def test_the_defect_is_caught(make: Callable[[], gym.Env[Any, Any]], name: str) -> None:
    (finding,) = check(make, checks=[name]).findings
    assert not finding.passed and finding.message and not finding.skipped_reason
    assert not finding.message.startswith("raised"), finding.message  # found, and not stumbled over


def test_every_check_catches_something() -> None:
    assert {name for _, name in CAUGHT_BY} == set(CHECKS)


@pytest.mark.parametrize("make", [KeyDoorEnv, partial(KeyDoorEnv, max_turns=40)], ids=["12 turns", "40 turns"])
def test_the_right_environment_passes_everything(make: Callable[[], gym.Env[Any, Any]]) -> None:
    report = check(make, random_bound=0.5)  # in 40 turns a random walk finds key and door every third time
    report.raise_for_failures()
    skipped = {finding.check for finding in report.findings if finding.skipped_reason}
    assert skipped <= {"spec_survives_pickling", "secrets_are_never_shown"}


def test_a_secret_that_is_kept_passes() -> None:
    (finding,) = check(wrong.KeepsItsSecret, checks=["secrets_are_never_shown"]).findings
    assert finding.passed and not finding.skipped_reason
