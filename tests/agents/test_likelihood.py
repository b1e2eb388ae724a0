"""Scores after every turn: the same as a pass per turn gives, for the price of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from agents_models import CHATML, REWRITING, random_model, watched, with_template

from turnwise.agents import TransformersPolicy, likelihood
from turnwise.agents.answer_tree import Branch, Trunk, merge
from turnwise.agents.forward import takes_attention_masks
from turnwise.agents.likelihood import score_separately, score_trees
from turnwise.rewards import Trajectory, Turn

TREES = ("llama", "llama, rotation scaled", "qwen2", "qwen3", "gpt2", "gpt-neox")
PREFIXES = ("bloom", "mistral, sliding", "gemma2")
SEPARATE = ("mamba", "llama, rotation changing")


def trajectories(number: int = 3) -> list[Trajectory]:
    rng = np.random.default_rng(0)
    words = ["cell", "key", "You", "stand", "left", "move[left]", "2", "of", "door"]

    def text(length: int) -> str:
        return " ".join(rng.choice(words, length))

    return [
        Trajectory(
            [Turn(t, text(9), text(3)) for t in range(2 + i)] + [Turn(2 + i, text(4), text(2), text(5))],
            instructions="the rules",
        )
        for i in range(number)
    ]


ANSWERS = ["cell 3", "You stand in cell 2 of 5", "a door"]


def by_hand(policy: TransformersPolicy, trajectory: Trajectory, turn: int, answer: str) -> np.ndarray:
    """The score of one answer from the logits of one plain call of the model."""
    given = policy.chat.encode(policy.chat.opening(trajectory.messages(turn)))
    text = policy.tokenizer(
        policy.answer_prefix + answer + policy.answer_suffix, add_special_tokens=False, return_offsets_mapping=True
    )
    start, end = len(policy.answer_prefix), len(policy.answer_prefix) + len(answer)
    covering = [i for i, (a, b) in enumerate(text["offset_mapping"]) if a < end and b > start]
    ids = torch.tensor([given + text["input_ids"]])
    with torch.no_grad():
        logprobs = torch.log_softmax(policy.model(ids).logits[0, :-1].float(), dim=-1)
    return logprobs.gather(1, ids[0, 1:, None])[:, 0][[len(given) + i - 1 for i in covering]].double().numpy()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", TREES + PREFIXES + SEPARATE)
def test_scores_are_those_of_a_pass_per_turn(architecture: str, attention: str, tokenizer: Any) -> None:
    model = random_model(architecture, len(tokenizer), attention=attention)
    policy = TransformersPolicy(model, tokenizer)
    expected = "tree" if architecture in TREES else "prefix" if architecture in PREFIXES else "separate"
    assert policy.probe.ability.scoring == expected
    assert bool(policy.probe.ability.reason) == (expected != "tree")
    found = policy.answer_logprobs_by_turn(trajectories(), ANSWERS)
    assert [len(values) for values in found] == [4, 5, 6]
    for trajectory, answer, values in zip(trajectories(), ANSWERS, found, strict=True):
        for turn, value in enumerate(values):
            assert value.dtype == np.float64
            np.testing.assert_allclose(value, by_hand(policy, trajectory, turn, answer), atol=1e-4)


def test_a_window_that_a_small_example_cannot_show_is_read_from_the_configuration(tokenizer: Any) -> None:
    model = random_model("mistral, sliding", len(tokenizer))
    model.config.sliding_window = 4096
    ability = TransformersPolicy(model, tokenizer).probe.ability
    assert ability.scoring == "prefix" and "slides over 4096 tokens" in ability.reason


def test_a_kernel_that_makes_its_own_masks_is_known(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    assert takes_attention_masks(model)
    for kernel in ("flash_attention_2", "flex_attention"):
        model.config._attn_implementation = kernel
        assert not takes_attention_masks(model)


def _without_masks(original: Callable[..., Any]) -> Callable[..., Any]:
    def forward(self: Any, input_ids: Any, attention_mask: Any = None, position_ids: Any = None, **rest: Any) -> Any:
        mask = None if attention_mask is not None and attention_mask.ndim == 4 else attention_mask
        return original(self, input_ids=input_ids, attention_mask=mask, position_ids=position_ids, **rest)

    return forward


def test_a_model_that_quietly_ignores_masks_is_found_out(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaForCausalLM

    class Deaf(LlamaForCausalLM):
        forward = _without_masks(LlamaForCausalLM.forward)

    deaf = Deaf(random_model("llama", len(tokenizer)).config).eval()
    policy = TransformersPolicy(deaf, tokenizer, max_new_tokens=6)
    assert policy.probe.ability.scoring != "tree" and "scores are off" in policy.probe.ability.reason
    found = policy.answer_logprobs_by_turn(trajectories(1), ANSWERS[:1])
    for turn, value in enumerate(found[0]):
        np.testing.assert_allclose(value, by_hand(policy, trajectories(1)[0], turn, ANSWERS[0]), atol=1e-4)


def test_a_trajectory_goes_through_the_model_once(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    policy = TransformersPolicy(model, tokenizer)
    [trajectory] = trajectories(1)
    assert policy.probe.ability.scoring == "tree"
    whole = len(policy.chat.encode(policy.chat.opening(trajectory.messages())))
    answer = len(tokenizer(policy.answer_prefix + ANSWERS[0])["input_ids"]) + 1
    with watched(model) as seen:
        policy.answer_logprobs_by_turn([trajectory], ANSWERS[:1])
    assert len(seen["tokens"]) == 2 and sum(seen["tokens"]) <= whole + 4 * answer
    # Only places whose logits are read have any: one of the first pass, and the answers' tokens.
    scored = sum(len(v) for v in policy.answer_logprobs_by_turn([trajectory], ANSWERS[:1])[0])
    assert seen["places"] == [1, scored]


def test_training_reads_the_logits_of_sampled_tokens_only(tokenizer: Any) -> None:
    from turnwise.agents.imitation import tokenized
    from turnwise.agents.tokens import token_rows

    model = random_model("qwen2", len(tokenizer))
    policy = TransformersPolicy(model, tokenizer)
    rows = [row for t in trajectories() for row in token_rows(tokenized(t, policy))]
    with watched(model) as seen:
        values = policy.row_logprobs(rows)
    assert seen["places"] == [sum(int(row.response_mask.sum()) for row in rows)]
    assert all(value.requires_grad for value in values)


def test_aliases_share_what_they_begin_with(tokenizer: Any) -> None:
    model = random_model("qwen2", len(tokenizer))
    policy = TransformersPolicy(model, tokenizer)
    assert policy.probe.ability.scoring == "tree"
    names = ["cell 3", "cell 2 of 5", "cell 3"]
    with watched(model) as seen:
        largest = policy.answer_logprobs_by_turn(trajectories(1), [names], aliases="max")[0]
    single = [policy.answer_logprobs_by_turn(trajectories(1), [name])[0] for name in names[:2]]
    assert seen["tokens"][1] < 4 * (len(tokenizer(policy.answer_prefix)["input_ids"]) + 12)
    any_of_them = policy.answer_logprobs_by_turn(trajectories(1), [names], aliases="logsumexp")[0]
    first = policy.answer_logprobs_by_turn(trajectories(1), [names])[0]
    for turn in range(4):
        values = [scores[turn] for scores in single]
        np.testing.assert_allclose(largest[turn], max(values, key=np.mean), atol=1e-5)
        np.testing.assert_allclose(first[turn], values[0], atol=1e-5)
        np.testing.assert_allclose(np.exp(any_of_them[turn]), [sum(np.exp(v.sum()) for v in values)], rtol=1e-4)


def test_a_template_that_rewrites_the_past_gets_passes_of_its_own(tokenizer: Any) -> None:
    rewriting = with_template(tokenizer, REWRITING)
    policy = TransformersPolicy(random_model("llama", len(rewriting)), rewriting)
    found = policy.answer_logprobs_by_turn(trajectories(), ANSWERS)
    for trajectory, answer, values in zip(trajectories(), ANSWERS, found, strict=True):
        texts = [policy.chat.opening(trajectory.messages(t)) for t in range(len(trajectory) + 1)]
        assert not texts[-1].startswith(texts[-2])
        for turn, value in enumerate(values):
            np.testing.assert_allclose(value, by_hand(policy, trajectory, turn, answer), atol=1e-4)


def test_the_last_turn_may_be_left_out(tokenizer: Any) -> None:
    policy = TransformersPolicy(random_model("llama", len(tokenizer)), tokenizer)
    all_of_them = policy.answer_logprobs_by_turn(trajectories(), ANSWERS)
    without = policy.answer_logprobs_by_turn(trajectories(), ANSWERS, after_last=False)
    for a, b in zip(all_of_them, without, strict=True):
        assert len(b) == len(a) - 1
        np.testing.assert_allclose(np.concatenate(a[:-1]), np.concatenate(b), atol=1e-5)
    assert policy.answer_logprobs_by_turn([Trajectory()], ["x"], after_last=False) == [[]]
    assert policy.answer_logprobs_by_turn([], []) == []


def test_few_logits_at_a_time_give_the_same(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model("llama", len(tokenizer))
    policy = TransformersPolicy(model, tokenizer)
    at_once = policy.answer_logprobs_by_turn(trajectories(), ANSWERS)
    monkeypatch.setattr(likelihood, "LOGITS_AT_ONCE", 5 * len(tokenizer))
    with watched(model) as seen:
        in_parts = policy.answer_logprobs_by_turn(trajectories(), ANSWERS)
    longest = max(len(values[0]) for values in at_once)
    assert max(seen["places"]) <= max(5, longest) and len(seen["places"]) > 5
    for a, b in zip(at_once, in_parts, strict=True):
        np.testing.assert_allclose(np.concatenate(a), np.concatenate(b), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_batches_of_any_size_give_the_same(batch_size: int | None, tokenizer: Any) -> None:
    model = random_model("gpt2", len(tokenizer))
    found = TransformersPolicy(model, tokenizer, batch_size=batch_size).answer_logprobs_by_turn(trajectories(), ANSWERS)
    alone = [
        TransformersPolicy(model, tokenizer).answer_logprobs_by_turn([t], [a])[0]
        for t, a in zip(trajectories(), ANSWERS, strict=True)
    ]
    for a, b in zip(found, alone, strict=True):
        np.testing.assert_allclose(np.concatenate(a), np.concatenate(b), atol=1e-4)


@pytest.mark.parametrize("way", ["weights", "autocast"])
def test_half_precision_is_close(way: str, tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    expected = TransformersPolicy(model, tokenizer).answer_logprobs_by_turn(trajectories(), ANSWERS)
    if way == "weights":
        policy = TransformersPolicy(model.to(torch.bfloat16), tokenizer)
    else:
        policy = TransformersPolicy(model, tokenizer, autocast=torch.bfloat16)
    assert policy.probe.ability.scoring == "tree"
    found = policy.answer_logprobs_by_turn(trajectories(), ANSWERS)
    for a, b in zip(expected, found, strict=True):
        for x, y in zip(a, b, strict=True):
            assert y.dtype == np.float64
            assert abs(x.mean() - y.mean()) < 0.25


def test_random_trees_score_as_separate_passes_do(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    rng = np.random.default_rng(1)
    options: dict[str, Any] = {"pad_id": 0, "batch_size": 3, "batch_tokens": 4096}
    for _ in range(5):
        trunks, number = [], 0
        for length in rng.integers(1, 30, 4):
            trunks.append(Trunk(rng.integers(5, 9, length).tolist()))
            for _ in range(rng.integers(1, 6)):
                ids = rng.integers(5, 7, rng.integers(1, 5)).tolist()
                scored = np.flatnonzero(rng.random(len(ids)) < 0.6).tolist()
                trunks[-1].branches.append(Branch(int(rng.integers(1, length + 1)), ids, scored, number))
                number += 1
        found, expected = score_trees(model, trunks, **options), score_separately(model, trunks, **options)
        assert found.keys() == expected.keys()
        for key in expected:
            np.testing.assert_allclose(found[key], expected[key], atol=1e-4)


def test_contexts_are_merged_where_one_begins_the_other() -> None:
    contexts = [[1, 2, 3], [1], [2, 2], [1, 2, 3], [1, 2, 4], [1, 2]]
    trunks = merge(contexts, [([9], [0])] * 6, first=10)
    found = {tuple(t.ids): [(b.at, b.number) for b in t.branches] for t in trunks}
    assert found == {(1, 2, 3): [(3, 10), (3, 13), (2, 15), (1, 11)], (1, 2, 4): [(3, 14)], (2, 2): [(2, 12)]}
    assert [trunk.keep for trunk in trunks] == [False, True, True]


def test_bad_arguments_are_named(tokenizer: Any) -> None:
    policy = TransformersPolicy(random_model("gpt2", len(tokenizer)), with_template(tokenizer, CHATML))
    with pytest.raises(ValueError, match="2 trajectories, 1 answers"):
        policy.answer_logprobs_by_turn(trajectories(2), ["x"])
    with pytest.raises(ValueError, match="aliases must be one of"):
        policy.answer_logprobs_by_turn(trajectories(1), ["x"], aliases="mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one text"):
        policy.answer_logprobs_by_turn(trajectories(1), [[]])
    with pytest.raises(ValueError, match="2 contexts, 1 answers"):
        policy.answer_logprobs([[], []], ["x"])
