"""Tasks from a project, end to end: each is proven, told, and hides its tests. Takes a minute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from components import skip_without
from swe_projects import CORE, MODULE, TESTS, full_project, write

from turnwise.envs.swe.diffs import changed_paths
from turnwise.envs.swe.making import broken_files, gold_files, visible_files
from turnwise.envs.swe.making.bounds import Bounds
from turnwise.envs.swe.making.cutting import split_id
from turnwise.envs.swe.making.discovery import read_project
from turnwise.envs.swe.making.loading import ProjectError
from turnwise.envs.swe.making.maker import COMBINED, Tally, make_tasks
from turnwise.envs.swe.making.suites import run_suite
from turnwise.envs.swe.making.workplaces import open_workplaces
from turnwise.envs.swe.tasks import TaskSet
from turnwise.sandboxes.opening import unavailable

# Where there is no bubblewrap: the same, slower, and without isolation.
BACKEND = "process" if unavailable("bubblewrap") else "bubblewrap"
BOUNDS = Bounds(test_seconds=0.3, combined=0.25)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[TaskSet, Tally, list[str]]:
    project = read_project(str(full_project(tmp_path_factory.mktemp("words"))))
    lines: list[str] = []
    tasks, tally = make_tasks(project, count=5, jobs=2, backend=BACKEND, bounds=BOUNDS, report=lines.append)
    return tasks, tally, lines


def test_the_suite_is_read_first(made: tuple[TaskSet, Tally, list[str]]) -> None:
    _, tally, lines = made
    assert tally.baseline is not None
    assert len(tally.baseline.tests) == 9
    assert tally.baseline.left_out["slow"] == ("tests/test_words.py::test_slow",)
    assert sorted(tally.unreadable) == ["src/words/latin.py", "src/words/template.py"]
    assert any("latin.py is not UTF-8" in line for line in lines)
    assert any("template.py is not Python, line 1" in line for line in lines)


def test_tasks_of_one_and_of_several_functions(made: tuple[TaskSet, Tally, list[str]]) -> None:
    tasks, tally, _ = made
    assert len(tasks) == tally.verified.total() >= 4
    assert tally.verified[COMBINED] >= 1
    assert tally.tried.total() == tally.verified.total() + tally.rejected.total()
    assert tally.table().splitlines()[0].split() == ["operator", "candidates", "verified"]


def test_each_task_is_red_and_green(made: tuple[TaskSet, Tally, list[str]]) -> None:
    tasks, _, _ = made
    with open_workplaces(tasks.project, BACKEND, 1) as [place]:
        for task in tasks:
            everything = (*task.fail_to_pass, *task.pass_to_pass)
            broken, gold = broken_files(tasks.project, task), gold_files(tasks.project, task)
            assert gold == tasks.project.files
            assert changed_paths(task.bug) == ("src/words/core.py",)
            for files, red in ((broken, set(task.fail_to_pass)), (gold, set())):
                place.reset()
                run = run_suite(place, ["tests/test_words.py"], files=files, tests=everything)
                assert {test for test in everything if run.outcomes[test] != "passed"} == red


def test_what_an_agent_sees_has_no_hidden_test_and_still_runs(made: tuple[TaskSet, Tally, list[str]]) -> None:
    tasks, _, _ = made
    for task in tasks:
        seen, broken = visible_files(tasks.project, task), broken_files(tasks.project, task)
        assert {path for path in broken if seen.get(path) != broken[path]} == {"tests/test_words.py"}
        names = {split_id(test)[1][-1] for test in task.fail_to_pass}
        assert not any(f"def {name}(".encode() in data for data in seen.values() for name in names)
    with open_workplaces(replace(tasks.project, files=seen), BACKEND, 1) as [place]:
        run = run_suite(place, ["tests/test_words.py"])
    assert run.outcomes
    assert not run.errors


def test_issues_tell_what_fails_and_give_nothing_away(made: tuple[TaskSet, Tally, list[str]]) -> None:
    tasks, _, _ = made
    for task in tasks:
        title, _, rest = task.issue.partition("\n\n")
        assert "\n" not in title
        assert "```python\n" in rest
        assert "\nExpected:" in rest
        assert "\nActual:" in rest
        for secret in (
            "core.py",
            "test_words",
            *task.operators,
            *(split_id(test)[1][-1] for test in task.fail_to_pass),
        ):
            assert secret not in task.issue


def test_the_same_seed_gives_the_same_tasks_whatever_the_jobs(
    made: tuple[TaskSet, Tally, list[str]], tmp_path: Path
) -> None:
    tasks, _, _ = made
    project = read_project(str(full_project(tmp_path)))
    assert project == tasks.project
    again, _ = make_tasks(project, count=2, jobs=1, backend=BACKEND, bounds=replace(BOUNDS, combined=0.0))
    assert len(again) == 2
    assert set(again) <= set(tasks)


def test_a_set_survives_its_file(made: tuple[TaskSet, Tally, list[str]], tmp_path: Path) -> None:
    tasks, _, _ = made
    tasks.save(tmp_path / "words.tasks.json")
    assert TaskSet.load(tmp_path / "words.tasks.json") == tasks
    assert [path.name for path in tmp_path.iterdir()] == ["words.tasks.json"]


def test_a_single_module_gives_what_it_has(tmp_path: Path) -> None:
    project = read_project(str(write(tmp_path / "double", MODULE)))
    tasks, tally = make_tasks(project, count=50, backend=BACKEND)
    [task] = tasks
    assert task.operators == ("arithmetic",)
    assert task.fail_to_pass == ("test_double.py::test_double",)
    assert task.pass_to_pass == ("test_double.py::test_something_else",)
    assert task.issue == (
        "`double(2)` gives `0`\n\nTo reproduce:\n\n"
        "```python\nfrom double import double\n\nprint(double(2))\n```\n\n"
        "Expected: `4`\n\nActual: `0`\n\nVersion: double 0\n"
    )
    assert tally.tried.total() == 1


def test_a_hang_is_no_task(tmp_path: Path) -> None:
    files = {"loop.py": "def up(n):\n    i = 0\n    while i < n:\n        i += 1\n    return i\n"}
    files["test_loop.py"] = (
        "from loop import up\n\n\ndef test_up():\n    assert up(2) == 2\n\n\ndef test_1():\n    assert 1\n"
    )
    project = read_project(str(write(tmp_path / "loop", files)))
    _, tally = make_tasks(project, count=9, backend=BACKEND, bounds=replace(BOUNDS, hang_seconds=0.5))
    assert tally.rejected["a test hangs or fills the memory"] >= 2


def test_a_red_suite_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    files = {"words/__init__.py": "", "words/core.py": CORE}
    red = TESTS.replace("def test_slow():\n    time.sleep(0.5)\n    assert", "def test_red():\n    assert not")
    plain = red.replace("(text)", '(text="b a b c a b")').replace("@pytest.mark.quiet\n", "")
    project = read_project(str(write(tmp_path / "words", {**files, "tests/test_words.py": plain})))
    with pytest.raises(
        ProjectError, match=r"(?s)1 of 10 tests fail.*--skip-red.*test_words.py::test_red: AssertionError"
    ):
        make_tasks(project, count=1, backend=BACKEND, bounds=BOUNDS)
    tasks, tally = make_tasks(project, count=1, backend=BACKEND, bounds=BOUNDS, skip_red=True)
    assert len(tasks) == 1
    assert tally.baseline is not None
    assert tally.baseline.left_out["failed"] == ("tests/test_words.py::test_red",)


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    files = {"old.py": "print 1\n", "test_old.py": "def test_a():\n    pass\n"}
    project = read_project(str(write(tmp_path / "old", files)))
    with pytest.raises(ProjectError, match=r"no source of old can be read: old.py is not Python, line 1"):
        make_tasks(project, count=1, backend=BACKEND)


@pytest.mark.parametrize("backend", ["bubblewrap", "docker"])
def test_each_sandbox_that_isolates_can_run_a_suite(backend: str, tmp_path: Path) -> None:
    skip_without(backend, unavailable(backend))
    project = read_project(str(write(tmp_path / "double", MODULE)))
    with open_workplaces(project, backend, 1) as [place]:
        assert place.sandbox.isolation.network
        assert run_suite(place, ["test_double.py"]).outcomes == dict.fromkeys(
            ["test_double.py::test_double", "test_double.py::test_something_else"], "passed"
        )


def test_auto_isolates(tmp_path: Path) -> None:
    skip_without("bubblewrap", unavailable("bubblewrap"))
    project = read_project(str(write(tmp_path / "double", MODULE)))
    with open_workplaces(project, "auto", 1) as [place]:
        assert place.sandbox.backend == "bubblewrap"


def test_what_the_docker_image_lacks_is_told(tmp_path: Path) -> None:
    project = replace(read_project(str(write(tmp_path / "double", MODULE))), requires=("hypothesis",))
    with pytest.raises(ProjectError, match="and the tests need hypothesis"), open_workplaces(project, "docker", 1):
        pass
