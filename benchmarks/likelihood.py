"""What the answer's likelihood after every turn of a long trajectory costs, against one plain forward pass over it.

    python benchmarks/likelihood.py [--turns 16] [--tokens 8192] [--threads 2] [--repeats 3]
    python benchmarks/likelihood.py --device cuda --dtype bf16 --hidden 2048 --layers 16 --heads 16

All ways are timed in turns in one run, tokenisation included where texts are scored. `one pass` puts trajectory and
answers into a single pass under one mask of four dimensions; `two passes` is what the library does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hardware import add_arguments, flops, llama, machine, medians, share_of_peak, word_tokenizer

from turnwise.agents import TransformersPolicy
from turnwise.agents.answer_tree import grow, merge
from turnwise.agents.forward import attention_mask, logits_at
from turnwise.rewards import Trajectory, Turn


def make_trajectory(words: list[str], turns: int, tokens: int, seed: int) -> Trajectory:
    """Turns of random words: a twelfth of each is the agent's, the rest the environment's."""
    rng = np.random.default_rng(seed)
    each = tokens // turns - 5  # the template's own tokens
    said = max(1, each // 12)

    def text(count: int) -> str:
        return "".join(f" {word}" for word in rng.choice(words, count))

    observations = [text(each - said) for _ in range(turns)]
    return Trajectory([Turn(t, observations[t], text(said), "") for t in range(turns)], instructions="rules")


def in_one_pass(policy: TransformersPolicy, trajectory: Trajectory, answer: str) -> Callable[[], Any]:
    """Trajectory and answers side by side, each answer hidden from all that is not its own context."""
    probe = policy.probe
    contexts = probe.chat.encode_growing([probe.chat.opening(trajectory.messages(t)) for t in range(len(trajectory))])
    [trunk] = merge(contexts, [probe._continuation(answer)] * len(contexts))
    tree = grow(trunk, trunk.branches)
    read = len(trunk.ids)
    device = policy.model.device
    ids = torch.tensor([[*trunk.ids, *tree.ids]], device=device)
    positions = torch.tensor([[*range(read), *tree.positions]], device=device)
    allowed = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=device).tril()
    allowed[read:, :read] = torch.arange(read, device=device) < torch.tensor(tree.visible, device=device)[:, None]
    allowed[read:, read:] = torch.from_numpy(tree.ancestors).to(device)
    columns = torch.tensor([read + node for nodes in tree.sources for node in nodes], device=device)
    mask = attention_mask(policy.model, allowed[None])
    return lambda: logits_at(policy.model, ids, positions, torch.zeros_like(columns), columns, mask=mask)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, turns=16, tokens=8192, batch=1)
    arguments = parser.parse_args()
    model = llama(arguments, length=2 * arguments.tokens)
    tokenizer, words = word_tokenizer()
    policy = TransformersPolicy(model, tokenizer, batch_tokens=max(16_384, 2 * arguments.tokens), cache_tokens=0)
    trajectories = [make_trajectory(words, arguments.turns, arguments.tokens, seed) for seed in range(arguments.batch)]
    answers = [f" {words[i]} {words[i + 1]} {words[i + 2]}" for i in range(arguments.batch)]
    whole = [policy.chat.encode(policy.chat.opening(t.messages(len(t) - 1))) for t in trajectories]
    ids = torch.tensor([row[: min(map(len, whole))] for row in whole], device=model.device)
    contexts = [t.messages(turn) for t in trajectories for turn in range(len(t))]
    repeated = [answer for answer in answers for _ in range(arguments.turns)]

    def by_turn(aliases: int = 1) -> Any:
        texts = [[answer, *(f"{answer} {words[k]}" for k in range(aliases - 1))] for answer in answers]
        return policy.answer_logprobs_by_turn(trajectories, texts, aliases="max", after_last=False)

    def each_turn() -> Any:
        return [policy.answer_logprobs([c], [a])[0] for c, a in zip(contexts, repeated, strict=True)]

    ways: dict[str, Callable[[], Any]] = {
        "plain forward pass": lambda: model(ids, use_cache=False, logits_to_keep=1),
        "two passes (the library)": by_turn,
        "two passes, 4 aliases": lambda: by_turn(4),
        "a pass per turn": each_turn,
    }
    if arguments.batch == 1:
        ways["one pass under one mask"] = in_one_pass(policy, trajectories[0], answers[0])
    assert policy.probe.ability.scoring == "tree"  # found out by trying, once; no part of the cost
    counted = {name: flops(run) for name, run in ways.items()}  # which warms them up as well
    ours, naive = counted["two passes (the library)"][1], counted["a pass per turn"][1]
    difference = max(float(np.abs(a - b).max()) for a, b in zip((v for t in ours for v in t), naive, strict=True))
    if arguments.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = medians(ways, arguments.repeats, arguments.device)
    plain, tokens = times["plain forward pass"], ids.numel()
    print(machine(arguments, model))
    size = f"{arguments.batch} x {arguments.turns} turns, {ids.shape[1]:,} tokens"
    print(f"{size}; the library's scores and those of a pass per turn agree to {difference:.1e}\n")
    print("| | seconds, median | against a plain pass | GFLOP | against a plain pass | tokens/s | |")
    print("|---|---|---|---|---|---|---|")
    for name, time in times.items():
        count = counted[name][0]
        ratios = f"{time / plain:.2f} × | {count / 1e9:,.0f} | {count / counted['plain forward pass'][0]:.2f} ×"
        print(f"| {name} | {time:.3f} | {ratios} | {tokens / time:,.0f} | {share_of_peak(count, time)} |")
    print(f"\na pass per turn costs {times['a pass per turn'] / times['two passes (the library)']:.1f} × the library's")
    if arguments.device == "cuda":
        print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
