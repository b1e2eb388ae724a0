"""The `turnwise` command. Each command is a module; what is heavy is imported when a command runs, not before."""

from __future__ import annotations

from typing import Annotated

import typer

from turnwise import __version__
from turnwise.cli import bench, check, envs, errors, methods, play, retrieve, run, sandbox, swe, view

app = typer.Typer(
    name="turnwise",
    help="Multi-turn environments for training LLM agents, in which every turn can be paid.",
    epilog="Start with: turnwise envs, then turnwise play turnwise/WebShop-v0",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)

for _command in (envs.envs, play.play, run.run, view.view, check.check, methods.methods):
    app.command()(errors.reported(_command))
app.add_typer(bench.bench, name="bench")
app.add_typer(retrieve.retrieve, name="retrieve")
app.add_typer(sandbox.sandbox, name="sandbox")
app.add_typer(swe.swe, name="swe")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"turnwise {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error came from, not only what it says.")
    ] = False,
) -> None:
    errors.show_tracebacks(traceback)
