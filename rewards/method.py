"""`MethodRecord`: what a credit method is, where it comes from, and what it needs before the first rollout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Provenance: TypeAlias = Literal["verified", "read", "unverified"]
"""verified: compared with the authors' code by running both. read: written from the paper or code, not run against it.
unverified: the core formula or its constants come from secondary sources."""

Scope: TypeAlias = Literal["turn", "episode", "group"]


@dataclass(frozen=True)
class MethodRecord:
    """One published method of turning rewards into turn-level credit.

    Attributes:
        name: The function's name.
        function: `function(batch, ...) -> Credit`.
        paper: Title of the paper.
        arxiv: Its arXiv id.
        provenance: How far the formula has been checked.
        scope: The clock it runs on: one turn, one finished episode, or all rollouts of a task.
        needs: What must be there before the first rollout: `group` (several rollouts of a task), `anchor` (state
            hashes), `probe` (log-probabilities of the answer), `answer`, `estimator` (a fitted scorer), `values`
            (a critic), `levels` (named reward terms).
        min_group: Smallest group for which its credit differs from passing the reward through.
        summary: One line.
    """

    name: str
    function: Callable[..., Any]
    paper: str
    arxiv: str
    provenance: Provenance
    scope: Scope
    needs: frozenset[str]
    min_group: int
    summary: str
