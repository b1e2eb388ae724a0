"""Builds a catalogue's folder: all or nothing, by one process at a time (see `turnwise.envs.built_folder`)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from turnwise.envs import built_folder
from turnwise.envs.built_folder import BuildError
from turnwise.envs.record_files import RecordWriter
from turnwise.envs.webshop import original
from turnwise.envs.webshop.generator import generate_product
from turnwise.envs.webshop.goals import generate_goal
from turnwise.envs.webshop.product import Goal, Product
from turnwise.envs.webshop.search import build_index, searchable_text
from turnwise.envs.webshop.spec import CatalogueSpec
from turnwise.envs.webshop.splits import SPLITS, split_of

Progress = Callable[[int, int], None]
"""Called with (products done, products in all; 0 where that is not known)."""

PRODUCTS, GOALS, ASINS, POSITIONS, INDEX = "products", "goals", "asins.npy", "positions.npy", "index"
_PROGRESS_EVERY = 1_000


class CatalogueBuildError(BuildError):
    """A catalogue could not be written. Nothing of it is used, and a later attempt starts afresh."""

    def __init__(self, spec: CatalogueSpec, cache_dir: Path, cause: OSError) -> None:
        super().__init__(f"the catalogue {spec.name}", cache_dir, cause)


def ensure_built(spec: CatalogueSpec, cache_dir: Path, progress: Progress | None = None) -> Path:
    """The folder of the built catalogue, which is built first where it is not there; waits for another builder.

    Raises:
        CatalogueBuildError: The disk is full, or the cache folder cannot be written.
        DataFileError: One of the original's files is malformed.
    """
    folder = cache_dir / f"{spec.name}-{spec.key()}"
    try:
        return built_folder.ensure_built(folder, lambda empty: write_catalogue(spec, empty, progress))
    except OSError as error:
        raise CatalogueBuildError(spec, cache_dir, error) from error


def write_catalogue(spec: CatalogueSpec, folder: Path, progress: Progress | None = None) -> None:
    """Write all files of the catalogue but the marker into an existing, empty folder."""
    asins: list[str] = []
    splits: dict[str, array[int]] = {split: array("i") for split in SPLITS}
    total = spec.products if spec.kind == "generated" else 0

    def recorded() -> Iterator[str]:
        count = 0
        for product, own_goals in _contents(spec):
            asins.append(product.asin)
            products.add(product.to_json())
            for goal in own_goals:
                goals.add(goal.to_json())
                splits[split_of(goal)].append(count)
                count += 1
            if progress and len(asins) % _PROGRESS_EVERY == 0:
                progress(len(asins), total)
            yield searchable_text(product, with_options=spec.kind == "files")

    (folder / INDEX).mkdir()
    with RecordWriter(folder / PRODUCTS) as products, RecordWriter(folder / GOALS) as goals:
        build_index(folder / INDEX, recorded())
    keys = np.array([asin.encode() for asin in asins], dtype="S")
    order = np.argsort(keys, kind="stable")
    np.save(folder / ASINS, keys[order])
    np.save(folder / POSITIONS, order.astype(np.int32))
    for split, numbers in splits.items():
        np.save(folder / f"{split}.npy", np.array(numbers, dtype=np.int32))
    if progress:
        progress(len(asins), len(asins))


def _contents(spec: CatalogueSpec) -> Iterator[tuple[Product, list[Goal]]]:
    if spec.kind == "generated":
        return _generated(spec.products, spec.seed)
    assert spec.product_file is not None, "CatalogueSpec.files sets it"
    return original.load(spec.product_file, spec.attribute_file, spec.instruction_file, spec.products)


def _generated(products: int, seed: int) -> Iterator[tuple[Product, list[Goal]]]:
    variants = max(1, min(5, 5000 // products))
    for index in range(products):
        product = generate_product(seed, index)
        yield product, [generate_goal(product, seed, index, variant) for variant in range(variants)]
