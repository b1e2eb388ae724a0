"""A small language model with its own tokenizer, from nothing: no download, about a million parameters.

It is for tests, examples and machines without a network: large enough to learn a text environment by imitation in
about a minute on two CPU cores, small enough that reinforcement can be watched moving it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from turnwise.rewards.trajectory import Trajectory

PAD, END, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

# Words keep their digits, so that a product id can become one token; the space goes with the word that follows.
_WORDS = Regex(r" ?[A-Za-z0-9]+| ?[^\sA-Za-z0-9]|\s")


def build_tokenizer(texts: Iterable[str], vocab_size: int = 4096) -> Any:
    """A byte-level BPE tokenizer trained on texts. It round-trips any text, not only those.

    Args:
        texts: What it should write in few tokens, for example `texts_of(trajectories)`.
        vocab_size: Most tokens; at least 261.

    Returns:
        A `PreTrainedTokenizerFast` with a chat template.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_WORDS, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, SYSTEM, USER, ASSISTANT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def build_model(
    vocab_size: int,
    *,
    seed: int = 0,
    hidden_size: int = 128,
    layers: int = 3,
    heads: int = 4,
    max_length: int = 1024,
) -> Any:
    """A Llama of random weights with tied embeddings: 1 million parameters with 4,096 tokens and the defaults.

    The same seed gives the same weights; torch's global generator is left as it was.
    """
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def build(texts: Sequence[str], seed: int = 0, *, vocab_size: int = 4096, **model_options: Any) -> tuple[Any, Any]:
    """A model and the tokenizer it belongs to.

    Args:
        texts: What the tokenizer is trained on.
        seed: Of the weights.
        vocab_size: Most tokens.
        model_options: For `build_model`.

    Returns:
        The model and the tokenizer, as `TransformersPolicy` takes them.
    """
    tokenizer = build_tokenizer(texts, vocab_size)
    return build_model(len(tokenizer), seed=seed, **model_options), tokenizer


def texts_of(trajectories: Iterable[Trajectory]) -> list[str]:
    """All that is said in trajectories: instructions (once), observations and actions."""
    texts: dict[str, None] = {}
    for trajectory in trajectories:
        texts[trajectory.instructions] = None
        for turn in trajectory.turns:
            texts |= dict.fromkeys((turn.observation, turn.action, turn.next_observation))
    return list(texts)
