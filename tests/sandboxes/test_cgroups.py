"""Control groups: where they are found and what is written, in folders like the kernel's, then in the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bubblewrap_here import groups, launcher_process, need_bubblewrap, process_1

from turnwise.sandboxes import cgroups
from turnwise.sandboxes.base import MIB, Limits, Spec
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.cgroups import Hierarchy
from turnwise.sandboxes.launcher import launcher

FILES = {
    1: {
        "memory": ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"],
        "cpu": ["cpu.cfs_quota_us"],
        "pids": ["pids.max"],
    },
    2: {"memory": ["memory.max", "memory.swap.max"], "cpu": ["cpu.max"], "pids": ["pids.max"]},
}


def group(folder: Path, version: int, controllers: tuple[str, ...], *, without: str = "") -> Hierarchy:
    """A folder with a group `g` in it, as the kernel would show it."""
    (folder / "g").mkdir(parents=True)
    for name in ("cgroup.procs", *(file for controller in controllers for file in FILES[version][controller])):
        if name != without:
            (folder / "g" / name).write_text("")
    return Hierarchy(os.open(folder, os.O_RDONLY), version, controllers)


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "g").iterdir() if path.read_text()}


def test_limits_of_version_1(tmp_path: Path) -> None:
    hierarchies = [group(tmp_path / name, 1, (name,)) for name in ("memory", "cpu", "pids")]
    cgroups.limit(hierarchies, "g", 100 * MIB, 0.5, 20)
    assert written(tmp_path / "memory") == {
        "memory.limit_in_bytes": str(100 * MIB),
        "memory.memsw.limit_in_bytes": str(100 * MIB),
    }
    assert written(tmp_path / "cpu") == {"cpu.cfs_quota_us": "50000"}
    assert written(tmp_path / "pids") == {"pids.max": "23"}


def test_limits_of_version_2(tmp_path: Path) -> None:
    hierarchy = group(tmp_path / "all", 2, ("memory", "cpu", "pids"))
    cgroups.limit([hierarchy], "g", 100 * MIB, 1.5, 20)
    wanted = {"memory.max": str(100 * MIB), "memory.swap.max": "0", "cpu.max": "150000 100000", "pids.max": "23"}
    assert written(tmp_path / "all") == wanted


@pytest.mark.parametrize(("version", "file"), [(1, "memory.memsw.limit_in_bytes"), (2, "memory.swap.max")])
def test_kernels_without_swap_accounting_have_no_such_file(tmp_path: Path, version: int, file: str) -> None:
    hierarchy = group(tmp_path / "all", version, ("memory",), without=file)
    cgroups.limit([hierarchy], "g", MIB, None, None)
    assert len(written(tmp_path / "all")) == 1


def test_what_has_no_limit_or_no_controller_is_left_alone(tmp_path: Path) -> None:
    hierarchy = group(tmp_path / "all", 2, ("pids",))
    cgroups.limit([hierarchy], "g", MIB, 1.0, None)
    assert written(tmp_path / "all") == {}


def test_a_refused_limit_is_named(tmp_path: Path) -> None:
    hierarchy = group(tmp_path / "all", 2, ("pids",))
    (tmp_path / "all" / "g" / "pids.max").unlink()
    (tmp_path / "all" / "g" / "pids.max").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"23 to pids\.max"):
        cgroups.limit([hierarchy], "g", None, None, 20)


@pytest.mark.parametrize(
    ("own", "root", "relative"),
    [("/a/b", "/", "a/b"), ("/", "/", "."), ("/docker/x/y", "/docker/x", "y"), ("/../elsewhere", "/", ".")],
)
def test_the_own_group_is_found_below_a_mount(tmp_path: Path, own: str, root: str, relative: str) -> None:
    """A container sees its own part of a hierarchy, mounted as if it were the whole."""
    point = tmp_path / "point"
    (tmp_path / "cgroup").write_text(f"3:pids:{own}\n2:cpu,cpuacct:/\n0::/\n")
    (tmp_path / "mountinfo").write_text(f"30 20 0:26 {root} {point} rw shared:9 - cgroup cgroup rw,pids\n")
    assert cgroups._places(str(tmp_path)) == [(1, ["pids"], [os.path.normpath(point / relative)])]


def test_version_2_is_tried_from_the_own_group_up(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/user.slice/session.scope\n")
    (tmp_path / "mountinfo").write_text("30 20 0:26 / /somewhere rw - cgroup2 cgroup2 rw\n")
    tried = ["/somewhere/user.slice/session.scope", "/somewhere/user.slice", "/somewhere"]
    assert cgroups._places(str(tmp_path)) == [(2, ["memory", "cpu", "pids"], tried)]


def test_plain_folders_are_no_hierarchy(tmp_path: Path) -> None:
    """A group is usable only if the kernel puts its files in it."""
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text(f"30 20 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    assert cgroups.usable(str(tmp_path)) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cgroup", "mountinfo"]


def test_stale_groups_are_told_from_live_ones(tmp_path: Path) -> None:
    live = cgroups.group_name(os.getpid(), 1)
    stale = f"turnwise-{os.getpid()}-1-1"  # this number, but a process that began at another time
    for name in (live, stale, "turnwise-4194304000-5-1", "others"):
        (tmp_path / name).mkdir()
    hierarchy = Hierarchy(os.open(tmp_path, os.O_RDONLY), 2, ("pids",))
    assert cgroups.stale([hierarchy]) == sorted([stale, "turnwise-4194304000-5-1"])
    assert cgroups.remove([hierarchy], stale) and cgroups.remove([hierarchy], "not there")
    (tmp_path / live / "busy").mkdir()
    assert not cgroups.remove([hierarchy], live)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([live, "others", "turnwise-4194304000-5-1"])


def test_a_sandbox_is_in_its_groups() -> None:
    need_bubblewrap()
    limits = Limits(memory_bytes=200 * MIB, processes=30)
    with BubblewrapSandbox(Spec(limits=limits)) as sandbox:
        if "pids" not in launcher().powers.controllers:
            pytest.skip("no control group for processes can be made here")
        own = Path(f"/proc/{process_1(sandbox)}/cgroup").read_text()
        assert f"turnwise-{launcher_process()}-" in own
        limited = [Path(folder, "pids.max") for folder in groups(launcher_process())]
        assert "33" in [path.read_text().strip() for path in limited if path.exists()]
