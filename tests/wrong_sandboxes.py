"""Sandboxes that break the contract, each in one way, on top of one that keeps it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from turnwise.sandboxes.base import Completed, Files, Isolation, Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.errors import SandboxError


class ForgetsExitCodes(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        return replace(super().run(*args, **kwargs), exit_code=0)


class MixesStreams(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        done = super().run(*args, **kwargs)
        return replace(done, stdout=done.stdout + done.stderr, stderr="")


class StripsOutput(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        done = super().run(*args, **kwargs)
        return replace(done, stdout=done.stdout.strip(), stderr=done.stderr.strip())


class DecodesLatin(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        done = super().run(*args, **kwargs)
        return replace(done, stdout=done.stdout.encode().decode("latin-1"))


class IgnoresInput(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        return super().run(*args, **{**kwargs, "stdin": b""})


class IgnoresFolder(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        return super().run(*args, **{**kwargs, "cwd": None})


class ShowsTheHostsEnvironment(BubblewrapSandbox):
    def run(self, command: str, *args: Any, **kwargs: Any) -> Completed:
        import os

        mine = {name: value for name, value in os.environ.items() if name.startswith("TURNWISE_CONFORMANCE")}
        if not kwargs.get("session"):
            kwargs["env"] = {**mine, **(kwargs.get("env") or {})}
        return super().run(command, *args, **kwargs)


class KeepsEverything(BubblewrapSandbox):
    """Every command runs in the session."""

    def run(self, *args: Any, **kwargs: Any) -> Completed:
        kwargs = {name: value for name, value in kwargs.items() if name not in ("cwd", "env")}
        return super().run(*args, **{**kwargs, "session": True})


class HasNoSession(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        return super().run(*args, **{**kwargs, "session": False})


class HasNoOutputLimit(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        return super().run(*args, **{**kwargs, "output_bytes": 1 << 24})


class NeverRunsOutOfTime(BubblewrapSandbox):
    def run(self, command: str, timeout: float | None = None, **kwargs: Any) -> Completed:
        return super().run(f"timeout -s KILL {timeout or 9} bash -c '{command}'", **kwargs)


class RaisesOnFailure(BubblewrapSandbox):
    def run(self, *args: Any, **kwargs: Any) -> Completed:
        return super().run(*args, **kwargs).check()


class ReadsNothingAsEmpty(BubblewrapSandbox):
    def read(self, path: str) -> bytes:
        try:
            return super().read(path)
        except OSError:
            return b""


class WritesText(BubblewrapSandbox):
    def write(self, path: str, data: bytes) -> None:
        super().write(path, data.decode("utf-8", "replace").encode())


class SnapshotsTooLittle(BubblewrapSandbox):
    """Only the work folder's plain files are in its snapshots."""

    def snapshot(self) -> Files:
        names = super().run("find . -maxdepth 1 -type f -readable").stdout.split()
        return Files(repr({name: super(SnapshotsTooLittle, self).read(name) for name in names}).encode(), self.digest())

    def restore(self, files: Files | None = None) -> None:
        super().restore()
        if files is not None:
            for name, data in eval(files.archive).items():
                self.write(name, data)


class ForksItself(BubblewrapSandbox):
    def fork(self) -> BubblewrapSandbox:
        return self


class DigestsNames(BubblewrapSandbox):
    def digest(self) -> str:
        import hashlib

        names = super().run("find . /tmp | sort; true").stdout
        return hashlib.blake2b(names.encode(), digest_size=8).hexdigest()


class DigestsTimes(BubblewrapSandbox):
    def digest(self) -> str:
        import hashlib

        listing = super().run("find . /tmp -type f -printf '%p %T@ %s %l\\n' | sort; true").stdout
        return hashlib.blake2b(listing.encode(), digest_size=8).hexdigest()


class NeverCloses(BubblewrapSandbox):
    def close(self) -> None:
        pass


class ShowsItsFailure(BubblewrapSandbox):
    """The sandbox's own failure comes back as if it were the command's."""

    def run(self, *args: Any, **kwargs: Any) -> Completed:
        try:
            return super().run(*args, **kwargs)
        except SandboxError as error:
            return Completed(1, "", str(error))


class Boasts(BubblewrapSandbox):
    """Says that it enforces limits that it was not given."""

    def __init__(self, spec: Spec, **kwargs: Any) -> None:
        limits = replace(spec.limits, memory_bytes=None, cpus=None, processes=None, disk_bytes=None)
        super().__init__(replace(spec, limits=limits), **kwargs)
        self.limits = spec.limits


class IsOnTheNetwork(BubblewrapSandbox):
    def __init__(self, spec: Spec, **kwargs: Any) -> None:
        super().__init__(replace(spec, network=True), **kwargs)

    @property
    def isolation(self) -> Isolation:
        return replace(super().isolation, network=True)


class ShowsTheHost(BubblewrapSandbox):
    def __init__(self, spec: Spec, **kwargs: Any) -> None:
        from pathlib import Path

        super().__init__(replace(spec, mounts={"/tmp/host": Path("/tmp"), **spec.mounts}), **kwargs)
