"""Questions that need several searches: `turnwise/SearchQA-v0` and `turnwise/ClaimCheck-v0`."""
