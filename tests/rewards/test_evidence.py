"""What search episodes show of their evidence."""

from __future__ import annotations

import numpy as np
import pytest

from turnwise.rewards import Trajectory, Turn
from turnwise.rewards.episodes.citation_chain import CitationChainReward, counted_steps
from turnwise.rewards.evidence import (
    all_turns_valid,
    answer_f1,
    chain_rubrics,
    chain_support,
    citation_precision,
    found_evidence,
    handed_in,
    repeated_calls,
)


def step(question: str, answer: str, document: str) -> dict[str, str]:
    return {"question": question, "answer": answer, "document": document}


BRIDGE = [
    step("Who taught Ann?", "Bo Ek", "d1"),
    step("Where was Bo Ek born?", "Oslo", "d2"),
    step("How big is Oslo?", "9", "d3"),
]
COMPARISON = [
    step("When was A held?", "1988", "d1"),
    step("When was B held?", "1985", "d2"),
    step("Which was first?", "B", ""),
    step("Who opened B?", "Cy Dunn", "d2"),
]
INTERSECTION = [
    step("Where does Y sit?", "Lorbe", "d1"),
    step("Who has won X?", "P; Q; R", "d2"),
    step("Which of them was born in the home town of Y?", "Q", "d3"),
]
NO_ANSWER = [step("Who taught Ann?", "Bo Ek", "d1"), step("Where was Bo Ek born?", "", "d2")]


@pytest.mark.parametrize("chain", [BRIDGE, COMPARISON, INTERSECTION, NO_ANSWER])
def test_every_step_leads_to_the_answer_when_all_documents_are_cited(chain) -> None:
    cited = [s["document"] for s in chain if s["document"]]
    assert counted_steps(chain, cited).all()
    assert "E0" in chain_rubrics(chain)[-1]
    assert not counted_steps(chain, []).any()


def test_a_gap_cuts_off_what_lies_before_it() -> None:
    assert counted_steps(BRIDGE, ["d1", "d3"]).tolist() == [False, False, True]
    assert counted_steps(BRIDGE, ["d1", "d2"]).tolist() == [False, False, False]
    assert counted_steps(COMPARISON, ["d2"]).tolist() == [False, True, False, True]


def test_a_name_is_not_found_inside_another() -> None:
    chain = [step("Who?", "Lee", "d1"), step("Where is Leeds?", "north", "d2"), step("What of Lee?", "x", "d3")]
    assert chain_rubrics(chain)[1] == {"north"}


def test_support_and_precision() -> None:
    assert chain_support(COMPARISON, ["d1"]) == [True, False, False, False]
    assert chain_support([], ["d1"]) == [] and chain_rubrics([]) == []
    assert citation_precision(BRIDGE, []) == 0.0 and citation_precision(BRIDGE, ["d1", "x", "x", "y"]) == pytest.approx(
        1 / 3
    )


def trajectory(*calls: tuple[str, dict[str, object]], terminated: bool = True, **privileged: object) -> Trajectory:
    turns = [
        Turn(i, "", "", tool_calls=({"name": n, "arguments": a},), privileged=dict(privileged))
        for i, (n, a) in enumerate(calls)
    ]
    turns[-1].terminated = terminated
    return Trajectory(turns, terminated=terminated, privileged=dict(privileged))


def test_the_citation_chain_is_paid_in_the_last_turn() -> None:
    calls = [("search", {"query": "x"}), ("answer", {"text": "9"})]
    reward, precise = CitationChainReward(), CitationChainReward(precise=True)
    cited = trajectory(*calls, chain=BRIDGE, cited_chunks=["d2", "d3", "d8", "d9"])
    assert reward(cited).tolist() == pytest.approx([0.0, 2 / 3]) and precise(cited)[-1] == pytest.approx(1 / 3)
    for unpaid in (
        trajectory(*calls, chain=BRIDGE, cited_chunks=None),
        trajectory(*calls, chain=[], cited_chunks=["d1"]),
        trajectory(*calls, chain=BRIDGE, cited_chunks=["d3"], terminated=False),
    ):
        assert reward(unpaid).tolist() == [0.0, 0.0]
    with pytest.raises(KeyError, match="cited='cited_chunks'"):
        reward(trajectory(*calls, chain=BRIDGE))


def test_what_was_handed_in() -> None:
    done = trajectory(("search", {"query": "x"}), ("answer", {"text": "Paris, France"}), aliases=["Paris"])
    assert handed_in(done) == "Paris, France" and answer_f1(done) == pytest.approx(2 / 3)
    assert handed_in(trajectory(("answer", {"text": "x"}), terminated=False)) is None
    assert handed_in(trajectory(("search", {"query": "x"}))) is None and handed_in(Trajectory(terminated=True)) is None
    assert answer_f1(trajectory(("search", {"query": "x"}), aliases=["x"])) == 0.0
    assert answer_f1(trajectory(("answer", {"text": "x"}), aliases=[])) == 0.0


def test_valid_and_repeated_turns() -> None:
    calls = [("search", {"query": q}) for q in "abab"]
    played = trajectory(*calls)
    assert repeated_calls(played).tolist() == [False, False, True, True] and all_turns_valid(played)
    for turn in played.turns[1:3]:
        turn.valid, turn.tool_calls = False, ()
    assert repeated_calls(played).tolist() == [False] * 4, "an invalid turn has no calls"
    assert not all_turns_valid(played) and not all_turns_valid(trajectory(*calls, terminated=False))


def test_evidence_is_found_once_unless_each_turn_is_judged_alone() -> None:
    turns = [
        Turn(t, "", "", privileged={"gold_chunks": ["a", "b"], "retrieved_chunks": found})
        for t, found in enumerate([["x", "a"], ["a", "b", "b"], [], ["a"]])
    ]
    assert found_evidence(Trajectory(turns)).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert found_evidence(Trajectory(turns), fresh=False).tolist() == [0.5, 1.0, 0.0, 0.5]
    turns[0].privileged["gold_chunks"] = []
    assert np.isfinite(found_evidence(Trajectory(turns[:1]))).all()
