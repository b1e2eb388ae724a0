from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from turnwise.envs.webshop import phrases
from turnwise.envs.webshop.generator import BLOCK, asin_of, family_of, generate_product, siblings
from turnwise.envs.webshop.goals import generate_goal
from turnwise.envs.webshop.matching import alike, normalize_color, score_purchase
from turnwise.envs.webshop.product import Goal, Product
from turnwise.envs.webshop.product_types import TYPES

DUMP = """
import json, sys
from turnwise.envs.webshop.generator import generate_product
from turnwise.envs.webshop.goals import generate_goal
products = [generate_product(3, i) for i in reversed(range(60))]
goals = [generate_goal(p, 3, 59 - k, 1) for k, p in enumerate(products)]
print(json.dumps([[p.to_json() for p in products], [g.to_json() for g in goals]]))
"""


def differing_fields(a: Product, b: Product) -> set[str]:
    one, other = a.to_json(), b.to_json()
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)} - {"asin"}


def in_another_process(hash_seed: str) -> Any:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", DUMP], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_product_and_goal_are_pure_functions_of_seed_and_index() -> None:
    products = [generate_product(3, i) for i in range(60)]
    goals = [generate_goal(p, 3, i, 1) for i, p in enumerate(products)]
    expected = json.loads(json.dumps([[p.to_json() for p in products][::-1], [g.to_json() for g in goals][::-1]]))
    assert in_another_process("1") == expected
    assert in_another_process("4242") == expected


def test_other_seed_or_index_gives_another_product() -> None:
    titles = [generate_product(seed, i).title for seed in range(4) for i in range(0, 400, BLOCK)]
    assert len(set(titles)) == len(titles)


def test_asins_are_ten_characters_and_unique() -> None:
    asins = {asin_of(8, i) for i in range(200_000)}
    assert len(asins) == 200_000
    assert {len(asin) for asin in asins} == {10}
    assert all(asin.isalnum() and asin == asin.upper() for asin in itertools.islice(asins, 1000))


def test_negative_index_is_refused() -> None:
    with pytest.raises(ValueError, match="index must be 0 or more, got -1"):
        generate_product(0, -1)


def test_families_have_two_to_six_members_next_to_each_other() -> None:
    sizes = []
    index = 0
    while index < 10 * BLOCK:
        family = siblings(2, index)
        assert family.start == index
        assert all(siblings(2, i) == family for i in family)
        sizes.append(len(family))
        index = family.stop
    assert sorted(sizes) == sorted([2, 3, 4, 5, 6] * 10)


def test_siblings_differ_in_exactly_one_thing() -> None:
    kinds = set()
    for start in range(0, 600):
        family, _ = family_of(1, start)
        for a, b in itertools.combinations(siblings(1, start), 2):
            one, other = generate_product(1, a), generate_product(1, b)
            fields = differing_fields(one, other)
            kinds.add(family.kind)
            if family.kind == "price":
                assert fields == {"price"}
            elif family.kind == "option":
                assert fields == {"options"}
                assert [n for n in one.options if one.options[n] != other.options[n]] == [family.pivot]
                assert not set(one.options[family.pivot]) & set(other.options[family.pivot])
            else:
                assert "attributes" in fields and fields <= {"attributes", "bullet_points", "description"}
                assert fields & {"bullet_points", "description"}, "the item's page must tell them apart"
                assert len(set(one.attributes) ^ set(other.attributes)) == 2
    assert kinds == {"attribute", "option", "price"}


def test_every_attribute_can_be_read_on_the_item_page() -> None:
    only_below_the_title = 0
    for i in range(300):
        product = generate_product(4, i)
        page = " ".join((*product.bullet_points, product.description)).lower()
        assert all(attribute in page for attribute in product.attributes)
        only_below_the_title += sum(attribute not in product.title.lower() for attribute in product.attributes)
    assert only_below_the_title > 300


@pytest.mark.parametrize("seed", [0, 1])
def test_gold_product_scores_one_and_siblings_less_where_the_goal_singles_it_out(seed: int) -> None:
    singled_out = 0
    for i in range(300):
        gold = generate_product(seed, i)
        goal = generate_goal(gold, seed, i, variant=i % 3)
        family, member = family_of(seed, i)
        assert score_purchase(gold, goal, goal.options, gold.price_for(goal.options))["reward"] == 1.0
        for k, other in enumerate(siblings(seed, i)):
            sibling = generate_product(seed, other)
            chosen = {name: value for name, value in goal.options.items() if value in sibling.options[name]}
            reward = score_purchase(sibling, goal, chosen, sibling.price_for(chosen))["reward"]
            if other != i and (family.kind != "price" or k > member):
                assert reward < 1.0
                singled_out += 1
    assert singled_out > 500


def test_instruction_states_everything_that_the_reward_checks() -> None:
    for i in range(400):
        product = generate_product(6, i)
        goal = generate_goal(product, 6, i)
        assert 1 <= len(goal.attributes) <= 3 and len(set(goal.attributes)) == len(goal.attributes)
        assert len(goal.options) <= 3
        assert all(attribute in goal.instruction for attribute in goal.attributes)
        assert all(f"{name}: {value}" in goal.instruction for name, value in goal.options.items())
        assert f"{goal.price_cap:.2f} dollars" in goal.instruction
        assert product.price_for(goal.options) <= goal.price_cap
        assert all(value in product.options[name] for name, value in goal.options.items())
        assert "  " not in goal.instruction and "{" not in goal.instruction


def test_variants_of_a_goal_differ() -> None:
    product = generate_product(0, 40)
    assert len({generate_goal(product, 0, 40, variant).instruction for variant in range(5)}) >= 4


def test_products_and_goals_survive_json() -> None:
    for i in range(100):
        product = generate_product(9, i)
        goal = generate_goal(product, 9, i)
        assert Product.from_json(json.loads(json.dumps(product.to_json()))) == product
        assert Goal.from_json(json.loads(json.dumps(goal.to_json()))) == goal


def test_surcharges_begin_at_nothing_and_rise() -> None:
    charged = 0
    for i in range(200):
        product = generate_product(7, i)
        for name, prices in product.option_prices.items():
            extras = [prices.get(value, 0.0) for value in product.options[name]]
            assert extras == sorted(extras) and extras[0] == 0.0 < extras[1]
            charged += 1
    assert charged > 50


def test_there_are_enough_kinds_of_things() -> None:
    assert len(TYPES) >= 30
    assert len({t.department for t in TYPES}) >= 6
    assert len({t.query for t in TYPES}) == len(TYPES)


@pytest.mark.parametrize("kind", TYPES, ids=lambda t: t.query)
def test_no_attribute_passes_for_another(kind: Any) -> None:
    attributes = [word for group in kind.groups for word in group.words]
    stock = " ".join(
        (
            *itertools.chain(*phrases.BULLETS.values(), *phrases.DESCRIPTIONS.values()),
            *(*phrases.OPENINGS, *phrases.FILLERS, *phrases.TITLES, *phrases.SERIES, kind.noun),
        )
    ).lower()
    assert all(len(group.words) >= 6 for group in kind.groups), "a family may have six siblings"
    assert not [(a, b) for a, b in itertools.permutations(attributes, 2) if alike(a, b) or a in b]
    assert not [a for a in attributes if a in stock]


@pytest.mark.parametrize("kind", TYPES, ids=lambda t: t.query)
def test_no_option_value_passes_for_another(kind: Any) -> None:
    values = [value for pool in kind.options for value in pool.values]
    assert len(set(values)) == len(values), "a value names its option"
    for pool in kind.options:
        others = set(values) - set(pool.values)
        pairs = itertools.chain(
            itertools.combinations(pool.values if pool.distinct else (), 2), itertools.product(pool.values, others)
        )
        assert not [(a, b) for a, b in pairs if alike(normalize_color(a), normalize_color(b))]
        assert not pool.distinct or len(pool.values) >= 12, "six siblings, two values each"
