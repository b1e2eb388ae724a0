"""Property tests run without a deadline: a shared machine may be slow, and that is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("turnwise", deadline=None)
settings.load_profile("turnwise")
