"""A symptom is a script that was run on both versions, and that a report can quote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from swe_projects import write

from turnwise.envs.swe.making.discovery import read_project
from turnwise.envs.swe.making.issues import script, title, write_issue
from turnwise.envs.swe.making.suites import Failure
from turnwise.envs.swe.making.symptoms import Symptom, find_symptoms
from turnwise.envs.swe.making.workplaces import Workplace, open_workplaces
from turnwise.sandboxes.opening import unavailable

BACKEND = "process" if unavailable("bubblewrap") else "bubblewrap"
CORE = """import os
import random
import time


class Box:
    def __init__(self, x):
        self.x = x

    def get(self):
        return self.x


def value(x):
    return x + 1


def text(x):
    return str(x + 1)


def thing(x):
    return Box(x + 1)


def luck(x):
    return random.random() + 1


def environment(x):
    return {**os.environ, "x": str(x + 1)}


def slow(x):
    if x + 1 == 0:
        time.sleep(60)
    return x + 1


def checked(x):
    if x + 1 < 2:
        raise ValueError(f"{x} is too small")
    return x


def refusing(x):
    if -x + 1 > 0:
        raise ValueError(f"{x} is refused")
"""
TESTS = """import pytest

from core import Box, checked, environment, luck, refusing, slow, text, thing, value


def test_value():
    assert value(1) == 2  # here


def test_text():
    assert text(1) == "2"  # here


def test_thing():
    assert thing(1) == Box(2)  # here


def test_getter():
    box = thing(1)
    assert box.get() == 2  # here


def test_luck():
    assert luck(1) < 2  # here


def test_environment():
    assert environment(1)["x"] == "2"  # here


def test_whole_environment():
    assert environment(1) == {}  # here


def test_slow():
    assert slow(1) == 2  # here


def test_refused():
    with pytest.raises(ValueError):  # here
        checked(0)


def test_taken():
    checked(1)  # here


def test_refusing():
    with pytest.raises(ValueError):  # here
        refusing(0)


def test_other_error():
    with pytest.raises(KeyError):  # here
        checked(0)
"""
BROKEN = CORE.replace("x + 1", "x - 1").replace("+ 1", "- 1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    root = write(tmp_path_factory.mktemp("core"), {"core.py": CORE, "test_core.py": TESTS})
    with open_workplaces(read_project(str(root)), BACKEND, 1) as places:
        yield places[0]


def symptoms(place: Workplace, *names: str) -> list[Symptom]:
    lines = TESTS.split("\n")
    failures = {}
    for name in names:
        begin = next(i for i, line in enumerate(lines) if f"def {name}(" in line)
        line = next(i for i in range(begin, len(lines)) if lines[i].endswith("# here")) + 1
        failures[f"test_core.py::{name}"] = Failure("AssertionError", "", line, {}, None)
    return find_symptoms(place, {"core.py": BROKEN.encode()}, failures, list(failures))


def test_a_value(place: Workplace) -> None:
    [found] = symptoms(place, "test_value")
    assert (found.look, found.expected, found.actual, found.callee) == ("value(1)", "2", "0", "value")
    assert title(found) == "`value(1)` gives `0`"
    assert script(found) == "from core import value\n\nprint(value(1))"


def test_text_is_shown_with_its_quotes(place: Workplace) -> None:
    [found] = symptoms(place, "test_text")
    assert (found.expected, script(found).split("\n")[-1]) == ("'2'", "print(repr(text(1)))")


def test_a_method_of_what_was_made(place: Workplace) -> None:
    [found] = symptoms(place, "test_getter")
    assert found.code == ("from core import thing", "box = thing(1)")
    assert (found.look, found.callee) == ("box.get()", "thing.get")


def test_an_error(place: Workplace) -> None:
    [found] = symptoms(place, "test_taken")
    assert (found.expected, found.actual) == ("", "ValueError: 1 is too small")
    assert title(found) == "`checked` raises ValueError"
    assert "Expected: no error\n\nActual: `ValueError: 1 is too small`" in write_issue(place.project, [found])


def test_an_error_that_does_not_come(place: Workplace) -> None:
    [found] = symptoms(place, "test_refusing")
    assert (found.code[-1], found.expected, found.actual) == ("refusing(0)", "ValueError: 0 is refused", "")
    assert title(found) == "`refusing` does not raise ValueError"
    assert "Expected: `ValueError: 0 is refused`\n\nActual: no error" in write_issue(place.project, [found])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("test_luck", "two runs of the original differ"),
        ("test_whole_environment", "it is this machine's"),
        ("test_other_error", "the original does not do what the test expects"),
        ("test_refused", "both versions do the same"),
    ],
)
def test_what_no_report_can_quote_is_no_symptom(place: Workplace, name: str, why: str) -> None:
    assert symptoms(place, name) == [], why


def test_where_a_value_cannot_be_quoted_its_comparison_can(place: Workplace) -> None:
    [found] = symptoms(place, "test_environment")
    assert (found.look, found.expected, found.actual) == ('environment(1)["x"]', "'2'", "'0'")
    assert symptoms(place, "test_thing") == [], "addresses say nothing, and two boxes are never equal"


def test_a_script_that_hangs_is_no_symptom(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnwise.envs.swe.making.symptoms._SECONDS", 0.5)
    assert symptoms(place, "test_slow") == []


def test_the_shortest_comes_first_and_the_same_symptoms_give_the_same_text(place: Workplace) -> None:
    found = symptoms(place, "test_getter", "test_value", "test_taken", "test_luck")
    assert [s.test.split("::")[1] for s in found] == ["test_value", "test_getter", "test_taken"]
    issue = write_issue(place.project, found[:2])
    assert issue == write_issue(place.project, found[:2])
    assert issue.startswith("`value(1)` gives `0`\n\n")
    assert issue.count("```python") == 2
