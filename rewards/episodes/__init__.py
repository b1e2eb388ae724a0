"""Episode rewards: one number a turn, known when the episode has ended, one module a method.

Each is a callable on a `Trajectory` (an `EpisodeReward`), next to the functions that do its arithmetic. What an
environment must give (rubrics, gold chunks, ...) is read from `trajectory.privileged` under a key that is an argument,
or by a function of the trajectory; `needs` names the keys. Models enter as a `TurnScorer` or a function of the
trajectory. A reward is added to what the environment pays, unless `replaces_outcome` says that the outcome is part of
it. `METHODS` says where each comes from and how far it has been checked.
"""

from turnwise.rewards.episodes import (
    abc_redistribution,
    capo,
    carr,
    clip_delta,
    long_rlvr,
    mobile_r1,
    par,
    ppr,
    progrm,
    red,
    search_gen_v,
    steca,
    step_tool,
    verpo_running,
)
from turnwise.rewards.episodes.abc_redistribution import ABCReward
from turnwise.rewards.episodes.capo import CAPOReward
from turnwise.rewards.episodes.carr import CaRRReward
from turnwise.rewards.episodes.citation_chain import CitationChainReward
from turnwise.rewards.episodes.clip_delta import ClipDeltaReward
from turnwise.rewards.episodes.long_rlvr import LongRLVRReward
from turnwise.rewards.episodes.mobile_r1 import MobileR1Reward
from turnwise.rewards.episodes.par import ParReward, RunningShaper
from turnwise.rewards.episodes.ppr import PPRReward
from turnwise.rewards.episodes.progrm import ProgRMReward, progrm_labels, progrm_recipes
from turnwise.rewards.episodes.red import REDReward
from turnwise.rewards.episodes.search_gen_v import NuggetReward
from turnwise.rewards.episodes.steca import DeviationDetector
from turnwise.rewards.episodes.step_tool import StepToolEpisodeReward
from turnwise.rewards.episodes.verpo_running import RunningPassRates, RunningVeRPOReward
from turnwise.rewards.method import MethodRecord

__all__ = [
    "METHODS",
    "ABCReward",
    "CAPOReward",
    "CaRRReward",
    "CitationChainReward",
    "ClipDeltaReward",
    "DeviationDetector",
    "LongRLVRReward",
    "MobileR1Reward",
    "NuggetReward",
    "PPRReward",
    "ParReward",
    "ProgRMReward",
    "REDReward",
    "RunningPassRates",
    "RunningShaper",
    "RunningVeRPOReward",
    "StepToolEpisodeReward",
    "progrm_labels",
    "progrm_recipes",
]

_MODULES = (
    abc_redistribution,
    capo,
    carr,
    clip_delta,
    long_rlvr,
    mobile_r1,
    par,
    ppr,
    progrm,
    red,
    search_gen_v,
    steca,
    step_tool,
    verpo_running,
)

METHODS: dict[str, MethodRecord] = {module.RECORD.name: module.RECORD for module in _MODULES}
"""Every episode reward by name; a record's `function` is the class."""
