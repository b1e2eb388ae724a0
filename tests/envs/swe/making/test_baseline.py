"""Only tests that can be relied on count, and only functions that they reach are broken."""

from __future__ import annotations

from pathlib import Path

from swe_projects import write

from turnwise.envs.swe.making.baseline import Baseline, take_baseline
from turnwise.envs.swe.making.bounds import Bounds
from turnwise.envs.swe.making.candidates import combine, combined_candidates, read_sources, single_candidates
from turnwise.envs.swe.making.discovery import read_project
from turnwise.envs.swe.making.maker import make_tasks
from turnwise.envs.swe.making.workplaces import open_workplaces
from turnwise.envs.swe.mutation import mutations
from turnwise.envs.swe.tasks import Project
from turnwise.sandboxes.opening import unavailable

BACKEND = "process" if unavailable("bubblewrap") else "bubblewrap"
FILES = {
    "state.py": """READY = []


def register(name):
    if name not in READY:
        READY.append(name)
    return name


first = register("first")


def is_ready(name):
    return name in READY


def never(x):
    return x + 1


def apart(x):
    return x - 1
""",
    "test_a.py": "import state\n\n\ndef test_register():\n    assert state.register('a') == 'a'\n",
    "test_b.py": "import state\n\n\ndef test_depends_on_another_file():\n    assert state.is_ready('a')\n",
    "test_c.py": "import state\n\n\ndef test_alone():\n    assert state.is_ready('first')\n"
    "\n\ndef test_apart():\n    assert state.apart(3) == 2\n",
}  # fmt: skip


def baseline_of(project: Project, seed: int) -> Baseline:
    with open_workplaces(project, BACKEND, 1) as [place]:
        return take_baseline(place, Bounds(), seed)


def test_a_test_that_depends_on_the_order_of_the_files_is_left_out(tmp_path: Path) -> None:
    project = read_project(str(write(tmp_path / "state", FILES)))
    baselines = [baseline_of(project, seed) for seed in (0, 1, 2)]
    flaky = "test_b.py::test_depends_on_another_file"
    assert any(baseline.left_out["flaky"] == (flaky,) for baseline in baselines)
    for baseline in baselines:
        assert set(baseline.tests) | set(baseline.left_out["flaky"]) == {
            "test_a.py::test_register", flaky, "test_c.py::test_alone", "test_c.py::test_apart",
        }  # fmt: skip


def test_functions_that_no_test_reaches_or_every_import_are_spared(tmp_path: Path) -> None:
    project = read_project(str(write(tmp_path / "state", FILES)))
    baseline = baseline_of(project, 0)
    sources, unreadable = read_sources(project)
    assert not unreadable
    assert {m.function for m in mutations(sources["state.py"])} == {"register", "is_ready", "never", "apart"}
    singles = list(single_candidates(sources, baseline, seed=3))
    assert {candidate.mutations[0].function for candidate in singles} == {"is_ready", "apart"}
    assert all(candidate.reaching for candidate in singles)

    for whole, parts in combined_candidates(sources, baseline, singles, seed=3):
        assert {mutation.function for mutation in whole.mutations} == {"is_ready", "apart"}
        assert set(whole.reaching) == {test for part in parts for test in part.reaching}
        assert whole == combine(sources, baseline, whole.mutations)


def test_what_can_be_read_elsewhere_is_no_task(tmp_path: Path) -> None:
    function = "def triple_of_a_number(number):\n    return number + number + number\n"
    files = {
        "triple.py": function,
        "docs/triple.txt": "For example:\n\n  " + function.replace("\n", "\n  "),
        "test_triple.py": "from triple import triple_of_a_number\n\n\n"
        "def test_triple():\n    assert triple_of_a_number(2) == 6\n\n\ndef test_nothing():\n    pass\n",
    }  # fmt: skip
    project = read_project(str(write(tmp_path / "triple", files)))
    tasks, tally = make_tasks(project, count=5, backend=BACKEND)
    assert not len(tasks)
    assert set(tally.rejected) == {"the original stands in another file too"}
