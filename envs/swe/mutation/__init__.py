"""Bugs by mutation of a Python file: small changes of its syntax tree, made in its text, all else left as it is."""

from turnwise.envs.swe.mutation.mutations import OPERATORS, Mutation, mutate, mutations
from turnwise.envs.swe.mutation.source import Source, UnreadableSourceError

__all__ = ["OPERATORS", "Mutation", "Source", "UnreadableSourceError", "mutate", "mutations"]
