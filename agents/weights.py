"""Whether a model's weights are still those that a cache was computed with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SAMPLES = 256
"""Numbers compared of each parameter."""


class WeightsWatch:
    """Notices that weights have changed, without the trainer's help where that can be seen.

    Two signs are looked at: torch's own counters of changes in place, which fused optimisers and writes to `.data`
    leave as they are, and a sample of the numbers themselves, which a very small step in bfloat16 may leave as they
    are. A trainer that calls `TransformersPolicy.weights_changed()` needs neither.
    """

    def __init__(self) -> None:
        self._counters: list[tuple[int, int]] = []
        self._sample: Tensor | None = None

    @torch.no_grad()
    def changed(self, model: Any) -> bool:
        """Whether the weights differ from those of the last call. The first call says no."""
        parameters = [parameter for parameter in model.parameters() if parameter.numel()]
        counters = [(parameter.data_ptr(), parameter._version) for parameter in parameters]
        sample = torch.cat([_spread(parameter).to(parameters[0].device) for parameter in parameters])
        before, self._sample = self._sample, sample
        same = self._counters == counters and before is not None and torch.equal(before, sample)
        self._counters = counters
        return before is not None and not same


def _spread(parameter: Tensor) -> Tensor:
    flat = parameter.detach().reshape(-1)
    return flat[:: max(1, len(flat) // SAMPLES)][:SAMPLES].to(torch.float32, copy=True)
