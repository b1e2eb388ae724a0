"""The kit that holds every environment to the contract, on an environment with real sandboxes. Half a minute a backend.

Docker takes a third of a second for each of hundreds of sandboxes: only what depends on the sandbox is checked there.
"""

from __future__ import annotations

from functools import partial

import pytest
from components import skip_without
from swe_tasks import PROJECT, SUMS

from turnwise.envs.conformance import CHECKS, check
from turnwise.envs.swe import SWEEnv
from turnwise.envs.swe.fakes import fake_sandboxes, sources_are_whole
from turnwise.sandboxes.opening import unavailable

ON_DOCKER = (
    "steps_are_deterministic", "closing_frees_resources", "invalid_actions_change_nothing", "snapshots_restore_exactly",
    "snapshots_travel", "clones_are_independent", "secrets_are_never_shown", "oracle_solves",
)  # fmt: skip


@pytest.mark.parametrize(("backend", "checks"), [("bubblewrap", tuple(CHECKS)), ("docker", ON_DOCKER)])
def test_it_keeps_the_contract(backend: str, checks: tuple[str, ...]) -> None:
    skip_without(backend, unavailable(backend))
    make = partial(SWEEnv, tasks=SUMS, split="all", sandbox=backend, max_turns=8)
    check(make, episodes=1, checks=checks).raise_for_failures()


def test_it_keeps_the_contract_against_fakes() -> None:
    sandbox = fake_sandboxes(sources_are_whole(PROJECT))
    check(lambda: SWEEnv(tasks=SUMS, split="all", sandbox=sandbox), episodes=2).raise_for_failures()
