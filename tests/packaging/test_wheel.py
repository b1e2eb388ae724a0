"""sdist → wheel → a folder of its own: every module is shipped, and nothing of ours lands at top level."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("envs", "agents", "rewards", "wrappers", "sandboxes")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the sdist, as an installer from an index would build it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    # A copy of what git would give: a build must not depend on, or leave, anything in the working tree.
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, names):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to(os.readlink(ROOT / name))
        elif (ROOT / name).is_file():
            target.write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    return next(out.glob("*.whl"))


def test_wheel_holds_every_module_and_no_bare_room(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    for room in ROOMS:
        sources = {f"turnwise/{path.relative_to(ROOT)}" for path in (ROOT / room).rglob("*.py")}
        assert sources <= shipped
        assert not any(name.startswith(f"{room}/") for name in shipped)
    assert "turnwise/py.typed" in shipped
    templates = {f"turnwise/{p.relative_to(ROOT / 'src/turnwise')}" for p in (ROOT / "src/turnwise").glob("*/*.html")}
    assert templates <= shipped
    assert not any(name.startswith(("tests/", "turnwise/tests")) for name in shipped)


def test_every_module_imports_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = """
import importlib, importlib.util, json, pkgutil, turnwise
names = sorted(m.name for m in pkgutil.walk_packages(turnwise.__path__, "turnwise."))
for name in names:
    importlib.import_module(name)
print(json.dumps({"names": names, "file": turnwise.envs.__file__}))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert Path(result["file"]).is_relative_to(tmp_path), "the wheel's modules were imported, not the checkout's"
    assert {f"turnwise.{room}" for room in ROOMS} <= set(result["names"])
