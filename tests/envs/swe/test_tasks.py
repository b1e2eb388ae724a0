"""Sets of tasks and their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnwise.envs.swe.tasks import Project, Task, TaskSet, under

PROJECT = Project("p", "1.0", {"p.py": "x = 'ü'\n".encode(), "logo.png": b"\x89PNG\xff"}, ("p.py",), ("test_p.py",))
TASK = Task("p-1", "x is wrong", "diff", ("test_p.py::test_x[é]",), (), ("comparison",))
TASKS = TaskSet(PROJECT, (TASK,))


def test_a_file_gives_back_the_same_set(tmp_path: Path) -> None:
    TASKS.save(tmp_path / "p.tasks.json")
    assert TaskSet.load(tmp_path / "p.tasks.json") == TASKS
    assert TaskSet.load(tmp_path / "p.tasks.json").digest() == TASKS.digest()
    assert "ü" in (tmp_path / "p.tasks.json").read_text("utf-8"), "text is readable in the file"


def test_a_set_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "p.tasks.json"
    TASKS.save(path)
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        TaskSet(PROJECT, (Task("p-1", "\ud800", "", (), ()),)).save(path)
    assert path.read_bytes() == before


def test_tasks_are_found_by_their_id() -> None:
    assert TASKS["p-1"] is TASK
    with pytest.raises(KeyError, match="p-2"):
        TASKS["p-2"]
    with pytest.raises(ValueError, match="the task ids of p are not unique"):
        TaskSet(PROJECT, (TASK, TASK))


def test_the_digest_sees_everything() -> None:
    others = [
        TaskSet(PROJECT, ()),
        TaskSet(PROJECT, (Task("p-1", "x is wrong!", "diff", TASK.fail_to_pass, (), ("comparison",)),)),
        TaskSet(Project("p", "1.0", {**PROJECT.files, "p.py": b""}, ("p.py",), ("test_p.py",)), (TASK,)),
    ]
    assert len({TASKS.digest(), *(other.digest() for other in others)}) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1", "Expecting"),
        ("{}", "a task set has format 1, this one None"),
        ('{"format": 1}', "not a task set: 'project'"),
        ('{"format": 1, "project": {"name": "p"}, "tasks": []}', "not a task set: 'files'"),
        (json.dumps({**TASKS.to_json(), "tasks": [{"task_id": "x"}]}), "not a task set"),
    ],
)
def test_what_is_no_set_says_why_and_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.tasks.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.tasks\.json': ") as caught:
        TaskSet.load(tmp_path / "x.tasks.json")
    assert message in str(caught.value)


def test_under() -> None:
    assert under("pkg/a.py", ["pkg"])
    assert under("pkg", ["pkg"])
    assert not under("pkgs/a.py", ["pkg"])
    assert under("anything", ["."])
