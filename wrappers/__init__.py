"""turnwise.wrappers."""
