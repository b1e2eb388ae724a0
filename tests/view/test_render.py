from __future__ import annotations

import math
import re

import numpy as np
import pytest
from key_door import KeyDoorEnv

from turnwise.rewards import Trajectory, Turn
from turnwise.view import Section, comparison_table, line_chart, render, summarize
from turnwise.view.text import block, visible


def random_episode(seed: int, reply: str = "") -> Trajectory:
    """A real episode of the corridor, by an agent that picks among all actions."""
    env, rng = KeyDoorEnv(), np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    trajectory = Trajectory(task_id=info["task_id"], instructions=env.instructions, privileged=info["privileged"])
    while not info["stop_reason"]:
        action = str(rng.choice(["move[left]", "move[right]", "pick[]", "open[]"]))
        following, reward, terminated, truncated, info = env.step(action)
        trajectory.turns.append(
            Turn(
                len(trajectory),
                observation,
                action,
                following + reply,
                reward,
                valid=info["is_action_valid"],
                channels=dict(info["reward_terms"]),
                events=info["events"],
                privileged=info["privileged"],
            )
        )
        observation = following + reply
    trajectory.terminated, trajectory.truncated = terminated, truncated
    trajectory.stop_reason = info["stop_reason"]
    return trajectory


def test_the_summary_counts_real_episodes() -> None:
    episodes = [random_episode(seed) for seed in range(40)]
    summary = summarize(episodes)
    assert summary.episodes == 40
    assert summary.turns == sum(len(e) for e in episodes)
    assert summary.success.count == sum(e.outcome == 1.0 for e in episodes)
    assert 0 < summary.success.count < 40
    assert summary.success.interval[0] < summary.success_rate < summary.success.interval[1]
    assert summary.stop_reasons.keys() <= {"completed", "max_turns"}
    outcome, progress = summary.terms
    assert (outcome.name, outcome.total) == ("outcome", summary.success.count)
    assert (progress.name, progress.total) == ("progress", 0.5 * progress.paid)
    page = render(episodes)
    assert f"{summary.success.count} of 40" in page
    assert page.count('class="episode panel"') == 40
    assert page.count('class="turn"') == summary.turns
    assert page.count("invalid action</span>") == summary.invalid


def test_hindsight_rewards_and_group_advantages_are_terms_of_their_own() -> None:
    trajectory = Trajectory([Turn(i, "o", "a", "o", channels={"outcome": 0.0}) for i in range(2)])
    trajectory.turn_rewards, trajectory.turn_advantages = [0.25, 0.5], [-1.5, 2.0]
    terms = {term.name: term for term in summarize([trajectory]).terms}
    assert list(terms) == ["outcome", "turn_rewards", "turn_advantages"]
    assert (terms["turn_rewards"].mean, terms["turn_advantages"].lowest) == (0.75, -1.5)
    page = render([trajectory])
    assert "hindsight reward" in page and "−1.5" in page and "+2" in page


def test_privileged_data_needs_the_flag() -> None:
    secret = Trajectory(
        [Turn(0, "o", "a", privileged={"milestone": "only-after-the-turn"})], privileged={"answer": "<b>forty-two</b>"}
    )
    page = render([secret])
    assert "forty-two" not in page and "only-after-the-turn" not in page
    page = render([secret], privileged=True)
    assert "&lt;b&gt;forty-two&lt;/b&gt;" in page and "only-after-the-turn" in page
    assert page.count('<details class="privileged">') == 2


def test_what_the_agent_saw_is_printed_once_unless_it_changed() -> None:
    turns = [Turn(0, "the task", "a", "a room"), Turn(1, "a room", "b", "a hall"), Turn(2, "hall (short)", "c", "end")]
    page = render([Trajectory(turns)])
    assert page.count("Agent saw") == 2
    assert page.count("<code>a room</code>") == 1
    assert page.count("<code>hall (short)</code>") == 1


def test_a_hundred_long_episodes_stay_below_five_megabytes() -> None:
    reply = "\n" + "\n".join(f"[{i}] Product {i}: 100% cotton, machine washable, size M, ${i}.99" for i in range(25))
    episodes = [random_episode(seed, reply) for seed in range(100)]
    assert sum(len(e) for e in episodes) > 700
    per_turn = len(render(episodes).encode()) / sum(len(e) for e in episodes)
    assert per_turn * 100 * 15 < 5e6


def test_the_same_trajectories_give_the_same_page() -> None:
    assert render([random_episode(3)]) == render([random_episode(3)])


def test_odd_trajectories_render() -> None:
    nan = Trajectory([Turn(0, "", "", channels={"outcome": math.nan, "gain": math.inf})], stop_reason="\x00\ud800")
    page = render([Trajectory(), nan], title="\ud800")
    assert page.encode("utf-8") and "No turn was taken." in page and "(nothing)" in page
    assert "There are no episodes here." in render([])


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = render([random_episode(0)], sections=[Section("Curve", line_chart({"a": [(0, 0), (1, 1)]}))])
    assert re.findall(r"(?:src|href)=(?![\"']?data:)", page) == []
    assert "url(" not in page and "@import" not in page


def test_section_titles_are_text_and_bodies_html() -> None:
    page = render([], sections=[Section("<i>A</i>", "<i>B</i>")])
    assert "&lt;i&gt;A&lt;/i&gt;" in page and "<i>B</i>" in page


def test_text_that_would_reorder_or_break_a_page_is_made_visible() -> None:
    assert visible("\u202eabc\u202c") == "⟨right-to-left override⟩abc⟨pop directional formatting⟩"
    assert visible("\x1b[31m") == "␛[31m"


def test_blocks_lose_nothing_but_what_they_say_they_cut() -> None:
    text = "\n".join(f"line {i}" for i in range(30))
    folded = block(text)
    assert folded.head + "\n" + folded.rest == text
    assert folded.lines == 22
    long = block("y" * 10_000)
    assert len(long.head) + len(long.rest) + long.cut == 10_000
    assert block("ten short\nlines\n" * 4 + "and one").rest == ""


def with_milestones(submitted: bool, patched: bool) -> Trajectory:
    channels = {"outcome": 0.0, "submitted": float(submitted), "patched": float(patched)}
    milestones = {"submitted": "completion", "patched": "<b>modification"}
    return Trajectory([Turn(0, "o", "a", "o", channels=channels)], milestones=milestones)


def test_each_milestone_has_a_rate_on_the_page() -> None:
    page = render([with_milestones(True, False), with_milestones(True, True), with_milestones(False, False)])
    figures = re.findall(r"<dt>([^/]+) rate</dt><dd>(\d+)%<small>(\d of \d) · 95 % CI \d+% to \d+%<", page)
    assert figures == [
        ("Success", "0", "0 of 3"),
        ("Completion", "67", "2 of 3"),
        ("&lt;b&gt;modification", "33", "1 of 3"),
    ]
    assert "Completion" not in render([random_episode(0)])


def test_milestones_have_a_column_each_side_by_side() -> None:
    table = comparison_table({"patch": [with_milestones(True, True)], "door": [random_episode(0)]})
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", table)
    assert heads == [
        "",
        "Success",
        "Completion",
        "&lt;b&gt;modification",
        "95 % CI",
        "Outcome",
        "Reward",
        "Turns",
        "Episodes",
    ]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in table.split("<tr>")[2:]]
    assert [row[2:4] for row in rows] == [["100%", "100%"], ["–", "–"]]
    assert all(len(row) == len(heads) for row in rows)


def test_line_chart_scales_and_escapes() -> None:
    svg = line_chart(
        {"<a>": [(0, 0), (10, 1)], "b": [(0, 1), (10, 0)]},
        x_label="updates & steps",
        y_range=(0, 1),
        bands={"b": [(0, 0.9, 1.0), (10, 0.0, 0.1)]},
    )
    first, second = re.findall(r'<polyline class="c\d" points="([^"]+)"', svg)
    assert first.split()[0].split(",")[0] == second.split()[0].split(",")[0]
    assert first.split()[0].split(",")[1] == second.split()[1].split(",")[1]
    assert "&lt;a&gt;" in svg and "<a>" not in svg and "updates &amp; steps" in svg
    assert '<polygon class="c1"' in svg
    with pytest.raises(ValueError, match="at least one point"):
        line_chart({"a": []})
    with pytest.raises(ValueError, match="finite"):
        line_chart({"a": [(0, math.nan)]})
