"""Loads the original WebShop's data files: products, attributes with synthetic instructions, human instructions.

Field names and the rules that turn instructions into goals are those of the original (`web_agent_site/engine`), with
two repairs. Where a price is a range the original draws from a global generator, so that prices and with them goals
differ from process to process; here the price depends on the asin alone. The same holds for price caps.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from turnwise.envs.data_files import DataFileError
from turnwise.envs.draws import Draws
from turnwise.envs.json_stream import iter_array, iter_object
from turnwise.envs.webshop.matching import alike
from turnwise.envs.webshop.product import NO_PRICE_CAP, Goal, Product, stable_fraction

DEFAULT_PRICE = 100.0
"""Price of a product that lists none, as in the original."""
PRICE_CAPS = tuple(10.0 * i for i in range(1, 100))

_MAX_ASIN = 10


class _Record:
    """One record with typed access; every complaint names file, record, asin and field."""

    def __init__(self, path: Path, number: object, value: Any, asin: object = None) -> None:
        self._path, self._number, self._asin = path, number, asin
        if not isinstance(value, dict):
            raise DataFileError(path, f"expected an object, found {_type(value)}", record=number, about=_about(asin))
        self._value = value
        self._asin = value.get("asin", asin)

    def text(self, field: str, default: str | None = None) -> str:
        value = self._value.get(field)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.error(field, "is missing" if value is None else f"expected text, found {_type(value)}")
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts; one text counts as a list of one, null and absent as none."""
        value = self._value.get(field)
        value = [] if value in (None, "") else [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(field, f"expected a list of texts, found {_type(value)}")
        return tuple(value)

    def mapping(self, field: str) -> Mapping[str, Any]:
        """An object; null, absent and any empty value count as an empty one."""
        value = self._value.get(field) or {}
        if not isinstance(value, dict):
            raise self.error(field, f"expected an object, found {_type(value)}")
        return value

    def error(self, field: str, problem: str) -> DataFileError:
        return DataFileError(self._path, problem, record=self._number, about=_about(self._asin), field=field)


def load(
    product_file: Path, attribute_file: Path | None, instruction_file: Path | None, products: int = 0
) -> Iterator[tuple[Product, list[Goal]]]:
    """Products in the file's order, each with its goals; only the two smaller files are held in memory.

    As in the original, a record whose asin is "nan", longer than 10 characters, or seen before is passed over.

    Args:
        product_file: `items_shuffle.json` or `items_shuffle_1000.json`.
        attribute_file: `items_ins_v2.json` or its 1,000-product version.
        instruction_file: `items_human_ins.json`. Where given, goals are human; else they are synthetic.
        products: Stop after so many records of the product file; 0 reads all.

    Raises:
        DataFileError: A file is unreadable or malformed.
    """
    about = _attributes(attribute_file) if attribute_file else {}
    human = _human_instructions(instruction_file) if instruction_file else None
    seen: set[str] = set()
    for number, value in enumerate(itertools.islice(iter_array(product_file), products or None)):
        record = _Record(product_file, number, value)
        asin = record.text("asin")
        if asin == "nan" or len(asin) > _MAX_ASIN or asin in seen:
            continue
        seen.add(asin)
        attributes, instruction, wanted = about.get(asin, ((), None, ()))
        product = _product(record, asin, attributes)
        if human is not None:
            yield product, _human_goals(product, human.get(asin, []))
        else:
            yield product, list(_synthetic_goals(product, instruction, wanted))


_About = tuple[tuple[str, ...], str | None, tuple[str, ...]]
_Instruction = tuple[str, tuple[str, ...], tuple[str, ...]]


def _attributes(path: Path) -> dict[str, _About]:
    """Asin → attributes, synthetic instruction, and the attributes that this instruction asks for."""
    known: dict[str, _About] = {}
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    for asin, value in iter_object(path):
        record = _Record(path, len(known), value, asin)
        attributes = tuple(a.lower() for a in record.texts("attributes"))
        wanted = tuple(a.lower() for a in record.texts("instruction_attributes"))
        instruction = record.text("instruction", "") or None
        known[asin] = (shared.setdefault(attributes, attributes), instruction, shared.setdefault(wanted, wanted))
    return known


def _human_instructions(path: Path) -> dict[str, list[_Instruction]]:
    """Asin → instructions, each with the attributes and the option values that it asks for."""
    known: dict[str, list[_Instruction]] = {}
    for number, (asin, values) in enumerate(iter_object(path)):
        if not isinstance(values, list):
            raise DataFileError(path, f"expected a list, found {_type(values)}", record=number, about=_about(asin))
        records = [_Record(path, number, value, asin) for value in values]
        known[asin] = [
            (
                record.text("instruction"),
                tuple(a.lower() for a in record.texts("instruction_attributes")),
                record.texts("instruction_options"),
            )
            for record in records
        ]
    return known


def _product(record: _Record, asin: str, attributes: tuple[str, ...]) -> Product:
    prices = _prices(record)
    return Product(
        asin=asin,
        title=record.text("name"),
        query=record.text("query").lower().strip(),
        category=record.text("category"),
        product_category=record.text("product_category"),
        price=_price(asin, prices),
        price_range=(prices[0], prices[1]) if len(prices) > 1 else None,
        bullet_points=record.texts("small_description"),
        description=record.text("full_description", ""),
        options=_options(record),
        attributes=attributes,
    )


def _prices(record: _Record) -> list[float]:
    """None, one, or the two ends of a range, out of "$5.00 to $7.50"."""
    try:
        return [float(re.sub(r"[^\d.]", "", part)) for part in record.text("pricing", "").split("$")[1:3]]
    except ValueError:
        raise record.error("pricing", f"expected prices such as '$9.99', found {record.text('pricing')!r}") from None


def _price(asin: str, prices: list[float]) -> float:
    """The listed price; inside a range, the point that the asin decides, in whole cents."""
    if len(prices) < 2:
        return prices[0] if prices else DEFAULT_PRICE
    low, high = prices
    return round(low + (high - low) * stable_fraction("price", asin), 2)


def _options(record: _Record) -> dict[str, tuple[str, ...]]:
    options: dict[str, tuple[str, ...]] = {}
    for name, choices in record.mapping("customization_options").items():
        if choices is None:
            continue
        if not isinstance(choices, list) or not all(
            isinstance(c, dict) and isinstance(c.get("value"), str) for c in choices
        ):
            raise record.error(
                "customization_options", f"option {name!r}: expected a list of objects with a text 'value'"
            )
        values = (choice["value"].strip().replace("/", " | ").lower() for choice in choices)
        options[name.lower()] = tuple(dict.fromkeys(values))
    return options


def _human_goals(product: Product, instructions: list[_Instruction]) -> list[Goal]:
    """One goal for each instruction that asks for at least one attribute."""
    goals = []
    for number, (instruction, attributes, values) in enumerate(instructions):
        if attributes:
            cap, text = _price_cap(product, number)
            goals.append(_goal(product, instruction.strip(".") + text, attributes, _named(product, values), cap))
    return goals


def _synthetic_goals(product: Product, instruction: str | None, attributes: tuple[str, ...]) -> Iterator[Goal]:
    """One goal for each combination of the product's options; all share one price cap."""
    if instruction is None or not attributes:
        return
    cap, price_text = _price_cap(product, 0)
    names = sorted(product.options)
    for values in itertools.product(*(product.options[name] for name in names)):
        options = dict(zip(names, values, strict=True))
        option_text = ", and ".join(f"{name}: {value}" for name, value in options.items())
        text = f"{instruction}{' with ' if options else ''}{option_text}{price_text}"
        yield _goal(product, text, attributes, options, cap)


def _goal(product: Product, instruction: str, attributes: tuple[str, ...], options: dict[str, str], cap: float) -> Goal:
    return Goal(
        asin=product.asin,
        query=product.query,
        category=product.category,
        product_category=product.product_category,
        title=product.title,
        instruction=instruction,
        attributes=attributes,
        options=options,
        price_cap=cap,
    )


def _price_cap(product: Product, number: int) -> tuple[float, str]:
    """The larger of two different draws from the next four multiples of ten above the price, and its clause."""
    caps = [cap for cap in PRICE_CAPS if cap > product.price][:4]
    if len(caps) < 2:
        return NO_PRICE_CAP, ""
    cap = max(Draws("price cap", product.asin, number).sample(caps, 2))
    return cap, f", and price lower than {cap:.2f} dollars"


def _named(product: Product, values: tuple[str, ...]) -> dict[str, str]:
    """Option name → wanted value. The files list values only; the product's own options tell the names."""
    named: dict[str, str] = {}
    for value in values:
        value = value.strip().lower()
        name = next((n for n, own in product.options.items() if value in own and n not in named), None) or next(
            (n for n, own in product.options.items() if n not in named and any(alike(v, value) for v in own)), None
        )
        named[name or f"option {len(named) + 1}"] = value
    return named


def _about(asin: object) -> str:
    return "" if asin is None else f"asin {asin!r}"


def _type(value: object) -> str:
    return "nothing" if value is None else type(value).__name__
