from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from turnwise.sandboxes import debian_root
from turnwise.sandboxes.debian_root import adapt, build_root, default_root, ensure_root, is_complete, prune
from turnwise.sandboxes.errors import SandboxUnavailableError

DEBOOTSTRAP = r"""#!/bin/sh
# Stands in for debootstrap: counts its calls and makes a tiny root.
echo "$@" >>"$CALLS"
test -z "$FAIL" || { mkdir -p "$4/debootstrap"; echo "no such suite" >"$4/debootstrap/debootstrap.log"; exit 1; }
mkdir -p "$4/etc" "$4/usr/bin"
touch "$4/etc/passwd" "$4/etc/group" "$4/usr/bin/python3"
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in writes how it was called."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/debootstrap"
    script.write_text(DEBOOTSTRAP)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path / "calls"


def test_root_is_built_once(calls: Path) -> None:
    said: list[str] = []
    root = ensure_root(said.append)
    assert root == default_root() == ensure_root(said.append) and is_complete(root)
    assert len(calls.read_text().splitlines()) == len(said) == 1
    assert "--variant=minbase" in calls.read_text() and "python3-pytest" in calls.read_text()
    assert "agent:x:1000:1000::/work:/bin/bash" in (root / "etc/passwd").read_text()
    assert os.readlink(root / "usr/bin/python") == "python3" and (root / "work").is_dir()
    assert root.stat().st_mode & 0o777 == 0o755


def test_two_at_once_build_one(calls: Path) -> None:
    threads = [threading.Thread(target=ensure_root) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls.read_text().splitlines()) == 1


def test_nothing_half_built_is_used(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(SandboxUnavailableError, match="no such suite"):
        ensure_root()
    assert not default_root().exists()
    assert [path.suffix for path in default_root().parent.iterdir()] == [".lock"]
    default_root().mkdir()  # as an interrupted copy would leave it
    monkeypatch.delenv("FAIL")
    assert is_complete(ensure_root())


def test_other_packages_and_suite(calls: Path, tmp_path: Path) -> None:
    build_root(tmp_path / "own", ["bash", "jq"], suite="trixie", mirror="http://mirror.example/debian")
    words = calls.read_text().split()
    assert words[1] == "--include=bash,jq" and words[2] == "trixie" and words[4] == "http://mirror.example/debian"


def test_without_debootstrap_or_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SandboxUnavailableError, match="apt-get install debootstrap"):
        build_root(tmp_path / "root")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxUnavailableError, match="sudo turnwise sandbox build"):
        build_root(tmp_path / "root")


def test_prune_leaves_no_copy_of_a_library(tmp_path: Path) -> None:
    libraries = tmp_path / "usr/lib/python3/dist-packages"
    gone = [
        "usr/share/python-wheels/x.whl", "usr/lib/python3.11/ensurepip/_bundled/pip.whl", "var/cache/apt/x.deb",
        "usr/share/doc/x", "usr/share/locale/de/x", "usr/lib/python3/dist-packages/more_itertools/more.py",
        "usr/lib/python3/dist-packages/pkg_resources/_vendor/x.py", "usr/lib/python3/dist-packages/a/_vendor/x.py",
        "usr/lib/python3/dist-packages/__pycache__/zipp.cpython-311.pyc", "usr/lib/python3/dist-packages/zipp.py",
    ]  # fmt: skip
    kept = ["usr/lib/python3/dist-packages/_pytest/main.py", "usr/lib/python3/dist-packages/py.py",
            "usr/lib/python3/dist-packages/__pycache__/py.cpython-311.pyc", "usr/bin/su"]  # fmt: skip
    for name in (*gone, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "usr/bin/su").chmod(0o4755)
    (libraries / "dangling").symlink_to("/nowhere")
    prune(tmp_path)
    prune(tmp_path)
    assert [name for name in gone if (tmp_path / name).exists()] == []
    assert [name for name in kept if not (tmp_path / name).exists()] == []
    assert (tmp_path / "usr/bin/su").stat().st_mode & 0o7777 == 0o755


def test_adapt_keeps_a_python_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/python").write_text("own")
    adapt(tmp_path)
    assert (tmp_path / "usr/bin/python").read_text() == "own"


def test_suite_is_this_machines_where_it_is_a_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    for release, suite in (({"ID": "debian", "VERSION_CODENAME": "trixie"}, "trixie"), ({"ID": "ubuntu"}, "bookworm")):
        monkeypatch.setattr(debian_root.platform, "freedesktop_os_release", lambda release=release: release)
        assert default_root().name.startswith(suite)


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path))
    assert debian_root.cache_folder() == tmp_path
    monkeypatch.delenv("TURNWISE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert debian_root.cache_folder() == tmp_path / "turnwise"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert debian_root.cache_folder() == Path.home() / ".cache/turnwise"


def test_stand_in_is_called_as_debootstrap_is(calls: Path, tmp_path: Path) -> None:
    if (real := shutil.which("debootstrap", path=os.environ["PATH"].partition(":")[2])) is None:
        pytest.skip("debootstrap is not installed")
    text = subprocess.run([real, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "--variant=" in text and "--include=" in text and "<suite> <target> [<mirror>" in text
