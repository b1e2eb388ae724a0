from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.webshop.queries import keyword_queries


def test_generated_instruction() -> None:
    instruction = (
        "I would like to buy a bottle of paraben free, long lasting shampoo with argan oil for dry hair, "
        "scent: white tea, volume: 8 fl oz, and price lower than 40.00 dollars."
    )
    assert keyword_queries(instruction) == (
        "paraben free long lasting shampoo argan oil dry hair white tea 8 fl oz",
        "paraben free long lasting shampoo argan oil dry hair",
        "paraben free long lasting shampoo",
        "lasting shampoo",
    )


@pytest.mark.parametrize(
    ("instruction", "first", "last"),
    [
        (
            "im looking for a queen size bedspread set in the color redwood, and price lower than 60.00 dollars",
            "queen size bedspread set color redwood",
            "bedspread set",
        ),
        (
            "i need gluten free vegetarian smoked peppered bacon - 4 ounce (pack of 2)",
            "gluten free vegetarian smoked peppered bacon 4 ounce pack 2",
            "peppered bacon",
        ),
        (
            "Find me machine wash men's t-shirts with polyester cotton with color: red, and size: small, and price "
            "lower than 30.00 dollars",
            "machine wash men's t shirts polyester cotton red small",
            "t shirts",
        ),
    ],
)
def test_instructions_as_the_original_has_them(instruction: str, first: str, last: str) -> None:
    queries = keyword_queries(instruction)
    assert queries[0] == first
    assert queries[-1] == last


@pytest.mark.parametrize(
    "clause",
    [
        "with a price lower than 40.00 dollars",
        "and price lower than 40.00 dollars",
        "priced under 40.00 dollars",
        "for less than 40.00 dollars",
        "that costs no more than 40.00 dollars",
        "for under $40",
        "and my budget is $40.00",
    ],
)
def test_price_is_left_out(clause: str) -> None:
    assert keyword_queries(f"I need a red lamp, {clause}.")[0] == "red lamp"


@given(st.text(max_size=400))
def test_any_text_gives_at_most_four_different_queries(instruction: str) -> None:
    queries = keyword_queries(instruction)
    assert len(queries) <= 4
    assert len(set(queries)) == len(queries)
    assert all(query.strip() for query in queries)
    assert queries == keyword_queries(instruction)
