"""One forward pass of a Hugging Face causal language model: logits at chosen places only, whatever its version.

Versions and architectures differ in the names of their arguments, in whether they take positions, and in how they
leave logits out. This is the one place that knows.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache as cached
from typing import Any

import torch
from torch import Tensor


def logits_at(
    model: Any,
    ids: Tensor,
    positions: Tensor,
    rows: Tensor,
    columns: Tensor,
    *,
    mask: Tensor | None = None,
    cache: Any = None,
) -> Tensor:
    """Logits at chosen places of a batch; those of all other places are never computed.

    The output layer sees the chosen hidden states alone. At 8,000 tokens and a vocabulary of 150,000 the logits of
    every place would take 4.8 GB in float32.

    Args:
        model: A causal language model.
        ids: (B, Q) token ids.
        positions: (B, Q) position of each token in its sequence. Not given to models that take none.
        rows: (N,) which row of the batch.
        columns: (N,) which token of it.
        mask: (B, K) padding mask, (B, 1, Q, K) attention mask, or None for plain causal attention.
        cache: Key-value cache, updated in place.

    Returns:
        (N, V) logits in the model's precision.
    """
    arguments: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    if takes_positions(model):
        arguments["position_ids"] = positions
    if cache is None:
        arguments["use_cache"] = False
    else:
        arguments |= {_cache_argument(model): cache, "use_cache": True}
    with _only_at(model, rows, columns) as chosen:
        logits: Tensor = model(**arguments).logits
    # A model may compute its logits without calling its output layer; then all of them are there.
    return logits[0] if chosen else logits[rows, columns]


def forward(model: Any, ids: Tensor, mask: Tensor, positions: Tensor, *, cache: Any = None, **kwargs: Any) -> Any:
    """Call a model with a padding mask and explicit positions, and return all that it returns.

    Without explicit positions a left-padded row of a model with learned positions would start in the wrong place.
    """
    if takes_positions(model):
        kwargs["position_ids"] = positions
    if cache is not None:
        kwargs[_cache_argument(model)] = cache
    return model(input_ids=ids, attention_mask=mask, **kwargs)


def cache_of(output: Any) -> Any:
    """The key-value cache in what a model returned, or None."""
    return getattr(output, "cache", None) or getattr(output, "past_key_values", None)


def keeps_last_logits(model: Any) -> dict[str, int]:
    """The argument that makes a model compute the logits of the last place only, if it has one."""
    return {"logits_to_keep": 1} if "logits_to_keep" in _parameters(model) else {}


def takes_positions(model: Any) -> bool:
    """Whether the model can be told where its tokens stand."""
    return "position_ids" in _parameters(model)


def left_pad(sequences: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(B, L) ids and the (B, L) mask of the ones that are real, aligned at the end."""
    longest = max(len(s) for s in sequences)
    ids = torch.tensor([[pad_id] * (longest - len(s)) + list(s) for s in sequences], device=device)
    mask = torch.tensor([[0] * (longest - len(s)) + [1] * len(s) for s in sequences], device=device)
    return ids, mask


def right_pad(sequences: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> Tensor:
    """(B, L) ids, aligned at the start."""
    longest = max(len(s) for s in sequences)
    return torch.tensor([list(s) + [pad_id] * (longest - len(s)) for s in sequences], device=device)


def attention_mask(model: Any, allowed: Tensor) -> Tensor:
    """A (B, 1, Q, K) mask as the model's attention reads it, from the (B, Q, K) places that may be looked at."""
    mask = allowed[:, None]
    if _implementation(model) == "sdpa":
        return mask
    # Added to the scores. Not -inf: a row in which nothing is allowed must stay finite.
    dtype = model.dtype
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)


def takes_attention_masks(model: Any) -> bool:
    """Whether the attention kernel reads a mask that was made elsewhere; flash and flex attention do not."""
    return _implementation(model) in ("sdpa", "eager")


def precision(model: Any, autocast: torch.dtype | None) -> AbstractContextManager[Any]:
    """Mixed precision for what runs inside, or nothing."""
    return nullcontext() if autocast is None else torch.autocast(model.device.type, dtype=autocast)


def sub_batches(lengths: Sequence[int], *, rows: int, tokens: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, of at most `rows` rows and about `tokens` padded tokens each.

    >>> list(sub_batches([5, 90, 6, 100], rows=8, tokens=100))
    [[0, 2], [1], [3]]
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        # Sorted, so that the newest member is the longest and sets the padded width.
        if batch and (len(batch) == rows or (len(batch) + 1) * lengths[index] > tokens):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@contextmanager
def _only_at(model: Any, rows: Tensor, columns: Tensor) -> Iterator[list[bool]]:
    """While inside, the output layer sees (1, N, d) chosen hidden states. Yields a list that is filled if it did."""
    called: list[bool] = []

    def choose(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        called.append(True)
        return (arguments[0][rows, columns][None], *arguments[1:])

    head = model.get_output_embeddings()
    handle = None if head is None else head.register_forward_pre_hook(choose)
    try:
        yield called
    finally:
        if handle is not None:
            handle.remove()


def _implementation(model: Any) -> str:
    return str(getattr(model.config, "_attn_implementation", "") or "eager")


def _base(model: Any) -> Any:
    """The model inside an adapter (PEFT), whose own `forward` names no arguments."""
    inside = getattr(model, "get_base_model", None)
    return inside() if inside is not None else model


def _parameters(model: Any) -> frozenset[str]:
    kind: Any = type(_base(model))
    return _names(kind)


@cached
def _names(kind: Any) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)


def _cache_argument(model: Any) -> str:
    # Transformers 5.2x renames `past_key_values` to `cache`.
    return "cache" if "cache" in _parameters(model) else "past_key_values"
