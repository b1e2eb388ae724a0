"""Credit methods: functions from a `TurnBatch` (and what a method needs beside it) to a `Credit`, one module each.

Common to all: shapes are (N,) trajectories and (M,) turns. A trajectory without turns gets no credit but counts as a
rollout of its group, with its outcome (except in statistics that run over turns); an empty batch gives an empty credit.
Where a paper and its released code differ, the paper is the default and an argument gives the other. `METHODS` says of
each method what it needs and how far its formula has been checked; `TREE_METHODS` likewise of those that take a
`TurnTree` of forked rollouts instead of a batch.
"""

from turnwise.rewards.credit.archer import RECORD as _archer
from turnwise.rewards.credit.archer import archer
from turnwise.rewards.credit.cgrpo import RECORD as _cgrpo
from turnwise.rewards.credit.cgrpo import cgrpo
from turnwise.rewards.credit.cm2 import RECORD as _cm2
from turnwise.rewards.credit.cm2 import cm2
from turnwise.rewards.credit.drpo import RECORD as _drpo
from turnwise.rewards.credit.drpo import drpo
from turnwise.rewards.credit.duration_aware import RECORD as _duration_aware
from turnwise.rewards.credit.duration_aware import duration_aware
from turnwise.rewards.credit.gae import RECORD as _gae
from turnwise.rewards.credit.gae import gae
from turnwise.rewards.credit.gated import RECORD as _gated
from turnwise.rewards.credit.gated import gated, gated_total, open_gates
from turnwise.rewards.credit.gigpo import RECORD as _gigpo
from turnwise.rewards.credit.gigpo import gigpo
from turnwise.rewards.credit.grpo import RECORD as _grpo
from turnwise.rewards.credit.grpo import grpo
from turnwise.rewards.credit.grpo_s import RECORD as _grpo_s
from turnwise.rewards.credit.grpo_s import grpo_s
from turnwise.rewards.credit.gtpo import RECORD as _gtpo
from turnwise.rewards.credit.gtpo import gtpo
from turnwise.rewards.credit.igpo import RECORD as _igpo
from turnwise.rewards.credit.igpo import igpo, information_gain
from turnwise.rewards.credit.implicit_prm import RECORD as _implicit_prm
from turnwise.rewards.credit.implicit_prm import implicit_prm
from turnwise.rewards.credit.istar import RECORD as _istar
from turnwise.rewards.credit.istar import istar
from turnwise.rewards.credit.math_shepherd import RECORD as _math_shepherd
from turnwise.rewards.credit.math_shepherd import math_shepherd
from turnwise.rewards.credit.pav import RECORD as _pav
from turnwise.rewards.credit.pav import pav
from turnwise.rewards.credit.portool import RECORD as _portool
from turnwise.rewards.credit.portool import portool
from turnwise.rewards.credit.prime import RECORD as _prime
from turnwise.rewards.credit.prime import prime
from turnwise.rewards.credit.prof import RECORD as _prof
from turnwise.rewards.credit.prof import prof
from turnwise.rewards.credit.prorag import RECORD as _prorag
from turnwise.rewards.credit.prorag import prorag
from turnwise.rewards.credit.pure import RECORD as _pure
from turnwise.rewards.credit.pure import pure
from turnwise.rewards.credit.reinforce_pp import RECORD as _reinforce_pp
from turnwise.rewards.credit.reinforce_pp import reinforce_pp
from turnwise.rewards.credit.rloo import RECORD as _rloo
from turnwise.rewards.credit.rloo import rloo
from turnwise.rewards.credit.salt import RECORD as _salt
from turnwise.rewards.credit.salt import salt
from turnwise.rewards.credit.semi_markov import RECORD as _semi_markov
from turnwise.rewards.credit.semi_markov import semi_markov
from turnwise.rewards.credit.spa import RECORD as _spa
from turnwise.rewards.credit.spa import spa, spa_turn_reward
from turnwise.rewards.credit.spo import RECORD as _spo
from turnwise.rewards.credit.spo import spo
from turnwise.rewards.credit.srgpo import RECORD as _srgpo
from turnwise.rewards.credit.srgpo import srgpo
from turnwise.rewards.credit.sweet import RECORD as _sweet
from turnwise.rewards.credit.sweet import sweet
from turnwise.rewards.credit.tempo import RECORD as _tempo
from turnwise.rewards.credit.tempo import tempo
from turnwise.rewards.credit.tree_rpo import RECORD as _tree_rpo
from turnwise.rewards.credit.tree_rpo import tree_rpo
from turnwise.rewards.credit.turn_gae import RECORD as _turn_gae
from turnwise.rewards.credit.turn_gae import turn_gae
from turnwise.rewards.credit.ui_s1 import RECORD as _ui_s1
from turnwise.rewards.credit.ui_s1 import ui_s1
from turnwise.rewards.credit.verpo import RECORD as _verpo
from turnwise.rewards.credit.verpo import verpo
from turnwise.rewards.method import MethodRecord

__all__ = [
    "METHODS",
    "TREE_METHODS",
    "archer",
    "cgrpo",
    "cm2",
    "drpo",
    "duration_aware",
    "gae",
    "gated",
    "gated_total",
    "gigpo",
    "grpo",
    "grpo_s",
    "gtpo",
    "igpo",
    "implicit_prm",
    "information_gain",
    "istar",
    "math_shepherd",
    "open_gates",
    "pav",
    "portool",
    "prime",
    "prof",
    "prorag",
    "pure",
    "reinforce_pp",
    "rloo",
    "salt",
    "semi_markov",
    "spa",
    "spa_turn_reward",
    "spo",
    "srgpo",
    "sweet",
    "tempo",
    "tree_rpo",
    "turn_gae",
    "ui_s1",
    "verpo",
]

METHODS: dict[str, MethodRecord] = {
    record.name: record
    for record in (
        _archer,
        _cgrpo,
        _cm2,
        _drpo,
        _duration_aware,
        _gae,
        _gated,
        _gigpo,
        _grpo,
        _grpo_s,
        _gtpo,
        _igpo,
        _implicit_prm,
        _istar,
        _prime,
        _prof,
        _prorag,
        _pure,
        _reinforce_pp,
        _rloo,
        _salt,
        _semi_markov,
        _spa,
        _srgpo,
        _sweet,
        _tempo,
        _turn_gae,
        _ui_s1,
        _verpo,
    )
}
"""Every method over a `TurnBatch` by name."""

TREE_METHODS: dict[str, MethodRecord] = {
    record.name: record for record in (_math_shepherd, _pav, _portool, _spo, _tree_rpo)
}
"""Every method over a `TurnTree` by name."""
