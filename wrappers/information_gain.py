"""IGPO: a turn is paid for how much likelier it made the right answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit.igpo import GainKind, IgpoNorm, igpo, information_gain
from turnwise.rewards.protocols import PolicyProbe
from turnwise.rewards.trajectory import Trajectory
from turnwise.wrappers.base import record_arguments
from turnwise.wrappers.group import GroupWrapper
from turnwise.wrappers.record import EpisodeRecord

AnswerOf: TypeAlias = Callable[[Mapping[str, Any]], str]

GAIN = "information_gain"
LOGPROB = "answer_logprob"
"""Channel of the mean log-probability of the answer *before* a turn, as `turnwise.rewards.credit.igpo` reads it."""


class InformationGainReward(GroupWrapper):
    r"""Pays each turn but the last for what it added to the policy's own belief in the right answer (IGPO).

    The probe says how likely the answer is after each observation; `m` is the mean log-probability of its tokens. Turn
    t earns `exp(m[t + 1]) - exp(m[t])`. The last turn gets no gain: the environment pays the outcome there. Terms:
    `information_gain`, the raw gain, and `answer_logprob`, `m` before the turn.

    In a vector environment one call of the probe serves all members. With `group_size`, the last rollout of a group
    brings the advantages of the paper, see `GroupWrapper`; without it every episode stands alone.

    A probe value that is not finite, or an answer without tokens, gives no gain: the turns on both sides of it are paid
    0, their term is absent, and `info["probe_failed"]` is True. In the advantages such a rollout keeps its outcome
    only, as in the authors' code.

    The answer goes to the probe as its own argument and never into a context. The closing phrase that the paper puts
    before it is the probe's business (`TransformersPolicy` has `answer_prefix`).

    Args:
        env: Environment or vector environment.
        probe: The policy, or whatever stands for it.
        kind: `prob_diff` (the paper) or `log_prob_diff`: `m[t + 1] - m[t]`, unbounded.
        weight: What the gain is multiplied by before it is added to the reward.
        answer: Key of `info["privileged"]` (of several aliases the first counts), or a function from that mapping to
            the answer.
        group_size: Rollouts of a task, at least 2; None for no advantages.
        norm: `joint` normalises gains and outcomes of a group together, `separate` each by themselves.
        gamma: Discount a turn, of the advantages.

    Raises:
        MissingRequirementError: There is no probe, or the environment promises no such answer.

    Source: Information Gain-based Policy Optimization (arXiv 2510.14967), by `turnwise.rewards.credit.igpo`.

    >>> import gymnasium as gym, turnwise
    >>> from turnwise.rewards.table_probe import TableProbe
    >>> probe = TableProbe(lambda context, answer: -1.0 if "Results for" in context[-1]["content"] else -2.0)
    >>> env = InformationGainReward(gym.make("turnwise/WebShop-v0", products=50), probe)
    >>> observation, info = env.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = env.step(info["admissible_actions"][0])
    >>> round(reward, 4), info["reward_terms"]["answer_logprob"]
    (0.2325, -2.0)
    """

    def __init__(
        self,
        env: Any,
        probe: PolicyProbe,
        *,
        kind: GainKind = "prob_diff",
        weight: float = 1.0,
        answer: str | AnswerOf = "answer",
        group_size: int | None = None,
        norm: IgpoNorm = "joint",
        gamma: float = 1.0,
    ) -> None:
        # Without the probe: a spec is copied often, and a model must not be.
        record_arguments(
            self, kind=kind, weight=weight, answer=answer, group_size=group_size, norm=norm, gamma=gamma
        )  # fmt: skip
        information_gain([0.0, 0.0], kind)
        self.probe, self.kind, self.weight = probe, kind, weight
        self.norm, self.gamma = norm, gamma
        self.answer = answer
        self.needs = frozenset({"probe", *([answer] if isinstance(answer, str) else [])})
        if group_size is not None:
            self.needs |= {"group"}
        super().__init__(env, group_size=group_size, probe=isinstance(probe, PolicyProbe))

    def open_episodes(self, episodes: Sequence[EpisodeRecord]) -> None:
        """Ask for the answer's probability before anything was done."""
        for episode in episodes:
            episode.notes["answer"] = self._answer(episode.info["privileged"])
        for episode, value in zip(episodes, self._mean_logprobs(episodes), strict=True):
            episode.notes[LOGPROB] = value

    def pay_turns(self, episodes: Sequence[EpisodeRecord]) -> list[tuple[float, dict[str, Any]]]:
        """Pay the turn that has just been taken in each episode. Only those that go on are probed."""
        running = [episode for episode in episodes if not _is_over(episode)]
        after = dict(zip(map(id, running), self._mean_logprobs(running), strict=True))
        return [self._gain(episode, after.get(id(episode))) for episode in episodes]

    def credit(self, batch: TurnBatch, rollouts: Sequence[Trajectory]) -> Credit:
        """IGPO's advantages for one group."""
        probe = batch.channels.get(LOGPROB, np.full(batch.turns, np.nan))
        return igpo(batch, probe, gain=self.kind, norm=self.norm, gamma=self.gamma)

    def _gain(self, episode: EpisodeRecord, after: float | None) -> tuple[float, dict[str, Any]]:
        before: float = episode.notes[LOGPROB]
        terms = {LOGPROB: before} if np.isfinite(before) else {}
        if after is None:
            return 0.0, {"reward_terms": terms, "probe_failed": False}
        episode.notes[LOGPROB] = after
        gain = float(information_gain([before, after], self.kind)[0])
        if not np.isfinite([before, after]).all():
            return 0.0, {"reward_terms": terms, "probe_failed": True}
        return self.weight * gain, {"reward_terms": {GAIN: gain, **terms}, "probe_failed": False}

    def _mean_logprobs(self, episodes: Sequence[EpisodeRecord]) -> list[float]:
        """The mean log-probability (nats a token) of each episode's answer now; NaN where there is none."""
        if not episodes:
            return []
        contexts = [episode.messages() for episode in episodes]
        values = self.probe.answer_logprobs(contexts, [episode.notes["answer"] for episode in episodes])
        return [float(np.mean(value)) if len(value) else float("nan") for value in values]

    def _answer(self, privileged: Mapping[str, Any]) -> str:
        if not isinstance(self.answer, str):
            return self.answer(privileged)
        value = privileged[self.answer]
        return str(value[0] if isinstance(value, (list, tuple)) and value else value)


def _is_over(episode: EpisodeRecord) -> bool:
    last = episode.turns[-1]
    return last.terminated or last.truncated
