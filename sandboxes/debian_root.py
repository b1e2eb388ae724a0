"""A root file system for sandboxes, made by debootstrap: a small Debian with Python and pytest.

It serves bubblewrap as `Spec.image`, and Docker once it is imported (see `images`). It is made to hold no copy of any
library that a task could be about: what pytest does not need is removed, wheels and vendored copies too.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from turnwise.sandboxes.errors import SandboxUnavailableError

PACKAGES = (
    "bash", "coreutils", "diffutils", "findutils", "grep", "patch", "python3", "python3-pytest", "sed", "tar",
)  # fmt: skip
USER, USER_NUMBER = "agent", 1000
_MIRROR = "http://deb.debian.org/debian"
_RECIPE = 1
"""Rises when the steps below change."""
_BUILD_SECONDS = 1800
_COMPLETE = ".turnwise-complete"

# Below dist-packages: what Debian's pytest drags in and does not need from Python 3.11 on.
_NEEDLESS_LIBRARIES = (
    "_distutils_hack", "exceptiongroup*", "importlib_metadata*", "more_itertools*", "pkg_resources", "setuptools*",
    "tomli*", "typing_extensions*", "zipp*",
)  # fmt: skip
_NEEDLESS = (
    *(f"usr/lib/python3/dist-packages/{name}" for name in _NEEDLESS_LIBRARIES),
    "usr/lib/python3*/ensurepip", "usr/lib/python3*/test", "usr/share/python-wheels",
    "usr/share/doc/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/man/*",
    "var/cache/apt/*", "var/cache/debconf/*-old", "var/lib/apt/lists/*", "var/log/*", "dev/*", "proc/*", "sys/*",
    "etc/hostname", "etc/resolv.conf",
)  # fmt: skip


def cache_folder() -> Path:
    """`$TURNWISE_CACHE`, else `$XDG_CACHE_HOME/turnwise`, else `~/.cache/turnwise`."""
    if folder := os.environ.get("TURNWISE_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "turnwise"


def default_root() -> Path:
    """Where the root with the usual packages is, or would be."""
    suite = _suite()
    key = hashlib.sha256(repr((_RECIPE, PACKAGES, suite, platform.machine())).encode()).hexdigest()[:8]
    return cache_folder() / "roots" / f"{suite}-{key}"


def is_complete(root: Path) -> bool:
    """Whether a root was built to its end."""
    return (root / _COMPLETE).exists()


def ensure_root(say: Callable[[str], None] = lambda text: None) -> Path:
    """The root with the usual packages, which is built first where it is not there; waits for another builder.

    Args:
        say: Told what is going on.

    Raises:
        SandboxUnavailableError: It cannot be built here; says why.
    """
    root = default_root()
    if not is_complete(root):
        build_root(root, say=say)
    return root


def build_root(
    folder: Path,
    packages: Sequence[str] = PACKAGES,
    *,
    suite: str | None = None,
    mirror: str = _MIRROR,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Build a root file system: all or nothing, and by one process at a time.

    Args:
        folder: Where it is to be. What lies there already stays, if it is complete.
        packages: Debian packages beside the minimal base.
        suite: Debian's release; default: this machine's, where it is a Debian, else bookworm.
        mirror: Where packages come from.
        say: Told what is going on.

    Raises:
        SandboxUnavailableError: It cannot be built here; says why.
    """
    if problem := _why_not():
        raise SandboxUnavailableError(problem)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if is_complete(folder):
            return
        say(f"building a Debian root in {folder} (a minute or two)")
        part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
        try:
            _bootstrap(part, packages, suite or _suite(), mirror)
            prune(part)
            adapt(part)
            part.chmod(0o755)
            (part / _COMPLETE).touch()
            if folder.exists():
                shutil.rmtree(folder)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def prune(root: Path) -> None:
    """Remove what a sandbox does not need, copies of libraries first of all, and the powers of setuid programs."""
    for pattern in _NEEDLESS:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.exists():
            continue
        if path.is_dir() and path.name == "_vendor":
            shutil.rmtree(path)
        elif path.parent.name == "__pycache__" and not _source_of(path).exists():
            path.unlink()
        elif path.is_file() and path.stat().st_mode & 0o6000:
            path.chmod(path.stat().st_mode & 0o1777)


def _source_of(bytecode: Path) -> Path:
    return bytecode.parent.parent / (bytecode.name.split(".")[0] + ".py")


def adapt(root: Path) -> None:
    """Add the sandbox's user, the folder that is to be its work folder, and `python`."""
    with (root / "etc/passwd").open("a", encoding="utf-8") as users:
        users.write(f"{USER}:x:{USER_NUMBER}:{USER_NUMBER}::/work:/bin/bash\n")
    with (root / "etc/group").open("a", encoding="utf-8") as groups:
        groups.write(f"{USER}:x:{USER_NUMBER}:\n")
    (root / "work").mkdir(exist_ok=True)
    python = root / "usr/bin/python"
    if not python.exists():
        python.symlink_to("python3")


def _why_not() -> str | None:
    if shutil.which("debootstrap") is None:
        return "building a base image needs debootstrap: apt-get install debootstrap"
    if os.geteuid() != 0:
        return "building a base image by debootstrap needs root: run `sudo turnwise sandbox build`"
    return None


def _bootstrap(folder: Path, packages: Sequence[str], suite: str, mirror: str) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, str(folder), mirror]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=_BUILD_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SandboxUnavailableError(f"debootstrap did not finish within {_BUILD_SECONDS} s") from error
    if done.returncode != 0:
        log = folder / "debootstrap/debootstrap.log"
        text = done.stdout.decode("utf-8", "replace") + (log.read_text("utf-8", "replace") if log.exists() else "")
        raise SandboxUnavailableError(f"debootstrap failed for {suite} from {mirror}: {text.strip()[-800:]}")


def _suite() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return release.get("VERSION_CODENAME", "bookworm") if release.get("ID") == "debian" else "bookworm"
