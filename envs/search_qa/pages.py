"""What the agent sees: results with snippets, and documents page by page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnwise.envs.search_qa.records import Document

PAGE_CHARACTERS = 4_000
"""A longer document is shown in several pages."""
SNIPPET_CHARACTERS = 160
MAX_NAMES = 16

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*|\b\d{3,}\b")
_NO_NAMES = frozenset(
    "A An At By Compare Consider How In It Its On The This To What When Where Which Who Whom Whose With".split()  # noqa: SIM905
)


def results_text(query: str, documents: Sequence[Document]) -> str:
    """The hits of a query, one line each: id, title, and the sentence that has most of the query's words."""
    if not documents:
        return f'No results for "{query}".'
    words = {word for word in _WORD.findall(query.lower()) if len(word) > 2 or not word.isascii()}
    lines = [f"{d.doc_id} | {d.title} | {snippet(d.text, words)}" for d in documents]
    return "\n".join([f'Results for "{query}":', *lines])


def snippet(text: str, words: set[str]) -> str:
    """The first of the sentences of a text that share most words with a query, cut where it is long.

    >>> snippet("A lamp. It stands in Harrow. It is red.", {"where", "stands"})
    'It stands in Harrow.'
    """
    sentences = text[:PAGE_CHARACTERS].replace(". ", ".\n").splitlines()
    best = max(sentences, key=lambda sentence: _shared(sentence.lower(), words), default="")
    return best if len(best) <= SNIPPET_CHARACTERS else best[: SNIPPET_CHARACTERS - 1] + "…"


def _shared(sentence: str, words: set[str]) -> int:
    return sum(word in sentence for word in words)


def page_count(document: Document) -> int:
    """Pages of a document; at least 1."""
    return max(1, -(-len(document.text) // PAGE_CHARACTERS))


def page_text(document: Document, number: int) -> str:
    """One page of a document, from 1."""
    pages = page_count(document)
    part = document.text[(number - 1) * PAGE_CHARACTERS : number * PAGE_CHARACTERS]
    more = f"\n(Page {number} of {pages}.)" if pages > 1 else ""
    return f"{document.doc_id} | {document.title}\n{part}{more}"


def names_in(text: str, limit: int = MAX_NAMES) -> tuple[str, ...]:
    """Names, years and numbers of a text in order, each once: what to search for next, and what may be the answer.

    >>> names_in("The Talvokis is a river. It was surveyed by Corissom Varronett in 1871.")
    ('The Talvokis', 'Corissom Varronett', '1871')
    """
    found = (match for match in _NAME.findall(text) if match not in _NO_NAMES)
    return tuple(dict.fromkeys(found))[:limit]
