"""A model and its tokenizer from the hub or a folder, and what they say about themselves."""

from __future__ import annotations

from typing import Any

import torch

from turnwise.agents.conversation import ChatFormat


def load(name: str, tokenizer: Any = None, *, device: str | torch.device, dtype: str | torch.dtype) -> tuple[Any, Any]:
    """A model and its tokenizer by name or path, on a device."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    if tokenizer is None:
        # Transformers 5 puts the class that belongs to the model's type in place of a generic one, and with it other
        # rules for splitting words: the same text would become other tokens than the model was trained on.
        generic = get_tokenizer_config(name).get("tokenizer_class") in ("PreTrainedTokenizerFast", "TokenizersBackend")
        tokenizer = (PreTrainedTokenizerFast if generic else AutoTokenizer).from_pretrained(name)
    if device == "auto":
        has_mps = torch.backends.mps.is_available()
        device = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    model = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    return model.to(device), tokenizer


def longest_context(model: Any) -> int:
    """Most positions that the model has, or a million where it does not say."""
    configuration = getattr(model.config, "get_text_config", lambda: model.config)()
    longest: int = getattr(configuration, "max_position_embeddings", None) or 1_000_000
    return longest


def stop_ids(model: Any, tokenizer: Any, chat: ChatFormat) -> frozenset[int]:
    """End-of-turn, end-of-text, and whatever else the model's own generation settings stop at."""
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in [chat.end_of_turn_id, tokenizer.eos_token_id, *listed] if i is not None)
