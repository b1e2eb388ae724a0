"""Where a project's tests run while tasks are made of it: sandboxes that hold the unbroken project."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from turnwise.envs.swe.making.loading import ProjectError
from turnwise.envs.swe.tasks import Project
from turnwise.envs.swe.toolchain import Toolchain, host_toolchain
from turnwise.envs.swe.trees import tree_folder
from turnwise.sandboxes import Limits, Sandbox, SandboxUnavailableError, Spec
from turnwise.sandboxes.opening import opener, unavailable

BACKENDS = ("auto", "bubblewrap", "process")
LIMITS = Limits(memory_bytes=3 * 2**30, processes=512, timeout=1200.0)
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""Variables of the processes that run tests and snippets."""


@dataclass(frozen=True)
class Workplace:
    """A sandbox with a project in its work folder, and a Python that can run its tests.

    Attributes:
        sandbox: The sandbox.
        project: The project, unbroken.
        python: The interpreter in the sandbox.
        env: Variables of the processes that run tests.
    """

    sandbox: Sandbox
    project: Project
    python: str
    env: Mapping[str, str] = field(default_factory=dict)

    def reset(self) -> None:
        """Put every file of the project back, and take away what tests have left."""
        self.sandbox.restore()


@contextmanager
def open_workplaces(project: Project, backend: str, count: int) -> Iterator[list[Workplace]]:
    """Some workplaces of a project, closed at the end.

    Args:
        project: What they hold.
        backend: `bubblewrap`, or `process` for a project that you trust, without isolation; `auto` is `bubblewrap`, or
            an error that says so.
        count: How many.

    Raises:
        ProjectError: Something that the project requires is not installed.
        SandboxUnavailableError: There is no such sandbox here.
    """
    if backend not in BACKENDS:
        raise ValueError(f"--sandbox must be one of {', '.join(BACKENDS)}; got {backend!r}")
    name = _choose() if backend == "auto" else backend
    if name == "process":
        _check_installed(project)
        path = os.environ.get("PATH", os.defpath)
        toolchain = Toolchain(sys.executable, env={"PATH": f"{os.path.dirname(sys.executable)}:{path}"})
    else:
        try:
            toolchain = host_toolchain(project.requires)
        except SandboxUnavailableError as error:
            raise ProjectError(str(error)) from error
    spec = Spec(folder=tree_folder(project.files), limits=LIMITS, mounts=toolchain.mounts, env=toolchain.env)
    open_one = opener(name, spec)
    with ExitStack() as stack:
        sandboxes = [stack.enter_context(open_one(spec)) for _ in range(count)]
        yield [Workplace(each, project, toolchain.python, {**ENVIRONMENT, **toolchain.env}) for each in sandboxes]


def _choose() -> str:
    reason = unavailable("bubblewrap")
    if reason is not None:
        raise SandboxUnavailableError(
            f"the tests of a stranger's project are not run without a sandbox. bubblewrap: {reason} For a project that "
            "you trust: --sandbox process"
        )
    return "bubblewrap"


def _check_installed(project: Project) -> None:
    from turnwise.envs.swe.toolchain import installed_closure

    try:
        installed_closure(["pytest", *project.requires])
    except SandboxUnavailableError as error:
        raise ProjectError(str(error)) from error
