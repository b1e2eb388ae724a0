from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from turnwise.cli import app
from turnwise.sandboxes import debian_root, docker_daemon, images
from turnwise.sandboxes.errors import SandboxUnavailableError


def turnwise(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["sandbox", *arguments])
    return result.exit_code, result.output


def test_status_says_of_each_backend_what_it_enforces_or_why_not() -> None:
    code, text = turnwise("status")
    assert code == 0
    for backend in ("docker", "bubblewrap", "process"):
        assert f"{backend}: available" in text or f"{backend}: not available" in text
    assert "process: available\n    not: network, filesystem, processes, user, memory, cpus, pids, disk" in text


def test_status_where_there_is_no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    docker_daemon.forget()
    try:
        code, text = turnwise("status")
        assert code == 0 and "docker: not available" in text and "start one with `dockerd`" in text
        found = json.loads(turnwise("status", "--json")[1])
        assert found["docker"]["available"] is False and "dockerd" in found["docker"]["reason"]
        assert found["process"]["available"] is True and found["process"]["network"] is False
        code, text = turnwise("build")
        assert code == 2 and "no Docker daemon answers" in text
    finally:
        docker_daemon.forget()


def test_build_prints_what_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "build_image", lambda again, say: f"image again={again}")
    assert turnwise("build", "--again") == (0, "image again=True\n")
    monkeypatch.setattr(debian_root, "ensure_root", lambda say: "/the/root")
    assert turnwise("build", "--root") == (0, "/the/root\n")


def test_build_that_cannot_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(again: bool, say: object) -> str:
        raise SandboxUnavailableError("needs debootstrap: apt-get install debootstrap")

    monkeypatch.setattr(images, "build_image", fails)
    code, text = turnwise("build")
    assert code == 2 and "apt-get install debootstrap" in text
