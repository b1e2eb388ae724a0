"""StepTool, turn by turn: did the call succeed, and did what it returned go into the answer?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from turnwise.rewards.facts import Fact, privileged_keys, read_fact
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.sequences import lcs_length
from turnwise.rewards.trajectory import Turn

LabelValue: TypeAlias = Mapping[Any, float] | Callable[[Any], float]
"""What a label is worth: a table, or a function. The published mapping of the labels to numbers is not known."""

_EMPTY_ERROR = '{"error": "", "response": '


def call_succeeded(response: str, *, compat: Literal["released"] | None = None) -> bool:
    r"""Whether a tool's reply reads like a success, by the authors' rules.

    A reply `{"error": ..., "response": ...}` succeeds if its error is empty and its response is no status 400; text,
    also as the response, fails if it contains `wrong`, `error` or `is empty`, or starts with `Please`. A JSON reply
    that was cut off succeeds if it begins with an empty error.

    Args:
        response: The tool's reply, JSON or plain text. Nothing in it raises.
        compat: `released` does what the released notebook does: a reply that begins `{"error": "", "response": `, in
            this very spelling, succeeds whatever follows, and its response is not looked at.

    Raises:
        ValueError: `compat` is unknown.

    Source: StepTool (arXiv 2410.07745), the annotation rules of its repository. Provenance: verified for JSON replies
    (`released` by running the notebook); judging other replies by the rule for text is ours.

    >>> call_succeeded('{"error": "", "response": {"temperature": 7}}'), call_succeeded("Please log in first.")
    (True, False)
    """
    if compat not in (None, "released"):
        raise ValueError(f"compat must be None or 'released', got {compat!r}")
    if compat == "released" and response.startswith(_EMPTY_ERROR):
        return True
    try:
        reply = json.loads(response)
    except (ValueError, RecursionError):
        if response.startswith('{"error": "'):
            return response.startswith(_EMPTY_ERROR)
        return _reads_like_success(response)
    if not isinstance(reply, dict):
        return not isinstance(reply, str) or _reads_like_success(reply)
    if reply.get("error", "") != "":
        return False
    inner = reply.get("response", "")
    if isinstance(inner, dict):
        return bool(inner.get("status") != 400)
    return not isinstance(inner, str) or _reads_like_success(inner)


def call_contributed(response: str, answer: str, *, threshold: float = 0.3) -> bool:
    """Whether a good part of a tool's reply is found again, character by character, in the final answer.

    Args:
        response: The tool's reply (of a JSON reply: its `response`, as text).
        answer: The final answer.
        threshold: Smallest share of the reply that must be a common subsequence with the answer.

    Source: StepTool (arXiv 2410.07745), the annotation rules of its repository. Provenance: read.

    >>> call_contributed("7 degrees", "It has 7 degrees there."), call_contributed("7 degrees", "No!")
    (True, False)
    """
    return bool(response) and lcs_length(response, answer) / len(response) >= threshold


def label_value(values: LabelValue, label: Any, argument: str) -> float:
    """What a label is worth.

    Raises:
        KeyError: The table lacks the label; the message names the argument and the labels it has.

    >>> label_value({0: 0.0, 5: 1.0}, 5, "contribution_values")
    1.0
    """
    if callable(values):
        return float(values(label))
    if label not in values:
        raise KeyError(f"{argument} has no value for the label {label!r}; it has {list(values)}")
    return float(values[label])


class StepToolReward:
    """`alpha * (success + contribution)` of each turn that calls a tool, with what can be known inside `step`.

    Whether a reply went into the answer is known only at the end, as is the published reward of the last turn (whether
    the task was solved), see `turnwise.rewards.episodes.StepToolEpisodeReward`. A turn without a call is paid 0.

    Args:
        contribution: The turn's contribution label, where the environment knows it; None counts success only.
        contribution_values: What each contribution label is worth. The published labels are 0 to 5 from a judge, or 0
            and 1 by rule; their values are not known, so there is no default.
        alpha: Weight. The published one is not known.
        success: Whether the call succeeded; default: the action was valid and its reply passes `call_succeeded`.

    Raises:
        KeyError: A fact or a label is missing; the message names it.

    Source: StepTool (arXiv 2410.07745). Provenance: unverified (the labels are the authors', their sum and values
    are not).

    >>> reward = StepToolReward("contribution", contribution_values=lambda label: label / 5, alpha=1.0)
    >>> call = {"name": "weather", "arguments": {"city": "Paris"}}
    >>> reward(Turn(0, "", "", "7 degrees", tool_calls=(call,), privileged={"contribution": 4}))
    1.8
    """

    def __init__(
        self,
        contribution: Fact | None = None,
        *,
        contribution_values: LabelValue,
        alpha: float,
        success: Fact | None = None,
    ) -> None:
        self.contribution, self.contribution_values = contribution, contribution_values
        self.alpha, self.success = alpha, success
        self.needs = privileged_keys(contribution, success)

    def __call__(self, turn: Turn) -> float:
        """The reward of this turn."""
        if not turn.tool_calls:
            return 0.0
        value = float(turn_succeeded(turn) if self.success is None else read_fact(self.success, turn, "success"))
        if self.contribution is not None:
            label = read_fact(self.contribution, turn, "contribution")
            value += label_value(self.contribution_values, label, "contribution_values")
        return self.alpha * value


def turn_succeeded(turn: Turn) -> bool:
    """Whether the turn's action was valid and its reply passes `call_succeeded`.

    >>> turn_succeeded(Turn(0, "", "", "Something went wrong"))
    False
    """
    return turn.valid and call_succeeded(turn.next_observation)


def _reads_like_success(text: str) -> bool:
    return not (text.startswith("Please") or any(word in text for word in ("wrong", "error", "is empty")))


RECORD = MethodRecord(
    name="step_tool",
    function=StepToolReward,
    paper="StepTool: Enhancing Multi-Step Tool Usage in LLMs via Step-Grained Reinforcement Learning",
    arxiv="2410.07745",
    provenance="unverified",
    scope="turn",
    needs=frozenset(),
    min_group=1,
    summary="A tool call is paid for having succeeded and for having contributed to the answer.",
)
