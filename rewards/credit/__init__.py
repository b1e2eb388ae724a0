"""Credit methods: functions from a `TurnBatch` (and what a method needs beside it) to a `Credit`, one module each.

Common to all: shapes are (N,) trajectories and (M,) turns. A trajectory without turns gets no credit but counts as a
rollout of its group, with its outcome (except in statistics that run over turns); an empty batch gives an empty credit.
Where a paper and its released code differ, the paper is the default and an argument gives the other. `METHODS` says of
each method what it needs and how far its formula has been checked.
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

_RECORDS = (
    MethodRecord(
        name="gae",
        function=gae,
        paper="High-Dimensional Continuous Control Using Generalized Advantage Estimation",
        arxiv="1506.02438",
        provenance="verified",
        scope="episode",
        needs=frozenset({"values"}),
        min_group=1,
        summary="Token-level GAE that steps over text the environment wrote.",
    ),
    MethodRecord(
        name="gated",
        function=gated,
        paper="G-RA: Gated Reward Accumulation",
        arxiv="2508.10548",
        provenance="unverified",
        scope="group",
        needs=frozenset({"levels"}),
        min_group=1,
        summary="Step rewards count only where the outcome reached its threshold.",
    ),
    MethodRecord(
        name="gigpo",
        function=gigpo,
        paper="Group-in-Group Policy Optimization for LLM Agent Training",
        arxiv="2505.10978",
        provenance="verified",
        scope="group",
        needs=frozenset({"group", "anchor"}),
        min_group=2,
        summary="Episode against its group, plus each turn against the turns that met the same state.",
    ),
    MethodRecord(
        name="grpo",
        function=grpo,
        paper="DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models",
        arxiv="2402.03300",
        provenance="verified",
        scope="group",
        needs=frozenset({"group"}),
        min_group=2,
        summary="Outcome against the group's mean, over its deviation (Dr.GRPO: without).",
    ),
    MethodRecord(
        name="igpo",
        function=igpo,
        paper="Information Gain-based Policy Optimization",
        arxiv="2510.14967",
        provenance="verified",
        scope="group",
        needs=frozenset({"group", "probe", "answer"}),
        min_group=2,
        summary="Each turn is paid for how much likelier it made the right answer.",
    ),
    MethodRecord(
        name="reinforce_pp",
        function=reinforce_pp,
        paper="REINFORCE++",
        arxiv="2501.03262",
        provenance="verified",
        scope="group",
        needs=frozenset(),
        min_group=1,
        summary="Returns whitened over the whole batch.",
    ),
    MethodRecord(
        name="rloo",
        function=rloo,
        paper="Back to Basics: Revisiting REINFORCE Style Optimization for Learning from Human Feedback in LLMs",
        arxiv="2402.14740",
        provenance="verified",
        scope="group",
        needs=frozenset({"group"}),
        min_group=2,
        summary="Outcome against the mean of the other rollouts.",
    ),
    MethodRecord(
        name="spa",
        function=spa,
        paper="SPA-RL: Reinforcing LLM Agents via Stepwise Progress Attribution",
        arxiv="2505.20732",
        provenance="read",
        scope="episode",
        needs=frozenset({"estimator"}),
        min_group=1,
        summary="Each turn is paid its estimated progress plus a bonus for an action that could be carried out.",
    ),
    MethodRecord(
        name="turn_gae",
        function=turn_gae,
        paper="High-Dimensional Continuous Control Using Generalized Advantage Estimation",
        arxiv="1506.02438",
        provenance="unverified",
        scope="episode",
        needs=frozenset({"values"}),
        min_group=1,
        summary="GAE where one step is one turn.",
    ),
)

METHODS: dict[str, MethodRecord] = {record.name: record for record in _RECORDS}
"""Every credit method by name."""
