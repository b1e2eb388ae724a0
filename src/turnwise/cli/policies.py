"""Policies by name, for `turnwise run --policy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnwise.cli.errors import CommandError, did_you_mean

if TYPE_CHECKING:
    from turnwise.agents.policy import Policy

BUILT_IN = ("random", "oracle", "noop")


def open_policy(name: str, seed: int, arguments: dict[str, Any]) -> Policy:
    """Make a policy.

    Args:
        name: `random`, `oracle`, `noop`, or a model: a folder, or a name with a slash on a model hub.
        seed: Of a random policy or of a model's sampling.
        arguments: More arguments for the policy's constructor.

    Raises:
        CommandError: There is no such policy or model, or it does not take these arguments.
    """
    try:
        return _open(name, seed, arguments)
    except TypeError as error:
        raise CommandError(f"--policy-arg: {error}") from error


def _open(name: str, seed: int, arguments: dict[str, Any]) -> Policy:
    from turnwise.agents import NoOpPolicy, OraclePolicy, RandomPolicy

    if name == "random":
        return RandomPolicy(**{"seed": seed, **arguments})
    if name == "oracle":
        return OraclePolicy(**arguments)
    if name == "noop":
        return NoOpPolicy(**arguments)
    is_folder = Path(name).is_dir()
    if not is_folder and ("/" not in name or name.startswith((".", "/"))):
        hint = did_you_mean(name, BUILT_IN)
        raise CommandError(f"There is no policy {name!r} and no folder of that name with a model in it. {hint}")
    from turnwise.agents import TransformersPolicy

    try:
        return TransformersPolicy(name, **{"seed": seed, **arguments})
    except (OSError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise CommandError(f"The model {name!r} could not be loaded. {lines[0] if lines else error}") from error
