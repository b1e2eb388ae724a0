"""`turnwise swe`: make software-engineering tasks of any Python project, and read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnwise.cli import errors

if TYPE_CHECKING:
    from turnwise.envs.swe.tasks import Task, TaskSet

swe = typer.Typer(help="Make software-engineering tasks of a Python project, and read them.", no_args_is_help=True)


def make(
    path: Annotated[
        str, typer.Argument(help="A folder, a source archive (.tar.gz, .zip), or an installed distribution with tests.")
    ],
    name: Annotated[str, typer.Option(help="The project's name. [default: what it says of itself]")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write. [default: NAME.tasks.json, here]")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Tasks wanted.")] = 100,
    seed: Annotated[int, typer.Option(help="Decides which bugs are tried.")] = 0,
    sources: Annotated[
        list[str] | None, typer.Option(help="File or folder that may be broken; repeatable. [default: found]")
    ] = None,
    tests: Annotated[
        list[str] | None, typer.Option(help="File or folder that holds tests; repeatable. [default: found]")
    ] = None,
    requires: Annotated[
        list[str] | None, typer.Option("--with", help="Distribution that the tests need beside pytest; repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=8, help="Candidates tried at a time.")] = 2,
    sandbox: Annotated[
        str, typer.Option(help="Where the tests run: auto, bubblewrap, docker, or process (no isolation).")
    ] = "auto",
    skip_red: Annotated[
        bool, typer.Option("--skip-red", help="Leave out tests that fail before anything was changed.")
    ] = False,
) -> None:
    """Break a project in many ways and keep each bug that its own tests prove.

    Each task is proven: the tests are green before, some are red with the bug, and all are green again with the gold
    patch. Its issue is written from what the failing tests see, and was run on both versions.

    [bold]Example:[/bold] pip download --no-binary :all: --no-deps toolz && turnwise swe make toolz-*.tar.gz --skip-red
    """
    from turnwise.envs.swe.making.discovery import read_project
    from turnwise.envs.swe.making.loading import ProjectError
    from turnwise.envs.swe.making.maker import make_tasks
    from turnwise.envs.swe.tasks import SUFFIX
    from turnwise.sandboxes import SandboxError

    started = time.monotonic()
    try:
        project = read_project(path, name=name, sources=sources or (), tests=tests or (), requires=requires or ())
        target = out or Path(project.name + SUFFIX)
        if not target.parent.is_dir():
            raise errors.CommandError(f"--out: there is no folder {str(target.parent)!r}")
        typer.echo(
            f"{project.name} {project.version}: sources {_listed(project.sources)}, tests {_listed(project.tests)}"
        )
        tasks, tally = make_tasks(
            project, count=count, seed=seed, jobs=jobs, backend=sandbox, skip_red=skip_red, report=_progress(started)
        )
    except (ProjectError, SandboxError) as error:
        raise errors.CommandError(str(error)) from error
    typer.echo(f"\n{tally.table()}\n")
    if not len(tasks):
        raise errors.CommandError(
            f"no bug in {project.name} became a task, so no file was written; see the table above"
        )
    tasks.save(target)
    minutes = (time.monotonic() - started) / 60
    typer.echo(f"{_tasks(tasks)} in {minutes:.1f} minutes, digest {tasks.digest()}: {target}")


def show(
    file: Annotated[Path, typer.Argument(help="A file that `turnwise swe make` wrote.")],
    task: Annotated[str, typer.Argument(help="Id of a task, or the beginning of it. [default: list all]")] = "",
    gold: Annotated[bool, typer.Option("--gold", help="Show what solves it, too.")] = False,
) -> None:
    """List the tasks of a file, or read one as a person would: its issue, and with --gold its solution.

    [bold]Example:[/bold] turnwise swe show toolz.tasks.json toolz-0b --gold
    """
    from turnwise.envs.swe.tasks import TaskSet

    if not file.is_file():
        raise errors.CommandError(f"There is no file {str(file)!r}. Make one with: turnwise swe make PATH --out {file}")
    tasks = TaskSet.load(file)
    if task:
        typer.echo(_told(tasks, _find(tasks, task), gold))
        return
    project = tasks.project
    typer.echo(f"{project.name} {project.version}, {_tasks(tasks)}, digest {tasks.digest()}\n")
    width = max((len(each.task_id) for each in tasks), default=0)
    for each in tasks:
        title = each.issue.partition("\n")[0]
        typer.echo(f"{each.task_id:<{width}}  {len(each.fail_to_pass):>3} + {len(each.pass_to_pass):<3} tests  {title}")


def _progress(started: float) -> Callable[[str], None]:
    def tell(line: str) -> None:
        typer.echo(f"{time.monotonic() - started:7.1f} s  {line}")

    return tell


def _find(tasks: TaskSet, wanted: str) -> Task:
    found = [each for each in tasks if each.task_id == wanted] or [
        each for each in tasks if each.task_id.startswith(wanted)
    ]
    if len(found) == 1:
        return found[0]
    ids = [each.task_id for each in tasks]
    if not found:
        raise errors.CommandError(f"There is no task {wanted!r}. {errors.did_you_mean(wanted, ids)}")
    raise errors.CommandError(f"{wanted!r} is the beginning of {len(found)} ids: {', '.join(t.task_id for t in found)}")


def _told(tasks: TaskSet, task: Task, gold: bool) -> str:
    project = tasks.project
    parts = [
        f"{task.task_id} ({project.name} {project.version})",
        task.issue.strip(),
        f"Hidden tests: {len(task.fail_to_pass)} that fail, {len(task.pass_to_pass)} that must not break.",
    ]
    if gold:
        from turnwise.envs.swe.making import gold_patch

        parts += [
            "How it was made: " + ", ".join(task.operators),
            "Failing tests:\n" + "\n".join(f"  {test}" for test in task.fail_to_pass),
            "Gold patch:\n" + gold_patch(task).rstrip(),
        ]
    return "\n\n".join(parts)


def _tasks(tasks: TaskSet) -> str:
    return "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"


def _listed(paths: tuple[str, ...]) -> str:
    return ", ".join(paths)


for _command in (make, show):
    swe.command()(errors.reported(_command))
