"""Map the five top-level rooms onto sub-packages of `turnwise`; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

ROOMS = ("envs", "agents", "rewards", "wrappers", "sandboxes")

setup(
    packages=["turnwise", *(f"turnwise.{name}" for name in ("cli", "view", *ROOMS))]
    + [f"turnwise.{room}.{sub}" for room in ROOMS for sub in find_packages(room)],
    package_dir={"turnwise": "src/turnwise", **{f"turnwise.{room}": room for room in ROOMS}},
)
