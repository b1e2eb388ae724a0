"""Writes a world's folder: documents, questions and claims, country by country; nothing is held in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.envs.built_folder import BuildError, ensure_built
from turnwise.envs.record_files import RecordWriter
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.world.articles import articles
from turnwise.envs.search_qa.world.claims import claims
from turnwise.envs.search_qa.world.country import country
from turnwise.envs.search_qa.world.entities import ARTICLES
from turnwise.envs.search_qa.world.paths import Lookup
from turnwise.envs.search_qa.world.questions import KINDS, questions

Progress = Callable[[int, int], None]
"""Called with (articles done, articles in all)."""

DOCUMENTS, QUESTIONS, CLAIMS = "documents", "questions", "claims"
KIND_CODES, HOPS = "kinds.npy", "hops.npy"
_PROGRESS_EVERY = 10


def ensure_world(spec: WorldSpec, cache_dir: Path, progress: Progress | None = None) -> Path:
    """The folder of the world, which is built first where it is not there.

    Raises:
        BuildError: The disk is full, or the cache folder cannot be written.
    """
    try:
        return ensure_built(cache_dir / f"{spec.name}-{spec.key()}", lambda folder: write_world(spec, folder, progress))
    except OSError as error:
        raise BuildError(f"the world {spec.name}", cache_dir, error) from error


def write_world(spec: WorldSpec, folder: Path, progress: Progress | None = None) -> None:
    """Write a world's files into an empty folder."""
    kinds, hops = [], []
    with (
        RecordWriter(folder / DOCUMENTS) as documents,
        RecordWriter(folder / QUESTIONS) as asked_questions,
        RecordWriter(folder / CLAIMS) as stated_claims,
    ):
        for number in range(-(-spec.articles // ARTICLES)):
            one, first = country(spec.seed, number), number * ARTICLES
            for position, (title, text) in enumerate(articles(one), start=first):
                if position < spec.articles:
                    documents.add({"title": title, "text": text})
            if number < spec.whole_countries:
                for asked in questions(one, spec.tasks_per_country):
                    kinds.append(KINDS.index(asked.kind))
                    hops.append(asked.hops)
                    asked_questions.add(
                        {
                            "kind": asked.kind,
                            "hops": asked.hops,
                            "question": asked.question,
                            "names": asked.names,
                            "chain": _chain(asked.lookups, first),
                        }
                    )
                for claim in claims(one, spec.tasks_per_country):
                    stated_claims.add(
                        {
                            "label": claim.label,
                            "kind": claim.kind,
                            "hops": claim.hops,
                            "claim": claim.text,
                            "chain": _chain(claim.lookups, first),
                        }
                    )
            if progress and (number + 1) % _PROGRESS_EVERY == 0:
                progress(min(first + ARTICLES, spec.articles), spec.articles)
    np.save(folder / KIND_CODES, np.array(kinds, dtype=np.uint8))
    np.save(folder / HOPS, np.array(hops, dtype=np.uint8))
    if progress:
        progress(spec.articles, spec.articles)


def _chain(lookups: tuple[Lookup, ...], first: int) -> list[Any]:
    """Sub-questions with the positions of their documents in the world, -1 where there is none."""
    return [
        (one.question, one.names[0] if one.names else "", first + one.document if one.document >= 0 else -1)
        for one in lookups
    ]
