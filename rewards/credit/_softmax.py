"""Softmax inside segments of a flat array."""

from __future__ import annotations

import numpy as np

from turnwise.rewards.batch import FloatArray
from turnwise.rewards.segments import Segments


def softmax(logits: FloatArray, segments: Segments) -> FloatArray:
    """(n,) weights that sum to 1 in each segment; a logit of minus infinity weighs 0."""
    highest = np.full(segments.size, -np.inf)
    np.maximum.at(highest, segments.code, logits)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    raised = np.exp(logits - highest[segments.code])
    total = segments.sum(raised)
    weights: FloatArray = raised / np.where(total > 0.0, total, 1.0)[segments.code]
    return weights
