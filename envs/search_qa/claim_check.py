"""`turnwise/ClaimCheck-v0`: gather evidence, then say whether it supports a claim."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Literal

from turnwise.envs.core import ToolCall, tool
from turnwise.envs.search_qa.browsing import SearchingEnv
from turnwise.envs.search_qa.collection import world_collection
from turnwise.envs.search_qa.records import Claim, SubQuestion
from turnwise.envs.search_qa.retrieval import Retriever
from turnwise.envs.search_qa.spec import WorldSpec
from turnwise.envs.search_qa.store import SPLITS, World
from turnwise.envs.search_qa.tasks import WorldTasks, claim_tasks
from turnwise.envs.search_qa.world.claims import LABELS

Label = Literal["supports", "refutes", "not enough info"]


def joint_accuracy(label: str, cited: Sequence[str], claim: Claim) -> dict[str, float]:
    """Whether a verdict is right in everything, and its parts.

    `joint` is 1.0 if the label is right and exactly the documents that decide the claim are cited. Veri-R1's released
    scoring asks that of true and false claims, and only for the label where there is not enough information; we ask for
    the evidence there too (the documents that lead to the missing fact and the one that ought to state it), because
    else whoever always says "not enough info" is right every third time.

    Args:
        label: The verdict.
        cited: Ids of the cited documents; their order and repetitions do not matter.
        claim: The claim, with its label and evidence.

    Returns:
        `joint`, `label_accuracy`, `evidence_iou` (intersection over union of cited and gold documents) and
        `evidence_covered` (whether all gold documents are cited), each in [0, 1].

    Source: Veri-R1 (arXiv 2510.01932). Provenance: read (the authors' scoring code), except for the third label.

    >>> claim = Claim("t", "The mill is old.", "supports", ("a", "b"))
    >>> joint_accuracy("supports", ["b", "a"], claim)["joint"], joint_accuracy("supports", ["a"], claim)["evidence_iou"]
    (1.0, 0.5)
    """
    given, gold = set(cited), set(claim.evidence)
    right = label == claim.label
    return {
        "joint": float(right and given == gold),
        "label_accuracy": float(right),
        "evidence_iou": len(given & gold) / len(given | gold),
        "evidence_covered": float(gold <= given),
    }


class ClaimCheckEnv(SearchingEnv):
    """Claims about the world of `turnwise/SearchQA-v0`: true, false, and undecided ones, a third each.

    The agent searches, reads, and hands in a verdict with the documents that decide it. The reward is the joint
    accuracy (see `joint_accuracy`): no verdict earns anything without its evidence. False claims swap a name, shift a
    year, change a number, turn an order or two roles round, or are true of another time; undecided ones state what no
    document does, or only hearsay.

    Args:
        articles: Size of the generated world, 100 to 1,000,000.
        world_seed: Seed of the generated world.
        split: `train`, `val`, `test`, or `panel` (100 frozen test claims of the default world).
        retriever: `bm25`, the URL of a retrieval server over the same world, or an object that searches it.
        results: Hits of a search.
        cache_dir: Where worlds and indexes are kept; default `$TURNWISE_CACHE`, else `~/.cache/turnwise`.
        max_turns: Default 20.

    >>> import gymnasium as gym, turnwise
    >>> env = gym.make("turnwise/ClaimCheck-v0", articles=300)
    >>> observation, info = env.reset(seed=0)
    >>> for call in list(env.unwrapped.oracle()):
    ...     observation, reward, terminated, truncated, info = env.step(call)
    >>> reward, info["stop_reason"]
    (1.0, 'completed')
    """

    rules = (
        "Check the claim against the documents: search, open what looks useful, follow the trail from document to "
        "document, then hand in a verdict: supports, refutes, or not enough info. Cite the ids of the documents that "
        "decide the claim, one for each fact that it needs, and no others. The last line of a document names its "
        "source: what a register says outweighs the encyclopaedia, and hearsay does not count. If no document that "
        "counts states a fact that the claim needs, the verdict is not enough info; cite the documents that lead there "
        "and the one that ought to state the fact."
    )
    privileged_keys: ClassVar[frozenset[str]] = SearchingEnv.privileged_keys | {"answer", "label"}
    stated_keys: ClassVar[frozenset[str]] = frozenset({"answer", "label"})
    """The rules list the three labels, whichever is right."""
    splits: ClassVar[tuple[str, ...]] = (*SPLITS, "panel")

    def __init__(
        self,
        *,
        articles: int = 10_000,
        world_seed: int = 0,
        split: str = "train",
        retriever: str | Retriever = "bm25",
        results: int = 5,
        cache_dir: str | PathLike[str] | None = None,
        max_turns: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        cache = None if cache_dir is None else Path(cache_dir)
        collection = world_collection(WorldSpec(articles, world_seed), cache, retriever, results)
        super().__init__(collection, max_turns=max_turns, render_mode=render_mode)
        assert isinstance(collection.corpus, World), "a world's collection has the world as its corpus"
        self._tasks = claim_tasks(collection.corpus, split)
        self.claim: Claim | None = None

    @property
    def tasks(self) -> WorldTasks[Claim]:
        """The split's task ids; a lazy sequence."""
        return self._tasks

    def has_task(self, task_id: str) -> bool:
        """Whether there is such a claim, in any split."""
        return self._tasks.has(task_id)

    @property
    def statement(self) -> str:
        """The claim."""
        return f"Claim: {self._stated.claim}"

    @property
    def evidence(self) -> Sequence[str]:
        """Ids of the documents that decide the claim."""
        return self._stated.evidence

    @property
    def chain(self) -> Sequence[SubQuestion]:
        """The sub-questions."""
        return self._stated.chain

    def read_task(self, task_id: str) -> None:
        """Read the claim."""
        self.claim = self._tasks.read(task_id)

    @tool
    def verdict(self, label: Label, citations: list[str] = []) -> str:  # noqa: B006 - the schema's default; never changed
        """Hand in the verdict. This ends the task.

        Args:
            label: supports, refutes, or not enough info.
            citations: Ids of the documents that decide the claim.
        """
        self.hand_in(label, citations)
        terms = joint_accuracy(label, self.state.cited or (), self._stated)
        self.finish(terms.pop("joint"))
        self.record("verdict_given", **terms)
        return "The verdict has been handed in."

    def final_actions(self, names: Sequence[str]) -> list[str]:
        """Each label, with the document on the page cited."""
        return [str(ToolCall("verdict", {"label": label, "citations": [self.state.key]})) for label in LABELS]

    def last_call(self) -> ToolCall:
        """The right verdict with its evidence."""
        return ToolCall("verdict", {"label": self._stated.label, "citations": list(self.evidence)})

    def privileged(self) -> dict[str, Any]:
        """The verdict and what leads to it, for rewards in training."""
        claim = self._stated
        verdict = {"answer": claim.label, "label": claim.label, "kind": claim.kind, "hops": claim.hops}
        return {**super().privileged(), **verdict}

    @property
    def _stated(self) -> Claim:
        assert self.claim is not None, "call reset() first"
        return self.claim
