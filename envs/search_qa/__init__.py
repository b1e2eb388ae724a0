"""Questions that need several searches: `turnwise/SearchQA-v0` and `turnwise/ClaimCheck-v0`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnwise.envs.search_qa.claim_check import ClaimCheckEnv
    from turnwise.envs.search_qa.env import SearchQAEnv

__all__ = ["ClaimCheckEnv", "SearchQAEnv"]


def __getattr__(name: str) -> Any:
    # The world needs no search engine, and a retrieval server no environment: neither is loaded for the other.
    if name == "SearchQAEnv":
        from turnwise.envs.search_qa.env import SearchQAEnv

        return SearchQAEnv
    if name == "ClaimCheckEnv":
        from turnwise.envs.search_qa.claim_check import ClaimCheckEnv

        return ClaimCheckEnv
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
