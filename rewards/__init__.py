"""Rewards and credit: arithmetic on trajectories. NumPy only; no environment, no model, no I/O."""

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.trajectory import Trajectory, Turn

__all__ = ["Credit", "Trajectory", "Turn", "TurnBatch"]
