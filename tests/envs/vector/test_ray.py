"""The Ray backend, where Ray is installed; where it is not, the error names what to install."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator

import pytest

from turnwise.envs.vector import make_vector_env

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:

    import ray

    path = os.pathsep.join(entry for entry in sys.path if entry)
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    yield
    ray.shutdown()


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_error_says_what_to_install() -> None:
    with pytest.raises(ImportError, match="pip install ray"):
        make_vector_env("KeyDoor-v0", 2, backend="ray")


@needs_ray
def test_actors_give_what_one_thread_gives(cluster: None) -> None:
    runs = []
    for backend in ("sync", "ray"):
        envs = make_vector_env("KeyDoor-v0", 2, group_size=2, backend=backend, max_turns=2)
        run = [str(envs.reset(seed=3))]
        run += [str(envs.step(["move[left]", "open[]"])) for _ in range(8)]
        runs.append(run)
        envs.close()
    assert runs[0] == runs[1]


@needs_ray
def test_a_straggler_and_a_dead_actor_are_replaced(cluster: None) -> None:
    envs = make_vector_env("StubbornDoor-v0", 3, backend="ray", step_timeout=2.0)
    envs.reset(seed=1)
    *_, truncations, infos = envs.step(["hang", "die", "move[left]"])
    assert truncations.tolist() == [True, True, False]
    assert infos["stop_reason"].tolist() == ["timeout", "environment_fault", None]
    *_, truncations, infos = envs.step(["move[left]"] * 3)
    assert not truncations.any() and infos["turn"].tolist() == [0, 0, 2]
    with pytest.raises(ZeroDivisionError, match="a bug in the environment"):
        envs.step(["bug", "move[left]", "move[left]"])
    envs.close()
