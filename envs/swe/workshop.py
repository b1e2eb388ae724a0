"""Opens the sandboxes that tasks are worked on and graded in, with Python in them and no copy of what was broken."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from turnwise.envs.swe.assignments import Assignment
from turnwise.envs.swe.inside import run_program
from turnwise.envs.swe.toolchain import SYSTEM_PATH, Toolchain, host_toolchain
from turnwise.envs.swe.trees import swe_cache
from turnwise.sandboxes import Limits, Sandbox, SandboxUnavailableError, Spec
from turnwise.sandboxes.errors import SandboxClosedError
from turnwise.sandboxes.opening import opener
from turnwise.sandboxes.pool import SandboxPool

OpenSandbox: TypeAlias = "Callable[[Spec], Sandbox]"

_PROBE_SECONDS = 120.0
_ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTEST_ADDOPTS": "-p no:cacheprovider",
}
"""So that running a project leaves no file behind, and gives the same output again."""


@dataclass(frozen=True)
class Workshop:
    """How sandboxes are opened for tasks.

    Attributes:
        sandbox: A backend's name, `auto`, or a function that opens a sandbox for a `Spec`.
        limits: What one may use.
        require: What it must enforce, see `open_sandbox`.
        warm: Sandboxes that are kept open beforehand, for all environments of the process together.
    """

    sandbox: str | OpenSandbox = "auto"
    limits: Limits = field(default_factory=Limits)
    require: tuple[str, ...] | None = None
    warm: int = 0

    def open(self, task: Assignment, user: object) -> Sandbox:
        """A sandbox with what the agent finds at first.

        Args:
            task: What is worked on.
            user: Who asks. Sandboxes are kept warm until all who asked for such have called `leave`, or are gone.

        Raises:
            SandboxError: There is none to be had, or it has no Python that could run the tests.
        """
        spec, open_spec = self._spec(task)
        if self.warm:
            with contextlib.suppress(SandboxClosedError):  # closed meanwhile, to make room
                return _pool(spec, open_spec, self.warm, user).take()
        return open_spec(spec)

    def fork(self, sandbox: Sandbox, task: Assignment, user: object) -> Sandbox:
        """Another sandbox with the same files. Arguments as those of `open`.

        Raises:
            SandboxError: Either failed.
        """
        if self.warm:
            with contextlib.suppress(SandboxClosedError):
                return _pool(*self._spec(task), self.warm, user).fork(sandbox)
        return sandbox.fork()

    def _spec(self, task: Assignment) -> tuple[Spec, OpenSandbox]:
        ready = self._ready(task)
        return replace(ready.spec, folder=task.folder()), ready.open_spec

    def open_image(self, image: str) -> Sandbox:
        """A sandbox of an image, with nothing in its work folder.

        Raises:
            SandboxError: There is none to be had.
        """
        spec = Spec(image=image, limits=self.limits)
        return (self.sandbox if callable(self.sandbox) else opener(self.sandbox, spec, self.require))(spec)

    def python(self, task: Assignment) -> str:
        """The interpreter in it."""
        return self._ready(task).python

    def environment(self, task: Assignment) -> Mapping[str, str]:
        """The variables that its interpreter needs."""
        return self._ready(task).spec.env

    def _ready(self, task: Assignment) -> _Ready:
        key = (
            self.sandbox,
            self.limits,
            self.require,
            task.image,
            task.python,
            task.workdir,
            task.requires,
            _modules(task),
        )
        with _LOCK:
            if key not in _READY:
                spec = Spec(image=task.image, limits=self.limits, workdir=task.workdir, env=_ENVIRONMENT)
                open_spec = self.sandbox if callable(self.sandbox) else opener(self.sandbox, spec, self.require)
                _READY[key] = _prepare(open_spec, spec, task)
                while len(_READY) > _REMEMBERED:
                    del _READY[next(iter(_READY))]
            return _READY[key]


@dataclass(frozen=True)
class _Ready:
    """What opens sandboxes, a `Spec` that lacks only the folder, and the interpreter."""

    open_spec: OpenSandbox
    spec: Spec
    python: str


_READY: dict[tuple[Any, ...], _Ready] = {}
_REMEMBERED = 32
_POOLS: dict[tuple[Any, ...], SandboxPool] = {}
_MOST_POOLS = 4
_USERS: weakref.WeakKeyDictionary[object, set[tuple[Any, ...]]] = weakref.WeakKeyDictionary()
"""Of which pools each user has had sandboxes."""
_LOCK = threading.Lock()


def leave(user: object) -> None:
    """Close the warm sandboxes that nobody uses but this user."""
    with _LOCK:
        _USERS.pop(user, None)
        used = set().union(*_USERS.values())
        idle = [_POOLS.pop(key) for key in [*_POOLS] if key not in used]
    for pool in idle:
        pool.close()


def _pool(spec: Spec, open_spec: OpenSandbox, size: int, user: object) -> SandboxPool:
    """The one pool of this process for such sandboxes; where there are too many, the oldest one is closed."""
    key = (open_spec, size, spec.folder, spec.limits)
    oldest = None
    with _LOCK:
        pool = _POOLS.pop(key, None) or SandboxPool(spec, open_spec, size)
        _POOLS[key] = pool
        _USERS.setdefault(user, set()).add(key)
        if len(_POOLS) > _MOST_POOLS:
            oldest = _POOLS.pop(next(iter(_POOLS)))
    if oldest is not None:
        oldest.close()
    return pool


def _modules(task: Assignment) -> tuple[str, ...]:
    """The top-level modules of a project's sources."""
    found = set()
    for path in task.start:
        for folder in sorted(task.import_paths, key=len, reverse=True):
            inside = path if folder == "." else path.removeprefix(folder + "/")
            if folder == "." or inside != path:
                found.add(inside.split("/")[0].removesuffix(".py"))
                break
    return tuple(sorted(found))


def _prepare(open_spec: OpenSandbox, spec: Spec, task: Assignment) -> _Ready:
    """Find out which backend it is, give it Python if it has none of its own, and hide what must not be found."""
    with open_spec(spec) as sandbox:
        backend, isolated = sandbox.backend, sandbox.isolation.filesystem
    if backend == "fake":
        return _Ready(open_spec, spec, task.python or "python3")
    toolchain = _toolchain(backend, task)
    spec = replace(spec, mounts=toolchain.mounts, env={**spec.env, **toolchain.env})
    if isolated:
        copies = _probe(open_spec, spec, toolchain.python, task, search=True)
        empty = swe_cache() / "empty"
        empty.touch()
        mounts = {**spec.mounts, **dict.fromkeys(copies["files"], empty)}
        spec = replace(spec, mounts=mounts, hide=tuple(copies["folders"]))
    report = _probe(open_spec, spec, toolchain.python, task, search=False)
    place = f"Python {report['python']} of the {backend} sandbox"
    if report["pytest"] is None:
        raise SandboxUnavailableError(f"{place} has no pytest, with which tasks are graded")
    if report["missing"]:
        raise SandboxUnavailableError(
            f"{place} lacks {report['missing']}, which the tests need: give an image that has it (image=...)"
        )
    if isolated and not task.installed and report["importable"]:
        raise SandboxUnavailableError(
            f"{place} can import {report['importable']} from outside the work folder: agents would find what was broken"
        )
    return _Ready(open_spec, spec, toolchain.python)


def _toolchain(backend: str, task: Assignment) -> Toolchain:
    if task.image is not None or backend == "docker":
        folder = os.path.dirname(task.python)
        return Toolchain(task.python or "python3", env={"PATH": f"{folder}:{SYSTEM_PATH}"} if folder else {})
    if backend == "process":
        path = os.environ.get("PATH", os.defpath)
        return Toolchain(sys.executable, env={"PATH": f"{os.path.dirname(sys.executable)}:{path}"})
    return host_toolchain(task.requires)


def _probe(open_spec: OpenSandbox, spec: Spec, python: str, task: Assignment, search: bool) -> dict[str, Any]:
    order = {"modules": _modules(task), "requires": task.requires, "search": search, "leave": [spec.workdir]}
    with open_spec(spec) as sandbox:
        completed = run_program(
            sandbox, "prober", order, python=python, timeout=_PROBE_SECONDS, output_bytes=4 * 1024 * 1024
        )
    if not completed.ok:
        raise SandboxUnavailableError(
            f"the {sandbox.backend} sandbox has no Python that works ({python!r}, exit code {completed.exit_code}): "
            f"{completed.stderr.strip()[-300:]}"
        )
    report: dict[str, Any] = json.loads(completed.stdout)
    return report
