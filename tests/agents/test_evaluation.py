from __future__ import annotations

from turnwise.agents import OraclePolicy, RandomPolicy, evaluate


def test_evaluate_plays_an_id() -> None:
    best = evaluate(OraclePolicy(), "turnwise/WebShop-v0", 4, attempts=2, num_envs=3, products=100)
    assert best.episodes == 8 and best.success_rate == 1.0 and best.pass_hat[2] == 1.0
    assert len(best.trajectories) == 8 and best.milestones == {}
    assert evaluate(RandomPolicy(0), "turnwise/WebShop-v0", 10, products=100).success_rate < 0.5
