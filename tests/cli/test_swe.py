"""`turnwise swe make` and `turnwise swe show`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from swe_projects import CORE, MODULE, write
from typer.testing import Result

from turnwise.envs.swe.tasks import TaskSet
from turnwise.sandboxes.opening import unavailable

Turnwise = Callable[..., Result]
SANDBOX = "process" if unavailable("bubblewrap") else "bubblewrap"


def test_make_writes_a_set_and_show_reads_it(turnwise: Turnwise, workplace: Path) -> None:
    write(workplace / "double-1.5", MODULE)
    made = turnwise("swe", "make", "double-1.5", "--count", 3, "--jobs", 1, "--sandbox", SANDBOX)
    assert made.exit_code == 0, made.output
    assert "double 1.5: sources double.py, tests test_double.py" in made.output
    assert "2 tests to rely on" in made.output
    assert "arithmetic                     1         1" in made.output
    tasks = TaskSet.load(workplace / "double.tasks.json")
    assert re.search(rf"1 task in \d+\.\d minutes, digest {tasks.digest()}: double.tasks.json", made.output)

    listed = turnwise("swe", "show", "double.tasks.json")
    assert "double 1.5, 1 task, digest" in listed.output
    assert "1 + 1   tests  `double(2)` gives `0`" in listed.output
    task_id = next(iter(tasks)).task_id
    shown = turnwise("swe", "show", "double.tasks.json", task_id[:9])
    assert task_id in shown.output
    assert "print(double(2))" in shown.output
    assert "test_double" not in shown.output
    solved = turnwise("swe", "show", "double.tasks.json", task_id, "--gold")
    assert "How it was made: arithmetic" in solved.output
    assert "-    return x - x\n+    return x + x\n" in solved.output


BAD = {
    "untested/words.py": CORE,
    "red/words.py": CORE,
    "red/test_words.py": "def test_red():\n    assert 1 == 2\n",
    "hanging/words.py": CORE,
    "hanging/test_words.py": "import not_installed_anywhere\n",
    "dull/words.py": "def f(x):\n    return x\n",
    "dull/test_words.py": "from words import f\n\n\ndef test_f():\n    assert f(1) == 1\n",
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["make", "nowhere"], "there is no folder, archive or installed distribution 'nowhere'"),
        (["make", "untested"], "'untested' has no pytest suite"),
        (["make", "red", "--sandbox", SANDBOX], "test_words.py::test_red: AssertionError: assert 1 == 2"),
        (["make", "hanging", "--sandbox", SANDBOX], "need not_installed_anywhere, which is not installed here"),
        (["make", "dull", "--sandbox", SANDBOX], "no bug in dull became a task, so no file was written"),
        (["make", "dull", "--sources", "x"], "there is no 'x' in 'dull'"),
        (["make", "dull", "--with", "no-such-thing"], "'no-such-thing' is not installed here"),
        (["make", "dull", "--sandbox", "chroot"], "--sandbox must be one of auto, bubblewrap, docker, process"),
        (["make", "dull", "--out", "no/folder.json"], "--out: there is no folder 'no'"),
        (["show", "nowhere.json"], "There is no file 'nowhere.json'. Make one with: turnwise swe make"),
        (["show", "dull/words.py"], "'dull/words.py': "),
    ],
)
def test_mistakes_are_told(turnwise: Turnwise, workplace: Path, arguments: list[str], message: str) -> None:
    write(workplace, BAD)
    result = turnwise("swe", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not list(workplace.rglob("*.tasks.json*"))


def test_show_finds_a_task_or_says_which_there_are(turnwise: Turnwise) -> None:
    from turnwise.envs.swe.bundled import FILE, bundled

    first = next(iter(bundled())).task_id
    assert "Did you mean" in turnwise("swe", "show", FILE, first[:-1] + "?").output
    many = turnwise("swe", "show", FILE, "oddments")
    assert many.exit_code == 2
    assert "is the beginning of" in many.output
