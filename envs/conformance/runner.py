"""Running the checks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium as gym

from turnwise.envs.conformance.registry import CHECKS, Check, MakeEnv, NotApplicable, Subject, Violation
from turnwise.envs.conformance.report import Finding, Report


def check(
    make: Callable[[], gym.Env[Any, Any]] | str,
    *,
    episodes: int = 5,
    checks: Sequence[str] | None = None,
    random_bound: float = 0.2,
    seed: int = 0,
) -> Report:
    """Hold an environment to the contract. Any environment: ours, or one of your own.

    The environment inside all wrappers is what is checked.

    Args:
        make: A Gymnasium id, or a function that makes the environment. With one that can be imported from its module,
            episodes are also compared with those of other processes.
        episodes: How many episodes a check plays; some play ten times as many. The cost is proportional to it.
        checks: Names out of `CHECKS`; all by default.
        random_bound: The mean score that a random agent must stay below.
        seed: Of the kit's own choices.

    Returns:
        One finding for each check. Nothing is raised on account of a broken environment.

    Raises:
        ValueError: There is no check of a name.
        TypeError: The environment is not a `TurnEnv`.

    >>> report = check("turnwise/WebShop-v0", checks=["oracle_solves", "invalid_agents_score_nothing"])
    >>> report.ok
    True
    """
    names = list(CHECKS) if checks is None else list(checks)
    if unknown := [name for name in names if name not in CHECKS]:
        raise ValueError(f"checks has no {unknown[0]!r}; it has {list(CHECKS)}")
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    make_env: MakeEnv = partial(gym.make, gym.spec(make), disable_env_checker=True) if isinstance(make, str) else make
    subject = Subject(make_env, episodes, random_bound, seed)
    with subject.open() as env:
        name = make if isinstance(make, str) else type(env).__name__
    return Report(name, tuple(_run(CHECKS[check_name], subject) for check_name in names))


def description(name: str) -> str:
    """What a check holds an environment to, in one sentence."""
    return " ".join((CHECKS[name].__doc__ or "").split("\n\n")[0].split())


def _run(one: Check, subject: Subject) -> Finding:
    name = one.__name__
    try:
        one(subject)
    except NotApplicable as reason:
        return Finding(name, True, description(name), skipped_reason=str(reason))
    except Violation as violation:
        return Finding(name, False, str(violation))
    except Exception as error:  # whatever the environment raised is the finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename}:{where.lineno}, in {where.name}"
        return Finding(name, False, f"raised {type(error).__name__}: {error}\n{place}")
    return Finding(name, True, description(name))
