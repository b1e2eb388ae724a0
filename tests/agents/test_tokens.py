from __future__ import annotations

import numpy as np
import pytest

from turnwise.agents import broadcast, token_rows
from turnwise.rewards import Trajectory, Turn


def turn(index: int, prompt: list[int], response: list[int], restarts: bool = False) -> Turn:
    logprobs = [-0.1 * (i + 1) for i in range(len(response))]
    return Turn(
        index,
        "",
        "",
        prompt_ids=prompt,
        response_ids=response,
        response_logprobs=logprobs,
        restarts_context=restarts,
    )


def test_a_rebuilt_context_begins_a_new_row() -> None:
    trajectory = Trajectory([turn(0, [1, 2], [3]), turn(1, [4], [5, 6]), turn(2, [1, 7], [8], restarts=True)])
    first, second = token_rows(trajectory)
    assert first.ids.tolist() == [1, 2, 3, 4, 5, 6] and second.ids.tolist() == [1, 7, 8]
    assert first.response_mask.tolist() == [0, 0, 1, 0, 1, 1] and second.response_mask.tolist() == [0, 0, 1]
    assert second.turn_index.tolist() == [2, 2, 2]
    np.testing.assert_allclose(first.logprobs, [0, 0, -0.1, 0, -0.1, -0.2])


def test_given_tokens_get_no_credit() -> None:
    trajectory = Trajectory([turn(0, [1, 2], [3]), turn(1, [4], [5, 6]), turn(2, [1, 7], [8], restarts=True)])
    first, second = broadcast([2.0, -1.0, 0.5], token_rows(trajectory))
    assert first.tolist() == [0, 0, 2.0, 0, -1.0, -1.0] and second.tolist() == [0, 0, 0.5]


def test_what_does_not_fit_is_named() -> None:
    assert token_rows(Trajectory()) == [] and broadcast([], []) == []
    with pytest.raises(ValueError, match=r"per_turn must have shape \(1,\), one value a turn, got \(2,\)"):
        broadcast([1.0, 2.0], token_rows(Trajectory([turn(0, [1], [2])])))
    with pytest.raises(ValueError, match="turn 0 of episode 'e' has no response_ids"):
        token_rows(Trajectory([Turn(0, "", "look[]")], episode_id="e"))
    broken = turn(0, [1], [2])
    broken.response_logprobs = []
    with pytest.raises(ValueError, match="1 response_ids and 0 response_logprobs"):
        token_rows(Trajectory([broken]))
