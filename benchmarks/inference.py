"""Turns a second of multi-turn generation, with caches kept between turns and without.

    python benchmarks/inference.py [--conversations 32] [--turns 8] [--threads 2] [--repeats 3]
    python benchmarks/inference.py --device cuda --dtype bf16 --hidden 2048 --layers 16 --heads 16 --written 256

An environment that answers at once says `--page` tokens a turn; a message has up to `--written` tokens, of a length
that is drawn for each. `every turn anew` is one padded batch a turn that reads the whole history, as generation by
`model.generate` does; `nothing kept` the same in the library's writer. All write the same tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from hardware import add_arguments, flops, llama, machine, medians, share_of_peak, word_tokenizer

from turnwise.agents import AFTER_MESSAGE, Context, Decision, TransformersPolicy


def play(policy: TransformersPolicy, pages: Sequence[Sequence[str]], *, stream: bool) -> list[Context]:
    """All conversations to their end; returns them with what was written."""
    contexts = [Context(f"c{i}", "The rules.", [texts[0]]) for i, texts in enumerate(pages)]
    by_id = {context.episode_id: (context, texts) for context, texts in zip(contexts, pages, strict=True)}
    running, asked = list(contexts), 0
    while running or asked:
        if stream:
            policy.submit(running)
            asked += len(running)
            answers = policy.decided()
            asked -= len(answers)
        else:
            answers = [(c.episode_id, d) for c, d in zip(running, policy.act(running), strict=True)]
        running = []
        for episode_id, decision in answers:
            context, texts = by_id[episode_id]
            context.decisions.append(decision)
            if context.turn < len(texts):
                context.observations.append(texts[context.turn])
                running.append(context)
            else:
                policy.forget(episode_id)
    return contexts


def tokens_of(decisions: Sequence[Decision]) -> int:
    return sum(len(decision.prompt_ids) + len(decision.response_ids) for decision in decisions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, conversations=32, turns=8, page=160, written=24, hidden=256, layers=4, heads=4)
    parser.add_argument("--flops", action="store_true", help="count them too: one more, slower run of each way")
    arguments = parser.parse_args()
    length = 2 * arguments.turns * (arguments.page + arguments.written)
    model = llama(arguments, length)
    tokenizer, words = word_tokenizer()
    rng = np.random.default_rng(0)
    pages = [
        ["".join(f" {w}" for w in rng.choice(words, arguments.page)) for _ in range(arguments.turns)]
        for _ in range(arguments.conversations)
    ]
    played: dict[str, list[Context]] = {}

    def way(name: str, *, stream: bool, anew: bool = False, **options: Any) -> Callable[[], Any]:
        policy = TransformersPolicy(
            model, tokenizer, max_new_tokens=arguments.written, stop=AFTER_MESSAGE, batch_tokens=65_536, **options
        )
        # A length between 1 and the longest, by the first token, so that conversations drift apart.
        policy._is_complete = lambda ids: len(ids) > ids[0] % arguments.written  # type: ignore[method-assign]
        assert policy.probe.ability.scoring == "tree"
        if anew:
            policy.probe.ability = policy.probe.ability._replace(scoring="separate")

        def run() -> list[Context]:
            played[name] = play(policy, pages, stream=stream)
            return played[name]

        return run

    ways = {
        "every turn anew": way("anew", stream=False, anew=True),
        "nothing kept": way("nothing", stream=False, cache_tokens=0),
        "kept between turns": way("kept", stream=False),
        "kept, and answers as they come": way("stream", stream=True),
    }
    counted = {name: flops(run)[0] for name, run in ways.items()} if arguments.flops else {}
    if arguments.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = medians(ways, arguments.repeats, arguments.device)
    decisions = [d for context in played["kept"] for d in context.decisions]
    written, all_tokens = sum(len(d.response_ids) for d in decisions), tokens_of(decisions)
    ids = {name: [d.response_ids for c in contexts for d in c.decisions] for name, contexts in played.items()}
    same = np.mean([each == ids["anew"] for each in ids.values()])
    print(machine(arguments, model))
    size = f"{arguments.conversations} conversations of {arguments.turns} turns, {written:,} tokens written"
    print(f"{size}, {all_tokens:,} in all; {same:.0%} of the ways wrote the same tokens\n")
    print("| | seconds, median | turns/s | | tokens written/s | GFLOP | |")
    print("|---|---|---|---|---|---|---|")
    slow = times["every turn anew"]
    for name, time in times.items():
        rate = f"{len(decisions) / time:.1f} | {slow / time:.1f} × | {written / time:,.0f}"
        count = counted.get(name)
        cost = "" if count is None else f"{count / 1e9:,.0f} | {share_of_peak(count, time)}"
        print(f"| {name} | {time:.2f} | {rate} | {cost or ' | '} |")
    if arguments.device == "cuda":
        print(f"\npeak memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
