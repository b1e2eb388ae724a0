from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agents_models import ARCHITECTURES, CHATML, random_model, with_template
from key_door import KeyDoorEnv

from turnwise.agents import AFTER_MESSAGE, Context, StopRule, TransformersPolicy, collect, token_rows
from turnwise.agents.forward import sub_batches
from turnwise.agents.generation import SamplingOptions, _choose
from turnwise.rewards import Trajectory
from turnwise.rewards.protocols import PolicyProbe


def contexts(number: int) -> list[Context]:
    """Contexts of very different lengths."""
    return [Context(f"e{i}", "The rules.", ["You stand in cell 2. " * (1 + 3 * i)]) for i in range(number)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_batch_writes_what_single_rows_write(architecture: str, tokenizer: Any) -> None:
    model = random_model(architecture, len(tokenizer))
    policy = TransformersPolicy(model, tokenizer, temperature=0.0, max_new_tokens=24)
    many = contexts(6)
    batched = policy.act(many)
    single = [policy.act([context])[0] for context in many]
    assert [d.response_ids for d in batched] == [d.response_ids for d in single]
    assert len({tuple(d.response_ids) for d in batched}) > 1
    for a, b in zip(batched, single, strict=True):
        np.testing.assert_allclose(a.response_logprobs, b.response_logprobs, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_small_batches_write_what_one_large_batch_writes(architecture: str, tokenizer: Any) -> None:
    model = random_model(architecture, len(tokenizer))
    large = TransformersPolicy(model, tokenizer, seed=3, max_new_tokens=12)
    small = TransformersPolicy(model, tokenizer, seed=3, max_new_tokens=12, batch_size=2)
    many = contexts(5)
    assert [d.response_ids for d in large.act(many)] == [d.response_ids for d in small.act(many[::-1])[::-1]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_logprobs_are_those_of_a_full_forward_pass(architecture: str, temperature: float, tokenizer: Any) -> None:
    model = random_model(architecture, len(tokenizer))
    policy = TransformersPolicy(model, tokenizer, temperature=temperature, max_new_tokens=10)
    for decision in policy.act(contexts(4)):
        ids = torch.tensor([decision.prompt_ids + decision.response_ids])
        with torch.no_grad():
            logprobs = torch.log_softmax(model(ids).logits[0, :-1].float(), dim=-1)
        expected = logprobs.gather(1, ids[0, 1:, None])[:, 0][-len(decision.response_ids) :]
        np.testing.assert_allclose(decision.response_logprobs, expected.numpy(), atol=1e-4)


def play(policy: TransformersPolicy, episodes: int = 4) -> list[Trajectory]:
    return collect(policy, [KeyDoorEnv(max_turns=4) for _ in range(3)], episodes, seed=1)


@pytest.mark.parametrize("window", [None, 1, 2])
def test_a_trajectory_holds_what_the_model_was_fed(window: int | None, tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    policy = TransformersPolicy(model, tokenizer, window=window, max_new_tokens=8)
    fed: list[list[int]] = []
    original = policy.conversation.prompt

    def watched(context: Context) -> Any:
        prompt = original(context)
        fed.append(prompt.ids)
        return prompt

    policy.conversation.prompt = watched  # type: ignore[method-assign]
    for trajectory in play(policy):
        rows = token_rows(trajectory)
        assert len(rows) == (1 if window is None else 1 + sum(t.restarts_context for t in trajectory.turns))
        for row in rows:
            starts = np.flatnonzero(np.diff(row.response_mask, prepend=0) == 1)
            assert all(row.ids[:start].tolist() in fed for start in starts)
        for turn in trajectory.turns:
            assert policy._text(turn.response_ids) == turn.action


@pytest.mark.parametrize("window", [None, 1])
def test_training_logprobs_equal_sampling_logprobs(window: int | None, tokenizer: Any) -> None:
    policy = TransformersPolicy(random_model("gpt2", len(tokenizer)), tokenizer, window=window, max_new_tokens=8)
    trajectories = play(policy)
    values = policy.action_logprobs(trajectories)
    turns = [turn for trajectory in trajectories for turn in trajectory.turns]
    assert len(values) == len(turns)
    for value, turn in zip(values, turns, strict=True):
        np.testing.assert_allclose(value.detach().numpy(), turn.response_logprobs, atol=1e-4)
    assert values[0].requires_grad


def test_hidden_states_are_those_of_each_turns_last_token(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    policy = TransformersPolicy(model, tokenizer, max_new_tokens=6)
    trajectory = play(policy, 1)[0]
    states = policy.hidden_states(trajectory)
    row = token_rows(trajectory)[0]
    with torch.no_grad():
        hidden = model(torch.from_numpy(row.ids)[None], output_hidden_states=True).hidden_states[-1][0]
    ends = [np.flatnonzero(row.turn_index == t)[-1] for t in range(len(trajectory))]
    assert states.shape == (len(trajectory), 32)
    np.testing.assert_allclose(states, hidden[ends].numpy(), atol=1e-4)


def test_answer_logprobs_cover_the_answer_and_nothing_else(tokenizer: Any) -> None:
    model = random_model("qwen2", len(tokenizer))
    policy = TransformersPolicy(model, tokenizer, answer_prefix="So: <answer>", answer_suffix="</answer>")
    assert isinstance(policy, PolicyProbe)
    messages = [{"role": "system", "content": "rules"}, {"role": "user", "content": "where is the key?"}]
    short = [{"role": "user", "content": "key?"}]
    answers = ["cell 3", "You stand in cell 2 of 5"]
    values = policy.answer_logprobs([messages, short], answers)
    for context, answer, value in zip([messages, short], answers, values, strict=True):
        prompt = policy.chat.encode(policy.chat.opening(context))
        text = tokenizer("So: <answer>" + answer + "</answer>", return_offsets_mapping=True)
        covering = [i for i, (a, b) in enumerate(text["offset_mapping"]) if a < 12 + len(answer) and b > 12]
        ids = torch.tensor([prompt + text["input_ids"]])
        with torch.no_grad():
            logprobs = torch.log_softmax(model(ids).logits[0, :-1], dim=-1).gather(1, ids[0, 1:, None])[:, 0]
        np.testing.assert_allclose(value, logprobs[[len(prompt) + i - 1 for i in covering]].numpy(), atol=1e-4)
    assert policy.answer_logprobs([short], [""])[0].shape == (0,)


def test_draws_belong_to_seed_episode_and_turn(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    one = TransformersPolicy(model, tokenizer, seed=1, max_new_tokens=8).act(contexts(3))
    torch.manual_seed(99)
    same = TransformersPolicy(model, tokenizer, seed=1, max_new_tokens=8).act(contexts(3)[::-1])[::-1]
    other = TransformersPolicy(model, tokenizer, seed=2, max_new_tokens=8).act(contexts(3))
    assert [d.response_ids for d in one] == [d.response_ids for d in same]
    assert [d.response_ids for d in one] != [d.response_ids for d in other]


def test_sampled_frequencies_follow_the_distribution() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -30.0]])
    uniforms = np.random.default_rng(0).random(20_000)
    drawn = _choose(logits.expand(20_000, -1), uniforms.tolist(), SamplingOptions(temperature=0.5))
    expected = torch.softmax(logits[0] / 0.5, dim=-1).numpy()
    np.testing.assert_allclose(np.bincount(drawn.numpy(), minlength=4) / 20_000, expected, atol=0.015)
    nucleus = _choose(logits.expand(20_000, -1), uniforms.tolist(), SamplingOptions(top_p=0.9))
    kept = np.array([np.e**2, np.e, 0, 0]) / (np.e**2 + np.e)  # the first two hold 0.91
    np.testing.assert_allclose(np.bincount(nucleus.numpy(), minlength=4) / 20_000, kept, atol=0.015)
    assert _choose(logits, [0.999999999], SamplingOptions(top_p=1e-9)).tolist() == [0]


def scripted(tokenizer: Any, text: str, **options: Any) -> tuple[TransformersPolicy, list[int]]:
    """A policy with a real model whose last layer is replaced so that it writes one text, and the ids of that text."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    model = random_model("gpt2", len(tokenizer))
    written: list[int] = []

    class Head(torch.nn.Module):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            logits = torch.full((*hidden.shape[:2], len(tokenizer)), -50.0)
            logits[..., ids[min(len(written), len(ids) - 1)]] = 50.0
            written.append(0)
            return logits

    model.set_output_embeddings(Head())
    policy = TransformersPolicy(model, tokenizer, temperature=0.0, max_new_tokens=len(ids) + 5, **options)
    assert policy.probe.ability  # found out by trying,
    written.clear()  # which is not part of the text
    return policy, ids


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("move[left]\nmove[right]\n", "move[left]\n"),
        ("Action: move[left]\nObservation: none", "Action: move[left]\n"),
        ('<tool_call>{"name": "open"}</tool_call> and more', '<tool_call>{"name": "open"}</tool_call>'),
        ("<think>move[up]\n</think>move[left]\nrest", "<think>move[up]\n</think>move[left]\n"),
        ("move[a [b] c] on <|end|>rest", "move[a [b] c] on "),
    ],
)
def test_sampling_stops_where_the_message_is_over(text: str, kept: str, tokenizer: Any) -> None:
    policy, ids = scripted(tokenizer, text)
    decision = policy.act(contexts(1))[0]
    assert decision.action.startswith(kept) and len(decision.action) <= len(kept) + 1
    assert decision.response_ids == ids[: len(decision.response_ids)]
    if "<|end|>" in text:
        assert decision.response_ids[-1] == tokenizer.eos_token_id


def test_a_stop_rule_can_be_replaced(tokenizer: Any) -> None:
    whole, _ = scripted(tokenizer, "move[left]\nmove[right]\n<|end|>", stop=AFTER_MESSAGE)
    assert whole.act(contexts(1))[0].action == "move[left]\nmove[right]\n"
    early, _ = scripted(tokenizer, "move[left]\nmove[right]\n<|end|>", stop=StopRule(lambda text: "[" in text))
    assert early.act(contexts(1))[0].action == "move["


def test_an_episode_that_outgrows_its_context_is_truncated(tokenizer: Any) -> None:
    policy = TransformersPolicy(
        random_model("llama", len(tokenizer)), tokenizer, max_new_tokens=8, max_length=300, stop=AFTER_MESSAGE
    )
    trajectories = collect(policy, KeyDoorEnv(), 3, seed=0)
    assert {t.stop_reason for t in trajectories} == {"context_overflow"}
    assert all(t.truncated and not t.terminated and t.turns[-1].truncated for t in trajectories)
    assert all(len(token_rows(t)[0].ids) <= 300 for t in trajectories)
    at_once = TransformersPolicy(policy.model, tokenizer, max_new_tokens=8, max_length=20)
    assert [len(t) for t in collect(at_once, KeyDoorEnv(), 2, seed=0)] == [0, 0]


@pytest.mark.parametrize("window", [None, 1])
def test_nothing_privileged_reaches_a_prompt(window: int | None, tokenizer: Any) -> None:
    policy = TransformersPolicy(random_model("llama", len(tokenizer)), tokenizer, window=window, max_new_tokens=8)
    for trajectory in play(policy):
        answer = trajectory.privileged["answer"]
        assert answer.startswith("the key is in cell")
        for row in token_rows(trajectory):
            assert answer not in tokenizer.decode(row.ids[row.response_mask == 0])


def test_a_saved_model_is_loaded_by_path(tmp_path: Path, tokenizer: Any) -> None:
    model = random_model("qwen2", len(tokenizer))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = TransformersPolicy(str(tmp_path), device="cpu", temperature=0.0)
    expected = TransformersPolicy(model, tokenizer, temperature=0.0)
    assert loaded.act(contexts(2)) == expected.act(contexts(2))


def test_a_template_of_another_family_works_end_to_end(tokenizer: Any) -> None:
    chatml = with_template(tokenizer, CHATML)
    policy = TransformersPolicy(random_model("llama", len(chatml)), chatml, max_new_tokens=8)
    trajectory = play(policy, 1)[0]
    text = chatml.decode(token_rows(trajectory)[0].ids)
    assert text.count("<|im_start|>assistant\n") == len(trajectory)


def test_bad_arguments_are_named(tokenizer: Any) -> None:
    model = random_model("gpt2", len(tokenizer))
    with pytest.raises(ValueError, match="needs a tokenizer"):
        TransformersPolicy(model)
    with pytest.raises(ValueError, match="top_p must be in"):
        TransformersPolicy(model, tokenizer, top_p=0.0)
    with pytest.raises(ValueError, match="temperature must be 0"):
        TransformersPolicy(model, tokenizer, temperature=-1.0)


def test_sub_batches_hold_every_index_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 500, 100).tolist()
    batches = list(sub_batches(lengths, rows=8, tokens=1000))
    assert sorted(i for batch in batches for i in batch) == list(range(100))
    assert all(len(b) <= 8 and (len(b) == 1 or len(b) * max(lengths[i] for i in b) <= 1000) for b in batches)
