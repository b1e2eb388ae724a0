"""`BubblewrapSandbox`: Linux namespaces and an overlay, with no daemon and no image."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from turnwise.sandboxes import layers, visible
from turnwise.sandboxes.base import Files, Isolation, Spec
from turnwise.sandboxes.enclosure import Enclosure, Folders
from turnwise.sandboxes.errors import SandboxError, SandboxUnavailableError
from turnwise.sandboxes.launcher import launcher
from turnwise.sandboxes.layer_digest import LayerDigest
from turnwise.sandboxes.shell import ShellSession
from turnwise.sandboxes.shell_sandbox import ShellSandbox
from turnwise.sandboxes.streams import PipeTransport

Fill = Callable[[Folders], None]


def unavailable(spec: Spec) -> str | None:
    """Why bubblewrap cannot be used here, and what to do about it; None where it can."""
    try:
        BubblewrapSandbox(Spec()).close()
    except SandboxError as error:
        return str(error)
    return None


class BubblewrapSandbox(ShellSandbox):
    """Linux namespaces through bubblewrap, with the work folder as an overlay, so that a reset or fork copies only what
    has changed.

    Args:
        spec: How it is to be made.
        fill: Fills the writable folders before it begins; default: they begin as the `Spec` says.

    Raises:
        SandboxUnavailableError: There is no bwrap, or the kernel does not let this user make namespaces.
        SandboxError: It cannot be started.
    """

    backend: ClassVar[str] = "bubblewrap"

    def __init__(self, spec: Spec, fill: Fill | None = None) -> None:
        super().__init__(spec)
        self._fill = fill
        self._enclosure: Enclosure | None = None
        self._layers = LayerDigest(visible.lower(spec))
        try:
            self._begin(fill)
        except BaseException:
            self.close()
            raise

    @property
    def isolation(self) -> Isolation:
        """What is enforced here."""
        return visible.isolation(self.spec, launcher().controllers)

    def digest(self) -> str:
        """16 hex digits of the writable files."""
        with self._using():
            if self._digest is None:
                folders = self._folders()
                self._digest = self._layers.of(folders.upper, folders.tmp)
            return self._digest

    def snapshot(self) -> Files:
        """The writable files at this moment."""
        with self._using():
            folders = self._folders()
            return Files(layers.pack(folders.upper, folders.tmp), self.digest())

    def restore(self, files: Files | None = None) -> None:
        """Replace the writable files, and begin a new shell."""
        with self._using():
            self._stop()
            self._begin(None if files is None else partial(_unpack, files.archive))
            self._digest = None if files is None else files.digest

    def fork(self) -> BubblewrapSandbox:
        """A new sandbox with the same files."""
        with self._using():
            return BubblewrapSandbox(self.spec, partial(_copy, self._folders()))

    def _begin(self, fill: Fill | None) -> None:
        transport = self._start(fill)
        self._transport = transport
        self._shell = ShellSession(transport, driven=True)
        self._session_used = False
        self._digest = None

    def _start(self, fill: Fill | None = None) -> PipeTransport:
        request = visible.request(self.spec, launcher().controllers)
        self._enclosure = Enclosure(request, fill)
        weakref.finalize(self, self._enclosure.end)
        return self._enclosure.transport

    def _stop(self) -> None:
        if self._enclosure is not None:
            self._enclosure.end()
        self._enclosure = None

    def _folders(self) -> Folders:
        if self._enclosure is None:
            raise SandboxUnavailableError("the sandbox is not running")
        return self._enclosure.folders


def _copy(source: Folders, target: Folders) -> None:
    layers.copy(source.upper, target.upper, target.links)
    layers.copy(source.tmp, target.tmp, target.links)


def _unpack(archive: bytes, target: Folders) -> None:
    layers.unpack(archive, target.links, target.upper, target.tmp)
