from __future__ import annotations

import copy

import pytest
import torch

from turnwise.agents.weights import WeightsWatch


def model() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.LayerNorm(30), torch.nn.Linear(30, 2, bias=False))


def test_what_stays_is_not_reported() -> None:
    watch, watched = WeightsWatch(), model()
    assert not watch.changed(watched)
    watched(torch.ones(1, 40)).sum().backward()
    assert not watch.changed(watched)


@pytest.mark.parametrize("way", ["foreach", "fused", "data", "load", "replaced", "half"])
def test_every_way_of_writing_weights_is_noticed(way: str) -> None:
    watch, watched = WeightsWatch(), model()
    if way == "half":
        watched = watched.to(torch.bfloat16)
    watch.changed(watched)
    if way in ("foreach", "fused", "half"):
        optimizer = torch.optim.AdamW(watched.parameters(), lr=1e-3, fused=way == "fused")
        watched(torch.ones(1, 40, dtype=watched[0].weight.dtype)).sum().backward()  # type: ignore[index,union-attr]
        optimizer.step()
    elif way == "data":
        for parameter in watched.parameters():
            parameter.data.mul_(1.001)
    elif way == "load":
        watched.load_state_dict(copy.deepcopy(model().state_dict()))
    else:
        for parameter in watched.parameters():
            parameter.data = parameter.data.clone()
    assert watch.changed(watched)
    assert not watch.changed(watched)
