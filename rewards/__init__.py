"""Rewards and credit: arithmetic on trajectories. NumPy only; no environment, no model, no I/O."""

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.milestones import OutcomeLevels
from turnwise.rewards.outcome import exact_match, purchase_reward, token_f1
from turnwise.rewards.tool_calls import tool_call_reward
from turnwise.rewards.trajectory import Trajectory, Turn

__all__ = [
    "Credit",
    "OutcomeLevels",
    "Trajectory",
    "Turn",
    "TurnBatch",
    "exact_match",
    "purchase_reward",
    "token_f1",
    "tool_call_reward",
]
