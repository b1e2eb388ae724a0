"""Caches that live between turns: what is written is the same, what is read is less."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from agents_models import ARCHITECTURES, REWRITING, random_model, watched, with_template
from key_door import KeyDoorEnv

from turnwise.agents import AFTER_MESSAGE, Context, Decision, Reinforce, StopRule, TransformersPolicy, collect
from turnwise.agents.policy import StreamingPolicy
from turnwise.rewards import Credit, Trajectory, TurnBatch


def policy_of(model: Any, tokenizer: Any, **options: Any) -> TransformersPolicy:
    return TransformersPolicy(model, tokenizer, **{"max_new_tokens": 8, "stop": AFTER_MESSAGE, **options})


def play(policy: Any, episodes: int = 5, turns: int = 3) -> list[Trajectory]:
    return collect(policy, [KeyDoorEnv(max_turns=turns) for _ in range(4)], episodes, seed=1)


def assert_same(found: list[Decision], expected: list[Decision]) -> None:
    """The same decisions, but for numerical noise in the log-probabilities."""
    assert [replace(d, response_logprobs=[]) for d in found] == [replace(d, response_logprobs=[]) for d in expected]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.response_logprobs, b.response_logprobs, atol=1e-4)


def ids(trajectories: list[Trajectory]) -> list[list[int]]:
    return [turn.response_ids for trajectory in trajectories for turn in trajectory.turns]


class InLockstep:
    """The policy without its streaming side: a batch at a time."""

    def __init__(self, policy: TransformersPolicy) -> None:
        self.act, self.forget = policy.act, policy.forget


@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "qwen3", "bloom", "mistral, sliding"])
def test_the_same_tokens_are_sampled_however_much_is_kept(
    architecture: str, window: int | None, tokenizer: Any
) -> None:
    model = random_model(architecture, len(tokenizer))
    settings: list[dict[str, Any]] = [{}, {"cache_tokens": 0}, {"cache_tokens": 300}, {"batch_size": 3}]
    found = [play(policy_of(model, tokenizer, window=window, **options)) for options in settings]
    lockstep = play(InLockstep(policy_of(model, tokenizer, window=window)))
    for other in (*found[1:], lockstep):
        assert ids(other) == ids(found[0])
        for a, b in zip(found[0], other, strict=True):
            for x, y in zip(a.turns, b.turns, strict=True):
                np.testing.assert_allclose(x.response_logprobs, y.response_logprobs, atol=1e-4)
    assert len({tuple(row) for row in ids(found[0])}) > 6


def test_a_turn_reads_what_is_new_and_no_more(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    policy = policy_of(model, tokenizer)
    context = Context("e", "The rules.", ["A long task. " * 20])
    policy.act([context])
    for observation in ("first page", "second page"):
        prompt = policy.conversation.prompt(context)
        [decision] = policy.act([context])
        context.decisions.append(decision)
        context.observations.append(observation)
        with watched(model) as seen:
            [later] = policy.act([context])
        new = len(policy.conversation.prompt(context).new_ids)
        # The last sampled token was never read; each sampled token but the last is read once.
        assert sum(seen["tokens"]) == new + 1 + len(later.response_ids) - 1
        assert new < len(prompt.ids) / 2


def test_a_past_that_was_changed_is_read_again_from_there(tokenizer: Any) -> None:
    model = random_model("qwen2", len(tokenizer))
    policy = policy_of(model, tokenizer)
    context = Context("e", "The rules.", ["The task, which is told at length. " * 4])
    context.decisions.append(policy.act([context])[0])
    context.observations.append("a page")
    policy.act([context])
    # A summary in the place of what was said.
    changed = Context("e", "The rules.", [context.observations[0], "another page"])
    changed.decisions.append(Decision("look[]", context.decisions[0].prompt_ids, policy.chat.encode("look[]")))
    with watched(model) as seen:
        found = policy.act([changed])
    assert_same(found, policy_of(model, tokenizer, cache_tokens=0).act([changed]))
    assert seen["tokens"][0] < len(policy.conversation.prompt(changed).new_ids) + 15
    other = Context("e", "Other rules.", ["Another task."])
    assert_same(policy.act([other]), policy_of(model, tokenizer, cache_tokens=0).act([other]))


def test_rollouts_of_one_task_share_its_beginning(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    policy = policy_of(model, tokenizer)
    task = "The same task for all of the group. " * 6
    first = policy.act([Context("a", "The rules.", [task])])
    with watched(model) as seen:
        second = policy.act([Context("b", "The rules.", [task])])
    assert seen["tokens"][0] == 1
    fresh = policy_of(model, tokenizer, cache_tokens=0)
    assert_same([*first, *second], fresh.act([Context(key, "The rules.", [task]) for key in "ab"]))


def test_what_is_kept_is_bounded_and_forgotten(tokenizer: Any) -> None:
    policy = policy_of(random_model("llama", len(tokenizer)), tokenizer, cache_tokens=150)
    contexts = [Context(f"e{i}", "", ["A task of some length. " * 3]) for i in range(8)]
    policy.act(contexts)
    assert 0 < policy._kept.held <= 150 and 0 < len(policy._kept) < 8
    for context in contexts:
        policy.forget(context.episode_id)
    assert len(policy._kept) == policy._kept.held == 0
    whole = policy_of(policy.model, tokenizer)
    play(whole)
    assert len(whole._kept) == 0
    with pytest.raises(ValueError, match="cache_tokens must be 0"):
        policy_of(policy.model, tokenizer, cache_tokens=-1)


@pytest.mark.parametrize("way", ["optimizer", "fused", "data", "told"])
def test_new_weights_make_old_caches_void(way: str, tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    policy = policy_of(model, tokenizer)
    context = Context("e", "The rules.", ["The task."])
    context.decisions.append(policy.act([context])[0])
    context.observations.append("a page")
    if way in ("optimizer", "fused"):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, fused=way == "fused")
        model(torch.tensor([[5, 6, 7]])).logits.sum().backward()
        optimizer.step()
    else:
        for parameter in model.parameters():
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    if way == "told":
        assert "e" in policy._kept
        policy.weights_changed()
        assert len(policy._kept) == 0
    found = policy.act([context])
    assert_same(found, policy_of(copy.deepcopy(model), tokenizer, cache_tokens=0).act([context]))


def test_the_reference_trainer_tells(tokenizer: Any) -> None:
    policy = policy_of(random_model("llama", len(tokenizer)), tokenizer)
    trajectories = play(policy)
    policy.act([Context("running", "The rules.", ["The task."])])
    told: list[int] = []
    original = policy.weights_changed
    policy.weights_changed = lambda: (told.append(len(policy._kept)), original())[1]  # type: ignore[method-assign]
    advantage = np.ones(sum(map(len, trajectories)))
    trainer = Reinforce(policy, learning_rate=1e-3, minibatches=2, kl=0.1)
    trainer.update(trajectories, Credit.of(TurnBatch.from_trajectories(trajectories), advantage))
    assert told == [1, 0] and len(policy._kept) == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_probe_during_the_rollout_goes_on_from_its_cache(architecture: str, tokenizer: Any) -> None:
    model = random_model(architecture, len(tokenizer))
    policy, fresh = policy_of(model, tokenizer), policy_of(model, tokenizer, cache_tokens=0)
    answer, messages = "cell 3", [{"role": "system", "content": "The rules."}]
    context = Context("e", "The rules.", ["A long task. " * 20])
    untouched = Context("e", "The rules.", list(context.observations))
    for observation in ("a first page", "a second page", "a third page"):
        messages.append({"role": "user", "content": context.observation})
        assert policy.probe.ability.scoring == "tree"
        with watched(model) as seen:
            [value] = policy.answer_logprobs([messages], [answer])
        np.testing.assert_allclose(value, fresh.answer_logprobs([messages], [answer])[0], atol=1e-4)
        phrase = len(tokenizer(policy.answer_prefix + answer)["input_ids"]) + 1
        if len(messages) > 2:
            assert sum(seen["tokens"]) <= phrase + 60 < len(policy.conversation.prompt(context).ids)
        with watched(model) as seen:
            [decision] = policy.act([context])
        # What the probe has read need not be read again.
        assert seen["tokens"][0] <= 2
        assert_same([decision], fresh.act([untouched]))
        for one in (context, untouched):
            # As text that is tokenised to what was sampled, so that the probe's context is the rollout's own.
            one.decisions.append(Decision("look[]", decision.prompt_ids, [*policy.chat.encode("look[]"), 1]))
            one.observations.append(observation)
        messages.append({"role": "assistant", "content": "look[]"})


def test_a_probe_of_what_was_sampled_otherwise_is_right_too(tokenizer: Any) -> None:
    """The sampled tokens are not those of their text: the common beginning is used, and nothing else."""
    model = random_model("llama", len(tokenizer))
    policy = policy_of(model, tokenizer)
    for trajectory in play(policy, 2):
        for turn in range(len(trajectory) + 1):
            found = policy.answer_logprobs([trajectory.messages(turn)], ["cell 3"])[0]
            fresh = policy_of(model, tokenizer, cache_tokens=0).answer_logprobs([trajectory.messages(turn)], ["cell 3"])
            np.testing.assert_allclose(found, fresh[0], atol=1e-4)


def test_a_template_that_rewrites_the_past_does_not_harm_the_rollout(tokenizer: Any) -> None:
    rewriting = with_template(tokenizer, REWRITING)
    model = random_model("llama", len(rewriting))
    kept, fresh = policy_of(model, rewriting), policy_of(model, rewriting, cache_tokens=0)
    assert ids(play(kept)) == ids(play(fresh))
    for trajectory in play(fresh, 2):
        for turn in range(len(trajectory) + 1):
            messages = [trajectory.messages(turn)]
            found, expected = (p.answer_logprobs(messages, ["cell 3"])[0] for p in (kept, fresh))
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_new_rows_are_admitted_as_others_finish(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    # A message is over after as many tokens as its first one says: between 1 and 6.
    stop = StopRule(lambda text: True)
    policy = policy_of(model, tokenizer, batch_size=2, stop=stop)
    policy._is_complete = lambda ids: len(ids) > ids[0] % 6  # type: ignore[method-assign]
    contexts = [Context(f"e{i}", "", [f"task {i}"]) for i in range(7)]
    assert policy.probe.ability.scoring == "tree"
    with watched(model) as seen:
        found = policy.act(contexts)
    lengths = [len(d.response_ids) for d in found]
    assert lengths == [d.response_ids[0] % 6 + 1 if d.response_ids[0] % 6 + 1 <= 8 else 8 for d in found]
    assert len(set(lengths)) > 2
    decoding = [n for n in seen["places"] if n]
    assert max(decoding) == 2 and sum(seen["places"]) == sum(lengths)  # nothing is computed for who is done


def test_answers_come_one_by_one_and_can_be_withdrawn(tokenizer: Any) -> None:
    model = random_model("llama", len(tokenizer))
    policy = policy_of(model, tokenizer)
    assert isinstance(policy, StreamingPolicy)
    contexts = [Context(f"e{i}", "", [f"task {i}"]) for i in range(4)]
    expected = policy_of(model, tokenizer).act(contexts)
    policy.submit(contexts[:2])
    assert policy.decided(timeout=0.0) == []
    policy.submit([Context("long", "", ["word " * 3000]), Context("never", "", ["begun"])])
    policy.forget("e1")
    policy.forget("never")
    inside = policy.act(contexts[2:])  # others may be under way
    assert_same(inside, expected[2:])
    found: dict[str, Decision] = {}
    while len(found) < 2:
        found |= policy.decided()
    assert_same([found["e0"]], expected[:1])
    assert found["long"].stop_reason == "context_overflow"
    assert policy.decided() == []


def test_what_was_begun_with_old_weights_is_not_kept(tokenizer: Any) -> None:
    policy = policy_of(random_model("llama", len(tokenizer)), tokenizer)
    policy.submit([Context("e", "", ["a task"])])
    assert policy.decided(timeout=0.0) == []
    policy.weights_changed()
    [(name, decision)] = policy.decided()
    assert name == "e" and len(decision.response_ids) > 1 and len(policy._kept) == 0
    policy.submit([Context("e", "", ["a task"])])
    policy.model = random_model("llama", len(tokenizer), seed=1)
    with pytest.raises(RuntimeError, match="model was replaced"):
        policy.decided()


def test_a_pass_that_fails_leaves_the_policy_usable(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model("llama", len(tokenizer))
    policy = policy_of(model, tokenizer)
    contexts = [Context(f"e{i}", "", [f"task {i}"]) for i in range(3)]
    expected = policy_of(model, tokenizer).act(contexts)
    assert policy.probe.ability.scoring == "tree"
    original, calls = type(model).forward, []

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("no memory")
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(type(model), "forward", forward)
        with pytest.raises(torch.OutOfMemoryError):
            policy.act(contexts)
    assert policy.decided() == []
    assert_same(policy.act(contexts), expected)


def test_mixed_precision_writes_and_keeps(tokenizer: Any) -> None:
    policy = policy_of(random_model("llama", len(tokenizer)), tokenizer, autocast=torch.bfloat16)
    context = Context("e", "The rules.", ["The task."])
    context.decisions += policy.act([context])
    context.observations.append("a page")
    assert policy._kept._entries["e"].layers[0][1].dtype == torch.bfloat16
    assert len(policy.act([context])[0].response_ids) > 0
