"""Every bundled task, graded in full: the oracle earns 1, and who changes nothing 0. Half a second for each task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from components import skip_without
from swe_tasks import play

from turnwise.envs.swe import SWEEnv
from turnwise.envs.swe.bundled import bundled
from turnwise.sandboxes.opening import unavailable


@pytest.fixture(scope="module")
def bubblewrapped() -> Iterator[SWEEnv]:
    skip_without("bubblewrap", unavailable("bubblewrap"))
    env = SWEEnv(split="all", sandbox="bubblewrap")
    yield env
    env.close()


@pytest.mark.parametrize("task_id", [task.task_id for task in bundled()])
def test_the_oracle_earns_one_and_a_no_op_nothing(bubblewrapped: SWEEnv, task_id: str) -> None:
    env = bubblewrapped
    first, info = env.reset(options={"task_id": task_id})
    assert not any(test.split("::")[-1] in first for test in info["privileged"]["fail_to_pass"])
    _, reward, info = play(env, list(env.oracle()), task_id)
    assert (reward, info["reward_terms"]["resolved"]) == (1.0, 1.0)
    _, reward, info = play(env, ["submit[]"], task_id)
    assert (reward, info["reward_terms"]["level"]) == (0.0, 1.0)


def test_the_oracle_earns_one_on_every_backend(backend: str) -> None:
    env = SWEEnv(split="panel", sandbox=backend)
    for task_id in env.tasks[:2]:
        env.reset(options={"task_id": task_id})
        assert play(env, list(env.oracle()), task_id)[1] == 1.0
    env.close()
