"""A language model as a probe: how likely an answer is after each turn, as the assistant's next words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch

from turnwise.agents.answer_tree import Trunk, merge
from turnwise.agents.conversation import ChatFormat
from turnwise.agents.kept_caches import KeptCaches
from turnwise.agents.likelihood import Scores, score_prefixes, score_separately, score_trees
from turnwise.agents.model_check import Ability, find_ability
from turnwise.rewards.protocols import FloatArray, Messages
from turnwise.rewards.trajectory import Trajectory

Aliases: TypeAlias = Literal["first", "max", "logsumexp"]
"""What several answers to one question make together, see `AnswerProbe.answer_logprobs_by_turn`."""


class AnswerProbe:
    """Scores answers inside a closing phrase, `prefix + answer + suffix`; only tokens that cover the answer count.

    Args:
        model: A causal language model.
        chat: What its chat template writes.
        prefix: Before an answer.
        suffix: After it.
        pad_id: Any id of the vocabulary.
        batch_size: Most rows in a forward pass.
        batch_tokens: About the most padded tokens in one.
        kept: Caches of running conversations; a context that goes on from one of them is read from there on only.
        autocast: Precision of mixed-precision passes, or None.
    """

    def __init__(
        self,
        model: Any,
        chat: ChatFormat,
        *,
        prefix: str,
        suffix: str,
        pad_id: int,
        batch_size: int,
        batch_tokens: int,
        kept: KeptCaches,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.model = model
        self.chat = chat
        self.prefix = prefix
        self.suffix = suffix
        self.kept = kept
        self.autocast = autocast
        self._batches: dict[str, Any] = {"pad_id": pad_id, "batch_size": batch_size, "batch_tokens": batch_tokens}

    @cached_property
    def ability(self) -> Ability:
        """How the model can be used, found out by trying."""
        return find_ability(self.model, self._batches["pad_id"], self.autocast)

    def answer_logprobs(self, contexts: Sequence[Messages], answers: Sequence[str]) -> list[FloatArray]:
        """Log-probabilities of each answer's tokens after its context, as `PolicyProbe` says.

        Contexts that begin one another share a pass. The tokens that are scored are those of the whole context,
        tokenised as one text: what the rollout itself sampled is reused as far as it is the same.
        """
        if len(contexts) != len(answers):
            raise ValueError(f"answers must hold one text a context: {len(contexts)} contexts, {len(answers)} answers")
        given = [self.chat.encode(self.chat.opening(messages)) for messages in contexts]
        trunks = merge(given, [self._continuation(answer) for answer in answers])
        scores = self._score(trunks, self.kept)
        return [scores[number] for number in range(len(contexts))]

    def answer_logprobs_by_turn(
        self,
        trajectories: Sequence[Trajectory],
        answers: Sequence[str | Sequence[str]],
        *,
        aliases: Aliases = "first",
        after_last: bool = True,
    ) -> list[list[FloatArray]]:
        """Log-probabilities of an answer before the first turn of each trajectory and after every turn.

        Each trajectory goes through the model once. Where its chat template writes past turns differently later on,
        so that a context does not begin the next one, those turns get a pass of their own.

        Args:
            trajectories: B of them; their texts are read, as `answer_logprobs` reads `Trajectory.messages(turn)`.
            answers: B texts, or B lists of texts that mean the same.
            aliases: Of a list, `first` takes the first text, `max` at each point the one with the highest mean
                log-probability a token, and `logsumexp` the log-probability that any of them is said: one number, not
                divided by the number of tokens.
            after_last: Whether to score after the last turn as well.

        Returns:
            For each trajectory T + 1 arrays (T without the last one), one value (nats) for each token of the answer.

        Raises:
            ValueError: The numbers do not fit, or a list of answers is empty.
        """
        if len(trajectories) != len(answers):
            given = f"{len(trajectories)} trajectories, {len(answers)} answers"
            raise ValueError(f"answers must hold one entry a trajectory: {given}")
        if aliases not in get_args(Aliases):
            raise ValueError(f"aliases must be one of {list(get_args(Aliases))}, got {aliases!r}")
        trunks: list[Trunk] = []
        numbers: list[list[list[int]]] = []  # by trajectory, point and alias
        first = 0
        for trajectory, answer in zip(trajectories, answers, strict=True):
            texts = _texts(answer, aliases)
            points = len(trajectory) + after_last
            contexts = self.chat.encode_growing([self.chat.opening(trajectory.messages(t)) for t in range(points)])
            continuations = [self._continuation(text) for text in texts]
            trunks += merge([ids for ids in contexts for _ in texts], continuations * points, first)
            numbers.append([list(range(first + t * len(texts), first + (t + 1) * len(texts))) for t in range(points)])
            first += points * len(texts)
        scores = self._score(trunks, None)
        return [[_together([scores[i] for i in point], aliases) for point in points_] for points_ in numbers]

    def _score(self, trunks: Sequence[Trunk], kept: KeptCaches | None) -> Scores:
        if not trunks:
            return {}
        if self.ability.scoring == "tree":
            return score_trees(self.model, trunks, kept=kept, autocast=self.autocast, **self._batches)
        if self.ability.scoring == "prefix" and any(len(trunk.branches) > 1 for trunk in trunks):
            return score_prefixes(self.model, trunks, autocast=self.autocast)
        return score_separately(self.model, trunks, autocast=self.autocast, **self._batches)

    def _continuation(self, answer: str) -> tuple[list[int], list[int]]:
        """The tokens of the closing phrase, and the positions of those that cover the answer."""
        start = len(self.prefix)
        end = start + len(answer)
        text = self.prefix + answer + self.suffix
        encoded = self.chat.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        spans = encoded["offset_mapping"]
        return encoded["input_ids"], [i for i, (a, b) in enumerate(spans) if a < end and b > start]


def _texts(answer: str | Sequence[str], aliases: Aliases) -> list[str]:
    if isinstance(answer, str):
        return [answer]
    if not answer:
        raise ValueError("a list of answers must hold at least one text, got none")
    return [answer[0]] if aliases == "first" else list(dict.fromkeys(answer))


def _together(values: Sequence[FloatArray], aliases: Aliases) -> FloatArray:
    if aliases == "logsumexp":
        return np.array([np.logaddexp.reduce([value.sum() for value in values])])
    return max(values, key=lambda value: value.mean() if len(value) else -np.inf)
