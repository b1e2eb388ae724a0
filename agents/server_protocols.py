"""What is sent to a model server and what is read from its reply, for each kind of server. Pure functions.

vLLM (0.10.2 and later) and SGLang return the sampled token ids where they are asked to (`return_token_ids`); SGLang
also has an interface of its own, `/generate`, in which tokens go in and tokens come out. Others speak OpenAI's protocol
and give texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from turnwise.agents.server_calls import MalformedReplyError

Server: TypeAlias = Literal["vllm", "sglang", "openai"]


@dataclass(frozen=True)
class Wish:
    """What is wanted of a message.

    Attributes:
        model: The name that the server has for its model.
        max_tokens: Longest message.
        temperature: 0 is greedy.
        top_p: Nucleus sampling; 1 is off.
        stop: Texts that end a message; they stay in it where the server can leave them in.
        stop_ids: Tokens that end a message.
        extra: Further fields of the request's body, which go over all others.
    """

    model: str
    max_tokens: int
    temperature: float
    top_p: float
    stop: tuple[str, ...]
    stop_ids: tuple[int, ...]
    extra: Mapping[str, Any]


class Message(NamedTuple):
    """What a server wrote. Tokens that it does not tell are None, never made up.

    Attributes:
        text: The message.
        ids: The sampled tokens.
        logprobs: Their log-probabilities (nats), as the server counts them.
        prompt_ids: All tokens before them, as the server put them together.
    """

    text: str
    ids: list[int] | None
    logprobs: list[float] | None
    prompt_ids: list[int] | None


def chat_request(
    server: Server, wish: Wish, messages: Sequence[Mapping[str, str]], seed: int
) -> tuple[str, dict[str, Any]]:
    """Path and body for a conversation as messages: the server applies its chat template."""
    body = {"messages": list(messages), **_common(server, wish, seed), "logprobs": True}
    return "/chat/completions", {**body, **wish.extra}


def token_request(server: Server, wish: Wish, ids: Sequence[int], seed: int) -> tuple[str, dict[str, Any]]:
    """Path and body for a prompt of tokens."""
    if server != "sglang":
        body = {"prompt": list(ids), **_common(server, wish, seed), "logprobs": 1}
        return "/completions", {**body, **wish.extra}
    sampling = {
        "max_new_tokens": wish.max_tokens,
        "temperature": wish.temperature,
        "top_p": wish.top_p,
        "stop": list(wish.stop),
        "stop_token_ids": list(wish.stop_ids),
        "no_stop_trim": True,
        "skip_special_tokens": False,
        "sampling_seed": seed,
    }
    return "/generate", {"input_ids": list(ids), "sampling_params": sampling, "return_logprob": True, **wish.extra}


def read_chat(reply: Any) -> Message:
    """The message in a reply to `chat_request`."""
    choice = _choice(reply)
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(content, (str, type(None))):
        raise MalformedReplyError("choices[0].message has no text `content`")
    entries = (choice.get("logprobs") or {}).get("content") or []
    logprobs = [entry.get("logprob") for entry in entries]
    return _message(content or "", choice.get("token_ids"), logprobs, reply.get("prompt_token_ids"))


def read_completion(reply: Any) -> Message:
    """The message in a reply to `token_request`."""
    if isinstance(reply, dict) and "meta_info" in reply:
        return _read_generated(reply)
    choice = _choice(reply)
    text = choice.get("text")
    if not isinstance(text, str):
        raise MalformedReplyError("choices[0] has no `text`")
    logprobs = (choice.get("logprobs") or {}).get("token_logprobs")
    return _message(text, choice.get("token_ids"), logprobs, choice.get("prompt_token_ids"))


def _read_generated(reply: dict[str, Any]) -> Message:
    """The message in a reply of SGLang's own interface: pairs of log-probability and token."""
    entries, text = reply["meta_info"].get("output_token_logprobs"), reply.get("text")
    if not isinstance(text, str) or not isinstance(entries, list):
        raise MalformedReplyError("no `text`, or no `meta_info.output_token_logprobs`")
    return _message(text, [entry[1] for entry in entries], [entry[0] for entry in entries], None)


def _common(server: Server, wish: Wish, seed: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": wish.model,
        "max_tokens": wish.max_tokens,
        "temperature": wish.temperature,
        "top_p": wish.top_p,
        "seed": seed,
    }
    if wish.stop:
        body["stop"] = list(wish.stop)
    if server == "openai":
        return body
    kept_in = {"vllm": "include_stop_str_in_output", "sglang": "no_stop_trim"}[server]
    stop_ids = {"stop_token_ids": list(wish.stop_ids)} if wish.stop_ids else {}
    return {**body, **stop_ids, kept_in: True, "skip_special_tokens": False, "return_token_ids": True}


def _choice(reply: Any) -> dict[str, Any]:
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise MalformedReplyError("no `choices`")
    choice: dict[str, Any] = choices[0]
    return choice


def _message(text: str, ids: Any, logprobs: Any, prompt_ids: Any) -> Message:
    """Token fields as they are, or None where they are missing or do not fit one another."""
    sampled, given = _numbers(ids, int), _numbers(prompt_ids, int)
    values = _numbers(logprobs, (int, float))
    if sampled is None or values is None or len(values) != len(sampled):
        values = None
    return Message(text, sampled, None if values is None else [float(value) for value in values], given)


def _numbers(values: Any, kind: type | tuple[type, ...]) -> list[Any] | None:
    fits = isinstance(values, list) and all(isinstance(v, kind) and not isinstance(v, bool) for v in values)
    return values if fits else None
