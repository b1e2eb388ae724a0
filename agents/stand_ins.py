"""What stands in for a method's model when credit is measured: the truth, blurred by as much noise as one asks for.

A probe, a critic or a process reward model is as good as its training. To compare methods and not models, each
stand-in is the exact quantity that such a model is trained towards, plus an error that is drawn once for each state (or
choice) and stays: a model errs in the same way whenever it meets the same text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from turnwise.rewards.batch import FloatArray, IntArray, TurnBatch
from turnwise.rewards.method import MethodRecord

LEAST_PROBABILITY = 1e-3
"""What a probe gives an answer that cannot be reached any more."""
IMPLICIT_BETA = 0.05
"""The published beta of implicit reward models, for those that have no default."""


class NoStandInError(LookupError):
    """A method needs something that cannot be had from values and choices; the message names it."""


@dataclass(frozen=True)
class Exploration:
    """Rollouts made before, for what is fitted: the choice code of each turn, and the outcomes.

    Attributes:
        batch: N trajectories, M turns.
        choice: (M,) as in the case that is measured.
    """

    batch: TurnBatch
    choice: IntArray


@dataclass(frozen=True)
class Case:
    """Sampled turns with the truth about them.

    Attributes:
        batch: N trajectories, M turns.
        state: (M,) code of the state before each turn.
        next_state: (M,) code of the state after it.
        choice: (M,) code of state and action together.
        value: (M,) true value of the state before the turn, under the policy that was sampled.
        action_value: (M,) true value of the action in it.
        tolerance: (M,) or scalar: advantages no larger than this count as 0.
        exploration: Other rollouts of the same policy; default the same ones.
        entropy: (M,) entropy (nats) of the policy in the state before each turn, where it is known.
    """

    batch: TurnBatch
    state: IntArray
    next_state: IntArray
    choice: IntArray
    value: FloatArray
    action_value: FloatArray
    tolerance: FloatArray | float = 1e-9
    exploration: Exploration | None = None
    entropy: FloatArray | None = None

    @property
    def advantage(self) -> FloatArray:
        """(M,) the true advantage."""
        return self.action_value - self.value


StandIn = Callable[[Case, float, np.random.Generator], Any]


def inputs_for(record: MethodRecord, case: Case, *, noise: float, rng: np.random.Generator) -> dict[str, Any]:
    """Keyword arguments with which a method can run, and the batch where it must not be the case's own.

    Arguments that a method cannot do without, and those that name a channel by default, are looked up in `STAND_INS`
    by that channel's name or their own; all others keep their defaults.

    Args:
        record: The method.
        case: Turns and truth.
        noise: Standard deviation of a stand-in's error, in units of the outcome.
        rng: Draws the errors.

    Raises:
        NoStandInError: There is none for some argument, or the function is not one of a `TurnBatch`.
    """
    parameters = list(inspect.signature(record.function).parameters.values())
    if not parameters or parameters[0].name != "batch":
        raise NoStandInError("it is not a function of a TurnBatch")
    inputs = {p.name: _stand_in(p, case, noise, rng) for p in parameters[1:] if _is_needed(p)}
    if "match" in inputs:  # a method of agreement with an expert is paid for it in every turn
        inputs["batch"] = replace(case.batch, reward=inputs["match"])
    return inputs


def describe_inputs(record: MethodRecord) -> str:
    """What stands in for the method's model, in words; empty where it needs none."""
    needed = [p for p in list(inspect.signature(record.function).parameters.values())[1:] if _is_needed(p)]
    return "; ".join(f"{p.name}: {DESCRIPTIONS[_key(p)]}" for p in needed if _key(p) in DESCRIPTIONS)


def _is_needed(parameter: inspect.Parameter) -> bool:
    if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
        return False
    names_channel = isinstance(parameter.default, str) and str(parameter.annotation).startswith("str | ArrayLike")
    return parameter.default is parameter.empty or names_channel


def _key(parameter: inspect.Parameter) -> str:
    """The channel that an argument names by default, where something stands in for that; else its own name."""
    return parameter.default if parameter.default in STAND_INS else parameter.name


def _stand_in(parameter: inspect.Parameter, case: Case, noise: float, rng: np.random.Generator) -> Any:
    if _key(parameter) not in STAND_INS:
        raise NoStandInError(f"nothing stands in for its argument {parameter.name!r}")
    return STAND_INS[_key(parameter)](case, noise, rng)


def _state_value(case: Case, noise: float, rng: np.random.Generator) -> FloatArray:
    """(M,) value of the state before each turn, with one lasting error a state."""
    return case.value + noise * _per_code(case.state, rng)


def _action_value(case: Case, noise: float, rng: np.random.Generator) -> FloatArray:
    """(M,) value of each choice, with one lasting error a choice."""
    return case.action_value + noise * _per_code(case.choice, rng)


def _log_ratio(case: Case, noise: float, rng: np.random.Generator) -> FloatArray:
    """(M,) what beta times the log-ratio of a trained implicit reward model tends to, over beta."""
    return (case.advantage + noise * _per_code(case.choice, rng)) / IMPLICIT_BETA


def _answer_logprob(case: Case, noise: float, rng: np.random.Generator) -> FloatArray:
    return np.log(np.clip(_state_value(case, noise, rng), LEAST_PROBABILITY, 1.0))


def _bonus_levels(case: Case, noise: float, rng: np.random.Generator) -> list[FloatArray]:
    if "bonus" not in case.batch.channels:
        raise NoStandInError("the environment pays no turn reward beside the outcome")
    return [case.batch.channel("bonus")]


def _unit_score(case: Case, noise: float, rng: np.random.Generator) -> FloatArray:
    return np.clip(_action_value(case, noise, rng), 0.0, 1.0)


def _entropy(case: Case, noise: float, rng: np.random.Generator) -> FloatArray:
    if case.entropy is None:
        raise NoStandInError("the entropy of the policy is not known")
    return case.entropy


def _half_of_a_group(case: Case, noise: float, rng: np.random.Generator) -> int:
    return max(1, int(np.unique(case.batch.group, return_counts=True)[1].min()) // 2)


def fitted_progress(case: Case, noise: float, rng: np.random.Generator, *, l2: float = 1.0) -> FloatArray:
    """(M,) SPA's progress: one number a choice, fitted by ridge regression so that their sum predicts the outcome.

    It is learnt from the exploration rollouts, and `noise` is not used: its error is that of the fit.
    """
    explored = case.exploration or Exploration(case.batch, case.choice)
    _, code = np.unique(np.concatenate([explored.choice, case.choice]), return_inverse=True)
    seen, wanted = np.split(code.reshape(-1), [explored.batch.turns])
    counts = np.zeros((len(explored.batch), int(code.max(initial=0)) + 1))
    np.add.at(counts, (explored.batch.row, seen), 1.0)
    # N rollouts are fewer than the choices: solve N equations, not one a choice.
    dual = np.linalg.solve(counts @ counts.T + l2 * np.eye(len(counts)), explored.batch.outcome)
    progress: FloatArray = (counts.T @ dual)[wanted]
    return progress


def _per_code(code: IntArray, rng: np.random.Generator) -> FloatArray:
    """(M,) standard normal numbers, the same wherever the code is the same."""
    _, compact = np.unique(code, return_inverse=True)
    drawn: FloatArray = rng.standard_normal(int(compact.max(initial=0)) + 1)[compact.reshape(-1)]
    return drawn


STAND_INS: Mapping[str, StandIn] = {
    "probe": _answer_logprob,
    "values": _state_value,
    "progress": fitted_progress,
    "log_ratio": _log_ratio,
    "process_score": lambda case, noise, rng: 2.0 * _unit_score(case, noise, rng) - 1.0,
    "checklist_score": _unit_score,
    "process": _unit_score,
    "q1": _action_value,
    "q2": _action_value,
    "v1": _state_value,
    "v2": _state_value,
    "entropy": _entropy,
    "match": lambda case, noise, rng: (case.advantage >= -np.asarray(case.tolerance)).astype(np.float64),
    "action": lambda case, noise, rng: case.choice,
    "levels": _bonus_levels,
    "thresholds": lambda case, noise, rng: [0.5],
    "beta": lambda case, noise, rng: IMPLICIT_BETA,
    "window": lambda case, noise, rng: 0,
    "repeats": lambda case, noise, rng: "once",
    "branch_weight": lambda case, noise, rng: 1.0,
    "entropy_weight": lambda case, noise, rng: 0.5,
    "kept": _half_of_a_group,
    "rng": lambda case, noise, rng: rng,
}
"""By the name of a channel or of an argument: a function of (case, noise, generator)."""

DESCRIPTIONS: Mapping[str, str] = {
    "probe": "log of the true value of the state + noise",
    "values": "true value of the state + noise",
    "progress": "ridge regression on other rollouts",
    "log_ratio": "(true advantage + noise) over beta 0.05",
    "process_score": "true action value + noise, from -1 to 1",
    "checklist_score": "true action value + noise, from 0 to 1",
    "process": "true action value + noise, from 0 to 1",
    "q1": "true action value + noise",
    "q2": "the same with other noise",
    "v1": "true value of the state + noise",
    "v2": "the same with other noise",
    "entropy": "true entropy of the policy",
    "match": "whether the true advantage is not negative",
    "levels": "the environment's bonus",
    "thresholds": "0.5",
    "beta": "0.05",
    "window": "0",
    "repeats": "once",
    "branch_weight": "1",
    "entropy_weight": "0.5",
    "kept": "half of a group",
}
"""What each stand-in is, in words."""
