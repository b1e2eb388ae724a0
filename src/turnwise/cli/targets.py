"""Environments by name: an id, `module:id`, `module:Class`, or `path/to/file.py:Class`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym

from turnwise.cli.errors import CommandError, did_you_mean
from turnwise.envs.core import TurnEnv

NAMESPACE = "turnwise/"

HELP = "An id, 'module:id', 'module:Class' or 'path/to/file.py:Class'."


@dataclass(frozen=True, slots=True)
class Target:
    """An environment that can be made.

    Attributes:
        name: As trajectories are to call it.
        make: Makes one; picklable where its module can be imported.
    """

    name: str
    make: Callable[[], gym.Env[Any, Any]]

    def open(self) -> TurnEnv:
        """Make one and return the `TurnEnv` itself, without Gymnasium's wrappers.

        Raises:
            CommandError: It is no `TurnEnv`, or it does not take these arguments.
        """
        env = make(self).unwrapped
        if not isinstance(env, TurnEnv):
            raise CommandError(f"{self.name} makes a {type(env).__name__}, which is no turnwise.envs.TurnEnv")
        return env


def make(target: Target) -> gym.Env[Any, Any]:
    """Make one environment.

    Raises:
        CommandError: It does not take these arguments, or needs a package that is not installed.
    """
    try:
        return target.make()
    except TypeError as error:
        raise CommandError(f"{target.name} cannot be made: {error}") from error
    except ModuleNotFoundError as error:
        raise CommandError(f"{target.name} needs the package {error.name!r}, which is not installed") from error


def find(name: str, kwargs: Mapping[str, Any] | None = None) -> Target:
    """Find an environment by name.

    Args:
        name: An id, `module:id`, `module:Class` or `path/to/file.py:Class`.
        kwargs: What it is to be made with.

    Raises:
        CommandError: There is none; the message names one that exists.
    """
    import turnwise  # noqa: F401  (registers the ids)

    module_name, _, rest = name.rpartition(":")
    if module_name:
        module = import_module(module_name)
        if rest not in gym.registry:
            return Target(rest, partial(_class(module, rest, name), **(kwargs or {})))
    if rest not in gym.registry:
        ids = [known for known in gym.registry if known.startswith(NAMESPACE)]
        wanted = rest if "/" in rest else NAMESPACE + rest
        raise CommandError(f"There is no environment {name!r}. {did_you_mean(wanted, ids)} See: turnwise envs")
    return Target(rest, partial(gym.make, gym.spec(rest), disable_env_checker=True, **(kwargs or {})))


def import_module(name: str) -> ModuleType:
    """Import a module, or a file by its path.

    Raises:
        CommandError: There is none.
    """
    path = Path(name)
    if path.suffix == ".py" or "/" in name:
        return _import_file(path if path.suffix == ".py" else path.with_suffix(".py"))
    # As with `python -m`: the folder in which the user stands counts.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split(".")[0] and error.name != name:
            raise
        raise CommandError(f"There is no module {name!r} that could be imported from here") from error


def _import_file(path: Path) -> ModuleType:
    """Import a file under its own name, so that worker processes can import it too."""
    if not path.is_file():
        raise CommandError(f"There is no file {str(path)!r}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module(path.stem)
    if Path(module.__file__ or "").resolve() != path.resolve():
        raise CommandError(f"{str(path)!r} has the name of another module, {module.__name__!r}; rename the file")
    return module


def _class(module: ModuleType, name: str, asked: str) -> Callable[..., gym.Env[Any, Any]]:
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    classes = [n for n, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, gym.Env)]
    own = [n for n in classes if getattr(module, n).__module__ == module.__name__] or classes
    raise CommandError(f"There is no environment {asked!r}: no such id or class. {did_you_mean(name, own)}")
