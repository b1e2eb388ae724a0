"""The tasks that come with the package: pinned, made of the files in `examples/oddments`, and proven again.

They are made by `turnwise swe make examples/oddments --count 30 --out envs/swe/oddments.tasks.json`.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from turnwise.envs.swe.bundled import bundled
from turnwise.envs.swe.making import broken_files, gold_files, visible_files
from turnwise.envs.swe.making.cutting import split_id
from turnwise.envs.swe.making.discovery import read_project
from turnwise.envs.swe.making.workplaces import open_workplaces
from turnwise.envs.swe.mutation import OPERATORS
from turnwise.envs.swe.tasks import Task
from turnwise.envs.swe.testing import run_tests
from turnwise.sandboxes.opening import unavailable

BACKEND = "process" if unavailable("bubblewrap") else "bubblewrap"
SOURCES = Path(__file__).parents[3] / "examples" / "oddments"
TASKS = list(bundled())


def test_the_set_is_pinned() -> None:
    assert bundled().digest() == "1da6d2cf1fb4a84c"
    assert len(TASKS) == 30


def test_its_project_is_the_one_in_the_examples() -> None:
    assert read_project(str(SOURCES)) == bundled().project


def test_it_has_bugs_of_all_kinds() -> None:
    single = Counter(task.operators[0] for task in TASKS if task.bug.count("\n@@ ") == 1)
    assert set(single) == set(OPERATORS)
    assert sum(len(task.operators) > 1 for task in TASKS) >= 2


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task_id)
def test_a_task_keeps_its_secrets(task: Task) -> None:
    project = bundled().project
    seen = visible_files(project, task)
    assert gold_files(project, task) == project.files
    text = b"\n".join(seen.values()).decode()
    for test in task.fail_to_pass:
        path, names = split_id(test)
        assert path in seen, "the hidden tests can be cut out of their files"
        assert f"def {names[-1]}(" not in text
        assert names[-1] not in task.issue
    assert not any(path in task.issue for path in project.files)
    assert not any(operator in task.issue for operator in task.operators if "-" in operator)


def of_each_kind() -> list[Task]:
    """One task of each operator, and one of several functions."""
    kinds: dict[tuple[str, ...], Task] = {}
    for task in TASKS:
        kinds.setdefault(task.operators if len(task.operators) == 1 else ("several",), task)
    return list(kinds.values())


@pytest.mark.parametrize("task", of_each_kind(), ids=lambda task: "+".join(task.operators))
def test_a_task_is_red_with_the_bug_and_green_without(task: Task) -> None:
    project = bundled().project
    tests = (*task.fail_to_pass, *task.pass_to_pass)
    with open_workplaces(project, BACKEND, 1) as [place]:
        for files, failing in ((broken_files(project, task), task.fail_to_pass), (gold_files(project, task), ())):
            run = run_tests(
                place.sandbox, tests, python=place.python, files=files, import_paths=project.import_paths, env=place.env
            )
            assert run.sound
            assert [test for test in tests if not run.passed(test)] == list(failing)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task_id)
def test_the_script_of_an_issue_behaves_as_it_says(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the broken project and on the original, in this process: these are our own files."""
    script = task.issue.split("```python\n")[1].split("```")[0]
    told = {"Expected": gold_files(bundled().project, task), "Actual": broken_files(bundled().project, task)}
    for word, files in told.items():
        root = tmp_path / word
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        with monkeypatch.context() as patched:
            patched.syspath_prepend(str(root / "src"))
            for name in [name for name in sys.modules if name.split(".")[0] == "oddments"]:
                patched.delitem(sys.modules, name)
            try:
                exec(compile(script, "script", "exec"), {"__name__": "script"})
                shown = capsys.readouterr().out.rstrip("\n") or "no error"
            except Exception as error:  # what is raised is what is compared
                shown = f"{type(error).__name__}: {error}"
            for name in [name for name in sys.modules if name.split(".")[0] == "oddments"]:
                del sys.modules[name]
        after = task.issue.split(f"\n{word}:")[1]
        block = after.split("```")[1].strip("\n") if after.startswith("\n") else after.split("\n")[0].strip().strip("`")
        assert shown == block
