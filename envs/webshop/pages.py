"""What the agent sees: each page as compact text, and the elements that can be clicked on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from turnwise.envs.webshop.product import Product

RESULTS_PER_PAGE = 10
MAX_RESULTS = 50
"""The original shows at most 50 hits, ten on a page."""

BACK_TO_SEARCH = "back to search"
NEXT_PAGE = "next >"
PREVIOUS = "< prev"
BUY = "buy now"
DETAIL_PAGES = ("description", "features", "reviews")


class Page(NamedTuple):
    """A page as text, and what can be clicked on it, in the order of the text."""

    text: str
    elements: tuple[str, ...]


def search_page(instruction: str) -> Page:
    """The first page: the instruction and a search box."""
    return Page(f"Instruction: {instruction}\nYou are on the search page.", ())


def results_page(query: str, number: int, products: Sequence[Product], total: int) -> Page:
    """One page of search results.

    Args:
        query: What was searched for.
        number: 1-based page number.
        products: The products on this page.
        total: Hits on all pages.
    """
    if not total:
        return _page([f'No results for "{query}".'], (), (BACK_TO_SEARCH,))
    pages = page_count(total)
    lines = [f'Results for "{query}", page {number} of {pages}, {total} items:']
    lines += [f"{product.asin} | {product.title} | {_price(product)}" for product in products]
    buttons = (
        *([PREVIOUS] if number > 1 else []),
        *([NEXT_PAGE] if number < pages else []),
        BACK_TO_SEARCH,
    )
    return _page(lines, tuple(product.asin for product in products), buttons)


def item_page(product: Product, chosen: Mapping[str, str]) -> Page:
    """A product's own page; options that are chosen stand in square brackets."""
    lines = [
        product.title,
        f"Price: {_price(product, chosen)}" + (f" | Rating: {product.rating}" if product.rating else ""),
    ]
    elements: list[str] = []
    for name, values in product.options.items():
        lines.append(f"{name}: " + " | ".join(f"[{v}]" if chosen.get(name) == v else v for v in values))
        elements += [element_of_option(product, name, value) for value in values]
    return _page(lines, tuple(elements), (*DETAIL_PAGES, BUY, PREVIOUS, BACK_TO_SEARCH))


def detail_page(product: Product, kind: str) -> Page:
    """The description, features or reviews of a product."""
    if kind == "description":
        body = [product.description or "No description."]
    elif kind == "features":
        body = [f"- {point}" for point in product.bullet_points] or ["No features listed."]
    else:
        body = [f"- {r.rating} stars, {r.title}: {r.body}" for r in product.reviews] or ["No reviews yet."]
    return _page([f"{kind.capitalize()} of {product.title}:", *body], (), (PREVIOUS, BACK_TO_SEARCH))


def receipt_page(product: Product, chosen: Mapping[str, str], price: float) -> Page:
    """What is shown after the purchase. Says nothing about the reward."""
    options = ", ".join(f"{name}: {value}" for name, value in chosen.items())
    return Page(f"You bought {product.title}" + (f" ({options})" if options else "") + f" for ${price:.2f}.", ())


def page_count(total: int) -> int:
    """Pages that `total` hits fill."""
    return -(-total // RESULTS_PER_PAGE)


def element_of_option(product: Product, name: str, value: str) -> str:
    """How to click an option: its value, or `name: value` where two options share the value or a button has it."""
    names = [other for other, values in product.options.items() if value in values]
    is_button = value in (*DETAIL_PAGES, BUY, PREVIOUS, BACK_TO_SEARCH)
    return value if len(names) == 1 and not is_button else f"{name}: {value}"


def option_at(product: Product, element: str) -> tuple[str, str] | None:
    """The (name, value) of the option that a click on `element` chooses, or None."""
    for name, values in product.options.items():
        for value in values:
            if element in (element_of_option(product, name, value).lower(), f"{name}: {value}".lower()):
                return name, value
    return None


def _price(product: Product, chosen: Mapping[str, str] | None = None) -> str:
    if chosen is not None and (chosen or product.price_range is None):
        return f"${product.price_for(chosen):.2f}"
    if product.price_range is not None:
        return f"${product.price_range[0]:.2f} to ${product.price_range[1]:.2f}"
    return f"${product.price:.2f}"


def _page(lines: Sequence[str], elements: tuple[str, ...], buttons: tuple[str, ...]) -> Page:
    return Page("\n".join([*lines, "Buttons: " + ", ".join(buttons)]), elements + buttons)
