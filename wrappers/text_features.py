"""`TextFeatures`: observations as a fixed-size vector, so that a plain network can act by index."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from turnwise.rewards.text_features import hashed_ngrams
from turnwise.wrappers.needs import MissingRequirementError, require
from turnwise.wrappers.record import observation_text

_WORD = re.compile(r"\w+")
_SLOT_SCORES = 4


class TextFeatures(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Turns text into a float32 vector in [-1, 1], without a model and the same in every process.

    The vector is made of

    * `dim` entries: hashed n-grams of the task (the first observation of the episode),
    * `dim` entries: hashed n-grams of the current observation,
    * 1 entry: the share of the turns that are used up, where the environment has `max_turns`,
    * and for each of the `max_actions` slots of `DiscreteActions`: whether it stands for an action; the share of the
      action's own words that occur in the task; the share of the words of its line that do; how often it was taken in
      this episode (n / (n + 1)); and `slot_dim` entries: hashed n-grams of the action and its line.

    The line of an action is the first line of the observation that mentions its argument: it says what an opaque id
    such as `click[B07X]` stands for. The two shares are what lets a network without any sense of language prefer the
    action that fits the task, whatever slot it is in.

    The text itself stays in `info["observation_text"]`, where reward wrappers further out find it.

    Args:
        env: A `TurnEnv`, wrapped or not; with `DiscreteActions` inside for slots.
        dim: Size of the two text vectors.
        slot_dim: Size of each slot's vector.
        include_admissible: Show the slots. None: where `DiscreteActions` is inside.

    Raises:
        MissingRequirementError: Slots are asked for without `DiscreteActions` inside.
        ValueError: `dim` or `slot_dim` is smaller than 1.

    >>> import gymnasium as gym, turnwise
    >>> from turnwise.wrappers.discrete_actions import DiscreteActions
    >>> env = DiscreteActions(gym.make("turnwise/WebShop-v0", products=50), max_actions=16)
    >>> env = TextFeatures(env, dim=64, slot_dim=8)
    >>> observation, info = env.reset(seed=0)
    >>> observation.shape, observation.dtype, observation in env.observation_space
    ((321,), dtype('float32'), True)
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        dim: int = 128,
        *,
        slot_dim: int = 16,
        include_admissible: bool | None = None,
    ) -> None:
        for name, value in (("dim", dim), ("slot_dim", slot_dim)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        gym.utils.RecordConstructorArgs.__init__(
            self, dim=dim, slot_dim=slot_dim, include_admissible=include_admissible
        )
        gym.Wrapper.__init__(self, env)
        require("TextFeatures", env, ())
        has_slots = env.has_wrapper_attr("max_actions") and env.has_wrapper_attr("offered")
        if include_admissible and not has_slots:
            raise MissingRequirementError("TextFeatures shows admissible actions only with DiscreteActions inside")
        self.slots: int = env.get_wrapper_attr("max_actions") if has_slots and include_admissible is not False else 0
        self.dim, self.slot_dim = dim, slot_dim
        size = 2 * dim + 1 + self.slots * (_SLOT_SCORES + slot_dim)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (size,), np.float32)
        self._max_turns: int | None = getattr(env.unwrapped, "max_turns", None)
        self._task = np.zeros(dim, dtype=np.float32)
        self._task_words: frozenset[str] = frozenset()
        self._taken: dict[str, int] = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        text = observation_text(observation, info)
        self._task, self._task_words, self._taken = _hashed(text, self.dim), words(text), {}
        return self._vector(text, info), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one turn."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        taken = info.get("action_text")
        if taken:
            self._taken[taken] = self._taken.get(taken, 0) + 1
        text = observation_text(observation, info)
        return self._vector(text, info), reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """(max_actions,) the mask of the `DiscreteActions` inside, where sb3-contrib looks for it."""
        mask: NDArray[np.bool_] = self.env.get_wrapper_attr("action_masks")()
        return mask

    def _vector(self, text: str, info: dict[str, Any]) -> NDArray[np.float32]:
        info["observation_text"] = text
        used = info["turn"] / self._max_turns if self._max_turns else 0.0
        vector = np.zeros(self.observation_space.shape or (), dtype=np.float32)
        vector[: self.dim] = self._task
        vector[self.dim : 2 * self.dim] = _hashed(text, self.dim)
        vector[2 * self.dim] = min(used, 1.0)
        if self.slots:
            slots = vector[2 * self.dim + 1 :].reshape(self.slots, -1)
            lines = [(line, line.lower()) for line in text.splitlines()]
            for slot, action in zip(slots, self.env.get_wrapper_attr("offered"), strict=False):
                self._fill(slot, action, lines)
        return vector

    def _fill(self, slot: NDArray[np.float32], action: str, lines: list[tuple[str, str]]) -> None:
        said = argument(action)
        line = next((line for line, lower in lines if said and said.lower() in lower), "")
        taken = self._taken.get(action, 0)
        slot[0] = 1.0
        slot[1] = share_of_words(said, self._task_words)
        slot[2] = share_of_words(line, self._task_words)
        slot[3] = taken / (taken + 1)
        slot[_SLOT_SCORES:] = _hashed(f"{action}\n{line}", self.slot_dim)


def argument(action: str) -> str:
    """What stands between the brackets of `name[argument]`; an action of another form as it is.

    >>> argument("click[B07X]"), argument("wait")
    ('B07X', 'wait')
    """
    start, end = action.find("["), action.rfind("]")
    return action[start + 1 : end].strip() if 0 <= start < end else action


def words(text: str) -> frozenset[str]:
    """The different words of a text, in lower case.

    >>> sorted(words("Red shirt, red"))
    ['red', 'shirt']
    """
    return frozenset(_WORD.findall(text.lower()))


def share_of_words(text: str, among: frozenset[str]) -> float:
    """The share of the words of `text` that are in `among`; 0 for a text without words.

    >>> share_of_words("blue shirt", words("a red shirt"))
    0.5
    """
    own = _words_cached(text)
    return len(own & among) / len(own) if own else 0.0


_words_cached = lru_cache(maxsize=4096)(words)


@lru_cache(maxsize=8192)
def _hashed(text: str, dim: int) -> NDArray[np.float32]:
    vector = hashed_ngrams(text, dim)
    vector.setflags(write=False)
    return vector
