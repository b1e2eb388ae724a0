"""`TableProbe`: a `PolicyProbe` that looks its log-probabilities up. Needs no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from turnwise.rewards.protocols import FloatArray, Messages

LogProbs: TypeAlias = float | Sequence[float]
"""Nats: one number for every token of the answer, or one for each."""


class TableProbe:
    """Says how likely an answer is by the last user message of its context: a stand-in for a language model.

    Args:
        table: Log-probabilities (nats) by the content of the last user message, or a function from a context and an
            answer to them.
        default: What a message that the table lacks gives. None makes it an error.

    One number stands for every token of the answer; its tokens are its words. A sequence is taken as it is.

    >>> probe = TableProbe({"You see a key.": -0.5}, default=-2.0)
    >>> seen, unseen = [{"role": "user", "content": "You see a key."}], [{"role": "user", "content": "Hello."}]
    >>> [values.tolist() for values in probe.answer_logprobs([seen, unseen], ["in cell 4", "in cell 4"])]
    [[-0.5, -0.5, -0.5], [-2.0, -2.0, -2.0]]
    """

    def __init__(
        self,
        table: Mapping[str, LogProbs] | Callable[[Messages, str], LogProbs],
        default: LogProbs | None = None,
    ) -> None:
        self.table = table
        self.default = default

    def answer_logprobs(self, contexts: Sequence[Messages], answers: Sequence[str]) -> list[FloatArray]:
        """Per-token log-probabilities (nats) of each answer after its context.

        Raises:
            KeyError: The table lacks a message and there is no default; the message names it.
            ValueError: The numbers of contexts and answers differ.
        """
        if len(contexts) != len(answers):
            raise ValueError(f"answers must hold one text a context: {len(contexts)} contexts, {len(answers)} answers")
        return [self._answer(context, answer) for context, answer in zip(contexts, answers, strict=True)]

    def _answer(self, context: Messages, answer: str) -> FloatArray:
        value = self.table(context, answer) if callable(self.table) else self._look_up(context)
        if isinstance(value, Sequence):
            return np.asarray(value, dtype=np.float64)
        return np.full(len(answer.split()), value, dtype=np.float64)

    def _look_up(self, context: Messages) -> LogProbs:
        assert not callable(self.table)
        message = next((m["content"] for m in reversed(context) if m["role"] == "user"), "")
        value = self.table.get(message, self.default)
        if value is None:
            raise KeyError(f"the table has no entry for the message {message!r} and no default is set")
        return value
