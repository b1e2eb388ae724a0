from pathlib import Path

import pytest

from turnwise.sandboxes import Isolation, IsolationError, Limits, Spec, open_sandbox
from turnwise.sandboxes.opening import unavailable


def test_an_unknown_backend_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'podman'.*docker.*bubblewrap"):
        open_sandbox("podman")


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no/such"):
        open_sandbox("process", folder="/no/such")


@pytest.mark.parametrize("workdir", ["work", "/", "/work/", "/a/../b"])
def test_odd_work_folders_are_refused(workdir: str) -> None:
    with pytest.raises(ValueError, match="absolute"):
        open_sandbox("process", workdir=workdir)


def test_more_isolation_than_there_is_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(IsolationError, match=r"process.*network"):
        open_sandbox("process", require=["network"])
    assert list(tmp_path.iterdir()) == []


def test_process_is_given_to_whoever_names_it() -> None:
    with open_sandbox("process") as sandbox:
        assert sandbox.isolation.backend == "process"
    assert unavailable("process") is None


def test_auto_never_means_process() -> None:
    if unavailable("docker") is None or unavailable("bubblewrap") is None:
        with open_sandbox() as sandbox:
            assert sandbox.isolation.backend != "process"
            assert sandbox.isolation.lacks(["network", "filesystem", "processes", "user"]) == []
    else:
        with pytest.raises(Exception, match="name it to use it"):
            open_sandbox()


def _isolation(**changes: str) -> Isolation:
    values = {"memory": "sandbox", "cpus": "sandbox", "pids": "sandbox", "disk": "sandbox", **changes}
    return Isolation("some", True, True, True, True, **values)  # type: ignore[arg-type]


def test_limits_for_each_process_pass_unless_more_is_required() -> None:
    _isolation(memory="process").check([], Limits())
    with pytest.raises(IsolationError, match="memory"):
        _isolation(memory="process").check(["memory"], Limits())


def test_a_limit_that_cannot_be_kept_is_refused_with_the_way_round_it() -> None:
    with pytest.raises(IsolationError, match=r"Limits\(disk_bytes=None\)"):
        _isolation(disk="none").check([], Limits())
    _isolation(disk="none").check([], Limits(disk_bytes=None))


def test_unknown_names_and_impossible_limits() -> None:
    with pytest.raises(ValueError, match="'net'"):
        _isolation().lacks(["net"])
    with pytest.raises(ValueError, match="processes must be above 0"):
        Limits(processes=0)
    with pytest.raises(ValueError, match="absolute"):
        Spec(hide=("etc",))
