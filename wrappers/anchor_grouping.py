"""GiGPO: what happened after the same state in other rollouts is the baseline of a turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit.gigpo import gigpo
from turnwise.rewards.trajectory import Trajectory
from turnwise.wrappers.base import record_arguments
from turnwise.wrappers.group import GroupWrapper

GroupNorm: TypeAlias = Literal["mean_norm", "mean_std_norm"]


class AnchorStateGrouping(GroupWrapper):
    """Group-in-group advantages (GiGPO): the episode against its group, and each turn against its anchor state.

    Turns of a group that started from the same state (`info["state_hash"]`) are compared by their discounted returns.
    Rewards stay as they are; the advantages come with the last episode of a group, see `GroupWrapper`.

    Args:
        env: Environment or vector environment; for the latter, `make_vec(..., group_size=...)` makes the groups.
        group_size: Rollouts of a task, at least 2.
        mode: `mean_norm` subtracts means only (the default of the released configuration), `mean_std_norm` divides by
            the sample standard deviation too (as in the authors' scripts).
        gamma: Discount a turn, of the step part only.
        step_weight: Weight of the step part (the paper's omega).
        similarity_threshold: In (0, 1): states are the same if their observations are alike to this ratio. None
            compares state hashes.
        invalid_penalty: Taken off the score and the return of a turn whose action was not valid. The published 0.1 goes
            with a success that pays 10; the default is the same share of a success that pays 1.
        cross_steps: Take the episode's mean and deviation over turns, as the released code does, and not over
            trajectories (eq. 3).

    Raises:
        MissingRequirementError: `group_size` is below 2, or not that of the vector environment.
        ValueError: `mode` is unknown.

    Source: Group-in-Group Policy Optimization (arXiv 2505.10978), by `turnwise.rewards.credit.gigpo`.

    >>> import gymnasium as gym, turnwise
    >>> env = AnchorStateGrouping(gym.make("turnwise/WebShop-v0", products=50), group_size=2)
    >>> observation, info = env.reset(seed=0)
    >>> for call in list(env.unwrapped.oracle()):  # the first rollout buys the right thing
    ...     *_, info = env.step(call)
    >>> again, _ = env.reset()  # the second wanders about until its turns are over
    >>> done = False
    >>> while not done:
    ...     _, _, terminated, done, info = env.step("click[back to search]")
    >>> again == observation, [entry["turn_advantages"][0] > 0 for entry in info["group_credit"]]
    (True, [True, False])
    """

    def __init__(
        self,
        env: Any,
        group_size: int,
        *,
        mode: GroupNorm = "mean_norm",
        gamma: float = 0.95,
        step_weight: float = 1.0,
        similarity_threshold: float | None = None,
        invalid_penalty: float = 0.01,
        cross_steps: bool = False,
    ) -> None:
        if mode not in get_args(GroupNorm):
            raise ValueError(f"mode must be one of {get_args(GroupNorm)}, got {mode!r}")
        self.options: dict[str, Any] = {
            "gamma": gamma,
            "step_weight": step_weight,
            "invalid_penalty": invalid_penalty,
            "cross_steps": cross_steps,
        }
        self.mode = mode
        self.similarity_threshold = similarity_threshold
        record_arguments(
            self, group_size=group_size, mode=mode, similarity_threshold=similarity_threshold, **self.options
        )
        super().__init__(env, group_size=group_size)

    def credit(self, batch: TurnBatch, rollouts: Sequence[Trajectory]) -> Credit:
        """GiGPO's advantages for one group."""
        options = {**self.options, "norm_by_std": self.mode == "mean_std_norm"}
        if self.similarity_threshold is not None:
            options["texts"] = [turn.observation for rollout in rollouts for turn in rollout.turns]
            options["similarity"] = self.similarity_threshold
        return gigpo(batch, **options)
