"""Sandboxes that are real, for tests of what runs in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from components import skip_without
from swe_tasks import SUMS

from turnwise.envs.swe import SWEEnv
from turnwise.sandboxes.opening import unavailable


@pytest.fixture(params=["bubblewrap", "docker"], scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that isolates."""
    skip_without(request.param, unavailable(request.param))
    return str(request.param)


@pytest.fixture
def env(backend: str) -> Iterator[SWEEnv]:
    """The environment with three small tasks."""
    env = SWEEnv(tasks=SUMS, split="all", sandbox=backend)
    yield env
    env.close()
