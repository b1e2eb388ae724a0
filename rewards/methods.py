"""Every published method, whatever clock it runs on: `METHODS` by name."""

from turnwise.rewards.credit import METHODS as _BATCH_METHODS
from turnwise.rewards.credit import TREE_METHODS
from turnwise.rewards.episodes import METHODS as _EPISODE_METHODS
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.turns import METHODS as _TURN_METHODS

__all__ = ["METHODS"]

METHODS: dict[str, MethodRecord] = {**_BATCH_METHODS, **TREE_METHODS, **_EPISODE_METHODS, **_TURN_METHODS}
"""Group methods take a `TurnBatch`, tree methods a `TurnTree`; a turn or episode record's function is its class."""
