"""`python -m turnwise.cli`."""

from turnwise.cli import app

if __name__ == "__main__":
    app()
