"""The base image."""

from __future__ import annotations


def default_image() -> str:
    """Name of the image that Docker sandboxes use unless told otherwise."""
    return "turnwise/sandbox:1"
