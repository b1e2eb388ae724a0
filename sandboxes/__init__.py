"""turnwise.sandboxes."""
