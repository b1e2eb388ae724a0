"""Credit methods: functions from a `TurnBatch` (and what a method needs beside it) to a `Credit`, one module each.

Common to all: shapes are (N,) trajectories and (M,) turns; a trajectory without turns gets no credit but counts as a
rollout of its group, with its outcome; an empty batch gives an empty credit. Where a paper and its released code
differ, the paper is the default and an argument gives the other. `METHODS` says of each what it needs and how far its
formula has been checked.
"""

from turnwise.rewards.credit.gae import gae
from turnwise.rewards.credit.gated import gated, gated_total, open_gates
from turnwise.rewards.credit.gigpo import gigpo
from turnwise.rewards.credit.grpo import grpo
from turnwise.rewards.credit.igpo import igpo, information_gain
from turnwise.rewards.credit.reinforce_pp import reinforce_pp
from turnwise.rewards.credit.rloo import rloo
from turnwise.rewards.credit.spa import spa, spa_turn_reward
from turnwise.rewards.credit.turn_gae import turn_gae
from turnwise.rewards.method import MethodRecord

__all__ = [
    "METHODS",
    "gae",
    "gated",
    "gated_total",
    "gigpo",
    "grpo",
    "igpo",
    "information_gain",
    "open_gates",
    "reinforce_pp",
    "rloo",
    "spa",
    "spa_turn_reward",
    "turn_gae",
]

_GAE = "High-Dimensional Continuous Control Using Generalized Advantage Estimation"
_RECORDS = (
    MethodRecord(
        "grpo", grpo, "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models", "2402.03300",
        "verified", "group", frozenset({"group"}), 2, "Outcome against the group's mean, over its deviation.",
    ),
)  # fmt: skip

METHODS: dict[str, MethodRecord] = {record.name: record for record in _RECORDS}
"""Every credit method by name."""
