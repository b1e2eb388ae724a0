"""Keys and values of several conversations side by side, each with its own length, as one cache for the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

KeysAndValues: TypeAlias = list[tuple[Tensor, Tensor]]
"""One (n, heads, width) pair for each layer: the cache of n tokens of one conversation."""


class Place(NamedTuple):
    """Where the tokens of a forward pass go.

    Attributes:
        first: Row of the buffer that is row 0 of the batch.
        past: (B,) tokens that each row holds already.
        new: (B,) tokens that each row is given, at the start of its (padded) input.
    """

    first: int
    past: Sequence[int]
    new: Sequence[int]

    @property
    def end(self) -> int:
        """Columns that the pass looks at: up to the last token of the longest row."""
        return max(p + n for p, n in zip(self.past, self.new, strict=True))


class KeyValueBuffer:
    """A rectangle of rows and columns for each layer; a row is a conversation, a column a token.

    Tokens are written where they belong, in place, so that a step costs no copy of what is there. (A cache that
    concatenates copies all of it at every token.) Rows of a batch lie side by side, so that the model reads a view.
    """

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._place = Place(0, [0], [0])
        self._targets: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        self._cache = Cache(layer_class_to_replicate=self._next_layer)

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for this many rows and columns; what is there stays."""
        if rows <= self.rows and columns <= self.columns:
            return
        # By half as much again, so that what grows bit by bit is not copied every time.
        rows = self.rows if rows <= self.rows else max(rows, self.rows * 3 // 2)
        columns = self.columns if columns <= self.columns else max(columns, self.columns * 3 // 2)
        self._layers = [(_grown(k, rows, columns), _grown(v, rows, columns)) for k, v in self._layers]
        self.rows, self.columns = rows, columns

    def release(self) -> None:
        """Give the memory back."""
        self.rows = self.columns = 0
        self._layers = []

    def at(self, place: Place) -> Any:
        """The cache to give to the next forward pass; `reserve` comes first."""
        self._place = place
        self._targets = None
        return self._cache

    def load(self, row: int, kept: KeysAndValues) -> None:
        """Put the cache of a conversation into a row."""
        for index, (keys, values) in enumerate(kept):
            for mine, theirs in zip(self._layer(index, keys[None], values[None]), (keys, values), strict=True):
                mine[row, : len(theirs)] = theirs

    def take(self, row: int, length: int) -> KeysAndValues:
        """A copy of the first `length` tokens of a row."""
        return [(keys[row, :length].clone(), values[row, :length].clone()) for keys, values in self._layers]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a row into another one."""
        for keys, values in self._layers:
            keys[target, :length] = keys[source, :length]
            values[target, :length] = values[source, :length]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store the (B, heads, Q, width) keys and values of a pass; return those of all columns that it looks at."""
        first, past, new = self._place
        end, rows = self._place.end, slice(first, first + len(past))
        stored = self._layer(layer, keys.transpose(1, 2), values.transpose(1, 2))
        for mine, theirs in zip(stored, (keys, values), strict=True):
            given = theirs.transpose(1, 2)
            if len(set(past)) == 1 and len(set(new)) == 1:
                mine[rows, past[0] : end] = given[:, : new[0]]
            else:
                row, column, batch, token = self._spread(keys.device)
                mine[row, column] = given[batch, token].to(mine.dtype)
        if max(past) == 0:
            return keys[:, :, :end], values[:, :, :end]
        return stored[0][rows, :end].transpose(1, 2), stored[1][rows, :end].transpose(1, 2)

    def seen(self) -> int:
        """Columns before the tokens of this pass, as far as a model that asks must know: it gets explicit masks."""
        return max(self._place.past)

    def _spread(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Row, column, batch row and token of every token that is no padding."""
        if self._targets is None:
            first, past, new = self._place
            batch = np.repeat(np.arange(len(new)), new)
            token = np.concatenate([np.arange(n) for n in new])
            places = (batch + first, np.asarray(past)[batch] + token, batch, token)
            row, column, batch_row, position = (torch.from_numpy(place).to(device) for place in places)
            self._targets = row, column, batch_row, position
        return self._targets

    def _layer(self, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The storage of a layer, made for (B, Q, heads, width) keys and values when it is first written."""
        while len(self._layers) <= index:
            # Zeros: what is masked is still multiplied by 0, and must not be NaN.
            new = (
                torch.zeros(self.rows, self.columns, *t.shape[2:], dtype=t.dtype, device=t.device)
                for t in (keys, values)
            )
            self._layers.append((next(new), next(new)))
        return self._layers[index]

    def _next_layer(self) -> CacheLayerMixin:
        return _Layer(self, len(self._cache.layers))


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """One layer of the buffer, as Transformers calls it."""

    is_sliding = False

    def __init__(self, buffer: KeyValueBuffer, index: int) -> None:
        super().__init__()
        self._buffer, self._index = buffer, index

    def lazy_initialization(self, *args: Any) -> None:
        """Nothing to do: the buffer makes room itself."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self._buffer.write(self._index, key_states, value_states)

    def get_mask_sizes(self, query: int | Tensor, *args: Any) -> tuple[int, int]:
        length = query if isinstance(query, int) else int(query.shape[0])
        return self._buffer.seen() + length, 0

    def get_seq_length(self, *args: Any) -> int:
        return self._buffer.seen()

    def get_max_length(self) -> int:
        return -1

    get_max_cache_shape = get_max_length  # its name before Transformers 5


def _grown(old: Tensor, rows: int, columns: int) -> Tensor:
    new = old.new_zeros(rows, columns, *old.shape[2:])
    new[: old.shape[0], : old.shape[1]] = old
    return new
