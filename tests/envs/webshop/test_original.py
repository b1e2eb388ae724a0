from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.envs.data_files import DataFileError
from turnwise.envs.webshop.matching import score_purchase
from turnwise.envs.webshop.original import DEFAULT_PRICE, load
from turnwise.envs.webshop.product import NO_PRICE_CAP, Goal, Product
from turnwise.envs.webshop.store import CatalogueSpec, open_catalogue
from turnwise.envs.webshop.tasks import task_list

Files = Callable[..., dict[str, Path]]


def loaded(paths: dict[str, Path], human: bool = True) -> list[tuple[Product, list[Goal]]]:
    return list(load(paths["product_file"], paths["attribute_file"], paths["instruction_file"] if human else None))


def product_with(original_files: Files, **changes: Any) -> Product:
    from_file = json.loads(original_files()["product_file"].read_text())
    return loaded(original_files(products=[{**from_file[1], **changes}]))[0][0]


def test_product_fields_are_cleaned_as_in_the_original(original_files: Files) -> None:
    product, _ = loaded(original_files())[0]
    assert product.title == "Acme Shirt 0 for Men Casual"
    assert product.query == "men's t-shirts"
    assert product.bullet_points == ("100% Cotton", "Machine Wash")
    assert product.options == {"color": ("navy blue", "black | white"), "size": ("small", "large")}
    assert product.attributes == ("machine wash", "long sleeve", "everyday wear")
    assert (product.price, product.price_range) == (15.5, None)


def test_price_in_a_range_depends_on_the_asin_alone(original_files: Files) -> None:
    first = {p.asin: p.price for p, _ in loaded(original_files())}
    again = {p.asin: p.price for p, _ in loaded(original_files(), human=False)}
    assert first == again
    ranged = [first[f"B0000000{n:02d}"] for n in (1, 3, 5)]
    assert all(10.0 <= price <= 20.0 for price in ranged) and len(set(ranged)) == 3


@pytest.mark.parametrize(
    ("pricing", "price", "price_range"),
    [
        ("$1,234.50", 1234.5, None),
        ("", DEFAULT_PRICE, None),
        (None, DEFAULT_PRICE, None),
        ("$5.00 to $5.00", 5.0, (5.0, 5.0)),
    ],
)
def test_prices(original_files: Files, pricing: Any, price: float, price_range: Any) -> None:
    product = product_with(original_files, pricing=pricing)
    assert (product.price, product.price_range) == (price, price_range)


def test_optional_fields_may_be_empty(original_files: Files) -> None:
    product = product_with(
        original_files, small_description="one text", full_description=None, customization_options=""
    )
    assert (product.bullet_points, product.description, product.options) == (("one text",), "", {})


def test_records_that_the_original_passes_over(original_files: Files) -> None:
    records = json.loads(original_files()["product_file"].read_text())
    odd = [{**records[0], "asin": "nan"}, {**records[0], "asin": "B0123456789"}, {**records[0], "name": "again"}]
    assert [p.asin for p, _ in loaded(original_files(products=[*records, *odd]))] == [r["asin"] for r in records]


def test_human_goals(original_files: Files) -> None:
    by_asin = {product.asin: goals for product, goals in loaded(original_files())}
    (goal,) = by_asin["B000000001"]
    assert goal.instruction == (
        f"i need a machine wash shirt in navy blue, and price lower than {goal.price_cap:.2f} dollars"
    )
    assert goal.options == {"color": "navy blue", "size": "large"}
    assert goal.attributes == ("machine wash",)
    assert goal.price_cap in (20.0, 30.0, 40.0, 50.0)
    assert not any(goals for asin, goals in by_asin.items() if asin != "B000000001")


def test_wanted_value_that_no_option_lists_gets_a_name_of_its_own(original_files: Files) -> None:
    wish = {"instruction": "x", "instruction_attributes": ["y"], "instruction_options": ["deep navy", "pack of 3"]}
    goals = {p.asin: g for p, g in loaded(original_files(human={"B000000002": [wish]}))}["B000000002"]
    assert goals[0].options == {"option 1": "deep navy", "option 2": "pack of 3"}


def test_synthetic_goals_are_all_combinations_of_options(original_files: Files) -> None:
    product, goals = loaded(original_files(), human=False)[0]
    cap = goals[0].price_cap
    assert [g.instruction for g in goals] == [
        f"Find me machine wash men's t-shirts, shirt 0 with color: {color}, and size: {size}"
        f", and price lower than {cap:.2f} dollars"
        for color in product.options["color"]
        for size in product.options["size"]
    ]
    for goal in goals:
        assert score_purchase(product, goal, goal.options, product.price)["reward"] == 1.0


def test_dear_product_has_no_price_cap(original_files: Files) -> None:
    record = json.loads(original_files()["product_file"].read_text())[1]
    _, (goal,) = loaded(original_files(products=[{**record, "pricing": "$990.00"}]))[0]
    assert goal.price_cap == NO_PRICE_CAP
    assert goal.instruction == "i need a machine wash shirt in navy blue"


def test_catalogue_of_files(original_files: Files, tmp_path: Path) -> None:
    shop = open_catalogue(CatalogueSpec.files(**original_files()), tmp_path)
    assert len(shop) == 6 and len(shop.goals) == 1
    assert shop.spec.name == "webshop-product_file-human"
    assert shop.position("B000000003") == 3
    assert shop.search("black") != (), "the original's option values are searched"
    synthetic = open_catalogue(CatalogueSpec.files(*list(original_files().values())[:2], products=3), tmp_path)
    assert len(synthetic) == 3 and len(synthetic.goals) == 12
    assert sum(len(synthetic.split(split)) for split in ("train", "val", "test")) == 12
    train = task_list(synthetic, "train")
    assert train[0].startswith("webshop-product_file-3-synthetic/train/0000")


def test_changed_file_is_another_catalogue(original_files: Files, tmp_path: Path) -> None:
    paths = original_files()
    before = CatalogueSpec.files(**paths).key()
    assert CatalogueSpec.files(**paths).key() == before
    copy = tmp_path / "other.json"
    shutil.copy(paths["product_file"], copy)
    assert CatalogueSpec.files(copy, paths["attribute_file"], paths["instruction_file"]).key() != before
    paths["product_file"].write_text("[]")
    assert CatalogueSpec.files(**paths).key() != before


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        open_catalogue(CatalogueSpec.files(tmp_path / "nowhere.json"), tmp_path)


GOOD = {"asin": "B000000007", "name": "n", "category": "c", "query": "q", "product_category": "p"}


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({**GOOD, "name": 5}, ["record 1", "'B000000007'", "field 'name'", "expected text, found int"]),
        ({k: v for k, v in GOOD.items() if k != "query"}, ["record 1", "'B000000007'", "'query'", "is missing"]),
        ({"name": "x"}, ["record 1", "field 'asin'", "is missing"]),
        ("text", ["record 1", "expected an object, found str"]),
        ({**GOOD, "pricing": "$1.2.3"}, ["field 'pricing'", "'$1.2.3'"]),
        ({**GOOD, "small_description": [1]}, ["field 'small_description'", "list of texts"]),
        ({**GOOD, "customization_options": ["x"]}, ["field 'customization_options'", "expected an object, found list"]),
        ({**GOOD, "customization_options": {"Size": [{"label": "x"}]}}, ["'customization_options'", "option 'Size'"]),
    ],
)
def test_malformed_product_names_file_record_asin_and_field(original_files: Files, bad: Any, told: list[str]) -> None:
    paths = original_files(products=[{**GOOD, "asin": "B000000006"}, bad])
    with pytest.raises(DataFileError) as caught:
        loaded(paths)
    assert all(part in str(caught.value) for part in [str(paths["product_file"]), *told])


def test_malformed_file_stops_the_build_and_leaves_no_trace(original_files: Files, tmp_path: Path) -> None:
    paths = original_files(products=[GOOD, {**GOOD, "asin": "B000000008", "name": 5}])
    with pytest.raises(DataFileError, match=r"record 1 \(asin 'B000000008'\), field 'name'"):
        open_catalogue(CatalogueSpec.files(**paths), tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"about": {"B000000001": {"attributes": "x"}, "B000000002": []}},
            ["attribute_file", "record 1", "B000000002"],
        ),
        ({"about": {"B000000001": {"attributes": [3]}}}, ["attribute_file", "B000000001", "'attributes'"]),
        ({"human": {"B000000001": {}}}, ["instruction_file", "B000000001", "expected a list"]),
        ({"human": {"B000000001": [{"instruction": 1}]}}, ["instruction_file", "B000000001", "'instruction'"]),
    ],
)
def test_malformed_attributes_and_instructions(original_files: Files, change: Any, told: list[str]) -> None:
    with pytest.raises(DataFileError) as caught:
        loaded(original_files(**change))
    assert all(part in str(caught.value) for part in told)
