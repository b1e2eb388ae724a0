"""What the tests of these rewards share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """The published test vectors, rounded to six decimals."""
    path = Path(__file__).parents[1] / "method_vectors.json"
    vectors: dict[str, Any] = json.loads(path.read_text())
    return vectors
