"""IGPO: a turn is paid for how much likelier it made the right answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np

from turnwise.rewards.batch import Credit, TurnBatch
from turnwise.rewards.credit.igpo import GainKind, IgpoNorm, igpo, information_gain
from turnwise.rewards.per_turn import PerTurn
from turnwise.rewards.protocols import FloatArray, PolicyProbe
from turnwise.rewards.trajectory import Trajectory
from turnwise.wrappers.base import add_turn_term, record_arguments
from turnwise.wrappers.group import GroupWrapper
from turnwise.wrappers.record import EpisodeRecord

AnswerOf: TypeAlias = Callable[[Mapping[str, Any]], str]

GAIN = "information_gain"
LOGPROB = "answer_logprob"
"""Channel of the mean log-probability of the answer *before* a turn, as `turnwise.rewards.credit.igpo` reads it."""


When: TypeAlias = Literal["turn", "end"]
"""When the probe is asked: after every turn, or once when the episode is over."""


@runtime_checkable
class TrajectoryProbe(PolicyProbe, Protocol):
    """A `PolicyProbe` that reads a trajectory once for all its turns. `TransformersPolicy` is one."""

    def answer_logprobs_by_turn(
        self, trajectories: Sequence[Trajectory], answers: Sequence[str], *, after_last: bool
    ) -> list[list[FloatArray]]:
        """As `answer_logprobs` for `Trajectory.messages(turn)` of every turn, and after the last one if wanted."""
        ...


class InformationGainReward(GroupWrapper):
    r"""Pays each turn but the last for what it added to the policy's own belief in the right answer (IGPO).

    The probe says how likely the answer is after each observation; `m` is the mean log-probability of its tokens. Turn
    t earns `exp(m[t + 1]) - exp(m[t])`. The last turn gets no gain: the environment pays the outcome there. Terms:
    `information_gain`, the raw gain, and `answer_logprob`, `m` before the turn.

    With `when="end"` the probe is asked once, when the episode is over, about all its turns. That costs one pass over
    the episode instead of one a turn (with a `TrajectoryProbe`). The gains are then paid with the last step, and
    `info["turn_rewards"]` says which turn earned what; the terms are in `info["turn_terms"]`, NaN where the probe
    failed. Per turn, a probe that is the policy itself goes on from what it has read to act.

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
        when: `turn` pays inside the step that earned it; `end` pays for all turns with the last step.
        answer: Key of `info["privileged"]` (of several aliases the first counts), or a function from that mapping to
            the answer.
        group_size: Rollouts of a task, at least 2; None for no advantages.
        norm: `joint` normalises gains and outcomes of a group together, `separate` each by themselves.
        gamma: Discount a turn, of the advantages.

    Raises:
        ValueError: `kind` or `when` is none of the above.
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
        when: When = "turn",
        answer: str | AnswerOf = "answer",
        group_size: int | None = None,
        norm: IgpoNorm = "joint",
        gamma: float = 1.0,
    ) -> None:
        # Without the probe: a spec is copied often, and a model must not be.
        record_arguments(
            self, kind=kind, weight=weight, when=when, answer=answer, group_size=group_size, norm=norm, gamma=gamma
        )  # fmt: skip
        information_gain([0.0, 0.0], kind)
        if when not in get_args(When):
            raise ValueError(f"when must be one of {list(get_args(When))}, got {when!r}")
        self.probe, self.kind, self.weight = probe, kind, weight
        self.when: When = when
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
        if self.when == "end":
            return
        for episode, value in zip(episodes, self._mean_logprobs(episodes), strict=True):
            episode.notes[LOGPROB] = value

    def pay_turns(self, episodes: Sequence[EpisodeRecord]) -> list[tuple[float, dict[str, Any]]]:
        """Pay the turn that has just been taken in each episode. Only those that go on are probed.

        With `when="end"`, only those that are over are.
        """
        if self.when == "end":
            ended = [episode for episode in episodes if _is_over(episode)]
            found = dict(zip(map(id, ended), self._all_mean_logprobs(ended), strict=True))
            return [self._settle(episode, found.get(id(episode))) for episode in episodes]
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

    def _settle(self, episode: EpisodeRecord, before: FloatArray | None) -> tuple[float, dict[str, Any]]:
        """Pay for all turns of an episode that is over, given the probe before each of them; nothing for others."""
        if before is None:
            return 0.0, {}
        with np.errstate(invalid="ignore"):
            gains = np.append(information_gain(before, self.kind), 0.0)
        failed = ~np.isfinite(before)
        failed[:-1] |= failed[1:]  # a gain needs both of its probes
        failed[-1] = False  # none is due
        gains[failed] = np.nan
        paid = self.weight * np.where(failed, 0.0, gains)
        # What the last step pays belongs to the turns that earned it: taken from the last one, given to each.
        info = episode.info
        worth = np.asarray(info.get("turn_rewards", [turn.reward for turn in episode.turns]), dtype=np.float64) + paid
        worth[-1] -= paid.sum()
        info["turn_rewards"] = PerTurn(worth)
        add_turn_term(info, GAIN, gains)
        add_turn_term(info, LOGPROB, np.where(np.isfinite(before), before, np.nan))
        return float(paid.sum()), {"turn_terms": info["turn_terms"], "probe_failed": bool(failed.any())}

    def _all_mean_logprobs(self, episodes: Sequence[EpisodeRecord]) -> list[FloatArray]:
        """(T,) mean log-probability of each episode's answer before each of its turns."""
        answers = [episode.notes["answer"] for episode in episodes]
        trajectories = [Trajectory(episode.turns, instructions=episode.instructions) for episode in episodes]
        if isinstance(self.probe, TrajectoryProbe):
            values = self.probe.answer_logprobs_by_turn(trajectories, answers, after_last=False) if episodes else []
            return [np.array([_mean(value) for value in turns]) for turns in values]
        contexts = [t.messages(turn) for t in trajectories for turn in range(len(t))]
        repeated = [answer for answer, t in zip(answers, trajectories, strict=True) for _ in range(len(t))]
        means = [_mean(value) for value in self.probe.answer_logprobs(contexts, repeated)] if contexts else []
        return np.split(np.array(means), np.cumsum([len(t) for t in trajectories])[:-1]) if trajectories else []

    def _mean_logprobs(self, episodes: Sequence[EpisodeRecord]) -> list[float]:
        """The mean log-probability (nats a token) of each episode's answer now; NaN where there is none."""
        if not episodes:
            return []
        contexts = [episode.messages() for episode in episodes]
        values = self.probe.answer_logprobs(contexts, [episode.notes["answer"] for episode in episodes])
        return [_mean(value) for value in values]

    def _answer(self, privileged: Mapping[str, Any]) -> str:
        if not isinstance(self.answer, str):
            return self.answer(privileged)
        value = privileged[self.answer]
        return str(value[0] if isinstance(value, (list, tuple)) and value else value)


def _mean(logprobs: FloatArray) -> float:
    return float(np.mean(logprobs)) if len(logprobs) else float("nan")


def _is_over(episode: EpisodeRecord) -> bool:
    last = episode.turns[-1]
    return last.terminated or last.truncated
