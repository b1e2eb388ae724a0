"""`turnwise retrieve serve`, as a process on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from turnwise.envs.search_qa.retrieval.remote import RemoteRetriever


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text(
        "".join(json.dumps({"id": str(n), "contents": f'"Town {n}"\nTown {n} is here.'}) + "\n" for n in range(300))
    )
    return path


def serve(corpus: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "turnwise.cli",
        "retrieve",
        "serve",
        "--corpus",
        str(corpus),
        "--port",
        "0",
        *options,
    ]
    environment = {**os.environ, "TURNWISE_CACHE": str(corpus.parent / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.match(r"Serving (http\S+)", line):
            return found[1]
    raise AssertionError(f"the server ended with {process.wait()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(corpus_file: Path, number: signal.Signals) -> None:
    process = serve(corpus_file, "--topk", "5")
    try:
        url = address(process)
        hits = RemoteRetriever(url).search(["town 7", "town 8"], 3)
        assert [found[0].doc_id for found in hits] == ["7", "8"]
        waiting = socket.create_connection(("127.0.0.1", int(url.rsplit(":")[-1].split("/")[0])))  # says nothing
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        waiting.close()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--method", "bm52"], "There is no method 'bm52'. Did you mean 'bm25'?"),
        (["--method", "dense"], "--method dense needs --model"),
    ],
)
def test_the_command_says_what_is_wrong(corpus_file: Path, options: list[str], told: str) -> None:
    process = serve(corpus_file, *options)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 2 and told in " ".join(error.split())


def test_the_command_says_where_a_corpus_is_cut(corpus_file: Path) -> None:
    corpus_file.write_bytes(corpus_file.read_bytes()[:-7])
    _, error = serve(corpus_file).communicate(timeout=30)
    assert "line 300, byte" in " ".join(error.split())
