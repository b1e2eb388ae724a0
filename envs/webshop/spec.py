"""Which catalogue is meant."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from turnwise.envs.data_files import file_identity
from turnwise.envs.webshop.generator import GENERATOR_VERSION
from turnwise.envs.webshop.search import INDEX_FORMAT

FORMAT_VERSION = 1
"""Rises whenever the files of a built catalogue change."""
MIN_PRODUCTS, MAX_PRODUCTS = 10, 1_000_000


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

        It has `max(1, min(5, 5000 // products))` goals a product.
        """
        if isinstance(products, bool) or not isinstance(products, int) or not MIN_PRODUCTS <= products <= MAX_PRODUCTS:
            raise ValueError(f"products must be an int from {MIN_PRODUCTS} to {MAX_PRODUCTS}, got {products!r}")
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
            products: Take only the first so many records of the product file; 0 takes all.
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
        """Short and the same on every machine; task ids begin with it.

        For files it is made of the product file's name: `webshop-items_shuffle_1000-human`.
        """
        if self.kind == "generated":
            return f"webshop-{self.products}-{self.seed}"
        assert self.product_file is not None, "files() sets it"
        first = f"-{self.products}" if self.products else ""
        return f"webshop-{self.product_file.stem}{first}-{'human' if self.instruction_file else 'synthetic'}"

    def key(self) -> str:
        """16 hex digits of all that decides what is on the disk; of files their path, size and time of change.

        Raises:
            FileNotFoundError: A file does not exist.
        """
        parts: list[object] = [FORMAT_VERSION, INDEX_FORMAT, self.kind, self.products]
        if self.kind == "generated":
            parts += [GENERATOR_VERSION, self.seed]
        else:
            files = (self.product_file, self.attribute_file, self.instruction_file)
            parts += [file_identity(path) if path is not None else None for path in files]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
