"""`turnwise/SearchQA-v0`: find the documents that answer a question, and answer it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, get_args

from turnwise.envs.core import ToolCall, ToolError, tool
from turnwise.envs.search_qa.answers import (
    METRICS,
    UNANSWERABLE,
    Metric,
    accepted_answers,
    citation_scores,
    score_answer,
)
from turnwise.envs.search_qa.browsing import SearchingEnv
from turnwise.envs.search_qa.collection import file_collection, world_collection
from turnwise.envs.search_qa.records import Question, SubQuestion
from turnwise.envs.search_qa.retrieval import Retriever
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import SPLITS, World
from turnwise.envs.search_qa.tasks import FileTasks, WorldTasks, question_tasks
from turnwise.rewards.outcome import AnswerStyle

MAX_ANSWER_CHARACTERS = 1_000


class SearchQAEnv(SearchingEnv):
    """Questions of one to six facts over an encyclopaedia that exists nowhere else, or over real data.

    The generated world needs no download. Its articles are consistent with each other, some facts change over time,
    names are shared, things have second names, and sources contradict each other: the rules say which to believe. About
    one question in twelve has no answer; the right answer then names the thing whose fact is missing. No question can
    be answered without searching.

    The reward is the answer's exact match (or F1) with the best of its aliases, by the rules of the official HotpotQA
    or SQuAD scripts. Citations are recorded as the reward terms `citation_precision` and `citation_recall`, and are no
    part of the reward.

    Args:
        articles: Size of the generated world, 100 to 1,000,000. It is written and indexed once, into the cache.
        world_seed: Seed of the generated world.
        split: `train`, `val`, `test`, or `panel` (100 frozen test questions of the default world).
        hops: Only questions of so many hops (1 to 6): a number or several.
        kinds: Only questions of these kinds: `bridge`, `comparison`, `intersection`, `counting`, `temporal`,
            `unanswerable`.
        retriever: `bm25`, the URL of a retrieval server over the same documents, or an object that searches them.
        results: Hits of a search.
        question_file: Real questions, in a published format; then `articles`, `world_seed`, `split`, `hops` and `kinds`
            are not used.
        question_format: `hotpotqa`, `2wiki`, `musique` or `nq`.
        corpus_file: Documents as JSON lines of the Search-R1 form; default the paragraphs that come with the questions.
        metric: `exact_match` or `f1`.
        style: Whose rules for yes, no and empty answers: `hotpotqa`, `squad` or `squad_v2`.
        cache_dir: Where worlds and indexes are kept; default `$TURNWISE_CACHE`, else `~/.cache/turnwise`.
        max_turns: Default 20.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/SearchQA-v0", articles=300)
    >>> observation, info = env.reset(seed=0)
    >>> for call in list(env.unwrapped.oracle()):
    ...     observation, reward, terminated, truncated, info = env.step(call)
    >>> reward, info["reward_terms"]["citation_recall"], info["stop_reason"]
    (1.0, 1.0, 'completed')
    """

    rules = (
        "Answer the question from the documents: search, open what looks useful, follow the trail from document to "
        "document, then answer with a name, a year or a number and nothing else. Cite the ids of the documents that "
        "the answer rests on. The last line of a document names its source: what a register says outweighs the "
        "encyclopaedia, and hearsay does not count. If no document that counts states a fact that the question needs, "
        f"answer `{UNANSWERABLE}: ` and the name of the thing whose fact is missing, for example the town, if the "
        "question asks for its river and no document says what it is."
    )
    privileged_keys: ClassVar[frozenset[str]] = SearchingEnv.privileged_keys | {"answer", "aliases", "answerable"}
    splits: ClassVar[tuple[str, ...]] = (*SPLITS, "panel")

    def __init__(
        self,
        *,
        articles: int = 10_000,
        world_seed: int = 0,
        split: str = "train",
        hops: int | Collection[int] = (),
        kinds: str | Collection[str] = (),
        retriever: str | Retriever = "bm25",
        results: int = 5,
        question_file: str | PathLike[str] | None = None,
        question_format: str = "hotpotqa",
        corpus_file: str | PathLike[str] | None = None,
        metric: Metric = "exact_match",
        style: AnswerStyle = "hotpotqa",
        cache_dir: str | PathLike[str] | None = None,
        max_turns: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {METRICS}, got {metric!r}")
        if style not in get_args(AnswerStyle):
            raise ValueError(f"style must be one of {get_args(AnswerStyle)}, got {style!r}")
        cache = None if cache_dir is None else Path(cache_dir)
        tasks: FileTasks | WorldTasks[Question]
        if question_file is None:
            if corpus_file is not None:
                raise ValueError("corpus_file needs a question_file: the generated questions are about their own world")
            collection = world_collection(WorldSpec(articles, world_seed), cache, retriever, results)
            assert isinstance(collection.corpus, World), "a world's collection has the world as its corpus"
            tasks = question_tasks(collection.corpus, split, _several(hops), _several(kinds))
        else:
            paths = Path(question_file).absolute(), None if corpus_file is None else Path(corpus_file).absolute()
            questions, collection = file_collection(question_format, *paths, cache, retriever, results)
            tasks = FileTasks(questions)
        super().__init__(collection, max_turns=max_turns, render_mode=render_mode)
        self.metric: Metric = metric
        self.style: AnswerStyle = style
        self._tasks = tasks
        self.question: Question | None = None

    @property
    def tasks(self) -> FileTasks | WorldTasks[Question]:
        """The split's task ids; a lazy sequence."""
        return self._tasks

    def has_task(self, task_id: str) -> bool:
        """Whether there is such a question, in any split."""
        return self._tasks.has(task_id)

    @property
    def statement(self) -> str:
        """The question."""
        return f"Question: {self._asked.question}"

    @property
    def evidence(self) -> Sequence[str]:
        """Ids of the gold documents."""
        return self._asked.gold_documents

    @property
    def chain(self) -> Sequence[SubQuestion]:
        """The sub-questions."""
        return self._asked.chain

    def read_task(self, task_id: str) -> None:
        """Read the question."""
        self.question = self._tasks.read(task_id)

    @tool
    def answer(self, text: str, citations: list[str] = []) -> str:  # noqa: B006 - the schema's default; never changed
        """Hand in the answer. This ends the task.

        Args:
            text: The answer and nothing else: a name, a year or a number.
            citations: Ids of the documents that it rests on.
        """
        if len(text) > MAX_ANSWER_CHARACTERS:
            raise ToolError(f"The answer has {len(text):,} characters; at most {MAX_ANSWER_CHARACTERS:,} are taken.")
        self.hand_in(text, citations)
        self.finish(score_answer(self._asked, text, self.metric, self.style))
        self.record("answered", **citation_scores(self.state.cited or (), self.evidence))
        return "The answer has been handed in."

    def final_actions(self, names: Sequence[str]) -> list[str]:
        """Each name as the answer."""
        return [f"answer[{name}]" for name in names]

    def last_call(self) -> ToolCall:
        """The right answer, with the gold documents cited."""
        return ToolCall("answer", {"text": accepted_answers(self._asked)[0], "citations": list(self.evidence)})

    def privileged(self) -> dict[str, Any]:
        """The answer and what leads to it, for rewards in training."""
        question, answers = self._asked, accepted_answers(self._asked)
        return {
            **super().privileged(),
            "answer": answers[0],
            "aliases": list(answers),
            "answerable": question.answerable,
            "kind": question.kind,
            "hops": question.hops,
        }

    @property
    def _asked(self) -> Question:
        assert self.question is not None, "call reset() first"
        return self.question


def _several(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, (int, str)) else tuple(value)
