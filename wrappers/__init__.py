"""Puts rewards on environments, at the clocks turn, episode and group; changes observations and actions."""

from turnwise.wrappers.anchor_grouping import AnchorStateGrouping
from turnwise.wrappers.base import EpisodeRewardWrapper, TurnRewardWrapper, TurnWrapper
from turnwise.wrappers.discrete_actions import DiscreteActions
from turnwise.wrappers.durations import ActionPrice, MeasuredDuration
from turnwise.wrappers.gated_accumulation import GatedRewardAccumulation
from turnwise.wrappers.group import GroupWrapper
from turnwise.wrappers.information_gain import InformationGainReward
from turnwise.wrappers.ledger import GroupLedger, MemberCredit
from turnwise.wrappers.method_reward import (
    GroupCreditReward,
    ProbeChannel,
    episode_method_reward,
    turn_method_reward,
)
from turnwise.wrappers.needs import MissingRequirementError
from turnwise.wrappers.potential_shaping import PotentialShapingReward
from turnwise.wrappers.progress_attribution import ProgressAttributionReward
from turnwise.wrappers.record import read_trajectories, turn_from_step, write_trajectories
from turnwise.wrappers.record_trajectories import RecordTrajectories
from turnwise.wrappers.search_rewards import (
    citation_chain_reward,
    citation_grpo,
    context_citation_reward,
    nugget_reward,
    prorag_credit,
    step_search_reward,
)
from turnwise.wrappers.text_features import TextFeatures
from turnwise.wrappers.weighted_tests import DifficultyWeightedTests

__all__ = [
    "ActionPrice",
    "AnchorStateGrouping",
    "DifficultyWeightedTests",
    "DiscreteActions",
    "EpisodeRewardWrapper",
    "GatedRewardAccumulation",
    "GroupCreditReward",
    "GroupLedger",
    "GroupWrapper",
    "InformationGainReward",
    "MeasuredDuration",
    "MemberCredit",
    "MissingRequirementError",
    "PotentialShapingReward",
    "ProbeChannel",
    "ProgressAttributionReward",
    "RecordTrajectories",
    "TextFeatures",
    "TurnRewardWrapper",
    "TurnWrapper",
    "citation_chain_reward",
    "citation_grpo",
    "context_citation_reward",
    "episode_method_reward",
    "nugget_reward",
    "prorag_credit",
    "read_trajectories",
    "step_search_reward",
    "turn_from_step",
    "turn_method_reward",
    "write_trajectories",
]
