"""What a search episode shows of its evidence: what was handed in and cited, which steps of the chain it supports.

A chain is a list of steps `{"question", "answer", "document"}`, in order; a step without a document follows from the
steps before it. Citations are ids of documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from turnwise.rewards.batch import BoolArray, FloatArray
from turnwise.rewards.facts import read_fact
from turnwise.rewards.outcome import normalize_answer, token_f1
from turnwise.rewards.trajectory import Trajectory

ANSWER = "E0"
"""The entity that is the answer, as in `carr`."""

Step = Mapping[str, Any]


def handed_in(trajectory: Trajectory) -> str | None:
    """The argument `text` of the call that ended the episode; None where nothing was handed in.

    >>> from turnwise.rewards.trajectory import Turn
    >>> call = {"name": "answer", "arguments": {"text": "Paris"}}
    >>> handed_in(Trajectory([Turn(0, "", "", terminated=True, tool_calls=(call,))], terminated=True))
    'Paris'
    """
    if not trajectory.terminated or not trajectory.turns:
        return None
    for call in reversed(trajectory.turns[-1].tool_calls):
        text = call.get("arguments", {}).get("text")
        if text is not None:
            return str(text)
    return None


def chain_rubrics(chain: Sequence[Step]) -> list[frozenset[str]]:
    """The entities of each step, as `carr` takes them: its answer, and the other answers that its question names.

    A list of answers, separated by semicolons, is several entities. A step that follows from earlier ones is connected
    with their answers, and the last step with those that no step in between names. The answer of the last step is the
    entity `E0`.

    >>> chain = [
    ...     {"question": "Who taught Ann Lee?", "answer": "Bo Ek", "document": "d1"},
    ...     {"question": "Where was Bo Ek born?", "answer": "Oslo", "document": "d2"},
    ... ]
    >>> [sorted(entities) for entities in chain_rubrics(chain)]
    [['bo ek'], ['E0', 'bo ek']]
    """
    answers = [_names(step["answer"]) for step in chain]
    known = {name for names in answers for name in names}
    rubrics = []
    for number, step in enumerate(chain):
        asked = f" {normalize_answer(step['question'])} "
        entities = {*answers[number], *(name for name in known if f" {name} " in asked)}
        if not step["document"]:
            entities.update(*answers[:number])
        rubrics.append(entities)
    for number, names in enumerate(answers[:-1]):
        if rubrics[number + 1 :] and not set().union(*rubrics[number + 1 :]) & set(names):
            rubrics[-1].update(names)
    last = set(answers[-1]) if answers else set()
    named = [frozenset(ANSWER if name in last else name for name in entities) for entities in rubrics]
    return [*named[:-1], named[-1] | {ANSWER}] if named else []


def chain_support(chain: Sequence[Step], cited: Sequence[str]) -> list[bool]:
    """Whether citations support each step: its document is cited. Of one without, all steps before it are supported.

    >>> steps = [{"document": "d1"}, {"document": "d2"}, {"document": ""}]
    >>> chain_support(steps, ["d1", "d9"]), chain_support(steps, ["d1", "d2"])
    ([True, False, False], [True, True, True])
    """
    support: list[bool] = []
    for step in chain:
        support.append(step["document"] in cited if step["document"] else all(support))
    return support


def citation_precision(chain: Sequence[Step], cited: Sequence[str]) -> float:
    """The share of the different cited documents on which a step rests; 0 where nothing is cited.

    >>> citation_precision([{"document": "d1"}, {"document": ""}], ["d1", "d2", "d1"])
    0.5
    """
    wanted = {step["document"] for step in chain if step["document"]}
    given = set(cited)
    return len(given & wanted) / len(given) if given else 0.0


def found_evidence(trajectory: Trajectory, *, fresh: bool = True) -> FloatArray:
    """(T,) the share of the gold documents that each turn's searches returned: a process score without a model.

    Args:
        trajectory: Its turns have the privileged keys `retrieved_chunks` and `gold_chunks`.
        fresh: Only those that no earlier turn returned. False judges each turn as if it were the first, as a process
            reward model does that sees single steps.
    """
    scores = np.zeros(len(trajectory))
    seen: set[str] = set()
    for t, turn in enumerate(trajectory.turns):
        gold = set(read_fact("gold_chunks", turn, "gold"))
        found = gold & set(read_fact("retrieved_chunks", turn, "found"))
        scores[t] = len(found - seen if fresh else found) / max(len(gold), 1)
        seen |= found
    return scores


def answer_f1(trajectory: Trajectory) -> float:
    """Token F1 of what was handed in with the best of the privileged `aliases`; 0 where nothing was."""
    answer, aliases = handed_in(trajectory), read_fact("aliases", trajectory, "aliases")
    return token_f1(answer, aliases, style="hotpotqa") if answer is not None and aliases else 0.0


def all_turns_valid(trajectory: Trajectory) -> bool:
    """Whether every action could be parsed and carried out, and the last one ended the task."""
    return trajectory.terminated and all(turn.valid for turn in trajectory.turns)


def repeated_calls(trajectory: Trajectory) -> BoolArray:
    """(T,) whether a turn makes exactly the calls of an earlier turn."""
    seen: set[str] = set()
    repeated = np.zeros(len(trajectory), dtype=np.bool_)
    for t, turn in enumerate(trajectory.turns):
        calls = repr(turn.tool_calls)
        repeated[t] = bool(turn.tool_calls) and calls in seen
        seen.add(calls)
    return repeated


def _names(answer: str) -> list[str]:
    return [name for part in answer.split(";") if (name := normalize_answer(part))]
