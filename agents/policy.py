"""Who acts: a `Policy` takes a batch of contexts and returns a batch of decisions. Always batched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from turnwise.envs.core import ToolCall


@dataclass(slots=True)
class Decision:
    """What a policy wrote in one turn.

    Attributes:
        action: The text, as `env.step` takes it.
        prompt_ids: Token ids put in front of the response that are new since this episode's last decision.
        response_ids: The sampled token ids, verbatim. Never text that was tokenised again.
        response_logprobs: Log-probability (nats) of each response token under the policy that sampled it.
        restarts_context: The context was rebuilt (a window, a summary): `prompt_ids` is the whole prompt.
        stop_reason: Not None where the policy cannot go on, for example `context_overflow`: the episode is truncated
            with that reason and `action` is not sent.
    """

    action: str
    prompt_ids: list[int] = field(default_factory=list)
    response_ids: list[int] = field(default_factory=list)
    response_logprobs: list[float] = field(default_factory=list)
    restarts_context: bool = False
    stop_reason: str | None = None


@dataclass(slots=True)
class Context:
    """One running episode as its policy may see it. Nothing privileged is in here.

    Attributes:
        episode_id: Unique and constant through the episode; a policy may key its own memory (a KV cache) on it.
        instructions: The rules and the tools: the system prompt.
        observations: All observations so far, the task first; the last one is to be answered.
        decisions: The policy's own decisions so far; one fewer than `observations`.
        admissible_actions: What can be done now, where the environment lists it.
        oracle: Calls that solve the rest of the episode, asked of the environment when called. For `OraclePolicy` and
            warm-up data only.
    """

    episode_id: str
    instructions: str
    observations: list[str]
    decisions: list[Decision] = field(default_factory=list)
    admissible_actions: Sequence[str] | None = None
    oracle: Callable[[], list[ToolCall]] | None = None

    @property
    def observation(self) -> str:
        """The observation to be answered now."""
        return self.observations[-1]

    @property
    def turn(self) -> int:
        """0-based index of the turn that is about to be taken."""
        return len(self.decisions)


@runtime_checkable
class Policy(Protocol):
    """Anything that acts.

    A policy may also define `forget(episode_id: str) -> None`, called when an episode has ended, to free its memory.
    """

    def act(self, contexts: Sequence[Context]) -> list[Decision]:
        """One decision for each context, in order."""
        ...


@runtime_checkable
class StreamingPolicy(Policy, Protocol):
    """A policy that takes contexts as they get ready and gives each answer as soon as it is there.

    `collect` uses it this way where environments go at their own pace: then neither a slow environment nor a long
    message holds up the others. `forget` also withdraws what an episode has asked.
    """

    def submit(self, contexts: Sequence[Context]) -> None:
        """Begin to answer these contexts."""
        ...

    def decided(self, timeout: float | None = None) -> list[tuple[str, Decision]]:
        """Answers that have not been fetched yet, with the ids of their episodes.

        Args:
            timeout: Seconds to wait at most for the first of them, and for no longer than it takes where there is
                one already. None waits until there is one, or nothing is asked.
        """
        ...

    def forget(self, episode_id: str) -> None:
        """An episode is over."""
        ...
