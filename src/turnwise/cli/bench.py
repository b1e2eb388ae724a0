"""`turnwise bench credit`: how well each credit method's numbers agree with the true advantage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnwise.cli import errors

if TYPE_CHECKING:
    from turnwise.agents.stand_ins import Case

bench = typer.Typer(help="Measure what the library computes.", no_args_is_help=True)

FIDELITY_CSV = Path("runs/credit/fidelity.csv")
"""Where figures are written, and where `turnwise methods --card` looks for them."""


def credit(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer tasks and rollouts: under two minutes.")] = False,
    group_sizes: Annotated[str, typer.Option(help="Rollouts in a group, separated by commas.")] = "4,8,16",
    method: Annotated[list[str] | None, typer.Option("--method", "-m", help="Only this one; repeatable.")] = None,
    family: Annotated[list[str] | None, typer.Option("--family", help="Only this one; repeatable.")] = None,
    webshop: Annotated[
        bool, typer.Option("--webshop", help="On WebShop too, with truth by Monte Carlo from snapshots; minutes.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the table and the figure.")
    ] = FIDELITY_CSV.parent,
) -> None:
    """Measure credit methods against the true advantage in small MDPs that are solved exactly.

    Prints sign accuracy and rank correlation, writes every figure to fidelity.csv and fidelity.md, and a heat map to
    fidelity.svg where matplotlib is installed.

    [bold]Example:[/bold] turnwise bench credit --quick
    """
    from rich.console import Console

    from turnwise.agents.fidelity import QUICK, Setting, run_fidelity
    from turnwise.rewards.credit import METHODS

    for name in method or ():
        if name not in METHODS:
            raise errors.CommandError(f"there is no method {name!r}. {errors.did_you_mean(name, METHODS)}")
    setting = replace(QUICK if quick else Setting(), group_sizes=_sizes(group_sizes))
    console = Console()
    with console.status("measuring") as status:
        report = run_fidelity(
            families=family,
            methods=method,
            setting=setting,
            extra=_webshop() if webshop else None,
            progress=lambda name: status.update(f"measuring: {name}"),
        )
    out.mkdir(parents=True, exist_ok=True)
    report.to_csv(out / FIDELITY_CSV.name)
    (out / "fidelity.md").write_text(report.table() + "\n", encoding="utf-8")
    written = [FIDELITY_CSV.name, "fidelity.md"]
    try:
        report.figure(out / "fidelity.svg")
        written.append("fidelity.svg")
    except ImportError as error:
        console.print(f"No figure: {error}", highlight=False)
    for metric, title in (("sign_accuracy", "Sign accuracy (a coin: 0.5)"), ("spearman", "Rank correlation")):
        console.print(f"\n{title}\n{report.summary(metric)}", highlight=False, soft_wrap=True)
    console.print("\n" + "\n".join(report.weak_spots()), highlight=False, soft_wrap=True)
    console.print(f"\n{report.setting}. Written to {out}: {', '.join(written)}", highlight=False, soft_wrap=True)


def _webshop() -> dict[str, Callable[[int, int], Case]]:
    """Eight tasks, played by an oracle that errs three times in ten; 48 rollouts from each state tell its value."""
    import gymnasium as gym

    from turnwise.agents.epsilon_oracle import EpsilonOraclePolicy
    from turnwise.agents.monte_carlo import monte_carlo_cases

    milestones = {"goal_item_opened", "goal_option_chosen"}
    env = gym.make("turnwise/WebShop-v0")
    return {
        "WebShop": monte_carlo_cases(
            env,
            EpsilonOraclePolicy(0.3),
            tasks=8,
            rollouts=48,
            bonus=lambda info: float(bool(milestones & info["events"])),
        )
    }


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 2:
        raise errors.CommandError(f"--group-sizes must be numbers of at least 2, such as 4,8,16; got {text!r}")
    return sizes


bench.command()(errors.reported(credit))


@bench.callback()
def _options() -> None:
    """Keep `bench` a group of commands while it has one."""
