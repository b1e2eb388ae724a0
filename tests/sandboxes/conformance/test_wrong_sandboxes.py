"""The kit is itself tested: each wrong sandbox is caught, by the check that is there for it."""

from __future__ import annotations

import os
import signal

import pytest
import wrong_sandboxes as wrong
from bubblewrap_here import need_bubblewrap, process_1

from turnwise.sandboxes.base import Sandbox
from turnwise.sandboxes.bubblewrap import BubblewrapSandbox
from turnwise.sandboxes.conformance import CHECKS, ConformanceError, check, description

CAUGHT: list[tuple[type[BubblewrapSandbox], str, str]] = [
    (wrong.ForgetsExitCodes, "exit_codes_are_the_commands", "must end with 1"),
    (wrong.MixesStreams, "streams_are_kept_apart_and_whole", "printed"),
    (wrong.StripsOutput, "streams_are_kept_apart_and_whole", "printed"),
    (wrong.DecodesLatin, "text_is_utf8", "must print"),
    (wrong.IgnoresInput, "standard_input_is_given_whole", "must print"),
    (wrong.IgnoresFolder, "commands_begin_in_the_work_folder", "must print"),
    (wrong.ShowsTheHostsEnvironment, "the_environment_is_what_was_given", "must print"),
    (wrong.KeepsEverything, "commands_leave_only_files", "must print"),
    (wrong.HasNoSession, "a_session_keeps_its_shell", "must print"),
    (wrong.HasNoSession, "a_session_takes_no_folder_and_no_variables", "must raise ValueError"),
    (wrong.HasNoOutputLimit, "output_is_capped", "were kept"),
    (wrong.NeverRunsOutOfTime, "time_runs_out", "gave"),
    (wrong.RaisesOnFailure, "exit_codes_are_the_commands", "CommandFailedError"),
    (wrong.ReadsNothingAsEmpty, "file_errors_are_pythons", "must raise FileNotFoundError"),
    (wrong.WritesText, "files_come_back_as_written", "others came back"),
    (wrong.SnapshotsTooLittle, "a_snapshot_is_of_its_moment", "the digest after restoring"),
    (wrong.ForksItself, "a_fork_goes_its_own_way", "must print"),
    (wrong.DigestsNames, "equal_files_have_equal_digests", "the digest is that of"),
    (wrong.DigestsTimes, "equal_files_have_equal_digests", "though the files are the same"),
    (wrong.NeverCloses, "a_closed_sandbox_refuses", "must raise SandboxClosedError"),
    (wrong.ShowsItsFailure, "a_lost_sandbox_says_so", "must raise SandboxLostError"),
    (wrong.ShowsItsFailure, "a_closed_sandbox_refuses", "must raise SandboxClosedError"),
    (wrong.Boasts, "a_disk_filler_is_stopped", "succeeded"),
    (wrong.IsOnTheNetwork, "no_address_can_be_reached", "was reached"),
    (wrong.ShowsTheHost, "files_of_the_host_are_unseen", "must print"),
]


def kill_process_1(sandbox: Sandbox) -> None:
    assert isinstance(sandbox, BubblewrapSandbox)
    os.kill(process_1(sandbox), signal.SIGKILL)


@pytest.mark.parametrize(("backend", "name", "words"), CAUGHT, ids=lambda value: getattr(value, "__name__", None))
def test_it_is_caught(backend: type[BubblewrapSandbox], name: str, words: str) -> None:
    need_bubblewrap()
    report = check(backend, checks=[name], lose=kill_process_1)
    (finding,) = report.findings
    assert not finding.passed and words in finding.message, str(report)


def test_a_report_reads_well_and_raises() -> None:
    need_bubblewrap()
    names = ["exit_codes_are_the_commands", "a_closed_sandbox_refuses", "a_lost_sandbox_says_so"]
    report = check(wrong.NeverCloses, checks=names)
    assert [finding.check for finding in report.failures] == ["a_closed_sandbox_refuses"]
    assert str(report).splitlines()[0] == "bubblewrap: 1 passed, 1 failed, 1 skipped"
    with pytest.raises(ConformanceError, match="a_closed_sandbox_refuses"):
        report.raise_for_failures()
    assert report.to_json()["findings"][2]["skipped_reason"].startswith("no way to destroy")


def test_unknown_checks_are_named() -> None:
    with pytest.raises(ValueError, match="no_such_check"):
        check(BubblewrapSandbox, checks=["no_such_check"])


def test_every_check_says_in_one_sentence_what_it_holds_a_sandbox_to() -> None:
    for name in CHECKS:
        assert description(name).endswith("."), name
