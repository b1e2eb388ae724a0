"""Small MDPs with exact values, as text: `turnwise/Bifurcation-v0`."""

from turnwise.envs.bifurcation.env import BifurcationEnv
from turnwise.envs.bifurcation.families import FAMILIES, End, Room, Spec, World, build
from turnwise.envs.bifurcation.sampling import Sample, sample_batch

__all__ = ["FAMILIES", "BifurcationEnv", "End", "Room", "Sample", "Spec", "World", "build", "sample_batch"]
