"""`OpenAIPolicy`: a model behind a server, vLLM, SGLang or any that speaks OpenAI's protocol, as a policy."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, get_args

from turnwise.agents.conversation import ChatFormat, Conversation, Prompt
from turnwise.agents.policy import Context, Decision
from turnwise.agents.seeding import stream
from turnwise.agents.server_calls import Address, CallLimits, ServerCalls, ServerError
from turnwise.agents.server_protocols import (
    Message,
    Server,
    Wish,
    chat_request,
    read_chat,
    read_completion,
    token_request,
)
from turnwise.agents.tokens import context_ids

_LOG = logging.getLogger(__name__)


class OpenAIPolicy:
    """Writes actions with a model that a server holds. Requests run side by side; `act` waits for all of its own.

    With a tokenizer, prompts are built here, exactly as `TransformersPolicy` builds them, and sent as token ids; what
    the server sampled is read as token ids too, so that nothing is tokenised twice. Without one, messages are sent and
    the server applies its own chat template.

    Decisions hold token ids and log-probabilities where the server gives them (vLLM and SGLang do), and none where it
    does not: they are never made from the text. Log-probabilities are the server's: of vLLM and SGLang by default at
    temperature 1 and over the whole vocabulary, as a trainer needs them.

    A message whose request fails for good ends its episode: its decision has the `stop_reason` `server_timeout`,
    `server_error` or `context_overflow`, and the others go on. Only a server that refuses us altogether (an unknown
    model, a wrong key) is an error.

    Args:
        base_url: Of the interface, for example `http://localhost:8000/v1`; for SGLang's `/generate` the server's root.
        model: The name that the server has for its model.
        server: `vllm`, `sglang`, or `openai` for any other, which is asked for nothing beyond OpenAI's protocol.
        tokenizer: A Hugging Face tokenizer, the one that the server has; None sends messages.
        api_key: Sent as a bearer token. It is in no error and no `repr`.
        max_new_tokens: Longest message.
        temperature: 0 is greedy.
        top_p: Nucleus sampling; 1 is off.
        seed: Of the seed that goes with each request, which depends on the episode and the turn; whether draws are
            then the same again is the server's business.
        stop: Texts that end a message.
        window: See `Conversation`; only with a tokenizer.
        include_instructions: Whether to show the system prompt.
        max_observation_tokens: See `Conversation`; only with a tokenizer.
        max_length: Longest context, message included, if it is to be watched here; only with a tokenizer.
        limits: How many requests at once, how long each may take, how often it is repeated.
        template_kwargs: Passed to the chat template; only with a tokenizer.
        extra: Further fields of every request, for example `{"top_k": 20}`.

    Raises:
        ValueError: An argument is out of its range, or needs a tokenizer.

    An example with a server of vLLM on this machine::

        policy = OpenAIPolicy("http://localhost:8000/v1", "Qwen/Qwen3-8B", tokenizer=tokenizer)
        trajectories = collect(policy, envs, 64, seed=0)
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        server: Server = "vllm",
        tokenizer: Any = None,
        api_key: str | None = None,
        max_new_tokens: int = 512,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
        window: int | None = None,
        include_instructions: bool = True,
        max_observation_tokens: int | None = None,
        max_length: int | None = None,
        limits: CallLimits | None = None,
        template_kwargs: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if server not in get_args(Server):
            raise ValueError(f"server must be one of {list(get_args(Server))}, got {server!r}")
        _check(max_new_tokens, temperature, top_p, stop)
        self.server: Server = server
        self.seed = seed
        self.include_instructions = include_instructions
        self.max_length = max_length
        self.conversation: Conversation | None = None
        stop_ids: list[int] = []
        if tokenizer is not None:
            chat = ChatFormat(tokenizer, **(template_kwargs or {}))
            stop_ids = [i for i in dict.fromkeys([chat.end_of_turn_id, tokenizer.eos_token_id]) if i is not None]
            self.conversation = Conversation(
                chat,
                window=window,
                include_instructions=include_instructions,
                max_observation_tokens=max_observation_tokens,
            )
        else:
            for name, value in {
                "window": window,
                "max_observation_tokens": max_observation_tokens,
                "max_length": max_length,
                "template_kwargs": template_kwargs,
            }.items():
                if value is not None:
                    raise ValueError(f"{name} needs a tokenizer: without one the server puts the prompt together")
        self._wish = Wish(model, max_new_tokens, temperature, top_p, tuple(stop), tuple(stop_ids), extra or {})
        self._calls = ServerCalls(Address(base_url, api_key), limits or CallLimits())
        self._asked: dict[Future[Message], _Asked] = {}
        self._finished: queue.SimpleQueue[Future[Message]] = queue.SimpleQueue()
        self._decided: dict[int, tuple[str, Decision]] = {}
        self._tickets = 0

    def __repr__(self) -> str:
        address = self._calls.address.base_url
        return f"OpenAIPolicy({address!r}, {self._wish.model!r}, server={self.server!r})"

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """One message for each context."""
        tickets = self._begin(contexts)
        found: dict[int, Decision] = {}
        others: dict[int, tuple[str, Decision]] = {}
        try:
            while not found.keys() >= set(tickets):
                for ticket, (episode_id, decision) in self._wait(None).items():
                    if ticket in tickets:
                        found[ticket] = decision
                    else:
                        others[ticket] = episode_id, decision
        except BaseException:
            for context in contexts:
                self.forget(context.episode_id)
            raise
        self._decided |= others
        return [found[ticket] for ticket in tickets]

    def submit(self, contexts: Sequence[Context]) -> None:
        """Begin to answer contexts; `decided` has the answers, each as soon as it is there. See `StreamingPolicy`."""
        self._begin(contexts)

    def decided(self, timeout: float | None = None) -> list[tuple[str, Decision]]:
        """Answers that are there by now, with their episodes' ids. See `StreamingPolicy`."""
        return list(self._wait(timeout).values())

    def forget(self, episode_id: str) -> None:
        """Withdraw what an episode has asked: it is over."""
        self._decided = {t: found for t, found in self._decided.items() if found[0] != episode_id}
        for future, asked in list(self._asked.items()):
            if asked.context.episode_id == episode_id:
                del self._asked[future]
                future.cancel()

    def close(self) -> None:
        """End all requests and close the connections; they are opened again when needed."""
        self._asked.clear()
        self._decided.clear()
        self._calls.close()

    def _begin(self, contexts: Sequence[Context]) -> list[int]:
        tickets: list[int] = []
        for context in contexts:
            self._tickets += 1
            tickets.append(self._tickets)
            prompt = self._prompt(context)
            if self.max_length and prompt and len(prompt.ids) + self._wish.max_tokens > self.max_length:
                self._decided[self._tickets] = context.episode_id, Decision("", stop_reason="context_overflow")
                continue
            future = self._ask(context, prompt)
            self._asked[future] = _Asked(self._tickets, context, prompt)
            future.add_done_callback(self._finished.put)
        return tickets

    def _ask(self, context: Context, prompt: Prompt | None) -> Future[Message]:
        seed = int(stream(self.seed, context.episode_id, context.turn).integers(2**31))
        read: Callable[[Any], Message]
        if prompt is None:
            (path, body), read = chat_request(self.server, self._wish, self._messages(context), seed), read_chat
        else:
            (path, body), read = token_request(self.server, self._wish, prompt.ids, seed), read_completion
        return self._calls.post(path, body, read)

    def _prompt(self, context: Context) -> Prompt | None:
        """The tokens of the prompt; None where messages are sent."""
        if self.conversation is None:
            return None
        if all(decision.response_ids for decision in context.decisions):
            return self.conversation.prompt(context)
        # The server tells no tokens, so that the whole text is all there is to go by.
        chat = self.conversation.chat
        ids = chat.encode(chat.opening(self._messages(context)))
        return Prompt(ids, ids, True)

    def _messages(self, context: Context) -> list[dict[str, str]]:
        messages: list[dict[str, str]] = []
        if self.include_instructions and context.instructions:
            messages.append({"role": "system", "content": context.instructions})
        for observation, decision in zip(context.observations, context.decisions, strict=False):
            messages.append({"role": "user", "content": observation})
            messages.append({"role": "assistant", "content": decision.action})
        return [*messages, {"role": "user", "content": context.observation}]

    def _wait(self, timeout: float | None) -> dict[int, tuple[str, Decision]]:
        """Decisions by ticket: those that are there, else the first that comes in time."""
        found, self._decided = self._decided, {}
        end = None if timeout is None else time.monotonic() + timeout
        while self._asked:
            try:
                if found:
                    future = self._finished.get_nowait()
                else:
                    future = self._finished.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            asked = self._asked.pop(future, None)
            if asked is not None:
                found[asked.ticket] = asked.context.episode_id, self._decision(asked, future)
        return found

    def _decision(self, asked: _Asked, future: Future[Message]) -> Decision:
        try:
            message = future.result()
        except ServerError as error:
            _LOG.warning("episode %s, turn %d: %s", asked.context.episode_id, asked.context.turn, error)
            return Decision("", stop_reason=error.stop_reason)
        if message.ids is None:
            return Decision(message.text)
        action = self._text(message.ids, message.text)
        if asked.prompt is not None:
            new_ids, restarts = asked.prompt.new_ids, asked.prompt.restarts_context
        elif message.prompt_ids is not None:
            new_ids, restarts = _what_is_new(asked.context, message.prompt_ids)
        else:
            return Decision(action)
        return Decision(action, new_ids, message.ids, message.logprobs or [], restarts)

    def _text(self, ids: Sequence[int], text: str) -> str:
        """The text of sampled tokens without the one that ends the message; without a tokenizer the server's."""
        if self.conversation is None:
            return text
        # A server also stops at what its model's own settings name: no control token at the end is part of the text.
        chat = self.conversation.chat
        ids = ids[:-1] if ids and ids[-1] in chat.control_ids else ids
        decoded: str = chat.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return decoded


class _Asked(NamedTuple):
    """A request under way."""

    ticket: int
    context: Context
    prompt: Prompt | None


def _what_is_new(context: Context, prompt_ids: list[int]) -> tuple[list[int], bool]:
    """The tokens of a prompt that the last turn did not end with, and whether the past was rewritten."""
    before = context_ids([(d.restarts_context, d.prompt_ids, d.response_ids) for d in context.decisions])
    if prompt_ids[: len(before)] == before:
        return prompt_ids[len(before) :], False
    return prompt_ids, True


def _check(max_new_tokens: int, temperature: float, top_p: float, stop: Sequence[str]) -> None:
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    if temperature < 0:
        raise ValueError(f"temperature must be 0 (greedy) or positive, got {temperature}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    if isinstance(stop, str):
        raise ValueError(f"stop must be a list of texts, got the text {stop!r}")
