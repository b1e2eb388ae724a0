from __future__ import annotations

import pytest
from key_door import KeyDoorEnv

from turnwise.agents import (
    Context,
    Decision,
    NoOpPolicy,
    OraclePolicy,
    Policy,
    RandomPolicy,
    ScriptedPolicy,
    collect,
    success_rate,
)
from turnwise.envs import ToolCall, parse_action


def contexts(number: int) -> list[Context]:
    listed = [f"move[{i}]" for i in range(50)]
    return [Context(f"e{i}", "", ["a room"], admissible_actions=listed) for i in range(number)]


def test_random_choices_do_not_depend_on_the_batch() -> None:
    many = contexts(8)
    together = [d.action for d in RandomPolicy(3).act(many)]
    alone = [RandomPolicy(3).act([c])[0].action for c in reversed(many)][::-1]
    assert together == alone
    assert len(set(together)) > 3
    assert together != [d.action for d in RandomPolicy(4).act(many)]


def test_random_choices_change_from_turn_to_turn() -> None:
    context = contexts(1)[0]
    actions = set()
    for _ in range(8):
        actions.add(RandomPolicy(0).act([context])[0].action)
        context.decisions.append(Decision("x"))
    assert len(actions) > 3


def test_without_a_list_a_random_call_of_a_known_tool_is_written() -> None:
    env = KeyDoorEnv()
    seen = set()
    for number in range(60):
        action = RandomPolicy(0).act([Context(f"e{number}", env.instructions, ["a door to the left"])])[0].action
        parsed = parse_action(action, env.tools)
        assert not parsed.error
        seen.add(parsed.calls[0].name)
    assert seen == {"move", "pick", "open"}
    assert RandomPolicy(0).act([Context("e", "no tools here", ["lamp"])])[0].action == "lamp"


def test_the_oracle_is_asked_once_an_episode_and_forgotten() -> None:
    asked = []

    def oracle() -> list[ToolCall]:
        asked.append(1)
        return [ToolCall("pick"), ToolCall("open")]

    policy = OraclePolicy()
    context = Context("e", "", ["task"], oracle=oracle)
    first = policy.act([context])[0]
    context.decisions.append(first)
    second = policy.act([context])[0]
    context.decisions.append(second)
    assert [first.action, second.action] == ["pick[]", "open[]"]
    assert policy.act([context])[0].stop_reason == "oracle_exhausted"
    assert len(asked) == 1
    policy.forget("e")
    assert policy.act([Context("e", "", ["task"], oracle=oracle)])[0].action == "pick[]"


def test_an_environment_without_an_oracle_is_named() -> None:
    with pytest.raises(ValueError, match="'e7' has no oracle"):
        OraclePolicy().act([Context("e7", "", ["task"])])


def test_scripts() -> None:
    episodes = collect(ScriptedPolicy(["move[left]", "move[right]"]), KeyDoorEnv(), 2, seed=0)
    assert [[t.action for t in e.turns] for e in episodes] == [["move[left]", "move[right]"]] * 2
    assert {e.stop_reason for e in episodes} == {"script_ended"}
    by_function = ScriptedPolicy(lambda context: "move[left]" if context.turn % 2 == 0 else "move[right]")
    assert collect(by_function, KeyDoorEnv(), 1, seed=0)[0].stop_reason == "max_turns"
    with pytest.raises(TypeError, match="list of actions or a function"):
        ScriptedPolicy("move[left]")


def test_oracle_solves_all_and_the_others_next_to_nothing() -> None:
    assert success_rate(collect(OraclePolicy(), KeyDoorEnv(), 20, seed=0)) == 1.0
    assert success_rate(collect(NoOpPolicy(), KeyDoorEnv(), 20, seed=0)) == 0.0
    assert success_rate(collect(RandomPolicy(0), KeyDoorEnv(), 100, seed=0)) < 0.5
    assert all(isinstance(p, Policy) for p in (OraclePolicy(), NoOpPolicy(), RandomPolicy(), ScriptedPolicy([])))
