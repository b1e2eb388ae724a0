"""`turnwise/SearchQA-v0` as an agent meets it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import turnwise
from turnwise.envs import ToolCall, UnknownTaskError
from turnwise.envs.search_qa import SearchQAEnv
from turnwise.envs.search_qa.answers import METRICS, score_answer
from turnwise.envs.search_qa.pages import names_in
from turnwise.envs.search_qa.records import Question
from turnwise.envs.search_qa.retrieval import Hit, RetrievalError, RetrievalTimeoutError
from turnwise.envs.search_qa.store import World
from turnwise.envs.search_qa.tasks import question_tasks

ODD_QUERIES = [
    "🦊🦊", "שלום עולם", "مرحبا", "日本語 東京", "Ж" * 300, '"title:"', "+a -b", "a AND (", "NOT", "*", "~", "^2",
    "a:b", "[1 TO 2]", "\\", "/re/", "{", "\x00", "\ud800", "e\u0301", "a" * 100_000, "' OR 1=1 --", "<b>", "the of",
]  # fmt: skip


def play(env: gym.Env, calls: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
    result: Any = ("", 0.0, False, False, {})
    for call in calls:
        result = env.step(call)
    return result


def test_oracle_scores_one_on_the_whole_panel_no_op_nothing_and_random_little(panel_env: SearchQAEnv) -> None:
    rng = np.random.default_rng(0)
    random = []
    for task_id in panel_env.tasks:
        panel_env.reset(options={"task_id": task_id})
        _, reward, terminated, _, info = play(panel_env, list(panel_env.oracle()))
        assert (reward, terminated, info["stop_reason"]) == (1.0, True, "completed"), task_id
        assert info["reward_terms"]["citation_precision"] == info["reward_terms"]["citation_recall"] == 1.0

        panel_env.reset(options={"task_id": task_id})
        assert play(panel_env, [""] * panel_env.max_turns)[1] == 0.0

        _, info = panel_env.reset(options={"task_id": task_id})
        reward, ended = 0.0, False
        while not ended:
            actions = info["admissible_actions"]
            _, paid, terminated, truncated, info = panel_env.step(actions[int(rng.integers(len(actions)))])
            reward, ended = reward + paid, terminated or truncated
        random.append(reward)
    assert np.mean(random) < 0.05


def closed_book(train: list[Question]) -> dict[str, Callable[[Question], str]]:
    """Policies that never search; what they know of answers they know from the training questions."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    words: dict[str, Counter[str]] = defaultdict(Counter)
    for question in train:
        answers[question.kind][question.aliases[0]] += 1
        words[question.kind].update(set(question.aliases[0].split()))
    usual = {kind: [answer for answer, _ in counter.most_common(2)] for kind, counter in answers.items()}
    word = {kind: counter.most_common(1)[0][0] for kind, counter in words.items()}
    every = sum(words.values(), Counter()).most_common(3)

    def name(question: Question, place: int) -> str:
        names = names_in(question.question)
        return names[place % len(names)] if names else ""

    return {
        "the usual answer of the kind": lambda q: usual[q.kind][0],
        "the next usual answer of the kind": lambda q: usual[q.kind][1],
        "the usual word of the kind": lambda q: word[q.kind],
        "the usual words": lambda q: " ".join(w for w, _ in every),
        "yes": lambda q: "yes",
        "no": lambda q: "no",
        "nothing": lambda q: "",
        "unanswerable": lambda q: "unanswerable",
        "the first name": lambda q: name(q, 0),
        "the last name": lambda q: name(q, -1),
        "unanswerable and the first name": lambda q: f"unanswerable: {name(q, 0)}",
        "unanswerable and the last name": lambda q: f"unanswerable: {name(q, -1)}",
        "unanswerable and all names": lambda q: f"unanswerable: {' '.join(names_in(q.question))}",
        "the question": lambda q: q.question,
    }


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("split", ["panel", "test"])
def test_nothing_can_be_answered_without_search(default: World, split: str, metric: Any) -> None:
    train = question_tasks(default, "train")
    asked = [question_tasks(default, split).read(task_id) for task_id in question_tasks(default, split)]
    for name, policy in closed_book([train.read(task_id) for task_id in train]).items():
        score = np.mean([score_answer(question, policy(question), metric) for question in asked])
        assert score < 0.02, (name, score)


def test_a_closed_book_agent_plays_and_gets_nothing(panel_env: SearchQAEnv) -> None:
    rewards = []
    for task_id in panel_env.tasks:
        text, _ = panel_env.reset(options={"task_id": task_id})
        names = names_in(text.removeprefix("Question: ")) or ("unanswerable",)
        rewards.append(panel_env.step(ToolCall("answer", {"text": names[-1]}))[1])
    assert np.mean(rewards) < 0.02


def test_a_search_finds_opens_and_answers(search_env: SearchQAEnv) -> None:
    task_id = next(t for t in search_env.tasks if len(search_env._tasks.read(t).gold_documents) >= 2)
    text, info = search_env.reset(options={"task_id": task_id})
    assert text == f"Question: {search_env.question.question}"
    assert all(action.startswith("search[") for action in info["admissible_actions"])
    *way, last = search_env.oracle()
    seen: set[str] = set()
    for call in way:
        text, reward, *_, info = search_env.step(call)
        assert reward == 0.0
        if call.name == "search":
            hits = [line.split(" | ")[0] for line in text.splitlines()[1:]]
            assert hits == info["privileged"]["retrieved_chunks"] and len(hits) <= 5
            assert [f"open[{doc_id}]" for doc_id in hits] == info["admissible_actions"][-len(hits) :]
            assert len(info["privileged"]["retrieved_documents"]) == len(hits)
        else:
            assert info["privileged"]["retrieved_documents"] == []
            assert "gold_document_opened" in info["events"]
            assert text.splitlines()[0].startswith(call.arguments["document"])
        seen |= info["events"]
    assert seen == {"searched", "gold_document_found", "document_opened", "gold_document_opened"}
    text, reward, terminated, truncated, info = search_env.step(last)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["events"] == {"answered"} and info["admissible_actions"] == []
    assert info["privileged"]["cited_chunks"] == info["privileged"]["gold_chunks"]
    assert search_env.question.aliases[0] not in text


def test_privileged_says_all_that_leads_to_the_answer(search_env: SearchQAEnv, small: World) -> None:
    _, info = search_env.reset(seed=3)
    known = info["privileged"]
    question = search_env.question
    assert set(known) == search_env.privileged_keys
    assert known["aliases"][0] == known["answer"]
    assert known["gold_documents"] == [small.document(d).contents for d in question.gold_documents]
    assert [step["document"] for step in known["chain"]] == [step.document for step in question.chain]
    assert known["cited_chunks"] is None


def test_citations_are_terms_and_not_reward(search_env: SearchQAEnv) -> None:
    search_env.reset(seed=4)
    last = list(search_env.oracle())[-1]
    gold = last.arguments["citations"]
    for cited, precision, recall in (
        ([], 0.0, 0.0),
        (gold, 1.0, 1.0),
        ([*gold, "x"] * 2, len(gold) / (len(gold) + 1), 1.0),
    ):
        twin = search_env.clone()
        _, reward, *_, info = twin.step(ToolCall("answer", {"text": last.arguments["text"], "citations": cited}))
        assert reward == 1.0 == info["reward_terms"]["outcome"]
        assert info["reward_terms"]["citation_precision"] == pytest.approx(precision)
        assert info["reward_terms"]["citation_recall"] == recall


def test_f1_pays_in_part(small: World, world_cache: Path) -> None:
    env = SearchQAEnv(articles=450, world_seed=5, cache_dir=world_cache, metric="f1", kinds="bridge")
    task_id = next(t for t in env.tasks if " " in env._tasks.read(t).aliases[0])
    env.reset(options={"task_id": task_id})
    word = env.question.aliases[0].split()[-1]
    assert 0.3 < env.step(ToolCall("answer", {"text": word}))[1] < 1.0


@pytest.mark.parametrize("query", ODD_QUERIES)
def test_any_text_is_a_query(search_env: SearchQAEnv, query: str) -> None:
    search_env.reset(seed=5)
    text, reward, terminated, truncated, info = search_env.step(ToolCall("search", {"query": query}))
    text.encode("utf-8")
    assert text.startswith(("Results for", "No results for"))
    assert (reward, terminated, truncated, info["is_action_valid"]) == (0.0, False, False, True)


@pytest.mark.parametrize("query", ["", "   ", "\n\t\u00a0"])
def test_an_empty_query_is_refused(search_env: SearchQAEnv, query: str) -> None:
    search_env.reset(seed=5)
    before = search_env.snapshot()
    text, *_, info = search_env.step(ToolCall("search", {"query": query}))
    assert text.startswith("Invalid action. The query is empty.")
    assert not info["is_action_valid"] and search_env.snapshot().state == before.state


@pytest.mark.parametrize("doc_id", ["zzzzzz", "", "日本", "../../etc/passwd", "x" * 100_000, "\ud800", "0", "[a]"])
def test_a_document_that_does_not_exist_is_named(search_env: SearchQAEnv, doc_id: str) -> None:
    search_env.reset(seed=5)
    text, *_, info = search_env.step(ToolCall("open", {"document": doc_id}))
    assert text.startswith("Invalid action. There is no document ") and "Open one by its id" in text
    assert len(text) < 600 and not info["is_action_valid"]


def test_pages_that_do_not_exist_are_refused(search_env: SearchQAEnv, small: World) -> None:
    search_env.reset(seed=5)
    for page in (0, -1, 2, 10**15):
        text, *_, info = search_env.step(ToolCall("open", {"document": small.doc_id(3), "page": page}))
        assert f"has no page {page}; it has 1." in text and not info["is_action_valid"]


def test_an_answer_of_a_megabyte_is_refused_quickly(search_env: SearchQAEnv) -> None:
    for text in ("x" * 2**20, "🦊" * 2**18, "unanswerable " + " " * 2**20):
        search_env.reset(seed=5)
        begin = time.perf_counter()
        shown, reward, terminated, *_, info = search_env.step(ToolCall("answer", {"text": text}))
        assert f"The answer has {len(text):,} characters; at most 1,000 are taken." in shown
        assert (reward, terminated, info["is_action_valid"]) == (0.0, False, False)
        assert time.perf_counter() - begin < 30, "a guard against quadratic time, not a timing"


def test_thousands_of_citations_are_refused(search_env: SearchQAEnv) -> None:
    search_env.reset(seed=5)
    before = search_env.snapshot().state
    text, *_, info = search_env.step(ToolCall("answer", {"text": "x", "citations": ["a"] * 5000}))
    assert "There are 5,000 citations; at most 100 are taken." in text
    assert not info["is_action_valid"] and search_env.snapshot().state == before
    _, _, terminated, _, info = search_env.step(
        ToolCall("answer", {"text": "x", "citations": ["日", " a ", "a", "y" * 999]})
    )
    assert terminated and info["privileged"]["cited_chunks"] == ["日", "a", "y" * 200]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=200), *(st.text(max_size=60).map(lambda t, n=n: f"{n}[{t}]") for n in ("search", "open", "answer"))))  # fmt: skip  # noqa: E501
def test_no_text_raises(search_env: SearchQAEnv, text: str) -> None:
    search_env.reset(seed=6)
    before = search_env.snapshot()
    observation, _, _, _, info = search_env.step(text)
    observation.encode("utf-8")
    if not info["is_action_valid"]:
        assert search_env.snapshot().state == before.state


def test_several_searches_in_one_turn_are_retrieved_together(search_env: SearchQAEnv) -> None:
    search_env.reset(seed=7)
    calls = [ToolCall("search", {"query": query}) for query in ("river", "town")]
    text, *_, info = search_env.step(calls)
    assert text.count("Results for") == 2
    assert len(info["privileged"]["retrieved_chunks"]) == 10
    assert (
        search_env.step("search[river]")[4]["privileged"]["retrieved_chunks"]
        == info["privileged"]["retrieved_chunks"][:5]
    )


def test_the_state_is_what_lies_before_the_agent(search_env: SearchQAEnv, small: World) -> None:
    search_env.reset(seed=8)
    twin = search_env.clone()
    one = play(search_env, ["search[river]", "search[town]", f"open[{small.doc_id(9)}]"])[4]["state_hash"]
    other = play(twin, [f"open[{small.doc_id(9)}]"])[4]["state_hash"]
    assert one == other
    assert play(twin, ["search[river]"])[4]["state_hash"] != other


def test_the_oracle_can_be_asked_from_anywhere_and_hurries(search_env: SearchQAEnv) -> None:
    rng = np.random.default_rng(1)
    for seed in range(12):
        _, info = search_env.reset(seed=seed)
        for _ in range(int(rng.integers(search_env.max_turns - 1))):
            actions = [action for action in info["admissible_actions"] if not action.startswith("answer")]
            info = search_env.step(actions[int(rng.integers(len(actions)))])[4]
        assert play(search_env, list(search_env.oracle()))[1] == 1.0


class BrokenSearch:
    """A search engine that stops answering after two searches."""

    def __init__(self, error: RetrievalError) -> None:
        self.error, self.asked = error, 0

    def search(self, queries: Any, k: int) -> list[list[Hit]]:
        self.asked += 1
        if self.asked > 2:
            raise self.error
        return [[] for _ in queries]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RetrievalTimeoutError("late"), "retrieval_timeout"), (RetrievalError("refused"), "retrieval_failed")],
)
def test_a_search_engine_that_fails_truncates_the_episode(
    small: World, world_cache: Path, error: RetrievalError, reason: str
) -> None:
    env = SearchQAEnv(articles=450, world_seed=5, cache_dir=world_cache, retriever=BrokenSearch(error))
    env.reset(seed=0)
    assert env.step("search[a]")[0] == 'No results for "a".'
    _, _, terminated, truncated, _ = env.step("search[b]")
    assert not (terminated or truncated)
    text, reward, terminated, truncated, info = env.step("search[c]")
    assert text == "The search engine does not answer."
    assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, False, True, reason)


def test_one_episode_that_is_cut_off_leaves_the_others_alone(small: World, world_cache: Path) -> None:
    broken = BrokenSearch(RetrievalTimeoutError("late"))
    settings = {"articles": 450, "world_seed": 5, "cache_dir": str(world_cache)}
    envs = [gym.make("turnwise/SearchQA-v0", **settings, retriever=r) for r in ("bm25", broken)]
    for env in envs:
        env.reset(seed=0)
    for query in ("a", "b", "c"):
        results = [env.step(f"search[{query}]") for env in envs]
    assert [result[3] for result in results] == [False, True]
    assert not envs[0].step("search[d]")[3]


def test_arguments_are_checked(world_cache: Path) -> None:
    common: dict[str, Any] = {"articles": 450, "world_seed": 5, "cache_dir": world_cache}
    for wrong, message in (
        ({"articles": 5}, "articles must lie in"),
        ({"split": "evening"}, "evening"),
        ({"metric": "bleu"}, "metric must be one of"),
        ({"style": "trivia"}, "style must be one of"),
        ({"retriever": "google"}, "retriever must be 'bm25', a URL"),
        ({"results": 0}, "results must be an int from 1 to 50, got 0"),
        ({"hops": 9}, "has no questions with hops"),
        ({"kinds": "riddle"}, "kinds has 'riddle'"),
        ({"corpus_file": "corpus.jsonl"}, "corpus_file needs a question_file"),
    ):
        with pytest.raises(ValueError, match=message):
            SearchQAEnv(**{**common, **wrong})


def test_unknown_tasks_are_named_and_other_splits_reached(search_env: SearchQAEnv, small: World) -> None:
    with pytest.raises(UnknownTaskError, match="no-such-task"):
        search_env.reset(options={"task_id": "no-such-task"})
    other = question_tasks(small, "test")[0]
    assert search_env.reset(options={"task_id": other})[1]["task_id"] == other


def test_real_questions_over_their_own_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "hotpot.json").write_text(
        """[{"_id": "5a", "question": "Who built the mill by the Harrow?", "answer": "Ann Other", "type": "bridge",
        "level": "hard", "supporting_facts": [["Harrow", 0], ["Harrow Mill", 1]], "context": [
        ["Harrow", ["The Harrow is a river.", " The Harrow Mill stands by it."]],
        ["Harrow Mill", ["A mill.", " It was built by Ann Other."]], ["Lamp", ["A lamp gives light."]]]}]"""
    )
    env = gym.make("turnwise/SearchQA-v0", question_file=tmp_path / "hotpot.json", cache_dir=tmp_path, metric="f1")
    check_env(env.unwrapped)
    text, info = env.reset(seed=0)
    assert text == "Question: Who built the mill by the Harrow?"
    assert len(info["privileged"]["gold_documents"]) == 2
    assert play(env, list(env.unwrapped.oracle()))[1] == 1.0
    env.reset(seed=0)
    assert "Harrow Mill" in env.step("search[who built the mill]")[0]
    assert env.step("answer[Ann]")[1] == pytest.approx(2 / 3)


def test_real_questions_over_a_corpus_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "nq.jsonl").write_text('{"question": "who wrote the song", "answer": ["Bobby Scott", "Bob Russell"]}\n')
    (tmp_path / "corpus.jsonl").write_text(r'{"id": "7", "contents": "\"Song\"\nBobby Scott wrote the song."}' + "\n")
    files = {"question_file": tmp_path / "nq.jsonl", "corpus_file": tmp_path / "corpus.jsonl"}
    env = gym.make("turnwise/SearchQA-v0", **files, question_format="nq", cache_dir=tmp_path)
    env.reset(seed=0)
    assert env.step("search[song]")[0].splitlines()[1].startswith("7 | Song")
    assert "Bobby Scott wrote" in env.step("open[7]")[0]
    assert env.step("answer[bob russell]")[1] == 1.0


def test_environments_of_a_process_share_one_library(search_env: SearchQAEnv, world_cache: Path) -> None:
    common: dict[str, Any] = {"articles": 450, "world_seed": 5, "cache_dir": world_cache}
    assert SearchQAEnv(**common, split="test").collection is search_env.collection
    envs = turnwise.make_vec("turnwise/SearchQA-v0", 4, group_size=2, **common)
    observations, _ = envs.reset(seed=0)
    assert observations[0] == observations[1] and observations[2] == observations[3]
    envs.close()


def test_resets_keep_nothing(search_env: SearchQAEnv) -> None:
    search_env.reset(seed=0)
    size = len(vars(search_env))
    for seed in range(50):
        search_env.reset(seed=seed)
        search_env.step("search[river]")
    assert len(vars(search_env)) == size
