"""Wrappers and credit methods by name, for `turnwise run --wrap` and `--credit`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from turnwise.cli.errors import CommandError, did_you_mean
from turnwise.cli.options import name_and_options

if TYPE_CHECKING:
    from turnwise.rewards.method import MethodRecord
    from turnwise.rewards.trajectory import Trajectory

_REFERENCE = re.compile(r"[\w./-]+:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Wrap:
    """A wrapper and what it is to be called with.

    Attributes:
        wrapper: The class.
        options: Its keyword arguments.
        over_vector: It compares rollouts, so it goes over all environments at once and not on each.
    """

    wrapper: type[Any]
    options: dict[str, Any]
    over_vector: bool

    def __call__(self, env: Any) -> Any:
        """Put it on an environment, or on a vector environment.

        Raises:
            CommandError: It does not take these options, or needs one that is missing.
        """
        try:
            return self.wrapper(env, **self.options)
        except TypeError as error:
            raise CommandError(f"--wrap {short_name(self.wrapper.__name__)}: {error}") from error


def find_wraps(texts: Sequence[str], *, group_size: int, probe: Any) -> list[Wrap]:
    """Read `--wrap` options, in their order: the first is innermost.

    Args:
        texts: `name` or `name:key=value,key=value`.
        group_size: For wrappers that compare the rollouts of a task and are not told how many there are.
        probe: A `PolicyProbe` for those that need one, or None.

    Raises:
        CommandError: There is no such wrapper, an option is not one of its, or a probe is missing.
    """
    return [_find_wrap(text, group_size, probe) for text in texts]


def wrapper_names() -> dict[str, type[Any]]:
    """Every reward wrapper by its short name."""
    import turnwise.wrappers as room

    bases = (room.TurnWrapper, room.GroupWrapper)
    classes = [getattr(room, name) for name in room.__all__ if inspect.isclass(getattr(room, name))]
    chosen = [c for c in classes if issubclass(c, bases) and c not in (*bases, room.RecordTrajectories)]
    return {short_name(c.__name__): c for c in chosen}


def short_name(name: str) -> str:
    """A class's name as one writes it in a terminal.

    >>> short_name("InformationGainReward"), short_name("AnchorStateGrouping")
    ('information-gain', 'anchor-state-grouping')
    """
    kebab = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    return kebab.removesuffix("-wrapper") if kebab.endswith("-wrapper") else kebab.removesuffix("-reward")


def _find_wrap(text: str, group_size: int, probe: Any) -> Wrap:
    from turnwise.wrappers import GroupWrapper

    name, options = name_and_options(text, "--wrap")
    wrapper = _one_of(name, wrapper_names(), "wrapper")
    parameters = list(inspect.signature(wrapper.__init__).parameters)[2:]
    if unknown := sorted(set(options) - set(parameters)):
        raise CommandError(f"--wrap {name} has no option {unknown[0]!r}. {did_you_mean(unknown[0], parameters)}")
    options = {key: _resolve(value) for key, value in options.items()}
    if "group_size" in parameters and group_size > 1:
        options.setdefault("group_size", group_size)
    if "probe" in parameters and "probe" not in options:
        if probe is None:
            raise CommandError(f"--wrap {name} asks a model how likely the answer is: give --probe or a model --policy")
        options["probe"] = probe
    return Wrap(wrapper, options, issubclass(wrapper, GroupWrapper))


def _one_of(name: str, known: dict[str, Any], what: str) -> Any:
    """The entry of that name, or the only one whose name begins so."""
    wanted = name.lower().replace("_", "-")
    close = [known[wanted]] if wanted in known else [value for key, value in known.items() if key.startswith(wanted)]
    if len(close) != 1 or not wanted:
        raise CommandError(f"There is no {what} {name!r}. {did_you_mean(name, known)}")
    return close[0]


def _resolve(value: Any) -> Any:
    """What `module:name` or `file.py:name` stands for: functions and models cannot be written in a terminal."""
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        return value
    from turnwise.cli.targets import import_module

    module, _, name = value.rpartition(":")
    found = import_module(module)
    if not hasattr(found, name):
        raise CommandError(f"{module!r} has no {name!r}. {did_you_mean(name, [n for n in dir(found) if n[0] != '_'])}")
    return getattr(found, name)


def in_the_loop(wrapped: Any) -> Any:
    """The stack without the outermost wrappers that pay nothing in a step.

    They only share out advantages, which `group_credit` does when all rollouts are there; and without them the
    environments go each at its own pace.
    """
    from turnwise.wrappers import GroupWrapper

    while isinstance(wrapped, GroupWrapper) and type(wrapped).pay_turns is GroupWrapper.pay_turns:
        wrapped = wrapped.env
    return wrapped


def group_credit(wrapped: Any, trajectories: Sequence[Trajectory]) -> None:
    """Give every rollout the advantages that the group wrappers of a stack put on finished groups.

    A vector environment hands a group's credit out with its last rollout; here all rollouts are there, so each gets
    its own. The outermost wrapper has the last word.
    """
    from turnwise.rewards.batch import TurnBatch
    from turnwise.wrappers import GroupWrapper

    if not isinstance(wrapped, GroupWrapper):
        return
    group_credit(wrapped.env, trajectories)
    if wrapped.group_size is None:
        return
    groups: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        groups.setdefault(trajectory.group_id or trajectory.task_id, []).append(trajectory)
    for rollouts in groups.values():
        batch = TurnBatch.from_trajectories(rollouts)
        _set_advantages(rollouts, wrapped.credit(batch, rollouts).split(batch))


def apply_credit(text: str, trajectories: Sequence[Trajectory]) -> None:
    """Give every rollout the advantages of a credit method.

    Args:
        text: `name` or `name:key=value,key=value`; the names are those of `turnwise methods`.
        trajectories: All rollouts; their `turn_advantages` are set.

    Raises:
        CommandError: There is no such method, it needs more than trajectories, or it does not take these options.
    """
    from turnwise.rewards.batch import TurnBatch

    record, options = _find_credit(text)
    batch = TurnBatch.from_trajectories(trajectories)
    try:
        credit = record.function(batch, **options)
    except (TypeError, KeyError) as error:
        raise CommandError(f"--credit {record.name} needs {sorted(record.needs)}: {error.args[0]}") from error
    _set_advantages(trajectories, credit.split(batch))


def check_credit(text: str, group_size: int) -> None:
    """See that a credit method exists and has rollouts to compare, before any is played.

    Raises:
        CommandError: It does not, or its groups are too small.
    """
    record, _ = _find_credit(text)
    if group_size < record.min_group:
        raise CommandError(f"--credit {text} compares rollouts of a task: give --group-size {record.min_group} or more")


def _find_credit(text: str) -> tuple[MethodRecord, dict[str, Any]]:
    from turnwise.rewards.credit import METHODS

    name, options = name_and_options(text, "--credit")
    methods = {key.replace("_", "-"): value for key, value in METHODS.items()}
    record: MethodRecord = _one_of(name, methods, "credit method")
    parameters = list(inspect.signature(record.function).parameters)[1:]
    if unknown := sorted(set(options) - set(parameters)):
        raise CommandError(f"--credit {name} has no option {unknown[0]!r}. {did_you_mean(unknown[0], parameters)}")
    return record, options


def _set_advantages(trajectories: Sequence[Trajectory], advantages: Sequence[Any]) -> None:
    for trajectory, advantage in zip(trajectories, advantages, strict=True):
        trajectory.turn_advantages = [float(value) for value in advantage]
