"""Who acts: policies, rollouts, evaluation and reference training.

Importing this package loads neither torch nor transformers; the names that need them do so when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from turnwise.agents.collect import collect
from turnwise.agents.collect_tree import CollectedTree, collect_tree
from turnwise.agents.evaluation import evaluate
from turnwise.agents.policy import Context, Decision, Policy, StreamingPolicy
from turnwise.agents.scripted import NoOpPolicy, OraclePolicy, RandomPolicy, ScriptedPolicy
from turnwise.agents.server_calls import CallLimits
from turnwise.agents.stopping import AFTER_ACTION, AFTER_MESSAGE, StopRule
from turnwise.agents.tokens import TokenRow, broadcast, token_rows
from turnwise.rewards.rates import mean_outcome, success_rate
from turnwise.rewards.summary import Summary, summarize

if TYPE_CHECKING:
    from turnwise.agents.imitation import warm_up
    from turnwise.agents.openai_policy import OpenAIPolicy
    from turnwise.agents.reinforce import Reinforce
    from turnwise.agents.transformers_policy import TransformersPolicy

__all__ = [
    "AFTER_ACTION",
    "AFTER_MESSAGE",
    "CallLimits",
    "CollectedTree",
    "Context",
    "Decision",
    "NoOpPolicy",
    "OpenAIPolicy",
    "OraclePolicy",
    "Policy",
    "RandomPolicy",
    "Reinforce",
    "ScriptedPolicy",
    "StopRule",
    "StreamingPolicy",
    "Summary",
    "TokenRow",
    "TransformersPolicy",
    "broadcast",
    "collect",
    "collect_tree",
    "evaluate",
    "mean_outcome",
    "success_rate",
    "summarize",
    "token_rows",
    "warm_up",
]

_NEEDS_TORCH = {
    "OpenAIPolicy": "turnwise.agents.openai_policy",
    "Reinforce": "turnwise.agents.reinforce",
    "TransformersPolicy": "turnwise.agents.transformers_policy",
    "warm_up": "turnwise.agents.imitation",
}


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_NEEDS_TORCH[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("torch", "transformers", "tokenizers"):
            raise ImportError(f"{name} needs {error.name}: pip install turnwise[llm]", name=error.name) from error
        raise


def __dir__() -> list[str]:
    return sorted(__all__)
