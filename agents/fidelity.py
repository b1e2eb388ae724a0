"""Credit methods measured against the true advantage: `run_fidelity`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace

import numpy as np

from turnwise.agents.fidelity_report import FidelityReport, FidelityRow
from turnwise.agents.stand_ins import Case, Exploration, NoStandInError, describe_inputs, inputs_for
from turnwise.envs.bifurcation import FAMILIES, Sample, Spec, build, sample_batch
from turnwise.rewards.batch import Credit, FloatArray, IntArray
from turnwise.rewards.credit import METHODS
from turnwise.rewards.fidelity import Fidelity, choice_codes, fidelity
from turnwise.rewards.method import MethodRecord
from turnwise.rewards.segments import Segments, normalise
from turnwise.rewards.tabular import ActionValues, epsilon_optimal_policy, evaluate

GROUP_SIZES = (4, 8, 16)
EXPLORATION_ROLLOUTS = 512
CRITIC = "+critic"
"""What a row's method ends in where a tabular critic's baseline was taken off the method's returns."""

MakeCase = Callable[[int, int], Case]
"""A function of (group size, seed) that samples turns and knows the truth about them."""


@dataclass(frozen=True)
class Setting:
    """How fidelity is measured.

    Attributes:
        group_sizes: Rollouts in a group.
        seeds: How many tasks of a family; figures are means over them.
        rollouts: Trajectories sampled for each task and group size.
        epsilon: The policy that is sampled acts at random this often, and else as well as possible.
        noise: Standard deviation of the stand-ins' errors, in units of the outcome.
        repeats: Timed runs of a method; the fastest counts.
    """

    group_sizes: Sequence[int] = GROUP_SIZES
    seeds: int = 5
    rollouts: int = 6_400
    epsilon: float = 0.5
    noise: float = 0.1
    repeats: int = 3


QUICK = Setting(seeds=3, rollouts=1_600, repeats=2)
"""Less of everything: all families and methods in a minute or two."""


def run_fidelity(
    *,
    families: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    setting: Setting | None = None,
    quick: bool = False,
    extra: Mapping[str, MakeCase] | None = None,
    progress: Callable[[str], None] | None = None,
) -> FidelityReport:
    """Measure credit methods against the true advantage.

    Args:
        families: Families of `turnwise/Bifurcation-v0`; default all.
        methods: Names out of `METHODS`; default all. Those that nothing can stand in for are listed as skipped.
        setting: Default `Setting()`, or `QUICK`.
        quick: Use `QUICK`; no other setting may be given.
        extra: More to measure on: a name and a function that makes cases (see `monte_carlo_cases`).
        progress: Called with the name of each family before it is measured.

    Returns:
        One row for each family, group size and method.

    Raises:
        ValueError: A family or a method does not exist, or both `quick` and a setting are given.

    >>> few = Setting(group_sizes=[4], seeds=1, rollouts=80, repeats=1)
    >>> report = run_fidelity(families=["decisive"], methods=["grpo", "gigpo"], setting=few)
    >>> [(row.family, row.group_size, row.method) for row in report.rows]
    [('decisive', 4, 'grpo'), ('decisive', 4, 'gigpo')]
    """
    if quick and setting is not None:
        raise ValueError("quick is a setting of its own: give quick or setting, not both")
    chosen = (QUICK if quick else Setting()) if setting is None else setting
    records = _records(methods)
    cases: dict[str, MakeCase] = {name: tabular_cases(name, chosen) for name in _families(families)}
    cases.update(extra or {})
    rows: list[FidelityRow] = []
    skipped: dict[str, str] = {}
    for family, make in cases.items():
        if progress is not None:
            progress(family)
        for size in chosen.group_sizes:
            rows += _measure(family, size, make, records, chosen, skipped)
    return FidelityReport(tuple(rows), skipped, _describe(chosen))


def tabular_cases(family: str | Spec, setting: Setting) -> MakeCase:
    """Cases of a family of `turnwise/Bifurcation-v0`, with exact values; the seed chooses the task.

    A `Spec` turns the family's dials, for example `Spec("anchors", anchor_rate=1.0)`; hand the result to `run_fidelity`
    as an `extra`.
    """
    spec = Spec(family) if isinstance(family, str) else family

    def make(group_size: int, seed: int) -> Case:
        mdp = build(spec, seed).mdp
        policy = epsilon_optimal_policy(mdp, setting.epsilon)
        rng = np.random.default_rng([seed, group_size])
        sample = sample_batch(mdp, policy, max(1, setting.rollouts // group_size), group_size, rng)
        explored = sample_batch(mdp, policy, EXPLORATION_ROLLOUTS, 1, rng)
        case = tabular_case(sample, evaluate(mdp, policy))
        return replace(case, exploration=Exploration(explored.batch, choice_codes(explored.state, explored.action)))

    return make


def tabular_case(sample: Sample, values: ActionValues) -> Case:
    """Sampled turns with the exact values of the policy that they were sampled from."""
    state, action = sample.state, sample.action
    # As many actions as the MDP has, so that codes agree between samples.
    choice = state * values.q.shape[1] + action
    surprise = -np.log(np.where(values.policy > 0, values.policy, 1.0))
    entropy = (values.policy * surprise).sum(axis=1)[state]
    return Case(
        sample.batch, state, sample.next_state, choice, values.v[state], values.q[state, action], entropy=entropy
    )


def method_credit(
    record: MethodRecord, case: Case, *, noise: float, rng: np.random.Generator, repeats: int = 1
) -> tuple[FloatArray, float]:
    """The (M,) credit that a method gives the turns of a case, as it reaches the loss, and the seconds it took.

    The time is the fastest of the repeats, and does not count the method's inputs.

    Raises:
        NoStandInError: The method needs something that nothing stands in for.
    """
    inputs = {"batch": case.batch, **inputs_for(record, case, noise=noise, rng=rng)}
    seconds = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        credit: Credit = record.function(**inputs)
        seconds = min(seconds, time.perf_counter() - started)
    return credit.advantage * credit.weight * credit.keep[case.batch.row], seconds


def needs_critic(record: MethodRecord) -> bool:
    """Whether a method makes turn rewards and leaves the baseline to the trainer's critic."""
    return record.scope in ("turn", "episode") and not record.needs & {"values", "group", "log_ratio"}


def minus_state_mean(credit: FloatArray, state: IntArray) -> FloatArray:
    """(M,) credit minus the mean credit of the other turns that began in the same state: what a tabular critic does.

    A state that was met once has no baseline and gets 0.

    >>> minus_state_mean(np.array([2.0, 1.0, 5.0]), np.array([0, 0, 1])).tolist()
    [1.0, -1.0, 0.0]
    """
    states = Segments.of(state)
    factor = states.count / np.maximum(states.count - 1, 1)
    return factor[states.code] * normalise(credit, states, scale=False)


def _measure(
    family: str,
    size: int,
    make: MakeCase,
    records: Sequence[MethodRecord],
    setting: Setting,
    skipped: dict[str, str],
) -> list[FidelityRow]:
    found: dict[str, list[tuple[Fidelity, float]]] = {}
    for seed in range(setting.seeds):
        case = make(size, seed)
        for record in records:
            try:
                measured = _measured(record, case, setting, seed)
            except NoStandInError as reason:
                skipped.setdefault(record.name, str(reason))
                continue
            for name, one in measured.items():
                found.setdefault(name, []).append(one)
    stand_ins = {record.name: describe_inputs(record) for record in records}
    return [_row(family, size, name, ones, stand_ins[name.removesuffix(CRITIC)]) for name, ones in found.items()]


def _measured(record: MethodRecord, case: Case, setting: Setting, seed: int) -> dict[str, tuple[Fidelity, float]]:
    """By the method's name, and by its name with a critic where it needs one: fidelity and microseconds a turn."""
    # Seeded alike for every method: the same model makes the same error for all that ask it.
    rng = np.random.default_rng([seed, 1])
    credit, seconds = method_credit(record, case, noise=setting.noise, rng=rng, repeats=setting.repeats)
    credits = {record.name: credit}
    if needs_critic(record):
        credits[record.name + CRITIC] = minus_state_mean(credit, case.state)
    each = 1e6 * seconds / max(case.batch.turns, 1)
    return {
        name: (fidelity(values, case.advantage, case.state, case.choice, tolerance=case.tolerance), each)
        for name, values in credits.items()
    }


def _row(family: str, size: int, name: str, found: list[tuple[Fidelity, float]], stand_in: str) -> FidelityRow:
    values = np.array([astuple(one) for one, _ in found])
    defined = (~np.isnan(values)).sum(axis=0)
    mean = np.where(defined > 0, np.nansum(values, axis=0) / np.maximum(defined, 1), np.nan)
    spread = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(defined - 1, 1) / np.maximum(defined, 1))
    error = dict(zip([f.name for f in fields(Fidelity)], np.where(defined > 1, spread, np.nan).tolist(), strict=True))
    return FidelityRow(
        family=family,
        group_size=size,
        method=name,
        mean=Fidelity(*mean.tolist()),
        sign_accuracy_se=error["sign_accuracy"],
        spearman_se=error["spearman"],
        microseconds_per_turn=float(np.median([each for _, each in found])),
        stand_in=stand_in,
    )


def _records(methods: Sequence[str] | None) -> list[MethodRecord]:
    names = list(METHODS) if methods is None else list(methods)
    if unknown := [name for name in names if name not in METHODS]:
        raise ValueError(f"there is no method {unknown[0]!r}; there are {sorted(METHODS)}")
    return [METHODS[name] for name in names]


def _families(families: Sequence[str] | None) -> list[str]:
    names = list(FAMILIES) if families is None else list(families)
    if unknown := [name for name in names if name not in FAMILIES]:
        raise ValueError(f"there is no family {unknown[0]!r}; there are {sorted(FAMILIES)}")
    return names


def _describe(setting: Setting) -> str:
    return (
        f"Bifurcation: {setting.seeds} tasks a family, {setting.rollouts:,} rollouts a task and size, policy at random "
        f"with probability {setting.epsilon:g} and else optimal, noise of the stand-ins {setting.noise:g}"
    )
