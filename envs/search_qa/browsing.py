"""Searching and reading, which all environments of this family share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

from turnwise.envs.core import ToolCall, ToolError, TurnEnv, tool
from turnwise.envs.search_qa import pages
from turnwise.envs.search_qa.collection import MAX_QUERY_CHARACTERS, Collection
from turnwise.envs.search_qa.records import SubQuestion
from turnwise.envs.search_qa.retrieval import RetrievalError, RetrievalTimeoutError

MAX_CITATIONS = 100
MAX_ID_CHARACTERS = 200
_OFFERED = 8
"""Searches that are offered for the task's own names, and for those of a page."""


@dataclass(frozen=True, slots=True)
class SearchState:
    """What the agent has before it, and what it has handed in.

    Attributes:
        view: What was shown last.
        key: The query, or the document's id.
        page: Of the document.
        shown: Ids in the results before it.
        turn: The turn of the latest search.
        retrieved: Ids that the searches of that turn returned, in order; with repetitions.
        answer: What was handed in; empty before.
        cited: Ids that were handed in with it, each once; None before.
    """

    view: Literal["task", "results", "document", "done"] = "task"
    key: str = ""
    page: int = 1
    shown: tuple[str, ...] = ()
    turn: int = 0
    retrieved: tuple[str, ...] = ()
    answer: str = ""
    cited: tuple[str, ...] | None = None


class SearchingEnv(TurnEnv):
    """An environment in which the agent searches a corpus, opens documents, and hands in something with citations.

    A family adds the tool that ends the episode, and says what the task is (`statement`), what its evidence is
    (`evidence`, `chain`) and how it is solved (`last_call`).

    Any document can be opened at any time: what was seen before decides nothing. The state hash is therefore that of
    what the agent has before it: two rollouts that read the same page are in the same state.
    """

    default_max_turns: ClassVar[int] = 20
    privileged_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "gold_documents",
            "gold_chunks",
            "retrieved_documents",
            "retrieved_chunks",
            "cited_chunks",
            "chain",
            "solution",
            "kind",
            "hops",
        }
    )
    secret_keys: ClassVar[frozenset[str]] = frozenset({"solution"})

    state: SearchState

    def __init__(self, collection: Collection, *, max_turns: int | None, render_mode: str | None) -> None:
        super().__init__(max_turns=max_turns, render_mode=render_mode)
        self.collection = collection
        self.state = SearchState()

    # What a family says

    @property
    @abstractmethod
    def statement(self) -> str:
        """What the agent is given."""

    @property
    @abstractmethod
    def evidence(self) -> Sequence[str]:
        """Ids of the gold documents."""

    @property
    @abstractmethod
    def chain(self) -> Sequence[SubQuestion]:
        """The way to the solution."""

    @abstractmethod
    def last_call(self) -> ToolCall:
        """The call that hands in the solution."""

    @abstractmethod
    def read_task(self, task_id: str) -> None:
        """Take over a task; it exists."""

    @abstractmethod
    def final_actions(self, names: Sequence[str]) -> list[str]:
        """Texts that would hand something in, given the names on the page."""

    # The contract

    def begin(self, task_id: str) -> str:
        """Read the task."""
        self._load(task_id)
        self.state = SearchState()
        return self.statement

    @tool
    def search(self, query: str) -> str:
        """Search the documents. Each result is a document's id, its title and a passage.

        Args:
            query: Keywords or a question, in any language.
        """
        query = " ".join(query.split())[:MAX_QUERY_CHARACTERS]
        if not query:
            raise ToolError("The query is empty.")
        try:
            found = self.collection.results(query)
        except RetrievalError as error:
            self.truncate("retrieval_timeout" if isinstance(error, RetrievalTimeoutError) else "retrieval_failed")
            return "The search engine does not answer."
        before = self.state.retrieved if self.state.turn == self._turn else ()
        self.state = replace(
            self.state,
            view="results",
            key=query,
            page=1,
            shown=found.doc_ids,
            turn=self._turn,
            retrieved=before + found.doc_ids,
        )
        self.record("searched")
        if not set(self.evidence).isdisjoint(found.doc_ids):
            self.record("gold_document_found")
        return found.text

    @tool
    def open(self, document: str, page: int = 1) -> str:
        """Open a document.

        Args:
            document: The id of a document, as the results show it.
            page: The page of a long document.
        """
        doc_id = document.strip()
        shown = doc_id if len(doc_id) <= 60 else doc_id[:59] + "…"
        try:
            if len(doc_id) > MAX_ID_CHARACTERS:
                raise KeyError(doc_id)
            count = pages.page_count(self.collection.document(doc_id))
        except KeyError:
            raise ToolError(
                f"There is no document {shown!r}. Open one by its id, which stands first in each line of results."
            ) from None
        if not 1 <= page <= count:
            raise ToolError(f"Document {shown!r} has no page {page}; it has {count}.")
        self.state = replace(self.state, view="document", key=doc_id, page=page, shown=())
        self.record("document_opened")
        if doc_id in self.evidence:
            self.record("gold_document_opened")
        return self.collection.page(doc_id, page).text

    def admissible_actions(self) -> list[str]:
        """A bounded list: searches for names in the task and on the page, results to open, names to hand in."""
        state = self.state
        actions = [f"search[{name}]" for name in self._names]
        if state.view == "results":
            actions += [f"open[{doc_id}]" for doc_id in state.shown]
        elif state.view == "document":
            names = self.collection.page(state.key, state.page).names
            actions += [f"search[{name}]" for name in names[:_OFFERED]]
            if state.page < pages.page_count(self.collection.document(state.key)):
                actions.append(str(ToolCall("open", {"document": state.key, "page": state.page + 1})))
            actions += self.final_actions(names)
        return list(dict.fromkeys(actions))

    def privileged(self) -> dict[str, Any]:
        """Gold documents, the chain, what this turn's searches returned, and what was cited."""
        state = self.state
        retrieved = state.retrieved if state.turn == self._turn else ()
        return {
            "gold_documents": list(self._gold),
            "gold_chunks": list(self.evidence),
            "retrieved_documents": [self.collection.contents(doc_id) for doc_id in retrieved],
            "retrieved_chunks": list(retrieved),
            "cited_chunks": None if state.cited is None else list(state.cited),
            "chain": [dict(step) for step in self._steps],
            "solution": self._solution,
        }

    def state_key(self) -> str:
        """What the agent has before it, and what it has handed in."""
        s = self.state
        return f"{s.view}\0{s.key}\0{s.page}\0{s.answer}\0{s.cited}"

    def save_state(self) -> SearchState:
        """The state itself: it is immutable."""
        return self.state

    def load_state(self, saved: SearchState) -> None:
        """Take the state over, and read the task it belongs to."""
        self.state = saved
        if self._task_id:
            self._load(self._task_id)

    def oracle(self) -> Iterator[ToolCall]:
        """Search for each sub-question, open the document that answers it, then hand in the solution.

        Where few turns are left, it opens the documents without a search, or only hands in.
        """
        if self.state.view == "done":
            return
        left = self.max_turns - self._turn - 1
        documents = [doc_id for doc_id in self.evidence if self.collection.has(doc_id)]
        for doc_id in documents if left >= len(documents) else ():
            if left >= 2 * len(documents):
                yield ToolCall("search", {"query": self._query_for(doc_id)})
            yield ToolCall("open", {"document": doc_id})
        yield self.last_call()

    # Inside

    def hand_in(self, answer: str, citations: Sequence[str]) -> None:
        """Take over what ends the episode.

        Raises:
            ToolError: There are too many citations.
        """
        cited = tuple(
            dict.fromkeys(" ".join(str(c).split())[:MAX_ID_CHARACTERS] for c in citations[: MAX_CITATIONS + 1])
        )
        if len(citations) > MAX_CITATIONS:
            raise ToolError(f"There are {len(citations):,} citations; at most {MAX_CITATIONS} are taken.")
        self.state = replace(self.state, view="done", key="", page=1, shown=(), answer=answer, cited=cited)

    def _load(self, task_id: str) -> None:
        """Read a task, and what of it every turn needs."""
        self.read_task(task_id)
        self._names = pages.names_in(self.statement, _OFFERED)
        self._gold = [self.collection.contents(doc_id) for doc_id in self.evidence]
        self._steps = [asdict(step) for step in self.chain]
        # The way to the solution as one text, for judges; it is in no document.
        self._solution = "\n".join(f"{step.question} -> {step.answer} [{step.document}]" for step in self.chain)

    def _query_for(self, doc_id: str) -> str:
        """A sub-question that finds the document, or its title."""
        for step in self.chain:
            query = step.question[:MAX_QUERY_CHARACTERS]
            if step.document == doc_id and doc_id in self.collection.results(query).doc_ids:
                return step.question
        return self.collection.document(doc_id).title or self.statement
