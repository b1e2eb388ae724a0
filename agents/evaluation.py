"""How good a policy is: play it, and summarize."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnwise.agents.collect import collect
from turnwise.agents.policy import Policy
from turnwise.rewards.summary import Summary, summarize


def evaluate(
    policy: Policy,
    id: str,
    episodes: int = 100,
    *,
    attempts: int = 1,
    num_envs: int = 16,
    seed: int = 0,
    task_ids: Sequence[str] | None = None,
    backend: str = "sync",
    **env_kwargs: Any,
) -> Summary:
    """Play a policy on an environment id and summarize.

    Args:
        policy: Who acts.
        id: A Gymnasium id of a text environment.
        episodes: How many tasks are tried.
        attempts: How often each of them is tried, from the same start; pass@k needs at least k.
        num_envs: Environments side by side.
        seed: Draws the tasks.
        task_ids: The tasks themselves, for example a frozen panel; `episodes` of them, repeated when they run out.
        backend: Of `turnwise.make_vec`.
        env_kwargs: For the environment, for example `split="test"`.

    >>> from turnwise.agents import OraclePolicy
    >>> found = evaluate(OraclePolicy(), "turnwise/WebShop-v0", 3, attempts=2, products=50)
    >>> found.episodes, found.success_rate, found.pass_hat
    (6, 1.0, {1: 1.0, 2: 1.0})
    """
    from turnwise import make_vec

    envs = make_vec(id, min(num_envs, episodes * attempts), backend=backend, **env_kwargs)
    try:
        return summarize(collect(policy, envs, episodes * attempts, seed=seed, task_ids=task_ids, group_size=attempts))
    finally:
        envs.close()
