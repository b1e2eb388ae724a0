"""turnwise.agents."""
