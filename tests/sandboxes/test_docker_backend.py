"""How a Docker sandbox is made, and what it says when it cannot be."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker_here import container_id, eventually, need_docker, own_containers

from turnwise.sandboxes import docker_backend, docker_daemon, images
from turnwise.sandboxes.base import MIB, Limits, Spec
from turnwise.sandboxes.docker_backend import DockerSandbox, writable_sizes
from turnwise.sandboxes.errors import SandboxError, SandboxUnavailableError


@pytest.fixture(scope="module")
def api() -> Any:
    return need_docker()


def dockerfile_image(api: Any, tag: str, dockerfile: str) -> Iterator[str]:
    """An image built from a Dockerfile without a network, for as long as it is needed."""
    lines = list(api.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True, decode=True, network_mode="none"))
    assert not any("error" in line for line in lines), lines
    yield tag
    api.remove_image(tag, force=True)


@pytest.fixture(scope="module")
def peopled(api: Any) -> Iterator[str]:
    yield from dockerfile_image(
        api,
        "turnwise-test/peopled:1",
        f"""
        FROM {images.default_image()}
        RUN mkdir -p /testbed/sub /data /secret && echo hello >/testbed/sub/a && ln /testbed/sub/a /testbed/twin \
         && ln -s sub/a /testbed/link && chmod 700 /testbed/sub && echo data >/data/d && chmod 777 /data \
         && echo hidden >/secret/s
        VOLUME /data
        ENV PATH=/opt/own/bin:/usr/bin:/bin WORD=given
        ENTRYPOINT ["/bin/false"]
        HEALTHCHECK CMD true
        USER root
        """,
    )


def test_container_is_locked_down(api: Any) -> None:
    with DockerSandbox(Spec(limits=Limits(memory_bytes=128 * MIB, cpus=0.5, processes=20))) as sandbox:
        found = api.inspect_container(container_id(sandbox))
    host = found["HostConfig"]
    assert (
        host["NetworkMode"] == "none" and host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    )
    assert host["SecurityOpt"] == ["no-new-privileges"] and not host["Privileged"] and host["IpcMode"] == "private"
    assert host["Memory"] == host["MemorySwap"] == 128 * MIB and host["NanoCpus"] == 5e8 and host["PidsLimit"] == 22
    assert host["AutoRemove"] and host["LogConfig"]["Type"] == "none" and not host["Binds"] and not host["Init"]
    assert found["Config"]["User"] == "1000:1000"


def test_isolation_is_what_the_daemon_reports(api: Any) -> None:
    with DockerSandbox(Spec()) as sandbox:
        isolation = sandbox.isolation
    assert isolation.network and isolation.filesystem and isolation.processes and isolation.user
    info = api.info()
    assert isolation.memory == ("sandbox" if info["MemoryLimit"] else "none")
    assert isolation.pids == ("sandbox" if info["PidsLimit"] else "none")
    assert isolation.disk == "sandbox"


@pytest.mark.parametrize(
    ("info", "memory", "cpus", "pids", "note"),
    [
        ({}, "none", "none", "none", "seccomp is off"),
        ({"MemoryLimit": True, "SwapLimit": True}, "sandbox", "none", "none", "root"),
        ({"MemoryLimit": True}, "sandbox", "none", "none", "swapped out"),
        ({"CpuCfsQuota": True, "CpuCfsPeriod": True, "PidsLimit": True}, "none", "sandbox", "sandbox", "root"),
        (
            {"MemoryLimit": True, "PidsLimit": True, "CgroupDriver": "none", "SecurityOptions": ["name=rootless"]},
            "none", "none", "none", "rootless",
        ),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}, "none", "none", "none", "maps users"),
    ],
)  # fmt: skip
def test_isolation_of_lesser_daemons(info: dict[str, Any], memory: str, cpus: str, pids: str, note: str) -> None:
    found = docker_daemon.isolation(info, network=True, warnings=("limits discarded",))
    assert (found.network, found.memory, found.cpus, found.pids) == (False, memory, cpus, pids)
    assert note in " ".join(found.notes) and "limits discarded" in found.notes


def test_sizes_of_the_writable_folders() -> None:
    assert sum(writable_sizes(Limits(disk_bytes=100 * MIB)) or ()) == 100 * MIB
    assert sum(writable_sizes(Limits(disk_bytes=100 * MIB, memory_bytes=64 * MIB)) or ()) == 48 * MIB
    assert sum(writable_sizes(Limits(disk_bytes=None, memory_bytes=64 * MIB)) or ()) == 48 * MIB
    assert writable_sizes(Limits(disk_bytes=None, memory_bytes=None)) is None


def test_sandbox_without_limits(api: Any) -> None:
    with DockerSandbox(Spec(limits=Limits(None, None, None, None))) as sandbox:
        host = api.inspect_container(container_id(sandbox))["HostConfig"]
        assert sandbox.run("echo ok").stdout == "ok\n"
    assert not host["Memory"] and not host["NanoCpus"] and not host["PidsLimit"]


def test_more_cpus_than_there_are() -> None:
    need_docker()
    with DockerSandbox(Spec(limits=Limits(cpus=1000))) as sandbox:
        assert sandbox.run("echo ok").stdout == "ok\n"


def test_environment_is_the_same_everywhere(api: Any) -> None:
    with DockerSandbox(Spec(env={"WORD": "two\nlines 'x'"})) as sandbox:
        shown = sandbox.run("printf '%s|' \"$WORD\" $HOME $PWD $LANG $TMPDIR $(hostname) $(id -u) $(umask)").stdout
        assert shown == "two\nlines 'x'|/work|/work|C.UTF-8|/tmp|sandbox|1000|0022|"
        assert sandbox.run("cat /etc/resolv.conf").stdout == "nameserver 127.0.0.1\n"


def test_network_is_there_where_it_was_asked_for(api: Any) -> None:
    if not any(network["Name"] == "bridge" for network in api.networks()):
        pytest.skip("the daemon has no bridge network")
    with DockerSandbox(Spec(network=True)) as sandbox:
        assert not sandbox.isolation.network
        assert "eth0" in sandbox.run("cat /proc/net/dev").stdout


def test_image_fills_the_work_folder(peopled: str) -> None:
    with DockerSandbox(Spec(image=peopled, workdir="/testbed")) as sandbox:
        assert sandbox.run("cat sub/a twin link; stat -c '%a %U' sub; stat -c %h twin").stdout == (
            "hello\nhello\nhello\n700 agent\n2\n"
        )
        assert sandbox.run("echo $PATH $WORD").stdout == "/opt/own/bin:/usr/bin:/bin given\n"
        first = sandbox.digest()
        sandbox.run("rm -r sub; echo new >twin")
        sandbox.restore()
        assert sandbox.digest() == first
        assert sandbox.run("touch /data/x").exit_code == 1, "a volume of the image could fill the host's disk"


def test_folder_takes_the_place_of_the_images_own(peopled: str, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with DockerSandbox(Spec(image=peopled, workdir="/testbed", folder=tmp_path)) as sandbox:
        assert sandbox.run("ls").stdout == "mine\n"


def test_mounts_and_hidden_folders(peopled: str, tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown/file").write_text("seen")
    first = tmp_path / "first"
    (first / "data").mkdir(parents=True)
    (first / "data/covered").write_text("covered")
    mounts = {
        "/opt/shown": tmp_path / "shown",
        "/opt/one": tmp_path / "shown/file",
        "/testbed/data": tmp_path / "shown",
    }
    with DockerSandbox(Spec(peopled, first, workdir="/testbed", mounts=mounts, hide=("/secret",))) as sandbox:
        shown = sandbox.run("cat /opt/shown/file /opt/one data/file; ls /secret data").stdout
        assert shown == "seenseenseen/secret:\n\ndata:\nfile\n"
        for path in ("/opt/shown/x", "/opt/one", "data/file", "/secret/x"):
            with pytest.raises(PermissionError):
                sandbox.write(path, b"changed")
        sandbox.write("own", b"own")
        files = sandbox.snapshot()
        sandbox.restore()
        assert sandbox.run("ls; cat data/file").stdout == "data\nseen"
        sandbox.restore(files)
        with sandbox.fork() as twin:
            assert twin.run("cat own data/file").stdout == "ownseen"
        assert sandbox.digest() == files.digest
    assert (tmp_path / "shown/file").read_text() == "seen"


@pytest.mark.parametrize("workdir", ["/tmp/work", "/dev/shm/work", "/proc/x"])
def test_work_folder_in_a_wrong_place(workdir: str) -> None:
    with pytest.raises(ValueError, match="work folder"):
        DockerSandbox(Spec(workdir=workdir))


def test_mount_deep_in_a_writable_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="directly in it: got '/work/deep/down'"):
        DockerSandbox(Spec(mounts={"/work/deep/down": tmp_path}))


def test_first_files_that_do_not_fit(tmp_path: Path) -> None:
    api = need_docker()
    (tmp_path / "big").write_bytes(b"x" * 8 * MIB)
    with pytest.raises(SandboxError, match=r"do not fit into Limits\(disk_bytes=4194304\)"):
        DockerSandbox(Spec(folder=tmp_path, limits=Limits(disk_bytes=4 * MIB)))
    assert eventually(lambda: own_containers(api) == [])


def test_missing_image_names_the_command_that_helps() -> None:
    need_docker()
    with pytest.raises(SandboxUnavailableError, match="docker pull turnwise-test/none:9"):
        DockerSandbox(Spec(image="turnwise-test/none:9"))
    assert "docker pull" in (docker_backend.unavailable(Spec(image="turnwise-test/none:9")) or "")
    assert docker_backend.unavailable(Spec()) is None


def bare_image(api: Any, tag: str, *programs: str) -> Iterator[str]:
    """An image that holds bash, what it needs, and some programs only."""
    with DockerSandbox(Spec()) as sandbox:
        libraries = "/lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/lib{c.so.6,tinfo.so.6,selinux.so.1,pcre2-8.so.0}"
        kept = " ".join(["/bin/bash", *(f"/bin/{program}" for program in programs)])
        sandbox.run(
            f"mkdir -p root/tmp && for f in {kept} {libraries}; do install -D $(realpath $f) root$f; done"
        ).check()
        sandbox.run("tar -cf root.tar -C root .").check()
        tar = sandbox.read("root.tar")
    assert tarfile.is_tarfile(io.BytesIO(tar))
    repository, _, version = tag.partition(":")
    api.import_image_from_data(tar, repository=repository, tag=version)
    yield tag
    api.remove_image(tag, force=True)


@pytest.fixture(scope="module")
def without_tar(api: Any) -> Iterator[str]:
    yield from bare_image(api, "turnwise-test/bare:1", "cat", "chmod", "find", "head", "mkdir", "mv", "realpath", "rm")


@pytest.fixture(scope="module")
def without_bash(api: Any) -> Iterator[str]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo("etc")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    api.import_image_from_data(buffer.getvalue(), repository="turnwise-test/empty", tag="1")
    yield "turnwise-test/empty:1"
    api.remove_image("turnwise-test/empty:1", force=True)


def test_image_without_tar(api: Any, without_tar: str) -> None:
    with pytest.raises(SandboxError, match="the image lacks tar"):
        DockerSandbox(Spec(image=without_tar))
    assert eventually(lambda: own_containers(api) == [])


def test_image_without_bash(api: Any, without_bash: str) -> None:
    with pytest.raises(SandboxError, match="has no /bin/bash"):
        DockerSandbox(Spec(image=without_bash))
    assert eventually(lambda: own_containers(api) == [])


@pytest.mark.parametrize(
    ("host", "says"),
    [("unix:///nowhere/docker.sock", "start one with `dockerd`"), ("tcp://127.0.0.1:1", "no Docker daemon answers")],
)
def test_no_daemon(monkeypatch: pytest.MonkeyPatch, host: str, says: str) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", host)
    docker_daemon.forget()
    try:
        assert says in (docker_backend.unavailable(Spec()) or "")
        with pytest.raises(SandboxUnavailableError, match=says):
            DockerSandbox(Spec())
    finally:
        docker_daemon.forget()
