"""Reference training: a policy-gradient step of a `TransformersPolicy` from trajectories and turn-level credit.

Left out, for readers who train for real: several devices, mixed precision, micro-batches that overlap with rollouts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.forward import sub_batches
from turnwise.agents.tokens import TokenRow, broadcast, token_rows
from turnwise.agents.transformers_policy import TransformersPolicy
from turnwise.rewards.batch import Credit
from turnwise.rewards.trajectory import Trajectory


class Reinforce:
    """Raises the probability of sampled tokens by the advantage of their turn.

    The objective of a token is PPO's clipped one, `min(r A, clip(r, 1 - clip, 1 + clip) A)` with
    `r = exp(logprob - sampled logprob)` (Schulman et al., arXiv 1707.06347); `clip=None` leaves `r A` as it is, which
    with one epoch has REINFORCE's gradient.

    Args:
        policy: Whose model is trained, in place.
        learning_rate: Of AdamW.
        clip: Width of the trust region, or None.
        kl: Weight of the divergence from the weights at construction, by the estimator `exp(d) - d - 1` with
            `d = reference logprob - logprob`. Above 0 it keeps a copy of the model.
        average: `trajectories` averages over the tokens of each trajectory and then over trajectories (GRPO, arXiv
            2402.03300). `tokens` averages over all tokens at once (DAPO, arXiv 2503.14476): then long trajectories
            count more, and where failures are long, the sum of all advantages is below zero.
        epochs: Passes over the trajectories in an update.
        minibatches: Gradient steps in a pass.
        max_grad_norm: Longer gradients are scaled down to this.
        seed: Of the order in which an epoch goes through the trajectories.

    The loop around it (examples/webshop_llm.py is the whole of it)::

        trajectories = collect(policy, envs, 64, seed=step, group_size=8)
        metrics = trainer.update(trajectories, grpo(TurnBatch.from_trajectories(trajectories)))
    """

    def __init__(
        self,
        policy: TransformersPolicy,
        *,
        learning_rate: float = 1e-6,
        clip: float | None = 0.2,
        kl: float = 0.0,
        average: Literal["trajectories", "tokens"] = "trajectories",
        epochs: int = 1,
        minibatches: int = 1,
        max_grad_norm: float = 1.0,
        seed: int = 0,
    ) -> None:
        if epochs < 1 or minibatches < 1:
            raise ValueError(f"epochs and minibatches must be at least 1, got {epochs} and {minibatches}")
        if clip is not None and clip <= 0:
            raise ValueError(f"clip must be positive or None, got {clip}")
        if average not in ("trajectories", "tokens"):
            raise ValueError(f"average must be 'trajectories' or 'tokens', got {average!r}")
        self.policy = policy
        self.average = average
        self.clip = clip
        self.kl = kl
        self.epochs = epochs
        self.minibatches = minibatches
        self.max_grad_norm = max_grad_norm
        self._rng = np.random.default_rng(seed)
        self._optimizer = torch.optim.AdamW(policy.model.parameters(), lr=learning_rate, weight_decay=0.0)
        self._reference: Any = copy.deepcopy(policy.model).requires_grad_(False) if kl > 0 else None

    def update(self, trajectories: Sequence[Trajectory], credit: Credit) -> dict[str, float]:
        """One update.

        Args:
            trajectories: As `collect` returned them, each turn with the tokens this policy sampled.
            credit: Of `TurnBatch.from_trajectories(trajectories)`, rows in the same order.

        Returns:
            Means over the update: `loss`, `kl_old` (from the weights that sampled), `clip_fraction`, `grad_norm`,
            and `kl_reference` where `kl` is set; `tokens`, the sampled tokens that count.

        Raises:
            ValueError: The credit is of other trajectories, or a turn has no sampled tokens.
        """
        rows, advantages, weights = _rows_with_credit(trajectories, credit, self.average)
        if not rows:
            return {"tokens": 0.0}
        old = [torch.from_numpy(row.logprobs[row.response_mask == 1]).float() for row in rows]
        reference = self._reference_logprobs(rows)
        metrics: list[dict[str, float]] = []
        for _ in range(self.epochs):
            for chosen in self._minibatches(len(rows)):
                metrics.append(self._step(chosen, rows, advantages, weights, old, reference))
        means = {name: float(np.mean([m[name] for m in metrics])) for name in metrics[0]}
        return {**means, "tokens": float(sum(map(len, advantages)))}

    def _minibatches(self, rows: int) -> Iterator[NDArray[np.int64]]:
        parts = np.array_split(self._rng.permutation(rows), min(self.minibatches, rows))
        yield from (part.astype(np.int64) for part in parts)

    def _step(
        self,
        chosen: NDArray[np.int64],
        rows: Sequence[TokenRow],
        advantages: Sequence[Tensor],
        weights: Sequence[Tensor],
        old: Sequence[Tensor],
        reference: Sequence[Tensor] | None,
    ) -> dict[str, float]:
        """One gradient step, accumulated over sub-batches of similar length."""
        device = self.policy.model.device
        total = float(sum(len(advantages[i]) for i in chosen))
        sums: dict[str, float] = {}
        for part in sub_batches([len(rows[i].ids) for i in chosen], rows=1_000_000, tokens=self.policy.batch_tokens):
            members = [int(chosen[i]) for i in part]
            new = torch.cat(self.policy.row_logprobs([rows[i] for i in members]))
            gather = [torch.cat([values[i] for i in members]).to(device) for values in (advantages, weights, old)]
            loss, terms = policy_loss(new, *gather, clip=self.clip)
            if reference is not None:
                drift = torch.cat([reference[i] for i in members]).to(device) - new
                kl = (drift.exp() - drift - 1) * gather[1]
                loss, terms["kl_reference"] = loss + self.kl * kl, kl.detach()
            (loss.sum() / total).backward()  # type: ignore[no-untyped-call]
            for name, value in {"loss": loss.detach(), **terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value.sum()) / total
        norm = torch.nn.utils.clip_grad_norm_(self.policy.model.parameters(), self.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.policy.weights_changed()
        return {**sums, "grad_norm": float(norm)}

    @torch.no_grad()
    def _reference_logprobs(self, rows: Sequence[TokenRow]) -> list[Tensor] | None:
        if self._reference is None:
            return None
        return self.policy.row_logprobs(rows, model=self._reference)


def policy_loss(
    new: Tensor, advantage: Tensor, weight: Tensor, old: Tensor, *, clip: float | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of each of L tokens, and what is worth watching of it, each (L,).

    Args:
        new: (L,) log-probabilities under the present weights.
        advantage: (L,) of the token's turn.
        weight: (L,) of the token's turn.
        old: (L,) log-probabilities under the weights that sampled.
        clip: Width of the trust region, or None.
    """
    difference = new - old
    ratio = difference.exp()
    objective = ratio * advantage
    if clip is not None:
        objective = torch.minimum(objective, ratio.clamp(1 - clip, 1 + clip) * advantage)
    outside = (ratio.detach() - 1).abs() > (clip or float("inf"))
    # Schulman's low-variance estimator of the divergence of the new weights from the old ones.
    kl_old = (ratio - 1 - difference).detach()
    return -objective * weight, {"kl_old": kl_old, "clip_fraction": outside.float()}


def _rows_with_credit(
    trajectories: Sequence[Trajectory], credit: Credit, average: str
) -> tuple[list[TokenRow], list[Tensor], list[Tensor]]:
    """Token rows that are kept and count, with the advantage and the weight of each of their sampled tokens.

    Trajectories are averaged over by their weights: a token of one that is half as long as the mean weighs double.
    """
    lengths = [len(trajectory) for trajectory in trajectories]
    if credit.advantage.shape != (sum(lengths),) or credit.keep.shape != (len(lengths),):
        given = f"advantage {credit.advantage.shape} and keep {credit.keep.shape}"
        raise ValueError(f"credit must be of these {len(lengths)} trajectories and {sum(lengths)} turns, got {given}")
    ends = np.cumsum([0, *lengths])
    tokens = np.array([sum(len(turn.response_ids) for turn in t.turns) for t in trajectories], dtype=np.float64)
    scale = np.ones(len(tokens)) if average == "tokens" else tokens.mean() / np.maximum(tokens, 1.0)
    kept: list[TokenRow] = []
    advantages: list[Tensor] = []
    weights: list[Tensor] = []
    for number, trajectory in enumerate(trajectories):
        if not credit.keep[number] or not trajectory.turns:
            continue
        turns = slice(ends[number], ends[number + 1])
        rows = token_rows(trajectory)
        per_row = zip(
            rows, broadcast(credit.advantage[turns], rows), broadcast(credit.weight[turns], rows), strict=True
        )
        for row, advantage, weight in per_row:
            sampled = row.response_mask == 1
            # Rows that move nothing would still cost a forward and a backward pass.
            if (advantage * weight).any():
                kept.append(row)
                advantages.append(torch.from_numpy(advantage[sampled]).float())
                weights.append(torch.from_numpy(weight[sampled] * scale[number]).float())
    return kept, advantages, weights
