"""The one place where a conversation becomes tokens: instructions, observations and the tokens that were sampled.

Tokens in, tokens out. The chat template writes the text *around* the model's messages; the messages themselves are
the sampled ids, verbatim. Each turn appends what the template puts between the end of one assistant message and the
start of the next, so that what a trainer sees is what the model saw.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from turnwise.agents.policy import Context
from turnwise.agents.tokens import context_ids

SIMPLE_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' and eos_token else '' }}\n\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""For tokenizers that bring no chat template."""

_MARK = "turnwise-assistant-message"


class ChatFormat:
    """What a tokenizer's chat template writes around messages.

    Control tokens inside the given texts are broken up first: a web page that holds `<|im_end|>` must not be able to
    end its own message and speak as somebody else.

    Args:
        tokenizer: A Hugging Face tokenizer; without a chat template it gets `SIMPLE_TEMPLATE`.
        template_kwargs: Passed to the template, for example `enable_thinking=False`.

    Raises:
        ValueError: The template does not show assistant messages.
    """

    def __init__(self, tokenizer: Any, **template_kwargs: Any) -> None:
        self.tokenizer = tokenizer
        self.template_kwargs = template_kwargs
        # Refused or silently dropped: either way the system text has to go somewhere else.
        self._has_system = _MARK in self._try([_message("system", _MARK), _message("user", "u")])
        self._cuts_at_control_tokens: bool | None = None
        self._closing = self._after_mark([_message("user", "u"), _message("assistant", _MARK)], generation=False)

    @cached_property
    def end_of_turn(self) -> str:
        """The control token that closes an assistant message, or "" where the template has none."""
        found = [(self._closing.index(token), token) for token in self._control_tokens if token in self._closing]
        return min(found)[1] if found else ""

    @cached_property
    def end_of_turn_id(self) -> int | None:
        """Its id."""
        return self.tokenizer.convert_tokens_to_ids(self.end_of_turn) if self.end_of_turn else None

    def opening(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text of a conversation up to where the model is to write: system and user messages, and any others."""
        plain = [_message(m["role"], self._disarm(m["content"])) for m in messages]
        if plain and plain[0]["role"] == "system" and not self._has_system:
            plain = _merge_system(plain)
        return self._render(plain, generation=True)

    def following(self, observation: str, *, closed: bool) -> str:
        """The text between the end of a sampled message and the start of the next one.

        Args:
            observation: The environment's reply.
            closed: Whether the sample ended with the end-of-turn token, which is then not written again.
        """
        messages = [_message("user", "u"), _message("assistant", _MARK), _message("user", self._disarm(observation))]
        text = self._after_mark(messages, generation=True)
        if closed and self.end_of_turn:
            text = text[text.index(self.end_of_turn) + len(self.end_of_turn) :]
        return text

    def encode(self, text: str) -> list[int]:
        """Token ids of a piece of template text. The template writes its own BOS token; none is added."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def encode_growing(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts each of which mostly goes on from the one before, as `encode` gives them.

        Tokenizers cut a text at its control tokens before anything else. So what two texts have in common up to a
        control token is tokenised once. That is checked on the first texts; a tokenizer that does otherwise gets
        every text in full.
        """
        if not self.tokenizer.is_fast or self._cuts_at_control_tokens is False:
            return [self.encode(text) for text in texts]
        encoded: list[list[int]] = []
        for text in texts:
            before = (texts[len(encoded) - 1], encoded[-1]) if encoded else ("", [])
            encoded.append(self._encode_after(*before, text))
        if self._cuts_at_control_tokens is None and len(texts) > 1:
            whole = [self.encode(text) for text in texts]
            self._cuts_at_control_tokens = whole == encoded
            return whole
        return encoded

    def _encode_after(self, before: str, ids: list[int], text: str) -> list[int]:
        """Token ids of a text, given those of another one."""
        start, token = max(((before.rfind(token), token) for token in self._control_tokens), default=(-1, ""))
        place = next((i for i in range(len(ids) - 1, -1, -1) if ids[i] in self.control_ids), None)
        known = start >= 0 and place is not None and text.startswith(before[:start])
        if not known or place is None or ids[place] != self.tokenizer.convert_tokens_to_ids(token):
            return self.encode(text)
        return ids[:place] + self.encode(text[start:])

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """The ids of all control tokens."""
        return frozenset(self.tokenizer.convert_tokens_to_ids(token) for token in self._control_tokens)

    @cached_property
    def _control_tokens(self) -> frozenset[str]:
        tokens = set(self.tokenizer.all_special_tokens)
        tokens |= {str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special}
        return frozenset(tokens - {""})

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._control_tokens, key=lambda token: (-len(token), token))
        return re.compile("|".join(re.escape(token) for token in longest_first) or r"(?!)")

    def _disarm(self, text: str) -> str:
        return self._control_pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)

    def _after_mark(self, messages: list[dict[str, str]], *, generation: bool) -> str:
        text = self._render(messages, generation=generation)
        if _MARK not in text:
            raise ValueError("the tokenizer's chat template does not show assistant messages; pass another tokenizer")
        return text[text.index(_MARK) + len(_MARK) :]

    def _render(self, messages: list[dict[str, str]], *, generation: bool) -> str:
        text: str = self.tokenizer.apply_chat_template(
            messages,
            chat_template=None if self.tokenizer.chat_template else SIMPLE_TEMPLATE,
            tokenize=False,
            add_generation_prompt=generation,
            **self.template_kwargs,
        )
        return text

    def _try(self, messages: list[dict[str, str]]) -> str:
        from jinja2.exceptions import TemplateError  # how a template says that it does not know a role

        try:
            return self._render(messages, generation=False)
        except TemplateError:
            return ""


class Prompt(NamedTuple):
    """What the model is given in one turn: `ids` is everything, `new_ids` the part since its last message."""

    ids: list[int]
    new_ids: list[int]
    restarts_context: bool


class Conversation:
    """Turns a `Context` into the tokens of its next prompt.

    Args:
        chat: The template's texts.
        window: None keeps everything. k shows the task and the last k observations with the replies between them;
            from turn k on the context is rebuilt every turn, and the turn says so (`restarts_context`).
        include_instructions: Whether the system prompt is shown. A policy that was trained on one environment's
            rules does not need them.
        max_observation_tokens: Longer observations lose their middle. None keeps them whole.
    """

    def __init__(
        self,
        chat: ChatFormat,
        *,
        window: int | None = None,
        include_instructions: bool = True,
        max_observation_tokens: int | None = None,
    ) -> None:
        if window is not None and window < 1:
            raise ValueError(f"window must be at least 1 or None, got {window}")
        if max_observation_tokens is not None and max_observation_tokens < 2:
            raise ValueError(f"max_observation_tokens must be at least 2 or None, got {max_observation_tokens}")
        self.chat = chat
        self.window = window
        self.include_instructions = include_instructions
        self.max_observation_tokens = max_observation_tokens

    def prompt(self, context: Context) -> Prompt:
        """The next prompt of an episode."""
        turn = context.turn
        if turn == 0:
            new = self._opening(context, [context.observation])
            return Prompt(new, new, False)
        if self.window is not None and turn >= self.window:
            ids = self._windowed(context, first=turn - self.window + 1)
            return Prompt(ids, ids, True)
        before = context_ids([(d.restarts_context, d.prompt_ids, d.response_ids) for d in context.decisions])
        new = self._following(context, turn)
        return Prompt(before + new, new, False)

    def _windowed(self, context: Context, first: int) -> list[int]:
        ids = self._opening(context, [context.observations[0], context.observations[first]])
        for turn in range(first + 1, context.turn + 1):
            ids += context.decisions[turn - 1].response_ids + self._following(context, turn)
        return ids

    def _opening(self, context: Context, observations: Sequence[str]) -> list[int]:
        content = "\n\n".join(self._clip(text) for text in observations)
        messages = [_message("user", content)]
        if self.include_instructions and context.instructions:
            messages.insert(0, _message("system", context.instructions))
        return self.chat.encode(self.chat.opening(messages))

    def _following(self, context: Context, turn: int) -> list[int]:
        sampled = context.decisions[turn - 1].response_ids
        closed = bool(sampled) and sampled[-1] == self.chat.end_of_turn_id
        return self.chat.encode(self.chat.following(self._clip(context.observations[turn]), closed=closed))

    def _clip(self, observation: str) -> str:
        limit = self.max_observation_tokens
        if limit is None:
            return observation
        encoded = self.chat.tokenizer(observation, add_special_tokens=False, return_offsets_mapping=True)
        spans = encoded["offset_mapping"]
        if len(spans) <= limit:
            return observation
        head, tail = spans[limit - limit // 2][0], spans[-(limit // 2)][0]
        return f"{observation[:head]} […] {observation[tail:]}"


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _merge_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    system, rest = messages[0]["content"], messages[1:]
    if rest and rest[0]["role"] == "user":
        return [_message("user", f"{system}\n\n{rest[0]['content']}"), *rest[1:]]
    return [_message("user", system), *rest]
