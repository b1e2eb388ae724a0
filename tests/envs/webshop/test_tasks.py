from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from turnwise.envs.webshop.product import Goal
from turnwise.envs.webshop.queries import keyword_queries
from turnwise.envs.webshop.splits import SPLITS, split_of
from turnwise.envs.webshop.store import Catalogue, CatalogueSpec, open_catalogue
from turnwise.envs.webshop.tasks import PANEL, content_hash, task_list

PANEL_HASH = "105fe0ce56b1be7bd1815c1c5345e1a1baca2866d42099f95928645b2f1e94e5"


def wish(goal: Goal) -> tuple[object, ...]:
    return goal.query, frozenset(goal.attributes), frozenset(goal.options.values())


def test_splits_share_no_wish(default: Catalogue) -> None:
    wishes = {split: {wish(default.goal(i)) for i in default.split(split)} for split in SPLITS}
    assert not wishes["train"] & wishes["val"]
    assert not wishes["train"] & wishes["test"]
    assert not wishes["val"] & wishes["test"]


def test_splits_are_about_eighty_ten_ten(default: Catalogue) -> None:
    share = {split: len(default.split(split)) / len(default.goals) for split in SPLITS}
    assert 0.77 < share["train"] < 0.83
    assert 0.08 < share["val"] < 0.12
    assert 0.08 < share["test"] < 0.12


def test_split_ignores_wording_price_product_and_order(default: Catalogue) -> None:
    for i in range(200):
        goal = default.goal(i)
        other = replace(
            goal,
            asin="B000000000",
            title="Another",
            instruction="Other words.",
            price_cap=1.0,
            attributes=goal.attributes[::-1],
            options=dict(reversed(goal.options.items())),
        )
        assert split_of(other) == split_of(goal)


def test_task_ids_lead_back_to_their_goals(small: Catalogue) -> None:
    for split in SPLITS:
        tasks = task_list(small, split)
        assert len(tasks) == len(small.split(split))
        for number, task_id in zip(small.split(split), tasks, strict=True):
            assert task_id == f"webshop-100-5/{split}/{number:06d}"
            assert task_id in tasks and tasks.has(task_id)
            assert tasks.goal(task_id) == small.goal(int(number))
        assert tasks[-1] == tasks[len(tasks) - 1] == tasks[-3:][2]
        with pytest.raises(IndexError):
            tasks[len(tasks)]


def test_task_of_another_split_is_known_but_not_in_the_list(small: Catalogue) -> None:
    train, test = task_list(small, "train"), task_list(small, "test")
    assert train.has(test[0]) and test[0] not in train
    assert train.goal(test[0]) == test.goal(test[0])


@pytest.mark.parametrize(
    "task_id",
    [
        "",
        "webshop-100-5/train",
        "webshop-100-6/{split}/{number:06d}",
        "webshop-100-5/{split}/{number}",
        "webshop-100-5/{split}/{number:07d}",
        "webshop-100-5/{other}/{number:06d}",
        "webshop-100-5/panel/{number:06d}",
        "webshop-100-5/{split}/-00001",
        "webshop-100-5/{split}/999999",
        "webshop-100-5/{split}/" + "9" * 5000,
        "webshop-100-5/{split}/²²²²²²",
        7,
        None,
    ],
)
def test_unknown_task_ids(small: Catalogue, task_id: object) -> None:
    tasks = task_list(small, "train")
    number = int(small.split("train")[0])
    if isinstance(task_id, str):
        task_id = task_id.format(split="train", other="test", number=number)
    assert task_id not in tasks
    assert not tasks.has(task_id)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no task"):
        tasks.goal(task_id)  # type: ignore[arg-type]


def test_split_names_are_checked(small: Catalogue) -> None:
    with pytest.raises(ValueError, match="split 'dev' is unknown; valid are train, val, test, panel"):
        task_list(small, "dev")
    with pytest.raises(ValueError, match="split 'panel' belongs to webshop-1000-0, not to webshop-100-5"):
        task_list(small, "panel")


def test_split_without_goals_is_refused(original_files: object, tmp_path: Path) -> None:
    shop = open_catalogue(CatalogueSpec.files(**original_files()), tmp_path)  # type: ignore[operator]
    empty = next(split for split in SPLITS if not len(shop.split(split)))
    with pytest.raises(ValueError, match=f"split '{empty}' of catalogue .* has no goals"):
        task_list(shop, empty)


def test_panel_is_frozen(default: Catalogue) -> None:
    goals = [default.goal(i) for i in PANEL]
    products = [default.product(default.position(goal.asin)) for goal in goals]
    assert content_hash(goals, products) == PANEL_HASH


def test_content_hash_sees_every_field(small: Catalogue) -> None:
    goal = small.goal(0)
    product = small.product(small.position(goal.asin))
    hashes = {
        content_hash([goal], [product]),
        content_hash([replace(goal, price_cap=goal.price_cap + 0.01)], [product]),
        content_hash([goal], [replace(product, rating=1.0)]),
        content_hash([goal, goal], [product, product]),
    }
    assert len(hashes) == 4


def test_panel_is_a_hundred_different_test_tasks(default: Catalogue) -> None:
    panel, test = task_list(default, "panel"), task_list(default, "test")
    assert len(panel) == 100 and set(panel) <= set(test)
    goals = [panel.goal(task_id) for task_id in panel]
    assert len({wish(goal) for goal in goals}) == 100
    assert len({goal.asin for goal in goals}) == 100
    assert len({goal.query for goal in goals}) >= 30


def test_panel_products_can_be_found(default: Catalogue) -> None:
    for i in PANEL:
        goal = default.goal(i)
        gold = default.position(goal.asin)
        assert any(gold in default.search(query, 50) for query in keyword_queries(goal.instruction))
