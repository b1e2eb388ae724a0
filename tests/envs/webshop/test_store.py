from __future__ import annotations

import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from turnwise.envs.built_folder import MARKER, default_cache_dir, is_complete
from turnwise.envs.record_files import RecordFile, RecordWriter
from turnwise.envs.webshop import build
from turnwise.envs.webshop.generator import generate_product
from turnwise.envs.webshop.goals import generate_goal
from turnwise.envs.webshop.search import IndexBuildError, build_index
from turnwise.envs.webshop.store import Catalogue, CatalogueBuildError, CatalogueSpec, open_catalogue

SPEC = CatalogueSpec.generated(products=60, seed=9)
OPEN = """
import sys
from pathlib import Path
from turnwise.envs.webshop.store import CatalogueSpec, open_catalogue
shop = open_catalogue(CatalogueSpec.generated(products=int(sys.argv[2]), seed=9), Path(sys.argv[1]),
                      lambda done, total: print(done, total, flush=True))
print("opened", len(shop), shop.search("shoes")[:3])
"""
LIMITED = "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n" + OPEN


def folders(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.is_dir())


def opener(cache: Path, products: int, code: str = OPEN) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(cache), str(products)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_catalogue_holds_what_the_generator_makes(small: Catalogue) -> None:
    products = [generate_product(5, i) for i in range(100)]
    assert len(small) == 100 and len(small.goals) == 500
    assert list(small.products()) == products == [small.product(i) for i in range(100)]
    assert [small.position(p.asin) for p in products] == list(range(100))
    assert small.goal(7) == generate_goal(products[1], 5, 1, 2)
    assert small.goals[-1] == small.goals[499] == small.goals[498:][1]


def test_unknown_places_are_refused(small: Catalogue) -> None:
    for position in (-1, 100):
        with pytest.raises(IndexError, match=rf"\[0, 100\), got {position}"):
            small.product(position)
    for asin in ("", "B0", "X" * 10, "B" * 50, "\0", "\ud800", small.product(0).asin.lower()):
        with pytest.raises(KeyError, match="webshop-100-5 has no product"):
            small.position(asin)
    with pytest.raises(IndexError):
        small.goal(500)


def test_one_object_for_all_environments_of_a_process(small: Catalogue, catalogue_cache: Path) -> None:
    again = CatalogueSpec.generated(products=100, seed=5)
    assert open_catalogue(again, catalogue_cache) is small
    assert open_catalogue(again, Path(os.path.relpath(catalogue_cache))) is small
    assert pickle.loads(pickle.dumps(small)) is small


def test_built_once_and_reopened(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    folder = build.ensure_built(SPEC, tmp_path, lambda done, total: calls.append((done, total)))
    assert calls == [(60, 60)]
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert build.ensure_built(SPEC, tmp_path, lambda done, total: calls.append((done, total))) == folder
    assert calls == [(60, 60)]
    assert stamps == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_progress_is_reported_while_building(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    spec = CatalogueSpec.generated(products=2500, seed=1)
    open_catalogue(spec, tmp_path, lambda done, total: calls.append((done, total)))
    assert calls == [(1000, 2500), (2000, 2500), (2500, 2500)]


def test_many_processes_at_the_same_moment(tmp_path: Path) -> None:
    openers = [opener(tmp_path, 400) for _ in range(4)]
    outputs = [process.communicate(timeout=120) for process in openers]
    assert [process.returncode for process in openers] == [0] * 4, outputs
    lines = [out.splitlines() for out, _ in outputs]
    assert len({found[-1] for found in lines}) == 1
    assert sorted(len(found) for found in lines) == [1, 1, 1, 2], "one builds, three wait"
    assert len(folders(tmp_path)) == 1


def test_killed_build_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    process = opener(tmp_path, 200_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "1000 200000\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    (leftover,) = folders(tmp_path)
    assert ".tmp-" in leftover and not is_complete(tmp_path / leftover)

    spec = CatalogueSpec.generated(products=200_000, seed=9)
    other = tmp_path / f"{spec.name}-other.tmp-x"
    other.mkdir()
    shutil.move(tmp_path / leftover, tmp_path / f"{SPEC.name}-{SPEC.key()}.tmp-dead")
    shop = open_catalogue(SPEC, tmp_path)
    assert len(shop) == 60
    assert folders(tmp_path) == sorted([f"{SPEC.name}-{SPEC.key()}", other.name]), "only its own leftovers go"


@pytest.mark.parametrize("damage", ["marker", "truncated", "lost"])
def test_damaged_catalogue_is_built_again(tmp_path: Path, damage: str) -> None:
    folder = build.ensure_built(SPEC, tmp_path)
    products = folder / "products.jsonl"
    whole = products.read_bytes()
    if damage == "marker":
        (folder / MARKER).unlink()
    elif damage == "truncated":
        products.write_bytes(whole[: len(whole) // 2])
    else:
        products.unlink()
    assert not is_complete(folder)
    assert build.ensure_built(SPEC, tmp_path) == folder
    assert products.read_bytes() == whole


def test_file_size_limit_stops_the_build_and_leaves_no_trace(tmp_path: Path) -> None:
    out, error = opener(tmp_path, 1000, LIMITED).communicate(timeout=60)
    assert "opened" not in out
    assert "CatalogueBuildError" in error and str(tmp_path) in error and "TURNWISE_CACHE" in error
    assert folders(tmp_path) == []


@pytest.fixture
def full_disk(tmp_path: Path) -> Path:
    """A file system of 600 kB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", place], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    yield place  # type: ignore[misc]
    subprocess.run(["umount", "-l", place], check=True)


def test_full_disk(full_disk: Path) -> None:
    with pytest.raises(CatalogueBuildError, match="Make room there, or point TURNWISE_CACHE") as caught:
        open_catalogue(CatalogueSpec.generated(products=1000, seed=9), full_disk)
    assert str(full_disk) in str(caught.value)
    assert isinstance(caught.value, OSError) and caught.value.errno in (errno.ENOSPC, None)
    assert folders(full_disk) == []
    assert len(open_catalogue(CatalogueSpec.generated(products=10, seed=9), full_disk)) == 10


def test_search_index_on_a_full_disk(full_disk: Path) -> None:
    (full_disk / "index").mkdir()
    with pytest.raises(IndexBuildError, match=r"cannot write the search index in .*No space left"):
        build_index(full_disk / "index", (f"word{i} other{i} third{i}" for i in range(100_000)))


def test_cache_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CatalogueBuildError, match="cannot build the catalogue webshop-60-9"):
        open_catalogue(SPEC, tmp_path / "file" / "cache")


def test_failed_build_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_catalogue(SPEC, tmp_path, interrupted)
    assert folders(tmp_path) == []
    assert len(open_catalogue(SPEC, tmp_path)) == 60


def test_cache_dir_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TURNWISE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache_dir() == Path.home() / ".cache" / "turnwise"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir() == tmp_path / "xdg" / "turnwise"
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "own"))
    assert default_cache_dir() == tmp_path / "own"
    assert len(open_catalogue(SPEC)) == 60
    assert len(folders(tmp_path / "own")) == 1


@pytest.mark.parametrize("products", [9, 1_000_001, True, 50.0, "100"])
def test_size_is_checked(products: object) -> None:
    with pytest.raises(ValueError, match=r"products must be an int from 10 to 1000000, got "):
        CatalogueSpec.generated(products=products)  # type: ignore[arg-type]


def test_key_follows_the_contents() -> None:
    keys = {CatalogueSpec.generated(p, s).key() for p in (10, 11) for s in (0, 1, -1)}
    assert len(keys) == 6
    assert SPEC.key() == CatalogueSpec.generated(60, 9).key()


READ = """
import resource, sys
from pathlib import Path
from turnwise.envs.record_files import RecordFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
records = RecordFile(Path(sys.argv[1]))
assert records[len(records) - 1]["n"] == len(records) - 1
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_opening_records_does_not_load_them(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "big") as writer:
        for n in range(30_000):
            writer.add({"n": n, "text": "x" * 2000})
    done = subprocess.run([sys.executable, "-c", READ, tmp_path / "big"], capture_output=True, text=True, check=True)
    assert (tmp_path / "big.jsonl").stat().st_size > 60e6
    assert float(done.stdout) < 10, "megabytes"


def test_records_by_position(tmp_path: Path) -> None:
    records = [{"n": n, "text": "é😀\n\ud800" * n} for n in range(20)]
    with RecordWriter(tmp_path / "some") as writer:
        for record in records:
            writer.add(record)
    read = RecordFile(tmp_path / "some")
    assert len(read) == 20 and list(read) == records and read[13] == records[13]
    with pytest.raises(IndexError, match=r"\[0, 20\), got 20"):
        read[20]


def test_no_records(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "none"):
        pass
    assert len(RecordFile(tmp_path / "none")) == 0


def test_splits_are_saved_sorted(small: Catalogue) -> None:
    numbers = np.concatenate([small.split(split) for split in ("train", "val", "test")])
    assert sorted(numbers.tolist()) == list(range(500))
    assert all((np.diff(small.split(split)) > 0).all() for split in ("train", "val", "test"))
