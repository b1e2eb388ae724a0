"""Parts of the machine that tests need and developers may lack: chromium, docker, bubblewrap."""

from __future__ import annotations

import os

import pytest


def skip_without(component: str, reason: str | None) -> None:
    """Skip the test for a stated reason; None goes on. Where `TURNWISE_REQUIRE=a,b` names the component, it fails."""
    if reason is None:
        return
    if component in os.environ.get("TURNWISE_REQUIRE", "").split(","):
        pytest.fail(f"TURNWISE_REQUIRE asks for {component}, but {reason}")
    pytest.skip(f"{component}: {reason}")
