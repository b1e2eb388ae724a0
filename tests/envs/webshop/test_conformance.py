"""`turnwise/WebShop-v0` is held to the whole contract, as any environment can be."""

from __future__ import annotations

from turnwise.envs.conformance import check


def test_webshop_keeps_the_contract() -> None:
    check("turnwise/WebShop-v0", random_bound=0.1).raise_for_failures()
