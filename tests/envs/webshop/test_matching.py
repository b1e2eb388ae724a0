from __future__ import annotations

from dataclasses import replace

import pytest

from turnwise.envs.webshop.matching import (
    alike,
    content_words,
    matched_attributes,
    matched_options,
    normalize_color,
    score_purchase,
    type_score,
)
from turnwise.envs.webshop.product import Goal, Product

PRODUCT = Product(
    asin="B000000001",
    title="Acme Runner Shoes Alpha Beta Gamma Delta Epsilon Zeta Eta Theta",
    query="running shoes",
    category="fashion",
    product_category="Clothing › Shoes › Running",
    price=40.0,
    bullet_points=("Rubber Sole", "Made with Essential Oils"),
    description="Light. Good for Flat Feet.",
    options={"color": ("navy blue", "black"), "size": ("8", "9")},
    attributes=("breathable mesh", "essential oil"),
)
GOAL = Goal(
    asin="B000000001",
    query=PRODUCT.query,
    category=PRODUCT.category,
    product_category=PRODUCT.product_category,
    title=PRODUCT.title,
    instruction="",
    attributes=("breathable mesh", "rubber sole"),
    options={"color": "navy blue", "size": "8"},
    price_cap=50.0,
)


def title_with(shared: int, of: int) -> tuple[str, str]:
    """A goal's title of `of` nouns, and a product's title that has `shared` of them."""
    nouns = [f"noun{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(of)]
    return " ".join(nouns), " ".join([*nouns[:shared], "elsewhere"])


@pytest.mark.parametrize(
    ("shared", "query", "path", "expected"),
    [
        (20, "other", "x › y", 1.0),
        (5, "other", "x › y", 1.0),  # a quarter of the nouns: above a fifth
        (4, "other", "x › y", 0.5),  # exactly a fifth is not above it
        (4, "running shoes", "x › y", 1.0),
        (4, "other", "Running › Clothing", 1.0),  # two names, order does not matter
        (4, "other", "Clothing › Clothing", 0.5),  # one name twice
        (2, "other", "x › y", 0.5),  # exactly a tenth is not below it
        (1, "running shoes", "Clothing › Shoes", 0.1),
        (0, "running shoes", "Clothing › Shoes", 0.0),
    ],
)
def test_type_score_thresholds(shared: int, query: str, path: str, expected: float) -> None:
    wanted, offered = title_with(shared, of=20)
    goal = replace(GOAL, title=wanted)
    product = replace(PRODUCT, title=offered, query=query, product_category=path)
    assert type_score(product, goal) == expected


def test_goal_title_without_nouns_counts_as_a_fifth() -> None:
    other = replace(PRODUCT, query="other", product_category="x")
    assert type_score(other, replace(GOAL, title="12 x 34")) == 0.5


def test_nouns_can_be_replaced() -> None:
    assert type_score(PRODUCT, GOAL, nouns=lambda title: ()) == 1.0
    assert type_score(PRODUCT, replace(GOAL, title="unlike"), nouns=lambda title: [title[0]]) == 0.0


def test_content_words_drop_numbers_units_and_adjectives() -> None:
    assert content_words("12 oz Waterproof Breathable Running Shoes for Men, Pack of 2, Ultra Soft") == (
        "waterproof",
        "running",
        "shoes",
        "men",
    )


def test_attributes_match_fuzzily_or_verbatim() -> None:
    wanted = ("essential oils", "rubber sole", "flat feet", "acme runner", "mesh", "leather")
    assert matched_attributes(PRODUCT, replace(GOAL, attributes=wanted)) == wanted[:-1]


def test_options_match_by_value_after_colour_normalisation() -> None:
    assert matched_options(GOAL, {"shade": "deep blue", "size": "8"}) == ("color", "size")
    assert matched_options(GOAL, {"color": "black", "size": "9"}) == ()
    assert matched_options(GOAL, {}) == ()


def test_published_leniency_of_sizes_is_kept() -> None:
    # A subset of the words scores 100: the original pays for "large" where "x-large" was asked for, and so do we.
    assert alike("large", "x-large") and alike("powder snow", "cool powder snow")
    assert not alike("small", "large")


@pytest.mark.parametrize(
    ("value", "color"), [("navy blue", "blue"), ("Cherry Red", "red"), ("x-large", "x-large"), ("", "")]
)
def test_normalize_color(value: str, color: str) -> None:
    assert normalize_color(value) == color


def test_score_of_the_perfect_purchase() -> None:
    assert score_purchase(PRODUCT, GOAL, GOAL.options, 40.0) == {
        "r_type": 1.0,
        "r_attributes": 1.0,
        "r_options": 1.0,
        "r_price": 1.0,
        "reward": 1.0,
    }


def test_score_of_a_flawed_purchase() -> None:
    goal = replace(GOAL, attributes=("rubber sole", "leather", "suede"))
    terms = score_purchase(PRODUCT, goal, {"color": "navy blue"}, 60.0)
    assert terms == {"r_type": 1.0, "r_attributes": 1 / 3, "r_options": 0.5, "r_price": 0.0, "reward": 2 / 6}


@pytest.mark.parametrize("cap", [0.0, -5.0])
def test_price_cap_of_nothing_counts_as_satisfied(cap: float) -> None:
    assert score_purchase(PRODUCT, replace(GOAL, price_cap=cap), GOAL.options, 40.0)["reward"] == 1.0


def test_price_equal_to_the_cap_is_accepted() -> None:
    assert score_purchase(PRODUCT, GOAL, GOAL.options, 50.0)["r_price"] == 1.0
    assert score_purchase(PRODUCT, GOAL, GOAL.options, 50.01)["r_price"] == 0.0


def test_goal_without_attributes_and_options() -> None:
    goal = replace(GOAL, attributes=(), options={})
    assert score_purchase(PRODUCT, goal, {}, 99.0) == {
        "r_type": 1.0,
        "r_attributes": 1.0,
        "r_options": 1.0,
        "r_price": 0.0,
        "reward": 0.0,
    }
