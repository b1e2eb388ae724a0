"""`python -m turnwise.cli`."""

from turnwise.cli import app

app()
