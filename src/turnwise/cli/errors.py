"""What a user did wrong is one line on standard error and exit code 2; a traceback is for those who ask."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable
from typing import NoReturn, ParamSpec, TypeVar

import gymnasium as gym
import typer

_P = ParamSpec("_P")
_R = TypeVar("_R")

USER_ERROR = 2
"""Exit code where the request itself cannot be carried out."""

_tracebacks = False


class CommandError(Exception):
    """What was asked for cannot be done; the text says why, and what can be."""


def show_tracebacks(wanted: bool) -> None:
    """Let errors pass, so that their traceback is printed."""
    global _tracebacks
    _tracebacks = wanted


def reported(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn the errors that bad input causes into a message. Everything else is a bug and keeps its traceback."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except (CommandError, ValueError, OSError, ImportError, gym.error.Error) as error:
            if _tracebacks:
                raise
            hint = "" if isinstance(error, CommandError) else "\n(turnwise --traceback … shows where it came from)"
            fail((str(error) or type(error).__name__) + hint)
        except KeyboardInterrupt:
            typer.echo("\nInterrupted.", err=True)
            raise typer.Exit(130) from None

    return run


def fail(message: str) -> NoReturn:
    """Print an error and leave."""
    typer.secho("Error: ", fg="red", bold=True, nl=False, err=True)
    typer.echo(message, err=True)
    raise typer.Exit(USER_ERROR)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the known name closest to a wrong one, and otherwise all of them.

    >>> did_you_mean("orcale", ["random", "oracle"])
    "Did you mean 'oracle'?"
    >>> did_you_mean("xyz", ["random", "oracle"])
    'Known: oracle, random.'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.5)
    if close:
        return f"Did you mean {next(n for n in names if n.lower() == close[0])!r}?"
    return f"Known: {', '.join(names)}." if names else "None is known."
