"""The catalogue on disk: products, goals and the search index, built once and shared by every process.

A built catalogue is one folder in the cache. It is made in a temporary folder next to its final place, under a lock,
and renamed when all of it, the marker last, is on the disk: what is found under the final name is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal, overload

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from turnwise.envs.webshop import original
from turnwise.envs.webshop.generator import GENERATOR_VERSION, generate_product
from turnwise.envs.webshop.goals import generate_goal
from turnwise.envs.webshop.product import Goal, Product
from turnwise.envs.webshop.records import RecordFile, RecordWriter
from turnwise.envs.webshop.search import SearchIndex, build_index

FORMAT_VERSION = 1
"""Rises whenever the files of a built catalogue change."""

MIN_PRODUCTS, MAX_PRODUCTS = 10, 1_000_000
GOALS_PER_PRODUCT, MIN_GOALS = 5, 5_000

Progress = Callable[[int, int], None]
"""Called with (products done, products in all; 0 where that is not known yet)."""

_MARKER = "complete.json"
_PROGRESS_EVERY = 1_000


class CatalogueBuildError(OSError):
    """A catalogue could not be built; nothing of it is left behind, and a later attempt starts afresh."""


@dataclass(frozen=True, slots=True)
class CatalogueSpec:
    """Which catalogue: a generated one, or the original project's files. Use the two constructors below.

    >>> CatalogueSpec.generated(products=1000, seed=0).name
    'webshop-1000-0'
    """

    kind: Literal["generated", "files"]
    products: int = 0
    seed: int = 0
    product_file: Path | None = None
    attribute_file: Path | None = None
    instruction_file: Path | None = None

    @classmethod
    def generated(cls, products: int = 1000, seed: int = 0) -> CatalogueSpec:
        """The first `products` products (10 to 1,000,000) of the endless generated catalogue of this seed.

        It has one goal a product, and up to five where that makes no more than 5,000.
        """
        if isinstance(products, bool) or not isinstance(products, int) or not MIN_PRODUCTS <= products <= MAX_PRODUCTS:
            raise ValueError(f"products must be an int from {MIN_PRODUCTS} to {MAX_PRODUCTS:,}, got {products!r}")
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ValueError(f"seed must be an int, got {seed!r}")
        return cls("generated", products=products, seed=seed)

    @classmethod
    def files(
        cls,
        product_file: str | os.PathLike[str],
        attribute_file: str | os.PathLike[str] | None = None,
        instruction_file: str | os.PathLike[str] | None = None,
        products: int = 0,
    ) -> CatalogueSpec:
        """The original's data: `items_shuffle.json`, `items_ins_v2.json`, and `items_human_ins.json`.

        Args:
            product_file: Products.
            attribute_file: Attributes of products, and synthetic instructions.
            instruction_file: Human instructions; where given, the goals are these and not the synthetic ones.
            products: Take only the first so many products; 0 takes all.
        """
        if products < 0:
            raise ValueError(f"products must be 0 (all) or more, got {products!r}")
        return cls(
            "files",
            products=products,
            product_file=Path(product_file).absolute(),
            attribute_file=Path(attribute_file).absolute() if attribute_file is not None else None,
            instruction_file=Path(instruction_file).absolute() if instruction_file is not None else None,
        )

    @property
    def name(self) -> str:
        """Short and stable; task ids begin with it."""
        if self.kind == "generated":
            return f"webshop-{self.products}-{self.seed}"
        return f"webshop-{self.key()[:8]}"

    def key(self) -> str:
        """16 hex digits of all that decides the contents: for files their path, size and time of change.

        Raises:
            OSError: A file is missing.
        """
        parts: list[object] = [FORMAT_VERSION, self.kind, self.products]
        if self.kind == "generated":
            parts += [GENERATOR_VERSION, self.seed]
        else:
            parts += [_file_identity(path) for path in (self.product_file, self.attribute_file, self.instruction_file)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def default_cache_dir() -> Path:
    """`$TURNWISE_CACHE`, else `$XDG_CACHE_HOME/turnwise`, else `~/.cache/turnwise`."""
    if folder := os.environ.get("TURNWISE_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "turnwise"
