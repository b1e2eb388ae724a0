"""What an agent acts in: `turnwise.envs.core` is the contract, each folder a family."""

from turnwise.envs.core import (
    Snapshot,
    ToolCall,
    ToolError,
    ToolSchema,
    TurnEnv,
    TurnInfo,
    UnknownTaskError,
    Utterance,
    parse_action,
    tool,
)

__all__ = [
    "Snapshot",
    "ToolCall",
    "ToolError",
    "ToolSchema",
    "TurnEnv",
    "TurnInfo",
    "UnknownTaskError",
    "Utterance",
    "parse_action",
    "tool",
]
