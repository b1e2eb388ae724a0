"""Continuous batching: rows are admitted as others finish, and what is known of a conversation is not read again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from turnwise.agents.forward import precision, sub_batches
from turnwise.agents.generation import Row, SamplingOptions, append_tokens
from turnwise.agents.kept_caches import KeptCaches
from turnwise.agents.kv_buffer import KeyValueBuffer
from turnwise.agents.row_pass import read_tokens


@dataclass
class _Running:
    """A row that is being written.

    Attributes:
        row: The message.
        length: Tokens of it that are in the buffer: all but the last one that was sampled.
        epoch: Of the caches when it began, see `KeptCaches`.
    """

    row: Row
    length: int
    epoch: int


class MessageWriter:
    """Writes messages into rows, all running ones in one forward pass a token.

    A row begins with what `kept` holds of its conversation; only the rest of its prompt goes through the model. When
    its message is over, its keys and values go back to `kept`, and its place to a row that waits.

    Rows lie in a buffer, running ones first and side by side, each with its own length. A step writes its tokens in
    place and masks what lies behind the end of shorter rows.

    Args:
        model: A causal language model that takes masks of four dimensions, see `turnwise.agents.model_check`.
        kept: Caches of conversations between their turns.
        options: How tokens are chosen.
        is_complete: From the ids sampled so far to whether the message is over.
        pad_id: Any id of the vocabulary.
        batch_size: Most rows that run at once.
        batch_tokens: Most padded tokens in a forward pass over prompts.
        buffer_tokens: Most places in the buffer, rows times columns; one row always fits.
        autocast: Precision of mixed-precision passes, or None.
    """

    def __init__(
        self,
        model: Any,
        kept: KeptCaches,
        *,
        options: SamplingOptions,
        is_complete: Callable[[list[int]], bool],
        pad_id: int,
        batch_size: int,
        batch_tokens: int,
        buffer_tokens: int,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.model = model
        self.kept = kept
        self.options = options
        self.is_complete = is_complete
        self.pad_id = pad_id
        self.batch_size, self.batch_tokens, self.buffer_tokens = batch_size, batch_tokens, buffer_tokens
        self.autocast = autocast
        self._buffer = KeyValueBuffer()
        self._waiting: deque[Row] = deque()
        self._running: list[_Running] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    def add(self, rows: Sequence[Row]) -> None:
        """Let these rows be written, as soon as there is room."""
        self._waiting.extend(rows)

    def withdraw(self, row: Row) -> None:
        """Nobody waits for this row any more. If it is running, it leaves with the next step."""
        if row in self._waiting:
            self._waiting.remove(row)
        row.done = True

    def step(self) -> list[Row]:
        """Write one token into each running row, or begin those for which there is room; return who is finished."""
        try:
            admitted = self._admit()
            for places in admitted:
                self._read_prompts(places)
            if not admitted and self._running:
                self._forward(0, self._running, [[running.row.ids[-1]] for running in self._running])
        except BaseException:
            self.clear()
            raise
        finished = self._leave([place for place, running in enumerate(self._running) if running.row.done])
        if not self:
            self._buffer.release()
        return finished

    def clear(self) -> None:
        """Drop all rows, for example because a pass ran out of memory."""
        self._waiting.clear()
        self._running.clear()
        self._buffer.release()

    def _admit(self) -> list[list[int]]:
        """Give places to waiting rows; return the places in batches whose new tokens are of similar number."""
        first = len(self._running)
        chosen: list[Row] = []
        width = max((self._need(running.row) for running in self._running), default=0)
        while self._waiting and first + len(chosen) < self.batch_size:
            width = max(width, self._need(self._waiting[0]))
            if (first + len(chosen) + 1) * width > self.buffer_tokens and first + len(chosen) > 0:
                break
            chosen.append(self._waiting.popleft())
        if not chosen:
            return []
        found = [self.kept.take(row.key, row.prompt)[1] for row in chosen]
        known = [len(layers[0][0]) if layers else 0 for layers in found]
        new = [len(row.prompt) - length for row, length in zip(chosen, known, strict=True)]
        self._buffer.reserve(first + len(chosen), width)
        batches: list[list[int]] = []
        for batch in sub_batches(new, rows=self.batch_size, tokens=self.batch_tokens):
            batches.append(list(range(len(self._running), len(self._running) + len(batch))))
            for i in batch:
                self._buffer.load(len(self._running), found[i])
                self._running.append(_Running(chosen[i], known[i], self.kept.epoch))
        return batches

    def _need(self, row: Row) -> int:
        return len(row.prompt) + self.options.max_new_tokens

    def _read_prompts(self, places: Sequence[int]) -> None:
        """Send what is new of these rows' prompts through the model, and sample the first token of each."""
        members = [self._running[place] for place in places]
        self._forward(places[0], members, [list(running.row.prompt[running.length :]) for running in members])

    def _forward(self, first: int, members: Sequence[_Running], new: Sequence[list[int]]) -> None:
        """Read new tokens of rows that lie side by side, and sample the next one of each."""
        with precision(self.model, self.autocast):
            past = [running.length for running in members]
            logits = read_tokens(self.model, self._buffer, first, past, new, self.pad_id)
        append_tokens([running.row for running in members], logits.float(), self.options)
        for running, tokens in zip(members, new, strict=True):
            row = running.row
            running.length += len(tokens)
            row.done = row.done or self.is_complete(row.ids) or len(row.ids) >= self.options.max_new_tokens

    def _leave(self, places: Sequence[int]) -> list[Row]:
        """Take finished rows out; the last running row moves into each gap."""
        finished = [self._running[place].row for place in places]
        for place in reversed(places):
            gone, last = self._running[place], self._running.pop()
            # With other weights than it began with, a row's keys and values are a mixture.
            if gone.row.key and gone.epoch == self.kept.epoch:
                ids = [*gone.row.prompt, *gone.row.ids][: gone.length]
                self.kept.put(gone.row.key, ids, self._buffer.take(place, gone.length))
            if last is not gone:
                self._buffer.move(len(self._running), place, last.length)
                self._running[place] = last
        return finished
