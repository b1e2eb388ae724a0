"""`turnwise/ClaimCheck-v0`: a verdict is worth nothing without its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from turnwise.envs import ToolCall
from turnwise.envs.search_qa import ClaimCheckEnv
from turnwise.envs.search_qa.claim_check import joint_accuracy
from turnwise.envs.search_qa.records import Claim
from turnwise.envs.search_qa.store import World
from turnwise.envs.search_qa.world.claims import LABELS, NOT_ENOUGH_INFO, SUPPORTS


def play(env: gym.Env, calls: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
    result: Any = ("", 0.0, False, False, {})
    for call in calls:
        result = env.step(call)
    return result


@pytest.fixture(scope="module")
def panel(default: World, world_cache: Path) -> ClaimCheckEnv:
    return ClaimCheckEnv(split="panel", cache_dir=world_cache)


def test_oracle_scores_one_on_the_whole_panel_no_op_nothing_and_random_little(panel: ClaimCheckEnv) -> None:
    rng = np.random.default_rng(0)
    random = []
    for task_id in panel.tasks:
        panel.reset(options={"task_id": task_id})
        _, reward, terminated, _, info = play(panel, list(panel.oracle()))
        assert (reward, terminated) == (1.0, True), task_id
        assert info["reward_terms"]["evidence_iou"] == info["reward_terms"]["label_accuracy"] == 1.0

        panel.reset(options={"task_id": task_id})
        assert play(panel, [""] * panel.max_turns)[1] == 0.0

        _, info = panel.reset(options={"task_id": task_id})
        reward, ended = 0.0, False
        while not ended:
            actions = info["admissible_actions"]
            _, paid, terminated, truncated, info = panel.step(actions[int(rng.integers(len(actions)))])
            reward, ended = reward + paid, terminated or truncated
        random.append(reward)
    assert np.mean(random) < 0.1


@pytest.mark.parametrize("label", LABELS)
def test_whoever_always_says_the_same_earns_nothing(panel: ClaimCheckEnv, label: str) -> None:
    """Also with citations: of nothing, of documents drawn at random, of the first results for the claim."""
    rng = np.random.default_rng(0)
    corpus = panel.collection.corpus
    scores: dict[str, list[float]] = {"nothing": [], "random": [], "first": []}
    for task_id in panel.tasks:
        panel.reset(options={"task_id": task_id})
        some = [corpus.doc_id(int(i)) for i in rng.integers(len(corpus), size=2)]
        for name, cited in (("nothing", []), ("random", some)):
            scores[name].append(panel.clone().step(ToolCall("verdict", {"label": label, "citations": cited}))[1])
        panel.step(ToolCall("search", {"query": panel.claim.claim}))
        first = list(panel.state.shown[:1])
        scores["first"].append(panel.step(ToolCall("verdict", {"label": label, "citations": first}))[1])
    assert np.mean(scores["nothing"]) == np.mean(scores["random"]) == 0.0
    assert np.mean(scores["first"]) < 0.15, (
        "who cites the first hit has searched once, and is right a third of the time"
    )


@pytest.mark.parametrize(
    ("label", "cited", "joint", "iou", "covered"),
    [
        ("refutes", ["a", "b"], 1.0, 1.0, 1.0),
        ("refutes", ["b", "a", "b"], 1.0, 1.0, 1.0),
        ("supports", ["a", "b"], 0.0, 1.0, 1.0),
        ("refutes", ["a"], 0.0, 0.5, 0.0),
        ("refutes", ["a", "b", "c", "d"], 0.0, 0.5, 1.0),
        ("refutes", [], 0.0, 0.0, 0.0),
    ],
)
def test_joint_accuracy(label: str, cited: list[str], joint: float, iou: float, covered: float) -> None:
    terms = joint_accuracy(label, cited, Claim("t", "It is so.", "refutes", ("a", "b")))
    assert terms == {
        "joint": joint, "label_accuracy": float(label == "refutes"), "evidence_iou": iou, "evidence_covered": covered,
    }  # fmt: skip


def test_undecided_claims_want_the_documents_that_were_checked(claim_env: ClaimCheckEnv) -> None:
    task_id = next(t for t in claim_env.tasks if claim_env._tasks.read(t).label == NOT_ENOUGH_INFO)
    claim_env.reset(options={"task_id": task_id})
    bare = claim_env.clone()
    assert bare.step(ToolCall("verdict", {"label": NOT_ENOUGH_INFO}))[1] == 0.0
    *_, last = claim_env.oracle()
    assert last.arguments["label"] == NOT_ENOUGH_INFO and last.arguments["citations"]
    assert claim_env.step(last)[1] == 1.0


def test_labels_are_checked_and_given_as_text(claim_env: ClaimCheckEnv) -> None:
    claim_env.reset(seed=0)
    text, *_, info = claim_env.step("verdict[maybe]")
    assert "must be ['supports', 'refutes', 'not enough info'], got 'maybe'" in text
    assert not info["is_action_valid"]
    _, reward, terminated, _, info = claim_env.step("verdict[supports]")
    assert (reward, terminated) == (0.0, True)
    assert info["privileged"]["cited_chunks"] == [] and "verdict_given" in info["events"]


def test_too_many_citations_and_unknown_ids(claim_env: ClaimCheckEnv) -> None:
    claim_env.reset(seed=0)
    text, *_, info = claim_env.step(ToolCall("verdict", {"label": SUPPORTS, "citations": ["a"] * 101}))
    assert "There are 101 citations; at most 100 are taken." in text and not info["is_action_valid"]
    _, reward, *_, info = claim_env.step(ToolCall("verdict", {"label": SUPPORTS, "citations": ["nowhere", "\ud800"]}))
    assert reward == 0.0 and info["reward_terms"]["evidence_iou"] == 0.0


def test_registered_and_passes_gymnasiums_checker(small: World, world_cache: Path) -> None:
    env = gym.make("turnwise/ClaimCheck-v0", articles=450, world_seed=5, cache_dir=str(world_cache))
    check_env(env.unwrapped)
    assert set(env.reset(seed=0)[1]["privileged"]) == env.unwrapped.privileged_keys
