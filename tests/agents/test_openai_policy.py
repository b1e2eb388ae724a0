"""A policy behind a server: a real model in another process, and a proxy that does what goes wrong."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agents_models import CHATML, random_model, with_template
from fault_proxy import faulty
from key_door import KeyDoorEnv

pytest.importorskip("aiohttp")

from turnwise.agents import AFTER_MESSAGE, CallLimits, Context, OpenAIPolicy, TransformersPolicy, collect, token_rows
from turnwise.agents.policy import StreamingPolicy
from turnwise.agents.server_calls import ServerRefusedError

KEY = "sk-very-secret"
QUICK = CallLimits(timeout=60.0, retries=3, first_delay=0.01)


@pytest.fixture(scope="module")
def folder(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    chatml = with_template(tokenizer, CHATML)
    random_model("qwen2", len(chatml)).save_pretrained(path)
    chatml.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """The address of a server that holds the model."""
    script = Path(__file__).parents[1] / "model_server.py"
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), "--api-key", KEY], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def local(folder: Path) -> TransformersPolicy:
    """The same model in this process."""
    return TransformersPolicy(str(folder), device="cpu", temperature=0.0, max_new_tokens=8, stop=AFTER_MESSAGE)


def remote(address: str, local: TransformersPolicy | None = None, **options: Any) -> OpenAIPolicy:
    tokenizer = None if local is None else local.tokenizer
    options = {"api_key": KEY, "limits": QUICK, "max_new_tokens": 8, "temperature": 0.0, **options}
    return OpenAIPolicy(address, "tiny", tokenizer=tokenizer, **options)


def contexts(number: int) -> list[Context]:
    return [Context(f"e{i}", "The rules.", ["You stand in cell 2. " * (1 + i)]) for i in range(number)]


def envs(number: int = 3) -> list[KeyDoorEnv]:
    return [KeyDoorEnv(max_turns=3) for _ in range(number)]


@pytest.mark.parametrize(("kind", "path"), [("vllm", "/v1"), ("sglang", "")])
def test_tokens_in_tokens_out(kind: Any, path: str, server: str, local: TransformersPolicy) -> None:
    policy = remote(server + path, local, server=kind)
    mine, theirs = local.act(contexts(5)), policy.act(contexts(5))
    assert [d.response_ids for d in theirs] == [d.response_ids for d in mine]
    assert [(d.action, d.prompt_ids) for d in theirs] == [(d.action, d.prompt_ids) for d in mine]
    for a, b in zip(theirs, mine, strict=True):
        np.testing.assert_allclose(a.response_logprobs, b.response_logprobs, atol=1e-4)


@pytest.mark.parametrize("window", [None, 1])
def test_whole_episodes_are_those_of_the_same_model_here(
    window: int | None, server: str, folder: Path, local: TransformersPolicy
) -> None:
    local.conversation.window = window
    policy = remote(f"{server}/v1", local, window=window)
    assert isinstance(policy, StreamingPolicy)
    mine = collect(local, envs(), 5, seed=0)
    theirs = collect(policy, envs(), 5, seed=0)
    for a, b in zip(mine, theirs, strict=True):
        assert [t.action for t in a.turns] == [t.action for t in b.turns]
        for x, y in zip(token_rows(a), token_rows(b), strict=True):
            assert x.ids.tolist() == y.ids.tolist() and x.response_mask.tolist() == y.response_mask.tolist()


def test_without_a_tokenizer_messages_are_sent_and_the_servers_tokens_read(
    server: str, local: TransformersPolicy
) -> None:
    policy = remote(f"{server}/v1")
    for trajectory in collect(policy, envs(), 3, seed=0):
        for row in token_rows(trajectory):
            assert (row.logprobs[row.response_mask == 1] < 0).all()
        # What the server put together is what the template makes of the messages.
        first = local.chat.encode(local.chat.opening(trajectory.messages(0)))
        assert trajectory.turns[0].prompt_ids == first
        for number, turn in enumerate(trajectory.turns):
            assert turn.action == local.tokenizer.decode(turn.response_ids, skip_special_tokens=True), number


@pytest.mark.parametrize("with_tokenizer", [True, False])
def test_tokens_that_a_server_does_not_tell_are_absent(
    with_tokenizer: bool, server: str, local: TransformersPolicy
) -> None:
    policy = remote(f"{server}/v1", local if with_tokenizer else None, server="openai")
    for trajectory in collect(policy, envs(), 2, seed=0):
        for turn in trajectory.turns:
            assert (turn.prompt_ids, turn.response_ids, turn.response_logprobs) == ([], [], [])
        with pytest.raises(ValueError, match="no response_ids"):
            token_rows(trajectory)


def test_seeds_belong_to_episode_and_turn(server: str, local: TransformersPolicy) -> None:
    def ids(seed: int, order: int) -> list[list[int]]:
        policy = remote(f"{server}/v1", local, temperature=1.0, seed=seed)
        return [d.response_ids for d in policy.act(contexts(3)[::order])[::order]]

    assert ids(1, 1) == ids(1, -1) != ids(2, 1)


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut", "garbage", "empty"])
def test_what_passes_is_tried_again(fault: str, server: str, local: TransformersPolicy) -> None:
    expected = local.act(contexts(3))
    with faulty(server, lambda number, body: fault if number < 4 else "pass") as proxy:
        found = remote(f"{proxy.address}/v1", local, limits=CallLimits(retries=4, first_delay=0.01)).act(contexts(3))
        assert len(proxy.requests) == 3 + 4
    assert [d.response_ids for d in found] == [d.response_ids for d in expected]


@pytest.mark.parametrize(("fault", "reason"), [("500", "server_error"), ("slow", "server_timeout")])
def test_an_episode_whose_server_fails_is_truncated_and_the_batch_goes_on(
    fault: str, reason: str, server: str, local: TransformersPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    victim = local.conversation.prompt(Context("", KeyDoorEnv().instructions, [_first_observation("key-1")])).ids

    def faults(number: int, body: bytes) -> str:
        prompt = json.loads(body)["prompt"]
        later = len(prompt) > len(victim)
        return fault if later and prompt[: len(victim)] == victim else "pass"

    limits = CallLimits(timeout=1.5, retries=1, first_delay=0.01)
    with faulty(server, faults) as proxy, caplog.at_level(logging.WARNING):
        policy = remote(f"{proxy.address}/v1", local, limits=limits)
        found = collect(policy, envs(), 6, seed=0, task_ids=["key-0", "key-1", "key-2"])
    for trajectory in found:
        if trajectory.task_id == "key-1":
            assert trajectory.truncated and trajectory.stop_reason == reason and len(trajectory) == 1
            assert trajectory.turns[-1].truncated
        else:
            assert trajectory.stop_reason == "max_turns" and len(trajectory) == 3
    assert any(proxy.address in record.message for record in caplog.records)
    assert KEY not in caplog.text


def _first_observation(task_id: str) -> str:
    return str(KeyDoorEnv().reset(seed=0, options={"task_id": task_id})[0])


def test_a_server_that_is_not_there_ends_the_episodes(local: TransformersPolicy) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    policy = remote(address, local, limits=CallLimits(retries=1, first_delay=0.01))
    assert {t.stop_reason for t in collect(policy, envs(), 3, seed=0)} == {"server_error"}


def test_no_more_requests_than_allowed_are_under_way(server: str, local: TransformersPolicy) -> None:
    with faulty(server, lambda number, body: "pass") as proxy:
        remote(f"{proxy.address}/v1", local, limits=CallLimits(concurrency=2)).act(contexts(8))
        assert proxy.most_at_once == 2


def test_a_context_that_is_too_long_for_the_server_overflows(server: str, local: TransformersPolicy) -> None:
    long = Context("long", "", ["a very long page " * 200])
    with faulty(server, lambda number, body: "pass") as proxy:
        decision = remote(f"{proxy.address}/v1", local).act([long])[0]
        assert decision.stop_reason == "context_overflow" and len(proxy.requests) == 1
        decision = remote(f"{proxy.address}/v1", local, max_length=500).act([long])[0]
        assert decision.stop_reason == "context_overflow" and len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({"api_key": "sk-wrong-secret"}, "status 401"), ({"path": "/v2"}, "status 404.*no model 'tiny' at /v2")],
)
def test_a_server_that_refuses_us_is_an_error_without_the_key(
    options: dict[str, str], message: str, server: str, local: TransformersPolicy
) -> None:
    path = options.pop("path", "/v1")
    policy = remote(server + path, local, **options)
    with pytest.raises(ServerRefusedError, match=message) as caught:
        policy.act(contexts(2))
    assert "secret" not in str(caught.value) and "secret" not in repr(policy)
    assert policy.decided(timeout=0.0) == []


def test_an_interrupted_collection_leaves_nothing_behind(server: str, local: TransformersPolicy) -> None:
    policy = remote(f"{server}/v1", local)

    def stop(trajectory: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(policy, envs(), 6, seed=0, on_trajectory=stop)
    assert policy.decided(timeout=0.0) == []
    assert len(collect(policy, envs(), 3, seed=0)) == 3
    policy.close()
    assert len(collect(policy, envs(), 3, seed=0)) == 3


def test_privileged_data_is_never_sent(server: str, local: TransformersPolicy) -> None:
    with faulty(server, lambda number, body: "pass") as proxy:
        found = collect(remote(f"{proxy.address}/v1"), envs(), 3, seed=0)
        for trajectory in found:
            assert all(trajectory.privileged["answer"].encode() not in body for body in proxy.requests)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_server_that_transformers_ships(folder: Path, tmp_path: Path) -> None:
    """It speaks OpenAI's protocol and tells no tokens."""
    for module in ("transformers.cli.transformers", "accelerate", "fastapi", "uvicorn", "openai"):
        pytest.importorskip(module)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    log = tmp_path / "log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while not listens(port):
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        patient = CallLimits(timeout=300.0)
        policy = OpenAIPolicy(
            f"http://127.0.0.1:{port}/v1", str(folder), server="openai", max_new_tokens=8, limits=patient
        )
        found = collect(policy, envs(), 4, seed=0)
        policy.close()
    finally:
        process.kill()
        process.wait()
    assert all(t.stop_reason != "server_error" and len(t) > 0 for t in found), log.read_text()
    assert any(turn.action for t in found for turn in t.turns)
    assert all(turn.response_ids == [] for t in found for turn in t.turns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "localhost:8000"}, "base_url must be like"),
        ({"base_url": f"http://me:{KEY}@localhost/v1"}, "no user name or password"),
        ({"server": "tgi"}, "server must be one of"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"temperature": -1.0}, "temperature must be 0"),
        ({"top_p": 0.0}, "top_p must be in"),
        ({"stop": "</tool_call>"}, "stop must be a list"),
        ({"window": 2}, "window needs a tokenizer"),
        ({"max_length": 2}, "max_length needs a tokenizer"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        OpenAIPolicy(options.pop("base_url", "http://localhost:8000/v1"), "tiny", **options)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"concurrency": 0}, "concurrency"), ({"timeout": 0}, "timeout"), ({"retries": -1}, "retries"),
     ({"first_delay": -1}, "first_delay")],
)  # fmt: skip
def test_bad_limits_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CallLimits(**options)


def test_delays_double_and_obey_the_server() -> None:
    limits = CallLimits(first_delay=1.0, longest_delay=10.0)
    assert all(0.5 <= limits.delay(0, None) <= 1.5 for _ in range(20))
    assert all(2.0 <= limits.delay(2, None) <= 6.0 for _ in range(20))
    assert limits.delay(9, None) == 10.0 == limits.delay(0, 60.0) and limits.delay(5, 2.0) == 2.0
