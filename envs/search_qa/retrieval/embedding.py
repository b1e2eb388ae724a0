"""Texts as vectors: any function will do; here are one without a model and one for models of the usual kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnwise.rewards.text_features import hashed_ngrams

Embed: TypeAlias = Callable[[Sequence[str]], NDArray[Any]]
"""From B texts to (B, d) numbers. A sentence-transformers model's `encode` is one."""

Pooling: TypeAlias = Literal["mean", "cls"]


class HashedEmbedding:
    """Hashed word n-grams: no model, the same in every process. A stand-in, not a semantic embedding.

    Args:
        dim: Length of the vectors.

    >>> HashedEmbedding(64)(["a red lamp", "a red lamp"]).shape
    (2, 64)
    """

    def __init__(self, dim: int = 512) -> None:
        self.dim = dim

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(B, dim) float32 unit vectors; zeros for a text without words."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[:] = hashed_ngrams(text, self.dim)
        return vectors


class TransformersEmbedding:
    """A text encoder of the transformers library, pooled over its tokens: MiniLM, E5, BGE and their like.

    Texts are sorted by length into batches, so that little is padded.

    Args:
        path: Folder of the model (a sentence-transformers folder is one), or a name that transformers knows.
        prefix: Put before every text, such as E5's `query: ` and `passage: `; make one embedding for each.
        pooling: Mean over the tokens, or the first token's vector. None: what the folder of a sentence-transformers
            model says, else the mean.
        max_tokens: Longer texts are cut off.
        batch_size: Texts in a forward pass.
        device: Where it runs, for example `cuda`; default the CPU.
        half: Compute in float16; for a GPU.

    Raises:
        ImportError: torch or transformers is not installed; the message names the extra.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        prefix: str = "",
        pooling: Pooling | None = None,
        max_tokens: int = 256,
        batch_size: int = 64,
        device: str = "cpu",
        half: bool = False,
    ) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise ImportError(f'an embedding model needs {error.name}: pip install "turnwise[llm]"') from error
        self.prefix, self.max_tokens, self.batch_size, self.device = prefix, max_tokens, batch_size, device
        self.pooling = pooling or _stated_pooling(Path(path))
        self._tokenizer = AutoTokenizer.from_pretrained(str(path))
        dtype = torch.float16 if half else torch.float32
        self._model = AutoModel.from_pretrained(str(path), dtype=dtype).to(device).eval()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(B, d) float32 vectors, not normalised."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors: NDArray[np.float32] = np.zeros((len(texts), self._model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            vectors[batch] = self._encode([self.prefix + texts[i] for i in batch])
        return vectors

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        import torch

        inputs = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode():
            hidden = self._model(**inputs).last_hidden_state.float()  # (B, T, d)
        if self.pooling == "cls":
            pooled = hidden[:, 0]
        else:
            mask = inputs["attention_mask"][..., None].float()  # (B, T, 1)
            pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        array: NDArray[np.float32] = pooled.cpu().numpy()
        return array


def _stated_pooling(folder: Path) -> Pooling:
    try:
        stated = json.loads((folder / "1_Pooling" / "config.json").read_bytes())
    except (OSError, ValueError):
        return "mean"
    return "cls" if stated.get("pooling_mode_cls_token") else "mean"
