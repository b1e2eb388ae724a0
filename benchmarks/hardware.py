"""What the model benchmarks share: random models of a size, a tokenizer, and how a device is timed."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
"""Dense bfloat16 with float32 accumulation, from the makers' data sheets."""


def add_arguments(parser: argparse.ArgumentParser, **defaults: int) -> None:
    """What every model benchmark can be told."""
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--threads", type=int, default=2, help="on the CPU")
    parser.add_argument("--repeats", type=int, default=3)
    for name, value in {"hidden": 384, "layers": 6, "heads": 6, "vocabulary": 32_000, **defaults}.items():
        parser.add_argument(f"--{name}", type=int, default=value)


def llama(arguments: argparse.Namespace, length: int) -> Any:
    """A random Llama, with half as many key-value heads as heads."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=arguments.vocabulary,
        hidden_size=arguments.hidden,
        intermediate_size=arguments.hidden * 11 // 4,
        num_hidden_layers=arguments.layers,
        num_attention_heads=arguments.heads,
        num_key_value_heads=arguments.heads // 2,
        max_position_embeddings=length,
        bos_token_id=None,
        eos_token_id=1,
    )
    dtype = torch.bfloat16 if arguments.dtype == "bf16" else torch.float32
    return LlamaForCausalLM(config).to(arguments.device, dtype).eval()


def word_tokenizer() -> tuple[Any, list[str]]:
    """A tokenizer, and words of which each is one token with the space before it.

    It knows the closing phrase of the probe, as a real one would: about a dozen tokens.
    """
    from turnwise.agents.tiny import build_tokenizer

    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, 6)) for _ in range(500)]
    phrase = "I now have enough information to answer. <answer></answer>"
    tokenizer = build_tokenizer([" ".join(["", *words]), phrase] * 4, vocab_size=4096)
    return tokenizer, [word for word in words if len(tokenizer(f" {word}")["input_ids"]) == 1]


def seconds(run: Callable[[], Any], device: str) -> float:
    """The time of one call, the device's work included."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def medians(runs: dict[str, Callable[[], Any]], repeats: int, device: str) -> dict[str, float]:
    """The median time of each, taken in turns, so that a slow moment of the machine hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(seconds(run, device))
    return {name: statistics.median(values) for name, values in times.items()}


def flops(run: Callable[[], Any]) -> tuple[int, Any]:
    """Floating-point operations of one call, and what it returned.

    As torch counts them: attention without the half that causality saves.
    """

    def attention(query: Any, key: Any, value: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
        batch, heads, length, width = query
        return 2 * int(batch * heads * length * key[2] * (width + value[3]))

    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={kernel: attention}) as counter:
        result = run()
    return int(counter.get_total_flops()), result


def machine(arguments: argparse.Namespace, model: Any) -> str:
    """What the figures were taken on."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    where = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{arguments.threads} threads, CPU"
    size = f"Llama of {parameters / 1e6:.0f} M parameters, {arguments.dtype}, {model.config._attn_implementation}"
    return f"{size}; {where}, {platform.machine()}, torch {torch.__version__}"


def share_of_peak(operations: float, time_taken: float) -> str:
    """What share of a card's peak that is, where the peak is known."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peak = next((value for key, value in PEAK_FLOPS.items() if key in name), None)
    return "" if peak is None else f"{operations / time_taken / peak:.0%} of peak"
