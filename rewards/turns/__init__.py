"""Turn rewards: known as soon as a turn is over, one module a method.

Each is a callable on a `Turn` (a `TurnReward`), next to the functions that do its arithmetic. What an environment must
give (gold documents, gold calls, ...) is read from `turn.privileged` under a key that is an argument, or by a function
of the turn; `needs` names the keys. A reward is added to what the environment pays, unless `replaces_outcome` says that
the environment's own part is in it. `METHODS` says where each comes from and how far it has been checked. Small rules
by tool name (`ActionFormatReward`, `ToolUseReward`, `ToolOrderReward`) are ours and no methods.
"""

from turnwise.rewards.method import MethodRecord
from turnwise.rewards.turns import (
    callable_reward,
    oni,
    reasoning_sql,
    reward_machine,
    step_search,
    step_tool,
    tool_rl,
    ui_step,
)
from turnwise.rewards.turns.callable_reward import CallableReward
from turnwise.rewards.turns.oni import ONIReward
from turnwise.rewards.turns.reasoning_sql import ReasoningSQLReward, query_runner
from turnwise.rewards.turns.reward_machine import Edge, RewardMachine, RewardMachinePotential, RewardMachineReward
from turnwise.rewards.turns.step_search import StepSearchReward
from turnwise.rewards.turns.step_tool import StepToolReward
from turnwise.rewards.turns.tool_rl import ToolRLReward
from turnwise.rewards.turns.tool_use import ActionFormatReward, ToolOrderReward, ToolUseReward
from turnwise.rewards.turns.ui_step import UIStepReward

__all__ = [
    "METHODS",
    "ActionFormatReward",
    "CallableReward",
    "Edge",
    "ONIReward",
    "ReasoningSQLReward",
    "RewardMachine",
    "RewardMachinePotential",
    "RewardMachineReward",
    "StepSearchReward",
    "StepToolReward",
    "ToolOrderReward",
    "ToolRLReward",
    "ToolUseReward",
    "UIStepReward",
    "query_runner",
]

_MODULES = (callable_reward, oni, reasoning_sql, reward_machine, step_search, step_tool, tool_rl, ui_step)

METHODS: dict[str, MethodRecord] = {module.RECORD.name: module.RECORD for module in _MODULES}
"""Every turn reward by name; a record's `function` is the class."""
