"""Both ids are held to the whole contract, as any environment can be."""

from __future__ import annotations

import pytest

from turnwise.envs.conformance import check


@pytest.mark.parametrize("name", ["SearchQA", "ClaimCheck"])
def test_the_contract_is_kept(name: str) -> None:
    check(f"turnwise/{name}-v0", random_bound=0.1).raise_for_failures()
