from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.envs.webshop.store import Catalogue, CatalogueSpec, open_catalogue
from turnwise.envs.webshop.tasks import PANEL_CATALOGUE


@pytest.fixture(scope="session")
def catalogue_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalogues")


@pytest.fixture(scope="session")
def small(catalogue_cache: Path) -> Catalogue:
    """100 products, 500 goals."""
    return open_catalogue(CatalogueSpec.generated(products=100, seed=5), catalogue_cache)


@pytest.fixture(scope="session")
def default(catalogue_cache: Path) -> Catalogue:
    """The default catalogue: 1,000 products, 5,000 goals."""
    return open_catalogue(PANEL_CATALOGUE, catalogue_cache)


def original_product(number: int, **changes: Any) -> dict[str, Any]:
    """A record as the original's `items_shuffle.json` has them."""
    record = {
        "asin": f"B0000000{number:02d}",
        "name": f"Acme Shirt {number} for Men Casual",
        "category": "fashion",
        "query": "Men's T-Shirts ",
        "product_category": "Clothing › Men › Shirts › T-Shirts",
        "pricing": "$10.00 to $20.00" if number % 2 else "$15.50",
        "small_description": ["100% Cotton", "Machine Wash"],
        "full_description": "A shirt. Soft.",
        "images": ["https://example.org/a.jpg"],
        "customization_options": {
            "Color": [{"value": " Navy Blue ", "image": None}, {"value": "Black/White"}],
            "Size": [{"value": "Small"}, {"value": "Large"}],
            "Fit Type": None,
        },
        "brand": "Acme",
        "total_reviews": 3,
    }
    return {**record, **changes}


def original_about(number: int) -> dict[str, Any]:
    return {
        "attributes": ["machine wash", "long sleeve", "Everyday Wear"],
        "instruction": f"Find me machine wash men's t-shirts, shirt {number}",
        "instruction_attributes": ["machine wash", "everyday wear"],
    }


@pytest.fixture
def original_files(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """Writes the three files in the original's format; any may be given as other content, or as raw text."""

    def write(products: Any = None, about: Any = None, human: Any = None) -> dict[str, Path]:
        contents = {
            "product_file": [original_product(n) for n in range(6)] if products is None else products,
            "attribute_file": {f"B0000000{n:02d}": original_about(n) for n in range(6)} if about is None else about,
            "instruction_file": {
                "B000000001": [
                    {
                        "asin": "B000000001",
                        "instruction": "i need a machine wash shirt in navy blue.",
                        "instruction_attributes": ["machine wash"],
                        "instruction_options": ["navy blue", "large"],
                    },
                    {"instruction": "any shirt", "instruction_attributes": [], "instruction_options": []},
                ]
            }
            if human is None
            else human,
        }
        paths = {}
        for name, content in contents.items():
            paths[name] = tmp_path / f"{name}.json"
            paths[name].write_text(content if isinstance(content, str) else json.dumps(content, indent=1), "utf-8")
        return paths

    return write
