"""`turnwise run`: play episodes with any policy under any wrappers, and keep the trajectories."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwise.cli.errors import CommandError

if TYPE_CHECKING:
    from turnwise.agents.policy import Policy
    from turnwise.cli.targets import Target
    from turnwise.cli.wraps import Wrap
    from turnwise.rewards.trajectory import Trajectory


def run(
    env: Annotated[str, typer.Argument(metavar="ENV", help="An id, 'module:id' or 'path/to/file.py:Class'.")],
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="random, oracle, noop, or a model: a folder or a name on the hub.")
    ] = "random",
    episodes: Annotated[int, typer.Option("--episodes", "-n", min=1, help="How many episodes.")] = 20,
    num_envs: Annotated[int | None, typer.Option(min=1, help="Environments side by side. [default: up to 8]")] = None,
    group_size: Annotated[int, typer.Option(min=1, help="Rollouts of each task from the same start.")] = 1,
    wrap: Annotated[
        list[str] | None,
        typer.Option(help="A reward wrapper, 'name' or 'name:key=value,key=value'; repeatable, innermost first."),
    ] = None,
    credit: Annotated[
        str | None, typer.Option(help="A credit method for the advantages, see: turnwise methods")
    ] = None,
    probe: Annotated[
        str | None, typer.Option(help="Model that says how likely an answer is. [default: a model --policy]")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Id of a task; repeatable. [default: drawn]")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the tasks and of the policy.")] = 0,
    backend: Annotated[str, typer.Option(help="sync, thread, process or ray.")] = "sync",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File of trajectories to write. [default: runs/…jsonl]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    env_arg: Annotated[
        list[str] | None, typer.Option("--env-arg", help="key=value for the environment; repeatable.")
    ] = None,
    policy_arg: Annotated[
        list[str] | None, typer.Option("--policy-arg", help="key=value for the policy; repeatable.")
    ] = None,
) -> None:
    """Play episodes with any policy under any reward wrappers, and write the trajectories.

    [bold]Examples:[/bold]

    turnwise run turnwise/WebShop-v0 --policy oracle --episodes 10

    turnwise run turnwise/WebShop-v0 -n 64 --group-size 8 --wrap progress --credit gigpo

    turnwise run turnwise/WebShop-v0 -p Qwen/Qwen3-0.6B --wrap information-gain:weight=0.5 -o runs/igpo.jsonl
    """
    from turnwise.cli.options import key_values
    from turnwise.cli.policies import open_policy
    from turnwise.cli.targets import find
    from turnwise.cli.wraps import apply_credit, check_credit, find_wraps, group_credit, in_the_loop

    target = find(env, key_values(env_arg or (), "--env-arg"))
    file = _output_file(out, overwrite, f"{target.name.rpartition('/')[2]}-{Path(policy).name}-{seed}")
    if credit is not None:
        check_credit(credit, group_size)
    actor = open_policy(policy, seed, key_values(policy_arg or (), "--policy-arg"))
    asked = open_policy(probe, seed, {}) if probe is not None else actor if hasattr(actor, "answer_logprobs") else None
    wraps = find_wraps(wrap or (), group_size=group_size, probe=asked)
    _try_out(target, wraps, task or ())
    side_by_side = num_envs or group_size * max(1, min(8, episodes) // group_size)
    vector = _open_envs(target, side_by_side, group_size, backend, wraps)
    try:
        trajectories, seconds = _collect(actor, in_the_loop(vector), episodes, seed, task)
    finally:
        vector.close()
    for trajectory in trajectories:
        trajectory.env_id = target.name
    group_credit(vector, trajectories)
    if credit is not None:
        apply_credit(credit, trajectories)
    _write(file, trajectories)
    _report(trajectories, seconds, file)
    if len(trajectories) < episodes:
        raise typer.Exit(130)


def _output_file(out: Path | None, overwrite: bool, name: str) -> Path:
    if out is None:
        names = (Path("runs") / f"{name}{f'-{i}' if i else ''}.jsonl" for i in count())
        return next(file for file in names if overwrite or not file.exists())
    if out.is_dir():
        raise CommandError(f"--out must be a file, but {str(out)!r} is a folder")
    if out.exists() and not overwrite:
        raise CommandError(f"{str(out)!r} exists; give another --out, or --overwrite")
    return out


def _try_out(target: Target, wraps: Sequence[Wrap], tasks: Sequence[str]) -> None:
    """Make one environment and close it: what is wrong is then said plainly, not by a worker's traceback."""
    from turnwise.cli.targets import make

    bare = target.open()
    unknown = [task for task in tasks if not bare.has_task(task)]
    bare.close()
    if unknown:
        raise CommandError(f"--task: {target.name} has no task {unknown[0]!r}")
    env = make(target)
    for wrap in wraps:
        if not wrap.over_vector:
            env = wrap(env)
    env.close()


def _open_envs(target: Target, num_envs: int, group_size: int, backend: str, wraps: Sequence[Wrap]) -> Any:
    """A vector environment, with each wrapper on its members or, if it compares rollouts, over all of them."""
    from turnwise.envs.vector import TurnVectorEnv

    vector: Any = TurnVectorEnv(
        [target.make] * num_envs,
        group_size=group_size,
        backend=backend,
        wrappers=[wrap for wrap in wraps if not wrap.over_vector],
    )
    try:
        for wrap in wraps:
            if wrap.over_vector:
                vector = wrap(vector)
    except BaseException:
        vector.close()
        raise
    return vector


def _collect(
    policy: Policy, envs: Any, episodes: int, seed: int, tasks: list[str] | None
) -> tuple[list[Trajectory], float]:
    """The trajectories and the seconds it took; after Ctrl-C, those that had ended."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from turnwise.agents import collect

    columns = (TextColumn("episodes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    ended: list[Trajectory] = []
    started = time.perf_counter()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task("", total=episodes)
        try:
            ended = collect(
                policy,
                envs,
                episodes,
                seed=seed,
                task_ids=tasks or None,
                progress=lambda done, _: bar.update(shown, completed=done),
                on_trajectory=ended.append,
            )
        except KeyboardInterrupt:
            console.print("Interrupted; keeping the episodes that have ended.", style="yellow")
    return ended, time.perf_counter() - started


def _write(file: Path, trajectories: Sequence[Trajectory]) -> None:
    from turnwise.wrappers import write_trajectories

    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    write_trajectories(file, trajectories)


def _report(trajectories: Sequence[Trajectory], seconds: float, file: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from turnwise.view import summarize

    summary = summarize(trajectories)
    stops = ", ".join(f"{reason} {number}" for reason, number in summary.stop_reasons.items())
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("success rate", str(summary.success))
    for name, rate in summary.milestones.items():
        table.add_row(f"{name} rate", str(rate))
    table.add_row("mean reward", f"{summary.mean_reward:.3f}   (mean outcome {summary.mean_outcome:.3f})")
    for term in summary.terms:
        if term.name != "outcome":
            table.add_row(f"  {term.name}", f"{term.mean:+.3f} an episode, in {term.paid} of {summary.turns} turns")
    invalid = f", {summary.invalid} invalid" if summary.invalid else ""
    table.add_row("turns", f"{summary.mean_turns:.1f} an episode, {summary.turns / seconds:,.0f} a second{invalid}")
    table.add_row("ended by", stops)
    table.add_row("trajectories", str(file))
    console = Console(highlight=False)
    console.print(table, soft_wrap=True)
    console.print(f"\nRead them: turnwise view {file}", markup=False, soft_wrap=True)
