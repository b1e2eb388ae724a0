"""The contract of every environment: `TurnEnv`, what `step` and `reset` return, and exact forking.

A family is one class: a frozen `state`, a few `@tool` methods that replace it, and the hooks `tasks`, `begin` and
`oracle`. Everything else (parsing, turn limits, validity, `info`, hashing, snapshots) happens here, once.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias, TypedDict

import gymnasium as gym
from gymnasium.error import ResetNeeded

from turnwise.envs.canonical import canonical
from turnwise.envs.parsing import MAX_ACTION_LENGTH, ParsedAction, parse_action
from turnwise.envs.spaces import Utterance
from turnwise.envs.tools import ToolCall, ToolSchema, tool, tool_schemas
from turnwise.rewards.trajectory import OUTCOME

__all__ = [
    "Action",
    "ParsedAction",
    "Snapshot",
    "ToolCall",
    "ToolError",
    "ToolSchema",
    "TurnEnv",
    "TurnInfo",
    "UnknownTaskError",
    "Utterance",
    "parse_action",
    "tool",
]

Action: TypeAlias = str | ToolCall | Sequence[ToolCall]
"""What `step` takes: a policy's text, one call, or several calls to carry out in order."""


class TurnInfo(TypedDict):
    """The keys of `info`, the same on every id.

    Attributes:
        task_id: The task; `reset(options={"task_id": ...})` returns to it.
        turn: Turns taken so far.
        state_hash: 16 hex digits of everything that decides the future; the anchor of anchor-state grouping.
        tool_call: The call that was carried out, a tuple of them, or None where the action was not valid.
        is_action_valid: Whether the action could be parsed and carried out. True after `reset`.
        admissible_actions: Texts that `step` would accept now, where the family can list them, else None.
        reward_terms: Named parts of the reward; `outcome` is the environment's own.
        events: Names of what happened in this turn.
        stop_reason: None while the episode goes on, then for example `completed`, `max_turns`, `timeout`.
        privileged: Answer, gold documents, milestones: for rewards in training, never for an observation.
    """

    task_id: str
    turn: int
    state_hash: str
    tool_call: ToolCall | tuple[ToolCall, ...] | None
    is_action_valid: bool
    admissible_actions: list[str] | None
    reward_terms: dict[str, float]
    events: frozenset[str]
    stop_reason: str | None
    privileged: dict[str, Any]


class ToolError(Exception):
    """Raised inside a tool when the call makes no sense in the present state; its text becomes the observation.

    The turn counts, `is_action_valid` is False, and the state is as it was before the call.
    """


class UnknownTaskError(ValueError):
    """A `task_id` that the environment does not have."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that decides an episode's future, and its turn count. Picklable; made by `TurnEnv.snapshot`."""

    env: str
    task_id: str
    turn: int
    ended: bool
    observation: str
    rng: Mapping[str, Any]
    state: Any


@dataclass(slots=True)
class _Outcome:
    """What the tools of one step had to say, beside the observation."""

    reward: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    terminated: bool = False
    truncated: bool = False
    stop_reason: str | None = None


class TurnEnv(gym.Env[Any, Any], ABC):
    """A multi-turn environment for language-model agents. One turn is one policy message and the reply to it.

    A family defines:

    * `rules`: what the agent is to do, in words; with the tools it makes `instructions`, the system prompt.
    * `tasks`: the ids of the tasks of the chosen split.
    * `begin(task_id)`: sets `self.state` and returns the first observation, the task.
    * `@tool` methods: replace `self.state` and return the observation. They may call `finish`, `truncate`, `record`
      and raise `ToolError`.
    * `oracle()`: calls that solve the task.
    * where it can: `admissible_actions()`, `privileged()`, `state_key()`.

    `state` must hold everything that tools change. Make it a frozen dataclass and replace it: then an invalid call
    cannot leave half a change behind, and snapshots cost nothing. A family whose state lives outside the process
    overrides `save_state` and `load_state`.

    Rewards are the true outcome and nothing else, in [0, 1], paid in the turn in which it is known. The only source
    of randomness is `self.np_random`.

    Args:
        max_turns: Turns after which an episode is truncated with the stop reason `max_turns`.
        render_mode: `ansi` (`render` returns the last observation) or None.

    >>> class Lamp(TurnEnv):
    ...     rules = "Switch the lamp on."
    ...     tasks = ("lamp",)
    ...     def begin(self, task_id):
    ...         self.state = "off"
    ...         return "The lamp is off."
    ...     @tool
    ...     def switch(self, to: str) -> str:
    ...         '''Turn the switch.
    ...
    ...         Args:
    ...             to: on or off.
    ...         '''
    ...         if to not in ("on", "off"):
    ...             raise ToolError(f"The switch has no position {to!r}.")
    ...         self.state = to
    ...         if to == "on":
    ...             self.finish(1.0)
    ...         return f"The lamp is {to}."
    ...     def oracle(self):
    ...         yield ToolCall("switch", {"to": "on"})
    >>> env = Lamp()
    >>> env.reset(seed=0)[0]
    'The lamp is off.'
    >>> env.step("switch[sideways]")[0].splitlines()[0]
    "Invalid action. The switch has no position 'sideways'."
    >>> observation, reward, terminated, truncated, info = env.step("switch[on]")
    >>> observation, reward, terminated, info["stop_reason"]
    ('The lamp is on.', 1.0, True, 'completed')
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}  # type: ignore[misc]
    rules: ClassVar[str] = ""
    default_max_turns: ClassVar[int] = 15
    max_observation_length: ClassVar[int] = 16_384
    parallel_tool_calls: ClassVar[bool] = True
    """Whether one message may hold several calls."""
    max_tool_calls: ClassVar[int] = 16
    """Most calls in one message."""
    privileged_keys: ClassVar[frozenset[str]] = frozenset()
    """The keys that `privileged()` promises, so that a reward's needs can be checked before the first rollout."""
    secret_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys of `privileged()` whose texts no observation may ever hold, whatever the agent does: a canary."""
    stated_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys of `privileged()` that the task itself states, such as the options that a shopper asks for. No other may
    be in the first observation."""
    milestones: ClassVar[Mapping[str, str]] = {}
    """Reward terms that say how far an episode came, from the nearest to the furthest, each recorded as 0 or 1: the
    term's name to the name of its rate in reports, for example `{"submitted": "completion"}`."""

    state: Any = None

    def __init__(self, *, max_turns: int | None = None, render_mode: str | None = None) -> None:
        turns = self.default_max_turns if max_turns is None else max_turns
        if turns < 1:
            raise ValueError(f"max_turns must be at least 1, got {max_turns}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be None or one of {self.metadata['render_modes']}, got {render_mode!r}")
        self.max_turns = turns
        self.render_mode = render_mode
        self.observation_space = Utterance(self.max_observation_length)
        self.action_space = Utterance(MAX_ACTION_LENGTH)
        self.tools: Mapping[str, ToolSchema] = dict(tool_schemas(type(self)))
        self._task_id = ""
        self._turn = 0
        self._ended = True
        self._observation = ""
        self._outcome = _Outcome()

    # What a family defines

    @property
    @abstractmethod
    def tasks(self) -> Sequence[str]:
        """The task ids of the chosen split. May be lazy; must be the same in every process."""

    @abstractmethod
    def begin(self, task_id: str) -> str:
        """Set `self.state` for a task and return the first observation."""

    @abstractmethod
    def oracle(self) -> Iterator[ToolCall]:
        """Calls that take the present state to reward 1.0. May be listed in full before the first one is made."""

    def admissible_actions(self) -> list[str] | None:
        """Texts that `step` accepts in the present state, or None where they cannot be listed."""
        return None

    def privileged(self) -> dict[str, Any]:
        """A new dictionary of what rewards in training may know and the agent may not."""
        return {}

    def state_key(self) -> Any:
        """What `state_hash` is made of: plain data. Leave out history and counters that do not decide the future."""
        return self.state

    def save_state(self) -> Any:
        """A picklable copy of the family's state."""
        return copy.deepcopy(self.state)

    def load_state(self, saved: Any) -> None:
        """Take over what `save_state` returned; it may be loaded again later, so keep no reference into it."""
        self.state = copy.deepcopy(saved)

    def has_task(self, task_id: str) -> bool:
        """Whether `begin` accepts a task id. Override where `tasks` is long."""
        return task_id in self.tasks

    # What a tool may call

    def finish(self, reward: float, stop_reason: str = "completed", **terms: float) -> None:
        """End the task with its true outcome.

        Args:
            reward: In [0, 1].
            stop_reason: Put into `info`.
            terms: Parts of the reward, put into `info["reward_terms"]`.
        """
        if not 0.0 <= reward <= 1.0:
            raise ValueError(f"the outcome reward must be in [0, 1], got {reward}")
        self._outcome.reward = float(reward)
        self._outcome.terminated = True
        self._outcome.stop_reason = stop_reason
        self.record(**terms)

    def truncate(self, stop_reason: str) -> None:
        """End the episode for a reason outside the task, for example a fault of the sandbox."""
        self._outcome.truncated = True
        self._outcome.stop_reason = stop_reason

    def record(self, *events: str, **terms: float) -> None:
        """Add events and reward terms to this turn's `info`.

        Raises:
            ValueError: A milestone is neither 0 nor 1.
        """
        for name in self.milestones.keys() & terms.keys():
            if terms[name] not in (0.0, 1.0):
                raise ValueError(f"the milestone {name!r} must be recorded as 0 or 1, got {terms[name]!r}")
        self._outcome.events.update(events)
        # Floats, always: a batch of infos would cut a float to an integer that came first.
        self._outcome.terms.update({name: float(value) for name, value in terms.items()})

    # Gymnasium

    @property
    def instructions(self) -> str:
        """The rules and the tools: the system prompt. The same for all tasks of an id."""
        lines = [self.rules.strip(), "", "Tools:"]
        for schema in self.tools.values():
            lines.append(f"- {schema.signature}: {schema.description}")
            lines += [f"    {p.name}: {p.description}" for p in schema.parameters if p.description]
        first = next(iter(self.tools.values()))
        arguments = {p.name: "..." for p in first.parameters}
        example = ToolCall(first.name, arguments)
        lines += [
            "",
            f"Each turn, write one call: {first.name}[...] or <tool_call>{json.dumps(example.to_json())}</tool_call>",
        ]
        return "\n".join(lines)

    def tool_schemas(self) -> list[dict[str, Any]]:
        """The tools as JSON schemas, in the form that chat templates and OpenAI-style servers take."""
        return [schema.to_json() for schema in self.tools.values()]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Seeds `np_random`, which draws the task.
            options: `{"task_id": ...}` asks for one task.

        Returns:
            The task as text, and `info`.

        Raises:
            UnknownTaskError: There is no such task; the message names it and some that exist.
            ValueError: An option is unknown.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        task_id = options.pop("task_id", None)
        if options:
            raise ValueError(f"unknown reset options {sorted(options)}; known: ['task_id']")
        if task_id is None:
            task_id = self.tasks[int(self.np_random.integers(len(self.tasks)))]
        elif not isinstance(task_id, str) or not self.has_task(task_id):
            raise UnknownTaskError(self._unknown_task(task_id))
        self._task_id, self._turn, self._ended = task_id, 0, False
        self._outcome = _Outcome()
        self._observation = self._clip(self.begin(task_id))
        return self._observation, self._info(None, valid=True)

    def step(self, action: Action) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take one turn.

        Args:
            action: A policy's text, a `ToolCall`, or a sequence of them. No text raises: one that means no possible
                call leaves the state as it was, says so in the observation and sets `is_action_valid` to False.

        Returns:
            observation, reward, terminated, truncated, info.

        Raises:
            ResetNeeded: The episode has ended, or none has begun.
            TypeError: The action is neither text nor calls.
        """
        if self._ended:
            raise ResetNeeded(f"{type(self).__name__}: call reset() before step(): the episode has ended")
        self._turn += 1
        self._outcome = _Outcome()
        calls, error = self._read(action)
        if not error:
            error, observation = self._carry_out(calls)
        outcome = self._outcome
        if error:
            observation = self._clip(f"Invalid action. {error}\n\n{self._observation}")
            calls = ()
        else:
            self._observation = observation = self._clip(observation)
        if not (outcome.terminated or outcome.truncated) and self._turn >= self.max_turns:
            self.truncate("max_turns")
        self._ended = outcome.terminated or outcome.truncated
        tool_call = calls[0] if len(calls) == 1 else (calls or None)
        return (
            observation,
            outcome.reward,
            outcome.terminated,
            outcome.truncated and not outcome.terminated,
            self._info(tool_call, valid=not error),
        )

    def render(self) -> str | None:
        """The last observation in `ansi` mode, else None."""
        return self._observation if self.render_mode == "ansi" else None

    # Forking

    def snapshot(self) -> Snapshot:
        """Keep the present moment, exactly. Costs little; may be pickled and restored in another process."""
        return Snapshot(
            env=type(self).__name__,
            task_id=self._task_id,
            turn=self._turn,
            ended=self._ended,
            observation=self._observation,
            rng=copy.deepcopy(self.np_random.bit_generator.state),
            state=self.save_state(),
        )

    def restore(self, snapshot: Snapshot) -> tuple[str, dict[str, Any]]:
        """Return to a snapshot: the same actions then give byte-identical results.

        Returns:
            The observation and the info of that moment.

        Raises:
            ValueError: The snapshot is another environment's.
        """
        if snapshot.env != type(self).__name__:
            raise ValueError(f"cannot restore a snapshot of {snapshot.env} into {type(self).__name__}")
        if snapshot.task_id and not self.has_task(snapshot.task_id):
            raise UnknownTaskError(self._unknown_task(snapshot.task_id))
        self.np_random.bit_generator.state = copy.deepcopy(snapshot.rng)
        self._task_id, self._turn, self._ended = snapshot.task_id, snapshot.turn, snapshot.ended
        self._observation = snapshot.observation
        self._outcome = _Outcome()
        self.load_state(snapshot.state)
        return self._observation, self._info(None, valid=True) if snapshot.task_id else {}

    def clone(self) -> TurnEnv:
        """An independent environment in the same moment. Shares what never changes (catalogue, index, corpus)."""
        twin = copy.copy(self)
        twin._np_random = None
        twin.restore(self.snapshot())
        return twin

    def state_hash(self) -> str:
        """16 hex digits of `state_key()` and the task. Two states that differ only in history hash alike."""
        key = self.state_key()
        text = key if isinstance(key, str) else canonical(key)
        return hashlib.blake2b(f"{self._task_id}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    # Inside

    def _read(self, action: Action) -> ParsedAction:
        if isinstance(action, str):
            parsed = parse_action(action, self.tools)
        elif isinstance(action, ToolCall):
            parsed = ParsedAction((action,))
        elif isinstance(action, Sequence) and all(isinstance(call, ToolCall) for call in action):
            calls = tuple(call for call in action if isinstance(call, ToolCall))
            parsed = ParsedAction(calls, "" if calls else "The list of calls is empty.")
        else:
            raise TypeError(f"an action is a str, a ToolCall or a sequence of ToolCalls, got {type(action).__name__}")
        if len(parsed.calls) > 1 and not self.parallel_tool_calls:
            return ParsedAction((), f"Only one call a turn is possible here, got {len(parsed.calls)}.")
        if len(parsed.calls) > self.max_tool_calls:
            return ParsedAction(
                (), f"At most {self.max_tool_calls} calls a turn are possible, got {len(parsed.calls)}."
            )
        return parsed

    def _carry_out(self, calls: Sequence[ToolCall]) -> tuple[str, str]:
        """Check all calls first, then run them in order until one ends the episode. Returns (error, observation)."""
        bound = []
        for call in calls:
            schema = self.tools.get(call.name)
            if schema is None:
                return f"There is no tool {call.name!r}. Tools: {', '.join(self.tools)}.", ""
            arguments = schema.bind(call.arguments)
            if isinstance(arguments, str):
                return arguments, ""
            bound.append(arguments)
        before = self.state
        observations = []
        for call, arguments in zip(calls, bound, strict=True):
            try:
                observations.append(getattr(self, call.name)(**arguments))
            except ToolError as error:
                self.state = before
                self._outcome = _Outcome()
                return str(error), ""
            if self._outcome.terminated or self._outcome.truncated:
                break
        return "", "\n\n".join(observations)

    def _info(self, tool_call: ToolCall | tuple[ToolCall, ...] | None, valid: bool) -> dict[str, Any]:
        outcome = self._outcome
        info: TurnInfo = {
            "task_id": self._task_id,
            "turn": self._turn,
            "state_hash": self.state_hash(),
            "tool_call": tool_call,
            "is_action_valid": valid,
            "admissible_actions": [] if self._ended else self.admissible_actions(),
            "reward_terms": {OUTCOME: outcome.reward, **outcome.terms},
            "events": frozenset(outcome.events),
            "stop_reason": outcome.stop_reason,
            "privileged": self.privileged(),
        }
        return info  # type: ignore[return-value]

    def _clip(self, text: str) -> str:
        if not text.isascii():
            # An agent may write half a surrogate pair; what comes back can be stored and tokenised.
            text = text.encode("utf-8", "replace").decode()
        if len(text) <= self.max_observation_length:
            return text
        notice = f"\n[… {len(text):,} characters in all]"
        return text[: self.max_observation_length - len(notice)] + notice

    def _unknown_task(self, task_id: Any) -> str:
        sample = [str(self.tasks[i]) for i in range(min(len(self.tasks), 1000))]
        close = difflib.get_close_matches(str(task_id), sample, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"the first is {sample[0]!r}" if sample else "none"
        return f"{type(self).__name__} has no task {task_id!r} among its {len(self.tasks):,} tasks; {hint}"
