"""turnwise.rewards."""
