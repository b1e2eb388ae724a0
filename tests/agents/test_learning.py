from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from agents_models import random_model
from key_door import KeyDoorEnv

from turnwise.agents import Reinforce, TransformersPolicy, collect, success_rate, token_rows, warm_up
from turnwise.agents.imitation import tokenized
from turnwise.agents.reinforce import policy_loss
from turnwise.agents.tiny import build, build_model, texts_of
from turnwise.rewards import Credit, Trajectory, TurnBatch
from turnwise.rewards.credit import grpo, rloo

CORRIDOR = {"hidden_size": 64, "heads": 2, "layers": 2}


def tiny_policy(trajectories: list[Trajectory], **options: Any) -> TransformersPolicy:
    model, tokenizer = build(texts_of(trajectories), seed=0, **CORRIDOR)
    return TransformersPolicy(model, tokenizer, include_instructions=False, max_new_tokens=12, **options)


def test_the_tokenizer_returns_any_text(tokenizer: Any) -> None:
    rng = np.random.default_rng(0)
    texts = ["", " ", "  two  spaces \n\n\t tab", "naïve café — 東京 🛒", "don't  [x] B0ABC123", "\x00\x7f"]
    texts += ["".join(map(chr, rng.integers(1, 0xD7FF, 50))) for _ in range(20)]
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_frequent_words_and_product_ids_become_one_token() -> None:
    from turnwise.agents.tiny import build_tokenizer

    tokenizer = build_tokenizer(["B0WWGVOO0J | red shirt | $12.00\n"] * 20)
    assert len(tokenizer("B0WWGVOO0J")["input_ids"]) == 1 and len(tokenizer(" shirt")["input_ids"]) == 1


def test_the_same_seed_gives_the_same_model() -> None:
    state = torch.get_rng_state()
    one, same, other = (build_model(300, seed=s, **CORRIDOR) for s in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name]), name
    assert not torch.equal(one.model.embed_tokens.weight, other.model.embed_tokens.weight)


def test_an_untrained_model_looks_before_and_after() -> None:
    rng = np.random.default_rng(0)

    def hits(copying: bool) -> tuple[float, float]:
        """How often the first head looks one token back, and the second at what followed the present token."""
        model = build_model(1000, seed=0, copying=copying)
        model.set_attn_implementation("eager")  # the one that shows its attention
        found = np.zeros((20, 2))
        for trial in range(20):
            words = rng.permutation(np.arange(10, 1000))[:60].tolist()
            with torch.no_grad():
                first, second = model(torch.tensor([[*words, words[17]]]), output_attentions=True).attentions
            found[trial] = first[0, 0, 30].argmax() == 29, second[0, 0, -1].argmax() == 18
        return tuple(found.mean(axis=0))

    assert hits(copying=True)[0] == 1.0 and hits(copying=True)[1] >= 0.2
    assert max(hits(copying=False)) <= 0.1


def test_demonstrations_become_the_tokens_the_policy_would_see(oracle_trajectories: list[Trajectory]) -> None:
    policy = tiny_policy(oracle_trajectories)
    trajectory = tokenized(oracle_trajectories[0], policy)
    row = token_rows(trajectory)[0]
    messages = [m for m in oracle_trajectories[0].messages() if m["role"] != "system"][:-1]
    whole = policy.tokenizer.apply_chat_template(messages, tokenize=False)
    assert policy.tokenizer.decode(row.ids) == whole
    assert oracle_trajectories[0].turns[0].response_ids == []


def test_warming_up_teaches_the_corridor(oracle_trajectories: list[Trajectory]) -> None:
    policy = tiny_policy(oracle_trajectories, temperature=0.0)
    before = success_rate(collect(policy, [KeyDoorEnv() for _ in range(8)], 16, seed=9))
    losses = warm_up(policy, oracle_trajectories, steps=80, batch_size=8, learning_rate=6e-3)
    after = success_rate(collect(policy, [KeyDoorEnv() for _ in range(8)], 16, seed=9))
    assert before == 0.0 and after >= 0.75
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:10])


def test_warming_up_is_deterministic(oracle_trajectories: list[Trajectory]) -> None:
    runs = [warm_up(tiny_policy(oracle_trajectories), oracle_trajectories, steps=5, batch_size=4) for _ in range(2)]
    assert runs[0] == runs[1] and len(runs[0]) == 5


def rollouts(policy: TransformersPolicy, seed: int, episodes: int = 16) -> list[Trajectory]:
    return collect(policy, [KeyDoorEnv(max_turns=4) for _ in range(episodes)], episodes, seed=seed, group_size=4)


def test_one_update_raises_what_was_good_and_lowers_what_was_bad(tokenizer: Any) -> None:
    policy = TransformersPolicy(random_model("llama", len(tokenizer)), tokenizer, window=1, max_new_tokens=5)
    trajectories = rollouts(policy, 0)
    batch = TurnBatch.from_trajectories(trajectories)
    advantage = np.where(np.arange(batch.turns) % 2 == 0, 1.0, -1.0)
    before = [v.sum().item() for v in policy.action_logprobs(trajectories)]
    metrics = Reinforce(policy, learning_rate=1e-3).update(trajectories, Credit.of(batch, advantage))
    after = [v.sum().item() for v in policy.action_logprobs(trajectories)]
    change = np.array(after) - np.array(before)
    assert change[advantage > 0].mean() > 0 > change[advantage < 0].mean()
    assert metrics["kl_old"] == pytest.approx(0.0, abs=1e-6) and metrics["grad_norm"] > 0
    assert metrics["tokens"] == sum(len(turn.response_ids) for t in trajectories for turn in t.turns)


def test_rows_without_credit_leave_the_model_alone(tokenizer: Any) -> None:
    policy = TransformersPolicy(random_model("llama", len(tokenizer)), tokenizer, max_new_tokens=5)
    trajectories = rollouts(policy, 0, 4)
    batch = TurnBatch.from_trajectories(trajectories)
    weights = policy.model.state_dict()["lm_head.weight"].clone()
    dropped = Credit(batch.reward, np.ones(batch.turns), np.ones(batch.turns), np.zeros(4, dtype=bool))
    unweighted = Credit(batch.reward, np.ones(batch.turns), np.zeros(batch.turns), np.ones(4, dtype=bool))
    trainer = Reinforce(policy, learning_rate=1.0)
    for credit in (dropped, unweighted, rloo(batch)):
        assert trainer.update(trajectories, credit) == {"tokens": 0.0}
    assert torch.equal(weights, policy.model.state_dict()["lm_head.weight"])
    with pytest.raises(ValueError, match="credit must be of these 3 trajectories"):
        trainer.update(trajectories[:3], dropped)


def test_the_clipped_objective_has_no_gradient_outside_its_region() -> None:
    new = torch.tensor([0.5, -0.5, 0.05], requires_grad=True)
    advantage = torch.tensor([1.0, -1.0, 1.0])
    loss, terms = policy_loss(new, advantage, torch.ones(3), torch.zeros(3), clip=0.2)
    loss.sum().backward()
    assert new.grad is not None
    assert new.grad[:2].tolist() == [0.0, 0.0] and new.grad[2].item() == pytest.approx(-np.exp(0.05))
    assert terms["clip_fraction"].tolist() == [1.0, 1.0, 0.0]


def test_the_divergence_from_the_start_is_held_down(tokenizer: Any) -> None:
    def drift(kl: float) -> float:
        policy = TransformersPolicy(random_model("llama", len(tokenizer)), tokenizer, window=1, max_new_tokens=5)
        trajectories = rollouts(policy, 0)
        credit = Credit.of(TurnBatch.from_trajectories(trajectories), np.ones(sum(map(len, trajectories))))
        before = torch.cat([v.detach() for v in policy.action_logprobs(trajectories)])
        metrics = Reinforce(policy, learning_rate=1e-3, kl=kl, epochs=4, clip=None).update(trajectories, credit)
        assert ("kl_reference" in metrics) == (kl > 0)
        return float((torch.cat([v.detach() for v in policy.action_logprobs(trajectories)]) - before).abs().mean())

    assert drift(50.0) < drift(0.0)


def test_collect_credit_update_learns_what_is_paid(oracle_trajectories: list[Trajectory]) -> None:
    policy = tiny_policy(oracle_trajectories)
    warm_up(policy, oracle_trajectories, steps=25, batch_size=8, learning_rate=6e-3)
    trainer = Reinforce(policy, learning_rate=1e-3, minibatches=2)
    envs = [KeyDoorEnv(max_turns=1) for _ in range(48)]
    share = []
    for step in range(8):
        trajectories = collect(policy, envs, 48, seed=step, group_size=48)
        batch = TurnBatch.from_trajectories(trajectories)
        paid = np.array([float(t.turns[0].action == "pick[]") for t in trajectories])
        trainer.update(trajectories, grpo(batch, scores=paid))
        share.append(paid.mean())
    assert share[-1] > share[0] + 0.3


@pytest.mark.parametrize("name", ["epochs", "minibatches", "clip"])
def test_bad_arguments_are_named(name: str, tokenizer: Any) -> None:
    policy = TransformersPolicy(random_model("gpt2", len(tokenizer)), tokenizer)
    with pytest.raises(ValueError, match=name):
        Reinforce(policy, **{name: 0})


def test_importing_the_room_loads_no_torch() -> None:
    code = (
        "import sys, turnwise.agents as a; assert not {'torch', 'transformers', 'tokenizers'} & set(sys.modules);"
        "sys.modules['torch'] = None\n"
        "try: a.TransformersPolicy\n"
        "except ImportError as e: assert 'pip install turnwise[llm]' in str(e), e\n"
        "else: raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        import turnwise.agents

        turnwise.agents.Nonsense
