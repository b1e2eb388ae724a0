"""Turnwise: multi-turn environments for training LLM agents, in which every turn can be paid.

Importing this package registers the environment ids with Gymnasium and nothing more: neither an environment's
module nor torch, transformers, docker or playwright is loaded before it is used.
"""

from turnwise._version import __version__

__all__ = ["__version__"]
