"""`BubblewrapSandbox`: Linux namespaces and an overlay, with no daemon and no image."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, ClassVar

from turnwise.sandboxes import layers, visible
from turnwise.sandboxes.base import Files, Isolation, Spec
from turnwise.sandboxes.enclosure import Enclosure, Folders, NoOverlayError, StaleViewError
from turnwise.sandboxes.errors import SandboxError
from turnwise.sandboxes.launcher import Powers, launcher, renew
from turnwise.sandboxes.layer_digest import LayerDigest
from turnwise.sandboxes.shell import ShellSession
from turnwise.sandboxes.shell_sandbox import ShellSandbox
from turnwise.sandboxes.streams import PipeTransport

Fill = Callable[[Folders], None]

_proven = False


def unavailable(spec: Spec) -> str | None:
    """Why bubblewrap cannot be used here for a `Spec`, and what to do about it; None where it can.

    The first time, it starts a sandbox to find out.
    """
    global _proven
    if spec.image is not None and not os.path.isfile(os.path.join(spec.image, "bin", "bash")):
        return f"a bubblewrap sandbox's image is a folder with a root file system that has bash, not {spec.image!r}"
    try:
        if not _proven:
            BubblewrapSandbox(Spec()).close()
            _proven = True
    except SandboxError as error:
        return str(error)
    return None


class BubblewrapSandbox(ShellSandbox):
    """Linux namespaces, made by bubblewrap: no daemon, and 10 ms to begin.

    The root is read-only: this machine's /usr with a small /etc of its own, or the folder `Spec.image`. The work folder
    is an overlay on `Spec.folder`, so that a reset or a fork copies only what has changed; where its file system allows
    no overlay, it is copied. What is written is kept in memory, in the work folder, in /tmp, and in /dev/shm, which is
    the same folder as /tmp. Files of `Spec.folder` and `Spec.mounts` that belong to the owner of that folder belong to
    the sandbox's user inside.

    Args:
        spec: How it is to be made.
        fill: Fills the writable folders before it begins; default: they begin as the `Spec` says.
        overlay: Whether the work folder is an overlay; default: if one can be made.
        request: What another sandbox of the same `Spec` was asked for with, which it need not find out again.

    Raises:
        SandboxUnavailableError: There is no bwrap, or the kernel does not let this user make namespaces.
        SandboxError: It cannot be started.
    """

    backend: ClassVar[str] = "bubblewrap"

    def __init__(
        self,
        spec: Spec,
        fill: Fill | None = None,
        *,
        overlay: bool | None = None,
        request: tuple[Powers, bool, dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(spec)
        self._enclosure: Enclosure | None = None
        self._end: weakref.finalize[[], BubblewrapSandbox] | None = None
        self._request = request
        self._lower = visible.lower(spec)
        self._powers = launcher().powers
        self._overlay = self._lower is not None and (self._powers.overlay if overlay is None else overlay)
        try:
            self._begin(fill)
        except BaseException:
            self.close()
            raise

    @property
    def isolation(self) -> Isolation:
        """What is enforced here."""
        return visible.isolation(self.spec, self._powers)

    @property
    def process(self) -> int | None:
        """The number that its process 1 has on this machine; None once it is closed or lost."""
        return None if self._enclosure is None else self._enclosure.process

    def digest(self) -> str:
        """16 hex digits of the writable files."""
        with self._using():
            if self._digest is None:
                with self._folders() as folders:
                    self._digest = self._layers.of(folders.upper, folders.tmp)
            return self._digest

    def snapshot(self) -> Files:
        """The writable files at this moment."""
        with self._using():
            digest = self.digest()
            with self._folders() as folders:
                return Files(layers.pack(folders.upper, folders.tmp, above=self._overlay), digest)

    def restore(self, files: Files | None = None) -> None:
        """Replace the writable files, and begin a new shell."""
        with self._using():
            if files is not None and self._lower is not None:
                self._fit(files)
            self._stop()
            self._begin(None if files is None else partial(_unpack, files.archive))
            self._digest = None if files is None else files.digest

    def fork(self) -> BubblewrapSandbox:
        """A new sandbox with the same files."""
        with self._lock:
            with self._using():
                opened = self._folders()
            with opened as folders:
                return BubblewrapSandbox(
                    self.spec, partial(_copy, folders), overlay=self._overlay, request=self._request
                )

    def close(self) -> None:
        """End all processes and free everything, at once: a command that another thread waits for is lost."""
        enclosure = self._enclosure
        if enclosure is not None and os.getpid() == self._pid:
            enclosure.kill()
        super().close()

    def _fit(self, files: Files) -> None:
        """Be what a snapshot's sandbox was: an overlay or not."""
        above = layers.lies_above(files.archive)
        if above and not self._overlay:
            raise ValueError(
                f"this snapshot holds only what differs from {self._lower}, of which no overlay can be made"
            )
        self._overlay = above

    def _begin(self, fill: Fill | None) -> None:
        transport = self._start(fill)
        self._transport = transport
        self._shell = ShellSession(transport, driven=True)
        self._session_used = False
        self._digest = None

    def _start(self, fill: Fill | None = None) -> PipeTransport:
        try:
            enclosure = self._enclose(fill)
        except NoOverlayError:
            if not self._overlay:
                raise
            self._overlay = False
            enclosure = self._enclose(fill)
        self._enclosure = enclosure
        self._end = weakref.finalize(self, enclosure.end)
        self._layers = LayerDigest(self._lower, copied=not self._overlay)
        return enclosure.transport

    def _enclose(self, fill: Fill | None) -> Enclosure:
        if fill is None and self._lower is not None and not self._overlay:
            fill = partial(_copy_folder, self._lower)
        powers = self._powers = launcher().powers
        if self._request is None or self._request[:2] != (powers, self._overlay):
            self._request = (powers, self._overlay, visible.request(self.spec, powers, overlay=self._overlay))
        request = self._request[2]
        try:
            return Enclosure(request, fill)
        except StaleViewError:
            renew()
            return Enclosure(request, fill)

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._enclosure = self._end = None

    def _folders(self) -> AbstractContextManager[Folders]:
        if self._enclosure is None:
            raise SandboxError("the sandbox is not running")
        return self._enclosure.folders()


def _copy(source: Folders, target: Folders) -> None:
    with _faults("a fork", "the files"):
        layers.copy(source.upper, target.upper, target.links)
        layers.copy(source.tmp, target.tmp, target.links)


def _copy_folder(source: str, target: Folders) -> None:
    descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _faults("a new sandbox", f"the files of {source}"):
            layers.copy(descriptor, target.upper, target.links)
    finally:
        os.close(descriptor)


def _unpack(archive: bytes, target: Folders) -> None:
    with _faults("a restored sandbox", "the snapshot's files"):
        layers.unpack(archive, target.links, target.upper, target.tmp)


@contextmanager
def _faults(where: str, what: str) -> Iterator[None]:
    """What goes wrong in here is the sandbox's own failure."""
    try:
        yield
    except OSError as error:
        why = "do not fit into its disk_bytes" if error.errno == errno.ENOSPC else f"cannot be copied: {error}"
        raise SandboxError(f"{where} cannot begin: {what} {why}") from error
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise SandboxError(f"{where} cannot begin: {what} are damaged: {error}") from error
