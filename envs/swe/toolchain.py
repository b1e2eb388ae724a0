"""The Python that runs in a sandbox: an interpreter, pytest, what a project's tests need, and nothing else."""

from __future__ import annotations

import compileall
import hashlib
import importlib.metadata
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from py_compile import PycInvalidationMode

from turnwise.envs.swe.trees import new_folder, swe_cache
from turnwise.sandboxes import SandboxUnavailableError

PREFIX, VENV, LIBRARIES = "/opt/python", "/opt/venv", "/opt/lib"
"""Where this machine's interpreter, the installed distributions and libpython are seen in a sandbox."""
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Toolchain:
    """How a sandbox comes by its Python.

    Attributes:
        python: The interpreter, as a path in the sandbox or a name on its PATH.
        mounts: What of this machine is to be seen for it, read-only.
        env: The variables that it needs.
    """

    python: str
    mounts: Mapping[str, Path] = field(default_factory=dict, hash=False)
    env: Mapping[str, str] = field(default_factory=dict, hash=False)


def host_toolchain(requires: Sequence[str] = ()) -> Toolchain:
    """This process's own interpreter, shown in a sandbox whose root is this machine's /usr.

    A virtual environment is made in the cache with copies of pytest, `requires`, and all that they depend on: nothing
    else that is installed here can be imported there. Works for an interpreter of the system, of pyenv, and of a
    virtual environment.

    Args:
        requires: Names of installed distributions.

    Raises:
        SandboxUnavailableError: One of them is not installed, or cannot be copied; the message names it.
    """
    base = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    in_system = base == Path("/usr") or Path("/usr") in base.parents
    home = f"{base if in_system else PREFIX}/bin"
    mounts: dict[str, Path] = {} if in_system else {PREFIX: base}
    mounts[VENV] = _virtual_environment(home, name, installed_closure(["pytest", *requires]))
    env = {"PATH": f"{VENV}/bin:{SYSTEM_PATH}"}
    library = base / "lib" / str(sysconfig.get_config_var("INSTSONAME"))
    if not in_system and sysconfig.get_config_var("Py_ENABLE_SHARED") and library.exists():
        # Such an interpreter looks for its library where it was built to lie.
        mounts[f"{LIBRARIES}/{library.name}"] = library
        env["LD_LIBRARY_PATH"] = LIBRARIES
    return Toolchain(f"{VENV}/bin/python", mounts, env)


def installed_closure(names: Sequence[str]) -> dict[str, importlib.metadata.Distribution]:
    """Distributions of this interpreter, with all that they depend on: normalised name -> distribution.

    Raises:
        SandboxUnavailableError: One is not installed; the message says what to install.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            install = 'pip install "turnwise[swe]"' if name == "pytest" else f"pip install {name}"
            raise SandboxUnavailableError(f"the tests need the distribution {name!r}: {install}") from None
        inner = [Requirement(text) for text in found[name].requires or ()]
        extras = requirement.extras or {""}
        waiting += [r for r in inner if not r.marker or any(r.marker.evaluate({"extra": extra}) for extra in extras)]
    return dict(sorted(found.items()))


def _virtual_environment(home: str, name: str, distributions: Mapping[str, importlib.metadata.Distribution]) -> Path:
    """The folder of a virtual environment that works at `VENV` in a sandbox; made once."""
    versions = [f"{key}=={distribution.version}" for key, distribution in distributions.items()]
    identity = "\0".join([home, sys.version, *versions])
    target = swe_cache() / "venvs" / f"{name}-{hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()}"
    if not target.exists():
        with new_folder(target) as part:
            site = part / "lib" / name / "site-packages"
            site.mkdir(parents=True)
            (part / "bin").mkdir()
            (part / "bin" / name).symlink_to(f"{home}/{name}")
            for alias in ("python", "python3"):
                (part / "bin" / alias).symlink_to(name)
            script = part / "bin" / "pytest"
            script.write_text(f"#!{VENV}/bin/python\nimport sys\nimport pytest\nsys.exit(pytest.console_main())\n")
            script.chmod(0o755)
            (part / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
            for distribution in distributions.values():
                for source, inside in _files(distribution):
                    where = site / inside
                    where.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, where)
            # Sandboxes cannot write there: without bytecode, each start of pytest would compile it all.
            compileall.compile_dir(
                part, quiet=2, stripdir=str(part), prependdir=VENV, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
            )
    return target


def _files(distribution: importlib.metadata.Distribution) -> Iterator[tuple[Path, str]]:
    """A distribution's files: where each lies, and its path below site-packages. Scripts and bytecode are left out."""
    editable = '"editable": true' in (distribution.read_text("direct_url.json") or "")
    if editable or distribution.read_text("RECORD") is None:
        name = distribution.metadata["Name"]
        raise SandboxUnavailableError(f"{name} cannot be copied into a sandbox: pip did not install it from a wheel")
    for path in distribution.files or ():
        if ".." not in path.parts and "__pycache__" not in path.parts:
            yield Path(str(path.locate())), str(path)
