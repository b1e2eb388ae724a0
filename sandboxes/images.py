"""The image that Docker sandboxes use unless told otherwise: Python, pytest and the usual small tools.

Where a registry can be reached it is made from the official slim Python image, else from a root that debootstrap makes.
"""

from __future__ import annotations

import functools
import io
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from turnwise.sandboxes import archives, debian_root, docker_daemon, reaper
from turnwise.sandboxes.errors import SandboxError, SandboxUnavailableError

REPOSITORY = "turnwise/sandbox"
_VERSION = "1"
"""Rises when the image's contents change."""
_SLIM = "python:3.12-slim"
_BUILD_SECONDS = 1800
_PIECE = 1 << 20

# pip goes, with the copies of other people's libraries in it: a task may be about one of them.
_DOCKERFILE = f"""
FROM {_SLIM}
RUN apt-get update && apt-get install -y --no-install-recommends patch && rm -rf /var/lib/apt/lists/* \\
 && pip install --no-cache-dir pytest && pip uninstall -y setuptools wheel pip \\
 && rm -rf /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/test /root/.cache \\
 && (python -m compileall -q /usr/local/lib/python3* || true) \\
 && useradd --uid {debian_root.USER_NUMBER} --home-dir /work --no-create-home --shell /bin/bash {debian_root.USER} \\
 && mkdir -p /work
"""


def default_image() -> str:
    """Name of the image that Docker sandboxes use unless told otherwise.

    >>> default_image()
    'turnwise/sandbox:1'
    """
    return f"{REPOSITORY}:{_VERSION}"


def build_image(*, again: bool = False, say: Callable[[str], None] = lambda text: None) -> str:
    """Make the default image where the daemon does not have it.

    Args:
        again: Make it even then.
        say: Told what is going on.

    Returns:
        Its name.

    Raises:
        SandboxUnavailableError: There is no daemon, or the image can be made in neither way; says why.
    """
    api, tag = docker_daemon.client(), default_image()
    if has_image(api, tag) and not again:
        say(f"the image {tag} is there")
        return tag
    problem = _from_slim(tag, say)
    if problem is not None:
        say(f"no registry can be used ({problem}); making the image by debootstrap")
        import_root(debian_root.ensure_root(say), tag)
    return tag


def has_image(api: Any, tag: str) -> bool:
    """Whether the daemon has an image of this name."""
    with docker_daemon.daemon_faults("listing the images", SandboxUnavailableError):
        return bool(api.images(name=tag, quiet=True))


def import_root(root: Path, tag: str) -> None:
    """Make an image of a folder that holds a root file system.

    Raises:
        SandboxUnavailableError: The daemon does not take it.
        SandboxError: The folder cannot be read in full.
    """
    command = ["tar", "--create", "--file=-", "--numeric-owner", "--sort=name", f"--directory={root}", "."]
    with _under_way(tag) as (api, part), subprocess.Popen(command, stdout=subprocess.PIPE) as packed:
        read = packed.stdout.read if packed.stdout else bytes
        pieces = iter(lambda: read(_PIECE), b"")
        repository, _, version = part.rpartition(":")
        answer = api.import_image_from_stream(pieces, repository=repository, tag=version, changes=["WORKDIR /work"])
        if packed.wait() != 0:
            raise SandboxError(f"the folder {root} cannot be read in full (tar ended with {packed.returncode})")
        if '"error"' in answer:
            raise SandboxUnavailableError(f"the Docker daemon does not take the image: {answer.strip()[-500:]}")


@functools.lru_cache(maxsize=4)
def folder_archive(image: str, folder: str, apart: tuple[str, ...] = ()) -> bytes | None:
    """What an image holds in a folder, as an archive for a sandbox that has it as its work folder; None: nothing.

    Args:
        image: The image's number, not its name: the result is kept.
        folder: Absolute path.
        apart: Absolute paths in it that are left out.

    Raises:
        SandboxError: The daemon cannot read it.
    """
    from docker.errors import NotFound

    with docker_daemon.daemon_faults(f"reading {folder} from the image", SandboxError):
        api = docker_daemon.connect(_BUILD_SECONDS)
        # Never started: it only lends its files.
        container = api.create_container(image, entrypoint=["-"], labels={reaper.OWNER: reaper.owner()})["Id"]
        try:
            pieces, _ = api.get_archive(container, folder, chunk_size=_PIECE)
            return archives.moved(b"".join(pieces), folder, apart)
        except NotFound:
            return None
        finally:
            api.remove_container(container, v=True, force=True)
            api.close()


def _from_slim(tag: str, say: Callable[[str], None]) -> str | None:
    """Make the image from the official one; why that cannot be done, or None."""
    say(f"asking for {_SLIM}")
    try:
        with _under_way(tag) as (api, part):
            repository, _, version = _SLIM.rpartition(":")
            api.pull(repository, version)
            say(f"building {tag} from {_SLIM}")
            for line in api.build(fileobj=io.BytesIO(_DOCKERFILE.encode()), tag=part, rm=True, decode=True):
                if "error" in line:
                    return str(line["error"]).strip()
    except SandboxUnavailableError as error:
        return str(error)
    return None


@contextmanager
def _under_way(tag: str) -> Iterator[tuple[Any, str]]:
    """A client with patience, and a name for an image that takes the tag's place once it is whole."""
    api = docker_daemon.connect(_BUILD_SECONDS)
    part = f"{REPOSITORY}-part:{uuid.uuid4().hex}"
    try:
        with docker_daemon.daemon_faults("making an image", SandboxUnavailableError):
            yield api, part
            if has_image(api, part):
                replaced = api.images(name=tag, quiet=True)
                repository, _, version = tag.rpartition(":")
                api.tag(part, repository, version, force=True)
                for image in replaced:
                    _remove_unused(api, image)
    finally:
        if has_image(api, part):
            with docker_daemon.daemon_faults("removing a half-made image", SandboxUnavailableError):
                api.remove_image(part)
        api.close()


def _remove_unused(api: Any, image: str) -> None:
    """Remove an image that has no name any more, unless a container still uses it or it is the new one too."""
    from docker.errors import APIError

    if not api.inspect_image(image)["RepoTags"]:
        with suppress(APIError):
            api.remove_image(image)
