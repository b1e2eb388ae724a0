"""Imitation: teach a `TransformersPolicy` to write what trajectories hold, for example an oracle's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from turnwise.agents.policy import Context, Decision
from turnwise.agents.tokens import TokenRow, token_rows
from turnwise.agents.transformers_policy import TransformersPolicy
from turnwise.rewards.trajectory import Trajectory


def tokenized(trajectory: Trajectory, policy: TransformersPolicy) -> Trajectory:
    """The trajectory with its texts as the tokens this policy would have seen and, had it said the same, written.

    This is the one case in which text becomes response tokens: nobody sampled them. Their log-probabilities are 0.
    """
    context = Context(trajectory.episode_id, trajectory.instructions, [])
    turns = []
    for turn in trajectory.turns:
        context.observations.append(turn.observation)
        prompt = policy.conversation.prompt(context)
        ids = policy.chat.encode(turn.action) + policy.closing_ids
        decision = Decision(turn.action, prompt.new_ids, ids, [0.0] * len(ids), prompt.restarts_context)
        context.decisions.append(decision)
        turns.append(
            replace(
                turn,
                prompt_ids=decision.prompt_ids,
                response_ids=decision.response_ids,
                response_logprobs=decision.response_logprobs,
                restarts_context=decision.restarts_context,
            )
        )
    return replace(trajectory, turns=turns)


def warm_up(
    policy: TransformersPolicy,
    trajectories: Sequence[Trajectory],
    *,
    steps: int = 300,
    seconds: float | None = None,
    learning_rate: float = 3e-3,
    batch_size: int = 32,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Behaviour cloning: raise the probability of the actions, token by token; observations are not learned.

    Args:
        policy: Whose model is trained, in place.
        trajectories: What to imitate; their texts are read, not their tokens.
        steps: Gradient steps.
        seconds: End earlier, after this time. The result then depends on the machine's speed.
        learning_rate: Highest; it rises over the first twentieth of the steps and falls to 0 over the last third.
        batch_size: Contexts in a step.
        seed: Of their order.
        progress: Called with (step, loss).

    Returns:
        The loss of each step: mean negative log-probability (nats) of an action token.
    """
    rows = [row for t in trajectories for row in token_rows(tokenized(t, policy)) if len(row.ids) <= policy.max_length]
    if not rows:
        raise ValueError(f"no context of the {len(trajectories)} trajectories fits max_length={policy.max_length}")
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    losses: list[float] = []
    started = time.monotonic()
    policy.model.train()
    for step, batch in zip(range(steps), _batches(rows, batch_size, seed), strict=False):
        elapsed = 0.0 if seconds is None else (time.monotonic() - started) / seconds
        if elapsed >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * _schedule(max(step / steps, elapsed))
        loss = -torch.cat(policy.row_logprobs(batch)).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(policy.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if progress is not None:
            progress(step, losses[-1])
    policy.model.eval()
    policy.weights_changed()
    return losses


def _schedule(done: float) -> float:
    """From the share of training that is done to the share of the learning rate."""
    return min(1.0, (done + 0.002) / 0.05, (1.0 - done) * 3)


def _batches(rows: Sequence[TokenRow], size: int, seed: int) -> Iterator[list[TokenRow]]:
    """Endless batches, each row once a pass, in an order that the seed decides."""
    rng = np.random.default_rng(seed)
    size = min(size, len(rows))
    while True:
        order = rng.permutation(len(rows))
        for start in range(0, len(rows) - size + 1, size):
            yield [rows[i] for i in order[start : start + size]]
