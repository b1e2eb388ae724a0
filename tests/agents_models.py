"""Random models of several architectures, and chat templates of several kinds."""

from __future__ import annotations

from typing import Any

import torch

ARCHITECTURES = ("llama", "qwen2", "gpt2")


def random_model(architecture: str, vocab_size: int, seed: int = 0) -> Any:
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    torch.manual_seed(seed)
    # Weights far larger than usual, so that a random model has decided opinions and greedy choices are no ties.
    common = {"vocab_size": vocab_size, "initializer_range": 0.3, "bos_token_id": None, "eos_token_id": 1}
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
    }
    if architecture == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=2048, **common)).eval()
    if architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(**sizes, **common)).eval()
    return Qwen2ForCausalLM(Qwen2Config(**sizes, **common)).eval()


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


def with_template(tokenizer: Any, template: str | None, *, end: str = "<|im_end|>") -> Any:
    """A copy of a tokenizer with another template and the control tokens that it needs."""
    import copy

    other = copy.deepcopy(tokenizer)
    other.add_special_tokens(
        {"eos_token": end, "additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<s>", "</s>"]}
    )
    other.chat_template = template
    return other
