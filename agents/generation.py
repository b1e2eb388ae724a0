"""Sampling from a causal language model: left padding, a key-value cache, a stop rule and a random stream for each row.

Written out rather than left to `model.generate`, because training needs what it does not give: the exact sampled ids
with their log-probabilities, an end of message that each row decides for itself, and draws that do not depend on
which rows happen to share a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from turnwise.agents.forward import cache_of, forward, keeps_last_logits, left_pad


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are chosen.

    Attributes:
        max_new_tokens: Longest message.
        temperature: 0 takes the most likely token.
        top_p: Only the most likely tokens that together have this probability are drawn from.
    """

    max_new_tokens: int = 64
    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {self.max_new_tokens}")
        if self.temperature < 0:
            raise ValueError(f"temperature must be 0 (greedy) or positive, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")


@dataclass
class Row:
    """One message being written.

    Attributes:
        prompt: Token ids given.
        rng: The row's own random stream.
        ids: Token ids sampled so far.
        logprobs: Their log-probabilities under the model at temperature 1, whatever the sampling options.
        done: The message is over.
        key: The conversation that it belongs to.
    """

    prompt: Sequence[int]
    rng: np.random.Generator
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    done: bool = False
    key: str = ""


@torch.no_grad()
def generate(
    model: Any,
    rows: Sequence[Row],
    *,
    options: SamplingOptions,
    is_complete: Callable[[list[int]], bool],
    pad_id: int,
) -> None:
    """Write one message into each row, all of them from the start: for models that `MessageWriter` cannot serve.

    Args:
        model: A Hugging Face causal language model.
        rows: What is to be continued; `ids` and `logprobs` are filled in.
        options: How tokens are chosen.
        is_complete: From the ids sampled so far to whether the message is over.
        pad_id: Any id of the vocabulary; padding is masked.
    """
    active = list(rows)
    inputs, mask = left_pad([row.prompt for row in active], pad_id, model.device)  # (B, L) both
    past: Any = None
    for _ in range(options.max_new_tokens):
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -inputs.shape[1] :]
        output = forward(model, inputs, mask, positions, cache=past, use_cache=True, **keeps_last_logits(model))
        past = cache_of(output)
        tokens = append_tokens(active, output.logits[:, -1].float(), options)  # (B,)
        for row in active:
            row.done = row.done or is_complete(row.ids)
        going = [i for i, row in enumerate(active) if not row.done]
        if not going:
            return
        # Finished rows leave the batch where the cache can be cut; elsewhere they are carried along, unread.
        if len(going) < len(active) and hasattr(past, "batch_select_indices"):
            keep = torch.tensor(going, device=mask.device)
            past.batch_select_indices(keep)
            active, mask, tokens = [active[i] for i in going], mask[keep], tokens[keep]
        inputs = tokens[:, None]
        mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)


def append_tokens(rows: Sequence[Row], logits: Tensor, options: SamplingOptions) -> Tensor:
    """Choose one token for each row from (B, V) logits and write it down where the row is not done."""
    tokens = _choose(logits, [row.rng.random() for row in rows], options)
    logprobs = torch.log_softmax(logits, dim=-1).gather(1, tokens[:, None])[:, 0]
    for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
        if not row.done:
            row.ids.append(token)
            row.logprobs.append(logprob)
    return tokens


def _choose(logits: Tensor, uniforms: Sequence[float], options: SamplingOptions) -> Tensor:
    """(B,) tokens: the most likely ones, or drawn by inverting the cumulative distribution at `uniforms`."""
    if options.temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits if logits.device.type == "mps" else logits.double()  # Apple's GPUs have no float64
    probabilities = torch.softmax(logits / options.temperature, dim=-1)
    if options.top_p == 1:
        return _invert(probabilities, uniforms)
    ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
    more_likely = ranked.cumsum(dim=-1) - ranked
    ranked = ranked.masked_fill(more_likely >= options.top_p, 0.0)  # the most likely token always stays
    return order.gather(1, _invert(ranked, uniforms)[:, None])[:, 0]


def _invert(weights: Tensor, uniforms: Sequence[float]) -> Tensor:
    """(B,) columns: the first in which the running sum of (B, V) weights exceeds that share of the whole."""
    cumulative = weights.cumsum(dim=-1)
    points = torch.tensor(uniforms, dtype=cumulative.dtype, device=weights.device)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, points, right=True).clamp(max=weights.shape[-1] - 1)[:, 0]
