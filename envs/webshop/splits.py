"""Which split a goal belongs to: decided by what it asks for, so that equal wishes never fall into two splits."""

from __future__ import annotations

import hashlib
import json

from turnwise.envs.webshop.product import Goal

SPLITS = ("train", "val", "test")


def split_of(goal: Goal) -> str:
    """`train` (80 %), `val` or `test` (10 % each), by a hash of the product type and the wanted attributes and options.

    The wording, the price cap and the product that the goal was written for play no part.
    """
    digest = hashlib.blake2b(_content(goal).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    tenth = int.from_bytes(digest, "big") % 10
    return "train" if tenth < 8 else "val" if tenth == 8 else "test"


def _content(goal: Goal) -> str:
    wanted = sorted({attribute.strip().lower() for attribute in goal.attributes})
    options = sorted({value.strip().lower() for value in goal.options.values()})
    return json.dumps([goal.query, wanted, options])
