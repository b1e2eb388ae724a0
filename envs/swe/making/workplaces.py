"""Where a project's tests run while tasks are made of it: sandboxes that hold the unbroken project."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from turnwise.envs.swe.making.loading import ProjectError
from turnwise.envs.swe.tasks import Project
from turnwise.envs.swe.toolchain import Toolchain, host_toolchain, installed_closure
from turnwise.envs.swe.trees import tree_folder
from turnwise.sandboxes import Limits, Sandbox, SandboxUnavailableError, Spec
from turnwise.sandboxes.opening import opener, unavailable

BACKENDS = ("auto", "bubblewrap", "docker", "process")
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
        backend: `bubblewrap`, with this Python and what is installed for it; `docker`, with the Python and pytest of
            the default image; `process`, without isolation, for a project that you trust. `auto` is the first of the
            first two that works here.
        count: How many.

    Raises:
        ProjectError: Something that the project requires is not installed.
        SandboxUnavailableError: There is no such sandbox here.
    """
    if backend not in BACKENDS:
        raise ValueError(f"--sandbox must be one of {', '.join(BACKENDS)}; got {backend!r}")
    name = _choose() if backend == "auto" else backend
    toolchain = _toolchain(name, project)
    spec = Spec(folder=tree_folder(project.files), limits=LIMITS, mounts=toolchain.mounts, env=toolchain.env)
    open_one = opener(name, spec)
    with ExitStack() as stack:
        sandboxes = [stack.enter_context(open_one(spec)) for _ in range(count)]
        yield [Workplace(each, project, toolchain.python, {**ENVIRONMENT, **toolchain.env}) for each in sandboxes]


def _choose() -> str:
    reasons = {name: unavailable(name) for name in ("bubblewrap", "docker")}
    works = next((name for name, reason in reasons.items() if reason is None), None)
    if works is None:
        told = " ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise SandboxUnavailableError(
            f"the tests of a stranger's project are not run without a sandbox. {told} For a project that you trust: "
            "--sandbox process"
        )
    return works


def _toolchain(backend: str, project: Project) -> Toolchain:
    """The Python that runs the tests."""
    if backend == "docker":
        if project.requires:
            raise ProjectError(
                f"the docker image has pytest only, and the tests need {', '.join(project.requires)}: use "
                "--sandbox bubblewrap"
            )
        return Toolchain("python3", env={"PATH": "/usr/local/bin:/usr/bin:/bin"})
    try:
        if backend == "bubblewrap":
            return host_toolchain(project.requires)
        installed_closure(["pytest", *project.requires])
    except SandboxUnavailableError as error:
        raise ProjectError(str(error)) from error
    path = os.environ.get("PATH", os.defpath)
    return Toolchain(sys.executable, env={"PATH": f"{os.path.dirname(sys.executable)}:{path}"})
