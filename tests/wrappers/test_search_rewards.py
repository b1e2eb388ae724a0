"""Each published reward on `turnwise/SearchQA-v0`: what it pays for, how it is played, and the guard against that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from key_door import KeyDoorEnv

import turnwise  # noqa: F401 (registers the ids)
from turnwise.envs.core import ToolCall
from turnwise.rewards.evidence import found_evidence
from turnwise.rewards.nuggets import ExactMatcher, JudgeMatcher, LexicalMatcher, NuggetLadder
from turnwise.rewards.table_probe import TableProbe
from turnwise.wrappers import InformationGainReward, MissingRequirementError
from turnwise.wrappers.search_rewards import (
    citation_chain_reward,
    citation_grpo,
    context_citation_reward,
    nugget_reward,
    prorag_credit,
    step_search_reward,
)

Calls = Sequence[ToolCall]
Make = Callable[..., gym.Env[Any, Any]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture
def make(cache: Path) -> Make:
    """A small world's questions of three to six hops, by default."""

    def made(env_id: str = "turnwise/SearchQA-v0", **options: Any) -> gym.Env[Any, Any]:
        if env_id == "turnwise/SearchQA-v0":
            options = {"hops": (3, 4, 5, 6), "kinds": "bridge", **options}
        return gym.make(env_id, **{"articles": 300, "max_turns": 40, "cache_dir": cache, **options})

    return made


@pytest.fixture(params=[0, 1, 2])
def seed(request: pytest.FixtureRequest) -> int:
    """Of the question."""
    number: int = request.param
    return number


def play(env: gym.Env[Any, Any], calls: Calls, seed: int | None = 0) -> tuple[list[float], dict[str, Any]]:
    """The rewards that a loop sees, and the last info."""
    env.reset(seed=seed)
    rewards: list[float] = []
    info: dict[str, Any] = {}
    for call in calls:
        _, reward, terminated, truncated, info = env.step(call)
        rewards.append(float(reward))
        if terminated or truncated:
            break
    return rewards, info


def task(make: Make, seed: int) -> dict[str, Any]:
    """What is known of a question."""
    env = make()
    privileged: dict[str, Any] = env.reset(seed=seed)[1]["privileged"]
    return privileged


def search(query: str) -> ToolCall:
    return ToolCall("search", {"query": query})


def answer(text: str, citations: Sequence[str] = ()) -> ToolCall:
    return ToolCall("answer", {"text": text, "citations": list(citations)})


def honest(facts: dict[str, Any]) -> list[ToolCall]:
    """Ask each sub-question, then hand in the answer with its evidence."""
    asked = [search(step["question"]) for step in facts["chain"] if step["question"]]
    return [*asked, answer(facts["answer"], facts["gold_chunks"])]


def fruitless(make: Make, seed: int, count: int) -> list[ToolCall]:
    """Searches that find no gold document, and nothing twice."""

    def kept() -> Iterator[ToolCall]:
        env, seen = make(), set[str]()
        _, info = env.reset(seed=seed)
        gold = set(info["privileged"]["gold_chunks"])
        for document in env.unwrapped.collection.corpus:
            found = set(env.unwrapped.collection.results(document.title).doc_ids)
            if len(found) == 5 and not found & (gold | seen):
                seen |= found
                yield search(document.title)

    calls = [call for call, _ in zip(kept(), range(count), strict=False)]
    assert len(calls) == count
    return calls


# Information gain


def believer(facts: dict[str, Any]) -> TableProbe:
    """Believes in the answer the more, the more gold documents it has seen."""
    titles = [text.split(".")[0] for text in facts["gold_documents"]]

    def logprob(context: Any, answer: str) -> float:
        assert answer == facts["answer"]
        seen = " ".join(message["content"] for message in context[1:])
        return -1.0 - sum(f"| {title} |" not in seen for title in titles)

    return TableProbe(logprob)


def test_information_gain_pays_for_evidence_and_not_for_repetition(make: Make, seed: int) -> None:
    facts = task(make, seed)
    env = InformationGainReward(make(), believer(facts))
    rewards, info = play(env, honest(facts), seed)
    gains = np.asarray(info["turn_rewards"])[:-1]
    assert info["turn_rewards"].sum() == pytest.approx(sum(rewards))
    assert gains.sum() > 0.1 and rewards[-1] == 1.0
    first = honest(facts)[0]
    once, _ = play(env, [first], seed)
    spam, _ = play(env, [first] * 30, seed)
    assert sum(spam) == pytest.approx(sum(once)), "gains add up to the belief at the end"
    back_and_forth, _ = play(env, [first, *fruitless(make, seed, 1)] * 10, seed)
    assert sum(back_and_forth) == pytest.approx(sum(once))


def test_the_answer_never_reaches_the_probes_context(make: Make) -> None:
    facts, contexts = task(make, 0), []
    table = TableProbe(lambda context, answer: contexts.append(context) or -1.0)
    play(InformationGainReward(make(), table), [search("nothing of that kind"), *fruitless(make, 0, 2)])
    said = " ".join(message["content"] for context in contexts for message in context)
    assert len(contexts) == 4 and facts["answer"] not in said and facts["solution"] not in said


# StepSearch


def test_step_search_pays_for_new_evidence(make: Make, seed: int) -> None:
    facts = task(make, seed)
    env = step_search_reward(make())
    env.reset(seed=seed)
    paid = {}
    for call in honest(facts)[:-1]:
        _, reward, _, _, info = env.step(call)
        fresh = set(info["privileged"]["retrieved_chunks"]) & set(facts["gold_chunks"])
        paid[call] = (reward, bool(fresh))
        assert info["reward_terms"]["step_search"] == reward
    first, found = next(iter(paid.values()))
    assert found and first > 0.1


def test_step_search_punishes_a_query_that_is_repeated(make: Make, seed: int) -> None:
    first = honest(task(make, seed))[0]
    rewards, _ = play(step_search_reward(make()), [first] * 20, seed)
    assert rewards[0] > 0 and rewards[1:] == pytest.approx([-0.6] * 19)


def test_step_search_as_published_pays_for_finding_nothing_right_and_the_guard_does_not(make: Make, seed: int) -> None:
    calls = fruitless(make, seed, 8)
    published, _ = play(step_search_reward(make()), calls, seed)
    assert all(reward >= -1e-9 for reward in published)
    assert sum(published) > max(published) > 0.02, "eight fruitless searches are paid more than any one of them"
    guarded, _ = play(step_search_reward(make(), min_similarity=0.9), calls, seed)
    assert guarded == pytest.approx([0.0] * 8)
    first = honest(task(make, seed))[0]
    right, _ = play(step_search_reward(make(), min_similarity=0.9), [first], seed)
    assert right[0] > 0.05, "the right documents are still paid"


def test_step_search_takes_off_for_overlapping_results_of_honest_searches(make: Make) -> None:
    # Published: a search of a later hop finds documents of earlier hops again. Whoever searches once is paid more.
    env = step_search_reward(make())
    sums = [sum(play(env, honest(task(make, seed))[:-1], seed)[0]) for seed in range(6)]
    firsts = [play(env, honest(task(make, seed))[:1], seed)[0][0] for seed in range(6)]
    assert min(firsts) > 0 and np.mean(sums) < np.mean(firsts)


def test_step_searchs_key_score_is_paid_at_the_end(make: Make, seed: int) -> None:
    facts = task(make, seed)
    asked, _ = play(step_search_reward(make(), key_score=True), honest(facts), seed)
    plain, _ = play(step_search_reward(make()), honest(facts), seed)
    assert asked[-1] - plain[-1] == pytest.approx(0.618)
    others = [*fruitless(make, seed, 3), answer(facts["answer"])]
    assert play(step_search_reward(make(), key_score=True), others, seed)[0][-1] < 1.0 + 0.4


# LongRLVR


@pytest.mark.parametrize("beta", [2.0, 1.0])
def test_context_citations_count_with_a_right_answer_and_citing_everything_does_not_beat_the_evidence(
    make: Make, seed: int, beta: float
) -> None:
    facts, env = task(make, seed), context_citation_reward(make(), beta=beta)
    gold, everything = facts["gold_chunks"], sorted(d.doc_id for d in env.unwrapped.collection.corpus)[:95]
    everything = list(dict.fromkeys([*gold, *everything]))
    totals = {
        name: sum(play(env, [answer(text, cited)], seed)[0])
        for name, text, cited in [
            ("right, gold", facts["answer"], gold),
            ("right, everything", facts["answer"], everything),
            ("right, one", facts["answer"], gold[:1]),
            ("right, nothing", facts["answer"], []),
            ("wrong, gold", "nobody", gold),
            ("wrong, everything", "nobody", everything),
        ]
    }
    assert totals["right, gold"] == pytest.approx(2.0)
    assert max(totals["right, everything"], totals["right, one"]) < totals["right, gold"]
    if beta == 1.0:
        assert totals["right, everything"] < totals["right, one"]
    elif len(gold) > 4:
        assert totals["right, everything"] > totals["right, one"], "as published, recall counts for more"
    assert totals["right, nothing"] == pytest.approx(1.0) and totals["wrong, gold"] == pytest.approx(0.1)
    assert totals["wrong, everything"] < 0.03
    rewards, info = play(env, [search("x"), answer(facts["answer"], gold)], seed)
    assert sum(rewards) == pytest.approx(info["turn_rewards"].sum())


def test_an_episode_without_an_answer_has_no_context_reward(make: Make) -> None:
    assert sum(play(context_citation_reward(make(max_turns=2)), [search("x")] * 2)[0]) == 0.0


# CaRR and C-GRPO


def test_a_citation_chain_counts_up_to_where_it_breaks(make: Make, seed: int) -> None:
    facts, env = task(make, seed), citation_chain_reward(make())
    gold, steps = facts["gold_chunks"], len(facts["chain"])
    shares = [sum(play(env, [answer("nobody", gold[n:])], seed)[0]) for n in range(len(gold))]
    assert shares[0] == pytest.approx(1.0) and shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(1 / steps), "the last step alone"
    without_the_end = sum(play(env, [answer("nobody", gold[:-1])], seed)[0])
    assert without_the_end == 0.0, "nothing leads to the answer"
    assert sum(play(env, [answer("nobody")], seed)[0]) == 0.0


@pytest.mark.parametrize("kind", ["comparison", "counting", "intersection", "temporal", "unanswerable"])
def test_the_whole_evidence_supports_the_whole_chain_of_every_kind(make: Make, kind: str) -> None:
    env = citation_chain_reward(make(articles=1000, kinds=kind, hops=()))
    for seed in range(6):
        _, info = env.reset(seed=seed)
        gold = info["privileged"]["gold_chunks"]
        assert sum(play(env, [answer("nobody", gold)], seed)[0]) == pytest.approx(1.0), info["task_id"]


def test_citing_everything_is_worth_as_much_as_citing_the_evidence_unless_precision_counts(
    make: Make, seed: int
) -> None:
    facts = task(make, seed)
    gold = facts["gold_chunks"]
    others = [d.doc_id for d in make().unwrapped.collection.corpus if d.doc_id not in gold][:80]
    scores = {
        (precise, name): sum(play(citation_chain_reward(make(), precise=precise), [answer("nobody", cited)], seed)[0])
        for precise in (False, True)
        for name, cited in [("gold", gold), ("everything", [*gold, *others])]
    }
    assert scores[False, "everything"] == scores[False, "gold"] == pytest.approx(1.0), "as published"
    assert scores[True, "gold"] == pytest.approx(1.0) and scores[True, "everything"] < 0.1


@pytest.mark.parametrize("precise", [False, True])
def test_c_grpo_pays_right_answers_by_their_chain_and_wrong_ones_nothing(make: Make, precise: bool) -> None:
    facts = task(make, 0)
    gold = facts["gold_chunks"]
    others = [d.doc_id for d in make().unwrapped.collection.corpus if d.doc_id not in gold][:80]
    env = citation_grpo(make(), group_size=4, precise=precise)
    for text, cited in [
        (facts["answer"], gold),
        (facts["answer"], [*gold, *others]),
        (facts["answer"], []),
        ("nobody", gold),
    ]:
        _, info = play(env, [search("x"), answer(text, cited)], None if env._groups else 0)
    chain, stuffed, bare, wrong = (entry["turn_advantages"][0] for entry in info["group_credit"])
    assert chain > bare > wrong
    assert chain > stuffed if precise else chain == stuffed, "as published, citing everything is no worse"


# ProRAG


def advantages(make: Make, rollouts: Sequence[Calls], **options: Any) -> list[np.ndarray]:
    env = prorag_credit(make(), group_size=len(rollouts), **{"scorer": found_evidence, **options})
    for number, calls in enumerate(rollouts):
        _, info = play(env, calls, None if number else 0)
    return [np.asarray(entry["turn_advantages"]) for entry in info["group_credit"]]


def test_prorag_adds_process_scores_to_the_outcome(make: Make) -> None:
    facts = task(make, 0)
    right, wrong = advantages(make, [honest(facts), [search("x"), answer("nobody")]])
    assert right[0] > right[-1] > 0 > wrong.max()
    flat, _ = advantages(make, [honest(facts), [search("x"), answer("nobody")]], beta=0.0)
    assert flat == pytest.approx(np.full(len(flat), flat[0]))


def test_prorags_outcome_is_the_answers_f1_and_the_format(make: Make) -> None:
    facts = task(make, 0)
    good = [search("x"), answer(facts["answer"])]
    broken = [ToolCall("open", {"document": "no such id"}), answer(facts["answer"])]
    tidy, untidy = advantages(make, [good, broken], beta=0.0)
    assert tidy[0] > 0 > untidy[0], "an invalid turn breaks the format"


def test_prorag_as_published_pays_a_good_step_as_often_as_it_is_repeated(make: Make) -> None:
    facts = task(make, 0)
    plan = honest(facts)
    spam = [plan[0]] * 12 + plan[1:]
    single_steps = lambda trajectory: found_evidence(trajectory, fresh=False)  # noqa: E731
    published = advantages(make, [plan, spam, [answer("nobody")]], scorer=single_steps)
    guarded = advantages(make, [plan, spam, [answer("nobody")]], scorer=single_steps, once=True)
    assert published[1][:12].sum() > 6 * published[0][0] > 0, "each repetition is paid"
    assert published[1].sum() > published[0].sum()
    assert guarded[1][1:12].max() < guarded[1][0], "the first time counts, repetitions do not"


# Nuggets


def dump(facts: dict[str, Any], make: Make) -> str:
    """The right answer among forty other names."""
    titles = [document.title for document in make().unwrapped.collection.corpus][:40]
    return ", ".join([*titles[:20], facts["answer"], *titles[20:]])


LADDER = NuggetLadder(
    [ExactMatcher(), LexicalMatcher(0.5), JudgeMatcher(lambda q, a, n: ["not_support"] * len(n), 0.5)]
)


@pytest.mark.parametrize("matcher", [ExactMatcher(), LADDER], ids=["exact", "ladder"])
def test_an_answer_that_lists_all_candidates_scores_like_the_right_one_unless_brevity_counts(
    make: Make, seed: int, matcher: Any
) -> None:
    facts = task(make, seed)
    right, listed, wrong = answer(facts["answer"]), answer(dump(facts, make)), answer("nobody at all")
    for brevity in (None, 3.0):
        env = nugget_reward(make(), matcher, brevity=brevity)
        scores = [sum(play(env, [call], seed)[0]) for call in (right, listed, wrong)]
        assert scores[0] == 1.0 and scores[2] == 0.0
        assert scores[1] == 1.0 if brevity is None else scores[1] < 0.15
        sentence = answer(f"It is {facts['answer']}.")
        assert sum(play(env, [sentence], seed)[0]) == 1.0, "a short sentence is not a list"


@pytest.mark.parametrize("metric", ["exact_match", "f1"])
def test_the_environments_own_reward_is_not_played_by_listing(make: Make, seed: int, metric: str) -> None:
    facts, env = task(make, seed), make(metric=metric)
    right, listed = (sum(play(env, [answer(text)], seed)[0]) for text in (facts["answer"], dump(facts, make)))
    assert right == 1.0 and listed < 0.1


def test_nuggets_take_the_outcomes_place(make: Make) -> None:
    facts = task(make, 0)
    rewards, info = play(nugget_reward(make(), ExactMatcher(), weight=0.5), [search("x"), answer(facts["answer"])])
    assert sum(rewards) == pytest.approx(0.5) == pytest.approx(info["turn_rewards"].sum())
    assert info["reward_terms"]["outcome"] == 1.0
    assert sum(play(nugget_reward(make(max_turns=1), ExactMatcher()), [search(facts["answer"])])[0]) == 0.0


# All of them


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "igpo": lambda env: InformationGainReward(env, TableProbe({}, default=-1.0)),
    "step_search": step_search_reward,
    "key_score": lambda env: step_search_reward(env, key_score=True),
    "long_rlvr": context_citation_reward,
    "carr": citation_chain_reward,
    "cgrpo": lambda env: citation_grpo(env, group_size=2),
    "prorag": lambda env: prorag_credit(env, found_evidence, group_size=2),
    "search_gen_v": lambda env: nugget_reward(env, ExactMatcher()),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_is_missing_is_said_at_once(name: str) -> None:
    class WithoutFacts(KeyDoorEnv):
        privileged_keys = frozenset[str]()

    with pytest.raises(MissingRequirementError, match=r"over WithoutFacts lacks \['"):
        WRAPPED[name](WithoutFacts())


@pytest.mark.parametrize("name", sorted(set(WRAPPED) - {"prorag", "search_gen_v"}))
def test_they_work_on_claims_too(make: Make, name: str) -> None:
    env = WRAPPED[name](make("turnwise/ClaimCheck-v0"))
    for rollout in range(2):
        _, info = env.reset(seed=None if rollout else 0)
        rewards = []
        for call in list(env.unwrapped.oracle()):
            _, reward, terminated, _, info = env.step(call)
            rewards.append(reward)
        assert terminated and info["turn_rewards"].sum() == pytest.approx(sum(rewards))
    assert ("turn_advantages" in info) == (name == "cgrpo")


@pytest.mark.parametrize("name", WRAPPED)
def test_facts_stay_out_of_what_the_policy_sees(make: Make, name: str) -> None:
    def seen(env: gym.Env[Any, Any]) -> list[str]:
        observation, _ = env.reset(seed=1)
        calls = [*honest(task(make, 1))[:-1], answer("nobody")]
        return [env.unwrapped.instructions, observation, *(env.step(call)[0] for call in calls)]

    wrapped = seen(WRAPPED[name](make()))
    assert wrapped == seen(make())
    assert not any(task(make, 1)["solution"] in text for text in wrapped)
