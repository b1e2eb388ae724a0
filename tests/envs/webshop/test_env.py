"""The shop as an agent meets it: pages, clicks, the purchase, forking, and what must never be shown."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs import ToolCall, UnknownTaskError
from turnwise.envs.webshop import WebShopEnv
from turnwise.envs.webshop.pages import BACK_TO_SEARCH, BUY

PRODUCTS = 60


@pytest.fixture(scope="module")
def env() -> WebShopEnv:
    return WebShopEnv(products=PRODUCTS, max_turns=30)


def _play(env: gym.Env, calls: list) -> tuple:
    result = ("", 0.0, False, False, {})
    for call in calls:
        result = env.step(call)
    return result


def _goal_page(env: WebShopEnv) -> str:
    """Walk to the goal's item page with the oracle's own calls; return the observation."""
    calls = [call for call in env.oracle() if call.arguments.get("element") != BUY]
    walk = calls[: next(i for i, call in enumerate(calls) if call.arguments.get("element") == env.goal.asin) + 1]
    return _play(env, walk)[0]


def test_registered_and_passes_gymnasiums_checker() -> None:
    env = gym.make("turnwise/WebShop-v0", products=PRODUCTS, render_mode="ansi")
    check_env(env.unwrapped)


def test_oracle_scores_one_on_the_whole_panel_no_op_nothing_and_random_little() -> None:
    env = WebShopEnv(split="panel")
    rng = np.random.default_rng(0)
    oracle, no_op, random = [], [], []
    for task_id in env.tasks:
        env.reset(options={"task_id": task_id})
        _, reward, terminated, _, info = _play(env, list(env.oracle()))
        assert terminated, task_id
        assert info["stop_reason"] == "completed"
        oracle.append(reward)

        env.reset(options={"task_id": task_id})
        reward, ended = 0.0, False
        while not ended:
            _, paid, terminated, truncated, _ = env.step("")
            reward, ended = reward + paid, terminated or truncated
        no_op.append(reward)

        random += [_random_reward(env, task_id, rng) for _ in range(3)]
    assert oracle == [1.0] * 100
    assert sum(no_op) == 0.0
    assert np.mean(random) < 0.1


def _random_reward(env: WebShopEnv, task_id: str, rng: np.random.Generator) -> float:
    _, info = env.reset(options={"task_id": task_id})
    total, ended = 0.0, False
    while not ended:
        actions = info["admissible_actions"]
        _, paid, terminated, truncated, info = env.step(actions[int(rng.integers(len(actions)))])
        total, ended = total + paid, terminated or truncated
    return total


def test_pages_follow_each_other_as_in_a_shop(env: WebShopEnv) -> None:
    observation, info = env.reset(seed=1)
    assert env.goal.instruction in observation
    assert all(action.startswith("search[") for action in info["admissible_actions"])

    item = _goal_page(env)
    assert env.goal.title in item
    for kind in ("description", "features", "reviews"):
        text, *_, info = env.step(f"click[{kind}]")
        assert text.lower().startswith(kind)
        assert info["admissible_actions"] == ["click[< prev]", f"click[{BACK_TO_SEARCH}]"]
        assert env.step("click[< prev]")[0] == item
    assert env.step("click[< prev]")[0].startswith("Results for")
    assert env.step(f"click[{BACK_TO_SEARCH}]")[0] == observation


def test_every_admissible_action_is_valid_everywhere(env: WebShopEnv) -> None:
    rng = np.random.default_rng(3)
    for seed in range(15):
        _, info = env.reset(seed=seed)
        ended = False
        while not ended:
            for action in info["admissible_actions"]:
                assert env.clone().step(action)[4]["is_action_valid"], action
            actions = info["admissible_actions"]
            _, _, terminated, truncated, info = env.step(actions[int(rng.integers(len(actions)))])
            ended = terminated or truncated


def test_buying_without_the_options_pays_less_and_names_the_parts(env: WebShopEnv) -> None:
    task_id = next(t for t in env.tasks if _options_of(env, t))
    env.reset(options={"task_id": task_id})
    _goal_page(env)
    text, reward, terminated, truncated, info = env.step(f"click[{BUY}]")
    assert (terminated, truncated) == (True, False)
    assert 0 < reward < 1
    assert info["reward_terms"]["outcome"] == reward
    assert info["reward_terms"]["r_options"] == 0.0
    assert info["reward_terms"]["r_type"] == 1.0
    assert "bought" in info["events"]
    assert str(reward) not in text
    assert info["admissible_actions"] == []


def _options_of(env: WebShopEnv, task_id: str) -> dict[str, str]:
    env.reset(options={"task_id": task_id})
    return dict(env.goal.options)


def test_the_order_of_clicks_leaves_no_trace_in_the_state_hash(env: WebShopEnv) -> None:
    task_id = next(t for t in env.tasks if len(_options_of(env, t)) >= 2)
    env.reset(options={"task_id": task_id})
    _goal_page(env)
    choose = [call for call in env.oracle() if call.arguments.get("element") != BUY]
    assert len(choose) >= 2
    other = env.clone()
    forward = _play(env, choose)[4]["state_hash"]
    backward = _play(other, choose[::-1])[4]["state_hash"]
    assert forward == backward


def test_clicks_ignore_case_and_spaces_and_option_names_may_be_written_out(env: WebShopEnv) -> None:
    task_id = next(t for t in env.tasks if _options_of(env, t))
    env.reset(options={"task_id": task_id})
    name, value = next(iter(env.goal.options.items()))
    _goal_page(env)
    plain, spelled = env.clone(), env.clone()
    assert spelled.step(f"click[ {name.upper()}:  {value} ]")[4]["is_action_valid"]
    plain.step(ToolCall("click", {"element": value}))
    assert plain.state_hash() == spelled.state_hash()
    assert f"[{value}]" in spelled.step("click[features]")[0] or f"[{value}]" in spelled.step("click[< prev]")[0]


def test_impossible_actions_say_what_is_possible_and_change_nothing(env: WebShopEnv) -> None:
    env.reset(seed=4)
    before = env.state_hash()
    text, reward, *_, info = env.step("click[buy now]")
    assert "search[keywords]" in text
    assert (reward, info["is_action_valid"], info["state_hash"]) == (0.0, False, before)
    env.step("search[cotton]")
    text, *_, info = env.step("search[linen]")
    assert "There is no search box on this page" in text
    assert not info["is_action_valid"]
    text, *_ = env.step("click[next page please]")
    assert "Click one of:" in text


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(max_size=300), st.text(max_size=60).map(lambda t: f"search[{t}]"),
                      st.text(max_size=60).map(lambda t: f"click[{t}]")))  # fmt: skip
def test_no_text_raises_on_any_page(env: WebShopEnv, text: str) -> None:
    for prefix in ([], ["search[cotton]"], list(_walk_to_item(env))):
        env.reset(seed=5)
        _play(env, prefix)
        before = env.snapshot()
        observation, reward, _, _, info = env.step(text)
        observation.encode("utf-8")
        if not info["is_action_valid"]:
            assert env.snapshot().state == before.state
            assert reward == 0.0


def _walk_to_item(env: WebShopEnv) -> list[ToolCall]:
    env.reset(seed=5)
    return [call for call in env.oracle() if call.arguments.get("element") != BUY]


def test_a_fork_in_mid_episode_is_exact(env: WebShopEnv) -> None:
    env.reset(seed=6)
    calls = list(env.oracle())
    _play(env, calls[:2])
    snapshot = env.snapshot()
    first = [env.step(call) for call in calls[2:]]
    other = WebShopEnv(products=PRODUCTS, max_turns=30)
    other.restore(snapshot)
    assert [other.step(call) for call in calls[2:]] == first


def test_the_oracle_can_be_asked_anew_each_turn_and_from_any_page(env: WebShopEnv) -> None:
    rng = np.random.default_rng(1)
    for seed in range(20):
        _, info = env.reset(seed=seed)
        for _ in range(int(rng.integers(6))):
            actions = [action for action in info["admissible_actions"] if BUY not in action]
            info = env.step(actions[int(rng.integers(len(actions)))])[4]
        planned = env.clone()
        assert _play(planned, list(planned.oracle()))[1] == 1.0
        reward, terminated, truncated = 0.0, False, False
        while not (terminated or truncated):
            _, reward, terminated, truncated, _ = env.step(next(env.oracle()))
        assert reward == 1.0


def test_unknown_tasks_and_splits_are_named(env: WebShopEnv) -> None:
    with pytest.raises(UnknownTaskError, match="no-such-task"):
        env.reset(options={"task_id": "no-such-task"})
    with pytest.raises(ValueError, match=r"evening.*train"):
        WebShopEnv(products=PRODUCTS, split="evening")
    with pytest.raises(ValueError, match="products"):
        WebShopEnv(products=0)


def test_a_task_of_another_split_can_be_asked_for() -> None:
    train, test = WebShopEnv(products=PRODUCTS), WebShopEnv(products=PRODUCTS, split="test")
    assert not set(train.tasks) & set(test.tasks)
    _, info = train.reset(options={"task_id": test.tasks[0]})
    assert info["task_id"] == test.tasks[0]


def test_resets_keep_nothing(env: WebShopEnv) -> None:
    env.reset(seed=0)
    size = len(vars(env))
    first = env.reset(options={"task_id": env.tasks[0]})[0]
    for _ in range(300):
        env.reset(options={"task_id": env.tasks[0]})
        env.step("search[cotton]")
    assert env.reset(options={"task_id": env.tasks[0]})[0] == first
    assert len(vars(env)) == size
