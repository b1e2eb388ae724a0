"""StepTool's labels, ToolRL as a turn reward, and Reasoning-SQL's parts."""

from __future__ import annotations

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.rewards import Turn
from turnwise.rewards.turns import ReasoningSQLReward, StepToolReward, ToolRLReward, query_runner
from turnwise.rewards.turns.reasoning_sql import PARTS, jaccard, ngram_similarity, schema_items, sql_reward
from turnwise.rewards.turns.step_tool import call_contributed, call_succeeded

ATOL = 2e-6


@pytest.mark.parametrize(
    ("reply", "succeeded"),
    [
        ('{"error": "", "response": "fine"}', True),
        ('{"error": "", "response": {"status": 400}}', False),
        ('{"error": "", "response": {"status": 200}}', True),
        ('{"error": "", "response": [1]}', True),
        ('{"error": "", "response": 7}', True),
        ('{"error": "timeout", "response": ""}', False),
        ('{"error": "", "response": "something went wrong"}', False),
        ('{"error": "", "response": "cut off in the mid', True),
        ('{"error": "cut off in the mid', False),
        ("Please give a city.", False),
        ("The list is empty.", False),
        ("7 degrees", True),
        ("[]", True),
        ("[" * 100_000, True),
        ('"an error"', False),
    ],
)
def test_rules_for_success(reply, succeeded):
    assert call_succeeded(reply) is succeeded


@pytest.mark.parametrize(
    ("reply", "succeeded"),
    [
        ('{"error": "", "response": {"status": 400}}', True),
        ('{"error": "", "response": "something went wrong"}', True),
        ('{"error":"", "response": {"status": 400}}', False),
        ('{"error":"","response":"something went wrong"}', False),
        ('{"error": "timeout", "response": ""}', False),
    ],
)
def test_the_released_rule_looks_at_the_spelling_first(reply, succeeded):
    assert call_succeeded(reply, compat="released") is succeeded
    with pytest.raises(ValueError, match="compat must be None or 'released'"):
        call_succeeded(reply, compat="paper")


@given(st.text())
def test_no_reply_raises(reply):
    assert call_succeeded(reply) in (True, False)
    assert call_contributed(reply, reply) is (reply != "")
    assert call_contributed(reply, "") is False


def test_contribution_is_a_share_of_the_reply():
    assert call_contributed("abcdefghij", "abc", threshold=0.3)
    assert not call_contributed("abcdefghij", "ab", threshold=0.3)


CALL = ({"name": "weather", "arguments": {}},)


def test_step_tool_published_numbers(vectors):
    reward = StepToolReward("label", contribution_values={i: i / 5 for i in range(6)}, alpha=1.0, success="success")
    turns = [
        Turn(0, "", "", tool_calls=CALL, privileged={"success": success, "label": label})
        for success, label in [(1, 4), (0, 1)]
    ]
    assert [reward(turn) for turn in turns] == pytest.approx(vectors["steptool_mid"], abs=ATOL)
    assert reward.needs == {"label", "success"}


def test_step_tool_by_rule():
    reward = StepToolReward(contribution_values={}, alpha=0.5)
    assert reward(Turn(0, "", "", "fine", tool_calls=CALL)) == 0.5
    assert reward(Turn(0, "", "", "fine", tool_calls=CALL, valid=False)) == 0.0
    assert reward(Turn(0, "", "", "fine")) == 0.0
    assert reward.needs == frozenset()


def test_step_tool_without_a_value_for_a_label():
    reward = StepToolReward("label", contribution_values={0: 0.0}, alpha=1.0)
    with pytest.raises(KeyError, match="contribution_values has no value for the label 3"):
        reward(Turn(0, "", "", "fine", tool_calls=CALL, privileged={"label": 3}))
    with pytest.raises(TypeError, match="contribution_values"):
        StepToolReward("label", alpha=1.0)


GOLD = [{"name": "weather", "arguments": {"city": "Paris"}}]


def message(calls, response=None):
    lines = "\n".join(json.dumps(call) for call in calls)
    text = "<think>hm</think>" + (f"\n<tool_call>\n{lines}\n</tool_call>" if calls else "")
    return text + (f"\n<response>{response}</response>" if response else "")


def toolrl(text, gold, reward=None, **turn):
    return (reward or ToolRLReward())(Turn(0, "", text, privileged={"gold_calls": gold}, **turn))


def test_toolrl_adds_layout_and_correctness():
    assert toolrl(message(GOLD), GOLD) == 4.0
    assert toolrl(json.dumps(GOLD[0]), GOLD) == 3.0
    assert toolrl("no idea", GOLD) == -3.0
    assert toolrl(message([], "Hello"), []) == 1.0
    assert toolrl("Hello", []) == 0.0
    assert toolrl(message(GOLD, "Let me see."), GOLD) == 3.0
    assert toolrl(message(GOLD, "Let me see."), GOLD, ToolRLReward(response=lambda turn: True)) == 4.0


def test_toolrl_on_parsed_calls():
    reward = ToolRLReward(predicted="parsed", format_weight=0.0)
    assert toolrl("weather[Paris]", GOLD, reward, tool_calls=tuple(GOLD)) == 3.0
    assert toolrl("?", GOLD, reward) == -3.0
    with pytest.raises(ValueError, match="predicted must be 'text' or 'parsed'"):
        ToolRLReward(predicted="guess")


@given(st.text())
def test_toolrl_bounds(text):
    assert -3.0 <= toolrl(text, GOLD) <= 4.0


def test_sql_published_numbers(vectors):
    schema = jaccard({"t.a", "t.b", "u.c"}, {"t.a", "u.c", "u.d"})
    ngram = ngram_similarity("select a from t where b = 1", "select a from t where c = 1")
    assert schema == pytest.approx(vectors["sql_schema"], abs=ATOL)
    assert ngram == pytest.approx(vectors["sql_bigram"], abs=ATOL)
    weights = dict(zip(PARTS, (3, 2, 1, 1, 1, 1), strict=True))
    parts = {"execution": 0, "judge": 0.5, "syntax": 1, "schema": schema, "ngram": ngram, "format": 1}
    assert sql_reward(parts, weights) == pytest.approx(vectors["sql_total_example"], abs=ATOL)


@pytest.fixture
def database():
    connection = sqlite3.connect(":memory:")
    connection.executescript("create table t (a, b); insert into t values (1, 2), (3, 4)")
    yield connection
    connection.close()


def run_on(connection):
    return query_runner(connection.execute, (sqlite3.Error, sqlite3.Warning, ValueError))


def test_only_the_named_errors_mean_a_bad_query(database):
    assert run_on(database)("select a from t") == [(1,), (3,)]
    assert query_runner(database.execute, (), max_rows=1)("select a from t") == [(1,)]
    with pytest.raises(sqlite3.OperationalError):
        query_runner(database.execute, (ValueError,))("selekt")


@pytest.fixture
def sql_facts():
    return {"gold_sql": "select a from t", "schema": {"t": ["a", "b"]}, "opinion": 0.5}


def sql_turn(query, facts):
    return Turn(0, "", "", tool_calls=({"name": "sql", "arguments": {"query": query}},), privileged=facts)


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("select a from t order by a desc", (1, 0, 1, 1)),  # the same rows in another order
        ("select b from t", (0, 0.5, 1, 1 / 3)),
        ("select a from u", (0, 0.5, 0, 0)),
        ("drop everything", (0, 0.5, 0, 0)),
        ("select 1; select 2", (0, 0.5, 0, 0)),
        ("select '\0'", (0, 0.5, 0, 0)),
    ],
)
def test_sql_parts_run_for_real(query, parts, database, sql_facts):
    weights = {"execution": 3, "judge": 2, "syntax": 1, "schema": 1}
    reward = ReasoningSQLReward(run_on(database), weights, schema="schema", judge="opinion")
    turn = sql_turn(query, sql_facts)
    if "\0" in query:
        assert reward.parts(turn, query)["execution"] == 0
    else:
        assert list(reward.parts(turn, query).values()) == pytest.approx(list(parts))
        assert reward(turn) == pytest.approx(3 * parts[0] + 2 * parts[1] + parts[2] + parts[3])
    assert reward(Turn(0, "", "hello", privileged=sql_facts)) == 0.0


def test_sql_arguments_are_checked(database):
    run = run_on(database)
    with pytest.raises(ValueError, match=r"unknown parts \['speed'\]"):
        ReasoningSQLReward(run, {"speed": 1.0})
    with pytest.raises(ValueError, match=r"\['judge'\], which need"):
        ReasoningSQLReward(run, {"judge": 1.0})
    with pytest.raises(ValueError, match="n must be at least 1"):
        ngram_similarity("a", "b", 0)


@given(st.text(), st.text())
def test_similarities_are_symmetric_shares(left, right):
    assert 0.0 <= ngram_similarity(left, right) == ngram_similarity(right, left) <= 1.0
    assert ngram_similarity(left, left) == 1.0
    assert schema_items(left, {"t": ["a"]}) <= {"t", "t.a"}
