"""`turnwise/SWE-v0`: find the fault that an issue describes, put it right, and submit; hidden tests decide."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar

from turnwise.envs.core import Snapshot, ToolCall, TurnEnv, tool
from turnwise.envs.swe import oracle, workshop, workspace
from turnwise.envs.swe.assignments import Assignment, Changes
from turnwise.envs.swe.grades import GRADES, digest_of
from turnwise.envs.swe.grading import LEVELS, grade
from turnwise.envs.swe.task_lists import SPLITS, open_tasks, split_tasks
from turnwise.envs.swe.tasks import TaskSet
from turnwise.envs.swe.testing import TestRun, run_tests
from turnwise.envs.swe.workshop import OpenSandbox, Workshop
from turnwise.sandboxes import Files, Limits, Sandbox, SandboxClosedError, SandboxError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SWEState:
    """A saved moment: the sandbox's files, and what came of the submission."""

    files: Files | None
    results: tuple[tuple[str, bool], ...] = ()


class SWEEnv(TurnEnv):
    """Software engineering in a sandbox: a repository, an issue, and tests that the agent does not see.

    The agent reads, edits and runs what it likes. `submit` ends the episode: the changes to the project's sources are
    read back, put into a fresh sandbox with the whole tests, and pay 1 if every test that the bug broke and every test
    that it did not break passes, else 0. Nothing else that the agent did counts.

    `reward_terms` of the last turn: the milestones `submitted`, `patched` (the patch is not empty) and `resolved`;
    `level`, 0 to 3 for nothing submitted, empty, failing and passing patch, which are also events; `tests_passed`,
    `fail_to_pass` and `pass_to_pass`, shares of tests; `patch_applies`.

    A fault of the sandbox is no turn of the agent's: it truncates the episode with the stop reason `sandbox_fault`. In
    what commands print, pytest's seconds and the addresses of objects are left out, for they differ from run to run.

    Args:
        tasks: None for the tasks that come with the package; a `TaskSet`, or a file that holds one; or a file of
            SWE-bench instances (JSON or JSON Lines), which need Docker and their images.
        split: `train`, `val`, `test`, `panel` (a frozen part of `test`) or `all`.
        sandbox: `auto`, `docker`, `bubblewrap`, `process` (no isolation), or a function that opens one for a `Spec`.
        limits: What a sandbox may use; default `Limits()`.
        require: What it must enforce, see `open_sandbox`.
        image: The image to work in: a name, a format string with `{instance_id}`, or a function of the task id. It must
            have Python, pytest, and what the project requires. Default: the backend's usual one, or for SWE-bench the
            published one. bubblewrap: a folder that holds a root file system.
        warm: How many sandboxes of a task to keep open beforehand, for all environments of the process. It pays
            where one is slow to open, as with Docker, and episodes of the same task follow upon each other.
        command_timeout: Seconds for one command.
        grade_timeout: Seconds for the hidden tests, all together.
        max_turns: Default 30.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/SWE-v0", sandbox="process", split="all")
    >>> observation, info = env.reset(seed=0)
    >>> for call in list(env.unwrapped.oracle()):
    ...     observation, reward, terminated, truncated, info = env.step(call)
    >>> reward, info["reward_terms"]["resolved"], info["stop_reason"]
    (1.0, 1.0, 'completed')
    >>> env.close()
    """

    rules = (
        "You are a software engineer. A repository has a fault, which an issue describes. Find it in the sources, put "
        "it right, and submit. Hidden tests then check that what was broken works and that nothing else broke. Only "
        "changes to the project's sources count; tests and configuration are put back before grading. Each command "
        "begins in a new shell in the repository's folder: only files last from one to the next. There is no network."
    )
    default_max_turns: ClassVar[int] = 30
    parallel_tool_calls: ClassVar[bool] = False
    privileged_keys: ClassVar[frozenset[str]] = frozenset(
        {"answer", "fail_to_pass", "pass_to_pass", "operators", "test_results"}
    )
    secret_keys: ClassVar[frozenset[str]] = frozenset({"answer", "fail_to_pass"})
    milestones: ClassVar[Mapping[str, str]] = {
        "submitted": "completion",
        "patched": "modification",
        "resolved": "resolution",
    }
    splits: ClassVar[tuple[str, ...]] = SPLITS

    def __init__(
        self,
        *,
        tasks: TaskSet | str | PathLike[str] | None = None,
        split: str = "train",
        sandbox: str | OpenSandbox = "auto",
        limits: Limits | None = None,
        require: Sequence[str] | None = None,
        image: str | Callable[[str], str] | None = None,
        warm: int = 0,
        command_timeout: float = 60.0,
        grade_timeout: float = 120.0,
        max_turns: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(max_turns=max_turns, render_mode=render_mode)
        for name, seconds in (("command_timeout", command_timeout), ("grade_timeout", grade_timeout)):
            if seconds <= 0:
                raise ValueError(f"{name} must be above 0, got {seconds}")
        if warm < 0:
            raise ValueError(f"warm must be at least 0, got {warm}")
        self.workshop = Workshop(sandbox, limits or Limits(), None if require is None else tuple(require), warm)
        self.split = split
        self.command_timeout = command_timeout
        self.grade_timeout = grade_timeout
        self._list = open_tasks(tasks, self.workshop.open_image, image)
        self._every = frozenset(self._list.task_ids)
        self._tasks = split_tasks(self._list.task_ids, split)
        self._task: Assignment | None = None
        self._box = _Box()
        self._results: tuple[tuple[str, bool], ...] = ()
        self._digest: str | None = None

    # What an episode begins with

    @property
    def tasks(self) -> Sequence[str]:
        """The split's task ids."""
        return self._tasks

    def has_task(self, task_id: str) -> bool:
        """Whether there is such a task, in any split."""
        return task_id in self._every

    def begin(self, task_id: str) -> str:
        """Open a sandbox with the repository, and state the issue."""
        self._task = self._list.assignment(task_id)
        self._results, self._digest = (), None
        self._box.put(None)
        self._box.put(self.workshop.open(self._task, self._box))
        return self._introduction()

    def close(self) -> None:
        """Close the sandbox, and the warm ones if no other environment uses them."""
        self._box.put(None)
        workshop.leave(self._box)
        super().close()

    # What the agent can do

    @tool
    def bash(self, command: str) -> str:
        """Run a bash command in the repository's folder, in a new shell, and get what it prints and its exit code.

        Args:
            command: For example: grep -rn "def parse" src
        """
        return self._use(self._run, command)

    @tool
    def view(self, path: str, start: int = 1, end: int | None = None) -> str:
        """Look at the lines of a file, numbered, at most 200 of them.

        Args:
            path: Relative to the repository's folder, or absolute.
            start: The first line, counted from 1.
            end: The last line.
        """
        return self._use(workspace.view_file, path, start, end)

    @tool
    def edit(self, path: str, old: str, new: str) -> str:
        """Replace a text that is in a file exactly once. An empty old text creates a new file.

        Args:
            path: Relative to the repository's folder, or absolute.
            old: The text as it is now, with enough lines around it to be found once.
            new: What is to stand in its place.
        """
        self._digest = None
        return self._use(workspace.edit_file, path, old, new)

    @tool
    def submit(self) -> str:
        """Hand in the changes to the sources. This ends the task."""
        return self._use(self._submit)

    # What rewards and forking need

    def privileged(self) -> dict[str, Any]:
        """The gold patch, the hidden tests, and, once graded, which of them passed."""
        task = self._assignment
        return {
            "answer": task.gold_patch,
            "fail_to_pass": list(task.fail_to_pass),
            "pass_to_pass": list(task.pass_to_pass),
            "operators": list(task.operators),
            "test_results": dict(self._results),
        }

    def state_key(self) -> str:
        """The digest of the sandbox's files, taken once after each change, and what came of the tests."""
        if self._digest is None:
            try:
                self._digest = self._box.live.digest()
            except SandboxError:  # the next turn ends the episode
                self._digest = "lost"
        return f"{self._digest}\0{sorted(self._results)}"

    def save_state(self) -> SWEState:
        """The sandbox's files.

        Raises:
            SandboxError: The sandbox itself failed.
        """
        sandbox = self._box.sandbox
        return SWEState(None if sandbox is None else sandbox.snapshot(), self._results)

    def load_state(self, saved: SWEState) -> None:
        """Put files into the sandbox, in a new one where the present one is another task's.

        Raises:
            SandboxError: The sandbox itself failed.
        """
        self._results, self._digest = saved.results, None
        if not self._task_id:
            return
        task = self._list.assignment(self._task_id)
        if saved.files is not None:
            if self._box.sandbox is None or task is not self._task:
                self._box.put(self.workshop.open(task, self._box))
            self._box.live.restore(saved.files)
            self._digest = saved.files.digest
        self._task = task

    def clone(self) -> TurnEnv:
        """An independent environment in the same moment, with a fork of the sandbox.

        Raises:
            SandboxError: The sandbox itself failed.
        """
        twin = copy.copy(self)
        twin._np_random = None
        twin._box = _Box()
        if self._box.sandbox is not None:
            twin._box.put(self.workshop.fork(self._box.sandbox, self._assignment, twin._box))
        moment = Snapshot(
            env=type(self).__name__,
            task_id=self._task_id,
            turn=self._turn,
            ended=self._ended,
            observation=self._observation,
            rng=copy.deepcopy(self.np_random.bit_generator.state),
            state=SWEState(None, self._results),
        )
        twin.restore(moment)
        return twin

    def oracle(self) -> Iterator[ToolCall]:
        """Calls that put the gold patch in place, whatever the sources are now, and submit.

        Raises:
            SandboxError: The sandbox itself failed.
        """
        task, sandbox = self._assignment, self._box.live
        collected = workspace.collect_changes(sandbox, task, self.workshop.python(task))
        yield from oracle.plan(task, collected, sandbox.workdir)
        yield ToolCall("submit", {})

    # Inside

    @property
    def _assignment(self) -> Assignment:
        assert self._task is not None, "call reset() first"
        return self._task

    def truncate(self, stop_reason: str) -> None:
        """End the episode for a reason outside the task: nothing was submitted."""
        super().truncate(stop_reason)
        self.record(LEVELS[0], level=0.0, submitted=0.0, patched=0.0, resolved=0.0)

    def _use(self, act: Callable[..., str], *arguments: Any) -> str:
        """What a tool has to say, or, where the sandbox fails, the end of the episode."""
        try:
            observation = act(self._box.live, *arguments)
            if self._digest is None:
                # Here, and not when `info` asks for it: a sandbox that is gone by now still ends this very turn.
                self._digest = self._box.live.digest()
            return observation
        except SandboxError as error:
            self._fault(error)
            return "The sandbox failed, and the episode ends here. This is nothing that you did."

    def _fault(self, error: SandboxError) -> None:
        _LOG.warning("sandbox fault in task %s: %s: %s", self._task_id, type(error).__name__, error)
        self._box.put(None)
        self._digest = "lost"
        self.truncate("sandbox_fault")

    def _run(self, sandbox: Sandbox, command: str) -> str:
        self._digest = None
        task = self._assignment
        return workspace.run_command(sandbox, command, self.command_timeout, import_paths=task.import_paths)

    def _submit(self, sandbox: Sandbox) -> str:
        task = self._assignment
        collected = workspace.collect_changes(sandbox, task, self.workshop.python(task))
        key = (self.workshop, self.grade_timeout, task.fingerprint, digest_of(collected.changes), collected.left_out)
        result = GRADES.get(key, lambda: grade(task, collected.changes, not collected.left_out, self._test))
        for remark in result.remarks:
            _LOG.info("task %s: %s", task.task_id, remark)
        self._results = tuple(result.results.items())
        self.record("submitted", result.level)
        self.finish(
            float(result.resolved),
            submitted=1.0,
            patched=float(result.level != "empty_patch"),
            resolved=float(result.resolved),
            level=float(LEVELS.index(result.level)),
            tests_passed=result.tests_passed,
            fail_to_pass=result.fail_to_pass,
            pass_to_pass=result.pass_to_pass,
            patch_applies=float(result.applies),
        )
        return f"Submitted. {sum(result.results.values())} of {len(result.results)} tests pass."

    def _test(self, tests: Sequence[str], files: Changes) -> TestRun:
        """Run tests in a fresh sandbox."""
        task = self._assignment
        with self.workshop.open(task, self._box) as sandbox:
            return run_tests(
                sandbox,
                tests,
                python=self.workshop.python(task),
                files=files,
                import_paths=task.import_paths,
                env=self.workshop.environment(task),
                timeout=self.grade_timeout,
            )

    def _introduction(self) -> str:
        task = self._assignment
        folder = self._box.live.workdir
        tests = " ".join(task.scope.tests)
        return (
            f"{task.issue.strip()}\n\n"
            f"The repository of {task.where} is in {folder}; its sources are in {', '.join(task.scope.sources)}. "
            f"Its tests are run with: python -m pytest -q {tests}"
        )


class _Box:
    """Holds an environment's sandbox, and closes it when another one takes its place or the environment is gone."""

    def __init__(self) -> None:
        self.sandbox: Sandbox | None = None

    @property
    def live(self) -> Sandbox:
        """The sandbox.

        Raises:
            SandboxClosedError: There is none.
        """
        if self.sandbox is None:
            raise SandboxClosedError("the environment is closed, or its sandbox has failed")
        return self.sandbox

    def put(self, sandbox: Sandbox | None) -> None:
        """Close the sandbox that is there, and hold this one."""
        before, self.sandbox = self.sandbox, sandbox
        if before is not None:
            before.close()

    def __del__(self) -> None:
        self.put(None)
