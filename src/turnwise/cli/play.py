"""`turnwise play`: a person takes the agent's seat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwise.cli.errors import CommandError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

    from turnwise.envs.core import Snapshot, TurnEnv

COMMANDS = {
    ":hint": "what the oracle would do now",
    ":undo": "take the last turn back",
    ":actions": "list all actions",
    ":rules": "show the instructions again",
    ":help": "these commands",
    ":quit": "leave",
}

MOST_ACTIONS = 20


def play(
    env: Annotated[str, typer.Argument(metavar="ENV", help="An id, 'module:id' or 'path/to/file.py:Class'.")],
    task: Annotated[str | None, typer.Option(help="Id of the task. [default: drawn by the seed]")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first reset.")] = 0,
    env_arg: Annotated[
        list[str] | None, typer.Option("--env-arg", help="key=value for the environment; repeatable.")
    ] = None,
) -> None:
    """Play an episode yourself: type an action, or its number, and see what each turn is paid.

    [bold]Example:[/bold] turnwise play turnwise/WebShop-v0 --seed 3 --env-arg products=100

    At the prompt, :hint asks the oracle, :undo takes a turn back, :quit leaves.
    """
    from rich.console import Console

    from turnwise.cli.options import key_values
    from turnwise.cli.targets import find

    opened = find(env, key_values(env_arg or (), "--env-arg")).open()
    try:
        Game(opened, Console(highlight=False)).play(seed, task)
    finally:
        opened.close()


@dataclass
class Game:
    """One episode at the terminal."""

    env: TurnEnv
    console: Console
    past: list[tuple[Snapshot, float]] = field(default_factory=list)
    paid: float = 0.0
    observation: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def play(self, seed: int, task: str | None) -> None:
        """Play until the input ends or the player leaves.

        Raises:
            CommandError: There is no such task.
        """
        from turnwise.envs.core import UnknownTaskError

        options = {"task_id": task} if task is not None else None
        try:
            self.observation, self.info = self.env.reset(seed=seed, options=options)
        except UnknownTaskError as error:
            raise CommandError(f"--task: {error}") from error
        self._rules()
        self._show()
        while (line := self._ask()) != ":quit":
            if line in COMMANDS or line.startswith(":"):
                self._command(line)
            elif not self.info["stop_reason"]:
                self._step(line)
            else:
                self._say("The episode has ended. :undo takes the last turn back, :quit leaves.", "yellow")
        self._say(f"Turns {self.info['turn']}, reward {self.paid:g}.", "bold")

    def _ask(self) -> str:
        try:
            line = input(f"[{self.info['turn'] + 1}] > ").strip()
        except EOFError:
            self.console.print()
            return ":quit"
        actions = self.info["admissible_actions"] or []
        if line.isdecimal() and 1 <= int(line) <= len(actions):
            line = actions[int(line) - 1]
            self._say(line, "cyan")
        return line

    def _step(self, action: str) -> None:
        self.past.append((self.env.snapshot(), self.paid))
        self.observation, reward, terminated, truncated, self.info = self.env.step(action)
        self.paid += reward
        self._show()
        self._reward(reward)
        if terminated or truncated:
            ended = "The task has ended" if terminated else "The episode was cut off"
            self._say(f"{ended}: {self.info['stop_reason']}. Reward {self.paid:g}. :undo or :quit", "bold")

    def _command(self, line: str) -> None:
        if line == ":undo":
            self._undo()
        elif line == ":hint":
            self._hint()
        elif line == ":actions":
            self._actions(len(self.info["admissible_actions"] or []))
        elif line == ":rules":
            self._rules()
        else:
            if line != ":help":
                self._say(f"There is no command {line!r}. {did_you_mean(line, COMMANDS)}", "yellow")
            for name, what in COMMANDS.items():
                self.console.print(f"  {name:9} {what}", markup=False)

    def _undo(self) -> None:
        if not self.past:
            self._say("There is no turn to take back.", "yellow")
            return
        snapshot, self.paid = self.past.pop()
        self.observation, self.info = self.env.restore(snapshot)
        self._say(f"Back before turn {self.info['turn'] + 1}.", "yellow")
        self._show()

    def _hint(self) -> None:
        call = None if self.info["stop_reason"] else next(iter(self.env.oracle()), None)
        self._say("The oracle has nothing left to do." if call is None else f"The oracle would write: {call}", "green")

    def _rules(self) -> None:
        from rich.panel import Panel
        from rich.text import Text

        body = Text(_printable(self.env.instructions))
        self.console.print(Panel(body, title=f"task {_printable(self.info['task_id'])}", border_style="dim"))
        self._say(f"Commands: {' '.join(COMMANDS)}", "dim")

    def _show(self) -> None:
        style = "" if self.info["is_action_valid"] else "yellow"
        self.console.print()
        self._say(self.observation, style)
        self._actions(MOST_ACTIONS)

    def _actions(self, most: int) -> None:
        actions = self.info["admissible_actions"]
        if actions is None:
            self._say("Actions cannot be listed here; see the tools in :rules.", "dim")
            return
        for number, action in enumerate(actions[:most], start=1):
            self.console.print(f"  {number:>3}  {_printable(action)}", style="cyan", markup=False)
        if len(actions) > most:
            self._say(f"       and {len(actions) - most} more: :actions", "dim")

    def _reward(self, reward: float) -> None:
        terms = ", ".join(f"{name} {value:+g}" for name, value in self.info["reward_terms"].items())
        events = f"  events: {', '.join(sorted(self.info['events']))}" if self.info["events"] else ""
        self._say(f"reward {reward:+g}  ({terms}){events}", "magenta")

    def _say(self, text: str, style: str) -> None:
        self.console.print(_printable(text), style=style, markup=False)


def _printable(text: str) -> str:
    """Text that cannot steer the terminal."""
    from turnwise.view.text import visible

    return visible(text)
