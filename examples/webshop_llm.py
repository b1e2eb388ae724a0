"""A language model learns to shop: built here, warmed up on the oracle, then trained with turn-level credit.

    pip install "turnwise[llm]"
    python examples/webshop_llm.py                        # GRPO; about three minutes on two cores
    python examples/webshop_llm.py --method gigpo
    python examples/webshop_llm.py --model path/or/name   # a model of your own, without the warm-up

The loop is `collect -> credit -> update`, over 16 training tasks, so that minutes suffice to see it move; the figures
before and after are of these tasks, at temperature 1, and beside them of the test split. The credit method is a name of
`turnwise.rewards.credit.METHODS` that needs no more than groups, anchor states and the policy's own log-probability of
the answer. The tiny model sees the task and the present page only. Left out: checkpoints, several devices, a learning
rate that falls.
"""

from __future__ import annotations

import argparse
import time

import gymnasium as gym
import numpy as np

import turnwise
from turnwise.agents import (
    OraclePolicy,
    Reinforce,
    TransformersPolicy,
    collect,
    evaluate,
    mean_outcome,
    success_rate,
    warm_up,
)
from turnwise.rewards import Credit, Trajectory, TurnBatch
from turnwise.rewards.credit import METHODS

ID = "turnwise/WebShop-v0"
ENV = {"products": 100, "max_turns": 10}


def tiny_policy(steps: int, seed: int) -> TransformersPolicy:
    """A model of a million parameters that has seen the oracle solve every training task."""
    from turnwise.agents.tiny import build, texts_of

    with gym.make(ID, **ENV) as env:
        tasks = list(env.get_wrapper_attr("tasks"))
        demonstrations = collect(OraclePolicy(), env, len(tasks), task_ids=tasks, seed=seed)
    model, tokenizer = build(texts_of(demonstrations), seed)
    policy = TransformersPolicy(
        model,
        tokenizer,
        window=1,
        include_instructions=False,
        max_observation_tokens=128,
        max_new_tokens=24,
        batch_tokens=2048,
        seed=seed,
    )
    warm_up(policy, demonstrations, steps=steps, seed=seed)
    return policy


def answer_channel(policy: TransformersPolicy, trajectories: list[Trajectory]) -> np.ndarray:
    """(M,) mean log-probability of the right product before each turn: what information gain is made of."""
    contexts = [t.messages(upto=turn.index) for t in trajectories for turn in t.turns]
    answers = [t.privileged["answer"] for t in trajectories for _ in t.turns]
    return np.array([logprobs.mean() for logprobs in policy.answer_logprobs(contexts, answers)])


def credit_by(method: str, policy: TransformersPolicy, trajectories: list[Trajectory]) -> Credit:
    """Credit for all turns by a method's name."""
    batch, record = TurnBatch.from_trajectories(trajectories), METHODS[method]
    if missing := record.needs - {"group", "anchor", "probe", "answer"}:
        raise SystemExit(f"{method} also needs {sorted(missing)}, which this example does not have")
    if "probe" in record.needs:
        return record.function(batch, answer_channel(policy, trajectories))
    return record.function(batch)


def report(when: str, policy: TransformersPolicy, tasks: list[str]) -> None:
    """Print how good the policy is on the tasks it trains on, and on tasks it has never met."""
    print(f"{when}: ", evaluate(policy, ID, len(tasks), attempts=8, num_envs=64, task_ids=tasks, seed=10_000, **ENV))
    print(f"{when}, test split: ", evaluate(policy, ID, 100, num_envs=64, seed=10_000, split="test", **ENV))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="grpo", choices=sorted(METHODS))
    parser.add_argument("--model", help="name or path of a model; default: a tiny one is built and warmed up")
    parser.add_argument("--warm-up-steps", type=int, default=200)
    parser.add_argument("--iterations", type=int, default=16)
    parser.add_argument("--tasks", type=int, default=16, help="that it trains on")
    parser.add_argument("--episodes", type=int, default=64, help="in each iteration")
    parser.add_argument("--group-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    started = time.monotonic()
    policy = TransformersPolicy(args.model) if args.model else tiny_policy(args.warm_up_steps, args.seed)
    print(f"policy ready after {time.monotonic() - started:.0f} s")
    with gym.make(ID, **ENV) as env:
        tasks = list(np.random.default_rng(args.seed).permutation(env.get_wrapper_attr("tasks"))[: args.tasks])
    report("before", policy, tasks)

    envs = turnwise.make_vec(ID, args.episodes, group_size=args.group_size, **ENV)
    trainer = Reinforce(policy, learning_rate=args.learning_rate, minibatches=4)
    for iteration in range(args.iterations):
        groups = args.episodes // args.group_size
        chosen = [tasks[(iteration * groups + i) % len(tasks)] for i in range(groups)]
        trajectories = collect(policy, envs, args.episodes, seed=args.seed + iteration, task_ids=chosen)
        metrics = trainer.update(trajectories, credit_by(args.method, policy, trajectories))
        print(
            f"{iteration:3d}  success {success_rate(trajectories):.2f}  reward {mean_outcome(trajectories):.2f}  "
            f"kl {metrics.get('kl_old', 0.0):.4f}  {time.monotonic() - started:.0f} s"
        )
    envs.close()
    report("after", policy, tasks)


if __name__ == "__main__":
    main()
