from __future__ import annotations

from pathlib import Path

import pytest

from turnwise.envs.search_qa import ClaimCheckEnv, SearchQAEnv
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import World, open_world
from turnwise.envs.search_qa.tasks import PANEL_WORLD


@pytest.fixture(scope="session")
def world_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="session")
def small(world_cache: Path) -> World:
    """Four countries and a half: 200 questions and 200 claims."""
    return open_world(WorldSpec(articles=450, seed=5), world_cache)


@pytest.fixture(scope="session")
def default(world_cache: Path) -> World:
    """The default world, which the panel is about."""
    return open_world(PANEL_WORLD, world_cache)


@pytest.fixture(scope="session")
def search_env(small: World, world_cache: Path) -> SearchQAEnv:
    return SearchQAEnv(articles=450, world_seed=5, cache_dir=world_cache)


@pytest.fixture(scope="session")
def claim_env(small: World, world_cache: Path) -> ClaimCheckEnv:
    return ClaimCheckEnv(articles=450, world_seed=5, cache_dir=world_cache)


@pytest.fixture(scope="session")
def panel_env(default: World, world_cache: Path) -> SearchQAEnv:
    return SearchQAEnv(split="panel", cache_dir=world_cache)
