"""SWE-bench instances: their files, their images' names, and an episode in an image of the same shape."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from components import skip_without
from swe_tasks import CORE, FILES, SUMS, TESTS, play

from turnwise.envs import ToolCall
from turnwise.envs.swe import SWEEnv
from turnwise.envs.swe.diffs import make_diff
from turnwise.envs.swe.swe_bench import InstanceTasks, holds_instances, image_name, read_instances
from turnwise.sandboxes import Completed, FakeSandbox, Sandbox, SandboxError, Spec
from turnwise.sandboxes.images import default_image
from turnwise.sandboxes.opening import unavailable

BROKEN = {**FILES, "sums/core.py": CORE.replace(b"a + b", b"a - b")}
OLD_TESTS = TESTS.replace(b"assert add(a, 2) == a + 2", b"assert add(a, 0) == a")
AT_BASE = {**BROKEN, "tests/test_sums.py": OLD_TESTS}
ADD = SUMS["sums-add"]
RECORD: dict[str, Any] = {
    "instance_id": "someone__sums-1",
    "repo": "someone/sums",
    "base_commit": "0" * 40,
    "version": "1.0",
    "problem_statement": "Sums are wrong.",
    "hints_text": "Look at add.",
    "patch": make_diff({"sums/core.py": BROKEN["sums/core.py"]}, {"sums/core.py": CORE}),
    "test_patch": make_diff({"tests/test_sums.py": OLD_TESTS}, {"tests/test_sums.py": TESTS}),
    "FAIL_TO_PASS": json.dumps(ADD.fail_to_pass),
    "PASS_TO_PASS": list(ADD.pass_to_pass),
    "environment_setup_commit": "f" * 40,
}


def write(path: Path, *records: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def packed(files: dict[str, bytes]) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in {**files, "../outside": b"x"}.items():
            member = tarfile.TarInfo(f"./{path}")
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return base64.b64encode(buffer.getvalue()).decode()


def open_fake(image: str) -> Sandbox:
    return FakeSandbox(Spec(image=image), {"set -o pipefail; cd /testbed && tar .*": packed(AT_BASE)})


@pytest.mark.parametrize("form", ["lines", "array"])
def test_instances_are_read_in_both_forms(tmp_path: Path, form: str) -> None:
    path = tmp_path / ("instances.jsonl" if form == "lines" else "instances.json")
    path.write_text(json.dumps(RECORD) + "\n\n" if form == "lines" else json.dumps([RECORD], indent=2))
    assert holds_instances(str(path))
    (instance,) = read_instances(str(path))
    assert instance.instance_id == "someone__sums-1"
    assert (instance.fail_to_pass, instance.pass_to_pass) == (ADD.fail_to_pass, ADD.pass_to_pass)
    assert (instance.version, instance.hints_text) == ("1.0", "Look at add.")


def test_a_task_set_is_told_from_instances(tmp_path: Path) -> None:
    SUMS.save(tmp_path / "sums.tasks.json")
    assert not holds_instances(str(tmp_path / "sums.tasks.json"))


def test_lines_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "instances.jsonl"
    path.write_text(json.dumps(RECORD) + "\nno json\n")
    reading = read_instances(str(path))
    assert next(reading).instance_id == "someone__sums-1"
    with pytest.raises(ValueError, match=r"instances.jsonl', line 2: no JSON"):
        next(reading)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"patch": None}, "line 1: patch must be a text, got None"),
        ({"FAIL_TO_PASS": "[1"}, "line 1: FAIL_TO_PASS holds no JSON"),
        ({"PASS_TO_PASS": [1]}, r"line 1: PASS_TO_PASS must be a list of test ids, or one in a text, got \[1\]"),
        ({"FAIL_TO_PASS": ["test_x (app.tests.Case)"]}, "none of the 1 instances has tests that are pytest node ids"),
    ],
)
def test_what_is_wrong_is_said_with_the_place(tmp_path: Path, change: dict[str, Any], wrong: str) -> None:
    path = write(tmp_path / "instances.jsonl", {**RECORD, **change})
    with pytest.raises(ValueError, match=wrong) as caught:
        InstanceTasks.load(path, open_fake)
    assert path in str(caught.value)


def test_an_instance_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="an instance_id is there more than once"):
        InstanceTasks.load(write(tmp_path / "i.jsonl", RECORD, RECORD), open_fake)


def test_images_are_named_as_they_are_published_or_as_you_say() -> None:
    assert image_name("A__b-1") == "swebench/sweb.eval.x86_64.a_1776_b-1:latest"
    assert image_name("A__b-1", "x/{instance_id}:{name}") == "x/A__b-1:a_1776_b-1"
    assert image_name("A__b-1", lambda instance: instance[::-1]) == "1-b__A"
    with pytest.raises(ValueError, match=r"image='x/\{repo\}' must be a format string"):
        image_name("A__b-1", "x/{repo}")


def test_an_instance_becomes_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "cache"))
    other = {**RECORD, "instance_id": "d", "FAIL_TO_PASS": ["test_x (app.Case)"]}
    tasks = InstanceTasks.load(write(tmp_path / "instances.jsonl", RECORD, other), open_fake)
    assert (tasks.task_ids, tasks.left_out) == (("someone__sums-1",), ("d",))
    task = tasks.assignment("someone__sums-1")
    assert tasks.assignment("someone__sums-1") is task
    assert (task.workdir, task.image) == ("/testbed", "swebench/sweb.eval.x86_64.someone_1776_sums-1:latest")
    assert dict(task.hidden) == {"tests/test_sums.py": TESTS}
    assert dict(task.gold) == {"sums/core.py": CORE}
    assert dict(task.test_files) == {"tests/test_sums.py": TESTS}
    assert set(task.start) == {"sums/__init__.py", "sums/core.py"}
    assert sorted(p.name for p in task.folder().rglob("*") if p.is_file()) == sorted(p.split("/")[-1] for p in AT_BASE)
    assert not (task.folder().parent / "outside").exists()
    # It is copied once.
    again = InstanceTasks.load(str(tmp_path / "instances.jsonl"), lambda image: pytest.fail("opened again"))
    assert again.assignment("someone__sums-1").folder() == task.folder()


def test_an_image_without_a_repository_is_a_fault_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "cache"))
    empty = {".*": Completed(1, "", "cd: /testbed: No such file or directory")}
    tasks = InstanceTasks.load(write(tmp_path / "i.jsonl", RECORD), lambda image: FakeSandbox(commands=empty))
    with pytest.raises(SandboxError, match=r"/testbed cannot be copied out of the image 'swebench/.*No such file"):
        tasks.assignment("someone__sums-1")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tiny image in the shape of the published ones, made of the default one: /testbed with a history, and Python."""
    skip_without("docker", unavailable("docker"))
    context = tmp_path_factory.mktemp("image")
    for path, data in {**AT_BASE, ".git/packed": CORE}.items():
        (context / "testbed" / path).parent.mkdir(parents=True, exist_ok=True)
        (context / "testbed" / path).write_bytes(data)
    (context / "bin").mkdir()
    (context / "bin/python").symlink_to("/usr/bin/python3")
    tag = f"turnwise-test/{uuid.uuid4().hex}:someone__sums-1"
    (context / "Dockerfile").write_text(
        f"FROM {default_image()}\nCOPY testbed /testbed\nCOPY bin /opt/miniconda3/envs/testbed/bin\n"
    )
    environment = {"DOCKER_BUILDKIT": "0", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    subprocess.run(["docker", "build", "-q", "-t", tag, str(context)], check=True, capture_output=True, env=environment)
    yield tag.replace("someone__sums-1", "{instance_id}")
    subprocess.run(["docker", "rmi", "-f", tag], check=True, capture_output=True)


@pytest.fixture
def bench(image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SWEEnv]:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path / "instances.jsonl", RECORD)
    env = SWEEnv(tasks=path, split="all", sandbox="docker", image=image)
    yield env
    env.close()


def test_an_episode_in_an_image(bench: SWEEnv) -> None:
    first, _ = bench.reset(seed=0)
    assert first.startswith("Sums are wrong.\n\nThe repository of someone/sums 1.0 is in /testbed")
    calls = list(bench.oracle())
    assert play(bench, calls, "someone__sums-1")[1] == 1.0
    look = ToolCall("bash", {"command": "ls -a; find / -name packed -not -path '/proc/*' 2>/dev/null; which python"})
    _, reward, info = play(bench, [look, "submit[]"], "someone__sums-1")
    assert (reward, info["reward_terms"]["level"]) == (0.0, 1.0)
    bench.reset()
    shown = bench.step(look)[0]
    assert ".git" not in shown and "packed" not in shown
    assert "/opt/miniconda3/envs/testbed/bin/python" in shown


def test_tests_are_put_back_in_an_image(bench: SWEEnv) -> None:
    cheat = ToolCall("bash", {"command": "echo 'def test_add(): pass' >tests/test_sums.py; echo >>sums/core.py"})
    _, reward, info = play(bench, [cheat, "submit[]"], "someone__sums-1")
    assert (reward, info["events"]) == (0.0, {"submitted", "failing_patch"})
