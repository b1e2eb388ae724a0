"""A forward pass over new tokens of rows that each hold another number of tokens already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.forward import attention_mask, logits_at, right_pad
from turnwise.agents.kv_buffer import KeyValueBuffer, Place


@torch.no_grad()
def read_tokens(
    model: Any, buffer: KeyValueBuffer, first: int, past: Sequence[int], new: Sequence[Sequence[int]], pad_id: int
) -> Tensor:
    """Send new tokens of each row through the model, behind what the row holds; they are in the buffer afterwards.

    Args:
        model: A causal language model that takes masks of four dimensions.
        buffer: With room for all of them.
        first: The first of B rows that lie side by side.
        past: (B,) tokens that each row holds.
        new: B lists of tokens, none empty.
        pad_id: Any id of the vocabulary.

    Returns:
        (B, V) logits after the last token of each row.
    """
    place = Place(first, past, [len(tokens) for tokens in new])
    ids = right_pad(new, pad_id, model.device)  # (B, Q)
    ends = torch.tensor(place.new, device=ids.device) - 1
    columns = torch.arange(ids.shape[1], device=ids.device)
    # Padding repeats the last position: a model with learned positions has no more than so many.
    positions = torch.tensor(past, device=ids.device)[:, None] + columns.minimum(ends[:, None])
    rows = torch.arange(len(new), device=ids.device)
    mask = _causal_mask(model, place, positions)
    return logits_at(model, ids, positions, rows, ends, mask=mask, cache=buffer.at(place))


def _causal_mask(model: Any, place: Place, positions: Tensor) -> Tensor | None:
    """Each of the (B, Q) tokens sees its own row up to itself.

    None where plain causal attention says the same, which leaves the kernel its fast path: nothing lies before the
    tokens (padding comes last, so that no real token sees it), or one token is added to rows of one length.
    """
    if max(place.past) == 0 or (positions.shape[1] == 1 and len(set(place.past)) == 1):
        return None
    return attention_mask(model, torch.arange(place.end, device=positions.device) <= positions[:, :, None])
