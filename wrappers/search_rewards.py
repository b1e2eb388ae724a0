"""Published rewards for search agents, put on `turnwise/SearchQA-v0` and environments that promise the same facts.

Each function reads the privileged keys that `SearchQAEnv` and `ClaimCheckEnv` promise, and fails at once where one is
missing. Information gain (IGPO) needs no function of its own: `InformationGainReward(env, probe)` reads `answer`.

Every reward can be played. What is known of each, shown in tests/wrappers/test_search_rewards.py, and the argument that
takes it back (by default each behaves as published):

| reward                    | how it is played                                          | guard                     |
|---------------------------|-----------------------------------------------------------|---------------------------|
| `InformationGainReward`   | not by repetition: gains add up to the belief at the end  | –                         |
| `step_search_reward`      | fresh searches that find nothing right are paid a little  | `min_similarity`          |
| `context_citation_reward` | citing everything never beats the evidence, but a part of it | `beta`                 |
| `citation_chain_reward`   | citing everything is worth as much as citing the evidence | `precise`                 |
| `citation_grpo`           | the same, for right answers                               | `precise`                 |
| `prorag_credit`           | a good step is paid as often as it is repeated            | `once`                    |
| `nugget_reward`           | an answer that lists all candidates scores like the right one | `brevity`             |
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike

from turnwise.rewards.batch import Credit, FloatArray, TurnBatch
from turnwise.rewards.credit.prorag import prorag, prorag_outcome
from turnwise.rewards.episodes.citation_chain import CitationChainReward
from turnwise.rewards.episodes.long_rlvr import LongRLVRReward
from turnwise.rewards.episodes.search_gen_v import NuggetReward
from turnwise.rewards.evidence import all_turns_valid, answer_f1, repeated_calls
from turnwise.rewards.facts import read_fact
from turnwise.rewards.nuggets import NuggetMatcher
from turnwise.rewards.protocols import TurnScorer
from turnwise.rewards.trajectory import Trajectory, Turn
from turnwise.rewards.turns.step_search import StepSearchReward
from turnwise.wrappers.base import EpisodeRewardWrapper, TurnRewardWrapper
from turnwise.wrappers.method_reward import GroupCreditReward, TurnInput, episode_method_reward, turn_method_reward
from turnwise.wrappers.needs import require


def step_search_reward(
    env: gym.Env[Any, Any],
    *,
    key_score: bool = False,
    min_similarity: float = 0.0,
    weight: float = 1.0,
    **options: Any,
) -> TurnRewardWrapper:
    """StepSearch: each search is paid for what it newly covers of the gold documents, less what it repeats.

    Args:
        env: A `TurnEnv`, wrapped or not, that promises `retrieved_documents` and `gold_documents`.
        key_score: Also pay, at the end, for queries that are like the sub-questions of `chain`.
        min_similarity: Likeness that counts, see `StepSearchReward`; 0 as published.
        weight: What the reward is multiplied by.
        options: Further arguments of `StepSearchReward`.

    Raises:
        MissingRequirementError: The environment does not promise a fact; the message names it.
    """
    if key_score:
        require("step_search", env, {"chain"})
        options["keywords"] = _sub_questions
    reward = StepSearchReward(min_similarity=min_similarity, **options)
    return turn_method_reward(env, reward, name="step_search", weight=weight)


def context_citation_reward(env: gym.Env[Any, Any], *, beta: float = 2.0, weight: float = 1.0) -> EpisodeRewardWrapper:
    """LongRLVR: the answer is worth more with the right documents cited, which is worth a little by itself.

    It takes the outcome's place.

    Args:
        env: A `TurnEnv`, wrapped or not, that promises `cited_chunks` and `gold_chunks`.
        beta: How much more a missing document costs than a needless one; 2 as published, 1 does not tempt to cite more.
        weight: What the reward is multiplied by.

    Raises:
        MissingRequirementError: The environment does not promise a fact; the message names it.
    """
    return episode_method_reward(env, LongRLVRReward(beta=beta), weight=weight)


def citation_chain_reward(
    env: gym.Env[Any, Any], *, precise: bool = False, weight: float = 1.0
) -> EpisodeRewardWrapper:
    """CaRR: add the share of the chain that citations support and that is connected to the answer.

    Args:
        env: A `TurnEnv`, wrapped or not, that promises `chain` and `cited_chunks`.
        precise: See `CitationChainReward`; False as published.
        weight: What the reward is multiplied by.

    Raises:
        MissingRequirementError: The environment does not promise a fact; the message names it.
    """
    return episode_method_reward(env, CitationChainReward(precise=precise), name="carr", weight=weight)


def citation_grpo(env: Any, *, group_size: int, precise: bool = False, **options: Any) -> GroupCreditReward:
    """C-GRPO: right answers are paid a part by their citation chain, wrong ones nothing; advantages within the group.

    Args:
        env: Environment or vector environment that promises `chain` and `cited_chunks`.
        group_size: Rollouts of a task, at least 2.
        precise: See `CitationChainReward`; False as published.
        options: Further arguments of `turnwise.rewards.credit.cgrpo`.

    Raises:
        MissingRequirementError: The environment does not promise a fact, or the group is too small.
    """
    reward = CitationChainReward(precise=precise)
    require("cgrpo", env, reward.needs)
    return GroupCreditReward(env, "cgrpo", group_size=group_size, rollout_inputs={"rubric": reward.score}, **options)


def prorag_credit(
    env: Any, scorer: TurnInput, *, group_size: int, once: bool = False, beta: float = 0.3
) -> GroupCreditReward:
    """ProRAG: the outcome (answer F1 and format) against its group, plus each step's process score.

    Args:
        env: Environment or vector environment that promises `aliases`.
        scorer: The process reward model: a `TurnScorer`, or a function from a trajectory to (T,) scores.
            `turnwise.rewards.evidence.found_evidence` is one without a model.
        group_size: Rollouts of a task, at least 2.
        once: A turn whose calls were made before in the episode scores 0. False as published: a model that judges steps
            one by one pays for a good step as often as it is repeated.
        beta: Weight of the process scores.

    Raises:
        MissingRequirementError: The environment does not promise a fact, or the group is too small.
    """
    require("prorag", env, {"aliases"})

    def scores(trajectory: Trajectory) -> FloatArray:
        given = scorer.score(trajectory) if isinstance(scorer, TurnScorer) else scorer(trajectory)
        values = np.asarray(given, dtype=np.float64)
        return np.where(repeated_calls(trajectory), 0.0, values) if once else values

    return GroupCreditReward(
        env,
        _prorag,
        group_size=group_size,
        inputs={"score": scores},
        rollout_inputs={"f1": answer_f1, "format_ok": all_turns_valid},
        beta=beta,
    )


def nugget_reward(
    env: gym.Env[Any, Any], matcher: NuggetMatcher, *, brevity: float | None = None, weight: float = 1.0
) -> EpisodeRewardWrapper:
    """Search-Gen-V: the task's answer as a nugget, found in what was handed in by a matcher or a ladder of them.

    It takes the outcome's place. For an answer of several facts, give `NuggetReward(matcher, nuggets=...)` to
    `episode_method_reward`.

    Args:
        env: A `TurnEnv`, wrapped or not, that promises `aliases`.
        matcher: One rung, or a `NuggetLadder`.
        brevity: See `NuggetReward`; None as published.
        weight: What the reward is multiplied by.

    Raises:
        MissingRequirementError: The environment does not promise a fact; the message names it.
    """
    require("search_gen_v", env, {"aliases"})
    return episode_method_reward(env, NuggetReward(matcher, nuggets=_one_nugget, brevity=brevity), weight=weight)


def _prorag(batch: TurnBatch, score: ArrayLike, f1: ArrayLike, format_ok: ArrayLike, *, beta: float) -> Credit:
    return prorag(replace(batch, outcome=prorag_outcome(f1, format_ok)), score, beta=beta)


def _sub_questions(turn: Turn) -> list[list[str]]:
    return [[step["question"]] for step in turn.privileged["chain"] if step["question"]]


def _one_nugget(trajectory: Trajectory) -> list[list[str]]:
    return [list(read_fact("aliases", trajectory, "aliases"))]
