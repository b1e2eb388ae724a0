from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker_here import need_docker

from turnwise.sandboxes import images
from turnwise.sandboxes.base import Spec
from turnwise.sandboxes.docker_backend import DockerSandbox
from turnwise.sandboxes.errors import SandboxError, SandboxUnavailableError

TAG = "turnwise-test/imported:1"


@pytest.fixture
def api() -> Iterator[Any]:
    found = need_docker()
    yield found
    if images.has_image(found, TAG):
        found.remove_image(TAG, force=True)
    assert not found.images(name=f"{images.REPOSITORY}-part"), "nothing half-made stays"


def test_folder_becomes_an_image_and_takes_the_old_ones_place(api: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("first")
    images.import_root(tmp_path, TAG)
    first = api.inspect_image(TAG)["Id"]
    (tmp_path / "file").write_text("second")
    images.import_root(tmp_path, TAG)
    assert api.inspect_image(TAG)["Id"] != first
    assert first not in api.images(all=True, quiet=True), "the old one is removed"


def test_folder_that_cannot_be_read_becomes_no_image(api: Any, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be read in full"):
        images.import_root(tmp_path / "missing", TAG)
    assert not images.has_image(api, TAG)


def test_image_that_is_there_is_not_built_again(api: Any) -> None:
    said: list[str] = []
    assert images.build_image(say=said.append) == images.default_image()
    assert said == [f"the image {images.default_image()} is there"]


def test_without_a_registry_the_image_is_made_by_debootstrap(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_SLIM", "127.0.0.1:1/python:3.12-slim")
    monkeypatch.setattr(images, "default_image", lambda: TAG)
    monkeypatch.setattr(images.debian_root, "ensure_root", lambda say: tmp_path)
    said: list[str] = []
    assert images.build_image(say=said.append) == TAG
    assert images.has_image(api, TAG) and "debootstrap" in said[-1] and "127.0.0.1:1" in said[-1]

    def fails(say: object) -> Path:
        raise SandboxUnavailableError("needs debootstrap")

    monkeypatch.setattr(images.debian_root, "ensure_root", fails)
    with pytest.raises(SandboxUnavailableError, match="needs debootstrap"):
        images.build_image(again=True)


def test_default_image_runs_pytest(api: Any) -> None:
    with DockerSandbox(Spec()) as sandbox:
        sandbox.write("test_it.py", b"def test_it(tmp_path, capsys, monkeypatch):\n    assert 1 + 1 == 2\n")
        result = sandbox.run("python -m pytest -q").check()
        assert "1 passed" in result.stdout and "warning" not in result.stdout
        assert (
            sandbox.run("id -un; diff --version >/dev/null && patch --version >/dev/null").check().stdout == "agent\n"
        )


def test_folder_of_an_image(api: Any) -> None:
    image = api.inspect_image(images.default_image())["Id"]
    found = images.folder_archive(image, "/usr/share/bash-completion")
    assert found is not None and b"./usr/share/bash-completion" in found
    assert images.folder_archive(image, "/no/such") is None
    assert images.folder_archive(image, "/work") is None
