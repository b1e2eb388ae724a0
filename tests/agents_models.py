"""Random models of several architectures, and chat templates of several kinds."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def _scaled(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of scaled rotation, under the name that this version of Transformers reads."""
    import transformers

    return {"rope_parameters" if int(transformers.__version__.split(".")[0]) >= 5 else "rope_scaling": settings}


ARCHITECTURES = ("llama", "qwen2", "gpt2")

# Weights far larger than usual, so that a random model has decided opinions and greedy choices are no ties.
_COMMON: dict[str, Any] = {"initializer_range": 0.3, "bos_token_id": None, "eos_token_id": 1}
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}
_GPT2: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 2048}
_ROPE = {"rope_theta": 10_000.0, "original_max_position_embeddings": 64}
_LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, **_ROPE}
_BLOOM: dict[str, Any] = {"hidden_size": 32, "n_layer": 2, "n_head": 4}
_MAMBA: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}

_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", _SIZES),
    "llama, rotation scaled": ("Llama", {**_SIZES, **_scaled(_LLAMA3)}),
    "llama, rotation changing": ("Llama", {**_SIZES, **_scaled({"rope_type": "dynamic", "factor": 4.0, **_ROPE})}),
    "qwen2": ("Qwen2", _SIZES),
    "qwen3": ("Qwen3", {**_SIZES, "head_dim": 16}),
    "gpt2": ("GPT2", _GPT2),
    "gpt-neox": ("GPTNeoX", {name: value for name, value in _SIZES.items() if name != "num_key_value_heads"}),
    "bloom": ("Bloom", _BLOOM),
    "mistral, sliding": ("Mistral", {**_SIZES, "sliding_window": 8}),
    "gemma2": ("Gemma2", {**_SIZES, "head_dim": 8, "sliding_window": 8}),
    "mamba": ("Mamba", _MAMBA),
}


def random_model(architecture: str, vocab_size: int, seed: int = 0, attention: str = "sdpa") -> Any:
    import transformers

    name, settings = _KINDS[architecture]
    config = getattr(transformers, f"{name}Config")(vocab_size=vocab_size, **settings, **_COMMON)
    kind = getattr(transformers, f"{name}LMHeadModel" if name == "GPT2" else f"{name}ForCausalLM")
    torch.manual_seed(seed)
    if attention == "eager":
        config._attn_implementation = "eager"
    return kind(config).eval()


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""As Qwen writes it: text follows the end-of-turn token."""

BRACKETS = (
    "{{ '<s>' }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}"
    "{% elif m['role'] == 'user' %}{{ '[INST] ' + m['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] | trim + '</s>' }}{% endif %}{% endfor %}"
)
"""As the first Mistral and Llama 2 models write it: no system role, no generation prompt, `</s>` closes."""

SILENT = (
    "{% for m in messages %}{% if m['role'] != 'system' %}"
    "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""Drops the system message without a word."""


REWRITING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
    "{% if m['role'] == 'assistant' and loop.index0 < messages | length - 2 %}done"
    "{% else %}{{ m['content'] }}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""Shows the last of the agent's messages only: no context begins the next one."""


def with_template(tokenizer: Any, template: str | None, *, end: str = "<|im_end|>") -> Any:
    """A copy of a tokenizer with another template and the control tokens that it needs."""
    import copy

    other = copy.deepcopy(tokenizer)
    other.add_special_tokens(
        {"eos_token": end, "additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<s>", "</s>"]}
    )
    other.chat_template = template
    return other


@contextmanager
def watched(model: Any) -> Iterator[dict[str, list[int]]]:
    """The tokens and the scored places of every pass."""
    seen: dict[str, list[int]] = {"tokens": [], "places": []}
    kind = type(model)
    original = kind.forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen["tokens"].append(kwargs["input_ids"].numel())
        output = original(self, *args, **kwargs)
        seen["places"].append(output.logits.shape[0] * output.logits.shape[1])
        return output

    forward.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    kind.forward = forward
    try:
        yield seen
    finally:
        kind.forward = original
