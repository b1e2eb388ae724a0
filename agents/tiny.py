"""A small language model with its own tokenizer, from nothing: no download, about a million parameters.

It is for tests, examples and machines without a network: large enough to learn a text environment by imitation in
about a minute on two CPU cores, small enough that reinforcement can be watched moving it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

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
    layers: int = 2,
    heads: int = 2,
    max_length: int = 1024,
    copying: bool = True,
) -> Any:
    """A small Qwen2 of random weights with tied embeddings: 0.9 million parameters with 4,096 tokens.

    The same seed gives the same weights; torch's global generator is left as it was.

    Args:
        vocab_size: Tokens.
        seed: Of the weights.
        hidden_size: Width; divisible by `heads`.
        layers: Blocks; at least 2 with `copying`.
        heads: Attention heads a block.
        max_length: Longest context.
        copying: Start with heads that copy, see `start_copying`.
    """
    config = Qwen2Config(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config).eval()
        if copying:
            start_copying(model)
    return model


@torch.no_grad()
def start_copying(model: Any, embedding_scale: float = 0.1) -> None:
    """Set one head in each of the first two blocks of a Qwen2 so that they copy from the context.

    Agents copy all the time: a query out of the task, an item's id out of a page. The circuit for it (induction
    heads, Olsson et al., arXiv 2209.11895) is what a small model takes longest to find, far longer than a minute.
    The first head writes into each position what stood before it. The second looks for positions that stand after
    the present token, and raises the token that it finds there. All other heads look around at random, but what they
    look at they raise. All of it is trained.
    """
    width, head = model.config.hidden_size, model.config.hidden_size // model.config.num_attention_heads
    before, after = (model.model.layers[i].self_attn for i in (0, 1))
    model.model.embed_tokens.weight.normal_(0, embedding_scale)
    for block in model.model.layers:
        values = _directions(width, width)
        block.self_attn.v_proj.weight[:], block.self_attn.o_proj.weight[:] = values, values.T
    read, moved, written = _directions(head, width), _directions(width, width), _directions(head, width)

    # Constant queries and keys, whose rotation (RoPE) leaves cos(f (distance - 1)) at each frequency f: largest at 1.
    frequencies = 10_000.0 ** (-torch.arange(0, head, 2) / head)  # (head / 2,)
    before.q_proj.weight[:head], before.k_proj.weight[:head] = 0.0, 0.0
    before.q_proj.bias[:head] = 6.0 * torch.cat([torch.ones(head // 2), torch.zeros(head // 2)])
    before.k_proj.bias[:head] = 6.0 * torch.cat([frequencies.cos(), frequencies.sin()])
    before.v_proj.weight[:head] = read
    before.o_proj.weight[:, :head] = embedding_scale * moved @ read.T

    # Only slow frequencies take part in the comparison, so that distance hardly matters to it.
    match = 1.5 * _directions(head, head) @ read
    match[torch.arange(head) % (head // 2) < head // 4] = 0.0
    after.q_proj.weight[:head] = match
    after.k_proj.weight[:head] = match @ moved.T
    after.v_proj.weight[:head] = written
    after.o_proj.weight[:, :head] = 4 * embedding_scale * written.T


def _directions(rows: int, columns: int) -> Tensor:
    """(rows, columns) random orthonormal rows."""
    orthonormal: Tensor = torch.linalg.qr(torch.randn(columns, rows))[0]
    return orthonormal.T


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
    model = build_model(len(tokenizer), seed=seed, **model_options)
    _share_across_spaces(model, tokenizer)
    return model, tokenizer


@torch.no_grad()
def _share_across_spaces(model: Any, tokenizer: Any, share: float = 0.8) -> None:
    """Begin with similar embeddings for a word with and without a space before it: `red` is to be found in ` red`."""
    vocabulary, weight = tokenizer.get_vocab(), model.get_input_embeddings().weight
    for token, index in vocabulary.items():
        if token.startswith("Ġ") and token[1:] in vocabulary:
            weight[index] = share * weight[vocabulary[token[1:]]] + (1 - share**2) ** 0.5 * weight[index]


def texts_of(trajectories: Iterable[Trajectory]) -> list[str]:
    """All that is said in trajectories: instructions (once), observations and actions."""
    texts: dict[str, None] = {}
    for trajectory in trajectories:
        texts[trajectory.instructions] = None
        for turn in trajectory.turns:
            texts |= dict.fromkeys((turn.observation, turn.action, turn.next_observation))
    return list(texts)
