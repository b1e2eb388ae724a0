"""The environment as an agent meets it, on every backend; and what holds whatever the backend is."""

from __future__ import annotations

import gc
import logging
import pickle
import re
import threading
from typing import Any

import pytest
from gymnasium.utils.env_checker import check_env
from swe_tasks import CORE, FILES, PROJECT, SUMS, play

from turnwise.envs import ToolCall
from turnwise.envs.swe import SWEEnv, TaskSet
from turnwise.envs.swe.fakes import fake_sandboxes, sources_are_whole
from turnwise.sandboxes import FakeSandbox, Sandbox, SandboxLostError, SandboxUnavailableError, Spec
from turnwise.sandboxes.process import ProcessSandbox

WHOLE = sources_are_whole(PROJECT)


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name, arguments)


def fake_env(commands: dict[str, Any] | None = None, **settings: Any) -> SWEEnv:
    return SWEEnv(tasks=SUMS, split="all", sandbox=fake_sandboxes(WHOLE, commands), **settings)


# Episodes on every backend


@pytest.mark.parametrize("task_id", [task.task_id for task in SUMS])
def test_the_oracle_is_paid_in_full(env: SWEEnv, task_id: str) -> None:
    env.reset(seed=0, options={"task_id": task_id})
    calls = list(env.oracle())
    assert [c.name for c in calls] == ["edit", "submit"]
    observation, reward, info = play(env, calls, task_id)
    assert reward == 1.0
    assert observation == "Submitted. 5 of 5 tests pass."
    assert info["events"] == {"submitted", "passing_patch"}
    terms = dict.fromkeys(
        ("outcome", "submitted", "patched", "resolved", "tests_passed", "fail_to_pass", "pass_to_pass"), 1.0
    )
    assert info["reward_terms"] == {**terms, "level": 3.0, "patch_applies": 1.0}
    assert set(info["privileged"]["test_results"].values()) == {True}


def test_a_patch_that_breaks_something_else_is_not_paid(env: SWEEnv) -> None:
    mend = "sed -i 's/a - b/a + b/; s/return x$/return None/' sums/core.py"
    observation, reward, info = play(env, [call("bash", command=mend), "submit[]"])
    assert reward == 0.0
    assert info["events"] == {"submitted", "failing_patch"}
    terms = info["reward_terms"]
    assert (terms["fail_to_pass"], terms["pass_to_pass"]) == (1.0, 2 / 3)
    assert (terms["tests_passed"], terms["level"], terms["patched"], terms["resolved"]) == (0.8, 2.0, 1.0, 0.0)
    assert observation == "Submitted. 4 of 5 tests pass."


def test_a_patch_that_never_ends_is_not_paid_and_not_waited_for(backend: str) -> None:
    env = SWEEnv(tasks=SUMS, split="all", sandbox=backend, grade_timeout=2.0)
    loop = "sed -i 's/return a - b/while True: pass/' sums/core.py"
    _, reward, info = play(env, [call("bash", command=loop), "submit[]"])
    assert reward == 0.0
    assert info["reward_terms"]["level"] == 2.0
    env.close()


def test_tools_on_a_real_repository(env: SWEEnv) -> None:
    first, _ = env.reset(options={"task_id": "sums-add"})
    assert first.startswith("The sum of 1 and 2 is given as -1.")
    assert "The repository of sums 1.0 is in /work" in first
    assert "python -m pytest -q tests" in first
    shown = [env.step(c)[0] for c in (
        call("bash", command="pwd; ls; echo err >&2; echo out; exit 3"),
        call("bash", command="cd sums; x=1; touch new"),
        call("bash", command="pwd; echo [$x]; rm sums/new"),
        call("bash", command="python -m pytest -q tests"),
        call("view", path="sums/core.py", start=4, end=5),
        call("edit", path="sums/core.py", old="a - b", new="b - a"),
        call("bash", command="python -c 'import sums; print(sums.add(1, 3))'; echo '"),
    )]  # fmt: skip
    assert shown[0] == "/work\nsetup.cfg\nsums\ntests\nerr\nout\n[exit code 3]"
    assert shown[2] == "/work\n[]\n[exit code 0]"
    assert re.search(r"\.\.\. +\[100%\]\n3 passed(, 2 subtests passed)?\n\[exit code 0\]$", shown[3])
    assert shown[4] == "sums/core.py\n     4  def add(a, b):\n     5      return a - b\n[lines 4 to 5 of 17]"
    assert shown[5].startswith(
        "Edited sums/core.py.\n     2  \n     3  \n     4  def add(a, b):\n     5      return b - a"
    )
    assert "unexpected EOF" in shown[6]
    # pytest left nothing behind that would be another state.
    assert env.step(call("bash", command="find . -name '*cache*'"))[0] == "[exit code 0]"


def test_a_command_that_runs_out_of_time_is_told_so(backend: str) -> None:
    env = SWEEnv(tasks=SUMS, split="all", sandbox=backend, command_timeout=0.5)
    observation, _, info = play(env, [call("bash", command="echo begun; sleep 60")])
    assert observation == "begun\n[it ran out of time after 0.5 s, and was killed with all that it had started]"
    assert info["stop_reason"] is None
    env.close()


def test_moments_are_kept_restored_and_cloned(env: SWEEnv) -> None:
    play(env, [call("edit", path="sums/core.py", old="a - b", new="a + b")])
    hash_before, snapshot = env.state_hash(), pickle.loads(pickle.dumps(env.snapshot()))
    twin = env.clone()
    env.step(call("bash", command="rm -rf sums; echo more >/tmp/x"))
    assert env.state_hash() != hash_before
    assert twin.state_hash() == hash_before
    assert twin.step("submit[]")[1] == 1.0
    env.restore(snapshot)
    assert env.state_hash() == hash_before
    other = SWEEnv(tasks=SUMS, split="all", sandbox=env.workshop.sandbox)
    other.reset(options={"task_id": "sums-mean"})
    other.restore(snapshot)
    assert other.state_hash() == hash_before
    assert [one.step("submit[]")[1] for one in (env, other)] == [1.0, 1.0]
    twin.close()
    other.close()


def test_warm_sandboxes_are_as_good_as_new_ones(backend: str) -> None:
    env = SWEEnv(tasks=SUMS, split="all", sandbox=backend, warm=1)
    cold = SWEEnv(tasks=SUMS, split="all", sandbox=backend)
    for task_id in ("sums-add", "sums-mean", "sums-add"):
        _, info = env.reset(options={"task_id": task_id})
        assert info["state_hash"] == cold.reset(options={"task_id": task_id})[1]["state_hash"]
        env.step(call("bash", command="rm -rf tests; touch /tmp/left"))
        twin = env.clone()
        assert twin.state_hash() == env.state_hash()
        twin.close()
    rewards = [env.step(c)[1] for c in list(env.oracle())]
    assert rewards[-1] == 1.0
    other = env.clone()
    for one in (env, cold):
        one.close()
    assert "turnwise-sandbox-pool" in {thread.name for thread in threading.enumerate()}, "another one uses them"
    other.close()
    assert "turnwise-sandbox-pool" not in {thread.name for thread in threading.enumerate()}


def test_the_state_hash_is_of_the_files_alone(env: SWEEnv) -> None:
    _, _, first = play(env, [])
    for command, same in (
        ("cat sums/core.py", True),
        ("python -m pytest -q tests", True),
        ("touch sums/core.py", True),
        ("echo x >/tmp/note", False),
        ("rm /tmp/note", True),
        ("chmod +x sums/core.py", False),
    ):
        info = env.step(call("bash", command=command))[4]
        assert (info["state_hash"] == first["state_hash"]) == same, command


@pytest.mark.parametrize(
    "damage",
    [
        "rm -rf sums", "rm sums/core.py", "echo >>sums/core.py", ">sums/core.py", "chmod -R 000 .",
        "rm -rf sums; ln -s /etc sums", "rm sums/core.py; mkfifo sums/core.py", "rm sums/core.py; mkdir sums/core.py",
        "rm -rf sums; touch sums", "sed -i 's/ - / * /; s/return/return 3 or/' sums/core.py", "touch sums/typing.py",
        "printf 'x\\xff' >>sums/core.py", "sed -i 's/$/\\r/' sums/core.py", "rm -rf ./* ./.??*",
    ],
)  # fmt: skip
def test_the_oracle_goes_on_from_any_state(env: SWEEnv, damage: str) -> None:
    play(env, [call("bash", command=damage)])
    calls = list(env.oracle())
    rewards = [env.step(c)[1] for c in calls]
    assert rewards[-1] == 1.0, calls


def test_nothing_hidden_is_in_the_sandbox(env: SWEEnv) -> None:
    """Neither the hidden tests nor the way out: not in files, processes, variables or the history."""
    env.reset(options={"task_id": "sums-add"})
    look = """
import glob, os
names = glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")
for top in ("work", "tmp", "opt/venv", "etc", "var", "home", "root", "run", "srv", "mnt", "media"):
    for folder, _, files in os.walk("/" + top):
        names += [os.path.join(folder, file) for file in files if "/site-packages/" not in folder]
read = 0
for name in names:
    try:
        data = open(os.open(name, os.O_RDONLY | os.O_NONBLOCK), "rb").read()
    except OSError:
        continue
    read += 1
    for secret in (b"test_" + b"add", b"a + " + b"b", b"sums-" + b"add", b"fail_to_" + b"pass"):
        if secret in data:
            print(name, secret)
print(read > 5)
"""
    observation, *_ = env.step(call("bash", command=f"python3 - <<'END'\n{look}\nEND"))
    assert observation == "True\n[exit code 0]"
    assert env.step(call("bash", command="ls -a / /work | grep -c git"))[0] == "0\n[exit code 1]"


def test_the_unbroken_original_is_not_found(backend: str) -> None:
    """A project whose copies are everywhere on a usual machine: vendored, in wheels, in site-packages."""
    renamed = {path.replace("sums", "more_itertools"): data.replace(b"sums", b"more_itertools")
               for path, data in FILES.items()}  # fmt: skip
    project = PROJECT.__class__("more-itertools", "1", renamed, ("more_itertools",), ("tests",))
    bug = SUMS["sums-add"].bug.replace("sums", "more_itertools")
    task = SUMS["sums-add"].__class__("m", "It fails.", bug, ("tests/test_more_itertools.py::test_first",), ())
    env = SWEEnv(tasks=TaskSet(project, (task,)), split="all", sandbox=backend)
    env.reset()
    look = """
import os, sys, zipfile
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = sorted(set(folders) - {"proc", "sys", "dev"})
    for name in folders + files:
        path = os.path.join(folder, name)
        if "more_itertools" in name and not path.startswith("/work/"):
            print(path)
        if name.endswith((".whl", ".egg", ".zip", ".pyz")) and os.path.isfile(path) and zipfile.is_zipfile(path):
            if any("more_itertools" in inner for inner in zipfile.ZipFile(path).namelist()):
                print(path)
print("searched", flush=True)
for python in ("python", "/usr/bin/python3"):
    os.system(f"cd /; PYTHONPATH= {python} -c 'import more_itertools' 2>&1 | grep -c ModuleNotFoundError")
"""
    observation = env.step(call("bash", command=f"python - <<'END'\n{look}\nEND"))[0]
    env.close()
    assert observation == "searched\n1\n1\n[exit code 0]"


# What holds whatever the backend is


def test_an_episode_against_a_fake_sandbox() -> None:
    env = fake_env({"ls": "sums\n"})
    observation, reward, info = play(env, ["bash[ls]", *_mend(), "submit[]"])
    assert (observation, reward) == ("Submitted. 5 of 5 tests pass.", 1.0)
    _, reward, info = play(env, ["bash[ls]", "submit[]"])
    assert (reward, info["reward_terms"]["level"]) == (0.0, 1.0)
    assert info["events"] == {"submitted", "empty_patch"}
    assert info["reward_terms"]["pass_to_pass"] == 1.0
    env.close()


def _mend() -> list[ToolCall]:
    return [call("edit", path="sums/core.py", old="a - b", new="a + b")]


def test_gymnasiums_checker_passes() -> None:
    check_env(fake_env(render_mode="ansi"), skip_render_check=True)


def test_an_episode_without_submission_is_on_the_lowest_level() -> None:
    _, reward, info = play(fake_env(max_turns=2), ["view[setup.cfg]", "view[setup.cfg]"])
    assert (reward, info["stop_reason"], info["events"]) == (0.0, "max_turns", {"nothing_submitted"})
    assert info["reward_terms"] == dict.fromkeys(("outcome", "level", "submitted", "patched", "resolved"), 0.0)


def test_the_same_submission_is_graded_once() -> None:
    graded = []

    def passes(test: str, files: Any) -> bool:
        graded.append(test)
        return WHOLE(test, files)

    env = SWEEnv(tasks=SUMS, split="all", sandbox=fake_sandboxes(passes))
    assert play(env, [*_mend(), "submit[]"])[1] == 1.0
    first = len(graded)
    assert play(env, [*_mend(), "submit[]"])[1] == 1.0
    assert first == len(graded) > 0
    assert play(env, [call("bash", command="x"), "submit[]"])[1] == 0.0


@pytest.mark.parametrize(
    ("action", "wrong"),
    [
        (call("bash", command=" "), "The command is empty."),
        (call("bash", command="a\0b"), "holds a character that bash cannot take"),
        (call("view", path="no.py"), "no.py: there is no such file."),
        (call("view", path="sums"), "sums: it is a folder; bash with ls shows what is in it."),
        (call("view", path="sums/core.py", start=100), "has 17 lines; there is no line 100"),
        (call("view", path="sums/core.py", start=0), "start must be at least 1"),
        (call("view", path="sums/core.py", start=3, end=2), "end at least start, got 3 and 2"),
        (call("view", path=""), "The empty path: "),
        (call("view", path="a\0b"), "that is no path"),
        (call("edit", path="sums/core.py", old="zzz", new="y"), "The text to replace is not there in sums/core.py."),
        (call("edit", path="sums/core.py", old="return", new="y"), "is there 4 times in sums/core.py. Nothing was"),
        (call("edit", path="sums/core.py", old="a", new="a"), "nothing would change"),
        (call("edit", path="sums/core.py", old="", new="a"), "sums/core.py is there already"),
        (call("edit", path="no.py", old="a", new="b"), "no.py: there is no such file"),
        (call("edit", path="/etc/x", old="", new="b"), "/etc/x: permission denied"),
        (call("edit", path="sums", old="", new="b"), "sums: it is a folder"),
        (call("edit", path="sums/x.py", old="", new="\ud800"), "the text holds a character that cannot be written"),
        (call("edit", path="sums/core.py/x", old="", new="b"), "a part of the path is no folder"),
    ],
)  # fmt: skip
def test_calls_that_make_no_sense_are_refused_in_words(action: ToolCall, wrong: str) -> None:
    env = fake_env()
    _, before = env.reset(options={"task_id": "sums-add"})
    observation, _, _, _, info = env.step(action)
    assert wrong in observation.splitlines()[0]
    assert not info["is_action_valid"]
    assert info["state_hash"] == before["state_hash"]


def test_an_edit_can_create_a_file_and_keeps_bytes_that_are_no_text() -> None:
    env = fake_env()
    env.reset(options={"task_id": "sums-add"})
    env._box.live.write("sums/odd.py", b"x = '\xff'\r\ny = 1\r\n")
    shown = env.step(call("edit", path="sums/odd.py", old="y = 1", new="y = 2"))[0]
    assert shown.startswith("Edited sums/odd.py.")
    assert env._box.live.read("sums/odd.py") == b"x = '\xff'\r\ny = 2\r\n"
    assert env.step(call("edit", path="sums/new.py", old="", new="z = 3\n"))[0] == "Created sums/new.py with 1 lines."
    assert env._box.live.read("/work/sums/new.py") == b"z = 3\n"


def test_long_output_is_cut_in_the_middle() -> None:
    env = fake_env({"long": "first " + "x" * 100_000 + " last"})
    observation = play(env, ["bash[long]"])[0]
    assert observation.startswith("first ")
    assert observation.endswith(" last\n[exit code 0]")
    assert "[… 90,011 characters left out …]" in observation
    assert len(observation) < 11_000


FAULT = SandboxLostError("the daemon at unix:///secret.sock is gone")


@pytest.mark.parametrize("when", ["run", "grade"])
def test_a_fault_of_the_sandbox_truncates_and_is_never_shown(when: str, caplog: pytest.LogCaptureFixture) -> None:
    def open_sandbox(spec: Spec) -> Sandbox:
        fails = ".*" if when == "run" else r".*sys\.stdin.*"
        sandbox = fake_sandboxes(WHOLE)(spec)
        sandbox.commands = {fails: FAULT, **sandbox.commands}
        return sandbox

    env = SWEEnv(tasks=SUMS, split="all", sandbox=open_sandbox)
    with caplog.at_level(logging.WARNING, "turnwise.envs.swe.env"):
        calls = [call("bash", command="x")] if when == "run" else [*_mend(), "submit[]"]
        observation, reward, info = play(env, calls)
    assert (reward, info["stop_reason"]) == (0.0, "sandbox_fault")
    assert "secret" not in observation
    assert "secret.sock is gone" in caplog.text
    assert info["reward_terms"]["submitted"] == 0.0
    observation, _ = env.reset(options={"task_id": "sums-mean"})
    assert observation.startswith("mean([]) fails.")


def test_a_sandbox_that_is_lost_after_a_command_ends_that_turn() -> None:
    def lose(sandbox: FakeSandbox, command: str, stdin: bytes) -> str:
        sandbox.close()
        return "done"

    observation, _, info = play(fake_env({"x": lose}), [call("bash", command="x")])
    assert "done" not in observation
    assert (info["turn"], info["stop_reason"]) == (1, "sandbox_fault")
    assert re.fullmatch("[0-9a-f]{16}", info["state_hash"])


def test_a_sandbox_that_is_lost_between_turns_ends_the_next_one() -> None:
    env = fake_env()
    env.reset()
    env._box.live.close()
    _, _, terminated, truncated, info = env.step(call("bash", command="x"))
    assert (terminated, truncated, info["stop_reason"]) == (False, True, "sandbox_fault")


def test_sandboxes_are_closed_with_their_environment_or_without_it() -> None:
    opened: list[FakeSandbox] = []

    def open_sandbox(spec: Spec) -> Sandbox:
        opened.append(fake_sandboxes(WHOLE)(spec))
        return opened[-1]

    env = SWEEnv(tasks=SUMS, split="all", sandbox=open_sandbox)
    env.reset()
    env.reset()
    twin = env.clone()
    live = [sandbox for sandbox in opened if not sandbox._closed]
    assert len(live) == 1  # and the twin's, which the fake opened by itself
    forked = twin._box.live
    env.close()
    assert live[0]._closed and not forked._closed
    del twin, env
    gc.collect()
    assert forked._closed


def test_a_task_of_another_split_can_be_asked_for() -> None:
    env = fake_env()
    env.reset(options={"task_id": "sums-add"})
    snapshot = env.snapshot()
    other = SWEEnv(tasks=SUMS, split="train", sandbox=env.workshop.sandbox)
    assert "sums-add" not in other.tasks
    other.restore(snapshot)
    assert other.step("submit[]")[4]["task_id"] == "sums-add"


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no split 'dev'"):
        SWEEnv(tasks=SUMS, split="dev")
    with pytest.raises(ValueError, match="command_timeout must be above 0, got 0"):
        SWEEnv(tasks=SUMS, command_timeout=0)
    with pytest.raises(ValueError, match="no sandbox backend 'podman'"):
        SWEEnv(tasks=SUMS, split="all", sandbox="podman").reset()


def test_a_sandbox_without_pytest_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, before the first turn."""
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(SandboxUnavailableError, match=r"no Python that works \('/no/such/python', exit code 127\)"):
        SWEEnv(tasks=SUMS, split="all", sandbox=ProcessSandbox).reset()


def test_the_file_that_the_agent_sees_is_the_broken_one() -> None:
    env = fake_env()
    env.reset(options={"task_id": "sums-add"})
    assert env._box.live.read("sums/core.py") == CORE.replace(b"a + b", b"a - b")
    assert b"test_add" not in env._box.live.read("tests/test_sums.py")
