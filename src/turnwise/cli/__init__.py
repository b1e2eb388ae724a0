"""turnwise.cli."""
