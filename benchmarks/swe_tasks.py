"""How many tasks real libraries give, and how long it takes: `turnwise swe make` on source archives from PyPI.

    pip download --no-binary :all: --no-deps toolz==1.2.0 boltons==26.2.0 more-itertools==11.2.1
    python benchmarks/swe_tasks.py toolz-1.2.0.tar.gz boltons-26.2.0.tar.gz more_itertools-11.2.1.tar.gz

For each archive it makes a set, writes it to `runs/swe_tasks/`, and prints a row: the tests of the original suite that
can be relied on, candidates tried, tasks verified, how many of each operator, minutes, and the set's digest. The sets
are not kept in the repository: they hold the libraries' files. `--skip-red` is for toolz, one of whose tests asks for
the version of the installed distribution. (sortedcontainers ships no tests in its archive.)
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from turnwise.envs.swe.making.discovery import read_project
from turnwise.envs.swe.making.maker import COMBINED, Tally, make_tasks
from turnwise.envs.swe.mutation import OPERATORS
from turnwise.envs.swe.tasks import SUFFIX, TaskSet

KINDS = (*OPERATORS, COMBINED)
FOLDER = Path("runs/swe_tasks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archives", nargs="+", help="source archives or folders")
    parser.add_argument("--count", type=int, default=110)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sandbox", default="auto")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    for archive in options.archives:
        started = time.monotonic()
        project = read_project(archive)
        tasks, tally = make_tasks(
            project,
            count=options.count,
            seed=options.seed,
            jobs=options.jobs,
            backend=options.sandbox,
            skip_red=True,
            report=print,
        )
        tasks.save(FOLDER / f"{project.name}{SUFFIX}")
        minutes = (time.monotonic() - started) / 60
        print(f"\n{tally.table()}\n")
        rows.append(row(tasks, tally, minutes))
    print("\n".join([*head(), *rows]))


def head() -> list[str]:
    """The first two lines of the table."""
    columns = ["library", "tests", "candidates", "verified", *KINDS, "minutes", "digest"]
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def row(tasks: TaskSet, tally: Tally, minutes: float) -> str:
    """A library's line of the table."""
    baseline = tally.baseline
    cells: list[object] = [f"{tasks.project.name} {tasks.project.version}", len(baseline.tests) if baseline else 0]
    cells += [
        tally.tried.total(),
        len(tasks),
        *(tally.verified[kind] for kind in KINDS),
        f"{minutes:.0f}",
        tasks.digest(),
    ]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
